"""Why somebody does not find a study: for whoever looks, and in full for those whom people ask."""

import asyncio
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from filmless.access.api.words import AccountName, HeldRole, RoleWords, ScopeWords
from filmless.access.audit.model import Kind
from filmless.access.model import Action, may
from filmless.archive.api.deciding import Caller, Desk, quarantined_for
from filmless.archive.api.words import PROBLEMS
from filmless.archive.explain import rights, service, traces
from filmless.archive.web.context import ArchiveWeb
from filmless.db.work import reading


def _number(text: str) -> str:
    text = text.strip()
    if not text or not text.isprintable():
        raise ValueError("a number is needed")
    return text


Number = Annotated[str, StringConstraints(max_length=traces.LONGEST), AfterValidator(_number)]


class Looked(BaseModel):
    """What somebody looked for."""

    model_config = ConfigDict(extra="forbid")

    number: Number = Field(description="Accession number, Patient ID or Study Instance UID.")


class LookedBy(Looked):
    """What somebody looked for, and who."""

    account: AccountName | Literal[""] = Field("", description="Whose rights are explained; empty: nobody's.")


class TraceWords(BaseModel):
    """A study that has to do with the number, by the numbers that it is filed under."""

    study_uid: str
    accession_number: str
    patient_id: str
    issuer: str
    date: str = Field(description="YYYYMMDD; may be empty.")
    modalities: list[str]
    instances: int
    received_at: datetime
    by: traces.By = Field(description="As what the number was found.")
    other_patients: int = Field(description="Other patients under which the same study is filed.")
    in_doubt: bool = Field(description="A question about its patient waits for a steward.")

    @classmethod
    def of(cls, one: traces.Trace) -> "TraceWords":
        return cls(**{name: getattr(one, name) for name in TraceWords.model_fields})


class OwnExplanation(BaseModel):
    """What the asker may know: nothing of what others have."""

    studies: list[TraceWords] = Field(description="Those that the asker sees.")
    may_search: bool
    may_view: bool
    may_break_glass: bool
    roles: list[HeldRole] = Field(description="What the asker may do, and where.")
    ask: list[str] = Field(description="Names of people who can look into it.")


class JudgedWords(BaseModel):
    """A grant, and why it does not open the study."""

    role: RoleWords
    scope: ScopeWords
    until: datetime | None
    misses: list[rights.Miss] = Field(description="Empty: it opens the study.")


class OpenedWords(BaseModel):
    """What opened the study to the account for a time."""

    how: Literal["shared", "emergency"]
    until: datetime
    in_force: bool


class RejectedWords(BaseModel):
    """What is hidden by a rejection."""

    objects: int
    code: str
    by: str
    at: datetime | None
    reason: str


class ExplainedStudy(TraceWords):
    """A study, and why the account sees it or not."""

    site: str
    department: str
    ward: str
    requested_by: str
    sensitive: bool
    seen: bool = Field(description="The account sees it; false where no account was named.")
    rights_reach: bool = Field(description="The account's rights reach it.")
    rejected: RejectedWords | None
    grants: list[JudgedWords]
    opened: list[OpenedWords]


class QuarantinedWords(BaseModel):
    """Objects that wait in quarantine."""

    cause: str
    source: str
    study_uid: str
    objects: int
    since: datetime


class EventWords(BaseModel):
    """What the audit trail tells."""

    what: Literal["purged", "refused", "failed"]
    at: datetime
    who: str
    host: str
    reason: str


class ExplanationWords(BaseModel):
    """All that is known of a number."""

    account: str
    account_enabled: bool
    account_locked: bool
    studies: list[ExplainedStudy] = Field(description="At most 20.")
    quarantined: list[QuarantinedWords]
    events: list[EventWords]
    turned_away: list[EventWords] = Field(
        description="Devices refused during the last day, where nothing of the number is here."
    )


def router(context: ArchiveWeb | None) -> APIRouter:
    """The routes. `context` None: only to be described."""
    made = APIRouter(prefix="/explanations", tags=["studies"], responses=PROBLEMS)
    desk = Desk(context)

    @made.post("/own", summary="Why do I not find this study?")
    async def explain_own(request: Request, body: Looked, principal: Caller) -> OwnExplanation:
        def work() -> OwnExplanation:
            with (
                desk.told(request, principal, Action.OWN_ACCOUNT, Kind.SEARCH, "not found") as (_, detail),
                reading(desk.context.engine) as connection,
            ):
                found = service.own(connection, principal, body.number)
                detail |= {"number": body.number, "found": len(found.studies)}
                return OwnExplanation(
                    studies=[TraceWords.of(one) for one in found.studies],
                    may_search=may(principal, Action.SEARCH),
                    may_view=may(principal, Action.VIEW),
                    may_break_glass=may(principal, Action.BREAK_GLASS),
                    roles=[HeldRole.of(one) for one in principal.grants],
                    ask=found.ask,
                )

        return await asyncio.to_thread(work)

    @made.post("", summary="Why does somebody not find this study?")
    async def explain_to_others(request: Request, body: LookedBy, principal: Caller) -> ExplanationWords:
        def work() -> ExplanationWords:
            context = desk.context
            with (
                desk.told(request, principal, Action.EXPLAIN, Kind.SEARCH, "explained") as (who, detail),
                reading(context.engine) as connection,
            ):
                detail |= {"number": body.number, "account": body.account}
                among = quarantined_for(rights.whole(who), Action.EXPLAIN)
                found = service.explain(connection, who, context.store, body.number, body.account, among)
                detail["studies"] = [one.trace.study_uid for one in found.studies]
                return _words(found)

        return await asyncio.to_thread(work)

    return made


def _words(found: service.Explanation) -> ExplanationWords:
    of = found.account
    return ExplanationWords(
        account=of.name if of else "",
        account_enabled=of is not None and of.enabled,
        account_locked=of is not None and of.locked,
        studies=[_study(one) for one in found.studies],
        quarantined=[
            QuarantinedWords(**{name: getattr(one, name) for name in QuarantinedWords.model_fields})
            for one in found.quarantined
        ],
        events=[_event(one) for one in found.events],
        turned_away=[_event(one) for one in found.turned_away],
    )


def _event(one: traces.Event) -> EventWords:
    return EventWords(what=one.what, at=one.at, who=one.who, host=one.host, reason=one.reason)


def _study(one: service.Explained) -> ExplainedStudy:
    hidden = one.rejected
    return ExplainedStudy(
        **TraceWords.of(one.trace).model_dump(),
        site=one.facts.site,
        department=one.facts.department,
        ward=one.facts.ward,
        requested_by=one.facts.requested_by,
        sensitive=one.facts.sensitive,
        seen=one.seen,
        rights_reach=one.rights_reach,
        rejected=None
        if hidden is None
        else RejectedWords(
            objects=hidden.objects, code=hidden.code, by=hidden.by, at=hidden.at, reason=hidden.reason
        ),
        grants=[
            JudgedWords(
                role=RoleWords.of(each.given.grant.role),
                scope=ScopeWords.of(each.given.grant.effective_scope),
                until=each.given.grant.until,
                misses=list(each.misses),
            )
            for each in one.judged
        ],
        opened=[OpenedWords(how=each.how, until=each.until, in_force=each.in_force) for each in one.opened],
    )
