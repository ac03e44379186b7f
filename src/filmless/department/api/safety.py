"""The safety questions before an exam."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Connection

from filmless.access.api.words import At, Host, In, Line, Who
from filmless.access.model import Action, may, permit
from filmless.db.work import reading, writing
from filmless.department import exams, safety, visibility
from filmless.department.api.words import ExamId, ExamWords, Reason
from filmless.department.exams import Exam, dangers, guards
from filmless.department.model import Desk

Seen = Annotated[int | None, Field(ge=1, description="The exam's `changes` when it was looked at.")]
Code = Annotated[Line, StringConstraints(max_length=16)]


class QuestionWords(BaseModel):
    """A question. `answer` is empty where nobody has asked."""

    code: str
    answer: Literal["", "no", "yes", "unknown"]
    speaks: bool = Field(description="The answer speaks against the exam.")
    stops: bool = Field(description="Then it does not begin by hand before somebody has accepted that.")


class SafetyWords(BaseModel):
    """What was asked before an exam, and what came of it."""

    questions: list[QuestionWords]
    note: str = Field(description="For whoever makes the exam.")
    at: datetime | None
    by: str
    stopping: list[str] = Field(description="Codes of what speaks against it and nobody has accepted.")
    accepted: list[str]
    accepted_reason: str
    accepted_at: datetime | None
    accepted_by: str
    needed: bool = Field(description="Exams of this class do not begin by hand before all is asked.")
    changes: int = Field(description="Of the exam; say it as `seen`.")

    @classmethod
    def of(cls, connection: Connection, exam: Exam) -> "SafetyWords":
        """Of an exam as it is."""
        found = dangers.asked(connection, exam)
        kept = exam.more.get("safety") or {}
        accepted = kept.get("accepted") or {}
        return cls.model_validate(
            {
                "questions": [
                    {"code": one.code, "answer": one.answer, "speaks": one.speaks, "stops": one.stops}
                    for one in found
                ],
                "note": kept.get("note", ""),
                "at": kept.get("at"),
                "by": kept.get("by", ""),
                "stopping": dangers.stopping(exam, found),
                "accepted": accepted.get("codes", []),
                "accepted_reason": accepted.get("reason", ""),
                "accepted_at": accepted.get("at"),
                "accepted_by": accepted.get("by", ""),
                "needed": guards.class_words(connection, exam.exam_class).get("safety") == "required",
                "changes": exam.changes,
            }
        )


class Answering(In):
    """All answers; what is left out was not asked."""

    answers: Annotated[dict[Code, Literal["no", "yes", "unknown"]], Field(max_length=20)]
    note: Reason = ""
    seen: Seen = None


class Accepting(In):
    """Why it goes on although something speaks against it."""

    reason: Annotated[Reason, StringConstraints(min_length=1)]
    seen: Seen = None


def router(_given: Desk | None) -> APIRouter:
    """The routes."""
    made = APIRouter(prefix="/exams/{exam}/safety")

    @made.get("", summary="The safety questions of an exam, and their answers")
    def show_safety(exam: ExamId, who: Who, at: At) -> SafetyWords:
        principal = permit(who, Action.PERSONS)
        with reading(at.engine) as connection:
            visibility.check(connection, principal, exam)
            return SafetyWords.of(connection, exams.get(connection, exam))

    @made.post("", summary="Keep what was answered")
    def answer_safety(exam: ExamId, body: Answering, who: Who, at: At, host: Host) -> ExamWords:
        acting = at.acting(permit(who, Action.QUEUE), host)
        with writing(at.engine) as connection:
            visibility.check(connection, acting.who, exam, Action.QUEUE)
            return ExamWords.of(
                safety.answer(connection, exam, acting, answers=body.answers, note=body.note, seen=body.seen)
            )

    @made.post("/accept", summary="It goes on although something speaks against it")
    def accept_danger(exam: ExamId, body: Accepting, who: Who, at: At, host: Host) -> ExamWords:
        action = Action.PERFORM if may(who, Action.PERFORM) else Action.REVIEW
        acting = at.acting(permit(who, action), host)
        with writing(at.engine) as connection:
            visibility.check(connection, acting.who, exam, action)
            return ExamWords.of(safety.accept(connection, exam, acting, reason=body.reason, seen=body.seen))

    return made
