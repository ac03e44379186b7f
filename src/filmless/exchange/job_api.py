"""Background work as our own HTTP API: what waits, runs, is retried, failed; cancel it, take it up again."""

from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi import Path as InPath
from pydantic import BaseModel, Field

from filmless.access.api.told import Told
from filmless.access.api.words import PROBLEMS, At, Host, In, Line, Who
from filmless.access.audit.model import Kind
from filmless.access.model import Action, Principal, permit
from filmless.db import events
from filmless.db.durable import Job, Jobs, State
from filmless.db.work import reading, writing
from filmless.exchange import journal
from filmless.exchange.jobs import SEND
from filmless.kit.errors import Defect, Refused

JobId = Annotated[str, InPath(pattern=r"^[\x21-\x7e]{1,200}$", description="Id of the job.")]
_DECIDED = {"job-cancelled": "cancelled", "job-resumed": "resumed"}


class Progress(BaseModel):
    """How far a send has come."""

    sent: int
    failed: int
    total: int | None = Field(description="null: not known yet.")


class JobWords(BaseModel):
    """A piece of background work."""

    id: str
    kind: str
    device: str = Field(description="AE title; empty where it is for no device.")
    state: State
    created_at: datetime
    changed_at: datetime
    attempt: int
    reason: str
    next_at: datetime | None
    task: dict[str, Any]
    result: dict[str, Any]
    progress: Progress | None

    @classmethod
    def of(cls, job: Job, home: Path) -> "JobWords":
        """With its progress, where it sends and is not over."""
        told = None
        if job.kind == SEND:
            sent = journal.progress(home, job.id)
            told = Progress(sent=sent.sent, failed=sent.failed, total=sent.total)
        return cls(
            id=job.id,
            kind=job.kind,
            device=job.device,
            state=job.state,
            created_at=job.created_at,
            changed_at=job.changed_at,
            attempt=job.attempt,
            reason=job.reason,
            next_at=job.next_at,
            task=dict(job.task),
            result=dict(job.result),
            progress=told,
        )


class JobList(BaseModel):
    """Jobs, the newest first."""

    jobs: list[JobWords]
    more: bool = Field(description="There are older ones.")


class JobDecision(In):
    """Why a job is cancelled or taken up again."""

    reason: Line = Field(min_length=1, max_length=400)


class Decided(BaseModel):
    """What a person decided of a job."""

    at: datetime
    what: str = Field(description='"cancelled" or "resumed".')
    by: str
    reason: str


class JobDetails(JobWords):
    """A job, and what people decided of it, the newest first."""

    decided: list[Decided]


def _manager(who: Who) -> Principal:
    permit(who, Action.JOBS)
    return who


Manager = Annotated[Principal, Depends(_manager)]


class JobDesk:
    """The list of jobs as a process that answers HTTP uses it: opened when it is first asked for."""

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        self._url = url
        self._opening = Lock()
        self._jobs: Jobs | None = None

    @property
    def jobs(self) -> Jobs:
        """Raises Unavailable where the database of the jobs cannot be opened."""
        with self._opening:
            if self._jobs is None:
                self._jobs = Jobs(self._url)
            return self._jobs

    def close(self) -> None:
        with self._opening:
            if self._jobs is not None:
                self._jobs.close()
                self._jobs = None


def router(opened: JobDesk | None) -> APIRouter:
    """The routes. `opened` None: only to be described."""

    def of_process() -> JobDesk:
        if opened is None:
            raise Defect("These routes have no jobs.", code="no-jobs")
        return opened

    AtDesk = Annotated[JobDesk, Depends(of_process)]
    made = APIRouter(prefix="/jobs", tags=["jobs"], responses=PROBLEMS, route_class=Told)

    @made.get("", summary="Background work, the newest first")
    def list_jobs(
        who: Manager,
        desk: AtDesk,
        state: State | None = None,
        device: Annotated[Line, Query(max_length=16)] = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> JobList:
        found = desk.jobs.newest(limit=limit + 1, state=state, device=device)
        return JobList(jobs=[JobWords.of(one, desk.home) for one in found[:limit]], more=len(found) > limit)

    @made.get("/{job}", summary="One job")
    def get_job(job: JobId, who: Manager, desk: AtDesk, at: At) -> JobDetails:
        found = _known(desk.jobs, job)
        return _details(at, found, desk.home)

    @made.post("/{job}/cancel", summary="End a job; what it has done stays done")
    def cancel_job(
        job: JobId, body: JobDecision, who: Manager, desk: AtDesk, at: At, host: Host
    ) -> JobDetails:
        _known(desk.jobs, job)
        found = desk.jobs.cancel(job)
        _tell(at, who, host, "job-cancelled", found, body.reason)
        return _details(at, found, desk.home)

    @made.post("/{job}/resume", summary="Take up a cancelled or failed job again")
    def resume_job(
        job: JobId, body: JobDecision, who: Manager, desk: AtDesk, at: At, host: Host
    ) -> JobDetails:
        _known(desk.jobs, job)
        found = desk.jobs.resume(job)
        _tell(at, who, host, "job-resumed", found, body.reason)
        return _details(at, found, desk.home)

    return made


def _known(jobs: Jobs, job_id: str) -> Job:
    """Raises Refused (code "not-found")."""
    try:
        return jobs.get(job_id)
    except Refused:
        raise Refused("There is no such job.", code="not-found") from None


def _tell(at: At, who: Principal, host: str, kind: str, job: Job, reason: str) -> None:
    body = {"job": job.id, "device": job.device, "by": who.name, "reason": reason}
    with writing(at.engine) as connection:
        events.record(connection, [(kind, body)])
        at.acting(who, host, reason).note(
            connection, kind.replace("-", " "), kind=Kind.CONFIG, job=job.id, device=job.device
        )


def _details(at: At, job: Job, home: Path) -> JobDetails:
    with reading(at.engine) as connection:
        decided = [
            Decided(at=one.at, what=_DECIDED[one.kind], by=one.body["by"], reason=one.body["reason"])
            for one in events.newest(connection, tuple(_DECIDED), since=job.created_at)
            if one.body["job"] == job.id
        ]
    return JobDetails(**JobWords.of(job, home).model_dump(), decided=decided)
