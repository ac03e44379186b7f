"""The index made again from the files and the ledger, with the same answers as before."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, delete, select, update

from filmless.archive import blobs, doubts, ledger, rejection, store_id
from filmless.archive.blobs import BlobStore, read_label
from filmless.archive.codecs import Codecs
from filmless.archive.corrections import ledgered, returning
from filmless.archive.entry import File, read_entry, scan_file
from filmless.archive.model import ArchiveSettings, Arrival, Cause, Kind, Source
from filmless.archive.publish import Item, Publisher, Result
from filmless.archive.tables import (
    attribute_values,
    corrections,
    instance_warnings,
    instances,
    quarantine,
    rejections,
    series,
    studies,
    versions,
)
from filmless.db.work import writing
from filmless.dicom import part10
from filmless.kit.errors import FilmlessError
from filmless.patients.tables import identity_flags, patient_sounds, patients

_BATCH = 500
#: in an order that foreign keys allow
_TABLES = (
    attribute_values, instance_warnings, corrections, quarantine, rejections, instances, versions, series, studies,
    identity_flags, patient_sounds, patients,
)  # fmt: skip


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild made. `unused` files are those that no answer needs: (path, why)."""

    objects: int = 0
    quarantined: int = 0
    unused: list[tuple[str, str]] = field(default_factory=list)


def rebuild(
    engine: Engine,
    root: Path,
    settings: ArchiveSettings,
    progress: Callable[[Rebuilt], None] | None = None,
) -> Rebuilt:
    """Empty the index and fill it from the store at `root`. No server may run on it meanwhile.

    Devices, jobs, the event log and storage commitments stay as they are. Cut off, it leaves an index that is not
    whole; until another rebuild has ended, no Archive starts on it.
    """
    decisions, acts = _read_ledger(root)
    blobs.mark_index_unfinished(root)
    with writing(engine) as connection:
        for table in _TABLES:
            connection.execute(delete(table))
        store_id.rebuilt(connection, root)
        # first, so that objects are filed with them
        ledgered.bring_back(connection, acts)
    done = Rebuilt()
    publisher = Publisher(engine, root, settings)
    codecs = Codecs(root.parent / "scratch")
    try:
        # folders are of one day, and keys sort by time: so objects come in the order in which they came
        for _, paths in groupby(BlobStore(engine, root).files(), key=lambda path: path[:10]):
            by_time = sorted(paths, key=lambda path: path.rpartition("/")[2])
            for start in range(0, len(by_time), _BATCH):
                items = [
                    item
                    for path in by_time[start : start + _BATCH]
                    if (item := _item(root, path, decisions, done)) is not None
                ]
                _publish(publisher, codecs, engine, root, items, done)
                if progress is not None:
                    progress(done)
        _act(engine, publisher, root, acts, done)
        blobs.mark_index_finished(root)
    finally:
        codecs.close()
        publisher.close()
    return done


def _read_ledger(root: Path) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """Decisions taken at arrival, by version key; and those taken later, in their order."""
    at_arrival: dict[str, dict[str, Any]] = {}
    later: list[dict[str, Any]] = []
    for line in ledger.read(root):
        if line.get("what") in ("quarantine", "keep-first", "replace"):
            # the first line is of the arrival; an acceptance writes another one
            at_arrival.setdefault(line["key"], line)
        else:
            later.append(line)
    return at_arrival, later


def _item(root: Path, path: str, decisions: dict[str, dict[str, Any]], done: Rebuilt) -> Item | None:
    try:
        with (root / path).open("rb") as file:
            meta = part10.read_meta(file)
            size = file.seek(0, 2) - meta.data_set_offset
    except (OSError, FilmlessError) as error:
        done.unused.append((path, f"cannot be read: {error}"))
        return None
    label = read_label(meta.private_information)
    if label is None or label.size != size:
        done.unused.append((path, "is unfinished: its sender was never told success"))
        return None
    decision = decisions.get(label.key, {})
    source = Source(label.source, label.character_set, label.default_issuer)
    arrival = Arrival(meta.sop_class_uid, meta.sop_instance_uid, meta.transfer_syntax_uid, source)
    header = scan_file(root / path, meta.data_set_offset, size, meta.transfer_syntax_uid)
    file_facts = File(label.key, path, meta.data_set_offset, size, label.sha256, label.received_at)
    entry = read_entry(arrival, file_facts, header)
    what = decision.get("what", "")
    if what in ("quarantine", "keep-first") and decision.get("cause") != Cause.DIFFERENT_OBJECT.value:
        entry.cause = Cause(decision["cause"])
    return Item(entry, decided=what)


