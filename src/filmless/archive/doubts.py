"""Doubts about identity that a steward settles without changing anything: looked into, and all is as it should be.

Images of two patients stay apart, whoever says what; what is wrong is corrected (archive/corrections), and such a
correction settles the doubt by itself. No file tells of such a decision: it is in the ledger, so that a rebuild does
not ask again.
"""

from collections.abc import Callable, Mapping
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
from filmless.patients.service import Flag

#: in the ledger
WHAT = "settle-doubt"

Seen = Callable[[FromClause], ColumnElement[bool]]


def settle(
    engine: Engine, root: Path, number: int, *, by: str, reason: str, seen: Seen | None = None
) -> Flag:
    """Decide that a doubt was looked into and nothing is wrong. Returns what it was.

    `seen`: as for patients.service.open_flags. Raises Refused where there is none of that number, Conflict where it
    was settled in the meantime.
    """
    if not reason.strip():
        raise Refused("A reason is needed: it is kept with the decision.", code="no-reason")
    now = clock.now()
    with writing(engine) as connection:
        found = service.flag_of(connection, number, seen=seen)
        if found is None:
            raise Refused("There is no doubt of that number.", code="not-found")
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
        connection, line["kind"], line["study_uid"], tuple(line["patient"]), tuple(line["other"])
    ):
        service.settle_flag(connection, number, by=line["by"], reason=line["reason"], at=at)


def _named(found: Flag) -> dict[str, Any]:
    """By what a rebuild knows it again: numbers of rows are others then."""
    one, other = found.patient, found.other
    return {
        "kind": found.kind,
        "study_uid": found.study_uid,
        "patient": [one.patient_id, one.issuer, one.name, one.birth_date],
        "other": [other.patient_id, other.issuer, other.name, other.birth_date],
    }
