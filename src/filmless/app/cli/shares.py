"""`filmless shares`: links that open one study to whoever has them, and studies shared with accounts."""

from datetime import timedelta

import click

from filmless.access import shares as granted
from filmless.app.cli.changing import changing
from filmless.app.cli.options import NUMBER, with_settings
from filmless.app.cli.output import moment, print_json, print_table
from filmless.app.index import open_index
from filmless.app.settings import Settings
from filmless.db.work import reading, writing
from filmless.exchange import sharing
from filmless.kit import clock

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_REASON = click.option("--reason", default="", help="Why; kept in the audit trail.")


@click.group()
def shares() -> None:
    """Studies that are open to others for a time: by link, or to an account."""


@shares.command()
@click.argument("study_uid")
@click.option("--days", type=click.IntRange(1, 3650), default=7, show_default=True, help="Until it ends.")
@click.option("--label", default="", help="For whom.")
@click.option("--password/--no-password", "ask", default=True, help="Ask for a password to be set.")
@click.option("--download", is_flag=True, help="The study may be taken along as a ZIP archive.")
@_REASON
@_JSON
@with_settings
def link(
    settings: Settings,
    study_uid: str,
    days: int,
    label: str,
    reason: str,
    *,
    ask: bool,
    download: bool,
    as_json: bool,
) -> None:
    """Make a link to a study. Its address is shown once."""
    password = click.prompt("Password of the link", hide_input=True, confirmation_prompt=True) if ask else ""
    wanted = sharing.NewLink(study_uid, days, label, password, download)
    with changing(settings, reason) as (engine, acting):
        made, path = sharing.make_link(engine, acting, settings.access, wanted)
    address = settings.http.public_url.rstrip("/") + path
    if as_json:
        print_json({"name": made.name, "address": address, "expires_at": made.expires_at.isoformat()})
        return
    click.echo(f"The address, shown once: {address}")
    if not settings.http.public_url:
        click.echo("Put this server's own address before it ([http] public_url does).")
    click.echo(f"Open until {moment(made.expires_at)}. Its name, to withdraw it: {made.name}")


@shares.command("list")
@click.option("--study", "study_uid", default="", metavar="UID")
@click.option("--all", "everything", is_flag=True, help="Those that are over too.")
@_JSON
@with_settings
def list_(settings: Settings, study_uid: str, *, everything: bool, as_json: bool) -> None:
    """List links and studies shared with accounts."""
    with open_index(settings) as engine, reading(engine) as connection:
        links = granted.list_links(connection, study_uid=study_uid, open_only=not everything)
        with_accounts = granted.shared(connection, study_uid=study_uid)
    if as_json:
        print_json(
            {
                "links": [
                    {
                        "name": one.name,
                        "study_uid": one.study_uid,
                        "label": one.label,
                        "download": one.download,
                        "password": one.has_password,
                        "expires_at": one.expires_at.isoformat(),
                        "open": one.is_open,
                        "uses": one.uses,
                        "by": one.created_by,
                    }
                    for one in links
                ],
                "accounts": [
                    {
                        "id": one.id,
                        "study_uid": one.study_uid,
                        "account": one.account,
                        "until": one.until.isoformat(),
                        "by": one.shared_by,
                    }
                    for one in with_accounts
                ],
            }
        )
        return
    rows = [
        (
            one.name,
            one.study_uid,
            one.label,
            moment(one.expires_at) if one.is_open else "over",
            str(one.uses),
            one.created_by,
        )
        for one in links
    ]
    print_table(("LINK", "STUDY", "FOR", "UNTIL", "USES", "BY"), rows)
    if with_accounts:
        people = [
            (str(one.id), one.study_uid, one.account, moment(one.until), one.shared_by)
            for one in with_accounts
        ]
        print_table(("NUMBER", "STUDY", "ACCOUNT", "UNTIL", "BY"), people)


@shares.command()
@click.argument("name")
@_REASON
@with_settings
def revoke(settings: Settings, name: str, reason: str) -> None:
    """Withdraw a link, also from those who have it open."""
    with changing(settings, reason) as (engine, acting), writing(engine) as connection:
        granted.revoke_link(connection, name, acting)
    click.echo("Withdrawn.")


@shares.command("with")
@click.argument("study_uid")
@click.argument("account")
@click.option("--days", type=click.IntRange(1, 3650), default=7, show_default=True)
@_REASON
@with_settings
def with_(settings: Settings, study_uid: str, account: str, days: int, reason: str) -> None:
    """Open a study to an account for some days."""
    until = clock.now() + timedelta(days=days)
    with changing(settings, reason) as (engine, acting):
        made = sharing.share_with(
            engine, acting, settings.access, study_uid=study_uid, account=account, until=until
        )
    click.echo(f"Open to {made.account} until {moment(made.until)}.")


@shares.command()
@click.argument("number", type=NUMBER)
@_REASON
@with_settings
def stop(settings: Settings, number: int, reason: str) -> None:
    """Close a study to an account, by its number from `list`."""
    with changing(settings, reason) as (engine, acting), writing(engine) as connection:
        granted.stop_sharing(connection, number, acting)
    click.echo("Stopped.")
