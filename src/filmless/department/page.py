"""What the page of an exam shows besides the exam itself."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select

from filmless.access.model import Principal
from filmless.archive.tables import studies
from filmless.department.exams import Exam, may_go
from filmless.department.exams.tickets import ACTIVE
from filmless.department.states import ways
from filmless.department.tables import exams as exam_rows
from filmless.department.tables import identity_checks, tickets


def images_in(connection: Connection, study_uids: Sequence[str]) -> int:
    """Objects that are in these studies and not rejected."""
    query = select(func.sum(studies.c.instance_count)).where(studies.c.study_uid.in_(list(study_uids)))
    return int(connection.scalar(query) or 0)


def siblings(connection: Connection, exam: Exam) -> list[Exam]:
    """The other exams of the same order."""
    query = (
        select(exam_rows)
        .where(exam_rows.c.order_id == exam.order_id, exam_rows.c.id != exam.id)
        .order_by(exam_rows.c.id)
        .limit(50)
    )
    return [Exam.of(row) for row in connection.execute(query)]


def open_ways(connection: Connection, who: Principal, exam: Exam) -> list[str]:
    """Names of the transitions that `who` may make from the exam's state, as far as roles and scopes say."""
    return [name for name in ways(exam.state) if may_go(connection, name, who, exam)]


def ticket_of(connection: Connection, exam_id: int) -> str:
    """The ticket of an exam that waits, as it stands on the slip: station and number."""
    row = connection.execute(
        select(tickets.c.station, tickets.c.number)
        .where(tickets.c.exam == exam_id, tickets.c.status.in_(ACTIVE))
        .order_by(tickets.c.id.desc())
    ).first()
    return f"{row.station}-{row.number}" if row is not None else ""


def checks_of(connection: Connection, exam_id: int) -> Sequence[Row[Any]]:
    """When and how it was made sure who it is: rows of `identity_checks`, the first one first."""
    query = select(identity_checks).where(identity_checks.c.exam == exam_id).order_by(identity_checks.c.id)
    return connection.execute(query.limit(200)).all()
