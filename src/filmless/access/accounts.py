"""Accounts: made, changed, disabled, never deleted, so that the audit trail's names stay somebody's."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from filmless.access import passwords
from filmless.access.account_tables import accounts, sessions, tokens
from filmless.access.acting import Acting
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")
#: names under which the trail knows ourselves
_RESERVED: Final = frozenset({"engineer", "filmless", "system", "unknown", "anonymous"})
LANGUAGES: Final = ("", "zh", "en")


@dataclass(frozen=True, slots=True)
class Account:
    """A person or program that may sign in. Without its secrets."""

    id: int
    name: str
    display_name: str
    language: str
    wards: frozenset[str]
    enabled: bool
    first: bool
    has_password: bool
    must_change_password: bool
    locked_until: datetime | None
    has_second_factor: bool
    signed_in_at: datetime | None
    created_at: datetime

    @property
    def locked(self) -> bool:
        """Whether it is locked now, after too many wrong passwords."""
        return self.locked_until is not None and self.locked_until > clock.now()


def clean_name(name: str) -> str:
    """A name as it is kept and compared; "" for what cannot be printed, which is nobody's."""
    name = unicodedata.normalize("NFKC", name[:200]).strip().lower()
    return name if name.isprintable() else ""


def find(connection: Connection, name: str) -> Account | None:
    """The account of this name, or None."""
    row = connection.execute(select(accounts).where(accounts.c.name == clean_name(name))).first()
    return None if row is None else account_of(row)


def get(connection: Connection, name: str) -> Account:
    """The account of this name. Raises Refused (code "not-found")."""
    found = find(connection, name)
    if found is None:
        raise Refused(f"There is no account {clean_name(name)!r}.", code="not-found")
    return found


def get_by_id(connection: Connection, account_id: int) -> Account:
    """The account of this id. Raises Refused (code "not-found")."""
    row = connection.execute(select(accounts).where(accounts.c.id == account_id)).first()
    if row is None:
        raise Refused("There is no such account.", code="not-found")
    return account_of(row)


def list_accounts(
    connection: Connection, *, search: str = "", after: str = "", limit: int = 100
) -> list[Account]:
    """Accounts in the order of their names, from the one after `after` on; `search`: part of a name."""
    query = select(accounts).where(accounts.c.name > after).order_by(accounts.c.name).limit(limit)
    if search:
        query = query.where(
            or_(
                accounts.c.name.contains(clean_name(search), autoescape=True),
                func.lower(accounts.c.display_name).contains(search.strip().lower(), autoescape=True),
            )
        )
    return [account_of(row) for row in connection.execute(query)]


def create(
    connection: Connection,
    name: str,
    acting: Acting,
    *,
    display_name: str = "",
    language: str = "",
    wards: Iterable[str] = (),
    password_hash: str = "",
    first: bool = False,
    must_change_password: bool = True,
) -> Account:
    """A new account without rights. A password that somebody else chose is to be changed at the first sign-in.

    Raises Refused (code "bad-account") and Conflict (code "account-exists").
    """
    wanted = clean_name(name)
    if not _NAME.fullmatch(wanted) or wanted in _RESERVED:
        raise Refused(
            "An account's name has 2 to 64 characters: letters a to z, digits, and . _ @ - inside; "
            f"{', '.join(sorted(_RESERVED))} are taken.",
            code="bad-account",
        )
    given = _checked({"display_name": display_name or wanted, "language": language, "wards": wards})
    taken = Conflict(f"There is already an account {wanted}.", code="account-exists")
    if find(connection, wanted) is not None:
        raise taken
    try:
        with connection.begin_nested():
            connection.execute(
                insert(accounts).values(
                    name=wanted,
                    enabled=True,
                    first=first,
                    password_hash=password_hash,
                    password_changed_at=clock.now() if password_hash else None,
                    must_change_password=bool(password_hash) and must_change_password,
                    created_at=clock.now(),
                    created_by=acting.who.name,
                    **given,
                )
            )
    except IntegrityError:
        # somebody else made it at this moment
        raise taken from None
    acting.note(connection, "account made", account=wanted)
    return get(connection, wanted)


