"""The deadlines of an established association, looked at by one timer instead of one for each read."""

import asyncio
from collections.abc import Callable

from filmless.net.model import NetSettings
from filmless.net.wire import SINK, WINDOW, Wire

#: Bytes that must arrive within the DIMSE time-out for a message to count as going on. A sender that lets
#: single bytes trickle does not count.
LEAST_PROGRESS = 1024


class Watch:
    """Aborts an association that keeps us waiting.

    Four waits: the peer takes nothing that we send (send time-out), our own sink takes no more or an answer of
    ours is not ready (answer time-out), a message does not go on (DIMSE time-out), nothing happens at all
    (idle time-out).
    """

    def __init__(
        self,
        wire: Wire,
        settings: NetSettings,
        doing: Callable[[], tuple[bool, int]],
        fail: Callable[[str], None],
    ) -> None:
        self._wire = wire
        self._settings = settings
        self._doing = doing
        self._fail = fail
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._interval = max(0.02, min(5.0, self._shortest() / 4))
        self._progress_at = 0.0  # when the message was last seen to go on, and how many bytes there were
        self._progress_bytes = 0
        self._was_inside = False
        self._busy_at = 0.0  # when something was last seen to happen
        self._busy_bytes = -1
        self._unsent = 0

    def start(self) -> None:
        """Begin to look."""
        self._progress_at = self._busy_at = self._loop.time()
        self._timer = self._loop.call_later(self._interval, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _shortest(self) -> float:
        s = self._settings
        return min(s.send_timeout, s.answer_timeout, s.dimse_timeout, s.idle_timeout)

    def _look(self) -> None:
        fault = self._fault(self._loop.time())
        if fault:
            self._timer = None
            self._fail(fault)
        else:
            self._timer = self._loop.call_later(self._interval, self._look)

    def _fault(self, now: float) -> str:
        wire, settings = self._wire, self._settings
        inside, outstanding = self._doing()
        if wire.blocked_since is not None:
            if wire.unsent != self._unsent:
                self._unsent = wire.unsent
                wire.blocked_since = now
            elif now - wire.blocked_since > settings.send_timeout:
                return "the other side takes no more data"
        if wire.paused_since is not None:
            self._progress_at = self._busy_at = now
            ours = wire.paused_for(SINK) or wire.paused_for(WINDOW)
            if ours and now - wire.paused_since > settings.answer_timeout:
                return "storing takes too long"
            return ""
        if inside and self._was_inside and wire.bytes_in - self._progress_bytes < LEAST_PROGRESS:
            if now - self._progress_at > settings.dimse_timeout:
                return "a message was begun and does not go on"
        else:
            self._progress_at, self._progress_bytes = now, wire.bytes_in
        self._was_inside = inside
        if outstanding or inside or wire.bytes_in + wire.bytes_out != self._busy_bytes:
            self._busy_at, self._busy_bytes = now, wire.bytes_in + wire.bytes_out
        elif now - self._busy_at > settings.idle_timeout:
            return "nothing happened for too long"
        return ""
