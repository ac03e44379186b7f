"""Moving images to the exam that they are of (IHE RAD IOCM)."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from filmless.access.api.words import At, Host, In, Who
from filmless.access.model import Action, permit
from filmless.archive.query.visibility import seen
from filmless.archive.tables import studies
from filmless.db.work import reading, writing
from filmless.department import exams, made_of, visibility
from filmless.department.api.words import ExamId, ExamWords
from filmless.department.identity import journal, moving, unmatched, voiding
from filmless.department.identity.api.images import Images
from filmless.department.identity.api.words import CandidateWords, Why
from filmless.kit.errors import Refused

Uid = Annotated[str, StringConstraints(pattern=r"^[0-9.]{1,64}$")]


class MovableSeries(BaseModel):
    """A series of an exam with images in use."""

    study_uid: str
    series_uid: str
    number: str
    description: str
    modality: str
    images: int


class MovePage(BaseModel):
    """What of an exam can be moved, where to, and what a move means for others."""

    exam: ExamWords
    series: list[MovableSeries]
    being_read: bool = Field(description="Somebody is reading its images, or has.")
    copies: int = Field(
        description="How often images or reports of it left: sent, exported, printed, shared."
    )
    candidates: list[CandidateWords] = Field(description="Exams that they may be of, the likeliest first.")


class MovingImages(In):
    """Which series are of which exam."""

    study_uid: Uid
    series_uids: list[Uid] = Field([], max_length=1000, description="Empty: all of the study.")
    to: int = Field(ge=1, le=2**53, description="The exam that they are of.")
    reason: Why
    despite: bool = Field(
        default=False, description="Although somebody is reading the images or the other exam, or has."
    )


class ImagesMoved(BaseModel):
    """The exam that they are of, as it is now. `waiting`: they follow in a moment."""

    exam: ExamWords
    journal: int
    objects: int
    waiting: bool


def router(images: Images) -> APIRouter:
    """The routes."""
    made = APIRouter(prefix="/exams/{exam}")

    @made.get("/move-images", summary="What of an exam can be moved to another, and where to")
    def show_movable(exam: ExamId, who: Who, at: At) -> MovePage:
        allowed = permit(who, Action.MATCH_IMAGES)
        with reading(at.engine) as connection:
            visibility.check(connection, allowed, exam, Action.MATCH_IMAGES)
            one = exams.get(connection, exam)
            there = [row for row in made_of.series_of(connection, one) if row["images"]]
            sees = seen(allowed, studies, action=Action.MATCH_IMAGES)
            uids = dict.fromkeys(str(row["study_uid"]) for row in there)
            first = next(filter(None, (unmatched.study_of(connection, uid, seen=sees) for uid in uids)), None)
            found = (
                unmatched.candidates(
                    connection,
                    first,
                    besides=[other.id for other in exams.of_study(connection, first.study_uid)],
                    seen=visibility.seen(allowed, Action.MATCH_IMAGES),
                )
                if first is not None
                else []
            )
            return MovePage(
                exam=ExamWords.of(one),
                series=[
                    MovableSeries(**{name: row[name] for name in MovableSeries.model_fields}) for row in there
                ],
                being_read=one.state in moving.READ,
                copies=len(voiding.copies(connection, list(uids))),
                candidates=[CandidateWords.of(each) for each in found],
            )

    @made.post("/move-images", summary="Move images to the exam that they are of")
    def move_images(exam: ExamId, body: MovingImages, who: Who, at: At, host: Host) -> ImagesMoved:
        acting = at.acting(permit(who, Action.MATCH_IMAGES), host)
        wish = moving.Wish(body.study_uid, body.to, body.reason, tuple(body.series_uids), body.despite)
        with writing(at.engine) as connection:
            for one in (exam, body.to):
                visibility.check(connection, acting.who, one, Action.MATCH_IMAGES)
            if body.study_uid not in exams.studies_of(connection, exams.get(connection, exam)):
                raise Refused("There are no such images.", code="not-found")
            entry = moving.move(connection, wish, acting)
        images.follow(entry, acting)
        with reading(at.engine) as connection:
            entry = journal.get(connection, entry.id)
            return ImagesMoved(
                exam=ExamWords.of(exams.get(connection, body.to)),
                journal=entry.id,
                objects=int(entry.body["objects"]),
                waiting=not entry.body.get("settled"),
            )

    return made
