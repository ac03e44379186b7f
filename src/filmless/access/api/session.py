"""Signing in and out, who one is, the own password and second factor."""

import io
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from filmless.access import demonstration, model, sessions, sign_in, totp
from filmless.access.api.told import Told
from filmless.access.api.words import (
    AccountName,
    AccountWords,
    Anybody,
    At,
    HeldRole,
    Host,
    In,
    InSession,
    Password,
)
from filmless.access.audit.model import Kind
from filmless.access.gate import Gate, Must, SignedIn
from filmless.access.model import Action, Role
from filmless.access.web import COOKIE
from filmless.db.work import reading, writing
from filmless.kit.errors import Defect
from filmless.net.http.origin import is_secure

router = APIRouter(tags=["session"], route_class=Told)


class Credentials(In):
    """What is typed to sign in."""

    name: AccountName
    password: Password
    code: str = Field("", max_length=40, description="Of the second factor, where the account has one.")


class Whoami(BaseModel):
    """Who is signed in, and what the screens may offer."""

    account: AccountWords
    roles: list[HeldRole]
    actions: list[Action] = Field(
        description="What may be done; on which studies, the scopes of the roles say."
    )
    csrf: str = Field(description="For the header X-Filmless-CSRF of what changes something; empty by token.")
    must: Must = Field(description="What has to be done before anything else may.")
    must_change_password: bool
    first_account: bool = Field(
        description="The first account, still administrator and data steward because nobody else is."
    )
    via: Literal["session", "token"]
    method: str = Field(description='Of the session: "password", "password+code" or "oidc".')
    ends_at: datetime | None = Field(description="When the session ends at the latest, or the token.")


class DemonstrationAccount(BaseModel):
    """An account of a demonstration, as which anybody may sign in."""

    account: str
    name: str
    role: Role
    role_zh: str
    role_en: str


class Demonstration(BaseModel):
    """That this is a hospital to try out, and how one gets in."""

    password: str
    accounts: list[DemonstrationAccount] = Field(description="At most 40.")


class Ways(BaseModel):
    """How one may sign in here."""

    password: bool
    second_factor_required: bool
    oidc: str = Field(description="What the button for the OpenID provider says; empty: there is none.")
    password_length: int = Field(description="Characters that a new password has at least.")
    idle_minutes: int = Field(description="Minutes without a request after which a session ends.")
    demonstration: Demonstration | None = Field(description="Null: patients are treated here.")


class NewPassword(In):
    """The own password, changed."""

    old: Password
    new: Password
    keep_tokens: bool = Field(
        default=False, description="Left out: the account's API tokens are revoked with the old password."
    )


class PasswordAgain(In):
    """Asked for before something grave."""

    password: Password


class PasswordAndCode(In):
    """Asked for before the second factor is removed."""

    password: Password
    code: str = Field(min_length=1, max_length=40, description="Of the app, or a recovery code.")


class Code(In):
    """A code of the app."""

    code: str = Field(min_length=1, max_length=40)


class Enrolment(BaseModel):
    """What an app needs to make codes."""

    secret: str = Field(description="To be typed.")
    url: str = Field(description="otpauth: address.")
    qr: str = Field(description="The address as a QR code: an SVG picture, dark on light.")


class RecoveryCodes(BaseModel):
    """Codes for when the telephone is lost, each for one sign-in. Shown once."""

    recovery_codes: list[str]


@router.get("/session/ways", summary="How one may sign in here")
def sign_in_ways(at: At) -> Ways:
    return Ways(
        password=True,
        second_factor_required=at.settings.second_factor == "required",
        oidc=at.settings.oidc_label if at.provider is not None else "",
        password_length=at.settings.password_length,
        idle_minutes=at.settings.session_idle_minutes,
        demonstration=_demonstration(at) if at.settings.demonstration else None,
    )


def _demonstration(at: Gate) -> Demonstration:
    with reading(at.engine) as connection:
        found = demonstration.everybody(connection)
    return Demonstration(
        password=demonstration.PASSWORD,
        accounts=[
            DemonstrationAccount(
                account=one.account,
                name=one.name,
                role=one.role,
                role_zh=model.ROLE_NAMES[one.role][1],
                role_en=model.ROLE_NAMES[one.role][0],
            )
            for one in found
        ],
    )


@router.get("/session", summary="Who is signed in")
def who_am_i(found: Anybody) -> Whoami:
    return whoami(found)


@router.post("/session", summary="Sign in with name and password", name="sign_in")
def sign_in_with_password(
    body: Credentials, request: Request, response: Response, at: At, host: Host
) -> Whoami:
    secret = sign_in.sign_in(
        at.signing_in,
        body.name,
        body.password,
        body.code,
        host=host,
        browser=request.headers.get("user-agent", ""),
    )
    return opened(at, request, response, secret)


