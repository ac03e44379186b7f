"""The index, devices, the event log."""
# There is no way down: going back to an older Filmless means restoring the backup made before the upgrade.

import sqlalchemy as sa
from alembic import op

from filmless.db.schema import Id, Json, Moment, words

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attribute_values",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("level", words(8), nullable=False),
        sa.Column("owner", Id, nullable=False),
        sa.Column("path", words(255), nullable=False),
        sa.Column("item", words(32), nullable=False),
        sa.Column("value", words(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attribute_values")),
    )
    op.create_index("ix_attribute_values_owner", "attribute_values", ["level", "owner"], unique=False)
    op.create_index("ix_attribute_values_path", "attribute_values", ["path", "value"], unique=False)
    op.create_table(
        "commitments",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("transaction_uid", words(64), nullable=False),
        sa.Column("role", words(8), nullable=False),
        sa.Column("device", words(16), nullable=False),
        sa.Column("asked", Json, nullable=False),
        sa.Column("answer", Json, nullable=True),
        sa.Column("state", words(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", words(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitments")),
        sa.UniqueConstraint(
            "role", "device", "transaction_uid", name=op.f("uq_commitments_role_device_transaction_uid")
        ),
    )
    op.create_index("ix_commitments_state", "commitments", ["state"], unique=False)
    op.create_table(
        "devices",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("ae_title", words(16), nullable=False),
        sa.Column("description", words(200), nullable=False),
        sa.Column("host", words(255), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("tls", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("character_set", words(64), nullable=False),
        sa.Column("default_issuer", words(64), nullable=False),
        sa.Column("services", Json, nullable=False),
        sa.Column("quirks", Json, nullable=False),
        sa.Column("duplicates", words(16), nullable=False),
        sa.Column("notify", sa.Boolean(), nullable=False),
        sa.Column("quality_control", sa.Boolean(), nullable=False),
        sa.Column("checked_at", Moment(), nullable=True),
        sa.Column("check_ok", sa.Boolean(), nullable=True),
        sa.Column("check_reason", words(400), nullable=False),
        sa.Column("check_ms", sa.Integer(), nullable=True),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices")),
        sa.UniqueConstraint("ae_title", name=op.f("uq_devices_ae_title")),
    )
    op.create_table(
        "event_readers",
        sa.Column("name", words(64), nullable=False),
        sa.Column("seq", Id, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_event_readers")),
    )
    op.create_table(
        "events",
        sa.Column("seq", Id, autoincrement=True, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("kind", words(64), nullable=False),
        sa.Column("body", Json, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_events")),
    )
    op.create_table(
        "identity_flags",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("kind", words(32), nullable=False),
        sa.Column("patient_id", Id, nullable=False),
        sa.Column("other_patient_id", Id, nullable=False),
        sa.Column("study_uid", words(64), nullable=False),
        sa.Column("raised_at", Moment(), nullable=False),
        sa.Column("resolved_at", Moment(), nullable=True),
        sa.Column("resolved_by", words(64), nullable=False),
        sa.Column("reason", words(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_flags")),
        sa.UniqueConstraint(
            "kind",
            "patient_id",
            "other_patient_id",
            "study_uid",
            name=op.f("uq_identity_flags_kind_patient_id_other_patient_id_study_uid"),
        ),
    )
    op.create_table(
        "instance_warnings",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("sop_instance_uid", words(64), nullable=False),
        sa.Column("tag", words(8), nullable=False),
        sa.Column("text", words(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instance_warnings")),
    )
    op.create_index(
        "ix_instance_warnings_sop_instance_uid", "instance_warnings", ["sop_instance_uid"], unique=False
    )
    op.create_table(
        "open_folders",
        sa.Column("path", words(255), nullable=False),
        sa.Column("writer", words(128), nullable=False),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_open_folders")),
    )
    op.create_table(
        "patients",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("patient_id", words(64), nullable=False),
        sa.Column("issuer", words(64), nullable=False),
        sa.Column("variant", sa.Integer(), nullable=False),
        sa.Column("anonymous_key", words(64), nullable=False),
        sa.Column("name", words(), nullable=False),
        sa.Column("name_alphabetic", words(), nullable=False),
        sa.Column("name_ideographic", words(), nullable=False),
        sa.Column("name_phonetic", words(), nullable=False),
        sa.Column("birth_date", words(8), nullable=False),
        sa.Column("birth_time", words(13), nullable=False),
        sa.Column("sex", words(16), nullable=False),
        sa.Column("other_ids", Json, nullable=False),
        sa.Column("attributes", Json, nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patients")),
        sa.UniqueConstraint(
            "patient_id",
            "issuer",
            "variant",
            "anonymous_key",
            name=op.f("uq_patients_patient_id_issuer_variant_anonymous_key"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_patients_birth_date", "patients", ["birth_date"], unique=False)
    op.create_index("ix_patients_name_alphabetic", "patients", ["name_alphabetic"], unique=False)
    op.create_index("ix_patients_name_ideographic", "patients", ["name_ideographic"], unique=False)
    op.create_index("ix_patients_name_phonetic", "patients", ["name_phonetic"], unique=False)
    op.create_table(
        "quarantine",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("key", words(32), nullable=False),
        sa.Column("path", words(255), nullable=False),
        sa.Column("cause", words(32), nullable=False),
        sa.Column("text", words(), nullable=False),
        sa.Column("sop_instance_uid", words(64), nullable=False),
        sa.Column("sop_class_uid", words(64), nullable=False),
        sa.Column("study_uid", words(64), nullable=False),
        sa.Column("series_uid", words(64), nullable=False),
        sa.Column("transfer_syntax_uid", words(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", words(64), nullable=False),
        sa.Column("offset", sa.Integer(), nullable=False),
        sa.Column("source", words(64), nullable=False),
        sa.Column("character_set", words(64), nullable=False),
        sa.Column("default_issuer", words(64), nullable=False),
        sa.Column("received_at", Moment(), nullable=False),
        sa.Column("state", words(16), nullable=False),
        sa.Column("decided_at", Moment(), nullable=True),
        sa.Column("decided_by", words(64), nullable=False),
        sa.Column("reason", words(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
        sa.UniqueConstraint("path", name=op.f("uq_quarantine_path")),
    )
    op.create_index("ix_quarantine_key", "quarantine", ["key"], unique=False)
    op.create_index("ix_quarantine_sop_instance_uid", "quarantine", ["sop_instance_uid"], unique=False)
    op.create_index("ix_quarantine_state", "quarantine", ["state"], unique=False)
    op.create_table(
        "rejections",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("note_uid", words(64), nullable=False),
        sa.Column("code", words(16), nullable=False),
        sa.Column("sop_instance_uid", words(64), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("by", words(64), nullable=False),
        sa.Column("reason", words(), nullable=False),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.Column("revoked_by", words(64), nullable=False),
        sa.Column("revoke_reason", words(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejections")),
        sa.UniqueConstraint(
            "note_uid", "sop_instance_uid", name=op.f("uq_rejections_note_uid_sop_instance_uid")
        ),
    )
    op.create_index("ix_rejections_sop_instance_uid", "rejections", ["sop_instance_uid"], unique=False)
    op.create_table(
        "versions",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("sop_instance_uid", words(64), nullable=False),
        sa.Column("key", words(32), nullable=False),
        sa.Column("path", words(255), nullable=False),
        sa.Column("state", words(16), nullable=False),
        sa.Column("transfer_syntax_uid", words(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", words(64), nullable=False),
        sa.Column("offset", sa.Integer(), nullable=False),
        sa.Column("pixel_offset", sa.BigInteger(), nullable=True),
        sa.Column("source", words(64), nullable=False),
        sa.Column("character_set", words(64), nullable=False),
        sa.Column("default_issuer", words(64), nullable=False),
        sa.Column("received_at", Moment(), nullable=False),
        sa.Column("verified_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_versions")),
        sa.UniqueConstraint("path", name=op.f("uq_versions_path")),
    )
    op.create_index(
        "ix_versions_state",
        "versions",
        ["state"],
        unique=False,
        sqlite_where=sa.text("state <> 'current'"),
        postgresql_where=sa.text("state <> 'current'"),
    )
    op.create_table(
        "patient_sounds",
        sa.Column("patient", Id, nullable=False),
        sa.Column("sound", words(200), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patients.id"], name=op.f("fk_patient_sounds_patient")),
        sa.PrimaryKeyConstraint("patient", "sound", name=op.f("pk_patient_sounds")),
    )
    op.create_index("ix_patient_sounds_sound", "patient_sounds", ["sound"], unique=False)
    op.create_table(
        "studies",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("patient", Id, nullable=False),
        sa.Column("study_uid", words(64), nullable=False),
        sa.Column("study_date", words(8), nullable=False),
        sa.Column("study_time", words(13), nullable=False),
        sa.Column("study_id", words(16), nullable=False),
        sa.Column("accession_number", words(16), nullable=False),
        sa.Column("accession_issuer", words(64), nullable=False),
        sa.Column("study_description", words(), nullable=False),
        sa.Column("study_description_key", words(), nullable=False),
        sa.Column("referring_physician_name", words(), nullable=False),
        sa.Column("referring_physician_key", words(), nullable=False),
        sa.Column("modalities", words(256), nullable=False),
        sa.Column("sop_classes", Json, nullable=False),
        sa.Column("series_count", sa.Integer(), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column("attributes", Json, nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patients.id"], name=op.f("fk_studies_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_studies")),
        sa.UniqueConstraint("study_uid", "patient", name=op.f("uq_studies_study_uid_patient")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_studies_accession_number", "studies", ["accession_number"], unique=False)
    op.create_index("ix_studies_created_at", "studies", ["created_at"], unique=False)
    op.create_index("ix_studies_patient", "studies", ["patient"], unique=False)
    op.create_index("ix_studies_study_date", "studies", ["study_date", "study_time"], unique=False)
    op.create_index("ix_studies_study_id", "studies", ["study_id"], unique=False)
    op.create_table(
        "series",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("study", Id, nullable=False),
        sa.Column("series_uid", words(64), nullable=False),
        sa.Column("modality", words(16), nullable=False),
        sa.Column("series_number", words(16), nullable=False),
        sa.Column("series_description", words(), nullable=False),
        sa.Column("series_description_key", words(), nullable=False),
        sa.Column("body_part_examined", words(64), nullable=False),
        sa.Column("laterality", words(16), nullable=False),
        sa.Column("protocol_name", words(), nullable=False),
        sa.Column("station_name", words(64), nullable=False),
        sa.Column("institution_name", words(), nullable=False),
        sa.Column("performed_date", words(8), nullable=False),
        sa.Column("performed_time", words(13), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column("attributes", Json, nullable=False),
        sa.Column("source", words(64), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("last_arrival_at", Moment(), nullable=False),
        sa.Column("settled_generation", sa.Integer(), nullable=False),
        sa.Column("metadata_path", words(255), nullable=False),
        sa.ForeignKeyConstraint(["study"], ["studies.id"], name=op.f("fk_series_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
        sa.UniqueConstraint("series_uid", "study", name=op.f("uq_series_series_uid_study")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_series_modality", "series", ["modality"], unique=False)
    op.create_index("ix_series_study", "series", ["study"], unique=False)
    op.create_index(
        "ix_series_unsettled",
        "series",
        ["id"],
        unique=False,
        sqlite_where=sa.text("settled_generation < generation"),
        postgresql_where=sa.text("settled_generation < generation"),
    )
    op.create_table(
        "instances",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("series", Id, nullable=False),
        sa.Column("sop_instance_uid", words(64), nullable=False),
        sa.Column("sop_class_uid", words(64), nullable=False),
        sa.Column("instance_number", words(16), nullable=False),
        sa.Column("content_date", words(8), nullable=False),
        sa.Column("content_time", words(13), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("columns", sa.Integer(), nullable=True),
        sa.Column("bits_allocated", sa.Integer(), nullable=True),
        sa.Column("number_of_frames", sa.Integer(), nullable=True),
        sa.Column("attributes", Json, nullable=False),
        sa.Column("version", Id, nullable=False),
        sa.Column("rejected", words(16), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["series"], ["series.id"], name=op.f("fk_instances_series")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instances")),
        sa.UniqueConstraint("sop_instance_uid", name=op.f("uq_instances_sop_instance_uid")),
    )
    op.create_index(
        "ix_instances_rejected",
        "instances",
        ["rejected"],
        unique=False,
        sqlite_where=sa.text("rejected <> ''"),
        postgresql_where=sa.text("rejected <> ''"),
    )
    op.create_index("ix_instances_series", "instances", ["series"], unique=False)
