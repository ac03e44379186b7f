"""The chain: whatever is changed in the database, `verify` names the first record."""

import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import DBAPIError

from filmless.access.audit import trail as trail_module
from filmless.access.audit.anchors import Anchors, parse_line
from filmless.access.audit.chain import Head, head
from filmless.access.audit.keys import Keys
from filmless.access.audit.model import Entry, Kind
from filmless.access.audit.tables import audit, audit_head, audit_subjects
from filmless.access.audit.trail import Trail
from filmless.access.audit.verify import verify
from filmless.access.model import SYSTEM, Principal
from filmless.db.engine import open_engine
from filmless.db.work import reading, writing
from filmless.kit.errors import Refused, Unavailable

from .conftest import Kept

WANG = Principal("user", "wang")


def fill(kept: Kept, count: int = 9) -> None:
    for number in range(1, count + 1):
        kept.trail.record(
            Entry(
                Kind.VIEW,
                WANG,
                host="10.0.0.7",
                studies=(f"1.2.{number}",),
                patients=(f"P{number}",),
                what="pixels",
                reason="王小明 \0 \ud800",
            )
        )
    kept.trail.flush()


def bypass(connection: Connection) -> None:
    """Take the guards away, as somebody with all rights on the database can."""
    if connection.dialect.name == "sqlite":
        names = connection.scalars(
            text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'audit%'")
        )
        for name in list(names):
            connection.execute(text(f"DROP TRIGGER {name}"))
        # what refers to a row goes or stays as the intruder likes
    else:
        for table in ("audit", "audit_subjects", "audit_head"):
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))


def tamper(engine: Engine, *statements: str) -> None:
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("ROLLBACK")
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            bypass(connection)
            for statement in statements:
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")
            connection.exec_driver_sql("BEGIN")
        return
    with engine.begin() as connection:
        bypass(connection)
        for statement in statements:
            connection.execute(text(statement))


def test_a_trail_that_nobody_touched_is_whole(kept: Kept) -> None:
    fill(kept)
    kept.trail.anchor()
    report = kept.verify()
    assert report.findings == []
    assert (report.records, report.last, report.anchors) == (9, 9, 1)
    with reading(kept.engine) as connection:
        row = connection.execute(select(audit).where(audit.c.seq == 1)).one()
        assert (row.kind, row.outcome, row.who_kind, row.who, row.host) == (
            "view",
            "success",
            "user",
            "wang",
            "10.0.0.7",
        )
        assert "王小明" in row.body
        found = connection.scalars(select(audit_subjects.c.seq).where(audit_subjects.c.value == "P4")).all()
        assert found == [4]


def test_the_database_refuses_to_change_or_delete_a_record(kept: Kept) -> None:
    fill(kept)
    for statement in (
        "UPDATE audit SET who = 'nobody' WHERE seq = 3",
        "DELETE FROM audit WHERE seq = 9",
        "UPDATE audit_subjects SET value = 'x'",
        "DELETE FROM audit_subjects",
        "DELETE FROM audit_head",
    ):
        with pytest.raises(DBAPIError, match="never changed"), writing(kept.engine) as connection:
            connection.execute(text(statement))
    if kept.engine.dialect.name == "postgresql":
        with pytest.raises(DBAPIError, match="never changed"), writing(kept.engine) as connection:
            connection.execute(text("TRUNCATE audit CASCADE"))
    assert kept.verify().whole


CHANGES = [
    ("at", "'2001-01-01T00:00:00.000000Z'"),
    ("kind", "'search'"),
    ("outcome", "'refused'"),
    ("who_kind", "'device'"),
    ("who", "'li'"),
    ("host", "''"),
    ("body", "replace(body, 'pixels', 'report')"),
    ("body", "body || ' '"),
    ("key", "'0123456789abcdef'"),
    ("mac", "replace(replace(mac, 'a', 'b'), '1', '2')"),
]


def test_a_changed_column_names_its_record(kept: Kept) -> None:
    fill(kept)
    columns = [column.name for column in audit.columns if column.name != "seq"]
    assert {column for column, _ in CHANGES} == set(columns)
    tamper(kept.engine, "CREATE TABLE as_it_was AS SELECT * FROM audit")
    back = ", ".join(
        f"{name} = (SELECT {name} FROM as_it_was WHERE as_it_was.seq = audit.seq)" for name in columns
    )
    for seq in (1, 5, 9):
        for column, value in CHANGES:
            tamper(kept.engine, f"UPDATE audit SET {column} = {value} WHERE seq = {seq}")
            report = kept.verify()
            assert report.first == seq, (column, value)
            assert f"record {seq} " in report.findings[0].words
            tamper(kept.engine, f"UPDATE audit SET {back}")
    assert kept.verify().whole