def _publish(
    publisher: Publisher, codecs: Codecs, engine: Engine, root: Path, items: list[Item], done: Rebuilt
) -> None:
    waiting = items
    while waiting:
        again: list[Item] = []
        for item, result in zip(waiting, publisher.publish(waiting, keep_ledger=False), strict=True):
            if result.later:
                again.append(item)
            elif result.compare is not None:
                _compare(codecs, engine, root, item, result)
                again.append(item)
            elif result.error is not None:
                done.unused.append((item.entry.file.path, result.error.message))
            elif result.drop_file:
                done.unused.append((item.entry.file.path, "is the same object again"))
            elif result.outcome is not None and result.outcome.kind in (Kind.QUARANTINED, Kind.KEPT_FIRST):
                done.quarantined += 1
            else:
                done.objects += 1
        waiting = again


def _compare(codecs: Codecs, engine: Engine, root: Path, item: Item, result: Result) -> None:
    known = result.compare
    assert known is not None
    item.compared_with = known.key
    try:
        item.same = returning.same_blocking(codecs, engine, root, item.entry, known)
    except (FilmlessError, OSError):
        item.same = False


def _act(engine: Engine, publisher: Publisher, root: Path, acts: list[dict[str, Any]], done: Rebuilt) -> None:
    """Decisions that people took later: in their order, through the same rules."""
    for act in acts:
        at = datetime.fromisoformat(act["at"])
        if act["what"] == "revoke":
            with writing(engine) as connection:
                rejection.revoke(connection, act["note"], by=act["by"], reason=act["reason"], at=at)
        elif act["what"] == "reject":
            with writing(engine) as connection:
                connection.execute(
                    update(rejections)
                    .where(rejections.c.note_uid == act["note"])
                    .values(by=act["by"], reason=act["reason"])
                )
        elif act["what"] == "rejected":
            # a note whose file was purged since
            with writing(engine) as connection:
                rejection.apply_note(
                    connection,
                    note_uid=act["note"],
                    code=act["code"],
                    sop_instance_uids=act["objects"],
                    by=act["by"],
                    reason=act["reason"],
                    at=datetime.fromisoformat(act["rejected_at"]),
                )
        elif act["what"] == doubts.WHAT:
            with writing(engine) as connection:
                doubts.settled_again(connection, act, at)
        elif act["what"] in ("accept", "discard"):
            with writing(engine) as connection:
                row = connection.execute(select(quarantine).where(quarantine.c.key == act["key"])).first()
                if row is None:
                    continue
                connection.execute(
                    update(quarantine)
                    .where(quarantine.c.id == row.id)
                    .values(
                        state="accepted" if act["what"] == "accept" else "discarded",
                        decided_at=at,
                        decided_by=act["by"],
                        reason=act["reason"],
                    )
                )
            if act["what"] == "accept":
                done.quarantined -= 1
                done.objects += 1
                arrival = Arrival(
                    row.sop_class_uid,
                    row.sop_instance_uid,
                    row.transfer_syntax_uid,
                    Source(row.source, row.character_set, row.default_issuer),
                )
                file = File(row.key, row.path, row.offset, row.size, row.sha256, row.received_at)
                header = scan_file(root / row.path, row.offset, row.size, row.transfer_syntax_uid)
                publisher.publish(
                    [Item(read_entry(arrival, file, header), decided="replace")], keep_ledger=False
                )
