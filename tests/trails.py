"""Audit trails for tests: real ones, with a key of this test run, and what they hold."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from filmless.access.audit.anchors import Anchors
from filmless.access.audit.keys import Keys
from filmless.access.audit.tables import audit
from filmless.access.audit.trail import Trail
from filmless.archive.whose import patients_of
from filmless.db.work import reading


@cache
def keys() -> Keys:
    """One for the whole run: databases that tests share have one chain each."""
    folder = Path(tempfile.mkdtemp(prefix="filmless-audit-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Keys(folder / "audit.key")


@contextmanager
def trail_of(engine: Engine, home: Path | None = None) -> Iterator[Trail]:
    """A trail on this database; with `home`, anchored there."""
    made = Trail(
        engine,
        keys(),
        Anchors(home / "audit", keys()) if home is not None else None,
        server="host/test/1",
        patients_of=patients_of,
    )
    yield made
    made.close()


@dataclass(frozen=True)
class Written:
    """A row of the trail."""

    seq: int
    kind: str
    outcome: str
    who: tuple[str, str]
    host: str
    body: dict[str, Any]


def entries(engine: Engine, *kinds: str) -> list[Written]:
    """What is in the trail, in order; of these kinds where given."""
    with reading(engine) as connection:
        rows = connection.execute(select(audit).order_by(audit.c.seq)).all()
    return [
        Written(row.seq, row.kind, row.outcome, (row.who_kind, row.who), row.host, json.loads(row.body))
        for row in rows
        if not kinds or row.kind in kinds
    ]
