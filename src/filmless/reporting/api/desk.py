"""What the routes of reporting/ share: who may, in which transaction, as whom."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Path, Request
from sqlalchemy import Connection
from starlette.responses import Response

from filmless.access.acting import Acting
from filmless.access.model import Action, Principal, may, permit
from filmless.access.web import gate_of, host_of
from filmless.archive.api.words import PROBLEMS
from filmless.archive.web.context import ArchiveWeb, principal_of
from filmless.db.work import reading, writing
from filmless.kit.errors import Defect, Refused
from filmless.net.http.described import problems
from filmless.net.http.problems import problem
from filmless.reporting import find
from filmless.reporting import writing as reports
from filmless.reporting.api import telling
from filmless.reporting.api.words import ReportStale
from filmless.reporting.model import Locked, Stale
from filmless.reporting.settings import ReportingSettings
from filmless.reporting.signing import Keys

T = TypeVar("T")
Caller = Annotated[Principal, Depends(principal_of)]
Key = Annotated[int, Path(ge=1, le=2**53)]

DECIDED: Final[dict[int | str, dict[str, Any]]] = {
    **PROBLEMS,
    **problems({409: "It is not possible as the exam or the report is now."}),
}
#: of routes that write: what others did meanwhile comes with the answer
WRITTEN: Final[dict[int | str, dict[str, Any]]] = {
    **PROBLEMS,
    409: {
        "model": ReportStale,
        "description": "It is not possible as the report is now; `stale` and `locked` say who did what.",
    },
}


@dataclass(frozen=True, slots=True)
class Desk:
    """What the routes work with. `context` None: they are only to be described."""

    context: ArchiveWeb | None
    settings: ReportingSettings

    @property
    def archive(self) -> ArchiveWeb:
        if self.context is None:
            raise Defect("These routes have no archive.", code="no-archive")
        return self.context

    @property
    def keys(self) -> Keys:
        return Keys(self.archive.home / "keys")

    async def read(self, work: Callable[[Connection], T]) -> T:
        """`work` in a thread and a reading transaction."""

        def whole() -> T:
            with reading(self.archive.engine) as connection:
                return work(connection)

        return await asyncio.to_thread(whole)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """`work` in a thread and a writing transaction."""

        def whole() -> T:
            with writing(self.archive.engine) as connection:
                return work(connection)

        return await asyncio.to_thread(whole)


def acting_of(request: Request, who: Principal) -> Acting:
    """Who changes something now, from where."""
    return gate_of(request).acting(who, host_of(request))


def person_only(who: Principal) -> Principal:
    """Raises Refused (code "not-permitted") for programs without an account: a report is of a person."""
    if who.kind != "user" or not who.account:
        raise Refused("Only a person with an account writes reports.", code="not-permitted")
    return who


def permit_any(who: Principal, *actions: Action) -> Action:
    """The first of these that the principal may do. Raises Refused (code "not-permitted") where it is none."""
    for one in actions:
        if may(who, one):
            return one
    permit(who, actions[0])
    raise AssertionError


def clash(connection: Connection | None, error: Stale | Locked, who: Principal) -> Response:
    """The answer to who comes too late, with what stands there now where he may read it."""
    report = error.report
    content = None
    if connection is not None and may(who, Action.REPORT):
        report = find.get(connection, report.id)
        content = telling.content(reports.current(connection, report)).model_dump(mode="json")
    return problem(
        409,
        detail=error.message,
        code=error.code,
        changes=report.changes,
        changed_by=report.changed_by,
        changed_at=report.changed_at.isoformat(),
        locked_by=report.locked_by,
        content=content,
    )
