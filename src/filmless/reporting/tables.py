"""Tables of reporting/."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from filmless.db.schema import Id, Json, Moment, metadata
from filmless.department.tables import exams

#: one for an exam, or for several that are reported together
reports = Table(
    "reports",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    #: "draft", "preliminary", "in-review", "final", "corrected", "withdrawn"
    Column("status", String(16), nullable=False),
    #: number of the newest revision, 0 before the first
    Column("revision", Integer, nullable=False, default=0),
    #: number of the revision that counts for clinicians, 0 before one is final (or preliminary where that is shown)
    Column("released", Integer, nullable=False, default=0),
    Column("author", String(64), nullable=False, default=""),
    Column("reviewer", String(64), nullable=False, default=""),
    #: who edits it now, and until when unless he goes on
    Column("locked_by", String(64), nullable=False, default=""),
    Column("locked_until", Moment),
    #: what was typed since the newest revision, saved as it is typed: as content, with the revision it began from
    Column("scratch", Json),
    Column("scratch_at", Moment),
    #: code and revision of the template that it is written by, "CT-HEAD@1"; "zh" or "en"
    Column("template", String(40), nullable=False, default=""),
    Column("language", String(2), nullable=False, default="zh"),
    #: "", "negative", "positive", "indeterminate", "not-applicable"
    Column("result", String(16), nullable=False, default=""),
    #: sent back by the reviewer, and not submitted again yet
    Column("returned", Boolean, nullable=False, default=False),
    #: what is being done to a final one: "addendum", "correction" (is written), "correction-asked",
    #: "retraction-asked" (waits for the second person); by whom and why
    Column("pending", String(16), nullable=False, default=""),
    Column("pending_by", String(64), nullable=False, default=""),
    Column("pending_reason", String(400), nullable=False, default=""),
    Column("changes", Integer, nullable=False, default=1),
    Column("created_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("changed_by", String(64), nullable=False, default=""),
    Index(None, "status"),
    Index(None, "author"),
    sqlite_autoincrement=True,
)

report_exams = Table(
    "report_exams",
    metadata,
    Column("exam", Id, ForeignKey(exams.c.id), primary_key=True),
    Column("report", Id, ForeignKey(reports.c.id), nullable=False),
    Index(None, "report"),
)

#: what was saved, never changed
report_revisions = Table(
    "report_revisions",
    metadata,
    Column("report", Id, ForeignKey(reports.c.id), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    #: "draft", "submitted", "returned", "final", "addendum", "correction", "retraction", "identity" (who it is about)
    Column("kind", String(16), nullable=False),
    #: {"findings", "impression", "advice", "technique", "comparison", "fields": {...}, "links": [...], "images": [...]}
    Column("content", Json, nullable=False),
    #: code and revision of the template
    Column("template", String(40), nullable=False, default=""),
    Column("language", String(2), nullable=False, default="zh"),
    #: SHA-256 of the canonical form that is signed: text, images referred to, identity of patient and exam
    Column("hash", String(64), nullable=False),
    #: the canonical form, as text
    Column("canonical", Text, nullable=False),
    Column("by", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    Column("reason", String(400), nullable=False, default=""),
    #: words for search
    Column("text", Text, nullable=False, default=""),
)

#: the words of each report as they count now, written so that both databases index them alike (reporting/words.py).
#: SQLite keeps the index in tables of its own behind triggers (migration 0012), PostgreSQL over the expression
report_words = Table(
    "report_words",
    metadata,
    Column("report", Id, ForeignKey(reports.c.id), primary_key=True),
    Column("words", Text, nullable=False),
)

signatures = Table(
    "signatures",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("report", Id, ForeignKey(reports.c.id), nullable=False),
    Column("revision", Integer, nullable=False),
    #: "author", "reviewer", "second"
    Column("role", String(16), nullable=False),
    Column("account", String(64), nullable=False),
    #: name and title as they were
    Column("name", String(200), nullable=False, default=""),
    Column("algorithm", String(32), nullable=False),
    #: SHA-256 of the public key, by which keys/ has it
    Column("key_id", String(64), nullable=False),
    Column("value", Text, nullable=False),
    Column("signed_at", Moment, nullable=False),
    Index(None, "report", "revision"),
    sqlite_autoincrement=True,
)

#: templates of reports and phrases; a change is a new revision, old reports keep theirs
templates = Table(
    "templates",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    #: "template", "phrase"
    Column("kind", String(16), nullable=False),
    Column("code", String(32), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("name_zh", String(100), nullable=False, default=""),
    Column("name_en", String(100), nullable=False, default=""),
    #: "hospital", "department", "user", and which
    Column("owner", String(16), nullable=False),
    Column("owner_name", String(64), nullable=False, default=""),
    Column("modality", String(16), nullable=False, default=""),
    Column("body_part", String(16), nullable=False, default=""),
    #: sections, required ones, fields; of a phrase: abbreviation and text
    Column("content", Json, nullable=False),
    Column("active", Boolean, nullable=False, default=True),
    Column("changed_at", Moment, nullable=False),
    Column("changed_by", String(80), nullable=False, default=""),
    UniqueConstraint("kind", "owner", "owner_name", "code", "revision"),
    sqlite_autoincrement=True,
)

#: findings that cannot wait
criticals = Table(
    "criticals",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("exam", Id, ForeignKey(exams.c.id), nullable=False),
    #: code of the catalogue, and its words
    Column("code", String(16), nullable=False, default=""),
    Column("finding", String(400), nullable=False),
    #: "red", "orange", "yellow"
    Column("level", String(8), nullable=False),
    #: "raised", "notified", "acknowledged", "actioned", "closed", "withdrawn"
    Column("status", String(16), nullable=False),
    Column("raised_at", Moment, nullable=False),
    Column("raised_by", String(64), nullable=False),
    #: when the next step is late, and how often it was escalated
    Column("due_at", Moment),
    Column("escalations", Integer, nullable=False, default=0),
    #: account, ward and department that are to be told
    Column("receiver", String(64), nullable=False, default=""),
    Column("ward", String(16), nullable=False, default=""),
    Column("department", String(16), nullable=False, default=""),
    Column("closed_at", Moment),
    Index(None, "exam"),
    Index(None, "status", "due_at"),
    sqlite_autoincrement=True,
)

#: what was done about one, never changed
critical_steps = Table(
    "critical_steps",
    metadata,
    Column("critical", Id, ForeignKey(criticals.c.id), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    #: "raised", "notified", "acknowledged", "actioned", "closed", "escalated", "withdrawn"
    Column("what", String(16), nullable=False),
    #: "screen", "phone", "message"
    Column("channel", String(16), nullable=False, default=""),
    #: who was spoken to, and what was read back
    Column("receiver", String(100), nullable=False, default=""),
    Column("words", String(1000), nullable=False, default=""),
    Column("at", Moment, nullable=False),
    Column("by", String(64), nullable=False),
)

#: what left on paper or as a file, so that it can be asked back
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("report", Id, ForeignKey(reports.c.id), nullable=False),
    Column("revision", Integer, nullable=False),
    #: "print", "download"
    Column("kind", String(16), nullable=False),
    #: copy 1, 2, ... of the report
    Column("copy", Integer, nullable=False),
    #: "out", "recalled", "returned"
    Column("status", String(16), nullable=False, default="out"),
    Column("at", Moment, nullable=False),
    Column("by", String(80), nullable=False),
    Index(None, "report"),
    sqlite_autoincrement=True,
)

#: who has read which revision, so that he is told when another one counts
report_reads = Table(
    "report_reads",
    metadata,
    Column("report", Id, ForeignKey(reports.c.id), primary_key=True),
    Column("account", String(64), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("at", Moment, nullable=False),
)

#: DICOM objects that were made of a released revision
report_documents = Table(
    "report_documents",
    metadata,
    Column("report", Id, ForeignKey(reports.c.id), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    #: "pdf", "sr"
    Column("kind", String(8), primary_key=True),
    #: of an exam with several studies, one for each
    Column("study_uid", String(64), primary_key=True),
    Column("series_uid", String(64), nullable=False),
    Column("sop_uid", String(64), nullable=False),
    #: "wanted", "stored", "failed", "rejected"
    Column("status", String(16), nullable=False),
    Column("tries", Integer, nullable=False, default=0),
    #: why it failed, in words for an engineer
    Column("error", String(400), nullable=False, default=""),
    Column("at", Moment, nullable=False),
    Index(None, "status"),
    Index(None, "sop_uid"),
)
