"""What must wait for the end of the body - metadata and bulk data - in one file without a name: bounded memory, and
nothing to clean up after a crash."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filmless.archive.reception import disk_error
from filmless.kit.errors import Refused

#: written at a time
_GATHER = 1 << 20
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Spooled:
    """One part: its media type and parameters, its place in the spool."""

    media_type: str
    #: the transfer-syntax parameter, "" where absent
    transfer_syntax: str
    offset: int
    length: int


class Spool:
    """Append, then read. One writer; any thread may read what is flushed."""

    def __init__(self, folder: Path) -> None:
        """`folder` is on the disk that has room for it; it is made at need."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - lives as long as this
        except OSError as error:
            raise disk_error(error) from error
        self._gathered = bytearray()
        self.size = 0

    async def write(self, data: memoryview) -> None:
        """Append. Raises Unavailable (code "disk")."""
        self._gathered += data
        self.size += len(data)
        if len(self._gathered) >= _GATHER:
            await self.flush()

    async def flush(self) -> None:
        """All that was written can be read."""
        gathered, self._gathered = self._gathered, bytearray()
        if gathered:
            await asyncio.to_thread(self._append, gathered)

    def _append(self, data: bytearray) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._file.fileno(), rest) :]
        except OSError as error:
            raise disk_error(error) from error

    def read(self, part: Spooled, most: int) -> bytes:
        """All of a part. Raises Refused (code "too-large") where it is longer than `most` bytes."""
        if part.length > most:
            raise Refused(f"A part is longer than the {most} bytes that can be taken.", code="too-large")
        return b"".join(self.chunks(part))

    def chunks(self, part: Spooled) -> Iterator[bytes]:
        """A part, piece by piece."""
        at, end = part.offset, part.offset + part.length
        while at < end:
            try:
                piece = os.pread(self._file.fileno(), min(_CHUNK, end - at), at)
            except OSError as error:
                raise disk_error(error) from error
            if not piece:
                raise disk_error(OSError(0, "the spool ends too early"))
            at += len(piece)
            yield piece

    def close(self) -> None:
        """Give the room back."""
        self._file.close()
