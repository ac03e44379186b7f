"""One received object as the index sees it: made from the scanned header, in the thread that wrote the file."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from filmless.archive import levels
from filmless.archive.model import REJECTION_CODES, Arrival, Cause
from filmless.dicom import json_model, scan
from filmless.dicom.elements import IMPLICIT_HEAD, ITEM, LONG, UNDEFINED, tag_of
from filmless.dicom.sopclasses import KEY_OBJECT_SELECTION
from filmless.dicom.uids import transfer_syntax
from filmless.patients import names
from filmless.patients.service import INDEXED, Identity

_PIXEL_DATA = scan.PIXEL_TAGS[-1]
#: a Sequence Delimitation Item (PS3.5 A.4), by byte order
_DELIMITER = {True: b"\xfe\xff\xdd\xe0\0\0\0\0", False: b"\xff\xfe\xe0\xdd\0\0\0\0"}
#: fragments that are looked at for the end of pixel data; more than frames of any image
_MOST_FRAGMENTS = 100_000


@dataclass(frozen=True, slots=True)
class File:
    """Where the bytes of an object are, and what they are."""

    key: str
    path: str
    offset: int
    size: int
    sha256: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class RejectionNote:
    """What a key object selection document rejects (IHE RAD IOCM)."""

    code: str
    sop_instance_uids: tuple[str, ...]


@dataclass(slots=True)
class Entry:
    """An object on disk, not yet in the index."""

    arrival: Arrival
    file: File
    header: scan.Header
    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    pixel_offset: int | None
    #: why it cannot be an object of the archive, None where it can
    cause: Cause | None
    note: RejectionNote | None = None
    warnings: list[tuple[str, str]] = field(default_factory=list)
    #: values of search keys (archive/searchable.py), filled in by the index's writer, who knows the keys
    search_values: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def warn(self, tag: int, text: str) -> None:
        """Note what was taken leniently, once per attribute."""
        warning = (f"{tag:08X}", text)
        if warning not in self.warnings:
            self.warnings.append(warning)

    def text(self, tag: int) -> str:
        return scan.text(self.header, tag, self.arrival.source.character_set)

    def name(self, tag: int) -> str:
        return scan.text_pn(self.header, tag, self.arrival.source.character_set)

    def attributes(self, tags: Iterable[int]) -> dict[str, Any]:
        """DICOM JSON of those of `tags` that the object has."""
        return json_model.from_header(
            self.header, tags, character_set=self.arrival.source.character_set, warn=self.warn
        )

    def identity_words(self) -> tuple[bytes, ...]:
        """The bytes that decide whose object this is and where it belongs: equal words, equal answer."""
        values = self.header.values
        return tuple(
            values[tag][1] if tag in values else b""
            for tag in (levels.SPECIFIC_CHARACTER_SET, 0x00100010, 0x00100020, 0x00100021, 0x00100030)
        )


def read_entry(arrival: Arrival, file: File, header: scan.Header) -> Entry:
    """What the index needs to know first of an object; the rest is read where a new level is made."""
    sop_class_uid = levels.uid_value(scan.text(header, 0x00080016))
    sop_instance_uid = levels.uid_value(scan.text(header, 0x00080018))
    study_uid = levels.uid_value(scan.text(header, 0x0020000D))
    series_uid = levels.uid_value(scan.text(header, 0x0020000E))
    cause: Cause | None = None
    if not header.values and file.size:
        cause = Cause.UNREADABLE
    elif not sop_class_uid or not sop_instance_uid:
        cause = Cause.NO_SOP_INSTANCE_UID
    elif sop_class_uid != arrival.sop_class_uid or sop_instance_uid != arrival.sop_instance_uid:
        cause = Cause.UID_MISMATCH
    elif not study_uid:
        cause = Cause.NO_STUDY_UID
    elif not series_uid:
        cause = Cause.NO_SERIES_UID
    elif arrival.source.quarantine:
        cause = Cause(arrival.source.quarantine)
    entry = Entry(
        arrival,
        file,
        header,
        sop_class_uid,
        sop_instance_uid,
        study_uid,
        series_uid,
        header.pixel_offset,
        cause,
    )
    for tag, text in header.warnings:
        entry.warn(tag, text)
    if header.truncated:
        entry.warn(0, "the data set ends before its last element does")
    if (
        header.pixel_end is not None
        and header.pixel_end > file.size
        and not transfer_syntax(arrival.transfer_syntax_uid).deflated
    ):
        entry.warn(_PIXEL_DATA, "its length reaches past the end of the data set: pixels are missing")
    if sop_class_uid == KEY_OBJECT_SELECTION:
        entry.note = rejection_note(header)
    return entry


def scan_file(
    path: Path,
    offset: int,
    size: int,
    transfer_syntax_uid: str,
    wanted: frozenset[int] = levels.WANTED,
) -> scan.Header:
    """The header of the data set at `offset` of a file, reading no more of it than needed."""
    limit = 256 << 10
    with path.open("rb") as file:
        while True:
            file.seek(offset)
            head = file.read(min(size, limit))
            header = scan.scan(head, transfer_syntax_uid, wanted, total=size)
            if header.ended or len(head) >= size or limit >= 64 << 20:
                look_at_end(header, file.fileno(), offset, size)
                return header
            limit = min(limit * 8, 64 << 20)


def look_at_end(header: scan.Header, fd: int, offset: int, size: int) -> None:
    """Warn of encapsulated pixel data that are cut short (PS3.5 A.4); native ones `read_entry` knows by their length.

    The data set has `size` bytes from `offset` of the file. Mostly its last eight are read and no more; only where they
    are no delimiter, because it is missing or something follows the pixel data, the fragments are followed.
    """
    at = header.pixel_offset
    if at is None or header.pixel_end is not None or transfer_syntax(header.transfer_syntax_uid).deflated:
        return
    little = header.little
    if os.pread(fd, 8, offset + size - 8) == _DELIMITER[little]:
        return
    read = IMPLICIT_HEAD[little]
    pos = at + (12 if header.explicit and os.pread(fd, 2, offset + at + 4) in LONG else 8)
    for _ in range(_MOST_FRAGMENTS):
        head = os.pread(fd, 8, offset + pos) if pos + 8 <= size else b""
        if len(head) < 8:
            header.warn(_PIXEL_DATA, "its end is missing: pixels may be missing")
            return
        key, length = read(head)
        if tag_of(key, little) != ITEM:
            # the delimiter, or something that nobody can follow
            return
        pos += 8 + length
        if length == UNDEFINED or pos > size:
            header.warn(_PIXEL_DATA, "it is cut short: pixels are missing")
            return


def rejection_note(header: scan.Header) -> RejectionNote | None:
    """What a key object selection document rejects; None where its title is no reason for a rejection."""
    titles = scan.sequence_items(header, 0x0040A043)
    if not titles or scan.text(titles[0], 0x00080102) != "DCM":
        return None
    code = scan.text(titles[0], 0x00080100)
    if code not in REJECTION_CODES:
        return None
    uids = [
        levels.uid_value(scan.text(sop, 0x00081155))
        for study in scan.sequence_items(header, levels.EVIDENCE)
        for series in scan.sequence_items(study, 0x00081115)
        for sop in scan.sequence_items(series, 0x00081199)
    ]
    return RejectionNote(code, tuple(dict.fromkeys(uid for uid in uids if uid)))


def identity(entry: Entry) -> Identity:
    """The patient as this object tells it."""
    others = [
        (scan.text(item, 0x00100020), scan.text(item, 0x00100021))
        for item in scan.sequence_items(entry.header, 0x00101002)
    ]
    others += [(value.strip(), "") for value in entry.text(0x00101000).split("\\") if value.strip()]
    patient_id = levels.fitted(entry.text(0x00100020), 64, 0x00100020, entry.warn)
    if not patient_id:
        entry.warn(0x00100020, "is absent: the object is filed under its study alone")
    issuer = entry.text(0x00100021) or (entry.arrival.source.default_issuer if patient_id else "")
    return Identity(
        patient_id=patient_id,
        issuer=levels.fitted(issuer, 64, 0x00100021, entry.warn),
        name=entry.name(0x00100010).replace("\0", ""),
        birth_date=levels.date_value(entry.text(0x00100030), 0x00100030, entry.warn),
        birth_time=levels.time_value(entry.text(0x00100032), 0x00100032, entry.warn),
        sex=levels.fitted(entry.text(0x00100040), 16, 0x00100040, entry.warn),
        other_ids=tuple(dict.fromkeys((one[:64], issuer[:64]) for one, issuer in others if one)),
        attributes=entry.attributes(levels.PATIENT),
    )


def study_row(entry: Entry) -> dict[str, Any]:
    """Columns of `studies` that come from the object."""
    text, warn = entry.text, entry.warn
    issuers = scan.sequence_items(entry.header, 0x00080051)
    description = text(0x00081030).replace("\0", "")
    referring = entry.name(0x00080090).replace("\0", "")
    return {
        "study_uid": entry.study_uid,
        "study_date": levels.date_value(text(0x00080020), 0x00080020, warn),
        "study_time": levels.time_value(text(0x00080030), 0x00080030, warn),
        "study_id": levels.fitted(text(0x00200010), 16, 0x00200010, warn),
        "accession_number": levels.fitted(text(0x00080050), 16, 0x00080050, warn),
        "accession_issuer": levels.fitted(
            (scan.text(issuers[0], 0x00400031) or scan.text(issuers[0], 0x00400032)) if issuers else "",
            64,
            0x00080051,
            warn,
        ),
        "study_description": description,
        "study_description_key": names.normal(description),
        "referring_physician_name": referring,
        "referring_physician_key": "=".join(names.keys(referring)).rstrip("="),
        "attributes": entry.attributes(levels.STUDY),
    }


def series_row(entry: Entry) -> dict[str, Any]:
    """Columns of `series` that come from the object."""
    text, warn = entry.text, entry.warn
    description = text(0x0008103E).replace("\0", "")
    return {
        "series_uid": entry.series_uid,
        "modality": levels.fitted(text(0x00080060), 16, 0x00080060, warn),
        "series_number": levels.fitted(text(0x00200011), 16, 0x00200011, warn),
        "series_description": description,
        "series_description_key": names.normal(description),
        "body_part_examined": levels.fitted(text(0x00180015), 64, 0x00180015, warn),
        "laterality": levels.fitted(text(0x00200060), 16, 0x00200060, warn),
        "protocol_name": text(0x00181030).replace("\0", ""),
        "station_name": levels.fitted(text(0x00081010), 64, 0x00081010, warn),
        "institution_name": text(0x00080080).replace("\0", ""),
        "performed_date": levels.date_value(text(0x00400244), 0x00400244, warn),
        "performed_time": levels.time_value(text(0x00400245), 0x00400245, warn),
        "attributes": entry.attributes(levels.SERIES),
        "source": entry.arrival.source.name,
    }


def instance_row(entry: Entry) -> dict[str, Any]:
    """Columns of `instances` that come from the object."""
    text, warn = entry.text, entry.warn
    return {
        "sop_instance_uid": entry.sop_instance_uid,
        "sop_class_uid": entry.sop_class_uid,
        "instance_number": levels.fitted(text(0x00200013), 16, 0x00200013, warn),
        "content_date": levels.date_value(text(0x00080023), 0x00080023, warn),
        "content_time": levels.time_value(text(0x00080033), 0x00080033, warn),
        "rows": levels.whole_number(text(0x00280010), 0x00280010, warn),
        "columns": levels.whole_number(text(0x00280011), 0x00280011, warn),
        "bits_allocated": levels.whole_number(text(0x00280100), 0x00280100, warn),
        "number_of_frames": levels.whole_number(text(0x00280008), 0x00280008, warn),
        "attributes": entry.attributes(levels.INSTANCE_BESIDES),
    }


def version_row(entry: Entry) -> dict[str, Any]:
    """Columns of `versions` of the object's file."""
    file, source = entry.file, entry.arrival.source
    return {
        "sop_instance_uid": entry.sop_instance_uid,
        "key": file.key,
        "path": file.path,
        "state": "current",
        "transfer_syntax_uid": entry.arrival.transfer_syntax_uid,
        "size": file.size,
        "sha256": file.sha256,
        "offset": file.offset,
        "pixel_offset": entry.pixel_offset,
        "source": source.name,
        "character_set": source.character_set,
        "default_issuer": source.default_issuer,
        "received_at": file.received_at,
    }


