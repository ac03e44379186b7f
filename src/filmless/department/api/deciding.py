"""What is done with one exam: registered, booked, moved, held, cancelled, checked."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints
from sqlalchemy import Connection

from filmless.access.acting import Acting
from filmless.access.api.words import At, Host, In, Line, Who
from filmless.access.model import Action, permit
from filmless.db.work import writing
from filmless.department import booking, exams, identity_check, queue, registration, tasks, visibility
from filmless.department.api.checking import agreed, failures_kept
from filmless.department.api.desk import desk_of
from filmless.department.api.words import ArrivalWords, ExamId, ExamWords, Reason, ShownWords
from filmless.department.exams import Exam
from filmless.department.model import Desk

Code = Annotated[Line, StringConstraints(max_length=16)]
Seen = Annotated[int | None, Field(ge=1, description="The exam's `changes` when it was looked at.")]


class Registering(ArrivalWords):
    """Somebody is at the desk."""

    seen: Seen = None


class Booking(In):
    """A time on a station."""

    station: Annotated[Line, StringConstraints(min_length=1, max_length=16)]
    starts_at: AwareDatetime
    minutes: int | None = Field(None, ge=1, le=720, description="Null: as long as the procedure takes.")
    overbook: bool = False
    seen: Seen = None


class Reasoned(In):
    """Why: a code of the department's list, or words."""

    code: Code = ""
    reason: Reason = ""
    seen: Seen = None


class Moving(In):
    """To another station."""

    station: Annotated[Line, StringConstraints(min_length=1, max_length=16)]
    seen: Seen = None


class Plain(In):
    """Nothing but what was seen."""

    reason: Reason = ""
    seen: Seen = None


class Checking(ShownWords):
    """Who it is, before registration or before the exam."""

    stage: Literal["registration", "exam"]


class Checked(BaseModel):
    """What came of a check."""

    passed: bool
    why: str
    exam: ExamWords


def router(given: Desk | None) -> APIRouter:
    """The routes."""
    made = APIRouter(prefix="/exams/{exam}")

    def do(
        at: At, who: Who, host: str, exam: int, action: Action, work: Callable[[Connection, Acting], Exam]
    ) -> ExamWords:
        acting = at.acting(permit(who, action), host)
        with writing(at.engine) as connection:
            visibility.check(connection, acting.who, exam, action)
            return ExamWords.of(work(connection, acting))

    @made.post("/register", summary="Somebody has come: number, worklist, ticket")
    def register_exam(exam: ExamId, body: Registering, who: Who, at: At, host: Host) -> ExamWords:
        desk, arrival = desk_of(given), body.arrival()
        acting = at.acting(permit(who, Action.REGISTER), host)
        arrival = replace(arrival, identity=agreed(at, body.identity, host))
        with failures_kept(at, exam, "registration", arrival.identity, acting, desk):
            return do(
                at,
                who,
                host,
                exam,
                Action.REGISTER,
                lambda connection, acting: registration.register(
                    connection, exam, acting, desk, arrival, seen=body.seen
                ),
            )

    @made.post("/book", summary="Give it a time on a station, or another one")
    def book_exam(exam: ExamId, body: Booking, who: Who, at: At, host: Host) -> ExamWords:
        desk = desk_of(given)

        def work(connection: Connection, acting: Acting) -> Exam:
            booked = booking.book(
                connection,
                exam,
                body.station,
                body.starts_at,
                acting,
                minutes=body.minutes,
                overbook=body.overbook,
                seen_changes=body.seen,
            )
            if desk.settings.number_at == "booking" and not booked.number:
                return registration.number_booked(connection, booked, acting)
            return booked

        if body.overbook:
            permit(who, Action.OVERBOOK)
        return do(at, who, host, exam, Action.BOOK, work)

    @made.post("/hold", summary="Off the worklist for a while")
    def hold_exam(exam: ExamId, body: Reasoned, who: Who, at: At, host: Host) -> ExamWords:
        return do(
            at,
            who,
            host,
            exam,
            Action.HOLD,
            lambda connection, acting: registration.hold(
                connection, exam, acting, code=body.code, reason=body.reason
            ),
        )

    @made.post("/release", summary="No longer held")
    def release_exam(exam: ExamId, body: Plain, who: Who, at: At, host: Host) -> ExamWords:
        return do(
            at,
            who,
            host,
            exam,
            Action.HOLD,
            lambda connection, acting: registration.release(connection, exam, acting),
        )

    @made.post("/cancel", summary="Cancel what has not begun")
    def cancel_exam(exam: ExamId, body: Reasoned, who: Who, at: At, host: Host) -> ExamWords:
        return do(
            at,
            who,
            host,
            exam,
            Action.CANCEL,
            lambda connection, acting: registration.cancel(
                connection, exam, acting, code=body.code, reason=body.reason, seen=body.seen
            ),
        )

    @made.post("/no-show", summary="Did not come")
    def miss_exam(exam: ExamId, body: Plain, who: Who, at: At, host: Host) -> ExamWords:
        return do(
            at,
            who,
            host,
            exam,
            Action.REGISTER,
            lambda connection, acting: registration.no_show(connection, exam, acting),
        )

    @made.post("/leave", summary="Came, and went again")
    def leave_exam(exam: ExamId, body: Plain, who: Who, at: At, host: Host) -> ExamWords:
        return do(
            at,
            who,
            host,
            exam,
            Action.QUEUE,
            lambda connection, acting: registration.leave(connection, exam, acting, reason=body.reason),
        )

    @made.post("/move", summary="To another station now; worklist and ticket follow")
    def move_exam(exam: ExamId, body: Moving, who: Who, at: At, host: Host) -> ExamWords:
        return do(
            at,
            who,
            host,
            exam,
            Action.QUEUE,
            lambda connection, acting: queue.move(
                connection, exam, body.station, acting, seen_changes=body.seen
            ),
        )

    @made.post("/identity", summary="Keep that it was checked who it is")
    def check_identity(exam: ExamId, body: Checking, who: Who, at: At, host: Host) -> Checked:
        desk = desk_of(given)
        action = Action.REGISTER if body.stage == "registration" else Action.PERFORM
        acting = at.acting(permit(who, action), host)
        shown = agreed(at, body, host)
        assert shown is not None
        with (
            failures_kept(at, exam, body.stage, shown, acting, desk),
            writing(at.engine) as connection,
        ):
            visibility.check(connection, acting.who, exam, action)
            verdict = identity_check.record(
                connection, exams.get(connection, exam), body.stage, shown, acting, desk
            )
            if body.stage == "exam":
                tasks.close_cause(connection, f"identity-unchecked:{exam}", acting.who, "checked")
            return Checked(
                passed=verdict.passed, why=verdict.why, exam=ExamWords.of(exams.get(connection, exam))
            )

    return made
