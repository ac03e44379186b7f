"""Reports on paper: the PDF, numbered copies, copies that are to come back."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.responses import Response

from filmless.access.model import Action, may, permit
from filmless.access.web import host_of
from filmless.kit.errors import Refused
from filmless.net.http.origin import base_url
from filmless.reporting import deliveries, find, persons
from filmless.reporting.api.content_words import In
from filmless.reporting.api.desk import DECIDED, Caller, Desk, Key, acting_of, permit_any
from filmless.reporting.press.gather import Gathered, draft_sheet, released_sheet
from filmless.reporting.press.service import Shelf, print_report

#: a frame of our own pages shows it
_HEADERS: Final = {
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
}
_PDF: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/pdf": {}}, "description": "The printed report."}
}


class PrintIn(In):
    """On paper, or as a file to be taken along."""

    kind: Literal["print", "download"] = "print"


class DeliveryWords(BaseModel):
    """A numbered copy of a report."""

    id: int
    report: int
    revision: int
    kind: Literal["print", "download"]
    copy_number: int
    status: Literal["out", "recalled", "returned"]
    at: datetime
    by: str


class ExamCopies(BaseModel):
    """What can be handed out of an exam, and what was."""

    report: int | None = Field(description="Number of its report; null where nothing of it is released.")
    deliveries: list[DeliveryWords]


class DeliveryList(BaseModel):
    """Copies."""

    deliveries: list[DeliveryWords]


def words(one: deliveries.Delivery) -> DeliveryWords:
    """A copy as it is told."""
    return DeliveryWords.model_validate(
        {
            "copy_number": one.copy,
            **{
                name: getattr(one, name)
                for name in ("id", "report", "revision", "kind", "status", "at", "by")
            },
        }
    )


def router(desk: Desk) -> APIRouter:
    """The routes."""
    made = APIRouter(responses=DECIDED)

    @made.get("/reports/{report}/pdf", response_class=Response, responses=_PDF, summary="The report as PDF")
    async def show_pdf(
        request: Request,
        principal: Caller,
        report: Key,
        delivery: Annotated[int | None, Query(ge=1, le=2**53, description="Of a numbered copy.")] = None,
        draft: Annotated[bool, Query(description="What is being written, marked as a draft.")] = False,
    ) -> Response:
        """Without `delivery` what counts now, for looking at it. Characters that no font has are boxes in it, and are
        counted in the header X-Missing-Characters; pictures that are gone in X-Lost-Pictures."""
        action = permit_any(principal, Action.REPORT, Action.READ_REPORTS, Action.HAND_OUT)
        who = permit(principal, action)
        if draft:
            permit(principal, Action.REPORT)
        base = base_url(request, desk.archive.http)

        def work(connection: Connection) -> Gathered:
            find.for_whom(connection, who, action, report)
            found = find.get(connection, report)
            if draft:
                return draft_sheet(connection, found, desk.settings)
            if not found.released and not _reads(connection, found):
                raise Refused("Nothing of this report is released.", code="not-found")
            revision, copy = 0, 0
            if delivery is not None:
                one = deliveries.get(connection, delivery)
                if one.report != report:
                    raise Refused("There is no such copy.", code="not-found")
                revision, copy = one.revision, one.copy
            return released_sheet(
                connection, found, desk.settings, revision=revision, base_url=base, copy=copy
            )

        def _reads(connection: Connection, found: Any) -> bool:
            return may(principal, Action.REPORT) or any(
                persons.readable(
                    found, exam, principal, emergency_preliminary=desk.settings.emergency_preliminary
                )
                for exam in find.exams_of(connection, report)
            )

        gathered = await desk.read(work)
        context = desk.archive
        shelf = Shelf(context.engine, context.store, context.codecs, context.home / "scratch")
        printed = await print_report(shelf, gathered)
        context.trail.viewed(principal, host_of(request), gathered.exams[0].study_uid, "report")
        name = gathered.sheet.number or str(report)
        return Response(
            printed.pdf,
            media_type="application/pdf",
            headers={
                **_HEADERS,
                "Content-Disposition": f'inline; filename="{name}.pdf"',
                "X-Missing-Characters": str(len(printed.missing)),
                "X-Lost-Pictures": str(printed.lost),
            },
        )

    @made.post("/reports/{report}/print", status_code=201, summary="Number a copy that is handed out")
    async def print_copy(request: Request, principal: Caller, report: Key, body: PrintIn) -> DeliveryWords:
        who = permit(principal, Action.HAND_OUT)
        acting = acting_of(request, principal)

        def work(connection: Connection) -> DeliveryWords:
            find.for_whom(connection, who, Action.HAND_OUT, report)
            return words(deliveries.hand_out(connection, report, acting, body.kind))

        return await desk.write(work)

    @made.get("/reports/{report}/deliveries", summary="The copies of a report")
    async def list_deliveries(principal: Caller, report: Key) -> DeliveryList:
        action = permit_any(principal, Action.HAND_OUT, Action.REPORT)
        who = permit(principal, action)

        def work(connection: Connection) -> DeliveryList:
            find.for_whom(connection, who, action, report)
            return DeliveryList(deliveries=[words(one) for one in deliveries.of_report(connection, report)])

        return await desk.read(work)

    @made.get("/exams/{exam}/report-copies", summary="What can be handed out of an exam, and what was")
    async def list_exam_copies(principal: Caller, exam: Key) -> ExamCopies:
        who = permit(principal, Action.HAND_OUT)

        def work(connection: Connection) -> ExamCopies:
            find.exam_for_whom(connection, who, Action.HAND_OUT, exam)
            found = find.of_exam(connection, exam)
            if found is None:
                return ExamCopies(report=None, deliveries=[])
            copies = deliveries.of_report(connection, found.id)
            return ExamCopies(
                report=found.id if found.released else None, deliveries=[words(one) for one in copies]
            )

        return await desk.read(work)

    @made.get("/recalls", summary="Copies that are to come back")
    async def list_recalls(principal: Caller) -> DeliveryList:
        who = permit(principal, Action.HAND_OUT)
        found = await desk.read(lambda connection: deliveries.recalled(connection, who))
        return DeliveryList(deliveries=[words(one) for one in found])

    @made.post("/recalls/{delivery}/returned", summary="A copy has come back")
    async def copy_returned(request: Request, principal: Caller, delivery: Key) -> DeliveryWords:
        who = permit(principal, Action.HAND_OUT)
        acting = acting_of(request, principal)

        def work(connection: Connection) -> DeliveryWords:
            find.for_whom(connection, who, Action.HAND_OUT, deliveries.get(connection, delivery).report)
            return words(deliveries.returned(connection, delivery, acting))

        return await desk.write(work)

    return made
