"""The worker process: background work, so that the network process is left in peace.

    python -m filmless.app.worker        (settings as for `filmless serve`: FILMLESS_HOME and so on)

It runs the durable jobs (sends, notifications, results of commitments); hands the event log to them; settles
series; asks devices whether they answer; tells those in charge of alarms; anchors the audit trail and tells its
collector. `filmless serve` starts it and starts it again when it ends. It may be killed at any moment: all that it has
to remember is in the databases. It ends by itself at the end of its standard input, where that is a pipe: then the
server that started it is gone.
"""

import asyncio
import fcntl
import logging
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from filmless.app import logs
from filmless.app.alarms import conditions, seen
from filmless.app.alarms.model import Condition
from filmless.app.alarms.telling import Teller
from filmless.app.calling import tls_for_devices
from filmless.app.index import open_index
from filmless.app.settings import Settings, load
from filmless.app.trail import forwarder, open_trail
from filmless.archive import search_index, settle
from filmless.archive.codecs import Codecs
from filmless.archive.commitment import jobs as commitment_jobs
from filmless.archive.commitment.provider import Reporter
from filmless.archive.retrieve.sending import Sender
from filmless.archive.store import Archive
from filmless.db import durable, events
from filmless.db.durable import Jobs
from filmless.db.engine import refresh_statistics
from filmless.db.events import Event
from filmless.db.work import reading, writing
from filmless.department.arrivals import Arrivals
from filmless.department.identity.following import Follower
from filmless.department.no_shows import NoShows
from filmless.devices import checks
from filmless.devices import service as devices
from filmless.devices.assigning import Assigner
from filmless.exchange import journal
from filmless.exchange.jobs import ExchangeJobs, Wish, of_event
from filmless.kit import clock
from filmless.kit.allocator import frugal
from filmless.kit.errors import Conflict, FilmlessError
from filmless.kit.forks import name_this
from filmless.reporting.documents import Documents
from filmless.reporting.following import Follower as ReportFollower
from filmless.reporting.press.service import Shelf
from filmless.reporting.upkeep import Upkeep

# by its name, also where it is run as __main__
log = logging.getLogger("filmless.app.worker")

#: this process's place in the event log
READER = "jobs"
_KINDS = ("series-settled", "commitment-asked", "images-moved")
_EVENTS = 500
#: events of other kinds are passed over in memory, and written off so many at a time
_SKIP = 2000
#: how long a finished job stays in the list
_KEEP_JOBS = timedelta(days=30)
#: how long a new worker waits for the one before it to end; seconds
_LOCK_SECONDS = 60.0
_SETTLE_RETRY = 300.0
#: before what has just found work looks for more; seconds. While images stream in, each look would find a few of them
#: and write a transaction about those, beside the writer of the index
_PAUSE = 0.5
#: of the thread that prepares series: what comes in goes first
_NICE = 10


class Relay:
    """Hands events to jobs. A job's id is made from its event, so that an event read twice adds no second job."""

    def __init__(self, engine: Engine, jobs: Jobs) -> None:
        self._engine = engine
        self._jobs = jobs

    def run_once(self) -> int:
        """Hand over the next events; returns how many were looked at."""
        with reading(self._engine) as connection:
            behind = events.position(connection, READER)
            newest = connection.scalar(select(func.max(events.events.c.seq))) or 0
            found = events.after(connection, behind, kinds=_KINDS, limit=_EVENTS)
            wishes = [wish for event in found for wish in self._wishes(connection, event)]
        for wish in wishes:
            self._jobs.add(wish.kind, wish.task, device=wish.device, queue=wish.queue, job_id=wish.job_id)
        done = found[-1].seq if found else behind
        if len(found) < _EVENTS and newest - done > _SKIP:
            done = newest
        if done > behind:
            with writing(self._engine) as connection:
                events.advance(connection, READER, done)
        return len(found)

    def _wishes(self, connection: Connection, event: Event) -> Iterator[Wish]:
        if event.kind == "commitment-asked":
            commitment_id, device = event.body["id"], str(event.body["device"])
            job_id = f"{commitment_jobs.COMMIT}-{device}-{event.seq}"
            yield Wish(commitment_jobs.COMMIT, {"id": commitment_id}, device, "notices", job_id)
        else:
            yield from of_event(connection, event)


