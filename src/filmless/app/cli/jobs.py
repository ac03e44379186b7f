"""`filmless jobs`: background work - sends, notifications, commitments."""

import json
from datetime import datetime
from typing import Any

import click

from filmless.access.audit.model import Kind
from filmless.app.cli.acting import acting
from filmless.app.cli.options import LIMIT, REASON, with_settings
from filmless.app.cli.output import moment, print_fields, print_table, who
from filmless.app.settings import Settings
from filmless.db.durable import STATES, Job, Jobs, State, jobs_url

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def jobs() -> None:
    """Background work of the server: what waits, runs, is retried, failed; cancel and resume it."""


def open_jobs(settings: Settings) -> Jobs:
    """The list of jobs of this home. Raises Refused where there is no archive in it."""
    from filmless.app.index import open_index

    with open_index(settings, pool_size=1):
        return Jobs(jobs_url(settings.home, settings.index_url))


@jobs.command("list")
@click.option("--limit", type=LIMIT, default=50, show_default=True)
@click.option("--state", type=click.Choice(STATES))
@click.option("--device", default="", help="Only those of the device with this AE title.")
@_JSON
@with_settings
def list_(settings: Settings, limit: int, state: State | None, device: str, *, as_json: bool) -> None:
    """List jobs, the newest first."""
    with open_jobs(settings) as opened:
        found = opened.newest(limit=limit + 1, state=state, device=device)
    if as_json:
        click.echo(json.dumps([_plain(job) for job in found[:limit]], indent=2))
        return
    if not found:
        click.echo("No jobs.")
        return
    rows = [(job.id, job.device, job.state, moment(job.changed_at), _why(job)) for job in found[:limit]]
    print_table(("JOB", "DEVICE", "STATE", "SINCE", "WHY"), rows)
    if len(found) > limit:
        click.echo(f"There are more than {limit}: --limit shows more.")


@jobs.command()
@click.argument("job_id", metavar="JOB")
@_JSON
@with_settings
def show(settings: Settings, job_id: str, *, as_json: bool) -> None:
    """Show one job."""
    with open_jobs(settings) as opened:
        job = opened.get(job_id)
    _show(job, as_json=as_json, decided=_decided(settings, job))


@jobs.command()
@click.argument("job_id", metavar="JOB")
@click.option("--reason", type=REASON, required=True, help="Why; kept.")
@_JSON
@with_settings
def cancel(settings: Settings, job_id: str, reason: str, *, as_json: bool) -> None:
    """Cancel a job; what it has done stays done."""
    with open_jobs(settings) as opened:
        job = opened.cancel(job_id)
    _record(settings, "job-cancelled", job, reason)
    _show(job, as_json=as_json, decided=_decided(settings, job))


@jobs.command()
@click.argument("job_id", metavar="JOB")
@click.option("--reason", type=REASON, required=True, help="Why; kept.")
@_JSON
@with_settings
def resume(settings: Settings, job_id: str, reason: str, *, as_json: bool) -> None:
    """Take up a cancelled or failed job again, without repeating what it has done."""
    with open_jobs(settings) as opened:
        job = opened.resume(job_id)
    _record(settings, "job-resumed", job, reason)
    _show(job, as_json=as_json, decided=_decided(settings, job))


def _record(settings: Settings, kind: str, job: Job, reason: str) -> None:
    from filmless.app.index import open_index
    from filmless.db import events
    from filmless.db.work import writing

    body = {"job": job.id, "device": job.device, "by": who(), "reason": reason}
    with open_index(settings, pool_size=1) as engine, writing(engine) as connection:
        events.record(connection, [(kind, body)])
    with (
        open_index(settings, pool_size=2) as engine,
        acting(settings, engine, Kind.CONFIG, kind.replace("-", " "), reason) as act,
    ):
        act.about(job=job.id, device=job.device)


def _decided(settings: Settings, job: Job) -> list[dict[str, str]]:
    """What people decided of the job, the newest first."""
    from filmless.app.index import open_index
    from filmless.db import events
    from filmless.db.work import reading

    kinds = ("job-cancelled", "job-resumed")
    with open_index(settings, pool_size=1) as engine, reading(engine) as connection:
        return [
            {
                "at": one.at.isoformat(),
                "what": one.kind.removeprefix("job-"),
                "by": one.body["by"],
                "reason": one.body["reason"],
            }
            for one in events.newest(connection, kinds, since=job.created_at)
            if one.body["job"] == job.id
        ]


def _show(job: Job, *, as_json: bool, decided: list[dict[str, str]]) -> None:
    if as_json:
        click.echo(json.dumps({**_plain(job), "decided": decided}, indent=2))
        return
    lines = {
        "job": job.id,
        "kind": job.kind,
        "device": job.device,
        "state": job.state,
        "why": _why(job),
        "since": moment(job.changed_at),
        "added": moment(job.created_at),
        "attempts": str(job.attempt),
    }
    lines |= {name.replace("_", " "): str(value) for name, value in job.result.items()}
    print_fields(lines)
    for one in decided:
        when = moment(datetime.fromisoformat(one["at"]))
        print_fields({one["what"]: f"{when} by {one['by']}: {one['reason']}"})


def _why(job: Job) -> str:
    if not job.next_at:
        return job.reason
    return f"{job.reason.rstrip('.')}. Next attempt {moment(job.next_at)}."


def _plain(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "device": job.device,
        "state": job.state,
        "reason": job.reason,
        "attempt": job.attempt,
        "next_at": job.next_at.isoformat() if job.next_at else None,
        "created_at": job.created_at.isoformat(),
        "changed_at": job.changed_at.isoformat(),
        "task": dict(job.task),
        "result": dict(job.result),
    }
