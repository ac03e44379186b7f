"""Anchors: the chain's end at many moments, in a file beside the database. They tell when the database was put back.

A line of HOME/audit/anchors.log: moment, number and mac of the last row, id of the key, seal over these and the seal
of the line before. The same is told to the collector, where nobody of this machine can change it.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filmless.access.audit.chain import Head
from filmless.access.audit.keys import Key, Keys
from filmless.kit import clock

NAME = "anchors.log"
_LONGEST_LINE = 400


@dataclass(frozen=True, slots=True)
class Anchor:
    """One line. `seal` as it stands there."""

    at: str
    seq: int
    mac: str
    key: str
    seal: str

    @property
    def line(self) -> str:
        return f"{self.at} {self.seq} {self.mac or '-'} {self.key or '-'} {self.seal}"

    def sealed_by(self, key: Key, before: str) -> bool:
        return self.seal == _seal(key, self.at, self.seq, self.mac, before)


class Anchors:
    """The file with the anchors of one home; several processes may append."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        self.file = folder / NAME
        self._keys = keys

    def append(self, end: Head, *, seconds: float = 0.0) -> bool:
        """Anchor the end of the chain, on disk when it returns; not where the newest anchor says the same already,
        or is of less than `seconds` ago. Returns whether a line was added."""
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            status = os.fstat(fd)
            if status.st_size and time.time() - status.st_mtime < seconds:
                return False
            before = _last(fd, status.st_size)
            # an older end than the newest anchor's is not anchored: it would hide that rows are missing
            if before is not None and before.seq >= end.seq:
                return False
            at = clock.now().isoformat(timespec="microseconds")[:26] + "Z"
            key = self._keys.current
            seal = _seal(key, at, end.seq, end.mac, before.seal if before is not None else "")
            os.write(fd, Anchor(at, end.seq, end.mac, key.id, seal).line.encode() + b"\n")
            os.fsync(fd)
            return True
        finally:
            os.close(fd)

    def size(self) -> int:
        """Bytes of whole lines at this moment."""
        try:
            return self.file.stat().st_size
        except FileNotFoundError:
            return 0

    def read(self, size: int) -> Iterator[tuple[int, Anchor | None, bool]]:
        """(line number, anchor, whether its seal is right) of the first `size` bytes; None for what is no anchor."""
        if not size:
            return
        before = ""
        with self.file.open("rb") as stream:
            number = 0
            while stream.tell() < size:
                raw = stream.readline(_LONGEST_LINE)
                number += 1
                anchor = _parse(raw)
                if anchor is None:
                    yield number, None, False
                    continue
                key = self._keys.find(anchor.key)
                yield number, anchor, key is not None and anchor.sealed_by(key, before)
                before = anchor.seal


def parse_line(line: str) -> Anchor | None:
    """An anchor from the text of its line, as the collector has it; None for other text."""
    return _parse(line.strip().encode() + b"\n")


def _parse(raw: bytes) -> Anchor | None:
    parts = raw.decode("ascii", "replace").split()
    if len(parts) != 5 or not parts[1].isdigit() or not raw.endswith(b"\n"):
        return None
    at, seq, mac, key, seal = parts
    return Anchor(at, int(seq), "" if mac == "-" else mac, "" if key == "-" else key, seal)


def _last(fd: int, size: int) -> Anchor | None:
    """The last whole line; a torn one, from a power cut, is ended first."""
    tail = os.pread(fd, min(size, 2 * _LONGEST_LINE), max(0, size - 2 * _LONGEST_LINE))
    if tail and not tail.endswith(b"\n"):
        os.write(fd, b"\n")
    for line in reversed(tail.splitlines(keepends=True)):
        if (anchor := _parse(line)) is not None:
            return anchor
    return None


def _seal(key: Key, at: str, seq: int, mac: str, before: str) -> str:
    return key.seal(b"anchor", at.encode(), str(seq).encode(), mac.encode(), before.encode())
