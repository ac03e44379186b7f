"""The exams and reports of a person, for who reads or treats; and a clinician's inbox."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, or_, select, update

from filmless.access.model import Action, Principal, may
from filmless.department.exams import Exam
from filmless.department.states import State
from filmless.department.tables import exam_studies, exams, orders
from filmless.department.visibility import seen
from filmless.kit import clock
from filmless.patients.tables import persons
from filmless.reporting import find
from filmless.reporting.find import Released
from filmless.reporting.model import RELEASED, Report, Status
from filmless.reporting.tables import report_exams, report_reads, reports

#: exams of a timeline
MOST = 500


@dataclass(frozen=True, slots=True)
class Happened:
    """An exam of a person: its studies, its report where it is for the reader ("" preliminary too)."""

    exam: Exam
    studies: tuple[str, ...]
    report: Report | None
    #: what of the report the reader may read; None where nothing is
    text: Released | None


def readable(report: Report, exam: Exam, who: Principal, *, emergency_preliminary: bool) -> bool:
    """Whether somebody reads this report at all: whoever writes reports reads all, others what is released, and of
    emergencies what is submitted."""
    if may(who, Action.REPORT):
        return True
    if report.status in RELEASED:
        return may(who, Action.READ_REPORTS)
    urgent = exam.stat and report.status in (Status.PRELIMINARY, Status.IN_REVIEW)
    return emergency_preliminary and urgent and report.released == 0 and may(who, Action.READ_REPORTS)


def family(connection: Connection, person_id: int) -> list[int]:
    """A person and those who were merged into him or her, and the survivor where he or she was merged."""
    survivor, seen_ids = person_id, set()
    while survivor not in seen_ids:
        seen_ids.add(survivor)
        into = connection.scalar(select(persons.c.merged_into).where(persons.c.id == survivor))
        survivor = into or survivor
    found, fresh = {survivor}, {survivor}
    while fresh:
        below = set(connection.scalars(select(persons.c.id).where(persons.c.merged_into.in_(sorted(fresh)))))
        fresh = below - found
        found |= fresh
    return sorted(found)


def timeline(
    connection: Connection, who: Principal, person_id: int, action: Action, *, limit: int = MOST
) -> list[Happened]:
    """What was done to a person, the newest first: exams that are there for the principal, void ones left out."""
    when = _when()
    query = (
        select(exams)
        .where(
            exams.c.person.in_(family(connection, person_id)),
            exams.c.state != State.VOID.value,
            seen(who, action),
        )
        .order_by(when.desc(), exams.c.id.desc())
        .limit(limit)
    )
    found = [Exam.of(row) for row in connection.execute(query)]
    return with_reports(connection, found)


def _when() -> Any:
    return func.coalesce(
        exams.c.finished_at, exams.c.started_at, exams.c.arrived_at, exams.c.starts_at, exams.c.ordered_at
    )


def with_reports(connection: Connection, found: Sequence[Exam]) -> list[Happened]:
    """The exams with their studies and reports."""
    ids = [one.id for one in found]
    studies: dict[int, list[str]] = {one: [] for one in ids}
    for row in connection.execute(
        select(exam_studies.c.exam, exam_studies.c.study_uid)
        .where(exam_studies.c.exam.in_(ids))
        .order_by(exam_studies.c.at)
    ):
        studies[row.exam].append(row.study_uid)
    rows = connection.execute(
        select(report_exams.c.exam, reports)
        .join(reports, reports.c.id == report_exams.c.report)
        .where(report_exams.c.exam.in_(ids))
    ).all()
    of = {row.exam: Report.of(row) for row in rows}
    return [
        Happened(
            one,
            tuple(studies[one.id]),
            of.get(one.id),
            find.released(connection, of[one.id]) if one.id in of and of[one.id].released else None,
        )
        for one in found
    ]


def priors(connection: Connection, who: Principal, exam: Exam, *, limit: int = 50) -> list[Happened]:
    """Earlier and other exams of the person with a released report, those most like this one first."""
    found = [
        one
        for one in timeline(connection, who, exam.person, Action.REPORT)
        if one.exam.id != exam.id and one.text is not None
    ]
    return sorted(
        found,
        key=lambda one: (
            one.exam.body_part != exam.body_part,
            one.exam.modality != exam.modality,
        ),
    )[:limit]


def note_read(connection: Connection, report: Report, who: Principal) -> None:
    """That an account has seen the revision that counts, or that none does any more: what is corrected later is told to
    it."""
    if who.kind != "user" or not who.account:
        return
    now = clock.now()
    mine = and_(report_reads.c.report == report.id, report_reads.c.account == who.name)
    kept = connection.execute(
        update(report_reads).where(mine).values(revision=report.released, at=now)
    ).rowcount
    if not kept:
        connection.execute(
            insert(report_reads).values(report=report.id, account=who.name, revision=report.released, at=now)
        )


@dataclass(frozen=True, slots=True)
class Arrived:
    """A report in a clinician's inbox."""

    row: Row[Any]
    #: the revision that this account has read, 0 for none
    read: int

    @property
    def withdrawn(self) -> bool:
        """What this account has read does not count any more, and nothing does in its place."""
        return not self.row.released


