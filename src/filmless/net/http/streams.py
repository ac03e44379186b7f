"""Answers that are made of bytes and of parts of files, sent with bounded memory.

Nothing is read ahead of what the client takes. One that goes away ends the answer; one that stops reading is cut off
by the server's own deadline (net/http/server.py).
"""

import asyncio
import os
import re
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from filmless.kit.errors import Refused

#: read and sent at a time
CHUNK: Final = 1 << 20
#: pieces smaller than this go out together
_GATHER: Final = 64 << 10
#: Linux reads what is in memory at once, and says so where it is not
_NOWAIT: Final = getattr(os, "RWF_NOWAIT", 0)


@dataclass(frozen=True, slots=True)
class FileSlice:
    """`length` bytes of a file from `offset` on."""

    path: Path | str
    offset: int
    length: int


Data = bytes | bytearray | memoryview
Segment = Data | FileSlice


class Segments(Response):
    """An answer made of segments, in order. `length`: its size where known; else it is sent in chunks.

    An iterator that raises after the head is out ends the connection, so that no client takes half for whole.
    """

    def __init__(
        self,
        segments: Iterable[Segment] | AsyncIterable[Segment],
        *,
        length: int | None = None,
        media_type: str | None = None,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status_code = status_code
        self.media_type = media_type
        self.background = None
        self.body = b""
        self._segments = segments
        self.init_headers(headers)
        if length is not None:
            self.headers["content-length"] = str(length)
        elif "content-length" in self.headers:
            del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        segments = _each(self._segments)
        try:
            if scope["method"] != "HEAD":
                await self._send_body(segments, receive, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await segments.aclose()

    async def _send_body(self, segments: AsyncGenerator[Segment, None], receive: Receive, send: Send) -> None:
        gone = _Gone(receive)
        small = bytearray()
        try:
            async for segment in segments:
                if isinstance(segment, FileSlice) and segment.length > _GATHER:
                    pieces = _chunks(segment)
                elif isinstance(segment, FileSlice):
                    pieces = _one(await read(segment))
                else:
                    pieces = _one(segment)
                async with aclosing(pieces):
                    async for piece in pieces:
                        if len(piece) < _GATHER:
                            small += piece
                            if len(small) < _GATHER:
                                continue
                            piece = b""
                        for data in (bytes(small), piece):
                            if data:
                                await send({"type": "http.response.body", "body": data, "more_body": True})
                        small.clear()
                        if gone.noticed():
                            return
            if small:
                await send({"type": "http.response.body", "body": bytes(small), "more_body": True})
        finally:
            gone.stop()


class _Gone:
    """Whether the client has gone away. Looked at from the second chunk on: short answers need no task for it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._sent = 0
        self._task: asyncio.Task[None] | None = None

    def noticed(self) -> bool:
        self._sent += 1
        if self._sent == 2:
            self._task = asyncio.create_task(self._watch())
        return self._task is not None and self._task.done()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()


async def _one(data: Data) -> AsyncGenerator[Data, None]:
    yield data


async def _each(
    segments: Iterable[Segment] | AsyncIterable[Segment],
) -> AsyncGenerator[Segment, None]:
    """All segments, from either kind; closing it closes the iterator that they come from."""
    try:
        if isinstance(segments, AsyncIterable):
            async for segment in segments:
                yield segment
        else:
            for segment in segments:
                yield segment
    finally:
        if isinstance(segments, AsyncGenerator):
            await segments.aclose()
        elif isinstance(segments, Generator):
            segments.close()


async def read(piece: FileSlice) -> bytes:
    """All bytes of a slice. What the system holds in memory is read at once, the rest in a thread.

    Raises OSError; EOFError where the file is shorter.
    """
    file = os.open(piece.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = await _read(file, piece.offset, piece.length)
    finally:
        os.close(file)
    return data


async def _read(file: int, offset: int, length: int) -> bytes:
    buffer = bytearray(length)
    done = _at_once(file, buffer, offset)
    if done < length:
        await asyncio.to_thread(_rest, file, memoryview(buffer)[done:], offset + done)
    # the buffer is handed on as it is: nobody changes it after this
    return buffer  # type: ignore[return-value]


def _at_once(file: int, buffer: bytearray, offset: int) -> int:
    if not _NOWAIT:
        return 0
    try:
        return os.preadv(file, [buffer], offset, _NOWAIT)
    except OSError:
        # not in memory, or a file system that cannot say: a thread waits for it
        return 0


def _rest(file: int, view: memoryview, offset: int) -> None:
    while view:
        count = os.preadv(file, [view], offset)
        if not count:
            raise EOFError("a stored file is shorter than the index says")
        view, offset = view[count:], offset + count


async def _chunks(piece: FileSlice) -> AsyncGenerator[Data, None]:
    """A long slice, a chunk at a time."""
    file = os.open(piece.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for at in range(piece.offset, piece.offset + piece.length, CHUNK):
            yield await _read(file, at, min(CHUNK, piece.offset + piece.length - at))
    finally:
        os.close(file)


#: positions that no file has are no positions: the whole is answered
_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def part_asked(header: str, size: int) -> tuple[int, int] | None:
    """(first, last) byte of a Range header over `size` bytes; None: the whole is answered.

    One range only: several are answered with the whole, as RFC 9110 14.2 allows. Raises Refused (code "range")
    where no byte of it exists.
    """
    found = _RANGE.fullmatch(header.strip())
    if not found or not (found[1] or found[2]):
        return None
    if not found[1]:
        first, last = max(size - int(found[2]), 0), size - 1
        satisfiable = int(found[2]) > 0 and size > 0
    else:
        first, last = int(found[1]), min(int(found[2]), size - 1) if found[2] else size - 1
        if found[2] and int(found[2]) < first:
            return None
        satisfiable = first < size
    if not satisfiable:
        raise Refused(f"There are {size} bytes; none of those asked for is among them.", code="range")
    return first, last


def ranged(
    request_range: str, piece: FileSlice, media_type: str, headers: Mapping[str, str] | None = None
) -> Segments:
    """A slice of a file, or the part of it that a Range header asks for (RFC 9110 14)."""
    more = {**(headers or {}), "Accept-Ranges": "bytes"}
    asked = part_asked(request_range, piece.length) if request_range else None
    if asked is None:
        return Segments([piece], length=piece.length, media_type=media_type, headers=more)
    first, last = asked
    more["Content-Range"] = f"bytes {first}-{last}/{piece.length}"
    inner = FileSlice(piece.path, piece.offset + first, last - first + 1)
    return Segments([inner], length=inner.length, media_type=media_type, status_code=206, headers=more)
