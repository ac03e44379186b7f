"""The DICOM JSON model (PS3.18 annex F), made element by element: a bad value costs itself and a warning.

Text is Unicode, so Specific Character Set becomes "ISO_IR 192". Numbers of DS and IS are JSON numbers where they
are numbers, else the text as sent. File meta information, group lengths and padding have no place in it.
"""

import mmap
from base64 import b64encode
from collections.abc import Callable, Iterable
from math import isfinite
from pathlib import Path
from struct import calcsize, unpack_from
from typing import Any

from filmless.dicom.charset import decode
from filmless.dicom.elements import Buffer
from filmless.dicom.header import SPECIFIC_CHARACTER_SET, Header
from filmless.dicom.names import parse
from filmless.dicom.rewrite import swap
from filmless.dicom.scan import PIXEL_TAGS, scan, sequence_items
from filmless.dicom.vr import PIXEL_REPRESENTATION, settled_vr

Json = dict[str, Any]
Warn = Callable[[int, str], None]

#: DICOM JSON of items nested deeper than this is left out
MAX_DEPTH = 100

_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_WORDS = {"OW": 2, "OL": 4, "OF": 4, "OV": 8, "OD": 8, "OB": 1, "UN": 1}
#: text whose backslashes and leading spaces belong to it, of one value
_LONG_TEXT = frozenset({"LT", "ST", "UT"})
_STRINGS = frozenset({"AE", "AS", "CS", "DA", "DT", "LO", "SH", "TM", "UC", "UI", "UR"})
#: palettes (PS3.3 C.7.9) are not referred to, however long: viewers that take references for pixels only wait for
#: these without an end
_INLINE = frozenset({"00281201", "00281202", "00281203", "00281221", "00281222", "00281223"})
#: an item's tag: a sequence sent as UN is in implicit VR little endian (PS3.5 6.2.2)
_ITEM = b"\xfe\xff\x00\xe0"
#: integers beyond this lose digits in a reader that takes JSON numbers as doubles
_EXACT = 1 << 53


class Writer:
    """What stays the same throughout one data set."""

    def __init__(self, character_set: str, inline_limit: int | None, warn: Warn | None) -> None:
        self.character_set = character_set
        self.inline_limit = inline_limit
        self.warn = warn or (lambda tag, words: None)
        self.signed = False

    def elements(self, header: Header, tags: Iterable[int] | None, path: str, depth: int) -> Json:
        found = header.values.keys() | header.large.keys()
        chosen = found if tags is None else found.intersection(tags)
        out: Json = {}
        for tag in sorted(chosen):
            if not belongs(tag):
                continue
            name = f"{tag:08X}"
            value = self.sound_element(header, tag, path + name, depth)
            if value is not None:
                out[name] = value
        return out

    def sound_element(self, header: Header, tag: int, path: str, depth: int = 0) -> Json | None:
        """`element`, or None with a warning where its value cannot be had."""
        try:
            return self.element(header, tag, path, depth)
        except (ValueError, OverflowError, ArithmeticError) as error:
            self.warn(tag, f"left out of the metadata ({type(error).__name__})")
            return None

    def element(self, header: Header, tag: int, path: str, depth: int) -> Json:
        if tag in header.large:
            sent, _, length = header.large[tag]
            return {"vr": settled_vr(tag, sent, length, signed=self.signed), "BulkDataURI": path}
        sent, value = header.values[tag]
        vr = settled_vr(tag, sent, len(value), signed=self.signed)
        if tag == SPECIFIC_CHARACTER_SET:
            return {"vr": "CS", "Value": ["ISO_IR 192"]}
        if vr == "SQ" or (vr == "UN" and value[:4] == _ITEM):
            return self.sequence(header, tag, path, depth)
        if not value:
            return {"vr": vr}
        if vr in _WORDS or vr not in _NUMBERS.keys() | _STRINGS | _LONG_TEXT | {"PN", "DS", "IS", "AT"}:
            return self.binary(header, vr if vr in _WORDS else "UN", value, path)
        if vr == "AT" or vr in _NUMBERS:
            values = self.numbers(header, tag, vr, value)
        else:
            text, fault = decode(value, header.character_set, fallback=self.character_set, name=vr == "PN")
            if fault:
                self.warn(tag, fault)
            values = self.texts(tag, vr, text)
        return {"vr": vr, "Value": values} if values else {"vr": vr}

    def sequence(self, header: Header, tag: int, path: str, depth: int) -> Json:
        if depth >= MAX_DEPTH:
            self.warn(tag, "nested too deep for the metadata")
            return {"vr": "SQ"}
        items = sequence_items(header, tag)
        for item in items:
            for inner, words in item.warnings:
                self.warn(inner or tag, words)
        values = [
            self.elements(item, None, f"{path}/{number}/", depth + 1) for number, item in enumerate(items, 1)
        ]
        return {"vr": "SQ", "Value": values} if values else {"vr": "SQ"}

    def binary(self, header: Header, vr: str, value: bytes, path: str) -> Json:
        if self.inline_limit is not None and len(value) > self.inline_limit and path not in _INLINE:
            return {"vr": vr, "BulkDataURI": path}
        if not header.little and _WORDS[vr] > 1:
            value = swap(value, _WORDS[vr])
        return {"vr": vr, "InlineBinary": b64encode(value).decode("ascii")}

    def numbers(self, header: Header, tag: int, vr: str, value: bytes) -> list[Any]:
        order = "<" if header.little else ">"
        if vr == "AT":
            pairs = unpack_from(f"{order}{len(value) // 4 * 2}H", value)
            return [
                f"{group:04X}{element:04X}" for group, element in zip(pairs[::2], pairs[1::2], strict=True)
            ]
        width = calcsize(_NUMBERS[vr])
        if len(value) % width:
            self.warn(tag, "not a whole number of values")
        found = unpack_from(f"{order}{len(value) // width}{_NUMBERS[vr]}", value)
        if vr in ("FL", "FD"):
            return [_float(number) for number in found]
        return [number if -_EXACT < number < _EXACT else str(number) for number in found]

    def texts(self, tag: int, vr: str, text: str) -> list[Any]:
        if vr in _LONG_TEXT:
            text = text.rstrip("\0 ")
            return [text] if text else []
        parts = [part.strip("\0 ") for part in text.split("\\")] if vr != "UR" else [text.strip("\0 ")]
        values: list[Any]
        if vr in ("DS", "IS"):
            values = [self.number(tag, vr, part) if part else None for part in parts]
        elif vr == "PN":
            values = [person_name(part) or None for part in parts]
        else:
            values = [part or None for part in parts]
        return values if any(value is not None for value in values) else []

    def number(self, tag: int, vr: str, text: str) -> int | float | str:
        try:
            if vr == "IS" or text.lstrip("+-").isdigit():
                whole = int(text)
                return whole if -_EXACT < whole < _EXACT else text
            number = float(text)
        except ValueError:
            self.warn(tag, "a value that is no number")
            return text
        if not isfinite(number) or "_" in text:
            self.warn(tag, "a value that is no number")
            return text
        return number


