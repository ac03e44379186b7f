"""The quarantine: objects that are safe on disk but not in the archive, waiting for a person's decision."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, func, select, update

from filmless.archive import ledger
from filmless.archive.entry import File, read_entry, scan_file
from filmless.archive.model import CAUSES, Arrival, Outcome, Source
from filmless.archive.publish import Acceptance, Item, Publisher
from filmless.archive.tables import quarantine
from filmless.db import events
from filmless.db.work import reading, writing
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused, Unavailable


@dataclass(frozen=True, slots=True)
class QuarantinedObject:
    """One object in quarantine."""

    id: int
    cause: str
    text: str
    sop_instance_uid: str
    sop_class_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax_uid: str
    size: int
    source: str
    received_at: datetime
    path: str
    state: str
    decided_by: str
    reason: str


_COLUMNS = [quarantine.c[name] for name in QuarantinedObject.__dataclass_fields__]


def objects(
    connection: Connection,
    *,
    state: str = "waiting",
    limit: int = 100,
    after: int = 0,
    among: ColumnElement[bool] | None = None,
) -> list[QuarantinedObject]:
    """Objects of that state ("" for all), oldest first, at most `limit`, those after id `after`.

    `among`: a condition on rows of `quarantine`, for whom not all are to be seen.
    """
    query = select(*_COLUMNS).where(quarantine.c.id > after).order_by(quarantine.c.id).limit(limit)
    if among is not None:
        query = query.where(among)
    if state:
        query = query.where(quarantine.c.state == state)
    return [QuarantinedObject(*row) for row in connection.execute(query)]


def count(connection: Connection) -> int:
    """How many wait for a decision."""
    return (
        connection.scalar(select(func.count()).select_from(quarantine).where(quarantine.c.state == "waiting"))
        or 0
    )


def show(connection: Connection, item: int, *, among: ColumnElement[bool] | None = None) -> QuarantinedObject:
    """One object, or Refused where there is none of that number (`among`: see `objects`)."""
    query = select(*_COLUMNS).where(quarantine.c.id == item)
    row = connection.execute(query if among is None else query.where(among)).first()
    if row is None:
        raise Refused(f"There is no object number {item} in quarantine.", code="unknown-object")
    return QuarantinedObject(*row)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the data set of an object in quarantine is; `path` relative to the store's root."""

    path: str
    offset: int
    size: int
    transfer_syntax_uid: str


def place(connection: Connection, item: int) -> Place:
    """Where the bytes of one object are."""
    columns = [quarantine.c[name] for name in Place.__dataclass_fields__]
    return Place(*connection.execute(select(*columns).where(quarantine.c.id == item)).one())


def accept(engine: Engine, publisher: Publisher, root: Path, item: int, *, by: str, reason: str) -> Outcome:
    """Take the object into the archive: as a new object, or as the new version of the one under its UID.

    Raises Conflict where it was decided before, Refused where it can never be an object of the archive.
    """
    row = _waiting(engine, item, reason)
    arrival = Arrival(
        row.sop_class_uid,
        row.sop_instance_uid,
        row.transfer_syntax_uid,
        Source(row.source, row.character_set, row.default_issuer),
    )
    file = File(row.key, row.path, row.offset, row.size, row.sha256, row.received_at)
    try:
        header = scan_file(root / row.path, row.offset, row.size, row.transfer_syntax_uid)
    except OSError as error:
        raise Unavailable(f"Its file cannot be read ({error.strerror}).", code="disk") from error
    entry = read_entry(arrival, file, header)
    if entry.cause is not None:
        raise Refused(f"It cannot be taken in: {CAUSES[entry.cause]}.", code=entry.cause.value)
    result = publisher.publish([Item(entry, decided="replace", acceptance=Acceptance(item, by, reason))])[0]
    if result.outcome is None:
        assert result.error is not None
        raise result.error
    return result.outcome


def discard(engine: Engine, root: Path, item: int, *, by: str, reason: str) -> None:
    """Decide that the object is not wanted. Its file stays until it is purged."""
    row = _waiting(engine, item, reason)
    now = clock.now()
    with writing(engine) as connection:
        decided = connection.execute(
            update(quarantine)
            .where(quarantine.c.id == item, quarantine.c.state == "waiting")
            .values(state="discarded", decided_at=now, decided_by=by, reason=reason)
        )
        if decided.rowcount != 1:
            raise Conflict("Somebody else has just decided it.", code="decided")
        events.record(connection, [("quarantine-decided", {"id": item, "state": "discarded", "by": by})])
        ledger.write(
            root,
            [{"at": now.isoformat(), "what": "discard", "key": row.key, "by": by, "reason": reason}],
        )


def _waiting(engine: Engine, item: int, reason: str) -> Row[Any]:
    if not reason.strip():
        raise Refused("A reason is needed: it is kept with the decision.", code="no-reason")
    with reading(engine) as connection:
        found = show(connection, item)
        if found.state != "waiting":
            raise Conflict(f"It was {found.state} before, by {found.decided_by}.", code="decided")
        return connection.execute(select(quarantine).where(quarantine.c.id == item)).one()
