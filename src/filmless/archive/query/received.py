"""What a row of the index says of an attribute: its column, or a level's `attributes` (DICOM JSON) as it was received.

A reader is called with a row and gives the attribute's text. Those that most answers are made of are classes, so that
an edge that writes many answers can look at the row itself (archive/web/qido_json.py).
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

_DECODER: Final = json.JSONDecoder()


@lru_cache(64)
def _decoded(text: str) -> Mapping[str, Any]:
    """DICOM JSON that came as text. Kept for a moment: the next attribute of the same row asks for the same."""
    found = _DECODER.raw_decode(text)[0]
    return found if isinstance(found, dict) else {}


def element_of(held: Any, name: str) -> Any:
    """An element of DICOM JSON, read or as text, by its tag (GGGGEEEE); None where there is none."""
    return (_decoded(held) if type(held) is str else held).get(name)


class Plain:
    """A text column as it is."""

    __slots__ = ("at",)

    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self, row: Any) -> str:
        value: str = row[self.at]
        return value


class Number:
    """A number, as text."""

    __slots__ = ("at",)

    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self, row: Any) -> str:
        value = row[self.at]
        return "" if value is None else str(value)


class AsReceived:
    """The value as received, else what its column holds (`column` -1: nothing).

    Columns hold times completed, and texts cut to fit. `attributes` is the place of the level's DICOM JSON: as text,
    which is read only where a value cannot be told without, or read already.
    """

    __slots__ = ("attributes", "column", "head", "mention", "name", "whole_seconds")

    def __init__(self, attributes: int, name: str, vr: str, column: int) -> None:
        self.attributes = attributes
        self.name = name
        self.column = column
        #: what stands before the one value of the element
        self.head = f'"{name}":{{"vr":"{vr}","Value":["'
        self.mention = f'"{name}"'
        self.whole_seconds = vr == "TM"

    def __call__(self, row: Any) -> str:
        held = row[self.attributes]
        value: str = row[self.column] if self.column >= 0 else ""
        if type(held) is not str:
            return element_text(held.get(self.name)) or value
        if self.mention not in held:
            return value
        if value:
            plain = self.received(value)
            # the end of an element of one value: the same value, wherever in the JSON it stands
            if f'{self.head}{plain}"]}}' in held:
                return plain
        return element_text(element_of(held, self.name)) or value

    def received(self, value: str) -> str:
        """How the value of the column was most probably received."""
        return value[:6] if self.whole_seconds and value.endswith(".000000") else value


def element_text(element: Mapping[str, Any] | None) -> str:
    """An element of DICOM JSON as text, its values joined by backslash; "" where absent or empty."""
    if not element:
        return ""
    values = element.get("Value")
    if not values:
        return ""
    if len(values) == 1 and isinstance(values[0], str):
        return values[0]
    return "\\".join(_value_text(value) for value in values)


def _value_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        groups = (value.get(group, "") for group in ("Alphabetic", "Ideographic", "Phonetic"))
        return "=".join(groups).rstrip("=")
    return str(value)
