"""What is decided about a report once it is written: submitted, withdrawn, reviewed, returned; and exams that are
closed without one. In the caller's write transaction; every decision takes all exams of the report the same way.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from filmless.access.acting import Acting
from filmless.access.model import Action, Principal, may
from filmless.department import exams as department
from filmless.department.exams import Exam
from filmless.department.tables import staff, words
from filmless.kit import clock
from filmless.kit.errors import Conflict
from filmless.reporting import checks, find, writing
from filmless.reporting.handling import FREE, advance_all, taken
from filmless.reporting.model import ADDENDUM, LOCK, Report, Stale, Status
from filmless.reporting.writing import change, current, revise


def submit(
    connection: Connection, report_id: int, acting: Acting, content: Mapping[str, Any] | None, *, seen: int
) -> Report:
    """Hand it to the reviewer: T18. An amendment is handed to the second person, and its exams stay as they are.

    Raises Refused (code "incomplete") where a section that the template asks for is empty; Conflict "not-yours",
    Stale, Locked.
    """
    report = taken(connection, report_id, acting, seen)
    if (
        writing.editor(report) != acting.who.name
        or report.pending == ADDENDUM
        or report.status is Status.IN_REVIEW
    ):
        raise Conflict("There is nothing of yours to be submitted.", code="not-yours")
    text = dict(content) if content is not None else current(connection, report)
    checks.require_complete(connection, report, text)
    if report.pending == "correction":
        return revise(connection, report, acting, "submitted", text, pending="correction-asked", **FREE)
    report = revise(
        connection,
        report,
        acting,
        "submitted",
        text,
        status=Status.PRELIMINARY.value,
        returned=False,
        reviewer="",
        **FREE,
    )
    advance_all(connection, report, "T18", acting)
    return report


def withdraw(connection: Connection, report_id: int, acting: Acting, *, seen: int) -> Report:
    """Take back what was submitted: T23; by its author before the review has begun, by a reviewer also then."""
    report = taken(connection, report_id, acting, seen)
    who = acting.who.name
    if report.pending == "correction-asked" and report.pending_by == who:
        return change(connection, report, acting, pending="correction", **FREE)
    if report.author != who and not may(acting.who, Action.REVIEW):
        raise Conflict("Only its author withdraws a report.", code="not-yours")
    if (
        report.status is Status.IN_REVIEW
        and report.reviewer != who
        and not may(acting.who, Action.DIRECT_REPORTS)
    ):
        raise Conflict(f"{report.reviewer} is reviewing it.", code="in-review")
    advance_all(connection, report, "T23", acting)
    return change(
        connection,
        report,
        acting,
        status=Status.DRAFT.value,
        reviewer="",
        author=report.author or who,
        locked_by=who,
        locked_until=clock.now() + LOCK,
    )


def review(
    connection: Connection, report_id: int, acting: Acting, *, seen: int, force: bool = False
) -> Report:
    """Begin the review: T19; or go on with one's own. The author does not review what he wrote himself, but where he
    may sign alone. `force`: take a review over from somebody else, by who directs reports."""
    report = find.get(connection, report_id, to_write=True)
    who = acting.who.name
    if report.changes != seen:
        raise Stale(report)
    if report.status is Status.IN_REVIEW:
        if report.reviewer == who:
            return writing.lock(connection, report, acting)
        if not force or not may(acting.who, Action.DIRECT_REPORTS):
            raise Conflict(f"{report.reviewer} is reviewing it.", code="in-review")
        return change(
            connection, report, acting, reviewer=who, locked_by=who, locked_until=clock.now() + LOCK
        )
    if report.author == who and not may_sign_alone(connection, report, acting.who):
        raise Conflict("Whoever wrote a report does not review it.", code="two-persons")
    advance_all(connection, report, "T19", acting)
    return change(
        connection,
        report,
        acting,
        status=Status.IN_REVIEW.value,
        reviewer=who,
        locked_by=who,
        locked_until=clock.now() + LOCK,
    )


def send_back(connection: Connection, report_id: int, acting: Acting, reason: str, *, seen: int) -> Report:
    """Return it to its author with a comment: T20. What the reviewer has changed goes with it."""
    report = taken(connection, report_id, acting, seen)
    if report.pending == "correction-asked":
        if report.pending_by == acting.who.name:
            raise Conflict("Withdraw it instead.", code="two-persons")
        text = current(connection, report)
        return revise(
            connection, report, acting, "returned", text, reason=reason, pending="correction", **FREE
        )
    if report.status is not Status.IN_REVIEW or report.reviewer != acting.who.name:
        raise Conflict("You are not reviewing this report.", code="not-yours")
    report = revise(
        connection,
        report,
        acting,
        "returned",
        current(connection, report),
        reason=reason,
        status=Status.DRAFT.value,
        returned=True,
        reviewer="",
        **FREE,
    )
    advance_all(connection, report, "T20", acting, reason=reason)
    return report


def may_sign_alone(connection: Connection, report: Report, who: Principal) -> bool:
    """Whether one person is enough: by the right of the person and by the procedures."""
    if not may(who, Action.REVIEW):
        return False
    alone = connection.scalar(select(staff.c.single_sign).where(staff.c.account == who.name))
    if not alone:
        return False
    for exam in find.exams_of(connection, report.id):
        more = connection.scalar(
            select(words.c.more).where(words.c.kind == "procedure", words.c.code == exam.procedure)
        )
        if (more or {}).get("double_sign", True):
            return False
    return True


def close(connection: Connection, exam_id: int, acting: Acting, reason: str) -> Exam:
    """Close an exam without a report: T27."""
    return department.advance(connection, exam_id, "T27", acting, reason=reason)


def reopen(connection: Connection, exam_id: int, acting: Acting) -> Exam:
    """A report is wanted after all: T35."""
    return department.advance(connection, exam_id, "T35", acting)
