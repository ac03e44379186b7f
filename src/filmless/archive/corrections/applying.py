"""Which corrections are in force over an object, and the object as the index sees it with them."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from filmless.archive import entry as entries
from filmless.archive import levels, overlays, searchable
from filmless.archive.corrections.model import PATIENT_ID, Correction, Level
from filmless.archive.entry import Entry, File, read_entry
from filmless.archive.leaving import leaving, overlaid
from filmless.archive.model import Arrival, Source
from filmless.archive.query.instances import StoredInstance
from filmless.archive.tables import corrections, instances, series, studies, versions
from filmless.db.prepared import Prepared
from filmless.dicom import scan
from filmless.dicom.rewrite import inflate
from filmless.dicom.uids import EXPLICIT_VR_LE, transfer_syntax
from filmless.kit.errors import Refused
from filmless.patients.service import same_person

_REMEMBERED = 4096
_PATIENT_NAME, _ISSUER, _BIRTH_DATE = "00100010", "00100021", "00100030"


class NotCorrectable(Exception):
    """Raised for an object over which corrections are in force, but which cannot be rewritten."""


class Corrections:
    """What is in force for objects that arrive. Remembers until something changes; one thread."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._act = -1
        self._of_study: OrderedDict[str, tuple[Correction, ...]] = OrderedDict()
        self._of_patient: OrderedDict[str, tuple[Correction, ...]] = OrderedDict()
        #: studies and patients, as objects tell them, over which nothing is
        self._free: OrderedDict[tuple[Any, ...], None] = OrderedDict()

    def begin(self, connection: Connection) -> bool:
        """At the start of each transaction. Returns whether what is remembered of places may be wrong by now."""
        act = int(_LAST.all(connection, {})[0][0] or 0)
        if act == self._act:
            return False
        self._act = act
        self._of_study.clear()
        self._of_patient.clear()
        self._free.clear()
        return True

    def over(self, connection: Connection, entry: Entry) -> tuple[Entry, int]:
        """The object with what is in force over it, and the overlay's number; itself and 0 where nothing is.

        Raises NotCorrectable where its data set does not add up.
        """
        if not self._act:
            return entry, 0
        told = (entry.study_uid, entry.arrival.source.default_issuer, *entry.identity_words())
        if told in self._free:
            return entry, 0
        found = self.of(connection, entry)
        if not found:
            if not self._of_study[entry.study_uid]:
                self._free[told] = None
                if len(self._free) > _REMEMBERED:
                    self._free.popitem(last=False)
            return entry, 0
        number = overlays.keep(self._root, [one.in_force for one in found])
        try:
            return corrected(self._root, entry, number, searchable.read(connection)), number
        except Refused:
            raise NotCorrectable from None

    def of(self, connection: Connection, entry: Entry) -> list[Correction]:
        """The corrections of an object as it was received, in their order.

        One of a patient is in force over whoever is that patient by what was in force before it.
        """
        study = _remembered(self._of_study, entry.study_uid, lambda: _of_study(connection, entry.study_uid))
        candidates = [one for one in study if _about(one, entry)]
        patient = _Person(entry)
        looked_up: set[str] = set()
        waiting = [patient.id, *filter(None, (one.gives(PATIENT_ID) for one in candidates))]
        while waiting:
            patient_id = waiting.pop()
            if not patient_id or patient_id in looked_up:
                continue
            looked_up.add(patient_id)
            more = _remembered(self._of_patient, patient_id, lambda: _of_patient(connection, patient_id))  # noqa: B023
            candidates += more
            waiting += filter(None, (one.gives(PATIENT_ID) for one in more))
        found: list[Correction] = []
        for one in sorted(candidates, key=lambda one: one.id):
            if one.level is not Level.PATIENT or patient.is_of(one):
                found.append(one)
                patient.follow(one)
        return found


def corrected(root: Path, entry: Entry, number: int, keys: searchable.SearchKeys) -> Entry:
    """The object with the overlay of that number over it. Raises as archive.leaving.leaving."""
    file, arrival = entry.file, entry.arrival
    stored = StoredInstance(
        sop_class=entry.sop_class_uid,
        sop_instance=entry.sop_instance_uid,
        ts=arrival.transfer_syntax_uid,
        path=file.path,
        offset=file.offset,
        size=file.size,
        series_uid=entry.series_uid,
        study_uid=entry.study_uid,
        sha256=file.sha256,
        version=0,
        correction=number,
        character_set=arrival.source.character_set,
    )
    wanted = levels.WANTED | frozenset(entry.header.values) | keys.wanted
    new = read_entry(arrival, file, leaving(stored, root).header(wanted))
    new.pixel_offset = entry.pixel_offset
    new.warnings = [*entry.warnings, *(one for one in new.warnings if one not in entry.warnings)]
    new.search_values = [*searchable.values_of(new.header, keys, arrival.source.character_set)]
    return new


#: what `entry_of` needs of an instance
STORED = (
    select(
        instances.c.id,
        instances.c.series,
        instances.c.correction,
        instances.c.sop_class_uid,
        instances.c.sop_instance_uid,
        series.c.series_uid,
        series.c.study,
        studies.c.study_uid,
        studies.c.patient,
        versions.c.key,
        versions.c.path,
        versions.c.offset,
        versions.c.size,
        versions.c.sha256,
        versions.c.transfer_syntax_uid,
        versions.c.source,
        versions.c.character_set,
        versions.c.default_issuer,
        versions.c.received_at,
    )
    .join(series, series.c.id == instances.c.series)
    .join(studies, studies.c.id == series.c.study)
    .join(versions, versions.c.id == instances.c.version)
)


