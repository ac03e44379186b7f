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
    ledger.write(root, [_as_it_is(key, known.get(key)) for key in sorted(keys)])


def settle_last(connection: Connection, root: Path) -> None:
    """Before another act, corrections being locked: where a process died between the ledger and its commit, the ledger
    says that what it told last did not come about. Else a rebuild would put that in force beside what was done instead,
    and an undoing would not undo it.

    Only the last act can be of that kind. Where the index knows less than that it was restored from an older backup:
    the ledger is kept as it is, for a rebuild.
    """
    last: dict[str, bool] = {}
    for key, in_force in _acts(root):
        last.pop(key, None)
        last[key] = in_force
    newest = list(last)[-2:]
    known = {
        row.key: from_row(row)
        for row in connection.execute(select(corrections).where(corrections.c.key.in_(newest)))
    }
    wrong = [key for key in newest if last[key] != (known[key].undone_at is None if key in known else False)]
    if wrong == newest[-1:] and wrong:
        log.warning("a correction was written to the ledger but never made: it is taken back there")
        ledger.write(root, [_as_it_is(key, known.get(key)) for key in wrong])


def _acts(root: Path) -> Iterator[tuple[str, bool]]:
    """(key, whether it was put in force) of each act on corrections in the ledger, in their order."""
    try:
        file = (root / ledger.NAME).open("rb")
    except FileNotFoundError:
        return
    with file:
        for raw in file:
            # most lines are others: reading them as JSON would take long under the lock
            if b"correct" in raw and (line := _line(raw)).get("what") in (CORRECT, UNDO):
                yield line["key"], line["what"] == CORRECT


def _as_it_is(key: str, one: Correction | None) -> dict[str, Any]:
    """The line that says what the index has of a correction."""
    if one is None:
        at = clock.now().isoformat()
        return {"at": at, "what": UNDO, "key": key, "by": "filmless", "reason": "not made"}
    return made(one) if one.undone_at is None else undone(one)


def _line(raw: bytes) -> dict[str, Any]:
    try:
        line: dict[str, Any] = json.loads(raw)
    except ValueError:
        # cut off: the disk was full
        return {}
    return line
