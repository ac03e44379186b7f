"""`filmless restore`: brings a backup into an empty home, checking every file on the way."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, select, text, update

from filmless.app import backup
from filmless.app import destination as folders
from filmless.app.backup import ANCHORS, JOBS, KEYS, OPEN_JOBS, Manifest
from filmless.app.copying import Progress, copy_files, files
from filmless.app.destination import INDEX
from filmless.app.index import make_home
from filmless.app.settings import FILE_NAME, Settings
from filmless.archive import ledger, overlays, store_id
from filmless.archive.tables import series
from filmless.db import migrate
from filmless.db.engine import open_engine
from filmless.db.schema import Id, metadata
from filmless.db.work import reading, writing
from filmless.kit.errors import Conflict, Refused


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back. `damaged` are the files that the backup lacks or has in a damaged form."""

    manifest: Manifest
    damaged: list[str]


def bring_settings(source: Path, home: Path) -> None:
    """The backup's settings file into a home that is empty: raises Conflict otherwise. First of the two steps.

    Only then can the settings of the new home be loaded, and `bring` be called with them.
    """
    manifest = backup.read_manifest(source)
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise Conflict(
            f"{home} is not empty: a backup is restored into an empty home only.", code="not-empty"
        )
    for file, expected in manifest.parts.values():
        if not (source / file).exists() or backup.hash_of(source / file) != expected:
            raise Refused(f"{source / file} is not the file that was backed up.", code="backup-damaged")
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    _bring_part(source, manifest, FILE_NAME, home / FILE_NAME)


def take_settings_back(home: Path) -> None:
    """Undo `bring_settings`, so that the home is as empty as it was."""
    (home / FILE_NAME).unlink(missing_ok=True)


def bring(settings: Settings, source: Path, *, progress: Progress | None = None) -> Restored:
    """Everything else: files first, then jobs, then the index, so that a half restored home has no index.

    The index goes where `settings` say: SQLite in the home, or an empty PostgreSQL database; a backup of either
    goes into either.
    """
    with folders.read(source):
        return _bring(settings, source, progress)


def _bring(settings: Settings, source: Path, progress: Progress | None) -> Restored:
    manifest = backup.read_manifest(source)
    make_home(settings)
    check_empty(settings)

    _bring_keys(source, manifest, settings.home)
    snapshot = settings.home / (INDEX + ".new")
    _bring_part(source, manifest, INDEX, snapshot)
    engine = open_engine(f"sqlite:///{snapshot}", pool_size=1)
    try:
        with reading(engine) as connection:
            wanted = files(connection)
            damaged = copy_files(wanted, source / "store", settings.store, manifest.bytes, progress=progress)
        overlays.copy(source / "store", settings.store)
        _bring_ledger(source, settings.store, manifest)
        migrate.upgrade(engine)
        _bring_metadata(engine, source, settings.home)
        with writing(engine) as connection:
            store_id.renew(connection, settings.store)
        if settings.database.url:
            _bring_rows(engine, settings.index_url)
    finally:
        engine.dispose()
    backup.close_wal(snapshot)

    if settings.database.url:
        snapshot.unlink()
    if JOBS in manifest.parts and not settings.database.url:
        _bring_part(source, manifest, JOBS, settings.home / JOBS)
    elif OPEN_JOBS in manifest.parts:
        _bring_jobs(settings, source / manifest.parts[OPEN_JOBS][0])
    os.sync()
    if not settings.database.url:
        snapshot.rename(settings.home / INDEX)
        os.sync()
    return Restored(manifest, sorted(damaged))


def _bring_part(source: Path, manifest: Manifest, name: str, target: Path) -> None:
    if name in manifest.parts:
        shutil.copyfile(source / manifest.parts[name][0], target)
        target.chmod(0o600)


def _bring_keys(source: Path, manifest: Manifest, home: Path) -> None:
    """The keys, and the anchors of the audit trail."""
    for name in manifest.parts:
        if name.startswith(f"{KEYS}/"):
            (home / KEYS).mkdir(mode=0o700, exist_ok=True)
            _bring_part(source, manifest, name, home / KEYS / Path(name).name)
    if ANCHORS in manifest.parts:
        (home / "audit").mkdir(mode=0o700, exist_ok=True)
        _bring_part(source, manifest, ANCHORS, home / "audit" / ANCHORS)


def _bring_metadata(engine: Engine, source: Path, home: Path) -> None:
    """What was prepared of series; where the backup came too late for it, the series settles again."""
    (home / "metadata").mkdir(mode=0o700, exist_ok=True)
    with reading(engine) as connection:
        rows = connection.execute(
            select(series.c.id, series.c.metadata_path).where(series.c.metadata_path != "")
        ).all()
    missing: list[int] = []
    for row in rows:
        try:
            shutil.copyfile(source / row.metadata_path, home / row.metadata_path)
        except FileNotFoundError:
            missing.append(row.id)
    with writing(engine) as connection:
        for series_id in missing:
            connection.execute(
                update(series)
                .where(series.c.id == series_id)
                .values(
                    metadata_path="",
                    prepared_generation=series.c.generation - 1,
                    settled_generation=series.c.generation - 1,
                )
            )


def check_empty(settings: Settings) -> None:
    """Raises Conflict where the PostgreSQL database of these settings is in use. SQLite is in the home."""
    if not settings.database.url:
        return
    engine = open_engine(settings.index_url, pool_size=1)
    try:
        if migrate.current(engine):
            raise Conflict(
                "The PostgreSQL database is not empty: it has tables of Filmless.", code="not-empty"
            )
    finally:
        engine.dispose()


def _bring_ledger(source: Path, store: Path, manifest: Manifest) -> None:
    """The part of the ledger that belongs to this backup: a later, unfinished one may have appended to the file."""
    if not manifest.ledger_bytes:
        return
    with (source / "store" / ledger.NAME).open("rb") as stream:
        content = stream.read(manifest.ledger_bytes)
    if len(content) < manifest.ledger_bytes:
        raise Refused(f"{source / 'store' / ledger.NAME} is shorter than it was.", code="backup-damaged")
    (store / ledger.NAME).write_bytes(content)


def _bring_rows(snapshot: Engine, url: str) -> None:
    target = open_engine(url, pool_size=1)
    try:
        migrate.upgrade(target)
        with reading(snapshot) as rows, writing(target) as connection:
            backup.copy_rows(rows, connection)
            for table in metadata.sorted_tables:
                for column in table.primary_key.columns:
                    # the next key that PostgreSQL gives lies above those that came
                    if isinstance(column.type, type(Id)) and len(table.primary_key.columns) == 1:
                        connection.execute(
                            text(
                                f"SELECT setval(pg_get_serial_sequence('{table.name}', '{column.name}'), "
                                f"(SELECT max({column.name}) FROM {table.name})) "
                                f"WHERE pg_get_serial_sequence('{table.name}', '{column.name}') IS NOT NULL"
                            )
                        )
    finally:
        target.dispose()


def _bring_jobs(settings: Settings, file: Path) -> None:
    # imported here: it brings dbos with it
    from filmless.db.durable import Jobs, jobs_url, queue_of

    with Jobs(jobs_url(settings.home, settings.index_url)) as jobs:
        for job in json.loads(file.read_text("utf-8")):
            task = {key: value for key, value in job["task"].items() if key != "device"}
            jobs.add(job["kind"], task, device=job["device"], queue=queue_of(job["kind"]), job_id=job["id"])
