"""Connections taken from a socket that several processes listen on, so that each of them holds about as many.

By itself the kernel gives a connection to whoever comes first, which is one process again and again, and SO_REUSEPORT
gives it to one by chance: of four connections of one client, which then ask thousands of times, three or all are one
process's in five of eight cases. Here a process that holds more than another leaves the next one to it for a moment,
and takes it if nobody has.
"""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Final, Protocol

from filmless.kit.board import Board

log = logging.getLogger(__name__)

#: more than the connections of all processes that call at the same moment
_BACKLOG: Final = 512
#: seconds for which a connection is left to a process that holds fewer: time to end a search; and between two looks
#: whether it still does
_LEFT: Final = 0.005
_LOOK: Final = 0.001
#: seconds until the next try where the system has no room for one more
_NO_ROOM: Final = 1.0
_FULL: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Connection(Protocol):
    """What is made for each connection: an asyncio.Protocol that calls `gone` when the connection is lost."""

    gone: Callable[[], None]


class Accepting:
    """Takes connections in the running loop, from `start` to `stop`."""

    def __init__(
        self,
        listener: socket.socket,
        board: Board,
        made: Callable[[], asyncio.Protocol],
        *,
        most: int,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`made`: see Connection. `most`: connections of all processes together; those beyond are closed at once."""
        self._listener = listener
        self._board = board
        self._made = made
        self._most = most
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._held = 0
        #: while it does not listen: when it looks again, and until when others have their turn
        self._later: asyncio.TimerHandle | None = None
        self._until = 0.0
        self._opening: set[asyncio.Task[None]] = set()
        self._open = False

    def start(self) -> None:
        self._listener.setblocking(False)  # noqa: FBT003 - positional only
        self._listener.listen(_BACKLOG)
        self._board.take_part(0)
        self._open = True
        self._loop.add_reader(self._listener, self._ready)

    def stop(self) -> None:
        """Take nothing more. What is open stays so."""
        if not self._open:
            return
        self._open = False
        if self._later is not None:
            self._later.cancel()
        else:
            self._loop.remove_reader(self._listener)
        for task in self._opening:
            # a handshake that ends later would make a connection that nobody tells to end
            task.cancel()
        self._board.leave()

    @property
    def _is_ahead(self) -> bool:
        """Whether another process holds fewer."""
        return self._held > min(self._board.held(), default=0)

    def _ready(self) -> None:
        if self._is_ahead:
            self._wait(_LEFT, _LOOK)
        else:
            self._take()

    def _wait(self, seconds: float, look: float) -> None:
        self._loop.remove_reader(self._listener)
        self._until = self._loop.time() + seconds
        self._later = self._loop.call_later(look, self._look)

    def _look(self) -> None:
        if self._is_ahead and self._loop.time() < self._until:
            self._later = self._loop.call_later(_LOOK, self._look)
            return
        self._listen()
        self._take()

    def _listen(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        self._loop.add_reader(self._listener, self._ready)

    def _take(self) -> None:
        """One; then others have their turn, and the loop its other work."""
        try:
            taken, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            # another process was there first, or the caller has gone
            return
        except OSError as why:
            if why.errno not in _FULL:
                raise
            log.error("no connection can be taken: %s", why.strerror)
            self._wait(_NO_ROOM, _NO_ROOM)
            return
        if sum(self._board.held()) >= self._most:
            taken.close()
            return
        taken.setblocking(False)  # noqa: FBT003 - positional only
        self._count(1)
        task = self._loop.create_task(self._begin(taken))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _begin(self, taken: socket.socket) -> None:
        counted = True

        def gone() -> None:
            nonlocal counted
            if counted:
                counted = False
                self._count(-1)

        def made() -> asyncio.Protocol:
            one = self._made()
            one.gone = gone  # type: ignore[attr-defined]
            return one

        # the socket is the transport's from here on: it closes it, whatever happens
        try:
            await self._loop.connect_accepted_socket(made, taken, ssl=self._tls)
        except OSError:
            # it went away, or did not speak TLS as we do
            gone()
        except BaseException:
            gone()
            raise

    def _count(self, more: int) -> None:
        self._held += more
        if self._open:
            self._board.take_part(self._held)
            if more < 0 and self._later is not None and not self._is_ahead:
                # it is its turn again
                self._listen()
