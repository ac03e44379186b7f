"""Tasks: what a person has to look at, until somebody closes it and says what came of it.

A task is raised once for one cause: while it is open, raising it again changes nothing. What raised it may also close
it by the cause, when the matter has settled itself.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, case, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from filmless.access.acting import Acting
from filmless.access.model import Action, Principal, may
from filmless.db import events
from filmless.department.tables import exams, tasks
from filmless.department.visibility import seen
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused


@dataclass(frozen=True, slots=True)
class TaskKind:
    """`actions`: who may do one of these sees such tasks and closes them. `urgent`: stands above the others."""

    actions: frozenset[Action]
    urgent: bool = False


_PERFORM = frozenset({Action.PERFORM})
_READS = frozenset({Action.REPORT, Action.REVIEW})

#: all kinds of tasks; their words are in the screens' translations (department.task.KIND)
KINDS: Final[Mapping[str, TaskKind]] = {
    # images that no exam is known for; a performed step that names no scheduled one
    "unmatched-images": TaskKind(frozenset({Action.MATCH_IMAGES})),
    "unscheduled": TaskKind(frozenset({Action.MATCH_IMAGES, Action.PERFORM})),
    # the device says that another entry of the worklist should have been picked (CID 9300, 110514)
    "wrong-worklist-entry": TaskKind(frozenset({Action.MATCH_IMAGES}), urgent=True),
    # images that were moved to another exam do not follow, or that exam is void or cancelled
    "moved-images": TaskKind(frozenset({Action.MATCH_IMAGES}), urgent=True),
    # a device began an exam that nobody registered (T10)
    "register-missed": TaskKind(frozenset({Action.REGISTER, Action.PERFORM})),
    # nobody recorded who lies there before the device began
    "identity-unchecked": TaskKind(frozenset({Action.PERFORM, Action.OVERRIDE_IDENTITY}), urgent=True),
    # a device began although something speaks against the exam (pregnancy, a pacemaker, ...), and nobody accepted that
    "safety": TaskKind(frozenset({Action.PERFORM, Action.REVIEW}), urgent=True),
    # the device made more than has arrived
    "images-missing": TaskKind(_PERFORM, urgent=True),
    # an exam was discontinued: is it to be repeated, are its images of use?
    "repeat": TaskKind(frozenset({Action.PERFORM, Action.REGISTER})),
    # images came, or were rejected, after reading had begun
    "late-images": TaskKind(_READS, urgent=True),
    "images-rejected": TaskKind(_READS | _PERFORM),
    # an emergency has no report, and it was due
    "report-overdue": TaskKind(_READS, urgent=True),
    # several exams were made in one performed step: one report for all?
    "report-group": TaskKind(_READS),
    # copies of what is no longer true are about
    "recall": TaskKind(frozenset({Action.HAND_OUT}), urgent=True),
    # an exam of the green channel that nobody has matched for long
    "unmatched-green": TaskKind(frozenset({Action.MATCH})),
    "critical-overdue": TaskKind(_READS | {Action.ANSWER_CRITICAL}, urgent=True),
}


@dataclass(frozen=True, slots=True)
class Task:
    """`body` says more in words of the kind: UIDs, counts, numbers; nothing of patients."""

    id: int
    kind: str
    exam: int | None
    study_uid: str
    cause: str
    body: Mapping[str, Any]
    raised_at: datetime
    closed_at: datetime | None = None
    closed_by: str = ""
    outcome: str = ""


def raise_task(
    connection: Connection,
    kind: str,
    cause: str,
    *,
    exam: int | None = None,
    study_uid: str = "",
    body: Mapping[str, Any] | None = None,
) -> int:
    """Raise a task, in the caller's write transaction; returns its id, also where it is open already.

    `cause`: at most 128 characters that tell this matter from others, e.g. "late-images:<exam>".
    """
    if kind not in KINDS:
        raise ValueError(f"no kind of task: {kind}")
    row = {
        "kind": kind,
        "cause": cause,
        "exam": exam,
        "study_uid": study_uid,
        "body": dict(body or {}),
        "raised_at": clock.now(),
    }
    made = insert_postgresql if connection.dialect.name == "postgresql" else insert_sqlite
    statement = made(tasks).on_conflict_do_nothing(
        index_elements=[tasks.c.cause], index_where=tasks.c.closed_at.is_(None)
    )
    found: int | None = connection.scalar(statement.returning(tasks.c.id), row)
    if found is not None:
        events.record(connection, [("task-raised", {"task": found, "kind": kind, "exam": exam})])
        return found
    open_now = select(tasks.c.id).where(tasks.c.cause == cause, tasks.c.closed_at.is_(None))
    there: int = connection.execute(open_now).scalar_one()
    return there


def renew(connection: Connection, task_id: int, body: Mapping[str, Any]) -> None:
    """Say more exactly what an open task is about, e.g. which images are still missing."""
    connection.execute(
        update(tasks).where(tasks.c.id == task_id, tasks.c.closed_at.is_(None)).values(body=dict(body))
    )


def get(connection: Connection, task_id: int) -> Task:
    """Raises Refused (code "not-found")."""
    row = connection.execute(select(tasks).where(tasks.c.id == task_id)).one_or_none()
    if row is None:
        raise Refused("There is no such task.", code="not-found")
    return _task(row)


def close(connection: Connection, task_id: int, acting: Acting, outcome: str) -> Task:
    """Close a task: `outcome` says what came of it. Kept in the audit trail.

    Raises Refused where there is none, without an outcome, or where `acting.who` may not; Conflict (code "closed")
    where it is closed already.
    """
    task = get(connection, task_id)
    if not any(may(acting.who, action) for action in KINDS[task.kind].actions):
        raise Refused("You have no right to close tasks of this kind.", code="not-permitted")
    if not outcome.strip():
        raise Refused("Say what came of it.", code="no-outcome")
    if not _close(connection, [task_id], acting.who, outcome.strip()):
        raise Conflict(f"This task is closed already, by {task.closed_by}.", code="closed")
    acting.note(
        connection, "task closed", studies=(task.study_uid,) if task.study_uid else (), reason=outcome,
        kind_of_task=task.kind, task=task_id, exam=task.exam,
    )  # fmt: skip
    return get(connection, task_id)


def close_cause(connection: Connection, cause: str, who: Principal, outcome: str) -> bool:
    """Close the open task of a cause, if there is one: what it was about has settled itself."""
    query = select(tasks.c.id).where(tasks.c.cause == cause, tasks.c.closed_at.is_(None))
    found = connection.scalar(query)
    return found is not None and _close(connection, [found], who, outcome)


def _close(connection: Connection, ids: Collection[int], who: Principal, outcome: str) -> bool:
    done = connection.execute(
        update(tasks)
        .where(tasks.c.id.in_(ids), tasks.c.closed_at.is_(None))
        .values(closed_at=clock.now(), closed_by=who.name[:80], outcome=outcome[:400])
    )
    if not done.rowcount:
        return False
    events.record(connection, [("task-closed", {"task": task_id}) for task_id in ids])
    return True


def kinds_for(principal: Principal) -> frozenset[str]:
    """The kinds of tasks that `principal` sees and may close."""
    return frozenset(
        name for name, kind in KINDS.items() if any(may(principal, action) for action in kind.actions)
    )


def open_tasks(
    connection: Connection,
    *,
    kinds: Iterable[str] = (),
    exam: int | None = None,
    study_uid: str = "",
    limit: int = 200,
) -> Sequence[Task]:
    """Open tasks, the oldest first: of these kinds (all where empty), of one exam or study where given."""
    query = select(tasks).where(tasks.c.closed_at.is_(None)).order_by(tasks.c.id).limit(limit)
    wanted = list(kinds)
    if wanted:
        query = query.where(tasks.c.kind.in_(wanted))
    if exam is not None:
        query = query.where(tasks.c.exam == exam)
    if study_uid:
        query = query.where(tasks.c.study_uid == study_uid)
    return [_task(row) for row in connection.execute(query)]


def seen_by(
    connection: Connection, principal: Principal, *, kinds: Iterable[str] = (), limit: int = 200
) -> list[Task]:
    """Open tasks that are for `principal`, urgent ones first, then the oldest: of exams that he may see, and of studies
    that are no exam's."""
    mine = kinds_for(principal)
    wanted = mine & set(kinds) if kinds else mine
    urgent = [name for name in wanted if KINDS[name].urgent]
    ways: list[ColumnElement[bool]] = [tasks.c.exam.is_(None)]
    for action in sorted({action for name in wanted for action in KINDS[name].actions}):
        if may(principal, action):
            of_action = [name for name in wanted if action in KINDS[name].actions]
            there = select(exams.c.id).where(exams.c.id == tasks.c.exam, seen(principal, action))
            ways.append(and_(tasks.c.kind.in_(of_action), exists(there)))
    query = (
        select(tasks)
        .where(tasks.c.closed_at.is_(None), tasks.c.kind.in_(sorted(wanted)), or_(*ways))
        .order_by(case((tasks.c.kind.in_(urgent), 0), else_=1), tasks.c.id)
        .limit(limit)
    )
    return [_task(row) for row in connection.execute(query)]


