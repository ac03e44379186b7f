"""The event log: what happened, written in the transaction that made it true; subscribers read it in order."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, String, Table, insert, select, text, update

from filmless.db.prepared import Prepared
from filmless.db.schema import Id, Json, Moment, metadata
from filmless.kit import clock

events = Table(
    "events",
    metadata,
    Column("seq", Id, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("body", Json, nullable=False),
)

event_readers = Table(
    "event_readers",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("seq", Id, nullable=False),
)

#: serialises the writers of events on PostgreSQL, so that numbers become visible in their order
LOCK = 0x46494C4D


@dataclass(frozen=True, slots=True)
class Event:
    seq: int
    at: datetime
    kind: str
    body: Mapping[str, Any]


def record(connection: Connection, happened: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Write events (kind, body) in the caller's transaction. Bodies hold ids and UIDs, never patient data."""
    rows = [{"at": clock.now(), "kind": kind, "body": dict(body)} for kind, body in happened]
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    _INSERT.run(connection, rows)


_INSERT = Prepared(insert(events), ["at", "kind", "body"])


def position(connection: Connection, reader: str) -> int:
    """The last event that `reader` has finished with; 0 at the start."""
    return connection.scalar(select(event_readers.c.seq).where(event_readers.c.name == reader)) or 0


def after(connection: Connection, seq: int, *, kinds: Iterable[str] = (), limit: int = 1000) -> list[Event]:
    """Events after `seq` in order, at most `limit`, of these kinds (all where empty)."""
    query = select(events).where(events.c.seq > seq).order_by(events.c.seq).limit(limit)
    wanted = list(kinds)
    if wanted:
        query = query.where(events.c.kind.in_(wanted))
    return [Event(row.seq, row.at, row.kind, row.body) for row in connection.execute(query)]


def newest(connection: Connection, kinds: Iterable[str], *, since: datetime | None = None) -> Iterator[Event]:
    """Events of these kinds, the newest first, as a stream; none from before `since`."""
    query = select(events).where(events.c.kind.in_(list(kinds))).order_by(events.c.seq.desc())
    if since is not None:
        query = query.where(events.c.at >= since)
    for row in connection.execute(query.execution_options(yield_per=200)):
        yield Event(row.seq, row.at, row.kind, row.body)


def advance(connection: Connection, reader: str, seq: int) -> None:
    """Remember that `reader` has finished with every event up to `seq`."""
    done = connection.execute(update(event_readers).where(event_readers.c.name == reader).values(seq=seq))
    if done.rowcount == 0:
        connection.execute(insert(event_readers).values(name=reader, seq=seq))
