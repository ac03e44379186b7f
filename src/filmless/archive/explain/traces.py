"""What is known of a number that somebody cannot find: studies, objects in quarantine, former numbers, purges.

Read by whoever explains it to others, so it says numbers, dates and devices, and never a name.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, or_, select

from filmless.access.audit.model import Kind, Record
from filmless.access.audit.search import Asked, newest
from filmless.archive import quarantine
from filmless.archive.entry import scan_file
from filmless.archive.model import QUALITY_CODE
from filmless.archive.tables import (
    attribute_values,
    corrections,
    instances,
    rejections,
    series,
    studies,
    versions,
)
from filmless.dicom import scan
from filmless.kit import clock
from filmless.patients.service import INDEXED
from filmless.patients.tables import identity_flags, patients

LONGEST: Final = 64
#: studies that are explained at once
MOST: Final = 20
#: files of the quarantine, and of corrected studies, whose header is looked at
_MOST_FILES: Final = 200
_RECENT: Final = timedelta(days=1)
_ACCESSION, _PATIENT_ID, _STUDY_UID = 0x00080050, 0x00100020, 0x0020000D

#: by what a study was found
By = Literal[
    "study-uid", "accession", "patient-id", "study-id", "ordered-as", "other-id", "formerly", "similar"
]


@dataclass(frozen=True, slots=True)
class Trace:
    """A study that has something to do with the number, with the numbers that it is filed under now."""

    id: int
    study_uid: str
    accession_number: str
    patient_id: str
    issuer: str
    date: str
    modalities: tuple[str, ...]
    instances: int
    received_at: datetime
    by: By
    other_patients: int
    in_doubt: bool


@dataclass(frozen=True, slots=True)
class Rejected:
    """How many objects of a study are hidden, and by which rejection the last of them."""

    objects: int
    code: str
    by: str
    at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class InQuarantine:
    """Objects that are kept aside for one cause, from one device."""

    cause: str
    source: str
    study_uid: str
    objects: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """Something that the audit trail tells: "purged", "refused" (at the door), "failed"."""

    what: Literal["purged", "refused", "failed"]
    at: datetime
    who: str
    host: str
    reason: str


@dataclass(slots=True)
class _Found:
    by: dict[int, By] = field(default_factory=dict)

    def add(self, rows: Iterable[int], by: By) -> None:
        for row in rows:
            self.by.setdefault(row, by)


def find(connection: Connection, root: Path, text: str, among: ColumnElement[bool]) -> list[Trace]:
    """Studies of this number, the likeliest first; of those for which `among` holds. `root` is the store's."""
    found = _Found()
    for by, condition in exactly(text):
        found.add(_ids(connection, condition, among), by)
    found.add(_ids(connection, _formerly(connection, root, text, found), among), "formerly")
    if not found.by:
        for condition in _similar(text):
            found.add(_ids(connection, condition, among), "similar")
    return read(connection, found.by)


def exactly(text: str) -> list[tuple[By, ColumnElement[bool]]]:
    """Conditions on rows of `studies`, by as what they find the number, the likeliest first."""
    spellings = sorted({text, text.upper(), text.lower()})
    people = select(patients.c.id).where(patients.c.patient_id.in_(spellings))

    def listed(path: str, level: str, owner: Any) -> ColumnElement[bool]:
        inside = select(attribute_values.c.owner).where(
            attribute_values.c.level == level,
            attribute_values.c.path == path,
            attribute_values.c.value.in_([one[:INDEXED] for one in spellings]),
        )
        return owner.in_(inside)  # type: ignore[no-any-return]

    def of_series(path: str) -> ColumnElement[bool]:
        one = series.alias()
        return studies.c.id.in_(select(one.c.study).where(listed(path, "series", one.c.id)))

    request = "RequestAttributesSequence."
    return [
        ("study-uid", studies.c.study_uid == text),
        ("accession", studies.c.accession_number.in_(spellings)),
        ("patient-id", studies.c.patient.in_(people)),
        ("study-id", studies.c.study_id.in_(spellings)),
        ("ordered-as", of_series(request + "AccessionNumber")),
        ("ordered-as", of_series(request + "RequestedProcedureID")),
        ("ordered-as", of_series(request + "StudyInstanceUID")),
        ("other-id", listed("OtherPatientIDsSequence.PatientID", "patient", studies.c.patient)),
    ]


