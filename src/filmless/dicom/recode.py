"""The text of encoded elements from one character set into another (PS3.5 6.1, PS3.3 C.12.1.1.2).

Everything that is not text, and text that reads the same in both, keeps its bytes; so do items that declare a
character set of their own, and values whose VR nobody knows.
"""

from typing import Literal, NamedTuple

from filmless.dicom.charset import decode, encode
from filmless.dicom.elements import ITEM, ITEM_END, SEQUENCE_END, SHORT, UNDEFINED, Buffer
from filmless.dicom.header import SPECIFIC_CHARACTER_SET
from filmless.dicom.rewrite import IMPLICIT_LE, MAX_DEPTH, Element, Encoding, elements, items
from filmless.dicom.vr import settled_vr
from filmless.kit.errors import Refused

#: VRs to which Specific Character Set applies (PS3.5 6.1.2.3)
TEXT = frozenset({"SH", "LO", "ST", "LT", "PN", "UC", "UT"})
_ESC = 0x1B
_ITEM = b"\xfe\xff\x00\xe0"


class Lost(NamedTuple):
    """A value that could not be read in the character set declared. `path`: tags, and between them item numbers
    (from 1)."""

    path: tuple[int, ...]
    value: bytes


def head(tag: int, vr: str, length: int, encoding: Encoding) -> bytes:
    """An element's bytes before its value; one too long for its VR becomes UN (PS3.5 6.2.2)."""
    order: Literal["little", "big"] = "little" if encoding.little else "big"
    start = (tag >> 16).to_bytes(2, order) + (tag & 0xFFFF).to_bytes(2, order)
    if not encoding.explicit or tag >> 16 == 0xFFFE:
        return start + length.to_bytes(4, order)
    if vr.encode() in SHORT:
        if length <= 0xFFFF:
            return start + vr.encode() + length.to_bytes(2, order)
        vr = "UN"
    return start + vr.encode() + b"\0\0" + length.to_bytes(4, order)


def write(tag: int, vr: str, value: bytes, encoding: Encoding) -> bytes:
    """One element; odd values are padded as their VR asks (PS3.5 6.2)."""
    if len(value) % 2:
        value += b"\0" if vr in ("UI", "OB", "UN") else b" "
    return head(tag, vr, len(value), encoding) + value


def sequence(tag: int, contents: list[bytes], encoding: Encoding) -> bytes:
    """A sequence of defined lengths of items with these contents."""
    inside = b"".join(head(ITEM, "", len(content), encoding) + content for content in contents)
    return head(tag, "SQ", len(inside), encoding) + inside


class Recoder:
    """From one declaration to another. `lost` gathers what could not be read: it was written with U+FFFD."""

    def __init__(self, source: str, target: str, *, assumed: str = "") -> None:
        """`assumed`: the declaration to read by where `source` declares nothing."""
        self.source = source
        self.target = target
        self.assumed = assumed
        self.lost: list[Lost] = []

    def elements(
        self, data: Buffer, start: int, end: int, encoding: Encoding, path: tuple[int, ...] = ()
    ) -> bytes:
        """data[start:end], whole elements. Raises Refused where they do not add up."""
        return b"".join(
            self.element(data, element, encoding, path) for element in elements(data, start, end, encoding)
        )

    def element(
        self, data: Buffer, element: Element, encoding: Encoding, path: tuple[int, ...] = ()
    ) -> bytes:
        """One element, the same bytes where nothing in it changes."""
        whole = bytes(data[element.start : element.after])
        if whole.isascii() and _ESC not in whole[8:]:
            # no byte in it that another set would read differently; lengths below 128 hide nothing
            return whole
        value = data[element.value : element.end]
        vr = settled_vr(element.tag, element.vr, len(value), signed=False)
        if vr == "SQ" or (vr == "UN" and (element.undefined or bytes(value[:4]) == _ITEM)):
            return self._sequence(data, element, encoding, (*path, element.tag), whole)
        if vr not in TEXT:
            return whole
        value = bytes(value)
        if value.isascii() and _ESC not in value:
            return whole
        new = self.value(value, vr, (*path, element.tag))
        return head(element.tag, element.vr or vr, len(new), encoding) + new

    def value(self, value: bytes, vr: str, path: tuple[int, ...]) -> bytes:
        """One value, of even length."""
        text, fault = decode(value, self.source, fallback=self.assumed, name=vr == "PN")
        if fault and "\ufffd" in text:
            self.lost.append(Lost(path, value))
        new = encode(text, self.target, name=vr == "PN")
        if len(new) % 2:
            new = new[:-1] if new.endswith(b" ") else new + b" "
        return new

    def _sequence(
        self, data: Buffer, element: Element, encoding: Encoding, path: tuple[int, ...], whole: bytes
    ) -> bytes:
        if len(path) > 2 * MAX_DEPTH:
            raise Refused("The data set is nested too deep.", code="bad-data-set")
        inner = IMPLICIT_LE if element.vr == "UN" else encoding
        before = len(self.lost)
        out = bytearray()
        changed = False
        try:
            for number, (start, stop, undefined) in enumerate(items(data, element, inner), 1):
                content = self._item(data, start, stop, inner, (*path, number))
                changed = changed or content != data[start:stop]
                out += head(ITEM, "", UNDEFINED if undefined else len(content), inner) + content
                if undefined:
                    out += head(ITEM_END, "", 0, inner)
        except Refused:
            if element.vr != "UN":
                raise
            # opaque after all
            del self.lost[before:]
            return whole
        if not changed:
            return whole
        length = UNDEFINED if element.undefined else len(out)
        if element.undefined:
            out += head(SEQUENCE_END, "", 0, encoding)
        return head(element.tag, element.vr or "SQ", length, encoding) + bytes(out)

    def _item(self, data: Buffer, start: int, stop: int, encoding: Encoding, path: tuple[int, ...]) -> bytes:
        same = bytes(data[start:stop])
        parts: list[tuple[int, bytes]] = []
        for element in elements(data, start, stop, encoding):
            declares = element.tag == SPECIFIC_CHARACTER_SET
            if declares and bytes(data[element.value : element.end]).strip(b" \0"):
                return same
            parts.append((element.tag, self.element(data, element, encoding, path)))
        if b"".join(part for _, part in parts) == same:
            return same
        # lengths of groups (retired, PS3.5 7.2) would be wrong
        return b"".join(part for tag, part in parts if tag & 0xFFFF)
