"""Reporting in our own HTTP API. Edges only: they translate, and decide nothing."""

from fastapi import APIRouter

from filmless.archive.web.context import ArchiveWeb
from filmless.reporting.api import (
    critical_routes,
    letterhead_routes,
    looking_routes,
    person_routes,
    print_routes,
    reading_routes,
    report_routes,
    template_routes,
)
from filmless.reporting.api.desk import Desk
from filmless.reporting.settings import ReportingSettings


def router(context: ArchiveWeb | None, settings: ReportingSettings | None = None) -> APIRouter:
    """All routes of reporting/. Without what they work with they can only be described."""
    made = APIRouter(tags=["reporting"])
    desk = Desk(context, settings or ReportingSettings())
    for part in (
        reading_routes,
        looking_routes,
        report_routes,
        template_routes,
        critical_routes,
        person_routes,
        print_routes,
        letterhead_routes,
    ):
        made.include_router(part.router(desk))
    return made
