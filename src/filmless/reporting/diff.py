"""What differs between two texts, in words a person would name. Pure: no I/O."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from filmless.reporting.model import SECTIONS, whole

#: a word or number with what belongs to it, spaces, or one sign (Chinese has no words apart)
_TOKEN: Final = re.compile(r"[A-Za-z0-9_.%]+|\s+|.", re.DOTALL)
#: signs of both texts of one section together; longer ones are shown as replaced whole
_MOST: Final = 20_000


@dataclass(frozen=True, slots=True)
class Part:
    """`op`: "same", "added" or "removed"."""

    op: Literal["same", "added", "removed"]
    text: str


def of_text(before: str, after: str) -> list[Part]:
    """The parts of both texts, in order; all that is "same" or "added" is `after`, all else is `before`."""
    if before == after:
        return [Part("same", before)] if before else []
    if len(before) + len(after) > _MOST:
        return [part for part in (Part("removed", before), Part("added", after)) if part.text]
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    found: list[Part] = []
    for op, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if op == "equal":
            found.append(Part("same", "".join(old[a:b])))
            continue
        if b > a:
            found.append(Part("removed", "".join(old[a:b])))
        if d > c:
            found.append(Part("added", "".join(new[c:d])))
    return found


def of_content(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Part]]:
    """Section or "field:NAME", "result", "images" -> parts; only those that differ."""
    one, other = whole(before), whole(after)
    pairs = {name: (str(one[name]), str(other[name])) for name in (*SECTIONS, "result")}
    for name in sorted({*one["fields"], *other["fields"]}):
        pairs[f"field:{name}"] = (_shown(one["fields"].get(name)), _shown(other["fields"].get(name)))
    pairs["images"] = (_images(one["images"]), _images(other["images"]))
    return {name: of_text(*pair) for name, pair in pairs.items() if pair[0] != pair[1]}


def _shown(value: Any) -> str:
    return "" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _images(images: list[Mapping[str, Any]]) -> str:
    return "\n".join(
        f"{one.get('sop_uid', '')} {one.get('frame') or 1} {one.get('caption', '')}".rstrip()
        for one in images
    )
