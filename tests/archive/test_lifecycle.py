"""After arrival: rejection, quarantine decisions, purge, rebuild, check, settling."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select, update
from tests.archive.conftest import Put, ct
from tests.peers import eventually

from filmless.access.model import ENGINEER, SYSTEM, Principal
from filmless.archive import integrity, ledger, purge, quarantine, rebuild, reject, settle
from filmless.archive.model import ArchiveSettings, Kind, Source
from filmless.archive.publish import Publisher
from filmless.archive.query.instances import instances_of
from filmless.archive.store import Archive
from filmless.archive.tables import instances, open_folders, rejections, series, studies, versions
from filmless.archive.tables import quarantine as quarantine_table
from filmless.db.events import events
from filmless.db.work import reading, writing
from filmless.kit.errors import Conflict, Refused
from filmless.patients import service as patients

STUDY = "1.2.3.1"


def seen(archive: Archive, principal: Principal = SYSTEM) -> list[str]:
    """SOP Instance UIDs of the study that this principal finds, without rejection notes."""
    with reading(archive.engine) as connection:
        found = instances_of(connection, principal, level="STUDY", study_uids=[STUDY])
        return sorted(one.sop_instance for one in found if one.sop_instance.startswith("1.2.3.1.1."))


def everything(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """What the index says, without surrogate keys and the times at which its rows were made."""
    left_out = {"id", "patient", "study", "series", "version", "created_at", "changed_at", "last_arrival_at",
                "verified_at", "generation", "settled_generation", "prepared_generation",
                "metadata_path"}  # fmt: skip
    answer = {}
    with reading(engine) as connection:
        for table in (studies, series, instances, versions, quarantine_table, rejections):
            columns = [column for column in table.c if column.name not in left_out]
            answer[table.name] = sorted(map(tuple, connection.execute(select(*columns)).all()), key=repr)
    return answer


def fill(put: Put) -> None:
    for number in range(1, 5):
        put(ct(SOPInstanceUID=f"1.2.3.1.1.{number}", InstanceNumber=number))


@pytest.mark.parametrize("code", ["113001", "113037", "113038", "113039"])
def test_rejected_objects_leave_every_answer_and_come_back(archive: Archive, put: Put, code: str) -> None:
    fill(put)
    (note,) = reject.reject(
        archive, ENGINEER, code=code, by="li", reason="blurred", sop_uids=["1.2.3.1.1.2", "1.2.3.1.1.3"]
    )
    assert seen(archive) == ["1.2.3.1.1.1", "1.2.3.1.1.4"]
    assert len(seen(archive, ENGINEER)) == (4 if code == "113001" else 2)
    with reading(archive.engine) as connection:
        (study,) = connection.execute(select(studies)).all()
        (listed,) = reject.notes(connection)
    assert (study.instance_count, study.series_count, study.modalities) == (2, 1, "CT")
    assert (listed.note_uid, listed.objects, listed.by, listed.reason) == (note, 2, "li", "blurred")
    assert reject.revoke(archive, note, by="li", reason="wrong one") == 2
    assert len(seen(archive)) == 4
    assert integrity.check(archive.engine, archive.root).differences == []
    with pytest.raises(Conflict):
        reject.revoke(archive, note, by="li", reason="again")


def test_a_rejection_note_is_not_rejected_in_its_turn(archive: Archive, put: Put) -> None:
    fill(put)
    (note,) = reject.reject(archive, ENGINEER, code="113001", by="li", reason="bad", study_uids=[STUDY])
    with pytest.raises(Refused):
        reject.reject(archive, ENGINEER, code="113001", by="li", reason="again", sop_uids=[note])
    (second,) = reject.reject(archive, ENGINEER, code="113037", by="li", reason="all", study_uids=[STUDY])
    with reading(archive.engine) as connection:
        found = {one.note_uid: one.objects for one in reject.notes(connection)}
    assert found == {note: 4, second: 4}


def test_a_whole_rejected_study_counts_nothing(archive: Archive, put: Put) -> None:
    fill(put)
    reject.reject(archive, ENGINEER, code="113037", by="li", reason="other patient", study_uids=[STUDY])
    assert seen(archive) == []
    with reading(archive.engine) as connection:
        (study,) = connection.execute(select(studies)).all()
    assert (study.instance_count, study.series_count, study.modalities) == (0, 0, "")


def test_a_note_that_comes_before_its_object_rejects_it(archive: Archive, put: Put, tmp_path: Path) -> None:
    fill(put)
    (_note,) = reject.reject(
        archive, ENGINEER, code="113039", by="li", reason="old", sop_uids=["1.2.3.1.1.2"]
    )
    purge.purge(archive.engine, archive.root, older_than=timedelta(seconds=-5), by="li")
    assert put(ct(SOPInstanceUID="1.2.3.1.1.2", InstanceNumber=2)).kind is Kind.STORED
    assert "1.2.3.1.1.2" not in seen(archive)


def test_a_purged_note_still_rejects_after_a_rebuild(archive: Archive, put: Put) -> None:
    fill(put)
    reject.reject(archive, ENGINEER, code="113037", by="li", reason="wrong side", sop_uids=["1.2.3.1.1.2"])
    purge.purge(archive.engine, archive.root, older_than=timedelta(seconds=-5), by="li", reason="space")
    with reading(archive.engine) as connection:
        before = reject.notes(connection)
    rebuild.rebuild(archive.engine, archive.root, ArchiveSettings())
    with reading(archive.engine) as connection:
        assert reject.notes(connection) == before
    assert put(ct(SOPInstanceUID="1.2.3.1.1.2", InstanceNumber=2)).kind is Kind.STORED
    assert seen(archive) == ["1.2.3.1.1.1", "1.2.3.1.1.3", "1.2.3.1.1.4"]


@pytest.mark.parametrize(
    ("code", "reason", "uid"),
    [("113000", "x", "1.2.3.1.1.1"), ("113001", " ", "1.2.3.1.1.1"), ("113001", "x", "9.9")],
)
def test_a_rejection_needs_code_reason_and_object(
    archive: Archive, put: Put, code: str, reason: str, uid: str
) -> None:
    fill(put)
    with pytest.raises(Refused):
        reject.reject(archive, ENGINEER, code=code, by="li", reason=reason, sop_uids=[uid])
    assert len(seen(archive)) == 4


def test_quarantine_accepted_becomes_the_version_in_force(archive: Archive, put: Put) -> None:
    fill(put)
    other = ct(PixelData=bytes(128))
    put(other)
    with reading(archive.engine) as connection:
        (waiting,) = quarantine.objects(connection)
    publisher = Publisher(archive.engine, archive.root, archive.settings)
    outcome = quarantine.accept(
        archive.engine, publisher, archive.root, waiting.id, by="li", reason="the scanner was right"
    )
    assert outcome.kind is Kind.REPLACED
    with reading(archive.engine) as connection:
        (in_force,) = instances_of(connection, SYSTEM, level="IMAGE", sop_uids=["1.2.3.1.1.1"])
        decided = quarantine.show(connection, waiting.id)
    assert in_force.path == waiting.path
    assert (decided.state, decided.decided_by, decided.reason) == ("accepted", "li", "the scanner was right")
    assert integrity.check(archive.engine, archive.root).differences == []
    with pytest.raises(Conflict):
        quarantine.discard(archive.engine, archive.root, waiting.id, by="li", reason="again")


def test_an_object_without_study_cannot_be_accepted(archive: Archive, put: Put) -> None:
    put(ct(StudyInstanceUID=None))
    with reading(archive.engine) as connection:
        (waiting,) = quarantine.objects(connection)
    publisher = Publisher(archive.engine, archive.root, archive.settings)
    with pytest.raises(Refused):
        quarantine.accept(archive.engine, publisher, archive.root, waiting.id, by="li", reason="please")
    with reading(archive.engine) as connection:
        assert quarantine.count(connection) == 1


def test_the_note_is_filed_with_the_patient_of_what_it_rejects(archive: Archive, put: Put) -> None:
    """Also where only the entry of the sender's device says who issued the patient's ID."""
    for number in (1, 2):
        put(
            ct(SOPInstanceUID=f"1.2.3.1.1.{number}", IssuerOfPatientID=None),
            Source("CT1", default_issuer="HOSPITAL"),
        )
    reject.reject(archive, ENGINEER, code="113001", by="li", reason="blurred", sop_uids=["1.2.3.1.1.2"])
    with reading(archive.engine) as connection:
        assert len(connection.execute(select(studies.c.id)).all()) == 1


def test_rebuild_gives_the_same_answers(archive: Archive, put: Put) -> None:
    fill(put)
    put(ct(PixelData=bytes(128)))  # quarantine
    put(ct(SOPInstanceUID="1.2.3.1.1.2", PixelData=bytes(128)), Source("CT1", duplicates="replace"))
    put(ct(SOPInstanceUID="1.2.3.1.1.3", PixelData=bytes(128)), Source("CT1", duplicates="keep-first"))
    put(ct(StudyInstanceUID=None, SOPInstanceUID="1.2.3.8"))
    put(
        ct(SOPInstanceUID="1.2.3.5.1.1", StudyInstanceUID="1.2.3.5", SeriesInstanceUID="1.2.3.5.1",
           PatientName="ROE^RICHARD"),
        Source("CT2", default_issuer="HOSPITAL"),
    )  # fmt: skip
    put(ct(SOPInstanceUID="1.2.3.6.1.1", SeriesInstanceUID="1.2.3.6.1", PatientName="ROE^RICHARD"))
    publisher = Publisher(archive.engine, archive.root, archive.settings)
    with reading(archive.engine) as connection:
        waiting = quarantine.objects(connection)
        doubts = [(one.kind, one.raised_at) for one in patients.open_flags(connection, limit=9)]
    assert [kind for kind, _ in doubts] == ["study-two-patients", "same-id"]
    quarantine.accept(archive.engine, publisher, archive.root, waiting[1].id, by="li", reason="better")
    quarantine.discard(archive.engine, archive.root, waiting[2].id, by="li", reason="rubbish")
    (kept,) = reject.reject(archive, ENGINEER, code="113001", by="li", reason="bad", sop_uids=["1.2.3.1.1.4"])
    (gone,) = reject.reject(archive, ENGINEER, code="113037", by="li", reason="no", sop_uids=["1.2.3.1.1.1"])
    reject.revoke(archive, gone, by="wang", reason="yes")
    before = everything(archive.engine)
    archive.stop()
    rebuilt = rebuild.rebuild(archive.engine, archive.root, ArchiveSettings())
    assert rebuilt.unused == []
    after = everything(archive.engine)
    for table, expected in before.items():
        assert after[table] == expected, table
    assert integrity.check(archive.engine, archive.root).differences == []
    with reading(archive.engine) as connection:
        assert {note.note_uid: note.reason for note in reject.notes(connection)} == {kept: "bad"}
        assert [(one.kind, one.raised_at) for one in patients.open_flags(connection, limit=9)] == doubts


def test_an_archive_does_not_start_on_a_rebuild_that_was_cut_off(archive: Archive, put: Put) -> None:
    fill(put)
    archive.stop()

    def cut_off(_done: rebuild.Rebuilt) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild.rebuild(archive.engine, archive.root, ArchiveSettings(), cut_off)
    with writing(archive.engine) as connection:
        # as if the index had got to none of the files, and the process that wrote them had died
        connection.execute(delete(instances))
        connection.execute(delete(versions))
        connection.execute(update(open_folders).values(writer="nobody"))
    again = Archive(archive.engine, archive.root, ArchiveSettings(minimum_free_bytes=0))
    with pytest.raises(Refused, match="Run it again"):
        again.start()
    assert len(list(archive.root.rglob("*.dcm"))) == 4, "nothing was taken for unfinished"
    assert rebuild.rebuild(archive.engine, archive.root, ArchiveSettings()).objects == 4
    again.start()
    assert len(seen(again)) == 4
    again.stop()


def test_rebuild_leaves_unfinished_files_alone_and_names_them(archive: Archive, put: Put) -> None:
    fill(put)
    archive.stop()
    stored = sorted(archive.root.rglob("*.dcm"))
    stored[0].write_bytes(stored[0].read_bytes()[:-10])
    rebuilt = rebuild.rebuild(archive.engine, archive.root, ArchiveSettings())
    assert rebuilt.objects == 3
    assert [path for path, _ in rebuilt.unused] == [str(stored[0].relative_to(archive.root))]
    assert stored[0].exists()


def test_check_finds_every_kind_of_damage(archive: Archive, put: Put) -> None:
    fill(put)
    archive.stop()
    one, two, three, four = sorted(archive.root.rglob("*.dcm"))
    data = bytearray(one.read_bytes())
    data[-1] ^= 1
    one.write_bytes(data)
    two.unlink()
    three.write_bytes(three.read_bytes() + b"\0\0")
    (four.parent / "0123.dcm").write_bytes(four.read_bytes())
    report = integrity.check(archive.engine, archive.root)
    assert sorted(one.kind for one in report.differences or []) == [
        "checksum",
        "file-without-row",
        "row-without-file",
        "size",
    ]


def test_check_stops_and_goes_on_where_it_was(archive: Archive, put: Put, tmp_path: Path) -> None:
    fill(put)
    resume = tmp_path / "check.json"
    first = integrity.check(
        archive.engine, archive.root, resume_file=resume, progress=lambda report: report.files < 2
    )
    assert (first.complete, first.files) == (False, 2)
    second = integrity.check(archive.engine, archive.root, resume_file=resume)
    assert (second.complete, second.files, second.objects) == (True, 4, 4)
    assert not resume.exists()


def test_purge_deletes_what_was_rejected_long_ago_and_nothing_else(archive: Archive, put: Put) -> None:
    fill(put)
    reject.reject(archive, ENGINEER, code="113039", by="li", reason="old", sop_uids=["1.2.3.1.1.2"])
    early = purge.purge(archive.engine, archive.root, older_than=timedelta(days=1), by="li")
    assert early.objects == 0
    would = purge.purge(archive.engine, archive.root, older_than=timedelta(seconds=-5), by="li", dry_run=True)
    done = purge.purge(archive.engine, archive.root, older_than=timedelta(seconds=-5), by="li")
    assert would.objects == done.objects == 2  # the object and the note that names it
    assert len(list(archive.root.rglob("*.dcm"))) == 3
    assert seen(archive) == ["1.2.3.1.1.1", "1.2.3.1.1.3", "1.2.3.1.1.4"]
    assert integrity.check(archive.engine, archive.root).differences == []


def test_a_quiet_series_settles_and_reopens(archive: Archive, put: Put) -> None:
    fill(put)
    soon = ArchiveSettings(settle_seconds=0)
    with reading(archive.engine) as connection:
        assert settle.due(connection, ArchiveSettings(settle_seconds=60)) == []
        ((series_id, generation),) = settle.due(connection, soon)
    assert settle.settle(archive.engine, archive.root, series_id, generation)
    with reading(archive.engine) as connection:
        assert settle.due(connection, soon) == []
        path = connection.scalar(select(series.c.metadata_path))
    content = settle.read_metadata(archive.root.parent, path)
    assert [one["metadata"]["00080018"]["Value"][0] for one in content] == [
        f"1.2.3.1.1.{number}" for number in range(1, 5)
    ]
    file = (archive.root / content[0]["path"]).read_bytes()
    ((offset, length),) = content[0]["frames"]
    assert file[offset : offset + length] == bytes(range(128))
    put(ct(SOPInstanceUID="1.2.3.1.1.5"))
    with reading(archive.engine) as connection:
        ((_, newer),) = settle.due(connection, soon)
    assert newer > generation
    assert not settle.settle(archive.engine, archive.root, series_id, generation)


def test_a_series_is_prepared_long_before_it_settles(archive: Archive, put: Put) -> None:
    fill(put)
    usual = ArchiveSettings(settle_seconds=60, prepare_seconds=0)
    with reading(archive.engine) as connection:
        # longer than it is quiet: what is waited for each image comes on top
        assert settle.due_for_preparing(connection, ArchiveSettings(prepare_seconds=30)) == []
    (series_id, generation) = eventually(lambda: _one(archive, usual), "the series is due for preparing")
    assert settle.prepare(archive.engine, archive.root, series_id, generation)
    with reading(archive.engine) as connection:
        row = connection.execute(select(series)).one()
        assert settle.due_for_preparing(connection, usual) == []
        assert [one.kind for one in connection.execute(select(events)) if "settled" in one.kind] == []
    assert (row.prepared_generation, row.settled_generation) == (generation, 0)
    assert len(settle.read_metadata(archive.root.parent, row.metadata_path)) == 4
    assert settle.settle(archive.engine, archive.root, series_id, generation)
    with reading(archive.engine) as connection:
        again = connection.execute(select(series)).one()
        told = [one.kind for one in connection.execute(select(events)) if "settled" in one.kind]
    assert again.metadata_path == row.metadata_path
    assert told == ["series-settled"]
    put(ct(SOPInstanceUID="1.2.3.1.1.5"))
    assert not settle.prepare(archive.engine, archive.root, series_id, generation)
    assert eventually(lambda: _one(archive, usual), "it is due again")[1] > generation


def _one(archive: Archive, settings: ArchiveSettings) -> tuple[int, int] | None:
    with reading(archive.engine) as connection:
        return next(iter(settle.due_for_preparing(connection, settings)), None)


def test_the_ledger_survives_a_line_cut_off_by_a_crash(tmp_path: Path) -> None:
    ledger.write(tmp_path, [{"what": "discard", "key": "a"}])
    with (tmp_path / ledger.NAME).open("a") as file:
        file.write('{"what":"discard","k')
    ledger.write(tmp_path, [{"what": "discard", "key": "b"}])
    assert [line["key"] for line in ledger.read(tmp_path)] == ["a", "b"]


def test_a_series_that_cannot_be_settled_leaves_nothing_behind(archive: Archive, put: Put) -> None:
    fill(put)
    for file in archive.root.rglob("*.dcm"):
        file.unlink()
    with reading(archive.engine) as connection:
        ((series_id, generation),) = settle.due(connection, ArchiveSettings(settle_seconds=0))
    with pytest.raises(OSError):
        settle.settle(archive.engine, archive.root, series_id, generation)
    assert list((archive.root.parent / "metadata").iterdir()) == []
