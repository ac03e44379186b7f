"""WADO-URI: one object by query parameters (PS3.18 chapter 9), for older viewers and links in other systems."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from filmless.access.model import Action
from filmless.archive.leaving import leaving
from filmless.archive.query.instances import StoredInstance
from filmless.archive.query.pictured import Pictured, pictured
from filmless.archive.web.asking import (
    Asked,
    demand_taking,
    host_of,
    not_found,
    permitted,
    uid_of,
    unchanged,
)
from filmless.archive.web.context import ArchiveWeb
from filmless.archive.web.documents import DOCUMENTS, document
from filmless.archive.web.objects import Objects
from filmless.archive.web.outgoing import Outgoing
from filmless.archive.web.picture_wish import Looks, looks, viewport, window
from filmless.archive.web.pictures import NOT_TO_BE_SHOWN, Pictures, name_of, response_of
from filmless.db.work import reading
from filmless.dicom import uids
from filmless.dicom.header import integer
from filmless.dicom.rendering import MAX_SIDE, STILL, Wish
from filmless.dicom.web import accept
from filmless.dicom.web.accept import wishes_of
from filmless.dicom.web.media_types import DICOM
from filmless.kit.errors import Refused

_ROWS, _COLUMNS = 0x00280010, 0x00280011
_WORDS: Final = {"study": "studyUID", "series": "seriesUID", "instance": "objectUID"}


class Uri:
    """Answers WADO-URI."""

    def __init__(self, context: ArchiveWeb, objects: Objects) -> None:
        self._context = context
        self._objects = objects
        self._pictures = Pictures(context)

    async def retrieve(self, request: Request) -> Response:
        """GET /wado?requestType=WADO&studyUID=...&seriesUID=...&objectUID=..."""
        given = request.query_params
        principal = permitted(request, self._context, Action.VIEW)
        _check(given)
        uids = {name: uid_of({name: given[word]}, name) for name, word in _WORDS.items()}
        content = given.get("contentType", "")
        # a "+" of a media type was taken for a space
        wishes = wishes_of(content.replace(" ", "+") if "/" in content else None)
        ask = Asked(principal, host_of(request, self._context), wishes, **uids)

        def find() -> list[Pictured]:
            with reading(self._context.engine) as connection:
                return pictured(connection, principal, ask.study, ask.series, ask.instance)

        found = await asyncio.to_thread(find)
        if not found:
            raise not_found()
        one = found[0]
        offered = [kind for kind in DOCUMENTS.get(one.stored.sop_class, ()) if kind != DICOM]
        if one.image:
            offered += [*STILL, "video/mp4"] if one.frames > 1 else [*STILL]
            # a picture is what is meant where nothing is said (PS3.18 9.1.2.1.4)
            offered.sort(key=lambda kind: kind != "image/jpeg")
        chosen = accept.document(wishes, [(kind, False) for kind in (*offered, DICOM)])
        if chosen is None:
            raise accept.not_acceptable(", ".join((*offered, DICOM)))
        if chosen[0] == DICOM:
            demand_taking(request, self._context)
            return await self._object(request, ask, one.stored, given.get("transferSyntax", ""))
        self._context.trail.viewed(principal, ask.host, ask.study, "rendered")
        if chosen[0] in DOCUMENTS.get(one.stored.sop_class, ()):
            return await document(self._context, one.stored, chosen[0])
        return await self._picture(request, ask, one, chosen[0])

    async def _object(self, request: Request, ask: Asked, stored: StoredInstance, syntax: str) -> Response:
        """The object, in Explicit VR Little Endian where nothing else is said (PS3.18 9.1.2.1.2)."""
        wishes = wishes_of(f"{DICOM}; transfer-syntax={syntax}" if syntax else DICOM)
        target = accept.instance(wishes, stored.ts, form="single")
        if target is None:
            raise accept.not_acceptable(accept.nothing_of(uids.name_of(stored.ts)))
        return await self._objects.single(request, ask, Outgoing(stored, target))

    async def _picture(self, request: Request, ask: Asked, one: Pictured, media_type: str) -> Response:
        given = request.query_params
        wish, state_uid = await asyncio.to_thread(self._wish, given, one, media_type)
        state: StoredInstance | None = None
        if state_uid.state:

            def find() -> list[Pictured]:
                with reading(self._context.engine) as connection:
                    return pictured(
                        connection, ask.principal, ask.study, state_uid.state_series, state_uid.state
                    )

            states = await asyncio.to_thread(find)
            if not states:
                raise Refused("There is no such presentation state.", code="not-found")
            state = states[0].stored
        name = name_of(one.stored, wish, state)
        if (same := unchanged(request, f'"{name}"')) is not None:
            return same
        try:
            made = await self._pictures.render(one.stored, wish, state)
        except Refused as why:
            if why.code in NOT_TO_BE_SHOWN:
                raise accept.not_acceptable(why.message.rstrip(".")) from why
            raise
        headers = {"ETag": f'"{name}"', "Cache-Control": "private, no-cache"}
        return response_of(made, request.headers.get("range", ""), headers)

    def _wish(self, given: Mapping[str, str], one: Pictured, media_type: str) -> tuple[Wish, Looks]:
        """The parameters of chapter 9 in the words of the rendered resources."""
        said = {"quality": given["imageQuality"]} if "imageQuality" in given else {}
        for word in ("presentationUID", "presentationSeriesUID"):
            if word in given:
                said[word] = given[word]
        look = looks(said)
        shown = None
        if "windowCenter" in given or "windowWidth" in given:
            if not ("windowCenter" in given and "windowWidth" in given):
                raise Refused("windowCenter and windowWidth belong together.", code="bad-window")
            shown = window(f"{given['windowCenter']},{given['windowWidth']}")
        port = None
        if {"rows", "columns", "region"} & given.keys():
            port = viewport(self._viewport(given, one.stored))
        frame = None
        if "frameNumber" in given:
            frame = _number(given["frameNumber"], "frameNumber") - 1
            if frame >= one.frames:
                raise Refused(f"The last frame has the number {one.frames}.", code="not-found")
        elif media_type in STILL:
            frame = 0
        return Wish(media_type, frame, shown, port, look.quality, look.icc), look

    def _viewport(self, given: Mapping[str, str], stored: StoredInstance) -> str:
        """rows, columns: the picture is no larger; region: left, top, right, bottom as fractions (PS3.18 9.1.2.2)."""
        header = leaving(stored, self._context.store).header(frozenset({_ROWS, _COLUMNS}))
        height, width = integer(header, _ROWS, 0) or 1, integer(header, _COLUMNS, 0) or 1
        region = [0.0, 0.0, 1.0, 1.0]
        if "region" in given:
            try:
                region = [float(part) for part in given["region"].split(",")]
            except ValueError:
                region = []
            if len(region) != 4 or not (0 <= region[0] < region[2] <= 1 and 0 <= region[1] < region[3] <= 1):
                raise Refused("region is left,top,right,bottom, each from 0 to 1.", code="bad-region")
        left, top, right, bottom = region
        shown = (left * width, top * height, (right - left) * width, (bottom - top) * height)
        columns = _number(given["columns"], "columns") if "columns" in given else 0
        rows = _number(given["rows"], "rows") if "rows" in given else 0
        if not columns and not rows:
            columns, rows = max(round(shown[2]), 1), max(round(shown[3]), 1)
        sides = (columns or MAX_SIDE, rows or MAX_SIDE)
        return ",".join(map(str, (*sides, *shown)))


def _check(given: Mapping[str, str]) -> None:
    if given.get("requestType") != "WADO":
        raise Refused("requestType must be WADO.", code="bad-request-type")
    for word in _WORDS.values():
        if not given.get(word):
            raise Refused(f"{word} is missing.", code="missing-parameter")
    if given.get("anonymize"):
        # never answered as if it had been done
        raise Refused("Objects are not anonymized here.", code="anonymize")


def _number(text: str, word: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0):
        raise Refused(f"{word} is a number from 1 on.", code="bad-number")
    return int(text)


def routes(uri: Uri) -> list[BaseRoute]:
    """Its address."""
    handler: Callable[[Request], object] = uri.retrieve
    return [Route("/wado", handler, methods=["GET"])]
