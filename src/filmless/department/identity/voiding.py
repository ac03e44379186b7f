"""Exams that should never have been: void by two persons, images out of use, copies called back (T31)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from filmless.access.acting import Acting
from filmless.access.audit import search
from filmless.access.audit.model import Entry, Kind
from filmless.access.model import SYSTEM, Action, Principal, permit
from filmless.archive import reject
from filmless.archive.store import Archive
from filmless.archive.tables import instances, series, studies
from filmless.db.work import reading
from filmless.department import booking, exams, images, registration, tasks
from filmless.department.exams import Exam
from filmless.department.identity import stuck
from filmless.department.identity.alone import alone
from filmless.department.states import State
from filmless.kit.errors import Refused

#: why it is void -> the code under which its images are rejected (PS3.16 CID 7011); else patient safety
_CODES: Final = {"WORKLIST": "113038"}
_PATIENT_SAFETY: Final = "113037"
_LEFT: Final = (Kind.SEND, Kind.EXPORT, Kind.PRINT, Kind.SHARE)
_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Copy:
    """Something of an exam that left: who made it leave, how, where to."""

    at: datetime
    kind: str
    what: str
    who: str
    where: str


def void(
    connection: Connection, exam_id: int, acting: Acting, second: Principal, *, code: str, reason: str
) -> Exam:
    """Make an exam void; its images follow (`take_out`). `second`: who agrees, and has just shown that it is they.

    Raises Refused ("not-permitted", "not-found", "reason-missing", "second-person"), Conflict ("wrong-state").
    """
    permit(acting.who, Action.VOID)
    permit(second, Action.VOID)
    said = registration.reason_words(connection, "reason-void", code)
    told = f"{said}: {reason.strip()}" if reason.strip() else said
    exam = exams.advance(
        connection,
        exam_id,
        "T31",
        acting,
        reason=told,
        detail={"code": code},
        second=second,
        images="rejected",
    )
    booking.free(connection, exam.id)
    stuck.look_at(connection, exam.id)
    left = copies(connection, exams.studies_of(connection, exam))
    if left:
        tasks.raise_task(
            connection, "recall", f"recall:{exam.id}", exam=exam.id, body={"copies": len(left), "why": code}
        )
    return exam


def take_out(archive: Archive, exam_id: int, acting: Acting) -> int:
    """Reject the images of a void exam that are not rejected yet; those of a study that another exam uses stay.

    Returns how many rejection notes were made. Done again it does nothing.
    """
    with alone(archive.root):
        return _take_out(archive, exam_id, acting)


def _take_out(archive: Archive, exam_id: int, acting: Acting) -> int:
    with reading(archive.engine) as connection:
        wanted = to_take_out(connection, exam_id)
        if not wanted:
            return 0
        last = exams.history(connection, exam_id)
    said = next((one for one in reversed(last) if one.transition == "T31"), None)
    assert said is not None
    code = _CODES.get(str(said.detail.get("code", "")), _PATIENT_SAFETY)
    made = 0
    for uid in wanted:
        with reading(archive.engine) as connection:
            objects = _objects(connection, exam_id, uid)
        try:
            notes = reject.reject(
                archive,
                SYSTEM,
                code=code,
                by=said.by[:64],
                reason=said.reason,
                study_uids=[uid],
                sop_uids=objects,
            )
        except Refused as refused:
            if refused.code != "unknown-object":
                raise
            continue
        made += len(notes)
        acting.trail.record_late(
            Entry(
                Kind.REJECT,
                acting.who,
                host=acting.host,
                studies=(uid,),
                what="void",
                detail={"code": code, "exam": exam_id},
                reason=said.reason,
            )
        )
    return made


def to_take_out(connection: Connection, exam_id: int) -> list[str]:
    """Studies of a void exam that have images in use, and are no other exam's."""
    exam = exams.get(connection, exam_id)
    if exam.state is not State.VOID:
        return []
    return [
        uid
        for uid in exams.studies_of(connection, exam)
        if all(one.state is State.VOID for one in exams.of_study(connection, uid))
        and _in_use(connection, exam, uid)
    ]


def copies(connection: Connection, study_uids: list[str]) -> list[Copy]:
    """What left of these studies, the newest first, at most 200 of each: sent, exported, printed, shared."""
    found = []
    for uid in study_uids:
        asked = search.Asked(study=uid, kinds=_LEFT, outcome="success")
        for one in search.newest(connection, asked, limit=_MOST):
            if one.kind == Kind.SHARE and one.what != "made":
                continue
            where = str(one.detail.get("destination") or one.detail.get("device") or one.host)
            found.append(Copy(one.at, one.kind, one.what, one.who, where))
    return sorted(found, key=lambda one: one.at, reverse=True)


def _in_use(connection: Connection, exam: Exam, study_uid: str) -> bool:
    query = (
        select(instances.c.id)
        .join(series, series.c.id == instances.c.series)
        .join(studies, studies.c.id == series.c.study)
        .where(studies.c.study_uid == study_uid, instances.c.rejected == "")
        .limit(1)
    )
    if images.shared_numbers(connection, [study_uid]):
        # another patient's images stay; where nobody can tell whose they are, a steward sets that right first
        query = query.where(studies.c.id == images.row_of(connection, exam, study_uid))
    return connection.scalar(query) is not None


def _objects(connection: Connection, exam_id: int, study_uid: str) -> list[str]:
    """The exam's objects of a study of which another patient has images too; else none: all of the study are."""
    if not images.shared_numbers(connection, [study_uid]):
        return []
    row = images.row_of(connection, exams.get(connection, exam_id), study_uid)
    query = select(instances.c.sop_instance_uid).join(series, series.c.id == instances.c.series)
    return list(connection.scalars(query.where(series.c.study == row)))