class Settler:
    """Settles series that have become quiet. One that cannot be is left alone for a while."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._failed: dict[tuple[int, int], float] = {}

    def run_once(self) -> int:
        """Prepare and settle what is due; returns how many series were."""
        now = time.monotonic()
        self._failed = {key: until for key, until in self._failed.items() if until > now}
        limit = 100 + len(self._failed)
        with reading(self._engine) as connection:
            soon = settle.due_for_preparing(connection, self._settings.archive, limit=limit)
            due = settle.due(connection, self._settings.archive, limit=limit)
        done = 0
        for step, found in ((settle.prepare, soon), (settle.settle, due)):
            for series_id, generation in found:
                if (series_id, generation) in self._failed:
                    continue
                try:
                    step(self._engine, self._settings.store, series_id, generation)
                    done += 1
                except Exception:
                    log.exception("series %d cannot be prepared", series_id)
                    self._failed[series_id, generation] = now + _SETTLE_RETRY
        return done


class Checker:
    """Asks each device with an address, once in an interval, whether it answers."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._tls = tls_for_devices(settings)

    def run_once(self) -> int:
        """Ask the devices whose turn it is; returns how many were."""
        before = clock.now() - timedelta(seconds=self._settings.devices.check_interval)
        with reading(self._engine) as connection:
            asked = [
                device
                for device in devices.list_devices(connection, limit=10_000)
                if device.enabled
                and device.host
                and (device.checked_at is None or device.checked_at < before)
            ]
        if not asked:
            return 0
        results = asyncio.run(checks.check_all(asked, self._settings.net, tls=self._tls))
        with writing(self._engine) as connection:
            for device, result in zip(asked, results, strict=True):
                devices.record_check(
                    connection, device.ae_title, ok=result.ok, reason=result.reason, ms=result.ms
                )
                if device.check_ok is not result.ok:
                    log.log(
                        logging.INFO if result.ok else logging.WARNING,
                        "%s %s %s",
                        device.ae_title,
                        "answers" if result.ok else "does not answer:",
                        result.reason,
                    )
        return len(asked)


class Tidier:
    """Takes jobs that were over long ago off the list, and their journals."""

    def __init__(self, home: Path, jobs: Jobs) -> None:
        self._home = home
        self._jobs = jobs

    def run_once(self) -> int:
        """Returns how many jobs were forgotten."""
        gone = self._jobs.forget(older_than=_KEEP_JOBS)
        journal.forget(self._home, gone)
        return len(gone)


class Watch:
    """Tells those in charge of what needs them, where mail or a webhook is set."""

    def __init__(self, engine: Engine, settings: Settings, jobs: Jobs) -> None:
        self._engine = engine
        self._settings = settings
        self._jobs = jobs
        self._teller = Teller(settings.home, settings.alarms, settings.server.aet)
        self._next_look = 0.0

    def run_once(self) -> int:
        """Look at the conditions where it is time, and send what is due; returns 0: there is no hurry."""
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + self._settings.alarms.look_seconds
            self._teller.look(self._conditions())
        self._teller.send_due()
        return 0

    def _conditions(self) -> list[Condition]:
        settings = self._settings
        found = [
            *conditions.of_disk(settings.store, settings.archive.minimum_free_bytes),
            *conditions.of_certificate(settings.tls.certificate),
        ]
        try:
            found += conditions.of_devices(self._engine)
            with reading(self._engine) as connection:
                known = seen.of(connection, "job")
            found += [one for one in conditions.of_jobs(self._jobs, known) if one.seen is None]
        except (SQLAlchemyError, FilmlessError):
            # what the database would say stays as it was told: nobody is told that it is over
            found += self._teller.standing(("device", "job"))
            found.append(Condition("database", grave=True))
        return found


