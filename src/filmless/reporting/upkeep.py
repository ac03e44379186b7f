"""What goes on by itself: critical results that nobody answers are escalated, unused claims are given back."""

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, select

from filmless.access.acting import Acting
from filmless.access.audit.trail import Trail
from filmless.access.model import SYSTEM
from filmless.db.work import reading, writing
from filmless.kit import clock
from filmless.kit.errors import FilmlessError
from filmless.reporting import criticals, words
from filmless.reporting import writing as reports_writing
from filmless.reporting.model import Status, has_text
from filmless.reporting.tables import criticals as criticals_table
from filmless.reporting.tables import reports


@dataclass
class Upkeep:
    """Run by the worker."""

    engine: Engine
    trail: Trail

    def run_once(self) -> int:
        """Escalate what is late, give back what was left; returns how much was done."""
        acting = Acting(SYSTEM, self.trail)
        now = clock.now()
        with reading(self.engine) as connection:
            late = connection.scalar(
                select(criticals_table.c.id)
                .where(
                    criticals_table.c.status.in_(criticals.OPEN),
                    criticals_table.c.due_at < now,
                    criticals_table.c.escalations < criticals.MOST_ESCALATIONS,
                )
                .limit(1)
            )
            left = self._left(connection)
        done = 0
        if late is not None:
            with writing(self.engine) as connection:
                done += criticals.escalate(connection, acting)
        for report in left:
            try:
                with writing(self.engine) as connection:
                    reports_writing.release(connection, report, acting)
                done += 1
            except FilmlessError:
                # somebody has taken it up again meanwhile
                continue
        return done + self._index()

    def _index(self) -> int:
        """Words of reports that are not in the index yet: written before there was one."""
        with reading(self.engine) as connection:
            missing = words.missing(connection, limit=200)
        if missing:
            with writing(self.engine) as connection:
                words.make(connection, missing)
        return len(missing)

    def _left(self, connection: Connection) -> list[int]:
        """Claims without a word of text whose editor was not heard of for the time of a lock."""
        query = (
            select(reports.c.id, reports.c.scratch)
            .where(
                reports.c.status == Status.DRAFT.value,
                reports.c.revision == 0,
                reports.c.author != "",
                reports.c.locked_until < clock.now(),
            )
            .limit(100)
        )
        return [
            row.id for row in connection.execute(query) if not has_text((row.scratch or {}).get("content"))
        ]
