"""Durable jobs: they run once, survive kill -9, are retried, cancelled and resumed."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests import postgres

from filmless.db.durable import Job, Jobs, jobs_url
from filmless.kit.errors import Conflict, Refused

#: a worker with kinds of jobs for these tests: every attempt leaves a line in FOLDER/<job id>
WORKER = textwrap.dedent(
    """
    import asyncio, signal, sys, threading
    from pathlib import Path
    from filmless.db import durable
    from filmless.kit.errors import Refused, Unavailable

    url, folder = sys.argv[1], Path(sys.argv[2])

    def note(job_id, text):
        with (folder / job_id).open("a") as file:
            file.write(text + "\\n")

    async def count(job_id, task, number):
        note(job_id, f"attempt {number}")
        return durable.Attempt("done", result={"number": number, "device": task["device"]})

    async def hang(job_id, task, number):
        note(job_id, f"attempt {number}")
        await asyncio.sleep(0 if (folder / "open").exists() else 600)
        return durable.Attempt("done")

    async def third(job_id, task, number):
        note(job_id, f"attempt {number}")
        if number < 3:
            raise Unavailable("CT1 does not answer.")
        return durable.Attempt("done")

    async def never(job_id, task, number):
        note(job_id, f"attempt {number}")
        raise Unavailable("CT1 does not answer.")

    async def refuse(job_id, task, number):
        note(job_id, f"attempt {number}")
        if not (folder / "open").exists():
            raise Refused("CT1 does not take this.")
        return durable.Attempt("done")

    def register():
        durable.kind("count", count)
        durable.kind("hang", hang)
        durable.kind("third", third, back_off=(0.05, 0.05))
        durable.kind("never", never, back_off=(0.05, 0.05))
        durable.kind("patient", never, back_off=(600,))
        durable.kind("refuse", refuse)

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with durable.running(url, register, poll=0.1):
        stop.wait()
    """
)


class Worker:
    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = (self.folder / "worker.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, self.url, str(self.folder)], stdout=log, stderr=log
        )

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        os.kill(self.process.pid, number)
        code = self.process.wait(30)
        self.process = None
        return code

    def attempts(self, job_id: str) -> list[str]:
        file = self.folder / job_id
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def worker(request, tmp_path_factory) -> Iterator[Worker]:
    folder = tmp_path_factory.mktemp("jobs")
    index = "sqlite:////elsewhere/index.sqlite"
    if request.param == "postgresql":
        index = postgres.make_database(request.getfixturevalue("postgres_server"), "durable_jobs")
    made = Worker(jobs_url(folder, index), folder)
    yield made
    if made.process is not None:
        made.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def jobs(worker) -> Iterator[Jobs]:
    with Jobs(worker.url) as opened:
        yield opened


@pytest.fixture
def started(worker, jobs) -> Worker:
    if worker.process is None:
        worker.start()
    return worker


def until(happened: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def over(jobs: Jobs, job_id: str, *states: str) -> Job:
    until(lambda: jobs.get(job_id).state in (states or ("done", "failed", "cancelled")))
    return jobs.get(job_id)


def test_the_jobs_have_a_file_of_their_own_beside_the_index(tmp_path):
    assert jobs_url(tmp_path, f"sqlite:///{tmp_path}/index.sqlite") == f"sqlite:///{tmp_path}/jobs.sqlite"
    assert jobs_url(tmp_path, "postgresql+psycopg://u@h/f") == "postgresql+psycopg://u@h/f"


def test_a_job_waits_for_a_worker_and_is_done_once(jobs, worker):
    job_id = jobs.add("count", {"study": "1.2.3"}, device="CT1", queue="notices")
    job = jobs.get(job_id)
    assert (job.state, job.kind, job.device, job.task["study"]) == ("waiting", "count", "CT1", "1.2.3")
    worker.start()
    job = over(jobs, job_id)
    assert (job.state, job.attempt, job.result) == ("done", 1, {"number": 1, "device": "CT1"})
    assert worker.attempts(job_id) == ["attempt 1"]


def test_the_same_id_is_the_same_job(jobs, started):
    ids = {jobs.add("count", {}, device="CT1", queue="notices", job_id="count-event-7") for _ in range(3)}
    assert ids == {"count-event-7"}
    over(jobs, "count-event-7")
    jobs.add("count", {}, device="CT1", queue="notices", job_id="count-event-7")
    last = jobs.add("count", {}, device="CT1", queue="notices")
    over(jobs, last)
    assert started.attempts("count-event-7") == ["attempt 1"]


def test_attempts_are_repeated_until_one_works(jobs, started):
    job = over(jobs, jobs.add("third", {}, device="CT1", queue="sends"))
    assert (job.state, job.attempt) == ("done", 3)
    assert started.attempts(job.id) == ["attempt 1", "attempt 2", "attempt 3"]


def test_attempts_end_with_the_reason(jobs, started):
    job = over(jobs, jobs.add("never", {}, device="CT1", queue="sends"))
    assert (job.state, job.reason, job.attempt) == ("failed", "CT1 does not answer.", 3)


def test_what_is_refused_is_not_repeated_and_resumes_on_request(jobs, started):
    job = over(jobs, jobs.add("refuse", {}, device="CT1", queue="sends"))
    assert (job.state, job.reason) == ("failed", "CT1 does not take this.")
    assert started.attempts(job.id) == ["attempt 1"]
    (started.folder / "open").touch()
    try:
        assert jobs.resume(job.id).state in ("waiting", "running", "done")
        assert over(jobs, job.id).state == "done"
    finally:
        (started.folder / "open").unlink()
    with pytest.raises(Conflict, match="only cancelled and failed"):
        jobs.resume(job.id)


def test_a_job_between_attempts_says_why_and_when_next(jobs, started):
    job_id = jobs.add("patient", {}, device="CT1", queue="sends")
    job = over(jobs, job_id, "retrying")
    assert (job.reason, job.attempt) == ("CT1 does not answer.", 1)
    assert timedelta(0) < job.next_at - job.changed_at <= timedelta(seconds=601)
    assert [other.id for other in jobs.newest(state="retrying")] == [job_id]
    assert jobs.cancel(job_id).state == "cancelled"
    with pytest.raises(Conflict, match="cancelled already"):
        jobs.cancel(job_id)


def test_a_running_job_is_cancelled_and_makes_room_for_the_next(jobs, started):
    first = jobs.add("hang", {}, device="MR1", queue="sends")
    until(lambda: started.attempts(first))
    second = jobs.add("count", {}, device="MR1", queue="sends")
    other = jobs.add("count", {}, device="MR2", queue="sends")
    assert over(jobs, other).state == "done", "one device's long job holds up no other device"
    assert jobs.get(second).state == "waiting"
    jobs.cancel(first)
    assert over(jobs, second).state == "done"
    assert jobs.get(first).state == "cancelled"
    (started.folder / "open").touch()
    try:
        jobs.resume(first)
        assert over(jobs, first).state == "done"
    finally:
        (started.folder / "open").unlink()


def test_a_killed_worker_goes_on_where_it_was(jobs, started):
    running = jobs.add("hang", {}, device="US1", queue="sends")
    waiting = jobs.add("count", {}, device="US1", queue="sends")
    retrying = jobs.add("patient", {}, device="US2", queue="sends")
    until(lambda: started.attempts(running))
    over(jobs, retrying, "retrying")
    assert started.stop(signal.SIGKILL) == -signal.SIGKILL
    assert jobs.get(running).state == "running"
    (started.folder / "open").touch()
    try:
        started.start()
        assert over(jobs, running).state == "done"
        assert over(jobs, waiting).state == "done"
    finally:
        (started.folder / "open").unlink()
    assert started.attempts(running) == ["attempt 1", "attempt 1"]
    assert started.attempts(retrying) == ["attempt 1"], "the back-off outlives the worker"
    jobs.cancel(retrying)


def test_sigterm_ends_a_worker_soon(jobs, started):
    job_id = jobs.add("hang", {}, device="XA1", queue="sends")
    until(lambda: started.attempts(job_id))
    before = time.monotonic()
    assert started.stop() == 0
    assert time.monotonic() - before < 12
    jobs.cancel(job_id)


def test_the_list_is_newest_first_with_a_limit_and_filters(jobs, started):
    made = []
    for device in ("A1", "A2", "A1"):
        made.append(jobs.add("count", {}, device=device, queue="notices"))
        # one after the other: which of one millisecond is the newest is not told
        over(jobs, made[-1])
    assert [job.id for job in jobs.newest(device="A1")] == [made[2], made[0]]
    assert [job.id for job in jobs.newest(limit=1)] == [made[2]]
    assert {job.kind for job in jobs.newest(kind="third")} == {"third"}
    with pytest.raises(Refused, match="There is no job nothing"):
        jobs.get("nothing")


def test_old_jobs_are_forgotten(jobs, started):
    job_id = jobs.add("count", {}, device="CT1", queue="notices")
    over(jobs, job_id)
    assert job_id not in jobs.forget(older_than=timedelta(days=1))
    assert job_id in jobs.forget(older_than=timedelta(0))
    with pytest.raises(Refused):
        jobs.get(job_id)


def test_the_worker_logged_nothing_but_what_went_wrong(started):
    text = (started.folder / "worker.log").read_text()
    assert "DBOS launched" not in text
    assert "Traceback" not in text
