"""`filmless search-keys`: attributes that searches find besides those of the index."""

from typing import Any

import click

from filmless.access.audit.model import Kind
from filmless.app.cli.acting import acting
from filmless.app.cli.options import with_settings
from filmless.app.cli.output import moment, print_json, print_table, who
from filmless.app.settings import Settings


@click.group()
def search_keys() -> None:
    """Attributes that C-FIND and QIDO-RS find besides the usual ones.

    ATTRIBUTE is a keyword (PatientComments), a tag (00104000), or a path into sequences
    (RequestedProcedureCodeSequence.CodeValue). It can be asked for as soon as everything in the archive was read for
    it; that is a job of the server, see `filmless jobs`.
    """


@search_keys.command()
@click.argument("attribute")
@click.option(
    "--level",
    type=click.Choice(["patient", "study", "series", "instance"]),
    required=True,
    help="What it is an attribute of. Above instance, the first object of each says the value.",
)
@click.option(
    "--vr", default="", help="Of a private attribute, which no dictionary knows: LO, SH, DA and so on."
)
@with_settings
def add(settings: Settings, attribute: str, level: Any, vr: str) -> None:
    """Make an attribute searchable; what is in the archive is read for it in the background."""
    from filmless.app.index import open_index
    from filmless.archive import search_keys as keys
    from filmless.db.durable import Jobs, jobs_url
    from filmless.db.work import writing

    with (
        open_index(settings, pool_size=2) as engine,
        acting(settings, engine, Kind.CONFIG, "search key added") as act,
    ):
        with writing(engine) as connection:
            key = keys.add(connection, attribute, level=level, by=who(), vr=vr)
            act.about(attribute=key.path, level=level)
            act.done_in(connection)
        with Jobs(jobs_url(settings.home, settings.index_url)) as jobs:
            job = jobs.add(
                keys.JOB, {"key": key.id}, device=keys.DEVICE, queue=keys.QUEUE, job_id=f"{keys.JOB}-{key.id}"
            )
        with writing(engine) as connection:
            keys.note_job(connection, key.id, job)
    click.echo(
        f"{key.path} is being indexed at {level} level by the job {job}. `filmless search-keys list` shows how far."
    )


@search_keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_settings
def list_(settings: Settings, *, as_json: bool) -> None:
    """List the search keys, and how far those are that are not ready."""
    from filmless.app.index import open_index
    from filmless.archive import search_keys as keys
    from filmless.db.durable import Jobs, jobs_url
    from filmless.db.work import reading
    from filmless.kit.errors import Refused

    with open_index(settings, pool_size=1) as engine, reading(engine) as connection:
        found = keys.standings(connection)
    states: dict[str, str] = {}
    if any(not one.key.ready for one in found):
        with Jobs(jobs_url(settings.home, settings.index_url)) as jobs:
            for one in found:
                try:
                    states[one.job] = jobs.get(one.job).state if one.job and not one.key.ready else ""
                except Refused:
                    states[one.job] = "gone"
    shown = [
        {
            "attribute": one.key.path,
            "tags": ".".join(f"{tag:08X}" for tag in one.key.tags),
            "vr": one.key.vr,
            "level": one.key.level,
            "ready": one.key.ready,
            "done": one.done,
            "total": max(one.total, one.done),
            "unreadable": one.failed,
            "job": one.job,
            "job_state": states.get(one.job, ""),
            "added": one.created_at,
            "by": one.created_by,
        }
        for one in found
    ]
    if as_json:
        print_json(shown)
        return
    if not shown:
        click.echo("No attribute was made searchable besides the usual ones.")
        return
    rows = [
        (
            str(one["attribute"]),
            str(one["level"]),
            str(one["vr"]),
            "ready"
            if one["ready"]
            else f"{one['done']} of {one['total']}, job {one['job_state'] or 'not begun'}",
            moment(one["added"]),  # type: ignore[arg-type]
            str(one["by"]),
        )
        for one in shown
    ]
    print_table(("ATTRIBUTE", "LEVEL", "VR", "STATE", "ADDED", "BY"), rows)


@search_keys.command()
@click.argument("attribute")
@with_settings
def remove(settings: Settings, attribute: str) -> None:
    """Make an attribute unsearchable again; its values leave the index, nothing else changes."""
    from filmless.app.index import open_index
    from filmless.archive import search_keys as keys

    with (
        open_index(settings, pool_size=2) as engine,
        acting(settings, engine, Kind.CONFIG, "search key removed") as act,
    ):
        path = keys.remove(engine, attribute, by=who())
        act.about(attribute=path)
    click.echo(f"{path} is not searched any more.")
