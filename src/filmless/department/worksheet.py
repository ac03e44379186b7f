"""What is before a technologist: who waits, who is examined, whose images are not complete; the end of a shift."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, distinct, func, or_, select

from filmless.access.model import Action, Principal
from filmless.archive.tables import instances, series, studies
from filmless.department import lists, tasks
from filmless.department.exams import Exam
from filmless.department.lists import Listed
from filmless.department.performed.told import FINAL
from filmless.department.states import State
from filmless.department.tables import (
    exam_studies,
    expected_instances,
    identity_checks,
    performed_step_exams,
    performed_steps,
)
from filmless.department.tables import exams as exam_rows
from filmless.department.tasks import Task
from filmless.department.visibility import seen

#: modalities of series that nobody makes of a patient
_NOT_IMAGES: Final = ("SR", "PR", "KO", "DOC", "SEG", "REG", "PLAN")
_MOST: Final = 300


@dataclass(frozen=True, slots=True)
class Wish:
    """Which exams: of these stations (codes) and modalities, of a day, by number, ID or name. Empty: all."""

    begins: datetime
    ends: datetime
    stations: Sequence[str] = ()
    modalities: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the images of an exam are. `expected` None: nobody said how many. `missing`: of those, not here."""

    received: int
    expected: int | None
    missing: int
    steps: int
    checked: bool


@dataclass(frozen=True, slots=True)
class Row:
    """An exam as a technologist sees it, with the kinds of its open tasks."""

    listed: Listed
    progress: Progress
    tasks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shift:
    """The end of a shift: what is left to do, and how much was done. `left`: word -> exams."""

    left: Mapping[str, Sequence[Row]]
    tasks: Sequence[Task]
    #: the exams of the tasks, by their ids
    task_exams: Mapping[int, Listed]
    registered: int
    examined: int
    verified: int
    images: int


def _place(wish: Wish) -> list[ColumnElement[bool]]:
    row = exam_rows.c
    found: list[ColumnElement[bool]] = []
    if wish.stations:
        # what is planned for none yet is for every station of its modality
        found.append(or_(row.station.in_(list(wish.stations)), row.station == ""))
    if wish.modalities:
        found.append(row.modality.in_(list(wish.modalities)))
    return found


def today(connection: Connection, principal: Principal, wish: Wish) -> list[Row]:
    """Who waits and is booked on a day, and all that was begun and is not verified, whenever that was; urgent first."""
    row = exam_rows.c

    def on(column: Any) -> ColumnElement[bool]:
        return and_(column >= wish.begins, column < wish.ends)

    wanted = or_(
        row.state.in_((State.IN_PROGRESS, State.ACQUIRED)),
        and_(row.state == State.ARRIVED, or_(on(row.arrived_at), on(row.starts_at))),
        and_(row.state == State.SCHEDULED, on(row.starts_at)),
        and_(row.state == State.DISCONTINUED, on(row.started_at)),
        on(row.finished_at),
    )
    order = (row.stat.desc(), func.coalesce(row.arrived_at, row.starts_at), row.id)
    found = lists.among(connection, principal, [wanted, *_place(wish)], order, _MOST, action=Action.PERFORM)
    return rows(connection, principal, found)


def rows(connection: Connection, principal: Principal, found: Sequence[Listed]) -> list[Row]:
    """Exams with the progress of their images and their tasks."""
    ids = [one.exam.id for one in found]
    known = progress(connection, [one.exam for one in found])
    kinds: defaultdict[int, list[str]] = defaultdict(list)
    for task in tasks.open_of(connection, ids, tasks.kinds_for(principal)):
        if task.exam is not None:
            kinds[task.exam].append(task.kind)
    return [Row(one, known[one.exam.id], tuple(kinds[one.exam.id])) for one in found]


def progress(connection: Connection, found: Sequence[Exam]) -> dict[int, Progress]:
    """The progress of several exams at once, from counts."""
    ids = [exam.id for exam in found]
    of_exam: defaultdict[int, set[str]] = defaultdict(set)
    for exam in found:
        of_exam[exam.id].add(exam.study_uid)
    attached = select(exam_studies.c.exam, exam_studies.c.study_uid).where(exam_studies.c.exam.in_(ids))
    for row in connection.execute(attached):
        of_exam[row.exam].add(row.study_uid)
    counts = _counts(connection, {uid for uids in of_exam.values() for uid in uids})
    told, missing, steps = _told(connection, ids)
    checked = set(
        connection.scalars(
            select(identity_checks.c.exam).where(
                identity_checks.c.exam.in_(ids),
                identity_checks.c.stage == "exam",
                or_(identity_checks.c.passed, identity_checks.c.override_by != ""),
            )
        )
    )
    made: dict[int, Progress] = {}
    for exam in found:
        received = sum(counts.get(uid, 0) for uid in of_exam[exam.id])
        typed = exam.more.get("expected")
        expected = told.get(exam.id, typed if isinstance(typed, int) else None)
        short = missing.get(exam.id, 0)
        if exam.id not in told and expected is not None:
            short = max(0, expected - received)
        made[exam.id] = Progress(received, expected, short, steps.get(exam.id, 0), exam.id in checked)
    return made