def inbox(
    connection: Connection, who: Principal, *, unread: bool = True, days: int = 30, limit: int = 100
) -> list[Arrived]:
    """Released reports of exams that are there for a clinician, the newest first; `unread`: only those of which this
    account has not seen the revision that counts."""
    since = clock.now() - timedelta(days=days)
    seen_revision = (
        select(report_reads.c.revision)
        .where(report_reads.c.report == reports.c.id, report_reads.c.account == who.name)
        .correlate(reports)
        .scalar_subquery()
    )
    query = (
        select(
            exams,
            persons.c.name_ideographic,
            persons.c.name_alphabetic,
            persons.c.sex,
            persons.c.birth_date,
            persons.c.patient_id,
            persons.c.vip,
            orders.c.ward,
            orders.c.bed,
            reports.c.id.label("report"),
            reports.c.status.label("report_status"),
            reports.c.result,
            reports.c.released,
            reports.c.changed_at.label("report_changed_at"),
            seen_revision.label("seen_revision"),
        )
        .select_from(exams)
        .join(persons, persons.c.id == exams.c.person)
        .join(orders, orders.c.id == exams.c.order_id)
        .join(report_exams, report_exams.c.exam == exams.c.id)
        .join(reports, reports.c.id == report_exams.c.report)
        .where(
            seen(who, Action.READ_REPORTS),
            # what was taken back is told to those who have read it
            or_(reports.c.released > 0, seen_revision > 0),
            reports.c.changed_at >= since,
        )
        .order_by(reports.c.changed_at.desc(), exams.c.id.desc())
        .limit(limit)
    )
    if unread:
        query = query.where(
            or_(seen_revision.is_(None), seen_revision < reports.c.released, reports.c.released == 0)
        )
    return [Arrived(row, row.seen_revision or 0) for row in connection.execute(query)]


def readers(connection: Connection, report_id: int) -> list[tuple[str, int, datetime]]:
    """(account, revision, when) of those who have read a report."""
    query = select(report_reads).where(report_reads.c.report == report_id).order_by(report_reads.c.at)
    return [(row.account, row.revision, row.at) for row in connection.execute(query)]


def of_study(connection: Connection, who: Principal, study_uid: str, action: Action) -> list[Happened]:
    """The exams of a study that are there for the principal, with their reports."""
    ids = select(exam_studies.c.exam).where(exam_studies.c.study_uid == study_uid)
    here: ColumnElement[bool] = or_(exams.c.study_uid == study_uid, exams.c.id.in_(ids))
    query = (
        select(exams).where(here, exams.c.state != State.VOID.value, seen(who, action)).order_by(exams.c.id)
    )
    return with_reports(connection, [Exam.of(row) for row in connection.execute(query.limit(20))])


def shown_name(row: Row[Any] | Mapping[str, Any]) -> str:
    """The name as people read it: the ideographic one, else the alphabetic one."""
    get = row.get if isinstance(row, Mapping) else lambda name: getattr(row, name)
    text = str(get("name_ideographic") or get("name_alphabetic") or "")
    return text.replace("^", " " if text.isascii() else "").strip()
