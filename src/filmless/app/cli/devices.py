"""`filmless devices`: peers that may talk to us."""

import json
from collections.abc import Callable
from typing import Any

import click

from filmless.access.audit.model import Kind
from filmless.access.model import scope_as_json, scope_from_json
from filmless.access.scopes import scope_from_words, scope_words
from filmless.app.cli.acting import acting
from filmless.app.cli.options import LIMIT, REASON, with_settings
from filmless.app.cli.output import moment, print_fields, print_table, who
from filmless.app.index import open_index
from filmless.app.settings import Settings
from filmless.db.work import reading, writing
from filmless.devices import service
from filmless.devices.model import DUPLICATES, QUIRKS, SERVICES, Device

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_REASON = click.option("--reason", type=REASON, required=True, help="Why; kept with the change.")


@click.group()
def devices() -> None:
    """Devices that may talk to us. Changes act at the next association, without a restart."""


def _fields(*, adding: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options of a device's fields; those not given are None."""

    def apply(command: Callable[..., Any]) -> Callable[..., Any]:
        # the first one is at the top of the help: decorators are applied from below
        for option in reversed(
            (
                click.option("--description", help="What and where it is."),
                click.option("--tls/--no-tls", default=None, help="Whether it is called over TLS."),
                click.option("--enabled/--disabled", default=None, help="A disabled device is refused."),
                click.option("--character-set", help="For what it sends without one, and for answers to it."),
                click.option("--default-issuer", help="Issuer given to patient IDs that arrive without one."),
                click.option(
                    "--service",
                    "services",
                    multiple=True,
                    type=click.Choice(list(SERVICES)),
                    help="What it may ask of us; repeatable"
                    + ("; all where not given." if adding else ": the whole list."),
                ),
                click.option(
                    "--quirk",
                    "quirks",
                    multiple=True,
                    type=click.Choice([*QUIRKS, "none"]),
                    help="A departure from the standard (`filmless devices quirks`); repeatable.",
                ),
                click.option(
                    "--duplicates",
                    type=click.Choice([*filter(None, DUPLICATES), "default"]),
                    help="What becomes of another object under a UID that is there; default: as [archive] duplicates.",
                ),
                click.option("--notify/--no-notify", default=None, help="Tell it of new objects (IAN)."),
                click.option(
                    "--quality-control/--no-quality-control",
                    default=None,
                    help="Whether it sees what was rejected for quality.",
                ),
                click.option("--site", help="Site of the studies that it is the first to send."),
                click.option("--department", help="Department of the studies that it is the first to send."),
                click.option(
                    "--sees",
                    "scope",
                    multiple=True,
                    metavar="WORD",
                    help="What it sees: site=NAME, department=NAME, modality=CT, sensitive, everywhere; "
                    "repeatable. Without: everything but sensitive studies.",
                ),
            )
        ):
            command = option(command)
        return command

    return apply


def _changes(given: dict[str, Any]) -> dict[str, Any]:
    changes = {name: value for name, value in given.items() if value is not None and value != ()}
    for name in ("services", "quirks"):
        if name in changes:
            changes[name] = frozenset(changes[name]) - {"none"}
    if "scope" in changes:
        changes["scope"] = scope_from_words(changes["scope"])
    if changes.get("duplicates") == "default":
        changes["duplicates"] = ""
    return changes


@devices.command("list")
@click.option("--limit", type=LIMIT, default=200, show_default=True)
@_JSON
@with_settings
def list_(settings: Settings, limit: int, *, as_json: bool) -> None:
    """List the devices, with the result of the last echo check."""
    with open_index(settings) as engine, reading(engine) as connection:
        found = service.list_devices(connection, limit=limit + 1)
    if as_json:
        click.echo(json.dumps([_plain(device) for device in found[:limit]], indent=2))
        return
    if not found:
        click.echo("No devices yet. `filmless devices add AE_TITLE HOST PORT` adds one.")
        return
    rows = [
        (
            device.ae_title,
            _address(device),
            "yes" if device.enabled else "no",
            _check(device),
            device.description,
        )
        for device in found[:limit]
    ]
    print_table(("AE TITLE", "ADDRESS", "ENABLED", "LAST CHECK", "DESCRIPTION"), rows)
    if len(found) > limit:
        click.echo(f"There are more than {limit}: --limit shows more.")


@devices.command()
@click.argument("ae_title")
@_JSON
@with_settings
def show(settings: Settings, ae_title: str, *, as_json: bool) -> None:
    """Show everything about one device."""
    with open_index(settings) as engine, reading(engine) as connection:
        device = service.get_device(connection, ae_title)
    _show(device, as_json=as_json)


@devices.command()
@click.argument("ae_title")
@click.argument("host", default="")
@click.argument("port", type=int, default=0)
@_fields(adding=True)
@click.option("--reason", default="", help="Why; kept with the change [default: the description].")
@_JSON
@with_settings
def add(
    settings: Settings, ae_title: str, host: str, port: int, reason: str, *, as_json: bool, **given: Any
) -> None:
    """Add a device: its AE title, and where it listens (not needed for one that only calls us)."""
    with (
        open_index(settings, create=True) as engine,
        acting(settings, engine, Kind.DEVICES, "add", reason) as act,
        writing(engine) as connection,
    ):
        act.about(device=ae_title)
        device = service.add(
            connection,
            Device(ae_title=ae_title, host=host, port=port, **_changes(given)),
            by=who(),
            reason=reason or given["description"] or "",
        )
        act.about(now=_plain(device))
        act.done_in(connection)
    _show(device, as_json=as_json)


@devices.command()
@click.argument("ae_title")
@click.option("--host", help="Where it listens.")
@click.option("--port", type=int, help="On which port.")
@_fields(adding=False)
@_REASON
@_JSON
@with_settings
def change(settings: Settings, ae_title: str, reason: str, *, as_json: bool, **given: Any) -> None:
    """Change a device. --service and --quirk replace the whole list (--quirk none: no quirks)."""
    changes = _changes(given)
    if not changes:
        raise click.UsageError("say what to change: `filmless devices change --help` lists it.")
    with (
        open_index(settings) as engine,
        acting(settings, engine, Kind.DEVICES, "change", reason) as act,
        writing(engine) as connection,
    ):
        act.about(device=ae_title, changes=changes)
        device = service.change(connection, ae_title, changes, by=who(), reason=reason)
        act.done_in(connection)
    _show(device, as_json=as_json)


@devices.command()
@click.argument("ae_title")
@_REASON
@with_settings
def remove(settings: Settings, ae_title: str, reason: str) -> None:
    """Take a device off the list; what it sent stays."""
    with (
        open_index(settings) as engine,
        acting(settings, engine, Kind.DEVICES, "remove", reason) as act,
        writing(engine) as connection,
    ):
        act.about(device=ae_title)
        service.remove(connection, ae_title, by=who(), reason=reason)
        act.done_in(connection)
    click.echo(f"Removed {ae_title}.")


@devices.command()
@click.argument("ae_title", default="")
@click.option("--limit", type=LIMIT, default=50, show_default=True)
@_JSON
@with_settings
def history(settings: Settings, ae_title: str, limit: int, *, as_json: bool) -> None:
    """List what was done to devices, by whom and why, and when they stopped answering; the newest first."""
    with open_index(settings) as engine, reading(engine) as connection:
        found = service.history(connection, ae_title=ae_title, limit=limit + 1)
    if as_json:
        plain = [{"at": one.at.isoformat(), "what": one.kind, **one.body} for one in found[:limit]]
        click.echo(json.dumps(plain, indent=2))
        return
    if not found:
        click.echo("Nothing has happened yet.")
        return
    rows = [
        (
            moment(one.at),
            one.body["ae_title"],
            one.kind.removeprefix("device-"),
            one.body.get("by", "-"),
            ", ".join(
                f"{name}: {_short(before)} to {_short(after)}"
                for name, (before, after) in one.body.get("changes", {}).items()
            ),
            one.body["reason"],
        )
        for one in found[:limit]
    ]
    print_table(("WHEN", "AE TITLE", "WHAT", "BY", "CHANGES", "REASON"), rows)
    if len(found) > limit:
        click.echo(f"There are more than {limit}: --limit shows more.")


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return " ".join(scope_words(scope_from_json(value)))
    return (" ".join(value) if isinstance(value, list) else str(value)) or "none"


@devices.command()
@_JSON
def quirks(*, as_json: bool) -> None:
    """List the departures from the standard that a device can have."""
    if as_json:
        click.echo(json.dumps(QUIRKS, indent=2))
        return
    print_table(("QUIRK", "THE DEVICE"), list(QUIRKS.items()))


@devices.command()
@click.argument("ae_titles", nargs=-1)
@click.option("--limit", type=LIMIT, default=200, show_default=True)
@_JSON
@with_settings
def check(settings: Settings, ae_titles: tuple[str, ...], limit: int, *, as_json: bool) -> None:
    """Ask devices whether they answer (C-ECHO): those named, or all that have an address.

    Ends with exit code 4 where one does not answer.
    """
    import asyncio

    from filmless.app.calling import tls_for_devices
    from filmless.devices import checks

    with open_index(settings) as engine:
        with reading(engine) as connection:
            if ae_titles:
                asked = [service.destination(connection, title) for title in ae_titles]
            else:
                asked = [
                    device
                    for device in service.list_devices(connection, limit=limit)
                    if device.enabled and device.host
                ]
        results = asyncio.run(checks.check_all(asked, settings.net, tls=tls_for_devices(settings)))
        with writing(engine) as connection:
            for device, result in zip(asked, results, strict=True):
                service.record_check(
                    connection, device.ae_title, ok=result.ok, reason=result.reason, ms=result.ms
                )
    if as_json:
        answers = [
            {"ae_title": device.ae_title, "ok": result.ok, "reason": result.reason, "ms": result.ms}
            for device, result in zip(asked, results, strict=True)
        ]
        click.echo(json.dumps(answers, indent=2))
    else:
        for device, result in zip(asked, results, strict=True):
            said = f"answers, {result.ms} ms" if result.ok else f"does not answer: {result.reason}"
            click.echo(f"{device.address} {said}")
        if not asked:
            click.echo("No device has an address to be asked at.")
    if not all(result.ok for result in results):
        raise SystemExit(4)


def _show(device: Device, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_plain(device), indent=2))
        return
    lines = {
        "AE title": device.ae_title,
        "description": device.description,
        "address": _address(device),
        "enabled": "yes" if device.enabled else "no: its associations are refused",
        "services": ", ".join(word for word in SERVICES if word in device.services) or "none",
        "quirks": ", ".join(word for word in QUIRKS if word in device.quirks) or "none",
        "character set": device.character_set or "as declared",
        "default issuer": device.default_issuer or "none",
        "duplicates": device.duplicates or DUPLICATES[""],
        "notify": "yes" if device.notify else "no",
        "quality control": "yes" if device.quality_control else "no",
        "sends for": " / ".join(filter(None, (device.site, device.department))) or "no site",
        "sees": " ".join(scope_words(device.scope)),
        "last check": _check(device),
    }
    print_fields(lines)


def _address(device: Device) -> str:
    if not device.host:
        return "only calls us"
    return f"{device.host}:{device.port}{' (TLS)' if device.tls else ''}"


def _check(device: Device) -> str:
    if device.checked_at is None:
        return "never"
    when = moment(device.checked_at)
    return f"{when}, {device.check_ms} ms" if device.check_ok else f"{when}: {device.check_reason}"


def _plain(device: Device) -> dict[str, Any]:
    return {
        "ae_title": device.ae_title,
        "description": device.description,
        "host": device.host,
        "port": device.port,
        "tls": device.tls,
        "enabled": device.enabled,
        "character_set": device.character_set,
        "default_issuer": device.default_issuer,
        "services": [word for word in SERVICES if word in device.services],
        "quirks": [word for word in QUIRKS if word in device.quirks],
        "duplicates": device.duplicates,
        "notify": device.notify,
        "quality_control": device.quality_control,
        "site": device.site,
        "department": device.department,
        "scope": scope_as_json(device.scope),
        "checked_at": device.checked_at.isoformat() if device.checked_at else None,
        "check_ok": device.check_ok,
        "check_reason": device.check_reason,
        "check_ms": device.check_ms,
        "changed_at": device.changed_at.isoformat() if device.changed_at else None,
    }
