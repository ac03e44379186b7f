"""Requests of ours that wait for their responses, within the window of operations that was negotiated."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from filmless.dicom.dimse import RESPONSE, Command, CommandField
from filmless.dicom.statuses import PENDING, PENDING_WARNING
from filmless.kit.errors import FilmlessError
from filmless.net.errors import AssociationAborted, PeerTimeout
from filmless.net.model import NetSettings
from filmless.net.wire import RESPONSES, Wire

logger = logging.getLogger(__name__)

#: Responses that may wait for whoever asked, before we read no more.
MOST_RESPONSES: Final = 64


class Operation:
    """One request: its message ID, and the responses that nobody has taken yet."""

    def __init__(self, message_id: int, response: int, *, many: bool) -> None:
        self.message_id = message_id
        #: Command Field of its responses
        self.response = response
        #: pending responses may come before the final one
        self.many = many
        self.answers: deque[tuple[Command, bytes | None]] = deque()
        self.waiter: asyncio.Future[None] | None = None
        self.failure: FilmlessError | None = None
        #: something of the request is on its way, so a response will come
        self.sent = False
        #: nobody takes the answers any more
        self.abandoned = False

    def wake(self) -> None:
        """Let whoever waits look again."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


class Asking:
    """The operations of one association that we invoked."""

    def __init__(
        self, wire: Wire, settings: NetSettings, serving: Callable[[], int], fail: Callable[[str], None]
    ) -> None:
        """`serving`: how many requests of the peer are being answered; `fail`: aborts the association."""
        self._wire = wire
        self._settings = settings
        self._serving = serving
        self._fail = fail
        self._last_id = 0
        self._operations: dict[int, Operation] = {}
        self._window: asyncio.Semaphore | None = asyncio.Semaphore(1)
        self._over: str | None = None

    def __len__(self) -> int:
        return len(self._operations)

    def open(self, window: int) -> None:
        """Let `window` operations be outstanding at once; 0 is unlimited."""
        self._window = asyncio.Semaphore(window) if window else None

    async def begin(self, request: CommandField, *, many: bool = False) -> Operation:
        """Wait for a place in the window and take it.

        Raises AssociationAborted when it is all over, and PeerTimeout, after which the association is aborted,
        when the operations that have the places stand still.
        """
        if self._window is not None:
            await self._place(self._window)
        if self._over is not None:
            self._free()
            raise AssociationAborted(self._over)
        operation = Operation(self._next_id(), request | RESPONSE, many=many)
        self._operations[operation.message_id] = operation
        return operation

    async def _place(self, window: asyncio.Semaphore) -> None:
        # whoever has a place may have been given up by its caller, so that nobody else watches over it
        while True:
            moved = self._wire.bytes_in + self._wire.bytes_out
            try:
                async with asyncio.timeout(self._settings.response_timeout):
                    await window.acquire()
            except TimeoutError:
                # not read meanwhile because answers wait for a caller of ours: not the other side's fault
                ours = self._serving() or self._wire.paused_for(RESPONSES)
                if ours or moved != self._wire.bytes_in + self._wire.bytes_out:
                    continue
                self._fail("no response within the time-out")
                raise PeerTimeout("the other side did not answer in time") from None
            return

    async def next(self, operation: Operation) -> tuple[Command, bytes | None]:
        """The next response.

        For an operation of many, other traffic (sub-operations) starts the time-out anew. Raises PeerTimeout,
        after which the association is aborted, and AssociationAborted.
        """
        while not operation.answers:
            if operation.failure is not None:
                raise operation.failure
            heard = self._wire.bytes_in
            operation.waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(self._settings.response_timeout):
                    await operation.waiter
            except TimeoutError:
                if operation.many and (self._wire.bytes_in != heard or self._serving()):
                    continue
                self._fail("no response within the time-out")
                raise PeerTimeout("the other side did not answer in time") from None
        answer = operation.answers.popleft()
        if len(operation.answers) < MOST_RESPONSES // 4:
            self._wire.resume_reading(RESPONSES)
        return answer

    def answered(self, command: Command, dataset: bytes | None) -> None:
        """A response has arrived whole. One that nobody waits for is passed over."""
        operation = self._operations.get(command.responds_to)
        if operation is None:
            logger.warning("a response came to nothing that was asked (message %d)", command.responds_to)
            return
        if "Status" not in command or command.command_field != operation.response:
            # without a status it says nothing: least of all that all is well
            self._fail("a response without a status, or to another kind of request")
            return
        if not (operation.many and is_pending(command)):
            del self._operations[operation.message_id]
            self._free()
        if operation.abandoned:
            return
        operation.answers.append((command, dataset))
        if len(operation.answers) >= MOST_RESPONSES:
            self._wire.pause_reading(RESPONSES)
        operation.wake()

    def abandon(self, operation: Operation) -> None:
        """Nobody waits any more. Its place in the window is free when the final response has come, or now
        if nothing of it was sent."""
        operation.abandoned = True
        operation.answers.clear()
        if not operation.sent and self._operations.pop(operation.message_id, None) is not None:
            self._free()
        self._wire.resume_reading(RESPONSES)

    def end(self, why: str) -> None:
        """The association is over: everybody who waits is told."""
        self._over = why
        for operation in self._operations.values():
            operation.failure = AssociationAborted(why)
            operation.wake()
        self._operations.clear()
        # whoever waits for a place finds that it is over, and wakes the next
        self._free()

    def _free(self) -> None:
        if self._window is not None:
            self._window.release()

    def _next_id(self) -> int:
        while True:
            self._last_id = self._last_id % 65535 + 1
            if self._last_id not in self._operations:
                return self._last_id


def is_pending(command: Command) -> bool:
    """More responses follow this one."""
    return command.status in (PENDING, PENDING_WARNING)
