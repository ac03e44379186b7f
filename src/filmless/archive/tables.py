"""Tables of archive/: the index. Every value here can be made again from the files (`filmless rebuild`).

Text columns named like a DICOM keyword in snake case hold the value without padding, "" where absent (never
NULL), so that matching needs no three-valued logic. Columns `*_key` are normalised for matching. `attributes`
is DICOM JSON (PS3.18 F) of what the level returns besides its columns.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    column,
    table,
    text,
)

from filmless.db.schema import Id, Json, Moment, metadata
from filmless.patients.tables import patients


def _where(condition: str) -> dict[str, Any]:
    """An index of those rows only, on either database."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


studies = Table(
    "studies",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("patient", Id, ForeignKey(patients.c.id), nullable=False),
    Column("study_uid", String(64), nullable=False),
    Column("study_date", String(8), nullable=False, default=""),
    #: HHMMSS.FFFFFF, completed to 13 characters for matching; as received in `attributes`
    Column("study_time", String(13), nullable=False, default=""),
    Column("study_id", String(16), nullable=False, default=""),
    Column("accession_number", String(16), nullable=False, default=""),
    Column("accession_issuer", String(64), nullable=False, default=""),
    Column("study_description", Text, nullable=False, default=""),
    Column("study_description_key", Text, nullable=False, default=""),
    Column("referring_physician_name", Text, nullable=False, default=""),
    #: patients.names.keys of it, joined by "="
    Column("referring_physician_key", Text, nullable=False, default=""),
    #: of the instances that are neither rejected nor superseded: kept by ingest and rejection
    Column("modalities", String(256), nullable=False, default=""),
    Column("sop_classes", Json, nullable=False),
    Column("series_count", Integer, nullable=False, default=0),
    Column("instance_count", Integer, nullable=False, default=0),
    Column("attributes", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    UniqueConstraint("study_uid", "patient"),
    # with what studies are ordered by and seen by: those of thousands of patients of one family name are not opened
    Index("ix_studies_patient", "patient", "study_date", "study_time", "instance_count", "study_uid"),
    Index("ix_studies_study_date", "study_date", "study_time"),
    Index("ix_studies_accession_number", "accession_number"),
    Index("ix_studies_study_id", "study_id"),
    Index("ix_studies_created_at", "created_at"),
    # a number is never used again: what a process remembers of a purged row must not come to mean another
    sqlite_autoincrement=True,
)

#: the family names of each study's patient, one row for each that its component groups have, in the order in which
#: studies are listed: the newest of thousands of one name are found without reading them all. The database fills it by
#: itself (triggers of migration 0014), whoever writes studies and patients
study_families = table(
    "study_families",
    column("family", Text),
    column("study_date", Text),
    column("study_time", Text),
    column("study", Id),
)

series = Table(
    "series",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("study", Id, ForeignKey(studies.c.id), nullable=False),
    Column("series_uid", String(64), nullable=False),
    Column("modality", String(16), nullable=False, default=""),
    #: as text: IS may hold what is no number
    Column("series_number", String(16), nullable=False, default=""),
    Column("series_description", Text, nullable=False, default=""),
    Column("series_description_key", Text, nullable=False, default=""),
    Column("body_part_examined", String(64), nullable=False, default=""),
    Column("laterality", String(16), nullable=False, default=""),
    Column("protocol_name", Text, nullable=False, default=""),
    Column("station_name", String(64), nullable=False, default=""),
    Column("institution_name", Text, nullable=False, default=""),
    Column("performed_date", String(8), nullable=False, default=""),
    Column("performed_time", String(13), nullable=False, default=""),
    Column("instance_count", Integer, nullable=False, default=0),
    Column("attributes", Json, nullable=False),
    #: the AE title (or "import") that brought the first instance
    Column("source", String(64), nullable=False, default=""),
    Column("created_at", Moment, nullable=False),
    #: arrivals are counted, so that work done for one count is known to be stale at the next
    Column("generation", Integer, nullable=False, default=0),
    Column("last_arrival_at", Moment, nullable=False),
    #: the generation that was told of as settled; settled when equal to `generation`
    Column("settled_generation", Integer, nullable=False, default=0),
    #: the generation for which metadata and frame offsets were prepared; never less than the settled one
    Column("prepared_generation", Integer, nullable=False, default=0, server_default="0"),
    #: path of the prepared metadata (gzip'd DICOM JSON with frame offsets), "" before
    Column("metadata_path", String(255), nullable=False, default=""),
    UniqueConstraint("series_uid", "study"),
    Index("ix_series_study", "study"),
    # few at any time; kept by what changes once per settling, not by what changes with every arrival
    Index("ix_series_unsettled", "id", **_where("settled_generation < generation")),
    Index("ix_series_modality", "modality"),
    sqlite_autoincrement=True,
)

instances = Table(
    "instances",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("series", Id, ForeignKey(series.c.id), nullable=False),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("sop_class_uid", String(64), nullable=False),
    Column("instance_number", String(16), nullable=False, default=""),
    Column("content_date", String(8), nullable=False, default=""),
    Column("content_time", String(13), nullable=False, default=""),
    Column("rows", Integer),
    Column("columns", Integer),
    Column("bits_allocated", Integer),
    Column("number_of_frames", Integer),
    Column("attributes", Json, nullable=False),
    #: the version in force: versions.id
    Column("version", Id, nullable=False),
    #: "" or the code of the rejection in force (113001, 113037, 113038, 113039)
    Column("rejected", String(16), nullable=False, default=""),
    #: the corrections in force over the version (archive/overlays.py), 0 for none
    Column("correction", BigInteger, nullable=False, default=0, server_default=text("0")),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("sop_instance_uid"),
    # few: undoing looks for them
    Index("ix_instances_correction", "correction", **_where("correction <> 0")),
    Index("ix_instances_series", "series"),
    Index("ix_instances_rejected", "rejected", **_where("rejected <> ''")),
    Index("ix_instances_rejected_series", "series", **_where("rejected <> ''")),
)

versions = Table(
    "versions",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("sop_instance_uid", String(64), nullable=False),
    #: the version's own name (kit.ids.new_version_key), also in the file's own file meta information
    Column("key", String(32), nullable=False),
    #: where the blob is, relative to the store's root
    Column("path", String(255), nullable=False),
    #: "current", "superseded" (replaced by a newer version), "purging" (to be deleted), "purged"
    Column("state", String(16), nullable=False),
    Column("transfer_syntax_uid", String(64), nullable=False),
    #: of the data set as received: bytes, SHA-256 (hex), and where it starts in the file
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("offset", Integer, nullable=False),
    #: offset of the pixel data element's tag within the data set, NULL where there is none
    Column("pixel_offset", BigInteger),
    Column("source", String(64), nullable=False),
    Column("character_set", String(64), nullable=False, default=""),
    Column("default_issuer", String(64), nullable=False, default=""),
    Column("received_at", Moment, nullable=False),
    Column("verified_at", Moment),
    UniqueConstraint("path"),
    # nearly all are current: only the others are looked for
    Index("ix_versions_state", "state", **_where("state <> 'current'")),
)

instance_warnings = Table(
    "instance_warnings",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("sop_instance_uid", String(64), nullable=False),
    #: GGGGEEEE of the attribute, "" for the object as a whole
    Column("tag", String(8), nullable=False),
    Column("text", Text, nullable=False),
    Index("ix_instance_warnings_sop_instance_uid", "sop_instance_uid"),
)

#: values inside sequences, and attributes that an engineer made searchable: one row per value
attribute_values = Table(
    "attribute_values",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    #: "patient", "study", "series", "instance"
    Column("level", String(8), nullable=False),
    Column("owner", Id, nullable=False),
    #: keywords joined by dots: "RequestAttributesSequence.ScheduledProcedureStepID"
    Column("path", String(255), nullable=False),
    #: the sequence items the value is in: "0", "1", "0.2"; values of one item match together
    Column("item", String(32), nullable=False, default=""),
    Column("value", Text, nullable=False),
    Index("ix_attribute_values_path", "path", "value"),
    Index("ix_attribute_values_owner", "level", "owner"),
)

#: attributes that an engineer made searchable (archive/searchable.py); not emptied by a rebuild
search_keys = Table(
    "search_keys",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    #: "patient", "study", "series", "instance"
    Column("level", String(8), nullable=False),
    #: GGGGEEEE joined by dots: sequences first, the attribute last
    Column("tags", String(128), nullable=False),
    #: the same in keywords: the path in attribute_values
    Column("path", String(240), nullable=False),
    Column("vr", String(2), nullable=False),
    #: what was there before the key is indexed too; until then it cannot be asked for
    Column("ready", Boolean, nullable=False, default=False),
    #: how far that work has come: the last row of the level that is done, rows done, and how many there were
    Column("position", BigInteger, nullable=False, default=0),
    Column("done", BigInteger, nullable=False, default=0),
    Column("total", BigInteger, nullable=False, default=0),
    #: objects whose file could not be read for it
    Column("failed", BigInteger, nullable=False, default=0),
    #: the job that does it
    Column("job", String(64), nullable=False, default=""),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(64), nullable=False),
    UniqueConstraint("path"),
    # what a process knows of a removed key must not come to mean another
    sqlite_autoincrement=True,
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("key", String(32), nullable=False),
    Column("path", String(255), nullable=False),
    #: a word of archive.model.Cause: "different-object", "no-study-uid", "unknown-sender", ...
    Column("cause", String(32), nullable=False),
    Column("text", Text, nullable=False),
    Column("sop_instance_uid", String(64), nullable=False, default=""),
    Column("sop_class_uid", String(64), nullable=False, default=""),
    Column("study_uid", String(64), nullable=False, default=""),
    Column("series_uid", String(64), nullable=False, default=""),
    Column("transfer_syntax_uid", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("offset", Integer, nullable=False),
    Column("source", String(64), nullable=False),
    Column("character_set", String(64), nullable=False, default=""),
    Column("default_issuer", String(64), nullable=False, default=""),
    Column("received_at", Moment, nullable=False),
    #: "waiting", "accepted" (stored or replaced), "discarded" (kept on disk until purged)
    Column("state", String(16), nullable=False, default="waiting"),
    Column("decided_at", Moment),
    Column("decided_by", String(64), nullable=False, default=""),
    Column("reason", Text, nullable=False, default=""),
    UniqueConstraint("path"),
    Index("ix_quarantine_key", "key"),
    Index("ix_quarantine_state", "state"),
    Index("ix_quarantine_sop_instance_uid", "sop_instance_uid"),
)

#: which note rejects which object; a row may come before its object
rejections = Table(
    "rejections",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    #: SOP Instance UID of the key object selection document (IOCM rejection note)
    Column("note_uid", String(64), nullable=False),
    Column("code", String(16), nullable=False),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    Column("by", String(64), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("revoked_at", Moment),
    Column("revoked_by", String(64), nullable=False, default=""),
    Column("revoke_reason", Text, nullable=False, default=""),
    UniqueConstraint("note_uid", "sop_instance_uid"),
    Index("ix_rejections_sop_instance_uid", "sop_instance_uid"),
)

#: an overlay in force over objects; rows are added, and once marked as undone
corrections = Table(
    "corrections",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    #: its name in the ledger and in overlays: the same after a rebuild
    Column("key", String(32), nullable=False),
    #: "PATIENT", "STUDY", "SERIES", "INSTANCE"
    Column("level", String(8), nullable=False),
    #: of a PATIENT correction: who the patient is without it
    Column("patient_id", String(64), nullable=False, default=""),
    Column("issuer", String(64), nullable=False, default=""),
    Column("name", Text, nullable=False, default=""),
    Column("birth_date", String(8), nullable=False, default=""),
    #: of the others: what it is about, with the study of series and instance
    Column("study_uid", String(64), nullable=False, default=""),
    Column("series_uid", String(64), nullable=False, default=""),
    Column("sop_instance_uid", String(64), nullable=False, default=""),
    #: DICOM JSON (PS3.18 F) by GGGGEEEE; null takes the element out
    Column("changes", Json, nullable=False),
    #: Reason for the Attribute Modification (0400,0565): "CORRECT", "COERCE"
    Column("code", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    Column("undone_at", Moment),
    Column("undone_by", String(64), nullable=False, default=""),
    Column("undo_reason", Text, nullable=False, default=""),
    #: each correction and each undoing takes the next number: who remembers one knows that something changed
    Column("act", BigInteger, nullable=False),
    UniqueConstraint("key"),
    UniqueConstraint("act"),
    Index("ix_corrections_study_uid", "study_uid", **_where("undone_at IS NULL")),
    Index("ix_corrections_patient_id", "patient_id", **_where("undone_at IS NULL")),
    sqlite_autoincrement=True,
)

commitments = Table(
    "commitments",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("transaction_uid", String(64), nullable=False),
    #: "provider" (a device asked us) or "user" (we asked a device)
    Column("role", String(8), nullable=False),
    Column("device", String(16), nullable=False),
    #: [[SOP Class UID, SOP Instance UID], ...]
    Column("asked", Json, nullable=False),
    #: [[SOP Class UID, SOP Instance UID, failure reason or null], ...] once known
    Column("answer", Json),
    #: "asked", "answered" (known, not yet delivered), "delivered", "failed"
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("last_error", Text, nullable=False, default=""),
    Column("at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    UniqueConstraint("role", "device", "transaction_uid"),
    Index("ix_commitments_state", "state"),
)

#: folders of the store into which a running process writes: a restart looks for unacknowledged files there only
open_folders = Table(
    "open_folders",
    metadata,
    Column("path", String(255), primary_key=True),
    #: names the writing process: host, pid and start, so that a dead one is known
    Column("writer", String(128), nullable=False),
    Column("opened_at", Moment, nullable=False),
)

#: the one row says which store this index is of (archive/store_id.py)
store_ids = Table(
    "store_ids",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("given_at", Moment, nullable=False),
)

#: other numbers by which a study is found, beside its accession number: those that its exam had before. Written by the
#: rooms above; no object tells them, so that a rebuild leaves them
study_aliases = Table(
    "study_aliases",
    metadata,
    Column("number", String(64), primary_key=True),
    Column("study_uid", String(64), primary_key=True),
    Index(None, "study_uid"),
)
