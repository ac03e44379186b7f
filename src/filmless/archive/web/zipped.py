"""Studies as ZIP archives (PS3.18 8.7.3.6): a file-set with its DICOMDIR (PS3.10 8), made while it is sent.

Nothing is compressed: what could be is compressed within the objects. The check sum of a file stands before it, so each
is read twice, small ones once; the second time from the system's memory.
"""

import asyncio
import mmap
import time
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import aclosing
from itertools import groupby
from typing import Final

from starlette.responses import Response

from filmless.access.audit.model import Entry, Kind
from filmless.archive.leaving import leaving
from filmless.archive.web.asking import Asked
from filmless.archive.web.context import ArchiveWeb
from filmless.archive.web.outgoing import Made, Making, Outgoing, file_head
from filmless.dicom.builders.dicomdir import RECORD_TAGS, Directory
from filmless.dicom.header import Header
from filmless.dicom.scan import scan
from filmless.dicom.web.media_types import ZIP
from filmless.kit.errors import Refused
from filmless.kit.zip64 import Zip
from filmless.net.http.streams import FileSlice, Segment, Segments

#: read at a time for check sums; bytes
_CHUNK: Final = 1 << 20
#: bytes and objects of one go of a thread
_AT_ONCE: Final = 8 << 20
_MOST: Final = 64
#: pause between two goes, in times of what the last one took: the busier the machine, the longer. Whoever waits for an
#: archive does not notice (an idle machine still makes some 250 MB a second); who scrolls, and images that arrive, do
_GIVE_WAY: Final = 2.0
_LONGEST_PAUSE: Final = 0.25


def answer(context: ArchiveWeb, ask: Asked, outgoing: Sequence[Outgoing]) -> Response:
    """The archive of these objects. Recorded as an export before its first byte."""
    studies = tuple(dict.fromkeys(one.one.study_uid for one in outgoing))
    context.trail.record(
        Entry(
            Kind.EXPORT,
            ask.principal,
            host=ask.host,
            studies=studies,
            what="ZIP",
            detail={"instances": len(outgoing), "series": ask.series, "instance": ask.instance},
        )
    )
    name = ask.instance or ask.series or ask.study
    headers = {
        "Cache-Control": "private, no-store",
        "Content-Disposition": f'attachment; filename="{name}.zip"',
        "Vary": "Accept",
    }
    return Segments(_files(context, outgoing), media_type=ZIP, headers=headers)


class _FileSet:
    """The archive being written: headers and directory. Used by one thread at a time."""

    def __init__(self) -> None:
        self._archive, self._directory = Zip(), Directory()

    def stored(self, context: ArchiveWeb, some: Sequence[Outgoing]) -> list[Segment]:
        """Objects as they are stored, corrections in force."""
        return [segment for one in some for segment in self.add(one, Made(leaving(one.one, context.store)))]

    def add(self, one: Outgoing, out: Made) -> list[Segment]:
        """One object's file. Raises OSError, EOFError."""
        head, segments = file_head(one), out.segments
        header, crc = _read(one, head, segments)
        try:
            file_id = self._directory.add(
                header,
                sop_class_uid=one.one.sop_class,
                sop_instance_uid=one.one.sop_instance,
                transfer_syntax_uid=one.syntax,
            )
        except Refused:
            # two rows of one object: a file-set holds each once
            return []
        return [self._archive.begin("/".join(file_id), len(head) + out.size, crc) + head, *segments]

    def end(self) -> bytes:
        """DICOMDIR, and the end of the archive."""
        content = self._directory.build()
        return (
            self._archive.begin("DICOMDIR", len(content), zlib.crc32(content)) + content + self._archive.end()
        )


async def _files(context: ArchiveWeb, outgoing: Sequence[Outgoing]) -> AsyncIterator[Segment]:
    """The archive in pieces. An object that cannot be read ends it: half an archive is not taken for a whole."""
    files = _FileSet()
    took = 0.0
    for as_stored, run in groupby(outgoing, lambda one: one.as_stored):
        if as_stored:
            for some in _batches(run):
                if took:
                    await asyncio.sleep(min(_GIVE_WAY * took, _LONGEST_PAUSE))
                began = time.monotonic()
                segments = await asyncio.to_thread(files.stored, context, some)
                # of long ones: what many small ones cost is not the reading
                took = time.monotonic() - began if len(some) < _MOST else 0.0
                for segment in segments:
                    yield segment
            continue
        async with aclosing(Making(context).each(run)) as objects:
            async for one, out in objects:
                for segment in await asyncio.to_thread(files.add, one, out):
                    yield segment
    yield await asyncio.to_thread(files.end)


def _batches(run: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    """Objects whose check sums are made in one go of a thread: going there costs more than a small one's."""
    some: list[Outgoing] = []
    size = 0
    for one in run:
        some.append(one)
        size += one.one.size
        if size >= _AT_ONCE or len(some) >= _MOST:
            yield some
            some, size = [], 0
    if some:
        yield some


def _read(one: Outgoing, head: bytes, segments: Sequence[Segment]) -> tuple[Header, int]:
    """(what the directory needs of the header, CRC-32 of the file). Raises OSError, EOFError."""
    crc = zlib.crc32(head)
    header: Header | None = None
    for segment in segments:
        if not isinstance(segment, FileSlice):
            header = header or scan(segment, one.syntax, RECORD_TAGS)
            crc = zlib.crc32(segment, crc)
            continue
        if not segment.length:
            continue
        with (
            open(segment.path, "rb", buffering=0) as file,  # noqa: PTH123
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        ):
            view = memoryview(mapped)
            part = view[segment.offset : segment.offset + segment.length]
            try:
                if len(part) != segment.length:
                    raise EOFError("a stored file is shorter than the index says")
                header = header or scan(part, one.syntax, RECORD_TAGS)
                for at in range(0, len(part), _CHUNK):
                    crc = zlib.crc32(part[at : at + _CHUNK], crc)
            finally:
                part.release()
                view.release()
    return header or scan(b"", one.syntax, RECORD_TAGS), crc
