"""Persons, the department and its reports."""
# There is no way down: going back to an older Filmless means restoring the backup made before the upgrade.

import sqlalchemy as sa
from alembic import op

from filmless.db.schema import Id, Json, Moment, words

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "department_words",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("kind", words(24), nullable=False),
        sa.Column("code", words(16), nullable=False),
        sa.Column("name_zh", words(100), nullable=False),
        sa.Column("name_en", words(100), nullable=False),
        sa.Column("more", Json, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_department_words")),
        sa.UniqueConstraint("kind", "code", name=op.f("uq_department_words_kind_code")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "number_counters",
        sa.Column("prefix", words(16), nullable=False),
        sa.Column("next", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("prefix", name=op.f("pk_number_counters")),
    )
    op.create_table(
        "performed_steps",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("sop_uid", words(64), nullable=False),
        sa.Column("status", words(16), nullable=False),
        sa.Column("ae_title", words(16), nullable=False),
        sa.Column("modality", words(16), nullable=False),
        sa.Column("starts_at", Moment(), nullable=True),
        sa.Column("ends_at", Moment(), nullable=True),
        sa.Column("discontinued", words(16), nullable=False),
        sa.Column("attributes", Json, nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_performed_steps")),
        sa.UniqueConstraint("sop_uid", name=op.f("uq_performed_steps_sop_uid")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "persons",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("patient_id", words(64), nullable=False),
        sa.Column("issuer", words(64), nullable=False),
        sa.Column("name_ideographic", words(200), nullable=False),
        sa.Column("name_alphabetic", words(200), nullable=False),
        sa.Column("name_phonetic", words(200), nullable=False),
        sa.Column("key_ideographic", words(200), nullable=False),
        sa.Column("key_alphabetic", words(200), nullable=False),
        sa.Column("initials", words(32), nullable=False),
        sa.Column("sex", words(1), nullable=False),
        sa.Column("birth_date", words(8), nullable=False),
        sa.Column("phone", words(40), nullable=False),
        sa.Column("address", words(300), nullable=False),
        sa.Column("vip", sa.Boolean(), nullable=False),
        sa.Column("deceased", sa.Boolean(), nullable=False),
        sa.Column("unknown", sa.Boolean(), nullable=False),
        sa.Column("status", words(8), nullable=False),
        sa.Column("merged_into", Id, nullable=True),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("created_by", words(80), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.Column("changed_by", words(80), nullable=False),
        sa.ForeignKeyConstraint(["merged_into"], ["persons.id"], name=op.f("fk_persons_merged_into")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_persons")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("persons", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_persons_birth_date"), ["birth_date"], unique=False)
        batch_op.create_index(batch_op.f("ix_persons_initials"), ["initials"], unique=False)
        batch_op.create_index(batch_op.f("ix_persons_key_alphabetic"), ["key_alphabetic"], unique=False)
        batch_op.create_index(batch_op.f("ix_persons_key_ideographic"), ["key_ideographic"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_persons_patient_id_issuer"), ["patient_id", "issuer"], unique=False
        )

    op.create_table(
        "places",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("kind", words(16), nullable=False),
        sa.Column("code", words(16), nullable=False),
        sa.Column("name_zh", words(100), nullable=False),
        sa.Column("name_en", words(100), nullable=False),
        sa.Column("site", words(16), nullable=False),
        sa.Column("department", words(16), nullable=False),
        sa.Column("more", Json, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_places")),
        sa.UniqueConstraint("kind", "code", name=op.f("uq_places_kind_code")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "reports",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("status", words(16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("released", sa.Integer(), nullable=False),
        sa.Column("author", words(64), nullable=False),
        sa.Column("reviewer", words(64), nullable=False),
        sa.Column("locked_by", words(64), nullable=False),
        sa.Column("locked_until", Moment(), nullable=True),
        sa.Column("scratch", Json, nullable=True),
        sa.Column("scratch_at", Moment(), nullable=True),
        sa.Column("template", words(40), nullable=False),
        sa.Column("language", words(2), nullable=False),
        sa.Column("result", words(16), nullable=False),
        sa.Column("returned", sa.Boolean(), nullable=False),
        sa.Column("pending", words(16), nullable=False),
        sa.Column("pending_by", words(64), nullable=False),
        sa.Column("pending_reason", words(400), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.Column("changed_by", words(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reports")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("reports", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_reports_author"), ["author"], unique=False)
        batch_op.create_index(batch_op.f("ix_reports_status"), ["status"], unique=False)

    op.create_table(
        "staff",
        sa.Column("account", words(64), nullable=False),
        sa.Column("name_zh", words(100), nullable=False),
        sa.Column("name_en", words(100), nullable=False),
        sa.Column("title", words(100), nullable=False),
        sa.Column("licence", words(64), nullable=False),
        sa.Column("department", words(16), nullable=False),
        sa.Column("single_sign", sa.Boolean(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_staff")),
    )
    op.create_table(
        "stations",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("code", words(16), nullable=False),
        sa.Column("name_zh", words(100), nullable=False),
        sa.Column("name_en", words(100), nullable=False),
        sa.Column("ae_title", words(16), nullable=False),
        sa.Column("modality", words(16), nullable=False),
        sa.Column("room", words(16), nullable=False),
        sa.Column("department", words(16), nullable=False),
        sa.Column("site", words(16), nullable=False),
        sa.Column("hours", Json, nullable=False),
        sa.Column("abilities", Json, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stations")),
        sa.UniqueConstraint("code", name=op.f("uq_stations_code")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("stations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stations_ae_title"), ["ae_title"], unique=False)

    op.create_table(
        "templates",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("kind", words(16), nullable=False),
        sa.Column("code", words(32), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("name_zh", words(100), nullable=False),
        sa.Column("name_en", words(100), nullable=False),
        sa.Column("owner", words(16), nullable=False),
        sa.Column("owner_name", words(64), nullable=False),
        sa.Column("modality", words(16), nullable=False),
        sa.Column("body_part", words(16), nullable=False),
        sa.Column("content", Json, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.Column("changed_by", words(80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_templates")),
        sa.UniqueConstraint(
            "kind",
            "owner",
            "owner_name",
            "code",
            "revision",
            name=op.f("uq_templates_kind_owner_owner_name_code_revision"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "deliveries",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("report", Id, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("kind", words(16), nullable=False),
        sa.Column("copy", sa.Integer(), nullable=False),
        sa.Column("status", words(16), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("by", words(80), nullable=False),
        sa.ForeignKeyConstraint(["report"], ["reports.id"], name=op.f("fk_deliveries_report")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_deliveries_report"), ["report"], unique=False)

    op.create_table(
        "expected_instances",
        sa.Column("performed_step", Id, nullable=False),
        sa.Column("sop_uid", words(64), nullable=False),
        sa.Column("series_uid", words(64), nullable=False),
        sa.Column("study_uid", words(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["performed_step"], ["performed_steps.id"], name=op.f("fk_expected_instances_performed_step")
        ),
        sa.PrimaryKeyConstraint("performed_step", "sop_uid", name=op.f("pk_expected_instances")),
    )
    with op.batch_alter_table("expected_instances", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_expected_instances_sop_uid"), ["sop_uid"], unique=False)

    op.create_table(
        "identity_journal",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("kind", words(16), nullable=False),
        sa.Column("person", Id, nullable=False),
        sa.Column("other", Id, nullable=True),
        sa.Column("body", Json, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("by", words(80), nullable=False),
        sa.Column("reason", words(400), nullable=False),
        sa.Column("undone_at", Moment(), nullable=True),
        sa.Column("undone_by", words(80), nullable=False),
        sa.ForeignKeyConstraint(["other"], ["persons.id"], name=op.f("fk_identity_journal_other")),
        sa.ForeignKeyConstraint(["person"], ["persons.id"], name=op.f("fk_identity_journal_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_journal")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("identity_journal", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_identity_journal_other"), ["other"], unique=False)
        batch_op.create_index(batch_op.f("ix_identity_journal_person"), ["person"], unique=False)

    op.create_table(
        "orders",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("person", Id, nullable=False),
        sa.Column("placer", words(64), nullable=False),
        sa.Column("placer_number", words(64), nullable=False),
        sa.Column("requested_by", words(64), nullable=False),
        sa.Column("requester", words(200), nullable=False),
        sa.Column("department", words(16), nullable=False),
        sa.Column("ward", words(16), nullable=False),
        sa.Column("bed", words(16), nullable=False),
        sa.Column("patient_class", words(1), nullable=False),
        sa.Column("visit_number", words(64), nullable=False),
        sa.Column("admission_number", words(64), nullable=False),
        sa.Column("diagnosis", words(), nullable=False),
        sa.Column("history", words(), nullable=False),
        sa.Column("purpose", words(), nullable=False),
        sa.Column("cautions", Json, nullable=False),
        sa.Column("priority", words(8), nullable=False),
        sa.Column("ordered_at", Moment(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("created_by", words(80), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["persons.id"], name=op.f("fk_orders_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("placer", "placer_number", name=op.f("uq_orders_placer_placer_number")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_orders_person"), ["person"], unique=False)

    op.create_table(
        "person_identifiers",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("person", Id, nullable=False),
        sa.Column("kind", words(8), nullable=False),
        sa.Column("authority", words(64), nullable=False),
        sa.Column("value", words(64), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("given_at", Moment(), nullable=False),
        sa.Column("until", Moment(), nullable=True),
        sa.Column("source", words(16), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["persons.id"], name=op.f("fk_person_identifiers_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_identifiers")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("person_identifiers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_person_identifiers_person"), ["person"], unique=False)
        batch_op.create_index(batch_op.f("ix_person_identifiers_value"), ["value"], unique=False)
        batch_op.create_index(
            "uq_person_identifiers_active",
            ["authority", "kind", "value"],
            unique=True,
            sqlite_where=sa.text("active"),
            postgresql_where=sa.text("active"),
        )

    op.create_table(
        "report_revisions",
        sa.Column("report", Id, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", words(16), nullable=False),
        sa.Column("content", Json, nullable=False),
        sa.Column("template", words(40), nullable=False),
        sa.Column("language", words(2), nullable=False),
        sa.Column("hash", words(64), nullable=False),
        sa.Column("canonical", words(), nullable=False),
        sa.Column("by", words(64), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("reason", words(400), nullable=False),
        sa.Column("text", words(), nullable=False),
        sa.ForeignKeyConstraint(["report"], ["reports.id"], name=op.f("fk_report_revisions_report")),
        sa.PrimaryKeyConstraint("report", "number", name=op.f("pk_report_revisions")),
    )
    op.create_table(
        "signatures",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("report", Id, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("role", words(16), nullable=False),
        sa.Column("account", words(64), nullable=False),
        sa.Column("name", words(200), nullable=False),
        sa.Column("algorithm", words(32), nullable=False),
        sa.Column("key_id", words(64), nullable=False),
        sa.Column("value", words(), nullable=False),
        sa.Column("signed_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["report"], ["reports.id"], name=op.f("fk_signatures_report")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signatures")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("signatures", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_signatures_report_revision"), ["report", "revision"], unique=False
        )

    op.create_table(
        "exams",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("order_id", Id, nullable=False),
        sa.Column("person", Id, nullable=False),
        sa.Column("number", words(16), nullable=False),
        sa.Column("study_uid", words(64), nullable=False),
        sa.Column("exam_class", words(1), nullable=False),
        sa.Column("procedure", words(16), nullable=False),
        sa.Column("procedure_zh", words(100), nullable=False),
        sa.Column("procedure_en", words(100), nullable=False),
        sa.Column("modality", words(16), nullable=False),
        sa.Column("body_part", words(16), nullable=False),
        sa.Column("side", words(1), nullable=False),
        sa.Column("stat", sa.Boolean(), nullable=False),
        sa.Column("state", words(3), nullable=False),
        sa.Column("held_from", words(3), nullable=False),
        sa.Column("hold_reason", words(16), nullable=False),
        sa.Column("images", words(16), nullable=False),
        sa.Column("station", words(16), nullable=False),
        sa.Column("starts_at", Moment(), nullable=True),
        sa.Column("ends_at", Moment(), nullable=True),
        sa.Column("site", words(16), nullable=False),
        sa.Column("department", words(16), nullable=False),
        sa.Column("ordered_at", Moment(), nullable=False),
        sa.Column("booked_at", Moment(), nullable=True),
        sa.Column("arrived_at", Moment(), nullable=True),
        sa.Column("started_at", Moment(), nullable=True),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("verified_at", Moment(), nullable=True),
        sa.Column("reported_at", Moment(), nullable=True),
        sa.Column("final_at", Moment(), nullable=True),
        sa.Column("due_at", Moment(), nullable=True),
        sa.Column("technologist", words(80), nullable=False),
        sa.Column("more", Json, nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_exams_order_id")),
        sa.ForeignKeyConstraint(["person"], ["persons.id"], name=op.f("fk_exams_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exams")),
        sa.UniqueConstraint("study_uid", name=op.f("uq_exams_study_uid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("exams", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_exams_arrived_at"), ["arrived_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_exams_finished_at"), ["finished_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_exams_order_id"), ["order_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_exams_person"), ["person"], unique=False)
        batch_op.create_index(batch_op.f("ix_exams_state_modality"), ["state", "modality"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_exams_station_starts_at"), ["station", "starts_at"], unique=False
        )
        batch_op.create_index(
            "uq_exams_number",
            ["site", "number"],
            unique=True,
            sqlite_where=sa.text("number <> ''"),
            postgresql_where=sa.text("number <> ''"),
        )

    op.create_table(
        "bookings",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("station", Id, nullable=False),
        sa.Column("exam", Id, nullable=True),
        sa.Column("starts_at", Moment(), nullable=False),
        sa.Column("ends_at", Moment(), nullable=False),
        sa.Column("first_second", Id, nullable=False),
        sa.Column("last_second", Id, nullable=False),
        sa.Column("overbooked", sa.Boolean(), nullable=False),
        sa.Column("note", words(200), nullable=False),
        sa.Column("by", words(80), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.CheckConstraint("first_second < last_second", name=op.f("ck_bookings_order")),
        sa.ForeignKeyConstraint(["exam"], ["exams.id"], name=op.f("fk_bookings_exam")),
        sa.ForeignKeyConstraint(["station"], ["stations.id"], name=op.f("fk_bookings_station")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bookings")),
        sa.UniqueConstraint("exam", name=op.f("uq_bookings_exam")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("bookings", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_bookings_station_first_second"), ["station", "first_second"], unique=False
        )

    op.create_table(
        "criticals",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("exam", Id, nullable=False),
        sa.Column("code", words(16), nullable=False),
        sa.Column("finding", words(400), nullable=False),
        sa.Column("level", words(8), nullable=False),
        sa.Column("status", words(16), nullable=False),
        sa.Column("raised_at", Moment(), nullable=False),
        sa.Column("raised_by", words(64), nullable=False),
        sa.Column("due_at", Moment(), nullable=True),
        sa.Column("escalations", sa.Integer(), nullable=False),
        sa.Column("receiver", words(64), nullable=False),
        sa.Column("ward", words(16), nullable=False),
        sa.Column("department", words(16), nullable=False),
        sa.Column("closed_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["exam"], ["exams.id"], name=op.f("fk_criticals_exam")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_criticals")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("criticals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_criticals_exam"), ["exam"], unique=False)
        batch_op.create_index(batch_op.f("ix_criticals_status_due_at"), ["status", "due_at"], unique=False)

    op.create_table(
        "exam_log",
        sa.Column("exam", Id, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("from_state", words(3), nullable=False),
        sa.Column("to_state", words(3), nullable=False),
        sa.Column("transition", words(4), nullable=False),
        sa.Column("what", words(40), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("by", words(80), nullable=False),
        sa.Column("source", words(16), nullable=False),
        sa.Column("reason", words(400), nullable=False),
        sa.Column("detail", Json, nullable=False),
        sa.ForeignKeyConstraint(["exam"], ["exams.id"], name=op.f("fk_exam_log_exam")),
        sa.PrimaryKeyConstraint("exam", "seq", name=op.f("pk_exam_log")),
    )
    with op.batch_alter_table("exam_log", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_exam_log_at"), ["at"], unique=False)

    op.create_table(
        "exam_numbers",
        sa.Column("number", words(16), nullable=False),
        sa.Column("exam", Id, nullable=False),
        sa.Column("given_at", Moment(), nullable=False),
        sa.Column("alias", words(16), nullable=False),
        sa.ForeignKeyConstraint(["exam"], ["exams.id"], name=op.f("fk_exam_numbers_exam")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_exam_numbers")),
    )
    with op.batch_alter_table("exam_numbers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_exam_numbers_exam"), ["exam"], unique=False)

    op.create_table(
        "exam_studies",
        sa.Column("exam", Id, nullable=False),
        sa.Column("study_uid", words(64), nullable=False),
        sa.Column("by", words(16), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["exam"], ["exams.id"], name=op.f("fk_exam_studies_exam")),
        sa.PrimaryKeyConstraint("exam", "study_uid", name=op.f("pk_exam_studies")),
    )
    with op.batch_alter_table("exam_studies", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_exam_studies_study_uid"), ["study_uid"], unique=False)

    op.create_table(
        "identity_checks",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("exam", Id, nullable=False),
        sa.Column("stage", words(16), nullable=False),
        sa.Column("document", words(16), nullable=False),
        sa.Column("document_hash", words(64), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("override_by", words(80), nullable=False),
        sa.Column("reason", words(400), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("by", words(80), nullable=False),
        sa.ForeignKeyConstraint(["exam"], ["exams.id"], name=op.f("fk_identity_checks_exam")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_checks")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("identity_checks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_identity_checks_document_hash"), ["document_hash"], unique=False)
        batch_op.create_index(batch_op.f("ix_identity_checks_exam"), ["exam"], unique=False)

    op.create_table(
        "performed_step_exams",
        sa.Column("performed_step", Id, nullable=False),
        sa.Column("exam", Id, nullable=False),
        sa.ForeignKeyConstraint(["exam"], ["exams.id"], name=op.f("fk_performed_step_exams_exam")),
        sa.ForeignKeyConstraint(
            ["performed_step"], ["performed_steps.id"], name=op.f("fk_performed_step_exams_performed_step")
        ),
        sa.PrimaryKeyConstraint("performed_step", "exam", name=op.f("pk_performed_step_exams")),
    )
    with op.batch_alter_table("performed_step_exams", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_performed_step_exams_exam"), ["exam"], unique=False)

    op.create_table(
        "report_exams",
        sa.Column("exam", Id, nullable=False),
        sa.Column("report", Id, nullable=False),
        sa.ForeignKeyConstraint(["exam"], ["exams.id"], name=op.f("fk_report_exams_exam")),
        sa.ForeignKeyConstraint(["report"], ["reports.id"], name=op.f("fk_report_exams_report")),
        sa.PrimaryKeyConstraint("exam", name=op.f("pk_report_exams")),
    )
    with op.batch_alter_table("report_exams", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_report_exams_report"), ["report"], unique=False)

    op.create_table(
        "steps",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("step_id", words(16), nullable=False),
        sa.Column("exam", Id, nullable=False),
        sa.Column("station", words(16), nullable=False),
        sa.Column("ae_title", words(16), nullable=False),
        sa.Column("modality", words(16), nullable=False),
        sa.Column("starts_at", Moment(), nullable=False),
        sa.Column("status", words(16), nullable=False),
        sa.Column("description_zh", words(100), nullable=False),
        sa.Column("description_en", words(100), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["exam"], ["exams.id"], name=op.f("fk_steps_exam")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_steps")),
        sa.UniqueConstraint("step_id", name=op.f("uq_steps_step_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("steps", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_steps_exam"), ["exam"], unique=False)
        batch_op.create_index(batch_op.f("ix_steps_status_starts_at"), ["status", "starts_at"], unique=False)

    op.create_table(
        "tasks",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("kind", words(32), nullable=False),
        sa.Column("exam", Id, nullable=True),
        sa.Column("study_uid", words(64), nullable=False),
        sa.Column("cause", words(128), nullable=False),
        sa.Column("body", Json, nullable=False),
        sa.Column("raised_at", Moment(), nullable=False),
        sa.Column("closed_at", Moment(), nullable=True),
        sa.Column("closed_by", words(80), nullable=False),
        sa.Column("outcome", words(400), nullable=False),
        sa.ForeignKeyConstraint(["exam"], ["exams.id"], name=op.f("fk_tasks_exam")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tasks_exam"), ["exam"], unique=False)
        batch_op.create_index(batch_op.f("ix_tasks_kind_closed_at"), ["kind", "closed_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_tasks_study_uid"), ["study_uid"], unique=False)
        batch_op.create_index(
            "uq_tasks_open",
            ["cause"],
            unique=True,
            sqlite_where=sa.text("closed_at IS NULL"),
            postgresql_where=sa.text("closed_at IS NULL"),
        )

    op.create_table(
        "tickets",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("exam", Id, nullable=False),
        sa.Column("station", words(16), nullable=False),
        sa.Column("day", words(8), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("status", words(16), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("called_at", Moment(), nullable=True),
        sa.Column("made_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["exam"], ["exams.id"], name=op.f("fk_tickets_exam")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tickets")),
        sa.UniqueConstraint("station", "day", "number", name=op.f("uq_tickets_station_day_number")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("tickets", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tickets_exam"), ["exam"], unique=False)
        batch_op.create_index(batch_op.f("ix_tickets_station_status"), ["station", "status"], unique=False)

    op.create_table(
        "critical_steps",
        sa.Column("critical", Id, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("what", words(16), nullable=False),
        sa.Column("channel", words(16), nullable=False),
        sa.Column("receiver", words(100), nullable=False),
        sa.Column("words", words(1000), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("by", words(64), nullable=False),
        sa.ForeignKeyConstraint(["critical"], ["criticals.id"], name=op.f("fk_critical_steps_critical")),
        sa.PrimaryKeyConstraint("critical", "seq", name=op.f("pk_critical_steps")),
    )

    keep_places_apart()


def keep_places_apart() -> None:
    """No two places of one station overlap, whoever writes them. (station, second) is a plane, and a place a line in
    it: overlapping boxes are excluded without any extension of PostgreSQL."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "ALTER TABLE bookings ADD CONSTRAINT bookings_apart EXCLUDE USING gist ("
            "box(point(station, first_second), point(station, last_second)) WITH &&) WHERE (NOT overbooked)"
        )
        return
    overlapping = (
        "SELECT 1 FROM bookings WHERE NOT overbooked AND station = NEW.station AND id IS NOT NEW.id "
        "AND first_second <= NEW.last_second AND last_second >= NEW.first_second"
    )
    for when, name in (("INSERT", "insert"), ("UPDATE", "update")):
        op.execute(
            f"CREATE TRIGGER bookings_apart_{name} BEFORE {when} ON bookings WHEN NOT NEW.overbooked AND EXISTS "
            f"({overlapping}) BEGIN SELECT RAISE(ABORT, 'bookings_apart'); END"
        )
