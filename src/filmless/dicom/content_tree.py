"""The content of structured reports as lines of text, in reading order (PS3.3 C.17.3, C.18)."""

from collections.abc import Iterator
from dataclasses import dataclass

from filmless.dicom.header import Header, strings, text
from filmless.dicom.names import parse
from filmless.dicom.scan import sequence_items

_TYPE, _NAME, _CHILDREN, _RELATION = 0x0040A040, 0x0040A043, 0x0040A730, 0x0040A010
_MEANING, _VALUE = 0x00080104, 0x00080100
_MEASURED, _NUMBER, _UNITS, _CODE = 0x0040A300, 0x0040A30A, 0x004008EA, 0x0040A168
_REFERENCED, _REFERENCED_UID = 0x00081199, 0x00081155
#: value type -> where its value is as text
_TEXTS = {
    "TEXT": 0x0040A160,
    "DATETIME": 0x0040A120,
    "DATE": 0x0040A121,
    "TIME": 0x0040A122,
    "PNAME": 0x0040A123,
    "UIDREF": 0x0040A124,
}
#: a report nested deeper, or of more items, is cut
MAX_DEPTH = 40
MAX_ITEMS = 50_000


@dataclass(frozen=True, slots=True)
class Line:
    """One content item: how deep it lies (the document itself 0), its name and value, "" where it has none."""

    depth: int
    heading: bool
    name: str
    value: str


def lines(document: Header, character_set: str = "") -> Iterator[Line]:
    """The content items of a document, whose scan took all its elements, the root first."""
    left = [MAX_ITEMS]
    yield from _lines(document, character_set, 0, left)


def _lines(item: Header, character_set: str, depth: int, left: list[int]) -> Iterator[Line]:
    if depth > MAX_DEPTH or left[0] <= 0:
        return
    left[0] -= 1
    kind = text(item, _TYPE)
    yield Line(
        depth, kind == "CONTAINER", _coded(item, _NAME, character_set), _value(item, kind, character_set)
    )
    for child in sequence_items(item, _CHILDREN, limit=left[0]):
        yield from _lines(child, character_set, depth + 1, left)


def _coded(item: Header, tag: int, character_set: str) -> str:
    """The meaning of a code, or else the code."""
    for code in sequence_items(item, tag, limit=1):
        return text(code, _MEANING, character_set) or text(code, _VALUE, character_set)
    return ""


def _value(item: Header, kind: str, character_set: str) -> str:
    if kind == "CODE":
        return _coded(item, _CODE, character_set)
    if kind == "NUM":
        for measured in sequence_items(item, _MEASURED, limit=1):
            units = _coded(measured, _UNITS, character_set)
            number = " ".join(strings(measured, _NUMBER))
            return number if units in ("", "1", "no units") else f"{number} {units}"
        return ""
    if kind in ("IMAGE", "COMPOSITE", "WAVEFORM"):
        for reference in sequence_items(item, _REFERENCED, limit=1):
            return text(reference, _REFERENCED_UID)
        return ""
    tag = _TEXTS.get(kind)
    if tag is None:
        return kind if kind not in ("CONTAINER", "") else ""
    found = text(item, tag, character_set)
    return readable(found) if kind == "PNAME" else found


def readable(name: str) -> str:
    """A person name as people write it: family name first, its groups behind each other."""
    groups = parse(name)
    plain = [
        " ".join(part for part in group.split("^") if part)
        for group in (groups.alphabetic, groups.ideographic, groups.phonetic)
    ]
    return " / ".join(group for group in plain if group)
