"""`filmless quarantine`, `reject`, `check` and `rebuild`."""

import dataclasses
import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from filmless.app.cli.options import with_settings
from filmless.app.cli.output import moment, print_table, who
from filmless.app.cli.progress import count_progress
from filmless.app.index import open_index
from filmless.app.settings import Settings
from filmless.app.supervise import HomeLock
from filmless.db.work import reading

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_REASON = click.option("--reason", required=True, help="Why; kept with the decision.")
_LIMIT = click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
_STATES = ("waiting", "accepted", "discarded", "all")
#: how many differences `check` prints
_LISTED = 100


@click.group()
def quarantine() -> None:
    """Objects that are safe on disk but not in the archive, until somebody decides."""


@quarantine.command("list")
@click.option("--state", type=click.Choice(_STATES), default="waiting", show_default=True)
@_LIMIT
@_JSON
@with_settings
def list_(settings: Settings, state: str, limit: int, *, as_json: bool) -> None:
    """List objects in quarantine, oldest first."""
    from filmless.archive import quarantine as kept

    with open_index(settings) as engine, reading(engine) as connection:
        found = kept.objects(connection, state="" if state == "all" else state, limit=limit + 1)
    if as_json:
        _print_json([dataclasses.asdict(one) for one in found[:limit]])
        return
    if not found:
        click.echo("Nothing is in quarantine." if state == "waiting" else f"Nothing is {state}.")
        return
    print_table(
        ("NUMBER", "RECEIVED", "FROM", "STATE", "CAUSE", "SOP INSTANCE UID"),
        [
            (
                str(one.id),
                moment(one.received_at),
                one.source,
                one.state,
                one.cause,
                one.sop_instance_uid or "-",
            )
            for one in found[:limit]
        ],
    )
    if len(found) > limit:
        click.echo(f"There are more than {limit}: --limit shows more.")


@quarantine.command("show")
@click.argument("number", type=int)
@with_settings
def show_quarantined(settings: Settings, number: int) -> None:
    """Show everything about one object in quarantine."""
    from filmless.archive import quarantine as kept

    with open_index(settings) as engine, reading(engine) as connection:
        found = kept.show(connection, number)
    for name, value in dataclasses.asdict(found).items():
        click.echo(f"{name.replace('_', ' '):20} {value}")
    click.echo(f"{'file':20} {settings.store / found.path}")


@quarantine.command()
@click.argument("number", type=int)
@_REASON
@with_settings
def accept(settings: Settings, number: int, reason: str) -> None:
    """Take an object into the archive, as the new version of the one under its UID where there is one."""
    from filmless.archive import quarantine as kept
    from filmless.archive.publish import Publisher

    with open_index(settings) as engine:
        publisher = Publisher(engine, settings.store, settings.archive)
        outcome = kept.accept(engine, publisher, settings.store, number, by=who(), reason=reason)
    click.echo(f"Accepted: {outcome.sop_instance_uid} is {outcome.kind}.")


@quarantine.command()
@click.argument("number", type=int)
@_REASON
@with_settings
def discard(settings: Settings, number: int, reason: str) -> None:
    """Decide that an object is not wanted. Its file stays until it is purged."""
    from filmless.archive import quarantine as kept

    with open_index(settings) as engine:
        kept.discard(engine, settings.store, number, by=who(), reason=reason)
    click.echo(f"Discarded object {number}.")


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
        _print_json(
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
@with_settings
def rebuild(settings: Settings, yes: bool) -> None:
    """Make the whole index again from the files. The server must be stopped."""
    from filmless.archive import rebuild as rebuilding

    with open_index(settings, create=True) as engine, count_progress("Rebuilding") as progress:
        lock = HomeLock(settings.home)
        lock.take()
        try:
            if not yes:
                click.confirm(f"Empty the index of {settings.home} and fill it from its files?", abort=True)
            made = rebuilding.rebuild(
                engine,
                settings.store,
                settings.archive,
                None if progress is None else lambda done: progress(done.objects + done.quarantined, 0),
            )
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


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, default=str))
