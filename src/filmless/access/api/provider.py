"""To the OpenID provider and back. Both are navigations of the browser."""

import asyncio
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse

from filmless.access import linking
from filmless.access.api.session import set_cookie
from filmless.access.api.words import At, Host
from filmless.access.audit.model import Entry, Kind
from filmless.access.gate import Gate
from filmless.access.keys import new_secret
from filmless.access.model import Principal
from filmless.access.oidc import Provider
from filmless.kit.errors import FilmlessError, Refused
from filmless.net.http.origin import base_url, is_secure

router = APIRouter(tags=["session"])

#: binds the way to the provider and back to one browser
_COOKIE = "filmless_oidc"
_RETURN = "/api/session/oidc/callback"

_Parameter = Annotated[str, Query(max_length=4000)]


@router.get(
    "/session/oidc/start", status_code=302, response_class=RedirectResponse, summary="To the provider"
)
async def oidc_start(
    request: Request,
    at: At,
    host: Host,
    return_to: Annotated[str, Query(max_length=400, description="Path to go on at afterwards.")] = "/",
) -> RedirectResponse:
    provider = _provider(at)
    await asyncio.to_thread(at.rates.take, "oidc", host, at.settings.attempts_per_host)
    begun = await provider.begin(base_url(request, at.http) + _RETURN)
    browser = new_secret()
    await asyncio.to_thread(linking.keep, at.engine, begun, browser, return_to)
    answer = RedirectResponse(begun.url, 302)
    answer.set_cookie(
        _COOKIE,
        browser,
        max_age=linking.STATE_MINUTES * 60,
        path="/api/session/oidc",
        secure=is_secure(request, at.http),
        httponly=True,
        samesite="lax",
    )
    return answer


@router.get(
    "/session/oidc/callback",
    status_code=302,
    response_class=RedirectResponse,
    summary="Back from the provider",
)
async def oidc_callback(
    request: Request,
    at: At,
    host: Host,
    state: _Parameter,
    code: _Parameter = "",
    iss: _Parameter | None = None,
    error: _Parameter = "",
) -> RedirectResponse:
    try:
        return await _arrive(request, at, host, state=state, code=code, iss=iss, error=error)
    except FilmlessError as why:
        if "text/html" not in request.headers.get("accept", ""):
            raise
        # a person is led to the door, where the words are; programs get the problem
        return RedirectResponse(f"/?refused={quote(why.code)}", 302)


async def _arrive(
    request: Request, at: Gate, host: str, *, state: str, code: str, iss: str | None, error: str
) -> RedirectResponse:
    provider = _provider(at)
    begun = await asyncio.to_thread(linking.take, at.engine, state, request.cookies.get(_COOKIE, ""))
    if error or not code:
        await asyncio.to_thread(_note_refusal, at, host, error)
        raise Refused("The provider has not let you sign in.", code="sign-in-refused")
    try:
        claims = await provider.claims(
            code,
            issuer=iss,
            redirect_uri=base_url(request, at.http) + _RETURN,
            nonce=begun.nonce,
            verifier=begun.verifier,
        )
    except FilmlessError as why:
        await asyncio.to_thread(_note_refusal, at, host, why.message)
        raise
    secret = await asyncio.to_thread(
        linking.sign_in, at.signing_in, claims, host=host, browser=request.headers.get("user-agent", "")
    )
    at.forget()
    answer = RedirectResponse(begun.return_to, 302)
    set_cookie(at, request, answer, secret)
    answer.delete_cookie(_COOKIE, path="/api/session/oidc")
    return answer


def _provider(at: Gate) -> Provider:
    if at.provider is None:
        raise Refused("There is no sign-in through OpenID Connect here.", code="not-found")
    return at.provider


def _note_refusal(at: Gate, host: str, error: str) -> None:
    reason = "".join(letter for letter in error if letter.isprintable())[:400] or "no code"
    who = Principal("user", "unknown")
    at.trail.record(Entry(Kind.SIGN_IN, who, "refused", host=host, what="oidc", reason=reason))