def entry_of(
    root: Path, row: Any, wanted: frozenset[int] = frozenset(), *, number: int | None = None
) -> Entry:
    """A stored object (a row of STORED) as it arrived, with the corrections of its row, or of `number`, over it.

    `wanted`: attributes besides those that ingest takes. Raises OSError where the file cannot be read, and as
    `corrected`.
    """
    source = Source(row.source, row.character_set, row.default_issuer)
    arrival = Arrival(row.sop_class_uid, row.sop_instance_uid, row.transfer_syntax_uid, source)
    file = File(row.key, row.path, row.offset, row.size, row.sha256, row.received_at)
    stored = StoredInstance(
        row.sop_class_uid,
        row.sop_instance_uid,
        row.transfer_syntax_uid,
        row.path,
        row.offset,
        row.size,
        row.series_uid,
        row.study_uid,
        row.sha256,
        0,
        row.correction if number is None else number,
        row.character_set,
    )
    return read_entry(arrival, file, leaving(stored, root).header(levels.WANTED | wanted))


def laid_over(root: Path, row: Any, found: Sequence[overlays.InForce]) -> Entry:
    """A stored object (a row of STORED) as it would be with these corrections, of which nothing is kept."""
    plain = entry_of(root, row, number=0)
    file = plain.file
    with (root / file.path).open("rb") as data:
        data.seek(file.offset)
        whole = data.read(file.size)
    syntax = plain.arrival.transfer_syntax_uid
    if transfer_syntax(syntax).deflated:
        whole, syntax = inflate(whole), EXPLICIT_VR_LE
    head, _ = overlaid(whole, syntax, [one.layer() for one in found], plain.arrival.source.character_set)
    return read_entry(plain.arrival, file, scan.scan(head, syntax, levels.WANTED))


def in_force(connection: Connection, **where: Any) -> list[Correction]:
    """Corrections that are not undone, for which these columns hold these values, in their order."""
    query = select(corrections).where(corrections.c.undone_at.is_(None)).order_by(corrections.c.id)
    for column, value in where.items():
        query = query.where(corrections.c[column] == value)
    return [from_row(row) for row in connection.execute(query)]


def from_row(row: Any) -> Correction:
    """A row of `corrections` in words."""
    return Correction(
        id=row.id,
        key=row.key,
        level=Level(row.level),
        changes=row.changes,
        code=row.code,
        reason=row.reason,
        by=row.by,
        at=row.at,
        patient_id=row.patient_id,
        issuer=row.issuer,
        name=row.name,
        birth_date=row.birth_date,
        study_uid=row.study_uid,
        series_uid=row.series_uid,
        sop_instance_uid=row.sop_instance_uid,
        undone_at=row.undone_at,
        undone_by=row.undone_by,
        undo_reason=row.undo_reason,
    )


_LAST = Prepared(select(func.max(corrections.c.act)))


def _of_study(connection: Connection, study_uid: str) -> tuple[Correction, ...]:
    return tuple(in_force(connection, study_uid=study_uid)) if study_uid else ()


def _of_patient(connection: Connection, patient_id: str) -> tuple[Correction, ...]:
    return tuple(in_force(connection, patient_id=patient_id, level=Level.PATIENT.value))


def _remembered(
    memory: OrderedDict[str, tuple[Correction, ...]], key: str, find: Any
) -> tuple[Correction, ...]:
    known = memory.get(key)
    if known is None:
        known = memory[key] = find()
        if len(memory) > _REMEMBERED:
            memory.popitem(last=False)
    return known


def _about(one: Correction, entry: Entry) -> bool:
    if one.level is Level.STUDY:
        return one.study_uid == entry.study_uid
    if one.level is Level.SERIES:
        return one.series_uid == entry.series_uid and one.study_uid == entry.study_uid
    return one.sop_instance_uid == entry.sop_instance_uid


class _Person:
    """Who an object's patient is, as corrections follow each other."""

    def __init__(self, entry: Entry) -> None:
        identity = entries.identity(entry)
        self.id, self.issuer = identity.patient_id, identity.issuer
        self.name, self.birth_date = identity.name, identity.birth_date
        self._default_issuer = entry.arrival.source.default_issuer

    def is_of(self, one: Correction) -> bool:
        return (
            self.id == one.patient_id
            and self.issuer == one.issuer
            and same_person(self.name, self.birth_date, one.name, one.birth_date)
        )

    def follow(self, one: Correction) -> None:
        self.id = _after(one, PATIENT_ID, self.id)
        issuer = _after(one, _ISSUER, self.issuer)
        self.issuer = issuer or (self._default_issuer if self.id else "")
        self.name = _after(one, _PATIENT_NAME, self.name)
        self.birth_date = _after(one, _BIRTH_DATE, self.birth_date)


def _after(one: Correction, tag: str, before: str) -> str:
    return one.gives(tag) if tag in one.changes else before


def numbers_with(root: Path, numbers: Iterable[int], key: str) -> set[int]:
    """Which overlays have the correction of that key in them."""
    return {number for number in numbers if any(one.key == key for one in overlays.read(root, number))}
