"""`filmless backup` and `filmless restore`."""

from contextlib import ExitStack
from pathlib import Path

import click

from filmless.access.audit.model import Kind
from filmless.app.cli.acting import acting
from filmless.app.cli.options import with_settings
from filmless.app.cli.progress import byte_progress
from filmless.app.destination import INDEX
from filmless.app.index import open_index
from filmless.app.settings import FILE_NAME, Settings, load
from filmless.kit.errors import Unavailable


@click.command()
@click.argument("destination", type=click.Path(path_type=Path))
@click.option("--link", is_flag=True, help="Hard links instead of copies, within one file system only.")
@with_settings
def backup(settings: Settings, destination: Path, link: bool) -> None:
    """Copy everything that the server keeps into the folder DESTINATION; the server goes on meanwhile.

    DESTINATION may be an earlier backup: only what is new since then is copied.
    """
    from filmless.app import backup as backups

    destination = destination.expanduser().absolute()
    with ExitStack() as stack:
        if settings.database.url or (settings.home / INDEX).exists():
            engine = stack.enter_context(open_index(settings, pool_size=2))
            act = stack.enter_context(acting(settings, engine, Kind.BACKUP, "backup"))
            act.about(destination=str(destination))
        progress = stack.enter_context(byte_progress("Backing up"))
        made = backups.make(settings, destination, link=link, progress=progress)
    click.echo(f"Backed up {_counted(made.counts)} to {destination}.")
    _tell_damaged(made.damaged, "could not be backed up: they are missing or damaged in the archive")


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--home", required=True, metavar="DIR", help="The new home folder: empty, or not there yet.")
@click.option("--config", metavar="FILE", help="Settings file to use instead of the backup's.")
def restore(source: Path, home: str, config: str | None) -> None:
    """Bring the backup in the folder SOURCE into a new home folder, checking every file."""
    from filmless.app import destination as folders
    from filmless.app import restore as restores

    source = source.expanduser().absolute()
    with folders.read(source):
        restores.bring_settings(source, Path(home).expanduser().absolute())
        try:
            settings = load(home, config)
            restores.check_empty(settings)
        except Exception:
            restores.take_settings_back(Path(home).expanduser().absolute())
            raise
        with byte_progress("Restoring") as progress:
            restored = restores.bring(settings, source, progress=progress)
    with (
        open_index(settings, pool_size=2) as engine,
        acting(settings, engine, Kind.RESTORE, "restore") as act,
    ):
        act.about(source=str(source), made_at=restored.manifest.made_at, damaged=len(restored.damaged))
    click.echo(
        f"Restored {_counted(restored.manifest.counts)} as of {restored.manifest.made_at} into {settings.home}."
    )
    named = "" if settings.config in (None, settings.home / FILE_NAME) else f" --config {settings.config}"
    click.echo(f"Start it with:  filmless serve --home {settings.home}{named}")
    _tell_damaged(restored.damaged, "could not be restored: they are missing or damaged in the backup")


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(
        f"{counts.get(name, 0):,} {name}" for name in ("patients", "studies", "series", "instances")
    )


def _tell_damaged(paths: list[str], words: str) -> None:
    if not paths:
        return
    for path in paths[:20]:
        click.echo(f"  {path}", err=True)
    if len(paths) > 20:
        click.echo(f"  and {len(paths) - 20:,} more", err=True)
    raise Unavailable(f"{len(paths):,} files {words}.", code="damaged-files")
