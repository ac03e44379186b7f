"""What may be done to a final report: an addendum, an amendment, a retraction. In the caller's write transaction.

Signing the first two is in sign_off.py.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from filmless.access.acting import Acting
from filmless.access.model import Action, may
from filmless.department import exams as department
from filmless.department.states import State
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused
from filmless.reporting import find
from filmless.reporting.handling import FREE, advance_all, principal_of, recall, taken, told
from filmless.reporting.model import ADDENDUM, LOCK, RELEASED, Report, Status
from filmless.reporting.writing import change, revise


def append(connection: Connection, report_id: int, acting: Acting, *, seen: int) -> Report:
    """Begin an addendum to a final report; the original stays as it is."""
    report = _final(connection, report_id, acting, seen)
    return change(connection, report, acting, pending=ADDENDUM, **_mine(acting))


def amend(connection: Connection, report_id: int, acting: Acting, reason: str, *, seen: int) -> Report:
    """Begin to correct a final report; its author, its reviewer or who directs reports do. A second person signs."""
    report = _final(connection, report_id, acting, seen)
    if acting.who.name not in (report.author, report.reviewer) and not may(acting.who, Action.DIRECT_REPORTS):
        raise Refused("Its author, its reviewer or the section head amend a report.", code="not-permitted")
    found = find.released(connection, report)
    assert found is not None
    scratch = {"base": found.base.number, "content": dict(found.base.content)}
    return change(
        connection,
        report,
        acting,
        pending="correction",
        pending_reason=reason[:400],
        scratch=scratch,
        scratch_at=clock.now(),
        **_mine(acting),
    )


def discard(connection: Connection, report_id: int, acting: Acting, *, seen: int) -> Report:
    """Give up an addendum, an amendment or a retraction that was begun; the final report stays as it is."""
    report = taken(connection, report_id, acting, seen)
    if not report.pending:
        raise Conflict("Nothing was begun.", code="not-yours")
    if report.pending_by != acting.who.name and not may(acting.who, Action.DIRECT_REPORTS):
        raise Conflict(f"{report.pending_by} has begun it.", code="not-yours")
    for exam in find.exams_of(connection, report_id):
        department.note(connection, exam.id, f"{report.pending.removesuffix('-asked')} given up", acting)
    return change(
        connection,
        report,
        acting,
        pending="",
        pending_by="",
        pending_reason="",
        scratch=None,
        scratch_at=None,
        **FREE,
    )


def retract(connection: Connection, report_id: int, acting: Acting, reason: str, *, seen: int) -> Report:
    """Take a final report out of use: T26. The first person asks and says why, a second one agrees; one of them
    directs reports. It waits for a review then, and its copies are to come back."""
    report = taken(connection, report_id, acting, seen)
    if report.status not in RELEASED:
        raise Conflict("The report is not final.", code="not-final")
    who = acting.who.name
    if report.pending != "retraction-asked":
        if report.pending:
            raise Conflict(f"{report.pending_by} is changing it already.", code="pending")
        if not reason.strip():
            raise Refused("Say why it is retracted.", code="reason-missing")
        return change(
            connection,
            report,
            acting,
            pending="retraction-asked",
            pending_by=who,
            pending_reason=reason[:400],
            **FREE,
        )
    if report.pending_by == who:
        raise Conflict("A second person has to agree.", code="two-persons")
    first, second = principal_of(connection, report.pending_by), acting.who
    if not may(second, Action.DIRECT_REPORTS):
        first, second = second, first
        if not may(second, Action.DIRECT_REPORTS):
            raise Refused("One of the two has to direct the department.", code="not-permitted")
    reason = report.pending_reason
    found = find.released(connection, report)
    assert found is not None
    copies_before = report.released
    report = revise(
        connection,
        report,
        acting,
        "retraction",
        dict(found.base.content),
        reason=reason,
        status=Status.PRELIMINARY.value,
        released=0,
        pending="",
        pending_by="",
        pending_reason="",
        **FREE,
    )
    # whichever of the two is the head acts, the other one agrees
    head = Acting(second, acting.trail, acting.host, acting.reason)
    advance_all(connection, report, "T26", head, reason=reason, second=first)
    recall(connection, report, up_to=copies_before)
    told(connection, report, acting, "retraction")
    return report


def withdraw_of_void(connection: Connection, exam_id: int, acting: Acting) -> None:
    """Of an exam that became void: its report counts no more, unless it is of others too, and its copies are to come
    back."""
    found = find.of_exam(connection, exam_id)
    if found is None or found.status is Status.WITHDRAWN:
        return
    if any(one.state is not State.VOID for one in find.exams_of(connection, found.id)):
        return
    report = find.get(connection, found.id, to_write=True)
    recall(connection, report, up_to=report.revision)
    change(
        connection,
        report,
        acting,
        status=Status.WITHDRAWN.value,
        released=0,
        returned=False,
        pending="",
        pending_by="",
        pending_reason="",
        **FREE,
    )
    told(connection, report, acting, "retraction")


def _mine(acting: Acting) -> Mapping[str, Any]:
    return {
        "pending_by": acting.who.name,
        "locked_by": acting.who.name,
        "locked_until": clock.now() + LOCK,
    }


def _final(connection: Connection, report_id: int, acting: Acting, seen: int) -> Report:
    report = taken(connection, report_id, acting, seen)
    if report.status not in RELEASED:
        raise Conflict("The report is not final.", code="not-final")
    if report.pending:
        raise Conflict(f"{report.pending_by} is changing it already.", code="pending")
    return report
