"""Carries exams along as their images arrive, are rejected or stay away: a reader of the event log, in the worker.

Images begin an exam that nobody began (T09, T10), complete one that was made (T13), and come late to one that is being
read. Images that are no exam's wait in the tray.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, exists, func, select

from filmless.access.acting import Acting
from filmless.access.audit.trail import Trail
from filmless.access.model import SYSTEM, device_principal
from filmless.archive.tables import commitments, instances, series, studies
from filmless.db import events
from filmless.db.events import Event
from filmless.db.work import reading, writing
from filmless.department import exams, images, overdue, tasks, transfer
from filmless.department.beginning import begun
from filmless.department.exams import Exam
from filmless.department.model import DepartmentSettings
from filmless.department.states import State
from filmless.department.tables import exams as exam_rows
from filmless.department.tables import performed_step_exams, stations
from filmless.kit import clock
from filmless.kit.errors import FilmlessError

_log = logging.getLogger(__name__)

#: the event reader's name
READER: Final = "department"
_KINDS: Final = (
    "instances-stored",
    "objects-rejected",
    "rejection-revoked",
    "exam-changed",
    "exam-images",
    "commitment-asked",
)
_EVENTS: Final = 500
_SKIP: Final = 2000
#: states of an exam that is read or has been
_READ: Final = (
    State.REPORTING,
    State.PRELIMINARY,
    State.IN_REVIEW,
    State.FINAL,
    State.CORRECTED,
    # nobody looks at it again by himself
    State.CLOSED,
)
#: states in which no images were to come
_NOT: Final = (State.REQUESTED, State.HELD, State.VETTED, State.CANCELLED, State.NO_SHOW, State.VOID)
#: days for which images from elsewhere than our stations count as new
_RECENT_DAYS: Final = 7


@dataclass
class _News:
    """What a batch of events tells, by study and exam."""

    #: study -> how many images came, and from where
    images: Counter[str] = field(default_factory=Counter)
    sources: dict[str, str] = field(default_factory=dict)
    #: study -> code of a rejection of some of its objects
    rejected: dict[str, str] = field(default_factory=dict)
    #: study -> how many objects are in use again, after a rejection was taken back
    back: Counter[str] = field(default_factory=Counter)
    studies: set[str] = field(default_factory=set)
    exams: set[int] = field(default_factory=set)
    #: study -> commitments that were asked for
    commitments: dict[str, list[int]] = field(default_factory=dict)


class Arrivals:
    """Run it again and again; each call goes on behind the last, in whatever process that was."""

    def __init__(self, engine: Engine, settings: DepartmentSettings, trail: Trail) -> None:
        self._engine = engine
        self._settings = settings
        self._acting = Acting(SYSTEM, trail)
        self._trail = trail
        #: exams whose time to wait is over and that were looked at since
        self._looked: set[int] = set()

    def run_once(self) -> int:
        """Act upon the next events; returns how many there were."""
        with reading(self._engine) as connection:
            behind = events.position(connection, READER)
            newest = connection.scalar(select(func.max(events.events.c.seq))) or 0
            if newest == behind:
                return 0
            found = events.after(connection, behind, kinds=_KINDS, limit=_EVENTS)
            news = _told(connection, found)
        for study_uid in sorted(news.studies):
            self._safely(self._study, study_uid, news)
        for exam_id in sorted(news.exams):
            self._safely(self._look, exam_id)
        done = found[-1].seq if len(found) == _EVENTS else newest
        if found or done - behind >= _SKIP:
            with writing(self._engine) as connection:
                events.advance(connection, READER, done)
        return len(found)

    def _safely(self, what: Any, *given: Any) -> None:
        try:
            what(*given)
        except FilmlessError as error:
            # one exam that cannot be carried along holds up no other
            _log.warning("images could not be followed up: %s (%s)", error.message, error.code)

    def _study(self, study_uid: str, news: _News) -> None:
        with reading(self._engine) as connection:
            found = images.fit(connection, study_uid)
            if not found.exams and not _is_ours(connection, study_uid, news.sources.get(study_uid, "")):
                return
        with writing(self._engine) as connection:
            found = images.fit(connection, study_uid)
            if not found.exams:
                if news.images[study_uid]:
                    _unmatched(connection, study_uid, found)
                return
            for exam in found.exams:
                self._exam(connection, exam, study_uid, news)
            tasks.close_cause(connection, f"unmatched-images:{study_uid}", SYSTEM, "an exam was found")

    def _exam(self, connection: Connection, exam: Exam, study_uid: str, news: _News) -> None:
        count, source = news.images[study_uid], news.sources.get(study_uid, "")
        by: images.By = "uid" if exam.study_uid == study_uid else "number"
        if exam.state in _NOT:
            if count:
                _unmatched(connection, study_uid, images.Fit((), exam, "state"))
            return
        images.attach(connection, exam, study_uid, by, self._acting)
        if ids := news.commitments.get(study_uid):
            kept = sorted({*(exam.more.get("commitments") or ()), *ids})[-20:]
            exam = exams.note(
                connection,
                exam.id,
                "commitment asked",
                self._acting,
                source="images",
                also={"more": {"commitments": kept}},
            )
        if count:
            exam = begun(connection, exam, self._by(connection, source), "images", study_uid)
        if exam.state in _READ and (new := count + news.back[study_uid]):
            _late(connection, exam, study_uid, new)
        if study_uid in news.rejected and exam.state in (*_READ, State.VERIFIED):
            tasks.raise_task(
                connection,
                "images-rejected",
                f"images-rejected:{exam.id}",
                exam=exam.id,
                study_uid=study_uid,
                body={"code": news.rejected[study_uid], "number": exam.number},
            )
        transfer.look(connection, exam.id, self._acting, self._settings)

    def _by(self, connection: Connection, source: str) -> Acting:
        """In the name of the device that sent them, where it is one of ours."""
        known = select(stations.c.id).where(stations.c.ae_title == source, stations.c.ae_title != "")
        if connection.execute(known).first() is None:
            return self._acting
        return Acting(device_principal(source), self._trail)

    def _look(self, exam_id: int) -> None:
        with writing(self._engine) as connection:
            transfer.look(connection, exam_id, self._acting, self._settings)

    # -- what time brings

    def watch_once(self) -> int:
        """Tell of images that stay away, end exams of devices that tell of no end; returns how many were looked at."""
        now = clock.now()
        with reading(self._engine) as connection:
            late = select(exam_rows.c.id).where(
                exam_rows.c.state == State.ACQUIRED,
                exam_rows.c.finished_at < now - timedelta(seconds=self._settings.transfer_seconds),
            )
            due = set(connection.scalars(late.limit(5000)))
            quiet = _quiet(connection, now - timedelta(seconds=self._settings.quiet_seconds))
        self._looked &= due
        for exam_id in sorted(due - self._looked):
            self._safely(self._look, exam_id)
            self._looked.add(exam_id)
        for exam_id in quiet:
            self._safely(self._finish, exam_id)
        self._safely(overdue.look, self._engine)
        # nothing is left to do at once
        return 0

    def _finish(self, exam_id: int) -> None:
        with writing(self._engine) as connection:
            exams.advance(connection, exam_id, "T11", self._acting, source="timer")
            transfer.look(connection, exam_id, self._acting, self._settings)


def _told(connection: Connection, found: Iterable[Event]) -> _News:
    news = _News()
    for event in found:
        body = event.body
        if event.kind == "instances-stored":
            study_uid = str(body["study_uid"])
            news.studies.add(study_uid)
            news.sources.setdefault(study_uid, str(body["source"]))
            if body["source"] != "filmless":
                news.images[study_uid] += sum(transfer.is_image(one[0]) for one in body["instances"])
        elif event.kind in ("objects-rejected", "rejection-revoked"):
            for study_uid in images.studies_of_note(connection, str(body["note"])):
                news.studies.add(study_uid)
                if event.kind == "objects-rejected":
                    news.rejected[study_uid] = str(body["code"])
                else:
                    # the note itself does not come back
                    news.back[study_uid] += max(1, int(body["objects"]) - 1)
        elif event.kind == "commitment-asked":
            for study_uid in _studies_asked(connection, int(body["id"])):
                news.studies.add(study_uid)
                news.commitments.setdefault(study_uid, []).append(int(body["id"]))
        elif event.kind == "exam-images" or body.get("state") == State.ACQUIRED:
            news.exams.add(int(body["exam"]))
    return news


def _studies_asked(connection: Connection, commitment_id: int) -> list[str]:
    asked = connection.scalar(
        select(commitments.c.asked).where(commitments.c.id == commitment_id, commitments.c.role == "provider")
    )
    uids = [uid for _, uid in asked or ()]
    found: set[str] = set()
    for start in range(0, len(uids), 500):
        query = (
            select(studies.c.study_uid)
            .join(series, series.c.study == studies.c.id)
            .join(instances, instances.c.series == series.c.id)
            .where(instances.c.sop_instance_uid.in_(uids[start : start + 500]))
            .distinct()
        )
        found.update(connection.scalars(query))
    return sorted(found)


def _is_ours(connection: Connection, study_uid: str, source: str) -> bool:
    """Whether an exam ought to be known of a study: it comes from a station of ours, or is new. What is brought in from
    discs and other archives has none."""
    station = select(stations.c.id).where(stations.c.ae_title == source, stations.c.ae_title != "")
    if connection.execute(station).first() is not None:
        return True
    if connection.execute(select(stations.c.id).where(stations.c.active).limit(1)).first() is None:
        return False
    recent = (clock.now() - timedelta(days=_RECENT_DAYS)).astimezone().strftime("%Y%m%d")
    dated = connection.scalar(select(func.max(studies.c.study_date)).where(studies.c.study_uid == study_uid))
    return bool(dated) and dated >= recent


def _unmatched(connection: Connection, study_uid: str, found: images.Fit) -> None:
    doubtful = found.doubtful
    tasks.raise_task(
        connection,
        "unmatched-images",
        f"unmatched-images:{study_uid}",
        exam=doubtful.id if doubtful else None,
        study_uid=study_uid,
        body={"why": found.why or "unknown", **({"number": doubtful.number} if doubtful else {})},
    )


def _late(connection: Connection, exam: Exam, study_uid: str, count: int) -> None:
    """Images for an exam that is being read or was: those who read it have to look at them."""
    cause = f"late-images:{exam.id}"
    before = next((one for one in tasks.open_tasks(connection, exam=exam.id) if one.cause == cause), None)
    total = count + int(before.body.get("count", 0) if before else 0)
    body = {"count": total, "state": exam.state.value, "number": exam.number}
    task = tasks.raise_task(connection, "late-images", cause, exam=exam.id, study_uid=study_uid, body=body)
    tasks.renew(connection, task, body)


def _quiet(connection: Connection, before: datetime) -> list[int]:
    """Exams under way on stations that tell of no end, to which no image came since."""
    told = exists().where(performed_step_exams.c.exam == exam_rows.c.id)
    query = (
        select(exam_rows.c.id, stations.c.abilities, exam_rows.c.study_uid)
        .join(stations, stations.c.code == exam_rows.c.station)
        .where(
            exam_rows.c.state == State.IN_PROGRESS,
            exam_rows.c.images == "arriving",
            exam_rows.c.started_at < before,
            ~told,
        )
        .limit(500)
    )
    found: list[int] = []
    for row in connection.execute(query):
        if not (row.abilities or {}).get("auto_finish"):
            continue
        own = exams.studies_of(connection, exams.get(connection, row.id))
        newest = connection.scalar(
            select(func.max(series.c.last_arrival_at))
            .join(studies, studies.c.id == series.c.study)
            .where(studies.c.study_uid.in_(own))
        )
        if newest is not None and newest < before:
            found.append(row.id)
    return found
