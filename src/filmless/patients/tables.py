"""Tables of patients/."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from filmless.db.schema import Id, Json, Moment, metadata

patients = Table(
    "patients",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    #: (0010,0020) without padding; "" where the object has none
    Column("patient_id", String(64), nullable=False),
    #: issuer: (0010,0021), else the device's default, else "": never NULL, so that the rule below holds
    Column("issuer", String(64), nullable=False),
    #: 0: the identity of this ID and issuer. 1 and up: the same ID and issuer arrived with another name or
    #: birth date; kept apart and flagged until a steward decides
    Column("variant", Integer, nullable=False, default=0),
    #: the Study Instance UID where there is no patient ID: such objects share a patient only within a study
    Column("anonymous_key", String(64), nullable=False, default=""),
    Column("name", Text, nullable=False, default=""),
    #: normalised for matching by patients.names.normal, one per component group (PS3.5 6.2.1.1)
    Column("name_alphabetic", Text, nullable=False, default=""),
    Column("name_ideographic", Text, nullable=False, default=""),
    Column("name_phonetic", Text, nullable=False, default=""),
    Column("birth_date", String(8), nullable=False, default=""),
    Column("birth_time", String(13), nullable=False, default=""),
    Column("sex", String(16), nullable=False, default=""),
    Column("other_ids", Json, nullable=False),
    #: DICOM JSON of the patient-level attributes as first received
    Column("attributes", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("patient_id", "issuer", "variant", "anonymous_key"),
    Index("ix_patients_name_alphabetic", "name_alphabetic"),
    Index("ix_patients_name_ideographic", "name_ideographic"),
    Index("ix_patients_name_phonetic", "name_phonetic"),
    Index("ix_patients_birth_date", "birth_date"),
    # a number is never used again
    sqlite_autoincrement=True,
)

#: what fuzzy matching finds a patient by: patients.names.sounds of the name, one per row
patient_sounds = Table(
    "patient_sounds",
    metadata,
    Column("patient", Id, ForeignKey(patients.c.id), primary_key=True),
    Column("sound", String(200), primary_key=True),
    Index("ix_patient_sounds_sound", "sound"),
)

identity_flags = Table(
    "identity_flags",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    #: "same-id" (another name or birth date under one ID and issuer), "study-two-patients"
    Column("kind", String(32), nullable=False),
    Column("patient_id", Id, nullable=False),
    Column("other_patient_id", Id, nullable=False),
    Column("study_uid", String(64), nullable=False, default=""),
    Column("raised_at", Moment, nullable=False),
    Column("resolved_at", Moment),
    Column("resolved_by", String(64), nullable=False, default=""),
    Column("reason", Text, nullable=False, default=""),
    UniqueConstraint("kind", "patient_id", "other_patient_id", "study_uid"),
)
