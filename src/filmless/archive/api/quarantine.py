"""The quarantine for stewards: what waits, whose it seems to be, and the decision."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from filmless.access.audit.model import Kind
from filmless.access.model import Action
from filmless.archive import entry
from filmless.archive import quarantine as kept
from filmless.archive.api.deciding import DECIDING, Caller, Decision, Desk, quarantined_for
from filmless.archive.model import Cause
from filmless.archive.publish import Publisher
from filmless.archive.query.instances import instances_of
from filmless.archive.web.context import ArchiveWeb
from filmless.db.work import reading
from filmless.dicom import scan
from filmless.kit.errors import Refused

State = Literal["waiting", "accepted", "discarded"]
Number = Annotated[int, InPath(ge=1, le=2**62, description="Number of the object in quarantine.")]


class Quarantined(BaseModel):
    """An object in quarantine."""

    id: int
    cause: Cause
    cause_text: str
    sop_instance_uid: str = Field(description="May be empty: that is one of the causes.")
    sop_class_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax_uid: str
    size: int
    source: str = Field(description="The device, or web:account, that brought it.")
    received_at: datetime
    state: State
    decided_by: str
    reason: str

    @classmethod
    def of(cls, one: kept.QuarantinedObject) -> "Quarantined":
        """In the words of the service."""
        return cls.model_validate(_words(one))


def _words(one: kept.QuarantinedObject) -> dict[str, Any]:
    words = {name: getattr(one, name) for name in one.__dataclass_fields__ if name not in ("path", "text")}
    return {**words, "cause_text": one.text}


class Contents(BaseModel):
    """Whose an object says it is, and what it is of; as sent, "" where absent."""

    patient_name: str
    patient_id: str
    issuer: str
    birth_date: str
    sex: str
    study_date: str
    accession_number: str
    study_description: str
    modality: str
    series_description: str
    instance_number: str


class QuarantinedDetails(Quarantined):
    """One object in quarantine, beside the one whose UID it has."""

    contents: Contents | None = Field(description="None where it cannot be read.")
    known: Contents | None = Field(
        description="The object of the archive under its UID; None where there is none."
    )


class QuarantineList(BaseModel):
    """Objects in quarantine, the oldest first."""

    objects: list[Quarantined]
    following: int = Field(description="`after` of the next page; 0 at the end.")


class Accepted(BaseModel):
    """What became of an object that was taken in."""

    sop_instance_uid: str
    outcome: Literal["stored", "same", "replaced", "kept-first", "quarantined"]


_TAGS = {
    "patient_id": 0x00100020,
    "issuer": 0x00100021,
    "birth_date": 0x00100030,
    "sex": 0x00100040,
    "study_date": 0x00080020,
    "accession_number": 0x00080050,
    "study_description": 0x00081030,
    "modality": 0x00080060,
    "series_description": 0x0008103E,
    "instance_number": 0x00200013,
}


def _contents(path: Path, offset: int, size: int, syntax: str) -> Contents | None:
    try:
        header = entry.scan_file(path, offset, size, syntax)
    except OSError:
        return None
    if not header.values:
        return None
    texts = {name: scan.text(header, tag).replace("\0", "") for name, tag in _TAGS.items()}
    return Contents(patient_name=scan.text_pn(header, 0x00100010).replace("\0", ""), **texts)


def router(context: ArchiveWeb | None) -> APIRouter:
    """The routes. `context` None: only to be described."""
    made = APIRouter(prefix="/quarantine", tags=["quarantine"], responses=DECIDING)
    desk = Desk(context)

    @made.get("", summary="Objects in quarantine")
    def list_quarantine(
        request: Request,
        principal: Caller,
        state: State = "waiting",
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    ) -> QuarantineList:
        with desk.told(request, principal, Action.QUARANTINE, Kind.SEARCH, "quarantine") as (allowed, _):
            among = quarantined_for(allowed, Action.QUARANTINE)
            with reading(desk.context.engine) as connection:
                found = kept.objects(connection, state=state, limit=limit + 1, after=after, among=among)
        shown = found[:limit]
        return QuarantineList(
            objects=[Quarantined.of(one) for one in shown],
            following=shown[-1].id if len(found) > limit else 0,
        )

    @made.get("/{number}", summary="One object in quarantine")
    def show_quarantined(request: Request, principal: Caller, number: Number) -> QuarantinedDetails:
        store = desk.context.store
        with desk.told(request, principal, Action.QUARANTINE, Kind.VIEW, "quarantine") as (allowed, detail):
            with reading(desk.context.engine) as connection:
                one = _one(connection, number, quarantined_for(allowed, Action.QUARANTINE))
                detail.update(studies=_study(one), number=number)
                known = next(
                    instances_of(connection, allowed, level="IMAGE", sop_uids=[one.sop_instance_uid]), None
                )
                row = kept.place(connection, number)
            contents = _contents(store / row.path, row.offset, row.size, row.transfer_syntax_uid)
            beside = (
                _contents(store / known.path, known.offset, known.size, known.ts)
                if known is not None
                else None
            )
        return QuarantinedDetails.model_validate({**_words(one), "contents": contents, "known": beside})

    @made.post("/{number}/accept", summary="Take an object into the archive")
    def accept_quarantined(
        request: Request, principal: Caller, number: Number, decision: Decision
    ) -> Accepted:
        web = desk.context
        with desk.told(request, principal, Action.QUARANTINE, Kind.DECIDE, "accept", decision.reason) as (
            allowed,
            detail,
        ):
            with reading(web.engine) as connection:
                one = _one(connection, number, quarantined_for(allowed, Action.QUARANTINE))
            detail.update(studies=_study(one), number=number)
            publisher = Publisher(web.engine, web.store, web.settings)
            try:
                outcome = kept.accept(
                    web.engine, publisher, web.store, number, by=principal.name[:64], reason=decision.reason
                )
            finally:
                publisher.close()
        return Accepted(sop_instance_uid=outcome.sop_instance_uid, outcome=outcome.kind.value)

    @made.post("/{number}/discard", summary="Decide that an object is not wanted")
    def discard_quarantined(
        request: Request, principal: Caller, number: Number, decision: Decision
    ) -> Quarantined:
        web = desk.context
        with desk.told(request, principal, Action.QUARANTINE, Kind.DECIDE, "discard", decision.reason) as (
            allowed,
            detail,
        ):
            among = quarantined_for(allowed, Action.QUARANTINE)
            with reading(web.engine) as connection:
                one = _one(connection, number, among)
            detail.update(studies=_study(one), number=number)
            kept.discard(web.engine, web.store, number, by=principal.name[:64], reason=decision.reason)
            with reading(web.engine) as connection:
                return Quarantined.of(kept.show(connection, number))

    return made


def _study(one: kept.QuarantinedObject) -> tuple[str, ...]:
    return (one.study_uid,) if one.study_uid else ()


def _one(connection: Connection, number: int, among: Any) -> kept.QuarantinedObject:
    try:
        return kept.show(connection, number, among=among)
    except Refused as refused:
        raise Refused(refused.message, code="not-found") from None
