"""The audit trail for the privacy officer: search it, and verify that it is whole. Looking is told to the trail too.

The search is a POST, so that whose record was looked for stands in no address.
"""

import threading
import time
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, Field

from filmless.access.api.told import Told
from filmless.access.api.words import At, Host, In, Line, Who
from filmless.access.audit import search
from filmless.access.audit.model import Entry, Kind, Outcome, Record
from filmless.access.model import Action, Principal, permit
from filmless.db.work import reading
from filmless.kit.errors import Unavailable

router = APIRouter(prefix="/audit", tags=["audit"], route_class=Told)

#: one verification at a time in a process
_VERIFYING: Final = threading.Lock()
#: seconds of rest after each 1,000 rows, so that others are answered meanwhile
_REST: Final = 0.02


def _looking(who: Who) -> Principal:
    permit(who, Action.AUDIT)
    return who


Looking = Annotated[Principal, Depends(_looking)]


class AuditSearch(In):
    """What is looked for; all that is given holds together. Texts are compared whole."""

    who: Line = Field("", max_length=200, description="Account name or AE title.")
    patient: Line = Field("", max_length=200, description='Patient ID, with "^^^" and its issuer or without.')
    study: Line = Field("", max_length=64, description="Study Instance UID.")
    kinds: list[Kind] = Field(default_factory=list, max_length=50)
    outcome: Outcome | None = None
    host: Line = Field("", max_length=255)
    since: AwareDatetime | None = None
    until: AwareDatetime | None = Field(None, description="Not included.")
    before: int = Field(0, ge=0, le=2**62, description="`next` of the page before; 0 for the first page.")
    limit: int = Field(100, ge=1, le=search.MOST)


class AuditEntry(BaseModel):
    """One thing that happened."""

    seq: int = Field(description="Its number in the chain.")
    at: datetime
    kind: str
    outcome: str
    who_kind: str = Field(description='"user", "device" or "system".')
    who: str
    host: str
    studies: list[str]
    patients: list[str]
    what: str
    query: str
    reason: str
    detail: dict[str, Any]
    server: str = Field(description="host/process/process number that wrote it.")

    @classmethod
    def of(cls, record: Record) -> "AuditEntry":
        """From the words of access/audit/model.py."""
        return cls(
            seq=record.seq,
            at=record.at,
            kind=record.kind,
            outcome=record.outcome,
            who_kind=record.who_kind,
            who=record.who,
            host=record.host,
            studies=list(record.studies),
            patients=list(record.patients),
            what=record.what,
            query=record.query,
            reason=record.reason,
            detail=dict(record.detail),
            server=record.server,
        )


class AuditPage(BaseModel):
    """Entries, the newest first."""

    entries: list[AuditEntry]
    next: int = Field(description="`before` for the entries that follow; 0: these were the last.")


class AuditFinding(BaseModel):
    """Something that is not as it was written."""

    seq: int = Field(description="First record that it is about; 0: the anchors or the sealed end.")
    words: str


class AuditReport(BaseModel):
    """What a verification found, the first record first."""

    whole: bool
    records: int
    anchors: int
    last: int = Field(description="Number of the last record.")
    mac: str = Field(description="Its mac: written down elsewhere, it vouches for all before it.")
    findings: list[AuditFinding]


@router.post("/search", summary="Search the audit trail")
def search_audit(body: AuditSearch, who: Looking, at: At, host: Host) -> AuditPage:
    asked = search.Asked(
        who=body.who,
        patient=body.patient,
        study=body.study,
        kinds=tuple(body.kinds),
        outcome=body.outcome,
        host=body.host,
        since=body.since,
        until=body.until,
    )
    about = (body.patient,) if body.patient else ()
    told = Entry(Kind.AUDIT, who, host=host, patients=about, what="search", query=asked.words)
    at.trail.record(told)
    with reading(at.engine) as connection:
        found = search.newest(connection, asked, before=body.before, limit=body.limit + 1)
    shown = [AuditEntry.of(one) for one in found[: body.limit]]
    return AuditPage(entries=shown, next=shown[-1].seq if len(found) > body.limit else 0)


@router.post("/verify", summary="Verify that the audit trail is whole")
def verify_audit(who: Looking, at: At, host: Host) -> AuditReport:
    """Reads all of it: some seconds for each 100,000 records. `filmless audit verify` does the same."""
    if not _VERIFYING.acquire(blocking=False):
        raise Unavailable("The trail is being verified at this moment.", code="audit-verifying")
    try:
        at.trail.flush()
        report = at.trail.verify(progress=lambda _: time.sleep(_REST))
    finally:
        _VERIFYING.release()
    at.trail.record(
        Entry(
            Kind.AUDIT,
            who,
            "success" if report.whole else "failed",
            host,
            what="verify",
            reason="" if report.whole else report.findings[0].words,
            detail={"records": report.records},
        )
    )
    return AuditReport(
        whole=report.whole,
        records=report.records,
        anchors=report.anchors,
        last=report.last,
        mac=report.mac,
        findings=[AuditFinding(seq=one.seq, words=one.words) for one in report.findings],
    )
