"""When nothing new has come to a series for a moment, what viewers read first is prepared; after a while it settles.

For each series one file (archive/prepared.py) with its DICOM JSON, as WADO-RS metadata returns it (PS3.18 10.4), and
the place of every frame in the stored files. The series row says for which generation of the series
it was made; a later arrival raises the generation, and it is prepared again. That a series has settled is told to
others (devices, routes), who want to hear of it once and not in every pause of the one who scans: it takes longer.
"""

import gzip
import json
import logging
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select, update

from filmless.access.model import SYSTEM
from filmless.archive import prepared
from filmless.archive.blobs import sync_folder
from filmless.archive.leaving import leaving
from filmless.archive.model import ArchiveSettings
from filmless.archive.prepared import Described
from filmless.archive.query.instances import StoredInstance, instances_in
from filmless.archive.tables import series, studies
from filmless.db import events
from filmless.db.work import reading, writing
from filmless.dicom import frames
from filmless.kit import clock, ids

log = logging.getLogger(__name__)

#: for each image of a series, so much longer is waited before it is prepared; seconds. Preparing takes a tenth of it
_WAIT_FOR_EACH = 0.005


def due(connection: Connection, settings: ArchiveSettings, *, limit: int = 100) -> list[tuple[int, int]]:
    """Series that have been quiet long enough and are not settled: (series id, generation)."""
    quiet_since = clock.now() - timedelta(seconds=settings.settle_seconds)
    return [
        (row.id, row.generation)
        for row in connection.execute(
            select(series.c.id, series.c.generation)
            .where(
                series.c.settled_generation < series.c.generation,
                series.c.last_arrival_at <= quiet_since,
            )
            .order_by(series.c.last_arrival_at)
            .limit(limit)
        )
    ]


def due_for_preparing(
    connection: Connection, settings: ArchiveSettings, *, limit: int = 100
) -> list[tuple[int, int]]:
    """Series that are quiet for the moment and not prepared: (series id, generation).

    What is longer waits longer: a slow sender with many images must not have them all read after each.
    """
    now = clock.now()
    rows = connection.execute(
        select(series.c.id, series.c.generation, series.c.last_arrival_at, series.c.instance_count)
        .where(
            # of the few that have not settled
            series.c.settled_generation < series.c.generation,
            series.c.prepared_generation < series.c.generation,
            series.c.last_arrival_at <= now - timedelta(seconds=settings.prepare_seconds),
        )
        .order_by(series.c.last_arrival_at)
        .limit(limit)
    )
    return [
        (row.id, row.generation)
        for row in rows
        if now - row.last_arrival_at
        >= timedelta(
            seconds=min(
                settings.settle_seconds, settings.prepare_seconds + row.instance_count * _WAIT_FOR_EACH
            )
        )
    ]


def prepare(engine: Engine, root: Path, series_id: int, generation: int) -> bool:
    """Prepare metadata and frame offsets of one series; idempotent.

    Returns False where the series changed since `generation`: it will be due again.
    """
    with reading(engine) as connection:
        row = connection.execute(
            select(series, studies.c.study_uid)
            .join(studies, studies.c.id == series.c.study)
            .where(series.c.id == series_id)
        ).first()
        if row is None or row.generation != generation:
            return False
        if row.prepared_generation == generation:
            return True
        found = list(instances_in(connection, SYSTEM, series_id))
    relative = f"metadata/{ids.new_version_key()}.series"
    path = root.parent / relative
    path.parent.mkdir(exist_ok=True)
    # with every file: another process may have made the folder and died before this
    sync_folder(root.parent)
    try:
        prepared.write(path, _described(root, row.study_uid, row.series_uid, found))
    except BaseException:
        # it is tried again, under another name
        path.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    with writing(engine) as connection:
        done = connection.execute(
            update(series)
            .where(series.c.id == series_id, series.c.generation == generation)
            .values(prepared_generation=generation, metadata_path=relative)
        )
    stale = row.metadata_path if done.rowcount else relative
    if stale:
        (root.parent / stale).unlink(missing_ok=True)
    return bool(done.rowcount)


def settle(engine: Engine, root: Path, series_id: int, generation: int) -> bool:
    """Prepare what is not prepared of a series, and tell that it has settled; idempotent.

    Returns False where the series changed since `generation`: it will be due again.
    """
    if not prepare(engine, root, series_id, generation):
        return False
    with writing(engine) as connection:
        done = connection.execute(
            update(series)
            .where(
                series.c.id == series_id,
                series.c.generation == generation,
                series.c.prepared_generation == generation,
                series.c.settled_generation < generation,
            )
            .values(settled_generation=generation)
        )
        if done.rowcount:
            row = connection.execute(
                select(series.c.series_uid, studies.c.study_uid)
                .join(studies, studies.c.id == series.c.study)
                .where(series.c.id == series_id)
            ).one()
            events.record(
                connection,
                [
                    (
                        "series-settled",
                        {
                            "series_id": series_id,
                            "generation": generation,
                            "study_uid": row.study_uid,
                            "series_uid": row.series_uid,
                        },
                    )
                ],
            )
    return bool(done.rowcount)


def read_metadata(home: Path, metadata_path: str) -> list[dict[str, Any]]:
    """What `settle` prepared: one {"metadata": DICOM JSON, "frames": [[offset, length], ...], ...} per instance.

    References are relative to the resource of DICOMweb ("/studies/..."). Raises OSError.
    """
    found = prepared.read(home / metadata_path)
    if found is None:
        return []
    pieces, _ = prepared.document([found.for_address("")])
    metadata = json.loads(gzip.decompress(b"".join(pieces)))
    entries = prepared.read_entries(home / metadata_path)
    return [
        {**entry, "metadata": one, "frames": [list(place) for place in prepared.unfolded(entry)]}
        for one, entry in zip(metadata, entries, strict=True)
    ]


def _described(
    root: Path, study_uid: str, series_uid: str, found: Iterable[StoredInstance]
) -> Iterator[Described]:
    """Each instance: its metadata, and where its frames are in the file (offsets from the file's start)."""
    texts = prepared.MetadataText(study_uid, series_uid)
    for one in found:
        pieces = texts.pieces(one.sop_instance, leaving(one, root), one.character_set)
        places = frames.of_file(root / one.path, one.offset, one.size, one.ts)
        yield Described(pieces, {"version": one.version, "path": one.path, **prepared.folded(places)})
