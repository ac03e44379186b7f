"""An exam begins by what a device does, whatever was or was not done before: what was left out becomes a task."""

from datetime import datetime

from sqlalchemy import Connection

from filmless.access.acting import Acting
from filmless.department import exams, tasks
from filmless.department.exams import Exam, dangers, guards
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
        _dangers(connection, exam)
    elif exam.state is State.SCHEDULED:
        exam = exams.advance(connection, exam.id, "T10", acting, source=source, detail={"by": cause}, at=at)
        tasks.raise_task(connection, "register-missed", f"register-missed:{exam.id}", exam=exam.id)
        _dangers(connection, exam)
    return exam


def _dangers(connection: Connection, exam: Exam) -> None:
    """A task where something speaks against an exam that a device has begun."""
    if guards.class_words(connection, exam.exam_class).get("green"):
        return
    stopping = dangers.stopping(exam, dangers.asked(connection, exam))
    if stopping:
        body = {"dangers": stopping, "number": exam.number}
        tasks.raise_task(connection, "safety", f"safety:{exam.id}", exam=exam.id, body=body)
