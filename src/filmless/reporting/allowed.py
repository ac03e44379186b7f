"""What somebody may do with a report now: what its page offers. The commands ask again."""

from sqlalchemy import Connection

from filmless.access.model import Action, Principal, may
from filmless.kit import clock
from filmless.reporting import deciding, writing
from filmless.reporting.model import ADDENDUM, RELEASED, Report, Status


def allowed(connection: Connection, report: Report, who: Principal) -> list[str]:
    """Names of actions, as the routes have them: "edit", "claim", "release", "submit", "withdraw", "review",
    "return", "sign", "addendum", "amend", "retract", "discard", "print"."""
    name, now = who.name, clock.now()
    writes, reviews, directs = (
        may(who, one) for one in (Action.REPORT, Action.REVIEW, Action.DIRECT_REPORTS)
    )
    found: set[str] = set()
    if report.released and may(who, Action.HAND_OUT):
        found.add("print")
    if not (writes or reviews):
        return sorted(found)
    free = not report.locked(now, against=name)
    mine = writing.editor(report) == name
    if report.status is Status.DRAFT:
        if report.author == "" or (not mine and directs):
            found.add("claim")
        if mine and free:
            found |= {"edit", "submit"}
        if report.author and (mine or directs):
            found.add("release")
        if mine and deciding.may_sign_alone(connection, report, who):
            found.add("sign")
    elif report.status is Status.PRELIMINARY:
        if report.author == name or reviews:
            found.add("withdraw")
        if reviews and (report.author != name or deciding.may_sign_alone(connection, report, who)):
            found.add("review")
    elif report.status is Status.IN_REVIEW:
        if report.reviewer == name:
            found |= {"return", "sign", "withdraw"} | ({"edit"} if free else set())
        elif directs:
            found |= {"review", "withdraw"}
    elif report.status in RELEASED and reviews:
        found |= _of_final(report, name, mine=mine, free=free, directs=directs)
    return sorted(found)


def _of_final(report: Report, name: str, *, mine: bool, free: bool, directs: bool) -> set[str]:
    own = report.pending_by == name
    found: set[str] = {"discard"} if report.pending and (own or directs) else set()
    match report.pending:
        case "":
            found |= {"addendum", "retract"}
            if directs or name in (report.author, report.reviewer):
                found.add("amend")
        case "addendum" if mine and free:
            found |= {"edit", "sign"}
        case "correction" if mine and free:
            found |= {"edit", "submit"}
        case "correction-asked":
            found |= {"withdraw"} if own else {"sign", "return"}
        case "retraction-asked" if not own:
            found.add("retract")
        case _:
            pass
    return found


__all__ = ["ADDENDUM", "allowed"]
