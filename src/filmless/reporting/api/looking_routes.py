"""One report, to look at: as it is, as it was, what does not fit."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import Connection

from filmless.access.model import Action, permit
from filmless.access.web import host_of
from filmless.kit.errors import Refused
from filmless.reporting import checks, diff, find, grouping, writing
from filmless.reporting import persons as of_persons
from filmless.reporting.api import telling
from filmless.reporting.api.content_words import ReportContent
from filmless.reporting.api.desk import (
    DECIDED,
    Caller,
    Desk,
    Key,
    permit_any,
)
from filmless.reporting.api.words import (
    ReportCandidates,
    ReportCheckIn,
    ReportDiff,
    ReportDiffPart,
    ReportDiffSection,
    ReportRevision,
    ReportWarning,
    ReportWarnings,
    ReportWords,
)

Number = Annotated[int, Query(ge=1, le=1_000_000)]


def plain(content: ReportContent | None) -> dict[str, Any] | None:
    """Content as it is kept."""
    return None if content is None else content.model_dump(mode="json")


def router(desk: Desk) -> APIRouter:
    """The routes."""
    made = APIRouter(prefix="/reports/{report}", responses=DECIDED)

    @made.get("", summary="A report, its exams, priors, revisions, signatures")
    async def show_report(request: Request, principal: Caller, report: Key) -> ReportWords:
        action = permit_any(principal, Action.REPORT, Action.READ_REPORTS)
        who = permit(principal, action)

        def work(connection: Connection) -> ReportWords:
            find.for_whom(connection, who, action, report)
            found = find.get(connection, report)
            told = telling.report(
                connection,
                found,
                principal,
                desk.keys,
                emergency_preliminary=desk.settings.emergency_preliminary,
            )
            if told is None:
                raise Refused("There is no such report.", code="not-found")
            return told

        told = await desk.read(work)
        for one in told.exams:
            for uid in one.study_uids[:1]:
                desk.archive.trail.viewed(principal, host_of(request), uid, "report")
        if action is Action.READ_REPORTS and told.released:
            await desk.write(
                lambda connection: of_persons.note_read(connection, find.get(connection, report), principal)
            )
        return told

    @made.get("/candidates", summary="Exams of the person that it could be about as well")
    async def list_candidates(principal: Caller, report: Key) -> ReportCandidates:
        who = permit(principal, Action.REPORT)

        def work(connection: Connection) -> ReportCandidates:
            find.for_whom(connection, who, Action.REPORT, report)
            found = grouping.candidates(connection, find.get(connection, report), who)
            return ReportCandidates(exams=telling.exams(connection, found))

        return await desk.read(work)

    @made.post("/check", summary="What does not fit")
    async def check_report(principal: Caller, report: Key, body: ReportCheckIn) -> ReportWarnings:
        who = permit(principal, Action.REPORT)

        def work(connection: Connection) -> ReportWarnings:
            find.for_whom(connection, who, Action.REPORT, report)
            found = find.get(connection, report)
            content = plain(body.content) or writing.current(connection, found)
            exam = find.exams_of(connection, report)[0]
            priors = of_persons.priors(connection, principal, exam)
            warnings = checks.of_report(connection, found, content, priors=len(priors))
            return ReportWarnings(
                warnings=[
                    ReportWarning.model_validate(
                        {"code": one.code, "section": one.section, "words": one.words, "blocks": one.blocks}
                    )
                    for one in warnings
                ]
            )

        return await desk.read(work)

    @made.get("/revisions/{number}", summary="A revision with its text")
    async def show_revision(principal: Caller, report: Key, number: Key) -> ReportRevision:
        who = permit(principal, Action.REPORT)

        def work(connection: Connection) -> ReportRevision:
            find.for_whom(connection, who, Action.REPORT, report)
            one = find.revision(connection, report, number)
            return ReportRevision(
                **telling.revision_line(one, find.get(connection, report)),
                content=telling.content(one.content),
                template=one.template,
                language=one.language,
            )

        return await desk.read(work)

    @made.get("/diff", summary="What differs between two revisions")
    async def show_diff(principal: Caller, report: Key, a: Number, b: Number) -> ReportDiff:
        who = permit(principal, Action.REPORT)

        def work(connection: Connection) -> ReportDiff:
            find.for_whom(connection, who, Action.REPORT, report)
            parts = diff.of_content(
                find.revision(connection, report, a).content, find.revision(connection, report, b).content
            )
            return ReportDiff(
                a=a,
                b=b,
                sections=[
                    ReportDiffSection(
                        section=name, parts=[ReportDiffPart(op=part.op, text=part.text) for part in found]
                    )
                    for name, found in parts.items()
                ],
            )

        return await desk.read(work)

    return made
