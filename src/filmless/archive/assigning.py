"""Our own HTTP API for stewards: to which site, department and ward a study belongs, whether it is sensitive, and who
cares for a patient. Kept in access/; asked here, because only the archive knows whether the study is one that they see.
"""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import Connection, select

from filmless.access import belonging
from filmless.access.accounts import clean_name
from filmless.access.api.told import Told
from filmless.access.api.words import PROBLEMS, AccountName, At, Host, In, Line, Number, Who
from filmless.access.belonging import Belonging
from filmless.access.model import Action, Principal, permit
from filmless.access.tables import patient_care
from filmless.archive.query import visible_at
from filmless.archive.query.visibility import seen
from filmless.archive.tables import studies
from filmless.db.work import reading, writing
from filmless.kit.errors import Refused
from filmless.patients.tables import patients

router = APIRouter(tags=["assigning"], responses=PROBLEMS, route_class=Told)

_StudyUid = Annotated[str, Path(pattern=r"^[0-9.]{1,64}$", description="Study Instance UID.")]
_Place = Annotated[Line | None, Field(max_length=64, description="Left out: as it is; empty: none.")]


class BelongingWords(BaseModel):
    """To whom a study belongs."""

    study_uid: str
    site: str
    department: str
    ward: str
    requested_by: str = Field(description="Name of the account, empty for nobody.")
    sensitive: bool
    changed_at: datetime | None
    changed_by: str
    reason: str

    @classmethod
    def of(cls, one: Belonging) -> "BelongingWords":
        return cls(**{name: getattr(one, name) for name in cls.model_fields})


class Assignment(In):
    """What changes, and why."""

    site: _Place = None
    department: _Place = None
    ward: _Place = None
    requested_by: _Place = None
    sensitive: bool | None = None
    reason: Line = Field(min_length=1, max_length=400)


class PatientWords(In):
    """A patient, as images name him."""

    patient_id: Line = Field(min_length=1, max_length=64)
    issuer: Line = Field("", max_length=64)


class NewCare(PatientWords):
    """Who cares for a patient: either an account or everybody of a ward."""

    account: AccountName | None = None
    ward: Line = Field("", max_length=64)
    until: AwareDatetime | None = None
    reason: Line = Field("", max_length=400)


class CareWords(BaseModel):
    """A care relation."""

    id: int
    patient_id: str
    issuer: str
    account: str
    ward: str
    until: datetime | None


class Cares(BaseModel):
    """Who cares for a patient."""

    cares: list[CareWords]


@router.get("/studies/{study}/belonging", summary="To whom a study belongs")
def get_belonging(study: _StudyUid, who: Who, at: At) -> BelongingWords:
    allowed = permit(who, Action.SENSITIVE)
    with reading(at.engine) as connection:
        _demand(connection, allowed, study)
        return BelongingWords.of(belonging.belonging_of(connection, study))


@router.put("/studies/{study}/belonging", summary="Say to whom a study belongs, and whether it is sensitive")
def assign_study(study: _StudyUid, body: Assignment, who: Who, at: At, host: Host) -> BelongingWords:
    allowed = permit(who, Action.SENSITIVE)
    with writing(at.engine) as connection:
        _demand(connection, allowed, study)
        made = belonging.assign(
            connection,
            study,
            at.acting(who, host, body.reason),
            site=body.site,
            department=body.department,
            ward=body.ward,
            requested_by=body.requested_by,
            sensitive=body.sensitive,
        )
    return BelongingWords.of(made)


@router.post("/cares/search", summary="Who cares for a patient")
def search_cares(body: PatientWords, who: Who, at: At) -> Cares:
    allowed = permit(who, Action.SENSITIVE)
    with reading(at.engine) as connection:
        _demand_patient(connection, allowed, body.patient_id, body.issuer)
        found = belonging.cares(connection, body.patient_id, issuer=body.issuer)
    names = CareWords.model_fields
    return Cares(cares=[CareWords(**{name: getattr(one, name) for name in names}) for one in found])


@router.post("/cares", status_code=204, summary="Say who cares for a patient")
def add_care(body: NewCare, who: Who, at: At, host: Host) -> None:
    allowed = permit(who, Action.SENSITIVE)
    if body.account is not None and clean_name(body.account) == who.name:
        raise Refused("Nobody opens patients to himself: somebody else does it.", code="not-permitted")
    with writing(at.engine) as connection:
        _demand_patient(connection, allowed, body.patient_id, body.issuer)
        belonging.care(
            connection,
            body.patient_id,
            at.acting(who, host, body.reason),
            issuer=body.issuer,
            account=body.account or "",
            ward=body.ward,
            until=body.until,
        )


@router.delete("/cares/{number}", status_code=204, summary="End a care relation")
def end_care(number: Number, who: Who, at: At, host: Host) -> None:
    allowed = permit(who, Action.SENSITIVE)
    with writing(at.engine) as connection:
        row = connection.execute(select(patient_care).where(patient_care.c.id == number)).first()
        if row is not None:
            _demand_patient(connection, allowed, row.patient_id, row.issuer)
        belonging.end_care(connection, number, at.acting(who, host))


def _demand(connection: Connection, principal: Principal, study_uid: str) -> None:
    """Raises Refused (code "not-found") where `principal` sees no such study."""
    query = (
        select(studies.c.id).where(studies.c.study_uid == study_uid, visible_at("STUDY", principal)).limit(1)
    )
    if connection.execute(query).first() is None:
        raise Refused("There is no such study.", code="not-found")


def _demand_patient(connection: Connection, principal: Principal, patient_id: str, issuer: str) -> None:
    """Raises Refused (code "not-found") where the patient has a study that is not open to `principal`.

    Who cares for a patient sees all his studies: nobody gives more than he has.
    """
    hidden = (
        select(studies.c.id)
        .join(patients, patients.c.id == studies.c.patient)
        .where(
            patients.c.patient_id == patient_id,
            patients.c.issuer == issuer,
            ~seen(principal, studies, action=Action.SENSITIVE),
        )
    )
    if connection.execute(hidden.limit(1)).first() is not None:
        raise Refused("There is no such patient of whom you see all.", code="not-found")
