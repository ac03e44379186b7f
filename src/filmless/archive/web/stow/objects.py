"""Parts that are DICOM objects (application/dicom): from the body straight into the archive, without waiting for one
before the next is read."""

import asyncio
import threading
from collections.abc import Callable

from filmless.access.model import Principal
from filmless.archive import levels
from filmless.archive.model import Arrival, Outcome, Source
from filmless.archive.reception import Reception
from filmless.archive.store import Archive
from filmless.archive.web.stow import notes
from filmless.archive.web.stow.answer import Result
from filmless.dicom import part10, scan
from filmless.dicom.header import Header
from filmless.dicom.sopclasses import KEY_OBJECT_SELECTION, STORAGE
from filmless.kit.errors import FilmlessError, Refused, Unavailable

_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
_NAMES = frozenset({_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES})
#: so much of a data set is looked at for the UIDs with which it begins
_HEAD = 256 << 10
#: a key object document of somebody whose rights are to be looked at is read whole before it is stored
_LONGEST_NOTE = 8 << 20
#: objects whose bytes are here and that wait for disk and index
_UNDER_WAY = 64
#: how long the disk may take for what one object has waiting; seconds
_DISK_PATIENCE = 120.0
#: how long disk and index may take for what is all here; seconds
_INDEX_PATIENCE = 600.0
#: more than any data set has: its end is not known yet
_FAR = 1 << 62
_DEFLATED = threading.Lock()


class Intake:
    """The objects of one request. `results` in the order in which they came."""

    def __init__(self, archive: Archive, principal: Principal, source: Source, study_uid: str) -> None:
        """`study_uid`: of the URL, "" where it names none."""
        self.archive, self.principal, self.source, self.study_uid = archive, principal, source, study_uid
        self.results: list[Result] = []
        self._free = asyncio.Semaphore(_UNDER_WAY)
        self._waiting = 0
        self._all_done = asyncio.Event()
        self._all_done.set()
        self._loop = asyncio.get_running_loop()

    def begin(self) -> "Incoming":
        """One part begins."""
        result = Result()
        self.results.append(result)
        return Incoming(self, result)

    def no_object(self, error: FilmlessError) -> None:
        """One part is none."""
        result = Result()
        result.fail(error)
        self.results.append(result)

    async def wait(self) -> None:
        """Until all that was completed is durable, or is known not to be."""
        try:
            async with asyncio.timeout(_INDEX_PATIENCE):
                await self._all_done.wait()
        except TimeoutError:
            for result in self.results:
                if not result.done:
                    result.fail(Unavailable("the index does not keep up", code="index-busy"))

    async def complete(self, reception: Reception, result: Result) -> None:
        """All bytes of an object are here; waits only where too many are under way."""
        try:
            await self._free.acquire()
        except BaseException:
            reception.abort()
            raise
        self._waiting += 1
        self._all_done.clear()
        loop = self._loop

        def done(answer: Outcome | FilmlessError) -> None:
            loop.call_soon_threadsafe(self._conclude, result, answer)

        reception.complete(done)

    def _conclude(self, result: Result, answer: Outcome | FilmlessError) -> None:
        self._free.release()
        self._waiting -= 1
        if not self._waiting:
            self._all_done.set()
        if isinstance(answer, Outcome):
            result.conclude(answer)
        else:
            result.fail(answer)


