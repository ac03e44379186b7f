"""The queues of stations: the triage board."""

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from filmless.access.api.words import At, Host, In, Line, Number, Who
from filmless.access.model import Action, permit
from filmless.db.work import reading, writing
from filmless.department import queue
from filmless.department.api.words import ExamWords
from filmless.department.model import Desk


class TicketWords(BaseModel):
    """Who waits at a station."""

    id: int
    exam: ExamWords
    station: str
    number: int
    status: Literal["waiting", "called", "skipped", "in-room"]
    calls: int
    called_at: datetime | None
    made_at: datetime
    patient_id: str
    name: str
    name_alphabetic: str
    sex: str
    birth_date: str


class QueueWish(In):
    """Which queues are looked at."""

    day: date | None = Field(None, description="Null: today.")
    stations: list[Annotated[Line, StringConstraints(max_length=16)]] = Field([], max_length=100)
    limit: int = Field(500, ge=1, le=2000)


class Queue(BaseModel):
    """Tickets, station by station, in the order in which they are called."""

    waiting: list[TicketWords]


class TicketAct(In):
    """What is done with a ticket."""

    what: Literal["call", "pass", "return", "enter"]


def router(_given: Desk | None) -> APIRouter:
    """The routes."""
    made = APIRouter(prefix="/queue")

    @made.post("", summary="Who waits, station by station")
    def look_at_queue(body: QueueWish, who: Who, at: At) -> Queue:
        principal = permit(who, Action.QUEUE)
        with reading(at.engine) as connection:
            found = queue.waiting(
                connection,
                principal,
                day=body.day.strftime("%Y%m%d") if body.day else "",
                station_codes=body.stations,
                limit=body.limit,
            )
        plain = TicketWords.model_fields.keys() - {"exam"}
        return Queue(
            waiting=[
                TicketWords(
                    exam=ExamWords.of(one.exam),
                    **{name: getattr(one, name) for name in plain},
                )
                for one in found
            ]
        )

    @made.post("/{number}", status_code=204, summary="Call, pass over, return, let in")
    def act_on_ticket(number: Number, body: TicketAct, who: Who, at: At, host: Host) -> None:
        acting = at.acting(permit(who, Action.QUEUE), host)
        with writing(at.engine) as connection:
            queue.act(connection, number, body.what, acting)

    return made
