"""Tables of viewing/. Studies are named by UID: a draft outlives what is rejected or comes again."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, Text

from filmless.db.schema import Id, Moment, metadata

#: what a person has drawn on a study and not saved as DICOM yet
drafts = Table(
    "annotation_drafts",
    metadata,
    Column("account_id", Id, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("study_uid", String(64), primary_key=True),
    #: counted up at each change, so that two windows notice each other
    Column("version", Integer, nullable=False),
    #: JSON text: {"annotations": [...], "previous": [SOP Instance UIDs of reports that it is a later version of]}
    Column("content", Text, nullable=False),
    Column("changed_at", Moment, nullable=False),
)

#: hanging protocols: how exams of a kind are laid out
layouts = Table(
    "layouts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("owner", String(16), nullable=False),
    #: owner "user": accounts.id
    Column("account_id", Id, ForeignKey("accounts.id")),
    #: owner "department": its name
    Column("department", String(64), nullable=False, default=""),
    Column("name", String(100), nullable=False),
    #: for exams like this; "" for any. Capital letters; procedure: words that are in the description
    Column("modality", String(16), nullable=False, default=""),
    Column("body_part", String(64), nullable=False, default=""),
    Column("procedure", String(256), nullable=False, default=""),
    #: JSON text: the layout
    Column("content", Text, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("changed_by", String(80), nullable=False),
    CheckConstraint("owner IN ('user', 'department', 'hospital')", name="owner"),
    CheckConstraint("(owner = 'user') = (account_id IS NOT NULL)", name="account"),
    Index("ix_layouts_account_id", "account_id"),
    Index("ix_layouts_owner", "owner", "department"),
    sqlite_autoincrement=True,
)
