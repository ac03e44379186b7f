"""The words of reports in a full text index."""
# There is no way down: going back to an older Filmless means restoring the backup made before the upgrade.

import sqlalchemy as sa
from alembic import op

from filmless.db.schema import Id, words

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # filled by the worker (reporting/upkeep.py): reports may be many
    op.create_table(
        "report_words",
        sa.Column("report", Id, nullable=False),
        sa.Column("words", words(), nullable=False),
        sa.ForeignKeyConstraint(["report"], ["reports.id"], name=op.f("fk_report_words_report_reports")),
        sa.PrimaryKeyConstraint("report", name=op.f("pk_report_words")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE INDEX ix_report_words_words ON report_words USING gin (to_tsvector('simple', words))"
        )
        return
    op.execute(
        "CREATE VIRTUAL TABLE report_words_index USING fts5(words, content='report_words', content_rowid='report',"
        " tokenize='unicode61', detail='full')"
    )
    gone = "INSERT INTO report_words_index (report_words_index, rowid, words) VALUES ('delete', OLD.report, OLD.words);"
    come = "INSERT INTO report_words_index (rowid, words) VALUES (NEW.report, NEW.words);"
    for when, what in (("INSERT", come), ("DELETE", gone), ("UPDATE", gone + " " + come)):
        op.execute(
            f"CREATE TRIGGER report_words_{when.lower()} AFTER {when} ON report_words BEGIN {what} END"
        )
