"""Making objects visible: the one place where the index learns of them, many in one transaction.

The bytes are durable before they come here. A transaction decides for every object what it is (new, the same again,
another one under a known UID, not fit for the archive), writes rows, ledger lines and events, and commits. Only then
is anybody told.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

from filmless.archive import entry as entries
from filmless.archive import filing, ledger, rejection, search_keys
from filmless.archive.corrections.applying import Corrections, NotCorrectable
from filmless.archive.entry import Entry
from filmless.archive.filing import Filing, Known, Place, Work
from filmless.archive.model import CAUSES, ArchiveSettings, Cause, Kind, Outcome
from filmless.archive.tables import (
    attribute_values,
    instance_warnings,
    instances,
    quarantine,
    versions,
)
from filmless.db import events
from filmless.db.work import reading
from filmless.kit import clock, ids
from filmless.kit.errors import Conflict, Defect, FilmlessError, Unavailable

log = logging.getLogger(__name__)

_ATTEMPTS = 5
#: when a batch has failed, its objects are tried one by one for so long; seconds
_PATIENCE = 60.0


class NotDurable(Exception):
    """Raised by `before_commit` where a file of the batch could not be synced: nothing of it must commit."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A person takes an object out of quarantine."""

    quarantined: int
    by: str
    reason: str


@dataclass(slots=True)
class Item:
    """An entry on its way into the index."""

    entry: Entry
    #: set by the comparison: the version key it was compared with, and whether it is the same object
    compared_with: str = ""
    same: bool = False
    #: decided before, by a person or by the ledger: "replace", "quarantine", "keep-first", "" for the policy
    decided: str = ""
    #: recorded in the transaction that makes the object visible
    acceptance: Acceptance | None = None


@dataclass(slots=True)
class Result:
    """What the transaction decided; exactly one of the first three is set."""

    outcome: Outcome | None = None
    #: the archive has another file under this UID: compare, then publish again
    compare: Known | None = None
    error: FilmlessError | None = None
    #: the file is not needed: delete it. An error without it leaves in doubt whether the index knows the file.
    drop_file: bool = False
    #: comes again in a later transaction: its UID is in this one already
    later: bool = False


