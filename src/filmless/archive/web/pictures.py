"""Pictures made in codec processes, and those that are kept on disk: thumbnails and what moves.

A picture's name is a hash of the object's bytes, its corrections and the
wish, so that a corrected or replaced object has other pictures, and one that is gone has none that is ever asked for.
"""

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from starlette.responses import Response

from filmless.archive import kept_pictures
from filmless.archive.codecs import DataSet, Picture
from filmless.archive.leaving import leaving
from filmless.archive.query.instances import StoredInstance
from filmless.archive.web.context import ArchiveWeb
from filmless.dicom.rendering import THUMBNAIL_SIDE, Wish
from filmless.kit.errors import Refused
from filmless.net.http.streams import CHUNK, FileSlice, Segment, Segments, ranged

#: raised whenever the same wish gives another picture than before
_RENDERING = 1
#: pictures kept between two looks at how much there is
_BETWEEN = 200
#: an image that cannot be shown; no fault of the request's
NOT_TO_BE_SHOWN = frozenset(
    {"no-pixels", "bad-pixels", "unsupported-syntax", "unsupported-pixels", "bad-palette", "unreadable"}
)


@dataclass(frozen=True, slots=True)
class Spooled:
    """A large picture that is sent once: a file without a name, gone when nobody holds it any more."""

    file: BinaryIO
    length: int

    async def pieces(self) -> AsyncIterator[bytes]:
        """Its bytes, once."""
        while piece := await asyncio.to_thread(self.file.read, CHUNK):
            yield piece


@dataclass(frozen=True, slots=True)
class Made:
    """A finished picture, ready to be sent."""

    media_type: str
    content: bytes | FileSlice | Spooled
    warnings: tuple[str, ...] = ()


def name_of(stored: StoredInstance, wish: Wish, state: StoredInstance | None = None, more: str = "") -> str:
    """What the picture depends on, as a short name; also its ETag."""
    on: list[Any] = [_RENDERING, more, stored.sha256, stored.ts, stored.correction, wish.as_json()]
    if state is not None:
        on += [state.sha256, state.ts, state.correction]
    return hashlib.sha256(json.dumps(on, sort_keys=True).encode()).hexdigest()[:40]


