"""What is told of an answer: the columns of a SELECT, and what reads each returned tag from one of its rows."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import JSON, ColumnElement, Connection, Text, cast, select, type_coerce

from filmless.access.model import Principal
from filmless.archive.query import received, related
from filmless.archive.query.keys import KEYS, LEVELS, TABLES, Key, Level, key_of
from filmless.archive.query.matching import Item, Match, holds
from filmless.archive.query.received import element_text
from filmless.archive.query.request import Query
from filmless.archive.searchable import elements
from filmless.archive.tables import attribute_values
from filmless.kit.errors import Defect

Reader = Callable[[Any], Any]


class Answers:
    """Of one query. `raw`: DICOM JSON comes as text.

    `apart`: told is what ingest and rejection keep, and of each row whether that is all that there is for who asks.
    """

    def __init__(
        self, dialect: str, principal: Principal, query: Query, *, raw: bool = False, apart: bool = False
    ) -> None:
        self._dialect = dialect
        self._principal = principal
        self._query = query
        self._raw = raw
        self._apart = apart
        self._columns: list[ColumnElement[Any]] = []
        self._places: dict[str, int] = {}
        self._matches = dict(query.keys)
        self.readers: list[tuple[int, Reader]] = []
        #: where in a row it is said that there is something in it that only quality control sees; -1: it is not
        self.rejected_place = -1
        #: of a page's row: the same, as an expression
        self._with_rejected: ColumnElement[bool] | None = None
        #: (level, place of the row's number) of extra keys that are returned, with their paths
        self._looked_up: dict[tuple[str, int], set[str]] = {}
        #: (level, owner) -> rows of attribute_values, of the rows that are read at the moment
        self._values: dict[tuple[str, int], list[tuple[str, str, str]]] = {}

    def _read(self) -> set[int]:
        """Place what is returned; the depths of the levels that it is of."""
        used = {LEVELS.index(self._query.level)}
        for tag in self._query.returned:
            key = self._key(tag)
            used.add(LEVELS.index(key.level))
            self.readers.append((tag, self._reader(key)))
        return used

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
        own = key.level == self._query.level
        if self._apart and own and related.is_kept(key, self._principal):
            number = TABLES[key.level].c.id
            self.rejected_place = self._place("with_rejected", related.with_rejected(key.level, number))
            kept = self._place(key.keyword, related.kept(key))
            if key.tag in related.LISTS:
                return lambda row: related.listed(row[kept])
            return received.Number(kept)
        flag = self._with_rejected if own else None
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
