"""Conditions that need somebody: read from what is, never kept. Nothing of patients is in them."""

import json
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, select

from filmless.access.audit.model import Kind
from filmless.access.audit.tables import audit
from filmless.app.alarms.model import Condition, Seen
from filmless.db.durable import Job, Jobs
from filmless.db.work import reading
from filmless.devices import service as devices
from filmless.kit import clock
from filmless.kit.errors import Unavailable

#: a job that failed longer ago is history, not news
_NEWS: Final = timedelta(days=2)
#: jobs are tried for a day, and some wait before
_TRIED: Final = timedelta(days=7)
#: an alert that nobody has looked at is spoken of for so long
_ALERTS: Final = timedelta(days=90)
#: days before its end at which a certificate is spoken of
_RENEW: Final = 30
#: part of the store's file system that is free when it is spoken of
_LOW: Final = 0.05


def of_disk(store: Path, minimum_free: int) -> Iterator[Condition]:
    """The store's file system is full (less free than `minimum_free` bytes: nothing is taken in), or nearly."""
    try:
        space = shutil.disk_usage(store)
    except OSError:
        yield Condition("disk", grave=True)
        return
    if space.free < minimum_free:
        yield Condition("disk", grave=True, count=space.free)
    elif space.free < _LOW * space.total:
        yield Condition("disk", count=space.free)


def of_certificate(file: str) -> Iterator[Condition]:
    """Our certificate ("" for none) ends soon, or has ended."""
    ends = certificate_end(file)
    if ends is not None and ends - clock.now() < timedelta(days=_RENEW):
        left = (ends - clock.now()).days
        yield Condition("certificate", grave=left < 7, about=Path(file).name, count=left)


def certificate_end(file: str) -> datetime | None:
    """When the chain of certificates in a file ends, None where there is none that can be read."""
    if not file:
        return None
    from cryptography import x509

    try:
        # the chain: what ends first ends all of it
        chain = x509.load_pem_x509_certificates(Path(file).read_bytes())
    except (OSError, ValueError):
        return None
    return min((one.not_valid_after_utc for one in chain), default=None)


def of_devices(engine: Engine) -> Iterator[Condition]:
    """Devices with an address that did not answer when they were asked last."""
    with reading(engine) as connection:
        for one in devices.list_devices(connection, limit=10_000):
            if one.enabled and one.host and one.check_ok is False:
                yield Condition("device", about=one.ae_title, reason=one.check_reason)


def of_jobs(jobs: Jobs, seen: Mapping[str, Seen]) -> Iterator[Condition]:
    """Jobs that failed for good of late: one condition for each device. Where somebody has seen the newest, it is said
    so; where others failed since, these alone count. `seen`: device -> who saw it."""
    try:
        failed = jobs.newest(limit=200, state="failed", since=clock.now() - _TRIED)
    except Unavailable as error:
        yield Condition("job", grave=True, reason=error.message)
        return
    found: dict[str, list[Job]] = {}
    for one in failed:
        if clock.now() - one.changed_at < _NEWS:
            found.setdefault((one.device or one.kind)[:64], []).append(one)
    for device, of_device in found.items():
        by = seen.get(device)
        unseen = [one for one in of_device if by is None or one.changed_at > by.at]
        told = unseen or of_device
        yield Condition(
            "job", about=device, count=len(told), reason=told[0].reason, seen=None if unseen else by
        )


def of_alerts(connection: Connection, seen: Mapping[str, Seen]) -> Iterator[Condition]:
    """Alerts in the audit trail that a privacy officer has not seen: rights given by whom they serve, a trail that was
    changed. Locked accounts are daily work."""
    by = seen.get("")
    since = max(clock.now() - _ALERTS, by.at if by else datetime.min.replace(tzinfo=UTC))
    rows = connection.scalars(
        select(audit.c.body)
        .where(audit.c.kind == Kind.ALERT.value, audit.c.at > since)
        .order_by(audit.c.seq.desc())
        .limit(1000)
    )
    words = [json.loads(body).get("what", "") for body in rows]
    if found := [word for word in words if word != "account locked"]:
        yield Condition("alert", count=len(found), reason=found[0])
