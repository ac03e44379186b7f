"""A series settles when nothing new has come for a while: then what viewers read first is prepared.

For each series one gzip'd file of DICOM JSON (an array of instances, as WADO-RS metadata returns it, PS3.18 10.4)
with, beside it, the place of every frame in the stored file. The series row says for which generation of the series
it was made; a later arrival raises the generation, and the series settles again.
"""

import gzip
import json
import logging
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select, update

from filmless.archive.blobs import sync_folder
from filmless.archive.model import ArchiveSettings
from filmless.archive.tables import instances, series, studies, versions
from filmless.db import events
from filmless.db.work import reading, writing
from filmless.dicom import frames, json_model
from filmless.kit import clock, ids

log = logging.getLogger(__name__)

#: values longer than this stay in the file and are referred to (BulkDataURI); bytes
_INLINE = 4096


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


def settle(engine: Engine, root: Path, series_id: int, generation: int) -> bool:
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
        found = connection.execute(
            select(versions)
            .join(instances, instances.c.version == versions.c.id)
            .where(instances.c.series == series_id, instances.c.rejected == "")
            .order_by(instances.c.id)
        ).all()
    relative = f"metadata/{ids.new_version_key()}.json.gz"
    path = root.parent / relative
    path.parent.mkdir(exist_ok=True)
    # with every file: another process may have made the folder and died before this
    sync_folder(root.parent)
    try:
        _write(path, root, found)
    except BaseException:
        # it is tried again, under another name
        path.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    with writing(engine) as connection:
        done = connection.execute(
            update(series)
            .where(series.c.id == series_id, series.c.generation == generation)
            .values(settled_generation=generation, metadata_path=relative)
        )
        if done.rowcount:
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
    stale = row.metadata_path if done.rowcount else relative
    if stale:
        (root.parent / stale).unlink(missing_ok=True)
    return bool(done.rowcount)


def _write(path: Path, root: Path, found: Sequence[Any]) -> None:
    """One gzip'd JSON array, durable."""
    with path.open("xb") as raw:
        with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6, mtime=0) as packed:
            packed.write(b"[")
            for number, version in enumerate(found):
                packed.write(b",\n" if number else b"\n")
                one = _describe(root, version)
                packed.write(json.dumps(one, ensure_ascii=False, separators=(",", ":")).encode())
            packed.write(b"\n]\n")
        raw.flush()
        os.fsync(raw.fileno())


def read_metadata(home: Path, metadata_path: str) -> list[dict[str, Any]]:
    """What `settle` prepared: one {"metadata": DICOM JSON, "frames": [[offset, length], ...], ...} per instance."""
    with gzip.open(home / metadata_path, "rt", encoding="utf-8") as packed:
        content: list[dict[str, Any]] = json.load(packed)
    return content


def _describe(root: Path, version: Any) -> dict[str, Any]:
    """One instance: its metadata, and where its frames are in the file (offsets from the file's start)."""
    path = root / version.path
    warnings: list[str] = []
    metadata = json_model.from_file(
        path,
        version.offset,
        version.size,
        version.transfer_syntax_uid,
        character_set=version.character_set,
        inline_limit=_INLINE,
        warn=lambda tag, text: warnings.append(f"{tag:08X} {text}"),
    )
    places = frames.of_file(path, version.offset, version.size, version.transfer_syntax_uid)
    return {
        "key": version.key,
        "path": version.path,
        "transfer_syntax": version.transfer_syntax_uid,
        "metadata": metadata,
        "frames": [list(place) for place in places],
        "warnings": warnings,
    }
