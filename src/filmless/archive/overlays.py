"""What is in force over an object, as a file of its own: which corrections, in their order.

    STORE/corrections/<number in 16 hex digits>.json

The number is made from the content, so the same corrections have the same number in every process and after every
rebuild, a file is written once and never changes, and whoever has an instance's number needs no database to give the
object away.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from filmless.archive.blobs import sync_folder
from filmless.dicom.overlay import Layer
from filmless.kit import ids
from filmless.kit.errors import Defect, Unavailable

FOLDER = "corrections"


@dataclass(frozen=True, slots=True)
class InForce:
    """One correction as far as the data set shows it. `changes`: DICOM JSON by GGGGEEEE, None where removed."""

    key: str
    at: datetime
    #: Reason for the Attribute Modification (PS3.3 C.12.1.1.9)
    code: str
    changes: dict[str, dict[str, Any] | None]

    def layer(self) -> Layer:
        return Layer({int(tag, 16): member for tag, member in self.changes.items()}, self.at, self.code)


def path_of(root: Path, number: int) -> Path:
    """Where the overlay of that number is; `root` is the store's."""
    return root / FOLDER / f"{number:016x}.json"


def keep(root: Path, corrections: Sequence[InForce]) -> int:
    """The number of these corrections in this order, 0 for none; durable before it is returned."""
    if not corrections:
        return 0
    content = _content(corrections)
    number = _number(content)
    path = path_of(root, number)
    if not path.exists():
        new_folder = not path.parent.exists()
        path.parent.mkdir(mode=0o750, exist_ok=True)
        part = path.with_name(f"{ids.new_version_key()}.part")
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        sync_folder(path.parent)
        if new_folder:
            sync_folder(root)
    return number


@lru_cache(maxsize=1024)
def read(root: Path, number: int) -> tuple[InForce, ...]:
    """The corrections of a number, in their order; () for 0.

    Raises Unavailable where the file cannot be read, Defect where it is not what it was: an object must not leave
    without its corrections.
    """
    if not number:
        return ()
    try:
        content = path_of(root, number).read_bytes()
    except OSError:
        raise Unavailable(
            "The corrections of this object cannot be read: restore them, or run `filmless rebuild`.",
            code="corrections-missing",
        ) from None
    if _number(content) != number:
        raise Defect("The corrections of this object are damaged.", code="corrections-damaged")
    return tuple(
        InForce(one["key"], datetime.fromisoformat(one["at"]), one["code"], one["changes"])
        for one in json.loads(content)
    )


def _content(corrections: Sequence[InForce]) -> bytes:
    listed = [
        {"key": one.key, "at": one.at.isoformat(), "code": one.code, "changes": one.changes}
        for one in corrections
    ]
    return json.dumps(listed, ensure_ascii=True, separators=(",", ":"), sort_keys=True).encode("ascii")


def _number(content: bytes) -> int:
    """63 bits of the content's hash, so that it fits every integer column; never 0."""
    return int.from_bytes(hashlib.sha256(content).digest()[:8]) >> 1 or 1


def copy(source: Path, target: Path) -> int:
    """Bring the overlays of one store's root to another's, those that are not there whole; for backup and restore.

    Returns how many. Whoever copies sees to it that they are on disk. Raises OSError.
    """
    if not (source / FOLDER).is_dir():
        return 0
    (target / FOLDER).mkdir(mode=0o750, parents=True, exist_ok=True)
    copied = 0
    for path in (source / FOLDER).glob("*.json"):
        to = target / FOLDER / path.name
        # what a power cut left short under its name is no copy
        if not to.exists() or to.stat().st_size != path.stat().st_size:
            part = to.with_name(f"{ids.new_version_key()}.part")
            shutil.copyfile(path, part)
            part.rename(to)
            copied += 1
    return copied
