"""`filmless echo|find|get|move DEVICE ...`: asking devices. `send` is in sending.py."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from filmless.access.audit.model import Kind
from filmless.app.calling import tls_for_devices
from filmless.app.cli.acting import acting
from filmless.app.cli.options import LIMIT, with_settings
from filmless.app.cli.output import print_table
from filmless.app.cli.progress import count_progress
from filmless.app.cli.sending import send
from filmless.app.index import open_index
from filmless.app.settings import Settings
from filmless.db.work import reading, writing
from filmless.devices import service
from filmless.devices.model import Device
from filmless.kit.errors import FilmlessError, Refused, Unavailable

__all__ = ["echo", "find", "get", "move", "send"]

if TYPE_CHECKING:
    from pydicom import Dataset

    from filmless.exchange.remote import Counters, Level, Model, Retrieved

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_MODEL = click.option(
    "--patient-root", "model", flag_value="patient", help="Use the Patient Root model instead of Study Root."
)
_LISTED = 20


def _device(settings: Settings, ae_title: str) -> Device:
    with open_index(settings) as engine, reading(engine) as connection:
        return service.destination(connection, ae_title)


@click.command()
@click.argument("device")
@_JSON
@with_settings
def echo(settings: Settings, device: str, *, as_json: bool) -> None:
    """Ask DEVICE whether it answers (C-ECHO); exit code 4 where it does not."""
    from filmless.devices import checks

    asked = _device(settings, device)
    result = asyncio.run(checks.check(asked, settings.net, tls=tls_for_devices(settings)(asked)))
    with open_index(settings) as engine, writing(engine) as connection:
        service.record_check(connection, asked.ae_title, ok=result.ok, reason=result.reason, ms=result.ms)
    if as_json:
        click.echo(json.dumps({"ok": result.ok, "reason": result.reason, "ms": result.ms}))
    elif result.ok:
        click.echo(f"{asked.address} answers, {result.ms} ms")
    if not result.ok:
        raise Unavailable(f"{asked.address} does not answer: {result.reason}", code="no-answer")


def _keys(
    keys: Sequence[str], study: str | None, series: str | None, image: str | None, patient: str | None
) -> "tuple[Level, dict[str, str]]":
    """The level that the unique keys mean, and all keys."""
    found: dict[str, str] = {}
    for key in keys:
        name, equals, value = key.partition("=")
        if not equals:
            raise click.UsageError(f"--key wants NAME=VALUE, not {key!r}.")
        found[name] = value
    level: Level = "STUDY"
    if patient is not None:
        found["PatientID"] = patient
        level = "PATIENT"
    if study is not None:
        found["StudyInstanceUID"] = study
        level = "STUDY"
    if series is not None:
        found["SeriesInstanceUID"] = series
        level = "SERIES"
    if image is not None:
        found["SOPInstanceUID"] = image
        level = "IMAGE"
    return level, found


def _unique_keys(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--image", metavar="UID", help="SOP Instance UID; needs --study and --series."),
        click.option("--series", metavar="UID", help="Series Instance UID; needs --study."),
        click.option("--study", metavar="UID", help="Study Instance UID."),
        click.option("--patient", metavar="ID", help="Patient ID (with --patient-root alone: all studies)."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("device")
@click.option(
    "--level",
    type=click.Choice(["PATIENT", "STUDY", "SERIES", "IMAGE"], case_sensitive=False),
    default="STUDY",
    show_default=True,
)
@click.option(
    "-k",
    "--key",
    "keys",
    multiple=True,
    metavar="NAME=VALUE",
    help="Match by an attribute: wildcards, ranges and lists as in DICOM. NAME alone with = asks for it; may repeat.",
)
@click.option("--limit", type=LIMIT, default=200, show_default=True)
@_MODEL
@_JSON
@with_settings
def find(
    settings: Settings,
    device: str,
    level: str,
    keys: tuple[str, ...],
    limit: int,
    model: str | None,
    *,
    as_json: bool,
) -> None:
    """Ask DEVICE what it has (C-FIND), e.g. -k PatientName=DOE* -k StudyDate=20260101-."""
    from contextlib import aclosing

    from filmless.exchange import remote

    asked = _device(settings, device)
    where: Any = level.upper()
    _, wanted = _keys(keys, None, None, None, None)
    root: Model = "patient" if model or where == "PATIENT" else "study"
    columns = list(dict.fromkeys([*remote.RETURN_KEYS[where], *(key.split(".")[0] for key in wanted)]))
    query = remote.identifier(where, wanted, remote.RETURN_KEYS[where], character_set=asked.character_set)

    async def ask() -> "list[Dataset]":
        found: list[Dataset] = []
        answers = remote.find(
            asked, query, settings=settings.net, model=root, tls=tls_for_devices(settings)(asked)
        )
        async with aclosing(answers):
            async for one in answers:
                found.append(one)
                if len(found) > limit:
                    break
        return found

    with (
        open_index(settings) as engine,
        acting(settings, engine, Kind.SEARCH, f"C-FIND asked of {asked.ae_title}") as act,
    ):
        act.about(query=" ".join(keys), level=where)
        found = asyncio.run(ask())
        act.about(answers=len(found))
    if as_json:
        click.echo(json.dumps([one.to_json_dict() for one in found[:limit]], ensure_ascii=False, indent=2))
    elif found:
        print_table(columns, [[_text(one, column) for column in columns] for one in found[:limit]])
    else:
        click.echo("Nothing found.")
    if len(found) > limit:
        click.echo(f"There are more than {limit}: --limit shows more.", err=True)


def _text(dataset: "Dataset", keyword: str) -> str:
    try:
        value = dataset.get(keyword) if not keyword[:1].isdigit() else dataset[int(keyword, 16)].value
    except (KeyError, ValueError):
        return ""
    if value is None:
        return ""
    return "\\".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


@click.command()
@click.argument("device")
@click.option("--to", "destination", required=True, metavar="AE", help="AE title that DEVICE is to send to.")
@_unique_keys
@_MODEL
@_JSON
@with_settings
def move(
    settings: Settings,
    device: str,
    destination: str,
    study: str | None,
    series: str | None,
    image: str | None,
    patient: str | None,
    model: str | None,
    *,
    as_json: bool,
) -> None:
    """Have DEVICE send studies to another AE title, which it has to know (C-MOVE)."""
    from filmless.devices.model import clean_ae_title
    from filmless.exchange import remote

    asked = _device(settings, device)
    level, keys = _keys((), study, series, image, patient)
    if not keys:
        raise click.UsageError("say what: --study, --patient, --series or --image.")
    query = remote.identifier(level, keys, character_set=asked.character_set)
    with (
        open_index(settings) as engine,
        acting(settings, engine, Kind.SEND_BEGUN, f"C-MOVE asked of {device}") as act,
        count_progress("Moving") as progress,
    ):
        act.about([study or ""], destination=destination, keys=keys)
        done = asyncio.run(
            remote.move(
                asked,
                query,
                clean_ae_title(destination),
                settings=settings.net,
                model="patient" if model or level == "PATIENT" else "study",
                tls=tls_for_devices(settings)(asked),
                progress=_counted(progress),
            )
        )
    _print_retrieved(done, f"sent to {destination}", as_json=as_json)


@click.command()
@click.argument("device")
@click.option(
    "--into", type=click.Path(path_type=Path, file_okay=False), help="A folder, instead of our archive."
)
@_unique_keys
@_MODEL
@_JSON
@with_settings
def get(
    settings: Settings,
    device: str,
    into: Path | None,
    study: str | None,
    series: str | None,
    image: str | None,
    patient: str | None,
    model: str | None,
    *,
    as_json: bool,
) -> None:
    """Fetch studies from DEVICE into our archive, or into a folder (C-GET)."""
    from filmless.exchange import remote

    asked = _device(settings, device)
    level, keys = _keys((), study, series, image, patient)
    if not keys:
        raise click.UsageError("say what: --study, --patient, --series or --image.")
    root: Model = "patient" if model or level == "PATIENT" else "study"
    query = remote.identifier(level, keys, character_set=asked.character_set)
    tls = tls_for_devices(settings)(asked)

    async def fetch(storage: Any, progress: "Callable[[Counters], None] | None") -> "Retrieved":
        try:
            classes = await remote.classes_in(asked, keys, settings=settings.net, model=root, tls=tls)
        except Refused:
            # a device may give without answering queries
            classes = []
        return await remote.get(
            asked,
            query,
            storage,
            settings=settings.net,
            classes=classes,
            model=root,
            tls=tls,
            progress=progress,
        )

    with count_progress("Fetching") as progress:
        if into is not None:
            into.mkdir(parents=True, exist_ok=True)
            with (
                open_index(settings) as engine,
                acting(settings, engine, Kind.IMPORT, f"C-GET from {asked.ae_title}") as act,
            ):
                act.about([study or ""], source=asked.ae_title, destination=str(into), keys=keys)
                done = asyncio.run(fetch(remote.FolderStorage(into), _counted(progress)))
        else:
            done = _into_archive(settings, asked.ae_title, fetch, _counted(progress))
    _print_retrieved(done, f"fetched into {into}" if into else "fetched into the archive", as_json=as_json)


def _into_archive(
    settings: Settings, device: str, fetch: Callable[..., Any], progress: "Callable[[Counters], None] | None"
) -> "Retrieved":
    from filmless.archive.dimse import StorageService
    from filmless.archive.store import Archive
    from filmless.archive.whose import studies_of

    kept: list[str] = []

    def note(_source: Any, outcome: Any) -> None:
        if outcome is not None:
            kept.append(outcome.sop_instance_uid)

    with (
        open_index(settings, create=True) as engine,
        acting(settings, engine, Kind.STORE, f"C-GET from {device}") as act,
    ):
        act.about(source=device)
        archive = Archive(engine, settings.store, settings.archive)
        archive.start()
        try:
            done: Retrieved = asyncio.run(fetch(StorageService(archive, note), progress))
        finally:
            archive.stop()
            with reading(engine) as connection:
                act.about(studies_of(connection, sop_uids=kept), instances=len(kept))
    return done


def _counted(
    progress: Callable[[int, int], None] | None,
) -> "Callable[[Counters], None] | None":
    if progress is None:
        return None

    def told(counters: "Counters") -> None:
        done = counters.completed + counters.failed + counters.warning
        progress(done, done + counters.remaining if counters.remaining is not None else 0)

    return told


def _print_retrieved(done: "Retrieved", words: str, *, as_json: bool) -> None:
    counters = done.counters
    brought = counters.completed + counters.warning
    if as_json:
        answer = {
            "completed": counters.completed,
            "warning": counters.warning,
            "failed": counters.failed,
            "status": done.words,
            "failed_uids": list(done.failed_uids),
        }
        click.echo(json.dumps(answer, indent=2))
    else:
        click.echo(f"{brought} objects {words}.")
        for uid in done.failed_uids[:_LISTED]:
            click.echo(f"  failed: {uid}")
    if counters.failed or (done.words and not brought):
        raise _incomplete(f"{counters.failed} objects failed: {done.words or 'the device said no more'}.")


def _incomplete(words: str) -> FilmlessError:
    return Unavailable(words, code="incomplete")