def _counts(connection: Connection, uids: Collection[str]) -> dict[str, int]:
    query = (
        select(studies.c.study_uid, func.sum(series.c.instance_count).label("images"))
        .join(series, series.c.study == studies.c.id)
        .where(studies.c.study_uid.in_(list(uids)), series.c.modality.not_in(_NOT_IMAGES))
        .group_by(studies.c.study_uid)
    )
    return {row.study_uid: int(row.images or 0) for row in connection.execute(query)}


def _told(
    connection: Connection, ids: Sequence[int]
) -> tuple[dict[int, int], dict[int, int], dict[int, int]]:
    """Of each exam: how many objects its performed steps name, how many of those are missing, how many steps."""
    link = performed_step_exams.c
    ended = (
        select(link.exam, expected_instances.c.sop_uid)
        .join(performed_steps, performed_steps.c.id == link.performed_step)
        .join(expected_instances, expected_instances.c.performed_step == link.performed_step)
        .where(link.exam.in_(ids), performed_steps.c.status.in_(FINAL))
        .subquery()
    )
    named = select(ended.c.exam, func.count(distinct(ended.c.sop_uid)).label("count")).group_by(ended.c.exam)
    told = {row.exam: row[1] for row in connection.execute(named)}
    there = select(instances.c.id).where(instances.c.sop_instance_uid == ended.c.sop_uid).exists()
    absent = named.where(~there)
    missing = {row.exam: row[1] for row in connection.execute(absent)}
    counted = select(link.exam, func.count()).where(link.exam.in_(ids)).group_by(link.exam)
    return told, missing, {row[0]: row[1] for row in connection.execute(counted)}


def shift(connection: Connection, principal: Principal, wish: Wish) -> Shift:
    """What is left at the end of a shift, and what was done in it.

    Words of what is left: "running" (begun, not finished), "unverified" (finished, images not complete), "unsent"
    (finished, no image), "waiting" (came, not begun), "discontinued" (to be repeated, or not).
    """
    row = exam_rows.c
    place = _place(wish)

    def find(*conditions: ColumnElement[bool]) -> list[Listed]:
        return lists.among(
            connection,
            principal,
            [*conditions, *place],
            (row.stat.desc(), row.arrived_at, row.id),
            _MOST,
            action=Action.PERFORM,
        )

    before = wish.ends
    finished = rows(connection, principal, find(row.state == State.ACQUIRED, row.finished_at < before))
    late = rows(
        connection,
        principal,
        find(
            row.finished_at >= wish.begins,
            row.finished_at < before,
            row.images.in_(("none", "mismatch")),
            row.state.not_in((State.VOID, State.ACQUIRED)),
        ),
    )
    left = {
        "running": rows(connection, principal, find(row.state == State.IN_PROGRESS, row.started_at < before)),
        "unsent": [one for one in [*finished, *late] if not one.progress.received],
        "unverified": [one for one in finished if one.progress.received],
        "waiting": rows(
            connection,
            principal,
            find(row.state == State.ARRIVED, row.arrived_at >= wish.begins, row.arrived_at < before),
        ),
        "discontinued": rows(
            connection,
            principal,
            find(row.state == State.DISCONTINUED, row.started_at >= wish.begins, row.started_at < before),
        ),
    }
    done = {
        column.name: _count(connection, principal, place, column, wish)
        for column in (row.arrived_at, row.finished_at, row.verified_at)
    }
    found = tasks.seen_by(connection, principal, limit=_MOST)
    return Shift(
        left,
        found,
        lists.several(connection, tasks.exams_of(found)),
        done["arrived_at"],
        done["finished_at"],
        done["verified_at"],
        _images(connection, principal, place, wish),
    )


def _count(
    connection: Connection, principal: Principal, place: list[ColumnElement[bool]], column: Any, wish: Wish
) -> int:
    query = select(func.count()).where(
        column >= wish.begins,
        column < wish.ends,
        exam_rows.c.state != State.VOID,
        seen(principal, Action.PERFORM),
        *place,
    )
    return connection.scalar(query) or 0


def _images(
    connection: Connection, principal: Principal, place: list[ColumnElement[bool]], wish: Wish
) -> int:
    made = select(exam_rows.c.study_uid).where(
        exam_rows.c.finished_at >= wish.begins,
        exam_rows.c.finished_at < wish.ends,
        seen(principal, Action.PERFORM),
        *place,
    )
    query = (
        select(func.sum(series.c.instance_count))
        .join(studies, studies.c.id == series.c.study)
        .where(studies.c.study_uid.in_(made), series.c.modality.not_in(_NOT_IMAGES))
    )
    return int(connection.scalar(query) or 0)
