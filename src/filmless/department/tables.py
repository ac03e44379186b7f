"""Tables of department/. What is kept of the standard's words: an exam is a Requested Procedure, a step a Scheduled
Procedure Step (SPS), a performed step a Modality Performed Procedure Step (MPPS)."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
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
from filmless.patients.tables import persons

#: sites, departments, wards, rooms, stations, staff, procedures, classes of exams, reasons: what the department is.
#: Codes are never given anew; what is out of use is switched off, and old exams keep their words
places = Table(
    "places",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    #: "site", "department", "ward", "room"
    Column("kind", String(16), nullable=False),
    Column("code", String(16), nullable=False),
    Column("name_zh", String(100), nullable=False, default=""),
    Column("name_en", String(100), nullable=False, default=""),
    #: code of the site, and for wards and rooms of the department
    Column("site", String(16), nullable=False, default=""),
    Column("department", String(16), nullable=False, default=""),
    #: of a site: {"prefix": 0 to 2 characters in exam numbers, "issuer": of patient IDs and accession numbers}; of a
    #: department: {"imaging": true}
    Column("more", Json, nullable=False),
    Column("active", Boolean, nullable=False, default=True),
    Column("changed_at", Moment, nullable=False),
    UniqueConstraint("kind", "code"),
    sqlite_autoincrement=True,
)

#: what exams are booked for and made on: a scanner, an ultrasound machine. One with an AE title is in the list of
#: devices too
stations = Table(
    "stations",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("code", String(16), nullable=False),
    Column("name_zh", String(100), nullable=False, default=""),
    Column("name_en", String(100), nullable=False, default=""),
    #: Scheduled Station AE Title (0040,0001); "" without a network
    Column("ae_title", String(16), nullable=False, default=""),
    Column("modality", String(16), nullable=False),
    Column("room", String(16), nullable=False, default=""),
    Column("department", String(16), nullable=False, default=""),
    Column("site", String(16), nullable=False, default=""),
    #: {"0": [["08:00", "12:00"], ["13:30", "17:30"]], ...}: hours by weekday, Monday is 0; local time of the server
    Column("hours", Json, nullable=False),
    #: {"worklist": asks us for its worklist, "mpps": tells of its steps, "max_wait": minutes, ...}
    Column("abilities", Json, nullable=False),
    Column("active", Boolean, nullable=False, default=True),
    Column("changed_at", Moment, nullable=False),
    UniqueConstraint("code"),
    Index(None, "ae_title"),
    sqlite_autoincrement=True,
)

#: procedures, classes of exams, reasons
words = Table(
    "department_words",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    #: "procedure", "exam-class", "reason-cancel", "reason-hold", "reason-override", "reason-reject", "reason-void", ...
    Column("kind", String(24), nullable=False),
    Column("code", String(16), nullable=False),
    Column("name_zh", String(100), nullable=False, default=""),
    Column("name_en", String(100), nullable=False, default=""),
    #: of a procedure: modality, body_part (CS), minutes, preparation_zh/_en, template, double_sign, fee, sides, weight,
    #: due_minutes; of a class: letter, needs ("VN", "AN" or ""), digits, date, stat, order in lists; see model.py
    Column("more", Json, nullable=False),
    Column("active", Boolean, nullable=False, default=True),
    Column("changed_at", Moment, nullable=False),
    UniqueConstraint("kind", "code"),
    sqlite_autoincrement=True,
)

#: who signs: what an account may in the department beyond its roles
staff = Table(
    "staff",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("name_zh", String(100), nullable=False, default=""),
    Column("name_en", String(100), nullable=False, default=""),
    Column("title", String(100), nullable=False, default=""),
    Column("licence", String(64), nullable=False, default=""),
    Column("department", String(16), nullable=False, default=""),
    #: may sign alone where the procedure allows it
    Column("single_sign", Boolean, nullable=False, default=False),
    Column("changed_at", Moment, nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("person", Id, ForeignKey(persons.c.id), nullable=False),
    #: who asked, and under which number; "" and our own number where made here
    Column("placer", String(64), nullable=False, default=""),
    Column("placer_number", String(64), nullable=False),
    #: account of the clinician, "" where unknown here; the name as written
    Column("requested_by", String(64), nullable=False, default=""),
    Column("requester", String(200), nullable=False, default=""),
    Column("department", String(16), nullable=False, default=""),
    Column("ward", String(16), nullable=False, default=""),
    Column("bed", String(16), nullable=False, default=""),
    #: "O" outpatient, "I" inpatient, "E" emergency, "P" physical exam
    Column("patient_class", String(1), nullable=False, default="O"),
    Column("visit_number", String(64), nullable=False, default=""),
    Column("admission_number", String(64), nullable=False, default=""),
    Column("diagnosis", Text, nullable=False, default=""),
    Column("history", Text, nullable=False, default=""),
    Column("purpose", Text, nullable=False, default=""),
    #: allergies, implants, pregnancy, contrast: {"allergies": "...", "pregnancy": "no|possible|yes|unknown", ...}
    Column("cautions", Json, nullable=False),
    #: "routine", "urgent", "stat"
    Column("priority", String(8), nullable=False, default="routine"),
    Column("ordered_at", Moment, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(80), nullable=False, default=""),
    UniqueConstraint("placer", "placer_number"),
    Index(None, "person"),
    sqlite_autoincrement=True,
)

exams = Table(
    "exams",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("order_id", Id, ForeignKey(orders.c.id), nullable=False),
    Column("person", Id, ForeignKey(persons.c.id), nullable=False),
    #: its current number, which is its Accession Number (0008,0050); "" before it is registered
    Column("number", String(16), nullable=False, default=""),
    #: Study Instance UID that the worklist gives; also of what else belongs to it see exam_studies
    Column("study_uid", String(64), nullable=False),
    #: letter of its class: "M", "Z", "L", ...; "" before it is registered
    Column("exam_class", String(1), nullable=False, default=""),
    #: code of the procedure, and its words as they were when it was asked for
    Column("procedure", String(16), nullable=False),
    Column("procedure_zh", String(100), nullable=False, default=""),
    Column("procedure_en", String(100), nullable=False, default=""),
    Column("modality", String(16), nullable=False),
    Column("body_part", String(16), nullable=False, default=""),
    #: "", "L", "R", "B"
    Column("side", String(1), nullable=False, default=""),
    Column("stat", Boolean, nullable=False, default=False),
    #: states.State
    Column("state", String(3), nullable=False),
    #: the state that a held exam returns to, and why it is held (code)
    Column("held_from", String(3), nullable=False, default=""),
    Column("hold_reason", String(16), nullable=False, default=""),
    #: facet of images: "none", "arriving", "complete", "mismatch", "rejected"
    Column("images", String(16), nullable=False, default="none"),
    #: code of the station, start and end of its place there
    Column("station", String(16), nullable=False, default=""),
    Column("starts_at", Moment),
    Column("ends_at", Moment),
    Column("site", String(16), nullable=False, default=""),
    Column("department", String(16), nullable=False, default=""),
    Column("ordered_at", Moment, nullable=False),
    Column("booked_at", Moment),
    Column("arrived_at", Moment),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    Column("verified_at", Moment),
    Column("reported_at", Moment),
    Column("final_at", Moment),
    #: until when the report is due
    Column("due_at", Moment),
    #: who made it: name of an account, or what the device told
    Column("technologist", String(80), nullable=False, default=""),
    #: more of it: {"expected": typed count, "safety": {...} (exams/dangers.py), ...}
    Column("more", Json, nullable=False),
    Column("changes", Integer, nullable=False, default=1),
    UniqueConstraint("study_uid"),
    Index(None, "state", "modality"),
    Index(None, "person"),
    Index(None, "order_id"),
    Index(None, "station", "starts_at"),
    Index(None, "arrived_at"),
    Index(None, "finished_at"),
    Index(
        "uq_exams_number",
        "site",
        "number",
        unique=True,
        sqlite_where=text("number <> ''"),
        postgresql_where=text("number <> ''"),
    ),
    sqlite_autoincrement=True,
)

#: every number that was ever given: none is given twice, and an old one still finds its exam
exam_numbers = Table(
    "exam_numbers",
    metadata,
    Column("number", String(16), primary_key=True),
    Column("exam", Id, ForeignKey(exams.c.id), nullable=False),
    Column("given_at", Moment, nullable=False),
    #: "" its own, "matched" (an L number after the match), "undone" (given by a match that was undone), "outside"
    Column("alias", String(16), nullable=False, default=""),
    Index(None, "exam"),
)

number_counters = Table(
    "number_counters",
    metadata,
    #: all that stands before the serial number: letter, site, date
    Column("prefix", String(16), primary_key=True),
    Column("next", Integer, nullable=False),
)

#: what happened to an exam, in order; never changed
exam_log = Table(
    "exam_log",
    metadata,
    Column("exam", Id, ForeignKey(exams.c.id), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("from_state", String(3), nullable=False, default=""),
    Column("to_state", String(3), nullable=False),
    #: "T04"; "" for what changes no state
    Column("transition", String(4), nullable=False, default=""),
    #: "registered", "moved", "identity checked", ...
    Column("what", String(40), nullable=False, default=""),
    Column("at", Moment, nullable=False),
    Column("by", String(80), nullable=False),
    #: "screen", "mpps", "images", "timer", "message"
    Column("source", String(16), nullable=False),
    Column("reason", String(400), nullable=False, default=""),
    Column("detail", Json, nullable=False),
    Index(None, "at"),
)

#: studies whose images belong to an exam; a study may belong to several (one acquisition for several procedures)
exam_studies = Table(
    "exam_studies",
    metadata,
    Column("exam", Id, ForeignKey(exams.c.id), primary_key=True),
    Column("study_uid", String(64), primary_key=True),
    #: "uid", "number", "mpps", "hand"
    Column("by", String(16), nullable=False),
    Column("at", Moment, nullable=False),
    Index(None, "study_uid"),
)

#: places on stations; of one station they never overlap, but for those that are overbooked by right
bookings = Table(
    "bookings",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("station", Id, ForeignKey(stations.c.id), nullable=False),
    #: NULL: closed for maintenance or a holiday
    Column("exam", Id, ForeignKey(exams.c.id)),
    Column("starts_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    #: the same in seconds since 1970, the last one that is taken included: what the databases compare
    Column("first_second", Id, nullable=False),
    Column("last_second", Id, nullable=False),
    Column("overbooked", Boolean, nullable=False, default=False),
    Column("note", String(200), nullable=False, default=""),
    Column("by", String(80), nullable=False, default=""),
    Column("at", Moment, nullable=False),
    CheckConstraint("first_second < last_second", name="order"),
    UniqueConstraint("exam"),
    Index(None, "station", "first_second"),
    sqlite_autoincrement=True,
)

#: Scheduled Procedure Steps, PS3.4 K; what the worklist answers
steps = Table(
    "steps",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    #: Scheduled Procedure Step ID (0040,0009)
    Column("step_id", String(16), nullable=False),
    Column("exam", Id, ForeignKey(exams.c.id), nullable=False),
    Column("station", String(16), nullable=False, default=""),
    Column("ae_title", String(16), nullable=False, default=""),
    Column("modality", String(16), nullable=False),
    Column("starts_at", Moment, nullable=False),
    #: Scheduled Procedure Step Status (0040,0020): SCHEDULED, ARRIVED, READY, STARTED, DEPARTED, COMPLETED, CANCELED,
    #: DISCONTINUED; "HIDDEN" while the exam is held
    Column("status", String(16), nullable=False),
    Column("description_zh", String(100), nullable=False, default=""),
    Column("description_en", String(100), nullable=False, default=""),
    Column("changed_at", Moment, nullable=False),
    UniqueConstraint("step_id"),
    Index(None, "exam"),
    Index(None, "status", "starts_at"),
    sqlite_autoincrement=True,
)

#: what somebody has to look at: unmatched images, wrong worklist entry, late images, a check that is missing
tasks = Table(
    "tasks",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("kind", String(32), nullable=False),
    Column("exam", Id, ForeignKey(exams.c.id)),
    Column("study_uid", String(64), nullable=False, default=""),
    #: once for one cause: a second task of the same key is not made while the first is open
    Column("cause", String(128), nullable=False),
    Column("body", Json, nullable=False),
    Column("raised_at", Moment, nullable=False),
    Column("closed_at", Moment),
    Column("closed_by", String(80), nullable=False, default=""),
    Column("outcome", String(400), nullable=False, default=""),
    Index(None, "kind", "closed_at"),
    Index(None, "exam"),
    Index(None, "study_uid"),
    Index(
        "uq_tasks_open",
        "cause",
        unique=True,
        sqlite_where=text("closed_at IS NULL"),
        postgresql_where=text("closed_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

#: that somebody made sure who lies there; before registration and before the exam
identity_checks = Table(
    "identity_checks",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("exam", Id, ForeignKey(exams.c.id), nullable=False),
    #: "registration", "exam"
    Column("stage", String(16), nullable=False),
    #: "NI", "PPN", "HC", "two-identifiers", "wristband"
    Column("document", String(16), nullable=False),
    #: keyed hash of the document's number; "" where there is none
    Column("document_hash", String(64), nullable=False, default=""),
    Column("passed", Boolean, nullable=False),
    #: who overrode a failed one, and why
    Column("override_by", String(80), nullable=False, default=""),
    Column("reason", String(400), nullable=False, default=""),
    Column("at", Moment, nullable=False),
    Column("by", String(80), nullable=False),
    Index(None, "exam"),
    Index(None, "document_hash"),
    sqlite_autoincrement=True,
)

#: checks that failed before there was an exam: somebody at the desk who was not registered. Once the person is
#: registered they are the exam's (identity_checks), and `exam` says which
failed_checks = Table(
    "failed_checks",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("person", Id, ForeignKey(persons.c.id), nullable=False),
    Column("exam", Id, ForeignKey(exams.c.id)),
    Column("document", String(16), nullable=False),
    Column("document_hash", String(64), nullable=False, default=""),
    #: identity_check.Verdict.why
    Column("why", String(24), nullable=False),
    Column("at", Moment, nullable=False),
    Column("by", String(80), nullable=False),
    Index(None, "person"),
    sqlite_autoincrement=True,
)

#: places in the queue of a station
tickets = Table(
    "tickets",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("exam", Id, ForeignKey(exams.c.id), nullable=False),
    Column("station", String(16), nullable=False),
    #: local date of the server, and the number of that day there
    Column("day", String(8), nullable=False),
    Column("number", Integer, nullable=False),
    #: "waiting", "called", "in-room", "skipped", "left", "done"
    Column("status", String(16), nullable=False),
    #: by which the queue is sorted, smaller first: class, then time
    Column("rank", Integer, nullable=False),
    Column("calls", Integer, nullable=False, default=0),
    Column("called_at", Moment),
    Column("made_at", Moment, nullable=False),
    UniqueConstraint("station", "day", "number"),
    Index(None, "exam"),
    Index(None, "station", "status"),
    sqlite_autoincrement=True,
)

#: Modality Performed Procedure Steps, PS3.4 F.7; what the device told is kept whole
performed_steps = Table(
    "performed_steps",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    #: Affected SOP Instance UID of the N-CREATE
    Column("sop_uid", String(64), nullable=False),
    #: Performed Procedure Step Status (0040,0252)
    Column("status", String(16), nullable=False),
    Column("ae_title", String(16), nullable=False, default=""),
    Column("modality", String(16), nullable=False, default=""),
    Column("starts_at", Moment),
    Column("ends_at", Moment),
    #: code value of Discontinuation Reason (0040,0281), CID 9300
    Column("discontinued", String(16), nullable=False, default=""),
    #: DICOM JSON of all attributes
    Column("attributes", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    UniqueConstraint("sop_uid"),
    sqlite_autoincrement=True,
)

#: exams that a performed step is about: none (unscheduled), one, several (group case)
performed_step_exams = Table(
    "performed_step_exams",
    metadata,
    Column("performed_step", Id, ForeignKey(performed_steps.c.id), primary_key=True),
    Column("exam", Id, ForeignKey(exams.c.id), primary_key=True),
    Index(None, "exam"),
)

#: objects that a performed step says it made
expected_instances = Table(
    "expected_instances",
    metadata,
    Column("performed_step", Id, ForeignKey(performed_steps.c.id), primary_key=True),
    Column("sop_uid", String(64), primary_key=True),
    Column("series_uid", String(64), nullable=False, default=""),
    Column("study_uid", String(64), nullable=False, default=""),
    Index(None, "sop_uid"),
)