def change(connection: Connection, name: str, changes: dict[str, Any], acting: Acting) -> Account:
    """Change `display_name`, `language`, `wards`. Raises Refused (codes "not-found", "bad-account")."""
    before = get(connection, name)
    given = _checked(changes)
    now_is = {"display_name": before.display_name, "language": before.language, "wards": sorted(before.wards)}
    differing = {key: value for key, value in given.items() if now_is[key] != value}
    if differing:
        connection.execute(update(accounts).where(accounts.c.id == before.id).values(**differing))
        changed = {key: [now_is[key], value] for key, value in differing.items()}
        acting.note(connection, "account changed", account=before.name, changes=changed)
    return get(connection, name)


def unlock(connection: Connection, name: str, acting: Acting) -> Account:
    """Let an account try again that is locked after too many wrong passwords."""
    account = get(connection, name)
    connection.execute(
        update(accounts).where(accounts.c.id == account.id).values(failures=0, locked_until=None)
    )
    acting.note(connection, "account unlocked", account=account.name)
    return get(connection, name)


def set_password(
    connection: Connection,
    name: str,
    password_hash: str,
    acting: Acting,
    *,
    must_change: bool,
    keep_tokens: bool = False,
) -> int:
    """Keep a new password's hash; all sessions of the account end, and a lock is over.

    Its API tokens are revoked, unless `keep_tokens`: who knew the old password may have made one. Returns how many.
    """
    account = get(connection, name)
    connection.execute(
        update(accounts)
        .where(accounts.c.id == account.id)
        .values(
            password_hash=password_hash,
            password_changed_at=clock.now(),
            must_change_password=must_change,
            failures=0,
            locked_until=None,
        )
    )
    ended = connection.execute(delete(sessions).where(sessions.c.account_id == account.id)).rowcount
    revoked = 0
    if not keep_tokens:
        in_force = (
            tokens.c.account_id == account.id,
            tokens.c.revoked_at.is_(None),
            tokens.c.expires_at > clock.now(),
        )
        revoked = connection.execute(update(tokens).where(*in_force).values(revoked_at=clock.now())).rowcount
    what = "password reset" if must_change else "password changed"
    acting.note(connection, what, account=account.name, sessions_ended=ended, tokens_revoked=revoked)
    return revoked


def signed_in(connection: Connection, account_id: int) -> None:
    """Keep that somebody signed in now."""
    connection.execute(update(accounts).where(accounts.c.id == account_id).values(signed_in_at=clock.now()))


def new_password(given: str | None, *, name: str, length: int) -> tuple[str, str]:
    """(password, its hash): the one given, or a random one. Raises Refused (code "weak-password").

    Slow on purpose: to be called outside of a transaction.
    """
    password = passwords.random_password() if given is None else given
    passwords.demand(password, name=clean_name(name), length=length)
    return password, passwords.hashed(password)


def account_of(row: Row[Any]) -> Account:
    """The account of a row of the table."""
    return Account(
        id=row.id,
        name=row.name,
        display_name=row.display_name,
        language=row.language,
        wards=frozenset(row.wards),
        enabled=row.enabled,
        first=row.first,
        has_password=bool(row.password_hash),
        must_change_password=row.must_change_password,
        locked_until=row.locked_until,
        has_second_factor=row.totp_confirmed_at is not None,
        signed_in_at=row.signed_in_at,
        created_at=row.created_at,
    )


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    """Values as the table holds them. Raises Refused (code "bad-account")."""
    made: dict[str, Any] = {}
    for key, value in given.items():
        if key == "display_name":
            made[key] = " ".join(unicodedata.normalize("NFC", str(value)).split())[:200]
            if not made[key].isprintable():
                raise Refused("A name may hold letters that can be printed only.", code="bad-account")
        elif key == "language":
            if value not in LANGUAGES:
                raise Refused("The language is zh, en, or empty for the browser's.", code="bad-account")
            made[key] = value
        elif key == "wards":
            wards = sorted({str(ward).strip() for ward in value} - {""})
            if len(wards) > 100 or any(len(ward) > 64 for ward in wards):
                raise Refused("At most 100 wards, of at most 64 characters each.", code="bad-account")
            made[key] = wards
        else:
            raise Refused(f"An account has no {key} to change.", code="bad-account")
    return made
