"""What was taken leniently when objects were stored, for stewards: the newest studies, a study, an object."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy import select

from filmless.access.audit.model import Kind
from filmless.access.model import Action
from filmless.archive.api.deciding import Caller, Desk
from filmless.archive.api.words import PROBLEMS, NamedStudy, Uid
from filmless.archive.corrections.model import keyword
from filmless.archive.query import lenient
from filmless.archive.query.instances import instances_of
from filmless.archive.query.named import named
from filmless.archive.tables import instance_warnings
from filmless.archive.web.context import ArchiveWeb
from filmless.db.work import reading
from filmless.dicom.attributes import BY_TAG
from filmless.kit.errors import Refused

Sop = Annotated[Uid, Path(description="SOP Instance UID.")]
StudyUid = Annotated[Uid, Path(description="Study Instance UID.")]
Row = Annotated[int | None, Query(ge=1, le=2**63 - 1, description="Which row, where there are several.")]


class LenientStudy(BaseModel):
    """A study of which something was taken leniently."""

    study: NamedStudy
    objects: int = Field(description="Objects of which something was taken leniently.")


class LenientStudies(BaseModel):
    """Studies of which something was taken leniently, what was stored last first."""

    studies: list[LenientStudy] = Field(description="May be empty although others follow.")
    following: int = Field(description="`before` of the next page; 0 at the end.")


class LenientValue(BaseModel):
    """One value that was taken leniently when its object was stored."""

    tag: str = Field(description="GGGGEEEE; empty for the object as a whole.")
    keyword: str = Field(description="The tag where it has none; empty for the object as a whole.")
    text: str


class LenientObject(BaseModel):
    """One of the objects."""

    series_uid: str
    series_number: str
    sop_instance_uid: str
    instance_number: str


class LenientKind(LenientValue):
    """The same of how many objects of a study, and of which."""

    level: Literal["patient", "study", "series", "instance"] = Field(
        description="Of all but the last it is noted of the first object alone, which made the level known."
    )
    objects: int
    named: list[LenientObject] = Field(description="The first hundred.")


class LenientStudyKinds(BaseModel):
    """What was taken leniently in a study, that of most objects first."""

    kinds: list[LenientKind]
    more: bool = Field(description="There are others, each of few objects.")


class LenientValues(BaseModel):
    """What was taken leniently of an object."""

    values: list[LenientValue]


def router(context: ArchiveWeb | None) -> APIRouter:
    """The routes. `context` None: only to be described."""
    made = APIRouter(prefix="/flags/warnings", tags=["flags"], responses=PROBLEMS)
    desk = Desk(context)

    @made.get("", summary="Studies of which something was taken leniently")
    def list_lenient_studies(
        request: Request,
        principal: Caller,
        limit: Annotated[int, Query(ge=1, le=200)] = 100,
        before: Annotated[int, Query(ge=0, le=2**62)] = 0,
    ) -> LenientStudies:
        with desk.told(request, principal, Action.FLAGS, Kind.SEARCH, "warnings") as (allowed, _):  # noqa: SIM117
            with reading(desk.context.engine) as connection:
                found, following = lenient.newest(connection, allowed, limit=limit, before=before)
                words = named(connection, principal, rows=[one.row for one in found])
        studies_of = {one["row"]: one for one in words}
        return LenientStudies(
            studies=[
                LenientStudy(study=NamedStudy(**studies_of[one.row]), objects=one.objects)
                for one in found
                if one.row in studies_of
            ],
            following=following,
        )

    @made.get("/studies/{study_uid}", summary="What was taken leniently in a study")
    def lenient_kinds_of_study(
        request: Request, principal: Caller, study_uid: StudyUid, row: Row = None
    ) -> LenientStudyKinds:
        with desk.told(request, principal, Action.FLAGS, Kind.SEARCH, "warnings") as (allowed, detail):
            detail["studies"] = (study_uid,)
            with reading(desk.context.engine) as connection:
                there = named(connection, allowed, study_uids=[study_uid])
                one = next((each for each in there if row is None or each["row"] == row), None)
                if one is None:
                    raise Refused("There is no such study.", code="not-found")
                found = lenient.kinds(connection, allowed, one["row"])
        return LenientStudyKinds(
            kinds=[_kind(each) for each in found[: lenient.MOST_GROUPS]],
            more=len(found) > lenient.MOST_GROUPS,
        )

    @made.get("/{sop_instance_uid}", summary="What was taken leniently of an object")
    def instance_warnings_of(request: Request, principal: Caller, sop_instance_uid: Sop) -> LenientValues:
        with desk.told(request, principal, Action.FLAGS, Kind.SEARCH, "warnings") as (allowed, detail):  # noqa: SIM117
            with reading(desk.context.engine) as connection:
                one = next(
                    instances_of(connection, allowed, level="IMAGE", sop_uids=[sop_instance_uid]), None
                )
                if one is None:
                    raise Refused("There is no such object.", code="not-found")
                detail["studies"] = (one.study_uid,)
                rows = connection.execute(
                    select(instance_warnings.c.tag, instance_warnings.c.text)
                    .where(instance_warnings.c.sop_instance_uid == sop_instance_uid)
                    .order_by(instance_warnings.c.id)
                    .limit(1000)
                ).all()
        return LenientValues(
            values=[LenientValue(tag=_tag(row.tag), keyword=_keyword(row.tag), text=row.text) for row in rows]
        )

    return made


def _kind(found: dict[str, Any]) -> LenientKind:
    known = BY_TAG.get(int(found["tag"], 16)) if found["tag"] else None
    words = {
        "tag": _tag(found["tag"]),
        "keyword": _keyword(found["tag"]),
        "level": known.level if known is not None else "instance",
    }
    return LenientKind.model_validate({**found, **words})


def _tag(tag: str) -> str:
    # of the object as a whole: the scanner says 0
    return "" if tag == "00000000" else tag


def _keyword(tag: str) -> str:
    return keyword(int(tag, 16)) if _tag(tag) else ""
