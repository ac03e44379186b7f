"""What whoever has a share link sees: a page that asks for the password, the study's series, a series' images.

Pages that are complete without scripts, in Chinese or English. The address with the secret is left at once for one
that opens nothing without the cookie; images come from DICOMweb below that address, on behalf of the link.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs

from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from filmless.access import shares
from filmless.access.acting import Acting
from filmless.access.audit.trail import Trail
from filmless.access.model import Principal, share_principal
from filmless.access.shares import ShareLink
from filmless.archive.query.listing import demand_one_patient
from filmless.db.work import reading, writing
from filmless.exchange import share_view
from filmless.exchange.share_html import SCRIPT_HASH, STYLE, Language, Page
from filmless.kit.errors import FilmlessError, Refused
from filmless.net.http.model import HttpSettings
from filmless.net.http.origin import client_host, is_secure
from filmless.net.http.problems import of_error, problem

_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_NAME: Final = re.compile(r"[0-9a-f]{32}")
_UID: Final = re.compile(r"[0-9.]{1,64}")
#: nothing runs in these pages but the one script that tells the visitor's time; styles, images and forms are ours
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "img-src 'self'",
        f"script-src {SCRIPT_HASH}",
        "style-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
#: bytes of the form with the password
_LONGEST_FORM: Final = 4096


def routes(engine: Engine, trail: Trail, http: HttpSettings, dicom_web: ASGIApp) -> list[BaseRoute]:
    """To be mounted at exchange.sharing.PAGES. `dicom_web`: the routes of DICOMweb, without sign-in before them."""
    pages = SharePages(engine, trail, http)
    return [
        Route("/style.css", _style, methods=["GET"]),
        Route("/v/{name}/", pages.study, methods=["GET"]),
        Route("/v/{name}/series/{series}", pages.series, methods=["GET"]),
        Mount("/v/{name}/dicom-web", OnBehalfOfLink(pages, dicom_web)),
        Route("/{secret}", pages.enter, methods=["GET", "POST"]),
    ]


async def _style(_request: Request) -> Response:
    return Response(STYLE, media_type="text/css", headers={"Cache-Control": "public, max-age=86400"})


class SharePages:
    """The pages of one web process."""

    def __init__(self, engine: Engine, trail: Trail, http: HttpSettings) -> None:
        self._engine = engine
        self._trail = trail
        self._http = http

    async def enter(self, request: Request) -> Response:
        """The address that is handed on. Without a password it opens at once."""
        pages, secret = _pages(request), request.path_params["secret"]
        link = await asyncio.to_thread(self._link, secret) if _SECRET.fullmatch(secret) else None
        if link is None:
            return _page(pages.nothing(), 404)
        if request.method == "GET":
            if link.has_password:
                return _page(pages.password(link.expires_at))
            return await asyncio.to_thread(self._open, request, link)
        if not link.has_password:
            return await asyncio.to_thread(self._open, request, link)
        password = await _password(request)
        return await asyncio.to_thread(self._try, request, link, password, pages)

    async def study(self, request: Request) -> Response:
        """The series of the study."""
        return await asyncio.to_thread(self._shown, request, self._study)

    async def series(self, request: Request) -> Response:
        """The images of one series."""
        return await asyncio.to_thread(self._shown, request, self._series)

    def link_of(self, request: Request) -> ShareLink | None:
        """The link that this browser has opened under the address asked for. For threads."""
        name = request.path_params["name"]
        secret = request.cookies.get(_cookie(name), "") if _NAME.fullmatch(name) else ""
        if not _SECRET.fullmatch(secret):
            return None
        with reading(self._engine) as connection:
            return shares.link_of_session(connection, name, secret)

    def host(self, request: Request) -> str:
        """The client's address."""
        return client_host(request, self._http)

    # in threads

    def _link(self, secret: str) -> ShareLink | None:
        with reading(self._engine) as connection:
            return shares.link_of(connection, secret)

    def _acting(self, request: Request, link: ShareLink) -> Acting:
        return Acting(link.principal, self._trail, self.host(request))

    def _open(self, request: Request, link: ShareLink) -> Response:
        with writing(self._engine) as connection:
            secret = shares.opened(connection, link, self._acting(request, link))
        root: str = request.scope.get("root_path", "")
        asked = f"?lang={_language(request)}" if "lang" in request.query_params else ""
        answer = RedirectResponse(f"{root}/v/{link.name}/{asked}", 303)
        answer.set_cookie(
            _cookie(link.name),
            secret,
            path=f"{root}/v/{link.name}/",
            httponly=True,
            # lax: the link is followed from other places, and only reads
            samesite="lax",
            secure=is_secure(request, self._http),
        )
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def _try(self, request: Request, link: ShareLink, password: str, pages: Page) -> Response:
        with reading(self._engine) as connection:
            resting = not shares.may_try(connection, link)
        if resting:
            return _page(pages.password(link.expires_at, resting=True), 429)
        with reading(self._engine) as connection:
            kept = shares.kept_password(connection, link)
        right = shares.is_password(kept, password)
        with reading(self._engine) as connection:
            # of many guesses at the same moment, those that come out after the lock tell nothing
            resting = not shares.may_try(connection, link)
        if resting:
            return _page(pages.password(link.expires_at, resting=True), 429)
        if right:
            return self._open(request, link)
        with writing(self._engine) as connection:
            shares.tried(connection, link, self._acting(request, link))
        return _page(pages.password(link.expires_at, wrong=True), 403)

    def _shown(self, request: Request, make: Callable[[Request, ShareLink, Page], str | None]) -> Response:
        pages = _pages(request)
        link = self.link_of(request)
        content = make(request, link, pages) if link is not None else None
        return _page(pages.nothing(), 404) if content is None else _page(content)

    def demand_one_patient(self, principal: Principal) -> None:
        """Raises Conflict (code "shared-number") where several patients have images under the link's number by now."""
        with reading(self._engine) as connection:
            demand_one_patient(connection, principal, principal.study)

    def _study(self, _request: Request, link: ShareLink, pages: Page) -> str | None:
        with reading(self._engine) as connection:
            study = share_view.study_of(connection, link.principal)
        return None if study is None else pages.study(study, link)

    def _series(self, request: Request, link: ShareLink, pages: Page) -> str | None:
        uid = request.path_params["series"]
        if not _UID.fullmatch(uid):
            return None
        start = request.query_params.get("from", "0")
        first = int(start) if start.isdecimal() and len(start) < 9 else 0
        with reading(self._engine) as connection:
            images = share_view.images_of(connection, link.principal, uid, first)
        return None if images is None else pages.series(images, link)


