"""What viewers read first is prepared before a series has settled."""
# There is no way down: going back to an older Filmless means restoring the backup made before the upgrade.

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "series", sa.Column("prepared_generation", sa.Integer(), nullable=False, server_default="0")
    )
    # until now both happened at once
    op.execute("UPDATE series SET prepared_generation = settled_generation")
