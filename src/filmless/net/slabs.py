"""Receive buffers that outlive the read that filled them.

A connection reads into a slab; fragments of objects are handed on as views of it, each with a reference. A
slab goes back to its pool when the reader and all the takers have let go, so no byte is copied on its way from
the socket to the file.
"""

import threading

from filmless.kit.errors import Defect

SLAB = 256 * 1024


class Slab:
    """A buffer with a count of those who still need it. `release` may be called from any thread."""

    __slots__ = ("_lock", "_pool", "refs", "view")

    def __init__(self, pool: "SlabPool", size: int) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self.refs = 0
        self.view = memoryview(bytearray(size))

    def retain(self) -> None:
        """One more needs it."""
        with self._lock:
            self.refs += 1

    def release(self) -> None:
        """One less needs it. Raises Defect when nobody did."""
        with self._lock:
            self.refs -= 1
            refs = self.refs
        if refs <= 0:
            if refs < 0:
                raise Defect("a receive buffer was released more often than it was handed out")
            self._pool.give_back(self)


class SlabPool:
    """Slabs for all connections of a process; at most `keep` idle ones are held on to."""

    def __init__(self, size: int = SLAB, keep: int = 32) -> None:
        self._size = size
        self._keep = keep
        self._idle: list[Slab] = []
        #: slabs made so far, for tests and metrics
        self.made = 0

    @property
    def idle(self) -> int:
        """Slabs that wait for use."""
        return len(self._idle)

    def take(self) -> Slab:
        """A slab with one reference, the caller's."""
        try:
            slab = self._idle.pop()
        except IndexError:
            slab = Slab(self, self._size)
            self.made += 1
        slab.refs = 1
        return slab

    def give_back(self, slab: Slab) -> None:
        """Called by the slab when its last reference goes."""
        if len(self._idle) < self._keep:
            self._idle.append(slab)
