"""Purge: the end of what was rejected long ago, replaced, or discarded. In two phases, each safe to repeat.

First the index forgets (one transaction: rows leave, the version is "purging", the ledger says so), then the file is
deleted by its exact location and the version becomes "purged". A crash in between leaves work for the next purge,
never a row without a file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select, delete, exists, func, literal, select, union_all, update

from filmless.archive import kept_pictures, ledger, rejection
from filmless.archive.blobs import sync_folder
from filmless.archive.tables import (
    attribute_values,
    instance_warnings,
    instances,
    quarantine,
    rejections,
    series,
    studies,
    versions,
)
from filmless.db import events
from filmless.db.work import reading, writing
from filmless.kit import clock

_BATCH = 200

#: (connection, study -> SOP class -> objects)
Tell = Callable[[Connection, Mapping[str, Mapping[str, int]]], None]


@dataclass(slots=True)
class Purged:
    """What a purge did, or with `dry_run` would do."""

    objects: int = 0
    bytes: int = 0


def purge(
    engine: Engine,
    root: Path,
    *,
    older_than: timedelta,
    by: str,
    reason: str = "",
    dry_run: bool = False,
    tell: Tell | None = None,
    progress: Callable[[Purged], None] | None = None,
) -> Purged:
    """Delete for good: objects rejected, versions superseded and quarantine discarded more than `older_than` ago.

    `tell` is told, in the transaction in which the index forgets them, how many objects go of each study and SOP
    class, while the study is still there. `progress` is told after each batch; if it raises, what was deleted stays
    so and the next purge goes on.
    """
    done = Purged()
    before = clock.now() - older_than
    if dry_run:
        with reading(engine) as connection:
            for size, number in _sizes(connection, before):
                done.objects += number
                done.bytes += size
        return done
    _finish(engine, root, done)
    while True:
        prepared: list[str] = []
        with writing(engine) as connection:
            marked = _mark(connection, root, before, by, reason, prepared, tell)
        for path in prepared:
            # what was prepared for viewers tells as much of a patient as the images do
            (root.parent / path).unlink(missing_ok=True)
        if not marked:
            return done
        _finish(engine, root, done)
        if progress is not None:
            progress(done)


#: word for word the condition of ix_versions_state: SQLite does not conclude it from another state's name
_NOT_CURRENT = versions.c.state != literal("current", literal_execute=True)


def _wanted(before: datetime) -> Select[tuple[int, str, str, int]]:
    """Versions to purge: those of rejected objects, and those replaced. Starts from the few, not from all."""
    columns = (versions.c.id, versions.c.key, versions.c.sop_instance_uid, versions.c.size)
    in_force = exists().where(
        rejections.c.sop_instance_uid == instances.c.sop_instance_uid,
        rejections.c.revoked_at.is_(None),
        rejections.c.at < before,
    )
    rejected = (
        select(*columns)
        .join(instances, instances.c.version == versions.c.id)
        .where(instances.c.rejected != literal("", literal_execute=True), in_force)
    )
    newer = versions.alias("newer")
    replaced = (
        select(*columns)
        .join(instances, instances.c.sop_instance_uid == versions.c.sop_instance_uid)
        .join(newer, newer.c.id == instances.c.version)
        .where(_NOT_CURRENT, versions.c.state == "superseded", newer.c.received_at < before)
    )
    both = union_all(rejected, replaced).subquery()
    return select(both.c.id, both.c.key, both.c.sop_instance_uid, both.c.size)


def _sizes(connection: Connection, before: datetime) -> list[tuple[int, int]]:
    wanted = _wanted(before).subquery()
    queries = (
        select(func.coalesce(func.sum(wanted.c.size), 0), func.count()).select_from(wanted),
        select(func.coalesce(func.sum(quarantine.c.size), 0), func.count()).where(
            quarantine.c.state == "discarded", quarantine.c.decided_at < before
        ),
    )
    return [(row[0], row[1]) for row in (connection.execute(query).one() for query in queries)]


def _mark(
    connection: Connection,
    root: Path,
    before: datetime,
    by: str,
    reason: str,
    prepared: list[str],
    tell: Tell | None,
) -> int:
    """Phase one for one batch: the index forgets. Returns how many; `prepared` gets files that nobody needs then."""
    # a revocation comes before, or finds nothing any more
    rejection.lock(connection, alone=True)
    rows = connection.execute(_wanted(before).limit(_BATCH)).all()
    discarded = connection.execute(
        select(quarantine.c.id, quarantine.c.key)
        .where(quarantine.c.state == "discarded", quarantine.c.decided_at < before)
        .limit(_BATCH)
    ).all()
    if not rows and not discarded:
        return 0
    ids = [row.id for row in rows]
    gone = connection.execute(
        select(instances.c.id, instances.c.series, instances.c.sop_instance_uid).where(
            instances.c.sop_instance_uid.in_([row.sop_instance_uid for row in rows]),
            instances.c.version.in_(ids),
        )
    ).all()
    if tell is not None:
        tell(connection, _of_studies(connection, [row.key for row in rows]))
    connection.execute(update(versions).where(versions.c.id.in_(ids)).values(state="purging"))
    connection.execute(
        update(quarantine).where(quarantine.c.id.in_([row.id for row in discarded])).values(state="purging")
    )
    connection.execute(
        delete(attribute_values).where(
            attribute_values.c.level == "instance", attribute_values.c.owner.in_([row.id for row in gone])
        )
    )
    connection.execute(
        delete(instance_warnings).where(
            instance_warnings.c.sop_instance_uid.in_([row.sop_instance_uid for row in gone])
        )
    )
    connection.execute(delete(instances).where(instances.c.id.in_([row.id for row in gone])))
    prepared += _forget_empty(connection, {row.series for row in gone})
    events.record(
        connection,
        [
            ("object-purged", {"sop_instance_uid": row.sop_instance_uid, "by": by, "reason": reason})
            for row in rows
        ],
    )
    ledger.write(
        root,
        [
            *_still_rejected(connection, [row.sop_instance_uid for row in rows]),
            *({"what": "purge", "key": row.key, "by": by, "reason": reason} for row in (*rows, *discarded)),
        ],
    )
    return len(rows) + len(discarded)


def _of_studies(connection: Connection, keys: Sequence[str]) -> dict[str, dict[str, int]]:
    """Study -> SOP class -> versions, of those with these keys."""
    found: dict[str, dict[str, int]] = {}
    rows = connection.execute(
        select(studies.c.study_uid, instances.c.sop_class_uid, func.count())
        .join(series, series.c.study == studies.c.id)
        .join(instances, instances.c.series == series.c.id)
        .join(versions, versions.c.sop_instance_uid == instances.c.sop_instance_uid)
        .where(versions.c.key.in_(keys))
        .group_by(studies.c.study_uid, instances.c.sop_class_uid)
        .order_by(studies.c.study_uid, instances.c.sop_class_uid)
    )
    for study_uid, sop_class, number in rows:
        found.setdefault(study_uid, {})[sop_class] = number
    return found


def _still_rejected(connection: Connection, sop_instance_uids: Sequence[str]) -> list[dict[str, Any]]:
    """For the ledger: what those of the objects that are rejection notes reject.

    Their files go, their word stays: what they name must not come back after a rebuild when it is sent again.
    """
    rows = connection.execute(
        select(rejections)
        .where(rejections.c.note_uid.in_(sop_instance_uids), rejections.c.revoked_at.is_(None))
        .order_by(rejections.c.note_uid, rejections.c.id)
    ).all()
    return [
        {
            "what": "rejected",
            "note": note,
            "code": named[0].code,
            "rejected_at": named[0].at.isoformat(),
            "by": named[0].by,
            "reason": named[0].reason,
            "objects": [row.sop_instance_uid for row in named if row.sop_instance_uid != note],
        }
        for note, named in (
            (note, list(group)) for note, group in groupby(rows, key=lambda row: row.note_uid)
        )
    ]


def _forget_empty(connection: Connection, touched: set[int]) -> list[str]:
    """Series and studies that have nothing left go; the others are counted again.

    Returns the paths of what was prepared for the series that are gone.
    """
    rejection.recount(connection, touched)
    prepared = []
    for series_id in touched:
        left = connection.scalar(select(instances.c.id).where(instances.c.series == series_id).limit(1))
        if left is not None:
            continue
        study, path = connection.execute(
            select(series.c.study, series.c.metadata_path).where(series.c.id == series_id)
        ).one()
        prepared += [path] if path else []
        _forget_values(connection, "series", series_id)
        connection.execute(delete(series).where(series.c.id == series_id))
        if connection.scalar(select(series.c.id).where(series.c.study == study).limit(1)) is None:
            _forget_values(connection, "study", study)
            connection.execute(delete(studies).where(studies.c.id == study))
    return prepared


def _forget_values(connection: Connection, level: str, owner: int) -> None:
    connection.execute(
        delete(attribute_values).where(attribute_values.c.level == level, attribute_values.c.owner == owner)
    )


def _finish(engine: Engine, root: Path, done: Purged) -> None:
    """Phase two: delete the files of everything marked, this time or before a crash."""
    for table, few in ((versions, [_NOT_CURRENT]), (quarantine, [])):
        while True:
            with reading(engine) as connection:
                rows = connection.execute(
                    select(table.c.id, table.c.path, table.c.size, table.c.sha256)
                    .where(table.c.state == "purging", *few)
                    .limit(_BATCH)
                ).all()
            if not rows:
                break
            for row in rows:
                (root / row.path).unlink(missing_ok=True)
            kept_pictures.forget(root.parent, {row.sha256 for row in rows})
            for folder in {(root / row.path).parent for row in rows}:
                if folder.is_dir():
                    sync_folder(folder)
            with writing(engine) as connection:
                connection.execute(
                    update(table).where(table.c.id.in_([row.id for row in rows])).values(state="purged")
                )
            done.objects += len(rows)
            done.bytes += sum(row.size for row in rows)
