"""Images follow in the worker too: what a process that died left undone, and what comes later under an old ID."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine

from filmless.access.acting import Acting
from filmless.access.audit.trail import Trail
from filmless.access.model import SYSTEM
from filmless.archive.store import Archive
from filmless.db import events
from filmless.db.events import Event
from filmless.db.work import reading, writing
from filmless.department import exams, tasks
from filmless.department.identity import journal, matching, moving, overlay, stuck, voiding
from filmless.department.identity.alone import alone
from filmless.department.images import studies_of_note
from filmless.department.states import State
from filmless.kit import clock
from filmless.kit.errors import FilmlessError
from filmless.patients.persons import DEMOGRAPHIC

log = logging.getLogger(__name__)

READER = "identity"
#: after which an unmatched exam of the green channel becomes a task
LATE = timedelta(hours=24)
_KINDS = (
    "identity-changed",
    "person-changed",
    "instances-stored",
    "series-settled",
    "exam-changed",
    "exam-images",
    "objects-rejected",
    "rejection-revoked",
)
_EVENTS = 200
#: ways after which an exam is none any more, or is one again
_GOES_OR_COMES = ("T28", "T29", "T30", "T30A", "T31")
#: after which images that did not follow are tried again
_AGAIN = timedelta(minutes=2)


class Follower:
    """Reads the event log; in the worker, once for a server."""

    def __init__(
        self, engine: Engine, root: Path, trail: Trail, archive: Callable[[], AbstractContextManager[Archive]]
    ) -> None:
        """`root`: the store's. `archive` opens the way in, for the notes that take images of void exams out of use."""
        self._engine = engine
        self._archive = archive
        self._root = root
        self._acting = Acting(SYSTEM, trail)

    def run_once(self) -> int:
        """Follow the next events; returns how many there were."""
        engine = self._engine
        with reading(engine) as connection:
            behind = events.position(connection, READER)
            found = events.after(connection, behind, kinds=_KINDS, limit=_EVENTS)
        # an exam's images come in many events: one look is enough
        stored = {event.body["study_uid"]: event.seq for event in found if event.kind == "instances-stored"}
        for event in found:
            if event.kind == "instances-stored" and stored[event.body["study_uid"]] != event.seq:
                continue
            try:
                self._follow(event)
            except FilmlessError as error:
                # what cannot be told anew is no reason to let what comes after it wait
                log.warning("event %d (%s) is not followed: %s", event.seq, event.kind, error.message)
        if found:
            with writing(engine) as connection:
                events.advance(connection, READER, found[-1].seq)
        return len(found)

    def _follow(self, event: Event) -> None:
        engine, body = self._engine, event.body
        if event.kind == "identity-changed":
            with reading(engine) as connection:
                entry = journal.get(connection, body["journal"])
            if not entry.body.get("settled"):
                self._settle(entry)
            return
        if event.kind in ("objects-rejected", "rejection-revoked"):
            self._look_twice(str(body["note"]))
            return
        if event.kind == "exam-changed" and body["transition"] in _GOES_OR_COMES:
            with writing(engine) as connection:
                stuck.look_at(connection, body["exam"])
        if event.kind == "exam-changed" and body["state"] == State.VOID:
            self._take_out(body["exam"])
            return
        for uid in self._studies(event):
            # who changed the person meant his images too
            self._agree(uid, sure=event.kind == "person-changed")

    def _settle(self, entry: journal.Entry) -> None:
        if entry.kind != "move":
            overlay.settle(self._engine, self._root, self._acting, entry.id)
            return
        with self._archive() as archive:
            moving.settle(archive, self._acting, entry.id)

    def _look_twice(self, note: str) -> None:
        with reading(self._engine) as connection:
            named = studies_of_note(connection, note)
            moved = [uid for uid in named if journal.moves(connection, study=uid)]
        if moved:
            with writing(self._engine) as connection:
                for uid in moved:
                    stuck.look_twice(connection, uid)

    def _studies(self, event: Event) -> list[str]:
        body = event.body
        with reading(self._engine) as connection:
            if event.kind == "person-changed" and DEMOGRAPHIC & set(body["what"]):
                return of_person(connection, body["person"])
            if event.kind in ("instances-stored", "series-settled"):
                return [body["study_uid"]]
            if event.kind == "exam-images" or (event.kind == "exam-changed" and body["transition"] == "T09"):
                return exams.studies_of(connection, exams.get(connection, body["exam"]))
        return []

    def _agree(self, uid: str, *, sure: bool) -> None:
        engine = self._engine
        reason = "As the department knows the person and the exam."
        with alone(self._root):
            overlay.agree(engine, self._root, self._acting, uid, reason=reason, sure=sure)
        with reading(engine) as connection:
            attached, moved = exams.of_study(connection, uid), moving.late(connection, uid)
        if moved:
            # what comes late goes where the rest of its series went
            with self._archive() as archive:
                for entry in moved:
                    moving.settle(archive, self._acting, entry)
        if attached and all(one.state is State.VOID for one in attached):
            self._take_out(attached[0].id)

    def _take_out(self, exam: int) -> None:
        with reading(self._engine) as connection:
            if not voiding.to_take_out(connection, exam):
                return
        with self._archive() as archive:
            voiding.take_out(archive, exam, self._acting)

    def _go_on(self) -> None:
        with reading(self._engine) as connection:
            waiting = moving.unsettled(connection, clock.now() - _AGAIN)
        if not waiting:
            return
        with self._archive() as archive:
            for entry in waiting:
                try:
                    moving.settle(archive, self._acting, entry)
                except (FilmlessError, OSError) as error:
                    log.warning("images of entry #%d are not moved yet: %s", entry, error)
                    with writing(self._engine) as connection:
                        stuck.ask(connection, journal.get(connection, entry), "waiting")

    def watch_once(self) -> int:
        """Raise a task for each exam of the green channel that nobody has matched for a day, and let images go on that
        could not be moved before; returns 0."""
        self._go_on()
        with reading(self._engine) as connection:
            late = [one for one in matching.waiting(connection) if one.since < clock.now() - LATE]
            known = {one.exam for one in tasks.open_tasks(connection, kinds=["unmatched-green"], limit=1000)}
        missing = [one.exam for one in late if one.exam.id not in known]
        if missing:
            with writing(self._engine) as connection:
                for exam in missing:
                    cause = f"unmatched-green:{exam.id}"
                    body = {"number": exam.number}
                    tasks.raise_task(connection, "unmatched-green", cause, exam=exam.id, body=body)
        return 0


def of_person(connection: Connection, person: int) -> list[str]:
    """Study Instance UIDs of all exams of a person."""
    found: dict[str, None] = {}
    for exam in exams.of_person(connection, person, limit=1000):
        found |= dict.fromkeys(exams.studies_of(connection, exam))
    return list(found)
