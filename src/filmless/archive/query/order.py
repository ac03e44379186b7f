"""The order of answers, and going on behind one of them (keyset paging).

An order that ends in ARRIVAL, the row's own number, is total: the same at each call, and an answer's place in it can
be told by the values that it is ordered by. Whoever goes on behind a place neither sees an answer twice nor misses
one, whatever arrives meanwhile.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, or_, tuple_

from filmless.archive.query import keys as known
from filmless.archive.query.keys import KEYS, LEVELS, TABLES, Level
from filmless.archive.query.request import ARRIVAL, Order
from filmless.archive.tables import series, studies
from filmless.kit.errors import Refused

#: computed keys that can be ordered by: the counts and lists that ingest and rejection keep
_KEPT: Final[dict[int, ColumnElement[Any]]] = {
    known.MODALITIES_IN_STUDY: studies.c.modalities,
    known.STUDY_SERIES: studies.c.series_count,
    known.STUDY_INSTANCES: studies.c.instance_count,
    known.SERIES_INSTANCES: series.c.instance_count,
}
_INTEGERS: Final = frozenset({known.STUDY_SERIES, known.STUDY_INSTANCES, known.SERIES_INSTANCES})
#: where a number is absent: before all others
_NO_NUMBER: Final = -(2**31)


#: of what `token` makes; characters. Text that answers are ordered by may be long
LONGEST_TOKEN: Final = 32_768


class BadOrder(Refused):
    """An order that cannot be had, or a place in it that is none."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="bad-order")


@dataclass(frozen=True, slots=True)
class Criterion:
    """One expression that answers are ordered by, and the type of its values."""

    expression: ColumnElement[Any]
    descending: bool
    of: type[str] | type[int]


def criteria(order: Sequence[Order], level: Level) -> list[Criterion]:
    """The expressions of an order on answers of a level. Raises BadOrder."""
    found: list[Criterion] = []
    for one in order:
        if one.tag == ARRIVAL:
            found.append(Criterion(TABLES[level].c.id, one.descending, int))
            continue
        key = KEYS.get(one.tag)
        if key is None or LEVELS.index(key.level) > LEVELS.index(level):
            raise BadOrder(f"Answers cannot be ordered by {key.keyword if key else f'{one.tag:08X}'}.")
        if one.tag in _KEPT:
            of: type[str] | type[int] = int if one.tag in _INTEGERS else str
            found.append(Criterion(_KEPT[one.tag], one.descending, of))
        elif key.kind == "number":
            column = func.coalesce(key.matched[0], _NO_NUMBER)
            found.append(Criterion(column, one.descending, int))
        elif not key.matched:
            raise BadOrder(f"Answers cannot be ordered by {key.keyword}.")
        elif key.vr == "IS":
            # text that most often is a number: longer ones are greater
            plain = func.ltrim(key.matched[0], "+0")
            found.append(Criterion(func.length(plain), one.descending, int))
            found.append(Criterion(plain, one.descending, str))
        else:
            found.append(Criterion(key.matched[0], one.descending, str))
    return found


def level_of(order: Sequence[Order], level: Level) -> int:
    """The depth of the highest level that the order needs."""
    depths = [LEVELS.index(KEYS[one.tag].level) for one in order if one.tag != ARRIVAL and one.tag in KEYS]
    return min([LEVELS.index(level), *depths])


def behind(given: Sequence[Criterion], place: Sequence[str | int]) -> ColumnElement[bool]:
    """The condition on answers that come after a place. Raises BadOrder where it is none of this order."""
    if len(place) != len(given) or any(
        type(value) is not one.of for one, value in zip(given, place, strict=True)
    ):
        raise BadOrder("The place to go on from does not belong to this order.")
    if any(isinstance(value, int) and abs(value) >= 2**63 for value in place):
        raise BadOrder("The place to go on from does not exist.")
    directions = {one.descending for one in given}
    if len(directions) == 1:
        # both databases look this up in an index
        here = tuple_(*(one.expression for one in given))
        there = tuple_(*place)
        return here < there if directions.pop() else here > there
    alternatives = []
    for number, one in enumerate(given):
        equal = [
            before.expression == value for before, value in zip(given[:number], place[:number], strict=True)
        ]
        value = place[number]
        further = one.expression < value if one.descending else one.expression > value
        alternatives.append(and_(*equal, further))
    return or_(*alternatives)


def token(order: Sequence[Order], place: Sequence[str | int]) -> str:
    """A place as a word that a client may keep and give back."""
    words = [_signature(order), *place]
    packed = json.dumps(words, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return urlsafe_b64encode(packed).decode("ascii").rstrip("=")


def place_of(order: Sequence[Order], word: str) -> tuple[str | int, ...]:
    """What `token` made. Raises BadOrder where the word is none, or one of another order."""
    try:
        if len(word) > LONGEST_TOKEN:
            raise ValueError
        packed = urlsafe_b64decode(word.encode("ascii") + b"=" * (-len(word) % 4))
        words = json.loads(packed.decode("utf-8"))
    except (ValueError, RecursionError):
        raise BadOrder("The place to go on from cannot be read.") from None
    if not isinstance(words, list) or not words or words[0] != _signature(order):
        raise BadOrder("The place to go on from belongs to another order.")
    place = tuple(words[1:])
    if any(type(value) not in (str, int) or (isinstance(value, str) and "\0" in value) for value in place):
        raise BadOrder("The place to go on from cannot be read.")
    return place


def _signature(order: Sequence[Order]) -> str:
    return ",".join(f"{'-' if one.descending else ''}{one.tag:08X}" for one in order)
