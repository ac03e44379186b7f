"""Templates and phrases."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from sqlalchemy import Connection

from filmless.access.model import Action, permit
from filmless.department import exams as department
from filmless.reporting import find, templates
from filmless.reporting.api import telling
from filmless.reporting.api.content_words import TemplateWords
from filmless.reporting.api.desk import DECIDED, Caller, Desk, acting_of, person_only
from filmless.reporting.api.other_words import PhraseIn, PhraseWords, TemplateIn, TemplateList

CodePath = Annotated[str, Path(pattern=r"^[0-9A-Za-z._-]{1,32}$")]
Owner = Annotated[Literal["hospital", "department", "user"], Query()]
ExamNumber = Annotated[int | None, Query(ge=1, le=2**53)]


def phrase_words(one: templates.Template) -> PhraseWords:
    """A phrase as it is told."""
    names = ("id", "code", "revision", "owner", "modality", "body_part", "changed_at")
    return PhraseWords.model_validate(
        {"content": one.content, **{name: getattr(one, name) for name in names}}
    )


def router(desk: Desk) -> APIRouter:
    """The routes."""
    made = APIRouter(responses=DECIDED)

    @made.get("/templates", summary="Templates and phrases, those for an exam first")
    async def list_templates(principal: Caller, exam: ExamNumber = None) -> TemplateList:
        who = permit(principal, Action.REPORT)

        def work(connection: Connection) -> TemplateList:
            if exam is None:
                found = templates.all_for(connection, principal)
            else:
                find.exam_for_whom(connection, who, Action.REPORT, exam)
                found = templates.for_exam(connection, department.get(connection, exam), principal)
            return TemplateList(
                templates=[telling.template(one) for one in found if one.kind == "template"][:1000],
                phrases=[phrase_words(one) for one in found if one.kind == "phrase"][:5000],
            )

        return await desk.read(work)

    @made.put("/templates/{code}", summary="Keep a template: its first or next revision")
    async def keep_template(
        request: Request, principal: Caller, code: CodePath, body: TemplateIn
    ) -> TemplateWords:
        permit(principal, Action.REPORT if body.owner == "user" else Action.TEMPLATES)
        acting = acting_of(request, person_only(principal))
        wish = templates.Wish(
            "template",
            code,
            body.owner,
            body.name_zh,
            body.name_en,
            body.modality,
            body.body_part,
            body.content.model_dump(mode="json"),
        )
        return telling.template(await desk.write(lambda connection: templates.keep(connection, wish, acting)))

    @made.delete("/templates/{code}", status_code=204, summary="Switch a template off")
    async def remove_template(
        request: Request, principal: Caller, code: CodePath, owner: Owner = "user"
    ) -> None:
        permit(principal, Action.REPORT if owner == "user" else Action.TEMPLATES)
        acting = acting_of(request, person_only(principal))
        await desk.write(lambda connection: templates.remove(connection, "template", owner, code, acting))

    @made.put("/phrases/{code}", summary="Keep a phrase")
    async def keep_phrase(request: Request, principal: Caller, code: CodePath, body: PhraseIn) -> PhraseWords:
        permit(principal, Action.REPORT if body.owner == "user" else Action.TEMPLATES)
        acting = acting_of(request, person_only(principal))
        content = body.content.model_dump(mode="json")
        wish = templates.Wish(
            "phrase",
            code,
            body.owner,
            str(content["text"].get("zh", ""))[:30],
            str(content["text"].get("en", ""))[:60],
            body.modality,
            body.body_part,
            content,
        )
        return phrase_words(await desk.write(lambda connection: templates.keep(connection, wish, acting)))

    @made.delete("/phrases/{code}", status_code=204, summary="Switch a phrase off")
    async def remove_phrase(
        request: Request, principal: Caller, code: CodePath, owner: Owner = "user"
    ) -> None:
        permit(principal, Action.REPORT if owner == "user" else Action.TEMPLATES)
        acting = acting_of(request, person_only(principal))
        await desk.write(lambda connection: templates.remove(connection, "phrase", owner, code, acting))

    return made
