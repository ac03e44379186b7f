"""`filmless send`: studies of the archive through a job of the worker, files by the command itself."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from filmless.access.audit.model import Kind
from filmless.app.calling import tls_for_devices
from filmless.app.cli.acting import acting
from filmless.app.cli.options import with_settings
from filmless.app.cli.progress import count_progress
from filmless.app.index import open_index
from filmless.app.settings import Settings
from filmless.db.work import reading
from filmless.devices import service
from filmless.devices.model import Device
from filmless.kit.errors import Refused, Unavailable

if TYPE_CHECKING:
    from filmless.db.durable import Jobs
    from filmless.exchange.send import Report

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
#: objects that are listed one by one; more are counted
_LISTED = 20


@click.command()
@click.argument("device")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--study", "studies", multiple=True, metavar="UID", help="A study of the archive; may repeat.")
@click.option("--series", multiple=True, metavar="UID", help="A series of the archive; may repeat.")
@click.option("--patient", metavar="ID", help="All studies of this patient.")
@click.option("--issuer", default="", metavar="TEXT", help="With --patient: the issuer of the ID.")
@click.option("--commit", is_flag=True, help="Ask DEVICE at the end to commit to keeping what it was sent.")
@click.option("--background", is_flag=True, help="Do not wait: `filmless jobs` shows how it goes.")
@_JSON
@with_settings
def send(
    settings: Settings,
    device: str,
    paths: tuple[Path, ...],
    studies: tuple[str, ...],
    series: tuple[str, ...],
    patient: str | None,
    issuer: str,
    *,
    commit: bool,
    background: bool,
    as_json: bool,
) -> None:
    """Send files and folders, or studies of the archive, to DEVICE (C-STORE).

    Studies are sent by the server's worker as a job, which goes on when this command is interrupted, is retried
    while the device cannot be reached, and survives a restart. Files are sent by this command itself.
    """
    from_archive = bool(studies or series or patient)
    if bool(paths) == from_archive:
        raise click.UsageError("say either which PATHS, or which --study, --series or --patient.")
    with open_index(settings) as engine, reading(engine) as connection:
        destination = service.destination(connection, device)
    if paths:
        if background or commit:
            raise click.UsageError("--background and --commit are for studies of the archive.")
        _send_files(settings, destination, paths, as_json=as_json)
        return
    studies = _studies(settings, studies, series, patient, issuer)
    from filmless.app.cli.jobs import open_jobs
    from filmless.archive.whose import studies_of
    from filmless.exchange.jobs import add_send

    with (
        open_jobs(settings) as jobs,
        open_index(settings) as engine,
        acting(settings, engine, Kind.SEND_BEGUN, "send") as act,
    ):
        with reading(engine) as connection:
            act.about((*studies, *studies_of(connection, series_uids=series)))
        act.about(destination=destination.ae_title, address=destination.host)
        job_id = add_send(jobs, destination, study_uids=studies, series_uids=series, commit=commit)
        act.about(job=job_id)
    with open_jobs(settings) as jobs:
        if background:
            click.echo(json.dumps({"job": job_id}) if as_json else f"Job {job_id}.")
            return
        _follow(settings, jobs, job_id, as_json=as_json)


def _studies(
    settings: Settings, studies: Sequence[str], series: Sequence[str], patient: str | None, issuer: str
) -> tuple[str, ...]:
    """The studies to send. A job holds UIDs, never a patient's ID."""
    from filmless.access.model import SYSTEM
    from filmless.archive.query import instances_of
    from filmless.exchange.jobs import chosen

    with open_index(settings) as engine, reading(engine) as connection:
        found = dict.fromkeys(studies)
        if patient:
            everything = instances_of(connection, SYSTEM, level="PATIENT", patient_id=patient, issuer=issuer)
            found |= dict.fromkeys(one.study_uid for one in everything)
        if not chosen(connection, study_uids=tuple(found), series_uids=series):
            raise Refused("There are no such objects in the archive.", code="nothing-found")
    return tuple(found)


