"""Objects on their way out over HTTP: as stored with corrections in force, or transcoded just before they are sent."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from filmless.archive.codecs import Transcoded
from filmless.archive.leaving import Leaving, leaving
from filmless.archive.query.instances import StoredInstance
from filmless.archive.web.asking import unreadable
from filmless.archive.web.context import ArchiveWeb
from filmless.dicom import part10, uids
from filmless.dicom.explicit import explicit
from filmless.dicom.json_text import mapped
from filmless.dicom.web import accept
from filmless.kit.errors import Refused
from filmless.net.http.streams import FileSlice, Segment

#: objects that are transcoded ahead of the one that is sent
_AHEAD: Final = 2


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An object and the transfer syntax that it leaves in."""

    one: StoredInstance
    syntax: str

    @property
    def as_stored(self) -> bool:
        return self.syntax == self.one.ts


@dataclass(frozen=True, slots=True)
class Made:
    """A data set that leaves. `discard` deletes what was made for it."""

    source: Leaving | Transcoded

    @property
    def segments(self) -> list[Segment]:
        source = self.source
        if isinstance(source, Transcoded):
            return [FileSlice(source.path, source.offset, source.size)]
        rest = FileSlice(source.path, source.offset, source.length)
        return [source.head, rest] if source.head else [rest]

    @property
    def size(self) -> int:
        return self.source.size

    def discard(self) -> None:
        if isinstance(self.source, Transcoded):
            self.source.discard()


def file_head(one: Outgoing) -> bytes:
    """What precedes the data set in a DICOM file (PS3.10 7.1)."""
    return part10.build_preamble_and_meta(one.one.sop_class, one.one.sop_instance, one.syntax)


class Making:
    """Makes what is to be sent."""

    def __init__(self, context: ArchiveWeb) -> None:
        self._context = context

    async def each(self, outgoing: Iterable[Outgoing]) -> AsyncGenerator[tuple[Outgoing, Made], None]:
        """The objects in their order, the next ones being made while one is sent.

        One that cannot be converted because it is damaged leaves as it is stored, and says so: its neighbours are
        not to suffer, and nothing is left out in silence. Files that were made are deleted behind each step.
        """
        waiting = iter(outgoing)
        ahead: deque[tuple[Outgoing, asyncio.Task[tuple[Outgoing, Made]]]] = deque()
        current: Made | None = None
        try:
            while True:
                while len(ahead) <= _AHEAD and (one := next(waiting, None)) is not None:
                    ahead.append((one, asyncio.create_task(self._or_as_stored(one))))
                if not ahead:
                    return
                _, task = ahead[0]
                one, current = await task
                ahead.popleft()
                yield one, current
                current.discard()
                current = None
        finally:
            if current is not None:
                current.discard()
            for _, task in ahead:
                task.cancel()
            for _, task in ahead:
                with suppress(asyncio.CancelledError, Exception):
                    (await task)[1].discard()

    async def _or_as_stored(self, one: Outgoing) -> tuple[Outgoing, Made]:
        try:
            return one, await self.made(one)
        except Refused as why:
            if one.as_stored or why.code == "unreadable":
                raise
            as_stored = Outgoing(one.one, one.one.ts)
            return as_stored, await self.made(as_stored)

    async def made(self, one: Outgoing) -> Made:
        """The data set of an object in its syntax. Raises Refused (code "not-acceptable") where that cannot be."""
        stored = one.one
        if stored.correction:
            try:
                out = await asyncio.to_thread(leaving, stored, self._context.store)
            except OSError as why:
                raise unreadable(why) from why
        else:
            out = leaving(stored, self._context.store)
        if one.as_stored:
            return Made(out)
        if (stored.ts, one.syntax, out.head) == (uids.IMPLICIT_VR_LE, uids.EXPLICIT_VR_LE, b""):
            try:
                rewritten = await asyncio.to_thread(_explicit, out)
            except OSError as why:
                raise unreadable(why) from why
            if rewritten is not None:
                return Made(rewritten)
        try:
            transcoded = await self._context.codecs.transcode(
                out.path, out.offset, out.length, stored.ts, one.syntax, head=out.head
            )
        except Refused as why:
            if why.code == "unreadable":
                raise
            raise accept.not_acceptable(why.message.rstrip(".")) from why
        return Made(transcoded)


def _explicit(out: Leaving) -> Leaving | None:
    """An object in implicit VR with its header in explicit VR; None where a codec process must do it."""
    if not out.length:
        return None
    with mapped(out.path, out.offset, out.length) as part:
        try:
            found = explicit(part)
        except Refused:
            return None
    if found is None or found.tail:
        return None
    return Leaving(found.head, out.path, out.offset + found.start, found.length, uids.EXPLICIT_VR_LE)
