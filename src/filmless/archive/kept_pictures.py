"""Pictures on disk: thumbnails and what moves, in HOME/pictures, which may be emptied at any time.

Their names begin with the hash of the object's bytes, so that they go with the object when it is purged.
"""

import json
import logging
import os
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
#: longest first line of a kept file; bytes
_HEAD = 16 << 10


@dataclass(frozen=True, slots=True)
class Kept:
    """A picture on disk: bytes [offset, offset + length) of the file."""

    path: Path
    offset: int
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
    """A kept picture: a line of JSON, then the file itself. One that is damaged counts as absent."""
    try:
        with path.open("rb") as file:
            head = file.readline(_HEAD)
            about = json.loads(head)
            status = os.fstat(file.fileno())
            if status.st_size != len(head) + about["length"]:
                return None
        os.utime(path)
        return Kept(path, len(head), about["length"], about["media_type"], tuple(about["warnings"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(path: Path, content: bytes, media_type: str, warnings: Iterable[str]) -> None:
    """Writes a picture whole or not at all; one that cannot be kept (the disk is full) is no error."""
    about = {"media_type": media_type, "length": len(content), "warnings": list(warnings)}
    temporary = path.with_name(f"{path.name}.{ids.new_version_key()}")
    try:
        path.parent.parent.mkdir(mode=0o700, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        temporary.write_bytes(json.dumps(about).encode() + b"\n" + content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        log.warning("a picture could not be kept: %s", error.strerror)


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
