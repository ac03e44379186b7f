"""C-STORE sub-operations over one association: reads and transcodes ahead while objects are being sent."""

import asyncio
import logging
import os
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filmless.archive.codecs import Codecs, Transcoded
from filmless.archive.leaving import Leaving, leaving
from filmless.archive.query import StoredInstance
from filmless.archive.retrieve.planning import Route, route
from filmless.archive.retrieve.presence import CORRECTED, UNKNOWN, Now, current
from filmless.archive.retrieve.tally import Result, result_of
from filmless.dicom.statuses import words
from filmless.kit.errors import FilmlessError, Unavailable
from filmless.net.association import Association
from filmless.net.model import DataSource
from filmless.net.sources import BytesSource, FileSource, HeadedSource

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetrieveSettings:
    """Settings of [retrieve]."""

    #: seconds between pending responses, which carry the counters
    pending_interval: float = 0.5
    #: objects made ready while another is being sent
    read_ahead: int = 3
    #: an object up to this size is read whole while the one before is sent; a larger one streams from its file
    whole_object_bytes: int = 4 << 20
    #: how long it is believed that objects may leave; then they are looked up again, some hundred at once
    believed_seconds: float = 0.5
    #: threads that read files
    reader_threads: int = 4


@dataclass(frozen=True, slots=True)
class SubOperation:
    """One sub-operation's end. `reason`: few words where it failed."""

    instance: StoredInstance
    result: Result
    reason: str = ""
    #: it failed for want of resources, here or there: a later try may do
    passing: bool = False


@dataclass(slots=True)
class _Ready:
    """An object ready to be sent, or the reason why it cannot be."""

    instance: StoredInstance
    route: Route | None = None
    source: DataSource | None = None
    transcoded: Transcoded | None = None
    reason: str = ""
    passing: bool = False

    def discard(self) -> None:
        if self.transcoded is not None:
            self.transcoded.discard()


