"""Our own HTTP API of exchange/: share links, and studies shared with accounts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from filmless.access import shares
from filmless.access.api.told import Told
from filmless.access.api.words import PROBLEMS, AccountName, At, Host, In, Line, Number, Who
from filmless.access.audit.model import Entry, Kind
from filmless.access.model import Action, Principal, may, permit
from filmless.access.shares import SharedStudy, ShareLink
from filmless.archive.api.words import NamedStudy
from filmless.archive.query.named import named
from filmless.db.work import reading, writing
from filmless.exchange import sharing
from filmless.kit.errors import Refused
from filmless.net.http.origin import base_url

router = APIRouter(tags=["sharing"], responses=PROBLEMS, route_class=Told)

StudyUid = Annotated[str, Path(pattern=r"^[0-9.]{1,64}$", description="Study Instance UID.")]
_Name = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="Name of the link.")]


class LinkWords(BaseModel):
    """A share link. Its address is shown once, when it is made."""

    name: str
    study_uid: str
    studies: list[NamedStudy] = Field(
        description="Of that UID, for what who asks may find; empty where that is none. Of several patients: several."
    )
    label: str
    download: bool = Field(description="Whether the study may be taken along, not only looked at.")
    has_password: bool
    created_at: datetime
    created_by: str
    expires_at: datetime
    revoked_at: datetime | None
    uses: int
    used_at: datetime | None
    is_open: bool

    @classmethod
    def of(cls, link: ShareLink, studies: Iterable[Mapping[str, Any]] = ()) -> "LinkWords":
        """`studies`: of archive.query.named, perhaps of other links too."""
        names = set(cls.model_fields) - {"studies"}
        mine = [NamedStudy(**one) for one in studies if one["study_uid"] == link.study_uid]
        return cls(**{name: getattr(link, name) for name in names}, studies=mine)


class NewLinkWords(In):
    """A link to be made."""

    days: int = Field(7, ge=1, le=3650, description="Until it ends.")
    label: Line = Field("", max_length=200, description="For whom.")
    password: str = Field(
        "", max_length=200, description="Asked of whoever opens it; empty: nothing is asked."
    )
    download: bool = False


class MadeLink(BaseModel):
    """A link as it was made."""

    address: str = Field(description="What to hand on. Shown once.")
    link: LinkWords


class Links(BaseModel):
    """Share links, the newest first."""

    links: list[LinkWords]


class NewShare(In):
    """A study to be opened to an account."""

    account: AccountName
    until: datetime
    reason: Line = Field("", max_length=400)


class ShareWords(BaseModel):
    """A study that is open to an account for a time."""

    id: int
    study_uid: str
    account: str
    at: datetime
    until: datetime
    shared_by: str
    reason: str

    @classmethod
    def of(cls, one: SharedStudy) -> "ShareWords":
        return cls(**{name: getattr(one, name) for name in cls.model_fields})


class Shares(BaseModel):
    """Studies that are open to accounts for a time, the newest first."""

    shares: list[ShareWords]


@router.post("/studies/{study}/links", status_code=201, summary="Make a share link")
def add_share_link(
    study: StudyUid, body: NewLinkWords, who: Who, at: At, host: Host, request: Request
) -> MadeLink:
    wanted = sharing.NewLink(study, body.days, body.label, body.password, body.download)
    link, path = sharing.make_link(at.engine, at.acting(who, host), at.settings, wanted)
    with reading(at.engine) as connection:
        (words,) = _in_words(connection, who, [link])
    return MadeLink(address=base_url(request, at.http) + path, link=words)


@router.get("/studies/{study}/links", summary="The share links of a study")
def list_share_links(study: StudyUid, who: Who, at: At, host: Host) -> Links:
    sharing.demand_shareable(at.engine, who, study)
    at.trail.record(Entry(Kind.SEARCH, who, host=host, studies=(study,), what="share links"))
    with reading(at.engine) as connection:
        return Links(links=_in_words(connection, who, shares.list_links(connection, study_uid=study)))


@router.get("/links", summary="The share links that oneself made")
def list_my_share_links(who: Who, at: At, host: Host, open_only: Annotated[bool, Query()] = True) -> Links:
    permit(who, Action.SHARE)
    # it names patients
    at.trail.record(Entry(Kind.SEARCH, who, host=host, what="share links"))
    with reading(at.engine) as connection:
        found = shares.list_links(connection, made_by=who.name, open_only=open_only)
        return Links(links=_in_words(connection, who, found))


@router.delete("/links/{name}", status_code=204, summary="Withdraw a share link")
def revoke_share_link(name: _Name, who: Who, at: At, host: Host) -> None:
    permit(who, Action.SHARE)
    with writing(at.engine) as connection:
        found = shares.get_link(connection, name)
        if found.created_by != who.name and not _may_share(who, at, found.study_uid):
            raise Refused("There is no such link.", code="not-found")
        shares.revoke_link(connection, name, at.acting(who, host))


@router.post("/studies/{study}/shares", status_code=201, summary="Open a study to an account for a time")
def add_share(study: StudyUid, body: NewShare, who: Who, at: At, host: Host) -> ShareWords:
    acting = at.acting(who, host, body.reason)
    until = body.until if body.until.tzinfo else body.until.replace(tzinfo=UTC)
    made = sharing.share_with(
        at.engine, acting, at.settings, study_uid=study, account=body.account, until=until
    )
    return ShareWords.of(made)


@router.get("/studies/{study}/shares", summary="To which accounts a study is open for a time")
def list_shares(study: StudyUid, who: Who, at: At) -> Shares:
    sharing.demand_shareable(at.engine, who, study)
    with reading(at.engine) as connection:
        return Shares(shares=[ShareWords.of(one) for one in shares.shared(connection, study_uid=study)])


@router.delete("/shares/{number}", status_code=204, summary="Close a study to an account")
def stop_share(number: Number, who: Who, at: At, host: Host) -> None:
    permit(who, Action.SHARE)
    with writing(at.engine) as connection:
        found = shares.get_share(connection, number)
        if found.shared_by != who.name and not _may_share(who, at, found.study_uid):
            raise Refused("There is no such share.", code="not-found")
        shares.stop_sharing(connection, number, at.acting(who, host))


def _in_words(connection: Connection, who: Principal, links: Sequence[ShareLink]) -> list[LinkWords]:
    studies = named(connection, who, study_uids=[one.study_uid for one in links])
    return [LinkWords.of(one, studies) for one in links]


def _may_share(who: Principal, at: At, study_uid: str) -> bool:
    if not may(who, Action.SHARE):
        return False
    with reading(at.engine) as connection:
        return sharing.sees(connection, permit(who, Action.SHARE), study_uid)
