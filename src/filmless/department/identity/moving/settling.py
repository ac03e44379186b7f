"""The images follow a move, or its undoing: first the copies, then the rejection. Done again it does nothing twice."""

import logging
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, select

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
from filmless.department.identity import journal
from filmless.department.identity.alone import alone
from filmless.department.identity.journal import Entry
from filmless.department.identity.moving.telling import Telling, telling
from filmless.dicom.overlay import Layer
from filmless.kit.errors import Conflict, Defect, Unavailable
from filmless.kit.ids import uid_from
from filmless.patients.tables import identity_journal

log = logging.getLogger(__name__)

#: PS3.16 CID 7011
_WRONG_ENTRY: Final = "113038"
_PATIENT_SAFETY: Final = "113037"
_MOST: Final = 20_000
#: by which the index knows that copies came from nowhere else
_SOURCE: Final = Source("moved")
#: copies made at once: their files are synced together
_THREADS: Final = 8


def settle(archive: Archive, acting: Acting, entry_id: int) -> int:
    """Let the images follow an entry, or its undoing. Returns how many were copied or put back; 0 where that was done.

    Raises Unavailable, Defect where an object could not be copied: nothing is rejected then.
    """
    with alone(archive.root):
        with reading(archive.engine) as connection:
            entry = journal.get(connection, entry_id)
        if entry.undone_at is not None:
            return 0 if entry.body.get("settled") else _back(archive, acting, entry)
        return _forth(archive, acting, entry)


def late(connection: Connection, study_uid: str) -> list[int]:
    """Entries in force whose series of this study have images in use: what came late goes the same way."""
    query = (
        select(identity_journal.c.id, identity_journal.c.body)
        .where(identity_journal.c.kind == "move", identity_journal.c.undone_at.is_(None))
        .order_by(identity_journal.c.id.desc())
        .limit(500)
    )
    found = [row for row in connection.execute(query) if row.body["study"] == study_uid]
    return [row.id for row in found if _objects(connection, row.body["series"], study_uid)]


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
    body = entry.body
    with reading(archive.engine) as connection:
        found = _objects(connection, body["series"], body["study"])
        told = telling(connection, entry) if found else None
    if told is None:
        _settled(archive, entry)
        return 0
    key = body["key"]
    names = {body["study"]: body["to"]}
    names |= {one: uid_from(key, one) for one in body["series"]}
    names |= {one.sop_instance: uid_from(key, one.sop_instance) for one in found}
    with ThreadPoolExecutor(_THREADS) as pool:
        for done in [pool.submit(_copy, archive, one, told, names) for one in found]:
            done.result()
    notes = reject.reject(
        archive,
        SYSTEM,
        code=_WRONG_ENTRY,
        by=entry.by[:64],
        reason=entry.reason,
        sop_uids=[one.sop_instance for one in found],
    )
    _tell(acting, entry, (body["study"], body["to"]), _WRONG_ENTRY, len(found), "images moved")
    _settled(archive, entry)
    with writing(archive.engine) as connection:
        events.record(
            connection,
            [
                (
                    "images-moved",
                    {
                        "journal": entry.id,
                        "study": body["study"],
                        "to": body["to"],
                        "series": [names[one] for one in body["series"]],
                        "notes": notes,
                    },
                ),
                ("exam-images", {"exam": body["exam"], "study_uid": body["to"]}),
            ],
        )
    return len(found)


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
    _tell(acting, entry, (body["study"], body["to"]), _PATIENT_SAFETY, len(found), "move of images undone")
    _settled(archive, entry)
    with writing(archive.engine) as connection:
        told = [{"exam": one, "study_uid": body["study"]} for one in body["from"]]
        told.append({"exam": body["exam"], "study_uid": body["to"]})
        events.record(connection, [("exam-images", one) for one in told])
    return back


def _notes(connection: Connection, entry: Entry) -> list[str]:
    """Of the rejections in force that this entry made."""
    query = (
        select(rejections.c.note_uid)
        .join(instances, instances.c.sop_instance_uid == rejections.c.sop_instance_uid)
        .join(series, series.c.id == instances.c.series)
        .where(
            series.c.series_uid.in_(entry.body["series"]),
            rejections.c.code == _WRONG_ENTRY,
            rejections.c.at >= entry.at,
            rejections.c.revoked_at.is_(None),
        )
        .distinct()
    )
    return list(connection.scalars(query))


def _objects(connection: Connection, series_uids: Collection[str], study_uid: str) -> list[StoredInstance]:
    found = instances_of(
        connection, SYSTEM, level="SERIES", study_uids=(study_uid,), series_uids=list(series_uids)
    )
    kept = list(found)
    if len(kept) > _MOST:
        raise Conflict(f"More than {_MOST:,} objects: move series by series.", code="too-many")
    return kept


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


def _settled(archive: Archive, entry: Entry) -> None:
    with writing(archive.engine) as connection:
        journal.keep(connection, entry.id, {"settled": True})


def _tell(
    acting: Acting, entry: Entry, studies_: tuple[str, ...], code: str, objects: int, what: str
) -> None:
    acting.trail.record_late(
        AuditEntry(
            AuditKind.REJECT,
            acting.who,
            host=acting.host,
            studies=studies_,
            what=what,
            detail={"code": code, "objects": objects, "journal": entry.id},
            reason=entry.reason,
        )
    )
