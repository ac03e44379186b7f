"""Corrections in force over objects."""
# There is no way down: going back to an older Filmless means restoring the backup made before the upgrade.

import sqlalchemy as sa
from alembic import op

from filmless.db.schema import Id, Json, Moment, words

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "corrections",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("key", words(32), nullable=False),
        sa.Column("level", words(8), nullable=False),
        sa.Column("patient_id", words(64), nullable=False),
        sa.Column("issuer", words(64), nullable=False),
        sa.Column("name", words(), nullable=False),
        sa.Column("birth_date", words(8), nullable=False),
        sa.Column("study_uid", words(64), nullable=False),
        sa.Column("series_uid", words(64), nullable=False),
        sa.Column("sop_instance_uid", words(64), nullable=False),
        sa.Column("changes", Json, nullable=False),
        sa.Column("code", words(16), nullable=False),
        sa.Column("reason", words(), nullable=False),
        sa.Column("by", words(64), nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("undone_at", Moment, nullable=True),
        sa.Column("undone_by", words(64), nullable=False),
        sa.Column("undo_reason", words(), nullable=False),
        sa.Column("act", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrections")),
        sa.UniqueConstraint("act", name=op.f("uq_corrections_act")),
        sa.UniqueConstraint("key", name=op.f("uq_corrections_key")),
        sqlite_autoincrement=True,
    )
    for column in ("patient_id", "study_uid"):
        op.create_index(
            f"ix_corrections_{column}",
            "corrections",
            [column],
            unique=False,
            sqlite_where=sa.text("undone_at IS NULL"),
            postgresql_where=sa.text("undone_at IS NULL"),
        )
    op.add_column(
        "instances", sa.Column("correction", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.create_index(
        "ix_instances_correction",
        "instances",
        ["correction"],
        unique=False,
        sqlite_where=sa.text("correction <> 0"),
        postgresql_where=sa.text("correction <> 0"),
    )
