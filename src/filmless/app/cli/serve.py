"""`filmless serve`, `filmless settings` and `filmless associations`."""

import json
from datetime import datetime
from typing import Any

import click

from filmless.app import settings as settings_module
from filmless.app.cli.options import LIMIT, REASON, with_settings
from filmless.app.settings import Settings


@click.command()
@click.option("--home", metavar="DIR", help=f"Folder for all data [default {settings_module.DEFAULT_HOME}].")
@click.option("--config", metavar="FILE", help="Settings file [default filmless.toml in the home folder].")
@click.option("--bind", metavar="ADDRESS", help="Address to listen on [default 0.0.0.0].")
@click.option(
    "--dicom-port", type=click.IntRange(0, 65535), metavar="N", help="Port for DICOM [default 11112]."
)
@click.option("--http-port", type=click.IntRange(0, 65535), metavar="N", help="Port for HTTP [default 8104].")
@click.option("--aet", metavar="NAME", help="Our AE title [default FILMLESS].")
def serve(home: str | None, config: str | None, **given: Any) -> None:
    """Run the server until it is told to stop (Ctrl-C, SIGTERM). The home folder is made where there is none.

    More settings: `filmless settings` lists them all.
    """
    from filmless.app import serve as serving

    serving.run(settings_module.load(home, config, **given), click.echo)


@click.command()
@click.option(
    "--all/--changed", "everything", default=True, help="All settings, or those that are not defaults."
)
@with_settings
def settings(settings: Settings, *, everything: bool) -> None:
    """Show the settings in force and where they come from. Each can be a key in the file or a variable."""
    click.echo(f"home    {settings.home}")
    click.echo(f"file    {settings.config or f'{settings.home / settings_module.FILE_NAME} (not there)'}")
    section_before = None
    for section, name, value in settings_module.values(settings):
        origin = settings.origins.get(f"{section}.{name}", "default")
        if origin == "default" and not everything:
            continue
        if section != section_before:
            click.echo(f"\n[{section}]" if section else "")
            section_before = section
        shown = "(not shown)" if value and settings_module.is_secret(section, name) else _as_toml(value)
        variable = settings_module.variable(section, name)
        click.echo(f"{name} = {shown}    # {origin}{'' if variable in origin else f'; {variable}'}")


def _as_toml(value: Any) -> str:
    if isinstance(value, tuple | frozenset):
        return json.dumps(sorted(value), ensure_ascii=False)
    return json.dumps(value, default=str, ensure_ascii=False)


@click.group()
def associations() -> None:
    """DICOM connections of the running server."""


@associations.command("list")
@click.option("--limit", type=LIMIT, default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_settings
def list_associations(settings: Settings, limit: int, *, as_json: bool) -> None:
    """List the open associations, the oldest first."""
    from filmless.app.cli.output import moment, print_table

    found = sorted(_open(settings), key=lambda one: str(one["started_at"]))
    if as_json:
        click.echo(json.dumps(found[:limit], indent=2))
    elif not found:
        click.echo("No association is open.")
    else:
        print_table(
            ("ID", "FROM", "HOST", "SINCE", "IMAGES IN", "IMAGES OUT", "TLS"),
            [
                (
                    one["id"],
                    one["calling_ae"],
                    one["host"],
                    moment(datetime.fromisoformat(one["started_at"])),
                    str(one["images_in"]),
                    str(one["images_out"]),
                    "yes" if one["tls"] else "no",
                )
                for one in found[:limit]
            ],
        )
        if len(found) > limit:
            click.echo(f"There are more than {limit}: --limit shows more.")


@associations.command("show")
@click.argument("association_id")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_settings
def show_association(settings: Settings, association_id: str, *, as_json: bool) -> None:
    """Show everything about one association, its presentation contexts included."""
    from filmless.kit.errors import Refused

    found = next((one for one in _open(settings) if one["id"] == association_id), None)
    if found is None:
        raise Refused(f"There is no open association {association_id}.", code="unknown-association")
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        _print_association(found)


def _print_association(found: dict[str, Any]) -> None:
    from filmless.app.cli.output import moment, print_fields, print_table
    from filmless.dicom import sopclasses, uids

    print_fields(
        {
            "id": found["id"],
            "from": f"{found['calling_ae']} at {found['host']}",
            "called": found["called_ae"],
            "program": found["implementation"] or "it does not say",
            "TLS": (found["tls_subject"] or "without a certificate of its own") if found["tls"] else "no",
            "since": moment(datetime.fromisoformat(found["started_at"])),
            "images": f"{found['images_in']} in, {found['images_out']} out",
        }
    )
    rows = [
        (str(number), sopclasses.name_of(abstract), uids.name_of(transfer))
        for number, abstract, transfer in found["contexts"]
    ]
    print_table(("CONTEXT", "SERVICE", "TRANSFER SYNTAX"), rows)


@associations.command("abort")
@click.argument("association_id")
@click.option("--reason", type=REASON, required=True, help="Why; kept.")
@with_settings
def abort_association(settings: Settings, association_id: str, reason: str) -> None:
    """Abort an association at once (A-ABORT). What was stored on it stays."""
    from filmless.access.audit.model import Kind
    from filmless.app import control
    from filmless.app.cli.acting import acting
    from filmless.app.cli.output import who
    from filmless.app.index import open_index

    with (
        open_index(settings, pool_size=2) as engine,
        acting(settings, engine, Kind.CONFIG, "abort association", reason) as act,
    ):
        act.about(association=association_id)
        control.ask(settings.control_socket, "abort", id=association_id, reason=reason, by=who())
    click.echo(f"Aborted {association_id}.")


def _open(settings: Settings) -> list[dict[str, Any]]:
    from filmless.app import control

    found: list[dict[str, Any]] = control.ask(settings.control_socket, "associations")["associations"]
    return found
