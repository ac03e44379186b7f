"""C-FIND, service class provider (PS3.4 C.4.1): the search runs in a thread, its answers stream."""

import asyncio
import logging
import threading
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, aclosing, suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any
from weakref import WeakValueDictionary

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from filmless.access.audit.model import Entry, Kind
from filmless.access.audit.trail import Trail
from filmless.access.model import Principal
from filmless.archive import searchable
from filmless.archive.query import (
    LEVELS,
    BadKey,
    BadRequest,
    Level,
    Options,
    Query,
    Understood,
    search,
    understand,
)
from filmless.archive.query.identifier import AnswerWriter, Request, read_request
from filmless.archive.query.words import patients_in, query_words
from filmless.archive.searchable import SearchKeys
from filmless.db.work import reading
from filmless.devices.model import Device
from filmless.dicom.dimse import Command
from filmless.dicom.sopclasses import PATIENT_ROOT_FIND, PATIENT_STUDY_ONLY_FIND, STUDY_ROOT_FIND
from filmless.dicom.statuses import CANCELLED, OUT_OF_RESOURCES, PENDING, PENDING_WARNING, SUCCESS
from filmless.dicom.ul.negotiation import Context
from filmless.kit.errors import Unavailable
from filmless.net.association import Association
from filmless.net.model import Reply

_log = logging.getLogger(__name__)

#: PS3.4 table C.4-1: identifier does not match SOP class; unable to process
IDENTIFIER_DOES_NOT_MATCH = 0xA900
UNABLE_TO_PROCESS = 0xC001

#: identifiers up to so many bytes are read in the event loop, which larger ones would hold up
_SMALL = 16 * 1024

#: bytes of an identifier that are kept in the audit trail; of a longer one, its beginning
_KEPT_IDENTIFIER = 8 * 1024

#: the levels of each information model, from the top down
MODELS: dict[str, tuple[Level, ...]] = {
    PATIENT_ROOT_FIND: LEVELS,
    STUDY_ROOT_FIND: LEVELS[1:],
    PATIENT_STUDY_ONLY_FIND: LEVELS[:2],
}

#: application information of SOP class extended negotiation, byte by byte (PS3.4 table C.5-1). Of those, time zone
#: adjustment (4) and enhanced multi-frame conversion (5) are not done.
_SUPPORTED = (1, 1, 1, 0, 0, 1, 1)


@dataclass(frozen=True, slots=True)
class FindSettings:
    """Settings of C-FIND."""

    #: ours: Retrieve AE Title of the answers
    ae_title: str = "FILMLESS"
    #: most answers to one request; further ones end it with A700 and the advice to narrow it. 0: no limit
    max_answers: int = 0
    #: a search that has not found its next answers after so many seconds is ended with A700
    timeout: float = 120.0
    #: searches at a time; others wait. One device has at most all but one of them
    threads: int = 4
    #: a search whose answers have not all been taken after so many seconds is ended with A700
    longest: float = 900.0


def negotiate(abstract_syntax: str, proposed: bytes) -> bytes | None:
    """The answer to SOP class extended negotiation for a query class; None for other classes."""
    if abstract_syntax not in MODELS:
        return None
    return bytes(ask & can for ask, can in zip(proposed, _SUPPORTED, strict=False))


def options_of(context: Context, device: Device) -> Options:
    """What was negotiated on this context, or is forced by the device's quirks."""
    negotiated = context.extended.ljust(len(_SUPPORTED), b"\0")
    return Options(
        relational=negotiated[0] == 1 or "relational" in device.quirks,
        combined_datetime=negotiated[1] == 1 or "combined-datetime" in device.quirks,
        fuzzy=negotiated[2] == 1 or "fuzzy-names" in device.quirks,
        empty_value=negotiated[5] == 1,
        multiple_values=negotiated[6] == 1,
    )


def _read(dataset: bytes, context: Context, device: Device, extras: SearchKeys) -> tuple[Request, Understood]:
    """The identifier, and the query that it asks for. Raises BadRequest and BadKey."""
    request = read_request(dataset, context.transfer_syntax, device.character_set)
    levels = MODELS[context.abstract_syntax]
    return request, understand(request.level, levels, request.asked, options_of(context, device), extras)


