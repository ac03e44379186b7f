"""What is where on the web side: /health, /metrics, /dicom-web, /api, the application; and what all answers share."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from filmless import __version__
from filmless.access import api as access_api
from filmless.access.gate import Gate
from filmless.access.rates import Rates
from filmless.access.web import Authenticate
from filmless.app import control, system_api
from filmless.app.calling import tls_for_devices
from filmless.app.counting import AtServer
from filmless.app.index import open_index
from filmless.app.pages import Application
from filmless.app.settings import Settings
from filmless.app.system_api import Server
from filmless.app.trail import open_trail
from filmless.archive import api as archive_api
from filmless.archive import assigning
from filmless.archive.codecs import Codecs
from filmless.archive.store import Archive
from filmless.archive.web import routes as archive_routes
from filmless.archive.web.context import ArchiveWeb
from filmless.db.durable import jobs_url
from filmless.department import api as department_api
from filmless.department.desk import open_desk
from filmless.department.identity import api as identity_api
from filmless.devices import api as devices_api
from filmless.devices.api import Calling
from filmless.exchange import api as exchange_api
from filmless.exchange import job_api, send_api, share_pages, sharing
from filmless.insight import api as insight_api
from filmless.kit.board import Board
from filmless.kit.errors import FilmlessError, Unavailable
from filmless.net.http.bodies import BoundedBodies
from filmless.net.http.described import with_problem
from filmless.net.http.problems import of_error, problem
from filmless.reporting import api as reporting_api
from filmless.reporting import genuine_page
from filmless.reporting.model import CHECK_PAGE
from filmless.reporting.signing import Keys
from filmless.viewing import api as viewing_api

log = logging.getLogger(__name__)

DICOM_WEB: Final = "/dicom-web"
API: Final = "/api"

#: answers that are data: nothing in them runs or is framed, wherever a browser is led to open them
_DATA_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_DOCUMENT_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'self'; base-uri 'none'; "
    "form-action 'none'"
)
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=(), camera=(), payment=()",
}
_YEAR: Final = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Site:
    """The web side, ready to be served."""

    app: ASGIApp
    #: to be set when it is told to stop, before requests under way are waited for
    ending: threading.Event = field(default_factory=threading.Event)


@asynccontextmanager
async def open_site(settings: Settings, board: Board | None = None) -> AsyncIterator[Site]:
    """All that answers HTTP, opened; closed at the end. `board`: of all web processes of the server, where there are
    several."""
    with open_index(settings, create=True) as engine, open_trail(settings, engine, "web") as trail:
        rates = Rates(elsewhere=AtServer(settings.control_socket)) if settings.http.processes > 1 else Rates()
        gate = Gate(engine, settings.access, settings.http, trail, board=board, rates=rates)
        codecs = Codecs(settings.home / "scratch", settings.codecs)
        archive = Archive(engine, settings.store, settings.archive, codecs)
        desk = job_api.JobDesk(settings.home, jobs_url(settings.home, settings.index_url))
        server = Server(settings, engine, desk)
        await asyncio.to_thread(archive.start)
        try:
            context = ArchiveWeb(
                engine=engine,
                home=settings.home,
                store=settings.store,
                codecs=codecs,
                trail=trail,
                archive=archive,
                settings=settings.archive,
                http=settings.http,
            )
            app = assemble(settings, gate, archive_routes.routes(context), routers(context, server))
            yield Site(app, context.ending)
        finally:
            desk.close()
            await asyncio.to_thread(archive.stop)
            codecs.close()


def routers(context: ArchiveWeb | None, server: Server | None = None) -> list[APIRouter]:
    """Our API, room by room. None for what they work with is enough to describe them."""
    settings = server.settings if server is not None else None
    calling = Calling(settings.net, tls_for_devices(settings)) if settings is not None else None
    desk = open_desk(settings.department, settings.home) if settings is not None else None
    return [
        access_api.router,
        archive_api.router(context),
        assigning.router,
        department_api.router(desk, context),
        identity_api.router(context, desk),
        exchange_api.router,
        devices_api.router(calling),
        job_api.router(server.desk if server is not None else None),
        send_api.router(server.desk if server is not None else None),
        system_api.router(server),
        viewing_api.router(context),
        reporting_api.router(context, settings.reporting if settings is not None else None),
        insight_api.router(context),
    ]


def assemble(
    settings: Settings, gate: Gate, dicom_web: Sequence[BaseRoute], routers: Sequence[APIRouter]
) -> ASGIApp:
    """The whole, of the rooms' routes."""
    handlers: dict[Any, Any] = {
        FilmlessError: _ours,
        HTTPException: _http,
        RequestValidationError: _invalid,
        500: _defect,
    }
    allowed = list(settings.http.allowed_origins)
    web: ASGIApp = Starlette(routes=list(dicom_web), exception_handlers=handlers)
    links = share_pages.routes(gate.engine, gate.trail, settings.http, web)
    keys = Keys(settings.home / "keys")
    papers = genuine_page.routes(gate.engine, gate.trail, settings.http, keys, settings.reporting, gate.rates)
    if allowed:
        # with a token, never with the cookie of somebody who is signed in here
        web = CORSMiddleware(
            web, allow_origins=allowed, allow_methods=["*"], allow_headers=["*"], expose_headers=["*"]
        )
    dicom = ServerErrorMiddleware(Authenticate(web, gate), handler=_defect)
    app: ASGIApp = Starlette(
        routes=[
            Route("/health", _Told(settings, "health")),
            Route("/metrics", _Told(settings, "metrics")),
            Mount(DICOM_WEB, dicom),
            Mount(API, Authenticate(api(routers, handlers), gate)),
            Mount(sharing.PAGES, routes=links),
            Mount(CHECK_PAGE, routes=papers),
            Mount("/", Application()),
        ],
        exception_handlers=handlers,
    )

    def limit(path: str) -> int:
        storing = path.startswith(DICOM_WEB)
        return settings.http.max_store_bytes if storing else settings.http.max_body_bytes

    return Shared(
        BoundedBodies(Straight(app, DICOM_WEB, dicom), limit, settings.http.stall_timeout), settings
    )