def _similar(text: str) -> list[ColumnElement[bool]]:
    """The number with or without zeros before it, or with something behind it."""
    plain = text.lstrip("0") or text
    near = sorted({plain, *("0" * more + plain for more in range(1, 7))} - {text})
    last = "\U0010ffff"

    def longer(column: Any) -> ColumnElement[bool]:
        return and_(column > text, column < text + last)

    conditions: list[ColumnElement[bool]] = [studies.c.accession_number.in_(near)]
    people = select(patients.c.id).where(patients.c.patient_id.in_(near))
    conditions.append(studies.c.patient.in_(people))
    if len(text) >= 4:
        conditions.append(longer(studies.c.accession_number))
        longer_ids = select(patients.c.id).where(longer(patients.c.patient_id))
        conditions.append(studies.c.patient.in_(longer_ids))
    return conditions


def _formerly(connection: Connection, root: Path, text: str, found: _Found) -> ColumnElement[bool]:
    """Studies whose number a correction has changed: by whose patient it was, and what the objects say."""
    in_force = corrections.c.undone_at.is_(None)
    uids: set[str] = set()
    people = connection.scalars(
        select(corrections.c.changes)
        .where(corrections.c.level == "PATIENT", corrections.c.patient_id == text, in_force)
        .limit(MOST)
    )
    now = [_value(changes, _PATIENT_ID) for changes in people]
    rows = connection.execute(
        select(corrections.c.study_uid, corrections.c.changes)
        .where(corrections.c.level == "STUDY", in_force)
        .order_by(corrections.c.id.desc())
        .limit(_MOST_FILES)
    )
    touched = (f"{_ACCESSION:08X}", f"{_PATIENT_ID:08X}")
    for row in rows:
        if any(tag in row.changes for tag in touched) and text in _as_received(
            connection, root, row.study_uid
        ):
            uids.add(row.study_uid)
    changed = select(patients.c.id).where(patients.c.patient_id.in_([one for one in now if one]))
    return or_(studies.c.patient.in_(changed), studies.c.study_uid.in_(sorted(uids)))


def _value(changes: Any, tag: int) -> str:
    member = changes.get(f"{tag:08X}") or {}
    values = member.get("Value") or [""]
    return str(values[0])


def _as_received(connection: Connection, root: Path, study_uid: str) -> tuple[str, ...]:
    """The accession number and the Patient ID that an object of the study came with."""
    row = connection.execute(
        _files().where(studies.c.study_uid == study_uid).order_by(instances.c.id).limit(1)
    ).first()
    return () if row is None else _numbers(root, row)


def _files() -> Select[Any]:
    columns = [versions.c[name] for name in ("path", "offset", "size", "transfer_syntax_uid")]
    return (
        select(*columns)
        .join(instances, instances.c.version == versions.c.id)
        .join(series, series.c.id == instances.c.series)
        .join(studies, studies.c.id == series.c.study)
    )


def _numbers(root: Path, row: Any) -> tuple[str, ...]:
    try:
        header = scan_file(root / row.path, row.offset, row.size, row.transfer_syntax_uid)
    except (OSError, ValueError):
        return ()
    return tuple(scan.text(header, tag) for tag in (_ACCESSION, _PATIENT_ID, _STUDY_UID))


def _ids(connection: Connection, condition: ColumnElement[bool], among: ColumnElement[bool]) -> Sequence[int]:
    query = select(studies.c.id).where(condition, among).order_by(studies.c.id.desc()).limit(MOST)
    return connection.scalars(query).all()


def read(connection: Connection, by: Mapping[int, By]) -> list[Trace]:
    """The studies with these numbers of ours, in their order; at most MOST."""
    chosen = list(by)[:MOST]
    rows = connection.execute(
        select(studies, patients.c.patient_id, patients.c.issuer)
        .join(patients, patients.c.id == studies.c.patient)
        .where(studies.c.id.in_(chosen))
    )
    by_id = {row.id: row for row in rows}
    return [_trace(connection, by_id[one], by[one]) for one in chosen if one in by_id]


