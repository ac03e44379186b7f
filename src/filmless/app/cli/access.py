"""`filmless access`: to whom studies belong, who cares for patients, and where glass was broken."""

from datetime import UTC, datetime
from typing import Any

import click
from sqlalchemy import Connection, select

from filmless.access import belonging, emergency
from filmless.access.belonging import Belonging
from filmless.app.cli.changing import changing
from filmless.app.cli.options import LIMIT, NUMBER, REASON, with_settings
from filmless.app.cli.output import moment, print_fields, print_json, print_table
from filmless.app.index import open_index
from filmless.app.settings import Settings
from filmless.archive.tables import studies
from filmless.db.work import reading, writing

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_REASON = click.option("--reason", type=REASON, required=True, help="Why; kept in the audit trail.")


@click.group()
def access() -> None:
    """Who may see which studies, besides roles: site, department, ward, requester, sensitivity, care."""


@access.command()
@click.argument("study_uid")
@_JSON
@with_settings
def show(settings: Settings, study_uid: str, *, as_json: bool) -> None:
    """Show to whom a study belongs."""
    with open_index(settings) as engine, reading(engine) as connection:
        found = belonging.belonging_of(connection, study_uid)
        there = _is_there(connection, study_uid)
    _show(found, as_json=as_json)
    _tell_missing(there=there)


@access.command()
@click.argument("study_uid")
@click.option("--site", help='"" takes it away, as with the next three.')
@click.option("--department")
@click.option("--ward", help="Of the visit during which it was requested.")
@click.option("--requested-by", metavar="ACCOUNT")
@click.option(
    "--sensitive/--not-sensitive",
    default=None,
    help="Sensitive studies are seen by those who care for the patient, or have the right to see such.",
)
@_REASON
@_JSON
@with_settings
def assign(settings: Settings, study_uid: str, reason: str, *, as_json: bool, **given: Any) -> None:
    """Say to whom a study belongs, and whether it is sensitive. Acts at once."""
    if all(value is None for value in given.values()):
        raise click.UsageError("say what to change: `filmless access assign --help` lists it.")
    with changing(settings, reason) as (engine, acting), writing(engine) as connection:
        made = belonging.assign(connection, study_uid, acting, **given)
        there = _is_there(connection, study_uid)
    _show(made, as_json=as_json)
    _tell_missing(there=there)


@access.command()
@click.option("--limit", type=LIMIT, default=200, show_default=True)
@_JSON
@with_settings
def sensitive(settings: Settings, limit: int, *, as_json: bool) -> None:
    """List the studies that are marked as sensitive."""
    with open_index(settings) as engine, reading(engine) as connection:
        found = belonging.sensitive_studies(connection, limit=limit)
    if as_json:
        print_json([_plain(one) for one in found])
        return
    if not found:
        click.echo("No study is marked as sensitive.")
        return
    rows = [(one.study_uid, moment(one.changed_at), one.changed_by, one.reason) for one in found]
    print_table(("STUDY", "SINCE", "BY", "REASON"), rows)


@access.command()
@click.argument("patient_id")
@click.option("--issuer", default="", help="Issuer of the patient ID.")
@click.option("--account", default="", help="Who cares for the patient.")
@click.option("--ward", default="", help="Everybody of this ward does.")
@click.option(
    "--until",
    type=click.DateTime(),
    help="In this machine's time; a day alone: its beginning [default: until it is ended].",
)
@_REASON
@with_settings
def care(
    settings: Settings,
    patient_id: str,
    issuer: str,
    account: str,
    ward: str,
    until: datetime | None,
    reason: str,
) -> None:
    """Say that an account, or a ward, cares for a patient: it then sees the patient's studies."""
    end = until.astimezone(UTC) if until else None
    with changing(settings, reason) as (engine, acting), writing(engine) as connection:
        belonging.care(connection, patient_id, acting, issuer=issuer, account=account, ward=ward, until=end)
    click.echo(f"{account or f'Ward {ward}'} cares for {patient_id}.")