class Sender:
    """Sends stored objects. One for the process; any number of associations at the same time."""

    def __init__(self, root: Path, codecs: Codecs, settings: RetrieveSettings | None = None) -> None:
        """`root`: the store's root, to which the paths of stored instances are relative."""
        self.settings = settings or RetrieveSettings()
        self._root = root
        self._codecs = codecs
        self._readers = ThreadPoolExecutor(self.settings.reader_threads, thread_name_prefix="retrieve")

    def close(self) -> None:
        """End the reading threads."""
        self._readers.shutdown(wait=True, cancel_futures=True)

    async def send(
        self,
        association: Association,
        instances: Iterable[StoredInstance],
        *,
        window: int = 1,
        priority: int = 0,
        originator: tuple[str, int] | None = None,
        stop: asyncio.Event | None = None,
        now: Now | None = None,
    ) -> AsyncGenerator[SubOperation, None]:
        """Send objects in their order, and say what became of each, in the same order.

        Up to `window` C-STORE requests are under way at once. After `stop` is set no further one is begun; those
        under way are still answered for. An object that cannot be sent costs itself only. Raises what the
        association raises when it is lost: the object next in order has then failed, of later ones nothing is
        known. Closing the iterator leaves nothing behind on disk.

        `now` is asked shortly before each object is made ready: what is not there any more has failed, what was
        corrected or replaced leaves as it is by then.
        """
        ready: asyncio.Queue[_Ready | None] = asyncio.Queue(self.settings.read_ahead)
        preparing = asyncio.create_task(self._prepare_all(association, instances, ready, now))
        stop = stop or asyncio.Event()
        stopping = asyncio.create_task(stop.wait())

        def wake(_: object) -> None:
            preparing.cancel()
            if not ready.full():  # else nobody waits for it
                ready.put_nowait(None)

        stopping.add_done_callback(wake)

        async def next_ready() -> _Ready | None:
            item = await ready.get()
            if item is not None and stop.is_set():
                item.discard()
                return None
            return item

        def store(item: _Ready) -> Coroutine[Any, Any, SubOperation]:
            return self._store(association, item, priority, originator)

        try:
            if window == 1:
                while (item := await next_ready()) is not None:
                    yield await store(item)
            else:
                async with aclosing(_overlapping(next_ready, store, window)) as results:
                    async for one in results:
                        yield one
        finally:
            stopping.cancel()
            preparing.cancel()
            await asyncio.gather(stopping, preparing, return_exceptions=True)
            while not ready.empty():
                left = ready.get_nowait()
                if left is not None:
                    left.discard()

    async def _store(
        self, association: Association, item: _Ready, priority: int, originator: tuple[str, int] | None
    ) -> SubOperation:
        if item.source is None or item.route is None:
            item.discard()
            return SubOperation(item.instance, Result.FAILED, item.reason, item.passing)
        try:
            response = await association.store(
                item.source, item.route.context, priority=priority, originator=originator
            )
        except FilmlessError as error:
            if not association.is_open:
                raise
            return SubOperation(item.instance, Result.FAILED, error.message)
        finally:
            item.discard()
        result = result_of(response.status)
        reason = "" if result is Result.COMPLETED else words(response.status)
        return SubOperation(item.instance, result, reason, 0xA700 <= response.status <= 0xA7FF)

    async def _prepare_all(
        self,
        association: Association,
        instances: Iterable[StoredInstance],
        ready: "asyncio.Queue[_Ready | None]",
        now: Now | None,
    ) -> None:
        contexts = list(association.contexts.values())
        routes: dict[tuple[str, str], Route | None] = {}
        async for instance, why_not in current(instances, now, self._readers, self.settings.believed_seconds):
            kind = (instance.sop_class, instance.ts)
            if kind not in routes:
                routes[kind] = route(*kind, contexts)
            if why_not:
                item = _Ready(instance, reason=why_not, passing=why_not in (UNKNOWN, CORRECTED))
            else:
                item = await self._prepare(instance, routes[kind])
            try:
                await ready.put(item)
            except asyncio.CancelledError:
                item.discard()
                raise
        await ready.put(None)

    async def _prepare(self, instance: StoredInstance, way: Route | None) -> _Ready:
        if way is None:
            return _Ready(instance, reason="the receiver accepts no transfer syntax for it")
        transcoded = None
        try:
            if instance.correction:
                loop = asyncio.get_running_loop()
                out = await loop.run_in_executor(self._readers, leaving, instance, self._root)
            else:
                out = leaving(instance, self._root)
            if way.transcode_to:
                transcoded = await self._codecs.transcode(
                    out.path, out.offset, out.length, instance.ts, way.transcode_to, head=out.head
                )
                out = Leaving(b"", transcoded.path, transcoded.offset, transcoded.size, way.transcode_to)
            source = await self._source(instance, out, way.context.transfer_syntax)
        except FilmlessError as error:
            passing = isinstance(error, Unavailable)
            return _Ready(instance, transcoded=transcoded, reason=error.message, passing=passing)
        except OSError as error:
            _log.error("cannot read the file of %s: %s", instance.sop_instance, error.strerror)
            return _Ready(instance, transcoded=transcoded, reason="its file cannot be read")
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and not task.cancelling():
                # not we are cancelled, but the conversion is: image conversion shuts down
                return _Ready(instance, reason="image conversion is shutting down", passing=True)
            if transcoded is not None:
                transcoded.discard()
            raise
        except Exception:  # noqa: BLE001 - logged; one object's trouble costs that object
            # whoever waits for this object must hear of it, or would wait for ever
            _log.exception("%s cannot be made ready", instance.sop_instance)
            return _Ready(instance, transcoded=transcoded, reason="an error of ours", passing=True)
        return _Ready(instance, way, source, transcoded)

    async def _source(self, instance: StoredInstance, out: Leaving, transfer_syntax: str) -> DataSource:
        names = {
            "sop_class_uid": instance.sop_class,
            "sop_instance_uid": instance.sop_instance,
            "transfer_syntax_uid": transfer_syntax,
        }
        whole = out.size <= self.settings.whole_object_bytes
        data = await asyncio.get_running_loop().run_in_executor(
            self._readers, _read if whole else _check, out.path, out.offset, out.length
        )
        if data is not None:
            return BytesSource(out.head + data if out.head else data, **names)
        file = FileSource(out.path, out.offset, out.length, **names)
        return HeadedSource(out.head, file) if out.head else file


async def _overlapping(
    next_ready: Callable[[], Coroutine[Any, Any, _Ready | None]],
    store: Callable[[_Ready], Coroutine[Any, Any, SubOperation]],
    window: int,
) -> AsyncGenerator[SubOperation, None]:
    """Results in the order of the objects, each as soon as it and those before it are known."""
    under_way: deque[asyncio.Task[SubOperation]] = deque()
    waiting: asyncio.Task[_Ready | None] | None = asyncio.create_task(next_ready())
    try:
        while waiting is not None or under_way:
            pause: list[asyncio.Task[Any]] = [under_way[0]] if under_way else []
            if waiting is not None and len(under_way) < window:
                pause.append(waiting)
            await asyncio.wait(pause, return_when=asyncio.FIRST_COMPLETED)
            if under_way and under_way[0].done():
                yield await under_way.popleft()
            elif waiting is not None and waiting.done():
                item = waiting.result()
                waiting = None
                if item is not None:
                    under_way.append(asyncio.create_task(store(item)))
                    waiting = asyncio.create_task(next_ready())
    finally:
        for task in under_way:
            task.cancel()
        if waiting is not None:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            if not waiting.cancelled() and (left := waiting.result()) is not None:
                left.discard()
        await asyncio.gather(*under_way, return_exceptions=True)


def _read(path: Path, offset: int, size: int) -> bytes:
    with path.open("rb", buffering=0) as file:
        data = os.pread(file.fileno(), size, offset)
    if len(data) != size:
        raise OSError(0, "the file is too short")
    return data


def _check(path: Path, offset: int, size: int) -> None:
    if path.stat().st_size < offset + size:
        raise OSError(0, "the file is too short")