def _trace(connection: Connection, row: Row[Any], by: By) -> Trace:
    same = select(studies.c.id).where(studies.c.study_uid == row.study_uid, studies.c.id != row.id)
    doubt = exists().where(
        identity_flags.c.resolved_at.is_(None),
        or_(
            identity_flags.c.study_uid == row.study_uid,
            identity_flags.c.patient_id == row.patient,
            identity_flags.c.other_patient_id == row.patient,
        ),
    )
    return Trace(
        row.id,
        row.study_uid,
        row.accession_number,
        row.patient_id,
        row.issuer,
        row.study_date,
        tuple(filter(None, row.modalities.split("\\"))),
        row.instance_count,
        row.created_at,
        by,
        len(connection.scalars(same).all()),
        bool(connection.scalar(select(doubt))),
    )


def rejected(connection: Connection, study: int) -> Rejected | None:
    """What a rejection hides of the study; None where nothing."""
    hidden = connection.execute(
        select(instances.c.sop_instance_uid, instances.c.rejected)
        .join(series, series.c.id == instances.c.series)
        .where(series.c.study == study, instances.c.rejected != "")
        .order_by(instances.c.id)
    ).all()
    if not hidden:
        return None
    last = connection.execute(
        select(rejections)
        .where(
            rejections.c.sop_instance_uid == hidden[-1].sop_instance_uid, rejections.c.revoked_at.is_(None)
        )
        .order_by(rejections.c.at, rejections.c.id)
    ).first()
    code = hidden[-1].rejected or QUALITY_CODE
    if last is None:
        return Rejected(len(hidden), code, "", None, "")
    return Rejected(len(hidden), code, last.by, last.at, last.reason)


def quarantined(
    connection: Connection,
    root: Path,
    text: str,
    study_uids: Iterable[str],
    among: ColumnElement[bool] | None,
) -> list[InQuarantine]:
    """What waits in quarantine of this number, or of these studies; looks into the newest files."""
    uids = {text, *study_uids}
    waiting = quarantine.objects(connection, limit=_MOST_FILES, among=among)
    groups: dict[tuple[str, str, str], list[datetime]] = {}
    for one in waiting:
        if one.study_uid not in uids:
            place = quarantine.place(connection, one.id)
            if text not in _numbers(root, place):
                continue
        groups.setdefault((one.cause, one.source, one.study_uid), []).append(one.received_at)
    return [InQuarantine(*key, len(times), min(times)) for key, times in groups.items()][:MOST]


def events(connection: Connection, text: str, study_uids: Iterable[str]) -> list[Event]:
    """What the trail tells of purged or refused objects of these studies, and of devices turned away of late."""
    found: list[Event] = []
    for uid in list(dict.fromkeys([text, *study_uids]))[:MOST]:
        asked = Asked(study=uid, kinds=(Kind.PURGE, Kind.STORE))
        for one in newest(connection, asked, limit=20):
            if one.kind == Kind.PURGE and one.outcome == "success":
                found.append(_event("purged", one))
            elif one.kind == Kind.STORE and one.outcome != "success":
                found.append(_event("refused" if one.outcome == "refused" else "failed", one))
    return found[:MOST]


def turned_away(connection: Connection) -> list[Event]:
    """Devices that were not let in, or whose objects were refused, during the last day: one line for each."""
    since = clock.now() - _RECENT
    found: dict[tuple[str, str, str], Event] = {}
    for kind in (Kind.NETWORK, Kind.STORE):
        for outcome in ("refused", "failed"):
            asked = Asked(kinds=(kind,), outcome=outcome, since=since)
            for one in newest(connection, asked, limit=100):
                if one.what in ("association", "C-STORE"):
                    event = _event("refused" if outcome == "refused" else "failed", one)
                    found.setdefault((one.who, one.host, event.reason), event)
    return sorted(found.values(), key=lambda one: one.at, reverse=True)[:MOST]


def _event(what: Literal["purged", "refused", "failed"], one: Record) -> Event:
    return Event(what, one.at, one.who, one.host, one.reason)
