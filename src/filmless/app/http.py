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


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # signals are app/serve.py's: HTTP shares the process with DICOM
        yield


class HttpServer:
    """uvicorn in the running loop, on a socket that is bound already (so that a taken port is known at once)."""

    def __init__(self, app: Starlette, listener: socket.socket) -> None:
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
                timeout_keep_alive=15,
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
