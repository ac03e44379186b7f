"""Runs a query: one SELECT, read as a stream."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Text,
    and_,
    bindparam,
    func,
    select,
    true,
)

from filmless.access.model import Action, Principal
from filmless.archive.query import families, related
from filmless.archive.query import order as ordering
from filmless.archive.query.answers import Answers, Reader
from filmless.archive.query.conditions import Condition, Conditions
from filmless.archive.query.keys import DATE_AND_TIME, KEYS, LEVELS, TABLES, Level
from filmless.archive.query.matching import Range
from filmless.archive.query.request import Query
from filmless.archive.query.visibility import in_force, restricted, seen, visible_at
from filmless.archive.tables import instances, series, studies
from filmless.patients.tables import patients

#: one answer: tag -> text (values joined by backslash; "" where absent), or the items of a sequence as DICOM JSON
Found = dict[int, Any]
#: rows fetched at a time
_BATCH = 200
_PATIENT, _STUDY_DEPTH = LEVELS.index("PATIENT"), LEVELS.index("STUDY")

#: a level's link to the one above: (its column, the column there)
_LINKS: dict[Level, tuple[ColumnElement[Any], ColumnElement[Any]]] = {
    "STUDY": (studies.c.patient, patients.c.id),
    "SERIES": (series.c.study, studies.c.id),
    "IMAGE": (instances.c.series, series.c.id),
}


def search(connection: Connection, principal: Principal, query: Query) -> Generator[Found, None, None]:
    """The answers to `query` that `principal` may see, in no order, as a stream in the caller's transaction.

    Each has the tags of `query.returned`. Close the iterator to stop early. Memory does not grow with the number
    of answers.
    """
    selection = Selection(connection.dialect.name, principal, query)
    result = connection.execute(selection.statement().execution_options(yield_per=_BATCH))
    readers = selection.readers
    try:
        for rows in result.partitions():
            selection.look_up(connection, rows)
            for row in rows:
                yield {tag: read(row) for tag, read in readers}
    finally:
        result.close()


def prepare(dialect: str, principal: Principal, query: Query) -> tuple[Select[Any], list[tuple[int, Reader]]]:
    """The SELECT for a query, and what reads each returned tag from one of its rows."""
    selection = Selection(dialect, principal, query)
    return selection.statement(), selection.readers


class Selection(Answers):
    """A query as a SELECT, and how its rows are read.

    `counting`: only which rows there are matters. `raw`: DICOM JSON comes as text.
    `beyond`: the rows of one page of `query.limit` answers are read, and counted is up to so many answers behind it.
    `apart`: see Answers, and `two_steps`.
    `of_families`: of such a page, only studies of these family names (archive/query/families.py).
    """

    def __init__(
        self,
        dialect: str,
        principal: Principal,
        query: Query,
        *,
        counting: bool = False,
        raw: bool = False,
        apart: bool = False,
        beyond: int = 0,
        of_families: Sequence[str] = (),
    ) -> None:
        super().__init__(dialect, principal, query, raw=raw, apart=apart)
        self._counting = counting
        self._beyond = beyond
        self._families = of_families
        self._conditions = Conditions(dialect, principal, query.extras)
        #: where in a row the values are that it is ordered by
        self.order_places: list[int] = []
        #: where in a row the number of answers is, those behind the page included
        self.counted_place = -1

    def statement(self) -> Select[Any]:
        """The SELECT. Call it once."""
        own, used, given = self._wanted()
        if self._beyond:
            return self._page(self._found(own, used, given), given)
        used |= self._read()
        if not self._counting:
            self.order_places = [
                self._place(f"order_{number}", one.expression) for number, one in enumerate(given)
            ]
        columns = self._columns or [TABLES[self._query.level].c.id]
        return self._ordered(select(*columns).select_from(self._source(used)).where(*own), given)

    def two_steps(self) -> tuple[Select[Any], Select[Any]]:
        """The same page of SQLite in two statements of one transaction: neither keeps anything aside, which there takes
        longer than finding a few answers. Call it once.

        First (number, values that it is ordered by) of the answers, and of as many behind them as are counted; then
        what is told of those whose numbers are in the JSON array `numbers`, each row with its number last.
        """
        own, used, given = self._wanted()
        source = self._source(self._read())
        number_of = TABLES[self._query.level].c.id
        wanted = func.json_each(bindparam("numbers", "[]", type_=Text)).table_valued("value")
        columns = [*self._columns, number_of.label("number")]
        told = select(*columns).select_from(wanted.join(source, number_of == wanted.c.value))
        return self._found(own, used, given), told

    def _wanted(self) -> tuple[list[Condition], set[int], Sequence[ordering.Criterion]]:
        """Conditions on answers, the depths of the levels that they and the order are of, and the order."""
        own, used = self._asked()
        given = ordering.criteria(self._query.order, self._query.level)
        if self._query.order:
            used.add(ordering.level_of(self._query.order, self._query.level))
        if self._query.after:
            own.append(ordering.behind(given, self._query.after))
        return own, used, given

    def _found(
        self, own: list[Condition], used: set[int], given: Sequence[ordering.Criterion]
    ) -> Select[Any]:
        """Which answers, with nothing but what they are ordered by: found_id, order_0, order_1..."""
        limit = self._query.limit + self._beyond
        if self._families:
            return families.in_order(self._source(used), own, self._families, limit)
        number_of = TABLES[self._query.level].c.id
        keys = [one.expression.label(f"order_{number}") for number, one in enumerate(given)]
        plain = select(number_of.label("found_id"), *keys).select_from(self._source(used)).where(*own)
        return self._ordered(plain, given, limit)

    def _page(self, inside: Select[Any], given: Sequence[ordering.Criterion]) -> Select[Any]:
        """Which answers first; what is told of them then of a page's only.

        Orders and counts much faster where many match: neither carries the columns of all of them along.
        """
        number_of = TABLES[self._query.level].c.id
        found = inside.cte("found").prefix_with("MATERIALIZED")
        part = self._told_apart(self._ordered_as(select(found), found, given).limit(self._query.limit))
        source = self._source(self._read())
        self.order_places = [
            self._place(f"order_{number}", part.c[f"order_{number}"]) for number in range(len(given))
        ]
        counted = select(func.count()).select_from(found).scalar_subquery()
        self.counted_place = self._place("found_in_all", counted)
        statement = select(*self._columns).select_from(part.join(source, number_of == part.c.found_id))
        return self._ordered_as(statement, part, given)

    def _told_apart(self, page: Select[Any]) -> FromClause:
        """The page, and once for each of its rows whether it has what only quality control sees."""
        level = self._query.level
        keys = [self._key(tag) for tag in self._query.returned]
        if not any(key.level == level and related.is_kept(key, self._principal) for key in keys):
            return page.subquery("part")
        part = page.cte("part").prefix_with("MATERIALIZED")
        apart = related.with_rejected(level, part.c.found_id).label("with_rejected")
        told = select(part, apart).cte("told").prefix_with("MATERIALIZED")
        self._with_rejected = told.c.with_rejected
        return told

    def _ordered(
        self, statement: Select[Any], given: Sequence[ordering.Criterion], limit: int = 0
    ) -> Select[Any]:
        if not self._counting:
            statement = statement.order_by(
                *(one.expression.desc() if one.descending else one.expression for one in given)
            )
        if limit or self._query.limit:
            statement = statement.limit(limit or self._query.limit)
        if self._query.offset:
            statement = statement.offset(self._query.offset)
        return statement

    @staticmethod
    def _ordered_as(
        statement: Select[Any], rows: FromClause, given: Sequence[ordering.Criterion]
    ) -> Select[Any]:
        columns = [(rows.c[f"order_{number}"], one.descending) for number, one in enumerate(given)]
        return statement.order_by(*(column.desc() if down else column for column, down in columns))

    def _asked(self) -> tuple[list[Condition], set[int]]:
        """The conditions on answers, and the depths of the levels that they are about."""
        level = LEVELS.index(self._query.level)
        own: list[Condition] = []
        below: dict[int, list[Condition]] = {}
        used = {level}
        if level == _PATIENT:
            own.append(visible_at("PATIENT", self._principal, action=Action.SEARCH))
        else:
            own.append(in_force(self._query.level, self._principal))
            if restricted(self._principal, Action.SEARCH):
                used.add(_STUDY_DEPTH)
                own.append(seen(self._principal, action=Action.SEARCH))
        for depth, condition in self._where():
            if depth > level:
                below.setdefault(depth, []).append(condition)
            else:
                used.add(depth)
                own.append(condition)
        if below:
            own.append(self._something_below(below))
        return own, used

    def _source(self, used: set[int]) -> FromClause:
        """The level's table, joined with those above up to the highest of these depths."""
        source: FromClause = TABLES[self._query.level]
        for depth in range(LEVELS.index(self._query.level), min(used), -1):
            own_side, above = _LINKS[LEVELS[depth]]
            source = source.join(TABLES[LEVELS[depth - 1]], own_side == above)
        return source

    def _where(self) -> Iterator[tuple[int, Condition]]:
        """(depth of the level, condition) of every key."""
        combined: set[int] = set()
        if self._query.options.combined_datetime:
            for date, time in DATE_AND_TIME.items():
                dates, times = self._matches.get(date), self._matches.get(time)
                if isinstance(dates, Range) and isinstance(times, Range) and dates.first != dates.last:
                    combined |= {date, time}
                    yield (
                        LEVELS.index(KEYS[date].level),
                        self._conditions.combined(KEYS[date], KEYS[time], dates, times),
                    )
        for tag, match in self._matches.items():
            if tag not in combined:
                key = self._key(tag)
                yield LEVELS.index(key.level), self._conditions.of(key, match)

    def _something_below(self, conditions: Mapping[int, list[Condition]]) -> Condition:
        """There is one visible entity below for which all these hold (relational queries, PS3.4 C.4.1.2.2)."""
        level, deepest = LEVELS.index(self._query.level), max(conditions)
        source: FromClause = TABLES[LEVELS[level + 1]]
        for depth in range(level + 2, deepest + 1):
            here, above = _LINKS[LEVELS[depth]]
            source = source.join(TABLES[LEVELS[depth]], here == above)
        own, above = _LINKS[LEVELS[level + 1]]
        # below a study that is seen all is seen
        opened = seen(self._principal, action=Action.SEARCH) if level == _PATIENT else true()
        inside = and_(
            in_force(LEVELS[deepest], self._principal),
            opened,
            *(condition for depth in sorted(conditions) for condition in conditions[depth]),
        )
        # IN, not EXISTS: what is below and selective leads to what is above it
        return above.in_(select(own).select_from(source).where(inside).correlate(None))
