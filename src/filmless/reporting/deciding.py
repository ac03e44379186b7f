"""What is decided about a report once it is written: submitted, reviewed, returned, signed, appended to, amended,
retracted. In the caller's write transaction; every decision takes all exams of the report the same way.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from filmless.access import accounts, grants
from filmless.access.acting import Acting
from filmless.access.model import Action, Principal, may
from filmless.db import events
from filmless.department import exams as department
from filmless.department.exams import Exam
from filmless.department.states import State
from filmless.department.tables import staff, words
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused
from filmless.reporting import checks, documents, find, writing
from filmless.reporting.model import ADDENDUM, LOCK, RELEASED, Locked, Report, Stale, Status, has_text
from filmless.reporting.signing import Keys, sign_revision
from filmless.reporting.tables import deliveries
from filmless.reporting.writing import change, current, revise


def _taken(connection: Connection, report_id: int, acting: Acting, seen: int) -> Report:
    """The report, to be decided about as the caller saw it."""
    report = find.get(connection, report_id, to_write=True)
    if report.changes != seen:
        raise Stale(report)
    if report.locked(clock.now(), against=acting.who.name):
        raise Locked(report)
    return report


def _advance(connection: Connection, report: Report, name: str, acting: Acting, **more: Any) -> list[Exam]:
    """All exams of a report the same way."""
    detail = {"report": report.id}
    return [
        department.advance(connection, one.id, name, acting, detail=detail, **more)
        for one in find.exams_of(connection, report.id)
    ]


_FREE: Mapping[str, Any] = {"locked_by": "", "locked_until": None}


def submit(
    connection: Connection, report_id: int, acting: Acting, content: Mapping[str, Any] | None, *, seen: int
) -> Report:
    """Hand it to the reviewer: T18. An amendment is handed to the second person, and its exams stay as they are.

    Raises Refused (code "incomplete") where a section that the template asks for is empty; Conflict "not-yours",
    Stale, Locked.
    """
    report = _taken(connection, report_id, acting, seen)
    if (
        writing.editor(report) != acting.who.name
        or report.pending == ADDENDUM
        or report.status is Status.IN_REVIEW
    ):
        raise Conflict("There is nothing of yours to be submitted.", code="not-yours")
    text = dict(content) if content is not None else current(connection, report)
    checks.require_complete(connection, report, text)
    if report.pending == "correction":
        return revise(connection, report, acting, "submitted", text, pending="correction-asked", **_FREE)
    report = revise(
        connection,
        report,
        acting,
        "submitted",
        text,
        status=Status.PRELIMINARY.value,
        returned=False,
        reviewer="",
        **_FREE,
    )
    _advance(connection, report, "T18", acting)
    return report


def withdraw(connection: Connection, report_id: int, acting: Acting, *, seen: int) -> Report:
    """Take back what was submitted: T23; by its author before the review has begun, by a reviewer also then."""
    report = _taken(connection, report_id, acting, seen)
    who = acting.who.name
    if report.pending == "correction-asked" and report.pending_by == who:
        return change(connection, report, acting, pending="correction", **_FREE)
    if report.author != who and not may(acting.who, Action.REVIEW):
        raise Conflict("Only its author withdraws a report.", code="not-yours")
    if (
        report.status is Status.IN_REVIEW
        and report.reviewer != who
        and not may(acting.who, Action.DIRECT_REPORTS)
    ):
        raise Conflict(f"{report.reviewer} is reviewing it.", code="in-review")
    _advance(connection, report, "T23", acting)
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
    _advance(connection, report, "T19", acting)
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
    report = _taken(connection, report_id, acting, seen)
    if report.pending == "correction-asked":
        if report.pending_by == acting.who.name:
            raise Conflict("Withdraw it instead.", code="two-persons")
        text = current(connection, report)
        return revise(
            connection, report, acting, "returned", text, reason=reason, pending="correction", **_FREE
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
        **_FREE,
    )
    _advance(connection, report, "T20", acting, reason=reason)
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


def sign(
    connection: Connection,
    report_id: int,
    acting: Acting,
    keys: Keys,
    content: Mapping[str, Any] | None,
    *,
    seen: int,
) -> Report:
    """Make it final: T21 after a review, T22 alone, T24 an addendum, T25 an amendment that somebody else wrote.

    Whoever signs has given the password again; the caller has asked. Raises Conflict "two-persons", "not-yours".
    """
    report = _taken(connection, report_id, acting, seen)
    text = dict(content) if content is not None else current(connection, report)
    who = acting.who.name
    if report.pending == ADDENDUM:
        return _sign_addendum(connection, report, acting, keys, text)
    if report.pending == "correction-asked":
        # what the first person has handed over, and nothing else
        return _sign_correction(connection, report, acting, keys, current(connection, report))
    if report.pending:
        raise Conflict("There is nothing to be signed.", code="not-yours")
    alone = report.status is Status.DRAFT
    if alone and (report.author != who or not may_sign_alone(connection, report, acting.who)):
        raise Conflict("This report takes two persons: submit it for review.", code="two-persons")
    if not alone and (report.status is not Status.IN_REVIEW or report.reviewer != who):
        raise Conflict("You are not reviewing this report.", code="not-yours")
    if report.author == who and not may_sign_alone(connection, report, acting.who):
        raise Conflict("Whoever wrote a report does not sign it alone.", code="two-persons")
    checks.require_complete(connection, report, text)
    # a report that was retracted is signed again: it corrects what was out already
    report = revise(
        connection,
        report,
        acting,
        "final",
        text,
        reviewer=who,
        status=Status.FINAL.value,
        returned=False,
        released=report.revision + 1,
        **_FREE,
    )
    sign_revision(connection, report, acting.who, keys, "reviewer" if not alone else "author")
    _advance(connection, report, "T22" if alone else "T21", acting)
    _told(connection, report, "final")
    return report


def _sign_addendum(
    connection: Connection, report: Report, acting: Acting, keys: Keys, text: Mapping[str, Any]
) -> Report:
    if report.pending_by != acting.who.name:
        raise Conflict(f"{report.pending_by} is writing this addendum.", code="not-yours")
    if not has_text(text):
        raise Refused("There is nothing to be signed.", code="nothing")
    report = revise(connection, report, acting, ADDENDUM, text, **_DONE, released=report.revision + 1)
    sign_revision(connection, report, acting.who, keys, "author")
    _advance(connection, report, "T24", acting)
    _told(connection, report, ADDENDUM)
    return report


def _sign_correction(
    connection: Connection, report: Report, acting: Acting, keys: Keys, text: Mapping[str, Any]
) -> Report:
    if report.pending_by == acting.who.name:
        raise Conflict("Somebody else has to sign what you have amended.", code="two-persons")
    checks.require_complete(connection, report, text)
    reason, first = report.pending_reason, principal_of(connection, report.pending_by)
    copies_before = report.released
    report = revise(
        connection,
        report,
        acting,
        "correction",
        text,
        reason=reason,
        **_DONE,
        released=report.revision + 1,
    )
    sign_revision(connection, report, acting.who, keys, "second")
    _advance(connection, report, "T25", acting, reason=reason, second=first)
    recall(connection, report, up_to=copies_before)
    _told(connection, report, "correction")
    return report


_DONE: Mapping[str, Any] = {
    "status": Status.CORRECTED.value,
    "pending": "",
    "pending_by": "",
    "pending_reason": "",
    **_FREE,
}


def principal_of(connection: Connection, name: str) -> Principal:
    """The principal of an account, with what it may now."""
    return grants.principal_of(connection, accounts.get(connection, name))


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


def _mine(acting: Acting) -> Mapping[str, Any]:
    return {
        "pending_by": acting.who.name,
        "locked_by": acting.who.name,
        "locked_until": clock.now() + LOCK,
    }


def _final(connection: Connection, report_id: int, acting: Acting, seen: int) -> Report:
    report = _taken(connection, report_id, acting, seen)
    if report.status not in RELEASED:
        raise Conflict("The report is not final.", code="not-final")
    if report.pending:
        raise Conflict(f"{report.pending_by} is changing it already.", code="pending")
    return report


def discard(connection: Connection, report_id: int, acting: Acting, *, seen: int) -> Report:
    """Give up an addendum, an amendment or a retraction that was begun; the final report stays as it is."""
    report = _taken(connection, report_id, acting, seen)
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
        **_FREE,
    )


def retract(connection: Connection, report_id: int, acting: Acting, reason: str, *, seen: int) -> Report:
    """Take a final report out of use: T26. The first person asks and says why, a second one agrees; one of them
    directs reports. It waits for a review then, and its copies are to come back."""
    report = _taken(connection, report_id, acting, seen)
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
            **_FREE,
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
        **_FREE,
    )
    # whichever of the two is the head acts, the other one agrees
    head = Acting(second, acting.trail, acting.host, acting.reason)
    _advance(connection, report, "T26", head, reason=reason, second=first)
    recall(connection, report, up_to=copies_before)
    _told(connection, report, "retraction")
    return report


def recall(connection: Connection, report: Report, *, up_to: int) -> int:
    """Ask back every copy of the revisions up to a number; returns how many are out."""
    out = (deliveries.c.report == report.id, deliveries.c.revision <= up_to, deliveries.c.status == "out")
    return connection.execute(update(deliveries).where(*out).values(status="recalled")).rowcount


def close(connection: Connection, exam_id: int, acting: Acting, reason: str) -> Exam:
    """Close an exam without a report: T27."""
    return department.advance(connection, exam_id, "T27", acting, reason=reason)


def reopen(connection: Connection, exam_id: int, acting: Acting) -> Exam:
    """A report is wanted after all: T35."""
    return department.advance(connection, exam_id, "T35", acting)


def _told(connection: Connection, report: Report, kind: str) -> None:
    """What is made of it (documents) is written down, and others hear of it from the event log."""
    if kind == "retraction":
        documents.withdraw(connection, report)
    else:
        documents.want(connection, report)
    body = {"report": report.id, "revision": report.revision, "kind": kind}
    events.record(connection, [("report-released", body)])


def withdrawn(connection: Connection, exam_id: int) -> None:
    """Of an exam that became void: its report counts no more, and its copies are to come back."""
    found = find.of_exam(connection, exam_id)
    if found is None:
        return
    alive = [
        one
        for one in find.exams_of(connection, found.id)
        if one.state is not State.VOID and one.id != exam_id
    ]
    if alive or not found.released:
        return
    recall(connection, found, up_to=found.revision)
