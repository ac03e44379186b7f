"""The department in our own HTTP API. Edges only: they translate, and decide nothing."""

from fastapi import APIRouter, Depends

from filmless.access.api.told import Told
from filmless.access.api.words import PROBLEMS
from filmless.archive.web.context import ArchiveWeb
from filmless.department.api import (
    changing,
    deciding,
    desk,
    master,
    queue,
    safety,
    stations,
    tasks,
    technologist,
)
from filmless.department.model import Desk
from filmless.kit.errors import Refused


def router(given: Desk | None, context: ArchiveWeb | None = None) -> APIRouter:
    """Orders, exams, stations, queues, master data, exams at the devices, tasks. None: only to be described."""

    def on() -> None:
        if given is not None and not given.settings.enabled:
            raise Refused("The department is switched off here ([department] enabled).", code="not-found")

    made = APIRouter(tags=["department"], responses=PROBLEMS, route_class=Told, dependencies=[Depends(on)])
    for part in (master, desk, deciding, changing, safety, stations, queue, tasks):
        made.include_router(part.router(given))
    made.include_router(technologist.router(given, context))
    return made
