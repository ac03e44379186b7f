"""Rendered resources and thumbnails (PS3.18 10.4.1.1.3, 10.4.1.1.5, 8.3.5).

One object or frame is one body; studies, series and several frames are multipart messages of pictures. Without an
Accept that says otherwise image/jpeg; of an object of many frames that is its first, image/gif and video/mp4 show all.
A presentation state is shown on the first image that it references. Objects that cannot be rendered are left out of a
study or series; where nothing is left, or the object itself cannot be: 406.

A thumbnail shows the image in the middle of a series, of the series with the most images; of an object its frame in
the middle; of what is no image a sheet with the modality on it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from filmless.archive.leaving import leaving
from filmless.archive.query.instances import StoredInstance
from filmless.archive.query.pictured import Pictured, pictured, representative
from filmless.archive.web.asking import CACHE, Asked, asked, not_found, unchanged
from filmless.archive.web.context import ArchiveWeb
from filmless.archive.web.documents import DOCUMENTS, document
from filmless.archive.web.frames import numbers_of
from filmless.archive.web.picture_wish import Looks, looks, thumbnail_looks
from filmless.archive.web.pictures import (
    NOT_TO_BE_SHOWN,
    Made,
    Pictures,
    length_of,
    name_of,
    response_of,
    segments_of,
)
from filmless.db.work import reading
from filmless.dicom.rendering import MIDDLE, MOVING, STATES, Wish
from filmless.dicom.scan import sequence_items, text
from filmless.dicom.web import accept
from filmless.dicom.web.multipart import closing, content_type, new_boundary, part_head
from filmless.kit.errors import Refused
from filmless.net.http.streams import Segment, Segments

_STILL = ("image/jpeg", "image/png", "image/gif")
_ALL = (*_STILL, "video/mp4")
#: images of a presentation state that are looked for
_MOST_REFERENCES = 100
#: of a study or series, what has these is left out
_LEFT_OUT = NOT_TO_BE_SHOWN | {"not-acceptable", "too-many-frames"}
_REFERENCED_SERIES, _REFERENCED_IMAGES, _REFERENCED_UID = 0x00081115, 0x00081140, 0x00081155


def routes(context: ArchiveWeb) -> list[BaseRoute]:
    """The routes, relative to the root of DICOMweb."""
    edge = _Edge(context)
    study = "/studies/{study}"
    series = study + "/series/{series}"
    instance = series + "/instances/{instance}"
    frames = instance + "/frames/{frames}"
    return [
        Route(study + "/rendered", edge.many),
        Route(series + "/rendered", edge.many),
        Route(instance + "/rendered", edge.instance),
        Route(frames + "/rendered", edge.frames),
        *(Route(path + "/thumbnail", edge.thumbnail) for path in (study, series, instance, frames)),
    ]


class _Edge:
    """The handlers: read the request, find what may be seen, say the answer."""

    def __init__(self, context: ArchiveWeb) -> None:
        self._context = context
        self._pictures = Pictures(context)

    async def many(self, request: Request) -> Response:
        """A study or a series."""
        ask, look = asked(request, self._context), looks(request.query_params)
        images = [one for one in await self._found(ask) if one.image]
        if not images:
            raise _nothing()
        state = await self._state(ask, look)
        forms = (True, False) if len(images) == 1 else (True,)
        media_type, multipart = _chosen(ask, [(kind, form) for kind in _ALL for form in forms])
        if media_type == "video/mp4":
            images = [one for one in images if one.frames > 1]
            if not images:
                raise _nothing()
        self._viewed(ask, images[0].stored, "rendered")
        if not multipart:
            return await self._one(request, images[0], look, media_type, state)
        return await self._parts([(one, _wish(look, media_type)) for one in images], media_type, state, look)

    async def instance(self, request: Request) -> Response:
        """One object: an image, a presentation state, a document."""
        ask, look = asked(request, self._context), looks(request.query_params)
        (one,) = await self._found(ask)
        stored = one.stored
        if stored.sop_class in DOCUMENTS:
            media_type, _ = _chosen(ask, [(kind, False) for kind in DOCUMENTS[stored.sop_class]])
            self._viewed(ask, stored, "report")
            return await document(self._context, stored, media_type)
        state: StoredInstance | None
        if stored.sop_class in STATES:
            state, one = stored, await self._referenced(ask, stored)
        elif not one.image:
            raise _nothing()
        else:
            state = await self._state(ask, look)
        kinds = _ALL if one.frames > 1 else _STILL
        media_type, multipart = _chosen(ask, [(kind, form) for form in (False, True) for kind in kinds])
        self._viewed(ask, stored, "rendered")
        if multipart:
            return await self._parts([(one, _wish(look, media_type))], media_type, state, look)
        return await self._one(request, one, look, media_type, state)

    async def frames(self, request: Request) -> Response:
        """One frame or several."""
        ask, look = asked(request, self._context), looks(request.query_params)
        numbers = numbers_of(request.path_params["frames"])
        (one,) = await self._found(ask)
        if not one.image:
            raise _nothing()
        _in_range(numbers, one)
        state = await self._state(ask, look)
        forms = (False, True) if len(numbers) == 1 else (True,)
        media_type, multipart = _chosen(ask, [(kind, form) for form in forms for kind in _STILL])
        self._viewed(ask, one.stored, "rendered")
        if multipart:
            jobs = [(one, _wish(look, media_type, number - 1)) for number in numbers]
            return await self._parts(jobs, media_type, state, look, whole=True)
        return await self._one(request, one, look, media_type, state, numbers[0] - 1)

    async def thumbnail(self, request: Request) -> Response:
        """A small picture of anything."""
        ask, look = asked(request, self._context), thumbnail_looks(request.query_params)
        frame = MIDDLE
        if ask.instance:
            (one,) = await self._found(ask)
            if "frames" in request.path_params:
                numbers = numbers_of(request.path_params["frames"])[:1]
                _in_range(numbers, one)
                frame = numbers[0] - 1
        else:
            one = await self._representative(ask)
        media_type, _ = _chosen(ask, [(kind, False) for kind in _STILL])
        self._viewed(ask, one.stored, "thumbnail")
        drawn = _wish(look, media_type, frame)
        label = one.modality if one.modality.isascii() else ""
        name = name_of(one.stored, drawn, more=f"thumbnail {label}")
        if response := unchanged(request, f'"{name}"'):
            return response
        if one.image:
            made = await self._pictures.thumbnail(name, one.stored, drawn, label)
        else:
            made = await self._pictures.icon(name, one.stored, drawn, label)
        return _answer(request, made, name, look)

    # --- finding ---------------------------------------------------------------------------------------------

    async def _found(self, ask: Asked) -> list[Pictured]:
        """What the address names; raises Refused (code "not-found") where there is nothing to be seen."""
        found = await self._pictured(ask, ask.series, ask.instance)
        if not found:
            raise not_found()
        return found

    async def _pictured(self, ask: Asked, series_uid: str, sop_uid: str) -> list[Pictured]:
        def find() -> list[Pictured]:
            with reading(self._context.engine) as connection:
                return pictured(connection, ask.principal, ask.study, series_uid, sop_uid)

        return await asyncio.to_thread(find)

    async def _representative(self, ask: Asked) -> Pictured:
        def find() -> Pictured | None:
            with reading(self._context.engine) as connection:
                return representative(connection, ask.principal, ask.study, ask.series)

        found = await asyncio.to_thread(find)
        if found is None:
            raise not_found()
        return found

    async def _state(self, ask: Asked, look: Looks) -> StoredInstance | None:
        """The presentation state that is asked for, of the same study."""
        if not look.state:
            return None
        found = await self._pictured(ask, look.state_series, look.state)
        if not found:
            raise Refused("There is no such presentation state.", code="not-found")
        if found[0].stored.sop_class not in STATES:
            raise Refused("presentationUID names no presentation state that can be shown.", code="bad-state")
        return found[0].stored

    async def _referenced(self, ask: Asked, state: StoredInstance) -> Pictured:
        """The first image of a presentation state that is here."""

        def uids() -> list[str]:
            header = leaving(state, self._context.store).header(frozenset({_REFERENCED_SERIES}))
            return [
                text(image, _REFERENCED_UID)
                for one in sequence_items(header, _REFERENCED_SERIES)
                for image in sequence_items(one, _REFERENCED_IMAGES)
            ]

        for uid in (await asyncio.to_thread(uids))[:_MOST_REFERENCES]:
            found = await self._pictured(ask, "", uid)
            if found and found[0].image:
                return found[0]
        raise Refused("The images of this presentation state are not here.", code="not-acceptable")

    # --- answering -------------------------------------------------------------------------------------------

    async def _one(
        self,
        request: Request,
        one: Pictured,
        look: Looks,
        media_type: str,
        state: StoredInstance | None,
        frame: int | None = None,
    ) -> Response:
        drawn = _wish(look, media_type, frame)
        name = name_of(one.stored, drawn, state)
        if response := unchanged(request, f'"{name}"'):
            return response
        try:
            if frame is None and media_type in MOVING and one.frames > 1:
                # players ask for it in pieces: made once
                made = await self._pictures.kept(name, one.stored, drawn, state)
            else:
                made = await self._pictures.render(one.stored, drawn, state)
        except Refused as error:
            raise _for_http(error) from error
        return _answer(request, made, name, look)

    async def _parts(
        self,
        jobs: Sequence[tuple[Pictured, Wish]],
        media_type: str,
        state: StoredInstance | None,
        look: Looks,
        *,
        whole: bool = False,
    ) -> Response:
        """A multipart message, made part by part while the client takes it; `whole`: as `_made`."""
        parts = self._made(jobs, state, whole=whole)
        first = await anext(parts, None)  # whether there is anything at all is known before the answer begins
        if first is None:
            raise _nothing()
        boundary = new_boundary()

        async def body() -> AsyncIterator[Segment]:
            made: Made | None = first
            while made is not None:
                yield part_head(boundary, made.media_type, first=made is first, length=length_of(made))
                async for segment in segments_of(made):
                    yield segment
                made = await anext(parts, None)
            yield closing(boundary)

        headers = _headers([*look.warnings, *first.warnings])
        return Segments(body(), media_type=content_type(boundary, media_type), headers=headers)

    async def _made(
        self, jobs: Sequence[tuple[Pictured, Wish]], state: StoredInstance | None, *, whole: bool
    ) -> AsyncIterator[Made]:
        """The pictures one after the other. Left out is what cannot be shown, and images that the state is not for;
        `whole`: nothing, because the client knows frames by their place. Then the answer is cut off there."""
        for one, wish in jobs:
            try:
                made = await self._pictures.render(one.stored, wish, state)
            except Refused as error:
                if error.code in _LEFT_OUT and not whole:
                    continue
                raise _for_http(error) from error
            yield made

    def _viewed(self, ask: Asked, stored: StoredInstance, what: str) -> None:
        self._context.trail.viewed(ask.principal, ask.host, stored.study_uid, what)


def _chosen(ask: Asked, offered: Sequence[tuple[str, bool]]) -> tuple[str, bool]:
    found = accept.document(ask.wishes, offered)
    if found is None:
        forms = sorted({f"multipart of {kind}" if multipart else kind for kind, multipart in offered})
        raise accept.not_acceptable("there is " + ", ".join(forms))
    return found


def _wish(look: Looks, media_type: str, frame: int | None = None) -> Wish:
    return Wish(media_type, frame, look.window, look.viewport, look.quality, look.icc)


def _in_range(numbers: Sequence[int], one: Pictured) -> None:
    if max(numbers) > one.frames:
        raise Refused(f"The last frame has the number {one.frames}.", code="not-found")


def _nothing() -> Refused:
    return Refused("Nothing here can be rendered.", code="not-acceptable")


def _for_http(error: Refused) -> Refused:
    """An image that cannot be shown is not a request that is wrong: 406; a frame that is not there: 404."""
    if error.code in NOT_TO_BE_SHOWN:
        return Refused(f"This object cannot be rendered: {error.message}", code="not-acceptable")
    if error.code == "no-such-frame":
        return Refused(error.message, code="not-found")
    return error


def _headers(warnings: Sequence[str], name: str = "") -> dict[str, str]:
    headers = {"Cache-Control": CACHE, "Vary": "Accept"}
    if name:
        headers["ETag"] = f'"{name}"'
    if warnings:
        headers["Warning"] = ", ".join(f'299 filmless "{one}"' for one in warnings)
    return headers


def _answer(request: Request, made: Made, name: str, look: Looks) -> Response:
    headers = _headers([*look.warnings, *made.warnings], name)
    return response_of(made, request.headers.get("range", ""), headers)