class Publisher:
    """Publishes entries. One thread at a time per Publisher; several processes may publish at once."""

    def __init__(self, engine: Engine, root: Path, settings: ArchiveSettings) -> None:
        self._engine = engine
        self._root = root
        self._settings = settings
        self._filing = Filing()
        self._corrections = Corrections(root)
        self._connection: Connection | None = None
        #: the last transaction got as far as its commit
        self._committing = False

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """As db.work.writing, on one connection that is kept: taking one anew costs as much as two statements."""
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(filmless_write=True)
        try:
            with self._connection.begin():
                yield self._connection
        except BaseException:
            self.close()
            raise

    def publish(
        self,
        items: Sequence[Item],
        before_commit: Callable[[], None] | None = None,
        *,
        keep_ledger: bool = True,
    ) -> list[Result]:
        """Decide and record all items; one result each. Never raises for one bad item among good ones.

        `before_commit` is called when all is written but nothing is visible: whatever it raises undoes all, and
        NotDurable is raised here.

        `keep_ledger=False` where the ledger is being read back (rebuild).
        """
        return self._publish(items, before_commit, keep_ledger, in_doubt=False)

    def _publish(
        self,
        items: Sequence[Item],
        before_commit: Callable[[], None] | None,
        keep_ledger: bool,
        *,
        in_doubt: bool,
    ) -> list[Result]:
        error: Exception | None = None
        for _ in range(_ATTEMPTS if len(items) == 1 else 1):
            try:
                return self._transaction(items, before_commit, keep_ledger)
            except NotDurable:
                raise
            except Exception as broken:
                # whatever it is: what is wrong with one object must not touch the others
                log.debug("a transaction failed", exc_info=True)
                self._filing.forget()
                in_doubt = in_doubt or self._committing
                error = broken
                if not isinstance(broken, IntegrityError | OperationalError):
                    break
        assert error is not None
        if len(items) == 1:
            return [self._failed(items[0], error, in_doubt)]
        # one of them is at fault, or another process made the same study: each for itself
        until = time.monotonic() + _PATIENCE
        results: list[Result] = []
        for item in items:
            if time.monotonic() > until:
                results.append(self._failed(item, error, in_doubt))
            else:
                results += self._publish([item], before_commit, keep_ledger, in_doubt=in_doubt)
        return results

    def _failed(self, item: Item, error: Exception, in_doubt: bool) -> Result:
        log.error("could not index %s: %s", item.entry.sop_instance_uid, type(error).__name__)
        # a connection that breaks during a commit does not say whether it happened
        drop_file = not in_doubt or self._knows(item.entry.file.path) is False
        return Result(error=_in_words(error), drop_file=drop_file)

    def _knows(self, path: str) -> bool | None:
        """Whether the index has this file; None where it cannot be asked."""
        try:
            with reading(self._engine) as connection:
                return any(
                    connection.scalar(select(table.c.id).where(table.c.path == path)) is not None
                    for table in (versions, quarantine)
                )
        except SQLAlchemyError:
            return None

    def _transaction(
        self, items: Sequence[Item], before_commit: Callable[[], None] | None, keep_ledger: bool
    ) -> list[Result]:
        work = Work()
        self._committing = False
        with self._writing() as connection:
            uids = [item.entry.sop_instance_uid for item in items if item.entry.cause is None]
            rejection.lock(connection, alone=any(item.entry.note is not None for item in items))
            if self._corrections.begin(connection):
                # studies may have moved to other patients
                self._filing.forget()
            search_keys.read_for(connection, self._root, [item.entry for item in items])
            known = filing.known(connection, uids)
            rejected = rejection.codes_in_force(connection, uids) if uids else {}
            results: list[Result] = []
            seen: set[str] = set()
            for item in items:
                uid = item.entry.sop_instance_uid
                if uid and uid in seen:
                    results.append(Result(later=True))
                    continue
                seen.add(uid)
                results.append(self._decide(connection, item, known.get(uid), rejected.get(uid, ""), work))
                if item.acceptance is not None:
                    _accept(connection, item, item.acceptance, work)
            self._write(connection, work)
            if before_commit is not None:
                try:
                    before_commit()
                except Exception as error:
                    # without its word nothing may commit, now or at another attempt
                    raise NotDurable from error
            if keep_ledger:
                ledger.write(self._root, work.decisions)
            self._committing = True
        self._filing.remember(work)
        return results

    # deciding

    def _decide(
        self, connection: Connection, item: Item, known: Known | None, rejected: str, work: Work
    ) -> Result:
        entry = item.entry
        if entry.cause is not None:
            return self._quarantine(connection, entry, entry.cause, Kind.QUARANTINED, work)
        try:
            return self._file(connection, item, known, rejected, work)
        except NotCorrectable:
            # it would leave with the errors that were put right
            return self._quarantine(connection, entry, Cause.UNREADABLE, Kind.QUARANTINED, work)

    def _file(
        self, connection: Connection, item: Item, known: Known | None, rejected: str, work: Work
    ) -> Result:
        entry, hidden = item.entry, bool(rejected)
        if known is None:
            if item.decided in ("quarantine", "keep-first"):
                # read back from the ledger: the first object was purged since
                return self._quarantine(connection, entry, Cause.DIFFERENT_OBJECT, Kind.QUARANTINED, work)
            self._add(connection, entry, rejected, work)
            return Result(Outcome(Kind.STORED, entry.sop_instance_uid, None, tuple(entry.warnings), hidden))
        if known.key == entry.file.key:
            # a commit whose answer was lost on the way did happen: this very file is the object in the archive
            return Result(Outcome(Kind.STORED, entry.sop_instance_uid, None, tuple(entry.warnings), hidden))
        if item.decided not in ("quarantine", "keep-first", "replace"):
            identical = (
                known.sha256 == entry.file.sha256
                and known.transfer_syntax_uid == entry.arrival.transfer_syntax_uid
            )
            if not identical and item.compared_with != known.key:
                return Result(compare=known)
            if identical or item.same:
                if self._file_is_there(known.path, known.offset + known.size):
                    return Result(Outcome(Kind.SAME, entry.sop_instance_uid, hidden=hidden), drop_file=True)
                log.warning("the file of %s was gone and has come again", entry.sop_instance_uid)
                self._replace(connection, entry, known, rejected, work, old_state="purged")
                return Result(Outcome(Kind.STORED, entry.sop_instance_uid, hidden=hidden))
        policy = item.decided or entry.arrival.source.duplicates or self._settings.duplicates
        if policy == "replace":
            self._replace(connection, entry, known, rejected, work)
            work.decisions.append({"what": "replace", "key": entry.file.key, "over": known.key})
            return Result(Outcome(Kind.REPLACED, entry.sop_instance_uid, None, tuple(entry.warnings), hidden))
        kind = Kind.KEPT_FIRST if policy == "keep-first" else Kind.QUARANTINED
        return self._quarantine(connection, entry, Cause.DIFFERENT_OBJECT, kind, work)

    def _file_is_there(self, path: str, size: int) -> bool:
        try:
            return (self._root / path).stat().st_size == size
        except OSError:
            return False

    def _quarantine(
        self, connection: Connection, entry: Entry, cause: Cause, kind: Kind, work: Work
    ) -> Result:
        row = entries.quarantine_row(entry, cause, CAUSES[cause])
        outcome = Outcome(kind, row["sop_instance_uid"], cause, tuple(entry.warnings))
        for again in connection.execute(
            select(quarantine.c.path, quarantine.c.offset, quarantine.c.size).where(
                quarantine.c.sop_instance_uid == row["sop_instance_uid"],
                quarantine.c.sha256 == entry.file.sha256,
                quarantine.c.cause == cause.value,
                quarantine.c.state == "waiting",
            )
        ):
            if again.path == entry.file.path:
                # a commit whose answer was lost on the way did happen
                return Result(outcome)
            if self._file_is_there(again.path, again.offset + again.size):
                # a sender that tries again and again must not fill the quarantine
                return Result(outcome, drop_file=True)
        row["state"] = "waiting"
        work.quarantine_rows.append(row)
        work.decisions.append(
            {
                "what": "keep-first" if kind is Kind.KEPT_FIRST else "quarantine",
                "key": entry.file.key,
                "cause": cause.value,
            }
        )
        work.happened.append(
            ("object-quarantined", {"cause": cause.value, "sop_instance_uid": row["sop_instance_uid"]})
        )
        return Result(outcome)

    # placing

    def _add(self, connection: Connection, entry: Entry, rejected: str, work: Work) -> None:
        entry, correction = self._corrections.over(connection, entry)
        place = self._filing.place(connection, entry, work)
        version = ids.new_number()
        work.version_rows.append({"id": version, **entries.version_row(entry)})
        work.instance_rows.append(
            {
                **entries.instance_row(entry),
                "series": place.series,
                "version": version,
                "rejected": rejected,
                "correction": correction,
                "created_at": entry.file.received_at,
            }
        )
        self._note_arrival(entry, place, work, visible=not rejected)

    def _replace(
        self,
        connection: Connection,
        entry: Entry,
        known: Known,
        rejected: str,
        work: Work,
        *,
        old_state: str = "superseded",
    ) -> None:
        entry, correction = self._corrections.over(connection, entry)
        place = self._filing.place(connection, entry, work)
        version = ids.new_number()
        connection.execute(update(versions).where(versions.c.id == known.version).values(state=old_state))
        connection.execute(insert(versions).values(id=version, **entries.version_row(entry)))
        row = entries.instance_row(entry)
        connection.execute(
            update(instances)
            .where(instances.c.id == known.instance)
            .values(**row, series=place.series, version=version, rejected=rejected, correction=correction)
        )
        connection.execute(
            delete(attribute_values).where(
                attribute_values.c.level == "instance", attribute_values.c.owner == known.instance
            )
        )
        connection.execute(
            delete(instance_warnings).where(instance_warnings.c.sop_instance_uid == entry.sop_instance_uid)
        )
        work.recount.update((known.series, place.series))
        work.happened.append(("instance-replaced", {"sop_instance_uid": entry.sop_instance_uid}))
        self._note_arrival(entry, place, work, visible=False)

    def _note_arrival(self, entry: Entry, place: Place, work: Work, *, visible: bool) -> None:
        work.arrived.setdefault(place.series, (place, []))[1].append(entry)
        work.visible[place.series] = work.visible.get(place.series, 0) + visible
        for level, row in entries.sequence_values(entry):
            if level == "instance":
                work.value_rows.append((level, entry.sop_instance_uid, dict(row)))
        work.warning_rows += [
            {"sop_instance_uid": entry.sop_instance_uid, "tag": tag, "text": text}
            for tag, text in entry.warnings
        ]
        if entry.note is not None:
            work.notes.append(entry)

    # writing

    def _write(self, connection: Connection, work: Work) -> None:
        filing.write_rows(connection, work)
        if work.arrived:
            self._filing.count(connection, work)
        for entry in work.notes:
            assert entry.note is not None
            rejection.apply_note(
                connection,
                note_uid=entry.sop_instance_uid,
                code=entry.note.code,
                sop_instance_uids=entry.note.sop_instance_uids,
                by=entry.arrival.source.name,
                reason="",
                at=entry.file.received_at,
            )
            work.happened.append(
                ("objects-rejected", {"note": entry.sop_instance_uid, "code": entry.note.code})
            )
        if work.recount:
            rejection.recount(connection, work.recount)
        events.record(connection, work.happened)


def _accept(connection: Connection, item: Item, acceptance: Acceptance, work: Work) -> None:
    now = clock.now()
    done = connection.execute(
        update(quarantine)
        .where(quarantine.c.id == acceptance.quarantined, quarantine.c.state == "waiting")
        .values(state="accepted", decided_at=now, decided_by=acceptance.by, reason=acceptance.reason)
    )
    if done.rowcount != 1:
        raise Conflict("Somebody else has just decided it.", code="decided")
    work.decisions.append(
        {
            "at": now.isoformat(),
            "what": "accept",
            "key": item.entry.file.key,
            "by": acceptance.by,
            "reason": acceptance.reason,
        }
    )
    decided = {"id": acceptance.quarantined, "state": "accepted", "by": acceptance.by}
    work.happened.append(("quarantine-decided", decided))


def _in_words(error: Exception | None) -> FilmlessError:
    if isinstance(error, FilmlessError):
        return error
    if isinstance(error, OperationalError):
        return Unavailable("the index is busy or out of space; send the object again", code="index-busy")
    if isinstance(error, OSError):
        return Unavailable("the disk did not take the object; send it again", code="disk")
    return Defect("the object could not be indexed; it was not stored", code="index")
