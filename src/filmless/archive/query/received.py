"""Values as they were received: what a level's `attributes` (DICOM JSON) say besides its columns."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

_DECODE: Final[Callable[[str], tuple[Any, int]]] = json.JSONDecoder().raw_decode


class Raw:
    """DICOM JSON that is read only where a value cannot be told without: most often its columns say it all."""

    __slots__ = ("_read", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._read: Mapping[str, Any] | None = None

    def get(self, name: str) -> Any:
        """The element of a tag (GGGGEEEE), None where there is none."""
        if self._read is None:
            found = _DECODE(self.text)[0]
            self._read = found if isinstance(found, dict) else {}
        return self._read.get(name)


def reader(attributes: int, name: str, vr: str, column: int) -> Callable[[Any], str]:
    """Reads the value of an attribute from a row: as received, else what its column holds (`column` -1: nothing).

    Columns hold times completed, and texts cut to fit; `attributes` is the place of the level's DICOM JSON.
    """
    head = f'"{name}":{{"vr":"{vr}","Value":["'
    mention = f'"{name}"'
    whole_seconds = vr == "TM"

    def read(row: Any) -> str:
        held = row[attributes]
        value: str = row[column] if column >= 0 else ""
        if type(held) is Raw:
            text = held.text
            if mention not in text:
                return value
            if value:
                # the end of an element of one value: the same value, wherever in the JSON it stands
                plain = value[:6] if whole_seconds and value.endswith(".000000") else value
                if f'{head}{plain}"]}}' in text:
                    return plain
        return element_text(held.get(name)) or value

    return read


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
