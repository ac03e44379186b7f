"""One report about several exams of one person: a trauma scan, both knees, a group case of the scanner."""

from sqlalchemy import Connection, delete, insert, select

from filmless.access.acting import Acting
from filmless.access.model import Action, Principal
from filmless.department import exams as department
from filmless.department.exams import Exam
from filmless.department.states import State
from filmless.department.tables import exams as exams_table
from filmless.department.visibility import seen
from filmless.kit.errors import Conflict
from filmless.reporting import find, writing
from filmless.reporting.model import Report, Status
from filmless.reporting.persons import family
from filmless.reporting.tables import report_exams, reports

#: exams of one report
MOST = 20


def candidates(connection: Connection, report: Report, who: Principal) -> list[Exam]:
    """The person's exams that wait to be read, which this report could be about as well."""
    group = find.exams_of(connection, report.id)
    query = (
        select(exams_table)
        .where(
            exams_table.c.person.in_(family(connection, group[0].person)),
            exams_table.c.state == State.VERIFIED.value,
            seen(who, Action.REPORT),
        )
        .order_by(exams_table.c.id)
        .limit(MOST)
    )
    return [Exam.of(row) for row in connection.execute(query)]


def join(
    connection: Connection, report_id: int, exam_id: int, acting: Acting, *, seen_changes: int
) -> Report:
    """Take another exam of the person into a report that is being written: T16. In the caller's write transaction.

    Raises Conflict "not-yours", "other-person", "has-report", "wrong-state", "too-many"; Stale, Locked.
    """
    report = writing.to_write(connection, report_id, acting, seen_changes)
    if report.status is not Status.DRAFT:
        raise Conflict("Exams are taken in while the report is written.", code="wrong-state")
    group = find.exams_of(connection, report_id)
    exam = department.get(connection, exam_id)
    if exam.person not in family(connection, group[0].person):
        raise Conflict("This is somebody else's exam.", code="other-person")
    if len(group) >= MOST:
        raise Conflict(f"A report is about at most {MOST} exams.", code="too-many")
    other = find.of_exam(connection, exam_id)
    if other is not None:
        if other.id == report_id:
            return report
        if other.revision or other.status is not Status.DRAFT:
            raise Conflict("This exam has a report of its own.", code="has-report")
        # one that was begun and given back without a word
        connection.execute(delete(report_exams).where(report_exams.c.exam == exam_id))
        if not find.exams_of(connection, other.id):
            connection.execute(delete(reports).where(reports.c.id == other.id))
    department.advance(connection, exam_id, "T16", acting, detail={"report": report_id})
    connection.execute(insert(report_exams).values(exam=exam_id, report=report_id))
    return writing.change(connection, report, acting)


def leave(
    connection: Connection, report_id: int, exam_id: int, acting: Acting, *, seen_changes: int
) -> Report:
    """Give an exam of a report back to be read by itself: T17. The last one stays. Raises as `join` does."""
    report = writing.to_write(connection, report_id, acting, seen_changes)
    group = find.exams_of(connection, report_id)
    if report.status is not Status.DRAFT or len(group) < 2 or exam_id not in {one.id for one in group}:
        raise Conflict("This exam cannot be taken out of the report.", code="wrong-state")
    connection.execute(delete(report_exams).where(report_exams.c.exam == exam_id))
    department.advance(connection, exam_id, "T17", acting, detail={"report": report_id})
    return writing.change(connection, report, acting)
