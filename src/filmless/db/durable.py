"""Durable jobs on DBOS: background work that survives a restart, is retried, and can be cancelled and resumed.

With SQLite the jobs are in a file of their own beside the index (jobs.sqlite), so that they do not compete for
its writer; with PostgreSQL they are in the schema "dbos" of the same database. What is kept of a job is JSON:
ids, UIDs and AE titles, never patient data. dbos is imported when first needed; `filmless serve` does so once for the
processes that it forks (app/crew.py).
"""

import asyncio
import logging
import secrets
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import make_url

from filmless.kit import clock
from filmless.kit.errors import Conflict, FilmlessError, Refused, Unavailable

if TYPE_CHECKING:
    from dbos import WorkflowHandle, WorkflowStatus

log = logging.getLogger(__name__)

_APPLICATION = "filmless"
#: of the jobs' steps, not of the product: an upgrade goes on with the jobs that it finds. Raised only when the
#: steps of a job change so much that one begun before could not go on.
_STEPS_VERSION = "1"

#: queue -> how many of its jobs run at once for one device. Long sends do not hold up short notices.
QUEUES: dict[str, int] = {"sends": 1, "notices": 4, "indexing": 1}

State = Literal["waiting", "running", "retrying", "done", "failed", "cancelled"]
STATES: tuple[State, ...] = ("waiting", "running", "retrying", "done", "failed", "cancelled")

#: seconds between the attempts of a job: minutes at first, then twice an hour for a day
BACK_OFF: tuple[float, ...] = (2, 5, 15, 30, 60, 120, 300, 600, 900, *[1800] * 46)


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of background work. `task` is what it was asked, `result` what it has said so far."""

    id: str
    kind: str
    device: str
    state: State
    created_at: datetime
    changed_at: datetime
    attempt: int
    reason: str
    next_at: datetime | None
    task: Mapping[str, Any]
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one attempt at a job came to: "done", "failed" (for good) or "again" (later), why, and figures."""

    state: Literal["done", "failed", "again"]
    reason: str = ""
    result: Mapping[str, Any] | None = None


def jobs_url(home: Path, index_url: str) -> str:
    """Where the jobs of this home are kept."""
    if make_url(index_url).get_backend_name() == "sqlite":
        return f"sqlite:///{home / 'jobs.sqlite'}"
    return index_url


