"""Sending messages: whole ones at once, objects in pieces, never one inside another."""

import asyncio
from collections.abc import Callable
from typing import Final

from filmless.dicom.dimse import Command
from filmless.dicom.ul.frames import frame, laid_out, lay_out, room
from filmless.dicom.ul.negotiation import Context
from filmless.net.asking import Operation
from filmless.net.errors import AssociationAborted, PeerTimeout
from filmless.net.model import DataSource
from filmless.net.wire import HIGH_WATER, Wire

#: Most places to read one piece into; a preadv takes 1,024.
MOST_PLACES: Final = 512

#: Whole messages that wait for the end of an object, before the association is aborted.
MOST_DEFERRED: Final = 1024


class Speaker:
    """The sending half of an association."""

    def __init__(self, wire: Wire, fail: Callable[[str], None]) -> None:
        """`fail`: aborts the association."""
        self._wire = wire
        self._fail = fail
        self._room = room(0)
        self._speaking = asyncio.Lock()
        self._deferred: list[bytes] = []
        self._over: str | None = None

    def open(self, max_pdu: int) -> None:
        """Frame for a peer that takes P-DATA-TF bodies of `max_pdu` bytes; 0 is unlimited."""
        self._room = room(max_pdu)

    def end(self, why: str) -> None:
        """The association is over: send nothing any more."""
        self._over = why or "the association was released"
        self._deferred.clear()

    def framed(self, context: Context, command: Command, dataset: bytes | None = None) -> bytes:
        """A message as PDUs for this peer."""
        head = frame(context.id, command.encode(), self._room, command=True)
        return head if dataset is None else head + frame(context.id, dataset, self._room, command=False)

    def post(self, framed: bytes) -> None:
        """Send a whole message now, or after the object that is being sent. Dropped when all is over."""
        if not self._speaking.locked():
            self._write(framed)
        elif self._over is None:
            self._deferred.append(framed)
            if len(self._deferred) > MOST_DEFERRED:
                self._fail("the other side asks without waiting for answers")

    async def send(self, framed: bytes) -> None:
        """Send a whole message and wait until the peer takes more. Raises PeerTimeout, AssociationAborted."""
        self._check()
        if self._speaking.locked():
            async with self._speaking:
                self._check()
                self._write(framed)
        else:
            self._write(framed)
        if self._wire.blocked_since is not None:
            try:
                await self._wire.drain()
            except PeerTimeout as error:
                self._fail(error.message)
                raise

    async def send_object(
        self, context: Context, command: Command, source: DataSource, operation: Operation
    ) -> None:
        """Send a command and the data set of `source`, read piece by piece to where it is sent from.

        Marks `operation` as sent with its first byte. What fails afterwards ends the association, as a message
        cannot be taken back.
        """
        async with self._speaking:
            try:
                await self._send_pieces(context, command, source, operation)
            except BaseException as error:
                if operation.sent:
                    self._fail(f"an object could not be sent to its end: {error or 'given up'}")
                raise
            finally:
                deferred, self._deferred = self._deferred, []
                for framed in deferred:
                    self._write(framed)

    async def _send_pieces(
        self, context: Context, command: Command, source: DataSource, operation: Operation
    ) -> None:
        size = self._room
        head = frame(context.id, command.encode(), size, command=True)
        step = max(1, min(HIGH_WATER // size, MOST_PLACES)) * size
        offset = 0
        while True:
            length = min(step, source.size - offset)
            last = offset + length >= source.size
            buffer = bytearray(len(head) + laid_out(length, size))
            buffer[: len(head)] = head
            places = lay_out(buffer, len(head), context.id, length, size, last=last)
            await source.fill(offset, places)
            self._check()
            operation.sent = True
            self._write(buffer)
            if last:
                return
            head = b""
            offset += length
            if self._wire.blocked_since is not None:
                await self._wire.drain()

    def _check(self) -> None:
        if self._over is not None:
            raise AssociationAborted(self._over)

    def _write(self, framed: bytes | bytearray) -> None:
        # the cells of P-DATA request: DT-1 and AR-7; in other states there is nobody to send to
        if self._wire.engine.state in (6, 8):
            self._wire.engine.send_data()
            self._wire.write(framed)
