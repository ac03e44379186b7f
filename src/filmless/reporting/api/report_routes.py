"""One report: written, handed on, signed."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import Connection
from starlette.responses import Response

from filmless.access.acting import Acting
from filmless.access.model import Action, Principal, permit
from filmless.access.sign_in import check_password
from filmless.access.web import gate_of, host_of, signed_in_of
from filmless.kit.errors import Refused
from filmless.reporting import deciding, finals, find, grouping, sign_off, writing
from filmless.reporting.api import telling
from filmless.reporting.api.content_words import ReportContent
from filmless.reporting.api.desk import (
    WRITTEN,
    Caller,
    Desk,
    Key,
    acting_of,
    clash,
    person_only,
)
from filmless.reporting.api.words import (
    ReportChanged,
    ReportContentIn,
    ReportExamIn,
    ReportReasonIn,
    ReportRetractIn,
    ReportReviewIn,
    ReportScratchIn,
    ReportSeen,
    ReportSignIn,
    ReportStyleIn,
)
from filmless.reporting.model import Locked, Report, Stale

Number = Annotated[int, Query(ge=1, le=1_000_000)]


def plain(content: ReportContent | None) -> dict[str, Any] | None:
    """Content as it is kept."""
    return None if content is None else content.model_dump(mode="json")


def router(desk: Desk) -> APIRouter:
    """The routes."""
    made = APIRouter(prefix="/reports/{report}", responses=WRITTEN)

    async def written(
        request: Request,
        principal: Principal,
        report: int,
        action: Action,
        work: Callable[[Connection, Acting], Report],
    ) -> ReportChanged | Response:
        """`work` on a report that is there for the principal; the answer to who comes too late says what is."""
        who = permit(principal, action)
        acting = acting_of(request, person_only(principal))

        def whole(connection: Connection) -> ReportChanged:
            find.for_whom(connection, who, action, report)
            return ReportChanged(**telling.changed(connection, work(connection, acting), principal))

        try:
            return await desk.write(whole)
        except (Stale, Locked) as error:
            found = error
        return await desk.read(lambda connection: clash(connection, found, principal))

    @made.put("/scratch", response_model=ReportChanged, summary="Keep what was typed")
    async def keep_scratch(
        request: Request, principal: Caller, report: Key, body: ReportScratchIn
    ) -> ReportChanged | Response:
        content = plain(body.content) or {}
        return await written(
            request,
            principal,
            report,
            Action.REPORT,
            lambda connection, acting: writing.scratch(
                connection, report, acting, content, seen=body.changes
            ),
        )

    @made.put("/style", response_model=ReportChanged, summary="Choose language and template")
    async def choose_style(
        request: Request, principal: Caller, report: Key, body: ReportStyleIn
    ) -> ReportChanged | Response:
        return await written(
            request,
            principal,
            report,
            Action.REPORT,
            lambda connection, acting: writing.style(
                connection, report, acting, language=body.language, template=body.template, seen=body.changes
            ),
        )

    @made.post("/heartbeat", response_model=ReportChanged, summary="The editor is still open")
    async def keep_lock(request: Request, principal: Caller, report: Key) -> ReportChanged | Response:
        return await written(
            request,
            principal,
            report,
            Action.REPORT,
            lambda connection, acting: writing.heartbeat(connection, report, acting),
        )

    @made.post("/save", response_model=ReportChanged, summary="Save a revision")
    async def save_report(
        request: Request, principal: Caller, report: Key, body: ReportContentIn
    ) -> ReportChanged | Response:
        return await written(
            request,
            principal,
            report,
            Action.REPORT,
            lambda connection, acting: writing.save(
                connection, report, acting, plain(body.content), seen=body.changes
            ),
        )

    @made.post("/release", response_model=ReportChanged, summary="Give back what was claimed")
    async def release_report(request: Request, principal: Caller, report: Key) -> ReportChanged | Response:
        return await written(
            request,
            principal,
            report,
            Action.REPORT,
            lambda connection, acting: writing.release(connection, report, acting),
        )

    @made.post("/submit", response_model=ReportChanged, summary="Hand it to the reviewer")
    async def submit_report(
        request: Request, principal: Caller, report: Key, body: ReportContentIn
    ) -> ReportChanged | Response:
        return await written(
            request,
            principal,
            report,
            Action.REPORT,
            lambda connection, acting: deciding.submit(
                connection, report, acting, plain(body.content), seen=body.changes
            ),
        )

    @made.post("/withdraw", response_model=ReportChanged, summary="Take back what was submitted")
    async def withdraw_report(
        request: Request, principal: Caller, report: Key, body: ReportSeen
    ) -> ReportChanged | Response:
        return await written(
            request,
            principal,
            report,
            Action.REPORT,
            lambda connection, acting: deciding.withdraw(connection, report, acting, seen=body.changes),
        )

    @made.post("/review", response_model=ReportChanged, summary="Begin or go on with the review")
    async def review_report(
        request: Request, principal: Caller, report: Key, body: ReportReviewIn
    ) -> ReportChanged | Response:
        return await written(
            request,
            principal,
            report,
            Action.REVIEW,
            lambda connection, acting: deciding.review(
                connection, report, acting, seen=body.changes, force=body.force
            ),
        )

    @made.post("/return", response_model=ReportChanged, summary="Send it back to its author")
    async def return_report(
        request: Request, principal: Caller, report: Key, body: ReportReasonIn
    ) -> ReportChanged | Response:
        return await written(
            request,
            principal,
            report,
            Action.REVIEW,
            lambda connection, acting: deciding.send_back(
                connection, report, acting, body.reason, seen=body.changes
            ),
        )

    @made.post("/sign", response_model=ReportChanged, summary="Sign it: it is final then")
    async def sign_report(
        request: Request, principal: Caller, report: Key, body: ReportSignIn
    ) -> ReportChanged | Response:
        """The password is asked for again; a session that came from elsewhere cannot sign."""
        permit(principal, Action.REVIEW)
        person_only(principal)
        await desk.read(
            lambda connection: find.for_whom(
                connection, permit(principal, Action.REVIEW), Action.REVIEW, report
            )
        )
        signed_in, gate = signed_in_of(request, ready=True), gate_of(request)
        if signed_in.session is None:
            raise Refused("Reports are signed by a person who is signed in.", code="not-permitted")

        def work(connection: Connection, acting: Acting) -> Report:
            return sign_off.sign(
                connection, report, acting, desk.keys, plain(body.content), seen=body.changes
            )

        await _ask_again(gate, signed_in.account, body.password, host_of(request))
        return await written(request, principal, report, Action.REVIEW, work)

    @made.post("/addendum", response_model=ReportChanged, summary="Begin an addendum to a final report")
    async def begin_addendum(
        request: Request, principal: Caller, report: Key, body: ReportSeen
    ) -> ReportChanged | Response:
        return await written(
            request,
            principal,
            report,
            Action.REVIEW,
            lambda connection, acting: finals.append(connection, report, acting, seen=body.changes),
        )

    @made.post("/amend", response_model=ReportChanged, summary="Begin to correct a final report")
    async def begin_amendment(
        request: Request, principal: Caller, report: Key, body: ReportReasonIn
    ) -> ReportChanged | Response:
        return await written(
            request,
            principal,
            report,
            Action.REVIEW,
            lambda connection, acting: finals.amend(
                connection, report, acting, body.reason, seen=body.changes
            ),
        )

    @made.post("/discard", response_model=ReportChanged, summary="Give up an addendum, amendment, retraction")
    async def discard_change(
        request: Request, principal: Caller, report: Key, body: ReportSeen
    ) -> ReportChanged | Response:
        return await written(
            request,
            principal,
            report,
            Action.REVIEW,
            lambda connection, acting: finals.discard(connection, report, acting, seen=body.changes),
        )

    @made.post(
        "/retract", response_model=ReportChanged, summary="Ask to retract a final report, or agree to it"
    )
    async def retract_report(
        request: Request, principal: Caller, report: Key, body: ReportRetractIn
    ) -> ReportChanged | Response:
        return await written(
            request,
            principal,
            report,
            Action.REVIEW,
            lambda connection, acting: finals.retract(
                connection, report, acting, body.reason, seen=body.changes
            ),
        )

    @made.post("/exams", response_model=ReportChanged, summary="Report another exam of the person with it")
    async def group_exam(
        request: Request, principal: Caller, report: Key, body: ReportExamIn
    ) -> ReportChanged | Response:
        def work(connection: Connection, acting: Acting) -> Report:
            find.exam_for_whom(connection, permit(principal, Action.REPORT), Action.REPORT, body.exam)
            return grouping.join(connection, report, body.exam, acting, seen_changes=body.changes)

        return await written(request, principal, report, Action.REPORT, work)

    @made.post("/exams/leave", response_model=ReportChanged, summary="Report an exam by itself again")
    async def ungroup_exam(
        request: Request, principal: Caller, report: Key, body: ReportExamIn
    ) -> ReportChanged | Response:
        return await written(
            request,
            principal,
            report,
            Action.REPORT,
            lambda connection, acting: grouping.leave(
                connection, report, body.exam, acting, seen_changes=body.changes
            ),
        )

    return made


async def _ask_again(gate: Any, account: Any, password: str, host: str) -> None:
    import asyncio

    await asyncio.to_thread(check_password, gate.signing_in, account, password, host=host)
