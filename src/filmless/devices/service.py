"""Use cases of devices/: the list of devices, and who is admitted."""

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from filmless.access.model import Scope, scope_as_json, scope_from_json
from filmless.db import events
from filmless.db.events import Event
from filmless.devices.model import (
    SERVICES,
    Device,
    DeviceSettings,
    Refusal,
    clean_ae_title,
    validated,
)
from filmless.devices.tables import devices
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused

#: what a caller may ask that is not in the list of devices and whose objects go to quarantine
_STRANGER_SERVICES = frozenset({"echo", "store"})
#: what `change` may change: the rest is the result of checks
CHANGEABLE = (
    "description",
    "host",
    "port",
    "tls",
    "enabled",
    "character_set",
    "default_issuer",
    "services",
    "quirks",
    "duplicates",
    "notify",
    "quality_control",
    "site",
    "department",
    "scope",
)


def list_devices(connection: Connection, *, limit: int = 1000, notify: bool | None = None) -> list[Device]:
    """The devices in the order of their AE titles, at most `limit`; only those with `notify` where given."""
    query = select(devices).order_by(devices.c.ae_title).limit(limit)
    if notify is not None:
        query = query.where(devices.c.notify == notify)
    return [_device(row) for row in connection.execute(query)]


def find_device(connection: Connection, ae_title: str) -> Device | None:
    """The device with this AE title, or None."""
    row = connection.execute(select(devices).where(devices.c.ae_title == ae_title.strip(" \0"))).first()
    return None if row is None else _device(row)


def get_device(connection: Connection, ae_title: str) -> Device:
    """The device with this AE title. Raises Refused (code "unknown-device"), with the nearest titles."""
    device = find_device(connection, ae_title)
    if device is not None:
        return device
    titles = list(connection.scalars(select(devices.c.ae_title)))
    near = difflib.get_close_matches(ae_title.strip().upper(), titles, n=3, cutoff=0.6)
    wanted = ae_title.strip()
    words = (
        f"No device {wanted} is known. Did you mean {' or '.join(near)}?"
        if near
        else f"No device {wanted} is known. `filmless devices list` shows those that are."
    )
    raise Refused(words, code="unknown-device")


def destination(connection: Connection, ae_title: str) -> Device:
    """The device with this AE title, which we are about to call.

    Raises Refused where it is unknown ("unknown-device"), switched off ("disabled") or without an address
    ("no-address").
    """
    device = get_device(connection, ae_title)
    if not device.enabled:
        raise Refused(f"The device {device.ae_title} is switched off.", code="disabled")
    if not device.host or not device.port:
        raise Refused(
            f"The device {device.ae_title} has no host and port to be called at.", code="no-address"
        )
    return device


def add(connection: Connection, device: Device, *, by: str, reason: str = "") -> Device:
    """Add a device; it may call from now on. Raises Refused (not valid) or Conflict (AE title taken)."""
    device = validated(dataclasses.replace(device, ae_title=clean_ae_title(device.ae_title)))
    if find_device(connection, device.ae_title) is not None:
        raise Conflict(
            f"There is already a device {device.ae_title}; `filmless devices change` changes it.",
            code="device-exists",
        )
    values = {name: _plain(getattr(device, name)) for name in CHANGEABLE}
    connection.execute(insert(devices).values(ae_title=device.ae_title, changed_at=clock.now(), **values))
    events.record(connection, [("device-added", {"ae_title": device.ae_title, "by": by, "reason": reason})])
    return get_device(connection, device.ae_title)


