"""Corrections as the ledger tells them, so that a rebuild brings them back (archive/ledger.py)."""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import SQLAlchemyError

from filmless.archive import ledger
from filmless.archive.corrections.applying import from_row
from filmless.archive.corrections.model import Correction
from filmless.archive.tables import corrections
from filmless.db.work import reading
from filmless.kit import clock

log = logging.getLogger(__name__)

CORRECT, UNDO = "correct", "undo-correction"

_TEXTS = (
    "key", "level", "patient_id", "issuer", "name", "birth_date", "study_uid", "series_uid", "sop_instance_uid",
    "code", "reason", "by",
)  # fmt: skip


def made(one: Correction) -> dict[str, Any]:
    """The line of a correction."""
    texts = {name: str(getattr(one, name)) for name in _TEXTS}
    return {"at": one.at.isoformat(), "what": CORRECT, **texts, "changes": one.changes}


def undone(one: Correction) -> dict[str, Any]:
    """The line of its undoing."""
    assert one.undone_at is not None
    return {
        "at": one.undone_at.isoformat(),
        "what": UNDO,
        "key": one.key,
        "by": one.undone_by,
        "reason": one.undo_reason,
    }


def bring_back(connection: Connection, lines: Iterable[Mapping[str, Any]]) -> int:
    """Rows of `corrections`, which is empty, from the lines of the ledger in their order. Returns how many."""
    rows: dict[str, dict[str, Any]] = {}
    for line in lines:
        if line.get("what") == CORRECT:
            # a second line of one key: its undoing did not come about after all
            rows[line["key"]] = {
                **{name: line[name] for name in _TEXTS},
                "changes": line["changes"],
                "at": datetime.fromisoformat(line["at"]),
                "undone_at": None,
                "undone_by": "",
                "undo_reason": "",
            }
        elif line.get("what") == UNDO and line["key"] in rows:
            rows[line["key"]] |= {
                "undone_at": datetime.fromisoformat(line["at"]),
                "undone_by": line["by"],
                "undo_reason": line["reason"],
            }
    for act, row in enumerate(rows.values(), 1):
        connection.execute(insert(corrections).values(**row, act=act))
    return len(rows)


def row_of(one: Correction) -> dict[str, Any]:
    """Columns of `corrections` besides the numbers that the database gives."""
    return {
        "key": one.key,
        "level": one.level.value,
        "patient_id": one.patient_id,
        "issuer": one.issuer,
        "name": one.name,
        "birth_date": one.birth_date,
        "study_uid": one.study_uid,
        "series_uid": one.series_uid,
        "sop_instance_uid": one.sop_instance_uid,
        "changes": one.changes,
        "code": one.code,
        "reason": one.reason,
        "by": one.by,
        "at": one.at,
    }


@contextmanager
def agreeing(engine: Engine, root: Path) -> Iterator[None]:
    """The ledger is written before the commit: where that fails, the next line says that it did not come about."""
    before = _size(root)
    try:
        yield
    except BaseException:
        if _size(root) != before:
            _take_back(engine, root, before)
        raise


def _size(root: Path) -> int:
    try:
        return (root / ledger.NAME).stat().st_size
    except OSError:
        return 0


def _take_back(engine: Engine, root: Path, before: int) -> None:
    with (root / ledger.NAME).open("rb") as file:
        file.seek(before)
        keys = {line["key"] for raw in file if (line := _line(raw)).get("what") in (CORRECT, UNDO)}
    try:
        with reading(engine) as connection:
            known = {
                row.key: from_row(row)
                for row in connection.execute(select(corrections).where(corrections.c.key.in_(keys)))
            }
    except SQLAlchemyError:
        log.error("the ledger may say more of a correction than the index does: see its last lines")
        return
    lines = []
    for key in sorted(keys):
        one = known.get(key)
        if one is None:
            at = clock.now().isoformat()
            lines.append({"at": at, "what": UNDO, "key": key, "by": "filmless", "reason": "not made"})
        else:
            lines.append(made(one) if one.undone_at is None else undone(one))
    ledger.write(root, lines)


def _line(raw: bytes) -> dict[str, Any]:
    try:
        line: dict[str, Any] = json.loads(raw)
    except ValueError:
        # cut off: the disk was full
        return {}
    return line
