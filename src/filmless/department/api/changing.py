"""What was asked for, changed and called off; ways of an exam that more than one room takes: protocolled, sent back,
gone on with, partial images accepted, repeated."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import Field, StringConstraints
from sqlalchemy import Connection

from filmless.access.acting import Acting
from filmless.access.api.words import At, Host, In, Line, Who
from filmless.access.model import Action, may, permit
from filmless.db.work import writing
from filmless.department import execution, order_changes, visibility
from filmless.department.api.words import ExamId, ExamWords, OrderWords, Reason, Short, Text, Words
from filmless.department.model import Desk
from filmless.kit.errors import Refused

Code = Annotated[Line, StringConstraints(max_length=16)]
OrderId = Annotated[int, Path(ge=1, le=2**53, description="Number of the order's row.")]
Seen = Annotated[int | None, Field(ge=1, description="The exam's `changes` when it was looked at.")]


class OrderChange(In):
    """What is other than before; what is left out stays."""

    requester: Words | None = None
    department: Code | None = None
    ward: Code | None = None
    bed: Code | None = None
    patient_class: Literal["O", "I", "E", "P"] | None = None
    visit_number: Short | None = None
    admission_number: Short | None = None
    diagnosis: Text | None = None
    history: Text | None = None
    purpose: Text | None = None
    cautions: Annotated[dict[Short, Words], Field(max_length=20)] | None = None
    priority: Literal["routine", "urgent", "stat"] | None = None
    seen: Annotated[dict[Short, str | dict[str, str]], Field(max_length=20)] | None = Field(
        default=None, description="What is changed, as it was when it was looked at."
    )
    reason: Reason = ""


class CallingOff(In):
    """Why nothing of it is to be done: a code of the department's list, or words."""

    code: Code = ""
    reason: Reason = ""


class Protocol(In):
    """How it is to be made."""

    protocol: Annotated[str, StringConstraints(max_length=400)] = ""
    seen: Seen = None


class Why(In):
    """Why it goes this way."""

    reason: Annotated[Line, StringConstraints(min_length=1, max_length=400)]
    seen: Seen = None


def router(_given: Desk | None) -> APIRouter:
    """The routes."""
    made = APIRouter()

    @made.patch("/orders/{order}", summary="Write more, or other, of what was asked for")
    def change_order(order: OrderId, body: OrderChange, who: Who, at: At, host: Host) -> OrderWords:
        acting = at.acting(permit(who, Action.ORDER), host, body.reason)
        changes = {
            name: value
            for name, value in body.model_dump(exclude={"reason", "seen"}).items()
            if value is not None
        }
        with writing(at.engine) as connection:
            _seen(connection, acting, order, Action.ORDER)
            changed = order_changes.change_order(
                connection, order, changes, acting, begun=may(who, Action.REGISTER), seen=body.seen
            )
            return OrderWords.of(changed)

    @made.post("/orders/{order}/cancel", summary="Call off all of it that has not begun")
    def cancel_order(order: OrderId, body: CallingOff, who: Who, at: At, host: Host) -> list[ExamWords]:
        acting = at.acting(permit(who, Action.CANCEL), host)
        with writing(at.engine) as connection:
            _seen(connection, acting, order, Action.CANCEL)
            done = order_changes.cancel_order(connection, order, acting, code=body.code, reason=body.reason)
            return [ExamWords.of(one) for one in done]

    @made.post("/exams/{exam}/protocol", summary="Say how it is to be made")
    def protocol_exam(exam: ExamId, body: Protocol, who: Who, at: At, host: Host) -> ExamWords:
        acting = at.acting(permit(who, Action.VET), host)
        with writing(at.engine) as connection:
            visibility.check(connection, acting.who, exam, Action.VET)
            return ExamWords.of(
                execution.protocol(connection, exam, acting, protocol=body.protocol, seen=body.seen)
            )

    def way(exam: int, body: Why, at: At, acting: Acting, action: Action, name: str) -> ExamWords:
        with writing(at.engine) as connection:
            visibility.check(connection, acting.who, exam, action)
            if name == "T14":
                done = execution.send_back(connection, exam, acting, reason=body.reason, seen=body.seen)
            else:
                done = execution.change(connection, exam, name, acting, reason=body.reason, seen=body.seen)
            return ExamWords.of(done)

    @made.post("/exams/{exam}/send-back", summary="Not ready to be read: back to the device")
    def return_to_device(exam: ExamId, body: Why, who: Who, at: At, host: Host) -> ExamWords:
        acting = at.acting(permit(who, Action.SEND_BACK), host)
        return way(exam, body, at, acting, Action.SEND_BACK, "T14")

    @made.post("/exams/{exam}/more-images", summary="It goes on at the device: more images")
    def add_images(exam: ExamId, body: Why, who: Who, at: At, host: Host) -> ExamWords:
        acting = at.acting(permit(who, Action.PERFORM), host)
        return way(exam, body, at, acting, Action.PERFORM, "T15")

    @made.post("/exams/{exam}/accept-partial", summary="What there is of a stopped exam is enough to be read")
    def accept_partial(exam: ExamId, body: Why, who: Who, at: At, host: Host) -> ExamWords:
        action = _first(who, Action.PERFORM, Action.REVIEW)
        return way(exam, body, at, at.acting(permit(who, action), host), action, "T33")

    @made.post("/exams/{exam}/repeat", summary="A stopped exam is made again")
    def repeat_exam(exam: ExamId, body: Why, who: Who, at: At, host: Host) -> ExamWords:
        action = _first(who, Action.PERFORM, Action.REGISTER)
        return way(exam, body, at, at.acting(permit(who, action), host), action, "T34")

    return made


def _first(who: Who, *actions: Action) -> Action:
    """The first of these that may be done; the last one where none may, to be refused."""
    return next((one for one in actions if may(who, one)), actions[-1])


def _seen(connection: Connection, acting: Acting, order: int, action: Action) -> None:
    """Raises Refused (code "not-found") where no exam of the order is there for whoever acts."""
    for one in order_changes.exams_of(connection, order):
        try:
            visibility.check(connection, acting.who, one.id, action)
        except Refused:
            continue
        return
    raise Refused("There is no such order.", code="not-found")
