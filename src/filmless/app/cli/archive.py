"""`filmless quarantine` and `filmless reject`."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from filmless.access.audit.model import Kind
from filmless.app.cli.acting import acting
from filmless.app.cli.options import LIMIT, NUMBER, REASON, with_settings
from filmless.app.cli.output import moment, print_fields, print_json, print_table, who
from filmless.app.index import open_index
from filmless.app.settings import Settings
from filmless.archive.model import REJECTION_CODES
from filmless.db.work import reading

if TYPE_CHECKING:
    from filmless.archive.store import Archive

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_REASON = click.option("--reason", type=REASON, required=True, help="Why; kept with the decision.")
_LIMIT = click.option("--limit", type=LIMIT, default=100, show_default=True)
_STATES = ("waiting", "accepted", "discarded", "all")


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
        print_json([dataclasses.asdict(one) for one in found[:limit]])
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
@click.argument("number", type=NUMBER)
@_JSON
@with_settings
def show_quarantined(settings: Settings, number: int, *, as_json: bool) -> None:
    """Show everything about one object in quarantine."""
    from filmless.archive import quarantine as kept

    with open_index(settings) as engine, reading(engine) as connection:
        found = kept.show(connection, number)
    if as_json:
        print_json(dataclasses.asdict(found))
        return
    print_fields(
        {
            "number": str(found.id),
            "cause": f"{found.cause}: {found.text}",
            "SOP Instance UID": found.sop_instance_uid or "-",
            "SOP Class UID": found.sop_class_uid or "-",
            "study": found.study_uid or "-",
            "series": found.series_uid or "-",
            "transfer syntax": found.transfer_syntax_uid,
            "bytes": f"{found.size:,}",
            "from": found.source,
            "received": moment(found.received_at),
            "state": found.state,
            "decided by": found.decided_by or "-",
            "reason": found.reason or "-",
            "file": str(settings.store / found.path),
        }
    )


@quarantine.command()
@click.argument("number", type=NUMBER)
@_REASON
@with_settings
def accept(settings: Settings, number: int, reason: str) -> None:
    """Take an object into the archive, as the new version of the one under its UID where there is one."""
    from filmless.archive import quarantine as kept
    from filmless.archive.publish import Publisher

    with (
        open_index(settings) as engine,
        acting(settings, engine, Kind.DECIDE, "accept from quarantine", reason) as act,
    ):
        with reading(engine) as connection:
            found = kept.show(connection, number)
        act.about([found.study_uid], number=number, sop_instance=found.sop_instance_uid)
        publisher = Publisher(engine, settings.store, settings.archive)
        outcome = kept.accept(engine, publisher, settings.store, number, by=who(), reason=reason)
    click.echo(f"Accepted: {outcome.sop_instance_uid} is {outcome.kind}.")


@quarantine.command()
@click.argument("number", type=NUMBER)
@_REASON
@with_settings
def discard(settings: Settings, number: int, reason: str) -> None:
    """Decide that an object is not wanted. Its file stays until it is purged."""
    from filmless.archive import quarantine as kept

    with (
        open_index(settings) as engine,
        acting(settings, engine, Kind.DECIDE, "discard from quarantine", reason) as act,
    ):
        with reading(engine) as connection:
            found = kept.show(connection, number)
        act.about([found.study_uid], number=number, sop_instance=found.sop_instance_uid)
        kept.discard(engine, settings.store, number, by=who(), reason=reason)
    click.echo(f"Discarded object {number}.")


@click.group()
def reject() -> None:
    """Take images out of use, with a coded reason (IHE IOCM); nothing is deleted by it, and it can be revoked."""


_CODES = {
    "quality": "113001",
    "safety": "113037",
    "wrong-worklist-entry": "113038",
    "expired": "113039",
}


@reject.command("add")
@click.option("--study", "studies", multiple=True, metavar="UID", help="A whole study; may repeat.")
@click.option("--series", "series", multiple=True, metavar="UID", help="A whole series; may repeat.")
@click.option("--image", "images", multiple=True, metavar="UID", help="One object by its SOP Instance UID.")
@click.option(
    "--code",
    required=True,
    type=click.Choice([*_CODES, *_CODES.values()]),
    help="quality stays visible to quality control; the others never leave again.",
)
@_REASON
@with_settings
def reject_add(
    settings: Settings,
    studies: tuple[str, ...],
    series: tuple[str, ...],
    images: tuple[str, ...],
    code: str,
    reason: str,
) -> None:
    """Reject studies, series or single objects."""
    from filmless.archive import reject as rejecting
    from filmless.archive.whose import studies_of

    if not (studies or series or images):
        raise click.UsageError("say what to reject: --study, --series or --image.")
    with (
        _archive(settings) as archive,
        acting(settings, archive.engine, Kind.REJECT, "reject", reason) as act,
    ):
        with reading(archive.engine) as connection:
            act.about(studies or studies_of(connection, series_uids=series, sop_uids=images))
        act.about(code=_CODES.get(code, code), series=list(series), objects=list(images))
        notes = rejecting.reject(
            archive,
            act.by,
            code=_CODES.get(code, code),
            by=who(),
            reason=reason,
            study_uids=studies,
            series_uids=series,
            sop_uids=images,
        )
        act.about(notes=notes)
    for note in notes:
        click.echo(f"Rejected by note {note}.")


@reject.command("list")
@click.option("--all", "include_revoked", is_flag=True, help="Revoked ones too.")
@_LIMIT
@_JSON
@with_settings
def reject_list(settings: Settings, limit: int, *, include_revoked: bool, as_json: bool) -> None:
    """List rejections, the newest first."""
    from filmless.archive import reject as rejecting

    with open_index(settings) as engine, reading(engine) as connection:
        found = rejecting.notes(connection, limit=limit + 1, include_revoked=include_revoked)
    if as_json:
        print_json([dataclasses.asdict(one) for one in found[:limit]])
    elif not found:
        click.echo("Nothing is rejected.")
    else:
        print_table(
            ("NOTE", "CODE", "OBJECTS", "WHEN", "BY", "REVOKED", "REASON"),
            [
                (
                    one.note_uid,
                    one.code,
                    str(one.objects),
                    moment(one.at),
                    one.by,
                    moment(one.revoked_at),
                    one.reason,
                )
                for one in found[:limit]
            ],
        )
        if len(found) > limit:
            click.echo(f"There are more than {limit}: --limit shows more.")


@reject.command("show")
@click.argument("note")
@_LIMIT
@_JSON
@with_settings
def reject_show(settings: Settings, note: str, limit: int, *, as_json: bool) -> None:
    """Show a rejection, by the SOP Instance UID of its note, and the objects that it names."""
    from filmless.archive import reject as rejecting

    with open_index(settings) as engine, reading(engine) as connection:
        found, objects = rejecting.show(connection, note)
    if as_json:
        print_json({**dataclasses.asdict(found), "objects": objects})
        return
    print_fields(
        {
            "note": found.note_uid,
            "code": f"{found.code}, {REJECTION_CODES.get(found.code, '')}",
            "when": moment(found.at),
            "by": found.by,
            "reason": found.reason,
        }
        | (
            {
                "revoked": moment(found.revoked_at),
                "revoked by": found.revoked_by,
                "revoked why": found.revoke_reason,
            }
            if found.revoked_at
            else {"revoked": "no"}
        )
    )
    for uid in objects[:limit]:
        click.echo(f"object:          {uid}")
    if len(objects) > limit:
        click.echo(f"and {len(objects) - limit:,} more: --limit shows more.")


@reject.command("revoke")
@click.argument("note")
@_REASON
@with_settings
def reject_revoke(settings: Settings, note: str, reason: str) -> None:
    """Take a rejection back: its objects are there again."""
    from filmless.archive import reject as rejecting
    from filmless.archive.whose import studies_of

    with (
        _archive(settings) as archive,
        acting(settings, archive.engine, Kind.REVOKE, "revoke", reason) as act,
    ):
        with reading(archive.engine) as connection:
            act.about(studies_of(connection, sop_uids=[note]), note=note)
        count = rejecting.revoke(archive, note, by=who(), reason=reason)
    click.echo(f"{count:,} objects are there again.")


@contextmanager
def _archive(settings: Settings) -> Iterator["Archive"]:
    """The archive's way in, beside a server that may run."""
    from filmless.archive.store import Archive

    with open_index(settings) as engine:
        archive = Archive(engine, settings.store, settings.archive)
        archive.start()
        try:
            yield archive
        finally:
            archive.stop()
