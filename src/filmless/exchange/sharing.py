"""Sharing a study with an account, or with whoever has a link: granted in access/, here asked what may be shared."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, select

from filmless.access import shares
from filmless.access.acting import Acting
from filmless.access.model import SYSTEM, Action, Principal, permit
from filmless.access.settings import AccessSettings
from filmless.access.shares import SharedStudy, ShareLink
from filmless.archive.query import listing, visible_at
from filmless.archive.tables import studies
from filmless.db.work import reading, writing
from filmless.kit import clock
from filmless.kit.errors import Refused

#: where the pages of links are, on the web side
PAGES = "/s"


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link to be made. `days`: until it ends."""

    study_uid: str
    days: int = 7
    label: str = ""
    password: str = ""
    download: bool = False


def make_link(
    engine: Engine, acting: Acting, settings: AccessSettings, wanted: NewLink
) -> tuple[ShareLink, str]:
    """The link, and the path of its address, which is kept nowhere.

    Raises Refused: "not-permitted", "not-found" where the study may not be shared by who asks, "bad-value",
    "weak-password".
    """
    _demand_one_patient(engine, acting.who, wanted.study_uid)
    kept = shares.hashed_password(wanted.password)
    with writing(engine) as connection:
        link, secret = shares.make_link(
            connection,
            acting,
            settings,
            study_uid=wanted.study_uid,
            until=clock.now() + timedelta(days=wanted.days),
            label=wanted.label,
            password_hash=kept,
            download=wanted.download,
        )
    return link, f"{PAGES}/{secret}"


def share_with(
    engine: Engine, acting: Acting, settings: AccessSettings, *, study_uid: str, account: str, until: datetime
) -> SharedStudy:
    """Open a study to an account until then. Raises Refused as `make_link`."""
    _demand_one_patient(engine, acting.who, study_uid)
    with writing(engine) as connection:
        return shares.share_with(
            connection, acting, settings, study_uid=study_uid, account=account, until=until
        )


def demand_shareable(engine: Engine, principal: Principal, study_uid: str) -> None:
    """Raises Refused: "not-permitted"; "not-found" where `principal` sees no such study as one that it may share."""
    allowed = permit(principal, Action.SHARE)
    with reading(engine) as connection:
        if not sees(connection, allowed, study_uid):
            raise Refused("There is no such study that you may share.", code="not-found")


def _demand_one_patient(engine: Engine, principal: Principal, study_uid: str) -> None:
    """As `demand_shareable`; "shared-number" where it would open the images of several patients."""
    demand_shareable(engine, principal, study_uid)
    with reading(engine) as connection:
        # whoever opens it sees all, also what the sharer does not
        listing.demand_one_patient(connection, SYSTEM, study_uid)


def sees(connection: Connection, principal: Principal, study_uid: str) -> bool:
    """Whether there is such a study for `principal`."""
    condition = visible_at("STUDY", principal)
    found = connection.execute(
        select(studies.c.id).where(studies.c.study_uid == study_uid, condition).limit(1)
    )
    return found.first() is not None
