"""The images follow a move, or its undoing: first the copies, then the rejection. Done again it does nothing twice."""

import logging
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, Select, func, select

from filmless.access.acting import Acting
from filmless.access.audit.model import Entry as AuditEntry
from filmless.access.audit.model import Kind as AuditKind
from filmless.access.model import SYSTEM
from filmless.archive import reject
from filmless.archive.copying import copied
from filmless.archive.model import Arrival, Kind, Source
from filmless.archive.query.instances import StoredInstance, instances_of
from filmless.archive.store import Archive
from filmless.archive.tables import instances, rejections, series
from filmless.db import events
from filmless.db.work import reading, writing
from filmless.department.identity import journal, stuck
from filmless.department.identity.alone import alone
from filmless.department.identity.journal import Entry
from filmless.department.identity.moving.telling import Telling, telling
from filmless.dicom.overlay import Layer
from filmless.kit.errors import Conflict, Defect, Unavailable
from filmless.kit.ids import uid_from
from filmless.patients.tables import identity_journal

log = logging.getLogger(__name__)

#: PS3.16 CID 7011
_PATIENT_SAFETY: Final = "113037"
#: by which the index knows that copies came from nowhere else
_SOURCE: Final = Source("moved", duplicates="keep-first")
#: copies made at once: their files are synced together
_THREADS: Final = 8


def settle(archive: Archive, acting: Acting, entry_id: int, *, seconds: float | None = None) -> int:
    """Let the images follow an entry, or its undoing. Returns how many were copied or put back; 0 where that was done.

    Where another one's images follow just now, waits at most `seconds` (None: as long as it takes).
    Raises Unavailable ("busy", "copy"), Defect where an object could not be copied: nothing is rejected then.
    """
    with alone(archive.root, "moves", seconds=seconds):
        with reading(archive.engine) as connection:
            entry = journal.get(connection, entry_id)
        if entry.undone_at is not None:
            return 0 if entry.body.get("settled") else _back(archive, acting, entry)
        return _forth(archive, acting, entry)


def late(connection: Connection, study_uid: str) -> list[int]:
    """Entries in force whose series of this study have images in use: what came late goes the same way."""
    return [
        one.id
        for one in journal.moves(connection, study=study_uid)
        if one.undone_at is None and not stuck.gone(connection, one) and _to_move(connection, one)
    ]


def unsettled(connection: Connection, before: datetime) -> list[int]:
    """Entries that were decided or undone before a moment and that the images have not followed yet."""
    query = (
        select(identity_journal.c.id, identity_journal.c.body)
        .where(
            identity_journal.c.kind == "move",
            func.coalesce(identity_journal.c.undone_at, identity_journal.c.at) < before,
        )
        .order_by(identity_journal.c.id.desc())
        .limit(500)
    )
    return [row.id for row in connection.execute(query) if not row.body.get("settled")]


def _forth(archive: Archive, acting: Acting, entry: Entry) -> int:
    with reading(archive.engine) as connection:
        gone = stuck.gone(connection, entry)
        found = [] if gone else _to_move(connection, entry)
        told = telling(connection, entry) if found else None
        made = _made(connection, entry)
    if gone:
        with writing(archive.engine) as connection:
            stuck.ask(connection, entry, "void")
        return 0
    if told is not None:
        with writing(archive.engine) as connection:
            if journal.held(connection, entry.id).undone_at is not None:
                return 0
            # also for what comes late: whoever dies here is followed
            journal.keep(connection, entry.id, {"settled": False})
        names = _names(entry, found)
        # what was copied before stays as it is, whatever the exam tells since
        left = [one for one in found if names[one.sop_instance] not in made]
        with ThreadPoolExecutor(_THREADS) as pool:
            for done in [pool.submit(_copy, archive, one, told, names) for one in left]:
                done.result()
        with reading(archive.engine) as connection:
            if journal.get(connection, entry.id).undone_at is not None or stuck.gone(connection, entry):
                # that is followed next
                return 0
        reject.reject(
            archive,
            SYSTEM,
            code=stuck.WRONG_ENTRY,
            by=entry.by[:64],
            reason=entry.reason,
            sop_uids=[one.sop_instance for one in found],
        )
    _followed(archive, acting, entry)
    return len(found)


def _followed(archive: Archive, acting: Acting, entry: Entry) -> None:
    """Say once for each rejection note that the images are where they belong; also of notes that somebody who died
    did not speak of. Not settled where it was undone meanwhile."""
    body = entry.body
    with writing(archive.engine) as connection:
        now = journal.held(connection, entry.id)
        said = list(now.body.get("notes", ()))
        notes = [one for one in _notes(connection, entry) if one not in said]
        if now.undone_at is None:
            if not notes and now.body.get("settled"):
                return
            journal.keep(connection, entry.id, {"settled": True, "notes": [*said, *notes]})
            stuck.settled(connection, entry)
        if not notes:
            return
        objects = _named(connection, notes)
        if now.undone_at is None:
            moved = {
                "journal": entry.id,
                "study": body["study"],
                "to": body["to"],
                "series": [uid_from(body["key"], one) for one in body["series"]],
                "notes": notes,
            }
            told = {"exam": body["exam"], "study_uid": body["to"]}
            events.record(connection, [("images-moved", moved), ("exam-images", told)])
        _tell(connection, acting, entry, stuck.WRONG_ENTRY, objects, "images moved")


