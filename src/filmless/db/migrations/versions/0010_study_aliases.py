"""Numbers by which studies are found besides their accession number."""
# There is no way down: going back to an older Filmless means restoring the backup made before the upgrade.

import sqlalchemy as sa
from alembic import op

from filmless.db.schema import words

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "study_aliases",
        sa.Column("number", words(64), nullable=False),
        sa.Column("study_uid", words(64), nullable=False),
        sa.PrimaryKeyConstraint("number", "study_uid", name=op.f("pk_study_aliases")),
    )
    op.create_index("ix_study_aliases_study_uid", "study_aliases", ["study_uid"])
