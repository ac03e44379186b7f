"""Checks of identity that failed before there was an exam."""
# There is no way down: going back to an older Filmless means restoring the backup made before the upgrade.

import sqlalchemy as sa
from alembic import op

from filmless.db.schema import Id, Moment, words

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "failed_checks",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("person", Id, nullable=False),
        sa.Column("exam", Id, nullable=True),
        sa.Column("document", words(16), nullable=False),
        sa.Column("document_hash", words(64), nullable=False),
        sa.Column("why", words(24), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("by", words(80), nullable=False),
        sa.ForeignKeyConstraint(["exam"], ["exams.id"], name=op.f("fk_failed_checks_exam")),
        sa.ForeignKeyConstraint(["person"], ["persons.id"], name=op.f("fk_failed_checks_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failed_checks")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_failed_checks_person"), "failed_checks", ["person"])
