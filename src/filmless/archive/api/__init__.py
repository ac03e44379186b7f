"""The archive in our own HTTP API, mounted at /api by app/. Edges only: they translate, and decide nothing."""

from collections.abc import Sequence

from fastapi import APIRouter

from filmless.archive.api import (
    changes,
    corrections,
    explain,
    flags,
    lenient,
    pictures,
    quarantine,
    rejections,
    studies,
    timeline,
)
from filmless.archive.timeline import Source
from filmless.archive.web.context import ArchiveWeb


def router(context: ArchiveWeb | None, timeline_sources: Sequence[Source] = ()) -> APIRouter:
    """All routes of the archive. Without what they work with they can only be described.

    `timeline_sources`: what the rooms above add to a patient's timeline.
    """
    made = APIRouter()
    # before what has a study in its address
    made.include_router(changes.router(context))
    made.include_router(studies.router(context))
    made.include_router(pictures.router(context))
    for part in (quarantine, rejections, flags, lenient, corrections, explain):
        made.include_router(part.router(context))
    made.include_router(timeline.router(context, timeline_sources))
    return made
