"""`filmless demonstrate`."""

from pathlib import Path

import click

from filmless.app.cli.options import with_settings
from filmless.app.settings import FILE_NAME, Settings
from filmless.kit.errors import Conflict, Refused


@click.command()
@click.option("--again", is_flag=True, help="Nothing happens, and nothing is said, where it was made before.")
@click.option(
    "--brain",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="WHEEL",
    help="A wheel of nilearn, of which the brain template is taken.",
)
@with_settings
def demonstrate(settings: Settings, brain: Path | None, *, again: bool) -> None:
    """Make a hospital with a day's work in it in an empty home: for trials, never for patients.

    Its accounts and their password are told on the sign-in page; such a home is served on this machine alone.
    """
    from sqlalchemy import func, select

    from filmless.access.account_tables import accounts
    from filmless.app.cli.progress import count_progress
    from filmless.app.demonstration.day import Making
    from filmless.app.index import open_index
    from filmless.app.trail import open_trail
    from filmless.archive.store import Archive
    from filmless.db.work import reading
    from filmless.department import desk
    from filmless.department.tables import exams

    if settings.access.demonstration and again:
        return
    if not settings.department.enabled:
        raise Refused(
            "The department is switched off by setting ([department] enabled).", code="department-off"
        )
    with open_index(settings, create=True) as engine, open_trail(settings, engine, "demonstration") as trail:
        with reading(engine) as connection:
            used = connection.scalar(select(func.count()).select_from(accounts)) or connection.scalar(
                select(func.count()).select_from(exams)
            )
        if used:
            raise Conflict(
                "This home is in use: a demonstration is made in an empty one (--home DIR).", code="in-use"
            )
        file = settings.home / FILE_NAME
        if file.exists():
            raise Conflict(
                f"{file} is there already: a demonstration is made in an empty home.", code="in-use"
            )
        archive = Archive(engine, settings.store, settings.archive)
        archive.start()
        try:
            with count_progress("Making a hospital") as progress:
                making = Making(
                    engine,
                    trail,
                    archive,
                    desk.open_desk(settings.department, settings.home),
                    settings.home,
                    settings.department,
                    brain,
                    progress or (lambda _done, _all: None),
                )
                made = making.make()
        finally:
            archive.stop()
        file.write_text(
            '# a demonstration: not for patients\nbind = "127.0.0.1"\n\n[access]\ndemonstration = true\n\n'
            '[reporting]\nhospital_zh = "示范医院"\nhospital_en = "Demonstration Hospital"\n',
            encoding="utf-8",
        )
    click.echo(f"Made a hospital with {made} exams in {settings.home}.")