def test_a_role_that_does_not_own_the_tables_can_add_and_nothing_else(kept: Kept) -> None:
    if kept.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no roles")
    fill(kept, 1)
    with kept.engine.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS filmless_app"))
        connection.execute(text("CREATE ROLE filmless_app LOGIN"))
        for grant in ("SELECT, INSERT ON audit, audit_subjects", "SELECT, INSERT, UPDATE ON audit_head"):
            connection.execute(text(f"GRANT {grant} TO filmless_app"))
    engine = open_engine(str(kept.engine.url.set(username="filmless_app")))
    trail = Trail(engine, kept.keys)
    trail.record(Entry(Kind.VIEW, WANG, studies=("1.2.3",)))
    trail.flush()
    for statement in (
        "UPDATE audit SET who = 'nobody'",
        "DELETE FROM audit_subjects",
        "TRUNCATE audit CASCADE",
        "ALTER TABLE audit DISABLE TRIGGER ALL",
        "DROP TABLE audit CASCADE",
    ):
        with (
            pytest.raises(DBAPIError, match=r"permission denied|must be owner"),
            writing(engine) as connection,
        ):
            connection.execute(text(statement))
    trail.close()
    engine.dispose()
    report = kept.verify()
    assert (report.whole, report.records) == (True, 2)
    with kept.engine.begin() as connection:
        connection.execute(text("DROP OWNED BY filmless_app"))
        connection.execute(text("DROP ROLE filmless_app"))


@pytest.mark.parametrize("seq", [1, 5, 9])
def test_a_deleted_record_is_named(kept: Kept, seq: int) -> None:
    fill(kept)
    tamper(
        kept.engine, f"DELETE FROM audit_subjects WHERE seq = {seq}", f"DELETE FROM audit WHERE seq = {seq}"
    )
    report = kept.verify()
    assert report.first == seq
    assert report.findings[0].words.startswith(f"record {seq} is missing")


def test_a_cut_off_tail_is_named_by_the_sealed_end(kept: Kept) -> None:
    fill(kept)
    tamper(kept.engine, "DELETE FROM audit_subjects WHERE seq > 6", "DELETE FROM audit WHERE seq > 6")
    report = kept.verify()
    assert report.first == 7
    assert "records 7 to 9 are missing" in [one.words for one in report.findings]


def test_a_tail_cut_off_together_with_the_sealed_end_of_then_is_named_by_the_anchor(kept: Kept) -> None:
    fill(kept, 6)
    with reading(kept.engine) as connection:
        then = connection.execute(text("SELECT seq, mac, key, seal FROM audit_head")).one()
    fill(kept, 3)
    kept.trail.anchor()
    back = f"UPDATE audit_head SET seq = {then.seq}, mac = '{then.mac}', seal = '{then.seal}'"
    tamper(kept.engine, "DELETE FROM audit_subjects WHERE seq > 6", "DELETE FROM audit WHERE seq > 6", back)
    report = kept.verify()
    assert report.first == 7
    assert "records 7 to 9 are missing (anchor of" in report.findings[0].words

    # and still when the server has gone on
    fill(kept, 5)
    report = kept.verify()
    assert report.first == 7
    assert "records 7 to 9 are not those that were there" in report.findings[0].words


def test_everything_deleted_is_noticed(kept: Kept) -> None:
    fill(kept)
    kept.trail.anchor()
    tamper(kept.engine, "DELETE FROM audit_subjects", "DELETE FROM audit", "DELETE FROM audit_head")
    report = kept.verify()
    assert report.first == 1
    assert "records 1 to 9 are missing" in report.findings[0].words


def test_swapped_records_are_named(kept: Kept) -> None:
    fill(kept)
    tamper(
        kept.engine,
        "UPDATE audit SET seq = 100 WHERE seq = 4",
        "UPDATE audit SET seq = 4 WHERE seq = 7",
        "UPDATE audit SET seq = 7 WHERE seq = 100",
    )
    assert kept.verify().first == 4


def test_a_record_put_in_is_named(kept: Kept) -> None:
    fill(kept)
    columns = "at, kind, outcome, who_kind, who, host, body, key, mac"
    tamper(kept.engine, f"INSERT INTO audit (seq, {columns}) SELECT 10, {columns} FROM audit WHERE seq = 9")
    assert kept.verify().first == 10


