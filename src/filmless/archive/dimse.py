"""The archive's storage service (PS3.4 Annex B), and the one table from outcomes and errors to statuses."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

from filmless.archive.model import Arrival, Cause, Kind, Outcome, Source
from filmless.archive.reception import Reception
from filmless.archive.store import Archive
from filmless.archive.told import Arrivals
from filmless.dicom.dimse import Command
from filmless.dicom.ul.negotiation import Context
from filmless.kit.errors import Conflict, Defect, FilmlessError, Refused, Unavailable
from filmless.net.model import StoreAnswer

SUCCESS = 0x0000
#: PS3.7 C.5: Processing failure, Refused: not authorised
PROCESSING_FAILURE = 0x0110
NOT_AUTHORISED = 0x0124
#: PS3.7 C.5.24
SOP_CLASS_NOT_SUPPORTED = 0x0122
#: PS3.4 table B.2-1: A7xx out of resources, A9xx data set does not match SOP class, Cxxx cannot understand
OUT_OF_RESOURCES = 0xA700
INDEX_BUSY = 0xA701
UID_MISMATCH = 0xA900

#: what a sender is told of an object that went to quarantine. It is kept, but it is not in the archive, so that a
#: sender that deletes what was stored must not take it for stored.
QUARANTINE_STATUS: dict[Cause, int] = {
    Cause.UNREADABLE: 0xC100,
    Cause.DIFFERENT_OBJECT: 0xC110,
    Cause.NO_STUDY_UID: 0xC120,
    Cause.NO_SERIES_UID: 0xC121,
    Cause.UNKNOWN_SENDER: 0xC130,
    Cause.NO_SOP_INSTANCE_UID: UID_MISMATCH,
    Cause.UID_MISMATCH: UID_MISMATCH,
}

_COMMENTS: dict[Cause, str] = {
    Cause.UNREADABLE: "Quarantined: data set is unreadable",
    Cause.DIFFERENT_OBJECT: "Quarantined: another object has this UID",
    Cause.NO_STUDY_UID: "Quarantined: no Study Instance UID",
    Cause.NO_SERIES_UID: "Quarantined: no Series Instance UID",
    Cause.UNKNOWN_SENDER: "Quarantined: sender is not registered",
    Cause.NO_SOP_INSTANCE_UID: "Quarantined: no SOP Class or Instance UID",
    Cause.UID_MISMATCH: "Quarantined: UIDs are not those announced",
}


def store_status(outcome: Outcome) -> StoreAnswer:
    """The status of a C-STORE whose object is durable."""
    if outcome.kind is Kind.QUARANTINED and outcome.cause is not None:
        return StoreAnswer(QUARANTINE_STATUS[outcome.cause], _COMMENTS[outcome.cause])
    return StoreAnswer(SUCCESS)


def error_status(error: FilmlessError) -> StoreAnswer:
    """The status of a C-STORE that failed: nothing of it was kept. Comments are LO: at most 64 characters."""
    if isinstance(error, Unavailable):
        status = OUT_OF_RESOURCES if error.code.startswith("disk") else INDEX_BUSY
    elif isinstance(error, Refused) and error.code == "not-allowed":
        status = NOT_AUTHORISED
    elif isinstance(error, Refused) and error.code == "no-storage-class":
        status = SOP_CLASS_NOT_SUPPORTED
    elif isinstance(error, Refused | Conflict | Defect):
        status = PROCESSING_FAILURE
    else:
        status = PROCESSING_FAILURE
    return StoreAnswer(status, error.message[:64])


class Sender(Protocol):
    """What the storage service needs to know of the caller (devices.model.Device)."""

    @property
    def ae_title(self) -> str: ...
    @property
    def character_set(self) -> str: ...
    @property
    def default_issuer(self) -> str: ...
    @property
    def duplicates(self) -> str: ...
    @property
    def quarantined(self) -> bool: ...


def source_of(sender: Sender) -> Source:
    """Where objects of this device are said to come from, with what is assumed of them."""
    return Source(
        sender.ae_title,
        sender.character_set,
        sender.default_issuer,
        sender.duplicates,
        Cause.UNKNOWN_SENDER.value if sender.quarantined else "",
    )


class _Mailbox:
    """Brings answers from the committer's thread to the loop: one wake-up for as many as have gathered."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[tuple[asyncio.Future[Outcome], Outcome | FilmlessError]] = deque()
        self._woken = False

    def post(self, future: "asyncio.Future[Outcome]", result: Outcome | FilmlessError) -> None:
        """From any thread."""
        self._waiting.append((future, result))
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        # first: what is posted from here on wakes the loop again, or is seen below
        self._woken = False
        while self._waiting:
            future, result = self._waiting.popleft()
            if future.done():
                continue
            if isinstance(result, Outcome):
                future.set_result(result)
            else:
                future.set_exception(result)


