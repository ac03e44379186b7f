"""Conventions of all tables: one MetaData, named constraints, portable types."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, MetaData, String, Table, TypeDecorator, event
from sqlalchemy.types import JSON, TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: tables that the database itself fills, from others by triggers (migrations 0012 and 0014), and so in no backup:
#: those of SQLite's full text search, and archive.tables.study_families. A migration that makes `studies`, `patients`
#: or `report_words` anew has to make their triggers anew
SEARCH_TABLES = frozenset(
    f"report_words_index{part}" for part in ("", "_config", "_content", "_data", "_docsize", "_idx")
) | {"study_families"}

#: surrogate keys: 64 bits, and SQLite's own rowid there
Id = BigInteger().with_variant(Integer, "sqlite")
Json = JSON(none_as_null=True)


def words(length: int | None = None) -> TypeEngine[str]:
    """Text that compares by code point on both databases, whatever the locale of the PostgreSQL database.

    SQLite does so by itself. Prefix searches are written as ranges (archive/query), which other collations
    would answer wrongly and without an index.
    """
    return String(length).with_variant(String(length, collation="C"), "postgresql")


@event.listens_for(Table, "after_parent_attach")
def _compare_by_code_point(table: Table, parent: MetaData) -> None:
    # Tables say String and Text, which reads well; all of ours become `words`.
    if parent is metadata:
        for column in table.columns:
            if isinstance(column.type, String):
                column.type = words(column.type.length)


class Moment(TypeDecorator[datetime]):
    """An aware UTC datetime as ISO 8601 text with microseconds: sorts as text, the same on both databases."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a Moment needs an aware datetime")
        if value.tzinfo is not UTC:
            value = value.astimezone(UTC)
        return value.isoformat(timespec="microseconds")[:26] + "Z"

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return datetime.fromisoformat(value)
