"""Other people's accounts, for administrators; to look at them, also for privacy officers."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from filmless.access import accounts, grants, sessions, tokens, totp
from filmless.access.accounts import Account
from filmless.access.api.own import Sessions, Tokens
from filmless.access.api.told import Told
from filmless.access.api.words import (
    AccountName,
    AccountWords,
    At,
    GrantWords,
    Host,
    In,
    Language,
    Line,
    NameInPath,
    Number,
    Password,
    Reason,
    RoleWords,
    ScopeWords,
    SessionWords,
    TokenWords,
    Who,
    Word,
)
from filmless.access.gate import Gate
from filmless.access.model import Action, Principal, Role, may, permit
from filmless.access.web import signed_in_of
from filmless.db.work import reading, writing
from filmless.kit.errors import Refused

router = APIRouter(tags=["users"], route_class=Told)


def _manager(who: Who) -> Principal:
    permit(who, Action.USERS)
    return who


def _looking(who: Who) -> Principal:
    if not may(who, Action.ACCESS_REVIEW):
        permit(who, Action.USERS)
    return who


def _not_own(request: Request, name: str, what: str) -> None:
    """Raises Refused (code "not-permitted") where it is the asking account's own.

    Nobody widens what he may see by himself; and what the own password is asked for elsewhere is not had without it
    here. The first account may, for as long as there is nobody else to do it.
    """
    found = signed_in_of(request, ready=True)
    if found.account.name == accounts.clean_name(name) and not (found.first and what == "rights"):
        raise Refused(
            "Nobody changes his own rights: another administrator does it."
            if what == "rights"
            else "Change your own password and second factor under your own account: it asks for the password.",
            code="not-permitted",
        )


Manager = Annotated[Principal, Depends(_manager)]
Looking = Annotated[Principal, Depends(_looking)]


class User(AccountWords):
    """An account with its grants."""

    grants: list[GrantWords]


class Users(BaseModel):
    """Accounts in the order of their names."""

    users: list[User]
    next: str = Field(description="`after` for the accounts that follow; empty: these were the last.")


class Roles(BaseModel):
    """All roles there are."""

    roles: list[RoleWords]


class NewUser(In):
    """An account to be made."""

    name: AccountName
    display_name: Line = Field("", max_length=200)
    language: Language = ""
    wards: list[Word] = Field(default_factory=list, max_length=100)
    password: Password | None = Field(
        None,
        description="To be changed at the first sign-in. Left out: a random one, which the answer shows.",
    )
    without_password: bool = Field(
        default=False, description="Signs in through OpenID Connect or by token only."
    )


class UserChange(In):
    """What is to change; what is left out stays."""

    display_name: Line | None = Field(None, max_length=200)
    language: Language | None = None
    wards: list[Word] | None = Field(None, max_length=100)
    enabled: bool | None = Field(None, description="false: its sessions end and its tokens are refused.")
    reason: Reason = ""


class NewPassword(In):
    """A password for somebody else."""

    password: Password | None = Field(None, description="Left out: a random one, which the answer shows.")
    reason: Reason = ""


class ToldPassword(BaseModel):
    """A password that was made up, to be told to its owner. Shown once."""

    password: str = Field(description="Empty where it was given.")
    tokens_revoked: int = Field(description="API tokens of the account that ended with the old one.")


class MadeUser(BaseModel):
    """An account as it was made."""

    user: User
    password: str = Field(
        description="The random password, shown once; empty where one was given or none wanted."
    )


class NewGrant(In):
    """A role to be given."""

    role: Role
    scope: ScopeWords = Field(default_factory=lambda: ScopeWords.model_validate({}))
    until: AwareDatetime | None = Field(None, description="Left out: until it is revoked.")
    reason: Reason = ""


@router.get("/roles", summary="All roles, with their names")
def list_roles(who: Who) -> Roles:
    return Roles(roles=[RoleWords.of(role) for role in Role])


@router.get("/users", summary="Accounts in the order of their names")
def list_users(
    who: Looking,
    at: At,
    search: Annotated[Line, Query(max_length=64, description="Part of a name.")] = "",
    after: Annotated[Line, Query(max_length=64)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> Users:
    with reading(at.engine) as connection:
        found = accounts.list_accounts(connection, search=search, after=after, limit=limit + 1)
        shown = [_user(one, grants.list_grants(connection, one)) for one in found[:limit]]
    return Users(users=shown, next=shown[-1].name if len(found) > limit else "")


@router.post("/users", status_code=201, summary="Make an account")
def add_user(body: NewUser, who: Manager, at: At, host: Host) -> MadeUser:
    if body.password is not None and body.without_password:
        raise Refused("Either a password or none.", code="bad-account")
    password, kept = "", ""
    if not body.without_password:
        password, kept = accounts.new_password(
            body.password, name=body.name, length=at.settings.password_length
        )
    with writing(at.engine) as connection:
        made = accounts.create(
            connection,
            body.name,
            at.acting(who, host),
            display_name=body.display_name,
            language=body.language,
            wards=body.wards,
            password_hash=kept,
        )
    return MadeUser(user=_user(made, []), password="" if body.password is not None else password)


@router.get("/users/{name}", summary="One account")
def get_user(name: NameInPath, who: Looking, at: At) -> User:
    return _read(at, name)


@router.patch("/users/{name}", summary="Change an account, disable it, or enable it again")
def change_user(
    name: NameInPath, body: UserChange, who: Manager, at: At, host: Host, request: Request
) -> User:
    if body.wards is not None and not set(body.wards) <= set(_read(at, name).wards):
        _not_own(request, name, "rights")
    changes = body.model_dump(exclude={"enabled", "reason"}, exclude_none=True)
    acting = at.acting(who, host, body.reason)
    with writing(at.engine) as connection:
        accounts.change(connection, name, changes, acting)
        if body.enabled is not None:
            grants.set_enabled(connection, name, acting, enabled=body.enabled)
    at.forget()
    return _read(at, name)


@router.post(
    "/users/{name}/password",
    summary="Give an account a new password, to be changed; its sessions and tokens end",
)
def reset_password(
    name: NameInPath, body: NewPassword, who: Manager, at: At, host: Host, request: Request
) -> ToldPassword:
    _not_own(request, name, "secrets")
    with reading(at.engine) as connection:
        account = accounts.get(connection, name)
    password, kept = accounts.new_password(
        body.password, name=account.name, length=at.settings.password_length
    )
    with writing(at.engine) as connection:
        revoked = accounts.set_password(
            connection, account.name, kept, at.acting(who, host, body.reason), must_change=True
        )
    at.forget()
    return ToldPassword(password="" if body.password is not None else password, tokens_revoked=revoked)


@router.post("/users/{name}/unlock", summary="Let a locked account try again")
def unlock_user(name: NameInPath, who: Manager, at: At, host: Host) -> User:
    with writing(at.engine) as connection:
        accounts.unlock(connection, name, at.acting(who, host))
    at.forget()
    return _read(at, name)


@router.delete("/users/{name}/totp", status_code=204, summary="Take a lost second factor from an account")
def reset_second_factor(name: NameInPath, who: Manager, at: At, host: Host, request: Request) -> None:
    _not_own(request, name, "secrets")
    with writing(at.engine) as connection:
        totp.remove(connection, accounts.get(connection, name), at.acting(who, host))
    at.forget()


@router.post("/users/{name}/grants", status_code=201, summary="Give a role")
def add_grant(
    name: NameInPath, body: NewGrant, who: Manager, at: At, host: Host, request: Request
) -> GrantWords:
    _not_own(request, name, "rights")
    until: datetime | None = body.until
    with writing(at.engine) as connection:
        made = grants.grant(
            connection,
            name,
            body.role,
            at.acting(who, host, body.reason),
            scope=body.scope.scope(),
            until=until,
        )
    at.forget()
    return GrantWords.given(made)


@router.delete("/users/{name}/grants/{number}", status_code=204, summary="Take a role back")
def revoke_grant(
    name: NameInPath,
    number: Number,
    who: Manager,
    at: At,
    host: Host,
    reason: Annotated[Line, Query(max_length=400)] = "",
) -> None:
    with writing(at.engine) as connection:
        grants.revoke(connection, name, number, at.acting(who, host, reason))
    at.forget()


@router.get("/users/{name}/sessions", summary="Open sessions of an account")
def list_user_sessions(name: NameInPath, who: Looking, at: At) -> Sessions:
    with reading(at.engine) as connection:
        account = accounts.get(connection, name)
        found = sessions.list_sessions(connection, account.id, at.settings)
    return Sessions(sessions=[SessionWords.of(one, None) for one in found])


@router.delete("/users/{name}/sessions", status_code=204, summary="End all sessions of an account")
def end_user_sessions(name: NameInPath, who: Manager, at: At, host: Host) -> None:
    with writing(at.engine) as connection:
        account = accounts.get(connection, name)
        count = sessions.end(connection, account.id)
        at.acting(who, host).note(connection, "sessions ended", account=account.name, count=count)
    at.forget()


@router.get("/users/{name}/tokens", summary="API tokens of an account")
def list_user_tokens(name: NameInPath, who: Looking, at: At) -> Tokens:
    with reading(at.engine) as connection:
        found = tokens.list_tokens(connection, accounts.get(connection, name).id)
    return Tokens(tokens=[TokenWords.of(one) for one in found])


@router.delete("/users/{name}/tokens/{number}", status_code=204, summary="Revoke an API token of an account")
def revoke_user_token(name: NameInPath, number: Number, who: Who, at: At, host: Host) -> None:
    permit(who, Action.TOKENS)
    with writing(at.engine) as connection:
        tokens.revoke(connection, accounts.get(connection, name), number, at.acting(who, host))
    at.forget()


def _read(at: Gate, name: str) -> User:
    with reading(at.engine) as connection:
        account = accounts.get(connection, name)
        return _user(account, grants.list_grants(connection, account))


def _user(account: Account, given: list[grants.Given]) -> User:
    return User(**AccountWords.of(account).model_dump(), grants=[GrantWords.given(one) for one in given])
