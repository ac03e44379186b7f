"""The head of printed reports: looked at, written, tried on a specimen."""

import base64
import binascii
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Connection
from starlette.responses import Response

from filmless.access.model import Action, permit
from filmless.kit import clock
from filmless.kit.errors import Refused, Unavailable
from filmless.reporting import letterhead
from filmless.reporting.api.content_words import In
from filmless.reporting.api.desk import DECIDED, Caller, Desk, acting_of
from filmless.reporting.letterhead import Letterhead
from filmless.reporting.model import whole
from filmless.reporting.press.gather import Gathered, headed
from filmless.reporting.press.layout import Sheet
from filmless.reporting.press.service import Shelf, print_report

Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)]
_PDF: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/pdf": {}}, "description": "A page about nobody."}
}


class LetterheadWords(BaseModel):
    """What stands on reports."""

    hospital_zh: str
    hospital_en: str
    department_zh: str
    department_en: str
    logo: str = Field(description="A PNG or JPEG picture, base64; empty: none.")


class LetterheadIn(In):
    """What is to stand on reports."""

    hospital_zh: Name = ""
    hospital_en: Name = ""
    department_zh: Name = ""
    department_en: Name = ""
    logo: Annotated[str, StringConstraints(max_length=400_000)] | None = Field(
        None, description="A PNG or JPEG picture, base64; empty: none; null: as before."
    )


def router(desk: Desk) -> APIRouter:
    """The routes."""
    made = APIRouter(prefix="/letterhead", responses=DECIDED)

    async def specimen(head: Letterhead, language: str) -> bytes:
        context = desk.archive
        shelf = Shelf(context.engine, context.store, context.codecs, context.home / "scratch")
        return (await print_report(shelf, headed(_specimen(language), head))).pdf

    @made.get("", summary="What stands on printed reports")
    async def show_letterhead(principal: Caller) -> LetterheadWords:
        permit(principal, Action.MASTER_DATA)
        head = await desk.read(lambda connection: letterhead.of(connection, desk.settings))
        names = {name: getattr(head, name) for name in letterhead.NAMES}
        return LetterheadWords(**names, logo=base64.b64encode(head.logo).decode("ascii"))

    @made.put("", status_code=204, summary="Write what stands on printed reports")
    async def keep_letterhead(request: Request, principal: Caller, body: LetterheadIn) -> None:
        permit(principal, Action.MASTER_DATA)
        acting = acting_of(request, principal)
        try:
            logo = None if body.logo is None else base64.b64decode(body.logo, validate=True)
        except binascii.Error:
            raise Refused("The logo is no base64.", code="bad-logo") from None
        names = body.model_dump(exclude={"logo"})
        if logo:
            letterhead.suffix_of(logo)
            # a picture that cannot be set would keep every report from being printed
            try:
                await specimen(Letterhead(**names, logo=logo), "zh")
            except Unavailable as error:
                if error.code != "press-failed":
                    raise
                raise Refused("This picture cannot be printed. Take another one.", code="bad-logo") from None

        def work(connection: Connection) -> None:
            letterhead.put(connection, names, logo, acting)

        await desk.write(work)

    @made.get("/specimen", response_class=Response, responses=_PDF, summary="How a report looks")
    async def show_specimen(principal: Caller) -> Response:
        permit(principal, Action.MASTER_DATA)
        head = await desk.read(lambda connection: letterhead.of(connection, desk.settings))
        return Response(
            await specimen(head, desk.settings.language),
            media_type="application/pdf",
            headers={"Content-Disposition": 'inline; filename="specimen.pdf"', "Cache-Control": "no-store"},
        )

    return made


def _specimen(language: str) -> Gathered:
    zh = language == "zh"
    findings = "此页为样张，不涉及任何患者。" if zh else "This page is a specimen and is about nobody."
    sheet = Sheet(
        language=language, hospital="", department="", logo="",
        name="样张" if zh else "Specimen", sex="O", age="40Y", patient_id="P000000", number="M2601010001",
        aliases=(), modality="CT", patient_class="O", requested_by="", requester="", ward="", bed="",
        diagnosis="", procedures=("颅脑CT平扫" if zh else "CT head",), body_part="HEAD", side="",
        examined_at=clock.now(), content=whole({"findings": findings}), fields=(), addenda=(),
        author="", reviewer="", signed_at=None, standing="draft",
    )  # fmt: skip
    return Gathered(sheet, (), 0, (), None, None)
