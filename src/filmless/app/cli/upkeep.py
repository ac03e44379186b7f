"""`filmless purge`, `check` and `rebuild`: what keeps index and files in order."""

import dataclasses
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import click
from sqlalchemy import Connection

from filmless.access.audit.model import Entry, Kind
from filmless.app.cli.acting import acting
from filmless.app.cli.options import with_settings
from filmless.app.cli.output import print_json, who
from filmless.app.cli.progress import count_progress
from filmless.app.index import open_index
from filmless.app.settings import Settings
from filmless.app.supervise import HomeLock

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
#: how many differences `check` prints
_LISTED = 100


@click.command()
@click.option(
    "--older-than",
    type=click.IntRange(0, 36_500),
    metavar="DAYS",
    help="Instead of the setting purge_after_days.",
)
@click.option("--reason", default="", help="Why; kept with every deletion. Needed unless --dry-run.")
@click.option("--dry-run", is_flag=True, help="Only say how much it would be.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_settings
def purge(settings: Settings, older_than: int | None, reason: str, *, dry_run: bool, yes: bool) -> None:
    """Delete for good what was rejected, replaced or discarded long ago. The server may run.

    Ctrl-C stops it; what was deleted stays so, and the next purge goes on.
    """
    from filmless.archive import purge as purging

    if not (dry_run or reason.strip()):
        raise click.UsageError("Missing option '--reason': it is kept with every deletion.")
    age = timedelta(days=settings.archive.purge_after_days if older_than is None else older_than)
    with open_index(settings) as engine:
        would = purging.purge(engine, settings.store, older_than=age, by=who(), dry_run=True)
        words = f"{would.objects:,} objects ({would.bytes / 1e6:,.1f} MB), out of use for {age.days} days"
        if not would.objects:
            click.echo(f"There is nothing to delete that has been out of use for {age.days} days.")
            return
        if dry_run:
            click.echo(f"Would delete {words}.")
            return
        if not yes:
            click.confirm(f"Delete {words}, for good?", abort=True)
        with (
            acting(settings, engine, Kind.CONFIG, "purge", reason) as act,
            count_progress("Purging") as progress,
        ):

            def tell(connection: Connection, gone: Mapping[str, Mapping[str, int]]) -> None:
                for study_uid, classes in gone.items():
                    detail = {"sop_classes": dict(classes), "instances": sum(classes.values())}
                    entry = Entry(
                        Kind.PURGE, act.by, studies=(study_uid,), what="purge", detail=detail, reason=reason
                    )
                    act.trail.record_in(connection, entry)

            done = purging.purge(
                engine,
                settings.store,
                older_than=age,
                by=who(),
                reason=reason,
                tell=tell,
                progress=None if progress is None else lambda so_far: progress(so_far.objects, would.objects),
            )
            act.about(objects=done.objects, bytes=done.bytes, days=age.days)
    click.echo(f"Deleted {done.objects:,} objects ({done.bytes / 1e6:,.1f} MB).")


@click.command()
@click.option(
    "--checksums/--no-checksums", default=True, help="Read every byte, or compare sizes and labels only."
)
@_JSON
@with_settings
def check(settings: Settings, checksums: bool, *, as_json: bool) -> None:
    """Compare the index with the files, both ways; changes nothing, the server may run.

    Ctrl-C stops it; the next `filmless check` goes on from there. Ends with exit code 1 where something differs.
    """
    from filmless.archive import integrity

    with open_index(settings) as engine, count_progress("Checking") as progress, _interrupt() as interrupted:

        def seen(report: integrity.Report) -> bool:
            if progress is not None:
                progress(report.files, 0)
            return not interrupted.is_set()

        report = integrity.check(
            engine,
            settings.store,
            checksums=checksums,
            resume_file=settings.home / "check.json",
            progress=seen,
        )
    differences = report.differences or []
    if as_json:
        print_json(
            {**dataclasses.asdict(report), "differences": [dataclasses.asdict(one) for one in differences]}
        )
    else:
        for one in differences[:_LISTED]:
            click.echo(f"{one.kind:18} {one.where}: {one.words}")
        if len(differences) > _LISTED:
            click.echo(f"and {len(differences) - _LISTED:,} more (--json prints all)")
        click.echo(
            f"{report.files:,} files, {report.objects:,} objects, {report.bytes / 1e6:,.1f} MB: "
            f"{len(differences) or 'no'} difference{'' if len(differences) == 1 else 's'}."
        )
        if not report.complete:
            click.echo("Stopped before the end; `filmless check` goes on from here.")
    raise SystemExit(1 if differences else 0 if report.complete else 130)


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--replace-index", is_flag=True, help="Also where the index is that of another store.")
@with_settings
def rebuild(settings: Settings, *, yes: bool, replace_index: bool) -> None:
    """Make the whole index again from the files. The server must be stopped.

    Cut off (Ctrl-C), it has to be run again before the server starts.
    """
    from filmless.archive import rebuild as rebuilding

    with (
        open_index(settings, rebuilding=True, replace=replace_index) as engine,
        count_progress("Rebuilding") as progress,
    ):
        lock = HomeLock(settings.home)
        lock.take()
        try:
            if not yes:
                index = engine.url.render_as_string(hide_password=True)
                click.confirm(f"Empty the index {index} and fill it from {settings.store}?", abort=True)
            with acting(settings, engine, Kind.CONFIG, "rebuild") as act:
                made = rebuilding.rebuild(
                    engine,
                    settings.store,
                    settings.archive,
                    None if progress is None else lambda done: progress(done.objects + done.quarantined, 0),
                )
                act.about(objects=made.objects, quarantined=made.quarantined)
        finally:
            lock.give_back()
    click.echo(f"{made.objects:,} objects in the archive, {made.quarantined:,} in quarantine.")
    for path, reason in made.unused:
        click.echo(f"unused: {path} {reason}")


@contextmanager
def _interrupt() -> Iterator[threading.Event]:
    """Set by Ctrl-C, so that work that can be resumed ends where it knows how far it is."""
    asked = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: asked.set())
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