def urgent_for(connection: Connection, principal: Principal, *, limit: int = 100) -> int:
    """How many urgent open tasks are for `principal`, at most `limit`."""
    kinds = [name for name in kinds_for(principal) if KINDS[name].urgent]
    return len(seen_by(connection, principal, kinds=kinds, limit=limit)) if kinds else 0


def exams_of(found: Iterable[Task]) -> set[int]:
    """The exams that tasks are about."""
    return {one.exam for one in found if one.exam is not None}


def open_of(connection: Connection, exam_ids: Iterable[int], kinds: Iterable[str]) -> list[Task]:
    """Open tasks of these exams and kinds, the oldest first."""
    query = (
        select(tasks)
        .where(tasks.c.closed_at.is_(None), tasks.c.exam.in_(list(exam_ids)), tasks.c.kind.in_(list(kinds)))
        .order_by(tasks.c.id)
    )
    return [_task(row) for row in connection.execute(query)]


def count_open(connection: Connection, kinds: Iterable[str]) -> dict[str, int]:
    """kind -> how many are open; kinds without any are left out."""
    query = (
        select(tasks.c.kind, func.count().label("open"))
        .where(tasks.c.closed_at.is_(None), tasks.c.kind.in_(list(kinds)))
        .group_by(tasks.c.kind)
    )
    return {row.kind: row.open for row in connection.execute(query)}


def _task(row: Row[Any]) -> Task:
    return Task(**row._asdict())
