"""Who asks: from the cookie or token of a request to the account, its session and its Principal."""

import base64
import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from sqlalchemy import Connection, Engine

from filmless.access import grants, sessions, tokens
from filmless.access.accounts import Account, clean_name
from filmless.access.acting import Acting
from filmless.access.audit.model import Entry, Kind
from filmless.access.audit.trail import Trail
from filmless.access.keys import digest
from filmless.access.model import Principal
from filmless.access.oidc import Provider
from filmless.access.rates import Rates
from filmless.access.sessions import Session
from filmless.access.settings import AccessSettings
from filmless.access.sign_in import SigningIn
from filmless.access.tokens import Token
from filmless.db.work import reading, writing
from filmless.kit import clock
from filmless.kit.board import Board
from filmless.kit.errors import Refused
from filmless.net.http.model import HttpSettings

log = logging.getLogger(__name__)

#: seconds for which an answer of the database is believed: a viewer asks for hundreds of frames in a second. What
#: this process and those that share its board change acts at once, what others change (a command, another server)
#: after this time
BELIEVED: Final = 2.0
_MOST: Final = 10_000
#: a token's use is told again after this time, or from another address
_TOLD_EVERY: Final = timedelta(hours=1)

#: what has to be done before anything else may be
Must = Literal["", "change-password", "add-second-factor"]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody who is signed in, by session or by token."""

    principal: Principal
    account: Account
    session: Session | None = None
    #: of the session
    csrf: str = ""
    token: Token | None = None
    must: Must = ""
    #: the first account, still in the roles that it has for as long as nobody else has them
    first: bool = False


class Gate:
    """One for a process. Safe to use from any thread."""

    def __init__(
        self,
        engine: Engine,
        settings: AccessSettings,
        http: HttpSettings,
        trail: Trail,
        *,
        board: Board | None = None,
        rates: Rates | None = None,
    ) -> None:
        """`board`: shared with the other web processes of this server; `rates`: of all of them together."""
        self.engine = engine
        self.settings = settings
        self.http = http
        self.trail = trail
        self.rates = rates or Rates()
        #: None where nobody signs in through OpenID Connect
        self.provider = Provider(settings) if settings.oidc_issuer else None
        self._board = board or Board()
        self._lock = threading.Lock()
        #: kind and digest -> until when, what had changed before it was asked, the answer
        self._believed: OrderedDict[tuple[str, str], tuple[float, bytes, SignedIn]] = OrderedDict()

    @property
    def signing_in(self) -> SigningIn:
        """What signing in works with."""
        return SigningIn(self.engine, self.settings, self.trail, self.rates)

    def acting(self, who: Principal, host: str, reason: str = "") -> Acting:
        """Who changes something now."""
        return Acting(who, self.trail, host, reason)

    def forget(self) -> None:
        """Ask the database again for everybody: after a change to an account, a session or a token is committed."""
        self._board.changed()
        with self._lock:
            self._believed.clear()

    def believed(self, kind: str, secret_digest: str) -> SignedIn | None:
        """What the database said a moment ago; None where it has to be asked. Never blocks."""
        with self._lock:
            found = self._believed.get((kind, secret_digest))
        if found is None or found[0] <= time.monotonic() or found[1] != self._board.changes:
            return None
        return found[2]

    def by_session(self, secret: str, *, attended: bool = True) -> SignedIn | None:
        """Who holds this cookie; None for nobody. Asks the database.

        `attended`: somebody sits there; else the session goes on being idle.
        """
        key, before = digest(secret), self._board.changes
        with reading(self.engine) as connection:
            found = sessions.find(connection, key, self.settings)
            if found is None:
                return None
            session, account = found
            made = SignedIn(
                grants.principal_of(connection, account),
                account,
                session,
                sessions.csrf_of(secret),
                must=self._must(account, session),
                first=grants.is_still_first(connection, account),
            )
        if attended and session.seen_at + sessions.SEEN_EVERY <= clock.now():
            with writing(self.engine) as connection:
                sessions.seen(connection, session)
        return self._believe("session", key, made, before)

    def _must(self, account: Account, session: Session) -> Must:
        # whoever signs in through the provider has what the provider demands
        if session.method == "oidc":
            return ""
        if account.must_change_password:
            return "change-password"
        if self.settings.second_factor == "required" and not account.has_second_factor:
            return "add-second-factor"
        return ""

    def by_token(self, secret: str, name: str | None, host: str) -> SignedIn:
        """Whose token it is; `name`: the account that it has to be of. Asks the database.

        Raises Refused: "not-signed-in" where it is none or is over, "too-many" for an address that guesses.
        """
        key, before = digest(secret), self._board.changes
        with reading(self.engine) as connection:
            found = tokens.find(connection, key) if secret.startswith(tokens.PREFIX) else None
            if found is not None and (name is None or clean_name(name) == found[1].name):
                token, account = found
                principal = grants.principal_of(connection, account, only=token.scopes)
            else:
                found = None
        if found is None:
            self._refuse_token(host)
            raise Refused("This API token is not known here, or it is over.", code="not-signed-in")
        self._note_use(token, principal, host)
        return self._believe("token", key, SignedIn(principal, account, token=token), before)

    def tell_forgery(self, host: str, path: str) -> None:
        """Another site's page had a browser ask something of us: into the trail, once a minute for an address."""
        try:
            self.rates.take("forgery", host, 1)
        except Refused:
            return
        who = Principal("user", "unknown")
        self.trail.record_late(
            Entry(Kind.REFUSAL, who, "refused", host=host, what="forged", reason=path[:200])
        )

    def _refuse_token(self, host: str) -> None:
        # counted before it is told, so that guessing fills no trail
        self.rates.take("token", host, self.settings.attempts_per_host)
        who = Principal("user", "unknown")
        self.trail.record(
            Entry(Kind.SIGN_IN, who, "refused", host=host, what="token", reason="not known or over")
        )

    def _note_use(self, token: Token, principal: Principal, host: str) -> None:
        now = clock.now()
        anew = token.used_at is None or token.used_at + _TOLD_EVERY <= now or token.used_host != host[:64]
        if anew or (token.used_at is not None and token.used_at + sessions.SEEN_EVERY <= now):
            with writing(self.engine) as connection:
                tokens.used(connection, token, host)
                if anew:
                    self._told(connection, token, principal, host)

    def _told(self, connection: Connection, token: Token, principal: Principal, host: str) -> None:
        detail = {"token": token.begins, "label": token.label}
        self.trail.record_in(
            connection, Entry(Kind.SIGN_IN, principal, host=host, what="token", detail=detail)
        )

    def _believe(self, kind: str, key: str, made: SignedIn, before: bytes) -> SignedIn:
        """`before`: what had changed when the database was asked; a change since then makes it worth nothing."""
        with self._lock:
            self._believed[kind, key] = (time.monotonic() + BELIEVED, before, made)
            self._believed.move_to_end((kind, key))
            while len(self._believed) > _MOST:
                self._believed.popitem(last=False)
        return made


def credentials(authorization: str) -> tuple[str | None, str]:
    """(account name or None, token) of an Authorization header: Bearer TOKEN, or Basic with a token as password.

    Raises Refused (code "not-signed-in") for another scheme or what is not well formed.
    """
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return None, value.strip()
    if scheme.lower() == "basic":
        try:
            name, colon, secret = (
                base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")
            )
        except ValueError:
            name, colon, secret = "", "", ""
        if colon:
            return name, secret
    raise Refused(
        "Sign in with `Authorization: Bearer TOKEN`, or Basic with the account's name and a token as password.",
        code="not-signed-in",
    )
