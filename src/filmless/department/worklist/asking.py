"""What a device asks of the worklist: its identifier (PS3.4 K.4.1.1.3, K.6.1.2.2), read. Pure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from filmless.archive.query.matching import Match, holds, parse
from filmless.department.worklist import keys
from filmless.department.worklist.speaking import Either
from filmless.dicom.scan import Header, scan, sequence_items, text
from filmless.kit.errors import Refused


@dataclass(frozen=True, slots=True)
class Wanted:
    """Attributes of a data set or an item: what they have to match, and which are wanted back.

    `inside`: of sequences what is wanted of their items; None where all of it is.
    """

    matches: Mapping[int, tuple[str, Match]] = field(default_factory=dict)
    texts: Mapping[int, str] = field(default_factory=dict)
    returned: tuple[int, ...] = ()
    inside: Mapping[int, "Wanted | None"] = field(default_factory=dict)

    def fits(self, values: Mapping[int, object], known: Collection[int] = ()) -> bool:
        """Whether an item with these values is what is asked for; what is in `known` has been compared before."""
        for tag, (vr, match) in self.matches.items():
            if tag in known:
                continue
            value = values.get(tag, "")
            texts = (value.zh, value.en) if isinstance(value, Either) else (str(value),)
            if not any(holds(match, vr, text) for text in texts):
                return False
        return True

    def single(self, tag: int) -> str:
        """The value asked for, where it is one without wildcards; else ""."""
        asked = self.texts.get(tag, "")
        return "" if any(sign in asked for sign in "*?\\") else asked


EVERYTHING = Wanted()


@dataclass(frozen=True, slots=True)
class Question:
    """An identifier. `unsupported`: keys with a value that are not compared (status FF01)."""

    top: Wanted
    step: Wanted
    character_set: str
    unsupported: tuple[int, ...] = ()


def read(data: bytes, transfer_syntax_uid: str, character_set: str) -> Question:
    """Read an identifier. `character_set` is assumed where it declares none.

    Raises Refused (code "unreadable"), BadKey for a date or time that is none.
    """
    header = scan(data, transfer_syntax_uid, None)
    if header.truncated or not header.values:
        raise Refused("the identifier cannot be read", code="unreadable")
    unsupported: list[int] = []
    top = _wanted(header, keys.TOP, character_set, unsupported)
    steps = _items(header, keys.STEPS)
    step = _wanted(steps[0], keys.IN_STEP, character_set, unsupported) if steps else EVERYTHING
    return Question(top, step, header.character_set, tuple(unsupported))


def _items(header: Header, tag: int) -> list[Header]:
    # in implicit VR the scanner cannot know that it is a sequence; here it is known
    return sequence_items(header, tag, limit=1) if tag in header.values else []


def _wanted(header: Header, known: Mapping[int, str], character_set: str, unsupported: list[int]) -> Wanted:
    matches: dict[int, tuple[str, Match]] = {}
    texts: dict[int, str] = {}
    returned: list[int] = []
    inside: dict[int, Wanted | None] = {}
    for tag in header.values:
        if tag == keys.SPECIFIC_CHARACTER_SET or tag & 0xFFFF == 0:
            continue
        vr = known.get(tag)
        if vr is None:
            if text(header, tag, character_set):
                unsupported.append(tag)
            continue
        returned.append(tag)
        if vr == "SQ":
            items = _items(header, tag)
            if tag != keys.STEPS:
                inner = (
                    _wanted(items[0], keys.INSIDE[tag], character_set, unsupported) if items else EVERYTHING
                )
                inside[tag] = inner if inner.returned else None
                unsupported += [tag] * bool(inner.matches)
            continue
        asked = text(header, tag, character_set)
        match = parse(tag, vr, asked) if vr != "US" else None
        if match is not None:
            matches[tag] = (vr, match)
            texts[tag] = asked.strip()
    return Wanted(matches, texts, tuple(returned), inside)


def tags(question: Question) -> Iterator[tuple[int, str]]:
    """(tag, text) of every key with a value, for the audit trail."""
    yield from question.top.texts.items()
    yield from question.step.texts.items()
