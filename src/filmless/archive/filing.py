"""Where an object is filed: the rows of its patient, study and series, their counts and lists, and its own.

Everything here is done in the transaction of archive/publish.py, which decides what is filed at all.
"""

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from filmless.archive import entry as entries
from filmless.archive import rejection
from filmless.archive.entry import Entry
from filmless.archive.tables import (
    attribute_values,
    instance_warnings,
    instances,
    quarantine,
    series,
    studies,
    versions,
)
from filmless.db.prepared import Prepared
from filmless.kit import clock
from filmless.kit.errors import Defect
from filmless.patients import service as patients

_PLACES = 4096


@dataclass(frozen=True, slots=True)
class Known:
    """The object in the archive under an arriving SOP Instance UID."""

    instance: int
    series: int
    version: int
    key: str
    path: str
    offset: int
    size: int
    sha256: str
    transfer_syntax_uid: str
    rejected: str


@dataclass(slots=True)
class Place:
    """Row ids of what an object belongs to."""

    series: int
    study: int
    patient: int


@dataclass(frozen=True, slots=True)
class Lists:
    """What a study's row listed when we changed it last: true as long as its `changed_at` is still ours."""

    modalities: frozenset[str]
    classes: frozenset[str]
    changed_at: datetime


@dataclass(slots=True)
class Work:
    """What one transaction gathers before it writes."""

    new_places: dict[tuple[Any, ...], Place] = field(default_factory=dict)
    version_rows: list[dict[str, Any]] = field(default_factory=list)
    instance_rows: list[dict[str, Any]] = field(default_factory=list)
    value_rows: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    warning_rows: list[dict[str, Any]] = field(default_factory=list)
    quarantine_rows: list[dict[str, Any]] = field(default_factory=list)
    arrived: dict[int, tuple[Place, list[Entry]]] = field(default_factory=dict)
    visible: dict[int, int] = field(default_factory=dict)
    recount: set[int] = field(default_factory=set)
    notes: list[Entry] = field(default_factory=list)
    lists: dict[int, Lists] = field(default_factory=dict)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    happened: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