def test_hiding_a_record_from_the_search_names_it(kept: Kept) -> None:
    fill(kept)
    put = "INSERT INTO audit_subjects (kind, value, seq) VALUES ('patient', '{}', 5)"
    drop = "DELETE FROM audit_subjects WHERE seq = 5 AND kind = 'patient' AND value = '{}'"
    for change, undo in (
        (drop.format("P5"), put.format("P5")),
        (
            "UPDATE audit_subjects SET value = 'P6' WHERE value = 'P5'",
            "UPDATE audit_subjects SET value = 'P5' WHERE seq = 5 AND value = 'P6'",
        ),
        (put.format("P9"), drop.format("P9")),
    ):
        tamper(kept.engine, change)
        report = kept.verify()
        assert report.first == 5, change
        assert "found" in report.findings[0].words
        tamper(kept.engine, undo)
    assert kept.verify().whole


def test_a_changed_end_is_noticed(kept: Kept) -> None:
    fill(kept)
    with reading(kept.engine) as connection:
        end = connection.execute(select(audit_head)).one()
    for change in ("seq = 8", "mac = ''", "seal = ''", "key = ''", "seq = 12"):
        tamper(
            kept.engine,
            f"UPDATE audit_head SET seq = 9, mac = '{end.mac}', seal = '{end.seal}', key = '{end.key}'",
        )
        assert kept.verify().whole
        tamper(kept.engine, f"UPDATE audit_head SET {change}")
        assert [one.words for one in kept.verify().findings] == ["the sealed end of the trail was altered"]
    # and what comes next says so in the trail itself, which goes on
    fill(kept, 1)
    with reading(kept.engine) as connection:
        kinds = connection.scalars(select(audit.c.kind).order_by(audit.c.seq)).all()
    assert kinds[9:] == ["alert", "view"]


def _each_anchor(kept: Kept) -> None:
    for _ in range(3):
        fill(kept, 3)
        kept.trail.anchor()


ALTERATIONS: dict[str, Callable[[list[str]], list[str]]] = {
    "number": lambda lines: [lines[0], lines[1].replace(" 6 ", " 5 "), lines[2]],
    "removed": lambda lines: [lines[0], lines[2]],
    "swapped": lambda lines: [lines[1], lines[0], lines[2]],
    "moment": lambda lines: [lines[0], lines[1].replace("T", "U", 1), lines[2]],
    "all": lambda lines: [],
}


def test_changed_anchors_are_noticed(kept: Kept) -> None:
    _each_anchor(kept)
    lines = kept.anchors.file.read_text().splitlines(keepends=True)
    assert len(lines) == 3
    for name, change in ALTERATIONS.items():
        assert kept.verify().whole
        kept.anchors.file.write_text("".join(change(lines)))
        report = kept.verify()
        assert not report.whole, name
        assert "anchors" in report.findings[0].words
        kept.anchors.file.write_text("".join(lines))


def test_half_a_line_of_a_power_cut_is_no_alarm(kept: Kept) -> None:
    _each_anchor(kept)
    with kept.anchors.file.open("a") as file:
        file.write("2026-01-01T00:00")
    assert kept.verify().whole
    fill(kept, 1)
    kept.trail.anchor()
    report = kept.verify()
    assert (report.whole, report.anchors) == (True, 4)


