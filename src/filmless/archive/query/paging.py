"""Pages of answers in an order, quickly: what is the same in searches of one shape is made once.

SQLAlchemy takes longer to make and to recognise the statement of a search by patient than SQLite to run it (measured
here: 0.5 ms against 0.1). A search whose keys are plain - a value, a range, a beginning, a name - is made once with
stand-ins for its values; the next of that shape puts its own values there. Everything else is made each time.
"""

import json
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Final

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import OperationalError

from filmless.access.model import Action, Principal
from filmless.archive.query import families
from filmless.archive.query.answers import Reader
from filmless.archive.query.conditions import LAST
from filmless.archive.query.keys import DATE_AND_TIME, KEYS, PATIENT_NAME
from filmless.archive.query.matching import Match, Name, Range, Single, Wildcard
from filmless.archive.query.request import Query
from filmless.archive.query.search import Selection
from filmless.db.prepared import Prepared

#: begins every stand-in: a character for private use, which no key that is taken here has
_MARK: Final = "\ue100"
#: shapes that are kept
_MOST: Final = 512
#: seconds for which a statement that was interrupted is not tried again where it must be over soon
_PAUSE: Final = 1.0


@dataclass(frozen=True, slots=True)
class Page:
    """Some answers in an order: their rows, and what reads each returned tag from a row."""

    rows: Sequence[Any]
    readers: Sequence[tuple[int, Reader]]
    #: place in the order of the last row; () where there is none
    last: tuple[str | int, ...]
    #: answers behind it that were counted
    behind: int
    #: what an edge makes of the readers, to have it again with the next page that is read with the same ones
    made: dict[str, Any] = field(default_factory=dict)

    @property
    def more(self) -> bool:
        """There are answers behind it."""
        return self.behind > 0


def page(connection: Connection, principal: Principal, query: Query, *, beyond: int = 1) -> Page:
    """At most `query.limit` answers in `query.order`, which must end in ARRIVAL, behind `query.after`.

    Answers behind them are counted up to `beyond`, at least one.
    """
    # one answer is read anyway, with the number of those that there are
    wanted = query if query.limit else replace(query, limit=1)
    shape = _shape(connection, principal, wanted, beyond)
    plan = None
    if shape is not None:
        plan = _known(shape.key)
        if plan is None and shape.key not in _plans:
            plan = _keep(shape.key, _made(connection, principal, wanted, beyond, shape))
    if shape is not None and plan is not None:
        return plan.page(connection, shape.values, query.limit)
    selection = Selection(connection.dialect.name, principal, wanted, beyond=beyond)
    rows = connection.execute(selection.statement()).fetchall()
    selection.look_up(connection, rows)
    return _page(selection, rows, query.limit, {})


def page_if_known(connection: Connection, principal: Principal, query: Query, *, beyond: int) -> Page | None:
    """The same where a search of this shape was made before, and its statement has not lately been interrupted."""
    shape = _shape(connection, principal, query, beyond) if query.limit else None
    plan = _known(shape.key) if shape is not None else None
    if shape is None or plan is None or plan.interrupted > time.monotonic():
        return None
    try:
        return plan.page(connection, shape.values, query.limit)
    except OperationalError:
        plan.interrupted = time.monotonic() + _PAUSE
        raise


def _page(selection: Selection, rows: Sequence[Any], limit: int, made: dict[str, Any]) -> Page:
    counted = rows[0][selection.counted_place] if rows else 0
    rows = rows[:limit]
    last = tuple([rows[-1][at] for at in selection.order_places]) if rows else ()
    return Page(rows, selection.readers, last, counted - len(rows), made)


def count(connection: Connection, principal: Principal, query: Query, *, most: int = 0) -> int:
    """How many answers there are behind `query.after`, of those that `principal` may see; counts up to `most` (0: all).

    `query.limit` and `query.offset` do not count.
    """
    bare = replace(query, returned=(), limit=most, offset=0)
    selection = Selection(connection.dialect.name, principal, bare, counting=True)
    inside = selection.statement().subquery()
    return connection.scalar(select(func.count()).select_from(inside)) or 0


@dataclass(slots=True)
class _Plan:
    """A statement with stand-ins, and where each value goes."""

    selection: Selection
    prepared: Prepared
    places: "_Places"
    #: where in a row JSON is that the driver may leave as text
    json: tuple[int, ...]
    #: shorter where there is nothing that only some may see
    steps: "_Steps | None" = None
    #: until when it is not to be tried where it must be over soon (time.monotonic)
    interrupted: float = 0.0
    #: see Page
    made: dict[str, Any] = field(default_factory=dict)

    def page(self, connection: Connection, values: Sequence[str], limit: int) -> Page:
        if self.steps is not None and (found := self.steps.page(connection, values, limit)) is not None:
            return found
        rows = self.prepared.all(connection, _given(self.places, values))
        if self.json:
            rows = [list(row) for row in rows]
            for row in rows:
                for at in self.json:
                    row[at] = json.loads(row[at]) if isinstance(row[at], str) else row[at]
        return _page(self.selection, rows, limit, self.made)


