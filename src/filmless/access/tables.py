"""Tables of access/. Those of accounts are in account_tables.py, those of the audit trail in audit/tables.py.

Here: which study belongs to whom, who cares for whom, and what was opened for whom besides. Studies and patients are
named as objects name them, by UID and by ID and issuer: what access/ is told may come before the first image.
"""

from typing import Any

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

from filmless.access import account_tables
from filmless.access.audit import tables as audit_tables
from filmless.db.schema import Id, Moment, metadata

__all__ = [
    "account_tables",
    "audit_tables",
    "break_glass",
    "patient_care",
    "share_links",
    "share_sessions",
    "shared_studies",
    "study_access",
]


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


#: to whom a study belongs. A study without a row belongs to no site and no department, and is not sensitive
study_access = Table(
    "study_access",
    metadata,
    Column("study_uid", String(64), primary_key=True),
    Column("site", String(64), nullable=False, default=""),
    #: that performed the examination or for which it was made, as the hospital's own rules say
    Column("department", String(64), nullable=False, default=""),
    #: the ward of the visit during which it was requested
    Column("ward", String(64), nullable=False, default=""),
    #: accounts.id of whoever requested it
    Column("requested_by", Id, ForeignKey("accounts.id")),
    Column("sensitive", Boolean, nullable=False, default=False),
    Column("changed_at", Moment, nullable=False),
    Column("changed_by", String(80), nullable=False, default=""),
    Column("reason", String(400), nullable=False, default=""),
    Index("ix_study_access_requested_by", "requested_by", **_where("requested_by IS NOT NULL")),
    Index("ix_study_access_ward", "ward", **_where("ward <> ''")),
)

#: who cares for a patient: one account, or everybody of a ward
patient_care = Table(
    "patient_care",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("patient_id", String(64), nullable=False),
    Column("issuer", String(64), nullable=False, default=""),
    #: accounts.id, or 0 where it is a ward
    Column("account_id", Id, nullable=False, default=0),
    Column("ward", String(64), nullable=False, default=""),
    #: NULL: until it is ended
    Column("until", Moment),
    Column("changed_at", Moment, nullable=False),
    Column("changed_by", String(80), nullable=False, default=""),
    UniqueConstraint("patient_id", "issuer", "account_id", "ward"),
    Index("ix_patient_care_account_id", "account_id", **_where("account_id <> 0")),
    Index("ix_patient_care_ward", "ward", **_where("ward <> ''")),
)

#: emergencies: what an account opened for itself, of a study or of a patient
break_glass = Table(
    "break_glass",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    #: one of study_uid and patient_id is ""
    Column("study_uid", String(64), nullable=False, default=""),
    Column("patient_id", String(64), nullable=False, default=""),
    Column("issuer", String(64), nullable=False, default=""),
    Column("reason", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    Column("reviewed_at", Moment),
    Column("reviewed_by", String(80), nullable=False, default=""),
    #: "" before the review, then "justified" or "unjustified"
    Column("finding", String(16), nullable=False, default=""),
    Column("review_note", Text, nullable=False, default=""),
    Index("ix_break_glass_account_id", "account_id", "until"),
    Index("ix_break_glass_waiting", "id", **_where("reviewed_at IS NULL")),
)

#: studies opened to an account by somebody who may share them
shared_studies = Table(
    "shared_studies",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("study_uid", String(64), nullable=False),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("at", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    Column("shared_by", String(80), nullable=False),
    Column("reason", String(400), nullable=False, default=""),
    Column("revoked_at", Moment),
    Column("revoked_by", String(80), nullable=False, default=""),
    Index("ix_shared_studies_account_id", "account_id", "until"),
    Index("ix_shared_studies_study_uid", "study_uid"),
)

#: addresses that open one study to whoever has them
share_links = Table(
    "share_links",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    #: the link's name in lists and in the audit trail; opens nothing
    Column("name", String(32), nullable=False),
    #: SHA-256 of the 256 random bits in the address
    Column("token_hash", String(64), nullable=False),
    Column("study_uid", String(64), nullable=False),
    #: for whom, in the words of whoever made it
    Column("label", String(200), nullable=False, default=""),
    #: the study may be taken along, not only looked at
    Column("download", Boolean, nullable=False, default=False),
    #: argon2id in its own notation; "": no password
    Column("password_hash", String(255), nullable=False, default=""),
    #: wrong passwords since the last right one
    Column("failures", Integer, nullable=False, default=0),
    Column("locked_until", Moment),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(80), nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("revoked_at", Moment),
    Column("revoked_by", String(80), nullable=False, default=""),
    Column("uses", Integer, nullable=False, default=0),
    Column("used_at", Moment),
    UniqueConstraint("name"),
    UniqueConstraint("token_hash"),
    Index("ix_share_links_study_uid", "study_uid"),
)

#: browsers that opened a share link
share_sessions = Table(
    "share_sessions",
    metadata,
    Column("id_hash", String(64), primary_key=True),
    Column("link_id", Id, ForeignKey("share_links.id"), nullable=False),
    Column("ends_at", Moment, nullable=False),
    Index("ix_share_sessions_link_id", "link_id"),
)

#: alarms that somebody in charge has seen: what they are about is nobody's news until something of it is newer
alarms_seen = Table(
    "alarms_seen",
    metadata,
    #: app.alarms.model.Why
    Column("why", String(16), primary_key=True),
    #: which device; "": there is but one
    Column("about", String(64), primary_key=True),
    Column("seen_at", Moment, nullable=False),
    Column("seen_by", String(80), nullable=False),
)