def test_an_old_copy_of_the_database_is_noticed(kept: Kept, tmp_path: Path) -> None:
    if kept.engine.dialect.name == "postgresql":
        pytest.skip("files are copied; on PostgreSQL the same is done by statements above")
    fill(kept, 4)
    kept.trail.anchor()
    database = Path(str(kept.engine.url.database))
    kept.engine.dispose()
    shutil.copy(database, tmp_path / "old.sqlite")
    fill(kept, 4)
    kept.trail.anchor()
    kept.engine.dispose()
    for suffix in ("", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    shutil.copy(tmp_path / "old.sqlite", database)
    report = kept.verify()
    assert report.first == 5
    assert "records 5 to 8 are missing (anchor of" in report.findings[0].words
    # the archive goes on with the old copy: the first records that were lost are still named
    fill(kept, 6)
    kept.trail.anchor()
    report = kept.verify()
    assert report.first == 5
    assert "records 5 to 8 are not those that were there" in report.findings[0].words


def test_anchors_kept_elsewhere_tell_what_those_here_no_longer_can(kept: Kept) -> None:
    fill(kept)
    kept.trail.anchor()
    told = parse_line(kept.anchors.file.read_text())
    assert told is not None
    with reading(kept.engine) as connection:
        then = connection.execute(text("SELECT mac FROM audit WHERE seq = 6")).scalar_one()
    seal = kept.keys.current.seal(b"head", b"6", then.encode())
    tamper(
        kept.engine,
        "DELETE FROM audit_subjects WHERE seq > 6",
        "DELETE FROM audit WHERE seq > 6",
        f"UPDATE audit_head SET seq = 6, mac = '{then}', seal = '{seal}'",
    )
    kept.anchors.file.unlink()
    kept.trail.anchor()
    assert kept.verify().whole  # who has the key and the files can do this ...
    report = verify(kept.engine, kept.keys, kept.anchors, others=[told])
    assert report.first == 7  # ... but not at the collector
    assert "elsewhere" in report.findings[0].words


def test_the_key_is_readable_by_its_owner_only_and_others_are_refused(kept: Kept) -> None:
    file = kept.home / "keys" / "audit.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    fill(kept, 1)
    another = Keys(kept.home / "other" / "audit.key")
    with pytest.raises(Refused, match="sealed with another key") as refusal:
        Trail(kept.engine, another).check()
    assert refusal.value.code == "audit-key"
    assert verify(kept.engine, another).first == 1
    file.chmod(0o640)
    with pytest.raises(Refused, match="chmod 600"):
        Keys(file)
    file.chmod(0o600)
    file.write_text("short\n")
    with pytest.raises(Refused, match="64 hex digits"):
        Keys(file)


def test_a_new_key_is_in_force_at_once_and_the_old_one_verifies_what_it_sealed(kept: Kept) -> None:
    fill(kept, 3)
    before = kept.keys.current.id
    Keys(kept.home / "keys" / "audit.key").new_key()  # as another process does it
    fill(kept, 3)
    kept.trail.anchor()
    with reading(kept.engine) as connection:
        ids = connection.scalars(select(audit.c.key).order_by(audit.c.seq)).all()
    assert ids[:3] == [before] * 3
    assert before not in ids[3:]
    assert len(set(ids)) == 2
    assert kept.verify().whole
    assert verify(kept.engine, Keys(kept.home / "keys" / "audit.key"), kept.anchors).whole
    (kept.home / "keys" / f"audit-{before}.key").unlink()
    assert verify(kept.engine, Keys(kept.home / "keys" / "audit.key"), kept.anchors).first == 1


def test_first_starts_at_once_make_one_key(tmp_path: Path) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(Keys(tmp_path / "keys" / "audit.key").current.id))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [file.name for file in (tmp_path / "keys").iterdir()] == ["audit.key"]


APPENDER = """
import sys
from pathlib import Path
from filmless.access.audit.anchors import Anchors
from filmless.access.audit.keys import Keys
from filmless.access.audit.model import Entry, Kind
from filmless.access.audit.trail import Trail
from filmless.access.model import Principal
from filmless.db.engine import open_engine
from filmless.db.work import writing

url, home, name = sys.argv[1:]
keys = Keys(Path(home) / "keys" / "audit.key")
engine = open_engine(url)
trail = Trail(engine, keys, Anchors(Path(home) / "audit", keys), server=name)
sys.stdin.readline()
for number in range(40):
    trail.record(Entry(Kind.VIEW, Principal("user", name), studies=(f"1.2.{number}",)))
    if number % 10 == 0:
        with writing(engine) as connection:
            trail.record_in(connection, Entry(Kind.CORRECT, Principal("user", name)))
    if number % 7 == 0:
        trail.flush()
        trail.anchor()
trail.close()
"""


def test_processes_that_append_at_once_keep_one_chain(kept: Kept, database_url: str) -> None:
    names = ["one", "two", "three"]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", APPENDER, database_url, str(kept.home), name],
            stdin=subprocess.PIPE,
            text=True,
            env=os.environ,
        )
        for name in names
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    report = kept.verify()
    assert report.findings == []
    assert report.records == 3 * 44
    with reading(kept.engine) as connection:
        for name in names:
            # each one's own in its own order
            bodies = connection.scalars(
                select(audit_subjects.c.value)
                .join(audit, audit.c.seq == audit_subjects.c.seq)
                .where(audit.c.who == name)
                .order_by(audit.c.seq)
            ).all()
            assert bodies == [f"1.2.{number}" for number in range(40)]


