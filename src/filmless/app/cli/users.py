"""`filmless users`: who may sign in, and as what."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import click
from sqlalchemy import Connection

from filmless.access import accounts, grants, linking, sessions, totp
from filmless.access.accounts import Account
from filmless.access.grants import Given
from filmless.access.model import ROLE_NAMES, Role, Scope, scope_as_json
from filmless.app.cli.changing import changing
from filmless.app.cli.options import LIMIT, NUMBER, with_settings
from filmless.app.cli.output import moment, print_fields, print_json, print_table
from filmless.app.index import open_index
from filmless.app.settings import Settings
from filmless.db.work import reading, writing
from filmless.kit.errors import Refused

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_REASON = click.option("--reason", default="", help="Why; kept in the audit trail.")
_ASK = click.option(
    "--ask", is_flag=True, help="Ask for the password, instead of making one up and showing it."
)


@click.group()
def users() -> None:
    """People and programs that may sign in. Changes act within two seconds, without a restart."""


@users.command("list")
@click.option("--search", default="", help="Part of a name.")
@click.option("--limit", type=LIMIT, default=200, show_default=True)
@_JSON
@with_settings
def list_(settings: Settings, search: str, limit: int, *, as_json: bool) -> None:
    """List the accounts and the roles that they hold now."""
    with open_index(settings) as engine, reading(engine) as connection:
        found = accounts.list_accounts(connection, search=search, limit=limit + 1)
        held = {one.id: grants.list_grants(connection, one) for one in found[:limit]}
    if as_json:
        print_json([_plain(one, held[one.id]) for one in found[:limit]])
        return
    if not found:
        click.echo("No accounts yet. `filmless serve` makes the first one, `filmless users add NAME` others.")
        return
    rows = [
        (one.name, one.display_name, _roles(held[one.id]), _state(one), moment(one.signed_in_at))
        for one in found[:limit]
    ]
    print_table(("NAME", "PERSON", "ROLES", "STATE", "LAST SIGN-IN"), rows)
    if len(found) > limit:
        click.echo(f"There are more than {limit}: --limit shows more.")


@users.command()
@click.argument("name")
@_JSON
@with_settings
def show(settings: Settings, name: str, *, as_json: bool) -> None:
    """Show everything about one account but its secrets, with the numbers of its grants."""
    with open_index(settings) as engine, reading(engine) as connection:
        account = accounts.get(connection, name)
        _show(connection, account, as_json=as_json)


@users.command()
def roles() -> None:
    """List the roles that can be granted."""
    print_table(("ROLE", "NAME", "名称"), [(role.value, *ROLE_NAMES[role]) for role in Role])


@users.command()
@click.argument("name")
@click.option("--display-name", default="", help="The person's name.")
@click.option("--language", type=click.Choice(["zh", "en"]), default=None)
@click.option(
    "--ward", "wards", multiple=True, help="A ward whose patients are this person's own; repeatable."
)
@click.option(
    "--role",
    "given",
    multiple=True,
    type=click.Choice([*map(str, Role)]),
    help="Everywhere; repeatable; `filmless users roles` says what they are.",
)
@click.option("--no-password", is_flag=True, help="Signs in through OpenID Connect or by token only.")
@_ASK
@_REASON
@with_settings
def add(
    settings: Settings,
    name: str,
    display_name: str,
    language: str | None,
    wards: tuple[str, ...],
    given: tuple[str, ...],
    reason: str,
    *,
    no_password: bool,
    ask: bool,
) -> None:
    """Make an account. Its password is shown once, and to be changed at the first sign-in."""
    with changing(settings, reason, create=True) as (engine, acting):
        password, kept = "", ""
        if not no_password:
            password, kept = _password(settings, name, ask=ask)
        with writing(engine) as connection:
            account = accounts.create(
                connection,
                name,
                acting,
                display_name=display_name,
                language=language or "",
                wards=wards,
                password_hash=kept,
            )
            for role in given:
                grants.grant(connection, name, Role(role), acting)
    click.echo(f"Made {account.name}.")
    if password and not ask:
        click.echo(f"Its password, shown once: {password}")


@users.command()
@click.argument("name")
@click.option("--display-name", help="The person's name.")
@click.option("--language", type=click.Choice(["zh", "en", "browser"]))
@click.option("--ward", "wards", multiple=True, help="Replaces the whole list; repeatable; `none`: no wards.")
@click.option("--reset-totp", is_flag=True, help="Take a lost second factor away; its sessions end.")
@click.option("--oidc-subject", help="Let it sign in as this subject (sub) of the OpenID provider.")
@click.option("--oidc-none", is_flag=True, help="Let it sign in through the provider no longer.")
@_REASON
@_JSON
@with_settings
def change(
    settings: Settings,
    name: str,
    display_name: str | None,
    language: str | None,
    wards: tuple[str, ...],
    oidc_subject: str | None,
    reason: str,
    *,
    reset_totp: bool,
    oidc_none: bool,
    as_json: bool,
) -> None:
    """Change an account."""
    changes: dict[str, Any] = {}
    if display_name is not None:
        changes["display_name"] = display_name
    if language is not None:
        changes["language"] = "" if language == "browser" else language
    if wards:
        changes["wards"] = set(wards) - {"none"}
    if not (changes or reset_totp or oidc_subject or oidc_none):
        raise click.UsageError("say what to change: `filmless users change --help` lists it.")
    if oidc_subject and not settings.access.oidc_issuer:
        raise Refused("The settings name no OpenID provider ([access] oidc_issuer).", code="no-provider")
    with changing(settings, reason) as (engine, acting), writing(engine) as connection:
        accounts.change(connection, name, changes, acting)
        if reset_totp:
            totp.remove(connection, accounts.get(connection, name), acting)
        if oidc_none:
            linking.unlink(connection, name, acting)
        if oidc_subject:
            linking.link(connection, name, settings.access.oidc_issuer, oidc_subject, acting)
        _show(connection, accounts.get(connection, name), as_json=as_json)


@users.command()
@click.argument("name")
@_REASON
@with_settings
def disable(settings: Settings, name: str, reason: str) -> None:
    """Let an account sign in no longer: its sessions end, its tokens are refused."""
    with changing(settings, reason) as (engine, acting), writing(engine) as connection:
        grants.set_enabled(connection, name, acting, enabled=False)
    click.echo(f"Disabled {name}.")


@users.command()
@click.argument("name")
@_REASON
@with_settings
def enable(settings: Settings, name: str, reason: str) -> None:
    """Let a disabled account sign in again."""
    with changing(settings, reason) as (engine, acting), writing(engine) as connection:
        grants.set_enabled(connection, name, acting, enabled=True)
    click.echo(f"Enabled {name}.")


@users.command()
@click.argument("name")
@click.argument("role", type=click.Choice([*map(str, Role)]))
@click.option("--site", "sites", multiple=True, help="Only studies of this site; repeatable.")
@click.option("--department", "departments", multiple=True, help="Only of this department; repeatable.")
@click.option("--modality", "modalities", multiple=True, help="Only with a series of it; repeatable.")
@click.option("--own-patients", is_flag=True, help="Only of patients in this person's or ward's care.")
@click.option("--shared-only", is_flag=True, help="Only what is shared with the account.")
@click.option("--sensitive", is_flag=True, help="Sensitive studies too.")
@click.option(
    "--until",
    type=click.DateTime(),
    help="In this machine's time; a day alone: its beginning [default: until revoked].",
)
@_REASON
@with_settings
def grant(
    settings: Settings,
    name: str,
    role: str,
    sites: tuple[str, ...],
    departments: tuple[str, ...],
    modalities: tuple[str, ...],
    until: datetime | None,
    reason: str,
    *,
    own_patients: bool,
    shared_only: bool,
    sensitive: bool,
) -> None:
    """Give an account a role (`filmless users roles`), of all studies or of some."""
    scope = Scope(
        sites=frozenset(sites) or None,
        departments=frozenset(departments) or None,
        modalities=frozenset(modalities) or None,
        own_patients=own_patients,
        shared_only=shared_only,
        sensitive=sensitive,
    )
    ends = until.astimezone(UTC) if until is not None else None
    with changing(settings, reason) as (engine, acting), writing(engine) as connection:
        made = grants.grant(connection, name, Role(role), acting, scope=scope, until=ends)
    click.echo(f"Granted {role} to {name} (grant {made.id}).")


@users.command()
@click.argument("name")
@click.argument("grant_id", type=NUMBER, metavar="GRANT")
@_REASON
@with_settings
def revoke(settings: Settings, name: str, grant_id: int, reason: str) -> None:
    """Take a role back: the number of its grant, as `filmless users show` tells it."""
    with changing(settings, reason) as (engine, acting), writing(engine) as connection:
        grants.revoke(connection, name, grant_id, acting)
    click.echo(f"Revoked grant {grant_id} of {name}.")


@users.command()
@click.argument("name")
@_ASK
@_REASON
@with_settings
def password(settings: Settings, name: str, reason: str, *, ask: bool) -> None:
    """Give an account a new password, to be changed at the next sign-in: its sessions and tokens end, its lock too."""
    with changing(settings, reason) as (engine, acting):
        with reading(engine) as connection:
            account = accounts.get(connection, name)
        told, kept = _password(settings, account.name, ask=ask)
        with writing(engine) as connection:
            revoked = accounts.set_password(connection, account.name, kept, acting, must_change=True)
    click.echo(f"{account.name} has a new password." if ask else f"The password, shown once: {told}")
    if revoked:
        click.echo(f"API tokens of the account that ended with the old one: {revoked}")


@users.command()
@click.argument("name")
@_REASON
@with_settings
def unlock(settings: Settings, name: str, reason: str) -> None:
    """Let an account try again that is locked after too many wrong passwords."""
    with changing(settings, reason) as (engine, acting), writing(engine) as connection:
        accounts.unlock(connection, name, acting)
    click.echo(f"Unlocked {name}.")


@users.command("sessions")
@click.argument("name")
@click.option("--end", "ending", is_flag=True, help="End them all.")
@_REASON
@_JSON
@with_settings
def sessions_(settings: Settings, name: str, reason: str, *, ending: bool, as_json: bool) -> None:
    """List the open sessions of an account, or end them."""
    if ending:
        with changing(settings, reason) as (engine, acting), writing(engine) as connection:
            account = accounts.get(connection, name)
            count = sessions.end(connection, account.id)
            acting.note(connection, "sessions ended", account=account.name, count=count)
        click.echo(f"Ended {count} sessions of {account.name}.")
        return
    with open_index(settings) as engine, reading(engine) as connection:
        account = accounts.get(connection, name)
        found = sessions.list_sessions(connection, account.id, settings.access)
    if as_json:
        shown = ("id", "method", "host", "browser", "opened_at", "seen_at", "ends_at")
        print_json([{key: getattr(one, key) for key in shown} for one in found])
    elif not found:
        click.echo(f"{account.name} is not signed in.")
    else:
        print_table(
            ("FROM", "BY", "SINCE", "LAST SEEN", "BROWSER"),
            [
                (one.host, one.method, moment(one.opened_at), moment(one.seen_at), one.browser)
                for one in found
            ],
        )


def _password(settings: Settings, name: str, *, ask: bool) -> tuple[str, str]:
    given = click.prompt("Password", hide_input=True, confirmation_prompt=True) if ask else None
    return accounts.new_password(given, name=name, length=settings.access.password_length)


def _show(connection: Connection, account: Account, *, as_json: bool) -> None:
    given = grants.list_grants(connection, account)
    known = linking.identities(connection, account.id)
    if as_json:
        print_json({**_plain(account, given), "identities": [list(one) for one in known]})
        return
    print_fields(
        {
            "name": account.name,
            "person": account.display_name,
            "language": account.language or "the browser's",
            "wards": ", ".join(sorted(account.wards)) or "none",
            "state": _state(account),
            "password": _password_state(account),
            "second factor": "yes" if account.has_second_factor else "no",
            "OpenID": ", ".join(f"{subject} at {issuer}" for issuer, subject in known) or "no",
            "last sign-in": moment(account.signed_in_at),
            "made": moment(account.created_at),
        }
    )
    if given:
        click.echo()
        print_table(
            ("GRANT", "ROLE", "OF", "UNTIL", "IN FORCE", "BY", "REASON"),
            [
                (
                    str(one.id),
                    f"{one.grant.role} {ROLE_NAMES[one.grant.role][0]}",
                    _scope(one.grant.scope),
                    moment(one.grant.until),
                    "no" if one.idle else "yes",
                    {"oidc": "OpenID provider", "first": "first start"}.get(one.source, one.granted_by),
                    one.reason,
                )
                for one in given
            ],
        )


def _scope(scope: Scope) -> str:
    words = [
        f"{name}: {', '.join(value)}" if isinstance(value, list) else name.replace("_", " ")
        for name, value in scope_as_json(scope).items()
    ]
    return "; ".join(words) or "all"


def _roles(given: list[Given]) -> str:
    return " ".join(dict.fromkeys(one.grant.role for one in given if not one.idle)) or "none"


def _state(account: Account) -> str:
    if not account.enabled:
        return "disabled"
    return f"locked until {moment(account.locked_until)}" if account.locked else "enabled"


def _password_state(account: Account) -> str:
    if not account.has_password:
        return "none"
    return "to be changed at the next sign-in" if account.must_change_password else "yes"


def _plain(account: Account, given: list[Given]) -> dict[str, Any]:
    return {
        **dataclasses.asdict(account),
        "wards": sorted(account.wards),
        "locked": account.locked,
        "grants": [
            {
                "id": one.id,
                "role": one.grant.role,
                "scope": scope_as_json(one.grant.scope),
                "until": one.grant.until,
                "in_force": not one.idle,
                "source": one.source,
                "granted_at": one.granted_at,
                "granted_by": one.granted_by,
                "reason": one.reason,
            }
            for one in given
        ],
    }
