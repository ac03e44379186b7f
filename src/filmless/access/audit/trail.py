"""The trail as the rooms see it: record what happened, from any thread."""

import asyncio
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from itertools import islice

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from filmless.access.audit import chain
from filmless.access.audit.anchors import Anchors
from filmless.access.audit.chain import Draft, PatientsOf
from filmless.access.audit.keys import Keys
from filmless.access.audit.model import Entry, Kind
from filmless.access.audit.verify import Report, verify
from filmless.access.model import Principal
from filmless.db import events
from filmless.db.work import reading, writing
from filmless.kit import clock
from filmless.kit.errors import FilmlessError, Unavailable

log = logging.getLogger(__name__)

#: entries that may wait for the database
_WAITING = 10_000
_BATCH = 500
#: seconds that entries are gathered for one commit
_GATHER = 0.1
#: seconds that a thread waits for room before it is told that nothing can be kept
_PATIENCE = 5.0
_BACK_OFF = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
#: how long repeated views of a study are one view, and how many are remembered
_VIEW_SECONDS = 600.0
_VIEWS = 50_000


class Trail:
    """One for a process. Entries become durable within about 100 ms, in batches, by a thread of its own."""

    def __init__(
        self,
        engine: Engine,
        keys: Keys,
        anchors: Anchors | None = None,
        *,
        server: str = "",
        patients_of: PatientsOf | None = None,
        patience: float = _PATIENCE,
    ) -> None:
        """`server`: the name of this server in the entries. `patients_of`: whose the studies of an entry are."""
        self._engine = engine
        self._keys = keys
        self._anchors = anchors
        self._server = server
        self._patients_of = patients_of
        self._patience = patience
        self._changed = threading.Condition()
        self._waiting: deque[Draft] = deque()
        self._put = self._done = self._hurried = 0
        self._closing = False
        self._give_up = 0.0
        self._thread: threading.Thread | None = None
        self._views: OrderedDict[tuple[str, str, str, str], float] = OrderedDict()
        self._views_lock = threading.Lock()

    def record(self, entry: Entry) -> None:
        """Keep an entry, soon. From any thread; costs microseconds.

        Raises Unavailable where so many wait already (the database is down) that this one could be lost: then what
        was to be done is not to be done either. Waits some seconds for room before, unless in an event loop.
        """
        draft = Draft(clock.now(), entry)
        with self._changed:
            if not self._closing and len(self._waiting) >= _WAITING and not _in_loop():
                self._changed.wait_for(
                    lambda: self._closing or len(self._waiting) < _WAITING, timeout=self._patience
                )
            if self._closing or len(self._waiting) >= _WAITING:
                raise Unavailable("What is done now could not be kept in the audit trail.", code="audit")
            self._waiting.append(draft)
            self._put += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
                self._thread.start()
            if len(self._waiting) == 1 or len(self._waiting) >= _BATCH:
                # between these the writer gathers, or is at work and looks by itself
                self._changed.notify_all()

    def require(self) -> None:
        """Raises Unavailable where nothing more can be kept: asked before what is told only at its end."""
        with self._changed:
            if self._closing or len(self._waiting) >= _WAITING:
                raise Unavailable("What is done now could not be kept in the audit trail.", code="audit")

    def record_late(self, entry: Entry) -> None:
        """Keep an entry about what has happened already, so that there is nothing left to refuse: never raises."""
        try:
            self.record(entry)
        except Unavailable:
            log.error("an entry (%s) of the audit trail could not be kept", entry.kind)

    def record_in(self, connection: Connection, entry: Entry) -> None:
        """Keep an entry in the caller's write transaction: with it, or not at all. Best as its last statement."""
        if connection.dialect.name == "postgresql":
            # in this order everywhere, so that two that write both events and entries never wait for each other
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": events.LOCK})
        self._append(connection, [Draft(clock.now(), entry)])

    def viewed(self, who: Principal, host: str, study_uid: str, what: str) -> None:
        """Somebody saw (part of) a study: one entry per principal, study and `what` in ten minutes."""
        key = (who.kind, who.name, study_uid, what)
        now = time.monotonic()
        with self._views_lock:
            until = self._views.get(key)
            if until is not None and until > now:
                return
            self._views[key] = now + _VIEW_SECONDS
            self._views.move_to_end(key)
            if len(self._views) > _VIEWS:
                self._views.popitem(last=False)
        try:
            self.record(Entry(Kind.VIEW, who, host=host, studies=(study_uid,), what=what))
        except BaseException:
            with self._views_lock:
                self._views.pop(key, None)
            raise

    def flush(self, seconds: float = 10.0) -> None:
        """Return when all that was recorded before is durable. Raises Unavailable after `seconds`.

        Never inside a write transaction: on SQLite the trail waits for its end.
        """
        with self._changed:
            wanted = self._hurried = self._put
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._done >= wanted, timeout=seconds):
                raise Unavailable("The audit trail cannot be written at the moment.", code="audit")

    def check(self) -> None:
        """Raises Refused (code "audit-key") where the chain cannot be continued with the key that is here."""
        with reading(self._engine) as connection:
            chain.check_key(connection, self._keys)

    def verify(self, *, progress: Callable[[int], None] | None = None) -> Report:
        """Whether the trail is whole: see verify.verify."""
        return verify(self._engine, self._keys, self._anchors, progress=progress)

    def anchor(self, *, seconds: float = 0.0) -> int:
        """Anchor the chain's end beside the database, unless that was done less than `seconds` ago; returns 0."""
        if self._anchors is not None:
            with reading(self._engine) as connection:
                end = chain.head(connection)
            if end.seq:
                self._anchors.append(end, seconds=seconds)
        return 0

    def close(self, seconds: float = 10.0) -> None:
        """Write what waits, for at most about `seconds`, anchor, and end. Records nothing more."""
        with self._changed:
            self._closing = True
            self._give_up = time.monotonic() + seconds
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(seconds + 35)
        if self._done < self._put:
            log.error("%d entries of the audit trail could not be kept", self._put - self._done)
        self._try_to_anchor()

    def _try_to_anchor(self) -> None:
        try:
            self.anchor()
        except (SQLAlchemyError, OSError, FilmlessError) as why:
            log.error("the audit trail could not be anchored: %s", type(why).__name__)

    def _append(self, connection: Connection, drafts: list[Draft]) -> None:
        chain.append(connection, self._keys, drafts, server=self._server, patients_of=self._patients_of)

    # in the writer's thread

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                self._changed.wait_for(
                    lambda: self._closing or self._hurried > self._done or len(self._waiting) >= _BATCH,
                    timeout=_GATHER,
                )
                # they stay in the queue until they are durable: they count against its bound
                batch = list(islice(self._waiting, _BATCH))
            if not self._write(batch):
                return
            if not self._done:
                # a trail without any anchor is taken for one whose anchors were removed
                self._try_to_anchor()
            with self._changed:
                for _ in batch:
                    self._waiting.popleft()
                self._done += len(batch)
                self._changed.notify_all()

    def _write(self, batch: list[Draft]) -> bool:
        """Write until it is done; False where we are to end and it cannot be."""
        tries = 0
        while True:
            try:
                with writing(self._engine) as connection:
                    self._append(connection, batch)
                return True
            except (SQLAlchemyError, FilmlessError, OSError) as why:
                # the error's own text may have what is patients'
                words = (
                    why.message
                    if isinstance(why, FilmlessError)
                    else type(getattr(why, "orig", why)).__name__
                )
                if tries in (0, 5) or tries % 60 == 0:
                    log.error("the audit trail cannot be written, %d wait: %s", len(self._waiting), words)
            delay = _BACK_OFF[min(tries, len(_BACK_OFF) - 1)]
            tries += 1
            with self._changed:
                if self._closing and time.monotonic() + delay > self._give_up:
                    return False
                self._changed.wait_for(lambda: self._closing, timeout=delay)


def _in_loop() -> bool:
    return asyncio._get_running_loop() is not None
