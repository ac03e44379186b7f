"""Whose exam of the green channel it was: the match to the real person (T32), its undoing, and what still waits.

The exam gets a number of its new class; the L number stays an alias by which every search finds it. UIDs never change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, select, update

from filmless.access.acting import Acting
from filmless.access.model import Action, permit
from filmless.department import exams, numbers, registration, tasks
from filmless.department.exams import Exam
from filmless.department.exams.belonging import belong
from filmless.department.exams.guards import class_words
from filmless.department.identity import journal, merging
from filmless.department.identity.journal import Entry
from filmless.department.states import TRANSITIONS, State
from filmless.department.tables import exams as exam_rows
from filmless.department.tables import orders, words
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused
from filmless.patients import persons
from filmless.patients.persons import Person
from filmless.patients.tables import persons as person_rows

#: how long a match can be undone
UNDO: Final = timedelta(days=30)
#: by what a person was recognised; two of them at least
CHECKED: Final = (
    "name",
    "birth-date",
    "document",
    "patient-id",
    "phone",
    "relative",
    "wristband",
    "photograph",
)
_NEEDS: Final[Mapping[str, tuple[str, str]]] = {
    "VN": ("visit_number", "visit number"),
    "AN": ("admission_number", "admission number"),
}


@dataclass(frozen=True, slots=True)
class Match:
    """To whom, and how one knows. `letter`: the class of the new number. `instead_of`: an exam that waits for the same
    person and was made this way; its order becomes the order, and it is cancelled."""

    person: int
    letter: str
    checked: tuple[str, ...]
    reason: str
    visit_number: str = ""
    admission_number: str = ""
    instead_of: int | None = None


def match(connection: Connection, exam_id: int, wish: Match, acting: Acting) -> Entry:
    """Match an exam of the green channel. All others of the same unknown person go with it, for he is one person.

    Raises Refused ("not-permitted", "not-found", "not-checked", "unknown-class", "reason-missing"), Conflict
    ("not-green", "wrong-state", "number-needed", "unknown-person", "not-waiting").
    """
    permit(acting.who, Action.MATCH)
    if len(set(wish.checked)) < 2 or not set(wish.checked) <= set(CHECKED):
        raise Refused("Say by which two things at least the person was recognised.", code="not-checked")
    if not wish.reason.strip():
        raise Refused("Say why: it is kept.", code="reason-missing")
    exam = exams.get(connection, exam_id)
    before = persons.resolve(connection, exam.person)
    target = persons.resolve(connection, wish.person)
    if target.unknown or target.status != "active":
        raise Conflict(
            "Nobody knows yet who this is: choose whom it turned out to be.", code="unknown-person"
        )
    _check_class(connection, wish)
    together = [exam]
    if before.unknown and before.id != target.id:
        together += [one for one in _green_of(connection, before.id) if one.id != exam.id]
    kept: dict[str, Any] = {
        str(one.id): {
            "number": one.number,
            "exam_class": one.exam_class,
            "person": one.person,
            "order": one.order_id,
        }
        for one in together
    }
    body: dict[str, Any] = {"matched": kept, "checked": sorted(set(wish.checked)), "letter": wish.letter}
    if before.unknown and before.id != target.id:
        body |= merging.absorb(connection, before, target, acting, wish.reason, what="person known") | {
            "absorbed": before.id
        }
    for one in together:
        _renumber(connection, one, wish, target, acting)
    if wish.instead_of is not None:
        body["instead_of"] = _instead(connection, exam, target, wish, acting)
    for one in together:
        belong(connection, exams.get(connection, one.id), acting)
        tasks.close_cause(connection, f"unmatched-green:{one.id}", acting.who, "matched")
    return journal.write(connection, "match", target.id, before.id, body, acting, wish.reason)


def unmatch(connection: Connection, entry_id: int, acting: Acting, *, reason: str) -> Entry:
    """It was not he: exams have their L numbers and the unknown person again. The numbers given meanwhile stay theirs.

    Raises Refused ("not-permitted", "not-found", "reason-missing"), Conflict ("undone", "too-late", "changed-since").
    """
    permit(acting.who, Action.MATCH)
    entry = journal.in_force(connection, entry_id, "match")
    if entry.at + UNDO < clock.now():
        raise Conflict(
            f"A match is undone within {UNDO.days} days; merge and unmerge instead.", code="too-late"
        )
    target = persons.get(connection, entry.person)
    now = {one: exams.get(connection, int(one)) for one in entry.body["matched"]}
    if target.status != "active" or any(one.person != target.id for one in now.values()):
        raise Conflict("The person was changed since: undo that first.", code="changed-since")
    if any(one.state is State.VOID for one in now.values()):
        raise Conflict("One of the exams is void.", code="wrong-state")
    absorbed = entry.body.get("absorbed")
    if absorbed is not None:
        merging.revive(connection, entry, persons.get(connection, absorbed), acting)
    for one, was in entry.body["matched"].items():
        number = now[one].number
        exams.note(
            connection,
            int(one),
            "match undone",
            acting,
            reason=reason,
            detail={"number": was["number"], "before": number},
            also={
                "number": was["number"],
                "exam_class": was["exam_class"],
                "person": absorbed if absorbed is not None else was["person"],
                "order_id": was["order"],
            },
        )
        numbers.mark(connection, number, "undone")
        numbers.mark(connection, was["number"], "")
        numbers.tell_archive(connection, int(one))
    whose = absorbed if absorbed is not None else entry.other
    back = [was["order"] for was in entry.body["matched"].values()]
    connection.execute(
        update(orders).where(orders.c.id.in_({*back, *entry.body.get("orders", ())})).values(person=whose)
    )
    for other in set(entry.body.get("exams", ())) - {int(one) for one in entry.body["matched"]}:
        exams.note(connection, other, "match undone", acting, reason=reason, also={"person": whose})
    journal.undone(connection, entry, acting, reason)
    journal.keep(connection, entry.id, {"settled": False})
    return journal.get(connection, entry.id)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An exam of the green channel that nobody has matched yet."""

    exam: Exam
    person: Person
    since: datetime


