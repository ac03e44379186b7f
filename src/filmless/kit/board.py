"""Figures that some processes of one server share: each writes its own, all read everybody's, nobody waits.

A page of memory without a name, made by the process that starts the others and given to them as a file. Each process
has a place in each row, eight bytes that it alone writes; so there are no locks, and one that is killed leaves nothing
half written.
"""

import mmap
import os
import tempfile
import threading
from typing import Final

#: processes that a board has places for
MOST: Final = 16
_ROW: Final = 8 * MOST
_CHANGES, _PRESENT = 0, MOST


class Board:
    """One process's view of it. Safe to use from any thread."""

    def __init__(self, place: int = 0, file: int | None = None) -> None:
        """`place`: of this process, from 0. `file`: of a board that another process has made; without it, a new one.

        The file is this object's from now on.
        """
        if not 0 <= place < MOST:
            raise ValueError(f"a board has no place {place}")
        self._file = _new_file() if file is None else file
        self._memory = mmap.mmap(self._file, 2 * _ROW)
        self._figures = memoryview(self._memory).cast("Q")
        self._place = place
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """To be given to another process."""
        return self._file

    # what has changed

    @property
    def changes(self) -> bytes:
        """Another value as soon as any process has said `changed`."""
        return self._memory[:_ROW]

    def changed(self) -> None:
        """Say that what others may remember is no longer so."""
        with self._lock:
            # a process that was started again counts on
            self._figures[_CHANGES + self._place] += 1

    # who has how much to do

    def take_part(self, held: int) -> None:
        """Say that this process is there, and how many connections it holds."""
        self._figures[_PRESENT + self._place] = held + 1

    def leave(self, place: int | None = None) -> None:
        """Say that this process takes nothing more; or another one, that ended without a word."""
        self._figures[_PRESENT + (self._place if place is None else place)] = 0

    def held(self) -> list[int]:
        """How many connections each of those that are there holds."""
        return [figure - 1 for figure in self._figures[_PRESENT : _PRESENT + MOST] if figure]


def _new_file() -> int:
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("filmless-board")
    else:
        with tempfile.TemporaryFile() as made:
            file = os.dup(made.fileno())
    os.ftruncate(file, 2 * _ROW)
    return file
