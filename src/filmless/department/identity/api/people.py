"""Persons: finding, making known, changing; their numbers."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from sqlalchemy import select

from filmless.access.api.words import At, Host, In, Line, Who
from filmless.access.audit.model import Entry, Kind
from filmless.access.model import Action, may, permit
from filmless.db.work import reading, writing
from filmless.department import identity_check, visibility
from filmless.department.api.words import ExamWords
from filmless.department.exams import Exam
from filmless.department.identity import journal, linking
from filmless.department.identity import people as known
from filmless.department.identity.api.words import (
    IdentifierWords,
    IdentityJournalWords,
    LikelyWords,
    Name,
    NewIdentifierWords,
    NewPersonWords,
    PersonId,
    PersonWords,
    Seen,
    Sex,
)
from filmless.department.model import Desk
from filmless.department.tables import exams as exam_rows
from filmless.patients import persons, readings
from filmless.patients.tables import persons as person_rows

_EXAMS = 200


class SearchingPersons(In):
    """What is typed: a name in characters or letters, initials, any number, a phone number, a birth date."""

    text: Annotated[Line, Field(max_length=100)]
    limit: int = Field(20, ge=1, le=200)
    merged: bool = Field(default=False, description="Those too who were merged into others, as they were.")


class FoundPersons(BaseModel):
    """Persons, those with the very number first."""

    persons: list[PersonWords]


class NameToRead(In):
    """A name in Chinese."""

    name: Name


class ReadingWords(BaseModel):
    """One way to write it with Latin letters."""

    alphabetic: str
    unread: str = Field(description="Characters whose reading is not known; left out.")


class Readings(BaseModel):
    """Ways to write a name with Latin letters, the likeliest first."""

    name_ideographic: str = Field(description="With the family name parted by ^.")
    readings: list[ReadingWords]


class LikelyOnes(BaseModel):
    """Who somebody might be, the likeliest first."""

    candidates: list[LikelyWords]


class LinkedWords(BaseModel):
    """Somebody who belongs to a person without being the same."""

    journal: int
    reason: str
    person: PersonWords


class FailedCheckWords(BaseModel):
    """A check of identity that failed: at an exam, or before there was one (`number` empty)."""

    stage: str
    document: str
    at: datetime
    by: str
    number: str
    override_by: str


class PersonPage(BaseModel):
    """A person with all that is known."""

    person: PersonWords
    exams: list[ExamWords] = Field(description="Those that one may see, the newest first, at most 200.")
    merged: list[PersonWords] = Field(description="Who was merged into this person.")
    linked: list[LinkedWords]
    journal: list[IdentityJournalWords] = Field(description="The newest first; for stewards.")
    failed: list[FailedCheckWords] = Field(
        description="When somebody showed what is not this person's, the newest first; for the desk and stewards."
    )


class ChangingPerson(In):
    """What is to be otherwise; what is left out stays."""

    name_ideographic: Name | None = None
    name_alphabetic: Name | None = None
    name_phonetic: Name | None = None
    sex: Sex | None = None
    birth_date: Annotated[str, Field(pattern=r"^[0-9-]{0,10}$")] | None = None
    phone: Annotated[Line, Field(max_length=40)] | None = None
    address: Annotated[Line, Field(max_length=300)] | None = None
    vip: bool | None = None
    deceased: bool | None = None
    seen: Seen


def router(desk: Desk | None) -> APIRouter:
    """The routes."""
    made = APIRouter(prefix="/persons")
    issuer = desk.settings.issuer if desk is not None else ""

    @made.post("/search", summary="Find persons")
    def search_persons(body: SearchingPersons, who: Who, at: At, host: Host) -> FoundPersons:
        allowed = permit(who, Action.PERSONS)
        with reading(at.engine) as connection:
            found = persons.find(
                connection, body.text, body.limit, seen=known.seen(allowed), merged=body.merged
            )
        at.trail.record(Entry(Kind.SEARCH, who, host=host, what="persons", query=body.text))
        return FoundPersons(persons=[PersonWords.of(one) for one in found])

    @made.post("/likely", summary="Who a new person might be among those who are known")
    def likely_persons(body: NewPersonWords, who: Who, at: At) -> LikelyOnes:
        allowed = permit(who, Action.PERSONS)
        with reading(at.engine) as connection:
            found = persons.likely(connection, body.new(issuer))
            ids = [one.person.id for one in found]
            seen = set(
                connection.scalars(
                    select(person_rows.c.id).where(person_rows.c.id.in_(ids), known.seen(allowed))
                )
            )
        return LikelyOnes(candidates=[LikelyWords.of(one) for one in found if one.person.id in seen])

    @made.post("/readings", summary="A name in Chinese with Latin letters")
    def read_name(body: NameToRead, who: Who) -> Readings:
        permit(who, Action.PERSONS)
        return Readings(
            name_ideographic=readings.split(body.name),
            readings=[
                ReadingWords(alphabetic=one.alphabetic, unread=one.unread)
                for one in readings.suggestions(body.name)
            ],
        )

    @made.post("", status_code=201, summary="Make somebody known")
    def create_person(body: NewPersonWords, who: Who, at: At, host: Host) -> PersonWords:
        acting = at.acting(permit(who, Action.CHANGE_PERSONS), host)
        with writing(at.engine) as connection:
            return PersonWords.of(persons.create(connection, body.new(issuer), acting), whole=True)

    @made.get("/{person}", summary="A person with all that is known")
    def get_person(person: PersonId, who: Who, at: At, host: Host) -> PersonPage:
        allowed = permit(who, Action.PERSONS)
        with reading(at.engine) as connection:
            known.check(connection, allowed, person)
            one = persons.get(connection, person)
            rows = connection.execute(
                select(exam_rows)
                .where(exam_rows.c.person == person, visibility.seen(allowed))
                .order_by(exam_rows.c.id.desc())
                .limit(_EXAMS)
            )
            merged = connection.execute(select(person_rows).where(person_rows.c.merged_into == person))
            page = PersonPage(
                person=PersonWords.of(one, whole=may(who, Action.CHANGE_PERSONS)),
                exams=[ExamWords.of(Exam.of(row)) for row in rows],
                merged=[PersonWords.of(other) for other in persons.several(connection, merged)],
                linked=[
                    LinkedWords(journal=entry.id, reason=entry.reason, person=PersonWords.of(other))
                    for entry, other in linking.linked(connection, person)
                ],
                journal=[],
                failed=[],
            )
            if may(who, Action.CHANGE_PERSONS):
                page.failed = [
                    FailedCheckWords(**row._mapping) for row in identity_check.failed_of(connection, person)
                ]
            if may(who, Action.MERGE):
                for entry in journal.of_person(connection, person):
                    other = entry.other if entry.person == person else entry.person
                    whom = persons.get(connection, other) if other is not None else None
                    page.journal.append(IdentityJournalWords.of(entry, whom))
        at.trail.record(Entry(Kind.VIEW, who, host=host, patients=(persons.told_id(one),), what="person"))
        return page

    @made.patch("/{person}", summary="Change what is known of a person")
    def change_person(person: PersonId, body: ChangingPerson, who: Who, at: At, host: Host) -> PersonWords:
        acting = at.acting(permit(who, Action.CHANGE_PERSONS), host)
        wanted = {
            name: value for name, value in body.model_dump(exclude={"seen"}).items() if value is not None
        }
        if wanted.get("name_alphabetic") == "":
            # read anew
            del wanted["name_alphabetic"]
        with writing(at.engine) as connection:
            known.check(connection, acting.who, person, Action.CHANGE_PERSONS)
            changed = persons.change(connection, person, wanted, acting, seen=body.seen)
        return PersonWords.of(changed, whole=True)

    @made.post("/{person}/identifiers", status_code=201, summary="One more number to be known by")
    def add_identifier(
        person: PersonId, body: NewIdentifierWords, who: Who, at: At, host: Host
    ) -> list[IdentifierWords]:
        acting = at.acting(permit(who, Action.CHANGE_PERSONS), host)
        with writing(at.engine) as connection:
            known.check(connection, acting.who, person, Action.CHANGE_PERSONS)
            changed = persons.add_identifier(connection, person, body.identifier(), acting)
        return [IdentifierWords.of(one) for one in changed.identifiers]

    @made.delete("/{person}/identifiers/{number}", summary="A number is this person's no longer")
    def end_identifier(
        person: PersonId, number: Annotated[int, Path(ge=1, le=2**53)], who: Who, at: At, host: Host
    ) -> list[IdentifierWords]:
        acting = at.acting(permit(who, Action.CHANGE_PERSONS), host)
        with writing(at.engine) as connection:
            known.check(connection, acting.who, person, Action.CHANGE_PERSONS)
            changed = persons.end_identifier(connection, person, number, acting)
        return [IdentifierWords.of(one) for one in changed.identifiers]

    return made
