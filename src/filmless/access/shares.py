"""Studies opened to others: to an account for a time, or to whoever has a link and knows its password.

Whether the study may be shared by who shares it is asked by exchange/, which can look at the archive.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from filmless.access import passwords
from filmless.access.account_tables import accounts
from filmless.access.accounts import get
from filmless.access.acting import Acting
from filmless.access.audit.model import Kind
from filmless.access.belonging import check_uid
from filmless.access.keys import digest, new_secret
from filmless.access.model import Action, Principal, permit, share_principal
from filmless.access.settings import AccessSettings
from filmless.access.tables import share_links, share_sessions, shared_studies
from filmless.kit import clock
from filmless.kit.errors import Refused
from filmless.kit.ids import new_version_key

#: of a link's password: those who get it type it once
SHORTEST_PASSWORD: Final = 6
#: hours for which a browser that opened a link may go on
_SESSION_HOURS: Final = 8
#: wrong passwords in a row after which a link rests
_LOCK_AFTER: Final = 10
_LOCK_MINUTES: Final = 15


@dataclass(frozen=True, slots=True)
class ShareLink:
    """A link as lists show it; the address itself is known only when it is made."""

    name: str
    study_uid: str
    label: str
    download: bool
    has_password: bool
    created_at: datetime
    created_by: str
    expires_at: datetime
    revoked_at: datetime | None
    uses: int
    used_at: datetime | None

    @property
    def is_open(self) -> bool:
        return self.revoked_at is None and self.expires_at > clock.now()

    @property
    def principal(self) -> Principal:
        """On whose behalf whoever opened it looks."""
        return share_principal(self.name, self.study_uid, download=self.download)


@dataclass(frozen=True, slots=True)
class SharedStudy:
    """A study opened to an account (its name) until then."""

    id: int
    study_uid: str
    account: str
    at: datetime
    until: datetime
    shared_by: str
    reason: str
    revoked_at: datetime | None


def hashed_password(password: str) -> str:
    """What is kept of a link's password ("": none). Slow: outside a transaction. Raises Refused ("weak-password")."""
    if not password:
        return ""
    if not SHORTEST_PASSWORD <= len(password) <= passwords.LONGEST:
        raise Refused(f"A link's password has at least {SHORTEST_PASSWORD} characters.", code="weak-password")
    return passwords.hashed(password)


def make_link(
    connection: Connection,
    acting: Acting,
    settings: AccessSettings,
    *,
    study_uid: str,
    until: datetime,
    label: str = "",
    password_hash: str = "",
    download: bool = False,
) -> tuple[ShareLink, str]:
    """A new link and the secret of its address, which is kept nowhere. `password_hash`: of `hashed_password`.

    Raises Refused: "not-permitted", "bad-value".
    """
    permit(acting.who, Action.SHARE)
    check_uid(study_uid)
    now = clock.now()
    if not now < until <= now + timedelta(days=settings.share_days):
        raise Refused(
            f"A link ends in the future, at most {settings.share_days} days from now.", code="bad-value"
        )
    if len(label) > 200 or not label.isprintable():
        raise Refused("A label is printable text of at most 200 characters.", code="bad-value")
    secret, name = new_secret(), new_version_key()
    connection.execute(
        insert(share_links).values(
            name=name,
            token_hash=digest(secret),
            study_uid=study_uid,
            label=label,
            download=download,
            password_hash=password_hash,
            created_at=now,
            created_by=acting.who.name[:80],
            expires_at=until,
        )
    )
    acting.note(
        connection,
        "made",
        kind=Kind.SHARE,
        studies=(study_uid,),
        link=name,
        until=until.isoformat(),
        password=bool(password_hash),
        download=download,
    )
    return get_link(connection, name), secret


def get_link(connection: Connection, name: str) -> ShareLink:
    """Raises Refused (code "not-found")."""
    row = connection.execute(select(share_links).where(share_links.c.name == name)).first()
    if row is None:
        raise Refused("There is no such link.", code="not-found")
    return _link(row)


