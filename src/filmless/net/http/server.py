"""uvicorn in the running loop, with bounds that it has not by itself: connections, heads, and time to ask."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from filmless.kit.board import Board
from filmless.net.http.accepting import Accepting
from filmless.net.http.model import HttpSettings
from filmless.net.http.problems import problem

#: the request line and the headers together, bytes
MOST_HEAD: Final = 64 << 10
_UNREADABLE: Final = "This is no HTTP request that can be read, or its address is far too long."


class _Protocol(HttpToolsProtocol):
    """A connection that asks for something soon, or ends; of uvicorn's own deadlines the first comes after a
    response. Without it, idle connections would keep the port from others, and take the files of DICOM."""

    stall_timeout = 60.0
    gone: Callable[[], None]
    _patience: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_request()

    def data_received(self, data: bytes) -> None:
        if self._waiting:
            # a body may come with it; longer heads are refused in the next round
            if self._head > MOST_HEAD:
                self.transport.abort()
                return
            self._head += len(data)
        super().data_received(data)
        self._wait_for_request()

    def send_400_response(self, msg: str) -> None:
        """What is no request is told so as any other error, in place of the library's plain text."""
        answer = problem(400, detail=_UNREADABLE, code="not-http")
        head = b"".join(name + b": " + value + b"\r\n" for name, value in answer.raw_headers)
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\n" + head + b"Connection: close\r\n\r\n" + answer.body
        )
        self.transport.close()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait_for_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        # a client that takes nothing of its answer would hold it for ever
        self._stalled = self.loop.call_later(self.stall_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._not_stalled()

    def _not_stalled(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._not_stalled()
        super().connection_lost(exc)
        self.gone()

    @property
    def _waiting(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait_for_request(self) -> None:
        if not self._waiting:
            self._head = 0
            self._stop_waiting()
        elif self._patience is None:
            # more bytes do not begin it anew: a request that trickles is none
            self._patience = self.loop.call_later(self.timeout_keep_alive, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class _Server(uvicorn.Server):
    """Takes its connections by itself, beside other processes."""

    def __init__(self, config: uvicorn.Config, board: Board, most: int, tls: ssl.SSLContext | None) -> None:
        super().__init__(config)
        self._board = board
        self._most = most
        self._tls = tls
        self._accepting: Accepting | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        assert sockets
        await super().startup(sockets=[])
        self._accepting = Accepting(sockets[0], self._board, self._protocol, most=self._most, tls=self._tls)
        self._accepting.start()

    def _protocol(self) -> asyncio.Protocol:
        kind: Any = self.config.http_protocol_class
        made: asyncio.Protocol = kind(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._accepting is not None:
            self._accepting.stop()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # signals belong to the process that serves
        yield


class HttpServer:
    """Serves `app` on a socket that is bound already (so that a taken port is known at once)."""

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        settings: HttpSettings | None = None,
        tls: ssl.SSLContext | None = None,
        board: Board | None = None,
    ) -> None:
        """`board`: shared with other processes that listen on the same socket."""
        settings = settings or HttpSettings()
        self._listener = listener
        protocol = type("_Bounded", (_Protocol,), {"stall_timeout": settings.stall_timeout})
        config: dict[str, Any] = {
            "log_config": None,
            "access_log": False,
            "lifespan": "off",
            "ws": "none",
            "loop": "none",
            "server_header": False,
            "proxy_headers": False,
            "timeout_keep_alive": settings.patience,
            "http": protocol,
            "timeout_graceful_shutdown": 5,
        }
        self._server = _Server(uvicorn.Config(app, **config), board or Board(), settings.connections, tls)
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def start(self) -> None:
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]), name="http")

    async def stop(self) -> None:
        """Let requests under way end, for at most five seconds."""
        if self._task is not None:
            self._server.should_exit = True
            await self._task
