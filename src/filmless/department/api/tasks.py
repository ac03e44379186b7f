"""The inbox of tasks: what somebody has to look at."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from filmless.access.api.words import At, Host, In, Line, Number, Who
from filmless.access.model import Action, Principal, may, permit
from filmless.db.work import reading, writing
from filmless.department import lists, tasks, visibility
from filmless.department.api.words import ListedWords, Reason
from filmless.department.lists import Listed
from filmless.department.model import Desk
from filmless.department.tasks import KINDS, Task
from filmless.kit.errors import Refused

Kind = Annotated[Line, StringConstraints(max_length=32)]


class TaskWords(BaseModel):
    """A task. `body` says more in words of its kind."""

    id: int
    kind: str
    urgent: bool
    exam: int | None
    number: str = Field(description="The exam's number, where there is an exam.")
    listed: ListedWords | None = Field(description="The exam, as lists show it.")
    study_uid: str
    body: dict[str, Any]
    raised_at: datetime

    @classmethod
    def of(cls, one: Task, listed: Mapping[int, Listed]) -> "TaskWords":
        """From the room's words. `listed`: exams of tasks by their ids."""
        about = listed.get(one.exam) if one.exam is not None else None
        return cls(
            id=one.id,
            kind=one.kind,
            urgent=KINDS[one.kind].urgent if one.kind in KINDS else False,
            exam=one.exam,
            number=(about.exam.number if about else "") or str(one.body.get("number", "")),
            listed=ListedWords.of(about) if about else None,
            study_uid=one.study_uid,
            body=dict(one.body),
            raised_at=one.raised_at,
        )


class TaskWish(In):
    """Which tasks; all where no kind is named."""

    kinds: list[Kind] = Field([], max_length=50)
    limit: int = Field(200, ge=1, le=500)


class TaskList(BaseModel):
    """Open tasks, urgent ones first, then the oldest; and how many there are of each kind that you may close."""

    tasks: list[TaskWords]
    counts: dict[str, int]


class UrgentTasks(BaseModel):
    """How much is urgent."""

    urgent: int = Field(description="Open tasks that are for you and urgent, at most 100.")


class Closing(In):
    """What came of it."""

    outcome: Annotated[Reason, StringConstraints(min_length=1)]


def router(_given: Desk | None) -> APIRouter:
    """The routes."""
    made = APIRouter(prefix="/tasks")

    @made.post("", summary="Open tasks that are for you")
    def list_tasks(body: TaskWish, who: Who, at: At) -> TaskList:
        _any(who)
        with reading(at.engine) as connection:
            found = tasks.seen_by(connection, who, kinds=body.kinds, limit=body.limit)
            counts = tasks.count_open(connection, tasks.kinds_for(who))
            listed = lists.several(connection, tasks.exams_of(found))
            return TaskList(tasks=[TaskWords.of(one, listed) for one in found], counts=counts)

    @made.get("/urgent", summary="How many open tasks that are for you are urgent")
    def count_urgent(who: Who, at: At) -> UrgentTasks:
        _any(who)
        with reading(at.engine) as connection:
            return UrgentTasks(urgent=tasks.urgent_for(connection, who))

    @made.post("/{number}/close", status_code=204, summary="Say what came of a task")
    def close_task(number: Number, body: Closing, who: Who, at: At, host: Host) -> None:
        _any(who)
        with writing(at.engine) as connection:
            task = tasks.get(connection, number)
            if task.exam is not None:
                for action in sorted(KINDS[task.kind].actions):
                    if may(who, action):
                        visibility.check(connection, who, task.exam, action)
                        break
            tasks.close(connection, number, at.acting(who, host), body.outcome)

    return made


def _any(who: Principal) -> None:
    """Raises Refused (code "not-permitted") for who has nothing to do with any kind of task."""
    if not tasks.kinds_for(who):
        permit(who, Action.PERFORM)
        raise Refused("You have no right to do this.", code="not-permitted")
