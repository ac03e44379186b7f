"""Persons who belong together without being one (mother and newborn, twins, a doubt), and patient IDs that change."""

from sqlalchemy import Connection, or_, select

from filmless.access.acting import Acting
from filmless.access.model import Action, permit
from filmless.department.identity import journal
from filmless.department.identity.journal import Entry
from filmless.kit.errors import Conflict
from filmless.patients import persons
from filmless.patients.persons import Identifier, Person, changing, model
from filmless.patients.tables import identity_journal


def link(connection: Connection, one_id: int, other_id: int, acting: Acting, *, reason: str) -> Entry:
    """Let each lead to the other on screens. Raises Refused ("not-permitted", "not-found", "reason-missing"), Conflict
    ("same-person", "linked")."""
    permit(acting.who, Action.MERGE)
    one, other = persons.resolve(connection, one_id), persons.resolve(connection, other_id)
    if one.id == other.id:
        raise Conflict("This is one person already.", code="same-person")
    if any(found.id == other.id for _, found in linked(connection, one.id)):
        raise Conflict("These two are linked already.", code="linked")
    return journal.write(connection, "link", one.id, other.id, {}, acting, reason)


def unlink(connection: Connection, entry_id: int, acting: Acting, *, reason: str) -> Entry:
    """Raises Refused ("not-permitted", "not-found", "reason-missing"), Conflict ("undone")."""
    permit(acting.who, Action.MERGE)
    return journal.undone(connection, journal.in_force(connection, entry_id, "link"), acting, reason)


def linked(connection: Connection, person: int) -> list[tuple[Entry, Person]]:
    """Who is linked with a person, as they are by now."""
    rows = connection.execute(
        select(identity_journal.c.id)
        .where(
            identity_journal.c.kind == "link",
            identity_journal.c.undone_at.is_(None),
            or_(identity_journal.c.person == person, identity_journal.c.other == person),
        )
        .order_by(identity_journal.c.id)
        .limit(100)
    )
    found = []
    for row in rows:
        entry = journal.get(connection, row.id)
        other = entry.other if entry.person == person else entry.person
        assert other is not None
        whom = persons.resolve(connection, other)
        if whom.id != person:
            found.append((entry, whom))
    return found


def change_id(
    connection: Connection,
    person_id: int,
    patient_id: str,
    acting: Acting,
    *,
    reason: str,
    issuer: str | None = None,
    seen: int | None = None,
) -> Entry:
    """Give a person another patient ID; the old one still finds him, and his images get the new one.

    Raises Refused ("not-permitted", "not-found", "bad-value", "reason-missing"), Conflict ("identifier-taken": merge
    instead, "merged", "stale", "same-id").
    """
    permit(acting.who, Action.MERGE)
    person = persons.get(connection, person_id)
    if person.status != "active":
        raise Conflict("This person was merged into another: change that one.", code="merged")
    if seen is not None and person.changes != seen:
        raise Conflict("Somebody has changed this person meanwhile: look again.", code="stale")
    authority = person.issuer if issuer is None else issuer
    new = model.identifier(Identifier("MR", patient_id, authority))
    if (new.value, new.authority) == (person.patient_id, person.issuer):
        raise Conflict("This is the patient ID already.", code="same-id")
    _give(connection, person, new, acting)
    body = {"before": [person.patient_id, person.issuer], "after": [new.value, new.authority]}
    return journal.write(connection, "change-id", person.id, None, body, acting, reason)


def undo_change_id(connection: Connection, entry_id: int, acting: Acting, *, reason: str) -> Entry:
    """The ID that it had before is the person's again. Raises as `change_id`; Conflict ("undone", "changed-since")."""
    permit(acting.who, Action.MERGE)
    entry = journal.in_force(connection, entry_id, "change-id")
    person = persons.get(connection, entry.person)
    if person.status != "active" or [person.patient_id, person.issuer] != list(entry.body["after"]):
        raise Conflict("The patient ID was changed again since: undo that first.", code="changed-since")
    value, authority = entry.body["before"]
    _give(connection, person, Identifier("MR", value, authority), acting)
    journal.undone(connection, entry, acting, reason)
    journal.keep(connection, entry.id, {"settled": False})
    return journal.get(connection, entry.id)


def _give(connection: Connection, person: Person, new: Identifier, acting: Acting) -> None:
    owner = persons.by_identifier(connection, "MR", new.value, new.authority)
    if owner is not None and owner.id != person.id:
        raise Conflict("This patient ID is another person's: merge the two instead.", code="identifier-taken")
    for one in person.identifiers:
        if (
            one.active
            and one.kind == "MR"
            and (one.value, one.authority) == (person.patient_id, person.issuer)
        ):
            changing.close_identifier(connection, one.id)
    changing.put_identifier(connection, person.id, new, "change-id")
    changing.write(connection, person, {"patient_id": new.value, "issuer": new.authority}, acting)
