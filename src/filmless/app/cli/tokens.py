"""`filmless tokens`: for programs that ask over HTTP."""

import click

from filmless.access import accounts
from filmless.access import tokens as service
from filmless.access.model import Action
from filmless.app.cli.changing import changing
from filmless.app.cli.options import NUMBER, with_settings
from filmless.app.cli.output import moment, print_json, print_table
from filmless.app.index import open_index
from filmless.app.settings import Settings
from filmless.db.work import reading, writing

_ACTIONS = [action.value for action in Action if action is not Action.OWN_ACCOUNT]


@click.group()
def tokens() -> None:
    """API tokens. A program sends one as `Authorization: Bearer TOKEN`, or as the password beside the account's
    name."""


@tokens.command("list")
@click.argument("account")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_settings
def list_(settings: Settings, account: str, *, as_json: bool) -> None:
    """List the tokens of an account, the newest first."""
    with open_index(settings) as engine, reading(engine) as connection:
        found = service.list_tokens(connection, accounts.get(connection, account).id)
    if as_json:
        shown = ("id", "begins", "label", "created_at", "created_by", "expires_at", "used_at", "used_host")
        print_json(
            [
                {
                    **{key: getattr(one, key) for key in shown},
                    "scopes": sorted(one.scopes),
                    "revoked_at": one.revoked_at,
                    "in_force": one.in_force,
                }
                for one in found
            ]
        )
        return
    if not found:
        click.echo(f"{account} has no tokens.")
        return
    rows = [
        (
            str(one.id),
            f"{one.begins}...",
            one.label,
            " ".join(sorted(one.scopes)),
            moment(one.expires_at),
            moment(one.used_at),
            "yes" if one.in_force else ("revoked" if one.revoked_at else "expired"),
        )
        for one in found
    ]
    print_table(("NUMBER", "TOKEN", "FOR", "MAY", "UNTIL", "LAST USED", "IN FORCE"), rows)


@tokens.command()
@click.argument("account")
@click.option("--label", required=True, help="What it is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(_ACTIONS),
    help="What it may be used for; repeatable.",
)
@click.option("--days", type=click.IntRange(1), help="Until it ends [default: token_days of the settings].")
@click.option("--reason", default="", help="Why; kept in the audit trail.")
@with_settings
def add(
    settings: Settings, account: str, label: str, scopes: tuple[str, ...], days: int | None, reason: str
) -> None:
    """Make a token of an account; it is shown once. It may do at most what its account may."""
    with changing(settings, reason) as (engine, acting), writing(engine) as connection:
        secret, made = service.add(
            connection,
            accounts.get(connection, account),
            settings.access,
            acting,
            label=label,
            scopes=service.actions(scopes),
            days=days,
        )
    click.echo(f"Token {made.id} of {account}, until {moment(made.expires_at)}, shown once:")
    click.echo(secret)


@tokens.command()
@click.argument("account")
@click.argument("token_id", type=NUMBER, metavar="NUMBER")
@click.option("--reason", default="", help="Why; kept in the audit trail.")
@with_settings
def revoke(settings: Settings, account: str, token_id: int, reason: str) -> None:
    """End a token: its number, as `filmless tokens list` tells it."""
    with changing(settings, reason) as (engine, acting), writing(engine) as connection:
        service.revoke(connection, accounts.get(connection, account), token_id, acting)
    click.echo(f"Revoked token {token_id} of {account}.")
