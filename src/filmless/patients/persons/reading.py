"""Looking up persons whose number or row is known."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from filmless.kit.errors import Refused
from filmless.patients.persons.model import Identifier, Person
from filmless.patients.tables import person_identifiers, persons

_COLUMNS: Final = tuple(one.name for one in fields(Person) if one.name != "identifiers")


def get(connection: Connection, person_id: int) -> Person:
    """A person, merged ones too. Raises Refused (code "not-found")."""
    row = connection.execute(select(persons).where(persons.c.id == person_id)).first()
    if row is None:
        raise Refused("There is no such person.", code="not-found")
    return several(connection, [row])[0]


def resolve(connection: Connection, person_id: int) -> Person:
    """Who a person is by now: the survivor where merged. Raises Refused (code "not-found")."""
    person = get(connection, person_id)
    while person.status == "merged" and person.merged_into is not None:
        person = get(connection, person.merged_into)
    return person


def by_identifier(connection: Connection, kind: str, value: str, authority: str | None = "") -> Person | None:
    """The person who has (or, where nobody has it by now, last had) this number; the survivor where merged.

    `authority` None: whoever gave it, where it is one person's alone.
    """
    found = person_identifiers.c
    query = select(found.person, found.active).where(found.kind == kind, found.value == value.strip())
    if authority is not None:
        query = query.where(found.authority == authority)
    rows = connection.execute(query.order_by(found.active.desc(), found.id.desc())).all()
    if not rows:
        return None
    whose = {resolve(connection, row.person).id for row in rows if row.active == rows[0].active}
    if authority is None and len(whose) > 1:
        return None
    return resolve(connection, rows[0].person)


def by_patient_id(connection: Connection, patient_id: str, issuer: str) -> Person | None:
    """Of whom images with this patient ID and issuer are; the survivor where merged.

    Most devices tell no issuer: then it is whoever has the ID, where that is one person's alone.
    """
    if not patient_id:
        return None
    known = connection.scalar(
        select(persons.c.id)
        .where(persons.c.patient_id == patient_id, persons.c.issuer == issuer, persons.c.status != "void")
        .order_by(persons.c.status, persons.c.id.desc())
    )
    if known is not None:
        return resolve(connection, known)
    return by_identifier(connection, "MR", patient_id, issuer or None)


def several(connection: Connection, rows: Iterable[Row[Any]]) -> list[Person]:
    """Persons of rows of `persons`, with their identifiers, in the order of the rows."""
    rows = list(rows)
    of: dict[int, list[Identifier]] = {row.id: [] for row in rows}
    if rows:
        for one in connection.execute(
            select(person_identifiers)
            .where(person_identifiers.c.person.in_(list(of)))
            .order_by(person_identifiers.c.active.desc(), person_identifiers.c.id)
        ):
            of[one.person].append(
                Identifier(
                    *(one.kind, one.value, one.authority, one.active, one.id, one.given_at, one.until),
                    source=one.source,
                )
            )
    return [
        Person(**{name: getattr(row, name) for name in _COLUMNS}, identifiers=tuple(of[row.id]))
        for row in rows
    ]