@contextmanager
def _repeatedly(
    name: str, seconds: float, once: Callable[[], int], stop: threading.Event, *, nice: int = 0
) -> Iterator[None]:
    """Call `once` in a thread until `stop`: every so many seconds, soon again where it did something.

    `nice`: by how much others go first, where the processors are busy.
    """

    def loop() -> None:
        if nice and sys.platform == "linux":
            # there, a thread has a priority of its own; no account but root may raise one that the server began with
            own = threading.get_native_id()
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, own, max(nice, os.getpriority(os.PRIO_PROCESS, own)))
        delay = 0.0
        while not stop.wait(delay):
            try:
                delay = min(_PAUSE, seconds) if once() else seconds
            except Exception:
                # e.g. the database is down for a moment: it is tried again, at most once a minute
                log.exception("%s failed", name)
                delay = min(60.0, max(1.0, seconds, delay * 2))

    thread = threading.Thread(target=loop, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Be the one worker of this home. Waits a while for the one before; raises Conflict where it stays."""
    with (home / "worker.lock").open("a+") as file:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Conflict(f"Another worker runs on {home}.", code="already-running") from None
                time.sleep(0.1)
        yield


@contextmanager
def _way_in(engine: Engine, settings: Settings, codecs: Codecs) -> Iterator[Archive]:
    """The way into the archive, for the few objects that the worker makes itself."""
    archive = Archive(engine, settings.store, settings.archive, codecs)
    archive.start()
    try:
        yield archive
    finally:
        archive.stop()


def runs(home: Path) -> bool:
    """Whether a worker runs on this home at this moment."""
    try:
        with (home / "worker.lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def work(settings: Settings, stop: threading.Event, *, poll: float = 1.0) -> None:
    """Work until `stop`. `poll`: seconds between looks at the event log, the queues and the series."""
    url = durable.jobs_url(settings.home, settings.index_url)
    with ExitStack() as stack:
        stack.enter_context(only_one(settings.home))
        engine = stack.enter_context(open_index(settings, create=True))
        trail = stack.enter_context(open_trail(settings, engine, "worker"))
        codecs = Codecs(settings.home / "scratch", settings.codecs)
        stack.callback(codecs.close)
        sender = Sender(settings.store, codecs, settings.retrieve)
        stack.callback(sender.close)
        tls = tls_for_devices(settings)
        exchange = ExchangeJobs(engine, settings.home, settings.net, sender, trail, tls)
        reporter = Reporter(engine, settings.store, settings.net, tls)

        def register() -> None:
            exchange.register()
            commitment_jobs.register(reporter)
            search_index.Indexer(engine, settings.store).register()

        stack.enter_context(durable.running(url, register, poll=poll))
        jobs = stack.enter_context(Jobs(url))
        for name, seconds, once in (
            ("relay", poll, Relay(engine, jobs).run_once),
            ("assign", poll, Assigner(engine).run_once),
            ("tidy", 3600.0, Tidier(settings.home, jobs).run_once),
            ("statistics", 3600.0, partial(refresh_statistics, engine)),
            (
                "anchor",
                settings.audit.anchor_seconds,
                partial(trail.anchor, seconds=settings.audit.anchor_seconds / 2),
            ),
        ):
            stack.enter_context(_repeatedly(name, seconds, once, stop))
        settler = Settler(engine, settings)
        stack.enter_context(_repeatedly("settle", poll, settler.run_once, stop, nice=_NICE))
        if settings.department.enabled:
            arrivals = Arrivals(engine, settings.department, trail)
            stack.enter_context(_repeatedly("arrivals", poll, arrivals.run_once, stop))
            every = min(5.0, max(0.5, settings.department.transfer_seconds / 10))
            stack.enter_context(_repeatedly("transfer", every, arrivals.watch_once, stop))
            no_shows = NoShows(engine, settings.department, trail)
            stack.enter_context(_repeatedly("no-shows", 60.0, no_shows.run_once, stop))
            follower = Follower(engine, settings.store, trail, partial(_way_in, engine, settings, codecs))
            stack.enter_context(_repeatedly("identity", poll, follower.run_once, stop))
            stack.enter_context(_repeatedly("green", 60.0, follower.watch_once, stop))
            shelf = Shelf(engine, settings.store, codecs, settings.home / "scratch")
            way_in = partial(_way_in, engine, settings, codecs)
            documents = Documents(shelf, settings.reporting, way_in, settings.http.public_url.rstrip("/"))
            stack.enter_context(_repeatedly("documents", max(2.0, poll), documents.run_once, stop))
            stack.enter_context(_repeatedly("reports", poll, ReportFollower(engine, trail).run_once, stop))
            stack.enter_context(_repeatedly("upkeep", 5.0, Upkeep(engine, trail).run_once, stop))
        if settings.devices.check_interval > 0:
            every = min(5.0, settings.devices.check_interval)
            stack.enter_context(_repeatedly("check", every, Checker(engine, settings).run_once, stop))
        if settings.alarms.channels:
            every = min(5.0, settings.alarms.look_seconds)
            stack.enter_context(_repeatedly("alarms", every, Watch(engine, settings, jobs).run_once, stop))
        if settings.audit.collector:
            told = forwarder(settings, engine)
            stack.callback(told.close)
            stack.enter_context(_repeatedly("collector", poll, told.run_once, stop))
        log.info("the worker works")
        stop.wait()
    log.info("the worker has ended")


def main(_arguments: Sequence[str] = ()) -> int:
    """Entry point; returns the exit code. What people and scanners wait for goes first (nice 5)."""
    name_this("filmless-worker")
    os.nice(5)
    frugal()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=_until_end_of_input, args=(stop,), name="parent", daemon=True).start()
    try:
        settings = load()
        logs.start(settings, "worker", name="worker")
        work(settings, stop)
    except FilmlessError as error:
        log.error("%s", error.message)
        return 1
    return 0


def _until_end_of_input(stop: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
