"""An emergency whose report is late is told of once, until there is one."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine, update
from tests.department.hospital import DESK, HEAD, Hospital, outpatient

from filmless.db.work import reading, writing
from filmless.department import exams, overdue, registration, tasks
from filmless.department.identity_check import Shown
from filmless.department.registration import Arrival
from filmless.department.states import State
from filmless.department.tables import exams as exam_rows
from filmless.kit import clock


def test_a_late_emergency_is_told_of_once(engine: Engine, hospital: Hospital) -> None:
    desk = hospital.acting("REG")
    with writing(engine) as connection:
        person = hospital.person(connection)
        late, routine = (
            registration.walk_in(
                connection,
                outpatient(person, priority=priority),
                HEAD,
                desk,
                DESK,
                Arrival(identity=Shown("two-identifiers")),
            )[1][0]
            for priority in ("stat", "routine")
        )
        connection.execute(
            update(exam_rows).values(state=State.VERIFIED, due_at=clock.now() - timedelta(minutes=1))
        )
    assert overdue.look(engine) == 1 and overdue.look(engine) == 0
    reader = hospital.acting("RES")
    with writing(engine) as connection:
        [task] = tasks.open_tasks(connection, kinds=[overdue.KIND])
        assert (task.exam, task.body["number"]) == (late.id, late.number) and late.id != routine.id
        assert tasks.urgent_for(connection, reader.who) == 1
        assert tasks.urgent_for(connection, hospital.acting("TEC").who) == 0
        # somebody has taken it over: it is not told of again
        tasks.close(connection, task.id, reader, "being written")
    assert overdue.look(engine) == 0
    with writing(engine) as connection:
        # due anew after it was sent back and verified again, and late again
        connection.execute(update(exam_rows).values(due_at=clock.now()))
    assert overdue.look(engine) == 1
    with writing(engine) as connection:
        exams.advance(connection, late.id, "T16", reader)
    assert overdue.look(engine) == 0, "somebody writes, and it is late all the same"
    with writing(engine) as connection:
        connection.execute(update(exam_rows).values(state=State.FINAL))
    assert overdue.look(engine) == 1
    with reading(engine) as connection:
        assert not tasks.open_tasks(connection, kinds=[overdue.KIND])
