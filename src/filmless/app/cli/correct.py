"""`filmless correct`: what is wrong in the header of images put right, and back, without touching their files."""

import dataclasses
import json
from typing import Any

import click

from filmless.app.cli.changing import changing
from filmless.app.cli.options import LIMIT, REASON, with_settings
from filmless.app.cli.output import moment, print_fields, print_json, print_table
from filmless.app.index import open_index
from filmless.app.settings import Settings
from filmless.archive.corrections.model import (
    CODES,
    Changes,
    Correction,
    Done,
    Level,
    Preview,
    Target,
    from_text,
    in_words,
    keyword,
    tag_of,
)
from filmless.db.work import reading
from filmless.dicom.vr import dictionary_vr

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def correct() -> None:
    """Correct the header of images: an overlay in force wherever they leave; the files stay as received.

    UIDs and pixels are never corrected. Values are written KEYWORD=VALUE: several values parted by a backslash, the
    groups of a name by "=", nothing to empty the attribute, DICOM JSON items for a sequence.
    """


def _changing(command: Any) -> Any:
    for decorate in (
        click.argument("values", nargs=-1, metavar="KEYWORD=VALUE..."),
        click.option("--remove", "removed", multiple=True, metavar="KEYWORD", help="Take an attribute out."),
        click.option("--reason", default="", help="Why; kept with the correction."),
        click.option("--code", type=click.Choice(CODES), default=CODES[0], show_default=True),
        click.option("--preview", "only_preview", is_flag=True, help="Show old and new, change nothing."),
        _JSON,
        with_settings,
    ):
        command = decorate(command)
    return command


@correct.command("study")
@click.argument("uid")
@_changing
def correct_study(settings: Settings, uid: str, **given: Any) -> None:
    """Correct a study, and what comes to it later."""
    _correct(settings, Target(Level.STUDY, uid), **given)


@correct.command("series")
@click.argument("uid")
@_changing
def correct_series(settings: Settings, uid: str, **given: Any) -> None:
    """Correct a series, and what comes to it later."""
    _correct(settings, Target(Level.SERIES, uid), **given)


@correct.command("instance")
@click.argument("uid")
@_changing
def correct_instance(settings: Settings, uid: str, **given: Any) -> None:
    """Correct one object, by its SOP Instance UID."""
    _correct(settings, Target(Level.INSTANCE, uid), **given)


@correct.command("patient")
@click.argument("patient_id", metavar="ID")
@click.option("--issuer", default="", help="Issuer of the ID.")
@click.option("--variant", type=click.IntRange(0), help="Which of several persons that came under the ID.")
@_changing
def correct_patient(
    settings: Settings, patient_id: str, issuer: str, variant: int | None, **given: Any
) -> None:
    """Correct a patient in all studies, also those to come."""
    target = Target(Level.PATIENT, patient_id=patient_id, issuer=issuer, variant=variant)
    _correct(settings, target, **given)


@correct.command("list")
@click.option("--study", "study_uid", default="", metavar="UID", help="Those of one study.")
@click.option("--patient", "patient_id", default="", metavar="ID", help="Those of one patient.")
@click.option("--all", "include_undone", is_flag=True, help="Undone ones too.")
@click.option("--limit", type=LIMIT, default=100, show_default=True)
@_JSON
@with_settings
def list_(
    settings: Settings, study_uid: str, patient_id: str, limit: int, *, include_undone: bool, as_json: bool
) -> None:
    """List corrections, the newest first."""
    from filmless.access.model import ENGINEER
    from filmless.archive.corrections import service

    with open_index(settings) as engine, reading(engine) as connection:
        found = service.listed(
            connection,
            ENGINEER,
            study_uid=study_uid,
            patient_id=patient_id,
            include_undone=include_undone,
            limit=limit + 1,
        )
    if as_json:
        print_json([_plain(one) for one in found[:limit]])
        return
    if not found:
        click.echo("Nothing is corrected.")
        return
    print_table(
        ("CORRECTION", "LEVEL", "OF", "WHEN", "BY", "UNDONE", "WHAT", "REASON"),
        [
            (
                one.key,
                one.level.value.lower(),
                one.sop_instance_uid or one.series_uid or one.study_uid or one.patient_id,
                moment(one.at),
                one.by,
                moment(one.undone_at),
                ", ".join(keyword(tag) for tag in sorted(one.tags)),
                one.reason,
            )
            for one in found[:limit]
        ],
    )
    if len(found) > limit:
        click.echo(f"There are more than {limit}: --limit shows more.")


