"""Somebody in charge has seen an alarm."""
# There is no way down: going back to an older Filmless means restoring the backup made before the upgrade.

import sqlalchemy as sa
from alembic import op

from filmless.db.schema import Moment, words

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alarms_seen",
        sa.Column("why", words(16), nullable=False),
        sa.Column("about", words(64), nullable=False),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.Column("seen_by", words(80), nullable=False),
        sa.PrimaryKeyConstraint("why", "about", name=op.f("pk_alarms_seen")),
    )
