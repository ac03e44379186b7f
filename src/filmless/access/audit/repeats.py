"""What the same peer does again and again, told once and then counted: nobody fills the trail by knocking."""

import dataclasses
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from filmless.access.audit.model import Entry
from filmless.access.audit.trail import Trail

_PEERS = 2000
#: of one address that are told apart
_NAMES = 100


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
        #: address -> since when, and under which names it did something
        self._names: OrderedDict[str, tuple[float, set[str]]] = OrderedDict()

    def tell(self, entry: Entry, *, whoever: bool = False) -> None:
        """Record it, or count it where the same was told less than `seconds` ago. Never raises.

        `whoever`: from one address it is the same whatever name comes with it, since names cost nothing. It is so
        for all that an address does under more than a hundred names.
        """
        now = self._clock()
        of_host = self._names.get(entry.host)
        if of_host is None or now - of_host[0] >= self._seconds:
            self._names[entry.host] = of_host = (now, set())
            self._names.move_to_end(entry.host)
            if len(self._names) > _PEERS:
                self._names.popitem(last=False)
        if whoever or (entry.who.name not in of_host[1] and len(of_host[1]) >= _NAMES):
            name = ""
        else:
            of_host[1].add(name := entry.who.name)
        key = (entry.kind, entry.outcome, entry.who.kind, name, entry.host, entry.what, entry.reason)
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
