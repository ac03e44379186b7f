"""Reading lists, claiming, the next case."""

from fastapi import APIRouter, Request
from sqlalchemy import Connection
from starlette.responses import Response

from filmless.access.audit.model import Entry, Kind
from filmless.access.model import Action, permit
from filmless.access.web import host_of
from filmless.reporting import deciding, find, reading, writing
from filmless.reporting.api import telling
from filmless.reporting.api.desk import DECIDED, WRITTEN, Caller, Desk, Key, acting_of, clash, person_only
from filmless.reporting.api.reading_words import (
    ReadingClaimIn,
    ReadingList,
    ReadingNext,
    ReadingNextIn,
    ReadingReasonIn,
    ReadingSearch,
)
from filmless.reporting.api.words import ReportClaimed
from filmless.reporting.model import Locked, Report, Stale


def router(desk: Desk) -> APIRouter:
    """The routes."""
    made = APIRouter(responses=DECIDED)

    @made.post("/reading/list", summary="What is to be read, written, reviewed")
    async def list_reading(request: Request, principal: Caller, body: ReadingSearch) -> ReadingList:
        wish = reading.Wish(**{**body.model_dump(), "modalities": tuple(body.modalities)})

        def work(connection: Connection) -> ReadingList:
            found = reading.listed(connection, principal, wish)
            return ReadingList(
                items=[telling.item(row, found.studies[row.id]) for row in found.rows],
                counts={queue: found.counts[queue] for queue in reading.QUEUES},
                after=found.after,
            )

        permit(principal, Action.REPORT)
        answer = await desk.read(work)
        if body.text:
            # a list that opens by itself is no search; words that somebody typed are
            entry = Entry(
                Kind.SEARCH,
                principal,
                host=host_of(request),
                what="reading list",
                query=body.text,
                detail={"found": len(answer.items)},
            )
            desk.archive.trail.record_late(entry)
        return answer

    @made.post("/reading/next", summary="Claim the most urgent case")
    async def next_case(request: Request, principal: Caller, body: ReadingNextIn) -> ReadingNext:
        permit(principal, Action.REPORT)
        acting = acting_of(request, person_only(principal))
        wish = reading.Wish(**{**body.model_dump(), "modalities": tuple(body.modalities)})

        def work(connection: Connection) -> tuple[int, Report] | None:
            return reading.claim_next(connection, acting, wish)

        found = await desk.write(work)
        return ReadingNext(exam=found[0] if found else None, report=found[1].id if found else None)

    @made.post(
        "/exams/{exam}/claim",
        response_model=ReportClaimed,
        responses=WRITTEN,
        summary="Take an exam to report it",
    )
    async def claim_exam(
        request: Request, principal: Caller, exam: Key, body: ReadingClaimIn
    ) -> ReportClaimed | Response:
        who = permit(principal, Action.REPORT)
        acting = acting_of(request, person_only(principal))

        def work(connection: Connection) -> ReportClaimed | Response:
            find.exam_for_whom(connection, who, Action.REPORT, exam)
            try:
                report = writing.claim(connection, exam, acting, force=body.force)
            except (Stale, Locked) as error:
                return clash(connection, error, principal)
            return ReportClaimed(exam=exam, **telling.changed(connection, report, principal))

        return await desk.write(work)

    @made.post(
        "/exams/{exam}/close-without-report", status_code=204, summary="Close an exam without a report"
    )
    async def close_exam(request: Request, principal: Caller, exam: Key, body: ReadingReasonIn) -> None:
        who = permit(principal, Action.REVIEW)
        acting = acting_of(request, principal)

        def work(connection: Connection) -> None:
            find.exam_for_whom(connection, who, Action.REVIEW, exam)
            deciding.close(connection, exam, acting, body.reason)

        await desk.write(work)

    @made.post("/exams/{exam}/reopen-for-report", status_code=204, summary="A report is wanted after all")
    async def reopen_exam(request: Request, principal: Caller, exam: Key) -> None:
        who = permit(principal, Action.REVIEW)
        acting = acting_of(request, principal)

        def work(connection: Connection) -> None:
            find.exam_for_whom(connection, who, Action.REVIEW, exam)
            deciding.reopen(connection, exam, acting)

        await desk.write(work)

    return made
