"""Pictures made in codec processes, and those that are kept on disk: thumbnails and what moves.

HOME/pictures may be emptied at any time. A picture's name is a hash of the object's bytes, its corrections and the
wish, so that a corrected or replaced object has other pictures, and one that is gone has none that is ever asked for.
"""

import asyncio
import hashlib
import json
import logging
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filmless.archive.codecs import DataSet, Picture
from filmless.archive.leaving import leaving
from filmless.archive.query.instances import StoredInstance
from filmless.archive.web.context import ArchiveWeb
from filmless.dicom.rendering import THUMBNAIL_SIDE, Wish
from filmless.kit import ids
from filmless.kit.errors import Refused
from filmless.net.http.streams import FileSlice

log = logging.getLogger(__name__)

#: raised whenever the same wish gives another picture than before
_RENDERING = 1
#: bytes that HOME/pictures may hold, and files, each from which on the oldest go until a fifth is free
LIMIT_BYTES = 1 << 30
_LIMIT_FILES = 100_000
#: pictures kept between two looks at how much there is
_BETWEEN = 200
#: one read or written so recently is not deleted: it may be on its way to a client; seconds
_YOUNG = 600.0
#: longest first line of a kept file; bytes
_HEAD = 16 << 10

#: an image that cannot be shown; no fault of the request's
NOT_TO_BE_SHOWN = frozenset(
    {"no-pixels", "bad-pixels", "unsupported-syntax", "unsupported-pixels", "bad-palette", "unreadable"}
)


@dataclass(frozen=True, slots=True)
class Made:
    """A finished picture, ready to be sent."""

    media_type: str
    content: bytes | FileSlice
    warnings: tuple[str, ...] = ()


def name_of(stored: StoredInstance, wish: Wish, state: StoredInstance | None = None, more: str = "") -> str:
    """What the picture depends on, as a short name; also its ETag."""
    on: list[Any] = [_RENDERING, more, stored.sha256, stored.ts, stored.correction, wish.as_json()]
    if state is not None:
        on += [state.sha256, state.ts, state.correction]
    return hashlib.sha256(json.dumps(on, sort_keys=True).encode()).hexdigest()[:40]


class Pictures:
    """Makes pictures of stored objects and keeps some. One for each process; folders are shared between processes."""

    def __init__(self, context: ArchiveWeb, limit_bytes: int = LIMIT_BYTES) -> None:
        self._context = context
        self._folder = context.home / "pictures"
        self._limit = limit_bytes
        self._making: dict[str, asyncio.Task[Made]] = {}
        self._since_look = 0

    async def render(self, stored: StoredInstance, wish: Wish, state: StoredInstance | None = None) -> Made:
        """A picture that is not kept. Raises as Codecs does, with words for HTTP (`shown_or_refused`)."""
        picture = await self._draw(stored, wish, state)
        return await asyncio.to_thread(_taken, picture)

    async def kept(
        self, name: str, stored: StoredInstance, wish: Wish, state: StoredInstance | None = None
    ) -> Made:
        """A picture from the folder, or made and put there; many that ask at once wait for one."""
        return await self._once(name, lambda: self._draw(stored, wish, state))

    async def thumbnail(self, name: str, stored: StoredInstance, wish: Wish, label: str) -> Made:
        """The same; of what cannot be shown, a sheet with the label on it."""

        async def make() -> Picture:
            try:
                return await self._draw(stored, wish, None)
            except Refused as error:
                if error.code not in NOT_TO_BE_SHOWN:
                    raise
                return await self._sheet(wish, label)

        return await self._once(name, make)

    async def icon(self, name: str, wish: Wish, label: str) -> Made:
        """The sheet alone."""
        return await self._once(name, lambda: self._sheet(wish, label))

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

    async def _once(self, name: str, make: Callable[[], Awaitable[Picture]]) -> Made:
        found = await asyncio.to_thread(_found, self._path(name))
        if found is not None:
            return found
        task = self._making.get(name)
        if task is None:
            task = asyncio.create_task(self._keep(name, make))
            self._making[name] = task
            task.add_done_callback(lambda done: self._made(name, done))
        # a client that goes does not take the picture from the others
        return await asyncio.shield(task)

    def _made(self, name: str, task: asyncio.Task[Made]) -> None:
        self._making.pop(name, None)
        if not task.cancelled():
            task.exception()  # known to whoever waits; nobody may

    async def _keep(self, name: str, make: Callable[[], Awaitable[Picture]]) -> Made:
        picture = await make()
        made = await asyncio.to_thread(_put, picture, self._path(name))
        self._since_look += 1
        if self._since_look >= _BETWEEN:
            self._since_look = 0
            await asyncio.to_thread(tidy, self._folder, self._limit)
        return made

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / name


def _found(path: Path) -> Made | None:
    """A kept picture: a line of JSON, then the file itself. One that is damaged counts as absent."""
    try:
        with path.open("rb") as file:
            head = file.readline(_HEAD)
            about = json.loads(head)
            status = os.fstat(file.fileno())
            if status.st_size != len(head) + about["length"]:
                return None
        os.utime(path)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    slice_ = FileSlice(path, len(head), about["length"])
    return Made(about["media_type"], slice_, tuple(about["warnings"]))


def _taken(picture: Picture) -> Made:
    try:
        return Made(picture.media_type, picture.path.read_bytes(), picture.warnings)
    finally:
        picture.discard()


def _put(picture: Picture, path: Path) -> Made:
    """Keeps a picture; one that cannot be kept (the disk is full) is given all the same."""
    made = _taken(picture)
    assert isinstance(made.content, bytes)
    about = {"media_type": made.media_type, "length": len(made.content), "warnings": made.warnings}
    temporary = path.with_name(f"{path.name}.{ids.new_version_key()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(json.dumps(about).encode() + b"\n" + made.content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        log.warning("a picture could not be kept: %s", error.strerror)
    return made


def tidy(folder: Path, limit_bytes: int, *, young: float = _YOUNG, limit_files: int = _LIMIT_FILES) -> int:
    """Deletes what was not asked for longest until a fifth is free again, where there is more than allowed. Returns
    how many files went. Files used in the last `young` seconds stay."""
    found = []
    for path in folder.glob("*/*"):
        try:
            status = path.stat()
        except OSError:
            continue
        found.append((status.st_mtime, status.st_size, path))
    total, count = sum(size for _, size, _ in found), len(found)
    if total <= limit_bytes and count <= limit_files:
        return 0
    before = time.time() - young
    gone = 0
    for used, size, path in sorted(found):
        if (total <= limit_bytes * 0.8 and count <= limit_files * 0.8) or used > before:
            break
        path.unlink(missing_ok=True)
        total, count, gone = total - size, count - 1, gone + 1
    return gone