class Filing:
    """Finds places and counts what comes to them. What it remembers spares questions to the index; one thread."""

    def __init__(self) -> None:
        self._places: OrderedDict[tuple[Any, ...], Place] = OrderedDict()
        self._lists: OrderedDict[int, Lists] = OrderedDict()

    def forget(self) -> None:
        """Nothing is certain any more: a transaction failed."""
        self._places.clear()
        self._lists.clear()

    def remember(self, work: Work) -> None:
        """Keep what a transaction found, now that it has committed."""
        self._places.update(work.new_places)
        self._lists.update(work.lists)
        for kept in (self._places, self._lists):
            while len(kept) > _PLACES:
                kept.popitem(last=False)

    def place(self, connection: Connection, entry: Entry, work: Work) -> Place:
        """Where the entry belongs; rows of its patient, study and series are made where there are none."""
        source = entry.arrival.source
        key = (
            entry.series_uid,
            entry.study_uid,
            source.character_set,
            source.default_issuer,
            *entry.identity_words(),
        )
        place = self._places.get(key) or work.new_places.get(key)
        if place is None:
            place = work.new_places[key] = _find_or_create(connection, entry, work)
        return place

    def count(self, connection: Connection, work: Work) -> None:
        """Count what arrived in its series and studies, and announce it."""
        now = clock.now()
        _COUNT_SERIES.run(
            connection,
            [
                {
                    "the_series": series_id,
                    "visible": work.visible[series_id],
                    "arrived": len(arrived),
                    "now": now,
                }
                # in one order, so that two processes do not wait for each other
                for series_id, (_, arrived) in sorted(work.arrived.items())
            ],
        )
        by_study: dict[int, list[int]] = {}
        for series_id, (place, _) in work.arrived.items():
            by_study.setdefault(place.study, []).append(series_id)
        for study_id, series_ids in sorted(by_study.items()):
            new = [
                entry
                for series_id in series_ids
                if work.visible[series_id]
                for entry in work.arrived[series_id][1]
            ]
            row = {
                "the_study": study_id,
                "visible": sum(work.visible[series_id] for series_id in series_ids),
                "now": now,
            }
            self._count_study(connection, row, new, work)
        for series_id, (_, arrived) in work.arrived.items():
            work.happened.append(
                (
                    "instances-stored",
                    {
                        "series_id": series_id,
                        "study_uid": arrived[0].study_uid,
                        "series_uid": arrived[0].series_uid,
                        "source": arrived[0].arrival.source.name,
                        "instances": [[entry.sop_class_uid, entry.sop_instance_uid] for entry in arrived],
                    },
                )
            )

    def _count_study(self, connection: Connection, row: dict[str, Any], new: list[Entry], work: Work) -> None:
        """Count new objects, and list their modalities and classes where they are new too."""
        study = row["the_study"]
        modalities = {text for entry in new if (text := entry.text(0x00080060).replace("\0", "")[:16])}
        classes = {entry.sop_class_uid for entry in new}
        last = self._lists.get(study)
        if (
            last is not None
            and modalities <= last.modalities
            and classes <= last.classes
            # nobody else has touched the study since we did: only the numbers change
            and _COUNT_KNOWN_STUDY.run(connection, [{**row, "before": last.changed_at}]) == 1
        ):
            work.lists[study] = Lists(last.modalities, last.classes, row["now"])
            return
        read = _LOCK_STUDY if connection.dialect.name == "postgresql" else _READ_STUDY
        rows = read.all(connection, {"the_study": study})
        if not rows:
            raise Defect("a study vanished while its images arrived")
        shown, classes_json = rows[0]
        # the drivers differ in what they make of JSON
        classes |= set(json.loads(classes_json) if isinstance(classes_json, str) else classes_json)
        modalities |= set(filter(None, shown.split("\\")))
        _COUNT_STUDY.run(
            connection,
            [
                {
                    **row,
                    "new_modalities": rejection.joined(modalities),
                    "new_classes": sorted(classes),
                }
            ],
        )
        work.lists[study] = Lists(frozenset(modalities), frozenset(classes), row["now"])


def write_rows(connection: Connection, work: Work) -> None:
    """Rows of the objects themselves: versions, instances, and what belongs to them."""
    if work.version_rows:
        _INSERT_VERSION.run(connection, work.version_rows)
        _INSERT_INSTANCE.run(connection, work.instance_rows)
    if work.warning_rows:
        connection.execute(insert(instance_warnings), work.warning_rows)
    if work.quarantine_rows:
        connection.execute(insert(quarantine), work.quarantine_rows)
    if work.value_rows:
        _write_instance_values(connection, work)


def _find_or_create(connection: Connection, entry: Entry, work: Work) -> Place:
    now = entry.file.received_at
    patient, _ = patients.find_or_create(connection, entries.identity(entry), entry.study_uid, now)
    same_uid = connection.execute(
        select(studies.c.id, studies.c.patient).where(studies.c.study_uid == entry.study_uid)
    ).all()
    study = next((row.id for row in same_uid if row.patient == patient), None)
    values = entries.sequence_values(entry)
    if study is None:
        study = connection.execute(
            insert(studies)
            .values(
                **entries.study_row(entry), patient=patient, sop_classes=[], created_at=now, changed_at=now
            )
            .returning(studies.c.id)
        ).scalar_one()
        _write_values(connection, "study", study, values)
        _write_values(connection, "patient", patient, values)
        for row in same_uid:
            patients.flag(connection, "study-two-patients", row.patient, patient, entry.study_uid, now)
        work.happened.append(("study-created", {"study_uid": entry.study_uid, "study_id": study}))
    series_id = connection.scalar(
        select(series.c.id).where(series.c.series_uid == entry.series_uid, series.c.study == study)
    )
    if series_id is None:
        series_id = connection.execute(
            insert(series)
            .values(**entries.series_row(entry), study=study, created_at=now, last_arrival_at=now)
            .returning(series.c.id)
        ).scalar_one()
        _write_values(connection, "series", series_id, values)
    return Place(series_id, study, patient)


