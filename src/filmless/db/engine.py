"""The database engine: SQLite by default, PostgreSQL by one setting, the same schema on both."""

import json
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url

_HEAP_BYTES = 16 << 20


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def open_engine(url: str, *, pool_size: int = 8) -> Engine:
    """An engine for `url` ("sqlite:////dir/index.sqlite" or "postgresql+psycopg://...").

    SQLite: WAL, synchronous=FULL (a commit is on disk when it returns), foreign keys on, 30 s wait for the
    writer. Every transaction that writes should start with `begin_write` so that it takes the writer's lock
    at once instead of failing half-way.
    """
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_engine(
            url,
            json_serializer=_dumps,
            # an error's text must not carry patients' data from a statement's parameters into logs
            hide_parameters=True,
            pool_size=pool_size,
            max_overflow=8,
            # the one that was used last: its cache and its statements are warm, and the others need not have any
            pool_use_lifo=True,
            connect_args={"timeout": 30, "check_same_thread": False, "cached_statements": 256},
        )

        @event.listens_for(engine, "connect")
        def _configure(connection: sqlite3.Connection, _record: object) -> None:
            # We begin transactions ourselves (see _begin): the driver's own rules would begin them late.
            connection.isolation_level = None
            connection.execute("PRAGMA busy_timeout=30000")
            _use_wal(connection)
            for pragma in (
                "synchronous=FULL",
                "foreign_keys=ON",
                "cache_size=-8000",
                # of all connections of the process together: from there on their caches give up pages
                f"soft_heap_limit={_HEAP_BYTES}",
                "temp_store=MEMORY",
                # checkpoints of 16 MB: ingest rewrites the same pages many times before they need to move
                "wal_autocheckpoint=4000",
            ):
                connection.execute(f"PRAGMA {pragma}")

        @event.listens_for(engine, "begin")
        def _begin(connection: Any) -> None:
            write = connection.get_execution_options().get("filmless_write", False)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

        return engine
    return create_engine(
        url,
        json_serializer=_dumps,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=8,
        pool_use_lifo=True,
        pool_pre_ping=True,
    )


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch a new database to the write-ahead log, however many programs start on it at the same moment.

    SQLite answers "locked" at once, without its busy time-out, to all but one that switch together.
    """
    deadline = time.monotonic() + 30
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def refresh_statistics(engine: Engine) -> int:
    """Let the planner know how tables have grown. Costs little where nothing has changed; returns 0.

    SQLite looks at its tables only when it is told to; PostgreSQL does so by itself (autovacuum).
    """
    if engine.dialect.name == "sqlite":
        # with the writer's lock from the start: one that is asked for half-way is refused while others write
        with engine.connect().execution_options(filmless_write=True) as connection:
            # bounds the rows that it reads of each index, so that the writer never waits for long
            connection.exec_driver_sql("PRAGMA analysis_limit=1000")
            connection.exec_driver_sql("ANALYZE")
            connection.commit()
    return 0


#: a little more than the write-ahead log grows to before its checkpoint (wal_autocheckpoint pages and their headers)
_LOG_BYTES = 4200 * 4120


def grow_log(engine: Engine) -> None:
    """Give SQLite's write-ahead log its full size now, so that commits do not have to lengthen it.

    A commit that lengthens the file waits for the file system's journal as well (measured: 0.8 ms against 0.4).
    Recovery reads the log up to the first frame whose checksum is wrong (sqlite.org, "WAL-mode File Format"), so the
    zeros behind it mean nothing. Does nothing on PostgreSQL.
    """
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return
    with engine.connect().execution_options(filmless_write=True) as connection, connection.begin():
        # a change, so that the log exists with its header
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        connection.exec_driver_sql(f"PRAGMA user_version={int(version) + 1}")
    log = Path(engine.url.database + "-wal")
    if not log.exists():
        return
    with log.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        while end < _LOG_BYTES:
            end += file.write(bytes(min(1 << 20, _LOG_BYTES - end)))
        file.flush()
        os.fsync(file.fileno())
