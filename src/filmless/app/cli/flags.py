"""`filmless flags`: doubts about identity that wait for a steward, and what was taken leniently of an object."""

from typing import Any

import click
from sqlalchemy import select

from filmless.access.audit.model import Kind
from filmless.app.cli.acting import acting
from filmless.app.cli.options import LIMIT, NUMBER, REASON, with_settings
from filmless.app.cli.output import moment, print_json, print_table
from filmless.app.index import open_index
from filmless.app.settings import Settings
from filmless.archive.tables import instance_warnings, instances
from filmless.db.work import reading
from filmless.dicom.attributes import BY_TAG
from filmless.kit.errors import Refused
from filmless.patients import service

_WORDS = {
    "same-id": "one patient ID and issuer, but another name or birth date",
    "study-two-patients": "one Study Instance UID under two patients",
}


@click.group()
def flags() -> None:
    """Doubts about whose images these are, for a steward; and values that were taken leniently."""


@flags.command("list")
@click.option("--limit", type=LIMIT, default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_settings
def list_(settings: Settings, limit: int, *, as_json: bool) -> None:
    """List the doubts about identity, newest first. Nothing is merged by itself: both sides are kept apart."""
    with open_index(settings) as engine, reading(engine) as connection:
        found = service.open_flags(connection, limit=limit + 1)
    shown: list[dict[str, Any]] = [
        {
            "id": one.id,
            "raised": one.raised_at,
            "doubt": _WORDS.get(one.kind, one.kind),
            "patients": [_patient(one.patient), _patient(one.other)],
            "study": one.study_uid,
        }
        for one in found[:limit]
    ]
    if as_json:
        print_json(shown)
        return
    if not shown:
        click.echo("There is no doubt about any patient's identity.")
        return
    print_table(
        ("NUMBER", "RAISED", "DOUBT", "PATIENT", "AND", "STUDY"),
        [
            (
                str(one["id"]),
                moment(one["raised"]),
                one["doubt"],
                one["patients"][0],
                one["patients"][1],
                one["study"] or "-",
            )
            for one in shown
        ],
    )
    if len(found) > limit:
        click.echo(f"There are more than {limit}: --limit shows more.")


@flags.command()
@click.argument("number", type=NUMBER)
@click.option("--reason", type=REASON, required=True, help="Why nothing is wrong; kept with the decision.")
@with_settings
def settle(settings: Settings, number: int, reason: str) -> None:
    """Decide that a doubt was looked into and nothing is wrong. Both sides stay as they are, apart."""
    from filmless.archive import doubts

    with open_index(settings) as engine, acting(settings, engine, Kind.DECIDE, "settle", reason) as act:
        act.about(number=number)
        found = doubts.settle(engine, settings.store, number, by=act.by.name[:64], reason=reason)
        act.about([found.study_uid], patients=doubts.patients_of(found), doubt=found.kind)
    click.echo(f"The doubt about {_patient(found.patient)} and {_patient(found.other)} is settled.")


@flags.command()
@click.argument("sop_instance_uid")
@with_settings
def show(settings: Settings, sop_instance_uid: str) -> None:
    """Show which values of an object were taken leniently when it was stored."""
    with open_index(settings) as engine, reading(engine) as connection:
        rows = connection.execute(
            select(instance_warnings.c.tag, instance_warnings.c.text)
            .where(instance_warnings.c.sop_instance_uid == sop_instance_uid)
            .order_by(instance_warnings.c.id)
            .limit(1000)
        ).all()
        known = (
            rows
            or connection.execute(
                select(instances.c.id).where(instances.c.sop_instance_uid == sop_instance_uid)
            ).all()
        )
    if not known:
        raise Refused("There is no such object in the archive.", code="not-found")
    if not rows:
        click.echo("Nothing of this object was taken leniently.")
        return
    for row in rows:
        attribute = BY_TAG.get(int(row.tag, 16)) if row.tag else None
        name = attribute.keyword if attribute is not None else (row.tag.strip("0") and row.tag) or "data set"
        click.echo(f"{name}: {row.text}.")


def _patient(one: service.Flagged) -> str:
    name = f"{one.patient_id or '(no ID)'} {one.name}".strip()
    return f"{name} ({one.issuer})" if one.issuer else name
