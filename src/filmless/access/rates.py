"""How often something may be tried in a minute: by one address, for one account."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final, Protocol

from filmless.kit.errors import Refused

_WINDOW: Final = 60.0
#: more at once are forgotten, the longest unused first
_MOST_KEYS: Final = 10_000


class Counting(Protocol):
    """Counts for several processes, as Rates does for one. May block."""

    def take(self, kind: str, key: str, most: int) -> None: ...

    def give_back(self, kind: str, key: str) -> None: ...


class Rates:
    """Counts in memory; what is to hold over several servers, and over a restart, is in the database (lockout).

    `elsewhere` counts for all processes of a server. It is asked only while fewer than `most` were counted here, so
    that nobody who is refused already costs it anything. With it, not for an event loop.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, elsewhere: Counting | None = None
    ) -> None:
        self._clock = clock
        self._elsewhere = elsewhere
        self._lock = threading.Lock()
        self._taken: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def take(self, kind: str, key: str, most: int) -> None:
        """Count one more. Raises Refused (code "too-many") where `most` were counted within the last minute."""
        now = self._clock()
        with self._lock:
            taken = self._taken.setdefault((kind, key), deque())
            self._taken.move_to_end((kind, key))
            while taken and taken[0] <= now - _WINDOW:
                taken.popleft()
            if len(taken) >= most:
                raise Refused("Too many attempts. Wait a minute, then try again.", code="too-many")
            taken.append(now)
            while len(self._taken) > _MOST_KEYS:
                self._taken.popitem(last=False)
        if self._elsewhere is not None:
            try:
                self._elsewhere.take(kind, key, most)
            except Refused:
                # what is refused does not count, here neither
                with self._lock:
                    if taken:
                        taken.pop()
                raise

    def give_back(self, kind: str, key: str) -> None:
        """The last one taken was none of those that count."""
        with self._lock:
            taken = self._taken.get((kind, key))
            if taken:
                taken.pop()
        if self._elsewhere is not None:
            self._elsewhere.give_back(kind, key)