class FindHandler:
    """Answers C-FIND requests. One per process: its threads are few, so that searches wait instead of piling up."""

    def __init__(self, engine: Engine, settings: FindSettings, trail: Trail) -> None:
        self._engine = engine
        self._keys = searchable.Known(engine)
        self._settings = settings
        self._trail = trail
        self._threads = ThreadPoolExecutor(settings.threads, thread_name_prefix="find")
        # an open search has a connection to the index, whether its device takes the answers or not: without a
        # bound, slow devices would take them all, and nobody could store or call any more
        self._places = asyncio.Semaphore(settings.threads)
        self._places_of: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def close(self) -> None:
        """No further searches; those under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def __call__(
        self,
        association: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        """Pending responses, then the final one: success, cancelled, or why not."""
        device = association.who
        assert isinstance(device, Device)
        try:
            extras = await asyncio.to_thread(self._keys.now) if self._keys.stale else self._keys.now()
        except SQLAlchemyError as error:
            _log.error("the search keys cannot be read: %s", type(getattr(error, "orig", error)).__name__)
            yield Reply(OUT_OF_RESOURCES, comment="the index is not available")
            return
        try:
            if dataset is not None and len(dataset) > _SMALL:
                request, understood = await asyncio.to_thread(_read, dataset, context, device, extras)
            else:
                request, understood = _read(dataset or b"", context, device, extras)
            self._trail.require()
        except BadRequest as error:
            yield Reply(IDENTIFIER_DOES_NOT_MATCH, comment=error.message[:64])
            return
        except Unavailable as error:
            yield Reply(OUT_OF_RESOURCES, comment=error.message[:64])
            return
        except BadKey as error:
            fields = {"OffendingElement": [error.tag]}
            yield Reply(UNABLE_TO_PROCESS, comment=error.message[:64], fields=fields)
            return
        writer = AnswerWriter(
            context.transfer_syntax,
            understood.query.level,
            understood.query.returned,
            ae_title=self._settings.ae_title,
            character_sets=(request.character_set, device.character_set),
        )
        pending = PENDING_WARNING if understood.unsupported else PENDING
        place = await self._place(device.ae_title, cancelled)
        if place is None:
            busy = Reply(OUT_OF_RESOURCES, comment="too many searches at once: try again later")
            yield Reply(CANCELLED) if cancelled.is_set() else busy
            return
        count, status = 0, SUCCESS
        async with AsyncExitStack() as stack:
            stack.callback(self._leave, place)
            # whatever ends it: what was answered until then was seen
            stack.callback(lambda: self._tell(association, context, request, dataset, count, status))
            answers = self._answers(device, understood.query, writer, pending, cancelled)
            async for reply in await stack.enter_async_context(aclosing(answers)):
                count += reply.status == pending
                status = reply.status
                yield reply

    def _tell(
        self,
        association: Association,
        context: Context,
        request: Request,
        dataset: bytes | None,
        count: int,
        status: int,
    ) -> None:
        """Into the audit trail: who searched for what, with the identifier itself as PS3.15 A.5.3.10 wants it."""
        detail = {
            "level": request.level,
            "answers": count,
            "sop_class": context.abstract_syntax,
            "transfer_syntax": context.transfer_syntax,
            "dataset": b64encode((dataset or b"")[:_KEPT_IDENTIFIER]).decode(),
        }
        passing = (SUCCESS, PENDING, PENDING_WARNING, CANCELLED)
        self._trail.record_late(
            Entry(
                Kind.SEARCH,
                association.who.principal,
                "success" if status in passing else "failed",
                association.peer.host,
                what="C-FIND",
                patients=patients_in(request.asked),
                query=query_words(request.asked),
                detail=detail,
            )
        )

    async def _answers(
        self, device: Device, query: Query, writer: AnswerWriter, pending: int, cancelled: asyncio.Event
    ) -> AsyncGenerator[Reply, None]:
        running = _Search(self._engine, device.principal, query, writer)
        count = 0
        over = asyncio.get_running_loop().time() + self._settings.longest
        try:
            while True:
                batch = await self._next(running, cancelled)
                for answer in batch:
                    if cancelled.is_set():
                        break
                    if 0 < self._settings.max_answers <= count:
                        await _stopped(running)
                        comment = f"more than {count} matches: ask for less"
                        yield Reply(OUT_OF_RESOURCES, comment=comment)
                        return
                    count += 1
                    yield Reply(pending, answer)
                if cancelled.is_set():
                    await _stopped(running)
                    yield Reply(CANCELLED)
                    return
                if running.ended:
                    break
                if asyncio.get_running_loop().time() > over:
                    raise TimeoutError
        except TimeoutError:
            await _stopped(running)
            yield Reply(OUT_OF_RESOURCES, comment="the search takes too long: ask for less")
            return
        except SQLAlchemyError as error:
            _log.error("a search failed: %s", type(getattr(error, "orig", error)).__name__)
            _log.debug("a search failed", exc_info=error)
            yield Reply(OUT_OF_RESOURCES, comment="the index is not available")
            return
        finally:
            await _stopped(running)
        _log.info("search at %s level: %d answers", query.level, count)
        yield Reply(SUCCESS)

    async def _place(self, title: str, cancelled: asyncio.Event) -> asyncio.Semaphore | None:
        """Wait for a place for one more search of a device; None where cancelled, or none comes free in time."""
        share = max(1, self._settings.threads - 1)
        own = self._places_of.get(title) or self._places_of.setdefault(title, asyncio.Semaphore(share))

        async def take() -> asyncio.Semaphore:
            await own.acquire()
            try:
                await self._places.acquire()
            except BaseException:
                own.release()
                raise
            return own

        if not own.locked() and not self._places.locked():
            return await take()
        taking = asyncio.ensure_future(take())
        stop = asyncio.ensure_future(cancelled.wait())
        try:
            await asyncio.wait(
                (taking, stop), timeout=self._settings.timeout, return_when=asyncio.FIRST_COMPLETED
            )
        except BaseException:
            if taking.done():
                self._leave(own)
            raise
        finally:
            stop.cancel()
            taking.cancel()
        if taking.done():
            return taking.result()
        await asyncio.wait((taking,))
        return None

    def _leave(self, own: asyncio.Semaphore) -> None:
        self._places.release()
        own.release()

    async def _next(self, running: "_Search", cancelled: asyncio.Event) -> list[bytes]:
        """The next answers; none where cancelled meanwhile. The search may then still be at work: `_stopped`."""
        found = asyncio.get_running_loop().run_in_executor(self._threads, running.next)
        # nobody may be left to hear how an interrupted statement ended
        found.add_done_callback(lambda done: done.cancelled() or done.exception())
        stop = asyncio.ensure_future(cancelled.wait())
        try:
            await asyncio.wait(
                (found, stop), timeout=self._settings.timeout, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            stop.cancel()
        if found.done():
            return found.result()
        if cancelled.is_set():
            return []
        raise TimeoutError


async def _stopped(running: "_Search") -> None:
    """Make sure that nothing is left of a search, even where the caller is cancelled meanwhile."""
    if not running.ended:
        await asyncio.shield(asyncio.to_thread(running.stop))


class _Search:
    """One search. `next` is called by one thread at a time, `stop` from any."""

    #: answers fetched at a time: few at first, so that the first is soon on its way
    FIRST, LATER = 20, 200

    def __init__(self, engine: Engine, principal: Principal, query: Query, writer: AnswerWriter) -> None:
        self._engine = engine
        self._principal = principal
        self._query = query
        self._writer = writer
        self._open = ExitStack()
        self._connection: Connection | None = None
        self._answers: Iterator[bytes] = iter(())
        self._lock = threading.Lock()
        self._closing = threading.Lock()
        self._given_up = False
        self._idle = threading.Event()
        self._idle.set()
        self.ended = False

    def next(self) -> list[bytes]:
        """The next answers; `ended` is set with the last ones, and everything closed."""
        with self._lock:
            if self._given_up:
                return []
            self._idle.clear()
        try:
            return self._fetch()
        finally:
            self._idle.set()

    def _fetch(self) -> list[bytes]:
        size = self.LATER
        try:
            if self._connection is None:
                size = self.FIRST
                self._connection = self._open.enter_context(reading(self._engine))
                found = search(self._connection, self._principal, self._query)
                self._open.callback(found.close)
                self._answers = map(self._writer.write, found)
            batch = list(islice(self._answers, size))
        except BaseException:
            self.close()
            raise
        if len(batch) < size:
            self.close()
        return batch

    def close(self) -> None:
        with self._closing:
            self.ended = True
            self._open.close()

    def stop(self) -> None:
        """End the search from another thread, at whatever point it is, and close everything.

        Interrupts again and again: one that comes before the statement has begun is lost.
        """
        with self._lock:
            self._given_up = True
        while not self._idle.wait(0.02):
            self._interrupt()
        self.close()

    def _interrupt(self) -> None:
        # under the lock, because once it is closed the driver's connection serves somebody else
        with self._closing:
            connection = self._connection
            if connection is None or self.ended:
                return
            driver: Any = connection.connection.driver_connection
            if connection.dialect.name == "sqlite":
                driver.interrupt()
                return
            with suppress(connection.dialect.loaded_dbapi.Error):  # it is tried again
                driver.cancel_safe(timeout=5)
