"""`filmless backup`: a copy of everything that a running server keeps, from which `filmless restore` makes it anew.

    DEST/manifest.json        written last: it names the others, and without it there is no backup
    DEST/index-MOMENT.sqlite  the index at one moment, the same form whether the server's is SQLite or PostgreSQL
    DEST/jobs-MOMENT.json     background work that is not over, from just before that moment
    DEST/jobs-MOMENT.sqlite   all of it, where it is kept in SQLite
    DEST/filmless-MOMENT.toml the settings file
    DEST/keys-MOMENT/         the keys of HOME/keys: without them neither the audit trail nor reports can be verified
    DEST/anchors-MOMENT.log   the anchors of the audit trail, from just before that moment
    DEST/store/               every file that the index names, the corrections in force, and the ledger
    DEST/metadata/            what was prepared of settled series; made again where it is missing
    DEST/lock                 held while a backup is made there, or restored from there

Files are written once and never changed, so a copy into an earlier backup's folder takes the new ones only. The
index comes first and its files after it: everything that the snapshot names exists already.

The jobs database is older than the index by a moment, so the readers of the event log are set back to where they
stood before it: events between are handed to jobs once more, which is harmless because their ids are the same.
"""

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, Engine, delete, func, insert, inspect, select, text

# every room's tables: what is not imported would not be copied
import filmless.access.account_tables
import filmless.access.audit.tables
import filmless.access.tables
import filmless.department.tables
import filmless.devices.tables
import filmless.reporting.tables
import filmless.viewing.tables  # noqa: F401
from filmless import __version__
from filmless.app import destination as folders
from filmless.app.copying import KEPT, SET_ASIDE, Progress, copy_files, files
from filmless.app.destination import INDEX, MANIFEST
from filmless.app.settings import FILE_NAME, Settings
from filmless.archive import ledger, overlays
from filmless.archive.tables import instances, quarantine, series, studies, versions
from filmless.db import migrate
from filmless.db.engine import open_engine
from filmless.db.events import event_readers
from filmless.db.schema import SEARCH_TABLES, metadata
from filmless.db.work import reading, writing
from filmless.kit import clock
from filmless.kit.errors import Defect, Refused, Unavailable
from filmless.patients.tables import patients

JOBS = "jobs.sqlite"
OPEN_JOBS = "jobs.json"
ANCHORS = "anchors.log"
KEYS = "keys"
_FORMAT = 1
_ROWS = 2000

