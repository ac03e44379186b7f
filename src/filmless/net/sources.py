"""Data sets to send: from a file, or from memory."""

import asyncio
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from filmless.kit.errors import Unavailable
from filmless.net.errors import words_of


class BytesSource:
    """A data set in memory."""

    def __init__(
        self, data: bytes | memoryview, *, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str
    ) -> None:
        self._data = memoryview(data).cast("B")
        self.size = len(self._data)
        self.sop_class_uid = sop_class_uid
        self.sop_instance_uid = sop_instance_uid
        self.transfer_syntax_uid = transfer_syntax_uid

    async def fill(self, offset: int, places: Sequence[memoryview]) -> None:
        """Copy from `offset` on into `places`."""
        for place in places:
            end = offset + len(place)
            place[:] = self._data[offset:end]
            offset = end

    def close(self) -> None:
        """Nothing to give back."""


class FileSource:
    """A data set of `size` bytes from `offset` in a file, read in a thread, straight to where it is sent from.

    The file is opened with the first read; `close` closes it, also while a thread reads it.
    """

    def __init__(
        self,
        path: Path,
        offset: int,
        size: int,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
    ) -> None:
        self.path = path
        self.offset = offset
        self.size = size
        self.sop_class_uid = sop_class_uid
        self.sop_instance_uid = sop_instance_uid
        self.transfer_syntax_uid = transfer_syntax_uid
        self._fd = -1
        self._lock = threading.Lock()
        self._reading = self._closed = False

    async def fill(self, offset: int, places: Sequence[memoryview]) -> None:
        """Read from `offset` of the data set into `places`. Raises Unavailable when the file is missing,
        unreadable or shorter than it should be."""
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._read, offset, places)
        except OSError as error:
            raise Unavailable(
                f"cannot read {self.path.name}: {words_of(error)}", code="unreadable"
            ) from error

    def _read(self, offset: int, places: Sequence[memoryview]) -> None:
        with self._lock:
            if self._closed:
                return  # given up before the thread came to it
            self._reading = True
        try:
            self._read_into(offset, places)
        finally:
            with self._lock:
                self._reading = False
                if self._closed:
                    self._close_file()

    def _read_into(self, offset: int, places: Sequence[memoryview]) -> None:
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        wanted = sum(map(len, places))
        at, left, rest = self.offset + offset, wanted, list(places)
        while left:
            got = os.preadv(self._fd, rest, at)
            if got == 0:
                raise Unavailable(f"{self.path.name} is shorter than it should be", code="truncated")
            at += got
            left -= got
            while rest and got >= len(rest[0]):
                got -= len(rest.pop(0))
            if got:
                rest[0] = rest[0][got:]

    def close(self) -> None:
        """Close the file if it is open; a thread that reads it at this moment does so when it has read."""
        with self._lock:
            self._closed = True
            if not self._reading:
                self._close_file()

    def _close_file(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


class HeadedSource:
    """A data set of which the beginning is in memory, and the rest in a file."""

    def __init__(self, head: bytes, rest: FileSource) -> None:
        self._head = memoryview(head)
        self._rest = rest
        self.size = len(head) + rest.size
        self.sop_class_uid = rest.sop_class_uid
        self.sop_instance_uid = rest.sop_instance_uid
        self.transfer_syntax_uid = rest.transfer_syntax_uid

    async def fill(self, offset: int, places: Sequence[memoryview]) -> None:
        """As FileSource.fill."""
        left: list[memoryview] = []
        for place in places:
            known = self._head[offset : offset + len(place)]
            place[: len(known)] = known
            if len(known) < len(place):
                left.append(place[len(known) :])
            offset += len(place)
        if left:
            await self._rest.fill(offset - sum(map(len, left)) - len(self._head), left)

    def close(self) -> None:
        """As FileSource.close."""
        self._rest.close()
