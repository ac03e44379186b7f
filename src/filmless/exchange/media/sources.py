"""Where files come from: folders, ZIP archives, file-sets with a DICOMDIR. One walk, nothing unpacked to disk."""

import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from filmless.dicom import part10, scan
from filmless.dicom.uids import EXPLICIT_VR_LE
from filmless.kit.errors import Refused

DICOMDIR_CLASS = "1.2.840.10008.1.3.10"

_DIRECTORY_RECORDS = 0x00041220
_FILE_ID = 0x00041500
_MAX_DICOMDIR = 256 << 20
#: a member of a ZIP that is larger than this when unpacked, and has grown by more than the factor, is a bomb
_BOMB_BYTES, _BOMB_FACTOR = 64 << 20, 200
_MAX_MEMBER = 32 << 30


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be a DICOM object; or one that cannot be taken, with the reason."""

    #: for people: the path, in a ZIP "archive.zip: member"
    name: str
    size: int
    open: Callable[[], BinaryIO] | None
    reason: str = ""


def candidates(paths: Iterable[Path], keep_open: ExitStack) -> Iterator[Candidate]:
    """Every file of `paths` in the order of their names, each once.

    ZIP archives stay open until `keep_open` is closed. Links to folders are not followed, devices and pipes not
    opened. A DICOMDIR given by itself stands for the files that it names; one in a folder adds those that it
    names and that are missing, as reasons.
    """
    for path in paths:
        if path.is_dir():
            for found in _walk(path):
                yield from _file(found, keep_open, in_folder=True)
        elif path.exists():
            yield from _file(path, keep_open, in_folder=False)
        else:
            yield Candidate(printable(str(path)), 0, None, "there is no such file or folder")


def _walk(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            yield Path(where, name)


def _file(path: Path, keep_open: ExitStack, *, in_folder: bool) -> Iterator[Candidate]:
    name = printable(str(path))
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            yield Candidate(name, 0, None, "is no regular file")
            return
        with path.open("rb") as stream:
            start = stream.read(4)
            is_directory = path.name.upper().startswith("DICOMDIR") and _is_dicomdir(stream)
    except OSError as why:
        yield Candidate(name, 0, None, f"cannot be read: {why.strerror}")
        return
    if start in (b"PK\x03\x04", b"PK\x05\x06"):
        yield from _members(path, keep_open)
    elif is_directory:
        yield from _file_set(path, missing_only=in_folder)
    else:
        yield Candidate(name, facts.st_size, lambda: path.open("rb"))


def _members(path: Path, keep_open: ExitStack) -> Iterator[Candidate]:
    archive_name = printable(str(path))
    try:
        archive = keep_open.enter_context(zipfile.ZipFile(path))
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as why:
        yield Candidate(archive_name, 0, None, f"is a ZIP archive that cannot be read: {why}")
        return
    for member in sorted(archive.infolist(), key=lambda one: one.filename):
        if member.is_dir():
            continue
        # a member's name is shown, and never becomes a path
        name = f"{archive_name}: {printable(member.filename)}"
        reason = _unfit(member)
        if reason:
            yield Candidate(name, member.file_size, None, reason)
        else:
            yield Candidate(name, member.file_size, _opener(archive, member))


def _opener(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Callable[[], BinaryIO]:
    def open_member() -> BinaryIO:
        try:
            return archive.open(member)  # type: ignore[return-value]
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as why:
            raise OSError(0, str(why)) from None

    return open_member


def _unfit(member: zipfile.ZipInfo) -> str:
    if member.flag_bits & 0x1:
        return "is encrypted"
    if member.filename.lower().endswith(".zip"):
        return "is a ZIP archive inside a ZIP archive: unpack the outer one first"
    if Path(member.filename).name.upper() == "DICOMDIR":
        return "is the directory of the others"
    if member.file_size > _MAX_MEMBER:
        return "is larger than 32 GiB"
    if member.file_size > _BOMB_BYTES and member.file_size > _BOMB_FACTOR * max(1, member.compress_size):
        return f"would grow more than {_BOMB_FACTOR}-fold when unpacked, which images do not"
    return ""


def _is_dicomdir(stream: BinaryIO) -> bool:
    try:
        return part10.read_meta(stream).sop_class_uid == DICOMDIR_CLASS
    except Refused:
        return False


def _file_set(directory: Path, *, missing_only: bool) -> Iterator[Candidate]:
    """The files that a DICOMDIR names (PS3.3 F.3), below its own folder."""
    name = printable(str(directory))
    if directory.stat().st_size > _MAX_DICOMDIR:
        yield Candidate(name, 0, None, "is a DICOMDIR of more than 256 MiB")
        return
    content = directory.read_bytes()
    meta = part10.read_meta(content)
    header = scan.scan(
        memoryview(content)[meta.data_set_offset :],
        meta.transfer_syntax_uid or EXPLICIT_VR_LE,
        frozenset({_DIRECTORY_RECORDS}),
    )
    records = scan.sequence_items(header, _DIRECTORY_RECORDS)
    if not records:
        yield Candidate(
            name, 0, None, "is a DICOMDIR that names no files, or is too large: import its folder"
        )
        return
    seen: set[str] = set()
    for record in records:
        file_id = scan.text(record, _FILE_ID)
        parts = [part.strip(" \0") for part in file_id.split("\\")]
        if not file_id.strip(" \0") or file_id in seen:
            continue
        seen.add(file_id)
        label = f"{name}: {printable('/'.join(parts))}"
        if any(part in ("", ".", "..") or "/" in part for part in parts):
            yield Candidate(label, 0, None, "is named in the DICOMDIR by a path that leads elsewhere")
            continue
        found = _find(directory.parent, parts)
        if found is None:
            yield Candidate(label, 0, None, "is named in the DICOMDIR, and missing")
        elif not missing_only:
            yield Candidate(printable(str(found)), found.stat().st_size, lambda path=found: path.open("rb"))  # type: ignore[misc]


def _find(folder: Path, parts: list[str]) -> Path | None:
    """The file of a File ID; discs mounted elsewhere may show its capital letters as small ones."""
    at = folder
    for part in parts:
        for spelling in (part, part.lower(), part.upper()):
            if (at / spelling).exists():
                at = at / spelling
                break
        else:
            return None
    inside = at.resolve()
    return at if at.is_file() and folder.resolve() in inside.parents else None


def printable(text: str) -> str:
    """A file's name as it may be shown on a terminal."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
