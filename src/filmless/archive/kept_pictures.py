"""Pictures on disk: thumbnails and what moves, in HOME/pictures, which may be emptied at any time.

Their names begin with the hash of the object's bytes, so that they go with the object when it is purged.
"""

import errno
import json
import logging
import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from filmless.kit import ids

log = logging.getLogger(__name__)

#: bytes that the folder may hold, and files; with more, the oldest go until a fifth is free
LIMIT_BYTES = 1 << 30
LIMIT_FILES = 100_000
#: one read or written so recently is not deleted: it may be on its way to a client; seconds
_YOUNG = 600.0
#: the last bytes of a kept file that hold what is told of it, and the digits of their length at the very end
_TAIL, _DIGITS = 16 << 10, 8


@dataclass(frozen=True, slots=True)
class Kept:
    """A picture on disk: the first `length` bytes of the file."""

    path: Path
    length: int
    media_type: str
    warnings: tuple[str, ...]


def folder_of(home: Path) -> Path:
    """Where they are."""
    return home / "pictures"


def path_of(home: Path, sha256: str, name: str) -> Path:
    """The file of one picture of the object with these bytes."""
    return folder_of(home) / sha256[:2] / f"{sha256}.{name}"


def find(path: Path) -> Kept | None:
    """A kept picture: the file itself, then what is told of it and how long that is. A damaged one counts as absent."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(size - _TAIL, 0))
            tail = file.read(_TAIL)
        length = int(tail[-_DIGITS:])
        about = json.loads(tail[-_DIGITS - length : -_DIGITS])
        if size != about["length"] + length + _DIGITS:
            return None
        os.utime(path)
        return Kept(path, about["length"], about["media_type"], tuple(about["warnings"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(path: Path, source: Path, media_type: str, warnings: Iterable[str]) -> Kept | None:
    """Takes a finished file over as a kept picture, whole or not at all. None where it could not be kept (the disk is
    full): then the source is as it was."""
    length = source.stat().st_size
    about = json.dumps({"media_type": media_type, "length": length, "warnings": list(warnings)}).encode()
    try:
        path.parent.parent.mkdir(mode=0o700, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with source.open("ab") as file:
            file.write(about + str(len(about)).zfill(_DIGITS).encode())
        _move(source, path)
    except OSError as error:
        log.warning("a picture could not be kept: %s", error.strerror)
        os.truncate(source, length)
        return None
    return Kept(path, length, media_type, tuple(warnings))


def _move(source: Path, path: Path) -> None:
    try:
        source.replace(path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # the scratch folder is on another disk
        near = path.with_name(f"{path.name}.{ids.new_version_key()}")
        try:
            shutil.copyfile(source, near)
            near.replace(path)
        finally:
            near.unlink(missing_ok=True)
        source.unlink()


def forget(home: Path, hashes: Iterable[str]) -> None:
    """Deletes all pictures of the objects with these bytes (SHA-256 in hex)."""
    for sha256 in hashes:
        for path in (folder_of(home) / sha256[:2]).glob(f"{sha256}.*"):
            path.unlink(missing_ok=True)


def tidy(folder: Path, limit_bytes: int, *, young: float = _YOUNG, limit_files: int = LIMIT_FILES) -> int:
    """Deletes what was not asked for longest until a fifth is free again, where there is more than allowed. Returns
    how many files went. Files used in the last `young` seconds stay."""
    found = []
    for path in folder.glob("*/*"):
        try:
            status = path.stat()
        except OSError:
            continue
        found.append((status.st_mtime, status.st_size, path))
    total, count = sum(size for _, size, _ in found), len(found)
    if total <= limit_bytes and count <= limit_files:
        return 0
    before = time.time() - young
    gone = 0
    for used, size, path in sorted(found):
        if (total <= limit_bytes * 0.8 and count <= limit_files * 0.8) or used > before:
            break
        path.unlink(missing_ok=True)
        total, count, gone = total - size, count - 1, gone + 1
    return gone
