"""Reading the trail: by user, patient, study, kind, outcome and time, page by page."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from filmless.access.audit import chain
from filmless.access.audit.model import Kind, Outcome, Record
from filmless.access.audit.tables import audit, audit_subjects

MOST = 1000
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for; all that is given holds. Texts are compared whole."""

    #: the name of an account, the AE title of a device
    who: str = ""
    #: Patient ID, with "^^^" and its issuer or without
    patient: str = ""
    #: Study Instance UID
    study: str = ""
    kinds: tuple[Kind, ...] = ()
    outcome: Outcome | None = None
    host: str = ""
    since: datetime | None = None
    #: not included
    until: datetime | None = None

    @property
    def words(self) -> str:
        """As it is told to the trail."""
        given = {
            "who": self.who,
            "patient": self.patient,
            "study": self.study,
            "kinds": ",".join(self.kinds),
            "outcome": self.outcome or "",
            "host": self.host,
            "since": self.since.isoformat() if self.since else "",
            "until": self.until.isoformat() if self.until else "",
        }
        return " ".join(f"{name}={value}" for name, value in given.items() if value)


def newest(connection: Connection, asked: Asked, *, before: int = 0, limit: int = 100) -> list[Record]:
    """Entries, the newest first, at most `limit` (and 1,000). `before`: go on behind the entry of this number."""
    query = select(*chain.SEALED).order_by(audit.c.seq.desc()).limit(min(limit, MOST))
    if before:
        query = query.where(audit.c.seq < before)
    return [record_of(row) for row in connection.execute(_restricted(query, asked))]


def after(connection: Connection, seq: int, limit: int, asked: Asked | None = None) -> Sequence[Record]:
    """Entries with numbers above `seq`, in their order."""
    query = select(*chain.SEALED).where(audit.c.seq > seq).order_by(audit.c.seq).limit(limit)
    return [record_of(row) for row in connection.execute(_restricted(query, asked or Asked()))]


def _restricted(query: Any, asked: Asked) -> Any:
    for kind, value in (("patient", asked.patient), ("study", asked.study)):
        if value:
            about = select(audit_subjects.c.seq).where(
                audit_subjects.c.kind == kind, audit_subjects.c.value == value
            )
            query = query.where(audit.c.seq.in_(about))
    if asked.who:
        query = query.where(audit.c.who == asked.who)
    if asked.kinds:
        query = query.where(audit.c.kind.in_([kind.value for kind in asked.kinds]))
    if asked.outcome:
        query = query.where(audit.c.outcome == asked.outcome)
    if asked.host:
        query = query.where(audit.c.host == asked.host)
    if asked.since:
        query = query.where(audit.c.at >= asked.since)
    if asked.until:
        query = query.where(audit.c.at < asked.until)
    return query


def record_of(row: Row[Any]) -> Record:
    """A row of chain.SEALED as a Record. What somebody has destroyed is empty, or long ago: the rest is still told."""
    try:
        body = json.loads(row.body)
    except ValueError:
        body = {}
    try:
        at = datetime.fromisoformat(row.at).astimezone(UTC)
    except (ValueError, OverflowError):
        at = _LONG_AGO
    return Record(
        row.seq,
        at,
        row.kind,
        row.outcome,
        row.who_kind,
        row.who,
        row.host,
        body if isinstance(body, dict) else {},
    )