class Incoming:
    """One object on its way. `write` as its bytes come, then `finish`; `abort` where the body ends within it."""

    def __init__(self, intake: Intake, result: Result) -> None:
        self._intake = intake
        self._result = result
        self._head: bytearray | None = bytearray()
        self._look_at = 1 << 10
        self._reception: Reception | None = None
        self._room = asyncio.Event()

    async def write(self, data: memoryview) -> None:
        """The next bytes. What cannot be stored is read to its end all the same."""
        if self._reception is not None:
            await self._give(self._reception, data)
        elif self._head is not None:
            self._head += data
            if len(self._head) >= self._look_at:
                await self._try(last=False)

    async def finish(self) -> None:
        """The part is complete."""
        if self._head is not None:
            await self._try(last=True)
        if self._reception is not None:
            reception, self._reception = self._reception, None
            await self._intake.complete(reception, self._result)

    def abort(self) -> None:
        """The rest will not come: nothing of it stays, and nothing is said of it."""
        if self._reception is not None:
            self._reception.abort()
        self._head = self._reception = None
        self._intake.results.pop()

    async def _give(self, reception: Reception, data: bytes | bytearray | memoryview) -> None:
        self._room.clear()
        if reception.write(data):
            return
        try:
            async with asyncio.timeout(_DISK_PATIENCE):
                await self._room.wait()
        except TimeoutError:
            reception.abort()
            self._reception = None
            self._result.fail(Unavailable("the disk does not keep up", code="disk-slow"))

    async def _try(self, *, last: bool) -> None:
        """Begin to store where enough of the head is here."""
        assert self._head is not None
        try:
            data_set = await self._begin(self._head, last=last)
        except FilmlessError as error:
            self._result.fail(error)
            self._head = None
            return
        if data_set is None:
            self._look_at = 2 * len(self._head)
            return
        self._head = None
        if self._reception is not None and data_set:
            await self._give(self._reception, data_set)

    async def _begin(self, head: bytearray, *, last: bool) -> bytes | None:
        """What of the data set is here; None where more is needed first."""
        meta = part10.meta_so_far(bytes(head[: part10.MAX_META]), last=last)
        if meta is None:
            if last or len(head) >= part10.MAX_META:
                raise Refused("This part is no DICOM file.", code="not-dicom")
            return None
        data_set = bytes(head[meta.data_set_offset :])
        header = scan.scan(data_set, meta.transfer_syntax_uid, _NAMES, total=len(data_set) if last else _FAR)
        if not last and not header.complete and len(data_set) < _HEAD:
            return None
        intake, result = self._intake, self._result
        arrival = announced(meta, header, intake, result)
        if arrival.sop_class_uid == KEY_OBJECT_SELECTION and not intake.principal.unlimited:
            if not last:
                if len(data_set) > _LONGEST_NOTE:
                    raise Refused("The key object document is too long.", code="too-large")
                return None
            await asyncio.to_thread(_check_note, intake, data_set, meta.transfer_syntax_uid)
        loop, room = asyncio.get_running_loop(), self._room
        self._reception = intake.archive.receive(arrival, lambda: _wake(loop, room.set))
        return data_set


def _scan_deflated(data_set: bytes, syntax: str, total: int) -> Header:
    """As the others, but out of the loop and one at a time: it may be a bomb, and take 64 MB for a moment."""
    with _DEFLATED:
        return scan.scan(data_set, syntax, _NAMES, total=total)


def _check_note(intake: Intake, data_set: bytes, syntax: str) -> None:
    with _DEFLATED:
        whole = scan.scan(data_set, syntax, levels.WANTED)
    notes.check(intake.archive.engine, intake.principal, whole)


def _wake(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    loop.call_soon_threadsafe(call)


def announced(meta: part10.Meta, header: Header, intake: Intake, result: Result) -> Arrival:
    """What is known of an object before it is stored; notes it in `result`. Raises Refused where it is not taken."""
    # the data set's own UIDs count: file meta information is what the last program wrote
    sop_class = levels.uid_value(scan.text(header, _SOP_CLASS)) or levels.uid_value(meta.sop_class_uid)
    sop_instance = levels.uid_value(scan.text(header, _SOP_INSTANCE)) or levels.uid_value(
        meta.sop_instance_uid
    )
    if not header.values and not sop_class and not sop_instance:
        raise Refused("This part is no DICOM object.", code="not-dicom")
    result.sop_class_uid, result.sop_instance_uid = sop_class, sop_instance
    result.study_uid = levels.uid_value(scan.text(header, _STUDY))
    result.series_uid = levels.uid_value(scan.text(header, _SERIES))
    if not levels.uid_value(meta.transfer_syntax_uid):
        raise Refused("Its transfer syntax is no UID.", code="no-such-syntax")
    if (
        sop_class
        and sop_class not in STORAGE
        and sop_class not in intake.archive.settings.private_storage_classes
    ):
        raise Refused("Objects of this SOP class are not stored.", code="no-storage-class")
    if intake.study_uid and result.study_uid and result.study_uid != intake.study_uid:
        raise Refused("The object is of another study than that of the address.", code="other-study")
    return Arrival(
        sop_class, sop_instance, meta.transfer_syntax_uid, intake.source, study_uid=intake.study_uid
    )
