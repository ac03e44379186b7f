"""Sessions of browsers: a random id in a cookie, its hash in the database."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, delete, insert, select, update

from filmless.access.account_tables import accounts, sessions
from filmless.access.accounts import Account, account_of
from filmless.access.keys import derived, digest, new_secret
from filmless.access.settings import AccessSettings
from filmless.kit import clock

Method = Literal["password", "password+code", "oidc"]

#: how exactly it is kept when a session was last used: a write for each request would be too many
SEEN_EVERY: Final = timedelta(minutes=1)
#: of one account at once; the oldest ends when there are more
_MOST: Final = 50


@dataclass(frozen=True, slots=True)
class Session:
    """An open session. `id` names it among the open ones of its account; it opens nothing."""

    id: int
    #: the hash of its secret: what is really its own, as SQLite gives numbers again
    key: str
    account_id: int
    method: str
    host: str
    browser: str
    opened_at: datetime
    seen_at: datetime
    ends_at: datetime


def csrf_of(secret: str) -> str:
    """What an unsafe request has to say besides the cookie: only pages of ours can have read it."""
    return derived(secret, "csrf")


def open_session(
    connection: Connection,
    account_id: int,
    settings: AccessSettings,
    *,
    method: Method,
    host: str,
    browser: str = "",
) -> str:
    """A new session; returns the secret for the cookie, which is kept nowhere."""
    secret, now = new_secret(), clock.now()
    mine = sessions.c.account_id == account_id
    # everybody's that are over: nothing else tidies up
    connection.execute(delete(sessions).where(sessions.c.ends_at <= now))
    oldest_kept = connection.scalar(
        select(sessions.c.id).where(mine).order_by(sessions.c.id.desc()).offset(_MOST - 1).limit(1)
    )
    if oldest_kept is not None:
        connection.execute(delete(sessions).where(mine, sessions.c.id <= oldest_kept))
    connection.execute(
        insert(sessions).values(
            id_hash=digest(secret),
            account_id=account_id,
            method=method,
            host=host[:64],
            browser="".join(letter for letter in browser if letter.isprintable())[:200],
            opened_at=now,
            seen_at=now,
            ends_at=now + timedelta(hours=settings.session_hours),
        )
    )
    return secret


def find(
    connection: Connection, secret_digest: str, settings: AccessSettings
) -> tuple[Session, Account] | None:
    """The session of a cookie and its account; None where it ended, was idle too long, or the account is disabled."""
    row = connection.execute(select(sessions).where(sessions.c.id_hash == secret_digest)).first()
    if row is None:
        return None
    found = _session(row)
    now = clock.now()
    idle = timedelta(minutes=settings.session_idle_minutes)
    if found.ends_at <= now or found.seen_at + idle <= now:
        return None
    account = connection.execute(
        select(accounts).where(accounts.c.id == found.account_id, accounts.c.enabled)
    ).first()
    return None if account is None else (found, account_of(account))


def seen(connection: Connection, session: Session) -> None:
    """Keep that it was used now."""
    connection.execute(update(sessions).where(sessions.c.id_hash == session.key).values(seen_at=clock.now()))


def list_sessions(connection: Connection, account_id: int, settings: AccessSettings) -> list[Session]:
    """The open sessions of an account, the newest first."""
    query = select(sessions).where(sessions.c.account_id == account_id).order_by(sessions.c.id.desc())
    now, idle = clock.now(), timedelta(minutes=settings.session_idle_minutes)
    found = [_session(row) for row in connection.execute(query)]
    return [one for one in found if one.ends_at > now and one.seen_at + idle > now]


def end_this(connection: Connection, session: Session) -> None:
    """End one session."""
    connection.execute(delete(sessions).where(sessions.c.id_hash == session.key))


def end(connection: Connection, account_id: int, session_id: int | None = None) -> int:
    """End a session of an account, or all of them; returns how many there were."""
    ended = delete(sessions).where(sessions.c.account_id == account_id)
    if session_id is not None:
        ended = ended.where(sessions.c.id == session_id)
    return connection.execute(ended).rowcount


def _session(row: Row[Any]) -> Session:
    return Session(
        row.id,
        row.id_hash,
        row.account_id,
        row.method,
        row.host,
        row.browser,
        row.opened_at,
        row.seen_at,
        row.ends_at,
    )