def quarantine_row(entry: Entry, cause: Cause, text: str) -> dict[str, Any]:
    """Columns of `quarantine` for the object's file."""
    file, source = entry.file, entry.arrival.source
    return {
        "key": file.key,
        "path": file.path,
        "cause": cause.value,
        "text": text,
        # what was announced may be no UID at all
        "sop_instance_uid": entry.sop_instance_uid or _short(entry.arrival.sop_instance_uid),
        "sop_class_uid": entry.sop_class_uid or _short(entry.arrival.sop_class_uid),
        "study_uid": entry.study_uid,
        "series_uid": entry.series_uid,
        "transfer_syntax_uid": entry.arrival.transfer_syntax_uid,
        "size": file.size,
        "sha256": file.sha256,
        "offset": file.offset,
        "source": source.name,
        "character_set": source.character_set,
        "default_issuer": source.default_issuer,
        "received_at": file.received_at,
    }


def _short(uid: str) -> str:
    return uid.replace("\0", "")[:64]


def sequence_values(entry: Entry) -> list[tuple[str, Mapping[str, str]]]:
    """Values inside matched sequences, and of search keys: (level, row without owner)."""
    found: list[tuple[str, Mapping[str, str]]] = [*entry.search_values]
    for tag, (level, path, inside) in levels.SEQUENCES.items():
        if tag not in entry.header.values:
            continue
        for number, item in enumerate(scan.sequence_items(entry.header, tag)):
            for inner, keyword in inside.items():
                value = scan.text(item, inner, entry.arrival.source.character_set).replace("\0", "")
                if value:
                    row = {"path": f"{path}.{keyword}", "item": str(number), "value": value[:INDEXED]}
                    found.append((level, row))
    return found
