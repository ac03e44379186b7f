"""Rejection: objects leave every answer without leaving the disk (IHE RAD IOCM; PS3.16 CID 7011).

A rejection is a key object selection document like any other object; ingest applies it in the transaction that
stores it. It may come before the objects that it names, and it can be revoked.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, func, insert, select, update

from filmless.archive.tables import instances, rejections, series, studies
from filmless.db import events
from filmless.db.prepared import Prepared
from filmless.kit import clock

#: held by arriving objects together, by whatever changes rejections alone
_LOCK = 0x46494C4F


def lock(connection: Connection, *, alone: bool) -> None:
    """Keep rejections as they are until this transaction ends; `alone` for who changes them.

    First thing in the transaction, on PostgreSQL, where several write at once: an object that arrives while the
    note that names it is written would see no rejection, and the note no object. SQLite has one writer.
    """
    if connection.dialect.name == "postgresql":
        shared = "" if alone else "_shared"
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock{shared}({_LOCK})")


def codes_in_force(connection: Connection, sop_instance_uids: Iterable[str]) -> dict[str, str]:
    """The rejection in force for each of the objects that has one: the first that was made."""
    found: dict[str, str] = {}
    for uid in sop_instance_uids:
        for row in _IN_FORCE.all(connection, {"uid": uid}):
            found[uid] = row[0]
    return found


_IN_FORCE = Prepared(
    select(rejections.c.code)
    .where(rejections.c.sop_instance_uid == bindparam("uid"), rejections.c.revoked_at.is_(None))
    # the same after a rebuild, which may read notes in another order
    .order_by(rejections.c.at, rejections.c.id)
    .limit(1)
)


def apply_note(
    connection: Connection,
    *,
    note_uid: str,
    code: str,
    sop_instance_uids: Iterable[str],
    by: str,
    reason: str,
    at: datetime,
) -> int:
    """Put a rejection note in force, in the caller's transaction. Returns how many known objects it hides."""
    # the note itself goes with its objects: it names them
    wanted = [*dict.fromkeys(sop_instance_uids), note_uid]
    known = set(
        connection.scalars(select(rejections.c.sop_instance_uid).where(rejections.c.note_uid == note_uid))
    )
    rows = [
        {
            "note_uid": note_uid,
            "code": code,
            "sop_instance_uid": uid,
            "at": at,
            "by": by,
            "reason": reason,
        }
        for uid in wanted
        if uid not in known
    ]
    if rows:
        connection.execute(insert(rejections), rows)
    return refresh(connection, wanted)


def refresh(connection: Connection, sop_instance_uids: Iterable[str]) -> int:
    """Make the instances agree with the rejections in force, and their series and studies with them."""
    wanted = list(sop_instance_uids)
    changed = 0
    touched_series: set[int] = set()
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        in_force = codes_in_force(connection, part)
        for row in connection.execute(
            select(
                instances.c.id, instances.c.sop_instance_uid, instances.c.rejected, instances.c.series
            ).where(instances.c.sop_instance_uid.in_(part))
        ).all():
            code = in_force.get(row.sop_instance_uid, "")
            if code != row.rejected:
                connection.execute(update(instances).where(instances.c.id == row.id).values(rejected=code))
                touched_series.add(row.series)
                changed += 1
    if touched_series:
        recount(connection, touched_series)
    return changed


def recount(connection: Connection, series_ids: Iterable[int]) -> None:
    """Counts, modalities and classes of these series and their studies, from the instances that are not rejected."""
    touched_studies: set[int] = set()
    now = clock.now()
    wanted = sorted(series_ids)
    # whoever is just adding to them finishes first (PostgreSQL): counted is what is committed
    connection.execute(
        select(series.c.id).where(series.c.id.in_(wanted)).order_by(series.c.id).with_for_update()
    )
    for series_id in wanted:
        count = connection.scalar(
            select(func.count())
            .select_from(instances)
            .where(instances.c.series == series_id, instances.c.rejected == "")
        )
        connection.execute(
            update(series)
            .where(series.c.id == series_id)
            .values(instance_count=count, generation=series.c.generation + 1, last_arrival_at=now)
        )
        touched_studies.update(connection.scalars(select(series.c.study).where(series.c.id == series_id)))
    connection.execute(
        select(studies.c.id).where(studies.c.id.in_(touched_studies)).order_by(studies.c.id).with_for_update()
    )
    for study_id in touched_studies:
        counted = connection.execute(
            select(func.count(), func.coalesce(func.sum(series.c.instance_count), 0)).where(
                series.c.study == study_id, series.c.instance_count > 0
            )
        ).one()
        modalities = connection.scalars(
            select(series.c.modality)
            .distinct()
            .where(series.c.study == study_id, series.c.instance_count > 0, series.c.modality != "")
            .order_by(series.c.modality)
        ).all()
        classes = connection.scalars(
            select(instances.c.sop_class_uid)
            .distinct()
            .join(series, series.c.id == instances.c.series)
            .where(series.c.study == study_id, instances.c.rejected == "")
            .order_by(instances.c.sop_class_uid)
        ).all()
        connection.execute(
            update(studies)
            .where(studies.c.id == study_id)
            .values(
                series_count=counted[0],
                instance_count=counted[1],
                modalities=joined(modalities),
                sop_classes=list(classes),
                changed_at=now,
            )
        )


def joined(modalities: Iterable[str]) -> str:
    """Modalities as one column holds them: sorted, parted by backslashes, at most 256 characters."""
    text = ""
    for modality in sorted(set(modalities)):
        longer = f"{text}\\{modality}" if text else modality
        if len(longer) > 256:
            break
        text = longer
    return text


def revoke(connection: Connection, note_uid: str, *, by: str, reason: str, at: datetime) -> int:
    """Take a rejection back, in the caller's transaction: its objects are there again. Returns how many."""
    lock(connection, alone=True)
    uids = connection.scalars(
        select(rejections.c.sop_instance_uid).where(
            rejections.c.note_uid == note_uid, rejections.c.revoked_at.is_(None)
        )
    ).all()
    connection.execute(
        update(rejections)
        .where(and_(rejections.c.note_uid == note_uid, rejections.c.revoked_at.is_(None)))
        .values(revoked_at=at, revoked_by=by, revoke_reason=reason)
    )
    # the note stays out of sight: it says what is no longer true
    changed = refresh(connection, [uid for uid in uids if uid != note_uid])
    if uids:
        events.record(connection, [("rejection-revoked", {"note": note_uid, "objects": len(uids)})])
    return changed
