"""The audit trail of a process: opened with its key and anchors, begun and ended, and what its settings were."""

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, select

from filmless import __version__
from filmless.access.audit.anchors import Anchors
from filmless.access.audit.forwarding import Forwarder
from filmless.access.audit.keys import Keys
from filmless.access.audit.messages import Reporter
from filmless.access.audit.model import Entry, Kind
from filmless.access.audit.tables import audit
from filmless.access.audit.trail import Trail
from filmless.access.model import SYSTEM
from filmless.app import settings as settings_module
from filmless.app.settings import Settings
from filmless.archive.whose import patients_of
from filmless.db.work import reading

#: starts among which the one before of the same home is looked for
_STARTS = 50


def keys_of(settings: Settings) -> Keys:
    """The keys of the chain; made at the first start. Raises Refused where they will not do."""
    return Keys(settings.audit_key)


def anchors_of(settings: Settings, keys: Keys) -> Anchors:
    return Anchors(settings.home / "audit", keys)


@contextmanager
def open_trail(settings: Settings, engine: Engine, process: str) -> Iterator[Trail]:
    """The trail of this process; `process` is its word in the entries. What waits is written at the end.

    Raises Refused where the chain in the database cannot be continued with the key that is here.
    """
    keys = keys_of(settings)
    trail = Trail(
        engine,
        keys,
        anchors_of(settings, keys),
        server=f"{socket.gethostname()}/{process}/{os.getpid()}",
        patients_of=patients_of,
    )
    trail.check()
    try:
        yield trail
    finally:
        trail.close()


def forwarder(settings: Settings, engine: Engine) -> Forwarder:
    """What tells the collector of the settings. Raises Unavailable where its certificates cannot be read."""
    reporter = Reporter(settings.server.aet, settings.audit.site)
    return Forwarder(engine, keys_of(settings), settings.audit, reporter, host=socket.gethostname())


def began(trail: Trail, engine: Engine, settings: Settings) -> None:
    """Tell that the server has started, and which settings differ from those of its last start."""
    now = _values(settings, keys_of(settings))
    before = _values_before(engine, settings)
    detail = {"version": __version__, "home": str(settings.home), "settings": now}
    trail.record(Entry(Kind.START, SYSTEM, what="server", detail=detail))
    if before is not None and before != now:
        names = sorted({*before, *now})
        changed = {
            name: [before.get(name), now.get(name)] for name in names if before.get(name) != now.get(name)
        }
        trail.record(
            Entry(
                Kind.CONFIG, SYSTEM, what="settings", detail={"home": str(settings.home), "changed": changed}
            )
        )


def ended(trail: Trail, settings: Settings) -> None:
    trail.record(Entry(Kind.STOP, SYSTEM, what="server", detail={"home": str(settings.home)}))


def _values(settings: Settings, keys: Keys) -> dict[str, Any]:
    """What differs from the defaults. Of a secret, a digest that tells only whether it is another one."""
    found: dict[str, Any] = {}
    for section, name, value in settings_module.values(settings):
        full = f"{section}.{name}" if section else name
        if f"{section}.{name}" in settings.origins:
            if settings_module.is_secret(section, name):
                found[full] = "digest " + keys.current.seal(b"setting", str(value).encode())[:16]
            else:
                found[full] = sorted(value) if isinstance(value, frozenset) else value
    return json.loads(json.dumps(found, default=str))  # type: ignore[no-any-return]


def _values_before(engine: Engine, settings: Settings) -> Mapping[str, Any] | None:
    """The settings of the last start of this home; None where there was none."""
    with reading(engine) as connection:
        bodies = connection.scalars(
            select(audit.c.body)
            .where(audit.c.kind == Kind.START.value)
            .order_by(audit.c.seq.desc())
            .limit(_STARTS)
        )
        for body in bodies:
            detail = json.loads(body).get("detail", {})
            if detail.get("home") == str(settings.home) and "settings" in detail:
                return detail["settings"]  # type: ignore[no-any-return]
    return None
