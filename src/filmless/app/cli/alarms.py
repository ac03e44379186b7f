"""`filmless alarms`: what needs those in charge, and whether they can be told."""

import sys

import click

from filmless.app.cli.options import with_settings
from filmless.app.cli.output import print_json, print_table
from filmless.app.settings import Settings


@click.group()
def alarms() -> None:
    """Disk, devices, failed jobs and the certificate: what stands, and telling of it by mail and webhook."""


@alarms.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@with_settings
def list_(settings: Settings, *, as_json: bool) -> None:
    """List what has been told and stands, and what could not be told yet."""
    from filmless.app.alarms import telling

    state = telling.read(settings.home)
    if as_json:
        print_json(state)
        return
    if not settings.alarms.channels:
        click.echo("Alarms are on the screens of those in charge alone: see [alarms] of the settings.")
        return
    rows = [
        [
            one["why"],
            one["about"],
            str(one["count"] or ""),
            one["since"][:19],
            "yes" if one["told"] else "not yet",
        ]
        for one in state["standing"].values()
    ]
    if rows:
        print_table(["ALARM", "ABOUT", "COUNT", "SINCE", "TOLD"], rows)
    else:
        click.echo("Nothing stands.")
    for one in state["waiting"]:
        click.echo(f"Waits for {one['channel']} after {one['tries']} tries: {one['error'] or 'its turn'}")


@alarms.command()
@with_settings
def test(settings: Settings) -> None:
    """Send a test by mail and webhook, as they are set."""
    from filmless.app.alarms import telling

    results = telling.test(settings.alarms, settings.server.aet)
    if not results:
        click.echo("Neither mail_to nor webhook of [alarms] is set.")
        sys.exit(2)
    for channel, reason in results:
        click.echo(f"{channel}: {reason or 'sent'}")
    sys.exit(4 if any(reason for _, reason in results) else 0)
