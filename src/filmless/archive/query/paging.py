"""Pages of answers in an order, quickly: what is the same in searches of one shape is made once.

SQLAlchemy takes longer to make and to recognise the statement of a search by patient than SQLite to run it (measured
here: 0.5 ms against 0.1). A search whose keys are plain - a value, a range, a beginning, a name - is made once with
stand-ins for its values; the next of that shape puts its own values there. Everything else is made each time.
"""

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final

from sqlalchemy import Connection, func, select

from filmless.access.model import Action, Principal
from filmless.archive.query.conditions import LAST
from filmless.archive.query.keys import DATE_AND_TIME, KEYS
from filmless.archive.query.matching import Match, Name, Range, Single, Wildcard
from filmless.archive.query.received import Raw
from filmless.archive.query.request import Query
from filmless.archive.query.search import Reader, Selection
from filmless.db.prepared import Prepared

#: begins every stand-in: a character for private use, which no key that is taken here has
_MARK: Final = "\ue100"
#: shapes that are kept
_MOST: Final = 512


@dataclass(frozen=True, slots=True)
class Page:
    """Some answers in an order: their rows, and what reads each returned tag from a row."""

    rows: Sequence[Any]
    readers: Sequence[tuple[int, Reader]]
    #: place in the order of the last row; () where there is none
    last: tuple[str | int, ...]
    #: answers behind it that were counted
    behind: int

    @property
    def more(self) -> bool:
        """There are answers behind it."""
        return self.behind > 0


def page(connection: Connection, principal: Principal, query: Query, *, beyond: int = 1) -> Page:
    """At most `query.limit` answers in `query.order`, which must end in ARRIVAL, behind `query.after`.

    Answers behind them are counted up to `beyond`, at least one.
    """
    # one answer is read anyway, with the number of those that there are
    wanted = replace(query, limit=max(query.limit, 1))
    plan, values = _plan(connection, principal, wanted, beyond)
    if plan is not None:
        selection, rows = plan.selection, plan.run(connection, values)
    else:
        selection = Selection(connection.dialect.name, principal, wanted, beyond=beyond)
        rows = connection.execute(selection.statement()).fetchall()
        selection.look_up(connection, rows)
    counted = rows[0][selection.counted_place] if rows else 0
    rows = rows[: query.limit]
    last = tuple(rows[-1][at] for at in selection.order_places) if rows else ()
    return Page(rows, selection.readers, last, counted - len(rows))


def count(connection: Connection, principal: Principal, query: Query, *, most: int = 0) -> int:
    """How many answers there are behind `query.after`, of those that `principal` may see; counts up to `most` (0: all).

    `query.limit` and `query.offset` do not count.
    """
    bare = replace(query, returned=(), limit=most, offset=0)
    selection = Selection(connection.dialect.name, principal, bare, counting=True)
    inside = selection.statement().subquery()
    return connection.scalar(select(func.count()).select_from(inside)) or 0


@dataclass(frozen=True, slots=True)
class _Plan:
    """A statement with stand-ins, and where each value goes: name of a parameter -> (number of the value, suffix)."""

    selection: Selection
    prepared: Prepared
    places: Mapping[str, tuple[int, str]]
    #: where in a row other JSON is
    others: tuple[int, ...]

    def run(self, connection: Connection, values: Sequence[str]) -> Sequence[Any]:
        given = {name: values[number] + suffix for name, (number, suffix) in self.places.items()}
        rows = self.prepared.all(connection, given)
        raw, read = self.selection.raw_places, self.others
        if not raw and not read:
            return rows
        found = [list(row) for row in rows]
        for row in found:
            for at in raw:
                row[at] = Raw(row[at])
            for at in read:
                # where the driver leaves that to us
                row[at] = json.loads(row[at]) if isinstance(row[at], str) else row[at]
        return found


_plans: OrderedDict[Any, _Plan | None] = OrderedDict()
_lock = Lock()


def _plan(
    connection: Connection, principal: Principal, query: Query, beyond: int
) -> tuple[_Plan | None, Sequence[str]]:
    """The plan for the shape of a query, and its values; None where it has to be made by itself."""
    if query.after or query.offset or query.items or query.extras.keys:
        return None, ()
    stand_ins: list[tuple[int, Match]] = []
    values: list[str] = []
    shape: list[Any] = []
    for tag, match in query.keys:
        found = _stand_in(tag, match, len(values))
        if found is None:
            return None, ()
        kind, stand_in, own = found
        shape.append((tag, kind))
        stand_ins.append((tag, stand_in))
        values += own
    key = (
        connection.dialect.name,
        query.level,
        tuple(shape),
        query.returned,
        query.order,
        query.limit,
        beyond,
        query.options,
        principal,
        # what is granted ends by itself
        principal.granting(Action.SEARCH),
    )
    with _lock:
        if key in _plans:
            _plans.move_to_end(key)
            return _plans[key], values
    made = _made(connection, principal, replace(query, keys=tuple(stand_ins)), beyond, len(values))
    with _lock:
        _plans[key] = made
        if len(_plans) > _MOST:
            _plans.popitem(last=False)
    return made, values


def _stand_in(tag: int, match: Match, number: int) -> tuple[str, Match, list[str]] | None:
    """(kind, the match with stand-ins numbered from `number`, its values), None for what is not plain."""
    key = KEYS.get(tag)
    if key is None or tag in DATE_AND_TIME.values():
        return None
    mark = f"{_MARK}{number}{_MARK}"
    if key.kind == "text" and key.vr != "IS":
        match match:
            case Single(value) if _MARK not in value:
                return "one", Single(mark), [value]
            case Range(first, last):
                other = f"{_MARK}{number + bool(first)}{_MARK}"
                kind = f"range {bool(first)} {bool(last)}"
                ends = [end for end in (first, last) if end]
                return kind, Range(mark if first else "", other if last else ""), ends
            case Wildcard(pattern) if (start := _beginning(pattern)) is not None:
                return "beginning", Wildcard(mark + "*"), [start]
    if key.kind == "name" and isinstance(match, Name) and not match.fuzzy and not any(match.groups):
        pattern = match.any_group
        if not pattern or pattern.endswith("^*") or _MARK in pattern:
            return None
        if "*" not in pattern and "?" not in pattern:
            return "name", Name(any_group=mark), [pattern]
        if (start := _beginning(pattern)) is not None:
            return "name beginning", Name(any_group=mark + "*"), [start]
    return None


def _beginning(pattern: str) -> str | None:
    """What stands before the one "*" at the end of a pattern; None for other patterns."""
    start = pattern[:-1]
    if pattern[-1:] != "*" or not start or "*" in start or "?" in start or _MARK in start:
        return None
    return start


def _made(
    connection: Connection, principal: Principal, query: Query, beyond: int, number: int
) -> _Plan | None:
    """The plan of a query whose values are stand-ins; None where they cannot all be found again."""
    selection = Selection(connection.dialect.name, principal, query, raw=True, beyond=beyond)
    prepared = Prepared(selection.statement())
    places: dict[str, tuple[int, str]] = {}
    for name, value in prepared.constants(connection).items():
        if not isinstance(value, str) or _MARK not in value:
            continue
        inner = value.removesuffix(LAST)
        digits = inner[1:-1]
        if inner[:1] != _MARK or inner[-1:] != _MARK or not digits.isdigit():
            return None
        places[name] = (int(digits), LAST if inner != value else "")
    if {at for at, _ in places.values()} != set(range(number)) or selection.looks_up:
        return None
    return _Plan(selection, prepared, places, selection.json_places)
