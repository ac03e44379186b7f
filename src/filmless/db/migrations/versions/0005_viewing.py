"""Drafts of annotations, and layouts."""

import sqlalchemy as sa
from alembic import op

from filmless.db.schema import Id, Moment, words

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "annotation_drafts",
        sa.Column("account_id", Id, autoincrement=False, nullable=False),
        sa.Column("study_uid", words(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", words(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_annotation_drafts_account_id")
        ),
        sa.PrimaryKeyConstraint("account_id", "study_uid", name=op.f("pk_annotation_drafts")),
    )
    op.create_table(
        "layouts",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("owner", words(16), nullable=False),
        sa.Column("account_id", Id, nullable=True),
        sa.Column("department", words(64), nullable=False),
        sa.Column("name", words(100), nullable=False),
        sa.Column("modality", words(16), nullable=False),
        sa.Column("body_part", words(64), nullable=False),
        sa.Column("procedure", words(256), nullable=False),
        sa.Column("content", words(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.Column("changed_by", words(80), nullable=False),
        sa.CheckConstraint("(owner = 'user') = (account_id IS NOT NULL)", name=op.f("ck_layouts_account")),
        sa.CheckConstraint("owner IN ('user', 'department', 'hospital')", name=op.f("ck_layouts_owner")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_layouts_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_layouts")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_layouts_account_id", "layouts", ["account_id"])
    op.create_index("ix_layouts_owner", "layouts", ["owner", "department"])