class Jobs:
    """The list of jobs, from any process: add, look, cancel, resume. Close it after use."""

    def __init__(self, url: str) -> None:
        """Raises Unavailable where the database of the jobs cannot be opened."""
        from dbos import DBOSClient
        from sqlalchemy.exc import DBAPIError

        _quiet()
        try:
            _prepare(url)
            self._client = DBOSClient(
                system_database_url=url,
                serializer=_serializer(),
                system_database_pool_size=2,
                application_name=_APPLICATION,
                retry_connection_errors=False,
            )
        except DBAPIError as error:
            raise Unavailable("The database of the jobs cannot be opened.", code="jobs-database") from error

    def close(self) -> None:
        self._client.destroy()

    def __enter__(self) -> "Jobs":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, kind: str, task: Mapping[str, Any], *, device: str, queue: str, job_id: str = "") -> str:
        """Add a job and return its id. With a `job_id` that is known already, nothing is added (idempotent)."""
        from dbos import EnqueueOptions

        options: EnqueueOptions = {
            "queue_name": queue,
            "workflow_name": kind,
            "workflow_id": job_id or f"{kind}-{secrets.token_hex(5)}",
            "workflow_id_reuse_policy": "return-existing" if job_id else "reject",
            "queue_partition_key": device,
        }
        handle: WorkflowHandle[Any] = self._client.enqueue(options, {**task, "device": device})
        return str(handle.workflow_id)

    def newest(
        self,
        *,
        limit: int = 50,
        state: State | None = None,
        device: str = "",
        kind: str = "",
        since: datetime | None = None,
    ) -> list[Job]:
        """The newest jobs first, at most `limit`; none that was added before `since`."""
        found: list[Job] = []
        offset = 0
        while len(found) < limit:
            page = self._client.list_workflows(
                status=_STATUSES[state] if state else None,
                name=kind or None,
                start_time=since.isoformat() if since else None,
                limit=200,
                offset=offset,
                sort_desc=True,
            )
            for status in page:
                job = self._job(status)
                if (state in (None, job.state)) and (not device or job.device == device):
                    found.append(job)
                    if len(found) == limit:
                        break
            if len(page) < 200:
                break
            offset += len(page)
        return found

    def get(self, job_id: str) -> Job:
        """Raises Refused (code "unknown-job")."""
        found = self._client.list_workflows(workflow_ids=[job_id], limit=1)
        if not found:
            raise Refused(
                f"There is no job {job_id}. `filmless jobs list` shows those there are.", code="unknown-job"
            )
        return self._job(found[0])

    def cancel(self, job_id: str) -> Job:
        """End a job; a running attempt stops within about two seconds. Raises Conflict where it is over already."""
        job = self.get(job_id)
        if job.state not in ("waiting", "running", "retrying"):
            raise Conflict(f"The job {job_id} is {job.state} already.", code="job-over")
        self._client.cancel_workflow(job_id)
        return self.get(job_id)

    def resume(self, job_id: str) -> Job:
        """Take up a cancelled or failed job again; what it confirmed before is not done twice.

        Raises Conflict where it is neither cancelled nor failed.
        """
        job = self.get(job_id)
        if job.state not in ("cancelled", "failed"):
            raise Conflict(
                f"The job {job_id} is {job.state}; only cancelled and failed jobs resume.", code="job-state"
            )
        self._client.rewind_workflow(
            job_id,
            queue_name=queue_of(job.kind),
            queue_partition_key=job.device,
        )
        return self.get(job_id)

    def forget(self, *, older_than: timedelta, limit: int = 1000) -> list[str]:
        """Delete jobs that were over for `older_than`, at most `limit`; returns their ids."""
        old = self._client.list_workflows(
            completed_before=(clock.now() - older_than).isoformat(),
            status=["SUCCESS", "ERROR", "CANCELLED"],
            limit=limit,
            load_input=False,
            load_output=False,
        )
        ids = [status.workflow_id for status in old]
        if ids:
            self._client.delete_workflows(ids)
        return ids

    def _job(self, status: "WorkflowStatus") -> Job:
        task = _first_argument(status)
        said = status.output if isinstance(status.output, dict) else {}
        state = _state(status.status, said)
        if state == "running":
            said = self._client.get_event(status.workflow_id, "standing", timeout_seconds=0) or {}
            if said.get("state") == "again":
                state = "retrying"
        reason = str(said.get("reason", ""))
        if status.status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
            reason = "the worker died each time that it worked on this job"
        elif not reason and status.error is not None:
            reason = _unexpected(status.error)
        next_at = said.get("next_at") if state == "retrying" else None
        return Job(
            id=status.workflow_id,
            kind=status.name,
            device=str(task.get("device", "")),
            state=state,
            created_at=_moment(status.created_at),
            changed_at=_moment(status.updated_at or status.created_at),
            attempt=int(said.get("attempt", 0)),
            reason=reason,
            next_at=datetime.fromtimestamp(next_at, UTC) if next_at else None,
            task=task,
            result=said.get("result") or {},
        )


@contextmanager
def running(url: str, register: Callable[[], None], *, poll: float = 1.0) -> Iterator[None]:
    """Run jobs in this process until the block ends; `register` defines the kinds (see `kind`).

    Jobs that were running when the last process died are taken up again. There must be one such process for a
    home (app/worker.py holds a lock). At the end jobs under way stop where they are and go on at the next start.
    """
    from dbos import DBOS

    _quiet()
    _prepare(url)
    DBOS(
        config={
            "name": _APPLICATION,
            "system_database_url": url,
            "application_version": _STEPS_VERSION,
            "executor_id": "worker",
            "log_level": "WARNING",
            "serializer": _serializer(),
            "sys_db_pool_size": 8,
            # also how long the end of `running` may take
            "notification_listener_polling_interval_sec": 1.0,
            "scheduler_polling_interval_sec": 3600.0,
        }
    )
    register()
    DBOS.launch()
    try:
        for name, at_once in QUEUES.items():
            DBOS.register_queue(
                name, partition_concurrency=at_once, polling_interval_sec=poll, on_conflict="always_update"
            )
        yield
    finally:
        DBOS.destroy(destroy_registry=True)


