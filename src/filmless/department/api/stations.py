"""Stations and what is booked on them."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from filmless.access.api.words import At, Host, In, Line, Number, Who
from filmless.access.model import Action, permit
from filmless.db.work import reading, writing
from filmless.department import booking
from filmless.department.api.words import Words
from filmless.department.master import lists
from filmless.department.model import Desk
from filmless.kit.errors import Refused

StationCode = Annotated[Line, Path(min_length=1, max_length=16, description="Code of the station.")]


class StationWords(BaseModel):
    """What exams are booked for and made on."""

    code: str
    name_zh: str
    name_en: str
    ae_title: str
    modality: str
    room: str
    department: str
    site: str
    hours: dict[str, list[list[str]]] = Field(description="By weekday, Monday is 0: spans of local time.")
    active: bool


class TakenWords(BaseModel):
    """A time that is taken: by an exam, or (`exam` null) because the station is closed."""

    id: int
    station: str
    starts_at: datetime
    ends_at: datetime
    overbooked: bool
    note: str
    exam: int | None
    number: str
    state: str
    procedure_zh: str
    procedure_en: str
    stat: bool
    name: str
    name_alphabetic: str
    hidden: bool = Field(description="Of a person who is not for this account.")


class StationDay(BaseModel):
    """Stations and what is taken on them on a local day."""

    day: date
    stations: list[StationWords]
    taken: list[TakenWords]


class Earliest(BaseModel):
    """The first free time; both null where there is none within two weeks."""

    station: str | None
    starts_at: datetime | None


class EarliestWish(In):
    """What a free time is looked for."""

    modality: Annotated[Line, StringConstraints(min_length=1, max_length=16)]
    minutes: int = Field(15, ge=1, le=720)
    begin: AwareDatetime | None = None


class Closure(In):
    """A station is closed: maintenance, a holiday."""

    starts_at: AwareDatetime
    ends_at: AwareDatetime
    note: Words = ""


class Made(BaseModel):
    """What was made."""

    id: int


def router(_given: Desk | None) -> APIRouter:
    """The routes."""
    made = APIRouter(prefix="/stations")

    @made.get("", summary="The stations, and what is booked on them on a day")
    def stations_on_day(
        who: Who,
        at: At,
        day: Annotated[date | None, Query(description="A local day; null is today.")] = None,
        limit: Annotated[int, Query(ge=1, le=2000)] = 1000,
    ) -> StationDay:
        action = next(
            (
                one
                for one in (Action.BOOK, Action.QUEUE, Action.PERFORM)
                if who.unlimited or who.granting(one)
            ),
            Action.BOOK,
        )
        principal = permit(who, action)
        wanted = day or datetime.now().astimezone().date()
        with reading(at.engine) as connection:
            rows = lists.all_stations(connection)
            taken = booking.on_day(connection, principal, wanted, action=action, limit=limit)
        return StationDay(
            day=wanted,
            stations=[
                StationWords(**{name: getattr(row, name) for name in StationWords.model_fields})
                for row in rows
                if row.active
            ],
            taken=[
                TakenWords(**{name: getattr(one, name) for name in TakenWords.model_fields}) for one in taken
            ],
        )

    @made.post("/earliest", summary="The first free time of a modality")
    def earliest_time(body: EarliestWish, who: Who, at: At) -> Earliest:
        permit(who, Action.BOOK)
        with reading(at.engine) as connection:
            found = booking.earliest(connection, body.modality, body.minutes, start=body.begin)
        return Earliest(station=found[0] if found else None, starts_at=found[1] if found else None)

    @made.post("/{station}/closures", status_code=201, summary="Close a station for a time")
    def close_station(station: StationCode, body: Closure, who: Who, at: At, host: Host) -> Made:
        acting = at.acting(permit(who, Action.REGISTER), host, body.note)
        with writing(at.engine) as connection:
            made_id = booking.close(connection, station, body.starts_at, body.ends_at, body.note, acting)
        return Made(id=made_id)

    @made.delete("/{station}/closures/{number}", status_code=204, summary="Open it again")
    def reopen_station(station: StationCode, number: Number, who: Who, at: At, host: Host) -> None:
        acting = at.acting(permit(who, Action.REGISTER), host)
        with writing(at.engine) as connection:
            if not any(one.code == station for one in lists.all_stations(connection)):
                raise Refused("There is no such station.", code="not-found")
            booking.reopen(connection, number, acting)

    return made
