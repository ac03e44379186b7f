"""What every decision about a report does: look whether it is as the caller saw it, take its exams along, tell others.
In the caller's write transaction.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, update

from filmless.access import accounts, grants
from filmless.access.acting import Acting
from filmless.access.model import Principal
from filmless.db import events
from filmless.department import exams as department
from filmless.department import tasks
from filmless.department.exams import Exam
from filmless.kit import clock
from filmless.reporting import checks, documents, find
from filmless.reporting.model import Locked, Report, Stale
from filmless.reporting.tables import deliveries

#: nobody edits it any more
FREE: Final[Mapping[str, Any]] = {"locked_by": "", "locked_until": None}


def taken(connection: Connection, report_id: int, acting: Acting, seen: int) -> Report:
    """The report, to be decided about as the caller saw it."""
    report = find.get(connection, report_id, to_write=True)
    if report.changes != seen:
        raise Stale(report)
    if report.locked(clock.now(), against=acting.who.name):
        raise Locked(report)
    return report


def advance_all(connection: Connection, report: Report, name: str, acting: Acting, **more: Any) -> list[Exam]:
    """All exams of a report the same way."""
    detail = {"report": report.id}
    return [
        department.advance(connection, one.id, name, acting, detail=detail, **more)
        for one in find.exams_of(connection, report.id)
    ]


def principal_of(connection: Connection, name: str) -> Principal:
    """The principal of an account, with what it may now."""
    return grants.principal_of(connection, accounts.get(connection, name))


def recall(connection: Connection, report: Report, *, up_to: int) -> int:
    """Ask back every copy of the revisions up to a number; returns how many are out."""
    out = (deliveries.c.report == report.id, deliveries.c.revision <= up_to, deliveries.c.status == "out")
    return connection.execute(update(deliveries).where(*out).values(status="recalled")).rowcount


def told(connection: Connection, report: Report, acting: Acting, kind: str) -> None:
    """What is made of it (documents) is written down, and others hear of it from the event log."""
    if kind == "retraction":
        documents.withdraw(connection, report)
    else:
        documents.want(connection, report)
        # whoever signs has seen the warning that images came or went since
        for exam in find.exams_of(connection, report.id):
            for cause in checks.IMAGES_CHANGED:
                tasks.close_cause(connection, f"{cause}:{exam.id}", acting.who, "signed with them in view")
    body = {"report": report.id, "revision": report.revision, "kind": kind}
    events.record(connection, [("report-released", body)])
