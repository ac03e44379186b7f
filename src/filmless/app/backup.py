"""`filmless backup`: a copy of everything that a running server keeps, from which `filmless restore` makes it anew.

    DEST/manifest.json   written last: without it there is no backup
    DEST/index.sqlite    the index at one moment, the same form whether the server's is SQLite or PostgreSQL
    DEST/jobs.sqlite     background work, from just before that moment; with PostgreSQL jobs.json instead, which
                         holds the jobs that are not over
    DEST/filmless.toml   the settings file
    DEST/store/          every file that the index names, and the ledger

Files are written once and never changed, so a copy into an earlier backup's folder takes the new ones only. The
index comes first and its files after it: everything that the snapshot names exists already.

The jobs database is older than the index by a moment, so the readers of the event log are set back to where they
stood before it: events between are handed to jobs once more, which is harmless because their ids are the same.
"""

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, Engine, func, insert, select, text, update

from filmless import __version__
from filmless.app.settings import FILE_NAME, Settings
from filmless.archive import ledger
from filmless.archive.tables import instances, quarantine, series, studies, versions
from filmless.db import migrate
from filmless.db.engine import open_engine
from filmless.db.events import event_readers
from filmless.db.schema import metadata
from filmless.db.work import reading, writing
from filmless.kit import clock
from filmless.kit.errors import Conflict, Defect, Refused, Unavailable
from filmless.patients.tables import patients

MANIFEST = "manifest.json"
INDEX = "index.sqlite"
JOBS = "jobs.sqlite"
OPEN_JOBS = "jobs.json"
_FORMAT = 1
_CHUNK = 1 << 20
_COPIES = 4
_ROWS = 2000

#: of jobs that are not over
OPEN_STATES: tuple[Literal["waiting", "running", "retrying"], ...] = ("waiting", "running", "retrying")

#: (done, all) bytes
Progress = Callable[[int, int], None]


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
    #: name -> SHA-256 of the files beside the store
    sha256: dict[str, str]
    #: bytes of the ledger that belong to this backup; a later one may have appended
    ledger_bytes: int
    #: paths of files that were missing or whose data set is not what the index says
    damaged: list[str]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the store as the index knows it."""

    path: str
    offset: int
    size: int
    sha256: str


def make(
    settings: Settings, destination: Path, *, link: bool = False, progress: Progress | None = None
) -> Manifest:
    """Back up the home of `settings` into the folder `destination`: new, empty, or an earlier backup of ours.

    `link`: hard links instead of copies, for a destination in the same file system (quick, but no protection
    against a broken disk). Files that are damaged in the archive are named in the manifest, the others copied.
    """
    _check_destination(settings, destination)
    destination.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = open_engine(settings.index_url, pool_size=2)
    try:
        readers = _readers(engine)
        _copy_jobs(settings, destination)
        schema = migrate.current(engine)
        fresh = destination / (INDEX + ".new")
        if engine.dialect.name == "sqlite":
            _snapshot(settings.home / INDEX, fresh)
        else:
            _export(engine, fresh)
    finally:
        engine.dispose()

    snapshot = open_engine(f"sqlite:///{fresh}", pool_size=1)
    try:
        with writing(snapshot) as connection:
            for name, position in readers.items():
                connection.execute(
                    update(event_readers).where(event_readers.c.name == name).values(seq=position)
                )
        with reading(snapshot) as connection:
            counts, size = _counts(connection), _bytes(connection)
            _check_space(connection, settings.store, destination, link=link)
            damaged = _copy_files(
                files(connection), settings.store, destination / "store", size, link, progress
            )
    finally:
        snapshot.dispose()
    close_wal(fresh)

    ledger_bytes = _copy_ledger(settings.store, destination / "store")
    hashes = {}
    for name in (INDEX, JOBS, OPEN_JOBS):
        if (destination / (name + ".new")).exists():
            hashes[name] = hash_of(destination / (name + ".new"))
    if settings.config is not None:
        shutil.copyfile(settings.config, destination / (FILE_NAME + ".new"))
        (destination / (FILE_NAME + ".new")).chmod(0o600)
        hashes[FILE_NAME] = hash_of(destination / (FILE_NAME + ".new"))

    manifest = Manifest(
        format=_FORMAT,
        made_by=__version__,
        made_at=clock.now().isoformat(timespec="seconds"),
        schema=schema,
        counts=counts,
        bytes=size,
        sha256=hashes,
        ledger_bytes=ledger_bytes,
        damaged=sorted(damaged),
    )
    # everything on disk before the manifest says that it is
    os.sync()
    (destination / MANIFEST).unlink(missing_ok=True)
    for name in {INDEX, JOBS, OPEN_JOBS, FILE_NAME} - set(hashes):
        (destination / name).unlink(missing_ok=True)
    for name in hashes:
        (destination / (name + ".new")).rename(destination / name)
    new = destination / (MANIFEST + ".new")
    new.write_text(json.dumps(asdict(manifest), indent=1) + "\n", "utf-8")
    new.rename(destination / MANIFEST)
    os.sync()
    return manifest


def read_manifest(source: Path) -> Manifest:
    """The manifest of a backup. Raises Refused where there is none, or one of a newer program."""
    try:
        body = json.loads((source / MANIFEST).read_text("utf-8"))
        if body["format"] != _FORMAT:
            raise Refused(f"{source} was made by a newer Filmless ({body['made_by']}).", code="backup-newer")
        return Manifest(**body)
    except OSError:
        raise Refused(
            f"{source} holds no finished backup: {MANIFEST} is missing or cannot be read.", code="no-backup"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise Refused(f"{source / MANIFEST} is damaged.", code="no-backup") from None


def files(connection: Connection) -> Iterator[StoredFile]:
    """Every file that the index names, in the order of their paths within versions, then quarantine."""
    for table, states in (
        (versions, ("current", "superseded", "purging")),
        (quarantine, ("waiting", "discarded")),
    ):
        found = connection.execution_options(yield_per=_ROWS).execute(
            select(table.c.path, table.c.offset, table.c.size, table.c.sha256)
            .where(table.c.state.in_(states))
            .order_by(table.c.path)
        )
        for row in found:
            yield StoredFile(row.path, row.offset, row.size, row.sha256)


def copy_checked(source: Path, target: Path, file: StoredFile) -> bool:
    """Copy a file of the store and check the data set's size and hash on the way; False, and no copy, if wrong."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    digest = hashlib.sha256()
    position = 0
    try:
        with source.open("rb") as reader, part.open("wb") as writer:
            while chunk := reader.read(_CHUNK):
                writer.write(chunk)
                start, end = file.offset - position, file.offset + file.size - position
                digest.update(memoryview(chunk)[max(0, start) : max(0, end)])
                position += len(chunk)
    except FileNotFoundError:
        part.unlink(missing_ok=True)
        return False
    except OSError as why:
        part.unlink(missing_ok=True)
        if source.exists() and why.filename != str(source):
            raise Unavailable(f"{target} cannot be written: {why.strerror}.", code="backup-disk") from None
        return False
    if position < file.offset + file.size or digest.hexdigest() != file.sha256:
        part.unlink()
        return False
    part.rename(target)
    return True


