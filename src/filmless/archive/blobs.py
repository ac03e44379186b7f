"""The file store: one write-once Part 10 file per version, described by its own file meta information.

    HOME/store/2026/11/22/0a1b2c3d/<version key>.dcm

Each file carries, in Private Information (0002,0102) of its meta information, what the index could not learn
from the data set: the version key, when and from whom it came, which character set and issuer were assumed, and
the size and SHA-256 of the data set. So the index can be made again from the files, and a damaged or half
written file is known without the index. The preamble is zero (a received one could be a program).

A process writes into folders of its own, each announced in `open_folders` before its first file; after a crash
only those are searched for files that nobody was told of.
"""

import json
import logging
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from threading import Lock

from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from filmless.archive.model import Arrival
from filmless.archive.tables import open_folders, quarantine, versions
from filmless.db.work import reading, writing
from filmless.dicom import part10
from filmless.kit import clock, ids
from filmless.kit.errors import Defect, FilmlessError, Refused

log = logging.getLogger(__name__)

#: a file in the root of the store while `filmless rebuild` has not come to its end
_UNFINISHED = "rebuild-unfinished"
_NO_HASH = "0" * 64
_NO_SIZE = "0" * 16


@dataclass(frozen=True, slots=True)
class Label:
    """What a file says of itself in its Private Information."""

    key: str
    received_at: datetime
    source: str
    character_set: str
    default_issuer: str
    size: int
    sha256: str


def label_bytes(key: str, at: datetime, arrival: Arrival) -> bytes:
    """Private Information of a new file; size and hash are zeros of full width, to be written over at the end."""
    text = json.dumps(
        {
            "filmless": 1,
            "key": key,
            "at": at.isoformat(),
            "source": arrival.source.name,
            "charset": arrival.source.character_set,
            "issuer": arrival.source.default_issuer,
            "size": _NO_SIZE,
            "sha256": _NO_HASH,
        },
        separators=(",", ":"),
        ensure_ascii=True,
    )
    return (text if len(text) % 2 == 0 else text + " ").encode("ascii")


def read_label(private_information: bytes) -> Label | None:
    """The label in a file's Private Information; None where the file is not one of ours, or unfinished."""
    try:
        body = json.loads(private_information)
        size, sha256 = int(body["size"]), str(body["sha256"])
        if sha256 == _NO_HASH:
            return None
        return Label(
            body["key"],
            datetime.fromisoformat(body["at"]),
            body["source"],
            body["charset"],
            body["issuer"],
            size,
            sha256,
        )
    except (ValueError, KeyError, TypeError):
        return None


def seal(size: int, sha256: str) -> bytes:
    """What a finished file's label says instead of its zeros, from `seal_offset` on."""
    return f'"size":"{size:016d}","sha256":"{sha256}"'.encode("ascii")


def seal_offset(header: bytes) -> int:
    """Where in the file size and hash are."""
    at = header.find(seal(0, _NO_HASH))
    if at < 0:
        raise Defect("the file's label lost its place for size and hash")
    return at


def sync_folder(path: Path | str) -> None:
    """Make the entries of a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def mark_index_unfinished(root: Path) -> None:
    """Durably note that the index knows fewer files than there are: from now on nothing is recovered by it."""
    (root / _UNFINISHED).touch(mode=0o640)
    sync_folder(root)


def mark_index_finished(root: Path) -> None:
    """Take the mark away."""
    (root / _UNFINISHED).unlink()
    sync_folder(root)


def index_unfinished(root: Path) -> bool:
    """Whether the mark is there."""
    return (root / _UNFINISHED).exists()


def any_file(root: Path) -> bool:
    """Whether the store has a file of an object. Raises OSError where it cannot be read."""
    return root.is_dir() and next(_walk(root, "", ""), None) is not None


def writer_name() -> str:
    """Names this process for ever: host, pid and the moment the kernel started it."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def _started(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "-"
    # ticks since the boot: of another boot, pid and ticks may be the same
    return f"{stat.rsplit(')', 1)[1].split()[19]}-{_boot()}"


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    except OSError:
        return ""


def writer_lives(name: str) -> bool:
    """Whether the process of that name still runs. One on another host is taken to be alive."""
    host, pid, started = name.rsplit(":", 2)
    if host != socket.gethostname():
        return True
    return started != "-" and _started(int(pid)) == started


class Folder:
    """A folder being filled by this process. Files in it count until they are indexed or removed."""

    __slots__ = ("fd", "files", "full", "path", "unfinished")

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self.fd = fd
        self.files = 0
        self.unfinished = 0
        self.full = False


