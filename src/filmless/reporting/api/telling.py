"""From rooms' words to those of the API."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from filmless.access.model import Action, Principal, may
from filmless.department.exams import Exam
from filmless.department.images import row_of, shared_numbers
from filmless.department.tables import exam_studies, orders
from filmless.kit import clock
from filmless.patients.tables import persons
from filmless.reporting import criticals, find, signing, templates, writing
from filmless.reporting import persons as of_persons
from filmless.reporting.ages import age
from filmless.reporting.allowed import allowed
from filmless.reporting.api import content_words as c
from filmless.reporting.api import words as w
from filmless.reporting.api.reading_words import ReadingItem
from filmless.reporting.canonical import digest
from filmless.reporting.find import Released
from filmless.reporting.model import Report, Revision, whole
from filmless.reporting.persons import Happened
from filmless.reporting.verify import altered


def person_words(row: Any, at: datetime | None) -> w.ReportPerson:
    """`row`: of persons, or a row of a list that has their columns (`person` is the number then)."""
    return w.ReportPerson(
        id=getattr(row, "person", None) or row.id,
        name=of_persons.shown_name(row),
        name_alphabetic=(row.name_alphabetic or "").replace("^", " ").strip(),
        sex=row.sex,
        birth_date=row.birth_date,
        age=age(row.birth_date, at),
        patient_id=row.patient_id,
        vip=row.vip,
    )


_EXAM = (
    "id", "number", "procedure", "procedure_zh", "procedure_en", "modality", "body_part", "side", "stat", "exam_class",
    "state", "images", "station", "site", "department", "ordered_at", "arrived_at", "started_at", "finished_at",
    "verified_at", "reported_at", "final_at", "due_at",
)  # fmt: skip


def item(row: Any, studies: Sequence[str]) -> ReadingItem:
    """A row of reading.listed."""
    now = clock.now()
    locked = row.locked_by if row.locked_until is not None and row.locked_until > now else ""
    return ReadingItem(
        **{name: getattr(row, name) for name in _EXAM},
        study_uids=list(studies),
        person=person_words(row, row.finished_at or row.started_at),
        patient_class=row.patient_class,
        requester=row.requester,
        asked_by=row.asked_by,
        ward=row.ward,
        bed=row.bed,
        diagnosis=row.diagnosis,
        report=row.report,
        report_status=row.report_status or "",
        author=row.author or "",
        reviewer=row.reviewer or "",
        returned=bool(row.returned),
        pending=row.pending or "",
        pending_by=row.pending_by or "",
        locked_by=locked or "",
        result=row.result or "",
        priors=row.priors,
        critical=bool(row.critical),
    )


def exams(connection: Connection, found: Sequence[Exam]) -> list[w.ReportExam]:
    """Exams with their person and order."""
    people = _by_id(connection, persons, {one.person for one in found})
    asked = _by_id(connection, orders, {one.order_id for one in found})
    studies: dict[int, list[str]] = {one.id: [] for one in found}
    query = (
        select(exam_studies.c.exam, exam_studies.c.study_uid)
        .where(exam_studies.c.exam.in_(list(studies)))
        .order_by(exam_studies.c.at)
    )
    for row in connection.execute(query):
        studies[row.exam].append(row.study_uid)
    first = {one.id: (studies[one.id] or [one.study_uid])[0] for one in found}
    mixed = shared_numbers(connection, set(first.values()))
    made = []
    for one in found:
        order = asked[one.order_id]
        made.append(
            w.ReportExam(
                **{name: getattr(one, name) for name in _EXAM},
                study_uids=studies[one.id] or [one.study_uid],
                row=row_of(connection, one, first[one.id]) if first[one.id] in mixed else 0,
                person=person_words(people[one.person], one.finished_at or one.started_at),
                patient_class=order.patient_class,
                requester=order.requester,
                asked_by=order.department,
                ward=order.ward,
                bed=order.bed,
            )
        )
    return made


def _by_id(connection: Connection, table: Any, ids: Iterable[int]) -> dict[int, Any]:
    return {row.id: row for row in connection.execute(select(table).where(table.c.id.in_(sorted(ids))))}


def content(given: Mapping[str, Any] | None) -> c.ReportContent:
    """What is kept, as it is told; what an older Filmless kept besides is left out."""
    known = {name: value for name, value in whole(given).items() if name in c.ReportContent.model_fields}
    return c.ReportContent.model_validate(known)


def final(text: Released) -> w.ReportFinal:
    """What counts of a report."""
    return w.ReportFinal(
        number=text.base.number,
        kind=text.base.kind,
        content=content(text.base.content),
        by=text.base.by,
        at=text.base.at,
        reason=text.base.reason,
        addenda=[
            w.ReportAddendum(number=one.number, content=content(one.content), by=one.by, at=one.at)
            for one in text.addenda
        ],
    )


def prior(one: Happened) -> w.ReportPrior:
    """A prior exam with its report."""
    assert one.report is not None
    assert one.text is not None
    exam = one.exam
    return w.ReportPrior(
        exam=exam.id,
        number=exam.number,
        study_uids=list(one.studies) or [exam.study_uid],
        procedure_zh=exam.procedure_zh,
        procedure_en=exam.procedure_en,
        modality=exam.modality,
        body_part=exam.body_part,
        side=exam.side,
        at=exam.finished_at or exam.started_at or exam.ordered_at,
        report=one.report.id,
        status=one.report.status,
        result=one.report.result,
        author=one.report.author,
        reviewer=one.report.reviewer,
        final=final(one.text),
    )


def template(one: templates.Template) -> c.TemplateWords:
    """A template as it is told."""
    return c.TemplateWords.model_validate(
        {
            "key": one.key,
            "content": one.content,
            **{
                name: getattr(one, name)
                for name in (
                    "id", "code", "revision", "name_zh", "name_en", "owner", "modality", "body_part", "changed_at",
                    "changed_by",
                )
            },
        }
    )  # fmt: skip


def critical_list(connection: Connection, found: Sequence[criticals.Critical]) -> list[c.CriticalWords]:
    """Critical results with their steps."""
    steps = criticals.steps_of(connection, [one.id for one in found])
    made = []
    for one in found:
        fields = {name: getattr(one, name) for name in criticals.Critical.__slots__}
        made.append(
            c.CriticalWords(
                **fields,
                steps=[
                    c.CriticalStepWords(
                        what=step.what,
                        channel=step.channel,
                        receiver=step.receiver,
                        words=step.words,
                        at=step.at,
                        by=step.by,
                    )
                    for step in steps[one.id]
                ],
            )
        )
    return made


def revision_line(one: Revision, report: Report) -> dict[str, Any]:
    """Fields of w.ReportRevisionLine."""
    counts = one.kind in ("final", "correction", "addendum")
    return {
        "number": one.number,
        "kind": one.kind,
        "by": one.by,
        "at": one.at,
        "reason": one.reason,
        "hash": one.hash,
        "released": counts and one.number <= report.released,
    }


def signature_list(
    connection: Connection, report: Report, found: Sequence[Revision], keys: signing.Keys
) -> list[w.ReportSignature]:
    """The signatures, each checked at this moment."""
    of = {one.number: one for one in found}
    made = []
    for one in find.signatures_of(connection, report.id):
        revision = of.get(one.revision)
        if revision is None:
            why = "text-altered"
        else:
            changed_since = digest(revision.canonical) != revision.hash or altered(revision)
            why = "text-altered" if changed_since else signing.holds(one, revision.canonical, keys)
        made.append(
            w.ReportSignature(
                revision=one.revision,
                role=one.role,
                account=one.account,
                name=one.name,
                signed_at=one.signed_at,
                key_id=one.key_id,
                holds=not why,
                why=why,
            )
        )
    return made


def changed(connection: Connection, report: Report, who: Principal) -> dict[str, Any]:
    """Fields of w.ReportChanged."""
    return {
        "id": report.id,
        "status": report.status.value,
        "changes": report.changes,
        "revision": report.revision,
        "released": report.released,
        "locked_by": report.locked_by,
        "locked_until": report.locked_until,
        "pending": report.pending,
        "allowed": allowed(connection, report, who),
    }


def report(
    connection: Connection, one: Report, who: Principal, keys: signing.Keys, *, emergency_preliminary: bool
) -> w.ReportWords | None:
    """A report as far as this principal reads it; None where it is none of his."""
    group = find.exams_of(connection, one.id)
    if not any(
        of_persons.readable(one, exam, who, emergency_preliminary=emergency_preliminary) for exam in group
    ):
        return None
    writes = may(who, Action.REPORT)
    revisions = find.revisions(connection, one.id)
    counting = find.released(connection, one)
    provisional = False
    if counting is None and not writes:
        counting = find.submitted(connection, one)
        provisional = True
    if not writes:
        revisions = [revision for revision in revisions if counting and revision.number in _numbers(counting)]
    order = connection.execute(select(orders).where(orders.c.id == group[0].order_id)).one()
    returned = [revision for revision in revisions if revision.kind == "returned"]
    now = clock.now()
    form = templates.by_key(connection, one.template)
    signatures = signature_list(connection, one, find.revisions(connection, one.id), keys)
    people = {one.author, one.reviewer, one.pending_by, one.locked_by}
    people |= {revision.by for revision in revisions} | {signature.account for signature in signatures}
    return w.ReportWords(
        id=one.id,
        status=one.status.value,
        changes=one.changes,
        revision=one.revision,
        released=one.released,
        author=one.author,
        reviewer=one.reviewer,
        people=[
            w.ReportAuthor(account=name.account, name_zh=name.name_zh, name_en=name.name_en, title=name.title)
            for name in find.names_of(connection, sorted(people - {""})).values()
        ],
        returned=one.returned,
        returned_reason=returned[-1].reason if returned and (one.returned or one.pending) else "",
        pending=w.ReportPending.model_validate(
            {"kind": one.pending, "by": one.pending_by, "reason": one.pending_reason}
            if writes
            else {"kind": "", "by": "", "reason": ""}
        ),
        locked_by=one.locked_by if one.locked_until is not None and one.locked_until > now else "",
        locked_until=one.locked_until,
        template=one.template,
        language="en" if one.language == "en" else "zh",
        result=one.result,
        content=content(writing.current(connection, one)) if writes else None,
        unsaved=one.scratch is not None,
        changed_at=one.changed_at,
        changed_by=one.changed_by,
        final=final(counting) if counting else None,
        provisional=provisional,
        exams=exams(connection, group),
        request=w.ReportRequest(
            diagnosis=order.diagnosis,
            history=order.history,
            purpose=order.purpose,
            cautions=order.cautions or {},
            priority=order.priority,
        ),
        allowed=allowed(connection, one, who),
        form=template(form) if form else None,
        priors=[prior(happened) for happened in of_persons.priors(connection, who, group[0])]
        if writes
        else [],
        revisions=[w.ReportRevisionLine(**revision_line(revision, one)) for revision in revisions],
        signatures=[one for one in signatures if writes or (counting and one.revision in _numbers(counting))],
        criticals=critical_list(connection, criticals.open_on(connection, [exam.id for exam in group])),
    )


def _numbers(text: Released) -> set[int]:
    return {text.base.number, *(one.number for one in text.addenda)}
