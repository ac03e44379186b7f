"""Moves of images that a steward has to look at: they do not succeed, or the images are of an exam that is none."""

from typing import Final

from sqlalchemy import Connection

from filmless.access.model import SYSTEM
from filmless.department import exams, tasks
from filmless.department.identity import journal
from filmless.department.identity.journal import Entry
from filmless.department.states import State

#: an exam that no images are moved to
NONE: Final = (State.VOID, State.CANCELLED)


def gone(connection: Connection, entry: Entry) -> bool:
    """Whether the exam that an entry moves images to is void or cancelled by now."""
    return exams.get(connection, entry.body["exam"]).state in NONE


def ask(connection: Connection, entry: Entry, why: str) -> None:
    """Raise the task, once. `why`: "void", the exam moved to is none any more; "waiting", the images do not follow."""
    exam = next(iter(entry.body["from"]), entry.body["exam"])
    body = {"why": why, "journal": entry.id}
    study = entry.body["study"]
    tasks.raise_task(connection, "moved-images", _cause(entry), exam=exam, study_uid=study, body=body)


def ask_for(connection: Connection, exam: int) -> None:
    """Of all moves in force to an exam that has just become void."""
    for entry in journal.moves(connection, exam=exam):
        if entry.undone_at is None:
            ask(connection, entry, "void")


def settled(connection: Connection, entry: Entry) -> None:
    """It has settled itself."""
    tasks.close_cause(connection, _cause(entry), SYSTEM, "the images have followed")


def _cause(entry: Entry) -> str:
    return f"moved-images:{entry.id}"
