"""Emergencies whose report is late: a task for those who read, until there is one.

What is no emergency is only red in the reading lists (`exams.due_at`).
"""

from typing import Final

from sqlalchemy import Connection, Engine, exists, select

from filmless.access.model import SYSTEM
from filmless.db.work import reading, writing
from filmless.department import tasks
from filmless.department.states import State
from filmless.department.tables import exams
from filmless.department.tables import tasks as task_rows
from filmless.kit import clock

KIND: Final = "report-overdue"
_AWAITED: Final = (State.VERIFIED, State.REPORTING, State.PRELIMINARY, State.IN_REVIEW)
_MOST: Final = 200


def look(engine: Engine) -> int:
    """Raise a task for each that has become late, close those of what is reported or no longer awaited.

    Returns how many were.
    """
    with reading(engine) as connection:
        late, over = _late(connection), _over(connection)
    if late or over:
        with writing(engine) as connection:
            for exam, number, due in late:
                body = {"number": number, "due": due}
                tasks.raise_task(connection, KIND, f"{KIND}:{exam}", exam=exam, body=body)
            for cause in over:
                tasks.close_cause(connection, cause, SYSTEM, "no longer late")
    return len(late) + len(over)


def _late(connection: Connection) -> list[tuple[int, str, str]]:
    """(exam, number, until when) of those of which nobody was told since they were due."""
    told = exists().where(
        task_rows.c.exam == exams.c.id,
        task_rows.c.kind == KIND,
        task_rows.c.raised_at >= exams.c.due_at,
    )
    query = (
        select(exams.c.id, exams.c.number, exams.c.due_at)
        .where(exams.c.state.in_(_AWAITED), exams.c.stat, exams.c.due_at < clock.now(), ~told)
        .order_by(exams.c.due_at)
        .limit(_MOST)
    )
    return [(row.id, row.number, row.due_at.isoformat()) for row in connection.execute(query)]


def _over(connection: Connection) -> list[str]:
    """Causes of open tasks whose exam is reported, sent back, void, ... or due later than it was."""
    query = (
        select(task_rows.c.cause)
        .join(exams, exams.c.id == task_rows.c.exam)
        .where(
            task_rows.c.kind == KIND,
            task_rows.c.closed_at.is_(None),
            exams.c.state.not_in(_AWAITED) | ~exams.c.stat | (exams.c.due_at >= clock.now()),
        )
        .limit(_MOST)
    )
    return list(connection.scalars(query))