def api(routers: Sequence[APIRouter], handlers: dict[Any, Any]) -> FastAPI:
    """Our own API. Its description at /api/openapi.json is what the browser's client is generated from."""
    made = FastAPI(
        title="Filmless",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        exception_handlers=handlers,
        # the name of the function: short, and stable as long as the function is called so
        generate_unique_id_function=_name_of,
        separate_input_output_schemas=False,
    )
    for router in routers:
        made.include_router(router)
    plain = made.openapi
    made.openapi = lambda: with_problem(plain())  # type: ignore[method-assign]
    return made


def _name_of(route: APIRoute) -> str:
    return route.name


class _Told:
    """Asks the process that serves DICOM, which knows how all the others are."""

    def __init__(self, settings: Settings, what: str) -> None:
        self._socket = settings.control_socket
        self._what = what

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            found = await asyncio.to_thread(control.ask, self._socket, self._what)
        except Unavailable as why:
            response: Response = problem(503, detail=why.message, code=why.code)
        else:
            if self._what == "metrics":
                response = Response(found["text"], media_type="text/plain; version=0.0.4; charset=utf-8")
            else:
                response = JSONResponse(found, 200 if found["status"] == "ok" else 503)
        response.headers["Cache-Control"] = "no-store"
        await response(scope, receive, send)


class Straight:
    """ASGI middleware: the short way to what is mounted at `path` and asked hundreds of times a second."""

    def __init__(self, app: ASGIApp, path: str, mounted: ASGIApp) -> None:
        self._app = app
        self._path = path
        self._mounted = mounted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self._path + "/"):
            await self._app(scope, receive, send)
            return
        # what Mount would say
        root = scope.get("root_path", "")
        told = {"app_root_path": root, "root_path": root + self._path, "path_params": {}}
        await self._mounted({**scope, **told}, receive, send)


class Shared:
    """ASGI middleware: the headers of every answer."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        given = {**_HEADERS, "Content-Security-Policy": _DATA_POLICY}
        if settings.http.tls or settings.http.public_url.startswith("https://"):
            given["Strict-Transport-Security"] = f"max-age={_YEAR}"
        self._given = [(name.lower().encode(), value.encode()) for name, value in given.items()]
        self._private = [*self._given, (b"cache-control", b"no-store")]
        # reports and documents are shown in frames of the application, and of nobody else
        framed = {**given, "X-Frame-Options": "SAMEORIGIN", "Content-Security-Policy": _DOCUMENT_POLICY}
        self._framed = [(name.lower().encode(), value.encode()) for name, value in framed.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        given = self._given
        if path.startswith(API):
            given = self._private
        elif path.startswith(DICOM_WEB) and path.endswith("/rendered"):
            given = self._framed

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                # what an answer says of itself stands
                said = {name for name, _ in headers}
                headers += [one for one in given if one[0] not in said]
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, with_headers)


async def _ours(_request: Request, error: Exception) -> Response:
    assert isinstance(error, FilmlessError)
    return of_error(error)


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    made = problem(error.status_code, detail="" if error.status_code == 404 else str(error.detail))
    made.headers.update(error.headers or {})
    return made


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"where": ".".join(map(str, one["loc"])), "what": one["msg"], "type": one["type"]}
        for one in error.errors()[:20]
    ]
    return problem(422, "The request is not understood", code="invalid", errors=errors)


async def _defect(_request: Request, _error: Exception) -> Response:
    # what it was is in the log; here it would tell strangers about us
    return problem(500, detail="Something went wrong on our side. It is in the server's log.", code="defect")
