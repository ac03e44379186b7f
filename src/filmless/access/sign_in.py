"""Signing in with a name, a password and, where the account has one, a code."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, select, update

from filmless.access import accounts as service
from filmless.access import grants, passwords, sessions, totp
from filmless.access.account_tables import accounts
from filmless.access.accounts import Account, account_of, clean_name
from filmless.access.audit.model import Entry, Kind
from filmless.access.audit.trail import Trail
from filmless.access.model import Principal, Role
from filmless.access.rates import Rates
from filmless.access.settings import AccessSettings
from filmless.db.work import reading, writing
from filmless.kit import clock
from filmless.kit.errors import FilmlessError, Refused

log = logging.getLogger(__name__)

#: one answer for every cause, so that nobody learns which names there are or that a guess was right meanwhile
_WRONG = (
    "The name or the password is wrong, or the account is locked for some minutes after too many attempts, "
    "or disabled."
)


@dataclass(frozen=True, slots=True)
class SigningIn:
    """What signing in works with; one for a process."""

    engine: Engine
    settings: AccessSettings
    trail: Trail
    rates: Rates


@dataclass(frozen=True, slots=True)
class _Found:
    """What the check found: the account where there is one, and why it is not let in."""

    account: Account | None
    error: FilmlessError | None
    #: for the trail, never for the caller
    cause: str = ""
    secret: str = ""
    locked: bool = False


def sign_in(at: SigningIn, name: str, password: str, code: str, *, host: str, browser: str = "") -> str:
    """Open a session; returns the secret for its cookie.

    Raises Refused: "too-many"; "wrong-credentials" (name, password, locked or disabled, all alike); "code-needed"
    (right so far, a code of the second factor is asked for); "wrong-code".
    """

    def opened(connection: Connection, row: Row[Any]) -> str:
        return sessions.open_session(
            connection,
            row.id,
            at.settings,
            method="password+code" if row.totp_confirmed_at is not None else "password",
            host=host,
            browser=browser,
        )

    return _checked(at, name, password, code, host=host, way="password", opened=opened).secret


def check_password(
    at: SigningIn, account: Account, password: str, *, host: str, code: str | None = None
) -> None:
    """Ask again for the password (and `code`) of somebody who is signed in, before something grave.

    Raises Refused (codes "wrong-password", "wrong-code", "code-needed", "too-many").
    """
    try:
        _checked(at, account.name, password, code, host=host, way="password again", opened=None)
    except Refused as error:
        if error.code != "wrong-credentials":
            raise
        # another code: who is signed in stays so
        raise Refused(
            "The password is wrong, or the account is locked for some minutes after too many attempts.",
            code="wrong-password",
        ) from None


def check_passcode(at: SigningIn, name: str, password: str, *, host: str) -> Account:
    """Check a name and password that a DICOM association carries; opens no session.

    An account with a second factor is refused: there is no place for a code. Raises as `sign_in` does.
    """
    found = _checked(at, name, password, "", host=host, way="association", opened=None)
    assert found.account is not None
    if found.account.must_change_password:
        raise Refused("This password has to be changed before it opens anything.", code="change-password")
    return found.account


def _checked(
    at: SigningIn,
    name: str,
    password: str,
    code: str | None,
    *,
    host: str,
    way: str,
    opened: Any,
) -> _Found:
    """`code` None: no second factor is asked for. `opened(connection, row)` makes the session's secret."""
    wanted = clean_name(name)
    _take_turns(at, wanted, host)
    with reading(at.engine) as connection:
        kept = connection.scalar(select(accounts.c.password_hash).where(accounts.c.name == wanted)) or ""
    # outside of any transaction: it takes its time, the same for a name that nobody has
    right = passwords.check(kept, password)
    renewed = passwords.hashed(password) if right and passwords.is_old(kept) else ""
    with writing(at.engine) as connection:
        row = connection.execute(select(accounts).where(accounts.c.name == wanted).with_for_update()).first()
        right = right and row is not None and row.password_hash == kept
        found = _decide(connection, at, row, right=right, code=code, interactive=opened is not None)
        if found.error is None:
            assert row is not None
            values: dict[str, Any] = {"failures": 0, "locked_until": None, "signed_in_at": clock.now()}
            if renewed:
                values["password_hash"] = renewed
            connection.execute(update(accounts).where(accounts.c.id == row.id).values(**values))
            if opened is not None:
                found = _Found(found.account, None, secret=opened(connection, row))
        _note(connection, at.trail, found, host, way)
    if found.error is not None:
        log.info("sign-in from %s refused: %s", host or "this machine", found.cause)
        raise found.error
    at.rates.give_back("host", host)
    at.rates.give_back("account", wanted)
    return found


