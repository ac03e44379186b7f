"""Copies files of the store, a few at a time, each checked against what the index says of it."""

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from filmless.archive.tables import quarantine, versions
from filmless.kit.errors import Refused, Unavailable

log = logging.getLogger(__name__)

#: states of rows whose files are kept
KEPT = ("current", "superseded")
SET_ASIDE = ("waiting", "discarded")

_CHUNK = 1 << 20
_COPIES = 4
_ROWS = 2000

#: (done, all) bytes
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the store as the index knows it."""

    path: str
    offset: int
    size: int
    sha256: str


def files(connection: Connection) -> Iterator[StoredFile]:
    """Every file that the index names, in the order of their paths within versions, then quarantine."""
    for table, states in ((versions, KEPT), (quarantine, SET_ASIDE)):
        found = connection.execution_options(yield_per=_ROWS).execute(
            select(table.c.path, table.c.offset, table.c.size, table.c.sha256)
            .where(table.c.state.in_(states))
            .order_by(table.c.path)
        )
        for row in found:
            yield StoredFile(row.path, row.offset, row.size, row.sha256)


def copy_checked(source: Path, target: Path, file: StoredFile) -> bool:
    """Copy a file of the store and check the data set's size and hash on the way; False, and no copy, if wrong."""
    part = target.with_name(target.name + ".part")
    digest = hashlib.sha256()
    position = 0
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with part.open("wb") as writer:
            for chunk in _chunks(source):
                writer.write(chunk)
                start, end = file.offset - position, file.offset + file.size - position
                digest.update(memoryview(chunk)[max(0, start) : max(0, end)])
                position += len(chunk)
    except OSError as why:
        part.unlink(missing_ok=True)
        raise Unavailable(f"{target} cannot be written: {why.strerror}.", code="backup-disk") from None
    if position < file.offset + file.size or digest.hexdigest() != file.sha256:
        part.unlink()
        return False
    part.rename(target)
    return True


def _chunks(source: Path) -> Iterator[bytes]:
    """A file's bytes, as far as it can be read: what is missing shows in size and hash."""
    try:
        with source.open("rb") as reader:
            while chunk := reader.read(_CHUNK):
                yield chunk
    except OSError as why:
        log.error("%s cannot be read: %s", source.name, why.strerror)


def copy_files(
    wanted: Iterable[StoredFile],
    store: Path,
    target: Path,
    total: int,
    *,
    link: bool = False,
    progress: Progress | None = None,
) -> list[str]:
    """Bring files from one store's folder to another; returns the paths of those that are missing or damaged."""
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

    with ThreadPoolExecutor(_COPIES, thread_name_prefix="copy") as pool:
        for file in wanted:
            under_way[pool.submit(_bring, store / file.path, target / file.path, file, link=link)] = file
            finish(until=_COPIES * 4)
        finish(until=0)
    return damaged


def _bring(source: Path, target: Path, file: StoredFile, *, link: bool) -> bool:
    # a file has its final name only when it is complete, and never changes after: what is there need not be copied,
    # but for what a power cut left short under its name
    try:
        if target.stat().st_size >= file.offset + file.size:
            return True
        target.unlink()
    except FileNotFoundError:
        pass
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
