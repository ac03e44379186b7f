"""One's own sessions, API tokens and preferences."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from filmless.access import preferences, sessions, tokens
from filmless.access.api.told import Told
from filmless.access.api.words import At, Host, In, InSession, Line, Number, Own, SessionWords, TokenWords
from filmless.access.audit.model import Kind
from filmless.access.model import Action, permit
from filmless.db.work import reading, writing
from filmless.kit.errors import Refused

router = APIRouter(prefix="/me", tags=["me"], route_class=Told)

_Key = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9._-]{0,99}$")]


class Sessions(BaseModel):
    """Open sessions, the newest first."""

    sessions: list[SessionWords]


class Tokens(BaseModel):
    """API tokens, the newest first; those that are over among them."""

    tokens: list[TokenWords]


class NewToken(In):
    """A token to be made."""

    label: Line = Field(min_length=1, max_length=100, description="What it is for.")
    scopes: list[Action] = Field(min_length=1, max_length=50, description="What it may be used for.")
    days: int | None = Field(None, ge=1, le=3650, description="Until it ends; left out: as long as may be.")


class MadeToken(BaseModel):
    """A token as it was made."""

    secret: str = Field(description="The token. Shown once.")
    token: TokenWords


class Preferences(BaseModel):
    """What the screens remember, by key."""

    preferences: dict[str, Any]


class Preference(In):
    """A value to be remembered."""

    value: Any = Field(description="Any JSON, at most 64 KiB; null forgets the key.")


@router.get("/sessions", summary="The own open sessions")
def list_my_sessions(found: Own, at: At) -> Sessions:
    with reading(at.engine) as connection:
        open_ones = sessions.list_sessions(connection, found.account.id, at.settings)
    return Sessions(sessions=[SessionWords.of(one, found.session) for one in open_ones])


@router.delete("/sessions/{number}", status_code=204, summary="End one of the own sessions")
def end_my_session(number: Number, own: Own, found: InSession, at: At, host: Host) -> None:
    with writing(at.engine) as connection:
        if not sessions.end(connection, found.account.id, number):
            raise Refused("There is no such session of yours.", code="not-found")
        at.acting(found.principal, host).note(connection, "another session", kind=Kind.SIGN_OUT)
    at.forget()


@router.get("/tokens", summary="The own API tokens")
def list_my_tokens(found: Own, at: At) -> Tokens:
    with reading(at.engine) as connection:
        mine = tokens.list_tokens(connection, found.account.id)
    return Tokens(tokens=[TokenWords.of(one) for one in mine])


@router.post("/tokens", status_code=201, summary="Make an API token")
def add_my_token(body: NewToken, own: Own, found: InSession, at: At, host: Host) -> MadeToken:
    for action in body.scopes:
        permit(found.principal, action)
    with writing(at.engine) as connection:
        secret, made = tokens.add(
            connection,
            found.account,
            at.settings,
            at.acting(found.principal, host),
            label=body.label,
            scopes=frozenset(body.scopes),
            days=body.days,
        )
    return MadeToken(secret=secret, token=TokenWords.of(made))


@router.delete("/tokens/{number}", status_code=204, summary="Revoke one of the own API tokens")
def revoke_my_token(number: Number, own: Own, found: InSession, at: At, host: Host) -> None:
    with writing(at.engine) as connection:
        tokens.revoke(connection, found.account, number, at.acting(found.principal, host))
    at.forget()


@router.get("/preferences", summary="What the screens remember")
def list_my_preferences(found: Own, at: At) -> Preferences:
    with reading(at.engine) as connection:
        return Preferences(preferences=preferences.all_of(connection, found.account.id))


@router.put("/preferences/{key}", status_code=204, summary="Remember a value")
def put_my_preference(key: _Key, body: Preference, found: Own, at: At) -> None:
    with writing(at.engine) as connection:
        preferences.put(connection, found.account.id, key, body.value)


@router.delete("/preferences/{key}", status_code=204, summary="Forget a value")
def delete_my_preference(key: _Key, found: Own, at: At) -> None:
    with writing(at.engine) as connection:
        preferences.put(connection, found.account.id, key, None)
