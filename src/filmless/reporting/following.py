"""Reports follow what happens to exams and persons: in the worker, from the event log.

An exam that became void withdraws its report. Where it turns out, or is corrected, who a person is (a match, a merge,
another ID or name), a signed report stays as it was signed; a revision beside it says who it is about now, and the
printed report and its documents are made anew with that.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine, func, or_, select

from filmless.access.acting import Acting
from filmless.access.audit.trail import Trail
from filmless.access.model import SYSTEM
from filmless.db import events
from filmless.db.work import reading, writing
from filmless.department.states import State
from filmless.department.tables import exams
from filmless.kit.errors import FilmlessError
from filmless.patients.tables import identity_journal
from filmless.reporting import documents, finals, find
from filmless.reporting.model import Report
from filmless.reporting.persons import family
from filmless.reporting.tables import report_exams, reports
from filmless.reporting.writing import revise

log = logging.getLogger(__name__)

READER = "reports"
_KINDS = ("exam-changed", "identity-changed", "person-changed")
_EVENTS = 500


class Follower:
    """Reads the event log; in the worker, once for a server."""

    def __init__(self, engine: Engine, trail: Trail) -> None:
        self._engine = engine
        self._acting = Acting(SYSTEM, trail)

    def run_once(self) -> int:
        """Follow the next events; returns how many there were."""
        with reading(self._engine) as connection:
            behind = events.position(connection, READER)
            newest = connection.scalar(select(func.max(events.events.c.seq))) or 0
            if newest == behind:
                return 0
            found = events.after(connection, behind, kinds=_KINDS, limit=_EVENTS)
        for event in found:
            try:
                self._follow(event.kind, event.body)
            except FilmlessError as error:
                # one report that cannot follow holds up no other
                log.warning("event %d (%s) is not followed: %s", event.seq, event.kind, error.message)
        with writing(self._engine) as connection:
            events.advance(connection, READER, found[-1].seq if len(found) == _EVENTS else newest)
        return len(found)

    def _follow(self, kind: str, body: Mapping[str, Any]) -> None:
        if kind == "exam-changed":
            if body["state"] == State.VOID:
                with writing(self._engine) as connection:
                    finals.withdraw_of_void(connection, int(body["exam"]), self._acting)
                return
            if body["transition"] not in ("T32", ""):
                return
        with reading(self._engine) as connection:
            behind = [one.id for one in _about(connection, kind, body) if _differs(connection, one)]
        for report in behind:
            with writing(self._engine) as connection:
                _say_who(connection, report, self._acting)


def _about(connection: Connection, kind: str, body: Mapping[str, Any]) -> list[Report]:
    """The released reports that an event may be about."""
    if kind == "exam-changed":
        whose = report_exams.c.exam == int(body["exam"])
    else:
        if kind == "identity-changed":
            row = connection.execute(
                select(identity_journal.c.person, identity_journal.c.other).where(
                    identity_journal.c.id == int(body["journal"])
                )
            ).first()
            people = [one for one in (row or ()) if one is not None]
        else:
            people = [int(body["person"])]
        them = sorted({one for person in people for one in family(connection, person)})
        whose = report_exams.c.exam.in_(select(exams.c.id).where(exams.c.person.in_(them)))
    query = (
        select(reports)
        .where(
            reports.c.released > 0,
            reports.c.id.in_(select(report_exams.c.report).where(or_(whose))),
        )
        .order_by(reports.c.id)
        .limit(1000)
    )
    return [Report.of(row) for row in connection.execute(query)]


def _differs(connection: Connection, report: Report) -> bool:
    """Whether the newest revision says another identity than the exams and the person have now."""
    form = json.loads(find.revision(connection, report.id, report.revision).canonical)
    group = find.exams_of(connection, report.id)
    if any(one.state is State.VOID for one in group):
        return False
    now = dict(find.identity(find.person_row(connection, group[0].person)))
    numbers = sorted(one.number for one in group)
    return bool(form["person"] != now or sorted(one["number"] for one in form["exams"]) != numbers)


def _say_who(connection: Connection, report_id: int, acting: Acting) -> None:
    report = find.get(connection, report_id, to_write=True)
    text = find.released(connection, report)
    if text is None or not _differs(connection, report):
        return
    # what somebody is typing meanwhile stays
    kept = {"scratch": report.scratch, "scratch_at": report.scratch_at}
    report = revise(
        connection, report, acting, "identity", dict(text.base.content), reason="identity established", **kept
    )
    documents.want(connection, report)
