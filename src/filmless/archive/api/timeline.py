"""A patient's timeline."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import Connection
from starlette.responses import Response

from filmless.access.model import Principal
from filmless.archive import timeline
from filmless.archive.api.studies import Caller, Finder, there
from filmless.archive.api.words import PROBLEMS, PatientWords, Uid, Word, as_json
from filmless.archive.timeline import Asked, Item, Place, Source
from filmless.archive.web.context import ArchiveWeb


class TimelinePlace(BaseModel):
    """Where an item stands in time."""

    model_config = ConfigDict(extra="forbid")

    date: Annotated[str, StringConstraints(max_length=8)] = Field(description="YYYYMMDD; may be empty.")
    time: Annotated[str, StringConstraints(max_length=6)] = Field(description="HHMMSS; may be empty.")
    key: Annotated[str, StringConstraints(max_length=128)]


class TimelineSearch(BaseModel):
    """Whose timeline, and what of it. What is left out does not restrict."""

    model_config = ConfigDict(extra="forbid")

    study_uid: Uid = Field(description="A study of the patient.")
    kinds: list[Word] = Field([], max_length=32)
    modalities: list[Word] = Field([], max_length=32)
    before: TimelinePlace | None = Field(None, description="`following` of the page before.")
    limit: int = Field(50, ge=1, le=200)


class TimelineItem(BaseModel):
    """One thing that happened to the patient."""

    kind: str = Field(
        description='"study", "document", or of a room above: its row on the screen knows `more`.'
    )
    place: TimelinePlace
    title: str
    study_uid: str
    accession_number: str
    modalities: list[str]
    state: str
    more: dict[str, Any]


class TimelineWords(BaseModel):
    """A patient's items, the newest first."""

    patient: PatientWords
    items: list[TimelineItem]
    following: TimelinePlace | None = Field(description="`before` of the next page; null at the end.")
    kinds: dict[str, int] = Field(description="How many there are of each kind, whatever was filtered.")
    modalities: list[str]


def router(context: ArchiveWeb | None, more: Sequence[Source] = ()) -> APIRouter:
    """The route. `context` None: only to be described. `more`: sources of the rooms above."""
    made = APIRouter(prefix="/timeline", tags=["studies"], responses=PROBLEMS)
    finder = Finder(context)
    sources = (*timeline.SOURCES, *more)

    @made.post("", response_model=TimelineWords, summary="Everything of a patient")
    async def patient_timeline(request: Request, principal: Caller, asked: TimelineSearch) -> Response:
        def work(connection: Connection, who: Principal) -> dict[str, Any]:
            person, words = there(timeline.person_of(connection, who, asked.study_uid))
            before = asked.before
            wanted = Asked(
                tuple(asked.modalities),
                Place(before.date, before.time, before.key) if before else None,
                asked.limit,
            )
            found = timeline.read(connection, who, person, sources, wanted, asked.kinds)
            return {
                "patient": words,
                "items": [_item(one) for one in found.items],
                "following": _place(found.following) if found.following else None,
                "kinds": found.kinds,
                "modalities": found.modalities,
            }

        return as_json(await finder.run(request, principal, work, what="timeline", study=asked.study_uid))

    return made


def _place(place: Place) -> dict[str, str]:
    return {"date": place.date, "time": place.time, "key": place.key}


def _item(one: Item) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "place": _place(one.place),
        "title": one.title,
        "study_uid": one.study_uid,
        "accession_number": one.accession_number,
        "modalities": list(one.modalities),
        "state": one.state,
        "more": dict(one.more),
    }
