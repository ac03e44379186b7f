"""Runs a query: one SELECT, read as a stream."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Text,
    and_,
    cast,
    func,
    select,
    true,
    type_coerce,
)

from filmless.access.model import Action, Principal
from filmless.archive.query import families, received, related
from filmless.archive.query import order as ordering
from filmless.archive.query.conditions import Condition, Conditions
from filmless.archive.query.keys import DATE_AND_TIME, KEYS, LEVELS, TABLES, Key, Level, key_of
from filmless.archive.query.matching import Item, Match, Range, holds
from filmless.archive.query.received import element_text
from filmless.archive.query.request import Query
from filmless.archive.query.visibility import in_force, restricted, seen, visible_at
from filmless.archive.searchable import elements
from filmless.archive.tables import attribute_values, instances, series, studies
from filmless.kit.errors import Defect
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


Reader = Callable[[Any], Any]


def prepare(dialect: str, principal: Principal, query: Query) -> tuple[Select[Any], list[tuple[int, Reader]]]:
    """The SELECT for a query, and what reads each returned tag from one of its rows."""
    selection = Selection(dialect, principal, query)
    return selection.statement(), selection.readers


class Selection:
    """A query as a SELECT, and how its rows are read.

    `counting`: only which rows there are matters. `raw`: DICOM JSON comes as text.
    `beyond`: the rows of one page of `query.limit` answers are read, and counted is up to so many answers behind it.
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
        beyond: int = 0,
        of_families: Sequence[str] = (),
    ) -> None:
        self._dialect = dialect
        self._principal = principal
        self._query = query
        self._counting = counting
        self._raw = raw
        self._beyond = beyond
        self._families = of_families
        self._conditions = Conditions(dialect, principal, query.extras)
        self._columns: list[ColumnElement[Any]] = []
        self._places: dict[str, int] = {}
        self._matches = dict(query.keys)
        self.readers: list[tuple[int, Reader]] = []
        #: where in a row the values are that it is ordered by
        self.order_places: list[int] = []
        #: where in a row the number of answers is, those behind the page included
        self.counted_place = -1
        #: of a page's row: there is something in it that only quality control sees
        self._with_rejected: ColumnElement[bool] | None = None
        #: (level, place of the row's number) of extra keys that are returned, with their paths
        self._looked_up: dict[tuple[str, int], set[str]] = {}
        #: (level, owner) -> rows of attribute_values, of the rows that are read at the moment
        self._values: dict[tuple[str, int], list[tuple[str, str, str]]] = {}

    def statement(self) -> Select[Any]:
        """The SELECT. Call it once."""
        own, used = self._asked()
        given = ordering.criteria(self._query.order, self._query.level)
        if self._query.order:
            used.add(ordering.level_of(self._query.order, self._query.level))
        if self._query.after:
            own.append(ordering.behind(given, self._query.after))
        if self._beyond:
            return self._page(own, used, given)
        used |= self._read()
        if not self._counting:
            self.order_places = [
                self._place(f"order_{number}", one.expression) for number, one in enumerate(given)
            ]
        columns = self._columns or [TABLES[self._query.level].c.id]
        return self._ordered(select(*columns).select_from(self._source(used)).where(*own), given)

    def _page(self, own: list[Condition], used: set[int], given: Sequence[ordering.Criterion]) -> Select[Any]:
        """Which answers first, with nothing but what they are ordered by; what is told of them then of a page's only.

        Orders and counts much faster where many match: neither carries the columns of all of them along.
        """
        number_of = TABLES[self._query.level].c.id
        keys = [one.expression.label(f"order_{number}") for number, one in enumerate(given)]
        limit = self._query.limit + self._beyond
        if self._families:
            inside = families.in_order(self._source(used), own, self._families, limit)
        else:
            plain = select(number_of.label("found_id"), *keys).select_from(self._source(used)).where(*own)
            inside = self._ordered(plain, given, limit)
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

    def _read(self) -> set[int]:
        """Place what is returned; the depths of the levels that it is of."""
        used = {LEVELS.index(self._query.level)}
        for tag in self._query.returned:
            key = self._key(tag)
            used.add(LEVELS.index(key.level))
            self.readers.append((tag, self._reader(key)))
        return used

    def _source(self, used: set[int]) -> FromClause:
        """The level's table, joined with those above up to the highest of these depths."""
        source: FromClause = TABLES[self._query.level]
        for depth in range(LEVELS.index(self._query.level), min(used), -1):
            own_side, above = _LINKS[LEVELS[depth]]
            source = source.join(TABLES[LEVELS[depth - 1]], own_side == above)
        return source

    def _attributes(self, level: Level) -> int:
        """The place of a level's DICOM JSON."""
        column: ColumnElement[Any] = TABLES[level].c.attributes
        if self._raw:
            column = cast(column, Text) if self._dialect != "sqlite" else type_coerce(column, Text)
        return self._place(f"attributes_{level.lower()}", column)

    @property
    def looks_up(self) -> bool:
        """Whether rows are not enough: `look_up` has to be called for them, and keeps what it found."""
        return bool(self._looked_up)

    @property
    def json_places(self) -> tuple[int, ...]:
        """Where in a row JSON is."""
        return tuple(at for at, column in enumerate(self._columns) if isinstance(column.type, JSON))

    def look_up(self, connection: Connection, rows: Sequence[Any]) -> None:
        """Fetch what the readers of extra keys need for these rows; those before are forgotten."""
        if not self._looked_up:
            return
        self._values = {}
        for (word, at), paths in self._looked_up.items():
            owners = {row[at] for row in rows}
            statement = (
                select(
                    attribute_values.c.owner,
                    attribute_values.c.path,
                    attribute_values.c.item,
                    attribute_values.c.value,
                )
                .where(
                    attribute_values.c.level == word,
                    attribute_values.c.owner.in_(owners),
                    attribute_values.c.path.in_(sorted(paths)),
                )
                .order_by(attribute_values.c.id)
            )
            for owner, path, item, value in connection.execute(statement).fetchall():
                self._values.setdefault((word, owner), []).append((path, item, value))

    def _key(self, tag: int) -> Key:
        key = key_of(tag, self._query.extras)
        if key is None:
            raise Defect(f"{tag:08X} is not a key")
        return key

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

    def _place(self, name: str, column: ColumnElement[Any]) -> int:
        if name not in self._places:
            self._places[name] = len(self._columns)
            self._columns.append(column.label(name))
        return self._places[name]

    def _reader(self, key: Key) -> Reader:
        if key.kind == "computed":
            return self._computed(key)
        if key.kind == "extra" and key.tag not in KEYS:
            return self._extra(key)
        if key.kind == "sequence" and key.tag not in KEYS:
            return self._extra_items(key)
        attributes = -1
        if key.as_received or key.column is None:
            attributes = self._attributes(key.level)
        name = f"{key.tag:08X}"
        if key.vr == "SQ":
            wanted = dict(self._query.items).get(key.tag, ())
            return _items_reader(attributes, name, self._matches.get(key.tag), wanted)
        if key.column is None:
            return received.AsReceived(attributes, name, key.vr, -1)
        column = self._place(key.column.name, key.column)
        if key.as_received:
            return received.AsReceived(attributes, name, key.vr, column)
        return received.Number(column) if key.kind == "number" else received.Plain(column)

    def _extra(self, key: Key) -> Reader:
        assert key.extra is not None
        word, path = key.extra.level, key.extra.path
        at = self._owner(key.level, word, [path])

        def read(row: Any) -> str:
            return "\\".join(
                value for where, _, value in self._values.get((word, row[at]), ()) if where == path
            )

        return read

    def _extra_items(self, key: Key) -> Reader:
        inside = self._query.extras.sequences[key.tag]
        word = inside[0].level
        at = self._owner(key.level, word, [one.path for one in inside])
        return lambda row: elements(self._values.get((word, row[at]), ()), inside)

    def _owner(self, level: Level, word: str, paths: Iterable[str]) -> int:
        """The place of the row's number at a level; what is known of it under these paths will be looked up."""
        at = self._place(f"owner_{word}", TABLES[level].c.id)
        self._looked_up.setdefault((word, at), set()).update(paths)
        return at

    def _computed(self, key: Key) -> Reader:
        flag = self._with_rejected if key.level == self._query.level else None
        at = self._place(key.keyword, related.expression(key, self._principal, self._dialect, flag))
        if key.tag in related.LISTS:
            return lambda row: related.listed(row[at])
        return received.Number(at)


def _items_reader(at: int, name: str, match: Match | None, wanted: tuple[int, ...]) -> Reader:
    """The items that match, with the attributes asked for (PS3.4 C.2.2.2.6)."""
    conditions = match.keys if isinstance(match, Item) else ()
    tags = {f"{tag:08X}" for tag in wanted}

    def read(row: Any) -> list[dict[str, Any]]:
        element = received.element_of(row[at], name) or {}
        items = [item for item in element.get("Value") or () if isinstance(item, dict)]
        if conditions:
            items = [
                item
                for item in items
                if all(
                    holds(each, element.get("vr", ""), element_text(element))
                    for tag, each in conditions
                    for element in (item.get(f"{tag:08X}", {}),)
                )
            ] or items
        if not tags:
            return items
        return [{tag: element for tag, element in item.items() if tag in tags} for item in items]

    return read
