"""Two persons who are one: the survivor gets the exams, the other stays as one who is found and leads to him."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, insert, select, update

from filmless.access.acting import Acting
from filmless.access.model import Action, permit
from filmless.access.tables import patient_care
from filmless.department import exams
from filmless.department.identity import journal
from filmless.department.identity.journal import Entry
from filmless.department.tables import exams as exam_rows
from filmless.department.tables import orders
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused
from filmless.patients import persons
from filmless.patients.persons import Person
from filmless.patients.tables import persons as person_rows


def merge(
    connection: Connection,
    survivor_id: int,
    subsumed_id: int,
    acting: Acting,
    *,
    reason: str,
    seen: tuple[int, int] | None = None,
) -> Entry:
    """Let `subsumed` be `survivor` from now on: exams and orders are his, the other's numbers find him.

    `seen`: the `changes` of both as they were compared. Raises Refused ("not-permitted", "not-found",
    "reason-missing"), Conflict ("same-person", "merged", "stale").
    """
    permit(acting.who, Action.MERGE)
    survivor, subsumed = persons.get(connection, survivor_id), persons.get(connection, subsumed_id)
    if survivor.id == subsumed.id:
        raise Conflict("This is one person already.", code="same-person")
    for one in (survivor, subsumed):
        if one.status != "active":
            raise Conflict("One of them was merged before: look again.", code="merged")
    if seen is not None and seen != (survivor.changes, subsumed.changes):
        raise Conflict("Somebody has changed one of them meanwhile: compare again.", code="stale")
    body = absorb(connection, subsumed, survivor, acting, reason, what="person merged")
    return journal.write(connection, "merge", survivor.id, subsumed.id, body, acting, reason)


def absorb(
    connection: Connection, subsumed: Person, survivor: Person, acting: Acting, reason: str, *, what: str
) -> dict[str, Any]:
    """Give all exams and orders of one to the other, who takes his place. Returns what the journal keeps."""
    moved = list(
        connection.scalars(
            select(exam_rows.c.id).where(exam_rows.c.person == subsumed.id).order_by(exam_rows.c.id)
        )
    )
    asked = list(connection.scalars(select(orders.c.id).where(orders.c.person == subsumed.id)))
    _give(connection, moved, asked, subsumed.id, survivor.id, acting, reason, what)
    _settle(connection, subsumed, {"status": "merged", "merged_into": survivor.id}, acting)
    return {"exams": moved, "orders": asked, "cares": _copy_cares(connection, subsumed, survivor)}


def unmerge(
    connection: Connection,
    entry_id: int,
    acting: Acting,
    *,
    reason: str,
    exams_back: Collection[int] | None = None,
) -> Entry:
    """They were two after all. The exams that came with the merge go back, or just those of `exams_back`, which may
    also name exams that the survivor got since; exams of one order stay together.

    Raises Refused ("not-permitted", "not-found", "reason-missing"), Conflict ("undone", "merged": the survivor is
    another by now, undo that first; "one-order").
    """
    permit(acting.who, Action.MERGE)
    entry = journal.in_force(connection, entry_id, "merge")
    assert entry.other is not None
    survivor, subsumed = persons.get(connection, entry.person), persons.get(connection, entry.other)
    if survivor.status != "active":
        raise Conflict("The survivor was himself merged since: undo that first.", code="merged")
    wanted = set(entry.body["exams"] if exams_back is None else exams_back)
    rows = connection.execute(
        select(exam_rows.c.id, exam_rows.c.order_id, exam_rows.c.person).where(exam_rows.c.id.in_(wanted))
    ).all()
    theirs = [row for row in rows if row.person == survivor.id]
    if exams_back is not None and len(theirs) != len(wanted):
        raise Refused("Not all of these are exams of this person.", code="not-found")
    asked = {row.order_id for row in theirs}
    together = set(connection.scalars(select(exam_rows.c.id).where(exam_rows.c.order_id.in_(asked))))
    if together != {row.id for row in theirs}:
        raise Conflict("Some of these exams have an order with others: they go together.", code="one-order")
    # orders that came with the merge and have no exam
    bare = {
        one
        for one in entry.body["orders"]
        if connection.scalar(select(exam_rows.c.id).where(exam_rows.c.order_id == one).limit(1)) is None
    }
    back = sorted(row.id for row in theirs)
    revive(connection, entry, subsumed, acting)
    _give(connection, back, sorted(asked | bare), survivor.id, subsumed.id, acting, reason, "merge undone")
    done = journal.undone(connection, entry, acting, reason)
    journal.keep(connection, entry.id, {"back": back, "settled": False})
    return journal.get(connection, done.id)


def revive(connection: Connection, entry: Entry, subsumed: Person, acting: Acting) -> None:
    """Make him who was absorbed a person of his own again."""
    if subsumed.status != "merged" or subsumed.merged_into != entry.person:
        raise Conflict("This person is another's by now: look again.", code="merged")
    _settle(connection, subsumed, {"status": "active", "merged_into": None}, acting)
    copied = entry.body.get("cares", [])
    connection.execute(update(patient_care).where(patient_care.c.id.in_(copied)).values(until=clock.now()))


def _give(
    connection: Connection,
    moved: Collection[int],
    asked: Collection[int],
    before: int,
    after: int,
    acting: Acting,
    reason: str,
    what: str,
) -> None:
    connection.execute(update(orders).where(orders.c.id.in_(asked)).values(person=after))
    for exam in moved:
        exams.note(
            connection,
            exam,
            what,
            acting,
            reason=reason,
            detail={"from": before, "to": after},
            also={"person": after},
        )


def _settle(connection: Connection, person: Person, columns: dict[str, Any], acting: Acting) -> None:
    done = connection.execute(
        update(person_rows)
        .where(person_rows.c.id == person.id, person_rows.c.changes == person.changes)
        .values(
            **columns, changes=person.changes + 1, changed_at=clock.now(), changed_by=acting.who.name[:80]
        )
    )
    if done.rowcount != 1:
        raise Conflict("Somebody has changed this person meanwhile: look again.", code="stale")


def _copy_cares(connection: Connection, subsumed: Person, survivor: Person) -> list[int]:
    """Who cared for the one cares for the other: whoever saw the images before sees them still."""

    def of(person: Person) -> dict[tuple[int, str], dict[str, Any]]:
        rows = connection.execute(
            select(patient_care).where(
                patient_care.c.patient_id == person.patient_id, patient_care.c.issuer == person.issuer
            )
        )
        return {(row.account_id, row.ward): row._asdict() for row in rows}

    known = of(survivor)
    made: list[int] = []
    for whom, row in of(subsumed).items():
        if whom not in known:
            values = {**row, "patient_id": survivor.patient_id, "issuer": survivor.issuer}
            del values["id"]
            new = insert(patient_care).values(**values).returning(patient_care.c.id)
            made.append(connection.execute(new).scalar_one())
    return made
