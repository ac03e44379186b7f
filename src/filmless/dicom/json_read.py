"""DICOM JSON (PS3.18 annex F) back to a data set, element by element: a bad value costs itself and a warning."""

from base64 import b64decode
from collections.abc import Callable, Mapping
from struct import error as StructError
from struct import pack
from typing import Any

from filmless.dicom.builders.encode import element, sequence
from filmless.dicom.charset import UTF_8
from filmless.dicom.elements import LONG, SHORT
from filmless.dicom.header import SPECIFIC_CHARACTER_SET

_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_OPAQUE = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
MAX_DEPTH = 100

Warn = Callable[[int, str], None]
Bulk = Callable[[str], bytes]


def to_data_set(content: Mapping[str, Any], *, bulk: Bulk | None = None, warn: Warn | None = None) -> bytes:
    """The data set in explicit VR little endian and UTF-8.

    `bulk` gives the bytes of a BulkDataURI, in little endian; without it such values are left out. `warn` hears
    (tag, words) of each element that was left out; elements whose name is no tag count under tag 0.
    """
    return b"".join(to_elements(content, bulk=bulk, warn=warn).values())


def to_elements(
    content: Mapping[str, Any], *, bulk: Bulk | None = None, warn: Warn | None = None
) -> dict[int, bytes]:
    """The same element by element, in the order of tags: for who puts others between them."""
    warn = warn or (lambda tag, words: None)
    encoded = _elements(content, bulk, warn, 0)
    encoded.pop(SPECIFIC_CHARACTER_SET, None)
    if f"{SPECIFIC_CHARACTER_SET:08X}" in content or not all(one.isascii() for one in encoded.values()):
        encoded[SPECIFIC_CHARACTER_SET] = element(SPECIFIC_CHARACTER_SET, "CS", UTF_8.encode())
    return dict(sorted(encoded.items()))


def _elements(content: Mapping[str, Any], bulk: Bulk | None, warn: Warn, depth: int) -> dict[int, bytes]:
    out: dict[int, bytes] = {}
    for name, member in content.items():
        tag = 0
        try:
            if len(name) != 8:
                raise ValueError("no tag")
            tag = int(name, 16)
            if tag >> 16 in (0, 2) or tag & 0xFFFF == 0:
                continue
            out[tag] = _element(tag, member, bulk, warn, depth)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, StructError):
            warn(tag, "left out: not as PS3.18 F asks")
    return out


def _element(tag: int, member: Mapping[str, Any], bulk: Bulk | None, warn: Warn, depth: int) -> bytes:
    vr = str(member["vr"])
    if vr.encode("ascii") not in SHORT.keys() | LONG.keys():
        raise ValueError("unknown VR")
    if "BulkDataURI" in member:
        if bulk is None:
            raise ValueError("bulk data are not at hand")
        return element(tag, vr, bulk(str(member["BulkDataURI"])))
    if "InlineBinary" in member:
        return element(tag, vr, b64decode(member["InlineBinary"], validate=True))
    values = member.get("Value", [])
    if not isinstance(values, list):
        raise TypeError("Value is an array")
    if vr == "SQ":
        if depth >= MAX_DEPTH:
            raise ValueError("nested too deep")
        items = (_elements(item or {}, bulk, warn, depth + 1) for item in values)
        return sequence(tag, [b"".join(one for _, one in sorted(item.items())) for item in items])
    if vr in _OPAQUE:
        if values:
            raise ValueError("binary comes as InlineBinary")
        return element(tag, vr, b"")
    if vr in _NUMBERS:
        kind = float if vr in ("FL", "FD") else int
        return element(tag, vr, pack(f"<{len(values)}{_NUMBERS[vr]}", *map(kind, values)))
    if vr == "AT":
        return element(tag, vr, b"".join(pack("<2H", int(v[:4], 16), int(v[4:], 16)) for v in values))
    return element(tag, vr, "\\".join(_text(vr, value) for value in values).encode())


def _text(vr: str, value: Any) -> str:
    if value is None:
        return ""
    if vr == "PN":
        return "=".join(str(value.get(group) or "") for group in _GROUPS).rstrip("=")
    if vr == "DS" and isinstance(value, float):
        return decimal(value)
    if isinstance(value, str | int | float):
        return str(value)
    raise TypeError("not a value")


def decimal(number: float) -> str:
    """The number as a DS of at most 16 characters (PS3.5 6.2), as exact as so many allow."""
    text = repr(number)
    digits = 16
    while len(text) > 16 and digits:
        text = f"{number:.{digits}g}"
        digits -= 1
    return text
