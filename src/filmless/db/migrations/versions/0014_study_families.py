"""The family names of studies in their order: whom thousands share are found without reading them all."""
# There is no way down: going back to an older Filmless means restoring the backup made before the upgrade.

import sqlalchemy as sa
from alembic import op

from filmless.db.schema import Id, words

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

#: the columns of `patients` with one component group each
_GROUPS = ("name_alphabetic", "name_ideographic", "name_phonetic")
_MOMENT = "study_date, study_time"


def upgrade() -> None:
    op.create_table(
        "study_families",
        sa.Column("family", words(), nullable=False),
        sa.Column("study_date", words(8), nullable=False),
        sa.Column("study_time", words(13), nullable=False),
        sa.Column("study", Id, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint(
            "family", "study_date", "study_time", "study", name=op.f("pk_study_families")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_study_families_study", "study_families", ["study"])
    if op.get_bind().dialect.name == "postgresql":
        _on_postgresql()
    else:
        _on_sqlite()


def _on_sqlite() -> None:
    def families(where: str) -> str:
        """(study's patient, family) of patients, each once."""
        return " UNION ".join(
            f"SELECT id AS patient, substr({group}, 1, instr({group} || '^', '^') - 1) AS family"
            f" FROM patients WHERE {where}"
            for group in _GROUPS
        )

    add = "INSERT INTO study_families (family, study_date, study_time, study) SELECT family,"
    one = f"{add} NEW.study_date, NEW.study_time, NEW.id FROM ({families('id = NEW.patient')}) WHERE family <> '';"
    gone = "DELETE FROM study_families WHERE study = OLD.id;"
    theirs = "DELETE FROM study_families WHERE study IN (SELECT id FROM studies WHERE patient = NEW.id);"
    all_of = f"{add} {_MOMENT}, studies.id FROM studies JOIN ({{}}) AS told ON told.patient = studies.patient"
    again = f"{all_of.format(families('id = NEW.id'))} WHERE family <> '';"
    moved = " OR ".join(f"OLD.{name} <> NEW.{name}" for name in ("patient", "study_date", "study_time"))
    renamed = " OR ".join(f"OLD.{name} <> NEW.{name}" for name in _GROUPS)
    for name, when, what in (
        ("study_families_come", "AFTER INSERT ON studies", one),
        ("study_families_gone", "AFTER DELETE ON studies", gone),
        ("study_families_moved", f"AFTER UPDATE OF patient, {_MOMENT} ON studies WHEN {moved}", gone + one),
        (
            "study_families_renamed",
            f"AFTER UPDATE OF {', '.join(_GROUPS)} ON patients WHEN {renamed}",
            theirs + again,
        ),
    ):
        op.execute(f"CREATE TRIGGER {name} {when} BEGIN {what} END")
    op.execute(f"{all_of.format(families('1'))} WHERE family <> ''")


def _on_postgresql() -> None:
    groups = ", ".join(f"(split_part(p.{group}, '^', 1))" for group in _GROUPS)
    told = f"patients AS p CROSS JOIN LATERAL (VALUES {groups}) AS told (family)"
    add = "INSERT INTO study_families (family, study_date, study_time, study) SELECT DISTINCT told.family,"
    every = f"{add} s.study_date, s.study_time, s.id FROM studies AS s JOIN {told} ON p.id = s.patient"
    # the patient's row is held, so that whoever changes its name at the same moment sees this study, or is seen here
    op.execute(
        "CREATE FUNCTION filmless_study_families() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF TG_OP <> 'INSERT' THEN DELETE FROM study_families WHERE study = OLD.id; END IF; "
        "IF TG_OP <> 'DELETE' THEN PERFORM 1 FROM patients WHERE id = NEW.patient FOR SHARE; "
        f"{add} NEW.study_date, NEW.study_time, NEW.id FROM {told} WHERE p.id = NEW.patient AND told.family <> ''; "
        "END IF; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE FUNCTION filmless_renamed_families() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "DELETE FROM study_families WHERE study IN (SELECT id FROM studies WHERE patient = NEW.id); "
        f"{every} WHERE p.id = NEW.id AND told.family <> ''; RETURN NULL; END $$"
    )
    for name, when, what in (
        ("study_families_come", "AFTER INSERT OR DELETE ON studies FOR EACH ROW", "filmless_study_families"),
        (
            "study_families_moved",
            f"AFTER UPDATE OF patient, {_MOMENT} ON studies FOR EACH ROW "
            f"WHEN ((OLD.patient, OLD.study_date, OLD.study_time) IS DISTINCT FROM "
            "(NEW.patient, NEW.study_date, NEW.study_time))",
            "filmless_study_families",
        ),
        (
            "study_families_renamed",
            f"AFTER UPDATE OF {', '.join(_GROUPS)} ON patients FOR EACH ROW WHEN "
            f"(({', '.join('OLD.' + one for one in _GROUPS)}) IS DISTINCT FROM "
            f"({', '.join('NEW.' + one for one in _GROUPS)}))",
            "filmless_renamed_families",
        ),
    ):
        op.execute(f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {what}()")
    op.execute(f"{every} WHERE told.family <> ''")
