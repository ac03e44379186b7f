"""HTTP: /health and /metrics, nothing else until accounts exist."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

#: connections beyond these are closed at once
MOST_CONNECTIONS = 128

Health = Callable[[], Awaitable[Mapping[str, Any]]]


def application(health: Health, registry: CollectorRegistry) -> Starlette:
    """The application. `health` answers with a mapping whose "status" is "ok" or "degraded" (then 503)."""

    async def get_health(_request: Request) -> Response:
        found = await health()
        return JSONResponse(
            found, 200 if found["status"] == "ok" else 503, headers={"Cache-Control": "no-store"}
        )

    async def get_metrics(_request: Request) -> Response:
        # collectors may ask the database: not on the loop that serves DICOM
        text = await asyncio.to_thread(generate_latest, registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})

    return Starlette(routes=[Route("/health", get_health), Route("/metrics", get_metrics)])


class _Protocol(H11Protocol):
    """A connection that asks for something soon, or ends; of uvicorn's own deadlines the first comes after a
    response. Without it, idle connections would keep the port from monitoring, and take the files of DICOM."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        else:
            self._wait_for_request()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_request(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
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
        # signals are app/serve.py's: HTTP shares the process with DICOM
        yield


class HttpServer:
    """uvicorn in the running loop, on a socket that is bound already (so that a taken port is known at once)."""

    def __init__(self, app: Starlette, listener: socket.socket, *, patience: int = 15) -> None:
        """`patience`: seconds in which a connection has to ask for something."""
        self._listener = listener
        self._server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                loop="none",
                server_header=False,
                limit_concurrency=64,
                timeout_keep_alive=patience,
                http=_Protocol,
                timeout_graceful_shutdown=5,
            )
        )
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
