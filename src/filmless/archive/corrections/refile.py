"""Rows of patients, studies, series and instances made anew, so that the index says what objects leave with.

All of it in the transaction of the correction, with arrivals kept out (rejection.lock). The rows become what ingest
would have made of the same objects in the same order, so that a rebuild gives the same answers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from filmless.archive import entry as entries
from filmless.archive import levels, rejection, searchable
from filmless.archive.corrections.applying import STORED, entry_of
from filmless.archive.corrections.model import IDENTIFYING
from filmless.archive.entry import Entry
from filmless.archive.tables import attribute_values, instances, series, studies
from filmless.db import events
from filmless.kit import clock
from filmless.kit.errors import Conflict
from filmless.patients import service as patients
from filmless.patients.tables import patients as patients_table

_ROWS = 500


def _told_of_patients(keys: searchable.SearchKeys) -> frozenset[int]:
    """Attributes that the row of a patient holds, or that belong to it."""
    return frozenset(levels.PATIENT) | {key.tags[0] for key in keys.keys if key.level == "patient"}


@dataclass(slots=True)
class _Group:
    """Objects of one series that belong together; `ids` None for the whole series. `patient` is whose they are now,
    then whose they become."""

    study: int
    series: int
    study_uid: str
    series_uid: str
    first: int
    entry: Entry
    ids: list[int] | None = None
    patient: int = 0
    target: int = 0


@dataclass(slots=True)
class Refiled:
    """What changed. `prepared`: paths below the home of what is no longer needed, to be deleted after the commit."""

    study_uids: list[str] = field(default_factory=list)
    #: IDs of the patients to whom the studies belonged, and belong
    patient_ids: set[str] = field(default_factory=set)
    prepared: list[str] = field(default_factory=list)


def refile(
    connection: Connection,
    root: Path,
    study_ids: Iterable[int],
    tags: frozenset[int],
    *,
    why: str,
    apart: bool = False,
) -> Refiled:
    """Place these studies anew, whose instances have their new overlays already.

    `tags`: what was corrected; only where it tells whose objects these are they may move. `why` is kept with settled
    flags. `apart`: objects of one study may be of different patients from now on. Then each is looked at; otherwise
    they stay together, and the first of each series speaks for it.
    """
    return _Refiling(connection, root, tags, why, apart=apart).do(sorted(set(study_ids)))


def renew_instances(connection: Connection, root: Path, rows: Iterable[Any]) -> None:
    """Rows of instances (of STORED) made anew from their objects, where what they hold was corrected."""
    keys = searchable.read(connection)
    for row in rows:
        entry = entry_of(root, row, keys.wanted)
        connection.execute(
            update(instances).where(instances.c.id == row.id).values(**entries.instance_row(entry))
        )
        _write_values(connection, "instance", row.id, entry, keys)


class _Refiling:
    def __init__(
        self, connection: Connection, root: Path, tags: frozenset[int], why: str, *, apart: bool
    ) -> None:
        self.connection = connection
        self.root = root
        self.why = why
        self.moves = bool(tags & IDENTIFYING)
        self.apart = apart and self.moves
        self.keys = searchable.read(connection)
        self.of_patients = self.moves or bool(tags & _told_of_patients(self.keys))
        self.done = Refiled()
        self.touched_series: set[int] = set()
        self.touched_studies: set[int] = set()
        self.touched_patients: set[int] = set()

    def do(self, study_ids: Sequence[int]) -> Refiled:
        groups = [group for study in study_ids for group in self._groups(study)]
        groups.sort(key=lambda group: group.first)
        self._note_patients()
        leaving = self._leaving(study_ids)
        for group in groups if self.moves else []:
            group.patient = patients.place(
                self.connection, entries.identity(group.entry), group.study_uid, leaving
            )
            self.touched_patients.add(group.patient)
        by_uid: dict[str, list[_Group]] = {}
        for group in groups:
            by_uid.setdefault(group.study_uid, []).append(group)
        for uid, mine in by_uid.items():
            self._seat_study(uid, mine, set(study_ids))
            self.done.study_uids.append(uid)
        for group in groups:
            self._move(group, groups)
        self._sweep(study_ids)
        for series_id in sorted(self.touched_series):
            self._renew_series(series_id)
        for study_id in sorted(self.touched_studies):
            self._renew_study(study_id)
        for patient in sorted(self.touched_patients) if self.of_patients else []:
            self._renew_patient(patient)
        self._note_patients()
        rejection.recount(self.connection, self.touched_series)
        return self.done

    def _note_patients(self) -> None:
        self.done.patient_ids.update(
            self.connection.scalars(
                select(patients_table.c.patient_id).where(
                    patients_table.c.id.in_(self.touched_patients), patients_table.c.patient_id != ""
                )
            )
        )

    # who belongs where

    def _groups(self, study_id: int) -> list[_Group]:
        """The series of a study; where they may come apart, by the patients that their objects name."""
        row = self.connection.execute(select(studies).where(studies.c.id == study_id)).one()
        self.touched_patients.add(row.patient)
        found: list[_Group] = []
        for one in self.connection.execute(
            select(series.c.id, series.c.series_uid).where(series.c.study == study_id).order_by(series.c.id)
        ).all():
            self.touched_series.add(one.id)
            if not self.apart:
                first = self._first(instances.c.series == one.id)
                if first is not None:
                    entry = entry_of(self.root, first, self.keys.wanted)
                    found.append(
                        _Group(
                            study_id,
                            one.id,
                            row.study_uid,
                            one.series_uid,
                            first.id,
                            entry,
                            None,
                            row.patient,
                        )
                    )
                continue
            parts: dict[tuple[Any, ...], _Group] = {}
            for stored in self.connection.execute(
                STORED.where(instances.c.series == one.id).order_by(instances.c.id)
            ).all():
                plain = entry_of(self.root, stored, number=0)
                words = (stored.correction, stored.default_issuer, *plain.identity_words())
                group = parts.get(words)
                if group is None:
                    entry = entry_of(self.root, stored, self.keys.wanted)
                    group = parts[words] = _Group(
                        study_id, one.id, row.study_uid, one.series_uid, stored.id, entry, [], row.patient
                    )
                assert group.ids is not None
                group.ids.append(stored.id)
            if len(parts) == 1:
                next(iter(parts.values())).ids = None
            found += parts.values()
        return found

    def _leaving(self, study_ids: Sequence[int]) -> set[int]:
        """Patients all of whose studies are being placed."""
        found = set()
        for patient in list(self.touched_patients):
            own = self.connection.scalars(select(studies.c.id).where(studies.c.patient == patient)).all()
            if set(own) <= set(study_ids):
                found.add(patient)
        return found

    def _seat_study(self, uid: str, groups: list[_Group], placed: set[int]) -> None:
        """A row of the study for each of its patients: the one there is, one that is left by its own, a new one."""
        rows = {
            row.patient: row.id
            for row in self.connection.execute(
                select(studies.c.id, studies.c.patient).where(studies.c.study_uid == uid)
            )
        }
        wanted = list(dict.fromkeys(group.patient for group in groups))
        free = [row for patient, row in rows.items() if patient not in wanted and row in placed]
        for patient in wanted:
            target = rows.get(patient)
            first = next(group for group in groups if group.patient == patient)
            if target is None and free:
                target = first.study if first.study in free else free[0]
                free.remove(target)
                self.connection.execute(update(studies).where(studies.c.id == target).values(patient=patient))
            elif target is None:
                now = clock.now()
                target = self.connection.execute(
                    insert(studies)
                    .values(
                        **entries.study_row(first.entry),
                        patient=patient,
                        sop_classes=[],
                        created_at=first.entry.file.received_at,
                        changed_at=now,
                    )
                    .returning(studies.c.id)
                ).scalar_one()
                for other in rows:
                    patients.flag(self.connection, "study-two-patients", other, patient, uid)
                events.record(self.connection, [("study-created", {"study_uid": uid, "study_id": target})])
            rows[patient] = target
            self.touched_studies.add(target)
            for group in groups:
                if group.patient == patient:
                    group.target = target

    def _move(self, group: _Group, groups: list[_Group]) -> None:
        """Bring a group's objects into its series of the study where they belong now."""
        there = self.connection.scalar(
            select(series.c.id).where(series.c.series_uid == group.series_uid, series.c.study == group.target)
        )
        if there == group.series:
            if group.ids is not None:
                self._bring(group, there)
            return
        if there is not None and any(
            one.series == there and one.target != group.target for one in groups if one.ids is None
        ):
            raise Conflict(
                "Two studies change places: correct one of them after the other.", code="entangled"
            )
        if there is None and group.ids is None:
            self.connection.execute(
                update(series).where(series.c.id == group.series).values(study=group.target)
            )
            return
        if there is None:
            there = self.connection.execute(
                insert(series)
                .values(
                    **entries.series_row(group.entry),
                    study=group.target,
                    created_at=group.entry.file.received_at,
                    last_arrival_at=clock.now(),
                )
                .returning(series.c.id)
            ).scalar_one()
        self.touched_series.add(there)
        self._bring(group, there)

    def _bring(self, group: _Group, series_id: int) -> None:
        moving = update(instances).values(series=series_id)
        if group.ids is None:
            self.connection.execute(moving.where(instances.c.series == group.series))
            return
        for start in range(0, len(group.ids), _ROWS):
            part = group.ids[start : start + _ROWS]
            self.connection.execute(moving.where(instances.c.id.in_(part)))

    def _sweep(self, study_ids: Sequence[int]) -> None:
        """Series and studies from which everything has gone."""
        for series_id in sorted(self.touched_series):
            if self._first(instances.c.series == series_id) is not None:
                continue
            path = self.connection.scalar(select(series.c.metadata_path).where(series.c.id == series_id))
            self.done.prepared += [path] if path else []
            self._forget_values("series", series_id)
            self.connection.execute(delete(series).where(series.c.id == series_id))
            self.touched_series.discard(series_id)
        for study_id in study_ids:
            left = self.connection.scalar(select(series.c.id).where(series.c.study == study_id).limit(1))
            if left is None:
                self._forget_values("study", study_id)
                self.connection.execute(delete(studies).where(studies.c.id == study_id))
                self.touched_studies.discard(study_id)
            else:
                self.touched_studies.add(study_id)

    # what the rows say

    def _first(self, condition: Any) -> Any:
        """The object that came first, which says what the rows above it hold."""
        return self.connection.execute(STORED.where(condition).order_by(instances.c.id).limit(1)).first()

    def _renew_series(self, series_id: int) -> None:
        first = self._first(instances.c.series == series_id)
        entry = entry_of(self.root, first, self.keys.wanted)
        self.connection.execute(
            update(series).where(series.c.id == series_id).values(**entries.series_row(entry))
        )
        _write_values(self.connection, "series", series_id, entry, self.keys)

    def _renew_study(self, study_id: int) -> None:
        first = self._first(series.c.study == study_id)
        entry = entry_of(self.root, first, self.keys.wanted)
        self.connection.execute(
            update(studies).where(studies.c.id == study_id).values(**entries.study_row(entry))
        )
        _write_values(self.connection, "study", study_id, entry, self.keys)

    def _renew_patient(self, patient: int) -> None:
        own = self.connection.scalars(
            select(series.c.id)
            .join(studies, studies.c.id == series.c.study)
            .where(studies.c.patient == patient)
        ).all()
        firsts = [row for one in own if (row := self._first(instances.c.series == one)) is not None]
        told = [entry_of(self.root, row, self.keys.wanted) for row in sorted(firsts, key=lambda row: row.id)]
        if not told:
            if (
                self.connection.scalar(select(studies.c.id).where(studies.c.patient == patient).limit(1))
                is None
            ):
                self._forget_values("patient", patient)
                patients.forget(self.connection, patient, reason=self.why)
            return
        patients.tell_again(self.connection, patient, [entries.identity(one) for one in told])
        self._forget_values("patient", patient)
        seen: set[tuple[str, str]] = set()
        studies_seen: set[str] = set()
        for one in told:
            if one.study_uid in studies_seen:
                continue
            studies_seen.add(one.study_uid)
            rows = [
                row
                for row in _values_of(one, "patient", self.keys)
                if (row["path"], row["value"]) not in seen
            ]
            seen |= {(row["path"], row["value"]) for row in rows}
            _insert_values(self.connection, "patient", patient, rows)

    def _forget_values(self, level: str, owner: int) -> None:
        _forget_values(self.connection, level, owner)


def _forget_values(connection: Connection, level: str, owner: int) -> None:
    connection.execute(
        delete(attribute_values).where(attribute_values.c.level == level, attribute_values.c.owner == owner)
    )


def _values_of(entry: Entry, level: str, keys: searchable.SearchKeys) -> list[dict[str, str]]:
    found = [dict(row) for at, row in entries.sequence_values(entry) if at == level]
    found += [
        row
        for at, row in searchable.values_of(entry.header, keys, entry.arrival.source.character_set)
        if at == level
    ]
    return found


def _write_values(
    connection: Connection, level: str, owner: int, entry: Entry, keys: searchable.SearchKeys
) -> None:
    _forget_values(connection, level, owner)
    _insert_values(connection, level, owner, _values_of(entry, level, keys))


def _insert_values(connection: Connection, level: str, owner: int, rows: Sequence[dict[str, str]]) -> None:
    if rows:
        connection.execute(
            insert(attribute_values), [{"level": level, "owner": owner, **row} for row in rows]
        )
