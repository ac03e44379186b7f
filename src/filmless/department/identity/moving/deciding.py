"""What is decided when images are moved, and when that is undone: journal, logs of both exams, tasks."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, select

from filmless.access.acting import Acting
from filmless.access.model import SYSTEM, Action, permit
from filmless.archive.tables import series, studies
from filmless.db import events
from filmless.department import exams, images, tasks
from filmless.department.beginning import begun
from filmless.department.exams import Exam
from filmless.department.identity import journal, overlay, voiding
from filmless.department.identity.journal import Entry
from filmless.department.states import State
from filmless.kit.errors import Conflict, Refused
from filmless.kit.ids import uid_from

#: exams to which no images are moved
_NOT: Final = (State.REQUESTED, State.HELD, State.VETTED, State.CANCELLED, State.NO_SHOW, State.VOID)
#: somebody is reading, or has read
READ: Final = (
    State.REPORTING,
    State.PRELIMINARY,
    State.IN_REVIEW,
    State.FINAL,
    State.CORRECTED,
    State.CLOSED,
)
_CONCLUDED: Final = (State.FINAL, State.CORRECTED, State.CLOSED)
#: what we made ourselves about an exam stays with it: reports, rejection notes
_OURS: Final = ("reporting", "filmless")
#: held by whoever decides
_LOCK: Final = 0x46494D56
#: objects of one move
_MOST: Final = 20_000


@dataclass(frozen=True, slots=True)
class Wish:
    """Series of a study (none: all of it) that are of `exam`. `despite`: although somebody is reading them or has."""

    study_uid: str
    exam: int
    reason: str
    series_uids: tuple[str, ...] = ()
    despite: bool = False


def move(connection: Connection, wish: Wish, acting: Acting) -> Entry:
    """Decide it; the images follow (`settle`). Both exams have it in their logs, both persons in the journal.

    Raises Refused ("not-permitted", "not-found", "reason-missing"), Conflict ("attached", "wrong-state",
    "two-patients", "moved", "too-many-objects", "being-read": somebody reads them or has, and `despite` was not said).
    """
    permit(acting.who, Action.MATCH_IMAGES)
    _hold(connection)
    now = overlay.told(connection, wish.study_uid)
    if now is None:
        raise Refused("There are no such images.", code="not-found")
    if now.several:
        raise Conflict(
            "Objects of this study are said to be of different patients: settle that doubt first.",
            code="two-patients",
        )
    moved = _series(connection, wish)
    _check_moves(connection, wish.study_uid, set(moved))
    after = exams.get(connection, wish.exam)
    before = [one for one in exams.of_study(connection, wish.study_uid) if one.id != after.id]
    if after.study_uid == wish.study_uid:
        raise Conflict("These images are this exam's already.", code="attached")
    if after.state in _NOT:
        raise Conflict(
            "Images are moved to an exam that is registered, and neither cancelled nor void.",
            code="wrong-state",
        )
    if not wish.despite and any(one.state in READ for one in (*before, after)):
        raise Conflict(
            "Somebody is reading these images, or the other exam, or has: say that you know.",
            code="being-read",
        )
    count = _count(connection, wish.study_uid, moved)
    if count > _MOST:
        raise Conflict(f"More than {_MOST:,} objects: move series by series.", code="too-many-objects")
    body: dict[str, Any] = {
        "study": wish.study_uid,
        "series": moved,
        "exam": after.id,
        "to": after.study_uid,
        "from": [one.id for one in before],
        "key": str(uuid.uuid4()),
        "objects": count,
        "told": {"patient_id": now.patient_id, "issuer": now.issuer, "accession": now.accession},
    }
    others = [one.person for one in before if one.person != after.person]
    entry = journal.write(
        connection, "move", after.person, others[0] if others else None, body, acting, wish.reason
    )
    for one in before:
        _take(connection, one, after, entry, acting)
    _put(connection, after, entry, acting)
    left = voiding.copies(connection, [wish.study_uid])
    if left:
        cause = f"recall-move:{entry.id}"
        tasks.raise_task(
            connection, "recall", cause, exam=after.id, body={"copies": len(left), "why": "moved"}
        )
    return entry


def unmove(connection: Connection, entry_id: int, acting: Acting, *, reason: str) -> Entry:
    """It was right as it was: the copies go, what was rejected is in use again (`settle`).

    Raises Refused ("not-permitted", "not-found", "reason-missing"), Conflict ("undone", "concluded", "moved-on").
    """
    permit(acting.who, Action.MATCH_IMAGES)
    _hold(connection)
    entry = journal.in_force(connection, entry_id, "move")
    # whoever is just writing that the images have followed finishes first
    journal.held(connection, entry_id)
    for one in journal.moves(connection, study=entry.body["to"]):
        if one.undone_at is None and _made(entry) & set(one.body["series"]):
            raise Conflict(f"The images were moved on since (#{one.id}): undo that first.", code="moved-on")
    after = exams.get(connection, entry.body["exam"])
    if after.state in _CONCLUDED:
        raise Conflict("There is a report on these images: have it retracted first.", code="concluded")
    detail = {"study": entry.body["study"], "to": entry.body["to"], "journal": entry.id}
    for before in entry.body["from"]:
        exams.note(connection, before, "move of images undone", acting, reason=reason, detail=detail)
        # it was made after all
        tasks.close_cause(connection, f"repeat:{before}", acting.who, "move of images undone")
    left: dict[str, Any] = {"expected": max(0, int(after.more.get("expected") or 0) - entry.body["objects"])}
    if not left["expected"]:
        left["expected"] = None
    exams.note(
        connection,
        after.id,
        "move of images undone",
        acting,
        reason=reason,
        detail=detail,
        also={"more": left},
    )
    journal.undone(connection, entry, acting, reason)
    journal.keep(connection, entry.id, {"settled": False})
    out = voiding.copies(connection, [entry.body["to"]])
    if out:
        # IOCM knows no revocation: nothing calls them back by itself
        cause, body = f"recall-move-undone:{entry.id}", {"copies": len(out), "why": "move-undone"}
        tasks.raise_task(connection, "recall", cause, exam=after.id, body=body)
    return journal.get(connection, entry.id)


def _series(connection: Connection, wish: Wish) -> list[str]:
    """The series that are meant, of those with images in use. Raises Refused (code "not-found")."""
    query = (
        select(series.c.series_uid)
        .join(studies, studies.c.id == series.c.study)
        .where(
            studies.c.study_uid == wish.study_uid,
            series.c.instance_count > 0,
            series.c.source.not_in(_OURS),
        )
        .order_by(series.c.id)
    )
    there = list(dict.fromkeys(connection.scalars(query)))
    wanted = [uid for uid in there if not wish.series_uids or uid in wish.series_uids]
    if not wanted or set(wish.series_uids) - set(there):
        raise Refused("There are no such images.", code="not-found")
    return wanted


def _check_moves(connection: Connection, study_uid: str, moved: set[str]) -> None:
    """Raises Conflict (code "moved") where an earlier move has a say about these series."""
    for one in journal.moves(connection, study=study_uid):
        over = one.undone_at is not None and one.body.get("settled")
        if not over and set(one.body["series"]) & moved:
            raise Conflict(
                f"These series were moved before (#{one.id}): what is left of them follows, or undo that first.",
                code="moved",
            )
    for one in journal.moves(connection, to=study_uid):
        if one.undone_at is not None and not one.body.get("settled") and _made(one) & moved:
            raise Conflict(f"The move that made these copies was undone (#{one.id}).", code="moved")


def _made(entry: Entry) -> set[str]:
    """Series Instance UIDs of the copies."""
    return {uid_from(entry.body["key"], one) for one in entry.body["series"]}


def _hold(connection: Connection) -> None:
    """Nobody else decides about moves until this transaction ends (PostgreSQL; SQLite has one writer)."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