#: of jobs that are not over
OPEN_STATES: tuple[Literal["waiting", "running", "retrying"], ...] = ("waiting", "running", "retrying")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds."""

    format: int
    made_by: str
    made_at: str
    schema: str
    counts: dict[str, int]
    #: bytes of the data sets
    bytes: int
    #: name -> (file, SHA-256) of what is beside the store
    parts: dict[str, tuple[str, str]]
    #: bytes of the ledger that belong to this backup; a later one may have appended
    ledger_bytes: int
    #: paths of files that were missing or whose data set is not what the index says
    damaged: list[str]


def make(
    settings: Settings, destination: Path, *, link: bool = False, progress: Progress | None = None
) -> Manifest:
    """Back up the home of `settings` into the folder `destination`: new, empty, or an earlier backup of ours.

    `link`: hard links instead of copies, for a destination in the same file system (quick, but no protection
    against a broken disk). Files that are damaged in the archive are named in the manifest, the others copied.
    """
    folders.check(settings, destination)
    destination.mkdir(mode=0o700, parents=True, exist_ok=True)
    with folders.alone(destination):
        return _make(settings, destination, link=link, progress=progress)


def _make(settings: Settings, destination: Path, *, link: bool, progress: Progress | None) -> Manifest:
    at = clock.now()
    # names of this backup's own, so that an earlier one in the same folder is whole until this one is
    stamp = at.strftime("%Y%m%dT%H%M%S%fZ")
    stems = (INDEX, JOBS, OPEN_JOBS, FILE_NAME, ANCHORS)
    names = {name: name.replace(".", f"-{stamp}.", 1) for name in stems}
    index = destination / names[INDEX]
    engine = open_engine(settings.index_url, pool_size=2)
    try:
        schema = migrate.current(engine)
        readers = _readers(engine)
        _copy_jobs(settings, destination, names)
        # before the index: an anchor of what the snapshot does not have would look like a record that was removed
        _copy_secret(settings.home / "audit" / ANCHORS, destination / names[ANCHORS])
        if engine.dialect.name == "sqlite":
            _snapshot(settings.home / INDEX, index)
        else:
            _export(engine, index)
        _set_readers(index, readers)
        snapshot = open_engine(f"sqlite:///{index}", pool_size=1)
        try:
            with reading(snapshot) as connection:
                counts, size = _counts(connection), _bytes(connection)
                _check_space(connection, settings.store, destination, link=link)
                wanted = files(connection)
                absent = copy_files(
                    wanted, settings.store, destination / "store", size, link=link, progress=progress
                )
                _copy_metadata(connection, settings.home, destination)
        finally:
            snapshot.dispose()
        damaged = [path for path in absent if not _purged_since(engine, path)]
    finally:
        engine.dispose()
    close_wal(index)
    overlays.copy(settings.store, destination / "store")
    ledger_bytes = _copy_ledger(settings.store, destination / "store")
    if settings.config is not None:
        shutil.copyfile(settings.config, destination / names[FILE_NAME])
        (destination / names[FILE_NAME]).chmod(0o600)
    # after the index: the key that is in force by then, and all before it
    names |= _copy_keys(settings.home, destination, f"{KEYS}-{stamp}")

    manifest = Manifest(
        format=_FORMAT,
        made_by=__version__,
        made_at=at.isoformat(timespec="seconds"),
        schema=schema,
        counts=counts,
        bytes=size,
        parts={
            name: (own, hash_of(destination / own))
            for name, own in names.items()
            if (destination / own).exists()
        },
        ledger_bytes=ledger_bytes,
        damaged=sorted(damaged),
    )
    # everything on disk before the manifest says that it is
    os.sync()
    new = destination / (MANIFEST + ".new")
    new.write_text(json.dumps(asdict(manifest), indent=1) + "\n", "utf-8")
    new.replace(destination / MANIFEST)
    os.sync()
    _remove_earlier(destination, manifest)
    return manifest


def _copy_secret(source: Path, target: Path) -> None:
    """A copy that only its owner may read; none where there is nothing to copy."""
    with contextlib.suppress(FileNotFoundError):
        content = source.read_bytes()
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(content)


def _copy_keys(home: Path, destination: Path, folder: str) -> dict[str, str]:
    """The keys of the home: of the audit trail, of documents, of signatures (the public ones too); part -> file."""
    found = sorted(file for kind in ("*.key", "*.pem", "*.pub") for file in (home / KEYS).glob(kind))
    if found:
        (destination / folder).mkdir(mode=0o700)
    for key in found:
        _copy_secret(key, destination / folder / key.name)
    return {f"{KEYS}/{key.name}": f"{folder}/{key.name}" for key in found}


def read_manifest(source: Path) -> Manifest:
    """The manifest of a backup. Raises Refused where there is none, or one of a newer program."""
    try:
        body = json.loads((source / MANIFEST).read_text("utf-8"))
        if body["format"] != _FORMAT:
            raise Refused(f"{source} was made by a newer Filmless ({body['made_by']}).", code="backup-newer")
        body["parts"] = {name: (file, sha256) for name, (file, sha256) in body["parts"].items()}
        return Manifest(**body)
    except OSError:
        raise Refused(
            f"{source} holds no finished backup: {MANIFEST} is missing or cannot be read.", code="no-backup"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise Refused(f"{source / MANIFEST} is damaged.", code="no-backup") from None


def hash_of(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def copy_rows(source: Connection, target: Connection) -> None:
    """Every row of every table of ours, keys included, from one database to another with the same schema."""
    if strange := (
        set(inspect(source).get_table_names()) - set(metadata.tables) - SEARCH_TABLES - {"alembic_version"}
    ):
        raise Defect(f"These tables would be left out: {', '.join(sorted(strange))}.", code="unknown-tables")
    for table in metadata.sorted_tables:
        rows = source.execution_options(yield_per=_ROWS).execute(select(table)).mappings()
        for batch in rows.partitions(_ROWS):
            target.execute(insert(table), [dict(row) for row in batch])


def _copy_jobs(settings: Settings, destination: Path, names: dict[str, str]) -> None:
    if not settings.database.url:
        if not (settings.home / JOBS).exists():
            return
        _snapshot(settings.home / JOBS, destination / names[JOBS])
    # imported here: it brings dbos with it
    from filmless.db.durable import Jobs, jobs_url

    with Jobs(jobs_url(settings.home, settings.index_url)) as jobs:
        open_jobs = [
            {"id": job.id, "kind": job.kind, "device": job.device, "task": dict(job.task)}
            for state in OPEN_STATES
            for job in jobs.newest(limit=1_000_000, state=state)
        ]
    file = destination / names[OPEN_JOBS]
    file.write_text(json.dumps(open_jobs, indent=1) + "\n", "utf-8")
    file.chmod(0o600)


def _snapshot(source: Path, target: Path) -> None:
    """A consistent copy of an SQLite database that others may be writing to; they do not wait."""
    original = sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=60)
    copy = sqlite3.connect(target)
    try:
        original.backup(copy, pages=-1)
        if copy.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise Defect(
                f"The database {source.name} is damaged: run `filmless rebuild`.", code="database-damaged"
            )
    except sqlite3.Error as why:
        raise Unavailable(
            f"The database {source.name} cannot be copied: {why}.", code="backup-disk"
        ) from None
    finally:
        copy.close()
        original.close()
    target.chmod(0o600)
    close_wal(target)


def close_wal(database: Path) -> None:
    """Everything in the one file: no -wal or -shm beside it."""
    connection = sqlite3.connect(database)
    try:
        connection.execute("PRAGMA journal_mode=DELETE")
    finally:
        connection.close()


def _export(engine: Engine, target: Path) -> None:
    """The index in PostgreSQL, at one moment, as an SQLite database of the same schema."""
    copy = open_engine(f"sqlite:///{target}", pool_size=1)
    try:
        migrate.upgrade(copy)
        if migrate.current(engine) != migrate.newest():
            raise Refused(
                "The database belongs to another version of Filmless: back it up with that one.",
                code="schema",
            )
        with (
            engine.connect().execution_options(isolation_level="REPEATABLE READ") as source,
            source.begin(),
            writing(copy) as connection,
        ):
            connection.execute(text("PRAGMA defer_foreign_keys=ON"))
            copy_rows(source, connection)
    finally:
        copy.dispose()
    target.chmod(0o600)


def _readers(engine: Engine) -> dict[str, int]:
    with reading(engine) as connection:
        return {row.name: row.seq for row in connection.execute(select(event_readers))}


def _set_readers(index: Path, readers: dict[str, int]) -> None:
    """Set the readers of the event log in a snapshot back to where they stood before the jobs were copied."""
    engine = open_engine(f"sqlite:///{index}", pool_size=1)
    try:
        with writing(engine) as connection:
            connection.execute(delete(event_readers))
            for name, position in readers.items():
                connection.execute(insert(event_readers).values(name=name, seq=position))
    finally:
        engine.dispose()


def _counts(connection: Connection) -> dict[str, int]:
    tables = (patients, studies, series, instances, versions, quarantine)
    return {table.name: connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables}


def _bytes(connection: Connection) -> int:
    return sum(
        connection.scalar(select(func.coalesce(func.sum(table.c.size), 0)).where(table.c.state.in_(states)))
        or 0
        for table, states in ((versions, KEPT), (quarantine, SET_ASIDE))
    )


def _check_space(connection: Connection, store: Path, destination: Path, *, link: bool) -> None:
    if link:
        return
    needed = sum(
        file.offset + file.size
        for file in files(connection)
        if not (destination / "store" / file.path).exists()
    )
    free = shutil.disk_usage(destination).free
    if needed + (64 << 20) > free:
        raise Unavailable(
            f"{destination} has {free >> 20} MiB free, and the backup needs {needed >> 20} MiB more.",
            code="disk-full",
        )


def _purged_since(engine: Engine, path: str) -> bool:
    """Whether the file left by a purge after the snapshot was taken."""
    with reading(engine) as connection:
        return any(
            connection.scalar(
                select(table.c.id).where(table.c.path == path, table.c.state.in_(["purging", "purged"]))
            )
            is not None
            for table in (versions, quarantine)
        )


def _copy_metadata(connection: Connection, home: Path, destination: Path) -> None:
    """What was prepared of series, where it is still there: a series that changed since prepares itself again."""
    (destination / "metadata").mkdir(mode=0o700, exist_ok=True)
    found = connection.execution_options(yield_per=_ROWS).execute(
        select(series.c.metadata_path).where(series.c.metadata_path != "")
    )
    for (path,) in found:
        target = destination / path
        if not target.exists():
            part = target.with_name(target.name + ".part")
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(home / path, part)
                part.rename(target)


def _remove_earlier(destination: Path, manifest: Manifest) -> None:
    """Indexes and settings of earlier backups in the same folder, and of unfinished ones."""
    current = {file for file, _ in manifest.parts.values()}
    folders = {file.partition("/")[0] for file in current}
    for old in destination.glob(f"{KEYS}-*"):
        if old.is_dir() and old.name not in folders:
            shutil.rmtree(old)
    for stem in (INDEX, JOBS, OPEN_JOBS, FILE_NAME, ANCHORS):
        name, _, suffix = stem.partition(".")
        for old in destination.glob(f"{name}-*.{suffix}*"):
            if old.name not in current:
                old.unlink()


def _copy_ledger(store: Path, target: Path) -> int:
    """The ledger is only ever appended to: what is there now contains what the index snapshot knows."""
    source = store / ledger.NAME
    if not source.exists():
        return 0
    new = target / (ledger.NAME + ".new")
    shutil.copyfile(source, new)
    size = new.stat().st_size
    new.rename(target / ledger.NAME)
    return size
