"""Claiming, locking and writing reports, until they are submitted. In the caller's write transaction."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, update

from filmless.access.acting import Acting
from filmless.access.audit.model import Kind
from filmless.access.model import Action, may
from filmless.department import exams as department
from filmless.department.exams import Exam
from filmless.department.states import State
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused
from filmless.reporting import find, words
from filmless.reporting.canonical import canonical, digest
from filmless.reporting.model import (
    ADDENDUM,
    LOCK,
    SECTIONS,
    Locked,
    Report,
    Stale,
    Status,
    empty_content,
    has_text,
    whole,
)
from filmless.reporting.tables import report_exams, report_revisions, reports
from filmless.reporting.templates import beginning, by_key

#: bytes of one content as JSON
LONGEST = 512 << 10


def claim(connection: Connection, exam_id: int, acting: Acting, *, force: bool = False) -> Report:
    """Take an exam to write its report, or go on with it: T16. The report, locked for whoever acts.

    An exam that somebody else has claimed is taken over with `force` by who directs reports. Raises Conflict:
    "claimed" (somebody else writes it), Locked, "wrong-state".
    """
    who = acting.who.name
    exam = department.get(connection, exam_id)
    found = find.of_exam(connection, exam_id)
    report = find.get(connection, found.id, to_write=True) if found else None
    if exam.state is State.VERIFIED:
        return _begin(connection, exam, report, acting)
    if report is None or exam.state is not State.REPORTING:
        # says what the exam is in the words of the state machine
        department.advance(connection, exam_id, "T16", acting)
        raise Conflict("This exam cannot be claimed.", code="wrong-state")
    if report.author not in ("", who):
        if not force or not may(acting.who, Action.DIRECT_REPORTS):
            raise Conflict(f"{report.author} has claimed this exam.", code="claimed")
        for one in find.exams_of(connection, report.id):
            department.note(
                connection,
                one.id,
                "report taken over",
                acting,
                detail={"report": report.id, "from": report.author},
            )
        return change(connection, report, acting, author=who, locked_by=who, locked_until=clock.now() + LOCK)
    return lock(connection, report, acting)


def _begin(connection: Connection, exam: Exam, report: Report | None, acting: Acting) -> Report:
    """E60 to E70, by compare and set; text that was left behind stays."""
    who, now = acting.who.name, clock.now()
    group = find.exams_of(connection, report.id) if report else [exam]
    for one in group:
        if one.state is State.VERIFIED:
            department.advance(connection, one.id, "T16", acting)
    if report is not None:
        return change(
            connection, report, acting, author=who, returned=False, locked_by=who, locked_until=now + LOCK
        )
    template, language, content = beginning(connection, exam, acting.who)
    row = connection.execute(
        insert(reports)
        .values(
            status=Status.DRAFT.value,
            revision=0,
            released=0,
            author=who,
            locked_by=who,
            locked_until=now + LOCK,
            template=template,
            language=language,
            scratch={"base": 0, "content": content},
            created_at=now,
            changed_at=now,
            changed_by=who,
        )
        .returning(reports)
    ).one()
    connection.execute(insert(report_exams).values(exam=exam.id, report=row.id))
    return Report.of(row)


def change(connection: Connection, report: Report, acting: Acting, **values: Any) -> Report:
    """Write columns of a report; counts the change."""
    row = connection.execute(
        update(reports)
        .where(reports.c.id == report.id, reports.c.changes == report.changes)
        .values(changes=report.changes + 1, changed_at=clock.now(), changed_by=acting.who.name, **values)
        .returning(reports)
    ).one_or_none()
    if row is None:
        raise Stale(find.get(connection, report.id))
    return Report.of(row)


def lock(connection: Connection, report: Report, acting: Acting, *, take: bool = False) -> Report:
    """Be the one who edits it, for the next minutes. Raises Locked; `take`: not where somebody else does."""
    who, now = acting.who.name, clock.now()
    if report.locked(now, against=who) and not take:
        raise Locked(report)
    # no change of what is written: the count stays
    row = connection.execute(
        update(reports)
        .where(reports.c.id == report.id)
        .values(locked_by=who, locked_until=now + LOCK)
        .returning(reports)
    ).one()
    return Report.of(row)


def heartbeat(connection: Connection, report_id: int, acting: Acting) -> Report:
    """Say that the editor is still open. Raises Locked where somebody else edits now."""
    report = find.get(connection, report_id, to_write=True)
    _may_write(report, acting)
    return lock(connection, report, acting)


def release(connection: Connection, report_id: int, acting: Acting) -> Report:
    """Give back what was claimed: T17. What was written stays for whoever claims it next.

    The author does, who directs reports, and Filmless itself. Raises Refused (code "not-permitted").
    """
    report = find.get(connection, report_id, to_write=True)
    mine = report.author == acting.who.name
    if not mine and not may(acting.who, Action.DIRECT_REPORTS):
        raise Refused(
            "Only its author, or who directs the department, gives a report back.", code="not-permitted"
        )
    for exam in find.exams_of(connection, report_id):
        if exam.state is State.REPORTING:
            department.advance(connection, exam.id, "T17", acting)
    return change(connection, report, acting, author="", returned=False, locked_by="", locked_until=None)


def editor(report: Report) -> str:
    """Whose turn it is to write; "" where nothing may be written."""
    if report.pending in (ADDENDUM, "correction", "correction-asked"):
        return report.pending_by
    if report.pending:
        return ""
    return {Status.DRAFT: report.author, Status.IN_REVIEW: report.reviewer}.get(report.status, "")


def _may_write(report: Report, acting: Acting) -> None:
    if report.pending == "correction-asked" or editor(report) != acting.who.name:
        raise Conflict("It is not your turn to write this report.", code="not-yours")


def scratch(
    connection: Connection, report_id: int, acting: Acting, content: Mapping[str, Any], *, seen: int
) -> Report:
    """Keep what was typed, as it is typed. Raises Stale, Locked, Conflict "not-yours", Refused "too-large"."""
    report = to_write(connection, report_id, acting, seen)
    return change(
        connection,
        report,
        acting,
        scratch={"base": report.revision, "content": whole(content)},
        scratch_at=clock.now(),
        result=content.get("result", ""),
        locked_by=acting.who.name,
        locked_until=clock.now() + LOCK,
    )


def style(
    connection: Connection,
    report_id: int,
    acting: Acting,
    *,
    language: str | None,
    template: str | None,
    seen: int,
) -> Report:
    """Choose the language and the template (its key). Raises Refused "not-found"; as `scratch` does."""
    report = to_write(connection, report_id, acting, seen)
    values: dict[str, Any] = {}
    if language is not None:
        values["language"] = language
    if template is not None:
        if template and by_key(connection, template) is None:
            raise Refused("There is no such template.", code="not-found")
        values["template"] = template
    return change(connection, report, acting, **values)


def save(
    connection: Connection,
    report_id: int,
    acting: Acting,
    content: Mapping[str, Any] | None = None,
    *,
    seen: int,
) -> Report:
    """A revision that stays, of `content` or what was typed last. Raises as `scratch` does; "nothing"."""
    report = to_write(connection, report_id, acting, seen)
    text = whole(content) if content is not None else current(connection, report)
    if not has_text(text):
        raise Refused("There is nothing to be saved.", code="nothing")
    return revise(connection, report, acting, "draft", text)


def to_write(connection: Connection, report_id: int, acting: Acting, seen: int) -> Report:
    """The report, to be written by who acts, as he saw it. Raises Stale, Locked, Conflict "not-yours"."""
    report = find.get(connection, report_id, to_write=True)
    _may_write(report, acting)
    if report.locked(clock.now(), against=acting.who.name):
        raise Locked(report)
    if report.changes != seen:
        raise Stale(report)
    return report


def current(connection: Connection, report: Report) -> dict[str, Any]:
    """What stands in the editor: what was typed since the newest revision, else that one, else nothing."""
    if report.scratch is not None:
        return whole(report.scratch.get("content"))
    query = (
        select(report_revisions.c.kind, report_revisions.c.content)
        # who the report is about was said anew: nobody has written that
        .where(report_revisions.c.report == report.id, report_revisions.c.kind != "identity")
        .order_by(report_revisions.c.number.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    # an addendum begins empty: what was signed is what it is to
    if row is None or (report.pending == ADDENDUM and row.kind != "draft"):
        return empty_content()
    return whole(row.content)


def revise(
    connection: Connection,
    report: Report,
    acting: Acting,
    kind: str,
    content: Mapping[str, Any],
    *,
    reason: str = "",
    **values: Any,
) -> Report:
    """Add a revision and write columns of the report with it; what was typed is in it now."""
    number = report.revision + 1
    exams = find.exams_of(connection, report.id)
    person = find.person_row(connection, exams[0].person)
    released = find.released(connection, report) if kind == ADDENDUM else None
    people = {"author": report.author, "reviewer": str(values.get("reviewer", report.reviewer))}
    if kind in (ADDENDUM, "correction"):
        people = {"author": report.pending_by, "reviewer": acting.who.name}
    text = canonical(
        report=report.id,
        number=number,
        kind=kind,
        content=content,
        exams=[find.exam_identity(one) for one in exams],
        person=find.identity(person),
        people=people,
        template=report.template,
        language=report.language,
        base=released.base.hash if released else "",
    )
    connection.execute(
        insert(report_revisions).values(
            report=report.id,
            number=number,
            kind=kind,
            content=dict(content),
            template=report.template,
            language=report.language,
            hash=digest(text),
            canonical=text,
            by=acting.who.name,
            at=clock.now(),
            reason=reason[:400],
            text=searched(content),
        )
    )
    if kind != "identity":
        words.keep(connection, report.id, searched(content), more=kind == ADDENDUM)
    changed = change(
        connection,
        report,
        acting,
        **{
            "revision": number,
            "scratch": None,
            "scratch_at": None,
            "result": content.get("result", "") if kind != ADDENDUM else report.result,
            **values,
        },
    )
    acting.note(
        connection,
        f"report {kind}",
        kind=Kind.STORE,
        studies=tuple(one.study_uid for one in exams),
        reason=reason,
        report=report.id,
        revision=number,
    )
    return changed


def searched(content: Mapping[str, Any]) -> str:
    """The words of a content by which it is found."""
    return "\n".join(str(content.get(name, "")) for name in SECTIONS if content.get(name)).casefold()
