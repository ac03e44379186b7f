"""WADO-RS objects: a study, a series, an instance as DICOM files (PS3.18 10.4.1.1.1), stored or transcoded.

Where nothing has to be made, length and place of everything are known before the first byte: the answer is files read
and sent as they are.
"""

import asyncio
import weakref
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from filmless.access.model import Action
from filmless.archive.query import instances_of
from filmless.archive.query.instances import StoredInstance
from filmless.archive.query.keys import Level
from filmless.archive.query.listing import demand_one_patient
from filmless.archive.web import zipped
from filmless.archive.web.asking import CACHE, Asked, asked, demand_taking, etag_of, not_found, unchanged
from filmless.archive.web.context import ArchiveWeb
from filmless.archive.web.lookup import Lookup
from filmless.archive.web.outgoing import Making, Outgoing, file_head
from filmless.db.work import reading
from filmless.dicom import uids
from filmless.dicom.web import accept, media_types
from filmless.dicom.web.media_types import DICOM
from filmless.dicom.web.multipart import closing, content_type, new_boundary, part_head
from filmless.net.http.streams import FileSlice, Segment, Segments

#: some objects cannot be had in what is accepted: the others are given (PS3.18 8.5.1, 206)
_SOME: Final = '299 - "Some objects cannot be given in a transfer syntax that is accepted."'


