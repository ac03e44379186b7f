"""Moves of images that a steward has to look at: they do not succeed, the exam moved to is none any more, or what was
moved is in use where it came from, too."""

from typing import Final

from sqlalchemy import Connection, exists, select

from filmless.access.model import SYSTEM
from filmless.archive.tables import instances, rejections, series
from filmless.department import exams, tasks
from filmless.department.identity import journal
from filmless.department.identity.journal import Entry
from filmless.department.states import State
from filmless.kit.ids import uid_from

#: an exam that no images are moved to
NONE: Final = (State.VOID, State.CANCELLED, State.NO_SHOW)
#: PS3.16 CID 7011
WRONG_ENTRY: Final = "113038"


def gone(connection: Connection, entry: Entry) -> bool:
    """Whether the exam that an entry moves images to is void or cancelled by now."""
    return exams.get(connection, entry.body["exam"]).state in NONE


def ask(connection: Connection, entry: Entry, why: str) -> None:
    """Raise the task, once for each reason. `why`: "void", the exam moved to is none any more; "waiting", the images do
    not follow; "revoked", a steward took the rejection back, and the images are in use under both exams."""
    exam = next(iter(entry.body["from"]), entry.body["exam"])
    body = {
        "why": why,
        "journal": entry.id,
        "person": entry.person,
        "to": entry.body["exam"],
        "number": exams.get(connection, exam).number,
    }
    study = entry.body["study"]
    tasks.raise_task(connection, "moved-images", _cause(entry, why), exam=exam, study_uid=study, body=body)


def look_at(connection: Connection, exam_id: int) -> None:
    """Whether an exam that images were moved to is one still: of all moves in force to it, the task is raised or
    closed."""
    is_none = exams.get(connection, exam_id).state in NONE
    for entry in journal.moves(connection, exam=exam_id):
        if entry.undone_at is not None:
            continue
        if is_none:
            ask(connection, entry, "void")
        else:
            tasks.close_cause(connection, _cause(entry, "void"), SYSTEM, "the exam goes on")


def look_twice(connection: Connection, study_uid: str) -> None:
    """Whether images are in use in a study and, moved, in another one, too: the task is raised or closed."""
    for entry in journal.moves(connection, study=study_uid):
        if entry.undone_at is not None:
            continue
        if _twice(connection, entry):
            ask(connection, entry, "revoked")
        else:
            tasks.close_cause(connection, _cause(entry, "revoked"), SYSTEM, "in use once")


def settled(connection: Connection, entry: Entry, *, undone: bool = False) -> None:
    """It has settled itself: the images have followed, or, `undone`, are where they were."""
    for why in ("waiting", "void", "revoked") if undone else ("waiting",):
        tasks.close_cause(connection, _cause(entry, why), SYSTEM, "the images have followed")


def _twice(connection: Connection, entry: Entry) -> bool:
    """Images that were moved and put back by revoking their rejection, while the copies are in use."""
    revoked = exists().where(
        rejections.c.sop_instance_uid == instances.c.sop_instance_uid,
        rejections.c.code == WRONG_ENTRY,
        rejections.c.at >= entry.at,
        rejections.c.revoked_at.is_not(None),
    )
    back = (
        select(instances.c.sop_instance_uid)
        .join(series, series.c.id == instances.c.series)
        .where(series.c.series_uid.in_(entry.body["series"]), instances.c.rejected == "", revoked)
        .limit(1)
    )
    if connection.execute(back).first() is None:
        return False
    made = [uid_from(entry.body["key"], one) for one in entry.body["series"]]
    copies = (
        select(instances.c.id)
        .join(series, series.c.id == instances.c.series)
        .where(series.c.series_uid.in_(made), instances.c.rejected == "")
        .limit(1)
    )
    return connection.execute(copies).first() is not None


def _cause(entry: Entry, why: str) -> str:
    return f"moved-images:{entry.id}:{why}"
