"""Searches: short ones at once, all others off the event loop - a few threads, a deadline, and an end that interrupts
the database."""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from filmless.db.work import reading
from filmless.kit.errors import Unavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

#: searches at a time; others wait for their turn
THREADS: Final = 6
#: seconds after which a search is given up
LONGEST: Final = 60.0


#: what one that is made at once may take: instructions of SQLite's (some milliseconds), and seconds, in which disks
#: that are waited for count too. Then it is given up, to be made by a thread
AT_ONCE: Final = 100_000
AT_ONCE_SECONDS: Final = 0.1
#: instructions between two looks at both
_INSTRUCTIONS: Final = 5_000


class AtOnce:
    """Searches in the event loop: of SQLite's most are over sooner than a thread is awake (measured here: 0.1 ms
    against 0.3 with all that threads do to each other).

    On a connection of its own, which waits for nobody: a statement that takes more than AT_ONCE, or meets a lock, is
    given up. Only statements that are known to be short are tried (archive/query/paging.py).
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._left, self._until = 0, 0.0
        self.possible = engine.dialect.name == "sqlite"

    def run(self, work: Callable[[Connection], T | None]) -> T | None:
        """What `work` finds; None where a thread has to do it. Call it in the event loop only."""
        if not self.possible:
            return None
        try:
            if self._connection is None:
                self._connection = self._opened()
            driver: Any = self._connection.connection.dbapi_connection
            self._left, self._until = AT_ONCE // _INSTRUCTIONS, time.monotonic() + AT_ONCE_SECONDS
            try:
                # one consistent state, as everywhere (db/work.py)
                driver.execute("BEGIN")
                return work(self._connection)
            finally:
                if driver.in_transaction:
                    driver.execute("ROLLBACK")
        except (OperationalError, sqlite3.OperationalError):
            # whatever it is, the thread that does it again tells it
            return None

    def _opened(self) -> Connection:
        connection = self._engine.connect()
        # nobody else is to wait for it
        connection.detach()
        driver: Any = connection.connection.dbapi_connection
        driver.execute("PRAGMA busy_timeout=0")
        driver.set_progress_handler(self._is_long, _INSTRUCTIONS)
        return connection

    def _is_long(self) -> bool:
        self._left -= 1
        return self._left < 0 or time.monotonic() > self._until


class Searcher:
    """Runs pieces of work on a connection that reads. One for a process."""

    def __init__(self, engine: Engine, *, threads: int = THREADS, longest: float = LONGEST) -> None:
        self._engine = engine
        self._longest = longest
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="search")

    async def run(self, work: Callable[[Connection], T]) -> T:
        """The result of `work`. Raises Unavailable where it takes too long, or the index does not answer."""
        running = _Running()
        future = asyncio.get_running_loop().run_in_executor(self._threads, running.run, self._engine, work)
        try:
            return await asyncio.wait_for(asyncio.shield(future), self._longest)
        except TimeoutError:
            await self._stop(running, future)
            raise Unavailable("The search takes too long: ask for less.", code="search-timeout") from None
        except OperationalError as error:
            # with its cause in our log, without what was searched for
            log.error("a search failed: %s", type(error.orig).__name__)
            log.debug("a search failed", exc_info=error)
            raise Unavailable("The index is not available.", code="index-busy") from None
        except asyncio.CancelledError:
            await self._stop(running, future)
            raise

    async def _stop(self, running: "_Running", future: "asyncio.Future[Any]") -> None:
        # nobody is left to hear how an interrupted statement ended
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        future.cancel()
        await asyncio.shield(asyncio.to_thread(running.stop))


class _Running:
    """One piece of work. `run` is called by a thread of the pool, `stop` by another."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._lock = threading.Lock()
        self._given_up = False
        self._over = threading.Event()
        self._begun = False

    def run(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        try:
            self._begun = True
            with reading(engine) as connection:
                with self._lock:
                    if self._given_up:
                        raise Unavailable("The search was given up.", code="search-timeout")
                    self._connection = connection
                try:
                    return work(connection)
                finally:
                    # under the lock, because afterwards the driver's connection serves somebody else
                    with self._lock:
                        self._connection = None
        finally:
            self._over.set()

    def stop(self) -> None:
        """Interrupt again and again: one that comes before the statement has begun is lost."""
        with self._lock:
            self._given_up = True
        while self._begun and not self._over.wait(0.02):
            with self._lock:
                self._interrupt()

    def _interrupt(self) -> None:
        connection = self._connection
        if connection is None:
            return
        driver: Any = connection.connection.driver_connection
        if connection.dialect.name == "sqlite":
            driver.interrupt()
            return
        with suppress(connection.dialect.loaded_dbapi.Error):  # it is tried again
            driver.cancel_safe(timeout=5)
