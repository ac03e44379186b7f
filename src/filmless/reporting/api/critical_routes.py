"""Critical results, and what waits for a clinician."""

from collections.abc import Sequence

from fastapi import APIRouter, Request
from sqlalchemy import Connection

from filmless.access.model import Action, Principal, may, permit
from filmless.department import exams as department
from filmless.reporting import criticals, find, persons
from filmless.reporting.api import telling
from filmless.reporting.api.desk import DECIDED, Caller, Desk, Key, acting_of, permit_any, person_only
from filmless.reporting.api.other_words import (
    CriticalCatalogue,
    CriticalIn,
    CriticalItem,
    CriticalKind,
    CriticalList,
    CriticalSearch,
    CriticalStepIn,
    Inbox,
    InboxReport,
    InboxSearch,
)


def items(connection: Connection, who: Principal, found: Sequence[criticals.Critical]) -> list[CriticalItem]:
    """Critical results with whom they are about."""
    exams = {one.exam: department.get(connection, one.exam) for one in found}
    about = {one.id: one for one in telling.exams(connection, list(exams.values()))}
    told = telling.critical_list(connection, found)
    return [
        CriticalItem(**one.model_dump(), about=about[one.exam], allowed=_allowed(who, one.status))
        for one in told
    ]


def _allowed(who: Principal, status: str) -> list[str]:
    raises, answers = may(who, Action.RAISE_CRITICAL), may(who, Action.ANSWER_CRITICAL)
    found = []
    if raises and status in ("raised", "notified"):
        found.append("notified")
    if status in ("raised", "notified"):
        found.append("acknowledged")
    if status in ("acknowledged", "actioned"):
        found.append("actioned")
    if status == "actioned":
        found.append("closed")
    if raises and status in ("raised", "notified", "acknowledged"):
        found.append("withdrawn")
    return found if raises or answers else []


def router(desk: Desk) -> APIRouter:
    """The routes."""
    made = APIRouter(responses=DECIDED)

    @made.get("/criticals/catalogue", summary="Findings that cannot wait")
    async def list_critical_kinds(principal: Caller) -> CriticalCatalogue:
        permit_any(principal, Action.RAISE_CRITICAL, Action.ANSWER_CRITICAL)
        found = await desk.read(criticals.catalogue)
        return CriticalCatalogue(
            findings=[
                CriticalKind.model_validate(
                    {
                        "code": code,
                        "finding_zh": zh,
                        "finding_en": en,
                        "level": level,
                        "minutes": int(criticals.TIMES[level].total_seconds() // 60),
                    }
                )
                for code, (zh, en, level) in found.items()
            ][:500]
        )

    @made.post("/criticals/list", summary="Critical results, the most urgent first")
    async def list_criticals(principal: Caller, body: CriticalSearch) -> CriticalList:
        permit_any(principal, Action.RAISE_CRITICAL, Action.ANSWER_CRITICAL)

        def work(connection: Connection) -> CriticalList:
            found = criticals.listed(
                connection, principal, open_only=body.open, exam=body.exam, limit=body.limit
            )
            return CriticalList(criticals=items(connection, principal, found))

        return await desk.read(work)

    @made.post("/exams/{exam}/criticals", status_code=201, summary="Raise a critical result")
    async def raise_critical(
        request: Request, principal: Caller, exam: Key, body: CriticalIn
    ) -> CriticalItem:
        who = permit(principal, Action.RAISE_CRITICAL)
        acting = acting_of(request, person_only(principal))

        def work(connection: Connection) -> CriticalItem:
            find.exam_for_whom(connection, who, Action.RAISE_CRITICAL, exam)
            one = criticals.raise_one(
                connection, exam, acting, code=body.code, finding=body.finding, level=body.level or ""
            )
            return items(connection, principal, [one])[0]

        return await desk.write(work)

    @made.post("/criticals/{critical}/steps", summary="Tell, acknowledge, act, close or withdraw")
    async def step_critical(
        request: Request, principal: Caller, critical: Key, body: CriticalStepIn
    ) -> CriticalItem:
        permit_any(principal, Action.RAISE_CRITICAL, Action.ANSWER_CRITICAL)
        acting = acting_of(request, person_only(principal))

        def work(connection: Connection) -> CriticalItem:
            criticals.for_whom(connection, principal, critical)
            one = criticals.step(
                connection,
                critical,
                acting,
                body.what,
                channel=body.channel,
                receiver=body.receiver,
                words=body.words,
            )
            return items(connection, principal, [one])[0]

        return await desk.write(work)

    @made.post("/inbox", summary="What waits for a clinician: critical results, new reports")
    async def show_inbox(principal: Caller, body: InboxSearch) -> Inbox:
        permit(principal, Action.READ_REPORTS)

        def work(connection: Connection) -> Inbox:
            open_ones = (
                criticals.listed(connection, principal, limit=body.limit)
                if may(principal, Action.ANSWER_CRITICAL)
                else []
            )
            found = persons.inbox(connection, principal, unread=body.unread, days=body.days, limit=body.limit)
            return Inbox(
                criticals=items(connection, principal, open_ones),
                reports=[_arrived(one) for one in found],
            )

        return await desk.read(work)

    @made.post(
        "/inbox/{report}/seen", status_code=204, summary="Say that a report, or its withdrawal, was seen"
    )
    async def see_report(principal: Caller, report: Key) -> None:
        who = permit(principal, Action.READ_REPORTS)

        def work(connection: Connection) -> None:
            find.for_whom(connection, who, Action.READ_REPORTS, report)
            persons.note_read(connection, find.get(connection, report), principal)

        await desk.write(work)

    return made


def _arrived(one: persons.Arrived) -> InboxReport:
    row = one.row
    names = (
        "number",
        "procedure_zh",
        "procedure_en",
        "modality",
        "body_part",
        "stat",
        "ward",
        "bed",
        "result",
        "final_at",
    )
    return InboxReport(
        **{name: getattr(row, name) for name in names},
        report=row.report,
        exam=row.id,
        study_uids=[row.study_uid],
        person=telling.person_words(row, row.finished_at),
        status=row.report_status,
        changed_at=row.report_changed_at,
        read=one.read >= row.released,
        corrected=0 < one.read < row.released,
        withdrawn=one.withdrawn,
    )
