"""`filmless export`: objects onto a folder or into a ZIP archive, as a file-set with a DICOMDIR (PS3.10 section 8)."""

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Protocol

from filmless.archive.leaving import Leaving, leaving
from filmless.archive.query import StoredInstance
from filmless.dicom import part10
from filmless.dicom.builders.dicomdir import RECORD_TAGS, Directory
from filmless.kit.errors import Conflict, Refused, Unavailable

#: (done, all) bytes
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Exported:
    """What was written; `damaged` are SOP Instance UIDs whose files in the archive are not what they were."""

    objects: int = 0
    bytes: int = 0
    damaged: list[str] = field(default_factory=list)


class _Target(Protocol):
    """Where files go: by their path below the top."""

    def write(self, path: str, size: int, chunks: Iterator[bytes]) -> None: ...


def take_out(
    store: Path, instances: Sequence[StoredInstance], destination: Path, *, progress: Progress | None = None
) -> Exported:
    """Write objects in their stored transfer syntaxes, with the corrections of their headers, and a DICOMDIR of
    them; each file of the archive is checked against its hash first.

    `destination` is a ZIP archive where its name ends in .zip, else a folder: not there yet, or empty. Raises
    Conflict where it is neither, Unavailable where it cannot be written.
    """
    result = Exported()
    total = sum(one.size for one in instances)
    directory = Directory()
    try:
        with _target(destination) as target:
            for one in instances:
                out = _sound(store, one)
                if out is not None:
                    file_id = directory.add(
                        out.header(RECORD_TAGS),
                        sop_class_uid=one.sop_class,
                        sop_instance_uid=one.sop_instance,
                        transfer_syntax_uid=one.ts,
                    )
                    meta = part10.build_preamble_and_meta(one.sop_class, one.sop_instance, one.ts)
                    target.write("/".join(file_id), len(meta) + out.size, chain([meta], out.chunks()))
                    result.objects += 1
                    result.bytes += out.size
                else:
                    result.damaged.append(one.sop_instance)
                if progress is not None:
                    progress(result.bytes, total)
            content = directory.build()
            target.write("DICOMDIR", len(content), iter([content]))
    except OSError as why:
        raise Unavailable(f"{destination} cannot be written: {why.strerror}.", code="export-disk") from None
    return result


def _sound(store: Path, one: StoredInstance) -> Leaving | None:
    """How the object leaves, where its file is what it was; None where it is not."""
    digest = hashlib.sha256()
    try:
        stored = Leaving(b"", store / one.path, one.offset, one.size, one.ts)
        for chunk in stored.chunks():
            digest.update(chunk)
        return leaving(one, store) if digest.hexdigest() == one.sha256 else None
    except (FileNotFoundError, Refused):
        return None
    except OSError as error:
        if error.errno:
            raise
        # shorter than it was
        return None


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, path: str, size: int, chunks: Iterator[bytes]) -> None:
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            for chunk in chunks:
                out.write(chunk)


class _Zip:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def write(self, path: str, size: int, chunks: Iterator[bytes]) -> None:
        member = zipfile.ZipInfo(path, date_time=(1980, 1, 1, 0, 0, 0))
        member.compress_type = zipfile.ZIP_DEFLATED
        member.external_attr = 0o640 << 16
        member.file_size = size
        with self._archive.open(member, "w", force_zip64=size >= 1 << 31) as out:
            for chunk in chunks:
                out.write(chunk)


@contextmanager
def _target(destination: Path) -> Iterator[_Target]:
    """A ZIP archive gets its name when it is complete; a folder that was not finished has no DICOMDIR."""
    if destination.suffix.lower() != ".zip":
        if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
            raise Conflict(f"{destination} is not an empty folder.", code="not-empty")
        destination.mkdir(parents=True, exist_ok=True)
        yield _Folder(destination)
        return
    if destination.exists():
        raise Conflict(f"{destination} is there already.", code="not-empty")
    if not destination.parent.is_dir():
        raise Refused(f"There is no folder {destination.parent}.", code="no-folder")
    part = destination.with_name(destination.name + ".part")
    try:
        with zipfile.ZipFile(part, "w", compresslevel=1) as archive:
            yield _Zip(archive)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.rename(destination)
    finally:
        part.unlink(missing_ok=True)