def _count(connection: Connection, study_uid: str, series_uids: Sequence[str]) -> int:
    query = (
        select(func.coalesce(func.sum(series.c.instance_count), 0))
        .join(studies, studies.c.id == series.c.study)
        .where(studies.c.study_uid == study_uid, series.c.series_uid.in_(series_uids))
    )
    return int(connection.scalar(query) or 0)


def _take(connection: Connection, before: Exam, after: Exam, entry: Entry, acting: Acting) -> None:
    body = entry.body
    wish = Wish(body["study"], after.id, "")
    empty = not set(_still(connection, wish)) - set(body["series"])
    exams.note(
        connection,
        before.id,
        "images moved to another exam",
        acting,
        reason=entry.reason,
        detail={"study": body["study"], "to": after.id, "objects": body["objects"], "journal": entry.id},
    )
    for task in tasks.open_tasks(connection, kinds=("wrong-worklist-entry",), exam=before.id):
        tasks.close_cause(
            connection, task.cause, acting.who, f"moved to {after.number or after.id}: {entry.reason}"
        )
    if before.state in READ:
        _tell_reader(connection, before, body["study"], "images-rejected")
    elif empty and before.state not in (State.SCHEDULED, State.ARRIVED):
        # it was not made, although it looks so: stopped and made again, or cancelled, by those at the device
        tasks.raise_task(
            connection, "repeat", f"repeat:{before.id}", exam=before.id, body={"why": "wrong-worklist-entry"}
        )


def _still(connection: Connection, wish: Wish) -> list[str]:
    try:
        return _series(connection, wish)
    except Refused:
        return []


def _put(connection: Connection, after: Exam, entry: Entry, acting: Acting) -> None:
    body = entry.body
    images.attach(connection, after, body["to"], "hand", acting)
    expected = after.more.get("expected")
    counted = (expected if isinstance(expected, int) else 0) + body["objects"]
    now = exams.note(
        connection,
        after.id,
        "images moved from another exam",
        acting,
        reason=entry.reason,
        detail={
            "study": body["study"],
            "from": body["from"],
            "objects": body["objects"],
            "journal": entry.id,
        },
        images="arriving" if after.images == "none" else "",
        also={"more": {"expected": counted}},
    )
    begun(connection, now, Acting(SYSTEM, acting.trail, acting.host), "images", body["to"])
    if after.state in READ:
        _tell_reader(connection, after, body["to"], "late-images")
    events.record(connection, [("exam-images", {"exam": after.id, "study_uid": body["to"]})])


def _tell_reader(connection: Connection, exam: Exam, study_uid: str, kind: str) -> None:
    body = {"state": exam.state.value, "number": exam.number, "code": "113038"}
    tasks.raise_task(connection, kind, f"{kind}:{exam.id}", exam=exam.id, study_uid=study_uid, body=body)
