"""Master data: what every screen needs to know of the department, and its pages."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field, StringConstraints

from filmless.access.api.words import At, Host, In, Line, Reason, Who
from filmless.access.model import Action, may, permit
from filmless.db.work import reading, writing
from filmless.department.api.stations import StationWords
from filmless.department.master import lists
from filmless.department.model import Desk
from filmless.kit.errors import Refused

Kind = Annotated[Line, Path(min_length=1, max_length=24, description="Kind.")]
Code = Annotated[Line, Path(min_length=1, max_length=16, description="Code.")]
Account = Annotated[Line, Path(min_length=1, max_length=64, description="Name of the account.")]
Name = Annotated[Line, StringConstraints(max_length=100)]
Short = Annotated[Line, StringConstraints(max_length=16)]
#: on whose screens people are named: those of the department's work, and of who sees the accounts themselves
_READS_NAMES = (Action.PERSONS, Action.USERS, Action.AUDIT, Action.REVIEW_BREAK_GLASS)


class DepartmentPlace(BaseModel):
    """A site, department, ward or room."""

    kind: str
    code: str
    name_zh: str
    name_en: str
    site: str
    department: str
    more: dict[str, Any]
    active: bool


class WordWords(BaseModel):
    """A procedure, a class of exams or a reason."""

    kind: str
    code: str
    name_zh: str
    name_en: str
    more: dict[str, Any]
    active: bool


class StationFull(StationWords):
    """A station with what it can do."""

    abilities: dict[str, Any]


class StaffWords(BaseModel):
    """A member of the department."""

    account: str
    name_zh: str
    name_en: str
    title: str
    licence: str
    department: str
    single_sign: bool


class PersonName(BaseModel):
    """What an account is called."""

    account: str
    name_zh: str
    name_en: str


class Master(BaseModel):
    """All master data; what is switched off is given too."""

    places: list[DepartmentPlace]
    stations: list[StationFull]
    words: list[WordWords]
    people: list[PersonName] = Field(description="Those who have a name besides their account's.")
    order_needs: list[str] = Field(description="What an order has to say, except in an emergency.")
    repeat_days: int = Field(
        description="Within so many days the same modality and part of the body are asked about again."
    )
    staff: list[StaffWords] = Field(description="Only for who keeps master data.")


class PlaceFields(In):
    """A place as it is from now on."""

    name_zh: Name = ""
    name_en: Name = ""
    site: Short = ""
    department: Short = ""
    more: dict[str, Any] = Field(default_factory=dict, max_length=20)
    active: bool = True
    reason: Reason = ""


class StationFields(In):
    """A station as it is from now on."""

    name_zh: Name = ""
    name_en: Name = ""
    ae_title: Short = ""
    modality: Short
    room: Short = ""
    department: Short = ""
    site: Short = ""
    hours: dict[str, list[list[str]]] = Field(default_factory=dict, max_length=7)
    abilities: dict[str, Any] = Field(default_factory=dict, max_length=20)
    active: bool = True
    reason: Reason = ""


class WordFields(In):
    """Words as they are from now on; exams that exist keep what they had."""

    name_zh: Name = ""
    name_en: Name = ""
    more: dict[str, Any] = Field(default_factory=dict, max_length=30)
    active: bool = True
    reason: Reason = ""


class StaffFields(In):
    """A member of the department, from now on."""

    name_zh: Name = ""
    name_en: Name = ""
    title: Name = ""
    licence: Annotated[Line, StringConstraints(max_length=64)] = ""
    department: Short = ""
    single_sign: bool = False
    reason: Reason = ""


def router(given: Desk | None) -> APIRouter:
    """The routes."""
    made = APIRouter(prefix="/master")

    @made.get("", summary="All master data")
    def master_data(who: Who, at: At) -> Master:
        if who.study:
            raise Refused("You have no right to do this.", code="not-permitted")
        reads_names = any(may(who, action) for action in _READS_NAMES)
        with reading(at.engine) as connection:
            return Master(
                places=[DepartmentPlace.model_validate(row._mapping) for row in lists.all_places(connection)],
                stations=[StationFull.model_validate(row._mapping) for row in lists.all_stations(connection)],
                words=[WordWords.model_validate(row._mapping) for row in lists.all_words(connection)],
                order_needs=list(given.settings.order_needs) if given is not None else [],
                repeat_days=given.settings.repeat_days if given is not None else 0,
                people=[
                    PersonName(account=account, name_zh=zh, name_en=en)
                    for account, zh, en in (lists.all_names(connection) if reads_names else [])
                ],
                staff=[StaffWords.model_validate(row._mapping) for row in lists.all_staff(connection)]
                if may(who, Action.MASTER_DATA)
                else [],
            )

    @made.put("/places/{kind}/{code}", status_code=204, summary="Write a site, department, ward or room")
    def write_place(kind: Kind, code: Code, body: PlaceFields, who: Who, at: At, host: Host) -> None:
        acting = at.acting(permit(who, Action.MASTER_DATA), host, body.reason)
        with writing(at.engine) as connection:
            lists.put_place(connection, kind, code, body.model_dump(exclude={"reason"}), acting)

    @made.put("/stations/{code}", status_code=204, summary="Write a station")
    def write_station(code: Code, body: StationFields, who: Who, at: At, host: Host) -> None:
        acting = at.acting(permit(who, Action.MASTER_DATA), host, body.reason)
        with writing(at.engine) as connection:
            lists.put_station(connection, code, body.model_dump(exclude={"reason"}), acting)

    @made.put("/words/{kind}/{code}", status_code=204, summary="Write a procedure, class or reason")
    def write_words(kind: Kind, code: Code, body: WordFields, who: Who, at: At, host: Host) -> None:
        acting = at.acting(permit(who, Action.MASTER_DATA), host, body.reason)
        with writing(at.engine) as connection:
            lists.put_words(connection, kind, code, body.model_dump(exclude={"reason"}), acting)

    @made.put("/staff/{account}", status_code=204, summary="Write a member of the department")
    def write_staff(account: Account, body: StaffFields, who: Who, at: At, host: Host) -> None:
        acting = at.acting(permit(who, Action.MASTER_DATA), host, body.reason)
        with writing(at.engine) as connection:
            lists.put_staff(connection, account, body.model_dump(exclude={"reason"}), acting)

    return made