class Objects:
    """Answers with objects."""

    def __init__(self, context: ArchiveWeb, lookup: Lookup) -> None:
        self._context = context
        self._lookup = lookup
        self._making = Making(context)

    async def retrieve(self, request: Request) -> Response:
        """GET of a study, a series, an instance."""
        ask = asked(request, self._context)
        for wish in ask.wishes:
            if wish.media_type == media_types.ZIP and wish.multipart is False:
                return await self._zip(request, wish.transfer_syntax)
            if accept.instance_form([wish], 1):
                demand_taking(request, self._context)
                return await self._dicom(request, ask)
        raise accept.not_acceptable("objects are application/dicom, or application/zip of them")

    def _load(self, ask: Asked) -> list[StoredInstance]:
        level: Level = "IMAGE" if ask.instance else "SERIES" if ask.series else "STUDY"
        with reading(self._context.engine) as connection:
            return list(
                instances_of(
                    connection,
                    ask.principal,
                    level=level,
                    study_uids=[ask.study],
                    series_uids=[ask.series] if ask.series else [],
                    sop_uids=[ask.instance] if ask.instance else [],
                )
            )

    def _demand_one_patient(self, ask: Asked) -> None:
        with reading(self._context.engine) as connection:
            demand_one_patient(connection, ask.principal, ask.study)

    async def _zip(self, request: Request, syntax: str) -> Response:
        ask = asked(request, self._context, Action.EXPORT)
        if not ask.instance:
            # a file for a person, called by the number: not of two patients
            await asyncio.to_thread(self._demand_one_patient, ask)
        found = await asyncio.to_thread(self._load, ask)
        if not found:
            raise not_found()
        if syntax not in ("", "*"):
            for stored in {one.ts for one in found}:
                if not media_types.transcodable(stored, syntax):
                    raise accept.not_acceptable(accept.nothing_of(uids.name_of(stored)))
        target = syntax if syntax != "*" else ""
        return zipped.answer(self._context, ask, [Outgoing(one, target or one.ts) for one in found])

    async def _dicom(self, request: Request, ask: Asked) -> Response:
        if ask.instance:
            row = await self._lookup.instance(ask.principal, ask.study, ask.series, ask.instance)
            found = [row.stored] if row is not None else []
        else:
            found = await asyncio.to_thread(self._load, ask)
        if not found:
            raise not_found()
        form = accept.instance_form(ask.wishes, len(found))
        if form is None:
            raise accept.not_acceptable(f"{len(found)} objects do not fit into one body")
        targets = {one.ts: accept.instance(ask.wishes, one.ts, form=form) for one in found}
        outgoing = [Outgoing(one, target) for one in found if (target := targets[one.ts])]
        if not outgoing:
            raise accept.not_acceptable(accept.nothing_of(*sorted(map(uids.name_of, targets))))
        headers = {"Cache-Control": CACHE, "Vary": "Accept"}
        if ask.instance:
            one = outgoing[0]
            headers["ETag"] = etag_of(one.one, one.syntax, form)
            if (same := unchanged(request, headers["ETag"])) is not None:
                return same
        self._context.trail.viewed(ask.principal, ask.host, ask.study, "pixels")
        if len(outgoing) < len(found):
            headers["Warning"] = _SOME
        status = 206 if len(outgoing) < len(found) else 200
        if form == "single":
            return await self._single(outgoing[0], headers)
        if all(one.as_stored and not one.one.correction for one in outgoing):
            return await asyncio.to_thread(self._as_stored, outgoing, headers, status)
        return await self._mixed(outgoing, headers, status)

    def _as_stored(self, outgoing: Sequence[Outgoing], headers: dict[str, str], status: int) -> Response:
        """Nothing to make: all lengths are known."""
        boundary = new_boundary()
        kinds = {one.syntax: f"{DICOM}; transfer-syntax={one.syntax}" for one in outgoing}
        heads = [
            part_head(boundary, kinds[one.syntax], first=not at) + file_head(one)
            for at, one in enumerate(outgoing)
        ]
        ends = closing(boundary)
        length = sum(map(len, heads)) + sum(one.one.size for one in outgoing) + len(ends)
        store = str(self._context.store)

        def parts() -> Iterator[Segment]:
            for head, one in zip(heads, outgoing, strict=True):
                yield head
                yield FileSlice(f"{store}/{one.one.path}", one.one.offset, one.one.size)
            yield ends

        return Segments(
            parts(),
            length=length,
            status_code=status,
            media_type=content_type(boundary, DICOM),
            headers=headers,
        )

    async def single(self, request: Request, ask: Asked, one: Outgoing) -> Response:
        """One object as one body, recorded as seen."""
        headers = {"Cache-Control": CACHE, "Vary": "Accept", "ETag": etag_of(one.one, one.syntax, "single")}
        if (same := unchanged(request, headers["ETag"])) is not None:
            return same
        self._context.trail.viewed(ask.principal, ask.host, one.one.study_uid, "pixels")
        return await self._single(one, headers)

    async def _single(self, one: Outgoing, headers: dict[str, str]) -> Response:
        out = await self._making.made(one)
        head = file_head(one)
        kind = f"{DICOM}; transfer-syntax={one.syntax}"
        body = [head, *out.segments]
        response = Segments(body, length=len(head) + out.size, media_type=kind, headers=headers)
        weakref.finalize(response, out.discard)
        return response

    async def _mixed(self, outgoing: Sequence[Outgoing], headers: dict[str, str], status: int) -> Response:
        boundary = new_boundary()
        if len(outgoing) == 1:
            # what cannot be made is said before an answer begins
            alone = await self._making.made(outgoing[0])
            ends = closing(boundary)
            head = self._head(boundary, outgoing[0], first=True)
            body = [head, *alone.segments, ends]
            response = Segments(
                body,
                length=len(head) + alone.size + len(ends),
                status_code=status,
                media_type=content_type(boundary, DICOM),
                headers=headers,
            )
            weakref.finalize(response, alone.discard)
            return response

        async def parts() -> AsyncIterator[Segment]:
            first = True
            async with aclosing(self._making.each(outgoing)) as objects:
                async for one, out in objects:
                    yield self._head(boundary, one, first=first)
                    for segment in out.segments:
                        yield segment
                    first = False
            yield closing(boundary)

        return Segments(
            parts(), status_code=status, media_type=content_type(boundary, DICOM), headers=headers
        )

    def _head(self, boundary: str, one: Outgoing, *, first: bool) -> bytes:
        return part_head(boundary, f"{DICOM}; transfer-syntax={one.syntax}", first=first) + file_head(one)


def routes(objects: Objects) -> Iterator[BaseRoute]:
    """Their addresses."""
    for path in (
        "/studies/{study}",
        "/studies/{study}/series/{series}",
        "/studies/{study}/series/{series}/instances/{instance}",
    ):
        yield Route(path, objects.retrieve, methods=["GET"])
