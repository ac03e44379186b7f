"""The rows behind an address, asked anew at each request.

The statements are compiled once for each principal (as narrowed by `permit`, so that a grant that ends is another
principal); what a statement asks of time and rows is asked each time. One answer is remembered on SQLite: whether a
principal with a restricted scope sees a study, for a second at most, and only until anything at all is written to the
database. It costs more than all else at a frame, and grows with what the principal may see.
"""

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, Select, bindparam, exists, literal, select

from filmless.access.model import Principal
from filmless.archive.model import QUALITY_CODE
from filmless.archive.query.instances import StoredInstance, stored
from filmless.archive.query.visibility import restricted, seen, visible_at
from filmless.archive.tables import instances, series, studies
from filmless.db.prepared import Prepared
from filmless.db.work import reading

#: principals whose statements are kept
_PRINCIPALS: Final = 64
#: seconds for which it is remembered that a study is seen: rights that are over are over
_REMEMBERED: Final = 1.0


@dataclass(frozen=True, slots=True)
class Found:
    """One instance."""

    stored: StoredInstance
    series_id: int
    #: path of what was prepared of its series, "" where that is not of its present state
    prepared: str


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """One series in which something is seen."""

    id: int
    series_uid: str
    study_uid: str
    generation: int
    #: when that came to be, as the driver has it: numbers come again when the index is restored or rebuilt, moments
    #: do not
    since: object
    #: path of what was prepared for this generation and is all that the principal sees of it, else ""
    prepared: str
    #: whether rejected objects are among what this principal sees
    rejected: bool


class Lookup:
    """For one process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._statements: OrderedDict[tuple[str, Principal], Prepared] = OrderedDict()
        self._lock = threading.Lock()
        #: SQLite is asked on the event loop: it takes less time than a thread's start
        self._here = engine.dialect.name == "sqlite"
        self._connection: Connection | None = None
        self._seen: dict[tuple[Principal, int], bool] = {}
        self._state = -1
        self._until = 0.0

    async def instance(self, principal: Principal, study: str, series_uid: str, sop: str) -> Found | None:
        """The object of this address; None where there is none that the principal sees."""
        key = {"study": study, "series": series_uid, "sop": sop}
        if not self._here:
            rows = await asyncio.to_thread(self._all, "instance", principal, key)
        elif not restricted(principal):
            rows = self._statement("instance", principal).all(self._own(), key)
        else:
            rows = self._statement("any instance", principal).all(self._own(), key)
            if rows and not self._sees(principal, rows[0][-1]):
                return None
        if not rows:
            return None
        *columns, series_id, generation, ready, path, _ = rows[0]
        return Found(StoredInstance(*columns), series_id, path if generation == ready else "")

    def series(self, principal: Principal, study: str, series_uid: str = "") -> list[SeriesRow]:
        """The series of a study, or the one. For threads."""
        kind = "series" if series_uid else "study"
        rows = self._all(
            kind, principal, {"study": study, "series": series_uid} if series_uid else {"study": study}
        )
        return [
            SeriesRow(
                row_id,
                uid,
                study_uid,
                generation,
                since,
                path if generation == ready and not rejected else "",
                bool(rejected),
            )
            for row_id, uid, study_uid, generation, since, ready, path, rejected in rows
        ]

    def _sees(self, principal: Principal, study_id: int) -> bool:
        """Whether the study (studies.id) is open to the principal."""
        cursor: Any = self._own().connection.cursor()
        try:
            # another number as soon as any other connection has committed anything (sqlite.org, "PRAGMA data_version")
            state = cursor.execute("PRAGMA data_version").fetchone()[0]
        finally:
            cursor.close()
        now = time.monotonic()
        if state != self._state or now > self._until:
            self._seen.clear()
            self._state, self._until = state, now + _REMEMBERED
        found = self._seen.get((principal, study_id))
        if found is None:
            found = bool(self._statement("seen", principal).all(self._own(), {"study_id": study_id}))
            self._seen[principal, study_id] = found
        return found

    def _own(self) -> Connection:
        """A connection of the event loop's own, outside of transactions: each statement sees what is now."""
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _all(self, kind: str, principal: Principal, key: dict[str, str]) -> Sequence[Any]:
        with reading(self._engine) as connection:
            return self._statement(kind, principal).all(connection, key)

    def _statement(self, kind: str, principal: Principal) -> Prepared:
        with self._lock:
            found = self._statements.get((kind, principal))
            if found is not None:
                self._statements.move_to_end((kind, principal))
                return found
        made = Prepared(_expression(kind, principal))
        with self._lock:
            self._statements[kind, principal] = made
            while len(self._statements) > 5 * _PRINCIPALS:
                self._statements.popitem(last=False)
        return made


def _expression(kind: str, principal: Principal) -> Select[Any]:
    if kind in ("series", "study"):
        return _series(principal, one=kind == "series")
    if kind == "seen":
        return select(studies.c.id).where(studies.c.id == bindparam("study_id", 0), seen(principal))
    return (
        stored(principal, of_any_study=kind == "any instance")
        .add_columns(
            series.c.id,
            series.c.generation,
            series.c.prepared_generation,
            series.c.metadata_path,
            studies.c.id,
        )
        .where(
            instances.c.sop_instance_uid == bindparam("sop", ""),
            series.c.series_uid == bindparam("series", ""),
            studies.c.study_uid == bindparam("study", ""),
        )
    )


def _series(principal: Principal, *, one: bool) -> Select[Any]:
    rejected: Any = literal(0)
    if principal.quality_control:
        inside = select(instances.c.id).where(
            instances.c.series == series.c.id, instances.c.rejected == QUALITY_CODE
        )
        rejected = exists(inside)
    statement = (
        select(
            series.c.id,
            series.c.series_uid,
            studies.c.study_uid,
            series.c.generation,
            series.c.last_arrival_at,
            series.c.prepared_generation,
            series.c.metadata_path,
            rejected,
        )
        .join(studies, series.c.study == studies.c.id)
        .where(studies.c.study_uid == bindparam("study", ""), visible_at("SERIES", principal))
        .order_by(studies.c.id, series.c.id)
    )
    return statement.where(series.c.series_uid == bindparam("series", "")) if one else statement
