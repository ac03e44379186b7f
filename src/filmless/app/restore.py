"""`filmless restore`: brings a backup into an empty home, checking every file on the way."""

import json
import os
import shutil
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, text

from filmless.app import backup
from filmless.app.backup import INDEX, JOBS, OPEN_JOBS, Manifest, Progress, StoredFile
from filmless.app.index import make_home
from filmless.app.settings import FILE_NAME, Settings
from filmless.archive import ledger
from filmless.db import migrate
from filmless.db.engine import open_engine
from filmless.db.schema import Id, metadata
from filmless.db.work import reading, writing
from filmless.kit.errors import Conflict, Refused

_COPIES = 4


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back. `damaged` are the files that the backup lacks or has in a damaged form."""

    manifest: Manifest
    files: int
    bytes: int
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
    for name, expected in manifest.sha256.items():
        if not (source / name).exists() or backup.hash_of(source / name) != expected:
            raise Refused(f"{source / name} is not the file that was backed up.", code="backup-damaged")
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if FILE_NAME in manifest.sha256:
        shutil.copyfile(source / FILE_NAME, home / FILE_NAME)
        (home / FILE_NAME).chmod(0o600)


def bring(settings: Settings, source: Path, *, progress: Progress | None = None) -> Restored:
    """Everything else: files first, then jobs, then the index, so that a half restored home has no index.

    The index goes where `settings` say: SQLite in the home, or an empty PostgreSQL database; a backup of either
    goes into either.
    """
    manifest = backup.read_manifest(source)
    make_home(settings)
    if settings.database.url:
        _check_empty(settings)

    snapshot = settings.home / (INDEX + ".new")
    shutil.copyfile(source / INDEX, snapshot)
    snapshot.chmod(0o600)
    engine = open_engine(f"sqlite:///{snapshot}", pool_size=1)
    try:
        count, size, damaged = _bring_files(
            engine, source / "store", settings.store, manifest.bytes, progress
        )
        _bring_ledger(source, settings.store, manifest)
        migrate.upgrade(engine)
        if settings.database.url:
            _bring_rows(engine, settings.index_url)
    finally:
        engine.dispose()
    backup.close_wal(snapshot)

    if settings.database.url:
        snapshot.unlink()
    elif JOBS in manifest.sha256:
        shutil.copyfile(source / JOBS, settings.home / JOBS)
        (settings.home / JOBS).chmod(0o600)
    if OPEN_JOBS in manifest.sha256:
        _bring_jobs(settings, source)
    os.sync()
    if not settings.database.url:
        snapshot.rename(settings.home / INDEX)
        os.sync()
    return Restored(manifest, count, size, sorted(damaged))


def _check_empty(settings: Settings) -> None:
    engine = open_engine(settings.index_url, pool_size=1)
    try:
        if migrate.current(engine):
            raise Conflict(
                "The PostgreSQL database is not empty: it has tables of Filmless.", code="not-empty"
            )
    finally:
        engine.dispose()


def _bring_files(
    engine: Engine, source: Path, store: Path, total: int, progress: Progress | None
) -> tuple[int, int, list[str]]:
    damaged: list[str] = []
    count = done = 0
    under_way: dict[Future[bool], StoredFile] = {}
    with reading(engine) as connection, ThreadPoolExecutor(_COPIES, thread_name_prefix="restore") as pool:

        def finish(*, until: int) -> None:
            nonlocal count, done
            while len(under_way) > until:
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    file = under_way.pop(future)
                    if future.result():
                        count += 1
                        done += file.size
                    else:
                        damaged.append(file.path)
                    if progress is not None:
                        progress(done, total)

        for file in backup.files(connection):
            copy = pool.submit(backup.copy_checked, source / file.path, store / file.path, file)
            under_way[copy] = file
            finish(until=_COPIES * 4)
        finish(until=0)
    return count, done, damaged


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


def _bring_jobs(settings: Settings, source: Path) -> None:
    # imported here: it brings dbos with it
    from filmless.db.durable import Jobs, jobs_url, queue_of

    with Jobs(jobs_url(settings.home, settings.index_url)) as jobs:
        for job in json.loads((source / OPEN_JOBS).read_text("utf-8")):
            task = {key: value for key, value in job["task"].items() if key != "device"}
            jobs.add(job["kind"], task, device=job["device"], queue=queue_of(job["kind"]), job_id=job["id"])
