"""Cases of a period, read from exams, their log, reports and critical results."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select

from filmless.archive.tables import instances, series, studies
from filmless.department.tables import (
    exam_log,
    exam_studies,
    exams,
    identity_checks,
    orders,
    words,
)
from filmless.insight.model import Case, Check, Critical
from filmless.kit import clock
from filmless.kit.errors import Refused
from filmless.patients.tables import persons
from filmless.reporting.tables import critical_steps, criticals, report_exams, reports

#: exams of one question, and days of its period, at the most
MOST: Final = 300_000
MOST_DAYS: Final = 400
_AT_ONCE: Final = 900
#: rejected for quality reasons (PS3.16 CID 7011), and the class of the notes that do so
_QUALITY: Final = "113001"
_NOTE: Final = "1.2.840.10008.5.1.4.1.1.88.59"

_FIRST: Final = {
    "T04": "arrived_at", "T05": "arrived_at", "T30A": "arrived_at",
    "T09": "started_at", "T10": "started_at",
    "T16": "claimed_at",
    "T21": "final_at", "T22": "final_at",
    "T32": "matched_at",
}  # fmt: skip
#: what counts is when it was done at last
_LAST: Final = {"T11": "finished_at", "T33": "finished_at", "T13": "verified_at", "T18": "submitted_at"}
_COUNTED: Final = {"T18": "submissions", "T20": "returns", "T24": "addenda", "T25": "amendments"}


def load(
    connection: Connection,
    begin: datetime,
    end: datetime,
    seen: ColumnElement[bool] | None = None,
    *,
    only: Iterable[int] | None = None,
) -> list[Case]:
    """Every exam that may count for any base in [begin, end), or that is open now; those of `only` where given.

    `seen`: the condition on `exams` that they may be known of. Raises Refused (code "too-much") for periods that are
    too long, or have too many exams.
    """
    if end <= begin:
        raise Refused("The period ends before it begins.", code="bad-value")
    if (end - begin).days > MOST_DAYS:
        raise Refused(f"Ask for at most {MOST_DAYS} days at once.", code="too-much")
    chosen = _chosen(begin, end)
    if seen is not None:
        chosen = and_(chosen, seen)
    if only is not None:
        chosen = and_(chosen, exams.c.id.in_(list(only)))
    total = connection.scalar(select(func.count()).select_from(exams).where(chosen)) or 0
    if total > MOST:
        raise Refused(f"That is {total} exams; ask for a shorter period.", code="too-much")
    rows = connection.execute(_exams().where(chosen).order_by(exams.c.id)).all()
    reading = _Reading(connection)
    return [case for at in range(0, len(rows), _AT_ONCE) for case in reading.cases(rows[at : at + _AT_ONCE])]


def _chosen(begin: datetime, end: datetime) -> ColumnElement[bool]:
    def within(column: ColumnElement[datetime]) -> ColumnElement[bool]:
        return and_(column >= begin, column < end)

    return or_(
        within(exams.c.finished_at),
        within(exams.c.ordered_at),
        within(exams.c.starts_at),
        within(exams.c.final_at),
        and_(exams.c.state >= "E30", exams.c.state < "E90"),
    )


def _exams() -> Select[Any]:
    return select(
        exams,
        orders.c.department.label("source"),
        orders.c.requester,
        orders.c.patient_class,
        persons.c.merged_into,
        words.c.more.label("of_procedure"),
        report_exams.c.report,
        reports.c.author,
        reports.c.reviewer,
        reports.c.result,
    ).select_from(
        exams.join(orders, orders.c.id == exams.c.order_id)
        .join(persons, persons.c.id == exams.c.person)
        .outerjoin(words, and_(words.c.kind == "procedure", words.c.code == exams.c.procedure))
        .outerjoin(report_exams, report_exams.c.exam == exams.c.id)
        .outerjoin(reports, reports.c.id == report_exams.c.report)
    )


class _Reading:
    """Reads what belongs to exams, many at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._now = clock.now()
        self._survivors: dict[int, int] = {}

    def cases(self, rows: Sequence[Row[Any]]) -> list[Case]:
        ids = [row.id for row in rows]
        logged = self._by_exam(select(exam_log).where(exam_log.c.exam.in_(ids)).order_by(exam_log.c.seq))
        checked = self._by_exam(
            select(identity_checks).where(identity_checks.c.exam.in_(ids)).order_by(identity_checks.c.id)
        )
        objects = self._objects(ids)
        told = self._criticals(ids)
        return [
            self._case(row, logged[row.id], checked[row.id], objects.get(row.id, (0, 0)), told[row.id])
            for row in rows
        ]

    def _by_exam(self, query: Select[Any]) -> defaultdict[int, list[Row[Any]]]:
        made: defaultdict[int, list[Row[Any]]] = defaultdict(list)
        for row in self._connection.execute(query):
            made[row.exam].append(row)
        return made

    def _objects(self, ids: Sequence[int]) -> Mapping[int, tuple[int, int]]:
        """By exam: objects in the archive that are in use, and those out of use for their quality."""
        found = self._connection.execute(
            select(
                exam_studies.c.exam,
                func.count().filter(instances.c.rejected == "").label("used"),
                func.count().filter(instances.c.rejected == _QUALITY).label("rejected"),
            )
            .select_from(
                exam_studies.join(studies, studies.c.study_uid == exam_studies.c.study_uid)
                .join(series, series.c.study == studies.c.id)
                .join(instances, instances.c.series == series.c.id)
            )
            .where(
                exam_studies.c.exam.in_(ids),
                instances.c.rejected.in_(("", _QUALITY)),
                # the note that rejects goes with what it names
                or_(instances.c.rejected == "", instances.c.sop_class_uid != _NOTE),
            )
            .group_by(exam_studies.c.exam)
        )
        return {row.exam: (row.used, row.rejected) for row in found}

    def _criticals(self, ids: Sequence[int]) -> defaultdict[int, list[Critical]]:
        made: defaultdict[int, list[Critical]] = defaultdict(list)
        rows = self._connection.execute(
            select(criticals).where(criticals.c.exam.in_(ids)).order_by(criticals.c.id)
        ).all()
        first: dict[int, dict[str, datetime]] = defaultdict(dict)
        for step in self._connection.execute(
            select(critical_steps)
            .where(critical_steps.c.critical.in_([row.id for row in rows]))
            .order_by(critical_steps.c.critical, critical_steps.c.seq)
        ):
            first[step.critical].setdefault(step.what, step.at)
        for row in rows:
            steps = first[row.id]
            made[row.exam].append(
                Critical(
                    row.raised_at,
                    steps.get("notified"),
                    steps.get("acknowledged"),
                    steps.get("actioned"),
                    steps.get("closed"),
                    withdrawn=row.status == "withdrawn",
                )
            )
        return made

    def _survivor(self, person: int, merged_into: int | None) -> int:
        if merged_into is None:
            return person
        if person not in self._survivors:
            next_, seen = merged_into, {person}
            while next_ not in seen:
                seen.add(next_)
                further = self._connection.scalar(select(persons.c.merged_into).where(persons.c.id == next_))
                if further is None:
                    break
                next_ = further
            self._survivors[person] = next_
        return self._survivors[person]

    def _case(
        self,
        row: Row[Any],
        log: Sequence[Row[Any]],
        checks: Sequence[Row[Any]],
        objects: tuple[int, int],
        told: Sequence[Critical],
    ) -> Case:
        moments: dict[str, datetime] = {}
        counts: dict[str, int] = {}
        people: dict[str, str] = {}
        overridden, cancelled, rejected = False, "", ""
        for one in log:
            if one.transition in _FIRST:
                moments.setdefault(_FIRST[one.transition], one.at)
            if one.transition in _LAST:
                moments[_LAST[one.transition]] = one.at
            if one.transition in _COUNTED:
                counts[_COUNTED[one.transition]] = counts.get(_COUNTED[one.transition], 0) + 1
            if one.transition in ("T04", "T05", "T30A"):
                people["registrar"] = one.by
            if one.transition == "T13":
                overridden = bool(one.detail.get("override"))
            if one.what == "images rejected" and one.detail.get("code"):
                rejected = str(one.detail["code"])
            if one.transition == "T28":
                cancelled = str(one.detail.get("code") or one.reason)
        of_procedure: Mapping[str, Any] = row.of_procedure or {}
        unwritten = row.final_at is None and "E50" <= row.state < "E90"
        return Case(
            exam=row.id,
            number=row.number,
            person=self._survivor(row.person, row.merged_into),
            state=row.state,
            exam_class=row.exam_class,
            patient_class=row.patient_class,
            stat=row.stat,
            procedure=row.procedure,
            procedure_zh=row.procedure_zh,
            procedure_en=row.procedure_en,
            modality=row.modality,
            body_part=row.body_part,
            station=row.station,
            site=row.site,
            department=row.department,
            source=row.source,
            requester=row.requester,
            fee=float(of_procedure.get("fee") or 0),
            weight=float(of_procedure.get("weight") or 1),
            ordered_at=row.ordered_at,
            booked_for=row.starts_at,
            arrived_at=moments.get("arrived_at"),
            started_at=moments.get("started_at"),
            finished_at=moments.get("finished_at"),
            verified_at=moments.get("verified_at"),
            claimed_at=moments.get("claimed_at"),
            submitted_at=moments.get("submitted_at"),
            final_at=moments.get("final_at"),
            due_at=row.due_at,
            late=unwritten and row.due_at is not None and row.due_at < self._now,
            matched_at=moments.get("matched_at"),
            cancelled_reason=cancelled if row.state == "X10" else "",
            overridden=overridden,
            objects=objects[0],
            rejected=objects[1],
            reject_reason=rejected if objects[1] else "",
            submissions=counts.get("submissions", 0),
            returns=counts.get("returns", 0),
            amendments=counts.get("amendments", 0),
            addenda=counts.get("addenda", 0),
            author=row.author or "",
            reviewer=row.reviewer or "",
            technologist=row.technologist,
            registrar=people.get("registrar", ""),
            double_sign=bool(of_procedure.get("double_sign", True)),
            result=row.result or "",
            quality=str((row.more.get("quality") or {}).get("grade", "")),
            contrast=tuple(str(one.get("reaction", "none")) for one in row.more.get("contrast") or ()),
            extravasated=any(one.get("extravasation") for one in row.more.get("contrast") or ()),
            films=int((row.more.get("dose") or {}).get("films") or 0),
            criticals=tuple(told),
            checks=tuple(Check(one.stage, one.passed, bool(one.override_by)) for one in checks),
        )