def _float(number: float) -> float | str:
    """PS3.18 F.2.3: what is no finite number is a string."""
    if isfinite(number):
        return number
    return "NaN" if number != number else ("inf" if number > 0 else "-inf")


def person_name(text: str) -> dict[str, str]:
    """The PN object of a name: its groups that are not empty (PS3.18 F.2.2)."""
    name = parse(text)
    groups = {"Alphabetic": name.alphabetic, "Ideographic": name.ideographic, "Phonetic": name.phonetic}
    return {group: value for group, value in groups.items() if value}


def belongs(tag: int) -> bool:
    """Whether an element is metadata: group lengths, file meta information, delimiters and padding are not."""
    return not (tag & 0xFFFF == 0 or tag >> 16 in (0x0002, 0xFFFE) or tag == 0xFFFCFFFC)


def representation_is_signed(header: Header) -> bool:
    """Whether Pixel Representation says so: numbers of either kind are then signed."""
    representation = header.values.get(PIXEL_REPRESENTATION)
    return representation is not None and 1 in representation[1][:2]


def from_header(
    header: Header,
    tags: Iterable[int] | None = None,
    *,
    character_set: str = "",
    inline_limit: int | None = None,
    warn: Warn | None = None,
) -> Json:
    """DICOM JSON of what a scan found, of those of `tags` only where given, in the order of tags.

    `character_set` is assumed where the object declares none. Binary values longer than `inline_limit` bytes
    (None: no limit) become a BulkDataURI that is relative: the tags and item numbers (from 1) on the way to the
    value, joined by "/". `warn` hears (tag, words) of every value that could not be had.
    """
    writer = Writer(character_set, inline_limit, warn)
    writer.signed = representation_is_signed(header)
    return writer.elements(header, tags, "", 0)


def from_data_set(
    data: Buffer,
    transfer_syntax_uid: str,
    *,
    character_set: str = "",
    inline_limit: int | None = 4096,
    warn: Warn | None = None,
) -> Json:
    """DICOM JSON of a whole data set; its pixel data become a BulkDataURI (see `from_header`)."""
    header = scan(data, transfer_syntax_uid, None, past_pixels=True)
    out = from_header(header, character_set=character_set, inline_limit=inline_limit, warn=warn)
    if warn is not None:
        for tag, words in header.warnings:
            warn(tag, words)
    if (found := pixel_reference(header, data)) is not None:
        out[f"{found[0]:08X}"] = found[1]
        out = dict(sorted(out.items()))
    return out


def pixel_reference(header: Header, data: Buffer) -> tuple[int, Json] | None:
    """(tag, reference) of the pixel data; None where there are none."""
    if header.pixel_offset is None:
        return None
    tag = _pixel_tag(header, data)
    vr = {PIXEL_TAGS[0]: "OF", PIXEL_TAGS[1]: "OD"}.get(tag, "OW")
    return tag, {"vr": vr, "BulkDataURI": f"{tag:08X}"}


def _pixel_tag(header: Header, data: Buffer) -> int:
    """Which of the three pixel data elements it is; of a deflated data set Pixel Data is assumed."""
    at = header.pixel_offset
    if at is None or at + 4 > len(data):
        return PIXEL_TAGS[2]
    element = int.from_bytes(data[at + 2 : at + 4], "little" if header.little else "big")
    return 0x7FE00000 + element if 0x7FE00000 + element in PIXEL_TAGS else PIXEL_TAGS[2]


def from_file(
    path: Path,
    offset: int,
    size: int,
    transfer_syntax_uid: str,
    *,
    character_set: str = "",
    inline_limit: int | None = 4096,
    warn: Warn | None = None,
) -> Json:
    """`from_data_set` of `size` bytes at `offset` of a file, whose pixels are not read."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        whole = memoryview(mapped)
        part = whole[offset : offset + size]
        try:
            return from_data_set(
                part, transfer_syntax_uid, character_set=character_set, inline_limit=inline_limit, warn=warn
            )
        finally:
            part.release()
            whole.release()
