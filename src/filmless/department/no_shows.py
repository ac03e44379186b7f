"""Who was booked and has not come (T29), said by the clock; in the worker."""

import logging
from datetime import timedelta

from sqlalchemy import Engine, func, select

from filmless.access.acting import Acting
from filmless.access.audit.trail import Trail
from filmless.access.model import SYSTEM
from filmless.db.work import reading, writing
from filmless.department import registration
from filmless.department.model import DepartmentSettings
from filmless.department.states import State
from filmless.department.tables import exam_log, exams
from filmless.kit import clock
from filmless.kit.errors import FilmlessError

_log = logging.getLogger(__name__)

_MOST = 500


class NoShows:
    """Run it again and again."""

    def __init__(self, engine: Engine, settings: DepartmentSettings, trail: Trail) -> None:
        self._engine = engine
        self._hours = settings.no_show_hours
        self._acting = Acting(SYSTEM, trail)

    def run_once(self) -> int:
        """Mark those whose time is long over and of whom nothing has come; returns how many were."""
        if self._hours <= 0:
            return 0
        before = clock.now() - timedelta(hours=self._hours)
        # a time that was over already when it came to be waited for (released, reinstated, left again) says nothing
        since = (
            select(func.max(exam_log.c.at))
            .where(
                exam_log.c.exam == exams.c.id,
                exam_log.c.transition != "",
                exam_log.c.to_state == State.SCHEDULED,
            )
            .scalar_subquery()
        )
        due = (
            select(exams.c.id)
            .where(
                exams.c.state == State.SCHEDULED,
                exams.c.images == "none",
                func.coalesce(exams.c.ends_at, exams.c.starts_at) < before,
                since < before,
            )
            .order_by(exams.c.id)
            .limit(_MOST)
        )
        with reading(self._engine) as connection:
            found = list(connection.scalars(due))
        done = 0
        for exam in found:
            try:
                with writing(self._engine) as connection:
                    registration.no_show(connection, exam, self._acting, source="timer")
                done += 1
            except FilmlessError as error:
                # registered or cancelled meanwhile
                _log.info("exam %d is not marked as not attended: %s", exam, error.code)
        return done
