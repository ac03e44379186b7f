"""Rejections for stewards and technologists: what is out of use and why; rejecting and revoking."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, select

from filmless.access.audit.model import Kind
from filmless.access.model import Action, Principal, may
from filmless.archive import reject as rejecting
from filmless.archive.api.deciding import DECIDING, Caller, Decision, Desk, Reason
from filmless.archive.api.words import NamedStudy, Uid
from filmless.archive.model import REJECTION_CODES
from filmless.archive.query.listing import demand_one_patient
from filmless.archive.query.named import named
from filmless.archive.query.visibility import seen
from filmless.archive.tables import instances, series, studies
from filmless.archive.web.context import ArchiveWeb
from filmless.archive.web.reject import study_of_note
from filmless.db.work import reading
from filmless.kit.errors import Refused, Unavailable

Code = Literal["113001", "113037", "113038", "113039"]
Note = Annotated[Uid, Path(description="SOP Instance UID of the rejection note.")]


class CodeWords(BaseModel):
    """A reason by its code (DCM, PS3.16 CID 7011)."""

    code: Code
    meaning: str


class RejectionWords(BaseModel):
    """A rejection note."""

    note_uid: str
    study_uid: str
    study: NamedStudy | None = Field(description="None where who asks may not find the study.")
    code: Code
    objects: int
    at: datetime
    by: str
    reason: str
    revoked_at: datetime | None
    revoked_by: str
    revoke_reason: str


class RejectionDetails(RejectionWords):
    """A rejection note with what it names."""

    sop_instance_uids: list[str] = Field(description="The first thousand.")


class Rejections(BaseModel):
    """Rejection notes, the newest first."""

    rejections: list[RejectionWords]
    codes: list[CodeWords] = Field(description="The codes there are.")
    more: bool = Field(description="There are older ones.")


class NewRejection(BaseModel):
    """Objects of one study to be taken out of use: the study, or a series or objects of it."""

    model_config = ConfigDict(extra="forbid")

    study_uid: Uid
    series_uid: Uid | None = None
    sop_instance_uids: list[Uid] = Field([], max_length=10_000)
    code: Code
    reason: Reason


class Rejected(BaseModel):
    """What was rejected."""

    note_uids: list[str]
    objects: int


class Revoked(BaseModel):
    """How many objects are there again."""

    objects: int


def router(context: ArchiveWeb | None) -> APIRouter:
    """The routes. `context` None: only to be described."""
    made = APIRouter(prefix="/rejections", tags=["rejections"], responses=DECIDING)
    desk = Desk(context)

    @made.get("", summary="What is rejected")
    def list_rejections(
        request: Request,
        principal: Caller,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        revoked: bool = False,
    ) -> Rejections:
        action = _looking(principal)
        with desk.told(request, principal, action, Kind.SEARCH, "rejections") as (allowed, _):  # noqa: SIM117
            with reading(desk.context.engine) as connection:
                found = rejecting.notes(connection, limit=limit + 1, include_revoked=revoked)
                places = _places(connection, allowed, action, [one.note_uid for one in found])
                shown = _shown(connection, principal, found[:limit], places)
        codes = [
            CodeWords.model_validate({"code": code, "meaning": text})
            for code, text in REJECTION_CODES.items()
        ]
        return Rejections(rejections=shown, codes=codes, more=len(found) > limit)

    @made.get("/{note_uid}", summary="One rejection")
    def show_rejection(request: Request, principal: Caller, note_uid: Note) -> RejectionDetails:
        action = _looking(principal)
        with desk.told(request, principal, action, Kind.SEARCH, "rejection") as (allowed, detail):
            with reading(desk.context.engine) as connection:
                places = _places(connection, allowed, action, [note_uid])
                if note_uid not in places:
                    raise Refused("There is no rejection note of that UID.", code="not-found")
                one, uids = rejecting.show(connection, note_uid)
                (words,) = _shown(connection, principal, [one], places)
            detail["studies"] = (words.study_uid,)
        return RejectionDetails(**words.model_dump(), sop_instance_uids=uids[:1000])

    @made.post("", status_code=201, summary="Reject objects")
    def reject_objects(request: Request, principal: Caller, wish: NewRejection) -> Rejected:
        with desk.told(request, principal, Action.REJECT, Kind.REJECT, "application", wish.reason) as (
            allowed,
            detail,
        ):
            archive = desk.context.archive
            if archive is None:
                raise Unavailable("Objects are not stored by this server.", code="no-storage")
            detail.update(studies=(wish.study_uid,), code=wish.code)
            if not wish.sop_instance_uids:
                with reading(archive.engine) as connection:
                    demand_one_patient(connection, allowed, wish.study_uid)
            try:
                notes = rejecting.reject(
                    archive,
                    allowed,
                    code=wish.code,
                    by=principal.name[:64],
                    reason=wish.reason,
                    study_uids=[wish.study_uid],
                    series_uids=[wish.series_uid] if wish.series_uid else [],
                    sop_uids=wish.sop_instance_uids,
                )
            except Refused as refused:
                if refused.code == "unknown-object":
                    raise Refused(refused.message, code="not-found") from None
                raise
            with reading(archive.engine) as connection:
                count = sum(rejecting.show(connection, note)[0].objects for note in notes)
            detail["instances"] = count
        return Rejected(note_uids=notes, objects=count)

    @made.post("/{note_uid}/revoke", summary="Take a rejection back")
    def revoke_rejection(request: Request, principal: Caller, note_uid: Note, decision: Decision) -> Revoked:
        with desk.told(request, principal, Action.REVOKE, Kind.REVOKE, "application", decision.reason) as (
            allowed,
            detail,
        ):
            archive = desk.context.archive
            if archive is None:
                raise Unavailable("Objects are not stored by this server.", code="no-storage")
            detail["studies"] = (study_of_note(archive, allowed, note_uid),)
            count = rejecting.revoke(archive, note_uid, by=principal.name[:64], reason=decision.reason)
            detail["instances"] = count
        return Revoked(objects=count)

    return made


def _looking(principal: Principal) -> Action:
    """Who may reject or revoke may look at what was."""
    return Action.REVOKE if may(principal, Action.REVOKE) else Action.REJECT


def _places(
    connection: Connection, allowed: Principal, action: Action, notes: list[str]
) -> dict[str, tuple[int, str]]:
    """note -> the study that it is in (its row, its UID), of those notes whose study is open to this."""
    rows = connection.execute(
        select(instances.c.sop_instance_uid, studies.c.id, studies.c.study_uid)
        .select_from(
            instances.join(series, instances.c.series == series.c.id).join(
                studies, series.c.study == studies.c.id
            )
        )
        .where(instances.c.sop_instance_uid.in_(notes), seen(allowed, studies, action=action))
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def _shown(
    connection: Connection,
    principal: Principal,
    found: Sequence[rejecting.Rejection],
    places: Mapping[str, tuple[int, str]],
) -> list[RejectionWords]:
    """Those that have a place, with patient and study for what `principal` may find."""
    there = [one for one in found if one.note_uid in places]
    # what is rejected altogether is in no list of studies; here it is what is looked for
    words = named(connection, principal, rows=[places[one.note_uid][0] for one in there], rejected=True)
    studies_of = {one["row"]: one for one in words}
    return [
        RejectionWords.model_validate(
            {
                **{name: getattr(one, name) for name in one.__dataclass_fields__},
                "study_uid": places[one.note_uid][1],
                "study": studies_of.get(places[one.note_uid][0]),
            }
        )
        for one in there
    ]
