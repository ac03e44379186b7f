"""`filmless import` and `filmless export`."""

from dataclasses import replace
from pathlib import Path

import click

from filmless.access.audit.model import Kind
from filmless.app.cli.acting import acting
from filmless.app.cli.options import with_settings
from filmless.app.cli.progress import byte_progress, count_progress
from filmless.app.index import open_index
from filmless.app.settings import Settings
from filmless.kit.errors import Refused, Unavailable

#: how many left-out files are listed; the rest is counted, or listed with --all
_LISTED = 30


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--issuer", default="", metavar="TEXT", help="Issuer for patient IDs that come without one.")
@click.option(
    "--character-set", default="", metavar="TERM", help="For objects that declare none, e.g. GB18030."
)
@click.option("--all", "list_all", is_flag=True, help="List every file that is left out.")
@with_settings
def import_(
    settings: Settings, paths: tuple[Path, ...], issuer: str, character_set: str, list_all: bool
) -> None:
    """Take in files, folders, ZIP archives and media with a DICOMDIR; the server may run meanwhile.

    What is no DICOM object is listed with the reason. Importing the same again changes nothing, so that after
    Ctrl-C the same command goes on where it was.
    """
    from filmless.archive.model import Source
    from filmless.archive.store import Archive
    from filmless.archive.whose import studies_of
    from filmless.db.work import reading
    from filmless.devices.model import check_assumed
    from filmless.exchange.media import incoming

    check_assumed(character_set, issuer)
    result = incoming.Imported()
    source = Source("import", character_set=character_set, default_issuer=issuer)
    with (
        open_index(settings, create=True) as engine,
        acting(settings, engine, Kind.IMPORT, "import") as act,
        count_progress("Importing") as progress,
    ):
        act.about(source=", ".join(str(path) for path in paths)[:400])
        archive = Archive(engine, settings.store, settings.archive)
        archive.start()
        try:
            total = incoming.count(paths) if progress is not None else 0
            incoming.bring_in(
                archive,
                paths,
                source=source,
                result=result,
                progress=None if progress is None else lambda done: progress(done, total),
            )
        finally:
            archive.stop()
            with reading(engine) as connection:
                act.about(studies_of(connection, sop_uids=result.kept))
            act.about(became={kind.value: number for kind, number in result.counts.items()})
    for kind, number in sorted(result.counts.items()):
        click.echo(f"{number:8,}  {_WORDS[kind.value]}")
    if result.with_warnings:
        click.echo(f"{result.with_warnings:8,}  of them with values that are not as the standard wants them")
    if result.hidden:
        click.echo(f"{result.hidden:8,}  of them hidden by a rejection (`filmless reject list`)")
    if result.left_out:
        click.echo(f"{len(result.left_out):8,}  files left out:")
        listed = result.left_out if list_all else result.left_out[:_LISTED]
        for name, reason in listed:
            click.echo(f"          {name}: {reason}")
        if len(result.left_out) > len(listed):
            click.echo(f"          and {len(result.left_out) - len(listed):,} more (--all lists them)")
    if not result.objects and not result.counts:
        raise Refused("Nothing was imported: no DICOM object was found.", code="nothing-found")


_WORDS = {
    "stored": "objects stored",
    "same": "objects were there already",
    "replaced": "objects stored as new versions",
    "kept-first": "objects set aside: another one with the same UID was first",
    "quarantined": "objects in quarantine",
}


@click.command()
@click.argument("destination", type=click.Path(path_type=Path))
@click.option(
    "--study",
    "studies",
    multiple=True,
    required=True,
    metavar="UID",
    help="Study Instance UID; may repeat.",
)
@click.option("--series", "series", multiple=True, metavar="UID", help="Only this series; may repeat.")
@with_settings
def export(settings: Settings, destination: Path, studies: tuple[str, ...], series: tuple[str, ...]) -> None:
    """Write studies to DESTINATION, a new folder or a file ending in .zip, with a DICOMDIR."""
    from filmless.access.model import ENGINEER
    from filmless.archive.query import instances_of
    from filmless.db.work import reading
    from filmless.exchange.media import outgoing

    # what is rejected stays out of what leaves the house, also where an engineer could see it
    principal = replace(ENGINEER, quality_control=False)
    with (
        open_index(settings) as engine,
        acting(settings, engine, Kind.EXPORT, "DICOMDIR") as act,
        byte_progress("Exporting") as progress,
    ):
        act.about(studies, destination=str(destination))
        with reading(engine) as connection:
            wanted = list(
                instances_of(
                    connection,
                    principal,
                    level="SERIES" if series else "STUDY",
                    study_uids=studies,
                    series_uids=series,
                )
            )
        if not wanted:
            raise Refused(
                "The archive has no such study, or nothing of it that may leave.", code="nothing-found"
            )
        written = outgoing.take_out(
            settings.store, wanted, destination.expanduser().absolute(), progress=progress
        )
    click.echo(f"Exported {written.objects:,} objects ({written.bytes / 1e6:,.1f} MB) to {destination}.")
    if written.damaged:
        for uid in written.damaged:
            click.echo(f"  left out: {uid}", err=True)
        raise Unavailable(
            f"{len(written.damaged):,} objects are damaged in the archive; `filmless check` tells more.",
            code="damaged-files",
        )
