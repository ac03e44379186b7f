"""Who acts on the command line, and the entry of the act in the audit trail."""

import dataclasses
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine

from filmless.access.audit.model import Entry, Kind
from filmless.access.audit.trail import Trail
from filmless.access.model import ENGINEER, Principal
from filmless.app.cli.output import who
from filmless.app.settings import Settings
from filmless.app.trail import open_trail


def engineer() -> Principal:
    """ "engineer/" and the account of the machine: no account of ours can be named so."""
    return dataclasses.replace(ENGINEER, name=f"{ENGINEER.name}/{who()}"[:80])


class Act:
    """One act, told when it has ended: that it was done, or that it failed and why."""

    def __init__(self, trail: Trail, kind: Kind, what: str, reason: str) -> None:
        self.trail = trail
        self.by = engineer()
        self._kind = kind
        self._what = what
        self._reason = reason
        self._studies: dict[str, None] = {}
        self._patients: tuple[str, ...] = ()
        self._detail: dict[str, Any] = {}
        self._told = False

    def about(self, studies: Iterable[str] = (), patients: Iterable[str] = (), **detail: Any) -> None:
        """What it is about, as soon as it is known. `patients`: where they are not those of the studies."""
        self._patients = (*self._patients, *patients)
        self._studies |= dict.fromkeys(uid for uid in studies if uid)
        self._detail |= detail

    def done_in(self, connection: Connection) -> None:
        """It was done: told in the transaction that does it."""
        self.trail.record_in(connection, self._entry())
        self._told = True

    def tell(self, error: BaseException | None = None) -> None:
        """It has ended. Each study is told by itself where there are several (PS3.15: one patient for a message)."""
        if self._told and error is None:
            return
        self._told = True
        if error is None:
            for entry in self._each(self._entry()):
                self.trail.record(entry)
        else:
            why = getattr(error, "message", None) or str(error) or type(error).__name__
            failed = dataclasses.replace(self._entry(), outcome="failed")
            self.trail.record_late(dataclasses.replace(failed, detail={**self._detail, "error": why}))

    def _entry(self) -> Entry:
        return Entry(
            self._kind,
            self.by,
            studies=tuple(self._studies),
            patients=self._patients,
            what=self._what,
            detail=dict(self._detail),
            reason=self._reason,
        )

    def _each(self, entry: Entry) -> Iterator[Entry]:
        if len(entry.studies) < 2:
            yield entry
        else:
            for uid in entry.studies:
                yield dataclasses.replace(entry, studies=(uid,))


@contextmanager
def acting(settings: Settings, engine: Engine, kind: Kind, what: str, reason: str = "") -> Iterator[Act]:
    """An act of the command line; what is raised inside is told as its failure, and goes on."""
    with open_trail(settings, engine, "command") as trail:
        act = Act(trail, kind, what, reason)
        try:
            yield act
        except BaseException as error:
            act.tell(error)
            raise
        act.tell()
