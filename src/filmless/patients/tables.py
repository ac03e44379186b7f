"""Tables of patients/."""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

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

#: whom the department knows: one row per human being, whatever was sent of him or her. What images tell is in
#: `patients`; the two meet by patient ID and issuer
persons = Table(
    "persons",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    #: (0010,0020) and issuer (0010,0021) of all that is made of this person from now on
    Column("patient_id", String(64), nullable=False),
    Column("issuer", String(64), nullable=False),
    #: component groups of the name (PS3.5 6.2.1.1), each "family^given^middle^prefix^suffix"
    Column("name_ideographic", String(200), nullable=False, default=""),
    Column("name_alphabetic", String(200), nullable=False, default=""),
    Column("name_phonetic", String(200), nullable=False, default=""),
    #: as it is searched by: patients.names.normal of the groups, and the initials of the alphabetic one
    Column("key_ideographic", String(200), nullable=False, default=""),
    Column("key_alphabetic", String(200), nullable=False, default=""),
    Column("initials", String(32), nullable=False, default=""),
    #: "M", "F", "O" or "" (PS3.3 C.7.1.1)
    Column("sex", String(1), nullable=False, default=""),
    #: YYYYMMDD, YYYYMM, YYYY or ""
    Column("birth_date", String(8), nullable=False, default=""),
    Column("phone", String(40), nullable=False, default=""),
    Column("address", String(300), nullable=False, default=""),
    Column("vip", Boolean, nullable=False, default=False),
    Column("deceased", Boolean, nullable=False, default=False),
    #: registered without anybody knowing who it is
    Column("unknown", Boolean, nullable=False, default=False),
    #: "active", "merged", "void"
    Column("status", String(8), nullable=False, default="active"),
    #: the survivor, where merged; never in a circle
    Column("merged_into", Id, ForeignKey("persons.id")),
    #: counts changes: who writes says which he saw
    Column("changes", Integer, nullable=False, default=1),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(80), nullable=False, default=""),
    Column("changed_at", Moment, nullable=False),
    Column("changed_by", String(80), nullable=False, default=""),
    Index(None, "patient_id", "issuer"),
    Index(None, "key_ideographic"),
    Index(None, "key_alphabetic"),
    Index(None, "initials"),
    Index(None, "birth_date"),
    sqlite_autoincrement=True,
)

#: by what numbers a person is known; an inactive one still finds the person
person_identifiers = Table(
    "person_identifiers",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("person", Id, ForeignKey("persons.id"), nullable=False),
    #: HL7 table 0203: "MR" record, "VN" outpatient visit, "AN" admission, "NI" national identity, "PPN" passport,
    #: "HC" insurance card, "TMP" temporary, "EXT" of another system
    Column("kind", String(8), nullable=False),
    #: who gave it: code of a site, a state, an insurer; "" ours
    Column("authority", String(64), nullable=False, default=""),
    Column("value", String(64), nullable=False),
    Column("active", Boolean, nullable=False, default=True),
    Column("given_at", Moment, nullable=False),
    Column("until", Moment),
    #: "registration", "order", "merge", "import"
    Column("source", String(16), nullable=False, default=""),
    Index(None, "person"),
    Index(None, "value"),
    Index(
        "uq_person_identifiers_active",
        "authority",
        "kind",
        "value",
        unique=True,
        sqlite_where=text("active"),
        postgresql_where=text("active"),
    ),
    sqlite_autoincrement=True,
)

#: merges, unmerges, links and changed IDs, as they were done; nothing is ever changed here but by undoing
identity_journal = Table(
    "identity_journal",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    #: "merge", "link", "change-id", "match" of exams, "images" matched to an exam
    Column("kind", String(16), nullable=False),
    Column("person", Id, ForeignKey("persons.id"), nullable=False),
    Column("other", Id, ForeignKey("persons.id")),
    #: what was before and what was moved: ids of exams, keys of corrections, old values
    Column("body", Json, nullable=False),
    Column("at", Moment, nullable=False),
    Column("by", String(80), nullable=False),
    Column("reason", String(400), nullable=False),
    Column("undone_at", Moment),
    Column("undone_by", String(80), nullable=False, default=""),
    Index(None, "person"),
    Index(None, "other"),
    sqlite_autoincrement=True,
)
