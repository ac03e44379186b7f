"""Accounts, who may see what, and the audit trail."""
# There is no way down: going back to an older Filmless means restoring the backup made before the upgrade.

import sqlalchemy as sa
from alembic import op

from filmless.db.schema import Id, Json, Moment, words

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

#: the database itself refuses changes of the audit trail
_GUARDS = {
    "sqlite": (
        "CREATE TRIGGER audit_never_update BEFORE UPDATE ON audit"
        " BEGIN SELECT RAISE(ABORT, 'the audit trail is never changed'); END",
        "CREATE TRIGGER audit_never_delete BEFORE DELETE ON audit"
        " BEGIN SELECT RAISE(ABORT, 'the audit trail is never changed'); END",
        "CREATE TRIGGER audit_subjects_never_update BEFORE UPDATE ON audit_subjects"
        " BEGIN SELECT RAISE(ABORT, 'the audit trail is never changed'); END",
        "CREATE TRIGGER audit_subjects_never_delete BEFORE DELETE ON audit_subjects"
        " BEGIN SELECT RAISE(ABORT, 'the audit trail is never changed'); END",
        "CREATE TRIGGER audit_head_never_delete BEFORE DELETE ON audit_head"
        " BEGIN SELECT RAISE(ABORT, 'the audit trail is never changed'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION filmless_audit_kept() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RAISE EXCEPTION 'the audit trail is never changed'; END $$",
        "CREATE TRIGGER audit_never_change BEFORE UPDATE OR DELETE ON audit"
        " FOR EACH ROW EXECUTE FUNCTION filmless_audit_kept()",
        "CREATE TRIGGER audit_subjects_never_change BEFORE UPDATE OR DELETE ON audit_subjects"
        " FOR EACH ROW EXECUTE FUNCTION filmless_audit_kept()",
        "CREATE TRIGGER audit_head_never_delete BEFORE DELETE ON audit_head"
        " FOR EACH ROW EXECUTE FUNCTION filmless_audit_kept()",
        "CREATE TRIGGER audit_never_truncate BEFORE TRUNCATE ON audit"
        " FOR EACH STATEMENT EXECUTE FUNCTION filmless_audit_kept()",
        "CREATE TRIGGER audit_subjects_never_truncate BEFORE TRUNCATE ON audit_subjects"
        " FOR EACH STATEMENT EXECUTE FUNCTION filmless_audit_kept()",
        "CREATE TRIGGER audit_head_never_truncate BEFORE TRUNCATE ON audit_head"
        " FOR EACH STATEMENT EXECUTE FUNCTION filmless_audit_kept()",
    ),
}


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("name", words(64), nullable=False),
        sa.Column("display_name", words(200), nullable=False),
        sa.Column("language", words(8), nullable=False),
        sa.Column("wards", Json, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("first", sa.Boolean(), nullable=False),
        sa.Column("password_hash", words(255), nullable=False),
        sa.Column("password_changed_at", Moment(), nullable=True),
        sa.Column("must_change_password", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", Moment(), nullable=True),
        sa.Column("totp_secret", words(64), nullable=False),
        sa.Column("totp_confirmed_at", Moment(), nullable=True),
        sa.Column("totp_step", sa.Integer(), nullable=False),
        sa.Column("signed_in_at", Moment(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("created_by", words(80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name")),
    )
    op.create_table(
        "audit",
        sa.Column("seq", Id, autoincrement=False, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("kind", words(32), nullable=False),
        sa.Column("outcome", words(8), nullable=False),
        sa.Column("who_kind", words(8), nullable=False),
        sa.Column("who", words(200), nullable=False),
        sa.Column("host", words(255), nullable=False),
        sa.Column("body", words(), nullable=False),
        sa.Column("key", words(16), nullable=False),
        sa.Column("mac", words(64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_at", "audit", ["at"], unique=False)
    op.create_index("ix_audit_kind_seq", "audit", ["kind", "seq"], unique=False)
    op.create_index("ix_audit_who_seq", "audit", ["who", "seq"], unique=False)
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", Id, nullable=False),
        sa.Column("mac", words(64), nullable=False),
        sa.Column("key", words(16), nullable=False),
        sa.Column("seal", words(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "patient_care",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("patient_id", words(64), nullable=False),
        sa.Column("issuer", words(64), nullable=False),
        sa.Column("account_id", Id, nullable=False),
        sa.Column("ward", words(64), nullable=False),
        sa.Column("until", Moment(), nullable=True),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.Column("changed_by", words(80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_care")),
        sa.UniqueConstraint(
            "patient_id",
            "issuer",
            "account_id",
            "ward",
            name=op.f("uq_patient_care_patient_id_issuer_account_id_ward"),
        ),
    )
    op.create_index(
        "ix_patient_care_account_id",
        "patient_care",
        ["account_id"],
        unique=False,
        sqlite_where=sa.text("account_id <> 0"),
        postgresql_where=sa.text("account_id <> 0"),
    )
    op.create_index(
        "ix_patient_care_ward",
        "patient_care",
        ["ward"],
        unique=False,
        sqlite_where=sa.text("ward <> ''"),
        postgresql_where=sa.text("ward <> ''"),
    )
    op.create_table(
        "share_links",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("name", words(32), nullable=False),
        sa.Column("token_hash", words(64), nullable=False),
        sa.Column("study_uid", words(64), nullable=False),
        sa.Column("label", words(200), nullable=False),
        sa.Column("download", sa.Boolean(), nullable=False),
        sa.Column("password_hash", words(255), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", Moment(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("created_by", words(80), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.Column("revoked_by", words(80), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("used_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_links")),
        sa.UniqueConstraint("name", name=op.f("uq_share_links_name")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_share_links_token_hash")),
    )
    op.create_index("ix_share_links_study_uid", "share_links", ["study_uid"], unique=False)
    op.create_table(
        "sign_in_states",
        sa.Column("state_hash", words(64), nullable=False),
        sa.Column("browser_hash", words(64), nullable=False),
        sa.Column("nonce", words(64), nullable=False),
        sa.Column("verifier", words(128), nullable=False),
        sa.Column("return_to", words(400), nullable=False),
        sa.Column("ends_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_sign_in_states")),
    )
    op.create_table(
        "account_identities",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("account_id", Id, nullable=False),
        sa.Column("issuer", words(500), nullable=False),
        sa.Column("subject", words(255), nullable=False),
        sa.Column("linked_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_account_identities_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_identities")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_account_identities_issuer_subject")),
    )
    op.create_index("ix_account_identities_account_id", "account_identities", ["account_id"], unique=False)
    op.create_table(
        "audit_subjects",
        sa.Column("kind", words(8), nullable=False),
        sa.Column("value", words(200), nullable=False),
        sa.Column("seq", Id, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["audit.seq"], name=op.f("fk_audit_subjects_seq")),
        sa.PrimaryKeyConstraint("kind", "value", "seq", name=op.f("pk_audit_subjects")),
    )
    op.create_index("ix_audit_subjects_seq", "audit_subjects", ["seq"], unique=False)
    op.create_table(
        "break_glass",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("account_id", Id, nullable=False),
        sa.Column("study_uid", words(64), nullable=False),
        sa.Column("patient_id", words(64), nullable=False),
        sa.Column("issuer", words(64), nullable=False),
        sa.Column("reason", words(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("until", Moment(), nullable=False),
        sa.Column("reviewed_at", Moment(), nullable=True),
        sa.Column("reviewed_by", words(80), nullable=False),
        sa.Column("finding", words(16), nullable=False),
        sa.Column("review_note", words(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_break_glass_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_break_glass")),
    )
    op.create_index("ix_break_glass_account_id", "break_glass", ["account_id", "until"], unique=False)
    op.create_index(
        "ix_break_glass_waiting",
        "break_glass",
        ["id"],
        unique=False,
        sqlite_where=sa.text("reviewed_at IS NULL"),
        postgresql_where=sa.text("reviewed_at IS NULL"),
    )
    op.create_table(
        "grants",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("account_id", Id, nullable=False),
        sa.Column("role", words(8), nullable=False),
        sa.Column("scope", Json, nullable=False),
        sa.Column("expires_at", Moment(), nullable=True),
        sa.Column("source", words(8), nullable=False),
        sa.Column("granted_at", Moment(), nullable=False),
        sa.Column("granted_by", words(80), nullable=False),
        sa.Column("reason", words(400), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_grants_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    op.create_index("ix_grants_account_id", "grants", ["account_id"], unique=False)
    op.create_table(
        "preferences",
        sa.Column("account_id", Id, nullable=False),
        sa.Column("key", words(100), nullable=False),
        sa.Column("value", words(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_preferences_account_id")),
        sa.PrimaryKeyConstraint("account_id", "key", name=op.f("pk_preferences")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("account_id", Id, nullable=False),
        sa.Column("code_hash", words(64), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_recovery_codes_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
    )
    op.create_index("ix_recovery_codes_account_id", "recovery_codes", ["account_id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("id_hash", words(64), nullable=False),
        sa.Column("account_id", Id, nullable=False),
        sa.Column("method", words(16), nullable=False),
        sa.Column("host", words(64), nullable=False),
        sa.Column("browser", words(200), nullable=False),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.Column("ends_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_sessions_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("id_hash", name=op.f("uq_sessions_id_hash")),
    )
    op.create_index("ix_sessions_account_id", "sessions", ["account_id"], unique=False)
    op.create_table(
        "share_sessions",
        sa.Column("id_hash", words(64), nullable=False),
        sa.Column("link_id", Id, nullable=False),
        sa.Column("ends_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["share_links.id"], name=op.f("fk_share_sessions_link_id")),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_share_sessions")),
    )
    op.create_index("ix_share_sessions_link_id", "share_sessions", ["link_id"], unique=False)
    op.create_table(
        "shared_studies",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("study_uid", words(64), nullable=False),
        sa.Column("account_id", Id, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("until", Moment(), nullable=False),
        sa.Column("shared_by", words(80), nullable=False),
        sa.Column("reason", words(400), nullable=False),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.Column("revoked_by", words(80), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_shared_studies_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shared_studies")),
    )
    op.create_index("ix_shared_studies_account_id", "shared_studies", ["account_id", "until"], unique=False)
    op.create_index("ix_shared_studies_study_uid", "shared_studies", ["study_uid"], unique=False)
    op.create_table(
        "study_access",
        sa.Column("study_uid", words(64), nullable=False),
        sa.Column("site", words(64), nullable=False),
        sa.Column("department", words(64), nullable=False),
        sa.Column("ward", words(64), nullable=False),
        sa.Column("requested_by", Id, nullable=True),
        sa.Column("sensitive", sa.Boolean(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.Column("changed_by", words(80), nullable=False),
        sa.Column("reason", words(400), nullable=False),
        sa.ForeignKeyConstraint(["requested_by"], ["accounts.id"], name=op.f("fk_study_access_requested_by")),
        sa.PrimaryKeyConstraint("study_uid", name=op.f("pk_study_access")),
    )
    op.create_index(
        "ix_study_access_requested_by",
        "study_access",
        ["requested_by"],
        unique=False,
        sqlite_where=sa.text("requested_by IS NOT NULL"),
        postgresql_where=sa.text("requested_by IS NOT NULL"),
    )
    op.create_index(
        "ix_study_access_ward",
        "study_access",
        ["ward"],
        unique=False,
        sqlite_where=sa.text("ward <> ''"),
        postgresql_where=sa.text("ward <> ''"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("account_id", Id, nullable=False),
        sa.Column("token_hash", words(64), nullable=False),
        sa.Column("begins", words(16), nullable=False),
        sa.Column("label", words(100), nullable=False),
        sa.Column("scopes", Json, nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("created_by", words(80), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("used_at", Moment(), nullable=True),
        sa.Column("used_host", words(64), nullable=False),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_tokens_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_tokens_token_hash")),
    )
    op.create_index("ix_tokens_account_id", "tokens", ["account_id"], unique=False)
    op.add_column("devices", sa.Column("site", words(64), nullable=False, server_default=""))
    op.add_column("devices", sa.Column("department", words(64), nullable=False, server_default=""))
    op.add_column("devices", sa.Column("scope", Json, nullable=True))
    for statement in _GUARDS[op.get_bind().dialect.name]:
        op.execute(statement)
