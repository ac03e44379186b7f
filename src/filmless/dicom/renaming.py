"""Other UIDs for the same objects, wherever a data set names them: also in items of sequences. Pure.

What is no UID, and UIDs that nobody renamed, keep their bytes.
"""

from collections.abc import Mapping

from filmless.dicom.elements import ITEM, ITEM_END, SEQUENCE_END, UNDEFINED
from filmless.dicom.recode import head, write
from filmless.dicom.rewrite import IMPLICIT_LE, MAX_DEPTH, Element, Encoding, elements, items
from filmless.dicom.vr import settled_vr
from filmless.kit.errors import Refused

_ITEM = b"\xfe\xff\x00\xe0"


def renamed(data: bytes, encoding: Encoding, names: Mapping[str, str]) -> bytes:
    """`data`, whole elements without pixel data, with the keys of `names` replaced by their values.

    Raises Refused where the data do not add up to elements.
    """
    return _level(data, 0, len(data), encoding, names, 0)


def _level(
    data: bytes, start: int, end: int, encoding: Encoding, names: Mapping[str, str], depth: int
) -> bytes:
    if depth > MAX_DEPTH:
        raise Refused("The data set is nested too deep.", code="bad-data-set")
    parts = [
        (element.tag, _element(data, element, encoding, names, depth))
        for element in elements(data, start, end, encoding)
    ]
    same = data[start:end]
    if b"".join(part for _, part in parts) == same:
        return same
    # lengths of groups (retired, PS3.5 7.2) would be wrong
    return b"".join(part for tag, part in parts if tag & 0xFFFF)


def _element(
    data: bytes, element: Element, encoding: Encoding, names: Mapping[str, str], depth: int
) -> bytes:
    whole = data[element.start : element.after]
    value = data[element.value : element.end]
    vr = settled_vr(element.tag, element.vr, len(value), signed=False)
    if vr == "SQ" or (vr == "UN" and (element.undefined or value[:4] == _ITEM)):
        return _sequence(data, element, encoding, names, depth, whole)
    if vr != "UI":
        return whole
    told = value.decode("latin-1").rstrip("\0 ").split("\\")
    if not any(one in names for one in told):
        return whole
    new = "\\".join(names.get(one, one) for one in told)
    return write(element.tag, element.vr or vr, new.encode("latin-1"), encoding)


def _sequence(
    data: bytes, element: Element, encoding: Encoding, names: Mapping[str, str], depth: int, whole: bytes
) -> bytes:
    inner = IMPLICIT_LE if element.vr == "UN" else encoding
    out = bytearray()
    try:
        for start, stop, undefined in items(data, element, inner):
            content = _level(data, start, stop, inner, names, depth + 1)
            out += head(ITEM, "", UNDEFINED if undefined else len(content), inner) + content
            if undefined:
                out += head(ITEM_END, "", 0, inner)
    except Refused:
        if element.vr != "UN":
            raise
        # opaque after all
        return whole
    if bytes(out) == data[element.value : element.end]:
        return whole
    length = UNDEFINED if element.undefined else len(out)
    if element.undefined:
        out += head(SEQUENCE_END, "", 0, encoding)
    return head(element.tag, element.vr or "SQ", length, encoding) + bytes(out)
