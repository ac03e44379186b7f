"""Doubts about identity that a steward settles without changing anything: looked into, and all is as it should be.

Images of two patients stay apart, whoever says what; what is wrong is corrected (archive/corrections), and such a
correction settles the doubt by itself. No file tells of such a decision: it is in the ledger, so that a rebuild does
not ask again.
"""

from collections.abc import Callable, Mapping
from dataclasses import astuple
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, FromClause

from filmless.archive import ledger
from filmless.db import events
from filmless.db.work import writing
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused
from filmless.patients import service
from filmless.patients.service import Flag, Flagged

#: in the ledger
WHAT = "settle-doubt"

Seen = Callable[[FromClause], ColumnElement[bool]]


def settle(
    engine: Engine,
    root: Path,
    number: int,
    *,
    by: str,
    reason: str,
    raised_at: datetime | None = None,
    seen: Seen | None = None,
) -> Flag:
    """Decide that a doubt was looked into and nothing is wrong. Returns what it was.

    `raised_at`: of the doubt that was looked at; a rebuild gives numbers anew. `seen`: as for
    patients.service.open_flags. Raises Refused where there is none of that number, Conflict where it is another one
    or was settled in the meantime.
    """
    if not reason.strip():
        raise Refused("A reason is needed: it is kept with the decision.", code="no-reason")
    now = clock.now()
    with writing(engine) as connection:
        found = service.flag_of(connection, number, seen=seen)
        if found is None:
            raise Refused("There is no doubt of that number.", code="not-found")
        if raised_at is not None and found.raised_at != raised_at:
            raise Conflict("The list is older than the index. Look at it again.", code="stale")
        if not service.settle_flag(connection, number, by=by, reason=reason, at=now):
            raise Conflict("Somebody else has just settled it.", code="decided")
        events.record(connection, [("doubt-settled", {"id": number, "kind": found.kind, "by": by})])
        line = {"at": now.isoformat(), "what": WHAT, **_named(found), "by": by, "reason": reason}
        # on disk before the index commits it
        ledger.write(root, [line])
    return found


def settled_again(connection: Connection, line: Mapping[str, Any], at: datetime) -> None:
    """What the ledger tells, in an index that was made anew: where the same two patients are doubted again."""
    for number in service.flags_between(
        connection, line["kind"], line["study_uid"], (Flagged(*line["patient"]), Flagged(*line["other"])), at
    ):
        service.settle_flag(connection, number, by=line["by"], reason=line["reason"], at=at)


def _named(found: Flag) -> dict[str, Any]:
    """By what a rebuild knows it again: numbers of rows are others then."""
    return {
        "kind": found.kind,
        "study_uid": found.study_uid,
        "patient": list(astuple(found.patient)),
        "other": list(astuple(found.other)),
    }


def patients_of(found: Flag) -> tuple[str, ...]:
    """Whom it is about, as the audit trail names patients: "ID" or "ID^^^ISSUER"."""
    sides = [side for side in (found.patient, found.other) if side.patient_id]
    named = [f"{side.patient_id}^^^{side.issuer}" if side.issuer else side.patient_id for side in sides]
    return tuple(dict.fromkeys(named))