def _back(archive: Archive, acting: Acting, entry: Entry) -> int:
    body = entry.body
    back = 0
    with reading(archive.engine) as connection:
        notes = _notes(connection, entry)
    for note in notes:
        try:
            back += reject.revoke(archive, note, by=acting.who.name[:64], reason=f"#{entry.id} undone")
        except Conflict:
            # a steward took it back before
            log.info("the note of entry #%d was revoked before", entry.id)
    with reading(archive.engine) as connection:
        made = [uid_from(body["key"], one) for one in body["series"]]
        found = _objects(connection, made, body["to"])
    if found:
        reject.reject(
            archive,
            SYSTEM,
            code=_PATIENT_SAFETY,
            by=entry.undone_by[:64] or "system",
            reason=f"#{entry.id} undone",
            sop_uids=[one.sop_instance for one in found],
        )
    with writing(archive.engine) as connection:
        journal.keep(connection, entry.id, {"settled": True})
        stuck.settled(connection, entry, undone=True)
        told = [{"exam": one, "study_uid": body["study"]} for one in body["from"]]
        told.append({"exam": body["exam"], "study_uid": body["to"]})
        events.record(connection, [("exam-images", one) for one in told])
        _tell(connection, acting, entry, _PATIENT_SAFETY, len(found), "move of images undone")
    return back


def _notes(connection: Connection, entry: Entry) -> list[str]:
    """Of the rejections in force that this entry made."""
    query = _rejections(entry, rejections.c.note_uid).where(rejections.c.revoked_at.is_(None))
    return list(connection.scalars(query.distinct()))


def _named(connection: Connection, notes: Collection[str]) -> int:
    """How many objects these notes name, besides themselves."""
    query = select(func.count()).where(
        rejections.c.note_uid.in_(notes), rejections.c.sop_instance_uid != rejections.c.note_uid
    )
    return connection.scalar(query) or 0


def _rejections(entry: Entry, what: ColumnElement[str]) -> Select[str]:
    return (
        select(what)
        .join(instances, instances.c.sop_instance_uid == rejections.c.sop_instance_uid)
        .join(series, series.c.id == instances.c.series)
        .where(
            series.c.series_uid.in_(entry.body["series"]),
            rejections.c.code == stuck.WRONG_ENTRY,
            rejections.c.at >= entry.at,
        )
    )


def _to_move(connection: Connection, entry: Entry) -> list[StoredInstance]:
    """What is still in use under the wrong exam, but for what a steward put back by revoking the rejection note."""
    found = _objects(connection, entry.body["series"], entry.body["study"])
    if not found:
        return []
    revoked = _rejections(entry, rejections.c.sop_instance_uid).where(rejections.c.revoked_at.is_not(None))
    put_back = set(connection.scalars(revoked))
    return [one for one in found if one.sop_instance not in put_back]


def _objects(connection: Connection, series_uids: Collection[str], study_uid: str) -> list[StoredInstance]:
    """In use."""
    found = instances_of(
        connection, SYSTEM, level="SERIES", study_uids=(study_uid,), series_uids=list(series_uids)
    )
    return list(found)


def _made(connection: Connection, entry: Entry) -> set[str]:
    """SOP Instance UIDs of the copies that are there."""
    made = [uid_from(entry.body["key"], one) for one in entry.body["series"]]
    query = (
        select(instances.c.sop_instance_uid)
        .join(series, series.c.id == instances.c.series)
        .where(series.c.series_uid.in_(made))
    )
    return set(connection.scalars(query))


def _names(entry: Entry, found: Collection[StoredInstance]) -> dict[str, str]:
    """The UIDs of the copies, by those of what is copied."""
    body = entry.body
    old = [*body["series"], *(one.sop_instance for one in found)]
    return {body["study"]: body["to"]} | {one: uid_from(body["key"], one) for one in old}


def _copy(archive: Archive, one: StoredInstance, told: Telling, names: Mapping[str, str]) -> None:
    own = {
        tag: {"vr": "UI", "Value": [names[uid]]}
        for tag, uid in (
            (0x00080018, one.sop_instance),
            (0x0020000D, one.study_uid),
            (0x0020000E, one.series_uid),
        )
    }
    whole = Layer({**told.layer.changes, **own}, told.layer.at)
    try:
        out = copied(one, archive.root, whole, names=names, without=told.without)
        arrival = Arrival(one.sop_class, names[one.sop_instance], out.transfer_syntax, _SOURCE)
        outcome = archive.store_blocking(arrival, out.chunks())
    except OSError as error:
        raise Unavailable(f"An image could not be copied: {error.strerror}.", code="copy") from error
    if outcome.kind not in (Kind.STORED, Kind.SAME, Kind.KEPT_FIRST):
        raise Defect(f"A copy was not stored: {outcome.kind}.", code="copy")


def _tell(connection: Connection, acting: Acting, entry: Entry, code: str, objects: int, what: str) -> None:
    """The audit entry; the last statement of its transaction."""
    acting.trail.record_in(
        connection,
        AuditEntry(
            AuditKind.REJECT,
            acting.who,
            host=acting.host,
            studies=(entry.body["study"], entry.body["to"]),
            what=what,
            detail={"code": code, "objects": objects, "journal": entry.id},
            reason=entry.reason,
        ),
    )
