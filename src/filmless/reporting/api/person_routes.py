"""The exams and reports of a person, and of a study."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from sqlalchemy import Connection

from filmless.access.model import Action, Principal, may, permit
from filmless.access.web import host_of
from filmless.archive.api.words import Uid
from filmless.department.states import State
from filmless.kit.errors import Refused
from filmless.reporting import criticals, find, persons
from filmless.reporting.api import telling
from filmless.reporting.api.desk import DECIDED, Caller, Desk, Key, permit_any
from filmless.reporting.api.other_words import (
    PersonTimeline,
    PersonTimelineItem,
    PersonTimelineReport,
    StudyReport,
    StudyReports,
)
from filmless.reporting.persons import Happened

Limit = Annotated[int, Query(ge=1, le=500)]


def router(desk: Desk) -> APIRouter:
    """The routes."""
    made = APIRouter(responses=DECIDED)

    def lines(connection: Connection, who: Principal, found: list[Happened]) -> list[PersonTimelineItem]:
        exams = telling.exams(connection, [one.exam for one in found])
        urgent = {
            one.exam
            for one in criticals.open_on(connection, [one.exam.id for one in found])
            if one.status in criticals.OPEN
        }
        preliminary = desk.settings.emergency_preliminary
        made_items = []
        for told, one in zip(exams, found, strict=True):
            report = None
            if one.report is not None and persons.readable(
                one.report, one.exam, who, emergency_preliminary=preliminary
            ):
                text = one.text or find.submitted(connection, one.report)
                report = PersonTimelineReport(
                    id=one.report.id,
                    status=one.report.status.value,
                    result=one.report.result,
                    author=one.report.author,
                    reviewer=one.report.reviewer,
                    provisional=one.text is None,
                    final=telling.final(text) if text is not None else None,
                )
            made_items.append(PersonTimelineItem(exam=told, report=report, critical=one.exam.id in urgent))
        return made_items

    @made.get("/persons/{person}/timeline", summary="The exams and reports of a person")
    async def show_timeline(
        request: Request, principal: Caller, person: Key, limit: Limit = 200
    ) -> PersonTimeline:
        action = permit_any(principal, Action.READ_REPORTS, Action.REPORT)
        who = permit(principal, action)

        def work(connection: Connection) -> PersonTimeline:
            row = find.person_row(connection, person)
            found = persons.timeline(connection, who, person, action, limit=limit)
            if not found:
                # whether there is such a person is nobody's business who has none of the exams
                raise Refused("There is no such person.", code="not-found")
            return PersonTimeline(
                person=telling.person_words(row, None), items=lines(connection, principal, found)
            )

        told = await desk.read(work)
        for one in told.items[:50]:
            if one.report is not None:
                desk.archive.trail.viewed(principal, host_of(request), one.exam.study_uids[0], "report")
        return told

    @made.get("/studies/{study_uid}/report-context", summary="The exams and reports of a study, for a viewer")
    async def show_report_context(
        principal: Caller, study_uid: Annotated[Uid, Path(description="Study Instance UID.")]
    ) -> StudyReports:
        action = permit_any(principal, Action.REPORT, Action.READ_REPORTS)
        who = permit(principal, action)

        def work(connection: Connection) -> StudyReports:
            found = persons.of_study(connection, who, study_uid, action)
            told = lines(connection, principal, found)
            made_items = []
            for line, one in zip(told, found, strict=True):
                actions = []
                if may(principal, Action.REPORT):
                    if one.exam.state is State.VERIFIED:
                        actions.append("claim")
                    if one.report is not None:
                        actions.append("open")
                if line.report is not None and line.report.final is not None:
                    actions.append("read")
                made_items.append(StudyReport.model_validate({**line.model_dump(), "actions": actions}))
            return StudyReports(person=told[0].exam.person if told else None, items=made_items)

        return await desk.read(work)

    return made
