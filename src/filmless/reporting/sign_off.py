"""Signing: whoever signs has given the password again; the caller has asked. In the caller's write transaction."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from filmless.access.acting import Acting
from filmless.kit.errors import Conflict, Refused
from filmless.reporting import checks
from filmless.reporting.deciding import may_sign_alone
from filmless.reporting.handling import FREE, advance_all, principal_of, recall, taken, told
from filmless.reporting.model import ADDENDUM, Report, Status, has_text
from filmless.reporting.signing import Keys, sign_revision
from filmless.reporting.writing import current, revise


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
    report = taken(connection, report_id, acting, seen)
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
        **FREE,
    )
    sign_revision(connection, report, acting.who, keys, "reviewer" if not alone else "author")
    advance_all(connection, report, "T22" if alone else "T21", acting)
    told(connection, report, acting, "final")
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
    advance_all(connection, report, "T24", acting)
    told(connection, report, acting, ADDENDUM)
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
    advance_all(connection, report, "T25", acting, reason=reason, second=first)
    recall(connection, report, up_to=copies_before)
    told(connection, report, acting, "correction")
    return report


_DONE: Mapping[str, Any] = {
    "status": Status.CORRECTED.value,
    "pending": "",
    "pending_by": "",
    "pending_reason": "",
    **FREE,
}
