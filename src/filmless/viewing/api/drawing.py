"""Drafts of what is drawn, what they become, and what is measured in a study already."""

import asyncio
from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from filmless.access.audit.model import Kind
from filmless.access.model import Action, Principal, permit
from filmless.archive.api.deciding import DECIDING, Caller, Desk
from filmless.archive.api.studies import Row
from filmless.archive.api.words import Uid
from filmless.archive.store import Archive
from filmless.archive.web.context import ArchiveWeb
from filmless.db.work import reading, writing
from filmless.kit.errors import Defect, Refused
from filmless.net.http.origin import client_host
from filmless.net.http.problems import problem
from filmless.viewing import drafts, reports, saving
from filmless.viewing.api.words import DraftIn, DraftWords, Kept, Measurements, SavedWords, SaveIn, plain

T = TypeVar("T")
StudyUid = Annotated[Uid, Path(description="Study Instance UID.")]


def router(context: ArchiveWeb | None) -> APIRouter:
    """The routes. `context` None: only to be described."""
    made = APIRouter(prefix="/studies/{study_uid}", responses=DECIDING)
    desk = _Drawing(context)

    @made.get("/draft", summary="What the own account has drawn and not saved yet")
    async def show_draft(principal: Caller, study_uid: StudyUid) -> DraftWords:
        def work(who: Principal) -> drafts.Draft:
            with reading(desk.context.engine) as connection:
                return drafts.show(connection, who.account, study_uid)

        found = await desk.run(principal, Action.VIEW, study_uid, work)
        return DraftWords.model_validate(
            {
                "version": found.version,
                "annotations": found.annotations,
                "previous": found.previous,
                "changed_at": found.changed_at,
            }
        )

    @made.put("/draft", response_model=Kept, summary="Keep what is drawn")
    async def keep_draft(principal: Caller, study_uid: StudyUid, body: DraftIn) -> Kept | Response:
        def work(who: Principal) -> drafts.Draft:
            with writing(desk.context.engine) as connection:
                return drafts.save(
                    connection,
                    who.account,
                    study_uid,
                    version=body.version,
                    annotations=[plain(one) for one in body.annotations],
                    previous=body.previous,
                )

        try:
            kept = await desk.run(principal, Action.VIEW, study_uid, work)
        except drafts.Stale as stale:
            return _stale(stale)
        return Kept.model_validate({"version": kept.version, "changed_at": kept.changed_at})

    @made.delete("/draft", status_code=204, response_model=None, summary="Discard what is drawn")
    async def discard_draft(
        principal: Caller, study_uid: StudyUid, version: Annotated[int, Query(ge=0)]
    ) -> Response:
        def work(who: Principal) -> None:
            with writing(desk.context.engine) as connection:
                drafts.discard(connection, who.account, study_uid, version)

        try:
            await desk.run(principal, Action.VIEW, study_uid, work)
        except drafts.Stale as stale:
            return _stale(stale)
        return Response(status_code=204)

    @made.get("/measurements", summary="What is measured in the study's reports")
    async def show_measurements(
        request: Request, principal: Caller, study_uid: StudyUid, row: Row = None
    ) -> Measurements:
        def work(who: Principal) -> Measurements:
            found = reports.measured(desk.archive, desk.context.codecs, who, study_uid, row)
            if found["annotations"]:
                host = client_host(request, desk.context.http)
                desk.context.trail.viewed(who, host, study_uid, "report")
            for one in found["annotations"]:
                one["own"] = bool(who.account) and one.pop("login") == who.name
            return Measurements.model_validate(found)

        return await desk.run(principal, Action.VIEW, study_uid, work)

    @made.post("/measurements", status_code=201, summary="Save what is drawn as DICOM")
    async def save_measurements(
        request: Request, principal: Caller, study_uid: StudyUid, body: SaveIn
    ) -> SavedWords:
        wish = saving.Wish(
            str(body.save), [plain(one) for one in body.annotations], body.key_images, body.previous
        )

        def work(who: Principal) -> saving.Saved:
            with desk.told(request, principal, Action.ANNOTATE, Kind.STORE, "measurements") as (_, detail):
                detail["studies"] = (study_uid,)
                saved = saving.save(desk.archive, desk.context.codecs, who, study_uid, wish)
                detail["instances"] = (
                    bool(saved.report) + bool(saved.key_objects) + len(saved.presentation_states)
                )
            if body.draft:
                _discard(desk, who, study_uid, body.draft)
            return saved

        saved = await desk.run(principal, Action.ANNOTATE, study_uid, work)
        return SavedWords(
            report=saved.report,
            presentation_states=list(saved.presentation_states),
            key_objects=saved.key_objects,
        )

    return made


class _Drawing(Desk):
    """The archive as these routes use it."""

    @property
    def archive(self) -> Archive:
        if self.context.archive is None:
            raise Defect("These routes have no archive.", code="no-archive")
        return self.context.archive

    async def run(
        self, principal: Principal, action: Action, study_uid: str, work: Callable[[Principal], T]
    ) -> T:
        """`work` in a thread, for an account that may do `action` on this study."""
        who = permit(principal, action)
        if not who.account:
            raise Refused("Only an account draws.", code="not-permitted")

        def whole() -> T:
            if not reports.study_seen(self.archive, who, study_uid):
                # the same words where it exists and is not for this principal
                raise Refused("There is no such study.", code="not-found")
            return work(who)

        return await asyncio.to_thread(whole)


def _stale(stale: drafts.Stale) -> Response:
    return problem(409, detail=stale.message, code=stale.code, version=stale.version)


def _discard(desk: Desk, who: Principal, study_uid: str, version: int) -> None:
    """What was drawn meanwhile stays."""
    try:
        with writing(desk.context.engine) as connection:
            drafts.discard(connection, who.account, study_uid, version)
    except drafts.Stale:
        return