class BlobStore:
    """The folders under `root`. Thread-safe."""

    def __init__(self, engine: Engine, root: Path, *, folder_files: int = 2000) -> None:
        self.root = root
        self._engine = engine
        self._folder_files = folder_files
        self._lock = Lock()
        self._current: Folder | None = None
        self._name = writer_name()
        root.mkdir(parents=True, exist_ok=True)
        sync_folder(root)
        sync_folder(root.parent)

    def place(self) -> Folder:
        """A folder with room for one more file; call `settle` for that file when it is indexed or gone."""
        with self._lock:
            folder = self._current
            day = f"{clock.now():%Y/%m/%d}/"
            if folder is None or folder.files >= self._folder_files or not folder.path.startswith(day):
                if folder is not None:
                    folder.full = True
                    self._retire(folder)
                folder = self._current = self._open_folder()
            folder.files += 1
            folder.unfinished += 1
            return folder

    def settle(self, folder: Folder) -> None:
        """One file of `folder` is indexed durably, or removed."""
        with self._lock:
            folder.unfinished -= 1
            self._retire(folder)

    def _retire(self, folder: Folder) -> None:
        if folder.full and folder.unfinished == 0 and folder.fd >= 0:
            try:
                # files that were removed must not come back with the power
                os.fsync(folder.fd)
                with writing(self._engine) as connection:
                    connection.execute(delete(open_folders).where(open_folders.c.path == folder.path))
            except (OSError, SQLAlchemyError):
                # the next start looks through it
                log.warning("the folder %s stays announced", folder.path, exc_info=True)
            finally:
                os.close(folder.fd)
                folder.fd = -1

    def _open_folder(self) -> Folder:
        path = f"{clock.now():%Y/%m/%d}/{os.urandom(4).hex()}"
        with writing(self._engine) as connection:
            connection.execute(
                insert(open_folders).values(path=path, writer=self._name, opened_at=clock.now())
            )
        full = self.root / path
        full.mkdir(parents=True)
        for parent in (full, *full.parents):
            sync_folder(parent)
            if parent == self.root:
                break
        return Folder(path, os.open(full, os.O_RDONLY | os.O_DIRECTORY))

    def close(self) -> None:
        """Give back the current folder, where nothing is under way in it."""
        with self._lock:
            if self._current is not None:
                self._current.full = True
                self._retire(self._current)
                self._current = None

    def recover(self) -> int:
        """Remove what processes that died left half done: files in their folders that the index does not know.

        Nobody was told that those are stored, so their senders send them again. Returns how many were removed.
        Those that are whole are not deleted but moved to HOME/set-aside, from where they can be imported: an index
        that was restored from an older backup does not know files that senders were told are stored.

        Raises Refused (code "index-unfinished") after a rebuild that was cut off: such an index knows too little.
        """
        if index_unfinished(self.root):
            raise Refused(
                "The index is not whole: `filmless rebuild` was cut off before its end. Run it again first.",
                code="index-unfinished",
            )
        with reading(self._engine) as connection:
            dead = [
                row.path for row in connection.execute(select(open_folders)) if not writer_lives(row.writer)
            ]
        removed = 0
        for path in dead:
            full = self.root / path
            if full.is_dir():
                with reading(self._engine) as connection:
                    known = {
                        row.path
                        for table in (versions, quarantine)
                        for row in connection.execute(
                            select(table.c.path).where(table.c.path >= path + "/", table.c.path < path + "0")
                        )
                    }
                unknown = [file for file in full.iterdir() if f"{path}/{file.name}" not in known]
                for file in unknown:
                    self._remove_or_set_aside(file)
                removed += len(unknown)
                sync_folder(full)
            with writing(self._engine) as connection:
                connection.execute(delete(open_folders).where(open_folders.c.path == path))
        return removed

    def _remove_or_set_aside(self, file: Path) -> None:
        try:
            if _is_whole(file):
                aside = self.root.parent / "set-aside"
                aside.mkdir(mode=0o750, exist_ok=True)
                file.rename(aside / file.name)
                sync_folder(aside)
                sync_folder(aside.parent)
                log.warning("%s is whole but not in the index: it is in %s now", file.name, aside)
            else:
                file.unlink()
        except FileNotFoundError:
            # another process that starts at the same time was faster
            log.debug("%s is gone already", file.name)

    def files(self, *, after: str = "") -> Iterator[str]:
        """Paths of all files, relative to the root, in the order of their names; those after `after` only."""
        yield from _walk(self.root, "", after)

    def remove(self, path: str) -> None:
        """Delete a file for good, by its exact location."""
        full = self.root / path
        full.unlink(missing_ok=True)
        sync_folder(full.parent)


def _is_whole(file: Path) -> bool:
    """Whether a file holds as much as its label says."""
    try:
        with file.open("rb") as data:
            meta = part10.read_meta(data)
            label = read_label(meta.private_information)
            return label is not None and label.size == data.seek(0, os.SEEK_END) - meta.data_set_offset
    except (OSError, FilmlessError):
        return False


def _walk(root: Path, prefix: str, after: str) -> Iterator[str]:
    with os.scandir(root / prefix) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if not prefix and not (len(entry.name) == 4 and entry.name.isdigit()):
            # beside the years: what is ours but no object, and what a disk of its own has (lost+found)
            continue
        path = f"{prefix}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            if f"{path}/\uffff" > after:
                yield from _walk(root, path + "/", after)
        elif path.endswith(".dcm") and path > after:
            yield path


def new_header(arrival: Arrival) -> tuple[str, datetime, bytes]:
    """Key, moment and the bytes before the data set of a new file."""
    key, at = ids.new_version_key(), clock.now()
    header = part10.build_preamble_and_meta(
        arrival.sop_class_uid,
        arrival.sop_instance_uid,
        arrival.transfer_syntax_uid,
        private_information=label_bytes(key, at, arrival),
    )
    return key, at, header
