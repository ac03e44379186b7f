"""Rejecting by hand: builds the rejection note and hands it to ingest like any other object."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, select, update

from filmless.access.model import Principal
from filmless.archive import ledger, levels, rejection
from filmless.archive.leaving import leaving
from filmless.archive.model import REJECTION_CODES, Arrival, Kind, Source
from filmless.archive.query.instances import StoredInstance, instances_of
from filmless.archive.store import Archive
from filmless.archive.tables import rejections
from filmless.archive.whose import issuer_of
from filmless.db.work import reading, writing
from filmless.dicom.builders.kos import Reference, rejection_note
from filmless.dicom.uids import EXPLICIT_VR_LE
from filmless.kit import clock
from filmless.kit.errors import Conflict, Defect, Refused


@dataclass(frozen=True, slots=True)
class Rejection:
    """One rejection note, with how many objects it names."""

    note_uid: str
    code: str
    objects: int
    at: datetime
    by: str
    reason: str
    revoked_at: datetime | None
    revoked_by: str
    revoke_reason: str


def reject(
    archive: Archive,
    principal: Principal,
    *,
    code: str,
    by: str,
    reason: str,
    study_uids: Sequence[str] = (),
    series_uids: Sequence[str] = (),
    sop_uids: Sequence[str] = (),
) -> list[str]:
    """Reject these objects under a code of REJECTION_CODES. Returns the notes' SOP Instance UIDs, one per study.

    Raises Refused where the code or the reason is missing, or nothing visible is named.
    """
    if code not in REJECTION_CODES:
        known = ", ".join(f"{one} ({words})" for one, words in REJECTION_CODES.items())
        raise Refused(f"The code of a rejection is one of {known}.", code="unknown-code")
    if not reason.strip():
        raise Refused("A reason is needed: it is kept with the rejection.", code="no-reason")
    with reading(archive.engine) as connection:
        found = list(
            instances_of(
                connection,
                principal,
                level="IMAGE" if sop_uids else "SERIES" if series_uids else "STUDY",
                study_uids=study_uids,
                series_uids=series_uids,
                sop_uids=sop_uids,
            )
        )
        # a note that quality control sees is revoked, not rejected in its turn
        notes_among = _notes_among(connection, [one.sop_instance for one in found])
    found = [one for one in found if one.sop_instance not in notes_among]
    if not found:
        raise Refused("There is no such object in the archive.", code="unknown-object")
    notes = []
    for _, group in groupby(sorted(found, key=lambda one: one.study_uid), key=lambda one: one.study_uid):
        notes.append(_reject_in_study(archive, list(group), code, by, reason))
    return notes


def _notes_among(connection: Connection, sop_instance_uids: Sequence[str]) -> set[str]:
    """Which of these objects are rejection notes."""
    found: set[str] = set()
    for start in range(0, len(sop_instance_uids), 500):
        part = sop_instance_uids[start : start + 500]
        found.update(
            connection.scalars(
                select(rejections.c.note_uid).where(rejections.c.note_uid.in_(part)).distinct()
            )
        )
    return found


def _reject_in_study(archive: Archive, found: list[StoredInstance], code: str, by: str, reason: str) -> str:
    first = found[0]
    # of the patient as corrected: the note stands beside what it names
    header = leaving(first, archive.root).header(levels.WANTED)
    note = rejection_note(
        header,
        [Reference(one.series_uid, one.sop_class, one.sop_instance) for one in found],
        code,
        reason=reason,
        at=clock.now(),
    )
    ledger.write(
        archive.root, [{"what": "reject", "note": note.sop_instance_uid, "by": by, "reason": reason}]
    )
    with reading(archive.engine) as connection:
        source = Source("filmless", default_issuer=issuer_of(connection, first.version))
    outcome = archive.store_blocking(
        Arrival(note.sop_class_uid, note.sop_instance_uid, EXPLICIT_VR_LE, source), [note.data_set]
    )
    if outcome.kind is not Kind.STORED:
        raise Defect("The rejection note was not stored.", code="note")
    with writing(archive.engine) as connection:
        connection.execute(
            update(rejections)
            .where(rejections.c.note_uid == note.sop_instance_uid)
            .values(by=by, reason=reason)
        )
    return note.sop_instance_uid


def revoke(archive: Archive, note_uid: str, *, by: str, reason: str) -> int:
    """Take a rejection back. Returns how many objects are there again."""
    if not reason.strip():
        raise Refused("A reason is needed: it is kept with the revocation.", code="no-reason")
    with writing(archive.engine) as connection:
        rejection.lock(connection, alone=True)
        rows = connection.execute(
            select(rejections.c.revoked_at).where(rejections.c.note_uid == note_uid)
        ).all()
        if not rows:
            raise Refused("There is no rejection note of that UID.", code="unknown-note")
        if all(row.revoked_at is not None for row in rows):
            raise Conflict("It was revoked before.", code="revoked")
        now = clock.now()
        changed = rejection.revoke(connection, note_uid, by=by, reason=reason, at=now)
        ledger.write(
            archive.root,
            [{"at": now.isoformat(), "what": "revoke", "note": note_uid, "by": by, "reason": reason}],
        )
    return changed


def notes(connection: Connection, *, limit: int = 100, include_revoked: bool = False) -> list[Rejection]:
    """Rejection notes, newest first, at most `limit`."""
    query = select(rejections).order_by(rejections.c.id.desc())
    if not include_revoked:
        query = query.where(rejections.c.revoked_at.is_(None))
    found: dict[str, list[Any]] = {}
    for row in connection.execute(query.execution_options(yield_per=500)):
        if row.note_uid not in found and len(found) == limit:
            break
        found.setdefault(row.note_uid, []).append(row)
    return [_rejection(uid, rows) for uid, rows in found.items()]


def show(connection: Connection, note_uid: str) -> tuple[Rejection, list[str]]:
    """One rejection and the SOP Instance UIDs that it names. Raises Refused where there is no such note."""
    rows = connection.execute(
        select(rejections).where(rejections.c.note_uid == note_uid).order_by(rejections.c.id)
    ).all()
    if not rows:
        raise Refused("There is no rejection note of that UID.", code="unknown-note")
    named = [row.sop_instance_uid for row in rows if row.sop_instance_uid != note_uid]
    return _rejection(note_uid, rows), named


def _rejection(uid: str, rows: Sequence[Any]) -> Rejection:
    return Rejection(
        uid,
        rows[0].code,
        sum(row.sop_instance_uid != uid for row in rows),
        rows[0].at,
        rows[0].by,
        rows[0].reason,
        rows[0].revoked_at,
        rows[0].revoked_by,
        rows[0].revoke_reason,
    )
