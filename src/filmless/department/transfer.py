"""The transfer check: what a device made against what has arrived (T13), and the alarm where something is missing.

Expected is what performed steps name, else what the device asked us to commit to, else the number that somebody
typed. Without any of these nobody but a person can say that all is there.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Connection, func, select

from filmless.access.acting import Acting
from filmless.access.model import SYSTEM
from filmless.archive.tables import commitments, instances, series, studies
from filmless.department import exams, tasks
from filmless.department.exams import Exam
from filmless.department.model import DepartmentSettings
from filmless.department.performed.told import FINAL
from filmless.department.states import State
from filmless.department.tables import exams as exam_rows
from filmless.department.tables import expected_instances, performed_step_exams, performed_steps
from filmless.dicom.sopclasses import STORAGE
from filmless.kit import clock
from filmless.kit.errors import Conflict

#: missing objects that an alarm names; their number is told in full
_NAMED: Final = 200
_CHUNK: Final = 500
#: codes of rejections after which an exam cannot be read: of patient safety, and a wrong worklist entry (IHE IOCM)
_SAFETY: Final = ("113037", "113038")

Known = Literal["mpps", "commitment", "count", ""]


@dataclass(frozen=True, slots=True)
class Check:
    """`expected` None: nobody said how many. `received`: images of the exam in the archive that are not rejected.

    `missing`: SOP Instance UIDs; of a typed count there are none to name, and `short` says how many are.
    """

    known_by: Known
    expected: int | None
    received: int
    rejected: int
    missing: tuple[str, ...]
    short: int
    unsafe: bool

    @property
    def complete(self) -> bool:
        return self.expected is not None and not self.short and not self.unsafe and self.received > 0

    @property
    def facet(self) -> str:
        """The facet of images of an exam before its time to wait is over."""
        if self.complete:
            return "complete"
        if self.received:
            return "arriving"
        return "rejected" if self.rejected else "none"

    def as_json(self) -> dict[str, Any]:
        return {
            "known_by": self.known_by,
            "expected": self.expected,
            "received": self.received,
            "short": self.short,
            "missing": list(self.missing[:_NAMED]),
        }


def is_image(sop_class_uid: str) -> bool:
    """Whether objects of a class are what a device makes of a patient: neither reports nor states nor notes."""
    known = STORAGE.get(sop_class_uid)
    return known is None or "Image" in known.name


def compare(connection: Connection, exam: Exam) -> Check:
    """What is there of an exam, and what is not."""
    received, rejected, unsafe = _received(connection, exam)
    told = _told(connection, exam)
    known_by: Known = "mpps"
    if not told:
        told, known_by = _committed(connection, exam), "commitment"
    if told:
        missing = _missing(connection, told)
        return Check(known_by, len(told), received, rejected, missing, len(missing), unsafe)
    typed = exam.more.get("expected")
    if isinstance(typed, int):
        short = max(0, typed - received - rejected)
        return Check("count", typed, received, rejected, (), short, unsafe)
    return Check("", None, received, rejected, (), 0, unsafe)


def _received(connection: Connection, exam: Exam) -> tuple[int, int, bool]:
    query = (
        select(instances.c.sop_class_uid, instances.c.rejected, func.count())
        .join(series, series.c.id == instances.c.series)
        .join(studies, studies.c.id == series.c.study)
        .where(studies.c.study_uid.in_(exams.studies_of(connection, exam)))
        .group_by(instances.c.sop_class_uid, instances.c.rejected)
    )
    received = rejected = 0
    unsafe = False
    for sop_class, code, count in connection.execute(query):
        if not is_image(sop_class):
            continue
        if code:
            rejected += count
            unsafe = unsafe or code in _SAFETY
        else:
            received += count
    # what was rejected and made again is no reason to wait
    return received, rejected, unsafe and not received


def _told(connection: Connection, exam: Exam) -> set[str]:
    query = (
        select(expected_instances.c.sop_uid)
        .join(performed_steps, performed_steps.c.id == expected_instances.c.performed_step)
        .join(performed_step_exams, performed_step_exams.c.performed_step == performed_steps.c.id)
        .where(performed_step_exams.c.exam == exam.id, performed_steps.c.status.in_(FINAL))
    )
    return set(connection.scalars(query))


def _committed(connection: Connection, exam: Exam) -> set[str]:
    ids = exam.more.get("commitments") or []
    rows = connection.scalars(select(commitments.c.asked).where(commitments.c.id.in_(ids))) if ids else ()
    return {uid for asked in rows for sop_class, uid in asked if is_image(sop_class)}


def _missing(connection: Connection, told: set[str]) -> tuple[str, ...]:
    left = set(told)
    wanted = sorted(told)
    for start in range(0, len(wanted), _CHUNK):
        part = wanted[start : start + _CHUNK]
        query = select(instances.c.sop_instance_uid).where(instances.c.sop_instance_uid.in_(part))
        left.difference_update(connection.scalars(query))
    return tuple(sorted(left))


def look(
    connection: Connection,
    exam_id: int,
    acting: Acting,
    settings: DepartmentSettings,
    now: datetime | None = None,
) -> Exam:
    """Compare, and do what follows: verify (T13), send back (T14), say how far the images are and what is missing.

    In the caller's write transaction; `acting` is ourselves. States in which there is nothing to verify stay as they
    are.
    """
    exam = exams.get(connection, exam_id)
    if exam.state not in (State.IN_PROGRESS, State.ACQUIRED, State.VERIFIED, State.DISCONTINUED):
        return exam
    check = compare(connection, exam)
    if exam.state is State.ACQUIRED:
        return _acquired(connection, exam, check, acting, settings, now or clock.now())
    if exam.state is State.VERIFIED:
        return _verified(connection, exam, check, acting)
    return _facet(connection, exam, "arriving" if check.received else check.facet, acting)


def _acquired(
    connection: Connection,
    exam: Exam,
    check: Check,
    acting: Acting,
    settings: DepartmentSettings,
    now: datetime,
) -> Exam:
    if check.complete:
        tasks.close_cause(connection, cause(exam), SYSTEM, "all images have come")
        if unchecked(exam, settings) or exam.more.get("sent_back") == stood(exam, check):
            return _facet(connection, exam, "complete", acting)
        return exams.advance(
            connection,
            exam.id,
            "T13",
            acting,
            source="images",
            images="complete",
            detail=check.as_json(),
            also={"more": {"sent_back": None}},
        )
    since = exam.finished_at or now
    if now < since + timedelta(seconds=settings.transfer_seconds):
        return _facet(connection, exam, check.facet, acting)
    if check.expected is None and check.received:
        # nobody said how many: a technologist does, on the page; there is nothing wrong to tell of
        return _facet(connection, exam, "arriving", acting)
    body = {**check.as_json(), "number": exam.number, "station": exam.station}
    tasks.renew(
        connection,
        tasks.raise_task(
            connection, "images-missing", cause(exam), exam=exam.id, study_uid=exam.study_uid, body=body
        ),
        body,
    )
    return _facet(connection, exam, "mismatch" if check.short else check.facet, acting)


def _verified(connection: Connection, exam: Exam, check: Check, acting: Acting) -> Exam:
    overridden = bool(exam.more.get("override"))
    gone = not check.received and bool(check.rejected)
    if gone or check.unsafe:
        return exams.advance(
            connection,
            exam.id,
            "T14",
            acting,
            source="images",
            reason="images were rejected",
            images=check.facet,
            detail=check.as_json(),
        )
    if check.short and not overridden:
        return exams.advance(
            connection,
            exam.id,
            "T14",
            acting,
            source="images",
            reason="images are missing",
            images="mismatch",
            detail=check.as_json(),
        )
    return exam


def _facet(connection: Connection, exam: Exam, facet: str, acting: Acting) -> Exam:
    if facet == exam.images:
        return exam
    words = {"arriving": "images arriving", "mismatch": "images missing", "rejected": "images rejected"}
    what = words.get(facet, "images looked at")
    return exams.note(connection, exam.id, what, acting, source="images", images=facet)


def cause(exam: Exam) -> str:
    """Of the task about missing images."""
    return f"images-missing:{exam.id}"


def stood(exam: Exam, check: Check) -> dict[str, Any]:
    """How it stood when a person sent it back: as long as it stands so, only a person verifies it. Taking unfit images
    out of use is nothing new; other images, another count and another judgement are."""
    return {
        "images": check.received + check.rejected,
        "expected": check.expected,
        "looked": str((exam.more.get("quality") or {}).get("at", "")),
    }


def unlooked(exam: Exam) -> bool:
    """Whether whoever makes its images has not looked at them since they were made."""
    at = str((exam.more.get("quality") or {}).get("at", ""))
    return not at or (exam.finished_at is not None and datetime.fromisoformat(at) < exam.finished_at)


def unchecked(exam: Exam, settings: DepartmentSettings) -> bool:
    """Whether somebody has to look at the images before they are read: nobody has, where the department wants it, or
    who did found them to be waste."""
    if unlooked(exam):
        return settings.self_check
    return bool(exam.more["quality"]["grade"] == "waste")


def verify(
    connection: Connection,
    exam_id: int,
    acting: Acting,
    settings: DepartmentSettings | None = None,
    *,
    count: int | None = None,
    reason: str = "",
    seen: int | None = None,
) -> Exam:
    """A technologist says that all is there (T13): by a count that must be met, or in spite of it, with a reason.

    Raises as exams.advance; Conflict ("images-incomplete", "self-check") where not all is there, or nobody has said
    that the images are good, and no reason is given.
    """
    exam = exams.get(connection, exam_id)
    if count is not None and count != exam.more.get("expected"):
        exam = exams.note(
            connection,
            exam_id,
            "images counted",
            acting,
            detail={"count": count},
            also={"more": {"expected": count}},
            seen=seen,
        )
        seen = None
    if not reason and unchecked(exam, settings or DepartmentSettings()):
        raise Conflict(
            "Look at the images first and say how good they are, or why they are read as they are.",
            code="self-check",
        )
    check = compare(connection, exam)
    detail = {**check.as_json(), "override": not check.complete}
    more: dict[str, Any] = {"sent_back": None}
    if not check.complete:
        more["override"] = reason
    exam = exams.advance(
        connection,
        exam_id,
        "T13",
        acting,
        reason=reason,
        images="complete" if check.complete else "mismatch" if check.short else check.facet,
        detail=detail,
        also={"more": more},
        seen=seen,
    )
    tasks.close_cause(connection, cause(exam), acting.who, reason or "all images have come")
    return exam


def waiting(connection: Connection, *, limit: int = 500) -> list[int]:
    """Exams that were made and whose images are not verified, the oldest first."""
    query = (
        select(exam_rows.c.id)
        .where(exam_rows.c.state == State.ACQUIRED)
        .order_by(exam_rows.c.finished_at)
        .limit(limit)
    )
    return list(connection.scalars(query))