def waiting(
    connection: Connection, *, seen: ColumnElement[bool] | None = None, limit: int = 200
) -> list[Waiting]:
    """Exams of the green channel, the oldest first, whose person is unknown or whose number is still an L one."""
    query = (
        select(exam_rows)
        .where(exam_rows.c.exam_class.in_(_letters(connection)), exam_rows.c.state.in_(_matchable()))
        .order_by(exam_rows.c.arrived_at, exam_rows.c.id)
        .limit(limit)
    )
    if seen is not None:
        query = query.where(seen)
    found = [Exam.of(row) for row in connection.execute(query)]
    rows = connection.execute(select(person_rows).where(person_rows.c.id.in_({one.person for one in found})))
    whose = {one.id: one for one in persons.several(connection, rows)}
    return [Waiting(one, whose[one.person], one.arrived_at or one.ordered_at) for one in found]


def waiting_of(connection: Connection, person: int, *, modality: str = "") -> list[Exam]:
    """Exams of a person that wait to be made: one of them may be what was done in the emergency."""
    query = (
        select(exam_rows)
        .where(
            exam_rows.c.person == person,
            exam_rows.c.state.in_(
                (State.REQUESTED, State.HELD, State.VETTED, State.SCHEDULED, State.ARRIVED)
            ),
            exam_rows.c.exam_class.not_in(_letters(connection)),
        )
        .order_by(exam_rows.c.id.desc())
        .limit(50)
    )
    if modality:
        query = query.where(exam_rows.c.modality == modality)
    return [Exam.of(row) for row in connection.execute(query)]


def _letters(connection: Connection) -> list[str]:
    """Classes of the green channel, those out of use too."""
    query = select(words.c.code, words.c.more).where(words.c.kind == "exam-class")
    return [row.code for row in connection.execute(query) if row.more.get("green")]


def _matchable() -> Sequence[State]:
    return TRANSITIONS["T32"].before


def _green_of(connection: Connection, person: int) -> list[Exam]:
    query = (
        select(exam_rows)
        .where(
            exam_rows.c.person == person,
            exam_rows.c.exam_class.in_(_letters(connection)),
            exam_rows.c.state.in_(_matchable()),
        )
        .order_by(exam_rows.c.id)
    )
    return [Exam.of(row) for row in connection.execute(query)]


def _check_class(connection: Connection, wish: Match) -> None:
    more = class_words(connection, wish.letter)
    if not more or more.get("green"):
        raise Refused("Choose the class of the new number.", code="unknown-class")
    need = _NEEDS.get(str(more.get("needs", "")))
    if need is not None and not getattr(wish, need[0]).strip():
        raise Conflict(f"An exam of class {wish.letter} needs the {need[1]}.", code="number-needed")


def _renumber(connection: Connection, exam: Exam, wish: Match, target: Person, acting: Acting) -> None:
    patient_class = class_words(connection, wish.letter).get("patient_class")
    told = {
        "visit_number": wish.visit_number.strip(),
        "admission_number": wish.admission_number.strip(),
        "patient_class": patient_class or "",
    }
    connection.execute(
        update(orders)
        .where(orders.c.id == exam.order_id)
        .values(person=target.id, **{name: value for name, value in told.items() if value})
    )
    registration.renumber(
        connection, exam.id, wish.letter, acting, also={"person": target.id}, reason=wish.reason
    )


def _instead(
    connection: Connection, exam: Exam, target: Person, wish: Match, acting: Acting
) -> dict[str, Any]:
    """The order of an exam that waited becomes the order of the one that was made; the waiting one is cancelled."""
    assert wish.instead_of is not None
    waited = next((one for one in waiting_of(connection, target.id) if one.id == wish.instead_of), None)
    if waited is None:
        raise Conflict("This exam waits no longer.", code="not-waiting")
    number = exams.get(connection, exam.id).number
    registration.cancel(
        connection, waited.id, acting, code="", reason=f"Made in the green channel as {number}."
    )
    exams.note(
        connection,
        exam.id,
        "order taken over",
        acting,
        detail={"order": waited.order_id, "instead_of": waited.id},
        also={"order_id": waited.order_id},
    )
    return {"exam": waited.id, "order": waited.order_id}