def list_links(
    connection: Connection,
    *,
    study_uid: str = "",
    made_by: str = "",
    open_only: bool = False,
    limit: int = 200,
) -> list[ShareLink]:
    """Links, the newest first."""
    query = select(share_links).order_by(share_links.c.id.desc()).limit(limit)
    if study_uid:
        query = query.where(share_links.c.study_uid == study_uid)
    if made_by:
        query = query.where(share_links.c.created_by == made_by)
    if open_only:
        query = query.where(share_links.c.revoked_at.is_(None), share_links.c.expires_at > clock.now())
    return [_link(row) for row in connection.execute(query)]


def revoke_link(connection: Connection, name: str, acting: Acting) -> ShareLink:
    """From now on it opens nothing, for those neither who have it open. Raises Refused (code "not-found")."""
    found = get_link(connection, name)
    if found.revoked_at is None:
        values = {"revoked_at": clock.now(), "revoked_by": acting.who.name[:80]}
        connection.execute(update(share_links).where(share_links.c.name == name).values(**values))
        link = select(share_links.c.id).where(share_links.c.name == name).scalar_subquery()
        connection.execute(delete(share_sessions).where(share_sessions.c.link_id == link))
        acting.note(connection, "withdrawn", kind=Kind.SHARE, studies=(found.study_uid,), link=name)
    return get_link(connection, name)


def link_of(connection: Connection, secret: str) -> ShareLink | None:
    """The link of an address; None where there is none, or it is over."""
    row = connection.execute(select(share_links).where(share_links.c.token_hash == digest(secret))).first()
    if row is None:
        return None
    found = _link(row)
    return found if found.is_open else None


def may_try(connection: Connection, link: ShareLink) -> bool:
    """Whether its password may be tried now: False for a while after many wrong ones."""
    locked = connection.scalar(select(share_links.c.locked_until).where(share_links.c.name == link.name))
    return locked is None or locked <= clock.now()


def kept_password(connection: Connection, link: ShareLink) -> str:
    """What `is_password` compares with."""
    return connection.scalar(select(share_links.c.password_hash).where(share_links.c.name == link.name)) or ""


def is_password(kept: str, password: str) -> bool:
    """Whether it is the link's password; about 20 ms of work: outside a transaction."""
    return passwords.check(kept, password)


def tried(connection: Connection, link: ShareLink, acting: Acting) -> None:
    """Keep that a wrong password was given."""
    row = share_links.c.name == link.name
    failures = (connection.scalar(select(share_links.c.failures).where(row).with_for_update()) or 0) + 1
    values: dict[str, Any] = {"failures": failures}
    if failures >= _LOCK_AFTER:
        values = {"failures": 0, "locked_until": clock.now() + timedelta(minutes=_LOCK_MINUTES)}
    connection.execute(update(share_links).where(row).values(**values))
    acting.note(
        connection,
        "wrong password",
        kind=Kind.SHARE,
        outcome="refused",
        studies=(link.study_uid,),
        link=link.name,
    )


def opened(connection: Connection, link: ShareLink, acting: Acting) -> str:
    """Somebody opened the link: counted, audited; the secret of a session in which it stays open."""
    now, secret = clock.now(), new_secret()
    row = select(share_links.c.id).where(share_links.c.name == link.name).scalar_subquery()
    connection.execute(delete(share_sessions).where(share_sessions.c.ends_at <= now))
    connection.execute(
        insert(share_sessions).values(
            id_hash=digest(secret),
            link_id=row,
            ends_at=min(link.expires_at, now + timedelta(hours=_SESSION_HOURS)),
        )
    )
    connection.execute(
        update(share_links)
        .where(share_links.c.name == link.name)
        .values(uses=share_links.c.uses + 1, used_at=now, failures=0, locked_until=None)
    )
    acting.note(connection, "used", kind=Kind.SHARE, studies=(link.study_uid,), link=link.name)
    return secret


