"""The archive in our own HTTP API, mounted at /api by app/. Edges only: they translate, and decide nothing."""

from fastapi import APIRouter

from filmless.archive.api import changes, corrections, explain, flags, quarantine, rejections, studies
from filmless.archive.web.context import ArchiveWeb


def router(context: ArchiveWeb | None) -> APIRouter:
    """All routes of the archive. Without what they work with they can only be described."""
    made = APIRouter()
    # before what has a study in its address
    made.include_router(changes.router(context))
    made.include_router(studies.router(context))
    for part in (quarantine, rejections, flags, corrections, explain):
        made.include_router(part.router(context))
    return made