@access.command("end-care")
@click.argument("number", type=NUMBER)
@_REASON
@with_settings
def end_care(settings: Settings, number: int, reason: str) -> None:
    """End a care relation, by its number from `cares`."""
    with changing(settings, reason) as (engine, acting), writing(engine) as connection:
        belonging.end_care(connection, number, acting)
    click.echo("Ended.")


@access.command()
@click.argument("patient_id")
@click.option("--issuer", default="")
@_JSON
@with_settings
def cares(settings: Settings, patient_id: str, issuer: str, *, as_json: bool) -> None:
    """List who cares for a patient."""
    with open_index(settings) as engine, reading(engine) as connection:
        found = belonging.cares(connection, patient_id, issuer=issuer)
    if as_json:
        print_json(
            [
                {"id": one.id, "account": one.account, "ward": one.ward, "until": _iso(one.until)}
                for one in found
            ]
        )
        return
    rows = [(str(one.id), one.account, one.ward, moment(one.until) if one.until else "-") for one in found]
    if not rows:
        click.echo("Nobody is said to care for this patient.")
        return
    print_table(("NUMBER", "ACCOUNT", "WARD", "UNTIL"), rows)


@access.command()
@click.option("--all", "everything", is_flag=True, help="Those that were reviewed too.")
@click.option("--limit", type=LIMIT, default=100, show_default=True)
@_JSON
@with_settings
def emergencies(settings: Settings, limit: int, *, everything: bool, as_json: bool) -> None:
    """List where glass was broken and nobody has reviewed it yet."""
    with open_index(settings) as engine, reading(engine) as connection:
        found = emergency.emergencies(connection, waiting=not everything, limit=limit)
    if as_json:
        print_json(
            [
                {
                    "id": one.id,
                    "account": one.account,
                    "study_uid": one.study_uid,
                    "patient_id": one.patient_id,
                    "issuer": one.issuer,
                    "reason": one.reason,
                    "at": _iso(one.at),
                    "until": _iso(one.until),
                    "finding": one.finding,
                }
                for one in found
            ]
        )
        return
    rows = [
        (
            str(one.id),
            moment(one.at),
            one.account,
            one.study_uid or "a patient",
            one.reason,
            one.finding or "waits",
        )
        for one in found
    ]
    if not rows:
        click.echo("Nobody has broken the glass." if everything else "Nothing waits to be reviewed.")
        return
    print_table(("NUMBER", "WHEN", "ACCOUNT", "WHAT", "REASON", "FINDING"), rows)


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _plain(one: Belonging) -> dict[str, Any]:
    return {
        "study_uid": one.study_uid,
        "site": one.site,
        "department": one.department,
        "ward": one.ward,
        "requested_by": one.requested_by,
        "sensitive": one.sensitive,
        "changed_at": _iso(one.changed_at),
        "changed_by": one.changed_by,
        "reason": one.reason,
    }


def _show(one: Belonging, *, as_json: bool) -> None:
    if as_json:
        print_json(_plain(one))
        return
    lines = {
        "study": one.study_uid,
        "site": one.site or "none",
        "department": one.department or "none",
        "ward": one.ward or "none",
        "requested by": one.requested_by or "nobody",
        "sensitive": "yes" if one.sensitive else "no",
    }
    if one.changed_at:
        lines["changed"] = f"{moment(one.changed_at)} by {one.changed_by}: {one.reason}"
    print_fields(lines)


def _is_there(connection: Connection, study_uid: str) -> bool:
    return (
        connection.scalar(select(studies.c.id).where(studies.c.study_uid == study_uid).limit(1)) is not None
    )


def _tell_missing(*, there: bool) -> None:
    """A study can be assigned before its images come; mostly its UID was mistyped."""
    if not there:
        click.echo(
            "The archive has no study with this UID now. What is said of it holds once it comes.", err=True
        )
