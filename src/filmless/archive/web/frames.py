"""WADO-RS frames: /studies/{}/series/{}/instances/{}/frames/{list} (PS3.18 10.4.1.1.6), the shortest way to pixels."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import lru_cache
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from filmless.archive.codecs import DataSet
from filmless.archive.web.asking import CACHE, Asked, asked, etag_of, not_found, unchanged, unreadable
from filmless.archive.web.context import ArchiveWeb
from filmless.archive.web.lookup import Found, Lookup
from filmless.archive.web.offsets import Offsets
from filmless.dicom import uids
from filmless.dicom.frames import Place
from filmless.dicom.web import accept, media_types
from filmless.dicom.web.accept import Choice, Wish
from filmless.dicom.web.multipart import closing, content_type, new_boundary, part_head
from filmless.kit.errors import Refused
from filmless.net.http.streams import FileSlice, Segment, Segments, part_asked

_LIST: Final = re.compile(r"[1-9][0-9]{0,8}(,[1-9][0-9]{0,8})*")


def numbers_of(text: str) -> list[int]:
    """Frame numbers of an address, from 1, in their order. Raises Refused (code "bad-frames")."""
    if not _LIST.fullmatch(text):
        raise Refused("Frames are numbers from 1 on, with commas between them.", code="bad-frames")
    return [int(number) for number in text.split(",")]


@lru_cache(1024)
def _choice(wishes: Sequence[Wish], stored: str, count: int) -> Choice | None:
    return accept.frames(wishes, stored, count)


class Frames:
    """Answers with frames, as stored or in another syntax."""

    def __init__(self, context: ArchiveWeb, lookup: Lookup, offsets: Offsets) -> None:
        self._context = context
        self._lookup = lookup
        self._offsets = offsets

    async def retrieve(self, request: Request) -> Response:
        """GET .../frames/{frames}"""
        ask = asked(request, self._context)
        numbers = numbers_of(request.path_params["frames"])
        found = await self._lookup.instance(ask.principal, ask.study, ask.series, ask.instance)
        if found is None:
            raise not_found()
        return await self.answer(request, ask, found, numbers)

    async def pixels(self, request: Request) -> Response:
        """GET .../pixeldata: all frames"""
        ask = asked(request, self._context)
        found = await self._lookup.instance(ask.principal, ask.study, ask.series, ask.instance)
        if found is None:
            raise not_found()
        return await self.answer(request, ask, found, None)

    async def answer(
        self, request: Request, ask: Asked, found: Found, numbers: Sequence[int] | None
    ) -> Response:
        """The frames `numbers` (None: all) of an object that the principal sees."""
        stored = found.stored.ts
        if uids.transfer_syntax(stored).deflated:
            places: Sequence[Place] = [()] * (max(numbers) if numbers else 1)
        else:
            try:
                places = await self._offsets.of(found)
            except OSError as why:
                raise unreadable(why) from why
        if not places:
            raise Refused("This object has no frames that could be told apart.", code="not-found")
        if numbers is None:
            numbers = range(1, len(places) + 1)
        if max(numbers) > len(places):
            raise Refused(f"The last frame has the number {len(places)}.", code="not-found")
        # a list of one is one: more tells only that one body cannot hold them
        choice = _choice(tuple(ask.wishes), stored, min(len(numbers), 2))
        if choice is None:
            several = f", {len(numbers)} frames together" if len(numbers) > 1 else ""
            raise accept.not_acceptable(accept.nothing_of(uids.name_of(stored)) + several)
        etag = etag_of(found.stored, choice.transfer_syntax, int(choice.multipart))
        if (same := unchanged(request, etag)) is not None:
            return same
        self._context.trail.viewed(ask.principal, ask.host, found.stored.study_uid, "pixels")
        headers = {"ETag": etag, "Cache-Control": CACHE, "Vary": "Accept"}
        kind = f"{choice.media_type}; transfer-syntax={choice.transfer_syntax}"
        if choice.transfer_syntax != stored and not (
            choice.transfer_syntax == uids.EXPLICIT_VR_LE and stored in media_types.NATIVE
        ):
            return await self._made(found, places, numbers, choice, kind, headers)
        path = self._context.store / found.stored.path
        chosen = [[FileSlice(path, *pair) for pair in pairs(places[number - 1])] for number in numbers]
        if choice.transfer_syntax == uids.EXPLICIT_VR_LE and _within_bytes(places):
            # frames of one bit per pixel that need not begin at a byte
            return await self._made(found, places, numbers, choice, kind, headers)
        if not choice.multipart:
            return ranged(request, chosen[0], kind, headers)
        boundary = new_boundary()
        ends = closing(boundary)
        heads = [part_head(boundary, kind, first=not at) for at in range(len(chosen))]
        length = sum(map(len, heads)) + len(ends) + sum(piece.length for one in chosen for piece in one)

        def parts() -> Iterator[Segment]:
            for head, pieces in zip(heads, chosen, strict=True):
                yield head
                yield from pieces
            yield ends

        return Segments(
            parts(), length=length, media_type=content_type(boundary, choice.media_type), headers=headers
        )

    async def _made(
        self,
        found: Found,
        places: Sequence[Place],
        numbers: Sequence[int],
        choice: Choice,
        kind: str,
        headers: dict[str, str],
    ) -> Response:
        """Frames in another syntax, each made when the one before is on its way."""
        one = found.stored
        source = DataSet(str(self._context.store / one.path), one.offset, one.size, one.ts)

        async def make(number: int) -> bytes:
            place = tuple(places[number - 1])
            return await self._context.codecs.frame(source, number - 1, place, choice.transfer_syntax)

        # what cannot be made at all is said before an answer begins
        try:
            first = await make(numbers[0])
        except Refused as why:
            if why.code == "unreadable":
                raise
            raise accept.not_acceptable(why.message.rstrip(".")) from why
        if not choice.multipart:
            return Segments([first], length=len(first), media_type=kind, headers=headers)
        boundary = new_boundary()
        if len(numbers) == 1:
            body = [part_head(boundary, kind, first=True), first, closing(boundary)]
            return Segments(
                body,
                length=sum(map(len, body)),
                media_type=content_type(boundary, choice.media_type),
                headers=headers,
            )

        async def parts() -> AsyncIterator[Segment]:
            data, following = first, asyncio.ensure_future(make(numbers[1]))
            try:
                for at in range(len(numbers)):
                    yield part_head(boundary, kind, first=not at)
                    yield data
                    if at + 1 < len(numbers):
                        data = await following
                        if at + 2 < len(numbers):
                            following = asyncio.ensure_future(make(numbers[at + 2]))
                yield closing(boundary)
            finally:
                following.cancel()

        return Segments(parts(), media_type=content_type(boundary, choice.media_type), headers=headers)


def pairs(place: Place) -> Iterator[tuple[int, int]]:
    """(offset, length) of each fragment of a frame."""
    return zip(place[::2], place[1::2], strict=True)


def _within_bytes(places: Sequence[Place]) -> bool:
    """Whether native frames begin within bytes: then neighbours share one, or their lengths differ."""
    if len(places) < 2:
        return False
    first, second = places[0], places[1]
    return len(first) == 2 and (second[0] != first[0] + first[1] or second[1] != first[1])


def ranged(request: Request, pieces: Sequence[FileSlice], kind: str, headers: dict[str, str]) -> Segments:
    """One body from parts of a file, or the range of it that is asked for (RFC 9110 14)."""
    size = sum(piece.length for piece in pieces)
    more = {**headers, "Accept-Ranges": "bytes"}
    wanted = request.headers.get("range")
    condition = request.headers.get("if-range")
    part = part_asked(wanted, size) if wanted and condition in (None, headers.get("ETag")) else None
    if part is None:
        return Segments(list(pieces), length=size, media_type=kind, headers=more)
    first, last = part
    more["Content-Range"] = f"bytes {first}-{last}/{size}"
    cut: list[Segment] = []
    at = 0
    for piece in pieces:
        start, end = max(first - at, 0), min(last + 1 - at, piece.length)
        if start < end:
            cut.append(FileSlice(piece.path, piece.offset + start, end - start))
        at += piece.length
    return Segments(cut, length=last - first + 1, media_type=kind, status_code=206, headers=more)


def routes(frames: Frames) -> list[BaseRoute]:
    """Their addresses."""
    instance = "/studies/{study}/series/{series}/instances/{instance}"
    return [
        Route(f"{instance}/frames/{{frames}}", frames.retrieve, methods=["GET"]),
        Route(f"{instance}/pixeldata", frames.pixels, methods=["GET"]),
    ]
