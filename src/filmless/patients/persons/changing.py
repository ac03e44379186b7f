"""Changing what is known of a person, and the numbers by which it is known."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, update

from filmless.access.acting import Acting
from filmless.db import events
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused
from filmless.patients.persons import model
from filmless.patients.persons.model import CHANGEABLE, KINDS, Identifier, NewPerson, Person, told_id
from filmless.patients.persons.reading import get, resolve
from filmless.patients.tables import person_identifiers, persons


def change(
    connection: Connection,
    person_id: int,
    changes: Mapping[str, Any],
    acting: Acting,
    *,
    seen: int | None = None,
) -> Person:
    """Change what is known of a person: attributes as in `Person`, without IDs (those: department/identity, which also
    tells images; call it rather than this where a name, sex or birth date changes).

    A changed name in Chinese, without new letters, is read anew. `seen`: its `changes` as the one who changes it saw
    it. Raises Conflict (code "stale") where somebody was quicker, or (code "merged") where it is no longer a person of
    its own.
    """
    before = get(connection, person_id)
    if before.status != "active":
        raise Conflict("This person was merged into another: change that one.", code="merged")
    if seen is not None and before.changes != seen:
        raise _stale()
    if foreign := set(changes) - set(CHANGEABLE):
        raise Refused(f"Not changed here: {', '.join(sorted(foreign))}.", code="bad-value")
    wanted = {name: getattr(before, name) for name in CHANGEABLE} | dict(changes)
    if "name_ideographic" in changes and "name_alphabetic" not in changes and changes["name_ideographic"]:
        told = model.columns(NewPerson(**wanted))
        if told["name_ideographic"] != before.name_ideographic:
            wanted["name_alphabetic"] = ""
    columns = model.columns(NewPerson(**wanted))
    changed = [name for name in CHANGEABLE if columns[name] != getattr(before, name)]
    if not changed:
        return before
    write(connection, before, columns, acting)
    events.record(connection, [("person-changed", {"person": person_id, "what": changed})])
    acting.note(
        connection, "person changed", patients=(told_id(before),), person=person_id, attributes=changed
    )
    return get(connection, person_id)


def write(connection: Connection, before: Person, columns: Mapping[str, Any], acting: Acting) -> None:
    """Write columns of a person as it was read. Raises Conflict (code "stale") where it is no longer so."""
    done = connection.execute(
        update(persons)
        .where(persons.c.id == before.id, persons.c.changes == before.changes)
        .values(
            **columns, changes=before.changes + 1, changed_at=clock.now(), changed_by=acting.who.name[:80]
        )
    )
    if done.rowcount != 1:
        raise _stale()


def add_identifier(
    connection: Connection, person_id: int, one: Identifier, acting: Acting, *, source: str = "registration"
) -> Person:
    """Let a person be known by one more number. Raises Conflict (code "identifier-taken") where it is another's."""
    person = get(connection, person_id)
    if person.status != "active":
        raise Conflict("This person was merged into another: change that one.", code="merged")
    if put_identifier(connection, person_id, model.identifier(one), source):
        events.record(connection, [("person-changed", {"person": person_id, "what": ["identifiers"]})])
        acting.note(
            connection, "identifier added", patients=(told_id(person),), person=person_id, identifier=one.kind
        )
    return get(connection, person_id)


def end_identifier(connection: Connection, person_id: int, identifier_id: int, acting: Acting) -> Person:
    """A number is a person's no longer; it still finds him. The patient ID stays: it is changed, not ended."""
    person = get(connection, person_id)
    one = next((one for one in person.identifiers if one.id == identifier_id and one.active), None)
    if one is None:
        raise Refused("The person has no such number.", code="not-found")
    if one.kind == "MR" and (one.value, one.authority) == (person.patient_id, person.issuer):
        raise Refused("A person has a patient ID: change it instead.", code="patient-id")
    close_identifier(connection, identifier_id)
    events.record(connection, [("person-changed", {"person": person_id, "what": ["identifiers"]})])
    acting.note(
        connection, "identifier ended", patients=(told_id(person),), person=person_id, identifier=one.kind
    )
    return get(connection, person_id)


def close_identifier(connection: Connection, identifier_id: int) -> None:
    connection.execute(
        update(person_identifiers)
        .where(person_identifiers.c.id == identifier_id)
        .values(active=False, until=clock.now())
    )


def put_identifier(connection: Connection, person_id: int, one: Identifier, source: str) -> int:
    """Write an identifier that was made fit. Returns its id, 0 where the person has it already."""
    owner = connection.scalar(
        select(person_identifiers.c.person).where(
            person_identifiers.c.kind == one.kind,
            person_identifiers.c.value == one.value,
            person_identifiers.c.authority == one.authority,
            person_identifiers.c.active,
        )
    )
    if owner == person_id or (owner is not None and resolve(connection, owner).id == person_id):
        # his own, or of one who was merged into him
        return 0
    if owner is not None:
        raise Conflict(
            f"This number ({KINDS[one.kind][0].lower()}) is another person's.", code="identifier-taken"
        )
    made: int = connection.execute(
        insert(person_identifiers)
        .values(
            person=person_id,
            kind=one.kind,
            authority=one.authority,
            value=one.value,
            active=True,
            given_at=clock.now(),
            source=source[:16],
        )
        .returning(person_identifiers.c.id)
    ).scalar_one()
    return made


def _stale() -> Conflict:
    return Conflict("Somebody has changed this person meanwhile: look again.", code="stale")
