"""Drafts: what a person has drawn on a study and not saved as DICOM yet. One for each account and study."""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused
from filmless.viewing.tables import drafts

#: of one draft as JSON text, and of drafts of one account
LONGEST: Final = 2 << 20
MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Draft:
    """`version` 0: there is none."""

    version: int = 0
    annotations: tuple[dict[str, Any], ...] = ()
    #: SOP Instance UIDs of the reports that it is a later version of
    previous: tuple[str, ...] = ()
    changed_at: datetime | None = None


class Stale(Conflict):
    """Another window was first; `version` is what is kept now."""

    def __init__(self, version: int) -> None:
        super().__init__("The draft was changed in another window.", code="stale")
        self.version = version


def show(connection: Connection, account: int, study_uid: str) -> Draft:
    """The draft of an account on a study."""
    row = connection.execute(select(drafts).where(_mine(account, study_uid))).one_or_none()
    if row is None:
        return Draft()
    content = json.loads(row.content)
    return Draft(row.version, tuple(content["annotations"]), tuple(content["previous"]), row.changed_at)


def save(
    connection: Connection,
    account: int,
    study_uid: str,
    *,
    version: int,
    annotations: list[dict[str, Any]],
    previous: list[str],
) -> Draft:
    """Keep a draft in the place of `version` (0: where there is none).

    Raises Stale where another version is kept, Refused (code "too-large") where it or their number is too large.
    """
    text = json.dumps(
        {"annotations": annotations, "previous": previous}, ensure_ascii=False, separators=(",", ":")
    )
    if len(text.encode()) > LONGEST:
        raise Refused(f"A draft has at most {LONGEST >> 20} MiB.", code="too-large")
    now = clock.now()
    values = {"content": text, "changed_at": now}
    if version:
        kept = _mine(account, study_uid) & (drafts.c.version == version)
        if connection.execute(update(drafts).where(kept).values(version=version + 1, **values)).rowcount:
            return Draft(version + 1, tuple(annotations), tuple(previous), now)
        raise Stale(_version(connection, account, study_uid))
    query = select(func.count()).select_from(drafts).where(drafts.c.account_id == account)
    if (connection.scalar(query) or 0) >= MOST:
        raise Refused(f"At most {MOST} drafts are kept; save or discard some.", code="too-large")
    # not from 1: a window that knew an earlier draft must not take this one for it
    first = 1 + secrets.randbelow(1 << 30)
    try:
        with connection.begin_nested():
            connection.execute(
                insert(drafts).values(account_id=account, study_uid=study_uid, version=first, **values)
            )
    except IntegrityError:
        raise Stale(_version(connection, account, study_uid)) from None
    return Draft(first, tuple(annotations), tuple(previous), now)


def discard(connection: Connection, account: int, study_uid: str, version: int) -> None:
    """Forget the draft of this version; again is harmless. Raises Stale where another version is kept."""
    kept = _mine(account, study_uid)
    if connection.execute(delete(drafts).where(kept & (drafts.c.version == version))).rowcount:
        return
    found = _version(connection, account, study_uid)
    if found:
        raise Stale(found)


def _mine(account: int, study_uid: str) -> Any:
    return (drafts.c.account_id == account) & (drafts.c.study_uid == study_uid)


def _version(connection: Connection, account: int, study_uid: str) -> int:
    return connection.scalar(select(drafts.c.version).where(_mine(account, study_uid))) or 0
