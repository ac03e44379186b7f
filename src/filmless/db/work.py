"""One transaction per request or job, opened and committed at the edge (docs/map.md, "Habits")."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one consistent state of the index and never waits for writers."""
    with engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A write transaction: on SQLite it holds the writer's lock from its start. Commits at the end, or undoes all."""
    with engine.connect().execution_options(filmless_write=True) as connection, connection.begin():
        yield connection
