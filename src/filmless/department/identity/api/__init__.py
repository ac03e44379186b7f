"""Persons, matches, unmatched images and void exams in our own HTTP API. Edges only: they decide nothing."""

from fastapi import APIRouter, Depends

from filmless.access.api.told import Told
from filmless.access.api.words import PROBLEMS
from filmless.archive.web.context import ArchiveWeb
from filmless.department.identity.api import deciding, green, moves, people, tray, voided
from filmless.department.identity.api.images import Images
from filmless.department.model import Desk
from filmless.kit.errors import Refused


def router(context: ArchiveWeb | None, desk: Desk | None) -> APIRouter:
    """All routes. Without what they work with they can only be described."""

    def on() -> None:
        if desk is not None and not desk.settings.enabled:
            raise Refused("The department is switched off here ([department] enabled).", code="not-found")

    made = APIRouter(tags=["persons"], responses=PROBLEMS, route_class=Told, dependencies=[Depends(on)])
    images = Images(context)
    for part in (
        people.router(desk),
        deciding.router(images),
        green.router(images),
        tray.router(images, desk),
        moves.router(images),
        voided.router(images),
    ):
        made.include_router(part)
    return made