def _take_turns(at: SigningIn, wanted: str, host: str) -> None:
    try:
        at.rates.take("host", host, at.settings.attempts_per_host)
        at.rates.take("account", wanted, at.settings.attempts_per_account)
    except Refused:
        # once a minute for one address: a flood of attempts is not to become a flood of entries
        try:
            at.rates.take("told", host, 1)
        except Refused:
            pass
        else:
            at.trail.record(
                Entry(
                    Kind.SIGN_IN,
                    Principal("user", ""),
                    "refused",
                    host=host,
                    what="password",
                    reason="too many",
                )
            )
        raise


def _decide(
    connection: Connection,
    at: SigningIn,
    row: Row[Any] | None,
    *,
    right: bool,
    code: str | None,
    interactive: bool,
) -> _Found:
    wrong = Refused(_WRONG, code="wrong-credentials")
    if row is None:
        return _Found(None, wrong, "no such account")
    account = account_of(row)
    if not account.enabled:
        return _Found(account, wrong, "disabled")
    if account.locked:
        return _Found(account, wrong, "locked")
    if not right:
        locked = _count_failure(connection, at.settings, row)
        return _Found(account, wrong, "wrong password", locked=locked)
    if account.has_second_factor and code is not None:
        if not code.strip():
            why = "A code of the second factor is needed."
            return _Found(account, Refused(why, code="code-needed"), "code asked for")
        if not totp.take(connection, account.id, code):
            locked = _count_failure(connection, at.settings, row)
            why = "The code is not right, or was used before."
            return _Found(account, Refused(why, code="wrong-code"), "wrong code", locked=locked)
    if interactive and {one.grant.role for one in grants.list_grants(connection, account)} == {Role.DEV}:
        why = "This account is a program's: it has API tokens, and no sessions."
        return _Found(account, Refused(why, code="no-sessions"), "a program's account")
    return _Found(account, None)


def _count_failure(connection: Connection, settings: AccessSettings, row: Row[Any]) -> bool:
    """One more wrong attempt; returns whether the account is locked now."""
    locked = bool(row.failures + 1 >= settings.lock_after)
    values: dict[str, Any] = {"failures": row.failures + 1}
    if locked:
        until = clock.now() + timedelta(minutes=settings.lock_minutes)
        values = {"failures": 0, "locked_until": until}
    connection.execute(update(accounts).where(accounts.c.id == row.id).values(**values))
    return locked


def _note(connection: Connection, trail: Trail, found: _Found, host: str, way: str) -> None:
    """Into the trail. A name that nobody has is not kept: people type passwords there by mistake."""
    account = found.account
    who = (
        Principal("user", "unknown")
        if account is None
        else Principal("user", account.name, account=account.id)
    )
    if found.locked:
        trail.record_in(
            connection, Entry(Kind.ALERT, who, host=host, what="account locked", reason=found.cause)
        )
    outcome = "success" if found.error is None else "refused"
    trail.record_in(
        connection,
        Entry(Kind.SIGN_IN, who, outcome, host=host, what=way, reason=found.cause),  # type: ignore[arg-type]
    )


def change_password(
    at: SigningIn, account: Account, old: str, new: str, acting: Any, *, host: str, keep_tokens: bool = False
) -> None:
    """A person's own new password; all sessions end, and, unless `keep_tokens`, all API tokens.

    Raises Refused: "wrong-password" for the old one, "weak-password" for the new one, "too-many".
    """
    check_password(at, account, old, host=host)
    if new == old:
        raise Refused("The new password is the old one.", code="weak-password")
    _, kept = service.new_password(new, name=account.name, length=at.settings.password_length)
    with writing(at.engine) as connection:
        service.set_password(
            connection, account.name, kept, acting, must_change=False, keep_tokens=keep_tokens
        )
