"""The queues of stations, as the triage nurse works with them: call, pass over, return, move to another station."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select, update

from filmless.access.acting import Acting
from filmless.access.model import Action, Principal
from filmless.department import exams
from filmless.department.exams import Exam, tickets
from filmless.department.states import State
from filmless.department.tables import bookings, stations
from filmless.department.tables import exams as exam_rows
from filmless.department.tables import tickets as rows
from filmless.department.visibility import check, seen
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused
from filmless.patients.persons.model import spoken
from filmless.patients.tables import persons

#: one who was passed over comes back behind so many others
BEHIND: Final = 3
#: what may be done with a ticket -> (from, to, what the log says)
_ACTS: Final[Mapping[str, tuple[tuple[str, ...], str, str]]] = {
    "call": (("waiting", "called", "skipped"), "called", "called"),
    "pass": (("waiting", "called"), "skipped", "passed over"),
    "return": (("skipped", "called"), "waiting", "back in the queue"),
    "enter": (("waiting", "called", "skipped"), "in-room", "in the room"),
}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A ticket with its exam and the name of whom it is of."""

    id: int
    exam: Exam
    station: str
    number: int
    status: str
    rank: int
    calls: int
    called_at: datetime | None
    made_at: datetime
    patient_id: str
    name: str
    name_alphabetic: str
    sex: str
    birth_date: str


def waiting(
    connection: Connection,
    principal: Principal,
    *,
    day: str = "",
    station_codes: Sequence[str] = (),
    limit: int = 500,
) -> list[Waiting]:
    """Who waits today (or on `day`, YYYYMMDD), in the order in which they are called, station by station."""
    query = (
        select(
            rows,
            persons.c.patient_id,
            persons.c.name_ideographic,
            persons.c.name_alphabetic,
            persons.c.sex,
            persons.c.birth_date,
            *[column.label(f"exam_{column.name}") for column in exam_rows.c],
        )
        .join(exam_rows, exam_rows.c.id == rows.c.exam)
        .join(persons, persons.c.id == exam_rows.c.person)
        .where(
            rows.c.day == (day or tickets.day_of(clock.now())),
            rows.c.status.in_(tickets.ACTIVE),
            seen(principal, Action.QUEUE),
        )
        .order_by(rows.c.station, rows.c.rank, rows.c.number)
        .limit(limit)
    )
    if station_codes:
        query = query.where(rows.c.station.in_(list(station_codes)))
    return [_of(row) for row in connection.execute(query)]


def act(connection: Connection, ticket_id: int, what: str, acting: Acting) -> None:
    """Call, pass, return or enter. Raises Refused ("not-found", "bad-value"), Conflict ("wrong-state")."""
    if what not in _ACTS:
        raise Refused(f"A ticket is {', '.join(_ACTS)}ed.", code="bad-value")
    before, to, words = _ACTS[what]
    row = connection.execute(select(rows).where(rows.c.id == ticket_id).with_for_update()).one_or_none()
    if row is None:
        raise Refused("There is no such ticket.", code="not-found")
    check(connection, acting.who, row.exam, Action.QUEUE)
    if row.status not in before:
        raise Conflict(f"This ticket is {row.status}.", code="wrong-state")
    values: dict[str, Any] = {"status": to}
    if what == "call":
        values |= {"calls": row.calls + 1, "called_at": clock.now()}
    if what == "return":
        values["rank"] = _rank_behind(connection, row.station, row.day, row.rank)
    connection.execute(update(rows).where(rows.c.id == ticket_id).values(**values))
    exams.note(
        connection,
        row.exam,
        words,
        acting,
        detail={
            "station": row.station,
            "ticket": row.number,
            **({"calls": row.calls + 1} if what == "call" else {}),
        },
    )


def move(
    connection: Connection, exam_id: int, station: str, acting: Acting, *, seen_changes: int | None = None
) -> Exam:
    """To another station now (T08); the worklist and the ticket follow, a booked time elsewhere is free again.

    Raises Refused ("unknown-station", "not-permitted"), Conflict ("wrong-state", "stale").
    """
    exam = exams.get(connection, exam_id)
    row = connection.execute(
        select(stations.c.id, stations.c.modality).where(stations.c.code == station, stations.c.active)
    ).one_or_none()
    if row is None:
        raise Refused(f"There is no station {station}.", code="unknown-station")
    if row.modality != exam.modality:
        raise Refused(f"On {station} no {exam.modality} is made.", code="unknown-station")
    if exam.station == station:
        return exam
    if exam.state is State.SCHEDULED:
        raise Conflict("It is booked: choose another time for it.", code="wrong-state")
    now = exams.advance(
        connection,
        exam_id,
        "T08",
        acting,
        detail={"from": exam.station, "to": station},
        also={"station": station},
        seen=seen_changes,
    )
    connection.execute(bookings.delete().where(bookings.c.exam == exam_id))
    return now


def _rank_behind(connection: Connection, station: str, day: str, own: int) -> int:
    """Behind the next so many that wait."""
    ranks = connection.scalars(
        select(rows.c.rank)
        .where(rows.c.station == station, rows.c.day == day, rows.c.status == "waiting")
        .order_by(rows.c.rank, rows.c.number)
        .limit(BEHIND)
    ).all()
    return max([own, *(int(rank) + 1 for rank in ranks)])


def _of(row: Any) -> Waiting:
    values = {name: getattr(row, f"exam_{name}") for name in Exam.__slots__}
    values["state"] = State(values["state"])
    values["held_from"] = State(values["held_from"]) if values["held_from"] else None
    return Waiting(
        row.id,
        Exam(**values),
        row.station,
        row.number,
        row.status,
        row.rank,
        row.calls,
        row.called_at,
        row.made_at,
        row.patient_id,
        spoken(row.name_ideographic, row.name_alphabetic),
        row.name_alphabetic,
        row.sex,
        row.birth_date,
    )
