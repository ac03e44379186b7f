"""Layouts: kept, listed, exchanged, and chosen for a study."""

import asyncio
from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Request
from sqlalchemy import Connection

from filmless.access.audit.model import Entry, Kind
from filmless.access.model import Action, Principal, may, permit
from filmless.archive.api.deciding import DECIDING, Caller, Desk
from filmless.archive.api.words import Uid
from filmless.archive.web.context import ArchiveWeb
from filmless.db.work import reading, writing
from filmless.kit.errors import Refused
from filmless.net.http.origin import client_host
from filmless.viewing import layouts, relevance
from filmless.viewing.api.words import Exchange, Hanging, LayoutIn, Layouts, LayoutWords

T = TypeVar("T")
Key = Annotated[int, Path(ge=1, le=2**53)]
StudyUid = Annotated[Uid, Path(description="Study Instance UID.")]


def router(context: ArchiveWeb | None) -> APIRouter:
    """The routes. `context` None: only to be described."""
    made = APIRouter(responses=DECIDING)
    desk = _Hanging(context)

    @made.get("/layouts", summary="The layouts that count for the own account")
    async def list_layouts(principal: Caller) -> Layouts:
        found = await desk.read(principal, layouts.all_for)
        return Layouts(layouts=[_words(one) for one in found])

    @made.post("/layouts", status_code=201, summary="Keep a layout for exams like this")
    async def add_layout(request: Request, principal: Caller, body: LayoutIn) -> LayoutWords:
        (kept,) = await desk.keep(request, principal, [(0, body)])
        return kept

    @made.get("/layouts/export", summary="The layouts as a file")
    async def export_layouts(principal: Caller) -> Exchange:
        found = await desk.read(principal, layouts.all_for)
        fields = LayoutIn.model_fields.keys()
        return Exchange(
            layouts=[LayoutIn.model_validate(_words(one).model_dump(include=set(fields))) for one in found][
                :500
            ]
        )

    @made.post("/layouts/import", status_code=201, summary="Keep the layouts of a file")
    async def import_layouts(request: Request, principal: Caller, body: Exchange) -> Layouts:
        """All or none."""
        return Layouts(layouts=await desk.keep(request, principal, [(0, one) for one in body.layouts]))

    @made.put("/layouts/{number}", summary="Change a layout")
    async def change_layout(request: Request, principal: Caller, number: Key, body: LayoutIn) -> LayoutWords:
        (kept,) = await desk.keep(request, principal, [(number, body)])
        return kept

    @made.delete("/layouts/{number}", status_code=204, summary="Delete a layout")
    async def delete_layout(request: Request, principal: Caller, number: Key) -> None:
        def work(connection: Connection, who: Principal) -> None:
            desk.note(connection, who, request, "layout deleted", [layouts.remove(connection, who, number)])

        await desk.write(principal, work)

    @made.get("/studies/{study_uid}/layouts", summary="The layouts and priors for a study")
    async def layouts_for_study(principal: Caller, study_uid: StudyUid) -> Hanging:
        who = permit(principal, Action.VIEW)

        def work(connection: Connection, _: Principal) -> Hanging:
            exam = layouts.exam_of(connection, who, study_uid)
            if exam is None:
                raise Refused("There is no such study.", code="not-found")
            return Hanging(
                layouts=[_words(one) for one in layouts.matching(connection, principal, exam)][:50],
                modalities=sorted(exam.modalities),
                body_parts=sorted(exam.body_parts),
                department=exam.department,
                priors=relevance.relevant(connection, who, study_uid, exam),
            )

        return await desk.read(principal, work)

    return made


class _Hanging(Desk):
    """Reads and writes layouts for those who see images, or look after the server."""

    async def read(self, principal: Principal, work: Callable[[Connection, Principal], T]) -> T:
        _admit(principal)

        def whole() -> T:
            with reading(self.context.engine) as connection:
                return work(connection, principal)

        return await asyncio.to_thread(whole)

    async def write(self, principal: Principal, work: Callable[[Connection, Principal], T]) -> T:
        _admit(principal)

        def whole() -> T:
            with writing(self.context.engine) as connection:
                return work(connection, principal)

        return await asyncio.to_thread(whole)

    async def keep(
        self, request: Request, principal: Principal, wanted: list[tuple[int, LayoutIn]]
    ) -> list[LayoutWords]:
        def work(connection: Connection, who: Principal) -> list[LayoutWords]:
            kept = [layouts.keep(connection, who, _layout(number, body)) for number, body in wanted]
            self.note(connection, who, request, "layout kept", kept)
            return [_words(one) for one in kept]

        return await self.write(principal, work)

    def note(
        self,
        connection: Connection,
        who: Principal,
        request: Request,
        what: str,
        changed: list[layouts.Layout],
    ) -> None:
        """What others see changed goes to the trail, in the same transaction."""
        shared = [one for one in changed if one.owner != "user"]
        if not shared:
            return
        names = [{"number": one.number, "owner": one.owner, "name": one.name} for one in shared[:50]]
        host = client_host(request, self.context.http)
        entry = Entry(Kind.CONFIG, who, host=host, what=what, detail={"layouts": names})
        self.context.trail.record_in(connection, entry)


def _admit(principal: Principal) -> None:
    if not may(principal, Action.LAYOUTS):
        permit(principal, Action.VIEW)


def _layout(number: int, body: LayoutIn) -> layouts.Layout:
    return layouts.Layout(
        number,
        body.owner,
        body.department,
        body.name,
        body.modality,
        body.body_part,
        body.procedure,
        body.content.model_dump(mode="json"),
    )


def _words(one: layouts.Layout) -> LayoutWords:
    return LayoutWords.model_validate(
        {
            "number": one.number,
            "owner": one.owner,
            "department": one.department,
            "name": one.name,
            "modality": one.modality,
            "body_part": one.body_part,
            "procedure": one.procedure,
            "content": one.content,
            "changed_at": one.changed_at,
            "changed_by": one.changed_by,
        }
    )