#: (study, SOP class, what became of it) of each object
Tell = Callable[[str, str, str], None]


def _nobody(_study_uid: str, _sop_class: str, _became: str) -> None:
    """Where somebody else tells the audit trail."""


class StorageService:
    """Takes objects from associations into the archive (net.server.StoreHandler)."""

    def __init__(
        self,
        archive: Archive,
        on_outcome: Callable[[Source, Outcome | None], None],
        arrivals: Arrivals | None = None,
    ) -> None:
        """`on_outcome` is told of every object: its outcome, or None where it failed (metrics). `arrivals` tells the
        audit trail, unless the caller does (the command line, of what it asked for itself)."""
        self._archive = archive
        self._arrivals = arrivals
        self._on_outcome = on_outcome
        self._mailbox: _Mailbox | None = None

    def begin(self, association: Any, context: Context, command: Command) -> "_Sink":
        """One object is announced. Never raises: an object that cannot be taken is read to its end and refused."""
        arrival = Arrival(
            command.affected_sop_class_uid,
            command.affected_sop_instance_uid,
            context.transfer_syntax,
            source_of(association.who),
        )
        if self._mailbox is None:
            self._mailbox = _Mailbox(asyncio.get_running_loop())
        tell: Tell = _nobody
        if self._arrivals is not None:
            tell = partial(self._arrivals.count, association)
        return _Sink(self._archive, arrival, self._on_outcome, tell, self._mailbox)


class _Sink:
    """One object on its way from an association into the archive (net.model.StoreSink)."""

    def __init__(
        self,
        archive: Archive,
        arrival: Arrival,
        on_outcome: Callable[[Source, Outcome | None], None],
        tell: Tell,
        mailbox: _Mailbox,
    ) -> None:
        self.on_ready: Callable[[], None] | None = None
        self._loop = asyncio.get_running_loop()
        self._mailbox = mailbox
        self._source = arrival.source
        self._sop_class = arrival.sop_class_uid
        self._told = tell
        self._on_outcome = on_outcome
        self._refused: FilmlessError | None = None
        self._reception: Reception | None = None
        try:
            self._reception = archive.receive(arrival, self._ready)
        except FilmlessError as error:
            self._refused = error

    def _ready(self) -> None:
        self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        if self.on_ready is not None:
            self.on_ready()

    def write(self, data: memoryview, release: Callable[[], None]) -> bool:
        if self._reception is None:
            release()
            return True
        return self._reception.write(data, release)

    def finish(self) -> Awaitable[StoreAnswer]:
        return self._finish()

    async def _finish(self) -> StoreAnswer:
        try:
            if self._reception is None:
                assert self._refused is not None
                raise self._refused
            answer: asyncio.Future[Outcome] = self._loop.create_future()
            self._reception.complete(partial(self._mailbox.post, answer))
            outcome = await answer
        except FilmlessError as error:
            self._on_outcome(self._source, None)
            self._told(self._study_uid, self._sop_class, "failed")
            return error_status(error)
        self._on_outcome(self._source, outcome)
        self._told(self._study_uid, self._sop_class, outcome.kind.value)
        return store_status(outcome)

    @property
    def _study_uid(self) -> str:
        return self._reception.study_uid if self._reception is not None else ""

    def abort(self) -> None:
        if self._reception is not None:
            self._reception.abort()
