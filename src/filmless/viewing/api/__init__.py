"""Drafts, measurements and layouts in our own HTTP API. Edges only: they translate, and decide nothing."""

from fastapi import APIRouter

from filmless.archive.web.context import ArchiveWeb
from filmless.viewing.api import drawing, hanging


def router(context: ArchiveWeb | None) -> APIRouter:
    """All routes of viewing/. Without what they work with they can only be described."""
    made = APIRouter(tags=["viewing"])
    for part in (drawing, hanging):
        made.include_router(part.router(context))
    return made
