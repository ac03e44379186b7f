"""What the same peer does again and again, told once and then counted: nobody fills the trail by knocking."""

import dataclasses
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from filmless.access.audit.model import Entry
from filmless.access.audit.trail import Trail

_PEERS = 2000


@dataclass(slots=True)
class _Told:
    at: float
    entry: Entry
    since: int = 0


class Repeats:
    """Tells the first of the same things at once, and how many more there were when `seconds` have passed.

    Not thread-safe: one for an event loop. `close` tells what was counted and not told.
    """

    def __init__(
        self, trail: Trail, *, seconds: float = 600.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._trail = trail
        self._seconds = seconds
        self._clock = clock
        self._told: OrderedDict[tuple[str, ...], _Told] = OrderedDict()

    def tell(self, entry: Entry) -> None:
        """Record it, or count it where the same was told less than `seconds` ago. Never raises."""
        key = (
            entry.kind,
            entry.outcome,
            entry.who.kind,
            entry.who.name,
            entry.host,
            entry.what,
            entry.reason,
        )
        now = self._clock()
        known = self._told.get(key)
        if known is not None and now - known.at < self._seconds:
            known.since += 1
            return
        if known is not None:
            self._tell_repeats(known)
        self._told[key] = _Told(now, entry)
        self._told.move_to_end(key)
        if len(self._told) > _PEERS:
            self._tell_repeats(self._told.popitem(last=False)[1])
        self._trail.record_late(entry)

    def close(self) -> None:
        for told in self._told.values():
            self._tell_repeats(told)
        self._told.clear()

    def _tell_repeats(self, told: _Told) -> None:
        if told.since:
            detail = {**told.entry.detail, "repeats": told.since}
            self._trail.record_late(dataclasses.replace(told.entry, detail=detail))
