"""uvicorn in the running loop, with bounds that it has not by itself: connections, heads, and time to ask."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from filmless.net.http.model import HttpSettings
from filmless.net.http.problems import problem

#: the request line and the headers together, bytes
MOST_HEAD: Final = 64 << 10
#: more than the connections of all processes that call at the same moment
_BACKLOG: Final = 512
_UNREADABLE: Final = "This is no HTTP request that can be read, or its address is far too long."


class _Protocol(HttpToolsProtocol):
    """A connection that asks for something soon, or ends; of uvicorn's own deadlines the first comes after a
    response. Without it, idle connections would keep the port from others, and take the files of DICOM."""

    most_connections = 512
    stall_timeout = 60.0
    _patience: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            transport.abort()
        else:
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
    ) -> None:
        settings = settings or HttpSettings()
        self._listener = listener
        bounds = {"most_connections": settings.connections, "stall_timeout": settings.stall_timeout}
        protocol = type("_Bounded", (_Protocol,), bounds)
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
            "backlog": _BACKLOG,
            "timeout_graceful_shutdown": 5,
        }
        if tls is not None:
            # known to be right before anybody is served, and with our ciphers
            config["ssl_context_factory"] = lambda _config, _default: tls
        made = uvicorn.Config(app, **config)
        self._server = _Server(made)
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
