"""Whose account it is that an OpenID provider knows: by issuer and subject, never by name or e-mail alone."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, insert, select
from sqlalchemy.exc import IntegrityError

from filmless.access import accounts, grants, sessions
from filmless.access.account_tables import account_identities, sign_in_states
from filmless.access.accounts import Account
from filmless.access.acting import Acting
from filmless.access.audit.model import Entry, Kind
from filmless.access.keys import digest, same
from filmless.access.model import SYSTEM, Principal
from filmless.access.oidc import Beginning
from filmless.access.settings import AccessSettings
from filmless.access.sign_in import SigningIn
from filmless.db.work import writing
from filmless.kit import clock
from filmless.kit.errors import Conflict, FilmlessError, Refused

#: for the whole way to the provider and back
STATE_MINUTES: Final = 10


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in under way: what was kept when it began."""

    nonce: str
    verifier: str
    return_to: str


def safe_path(path: str) -> str:
    """Where to go on after signing in: a path of this server, "/" for anything else."""
    inside = re.fullmatch(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", path) is not None
    return path if inside and len(path) <= 400 else "/"


def keep(engine: Engine, begun: Beginning, browser_secret: str, return_to: str) -> None:
    """Keep what the return is checked against; what was begun too long ago is forgotten."""
    with writing(engine) as connection:
        connection.execute(delete(sign_in_states).where(sign_in_states.c.ends_at <= clock.now()))
        connection.execute(
            insert(sign_in_states).values(
                state_hash=digest(begun.state),
                browser_hash=digest(browser_secret),
                nonce=begun.nonce,
                verifier=begun.verifier,
                return_to=safe_path(return_to),
                ends_at=clock.now() + timedelta(minutes=STATE_MINUTES),
            )
        )


def take(engine: Engine, state: str, browser_secret: str) -> Begun:
    """What was kept for this return, which is used up. Raises Refused (code "sign-in-refused").

    `browser_secret`: of the browser's cookie, so that nobody is signed in with somebody else's beginning.
    """
    with writing(engine) as connection:
        row = connection.execute(
            delete(sign_in_states)
            .where(sign_in_states.c.state_hash == digest(state), sign_in_states.c.ends_at > clock.now())
            .returning(sign_in_states)
        ).first()
    if row is None or not same(row.browser_hash, digest(browser_secret)):
        raise Refused(
            "This sign-in was not begun in this browser, or too long ago. Begin again.",
            code="sign-in-refused",
        )
    return Begun(row.nonce, row.verifier, row.return_to)


def sign_in(at: SigningIn, claims: dict[str, Any], *, host: str, browser: str = "") -> str:
    """Open a session for whom the provider's checked claims are about; returns the secret for its cookie.

    Raises Refused: "no-account" (a stranger, or one without a role here), "disabled", "barred-roles".
    """
    acting = Acting(SYSTEM, at.trail, host, "said by the OpenID provider")
    roles = at.settings.roles_of(_groups(claims.get(at.settings.oidc_roles_claim)))
    account: Account | None = None
    try:
        with writing(at.engine) as connection:
            account = _linked(connection, at.settings.oidc_issuer, claims["sub"])
            if account is None:
                if not (at.settings.oidc_new_accounts and roles):
                    raise _stranger()
                account = _new_account(connection, at.settings, claims, acting)
            if not account.enabled:
                raise Refused("This account is disabled.", code="disabled")
            grants.replace_from_provider(connection, account, roles, acting)
            # that the provider takes all rights away is kept also where it lets nobody in
            secret = ""
            if grants.principal_of(connection, account).grants:
                secret = sessions.open_session(
                    connection, account.id, at.settings, method="oidc", host=host, browser=browser
                )
                accounts.signed_in(connection, account.id)
                who = Principal("user", account.name, account=account.id)
                at.trail.record_in(connection, Entry(Kind.SIGN_IN, who, host=host, what="oidc"))
        if not secret:
            raise _stranger()
    except FilmlessError as error:
        who = Principal("user", "unknown" if account is None else account.name)
        detail = {"issuer": at.settings.oidc_issuer, "subject": claims["sub"]}
        at.trail.record(
            Entry(
                Kind.SIGN_IN,
                who,
                "refused",
                host=host,
                what="oidc",
                detail=detail,
                reason=error.message[:400],
            )
        )
        raise
    return secret


def _stranger() -> FilmlessError:
    return Refused("The provider knows you, but nobody has given you rights here.", code="no-account")


def link(connection: Connection, name: str, issuer: str, subject: str, acting: Acting) -> None:
    """Let an account sign in as this subject of the provider.

    Raises Refused (codes "not-found", "bad-account"), Conflict (code "identity-taken").
    """
    account = accounts.get(connection, name)
    if not issuer or not subject or len(subject) > 255 or len(issuer) > 500 or not subject.isprintable():
        raise Refused("An identity is the provider's issuer and its subject (sub).", code="bad-account")
    other = _linked(connection, issuer, subject)
    if other is not None and other.id != account.id:
        raise Conflict(f"This identity is {other.name}'s.", code="identity-taken")
    if other is None:
        try:
            with connection.begin_nested():
                connection.execute(
                    insert(account_identities).values(
                        account_id=account.id, issuer=issuer, subject=subject, linked_at=clock.now()
                    )
                )
        except IntegrityError:
            # the same person in two windows at this moment
            raise Conflict("This identity has just been linked. Try again.", code="identity-taken") from None
        acting.note(connection, "identity linked", account=account.name, issuer=issuer, subject=subject)


def unlink(connection: Connection, name: str, acting: Acting) -> int:
    """Take all identities at providers from an account; returns how many there were."""
    account = accounts.get(connection, name)
    gone = connection.execute(
        delete(account_identities).where(account_identities.c.account_id == account.id)
    ).rowcount
    if gone:
        acting.note(connection, "identities unlinked", account=account.name, count=gone)
    return gone


def identities(connection: Connection, account_id: int) -> list[tuple[str, str]]:
    """(issuer, subject) of an account."""
    query = select(account_identities.c.issuer, account_identities.c.subject).where(
        account_identities.c.account_id == account_id
    )
    return [(row.issuer, row.subject) for row in connection.execute(query.order_by(account_identities.c.id))]


def _linked(connection: Connection, issuer: str, subject: str) -> Account | None:
    found = connection.scalar(
        select(account_identities.c.account_id).where(
            account_identities.c.issuer == issuer, account_identities.c.subject == subject
        )
    )
    return None if found is None else accounts.get_by_id(connection, found)


def _new_account(
    connection: Connection, settings: AccessSettings, claims: dict[str, Any], acting: Acting
) -> Account:
    """An account named after the provider's user name; never one that is there already."""
    said = str(claims.get("preferred_username") or claims.get("nickname") or "")
    plain = unicodedata.normalize("NFKD", said).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9._@-]+", "-", plain).strip("._@-")[:50]
    if len(base) < 2:
        base = f"oidc-{digest(claims['sub'])[:8]}"
    account: Account | None = None
    for number in range(1, 100):
        try:
            account = accounts.create(
                connection,
                base if number == 1 else f"{base}-{number}",
                acting,
                display_name=_printable(str(claims.get("name") or said)),
            )
            break
        except (Conflict, Refused):
            # taken, or one of ours
            continue
    if account is None:
        raise Conflict(f"There are too many accounts named {base}.", code="account-exists")
    link(connection, account.name, settings.oidc_issuer, claims["sub"], acting)
    return account


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:200]


def _groups(claim: Any) -> frozenset[str]:
    """The words of a claim: a list, or text separated by spaces; anything else names nothing."""
    if isinstance(claim, str):
        return frozenset(claim.split())
    if isinstance(claim, list):
        return frozenset(one for one in claim if isinstance(one, str))
    return frozenset()
