"""Answers of a search as DICOM JSON (PS3.18 annex F), written by hand: the hot path of a search by patient.

What is the same in all answers is made once; a value costs one call. What most values are is looked for in the row
itself, and what is not so goes the general way.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from json.encoder import encode_basestring as quoted
from typing import Any

from filmless.archive.query import keys as known
from filmless.archive.query.answers import Reader
from filmless.archive.query.keys import Level
from filmless.archive.query.received import AsReceived, Number, Plain

RETRIEVE_URL = 0x00081190
#: present if known only (PS3.18 tables 10.6.3-3 to 10.6.3-5, type C); all others are there without a value
_IF_KNOWN = frozenset({known.TIMEZONE_OFFSET, 0x00280008, 0x00280010, 0x00280011, 0x00280100})
_ONE_VALUE = frozenset({"LT", "ST", "UR", "UT"})
_NUMBERS = frozenset({"IS", "DS", "US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"})
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
#: integers beyond this lose digits in a reader that takes JSON numbers as doubles
_EXACT = 1 << 53

Part = Callable[[Any], str]
#: UIDs on the way from a study to an answer of each level, and what stands before each in an address
_PATH: dict[Level, tuple[tuple[str, int], ...]] = {
    "STUDY": (("/studies/", 0x0020000D),),
    "SERIES": (("/studies/", 0x0020000D), ("/series/", 0x0020000E)),
    "IMAGE": (("/studies/", 0x0020000D), ("/series/", 0x0020000E), ("/instances/", 0x00080018)),
}


class Writer:
    """Writes the answers of searches whose rows are read by the same readers."""

    def __init__(self, level: Level, readers: Sequence[tuple[int, Reader]], vrs: Mapping[int, str]) -> None:
        by_tag = dict(readers)
        parts: dict[int, Part] = {tag: _part(tag, vrs[tag], read) for tag, read in by_tag.items()}
        # a device asks for a stored object, and it is here
        online = f'"{known.INSTANCE_AVAILABILITY:08X}":{{"vr":"CS","Value":["ONLINE"]}}'
        parts[known.INSTANCE_AVAILABILITY] = lambda _row: online
        self._before = [part for tag, part in sorted(parts.items()) if tag < RETRIEVE_URL]
        self._behind = [part for tag, part in sorted(parts.items()) if tag > RETRIEVE_URL]
        self._path = [(words, by_tag[tag]) for words, tag in _PATH[level]]

    def texts(self, rows: Sequence[Any], service: str) -> list[str]:
        """An answer for each row. `service` is the address of the DICOMweb service as the client sees it."""
        parts = [*self._before, self._address(service), *self._behind]
        return ["{" + ",".join([text for part in parts if (text := part(row))]) + "}" for row in rows]

    def _address(self, service: str) -> Part:
        head = f'"{RETRIEVE_URL:08X}":{{"vr":"UR","Value":['
        path = self._path
        if len(path) == 1:
            ((words, uid),) = path
            before = service + words
            return lambda row: f"{head}{quoted(before + uid(row))}]}}"
        return lambda row: f"{head}{quoted(service + ''.join([words + uid(row) for words, uid in path]))}]}}"


def _part(tag: int, vr: str, read: Reader) -> Part:
    head = f'"{tag:08X}":{{"vr":"{vr}"'
    empty = "" if tag in _IF_KNOWN else head + "}"
    filled = head + ',"Value":['
    if vr == "SQ":
        return lambda row: _items(filled, empty, read(row))
    one = _name if vr == "PN" else _number if vr in _NUMBERS else quoted
    several = vr not in _ONE_VALUE

    def part(row: Any) -> str:
        value = read(row)
        if not value:
            return empty
        if several and "\\" in value:
            words = ",".join([one(each) if each else "null" for each in value.split("\\")])
            return f"{filled}{words}]}}"
        return f"{filled}{one(value)}]}}"

    match read:
        case AsReceived() if one is quoted and several:
            return _received(read, empty, part)
        case Plain(at=at) if one is quoted and several:
            return _plain(at, filled, empty, part)
        case Number(at=at) if vr == "IS":
            return lambda row: f"{filled}{value}]}}" if type(value := row[at]) is int else part(row)
    return part


def _plain(at: int, filled: str, empty: str, part: Part) -> Part:
    """`part` where most values are one text in a column."""

    def plain(row: Any) -> str:
        value = row[at]
        if not value:
            return empty
        return part(row) if "\\" in value else f"{filled}{quoted(value)}]}}"

    return plain


def _received(read: AsReceived, empty: str, part: Part) -> Part:
    """`part` where the element as it was received is often the answer's, letter by letter."""
    held_at, column, mention, head = read.attributes, read.column, read.mention, read.head
    seconds = read.whole_seconds

    def received(row: Any) -> str:
        held = row[held_at]
        if type(held) is not str:
            return part(row)
        value = row[column] if column >= 0 else ""
        if not value:
            return part(row) if mention in held else empty
        element = f'{head}{read.received(value) if seconds else value}"]}}'
        # with these, the letters could mean something else there
        plain = element in held and '"' not in value and "\\" not in value
        return element if plain else part(row)

    return received


def _items(filled: str, empty: str, items: Sequence[Any]) -> str:
    if not items:
        return empty
    return f"{filled}{json.dumps(items, ensure_ascii=False, separators=(',', ':'))[1:-1]}]}}"


def _name(value: str) -> str:
    """A name as its object (PS3.18 F.2.2)."""
    if "=" not in value:
        return f'{{"Alphabetic":{quoted(value)}}}'
    groups = zip(_GROUPS, value.split("=", 2), strict=False)
    return "{" + ",".join([f'"{word}":{quoted(group)}' for word, group in groups if group]) + "}"


def _number(value: str) -> str:
    """A number as JSON; what is none, or does not fit a double, as text (PS3.18 F.2.3)."""
    text = value.strip()
    digits = text[1:] if text[:1] in "+-" else text
    if digits.isascii() and digits.isdigit():
        whole = int(text) if len(digits) < 20 else _EXACT
        return str(whole) if -_EXACT < whole < _EXACT else quoted(value)
    try:
        number = float(text)
    except ValueError:
        return quoted(value)
    if number - number != 0 or "_" in text:
        return quoted(value)
    return repr(number)