def _follow(settings: Settings, jobs: "Jobs", job_id: str, *, as_json: bool) -> None:
    """Show a job's progress until it is over; leaving it does not stop it."""
    from filmless.app import worker
    from filmless.exchange import journal

    waited = time.monotonic()
    said = ""
    try:
        with count_progress("Sending") as progress:
            while True:
                job = jobs.get(job_id)
                if progress is not None:
                    state = journal.progress(settings.home, job_id)
                    progress(state.sent, state.total or 0)
                if job.state in ("done", "failed", "cancelled"):
                    break
                if job.state == "retrying" and job.reason != said:
                    said = job.reason
                    click.echo(
                        f"{said.rstrip('.')}. It is tried again; leaving with Ctrl+C does not stop it.",
                        err=True,
                    )
                if (
                    job.state == "waiting"
                    and time.monotonic() - waited > 5
                    and not worker.runs(settings.home)
                ):
                    raise Unavailable(
                        f"No server runs on {settings.home}: the job {job_id} waits until one does.",
                        code="no-worker",
                    )
                time.sleep(0.25)
    except KeyboardInterrupt:
        click.echo(f"The job {job_id} goes on; `filmless jobs show {job_id}` shows how.", err=True)
        raise SystemExit(130) from None
    if as_json:
        answer = {"job": job.id, "state": job.state, "reason": job.reason, **job.result}
        click.echo(json.dumps(answer, indent=2))
    elif job.state == "done":
        click.echo(f"Sent {job.result.get('sent', 0)} of {job.result.get('of', 0)} objects to {job.device}.")
        if "commitment" in job.result:
            click.echo(f"Storage commitment: {str(job.result['commitment']).rstrip('.')}.")
    if job.state != "done":
        raise Unavailable(f"The job {job_id} is {job.state}. {job.reason}".rstrip(), code="not-sent")


def _send_files(settings: Settings, device: Device, paths: Sequence[Path], *, as_json: bool) -> None:
    from filmless.archive.codecs import Codecs
    from filmless.archive.query import StoredInstance
    from filmless.archive.retrieve.sending import Sender
    from filmless.exchange.send import Report, Sent, files_in, read_file
    from filmless.exchange.send import send as send_objects

    left_out: list[tuple[str, str]] = []
    results: list[dict[str, str]] = []

    def objects(files: Sequence[Path]) -> Any:
        for path in files:
            try:
                yield read_file(path)
            except Refused as error:
                left_out.append((str(path), error.message))

    async def run(report: Callable[[StoredInstance, Sent], None], files: Sequence[Path]) -> Report:
        return await send_objects(
            device,
            objects(files),
            sender=sender,
            settings=settings.net,
            tls=tls_for_devices(settings)(device),
            on_result=report,
        )

    with (
        open_index(settings) as engine,
        acting(settings, engine, Kind.SEND, "send files") as act,
        count_progress("Sending") as progress,
    ):
        act.about(destination=device.ae_title, address=device.host, source=", ".join(map(str, paths))[:400])
        files = list(files_in(paths))
        codecs = Codecs(settings.home / "scratch", settings.codecs)
        sender = Sender(settings.store, codecs, settings.retrieve)

        def told(one: StoredInstance, sent: Sent) -> None:
            results.append({"path": one.path, "became": sent.became, "why": sent.why})
            if progress is not None:
                progress(len(results) + len(left_out), len(files))

        try:
            report = asyncio.run(run(told, files))
        finally:
            sender.close()
            codecs.close()
            sent = Counter(one["became"] for one in results)
            act.about(instances=len(results), became=dict(sent))
    _print_sent(device, report, results, left_out, as_json=as_json)


def _print_sent(
    device: Device,
    report: "Report",
    results: Sequence[dict[str, str]],
    left_out: Sequence[tuple[str, str]],
    *,
    as_json: bool,
) -> None:
    not_sent = [(one["path"], one["why"]) for one in results if one["became"] in ("failed", "again")]
    if as_json:
        answer = {
            "sent": report.sent,
            "warnings": report.warnings,
            "not_sent": [{"path": path, "why": why} for path, why in not_sent],
            "left_out": [{"path": path, "why": why} for path, why in left_out],
        }
        click.echo(json.dumps(answer, indent=2))
    else:
        click.echo(f"Sent {report.sent} of {len(results)} objects to {device.ae_title}.")
        for words, some in (("not sent", not_sent), ("no DICOM objects", left_out)):
            for path, why in some[:_LISTED]:
                click.echo(f"  {words}: {path}: {why}")
            if len(some) > _LISTED:
                click.echo(f"  {words}: {len(some) - _LISTED} more (--json lists them all)")
    if not_sent:
        raise Unavailable(f"{len(not_sent)} objects were not sent.", code="not-sent")
    if not results:
        raise Refused("Nothing was sent: no DICOM object was found.", code="nothing-found")
