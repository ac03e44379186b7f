"""What a technologist does with an exam by hand: begin, finish, stop, verify, send back, add; images taken out of use.

For devices that tell of nothing themselves, and for what no device knows. Every command is one way of the table of
states, with what follows.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from filmless.access.acting import Acting
from filmless.archive.tables import instances, series, studies
from filmless.department import exams, identity_check, images, tasks, transfer
from filmless.department.exams import Exam
from filmless.department.identity_check import Shown
from filmless.department.model import Desk
from filmless.department.performed.told import WRONG_ENTRY
from filmless.department.registration import reason_words
from filmless.kit.errors import Conflict, Refused


def start(
    connection: Connection,
    exam_id: int,
    acting: Acting,
    desk: Desk,
    *,
    identity: Shown | None = None,
    seen: int | None = None,
) -> Exam:
    """The exam begins (T09), after it was made sure who lies there (`identity`), where that was not done before.

    Raises as identity_check.record and exams.advance.
    """
    if identity is not None:
        exam = exams.get(connection, exam_id)
        identity_check.record(connection, exam, "exam", identity, acting, desk)
        seen = None
    exam = exams.advance(
        connection, exam_id, "T09", acting, also={"technologist": acting.who.name[:80]}, seen=seen
    )
    tasks.close_cause(connection, f"identity-unchecked:{exam_id}", acting.who, "checked")
    return exam


def finish(
    connection: Connection,
    exam_id: int,
    acting: Acting,
    *,
    count: int | None = None,
    note: str = "",
    reason: str = "",
    seen: int | None = None,
) -> Exam:
    """The exam is made (T11). `count`: how many images there are to be; `note`: for whoever reads it."""
    more: dict[str, Any] = {}
    if count is not None:
        more["expected"] = count
    if note:
        more["note"] = note
    return exams.advance(
        connection,
        exam_id,
        "T11",
        acting,
        reason=reason,
        detail={"count": count} if count is not None else None,
        also={"more": more} if more else None,
        seen=seen,
    )


def discontinue(
    connection: Connection,
    exam_id: int,
    acting: Acting,
    *,
    code: str,
    reason: str = "",
    seen: int | None = None,
) -> Exam:
    """The exam is stopped (T12) under a reason of CID 9300; what came of it is asked by a task."""
    words = reason or reason_words(connection, "reason-stop", code)
    exam = exams.advance(connection, exam_id, "T12", acting, reason=words, detail={"code": code}, seen=seen)
    kind = "wrong-worklist-entry" if code == WRONG_ENTRY else "repeat"
    tasks.raise_task(
        connection,
        kind,
        f"{kind}:{exam.id}:{exam.changes}",
        exam=exam.id,
        study_uid=exam.study_uid,
        body={"code": code, "number": exam.number},
    )
    return exam


def protocol(
    connection: Connection, exam_id: int, acting: Acting, *, protocol: str, seen: int | None = None
) -> Exam:
    """How it is to be made (T02); the words are before whoever makes it."""
    also = {"more": {"protocol": protocol}} if protocol else None
    return exams.advance(connection, exam_id, "T02", acting, reason=protocol, also=also, seen=seen)


def send_back(
    connection: Connection, exam_id: int, acting: Acting, *, reason: str, seen: int | None = None
) -> Exam:
    """Not ready to be read after all (T14): images are missing or unfit. It is verified again by a person, or by itself
    once there is something new (transfer.stood)."""
    exam = exams.get(connection, exam_id)
    check = transfer.compare(connection, exam)
    return exams.advance(
        connection,
        exam_id,
        "T14",
        acting,
        reason=reason,
        images="mismatch" if check.short else check.facet,
        also={"more": {"sent_back": transfer.stood(exam, check)}},
        seen=seen,
    )


def change(
    connection: Connection, exam_id: int, name: str, acting: Acting, *, reason: str, seen: int | None = None
) -> Exam:
    """More images (T15), partial ones accepted (T33), to be repeated (T34)."""
    exam = exams.advance(connection, exam_id, name, acting, reason=reason, seen=seen)
    if name in ("T33", "T34"):
        for task in tasks.open_tasks(connection, kinds=("repeat",), exam=exam_id):
            tasks.close(connection, task.id, acting, reason or exam.state.name.lower())
    return exam


def objects_of(
    connection: Connection, exam: Exam, *, series_uids: Sequence[str] = (), sop_uids: Sequence[str] = ()
) -> list[str]:
    """The SOP Instance UIDs of images of an exam that are named, by themselves or by their series.

    Raises Refused (code "unknown-object") where one is none of this exam's, and Conflict (code "shared-number") where
    another patient has images under the same number and it cannot be told which are whose.
    """
    uids = exams.studies_of(connection, exam)
    shared = images.shared_numbers(connection, uids)
    rows = [images.row_of(connection, exam, uid) for uid in shared]
    if 0 in rows:
        raise Conflict(
            "Images of several patients have this study's number. A data steward has to set that right first.",
            code="shared-number",
        )
    query = (
        select(instances.c.sop_instance_uid, series.c.series_uid)
        .join(series, series.c.id == instances.c.series)
        .join(studies, studies.c.id == series.c.study)
        .where(studies.c.study_uid.in_(set(uids) - shared) | studies.c.id.in_(rows))
    )
    if sop_uids:
        query = query.where(instances.c.sop_instance_uid.in_(list(sop_uids)))
    else:
        query = query.where(series.c.series_uid.in_(list(series_uids)))
    found = connection.execute(query).all()
    wanted = set(sop_uids) or set(series_uids)
    if wanted - {row.sop_instance_uid if sop_uids else row.series_uid for row in found}:
        raise Refused("These images are not of this exam.", code="unknown-object")
    return [row.sop_instance_uid for row in found]
