"""An exam begins by what a device does, whatever was or was not done before: what was left out becomes a task."""

from datetime import datetime

from sqlalchemy import Connection

from filmless.access.acting import Acting
from filmless.department import exams, safety, tasks
from filmless.department.exams import Exam, guards
from filmless.department.states import State


def begun(
    connection: Connection, exam: Exam, acting: Acting, source: str, cause: str, at: datetime | None = None
) -> Exam:
    """An exam has begun, by what a device did: T09, T10; tasks for what was not done before. Else as it is."""
    if exam.state is State.ARRIVED:
        exam = exams.advance(connection, exam.id, "T09", acting, source=source, detail={"by": cause}, at=at)
        policy = guards.class_words(connection, exam.exam_class).get("identity_exam")
        if policy in guards.BLOCKING and not guards.identity_checked(connection, exam.id, "exam"):
            tasks.raise_task(connection, "identity-unchecked", f"identity-unchecked:{exam.id}", exam=exam.id)
        safety.raise_task(connection, exam)
    elif exam.state is State.SCHEDULED:
        exam = exams.advance(connection, exam.id, "T10", acting, source=source, detail={"by": cause}, at=at)
        tasks.raise_task(connection, "register-missed", f"register-missed:{exam.id}", exam=exam.id)
        safety.raise_task(connection, exam)
    return exam
