"""Breaking the glass: in an emergency somebody opens for himself what he may not see, for a time, under a reason.

Nobody is asked first, everybody is told after: it is in the audit trail, an event, and on the list that the privacy
officer reviews until each case has a finding.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update

from filmless.access.account_tables import accounts
from filmless.access.acting import Acting
from filmless.access.audit.model import Kind
from filmless.access.belonging import check_uid
from filmless.access.model import Action, permit
from filmless.access.settings import AccessSettings
from filmless.access.tables import break_glass
from filmless.db import events
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused

FINDINGS: Final = ("justified", "unjustified")
#: characters of a reason that says something
_SHORTEST_REASON: Final = 5


@dataclass(frozen=True, slots=True)
class Emergency:
    """One time that the glass was broken. `account`: its name. For a study, or for a patient with all studies."""

    id: int
    account: str
    study_uid: str
    patient_id: str
    issuer: str
    reason: str
    at: datetime
    until: datetime
    reviewed_at: datetime | None
    reviewed_by: str
    finding: str
    review_note: str


def open_in_emergency(
    connection: Connection,
    acting: Acting,
    settings: AccessSettings,
    *,
    study_uid: str = "",
    patient_id: str = "",
    issuer: str = "",
) -> Emergency:
    """Open a study, or all studies of a patient, to the acting account; in force with the caller's commit.

    Raises Refused: "not-permitted", "no-reason", "bad-value". The same again while it is open is the same case.
    """
    permit(acting.who, Action.BREAK_GLASS)
    if not acting.who.account:
        raise Refused("Only a person with an account can do this.", code="not-permitted")
    reason = acting.reason.strip()
    if len(reason) < _SHORTEST_REASON:
        raise Refused("Say what the emergency is: it will be reviewed.", code="no-reason")
    if bool(study_uid) == bool(patient_id):
        raise Refused("Name either a study or a patient.", code="bad-value")
    if study_uid:
        check_uid(study_uid)
    if max(len(patient_id), len(issuer)) > 64 or not (patient_id + issuer).isprintable():
        raise Refused("That is not a patient's ID.", code="bad-value")
    now = clock.now()
    of_what = {"study_uid": study_uid, "patient_id": patient_id, "issuer": issuer}
    open_already = _first(
        connection,
        break_glass.c.account_id == acting.who.account,
        break_glass.c.until > now,
        *(break_glass.c[name] == value for name, value in of_what.items()),
    )
    if open_already is not None:
        return open_already
    case: int = connection.scalars(
        insert(break_glass)
        .values(
            account_id=acting.who.account,
            reason=reason[:1000],
            at=now,
            until=now + timedelta(minutes=settings.break_glass_minutes),
            **of_what,
        )
        .returning(break_glass.c.id)
    ).one()
    events.record(connection, [("glass-broken", {"id": case, "by": acting.who.name, "study_uid": study_uid})])
    acting.note(
        connection,
        "began",
        kind=Kind.BREAK_GLASS,
        studies=(study_uid,) if study_uid else (),
        patients=(patient_id,) if patient_id else (),
        case=case,
        minutes=settings.break_glass_minutes,
    )
    return get_emergency(connection, case)


def end_emergency(connection: Connection, case: int, acting: Acting) -> Emergency:
    """Close what the acting account opened, before its time. Raises Refused (code "not-found")."""
    found = get_emergency(connection, case)
    if found.account != acting.who.name:
        raise Refused(f"There is no emergency {case} of yours.", code="not-found")
    now = clock.now()
    if found.until > now:
        connection.execute(update(break_glass).where(break_glass.c.id == case).values(until=now))
        acting.note(connection, "ended", kind=Kind.BREAK_GLASS, case=case)
    return get_emergency(connection, case)


def review(connection: Connection, case: int, acting: Acting, *, finding: str, note: str) -> Emergency:
    """The privacy officer's finding. Raises Refused ("not-found", "bad-value", "not-permitted" for one's own case)
    and Conflict ("reviewed")."""
    permit(acting.who, Action.REVIEW_BREAK_GLASS)
    found = get_emergency(connection, case)
    if finding not in FINDINGS:
        raise Refused(f"A finding is one of: {', '.join(FINDINGS)}.", code="bad-value")
    if not note.strip():
        raise Refused("Say what was found.", code="no-reason")
    if found.account == acting.who.name:
        raise Refused("Nobody reviews his own emergency.", code="not-permitted")
    if found.reviewed_at is not None:
        raise Conflict(f"{found.reviewed_by} has reviewed this already.", code="reviewed")
    connection.execute(
        update(break_glass)
        .where(break_glass.c.id == case)
        .values(
            reviewed_at=clock.now(),
            reviewed_by=acting.who.name[:80],
            finding=finding,
            review_note=note.strip()[:1000],
        )
    )
    events.record(connection, [("glass-reviewed", {"id": case, "by": acting.who.name, "finding": finding})])
    acting.note(
        connection,
        "reviewed",
        kind=Kind.BREAK_GLASS,
        reason=note,
        studies=(found.study_uid,) if found.study_uid else (),
        patients=(found.patient_id,) if found.patient_id else (),
        case=case,
        finding=finding,
        account=found.account,
    )
    return get_emergency(connection, case)


def get_emergency(connection: Connection, case: int) -> Emergency:
    """Raises Refused (code "not-found")."""
    found = _first(connection, break_glass.c.id == case)
    if found is None:
        raise Refused(f"There is no emergency {case}.", code="not-found")
    return found


def emergencies(
    connection: Connection, *, waiting: bool = False, account: str = "", before: int = 0, limit: int = 100
) -> list[Emergency]:
    """The newest first; those without a finding only (`waiting`), of one account, with lower ids than `before`."""
    query = _select().order_by(break_glass.c.id.desc()).limit(limit)
    if waiting:
        query = query.where(break_glass.c.reviewed_at.is_(None))
    if account:
        query = query.where(accounts.c.name == account)
    if before:
        query = query.where(break_glass.c.id < before)
    return [_emergency(row) for row in connection.execute(query)]


def waiting_for_review(connection: Connection) -> int:
    """How many have no finding yet."""
    query = select(func.count()).select_from(break_glass).where(break_glass.c.reviewed_at.is_(None))
    return connection.scalar(query) or 0


def _select() -> Any:
    return select(break_glass, accounts.c.name).join(accounts, accounts.c.id == break_glass.c.account_id)


def _first(connection: Connection, *conditions: Any) -> Emergency | None:
    row = connection.execute(_select().where(*conditions).limit(1)).first()
    return None if row is None else _emergency(row)


def _emergency(row: Row[Any]) -> Emergency:
    return Emergency(
        row.id,
        row.name,
        row.study_uid,
        row.patient_id,
        row.issuer,
        row.reason,
        row.at,
        row.until,
        row.reviewed_at,
        row.reviewed_by,
        row.finding,
        row.review_note,
    )
