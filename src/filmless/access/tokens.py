"""API tokens: for programs, in the place of a password. They may do at most what their account may."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from filmless.access.account_tables import accounts
from filmless.access.account_tables import tokens as table
from filmless.access.accounts import Account, account_of
from filmless.access.acting import Acting
from filmless.access.keys import digest, new_secret
from filmless.access.model import Action
from filmless.access.settings import AccessSettings
from filmless.kit import clock
from filmless.kit.errors import Refused

#: what every token begins with, so that scanners for leaked secrets can know them
PREFIX: Final = "fl_"
_SHOWN: Final = len(PREFIX) + 6
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; its secret is not."""

    id: int
    account_id: int
    #: its first characters
    begins: str
    label: str
    scopes: frozenset[Action]
    created_at: datetime
    created_by: str
    expires_at: datetime
    used_at: datetime | None
    used_host: str
    revoked_at: datetime | None

    @property
    def in_force(self) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and self.expires_at > clock.now()


def actions(words: Iterable[str]) -> frozenset[Action]:
    """Scopes in words as actions. Raises Refused (code "bad-token") for a word that is none."""
    found = set()
    for word in words:
        if word not in list(Action):
            near = difflib.get_close_matches(word, list(Action), n=1)
            hint = f" Did you mean {near[0]}?" if near else f" There are: {', '.join(Action)}."
            raise Refused(f"There is no action {word!r}.{hint}", code="bad-token")
        found.add(Action(word))
    return frozenset(found)


def add(
    connection: Connection,
    account: Account,
    settings: AccessSettings,
    acting: Acting,
    *,
    label: str,
    scopes: frozenset[Action],
    days: int | None = None,
) -> tuple[str, Token]:
    """A new token: (the token, to be shown once; what is kept). `days`: until it ends; None: as long as may be.

    Its scopes may be wider than the rights of its account: it is the narrower of the two at each use. Raises Refused
    (code "bad-token").
    """
    if not label.strip() or len(label) > 100 or not label.isprintable():
        raise Refused(
            "A token needs a label of at most 100 letters that says what it is for.", code="bad-token"
        )
    if not scopes:
        raise Refused("A token needs at least one action that it may be used for.", code="bad-token")
    if Action.OWN_ACCOUNT in scopes:
        raise Refused("An account's own password and sessions are never managed by token.", code="bad-token")
    lasting = settings.token_days if days is None else days
    if not 1 <= lasting <= settings.token_days:
        raise Refused(f"A token lasts 1 to {settings.token_days} days.", code="bad-token")
    if len([one for one in list_tokens(connection, account.id) if one.in_force]) >= _MOST:
        raise Refused(f"An account has at most {_MOST} tokens: revoke some first.", code="bad-token")
    secret = PREFIX + new_secret()
    row = connection.execute(
        insert(table)
        .values(
            account_id=account.id,
            token_hash=digest(secret),
            begins=secret[:_SHOWN],
            label=label.strip(),
            scopes=sorted(scopes),
            created_at=clock.now(),
            created_by=acting.who.name,
            expires_at=clock.now() + timedelta(days=lasting),
        )
        .returning(table)
    ).one()
    made = _token(row)
    acting.note(
        connection,
        "token made",
        account=account.name,
        token=made.begins,
        label=made.label,
        scopes=sorted(scopes),
        until=made.expires_at.isoformat(),
    )
    return secret, made


def list_tokens(connection: Connection, account_id: int) -> list[Token]:
    """The tokens of an account, the newest first; those that are over among them."""
    query = select(table).where(table.c.account_id == account_id).order_by(table.c.id.desc()).limit(1000)
    return [_token(row) for row in connection.execute(query)]


def revoke(connection: Connection, account: Account, token_id: int, acting: Acting) -> None:
    """End a token. Raises Refused (code "not-found")."""
    row = connection.execute(
        select(table).where(table.c.id == token_id, table.c.account_id == account.id)
    ).first()
    if row is None:
        raise Refused(f"{account.name} has no token {token_id}.", code="not-found")
    if row.revoked_at is None:
        connection.execute(update(table).where(table.c.id == token_id).values(revoked_at=clock.now()))
        acting.note(connection, "token revoked", account=account.name, token=row.begins, label=row.label)


def find(connection: Connection, token_digest: str) -> tuple[Token, Account] | None:
    """The token and its account; None where it is none, is over, or its account is disabled."""
    row = connection.execute(select(table).where(table.c.token_hash == token_digest)).first()
    if row is None:
        return None
    found = _token(row)
    account = connection.execute(
        select(accounts).where(accounts.c.id == found.account_id, accounts.c.enabled)
    ).first()
    if account is None or not found.in_force:
        return None
    return found, account_of(account)


def used(connection: Connection, token: Token, host: str) -> None:
    """Keep that it was used now, and from where."""
    connection.execute(
        update(table).where(table.c.id == token.id).values(used_at=clock.now(), used_host=host[:64])
    )


def _token(row: Row[Any]) -> Token:
    known = set(Action)
    return Token(
        row.id,
        row.account_id,
        row.begins,
        row.label,
        # an action that this version does not know any more gives nothing
        frozenset(Action(word) for word in row.scopes if word in known),
        row.created_at,
        row.created_by,
        row.expires_at,
        row.used_at,
        row.used_host,
        row.revoked_at,
    )
