"""Messages that arrive on an association: put together, handed to whoever answers them, and answered."""

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from typing import Final, Protocol

from filmless.dicom.dimse import Command, CommandError, CommandField, response_to
from filmless.dicom.statuses import (
    CANCELLED,
    NOT_AUTHORIZED,
    OUT_OF_RESOURCES,
    PENDING,
    PENDING_WARNING,
    PROCESSING_FAILURE,
    SOP_CLASS_NOT_SUPPORTED,
    SUCCESS,
    UNRECOGNIZED_OPERATION,
)
from filmless.dicom.ul.engine import COMMAND, LAST, Pdv
from filmless.dicom.ul.negotiation import Context
from filmless.kit.errors import Defect, FilmlessError, Refused, Unavailable
from filmless.net.dialogue import Association
from filmless.net.model import Reply, StoreAnswer, StoreSink
from filmless.net.slabs import Slab
from filmless.net.wire import SINK, WINDOW

logger = logging.getLogger(__name__)

#: Longest command set that is read; real ones have some hundred bytes.
LONGEST_COMMAND: Final = 16 * 1024

#: Requests beyond the negotiated window that wait their turn, before the association is aborted.
MOST_WAITING: Final = 16

#: Most operations at once where the asynchronous window is unlimited.
WIDEST_WINDOW: Final = 64


class StoreHandler(Protocol):
    """Begins the storing of one object."""

    def begin(self, assoc: Association, context: Context, command: Command) -> StoreSink:
        """A sink for the object that follows. Raises FilmlessError to refuse it; its data is passed over."""
        ...


#: (association, context, request, data set, set when a C-CANCEL came or the association is gone) -> replies,
#: of which the last has a final status. What an async generator does after its last reply happens after that
#: was sent. It is closed when the association ends.
RequestHandler = Callable[[Association, Context, Command, bytes | None, asyncio.Event], AsyncIterator[Reply]]


def error_status(error: FilmlessError) -> StoreAnswer:
    """The plain mapping from the families of error to a status, where the application gives no other."""
    if isinstance(error, Unavailable):
        return StoreAnswer(OUT_OF_RESOURCES, error.message)
    if isinstance(error, Refused):
        return StoreAnswer(NOT_AUTHORIZED, error.message)
    return StoreAnswer(PROCESSING_FAILURE, error.message)


class Services:
    """Who answers which request. C-ECHO is always answered."""

    def __init__(
        self,
        storage: StoreHandler | None = None,
        status_of: Callable[[FilmlessError], StoreAnswer] = error_status,
    ) -> None:
        self.storage = storage
        self.status_of = status_of
        self._handlers: dict[tuple[str, int], RequestHandler] = {}

    def add(
        self, abstract_syntaxes: Iterable[str], command_fields: Iterable[int], handler: RequestHandler
    ) -> None:
        """Let `handler` answer these requests in contexts of these abstract syntaxes."""
        fields = tuple(command_fields)
        for uid in abstract_syntaxes:
            for command_field in fields:
                self._handlers[uid, command_field] = handler

    def find(self, abstract_syntax: str, command_field: int) -> RequestHandler | None:
        """The handler of a request, if there is one."""
        if command_field == CommandField.C_ECHO_RQ:
            return self._handlers.get((abstract_syntax, command_field), _echo)
        return self._handlers.get((abstract_syntax, command_field))


class _Message:
    """A message whose data set is arriving: into a sink, into memory, or past us."""

    __slots__ = ("command", "context", "data", "refusal", "sink")

    def __init__(self, context: Context, command: Command) -> None:
        self.context = context
        self.command = command
        self.sink: StoreSink | None = None
        self.data: bytearray | None = None
        self.refusal: StoreAnswer | None = None


