"""To whom studies belong and who cares for patients: written here by the rooms above, and by stewards.

A study is named by its Study Instance UID, a patient by ID and issuer, whether or not there are images yet.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from filmless.access.account_tables import accounts
from filmless.access.accounts import get
from filmless.access.acting import Acting
from filmless.access.tables import patient_care, study_access
from filmless.db import events
from filmless.kit import clock
from filmless.kit.errors import Refused


@dataclass(frozen=True, slots=True)
class Belonging:
    """To whom a study belongs. `requested_by`: name of an account, "" for nobody."""

    study_uid: str
    site: str = ""
    department: str = ""
    ward: str = ""
    requested_by: str = ""
    sensitive: bool = False
    changed_at: datetime | None = None
    changed_by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Care:
    """That an account (its name), or everybody of a ward, cares for a patient."""

    id: int
    patient_id: str
    issuer: str
    account: str
    ward: str
    until: datetime | None


def belonging_of(connection: Connection, study_uid: str) -> Belonging:
    """To whom a study belongs; to nobody where nothing was written."""
    row = connection.execute(
        select(study_access, accounts.c.name)
        .outerjoin(accounts, accounts.c.id == study_access.c.requested_by)
        .where(study_access.c.study_uid == study_uid)
    ).first()
    if row is None:
        return Belonging(study_uid)
    return Belonging(
        row.study_uid,
        row.site,
        row.department,
        row.ward,
        row.name or "",
        row.sensitive,
        row.changed_at,
        row.changed_by,
        row.reason,
    )


def assign(
    connection: Connection,
    study_uid: str,
    acting: Acting,
    *,
    site: str | None = None,
    department: str | None = None,
    ward: str | None = None,
    requested_by: str | None = None,
    sensitive: bool | None = None,
) -> Belonging:
    """Write to whom a study belongs; None leaves what is. In the caller's transaction, at once in force everywhere.

    Raises Refused: "no-reason" without one, "bad-value", "not-found" for an account that is none.
    """
    if not acting.reason.strip():
        raise Refused("Say why: it is kept with the change.", code="no-reason")
    given: dict[str, Any] = {"site": site, "department": department, "ward": ward, "sensitive": sensitive}
    given = {name: value for name, value in given.items() if value is not None}
    check_uid(study_uid)
    _check(given)
    if requested_by is not None:
        given["requested_by"] = get(connection, requested_by).id if requested_by else None
    before = belonging_of(connection, study_uid)
    given |= {"changed_at": clock.now(), "changed_by": acting.who.name[:80], "reason": acting.reason[:400]}
    if before.changed_at is None:
        connection.execute(insert(study_access).values(study_uid=study_uid, **given))
    else:
        connection.execute(update(study_access).where(study_access.c.study_uid == study_uid).values(**given))
    after = belonging_of(connection, study_uid)
    changes = {
        name: [getattr(before, name), getattr(after, name)]
        for name in ("site", "department", "ward", "requested_by", "sensitive")
        if getattr(before, name) != getattr(after, name)
    }
    if changes:
        body = {"study_uid": study_uid, "changes": sorted(changes), "by": acting.who.name}
        events.record(connection, [("study-access-changed", body)])
        acting.note(connection, "study assigned", studies=(study_uid,), changes=changes)
    return after


def first_belonging(connection: Connection, study_uid: str, *, site: str, department: str, by: str) -> bool:
    """What a new study's first sender says of it; False where something is written already."""
    if connection.scalar(select(study_access.c.study_uid).where(study_access.c.study_uid == study_uid)):
        return False
    values = {"site": site, "department": department}
    _check(values)
    connection.execute(
        insert(study_access).values(
            study_uid=study_uid, changed_at=clock.now(), changed_by=by[:80], reason="first sender", **values
        )
    )
    return True


def care(
    connection: Connection,
    patient_id: str,
    acting: Acting,
    *,
    issuer: str = "",
    account: str = "",
    ward: str = "",
    until: datetime | None = None,
) -> None:
    """An account, or everybody of a ward, cares for a patient (until then). Again: `until` is written anew.

    Raises Refused: "bad-value", "not-found" for an account that is none.
    """
    if not patient_id or bool(account) == bool(ward):
        raise Refused("A patient's ID is needed, and either an account or a ward.", code="bad-value")
    if until is not None and until <= clock.now():
        raise Refused("The care would have ended already.", code="bad-value")
    _check({"ward": ward, "patient ID": patient_id, "issuer": issuer})
    account_id = get(connection, account).id if account else 0
    values = {"until": until, "changed_at": clock.now(), "changed_by": acting.who.name[:80]}
    same = (
        patient_care.c.patient_id == patient_id,
        patient_care.c.issuer == issuer,
        patient_care.c.account_id == account_id,
        patient_care.c.ward == ward,
    )
    if not connection.execute(update(patient_care).where(*same).values(**values)).rowcount:
        connection.execute(
            insert(patient_care).values(
                patient_id=patient_id, issuer=issuer, account_id=account_id, ward=ward, **values
            )
        )
    acting.note(
        connection,
        "care relation",
        patients=(patient_id,),
        account=account,
        ward=ward,
        until=until.isoformat() if until else None,
    )


def end_care(connection: Connection, care_id: int, acting: Acting) -> None:
    """End a care relation. Raises Refused (code "not-found")."""
    row = connection.execute(select(patient_care).where(patient_care.c.id == care_id)).first()
    if row is None:
        raise Refused(f"There is no care relation {care_id}.", code="not-found")
    connection.execute(delete(patient_care).where(patient_care.c.id == care_id))
    acting.note(connection, "care relation ended", patients=(row.patient_id,), ward=row.ward)


def cares(connection: Connection, patient_id: str, *, issuer: str = "") -> list[Care]:
    """Who cares for a patient, those whose time is over among them."""
    rows = connection.execute(
        select(patient_care, accounts.c.name)
        .outerjoin(accounts, accounts.c.id == patient_care.c.account_id)
        .where(patient_care.c.patient_id == patient_id, patient_care.c.issuer == issuer)
        .order_by(patient_care.c.id)
    )
    return [Care(row.id, row.patient_id, row.issuer, row.name or "", row.ward, row.until) for row in rows]


def sensitive_studies(connection: Connection, *, limit: int = 1000) -> list[Belonging]:
    """Studies that are marked as sensitive, the last marked first."""
    rows = connection.scalars(
        select(study_access.c.study_uid)
        .where(study_access.c.sensitive)
        .order_by(study_access.c.changed_at.desc())
        .limit(limit)
    ).all()
    return [belonging_of(connection, uid) for uid in rows]


def check_uid(study_uid: str) -> str:
    """The UID. Raises Refused (code "bad-value") where it cannot be one (PS3.5 9.1)."""
    if not 0 < len(study_uid) <= 64 or not set(study_uid) <= set("0123456789."):
        raise Refused("That is not a Study Instance UID.", code="bad-value")
    return study_uid


def _check(values: dict[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, str) and (len(value) > 64 or not value.isprintable()):
            raise Refused(f"A {name} is printable text of at most 64 characters.", code="bad-value")
