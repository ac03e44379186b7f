"""Images follow in the worker too: what a process that died left undone, and what comes later under an old ID."""

import logging
from pathlib import Path

from sqlalchemy import Connection

from filmless.access.acting import Acting
from filmless.access.audit.trail import Trail
from filmless.access.model import SYSTEM
from filmless.archive.store import Archive
from filmless.db import events
from filmless.db.events import Event
from filmless.db.work import reading, writing
from filmless.department import exams
from filmless.department.identity import journal, overlay, voiding
from filmless.department.states import State
from filmless.kit.errors import FilmlessError
from filmless.patients.persons import DEMOGRAPHIC

log = logging.getLogger(__name__)

READER = "identity"
_KINDS = ("identity-changed", "person-changed", "series-settled", "exam-changed", "exam-images")
_EVENTS = 200


class Follower:
    """Reads the event log; in the worker, once for a server."""

    def __init__(self, archive: Archive, root: Path, trail: Trail) -> None:
        """`root`: the store's."""
        self._archive = archive
        self._root = root
        self._acting = Acting(SYSTEM, trail)

    def run_once(self) -> int:
        """Follow the next events; returns how many there were."""
        engine = self._archive.engine
        with reading(engine) as connection:
            behind = events.position(connection, READER)
            found = events.after(connection, behind, kinds=_KINDS, limit=_EVENTS)
        for event in found:
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
        engine, body = self._archive.engine, event.body
        if event.kind == "identity-changed":
            with reading(engine) as connection:
                entry = journal.get(connection, body["journal"])
            if not entry.body.get("settled"):
                overlay.settle(engine, self._root, self._acting, entry.id)
            return
        if event.kind == "exam-changed" and body["state"] == State.VOID:
            voiding.take_out(self._archive, body["exam"], self._acting)
            return
        for uid in self._studies(event):
            # who changed the person meant his images too
            self._agree(uid, sure=event.kind == "person-changed")

    def _studies(self, event: Event) -> list[str]:
        body = event.body
        with reading(self._archive.engine) as connection:
            if event.kind == "person-changed" and DEMOGRAPHIC & set(body["what"]):
                return of_person(connection, body["person"])
            if event.kind == "series-settled":
                return [body["study_uid"]]
            if event.kind == "exam-images" or (event.kind == "exam-changed" and body["transition"] == "T09"):
                return exams.studies_of(connection, exams.get(connection, body["exam"]))
        return []

    def _agree(self, uid: str, *, sure: bool) -> None:
        engine = self._archive.engine
        reason = "As the department knows the person and the exam."
        overlay.agree(engine, self._root, self._acting, uid, reason=reason, sure=sure)
        with reading(engine) as connection:
            attached = exams.of_study(connection, uid)
        if attached and all(one.state is State.VOID for one in attached):
            voiding.take_out(self._archive, attached[0].id, self._acting)


def of_person(connection: Connection, person: int) -> list[str]:
    """Study Instance UIDs of all exams of a person."""
    found: dict[str, None] = {}
    for exam in exams.of_person(connection, person, limit=1000):
        found |= dict.fromkeys(exams.studies_of(connection, exam))
    return list(found)
