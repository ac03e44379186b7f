"""Answers of a search as DICOM JSON (PS3.18 annex F), written by hand: the hot path of a search by patient.

What is the same in all answers is made once; a value costs one call.
"""

import json
from collections.abc import Callable, Sequence
from json.encoder import encode_basestring as quoted
from typing import Any

from filmless.archive.query import keys as known
from filmless.archive.query.keys import Level
from filmless.archive.query.search import Reader

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
    """Writes the rows of one search. `service` is the address of the DICOMweb service as the client sees it."""

    def __init__(
        self, level: Level, readers: Sequence[tuple[int, Reader]], vrs: dict[int, str], service: str
    ) -> None:
        by_tag = dict(readers)
        parts: dict[int, Part] = {tag: _part(tag, vrs[tag], read) for tag, read in by_tag.items()}
        # a device asks for a stored object, and it is here
        online = f'"{known.INSTANCE_AVAILABILITY:08X}":{{"vr":"CS","Value":["ONLINE"]}}'
        parts[known.INSTANCE_AVAILABILITY] = lambda _row: online
        parts[RETRIEVE_URL] = _address(level, by_tag, service)
        self._parts = [part for _, part in sorted(parts.items())]

    def write(self, row: Any) -> str:
        """One answer."""
        return "{" + ",".join([text for part in self._parts if (text := part(row))]) + "}"


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

    return part


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


def _address(level: Level, readers: dict[int, Reader], service: str) -> Part:
    head = f'"{RETRIEVE_URL:08X}":{{"vr":"UR","Value":['
    path = [(words, readers[tag]) for words, tag in _PATH[level]]
    return lambda row: f"{head}{quoted(service + ''.join([words + read(row) for words, read in path]))}]}}"
