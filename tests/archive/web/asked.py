"""An HTTP client of the archive's routes, without a network between: the principal is put where sign-in puts it."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from filmless.access.audit.model import Entry
from filmless.access.model import Principal
from filmless.archive.model import ArchiveSettings
from filmless.archive.web.context import ArchiveWeb
from filmless.kit.errors import FilmlessError
from filmless.net.http.model import HttpSettings
from filmless.net.http.problems import of_error


class Kept:
    """An audit trail in memory."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def record(self, entry: Entry) -> None:
        self.entries.append(entry)

    def record_late(self, entry: Entry) -> None:
        self.entries.append(entry)

    def viewed(self, who: Principal, host: str, study_uid: str, what: str) -> None:
        self.entries.append((who, host, study_uid, what))  # type: ignore[arg-type]


def context(
    engine: Engine,
    folder: Path,
    trail: Kept,
    settings: ArchiveSettings | None = None,
    http: HttpSettings | None = None,
) -> ArchiveWeb:
    """What routes work with; no codecs and no way in."""
    return ArchiveWeb(
        engine=engine,
        home=folder,
        store=folder / "store",
        codecs=cast(Any, None),
        trail=trail,
        settings=settings or ArchiveSettings(),
        http=http or HttpSettings(),
    )


class As:
    """Puts a principal into every request; None: nobody is signed in."""

    def __init__(self, app: ASGIApp, principal: Principal | None) -> None:
        self._app = app
        self._principal = principal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._principal is not None:
            scope.setdefault("state", {})["principal"] = self._principal
        await self._app(scope, receive, send)


async def _problem(_request: Request, error: Exception) -> Response:
    return of_error(cast(FilmlessError, error))


def site(routes: Iterable[BaseRoute], *, at: str = "/dicom-web") -> Starlette:
    """The routes as app/ mounts them."""
    return Starlette(
        routes=[Mount(at, routes=list(routes))],
        exception_handlers=cast(Any, {FilmlessError: _problem}),
    )


@asynccontextmanager
async def signed_in(app: ASGIApp, principal: Principal | None) -> AsyncIterator[httpx.AsyncClient]:
    """A client on behalf of `principal`."""
    transport = httpx.ASGITransport(cast(Any, As(app, principal)), client=("192.0.2.7", 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://pacs.example") as client:
        yield client


Asking = Callable[..., Any]
