"""The journal of identities: what was done, with what is needed to undo it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, update

from filmless.access.acting import Acting
from filmless.db import events
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused
from filmless.patients import persons
from filmless.patients.tables import identity_journal


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done. `kind`: "merge", "link", "change-id", "match" (of exams), "images" (a study matched to
    an exam), "move" (images moved to another exam's study). `body`: ids of exams and orders as they were, Study
    Instance UIDs, keys of corrections; of patients nothing but numbers."""

    id: int
    kind: str
    person: int
    other: int | None
    body: Mapping[str, Any]
    at: datetime
    by: str
    reason: str
    undone_at: datetime | None
    undone_by: str


def write(
    connection: Connection,
    kind: str,
    person: int,
    other: int | None,
    body: Mapping[str, Any],
    acting: Acting,
    reason: str,
) -> Entry:
    """Write what was done, the event and the audit entry. Raises Refused (code "reason-missing") without a reason."""
    if not reason.strip():
        raise Refused("Say why: it is kept.", code="reason-missing")
    made: int = connection.execute(
        insert(identity_journal)
        .values(
            kind=kind,
            person=person,
            other=other,
            body=dict(body),
            at=clock.now(),
            by=acting.who.name[:80],
            reason=reason.strip()[:400],
        )
        .returning(identity_journal.c.id)
    ).scalar_one()
    entry = get(connection, made)
    _tell(connection, entry, kind, acting, reason)
    return entry


def undone(connection: Connection, entry: Entry, acting: Acting, reason: str) -> Entry:
    """Mark it undone. Raises Conflict (code "undone") where somebody was quicker."""
    if not reason.strip():
        raise Refused("Say why: it is kept.", code="reason-missing")
    done = connection.execute(
        update(identity_journal)
        .where(identity_journal.c.id == entry.id, identity_journal.c.undone_at.is_(None))
        .values(undone_at=clock.now(), undone_by=acting.who.name[:80])
    )
    if done.rowcount != 1:
        raise Conflict("It was undone before.", code="undone")
    _tell(connection, entry, f"{entry.kind} undone", acting, reason)
    return get(connection, entry.id)


def keep(connection: Connection, entry_id: int, more: Mapping[str, Any]) -> None:
    """Put `more` into the body: keys of corrections that were made for it, that images have followed."""
    body = held(connection, entry_id).body
    connection.execute(
        update(identity_journal).where(identity_journal.c.id == entry_id).values(body={**body, **more})
    )


def get(connection: Connection, entry_id: int) -> Entry:
    """Raises Refused (code "not-found")."""
    row = connection.execute(select(identity_journal).where(identity_journal.c.id == entry_id)).first()
    if row is None:
        raise Refused("There is no such entry in the journal.", code="not-found")
    return _entry(row)


def held(connection: Connection, entry_id: int) -> Entry:
    """An entry as it is now, and stays until the caller's write transaction ends. Take it before any event is recorded.

    Raises Refused (code "not-found").
    """
    query = select(identity_journal).where(identity_journal.c.id == entry_id).with_for_update()
    row = connection.execute(query).first()
    if row is None:
        raise Refused("There is no such entry in the journal.", code="not-found")
    return _entry(row)


def moves(connection: Connection, *, study: str = "", to: str = "", exam: int | None = None) -> list[Entry]:
    """Moves of images, undone ones too, the newest first: out of a study, into one, to an exam."""
    query = select(identity_journal).where(identity_journal.c.kind == "move")
    if study:
        query = query.where(identity_journal.c.body["study"].as_string() == study)
    if to:
        query = query.where(identity_journal.c.body["to"].as_string() == to)
    if exam is not None:
        query = query.where(identity_journal.c.body["exam"].as_integer() == exam)
    return [_entry(row) for row in connection.execute(query.order_by(identity_journal.c.id.desc()))]


def of_person(connection: Connection, person: int, *, limit: int = 100) -> list[Entry]:
    """What was done to a person, the newest first."""
    query = (
        select(identity_journal)
        .where(or_(identity_journal.c.person == person, identity_journal.c.other == person))
        .order_by(identity_journal.c.id.desc())
        .limit(limit)
    )
    return [_entry(row) for row in connection.execute(query)]


def in_force(connection: Connection, entry_id: int, kind: str) -> Entry:
    """An entry that can be undone. Raises Refused (code "not-found"), Conflict (code "undone")."""
    entry = get(connection, entry_id)
    if entry.kind != kind:
        raise Refused("There is no such entry in the journal.", code="not-found")
    if entry.undone_at is not None:
        raise Conflict("It was undone before.", code="undone")
    return entry


def _tell(connection: Connection, entry: Entry, what: str, acting: Acting, reason: str) -> None:
    events.record(connection, [("identity-changed", {"journal": entry.id, "kind": entry.kind})])
    whose = [persons.get(connection, one) for one in (entry.person, entry.other) if one is not None]
    acting.note(
        connection,
        f"identity: {what}",
        patients=tuple(dict.fromkeys(persons.told_id(one) for one in whose)),
        reason=reason.strip(),
        journal=entry.id,
    )


def _entry(row: Row[Any]) -> Entry:
    return Entry(**row._asdict())
