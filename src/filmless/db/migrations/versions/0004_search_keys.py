"""Attributes that an engineer makes searchable."""

import sqlalchemy as sa
from alembic import op

from filmless.db.schema import Id, Moment, words

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "search_keys",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("level", words(8), nullable=False),
        sa.Column("tags", words(128), nullable=False),
        sa.Column("path", words(240), nullable=False),
        sa.Column("vr", words(2), nullable=False),
        sa.Column("ready", sa.Boolean(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("job", words(64), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("created_by", words(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_keys")),
        sa.UniqueConstraint("path", name=op.f("uq_search_keys_path")),
        sqlite_autoincrement=True,
    )