def hash_of(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def copy_rows(source: Connection, target: Connection) -> None:
    """Every row of every table of ours, keys included, from one database to another with the same schema."""
    for table in metadata.sorted_tables:
        rows = source.execution_options(yield_per=_ROWS).execute(select(table)).mappings()
        for batch in rows.partitions(_ROWS):
            target.execute(insert(table), [dict(row) for row in batch])


def _check_destination(settings: Settings, destination: Path) -> None:
    inside = destination.resolve()
    if inside == settings.home.resolve() or settings.home.resolve() in inside.parents:
        raise Refused("A backup belongs outside the server's home, best on another disk.", code="inside-home")
    if not settings.database.url and not (settings.home / INDEX).exists():
        raise Refused(f"There is no Filmless archive in {settings.home} to back up.", code="no-archive")
    if destination.is_dir():
        names = {item.name for item in destination.iterdir()}
        unfinished = {name + ".new" for name in (INDEX, JOBS, OPEN_JOBS)} | {"store"}
        if names and MANIFEST not in names and not names & unfinished:
            raise Conflict(f"{destination} holds other files: give an empty folder.", code="not-empty")
    elif destination.exists():
        raise Conflict(f"{destination} is not a folder.", code="not-empty")


def _copy_jobs(settings: Settings, destination: Path) -> None:
    for name in (JOBS, OPEN_JOBS):
        _remove_database(destination / (name + ".new"))
    if not settings.database.url:
        if (settings.home / JOBS).exists():
            _snapshot(settings.home / JOBS, destination / (JOBS + ".new"))
        return
    # imported here: it brings dbos with it
    from filmless.db.durable import Jobs, jobs_url

    with Jobs(jobs_url(settings.home, settings.index_url)) as jobs:
        open_jobs = [
            {"id": job.id, "kind": job.kind, "device": job.device, "task": dict(job.task)}
            for state in OPEN_STATES
            for job in jobs.newest(limit=1_000_000, state=state)
        ]
    new = destination / (OPEN_JOBS + ".new")
    new.write_text(json.dumps(open_jobs, indent=1) + "\n", "utf-8")
    new.chmod(0o600)


def _snapshot(source: Path, target: Path) -> None:
    """A consistent copy of an SQLite database that others may be writing to; they do not wait."""
    _remove_database(target)
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


def _remove_database(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _export(engine: Engine, target: Path) -> None:
    """The index in PostgreSQL, at one moment, as an SQLite database of the same schema."""
    _remove_database(target)
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


def _counts(connection: Connection) -> dict[str, int]:
    tables = (patients, studies, series, instances, versions, quarantine)
    return {table.name: connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables}


def _bytes(connection: Connection) -> int:
    return sum(
        connection.scalar(select(func.coalesce(func.sum(table.c.size), 0)).where(table.c.state != "purged"))
        or 0
        for table in (versions, quarantine)
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


def _copy_files(
    wanted: Iterable[StoredFile],
    store: Path,
    target: Path,
    total: int,
    link: bool,
    progress: Progress | None,
) -> list[str]:
    """Copies, a few at a time; returns the paths of files that are missing or damaged."""
    target.mkdir(mode=0o700, exist_ok=True)
    damaged: list[str] = []
    done = 0
    under_way: dict[Future[bool], StoredFile] = {}

    def finish(*, until: int) -> None:
        nonlocal done
        while len(under_way) > until:
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                file = under_way.pop(future)
                if not future.result():
                    damaged.append(file.path)
                done += file.size
                if progress is not None:
                    progress(done, total)

    with ThreadPoolExecutor(_COPIES, thread_name_prefix="backup") as pool:
        for file in wanted:
            under_way[pool.submit(_bring, store / file.path, target / file.path, file, link)] = file
            finish(until=_COPIES * 4)
        finish(until=0)
    return damaged


def _bring(source: Path, target: Path, file: StoredFile, link: bool) -> bool:
    # a file has its final name only when it is complete, and never changes after: what is there need not be copied
    if target.exists():
        return True
    if not link:
        return copy_checked(source, target, file)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileNotFoundError:
        return False
    except OSError as why:
        raise Refused(
            f"{target} cannot be a hard link: {why.strerror}. Leave out --link.", code="no-link"
        ) from None
    return True


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
