"""The tray of images that fit no exam."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from filmless.access.api.words import At, Host, In, Line, Who
from filmless.access.model import Action, Principal, permit
from filmless.archive.query.visibility import seen
from filmless.archive.tables import studies
from filmless.db.work import reading, writing
from filmless.department import exams, visibility
from filmless.department.api.words import ExamWords, Short
from filmless.department.identity import people as known
from filmless.department.identity import unmatched
from filmless.department.identity.api.images import Images
from filmless.department.identity.api.words import (
    CandidateWords,
    NewPersonWords,
    UnmatchedStudyWords,
    UnmatchedWords,
    Why,
)
from filmless.department.identity.unmatched import Study
from filmless.department.model import Desk
from filmless.kit.errors import Defect, Refused

_MOST = 200
StudyUid = Annotated[str, Path(pattern=r"^[0-9.]{1,64}$", description="Study Instance UID.")]


class UnmatchedTray(BaseModel):
    """What waits, the oldest first."""

    waiting: list[UnmatchedWords]


class UnmatchedStudyPage(BaseModel):
    """A study, the exams that it is attached to, and those that it may be of."""

    study: UnmatchedStudyWords
    exams: list[ExamWords]
    candidates: list[CandidateWords]


class AssigningImages(In):
    """Of which exam they are."""

    exam: int = Field(ge=1, le=2**53)
    reason: Why


class MakingExamForImages(In):
    """An exam to be made for them."""

    procedure: Annotated[Line, Field(min_length=1, max_length=16)]
    side: Annotated[str, Field(pattern="^[LRB]?$")] = ""
    person: int | None = Field(None, ge=1, le=2**53)
    new: NewPersonWords | None = None
    exam_class: Annotated[str, Field(pattern="^[A-Z]?$")] = Field(
        "", description="Empty: the green channel, to be matched later."
    )
    visit_number: Short = ""
    admission_number: Short = ""
    reason: Why


class ImagesAssigned(BaseModel):
    """The exam as it is now, and the entry of the journal."""

    exam: ExamWords
    journal: int


def router(images: Images, desk: Desk | None) -> APIRouter:
    """The routes."""
    made = APIRouter(prefix="/unmatched")

    @made.get("", summary="Images that fit no exam")
    def list_unmatched(who: Who, at: At) -> UnmatchedTray:
        allowed = permit(who, Action.MATCH_IMAGES)
        with reading(at.engine) as connection:
            found = unmatched.tray(
                connection, seen=seen(allowed, studies, action=Action.MATCH_IMAGES), limit=_MOST
            )
        return UnmatchedTray(waiting=[UnmatchedWords.of(one) for one in found])

    @made.get("/{study_uid}", summary="A study beside the exams that it may be of")
    def get_unmatched(study_uid: StudyUid, who: Who, at: At) -> UnmatchedStudyPage:
        allowed = permit(who, Action.MATCH_IMAGES)
        with reading(at.engine) as connection:
            study = _study(connection, allowed, study_uid)
            attached = exams.of_study(connection, study_uid)
            found = unmatched.candidates(
                connection,
                study,
                besides=[one.id for one in attached],
                seen=visibility.seen(allowed, Action.MATCH_IMAGES),
            )
        return UnmatchedStudyPage(
            study=UnmatchedStudyWords.of(study),
            exams=[ExamWords.of(one) for one in attached],
            candidates=[CandidateWords.of(one) for one in found],
        )

    @made.post("/{study_uid}/assign", summary="Say of which exam images are")
    def assign_images(
        study_uid: StudyUid, body: AssigningImages, who: Who, at: At, host: Host
    ) -> ImagesAssigned:
        acting = at.acting(permit(who, Action.MATCH_IMAGES), host)
        with writing(at.engine) as connection:
            _study(connection, acting.who, study_uid)
            visibility.check(connection, acting.who, body.exam, Action.MATCH_IMAGES)
            entry = unmatched.assign(connection, study_uid, body.exam, acting, reason=body.reason)
            now = ExamWords.of(exams.get(connection, body.exam))
        images.follow(entry, acting)
        return ImagesAssigned(exam=now, journal=entry.id)

    @made.post("/{study_uid}/exam", status_code=201, summary="Make the exam that images are of")
    def make_exam_for_images(
        study_uid: StudyUid, body: MakingExamForImages, who: Who, at: At, host: Host
    ) -> ImagesAssigned:
        acting = at.acting(permit(who, Action.MATCH_IMAGES), host)
        if desk is None:
            raise Defect("These routes have no desk.", code="no-desk")
        wish = unmatched.NewExam(
            procedure=body.procedure,
            side=body.side,
            person=body.person,
            new=body.new.new(desk.settings.issuer) if body.new is not None else None,
            letter=body.exam_class,
            visit_number=body.visit_number,
            admission_number=body.admission_number,
            reason=body.reason,
        )
        with writing(at.engine) as connection:
            _study(connection, acting.who, study_uid)
            if body.person is not None:
                known.check(connection, acting.who, body.person, Action.MATCH_IMAGES)
            # with all rights of who does it: registering takes another one
            exam, entry = unmatched.make_exam(connection, study_uid, wish, at.acting(who, host), desk)
        images.follow(entry, acting)
        return ImagesAssigned(exam=ExamWords.of(exam), journal=entry.id)

    return made


def _study(connection: Connection, allowed: Principal, study_uid: str) -> Study:
    found = unmatched.study_of(connection, study_uid, seen=seen(allowed, studies, action=Action.MATCH_IMAGES))
    if found is None:
        raise Refused("There are no such images.", code="not-found")
    return found
