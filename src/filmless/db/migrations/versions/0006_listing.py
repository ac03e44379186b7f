"""Indexes that answer searches with many matches, and tell which series have rejected objects."""
# There is no way down: going back to an older Filmless means restoring the backup made before the upgrade.

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_studies_patient", "studies")
    op.create_index(
        "ix_studies_patient",
        "studies",
        ["patient", "study_date", "study_time", "instance_count", "study_uid"],
        unique=False,
    )
    op.create_index(
        "ix_instances_rejected_series",
        "instances",
        ["series"],
        unique=False,
        sqlite_where=sa.text("rejected <> ''"),
        postgresql_where=sa.text("rejected <> ''"),
    )
