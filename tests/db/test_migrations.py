import importlib
import pkgutil
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, insert, inspect, select, text

import filmless
from filmless.db import migrate
from filmless.db.engine import open_engine, refresh_statistics
from filmless.db.events import event_readers
from filmless.db.schema import SEARCH_TABLES, metadata
from filmless.db.work import reading, writing
from filmless.kit.errors import Refused, Unavailable


def _load_all_tables() -> None:
    rooms = [room.name for room in pkgutil.iter_modules(filmless.__path__)]
    with_tables = [room for room in rooms if (Path(filmless.__path__[0]) / room / "tables.py").exists()]
    assert {"archive", "devices", "patients"} <= set(with_tables)
    for room in with_tables:
        importlib.import_module(f"filmless.{room}.tables")
    importlib.import_module("filmless.db.events")


def _compared(name: str | None, kind: str, _parents: object) -> bool:
    """The full text index is made by hand on each database."""
    return name not in SEARCH_TABLES if kind == "table" else name != "ix_report_words_words"


def test_migrations_make_what_the_tables_say(empty_database_url: str) -> None:
    _load_all_tables()
    engine = open_engine(empty_database_url)
    assert migrate.current(engine) == ""
    assert migrate.upgrade(engine) is True
    assert migrate.current(engine) == migrate.newest()
    with engine.connect() as connection:
        opts = {"compare_type": True, "include_name": _compared}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, metadata) == []
        assert len(set(inspect(connection).get_table_names()) - SEARCH_TABLES) == len(metadata.tables) + 1
    assert migrate.upgrade(engine) is False
    engine.dispose()


def test_text_compares_by_code_point(engine: Engine) -> None:
    with reading(engine) as connection:
        if connection.dialect.name == "postgresql":
            collations = connection.execute(
                text(
                    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
                    " AND data_type IN ('character varying', 'text') AND collation_name IS DISTINCT FROM 'C'"
                    " AND table_name <> 'alembic_version'"
                )
            )
            # moments are digits of one width, which every collation orders alike
            assert all(column == "at" or column.endswith(("_at", "until")) for _, column in collations)
    with writing(engine) as connection:
        ids = ["a", "B", "_", "é", "Z1", "z0"]
        for word in ids:
            connection.execute(insert(event_readers).values(name=word, seq=0))
        ordered = connection.scalars(select(event_readers.c.name).order_by(event_readers.c.name)).all()
        assert ordered == sorted(ids)


def test_versions_are_numbered_in_one_line() -> None:
    script = ScriptDirectory(str(migrate.MIGRATIONS))
    revisions = [revision.revision for revision in script.walk_revisions()][::-1]
    assert revisions == [f"{number:04d}" for number in range(1, len(revisions) + 1)]
    assert script.get_heads() == [migrate.newest()]


def test_a_newer_database_is_refused_in_plain_words(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9000'"))
    with pytest.raises(Refused, match="newer Filmless") as refusal:
        migrate.upgrade(engine)
    assert refusal.value.code == "schema-newer"
    assert "9000" in refusal.value.message
    assert migrate.current(engine) == "9000"


def test_tables_of_an_unknown_version_are_not_touched(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    with pytest.raises(Unavailable, match="does not say their version"):
        migrate.upgrade(engine)


def test_a_failed_upgrade_leaves_nothing_behind(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(empty_database_url)
    really = migrate.upgrade_with

    def half(connection, version):  # type: ignore[no-untyped-def]
        really(connection, version)
        raise RuntimeError("power cut")

    monkeypatch.setattr(migrate, "upgrade_with", half)
    with pytest.raises(RuntimeError):
        migrate.upgrade(engine)
    with reading(engine) as connection:
        assert inspect(connection).get_table_names() == []
    monkeypatch.undo()
    assert migrate.upgrade(engine) is True
    engine.dispose()


def test_two_starts_at_once_make_one_schema(empty_database_url: str) -> None:
    results: list[object] = []

    def start() -> None:
        engine = open_engine(empty_database_url)
        try:
            results.append(migrate.upgrade(engine))
        except Exception as error:
            results.append(error)
        engine.dispose()

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(map(str, results)) == ["False", "False", "True"]


def test_statistics_are_there_after_a_refresh(engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL keeps them by itself")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO events (at, kind, body) VALUES ('2026-01-01T00:00:00.000000Z', 'x', '{}')"
        )
    refresh_statistics(engine)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM sqlite_stat1").scalar_one() > 0
