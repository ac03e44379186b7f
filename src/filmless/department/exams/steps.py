"""Scheduled Procedure Steps (PS3.4 K): what the worklist shows of an exam, kept in accord with its state and place."""

from typing import Final

from sqlalchemy import Connection, insert, select, update

from filmless.department.exams.model import Exam
from filmless.department.states import WORDS, State
from filmless.department.tables import stations, steps
from filmless.kit import clock

#: of a step whose exam is held, void, or on no worklist yet
HIDDEN: Final = "HIDDEN"
#: a step that ended so is over; what is done again gets a new one
_ENDED: Final = ("DISCONTINUED",)


def follow(connection: Connection, exam: Exam) -> None:
    """Bring the steps of an exam where it is now; make its first one when there is something to show.

    An exam has one open step. One that a device discontinued stays so, and doing it again makes another.
    """
    status = WORDS[exam.state][2] or HIDDEN
    rows = connection.execute(
        select(steps.c.id, steps.c.status).where(steps.c.exam == exam.id).order_by(steps.c.id)
    ).all()
    open_ones = [row.id for row in rows if row.status not in _ENDED]
    ae_title = ""
    if exam.station:
        found = connection.scalar(select(stations.c.ae_title).where(stations.c.code == exam.station))
        ae_title = found or ""
    values = {
        "station": exam.station,
        "ae_title": ae_title,
        "modality": exam.modality,
        "starts_at": exam.starts_at or exam.arrived_at or exam.ordered_at,
        "status": status,
        "changed_at": clock.now(),
    }
    described = {"description_zh": exam.procedure_zh, "description_en": exam.procedure_en}
    if open_ones:
        connection.execute(update(steps).where(steps.c.id.in_(open_ones)).values(**values, **described))
        return
    if (
        status == HIDDEN
        or exam.state in (State.DISCONTINUED, State.CANCELLED, State.NO_SHOW)
        or (rows and exam.state not in (State.SCHEDULED, State.ARRIVED, State.IN_PROGRESS))
    ):
        return
    connection.execute(
        insert(steps).values(
            step_id=f"S{exam.id}-{len(rows) + 1}",
            exam=exam.id,
            **values,
            **described,
        )
    )
