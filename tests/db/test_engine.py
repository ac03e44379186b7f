"""What the connections of an engine have together."""

from sqlalchemy import Engine, text

from filmless.db.work import reading


def test_the_connection_that_was_used_last_is_used_next(engine: Engine) -> None:
    """So that a process which asks one thing at a time fills one cache and not eight."""
    taken = [engine.connect() for _ in range(3)]
    for one in taken:
        one.close()
    seen = set()
    for _ in range(4):
        with reading(engine) as connection:
            seen.add(id(connection.connection.dbapi_connection))
    assert len(seen) == 1


def test_the_caches_of_all_connections_have_one_bound(engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        return
    with engine.connect() as one, engine.connect() as two:
        bounds = {each.scalar(text("PRAGMA soft_heap_limit")) for each in (one, two)}
    assert len(bounds) == 1
    assert 16 << 20 <= bounds.pop() <= 64 << 20