@correct.command("undo")
@click.argument("correction")
@click.option("--reason", type=REASON, required=True, help="Why; kept with the undoing.")
@with_settings
def undo(settings: Settings, correction: str, reason: str) -> None:
    """Take a correction back."""
    from filmless.archive.corrections import service

    with changing(settings, reason) as (engine, acting):
        done = service.undo(
            engine,
            settings.store,
            acting.who,
            correction,
            reason=reason,
            by=acting.who.name,
            record=acting.trail.record_in,
        )
    click.echo(f"Undone: {_touched(done)}.")


def _correct(
    settings: Settings,
    target: Target,
    *,
    values: tuple[str, ...],
    removed: tuple[str, ...],
    reason: str,
    code: str,
    only_preview: bool,
    as_json: bool,
) -> None:
    from filmless.access.model import ENGINEER
    from filmless.archive.corrections import service
    from filmless.archive.corrections.preview import preview

    changes = _changes(values, removed)
    if only_preview:
        with open_index(settings) as engine:
            shown = preview(engine, settings.store, ENGINEER, target, changes)
        if as_json:
            print_json(dataclasses.asdict(shown))
        else:
            _show(shown)
        return
    if not reason.strip():
        raise click.UsageError("say why: --reason. It is kept with the correction. (--preview needs none.)")
    with changing(settings, reason) as (engine, acting):
        done = service.correct(
            engine,
            settings.store,
            acting.who,
            target,
            changes,
            reason=reason,
            by=acting.who.name,
            code=code,
            record=acting.trail.record_in,
        )
    if as_json:
        print_json({**_plain(done.correction), "studies": done.studies, "instances": done.instances})
    else:
        click.echo(f"Corrected: {_touched(done)}.")
        click.echo(f"`filmless correct undo {done.correction.key}` takes it back.")


def _changes(values: tuple[str, ...], removed: tuple[str, ...]) -> Changes:
    found: dict[str, dict[str, Any] | None] = {}
    for one in values:
        word, equals, text = one.partition("=")
        if not equals:
            raise click.UsageError(f"{one!r} is not KEYWORD=VALUE.")
        tag = tag_of(word)
        if dictionary_vr(tag) == "SQ" and text:
            try:
                items = json.loads(text)
            except ValueError:
                raise click.UsageError(f"{word} is a sequence: give its items as DICOM JSON.") from None
            found[f"{tag:08X}"] = {"vr": "SQ", "Value": items}
        else:
            found[f"{tag:08X}"] = from_text(tag, text)
    for word in removed:
        found[f"{tag_of(word):08X}"] = None
    return found


def _show(shown: Preview) -> None:
    print_fields(
        {
            "studies": ", ".join(shown.studies),
            "series": str(shown.series),
            "objects": str(shown.instances),
            "patient then": " ".join(filter(None, (shown.patient_id, shown.issuer, shown.patient_name)))
            + (" (known already)" if shown.joins_known_patient else ""),
        }
    )
    for one in shown.changed:
        old = " | ".join(text or "(none)" for text in one.old)
        click.echo(f"{one.keyword}: {old} -> {'(removed)' if one.removed else one.new or '(empty)'}")


def _touched(done: Done) -> str:
    studies = f"{len(done.studies):,} {'study' if len(done.studies) == 1 else 'studies'}"
    return f"{done.instances:,} {'object' if done.instances == 1 else 'objects'} in {studies}"


def _plain(one: Correction) -> dict[str, Any]:
    plain = dataclasses.asdict(one)
    del plain["id"]
    plain["changes"] = {
        keyword(int(tag, 16)): None if member is None else in_words(member)
        for tag, member in one.changes.items()
    }
    return plain
