"""Who asks over HTTP: ASGI middleware that finds it out, and what routes ask it for.

A browser has the cookie `filmless_session`; what it changes needs besides it the header X-Filmless-CSRF with the token
that GET /api/session gives, and an Origin of ours. Programs have an API token, in Bearer or Basic authorization.
"""

import asyncio
from typing import Final, cast

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from filmless.access.gate import Gate, SignedIn, credentials
from filmless.access.keys import digest, same
from filmless.access.model import Principal
from filmless.kit.errors import FilmlessError, Refused
from filmless.net.http.origin import base_url, client_host
from filmless.net.http.problems import of_error

COOKIE: Final = "filmless_session"
CSRF_HEADER: Final = "x-filmless-csrf"
#: of what a page asks by itself, to stay up to date, while nobody touches it: it keeps no session open
IDLE_HEADER: Final = "x-filmless-idle"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LONGEST_SECRET: Final = 200


class Authenticate:
    """Puts into scope["state"]: `principal` (None for nobody), `signed_in`, `host` of the client, and `gate`.

    A wrong token is refused here, a cookie that is over is nobody's: the page then asks to sign in again.
    """

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        host = client_host(request, self._gate.http)
        try:
            found = await self._who(request, host)
        except FilmlessError as error:
            if error.code == "csrf":
                await asyncio.to_thread(self._gate.tell_forgery, host, scope["path"])
            await of_error(error)(scope, receive, send)
            return
        # one that has to change its password first is nobody to all other routes
        principal = None if found is None or found.must else found.principal
        scope["state"] = {
            **scope.get("state", {}),
            "principal": principal,
            "signed_in": found,
            "host": host,
            "gate": self._gate,
        }
        await self._app(scope, receive, send)

    async def _who(self, request: HTTPConnection, host: str) -> SignedIn | None:
        authorization = request.headers.get("authorization")
        if authorization is not None:
            name, token = credentials(authorization)
            believed = self._gate.believed("token", digest(token))
            if believed is not None and name in (None, believed.account.name):
                return believed
            return await asyncio.to_thread(self._gate.by_token, token[:_LONGEST_SECRET], name, host)
        unsafe = request.scope["method"] not in _SAFE
        if unsafe:
            _check_origin(request, self._gate)
        secret = request.cookies.get(COOKIE, "")
        if not secret or len(secret) > _LONGEST_SECRET:
            return None
        found = self._gate.believed("session", digest(secret))
        if found is None:
            attended = IDLE_HEADER not in request.headers
            found = await asyncio.to_thread(self._gate.by_session, secret, attended=attended)
        if found is not None and unsafe and not same(request.headers.get(CSRF_HEADER, ""), found.csrf):
            raise Refused(
                "This request does not come from a page of ours: its X-Filmless-CSRF is missing or wrong.",
                code="csrf",
            )
        return found


def _check_origin(request: HTTPConnection, gate: Gate) -> None:
    """Raises Refused (code "csrf") where a browser says that another site's page makes this request."""
    origin = request.headers.get("origin")
    if origin is None:
        return
    # by the address that browsers are told of, or by the one under which this one found us
    asked = request.headers.get("host", "")
    if origin != base_url(request, gate.http) and origin.partition("://")[2] != asked:
        raise Refused("This request comes from another site's page.", code="csrf")


def principal_of(request: HTTPConnection) -> Principal:
    """On whose behalf a request is. Raises Refused: "not-signed-in"; "change-password", "add-second-factor" first."""
    return signed_in_of(request, ready=True).principal


def signed_in_of(request: HTTPConnection, *, ready: bool = False) -> SignedIn:
    """Who is signed in; unless `ready`, also who has to change the password first. Raises as `principal_of`."""
    found = cast("SignedIn | None", request.scope["state"]["signed_in"])
    if found is None:
        raise Refused("Sign in first.", code="not-signed-in")
    if ready and found.must:
        why = {
            "change-password": "Change your password first: somebody else has chosen it.",
            "add-second-factor": "Add a second factor to your account first.",
        }[found.must]
        raise Refused(why, code=found.must)
    return found


def gate_of(request: HTTPConnection) -> Gate:
    """The gate that the request came through."""
    return cast(Gate, request.scope["state"]["gate"])


def host_of(request: HTTPConnection) -> str:
    """The client's address."""
    return cast(str, request.scope["state"]["host"])
