"""Who has read which report, and what DICOM was made of it."""
# There is no way down: going back to an older Filmless means restoring the backup made before the upgrade.

import sqlalchemy as sa
from alembic import op

from filmless.db.schema import Id, Moment, words

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "report_documents",
        sa.Column("report", Id, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", words(8), nullable=False),
        sa.Column("study_uid", words(64), nullable=False),
        sa.Column("series_uid", words(64), nullable=False),
        sa.Column("sop_uid", words(64), nullable=False),
        sa.Column("status", words(16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("error", words(400), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["report"], ["reports.id"], name=op.f("fk_report_documents_report")),
        sa.PrimaryKeyConstraint("report", "revision", "kind", "study_uid", name=op.f("pk_report_documents")),
    )
    with op.batch_alter_table("report_documents", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_report_documents_sop_uid"), ["sop_uid"], unique=False)
        batch_op.create_index(batch_op.f("ix_report_documents_status"), ["status"], unique=False)

    op.create_table(
        "report_reads",
        sa.Column("report", Id, nullable=False),
        sa.Column("account", words(64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["report"], ["reports.id"], name=op.f("fk_report_reads_report")),
        sa.PrimaryKeyConstraint("report", "account", name=op.f("pk_report_reads")),
    )