def _write_values(connection: Connection, level: str, owner: int, values: Sequence[tuple[str, Any]]) -> None:
    rows = [{"level": level, "owner": owner, **row} for at, row in values if at == level]
    if not rows:
        return
    if level == "patient":
        # a patient is known from many studies: each value once
        listed = set(
            map(
                tuple,
                connection.execute(
                    select(attribute_values.c.path, attribute_values.c.value).where(
                        attribute_values.c.level == level, attribute_values.c.owner == owner
                    )
                ),
            )
        )
        rows = [row for row in rows if (row["path"], row["value"]) not in listed]
    if rows:
        connection.execute(insert(attribute_values), rows)


def _write_instance_values(connection: Connection, work: Work) -> None:
    """Rows of the values in sequences, for instances that have their row already."""
    uids = {uid for _, uid, _ in work.value_rows}
    owners = {
        row.sop_instance_uid: row.id
        for row in connection.execute(
            select(instances.c.id, instances.c.sop_instance_uid).where(instances.c.sop_instance_uid.in_(uids))
        )
    }
    connection.execute(
        insert(attribute_values),
        [{"level": level, "owner": owners[uid], **row} for level, uid, row in work.value_rows],
    )


_INSERT_VERSION = Prepared(
    insert(versions),
    [column.name for column in versions.c if column.name != "verified_at"],
)
_INSERT_INSTANCE = Prepared(insert(instances), [column.name for column in instances.c if column.name != "id"])
_COUNT_SERIES = Prepared(
    update(series)
    .where(series.c.id == bindparam("the_series"))
    .values(
        instance_count=series.c.instance_count + bindparam("visible"),
        generation=series.c.generation + bindparam("arrived"),
        last_arrival_at=bindparam("now"),
    )
)
_STUDY = select(studies.c.modalities, studies.c.sop_classes).where(studies.c.id == bindparam("the_study"))
_READ_STUDY, _LOCK_STUDY = Prepared(_STUDY), Prepared(_STUDY.with_for_update())
_COUNTED = (
    update(studies)
    .where(studies.c.id == bindparam("the_study"))
    .values(
        instance_count=studies.c.instance_count + bindparam("visible"),
        # those that have something to show
        series_count=select(func.count())
        .select_from(series)
        .where(series.c.study == bindparam("the_study"), series.c.instance_count > 0)
        .scalar_subquery(),
        changed_at=bindparam("now"),
    )
)
_COUNT_STUDY = Prepared(
    _COUNTED.values(
        modalities=bindparam("new_modalities"),
        sop_classes=bindparam("new_classes", type_=studies.c.sop_classes.type),
    )
)
_COUNT_KNOWN_STUDY = Prepared(_COUNTED.where(studies.c.changed_at == bindparam("before")))
_KNOWN_QUERY = (
    select(
        instances.c.id,
        instances.c.series,
        instances.c.version,
        versions.c.key,
        versions.c.path,
        versions.c.offset,
        versions.c.size,
        versions.c.sha256,
        versions.c.transfer_syntax_uid,
        instances.c.rejected,
    )
    .join(versions, versions.c.id == instances.c.version)
    .where(instances.c.sop_instance_uid == bindparam("uid"))
)
_KNOWN, _KNOWN_LOCKED = Prepared(_KNOWN_QUERY), Prepared(_KNOWN_QUERY.with_for_update())


def known(connection: Connection, uids: list[str]) -> dict[str, Known]:
    """What the archive has under these SOP Instance UIDs; locked until the transaction ends (PostgreSQL)."""
    query = _KNOWN_LOCKED if connection.dialect.name == "postgresql" else _KNOWN
    found: dict[str, Known] = {}
    for uid in uids:
        for row in query.all(connection, {"uid": uid}):
            found[uid] = Known(*row)
    return found