def test_an_entry_goes_with_its_transaction(kept: Kept) -> None:
    with pytest.raises(ZeroDivisionError), writing(kept.engine) as connection:
        kept.trail.record_in(connection, Entry(Kind.CORRECT, WANG))
        _ = 1 / 0
    with writing(kept.engine) as connection:
        kept.trail.record_in(connection, Entry(Kind.REJECT, WANG))
    with reading(kept.engine) as connection:
        assert connection.scalars(select(audit.c.kind)).all() == ["reject"]
    kept.trail.anchor()
    assert kept.verify().whole


def test_repeated_views_are_one_until_ten_minutes_have_passed(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(trail_module.time, "monotonic", lambda: now)
    for _ in range(50):
        kept.trail.viewed(WANG, "10.0.0.7", "1.2.3", "pixels")
        kept.trail.viewed(WANG, "10.0.0.7", "1.2.3", "metadata")
        kept.trail.viewed(WANG, "10.0.0.7", "1.2.4", "pixels")
        kept.trail.viewed(Principal("user", "li"), "10.0.0.8", "1.2.3", "pixels")
    now += 601
    kept.trail.viewed(WANG, "10.0.0.7", "1.2.3", "pixels")
    monkeypatch.undo()
    kept.trail.flush()
    with reading(kept.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(audit)) == 5


def test_views_take_bounded_memory(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail_module, "_VIEWS", 100)
    for number in range(250):
        kept.trail.viewed(WANG, "", f"1.2.{number}", "pixels")
    assert len(kept.trail._views) == 100


def test_whose_studies_they_are_is_filled_in(kept: Kept) -> None:
    asked: list[list[str]] = []

    def patients_of(connection: Connection, studies: Sequence[str]) -> dict[str, list[str]]:
        asked.append(list(studies))
        return {"1.2.1": ["A^^^HOSPITAL"], "1.2.2": ["A^^^HOSPITAL"]}

    trail = Trail(kept.engine, kept.keys, patients_of=patients_of)
    trail.record(Entry(Kind.SEND, WANG, studies=("1.2.1", "1.2.2", "1.2.3")))
    trail.record(Entry(Kind.STOP, SYSTEM))
    trail.close()
    assert asked == [["1.2.1", "1.2.2", "1.2.3"]]
    with reading(kept.engine) as connection:
        found = connection.execute(
            select(audit_subjects.c.kind, audit_subjects.c.value, audit_subjects.c.seq)
        ).all()
    assert {("patient", "A", 1), ("patient", "A^^^HOSPITAL", 1)} < {tuple(row) for row in found}
    assert len(found) == 5


def test_nothing_is_done_where_it_cannot_be_kept(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail_module, "_WAITING", 3)
    broken = open_engine("sqlite:////nowhere/at/all/index.sqlite")
    trail = Trail(broken, kept.keys, patience=0.05)
    for _ in range(3):
        trail.record(Entry(Kind.START, SYSTEM))
    with pytest.raises(Unavailable):
        trail.record(Entry(Kind.START, SYSTEM))
    with pytest.raises(Unavailable):
        trail.flush(0.05)
    trail.close(0.1)
    broken.dispose()


def test_entries_wait_for_a_database_that_comes_back(kept: Kept, database_url: str) -> None:
    table = "audit_head"
    with writing(kept.engine) as connection:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO away"))
    kept.trail.record(Entry(Kind.START, SYSTEM))
    kept.trail.record(Entry(Kind.STOP, SYSTEM))
    with pytest.raises(Unavailable):
        kept.trail.flush(0.3)
    with writing(kept.engine) as connection:
        connection.execute(text(f"ALTER TABLE away RENAME TO {table}"))
    kept.trail.flush(20)
    with reading(kept.engine) as connection:
        assert connection.scalars(select(audit.c.kind).order_by(audit.c.seq)).all() == ["start", "stop"]
    assert kept.verify().whole


def test_the_anchors_of_two_processes_are_one_chain(kept: Kept) -> None:
    other = Anchors(kept.home / "audit", Keys(kept.home / "keys" / "audit.key"))
    fill(kept, 2)
    kept.trail.anchor()
    fill(kept, 2)
    assert other.append(_head(kept))
    assert not other.append(_head(kept))
    fill(kept, 1)
    assert not kept.anchors.append(_head(kept), seconds=60)
    kept.trail.anchor()
    report = kept.verify()
    assert (report.whole, report.anchors) == (True, 3)


def _head(kept: Kept) -> Head:
    with reading(kept.engine) as connection:
        return head(connection)