def change(
    connection: Connection, ae_title: str, changes: Mapping[str, Any], *, by: str, reason: str
) -> Device:
    """Change fields of a device (keys: CHANGEABLE); in force from the next association on.

    What was before and after is in the event "device-changed", together with who and why.
    """
    before = get_device(connection, ae_title)
    if unknown := set(changes) - set(CHANGEABLE):
        raise Refused(f"A device has no {', '.join(sorted(unknown))} to change.", code="bad-device")
    after = validated(dataclasses.replace(before, **changes))
    differing = {
        name: [_plain(getattr(before, name)), _plain(getattr(after, name))]
        for name in CHANGEABLE
        if getattr(before, name) != getattr(after, name)
    }
    if not differing:
        return before
    connection.execute(
        update(devices)
        .where(devices.c.ae_title == before.ae_title)
        .values(changed_at=clock.now(), **{name: new for name, (_, new) in differing.items()})
    )
    body = {"ae_title": before.ae_title, "changes": differing, "by": by, "reason": reason}
    events.record(connection, [("device-changed", body)])
    return get_device(connection, before.ae_title)


def remove(connection: Connection, ae_title: str, *, by: str, reason: str) -> None:
    """Take a device off the list; what it sent stays. It may not call from the next association on."""
    device = get_device(connection, ae_title)
    connection.execute(delete(devices).where(devices.c.ae_title == device.ae_title))
    events.record(connection, [("device-removed", {"ae_title": device.ae_title, "by": by, "reason": reason})])


def history(connection: Connection, *, ae_title: str = "", limit: int = 100) -> list[Event]:
    """What was done to the list of devices and what checks found, the newest first; of one device where given."""
    kinds = ("device-added", "device-changed", "device-removed", "device-reachable", "device-unreachable")
    wanted = ae_title.strip(" \0")
    of_it = (one for one in events.newest(connection, kinds) if wanted in ("", one.body["ae_title"]))
    return list(islice(of_it, limit))


def record_check(connection: Connection, ae_title: str, *, ok: bool, reason: str, ms: int | None) -> None:
    """Keep the result of an echo check; a change from reachable to not, or back, becomes an event."""
    device = find_device(connection, ae_title)
    if device is None:
        return
    connection.execute(
        update(devices)
        .where(devices.c.ae_title == device.ae_title)
        .values(checked_at=clock.now(), check_ok=ok, check_reason=reason[:400], check_ms=ms)
    )
    if device.check_ok is not ok:
        kind = "device-reachable" if ok else "device-unreachable"
        events.record(connection, [(kind, {"ae_title": device.ae_title, "reason": reason[:400]})])


def decide(
    connection: Connection,
    settings: DeviceSettings,
    *,
    calling_ae: str,
    called_ae: str,
    our_ae_titles: Iterable[str],
    peer_is_local: bool,
) -> Device | Refusal:
    """Whether an association is admitted, and as which device. Asked at each association.

    A caller that is not in the list gets a Device with `known` false: with every service when it calls from
    this same machine (unless behind a proxy) or under the policy "accept"; with echo and store into
    quarantine under the policy "quarantine".
    """
    if settings.check_called_ae and called_ae.strip(" \0") not in set(our_ae_titles):
        return Refusal("wrong-called-ae")
    calling = calling_ae.strip(" \0")
    device = find_device(connection, calling)
    if device is not None:
        return device if device.enabled else Refusal("disabled")
    stranger = Device(ae_title=calling[:16], known=False)
    if peer_is_local and settings.trust_local and not settings.behind_proxy:
        return stranger
    if settings.unknown_callers == "accept":
        return stranger
    if settings.unknown_callers == "quarantine":
        return dataclasses.replace(stranger, services=_STRANGER_SERVICES, quarantined=True)
    return Refusal("unknown-caller")


def _plain(value: Any) -> Any:
    """As JSON and columns hold it."""
    if isinstance(value, Scope):
        return scope_as_json(value)
    return sorted(value, key=_order) if isinstance(value, frozenset) else value


def _order(word: str) -> tuple[int, str]:
    return (list(SERVICES).index(word) if word in SERVICES else len(SERVICES), word)


def _device(row: Row[Any]) -> Device:
    values = row._asdict()
    del values["id"]
    values["services"] = frozenset(values["services"])
    values["quirks"] = frozenset(values["quirks"])
    values["scope"] = scope_from_json(values["scope"] or {})
    return Device(**values)
