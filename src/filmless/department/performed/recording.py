"""Keeps performed steps and carries exams along: begun, finished, discontinued (T09 to T12, T15).

What a device tells has happened. It is kept whatever state the exam is in; what does not fit becomes a task.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from filmless.access.acting import Acting
from filmless.db import events
from filmless.department import exams, images, tasks
from filmless.department.beginning import begun
from filmless.department.exams import Exam
from filmless.department.performed import told
from filmless.department.performed.told import (
    COMPLETED,
    DISCONTINUED,
    FINAL,
    IN_PROGRESS,
    Json,
    Scheduled,
)
from filmless.department.states import State
from filmless.department.tables import (
    expected_instances,
    performed_step_exams,
    performed_steps,
    steps,
)
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused

#: what is refused an N-SET after the end (PS3.4 table F.7.2-2)
OVER = "over"


def create(connection: Connection, sop_uid: str, attributes: Json, acting: Acting) -> list[Exam]:
    """Keep what an N-CREATE tells (PS3.4 F.7.2.1), in the caller's write transaction; returns the exams it is about.

    Raises Refused (code "bad-status") where it is not in progress, Conflict (code "duplicate") where it is known.
    """
    status = told.text(attributes, "00400252")
    if status != IN_PROGRESS:
        raise Refused("a performed step begins IN PROGRESS", code="bad-status")
    if _row(connection, sop_uid) is not None:
        raise Conflict("this performed step is known already", code="duplicate")
    now = clock.now()
    began = told.moment(attributes, "00400244", "00400245")
    made = connection.execute(
        insert(performed_steps).values(
            sop_uid=sop_uid,
            status=status,
            ae_title=told.text(attributes, "00400241")[:16],
            modality=told.text(attributes, "00080060")[:16],
            starts_at=began,
            attributes=dict(attributes),
            created_at=now,
            changed_at=now,
        )
    ).inserted_primary_key
    assert made is not None
    number: int = made[0]
    linked = _link(connection, number, sop_uid, attributes, acting)
    for exam in linked:
        _begin(connection, exam, sop_uid, acting, began)
    if len(linked) > 1:
        tasks.raise_task(
            connection,
            "report-group",
            f"report-group:{sop_uid}",
            exam=linked[0].id,
            body={"exams": [exam.id for exam in linked], "numbers": [exam.number for exam in linked]},
        )
    _happened(connection, number, status, linked)
    return linked


def change(connection: Connection, sop_uid: str, attributes: Json, acting: Acting) -> list[Exam]:
    """Keep what an N-SET tells (PS3.4 F.7.2.2); returns the exams it is about.

    Raises Refused: "unknown" (no such step), "bad-status"; Conflict (code OVER) after the end of the step.
    """
    row = _row(connection, sop_uid)
    if row is None:
        raise Refused("there is no such performed step", code="unknown")
    if row.status in FINAL:
        raise Conflict("Performed Procedure Step Object may no longer be updated", code=OVER)
    status = told.text(attributes, "00400252") or row.status
    if status not in (IN_PROGRESS, *FINAL):
        raise Refused("a performed step is IN PROGRESS, COMPLETED or DISCONTINUED", code="bad-status")
    whole = {**row.attributes, **{tag: one for tag, one in attributes.items() if tag not in told.FIXED}}
    whole["00400252"] = {"vr": "CS", "Value": [status]}
    ended = told.moment(whole, "00400250", "00400251") if status in FINAL else None
    reason = told.discontinuation(whole) if status == DISCONTINUED else ""
    connection.execute(
        update(performed_steps)
        .where(performed_steps.c.id == row.id)
        .values(
            status=status, attributes=whole, ends_at=ended, discontinued=reason[:16], changed_at=clock.now()
        )
    )
    _expect(connection, row.id, whole)
    linked = _linked(connection, row.id)
    for exam in linked if status in FINAL else ():
        if status == COMPLETED:
            _finish(connection, exam, row.id, whole, acting, ended)
        else:
            _discontinue(connection, exam, row.id, sop_uid, reason, acting, ended)
    _happened(connection, row.id, status, linked)
    return linked


def _row(connection: Connection, sop_uid: str) -> Any:
    query = select(performed_steps).where(performed_steps.c.sop_uid == sop_uid).with_for_update()
    return connection.execute(query).one_or_none()


def _happened(connection: Connection, number: int, status: str, linked: Sequence[Exam]) -> None:
    body = {"performed_step": number, "status": status, "exams": [exam.id for exam in linked]}
    events.record(connection, [("step-performed", body)])


def _link(connection: Connection, number: int, sop_uid: str, attributes: Json, acting: Acting) -> list[Exam]:
    """Write which exams a step is about, and that its studies are theirs; a task where there is none, or a doubt."""
    patient_id = told.text(attributes, "00100020")
    asked = list(told.scheduled(attributes))
    found: dict[int, Exam] = {}
    doubtful: dict[int, Exam] = {}
    for one in asked:
        exam = _scheduled(connection, one)
        if exam is None:
            continue
        same = images.same_person(connection, exam, patient_id, one.accession_number)
        (found if same else doubtful)[exam.id] = exam
    for exam in found.values():
        connection.execute(insert(performed_step_exams).values(performed_step=number, exam=exam.id))
        for study_uid in told.study_uids(attributes):
            if study_uid != exam.study_uid and not _study_of_another(connection, exam, study_uid, found):
                images.attach(connection, exam, study_uid, "mpps", acting)
    if not found:
        tasks.raise_task(
            connection,
            "unscheduled",
            f"unscheduled:{sop_uid}",
            exam=next(iter(doubtful), None),
            study_uid=next(iter(told.study_uids(attributes)), ""),
            body={
                "performed_step": number,
                "device": acting.who.name,
                "why": "patient" if doubtful else "unknown" if asked else "none",
                "studies": told.study_uids(attributes),
            },
        )
    return list(found.values())


def _study_of_another(connection: Connection, exam: Exam, study_uid: str, found: dict[int, Exam]) -> bool:
    """Whether the worklist gave this UID to an exam that the step is not about."""
    other = images.of_study_uid(connection, study_uid)
    return other is not None and other.id != exam.id and other.id not in found


def _scheduled(connection: Connection, one: Scheduled) -> Exam | None:
    """The exam of an item of the Scheduled Step Attributes Sequence: by step, by number, by study."""
    if one.step_id:
        found = connection.scalar(select(steps.c.exam).where(steps.c.step_id == one.step_id))
        if found is not None:
            return exams.get(connection, found)
    for number in (one.accession_number, one.procedure_id):
        exam = exams.by_number(connection, number) if number else None
        if exam is not None:
            return exam
    return images.of_study_uid(connection, one.study_uid)


def _linked(connection: Connection, number: int) -> list[Exam]:
    query = select(performed_step_exams.c.exam).where(performed_step_exams.c.performed_step == number)
    return [exams.get(connection, exam_id) for exam_id in sorted(connection.scalars(query))]


def _others(connection: Connection, exam: Exam, number: int) -> set[str]:
    """The statuses of the other performed steps of an exam."""
    query = (
        select(performed_steps.c.status)
        .join(performed_step_exams, performed_step_exams.c.performed_step == performed_steps.c.id)
        .where(performed_step_exams.c.exam == exam.id, performed_steps.c.id != number)
    )
    return set(connection.scalars(query))


def _begin(connection: Connection, exam: Exam, sop_uid: str, acting: Acting, at: Any) -> None:
    if exam.state in (State.ARRIVED, State.SCHEDULED):
        begun(connection, exam, acting, "mpps", sop_uid, at)
    elif exam.state in (State.ACQUIRED, State.VERIFIED):
        exams.advance(connection, exam.id, "T15", acting, source="mpps", detail={"by": sop_uid}, at=at)
    else:
        exams.note(connection, exam.id, "performed step begun", acting, source="mpps", detail={"by": sop_uid})
        if exam.state is not State.IN_PROGRESS:
            _out_of_place(connection, exam, sop_uid)


def _out_of_place(connection: Connection, exam: Exam, sop_uid: str) -> None:
    kind = "late-images" if exam.state >= State.REPORTING and exam.state < State.CLOSED else "unscheduled"
    tasks.raise_task(
        connection,
        kind,
        f"{kind}:{exam.id}" if kind == "late-images" else f"{kind}:{sop_uid}",
        exam=exam.id,
        study_uid=exam.study_uid,
        body={"why": "state", "state": exam.state.value, "number": exam.number},
    )


def _expect(connection: Connection, number: int, attributes: Json) -> None:
    """Keep which objects the device says it made; the newest word counts."""
    made = told.made(attributes)
    connection.execute(delete(expected_instances).where(expected_instances.c.performed_step == number))
    study_uid = next(iter(told.study_uids(attributes)), "")
    if made:
        connection.execute(
            insert(expected_instances),
            [
                {
                    "performed_step": number,
                    "sop_uid": one.sop_uid,
                    "series_uid": one.series_uid,
                    "study_uid": study_uid,
                }
                for one in made.values()
            ],
        )


def _finish(
    connection: Connection, exam: Exam, number: int, attributes: Json, acting: Acting, at: Any
) -> None:
    count = len(told.made(attributes))
    if exam.state is not State.IN_PROGRESS or IN_PROGRESS in _others(connection, exam, number):
        exams.note(
            connection, exam.id, "performed step finished", acting, source="mpps", detail={"objects": count}
        )
        return
    name = told.operator(attributes)
    exams.advance(
        connection,
        exam.id,
        "T11",
        acting,
        source="mpps",
        detail={"objects": count},
        at=at,
        also={"technologist": name[:80]} if name else None,
    )


def _discontinue(
    connection: Connection, exam: Exam, number: int, sop_uid: str, reason: str, acting: Acting, at: Any
) -> None:
    words = told.REASONS.get(reason, told.REASONS["110513"])[1]
    others = _others(connection, exam, number)
    if exam.state is State.IN_PROGRESS and IN_PROGRESS not in others:
        # what another step of it has finished stays acquired
        name = "T11" if COMPLETED in others else "T12"
        detail = {"code": reason, "by": sop_uid}
        exams.advance(connection, exam.id, name, acting, source="mpps", reason=words, detail=detail, at=at)
    else:
        exams.note(connection, exam.id, "performed step discontinued", acting, source="mpps", reason=words)
    wrong = reason == told.WRONG_ENTRY
    kind = "wrong-worklist-entry" if wrong else "repeat"
    tasks.raise_task(
        connection,
        kind,
        f"{kind}:{sop_uid}:{exam.id}",
        exam=exam.id,
        study_uid=exam.study_uid,
        body={"code": reason, "number": exam.number, "performed_step": number},
    )