@router.delete("/session", status_code=204, summary="Sign out")
def sign_out(found: InSession, request: Request, response: Response, at: At, host: Host) -> None:
    _end_this(at, found, host)
    response.delete_cookie(
        COOKIE, path="/", secure=is_secure(request, at.http), httponly=True, samesite="lax"
    )


@router.put("/session/password", summary="Change the own password; all other sessions end, and API tokens")
def change_password(
    body: NewPassword, found: InSession, request: Request, response: Response, at: At, host: Host
) -> Whoami:
    acting = at.acting(found.principal, host)
    sign_in.change_password(
        at.signing_in, found.account, body.old, body.new, acting, host=host, keep_tokens=body.keep_tokens
    )
    at.forget()
    assert found.session is not None
    with writing(at.engine) as connection:
        secret = sessions.open_session(
            connection,
            found.account.id,
            at.settings,
            method=found.session.method,  # type: ignore[arg-type]
            host=host,
            browser=request.headers.get("user-agent", ""),
        )
    return opened(at, request, response, secret)


@router.post("/session/totp", summary="Begin to add a second factor")
def begin_second_factor(body: PasswordAgain, found: InSession, at: At, host: Host) -> Enrolment:
    sign_in.check_password(at.signing_in, found.account, body.password, host=host)
    with writing(at.engine) as connection:
        begun = totp.enrol(connection, found.account)
    at.forget()
    return Enrolment(secret=begun.secret, url=begun.url, qr=_qr(begun.url))


@router.post("/session/totp/confirm", summary="Take the second factor into use")
def confirm_second_factor(body: Code, found: InSession, at: At, host: Host) -> RecoveryCodes:
    at.rates.take("code", found.account.name, at.settings.attempts_per_account)
    with writing(at.engine) as connection:
        codes = totp.confirm(connection, found.account, body.code, at.acting(found.principal, host))
    at.forget()
    return RecoveryCodes(recovery_codes=codes)


@router.post(
    "/session/totp/remove", status_code=204, summary="Remove the own second factor; all sessions end"
)
def remove_second_factor(body: PasswordAndCode, found: InSession, at: At, host: Host) -> None:
    sign_in.check_password(at.signing_in, found.account, body.password, host=host, code=body.code)
    with writing(at.engine) as connection:
        totp.remove(connection, found.account, at.acting(found.principal, host))
    at.forget()


def whoami(found: SignedIn) -> Whoami:
    """Who is signed in, for the screens."""
    principal = found.principal
    ends = found.session.ends_at if found.session is not None else None
    return Whoami(
        account=AccountWords.of(found.account),
        roles=[HeldRole.of(grant) for grant in principal.grants],
        actions=[] if found.must else [action for action in Action if model.may(principal, action)],
        csrf=found.csrf,
        must=found.must,
        must_change_password=found.must == "change-password",
        first_account=found.first,
        via="session" if found.session is not None else "token",
        method=found.session.method if found.session is not None else "",
        ends_at=found.token.expires_at if found.token is not None else ends,
    )


def opened(at: Gate, request: Request, response: Response, secret: str) -> Whoami:
    """Give the browser its cookie; a session that it had before ends."""
    before: SignedIn | None = request.scope["state"]["signed_in"]
    if before is not None and before.session is not None:
        with writing(at.engine) as connection:
            sessions.end_this(connection, before.session)
    at.forget()
    set_cookie(at, request, response, secret)
    found = at.by_session(secret)
    if found is None:
        raise Defect("A session ended as it was opened.", code="session")
    return whoami(found)


def set_cookie(at: Gate, request: Request, response: Response, secret: str) -> None:
    """Lax, not Strict: the return from an OpenID provider is a navigation from another site."""
    response.set_cookie(
        COOKIE, secret, path="/", secure=is_secure(request, at.http), httponly=True, samesite="lax"
    )


def _qr(text: str) -> str:
    # imported when needed: few enrol
    import segno

    picture = io.BytesIO()
    code = segno.make_qr(text, error="m")
    # with its namespace: it is shown as a picture, not as part of the page
    code.save(picture, kind="svg", xmldecl=False, border=4, dark="#000", light="#fff", omitsize=True)
    return picture.getvalue().decode()


def _end_this(at: Gate, found: SignedIn, host: str) -> None:
    assert found.session is not None
    with writing(at.engine) as connection:
        sessions.end_this(connection, found.session)
        at.acting(found.principal, host).note(connection, "session", kind=Kind.SIGN_OUT)
    at.forget()
