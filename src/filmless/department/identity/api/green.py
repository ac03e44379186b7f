"""Exams of the green channel that nobody has matched yet, and matching them."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from filmless.access.api.words import At, Host, In, Who
from filmless.access.model import Action, permit
from filmless.db.work import reading, writing
from filmless.department import exams, visibility
from filmless.department.api.words import ExamId, ExamWords, Short
from filmless.department.identity import matching
from filmless.department.identity import people as known
from filmless.department.identity.api.images import Images
from filmless.department.identity.api.words import ExamOfPersonWords, Why
from filmless.department.identity.matching import Match

_MOST = 500


class UnmatchedGreenWords(ExamOfPersonWords):
    """An exam that waits for a match."""

    since: datetime


class UnmatchedGreen(BaseModel):
    """What waits, the oldest first."""

    waiting: list[UnmatchedGreenWords]
    more: bool


class GreenMatching(In):
    """Whose exam it was."""

    person: int = Field(ge=1, le=2**53)
    exam_class: Annotated[str, Field(pattern="^[A-Z]$")]
    checked: list[
        Literal[
            "name", "birth-date", "document", "patient-id", "phone", "relative", "wristband", "photograph"
        ]
    ] = Field(max_length=8, description="By what the person was recognised; two at least.")
    visit_number: Short = ""
    admission_number: Short = ""
    instead_of: int | None = Field(
        None, ge=1, le=2**53, description="An exam that waits for this person and was made in this way."
    )
    reason: Why


class GreenMatched(BaseModel):
    """The exam with its new number, and the entry of the journal."""

    exam: ExamWords
    journal: int


def router(images: Images) -> APIRouter:
    """The routes."""
    made = APIRouter(prefix="/green-channel")

    @made.get("", summary="What waits for a match")
    def list_green(who: Who, at: At) -> UnmatchedGreen:
        allowed = permit(who, Action.MATCH)
        with reading(at.engine) as connection:
            found = matching.waiting(connection, seen=visibility.seen(allowed, Action.MATCH), limit=_MOST + 1)
        return UnmatchedGreen(
            waiting=[
                UnmatchedGreenWords(
                    since=one.since, **ExamOfPersonWords.made(one.exam, one.person).model_dump()
                )
                for one in found[:_MOST]
            ],
            more=len(found) > _MOST,
        )

    @made.get("/{exam}/orders", summary="Exams of a person that may be what was done in the emergency")
    def waiting_orders(exam: ExamId, person: int, who: Who, at: At) -> list[ExamWords]:
        allowed = permit(who, Action.MATCH)
        with reading(at.engine) as connection:
            visibility.check(connection, allowed, exam, Action.MATCH)
            known.check(connection, allowed, person, Action.MATCH)
            modality = exams.get(connection, exam).modality
            return [ExamWords.of(one) for one in matching.waiting_of(connection, person, modality=modality)]

    @made.post("/{exam}/match", summary="Match an exam of the green channel")
    def match_green(exam: ExamId, body: GreenMatching, who: Who, at: At, host: Host) -> GreenMatched:
        acting = at.acting(permit(who, Action.MATCH), host)
        wish = Match(
            person=body.person,
            letter=body.exam_class,
            checked=tuple(body.checked),
            reason=body.reason,
            visit_number=body.visit_number,
            admission_number=body.admission_number,
            instead_of=body.instead_of,
        )
        with writing(at.engine) as connection:
            visibility.check(connection, acting.who, exam, Action.MATCH)
            known.check(connection, acting.who, body.person, Action.MATCH)
            entry = matching.match(connection, exam, wish, acting)
            now = ExamWords.of(exams.get(connection, exam))
        images.follow(entry, acting)
        return GreenMatched(exam=now, journal=entry.id)

    return made