class Inbox:
    """The receiving half of an association. `Wire.on_pdv` calls `pdv` with every fragment."""

    def __init__(self, assoc: Association, services: Services, window: int) -> None:
        """`window`: operations that the peer may have outstanding; 0 is unlimited."""
        self._assoc = assoc
        self._services = services
        self._window = min(window, WIDEST_WINDOW) or WIDEST_WINDOW
        self._command = bytearray()
        self._message: _Message | None = None
        self._sink: StoreSink | None = None  # that of _message, for the way that is taken for every fragment
        self._context_id = -1
        self._storing = 0  # objects that have arrived and are not answered
        self._tasks: dict[asyncio.Task[None], tuple[int, asyncio.Event]] = {}
        self._waiting: deque[tuple[Context, Command, bytes | None]] = deque()
        self._closed = False

    @property
    def inside_message(self) -> bool:
        """Part of a message is here and its end is not."""
        return self._message is not None or bool(self._command)

    @property
    def outstanding(self) -> int:
        """Requests of the peer that have no final response yet."""
        return self._storing + len(self._tasks) + len(self._waiting)

    def close(self) -> None:
        """The association is over: what has not arrived whole is dropped, running handlers are cancelled."""
        self._closed = True
        if self._sink is not None:
            self._abort_sink(self._sink)
        self._sink = self._message = None
        self._waiting.clear()
        for task, (_, cancelled) in self._tasks.items():
            cancelled.set()
            task.cancel()

    # -- fragments -------------------------------------------------------------------------------------

    def pdv(self, pdv: Pdv, slab: Slab) -> None:
        """Take one fragment, which lies in `slab`."""
        context_id, control, data = pdv
        sink = self._sink
        if sink is None or context_id != self._context_id or control & COMMAND:
            self._other_fragment(context_id, control, data)
            return
        if data:
            slab.retain()
            try:
                more = sink.write(data, slab.release)
            except Exception as error:  # noqa: BLE001 - whatever a sink does must not end the connection
                slab.release()
                self._sink_failed(sink, error)
            else:
                if not more:
                    self._assoc.wire.pause_reading(SINK)
        if control & LAST:
            self._message_arrived()

    def _other_fragment(self, context_id: int, control: int, data: memoryview) -> None:
        if self._closed:
            return
        context = self._assoc.contexts.get(context_id)
        if context is None:
            self._assoc.fail("data in a presentation context that was not accepted")
        elif control & COMMAND:
            if self._message is not None:
                self._assoc.fail("a command inside the data set of another")
            elif len(self._command) + len(data) > LONGEST_COMMAND:
                self._assoc.fail("a command set that is too long")
            else:
                self._command += data
                if control & LAST:
                    raw = bytes(self._command)
                    self._command.clear()
                    try:
                        command = Command.decode(raw)
                    except CommandError as error:
                        self._assoc.fail(f"a command set that cannot be read: {error}")
                    else:
                        self._command_arrived(context, command)
        elif self._message is None or self._message.context.id != context_id:
            self._assoc.fail("a data set without its command")
        else:
            self._collect(self._message, data)
            if control & LAST:
                self._message_arrived()

    def _collect(self, message: _Message, data: memoryview) -> None:
        if message.data is None:
            return
        if len(message.data) + len(data) <= self._assoc.settings.max_identifier:
            message.data += data
        elif message.command.is_response:
            self._assoc.fail("a response whose data set is too long")
        else:
            message.data = None
            message.refusal = StoreAnswer(OUT_OF_RESOURCES, "the data set of the request is too long")

    def _command_arrived(self, context: Context, command: Command) -> None:
        field = command.command_field
        if field == CommandField.C_CANCEL_RQ:
            self._cancel(command.responds_to)
            return
        message = _Message(context, command)
        if field == CommandField.C_STORE_RQ:
            self._begin_store(message)
        elif command.has_dataset:
            message.data = bytearray()
        self._message, self._context_id = message, context.id
        self._sink = message.sink
        if not command.has_dataset:
            self._message_arrived()

    def _message_arrived(self) -> None:
        message = self._message
        if message is None:
            return
        self._message = self._sink = None
        command = message.command
        if message.refusal is not None:
            self._answer(message.context, command, message.refusal)
        elif message.sink is not None:
            self._finish_store(message, message.sink)
        else:
            dataset = None if message.data is None else bytes(message.data)
            if command.is_response:
                self._assoc.asking.answered(command, dataset)
            elif len(self._tasks) < self._window or command.command_field == CommandField.C_ECHO_RQ:
                self._serve(message.context, command, dataset)
            elif len(self._waiting) < MOST_WAITING:
                # reading goes on: what runs may need answers from the peer, or a C-CANCEL
                self._waiting.append((message.context, command, dataset))
            else:
                self._assoc.fail("far more requests at once than were negotiated")

    # -- storing ---------------------------------------------------------------------------------------

    def _begin_store(self, message: _Message) -> None:
        handler = self._services.storage
        command, context = message.command, message.context
        if handler is None or not context.we_scp:
            message.refusal = StoreAnswer(SOP_CLASS_NOT_SUPPORTED, "no storage in this context")
        elif not command.has_dataset:
            message.refusal = StoreAnswer(0xA900, "a C-STORE without a data set")
        else:
            try:
                message.sink = handler.begin(self._assoc, context, command)
                message.sink.on_ready = self._sink_ready
            except FilmlessError as error:
                message.refusal = self._services.status_of(error)
            except Exception:
                logger.exception("association %s: storing could not begin", self._assoc.id)
                message.refusal = StoreAnswer(PROCESSING_FAILURE)

    def _sink_ready(self) -> None:
        self._assoc.wire.resume_reading(SINK)

    def _sink_failed(self, sink: StoreSink, error: Exception) -> None:
        """Pass over the rest of the object and answer with the failure."""
        self._sink = None
        if self._message is not None:
            self._message.sink = None
            self._message.refusal = self._failure(error, "storing failed")
        self._abort_sink(sink)
        self._assoc.wire.resume_reading(SINK)

    def _abort_sink(self, sink: StoreSink) -> None:
        try:
            sink.abort()
        except Exception:
            logger.exception("association %s: a sink could not be aborted", self._assoc.id)

    def _finish_store(self, message: _Message, sink: StoreSink) -> None:
        self._assoc.images_in += 1
        self._storing += 1
        if self._storing > self._window:
            self._assoc.wire.pause_reading(WINDOW)
        try:
            future = asyncio.ensure_future(sink.finish())
        except Exception as error:  # noqa: BLE001 - becomes the answer
            self._stored(message, self._failure(error, "storing failed"))
            return
        timer = asyncio.get_running_loop().call_later(
            self._assoc.settings.answer_timeout, self._assoc.fail, "storing takes too long"
        )
        future.add_done_callback(partial(self._finished, message, timer))

    def _finished(
        self, message: _Message, timer: asyncio.TimerHandle, future: asyncio.Future[StoreAnswer]
    ) -> None:
        timer.cancel()
        if future.cancelled():
            self._stored(message, StoreAnswer(PROCESSING_FAILURE))
        elif (error := future.exception()) is not None:
            self._stored(message, self._failure(error, "storing failed"))
        else:
            self._stored(message, future.result())

    def _stored(self, message: _Message, answer: StoreAnswer) -> None:
        self._storing -= 1
        self._answer(message.context, message.command, answer)
        if self._storing <= self._window:
            self._assoc.wire.resume_reading(WINDOW)

    def _failure(self, error: BaseException, what: str) -> StoreAnswer:
        if isinstance(error, FilmlessError):
            if isinstance(error, Defect):
                logger.error("association %s: %s", self._assoc.id, what, exc_info=error)
            return self._services.status_of(error)
        logger.error("association %s: %s", self._assoc.id, what, exc_info=error)
        return StoreAnswer(PROCESSING_FAILURE)

    # -- other requests --------------------------------------------------------------------------------

    def _cancel(self, message_id: int) -> None:
        for number, cancelled in self._tasks.values():
            if number == message_id:
                cancelled.set()
        for entry in [entry for entry in self._waiting if entry[1].message_id == message_id]:
            self._waiting.remove(entry)
            self._answer(entry[0], entry[1], StoreAnswer(CANCELLED))

    def _serve(self, context: Context, command: Command, dataset: bytes | None) -> None:
        handler = self._services.find(context.abstract_syntax, command.command_field)
        if handler is None:
            self._answer(context, command, StoreAnswer(UNRECOGNIZED_OPERATION))
            return
        if handler is _echo:
            self._answer(context, command, StoreAnswer(SUCCESS))
            return
        cancelled = asyncio.Event()
        task = asyncio.get_running_loop().create_task(
            self._run(handler, context, command, dataset, cancelled)
        )
        self._tasks[task] = (command.message_id, cancelled)
        task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("association %s: a request could not be answered", self._assoc.id, exc_info=error)
        while self._waiting and len(self._tasks) < self._window:
            self._serve(*self._waiting.popleft())

    async def _run(
        self,
        handler: RequestHandler,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> None:
        final = False
        replies: AsyncIterator[Reply] | None = None
        try:
            replies = handler(self._assoc, context, command, dataset, cancelled)
            async for reply in replies:
                if final:
                    raise Defect("a handler replied after its final reply")
                final = reply.status not in (PENDING, PENDING_WARNING)
                response = response_to(
                    command,
                    reply.status,
                    has_dataset=reply.dataset is not None,
                    comment=reply.comment,
                    fields=reply.fields,
                )
                await self._assoc.send(self._assoc.framed(context, response, reply.dataset))
            if not final:
                raise Defect("a handler ended without a final reply")
        except Unavailable as error:
            # also the end of the association, of which there is nobody to tell
            if not final and self._assoc.is_open:
                self._answer(context, command, self._failure(error, "a handler failed"))
        except Exception as error:  # noqa: BLE001 - becomes the answer
            answer = self._failure(error, "a handler failed")
            if not final:
                self._answer(context, command, answer)
        finally:
            if replies is not None and inspect.isasyncgen(replies):
                await replies.aclose()

    def _answer(self, context: Context, command: Command, answer: StoreAnswer) -> None:
        response = response_to(command, answer.status, comment=answer.comment, fields=answer.fields)
        self._assoc.post(self._assoc.framed(context, response))


async def _echo(
    assoc: Association, context: Context, command: Command, dataset: bytes | None, cancelled: asyncio.Event
) -> AsyncIterator[Reply]:
    yield Reply(SUCCESS)