@dataclass(slots=True)
class _Steps:
    """The same page in two statements (Selection.two_steps)."""

    selection: Selection
    first: Prepared
    places: "_Places"
    then: Prepared
    made: dict[str, Any] = field(default_factory=dict)

    def page(self, connection: Connection, values: Sequence[str], limit: int) -> Page | None:
        """None where one answer has what only some may see: then all is told from what is below each."""
        found = self.first.all(connection, _given(self.places, values))
        ours = found[:limit]
        if not ours:
            return Page((), self.selection.readers, (), 0, self.made)
        numbers = [row[0] for row in ours]
        told = self.then.all(connection, {"numbers": json.dumps(numbers)})
        if (at := self.selection.rejected_place) >= 0 and any(row[at] for row in told):
            return None
        by_number = {row[-1]: row for row in told}
        rows = [by_number[number] for number in numbers]
        return Page(rows, self.selection.readers, tuple(ours[-1][1:]), len(found) - len(ours), self.made)


_plans: OrderedDict[Any, _Plan | None] = OrderedDict()
_lock = Lock()


def _known(key: Any) -> _Plan | None:
    with _lock:
        if key not in _plans:
            return None
        _plans.move_to_end(key)
        return _plans[key]


def _keep(key: Any, plan: _Plan | None) -> _Plan | None:
    with _lock:
        _plans[key] = plan
        if len(_plans) > _MOST:
            _plans.popitem(last=False)
    return plan


@dataclass(frozen=True, slots=True)
class _Shape:
    """What searches that differ in their values only have in common, and the values of this one."""

    #: what the plan is kept under
    key: Any
    #: keys with stand-ins for the values
    keys: tuple[tuple[int, Match], ...]
    #: stand-ins for family names, in place of a key of the name
    of_families: tuple[str, ...]
    values: Sequence[str]


def _shape(connection: Connection, principal: Principal, query: Query, beyond: int) -> _Shape | None:
    """None for what has to be made by itself."""
    if query.after or query.offset or query.items or query.extras.keys:
        return None
    keys: list[tuple[int, Match]] = []
    of_families: tuple[str, ...] = ()
    values: list[str] = []
    shape: list[Any] = []
    for tag, match in query.keys:
        if tag == PATIENT_NAME and (start := families.beginning(query, match)):
            names = families.names(connection, start)
            if 0 < len(names) <= families.MOST:
                of_families = tuple(_mark(len(values) + number) for number in range(len(names)))
                shape.append((tag, len(names)))
                values += names
                continue
        found = _stand_in(tag, match, len(values))
        if found is None:
            return None
        kind, stand_in, own = found
        shape.append((tag, kind))
        keys.append((tag, stand_in))
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
    return _Shape(key, tuple(keys), of_families, values)


def _mark(number: int) -> str:
    """The stand-in for a value."""
    return f"{_MARK}{number}{_MARK}"


def _stand_in(tag: int, match: Match, number: int) -> tuple[str, Match, list[str]] | None:
    """(kind, the match with stand-ins numbered from `number`, its values), None for what is not plain."""
    key = KEYS.get(tag)
    if key is None or tag in DATE_AND_TIME.values():
        return None
    mark = _mark(number)
    if key.kind == "text" and key.vr != "IS":
        match match:
            case Single(value) if _MARK not in value:
                return "one", Single(mark), [value]
            case Range(first, last):
                other = _mark(number + bool(first))
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
    connection: Connection, principal: Principal, query: Query, beyond: int, shape: _Shape
) -> _Plan | None:
    """The plan of queries of a shape; None where their values cannot all be put where they belong."""
    dialect, stands = connection.dialect.name, replace(query, keys=shape.keys)

    def selected(*, apart: bool = False) -> Selection:
        of_families = shape.of_families
        return Selection(
            dialect, principal, stands, raw=True, apart=apart, beyond=beyond, of_families=of_families
        )

    selection = selected()
    prepared = Prepared(selection.statement())
    places = _places(connection, prepared, len(shape.values))
    if places is None or selection.looks_up:
        return None
    steps = None
    if dialect == "sqlite" and not selection.json_places:
        in_two = selected(apart=True)
        first, then = (Prepared(each) for each in in_two.two_steps())
        first_places = _places(connection, first, len(shape.values))
        if first_places is not None and not in_two.json_places:
            # compiled now, as the other one is: it may be run where there is no time for it
            then.constants(connection)
            steps = _Steps(in_two, first, first_places, then)
    return _Plan(selection, prepared, places, selection.json_places, steps)


#: name of a parameter -> (number of the value that it gets, what follows the value)
_Places = Mapping[str, tuple[int, str]]


def _places(connection: Connection, prepared: Prepared, number: int) -> _Places | None:
    """Where the values go in a statement with stand-ins; None where they cannot all be found again."""
    places: dict[str, tuple[int, str]] = {}
    for name, value in prepared.constants(connection).items():
        if not isinstance(value, str) or _MARK not in value:
            continue
        inner = value.removesuffix(LAST)
        digits = inner[1:-1]
        if inner[:1] != _MARK or inner[-1:] != _MARK or not digits.isdigit():
            return None
        places[name] = (int(digits), LAST if inner != value else "")
    return places if {at for at, _ in places.values()} == set(range(number)) else None


def _given(places: _Places, values: Sequence[str]) -> Mapping[str, str]:
    return {name: values[number] + suffix for name, (number, suffix) in places.items()}
