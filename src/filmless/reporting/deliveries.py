"""What left of a report on paper or as a file: numbered copies, and those that are to come back."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from filmless.access.acting import Acting
from filmless.access.audit.model import Kind
from filmless.access.model import Action, Principal
from filmless.department import exams as department
from filmless.department.tables import exams
from filmless.department.visibility import seen
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused
from filmless.reporting import find
from filmless.reporting.tables import deliveries, report_exams


@dataclass(frozen=True, slots=True)
class Delivery:
    """The columns of reporting.tables.deliveries."""

    id: int
    report: int
    revision: int
    kind: str
    copy: int
    status: str
    at: datetime
    by: str


def hand_out(connection: Connection, report_id: int, acting: Acting, kind: str) -> Delivery:
    """Number a copy of what counts of a report now. In the caller's write transaction.

    Raises Refused (code "not-released").
    """
    report = find.get(connection, report_id, to_write=True)
    if not report.released:
        raise Refused("Nothing of this report is released.", code="not-released")
    last = connection.scalar(select(func.max(deliveries.c.copy)).where(deliveries.c.report == report_id))
    row = connection.execute(
        insert(deliveries)
        .values(
            report=report_id,
            revision=report.released,
            kind=kind,
            copy=(last or 0) + 1,
            status="out",
            at=clock.now(),
            by=acting.who.name[:80],
        )
        .returning(deliveries)
    ).one()
    made = Delivery(**row._mapping)
    for exam in find.exams_of(connection, report_id):
        department.note(
            connection, exam.id, "report printed", acting, detail={"report": report_id, "copy": made.copy}
        )
        acting.note(
            connection,
            "report",
            kind=Kind.PRINT if kind == "print" else Kind.EXPORT,
            studies=(exam.study_uid,),
            report=report_id,
            revision=made.revision,
            copy=made.copy,
        )
    return made


def get(connection: Connection, delivery_id: int) -> Delivery:
    """Raises Refused (code "not-found")."""
    row = connection.execute(select(deliveries).where(deliveries.c.id == delivery_id)).one_or_none()
    if row is None:
        raise Refused("There is no such copy.", code="not-found")
    return Delivery(**row._mapping)


def of_report(connection: Connection, report_id: int) -> list[Delivery]:
    """All copies of a report, the first one first."""
    query = select(deliveries).where(deliveries.c.report == report_id).order_by(deliveries.c.copy).limit(1000)
    return [Delivery(**row._mapping) for row in connection.execute(query)]


def recalled(connection: Connection, who: Principal, *, limit: int = 500) -> list[Delivery]:
    """The copies that are to come back, the newest first."""
    query = (
        select(deliveries)
        .distinct()
        .join(report_exams, report_exams.c.report == deliveries.c.report)
        .join(exams, exams.c.id == report_exams.c.exam)
        .where(deliveries.c.status == "recalled", seen(who, Action.HAND_OUT))
        .order_by(deliveries.c.id.desc())
        .limit(limit)
    )
    return [Delivery(**row._mapping) for row in connection.execute(query)]


def returned(connection: Connection, delivery_id: int, acting: Acting) -> Delivery:
    """A copy that was asked back has come. Raises Conflict (code "wrong-state")."""
    found = get(connection, delivery_id)
    if found.status != "recalled":
        raise Conflict("This copy was not asked back.", code="wrong-state")
    connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(status="returned"))
    for exam in find.exams_of(connection, found.report):
        department.note(
            connection, exam.id, "copy came back", acting, detail={"report": found.report, "copy": found.copy}
        )
    return get(connection, delivery_id)
