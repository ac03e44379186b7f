"""Tickets: the places of exams in the queues of stations. They follow the exam: there is one while it waits."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from filmless.department.exams.model import Exam
from filmless.department.states import State
from filmless.department.tables import orders, tickets
from filmless.kit.errors import Unavailable

#: tickets that somebody still waits with
ACTIVE: Final = ("waiting", "called", "skipped", "in-room")
#: minutes by which a class of waiting is set back (or put forward) against those that came at the same time; nobody is
#: overtaken for longer than the difference
_STAT, _INPATIENT_URGENT, _WALK_IN, _LATE = -24 * 60, -20, 30, 40
#: minutes before the booked time from which somebody is on time, and after it, late
_EARLY, _LATE_AFTER = 15, 15
_TRIES: Final = 50


def follow(connection: Connection, exam: Exam, moment: datetime) -> None:
    """Bring the tickets of an exam where it is now: one at its station while it has arrived, none elsewhere."""
    ending = {
        State.IN_PROGRESS: "in-room",
        State.ACQUIRED: "done",
        State.VERIFIED: "done",
    }.get(exam.state, "left")
    active = tickets.c.exam == exam.id, tickets.c.status.in_(ACTIVE)
    if exam.state is not State.ARRIVED:
        connection.execute(update(tickets).where(*active).values(status=ending))
        return
    connection.execute(
        update(tickets).where(*active, tickets.c.station != exam.station).values(status="left")
    )
    if not exam.station:
        return
    kept = connection.execute(select(tickets.c.id).where(*active, tickets.c.day == day_of(moment))).first()
    if kept is None:
        connection.execute(update(tickets).where(*active).values(status="left"))
        _make(connection, exam, moment)


def day_of(moment: datetime) -> str:
    """The local date of the server, YYYYMMDD."""
    return moment.astimezone().strftime("%Y%m%d")


def rank_of(connection: Connection, exam: Exam, moment: datetime) -> int:
    """By which a queue is sorted: milliseconds of the local day, put forward or set back by what the exam is."""
    local = moment.astimezone()
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)

    def at_minutes(at: datetime, minutes: int = 0) -> int:
        return (at.astimezone() - midnight + timedelta(minutes=minutes)) // timedelta(milliseconds=1)

    if exam.stat:
        return at_minutes(local, _STAT)
    asked = connection.execute(
        select(orders.c.patient_class, orders.c.priority).where(orders.c.id == exam.order_id)
    ).one()
    if asked.priority == "urgent" and asked.patient_class in ("I", "E"):
        return at_minutes(local, _INPATIENT_URGENT)
    if exam.starts_at is None or exam.starts_at.astimezone().date() != local.date():
        return at_minutes(local, _WALK_IN)
    if local > exam.starts_at + timedelta(minutes=_LATE_AFTER):
        return at_minutes(local, _LATE)
    return max(at_minutes(local), at_minutes(exam.starts_at, -_EARLY))


def _make(connection: Connection, exam: Exam, moment: datetime) -> None:
    day = day_of(moment)
    rank = rank_of(connection, exam, moment)
    for _ in range(_TRIES):
        last = connection.scalar(
            select(func.max(tickets.c.number)).where(tickets.c.station == exam.station, tickets.c.day == day)
        )
        try:
            with connection.begin_nested():
                connection.execute(
                    insert(tickets).values(
                        exam=exam.id,
                        station=exam.station,
                        day=day,
                        number=(last or 0) + 1,
                        status="waiting",
                        rank=rank,
                        made_at=moment,
                    )
                )
        except IntegrityError:
            # somebody else has just taken this number
            continue
        return
    raise Unavailable("The queue is too busy to give a ticket. Try again.", code="busy")