def link_of_session(connection: Connection, name: str, secret: str) -> ShareLink | None:
    """The link of this name that a browser opened; None where that is over, or the link is."""
    row = connection.execute(
        select(share_links)
        .join(share_sessions, share_sessions.c.link_id == share_links.c.id)
        .where(
            share_sessions.c.id_hash == digest(secret),
            share_sessions.c.ends_at > clock.now(),
            share_links.c.name == name,
        )
    ).first()
    if row is None:
        return None
    found = _link(row)
    return found if found.is_open else None


def share_with(
    connection: Connection,
    acting: Acting,
    settings: AccessSettings,
    *,
    study_uid: str,
    account: str,
    until: datetime,
) -> SharedStudy:
    """Open a study to an account. Raises Refused: "not-permitted", "not-found", "bad-value"."""
    permit(acting.who, Action.SHARE)
    check_uid(study_uid)
    now = clock.now()
    if not now < until <= now + timedelta(days=settings.share_days):
        raise Refused(
            f"It ends in the future, at most {settings.share_days} days from now.", code="bad-value"
        )
    made: int = connection.scalars(
        insert(shared_studies)
        .values(
            study_uid=study_uid,
            account_id=get(connection, account).id,
            at=now,
            until=until,
            shared_by=acting.who.name[:80],
            reason=acting.reason[:400],
        )
        .returning(shared_studies.c.id)
    ).one()
    acting.note(
        connection,
        "shared with an account",
        kind=Kind.SHARE,
        studies=(study_uid,),
        account=account,
        until=until.isoformat(),
    )
    return get_share(connection, made)


def stop_sharing(connection: Connection, number: int, acting: Acting) -> SharedStudy:
    """From now on it is open to the account no more. Raises Refused (code "not-found")."""
    found = get_share(connection, number)
    if found.revoked_at is None:
        values = {"revoked_at": clock.now(), "revoked_by": acting.who.name[:80]}
        connection.execute(update(shared_studies).where(shared_studies.c.id == number).values(**values))
        acting.note(
            connection,
            "withdrawn from an account",
            kind=Kind.SHARE,
            studies=(found.study_uid,),
            account=found.account,
        )
    return get_share(connection, number)


def shared(connection: Connection, *, study_uid: str = "", account: str = "") -> list[SharedStudy]:
    """What is open to accounts now, the newest first."""
    query = _select_shared().where(
        shared_studies.c.revoked_at.is_(None), shared_studies.c.until > clock.now()
    )
    if study_uid:
        query = query.where(shared_studies.c.study_uid == study_uid)
    if account:
        query = query.where(accounts.c.name == account)
    rows = connection.execute(query.order_by(shared_studies.c.id.desc()).limit(1000))
    return [_shared_of(row) for row in rows]


def _select_shared() -> Any:
    return select(shared_studies, accounts.c.name).join(
        accounts, accounts.c.id == shared_studies.c.account_id
    )


def get_share(connection: Connection, number: int) -> SharedStudy:
    """Raises Refused (code "not-found")."""
    row = connection.execute(_select_shared().where(shared_studies.c.id == number)).first()
    if row is None:
        raise Refused("That is not shared with an account.", code="not-found")
    return _shared_of(row)


def _shared_of(row: Row[Any]) -> SharedStudy:
    return SharedStudy(
        row.id, row.study_uid, row.name, row.at, row.until, row.shared_by, row.reason, row.revoked_at
    )


def _link(row: Row[Any]) -> ShareLink:
    return ShareLink(
        row.name,
        row.study_uid,
        row.label,
        row.download,
        bool(row.password_hash),
        row.created_at,
        row.created_by,
        row.expires_at,
        row.revoked_at,
        row.uses,
        row.used_at,
    )