class OnBehalfOfLink:
    """ASGI: DICOMweb for whoever opened the link, to read only."""

    def __init__(self, pages: SharePages, app: ASGIApp) -> None:
        self._pages = pages
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope)
        if request.method not in ("GET", "HEAD"):
            await problem(405, "A share link reads only")(scope, receive, send)
            return
        link = await asyncio.to_thread(self._pages.link_of, request)
        if link is None:
            await of_error(Refused("This link is not open here.", code="not-found"))(scope, receive, send)
            return
        principal = share_principal(link.name, link.study_uid, download=link.download)
        try:
            await asyncio.to_thread(self._pages.demand_one_patient, principal)
        except FilmlessError as error:
            await of_error(error)(scope, receive, send)
            return
        state = {**scope.get("state", {}), "principal": principal, "signed_in": None}
        state["host"] = self._pages.host(request)
        # the link's name is no part of what DICOMweb is asked
        await self._app({**scope, "state": state, "path_params": {}}, receive, send)


def _cookie(name: str) -> str:
    return f"filmless_share_{name}"


def _pages(request: Request) -> Page:
    return Page(_language(request), request.scope.get("root_path", ""))


def _language(request: Request) -> Language:
    asked = request.query_params.get("lang") or request.headers.get("accept-language", "")
    # which comes first is what people and browsers mean
    first = asked.split(",")[0].strip().lower()
    return "zh" if first.startswith("zh") else "en"


def _page(content: str, status: int = 200) -> Response:
    headers = {
        "Content-Security-Policy": _POLICY,
        "Cache-Control": "no-store",
        "Vary": "Accept-Language, Cookie",
        "X-Robots-Tag": "noindex, nofollow",
    }
    return Response(content, status, headers, "text/html; charset=utf-8")


async def _password(request: Request) -> str:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST_FORM:
            raise Refused("The form is too long.", code="too-large")
    fields: dict[str, Any] = parse_qs(
        body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=10
    )
    return str(fields.get("password", [""])[0])
