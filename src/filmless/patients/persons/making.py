"""Making persons known."""

from typing import Any

from sqlalchemy import Connection, insert, select, update

from filmless.access.acting import Acting
from filmless.db import events
from filmless.kit import clock
from filmless.patients.persons import model
from filmless.patients.persons.changing import put_identifier
from filmless.patients.persons.model import Identifier, NewPerson, Person, told_id
from filmless.patients.persons.reading import get
from filmless.patients.tables import patients, person_identifiers, persons

_SEX_ZH = {"M": "男", "F": "女"}
_SEX_EN = {"M": "MALE ", "F": "FEMALE "}


def create(connection: Connection, new: NewPerson, acting: Acting) -> Person:
    """Make a person known. A name in Chinese without letters gets its likeliest reading.

    Raises Refused (codes "no-name", "bad-value") where something is not as it must be, Conflict (code
    "identifier-taken") where one of the numbers is another's.
    """
    columns = model.columns(new)
    issuer = model.line(new.issuer, 64, "issuer")
    wanted = [model.identifier(one) for one in new.identifiers]
    person_id = _insert(connection, columns, issuer, acting)
    if new.patient_id.strip():
        patient_id = model.identifier(Identifier("MR", new.patient_id)).value
    else:
        patient_id = _free(connection, f"P{person_id:06d}", issuer)
    connection.execute(update(persons).where(persons.c.id == person_id).values(patient_id=patient_id))
    for one in (Identifier("MR", patient_id, issuer), *wanted):
        put_identifier(connection, person_id, one, new.source)
    return _told(connection, person_id, "person made known", acting)


def unknown(connection: Connection, sex: str, acting: Acting, *, issuer: str = "") -> Person:
    """Somebody of whom nobody knows who it is, until a match: the patient ID is "U", date and a number, the name
    无名氏 (UNKNOWN) with the same number, so that two of one accident are told apart."""
    columns = model.columns(NewPerson("无名氏", "UNKNOWN", sex=sex, unknown=True))
    person_id = _insert(connection, columns, issuer, acting)
    number = f"{clock.now().astimezone():%y%m%d}{person_id:04d}"
    patient_id = _free(connection, f"U{number}", issuer)
    ideographic = f"无名氏{_SEX_ZH.get(sex, '')}{number}"
    alphabetic = f"UNKNOWN^{_SEX_EN.get(sex, '')}{number}"
    connection.execute(
        update(persons)
        .where(persons.c.id == person_id)
        .values(
            patient_id=patient_id,
            name_ideographic=ideographic,
            name_alphabetic=alphabetic,
            **model.keys(ideographic, alphabetic),
        )
    )
    put_identifier(connection, person_id, Identifier("MR", patient_id, issuer), "green-channel")
    return _told(connection, person_id, "unknown person made known", acting)


def _insert(connection: Connection, columns: dict[str, Any], issuer: str, acting: Acting) -> int:
    now, by = clock.now(), acting.who.name[:80]
    made: int = connection.execute(
        insert(persons)
        .values(
            **columns,
            patient_id="",
            issuer=issuer,
            created_at=now,
            created_by=by,
            changed_at=now,
            changed_by=by,
        )
        .returning(persons.c.id)
    ).scalar_one()
    return made


def _free(connection: Connection, wanted: str, issuer: str) -> str:
    """The patient ID `wanted`, or with a letter behind it where somebody came under it already."""
    candidate = wanted
    for suffix in ("", *"ABCDEFGHJKLMNPQRSTUVWXYZ"):
        candidate = wanted + suffix
        taken = connection.scalar(
            select(person_identifiers.c.id).where(
                person_identifiers.c.kind == "MR",
                person_identifiers.c.value == candidate,
                person_identifiers.c.authority == issuer,
            )
        ) or connection.scalar(
            select(patients.c.id).where(patients.c.patient_id == candidate, patients.c.issuer == issuer)
        )
        if taken is None:
            break
    return candidate


def _told(connection: Connection, person_id: int, what: str, acting: Acting) -> Person:
    person = get(connection, person_id)
    events.record(connection, [("person-created", {"person": person_id})])
    acting.note(connection, what, patients=(told_id(person),), person=person_id)
    return person
