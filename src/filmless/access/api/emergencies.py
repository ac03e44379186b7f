"""Breaking the glass, and the review of it."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from filmless.access import emergency
from filmless.access.api.told import Told
from filmless.access.api.words import At, Host, In, InSession, Line, Number, Who
from filmless.access.emergency import Emergency
from filmless.access.model import Action, permit
from filmless.db.work import reading, writing

router = APIRouter(prefix="/emergencies", tags=["emergencies"], route_class=Told)


class EmergencyWords(BaseModel):
    """One time that somebody opened for himself what he may not see."""

    id: int
    account: str
    study_uid: str = Field(description="Empty where it is for a patient.")
    patient_id: str
    issuer: str
    reason: str
    at: datetime
    until: datetime
    reviewed_at: datetime | None
    reviewed_by: str
    finding: str = Field(description="Empty before the review, then justified or unjustified.")
    review_note: str

    @classmethod
    def of(cls, one: Emergency) -> "EmergencyWords":
        return cls(**{name: getattr(one, name) for name in cls.model_fields})


class Emergencies(BaseModel):
    """The newest first."""

    emergencies: list[EmergencyWords]
    waiting: int = Field(description="How many have not been reviewed, of those that one may look at.")


class NewEmergency(In):
    """What to open, and why: either a study or a patient with all studies."""

    study_uid: str = Field("", pattern=r"^[0-9.]{0,64}$")
    patient_id: Line = Field("", max_length=64)
    issuer: Line = Field("", max_length=64)
    reason: Line = Field(min_length=5, max_length=1000)


class Review(In):
    """What was found."""

    finding: Literal["justified", "unjustified"]
    note: Line = Field(min_length=1, max_length=1000)


@router.post("", status_code=201, summary="Break the glass")
def break_glass(body: NewEmergency, found: InSession, who: Who, at: At, host: Host) -> EmergencyWords:
    """Opens it at once, for a time. It is in the audit trail, and the privacy officer reviews it."""
    with writing(at.engine) as connection:
        made = emergency.open_in_emergency(
            connection,
            at.acting(who, host, body.reason),
            at.settings,
            study_uid=body.study_uid,
            patient_id=body.patient_id,
            issuer=body.issuer,
        )
    return EmergencyWords.of(made)


@router.get("/own", summary="One's own emergencies")
def list_own_emergencies(who: Who, at: At) -> Emergencies:
    permit(who, Action.BREAK_GLASS)
    with reading(at.engine) as connection:
        found = emergency.emergencies(connection, account=who.name)
    return Emergencies(
        emergencies=[EmergencyWords.of(one) for one in found],
        waiting=sum(one.reviewed_at is None for one in found),
    )


@router.get("", summary="The list for the privacy officer")
def list_emergencies(
    who: Who,
    at: At,
    waiting: Annotated[bool, Query(description="Only those that have not been reviewed.")] = True,
    before: Annotated[int, Query(ge=0, le=2**62, description="Only those with lower numbers.")] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Emergencies:
    permit(who, Action.REVIEW_BREAK_GLASS)
    with reading(at.engine) as connection:
        found = emergency.emergencies(connection, waiting=waiting, before=before, limit=limit)
        count = emergency.waiting_for_review(connection)
    return Emergencies(emergencies=[EmergencyWords.of(one) for one in found], waiting=count)


@router.post("/{number}/review", summary="Write what the review found")
def review_emergency(number: Number, body: Review, who: Who, at: At, host: Host) -> EmergencyWords:
    permit(who, Action.REVIEW_BREAK_GLASS)
    with writing(at.engine) as connection:
        made = emergency.review(
            connection, number, at.acting(who, host), finding=body.finding, note=body.note
        )
    return EmergencyWords.of(made)


@router.post("/{number}/end", summary="Close one's own emergency before its time")
def end_emergency(number: Number, who: Who, at: At, host: Host) -> EmergencyWords:
    permit(who, Action.BREAK_GLASS)
    with writing(at.engine) as connection:
        made = emergency.end_emergency(connection, number, at.acting(who, host))
    return EmergencyWords.of(made)