def kind(
    name: str,
    attempt: Callable[[str, Mapping[str, Any], int], Awaitable[Attempt]],
    *,
    back_off: Sequence[float] = BACK_OFF,
) -> None:
    """Define a kind of job: `attempt(job_id, task, number)` is made until it is done, has failed, or back_off ends.

    An attempt may be cut off anywhere (kill, cancel: asyncio.CancelledError) and is then made again: it keeps
    what it finished where the next one finds it. A FilmlessError is an answer too: Unavailable means again,
    Refused and Conflict mean failed. Anything else is logged, and again.
    """
    from dbos import DBOS

    async def guarded(job_id: str, task: dict[str, Any], number: int) -> dict[str, Any]:
        try:
            made = await attempt(job_id, task, number)
        except (Unavailable, TimeoutError, ConnectionError) as error:
            made = Attempt("again", _words(error))
        except FilmlessError as error:
            made = Attempt("failed", error.message)
        except Exception as error:
            log.exception("attempt %d at job %s failed unexpectedly", number, job_id)
            made = Attempt("again", _unexpected(error))
        delay = back_off[number - 1] if number <= len(back_off) else None
        return {
            "state": "failed" if made.state == "again" and delay is None else made.state,
            "reason": made.reason,
            "result": dict(made.result or {}),
            "attempt": number,
            "next_at": time.time() + delay if made.state == "again" and delay is not None else None,
        }

    @DBOS.workflow(name=name)
    async def job(task: dict[str, Any]) -> dict[str, Any]:
        job_id = str(DBOS.workflow_id)
        number = 1
        while True:
            said = await DBOS.run_step_async(
                {"name": f"attempt {number}", "preemptible": True}, guarded, job_id, task, number
            )
            if said["state"] != "again":
                return said
            await DBOS.set_event_async("standing", said)
            await DBOS.run_step_async({"name": "back off", "preemptible": True}, _wait_until, said["next_at"])
            number += 1


async def _wait_until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.time()))


def _words(error: Exception) -> str:
    if isinstance(error, FilmlessError):
        return error.message
    return "it took too long" if isinstance(error, TimeoutError) else "the connection broke off"


def _unexpected(error: BaseException) -> str:
    return f"an error of ours, which the log describes ({type(error).__name__})"


#: which queue each kind of job waits in, for resuming
_KIND_QUEUES: dict[str, str] = {"send": "sends", "index-key": "indexing"}


def queue_of(kind_name: str) -> str:
    """The queue that jobs of this kind wait in."""
    return _KIND_QUEUES.get(kind_name, "notices")


_STATUSES: dict[State, list[str]] = {
    "waiting": ["ENQUEUED", "DELAYED"],
    "running": ["PENDING"],
    "retrying": ["PENDING"],
    "done": ["SUCCESS"],
    "failed": ["SUCCESS", "ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"],
    "cancelled": ["CANCELLED"],
}


def _state(status: str, said: Mapping[str, Any]) -> State:
    if status == "SUCCESS":
        return "failed" if said.get("state") == "failed" else "done"
    return next((state for state, names in _STATUSES.items() if status in names), "failed")


def _first_argument(status: "WorkflowStatus") -> dict[str, Any]:
    given = status.input["args"][0] if status.input and status.input["args"] else None
    return dict(given) if isinstance(given, Mapping) else {}


def _moment(milliseconds: int | None) -> datetime:
    return datetime.fromtimestamp((milliseconds or 0) / 1000, UTC)


def _serializer() -> Any:
    # JSON instead of the default pickle: a jobs file from elsewhere (a restored backup) cannot run code.
    from dbos import DBOSPortableJSONSerializer

    return DBOSPortableJSONSerializer()


def _prepare(url: str) -> None:
    """Make the tables of the jobs where they are missing; a SQLite file is made with a write-ahead log."""
    from dbos import DBOS

    database = make_url(url).database
    if make_url(url).get_backend_name() == "sqlite":
        assert database
        connection = sqlite3.connect(database, timeout=30)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        finally:
            connection.close()
        Path(database).chmod(0o600)
    DBOS.migrate(url)


def _quiet() -> None:
    """Let dbos log through our own handlers, from warnings up; with a handler present it adds none of its own."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    logger.setLevel(logging.WARNING)
