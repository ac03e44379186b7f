"""Doubts about whose images these are, for stewards."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, FromClause

from filmless.access.audit.model import Kind
from filmless.access.model import Action
from filmless.archive import doubts
from filmless.archive.api.deciding import DECIDING, Caller, Decision, Desk
from filmless.archive.api.words import PROBLEMS
from filmless.archive.query.visibility import visible_at
from filmless.archive.web.context import ArchiveWeb
from filmless.db.work import reading
from filmless.patients import service


class FlagPatient(BaseModel):
    """One side of a doubt."""

    patient_id: str
    issuer: str
    name: str = Field(description="As DICOM writes it: three groups parted by =, components by ^.")
    birth_date: str


class FlagWords(BaseModel):
    """A doubt: "same-id": one ID and issuer, another name or birth date; "study-two-patients": one study UID."""

    id: int
    kind: Literal["same-id", "study-two-patients"]
    patient: FlagPatient
    other: FlagPatient
    study_uid: str
    raised_at: datetime


class Flags(BaseModel):
    """Doubts that nobody has settled, the newest first."""

    flags: list[FlagWords]
    following: int = Field(description="`before` of the next page; 0 at the end.")


class Settling(Decision):
    """Why nothing is wrong, and of which doubt: a rebuild of the index gives numbers anew."""

    raised_at: datetime = Field(description="As the list tells it.")


def router(context: ArchiveWeb | None) -> APIRouter:
    """The routes. `context` None: only to be described."""
    made = APIRouter(prefix="/flags", tags=["flags"], responses=PROBLEMS)
    desk = Desk(context)

    @made.get("", summary="Doubts about identity")
    def list_flags(
        request: Request,
        principal: Caller,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        before: Annotated[int, Query(ge=0, le=2**62)] = 0,
    ) -> Flags:
        with desk.told(request, principal, Action.FLAGS, Kind.SEARCH, "flags") as (allowed, _):

            def seen(table: FromClause) -> ColumnElement[bool]:
                return visible_at("PATIENT", allowed, table, action=Action.FLAGS)

            with reading(desk.context.engine) as connection:
                found = service.open_flags(connection, limit=limit + 1, before=before, seen=seen)
        shown = found[:limit]
        return Flags(
            flags=[FlagWords.model_validate(one, from_attributes=True) for one in shown],
            following=shown[-1].id if len(found) > limit else 0,
        )

    @made.post("/{number}/settle", summary="Settle a doubt", responses=DECIDING)
    def settle_flag(
        request: Request,
        principal: Caller,
        number: Annotated[int, Path(ge=1, le=2**62)],
        decision: Settling,
    ) -> FlagWords:
        """It was looked into, and nothing is wrong: two persons, or one with two names. Nothing else changes."""
        with desk.told(request, principal, Action.FLAGS, Kind.DECIDE, "settle", decision.reason) as (
            allowed,
            detail,
        ):
            detail["number"] = number

            def seen(table: FromClause) -> ColumnElement[bool]:
                return visible_at("PATIENT", allowed, table, action=Action.FLAGS)

            found = doubts.settle(
                desk.context.engine,
                desk.context.store,
                number,
                by=principal.name[:64],
                reason=decision.reason,
                raised_at=decision.raised_at,
                seen=seen,
            )
            detail.update(
                studies=(found.study_uid,) if found.study_uid else (),
                patients=doubts.patients_of(found),
                doubt=found.kind,
            )
        return FlagWords.model_validate(found, from_attributes=True)

    return made