class Pictures:
    """Makes pictures of stored objects and keeps some. One for each process; folders are shared between processes."""

    def __init__(self, context: ArchiveWeb, limit_bytes: int = kept_pictures.LIMIT_BYTES) -> None:
        self._context = context
        self._folder = kept_pictures.folder_of(context.home)
        self._limit = limit_bytes
        self._making: dict[str, asyncio.Task[Made]] = {}
        self._since_look = 0

    async def render(self, stored: StoredInstance, wish: Wish, state: StoredInstance | None = None) -> Made:
        """A picture that is not kept. Raises as Codecs does, the codes of NOT_TO_BE_SHOWN among them."""
        picture = await self._draw(stored, wish, state)
        return await asyncio.to_thread(_taken, picture)

    async def kept(
        self, name: str, stored: StoredInstance, wish: Wish, state: StoredInstance | None = None
    ) -> Made:
        """A picture from the folder, or made and put there; many that ask at once wait for one."""
        return await self._once(stored, name, lambda: self._draw(stored, wish, state))

    async def thumbnail(self, name: str, stored: StoredInstance, wish: Wish, label: str) -> Made:
        """The same; of what cannot be shown, a sheet with the label on it."""

        async def make() -> Picture:
            try:
                return await self._draw(stored, wish, None)
            except Refused as error:
                if error.code not in NOT_TO_BE_SHOWN:
                    raise
                return await self._sheet(wish, label)

        return await self._once(stored, name, make)

    async def icon(self, name: str, stored: StoredInstance, wish: Wish, label: str) -> Made:
        """The sheet alone."""
        return await self._once(stored, name, lambda: self._sheet(wish, label))

    async def _sheet(self, wish: Wish, label: str) -> Picture:
        side = min(wish.viewport.width, wish.viewport.height) if wish.viewport else THUMBNAIL_SIDE
        return await self._context.codecs.icon(label, side, wish.media_type)

    async def _draw(self, stored: StoredInstance, wish: Wish, state: StoredInstance | None) -> Picture:
        image = await self._source(stored)
        through = await self._source(state) if state is not None else None
        return await self._context.codecs.render(image, wish, through)

    async def _source(self, stored: StoredInstance) -> DataSet:
        """Where the object's bytes are, its corrections in force. Raises Unavailable where they cannot be read."""
        if not stored.correction:
            path = str(self._context.store / stored.path)
            return DataSet(path, stored.offset, stored.size, stored.ts)
        out = await asyncio.to_thread(leaving, stored, self._context.store)
        return DataSet(str(out.path), out.offset, out.length, out.transfer_syntax, out.head)

    async def _once(self, stored: StoredInstance, name: str, make: Callable[[], Awaitable[Picture]]) -> Made:
        path = kept_pictures.path_of(self._context.home, stored.sha256, name)
        found = await asyncio.to_thread(kept_pictures.find, path)
        if found is not None:
            return _of(found)
        task = self._making.get(name)
        if task is None:
            task = asyncio.create_task(self._keep(path, make))
            self._making[name] = task
            task.add_done_callback(lambda done: self._made(name, done))
        # a client that goes does not take the picture from the others
        return await asyncio.shield(task)

    def _made(self, name: str, task: asyncio.Task[Made]) -> None:
        self._making.pop(name, None)
        if not task.cancelled():
            task.exception()  # known to whoever waits; nobody may

    async def _keep(self, path: Path, make: Callable[[], Awaitable[Picture]]) -> Made:
        made = await asyncio.to_thread(_kept, await make(), path)
        self._since_look += 1
        if self._since_look >= _BETWEEN:
            self._since_look = 0
            await asyncio.to_thread(kept_pictures.tidy, self._folder, self._limit)
        return made


def response_of(made: Made, asked_range: str, headers: Mapping[str, str]) -> Response:
    """A picture as an answer; `asked_range`: the Range header, which kept pictures heed."""
    content = made.content
    if isinstance(content, FileSlice):
        return ranged(asked_range, content, made.media_type, headers)
    if isinstance(content, Spooled):
        return Segments(content.pieces(), length=content.length, media_type=made.media_type, headers=headers)
    return Segments([content], length=len(content), media_type=made.media_type, headers=headers)


async def segments_of(made: Made) -> AsyncIterator[Segment]:
    """The bytes of a picture, for those who put them between others."""
    if isinstance(made.content, Spooled):
        async for piece in made.content.pieces():
            yield piece
    else:
        yield made.content


def length_of(made: Made) -> int:
    """Bytes of a picture."""
    return len(made.content) if isinstance(made.content, bytes) else made.content.length


def _of(kept: kept_pictures.Kept) -> Made:
    return Made(kept.media_type, FileSlice(kept.path, 0, kept.length), kept.warnings)


def _kept(picture: Picture, path: Path) -> Made:
    """One that cannot be kept is sent all the same."""
    kept = kept_pictures.keep(path, picture.path, picture.media_type, picture.warnings)
    return _of(kept) if kept is not None else _taken(picture, whole=True)


def _taken(picture: Picture, *, whole: bool = False) -> Made:
    """A small picture (`whole`: any) in memory, a large one in its file, which loses its name."""
    try:
        with ExitStack() as stack:
            file = stack.enter_context(picture.path.open("rb"))
            length = os.fstat(file.fileno()).st_size
            if whole or length <= CHUNK:
                return Made(picture.media_type, file.read(), picture.warnings)
            stack.pop_all()
            return Made(picture.media_type, Spooled(file, length), picture.warnings)
    finally:
        picture.discard()
