"""What becomes of objects that arrive: the file, the index, duplicates, quarantine, identity."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from tests.archive.conftest import CT, EXPLICIT_LE, IMPLICIT_LE, Put, ct, encoded

from filmless.archive import integrity
from filmless.archive.dimse import error_status
from filmless.archive.model import ArchiveSettings, Arrival, Cause, Kind, Source
from filmless.archive.store import Archive
from filmless.archive.tables import (
    instance_warnings,
    instances,
    open_folders,
    quarantine,
    series,
    studies,
    versions,
)
from filmless.db import events
from filmless.db.work import reading
from filmless.kit.errors import Unavailable
from filmless.patients.tables import identity_flags, patients


def rows(engine: Engine, table: Any) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(select(table)).all())


def files(archive: Archive) -> list[Path]:
    return sorted(archive.root.rglob("*.dcm"))


def test_a_stored_object_is_a_file_with_its_bytes_and_a_row_of_each_level(archive: Archive, put: Put) -> None:
    data_set = ct()
    outcome = put(data_set)
    assert outcome.kind is Kind.STORED
    (version,) = rows(archive.engine, versions)
    data = (archive.root / version.path).read_bytes()
    assert data[version.offset :] == encoded(data_set)
    assert version.sha256 == hashlib.sha256(encoded(data_set)).hexdigest()
    assert data[:128] == bytes(128)
    (study,), (one_series,), (instance,) = (
        rows(archive.engine, studies),
        rows(archive.engine, series),
        rows(archive.engine, instances),
    )
    assert (study.study_uid, study.study_date, study.study_time) == ("1.2.3.1", "20260102", "101112.000000")
    assert (study.modalities, study.series_count, study.instance_count) == ("CT", 1, 1)
    assert (one_series.instance_count, one_series.generation, one_series.source) == (1, 1, "CT1")
    assert (instance.rows, instance.bits_allocated, instance.version) == (8, 16, version.id)


def test_the_pixel_offset_is_where_the_pixel_data_element_starts(archive: Archive, put: Put) -> None:
    put(ct())
    (version,) = rows(archive.engine, versions)
    data = (archive.root / version.path).read_bytes()[version.offset :]
    assert data[version.pixel_offset :][:4] == b"\xe0\x7f\x10\x00"


def test_events_tell_of_the_arrival_in_the_same_transaction(archive: Archive, put: Put) -> None:
    put(ct())
    with reading(archive.engine) as connection:
        kinds = [event.kind for event in events.after(connection, 0)]
        (stored,) = events.after(connection, 0, kinds=["instances-stored"])
    assert kinds == ["study-created", "instances-stored"]
    assert stored.body["instances"] == [[CT, "1.2.3.1.1.1"]]


@pytest.mark.parametrize("implicit", [False, True])
def test_the_same_object_again_is_success_and_one_object(archive: Archive, put: Put, implicit: bool) -> None:
    put(ct())
    assert put(ct(), implicit=implicit).kind is Kind.SAME
    assert len(files(archive)) == 1
    assert len(rows(archive.engine, versions)) == 1


def test_the_same_object_again_heals_a_lost_file(archive: Archive, put: Put) -> None:
    put(ct())
    files(archive)[0].unlink()
    assert put(ct()).kind is Kind.STORED
    assert len(files(archive)) == 1
    assert integrity.check(archive.engine, archive.root).differences == []


@pytest.mark.parametrize(
    ("policy", "kind", "waiting", "in_force"),
    [
        ("quarantine", Kind.QUARANTINED, 1, "old"),
        ("keep-first", Kind.KEPT_FIRST, 1, "old"),
        ("replace", Kind.REPLACED, 0, "new"),
    ],
)
def test_another_object_under_a_known_uid_follows_the_policy(
    archive: Archive, put: Put, policy: str, kind: Kind, waiting: int, in_force: str
) -> None:
    put(ct())
    other = ct(PixelData=bytes(128))
    assert put(other, Source("CT1", duplicates=policy)).kind is kind
    assert len(rows(archive.engine, quarantine)) == waiting
    with reading(archive.engine) as connection:
        (sha,) = connection.scalars(
            select(versions.c.sha256).join(instances, instances.c.version == versions.c.id)
        )
    wanted = encoded(ct()) if in_force == "old" else encoded(other)
    assert sha == hashlib.sha256(wanted).hexdigest()
    assert len(files(archive)) == 2
    assert integrity.check(archive.engine, archive.root).differences == []


def test_a_sender_that_insists_does_not_fill_the_quarantine(archive: Archive, put: Put) -> None:
    put(ct())
    for _ in range(3):
        assert put(ct(PixelData=bytes(128))).kind is Kind.QUARANTINED
    assert len(rows(archive.engine, quarantine)) == 1
    assert len(files(archive)) == 2


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"StudyInstanceUID": None}, Cause.NO_STUDY_UID),
        ({"SeriesInstanceUID": None}, Cause.NO_SERIES_UID),
        ({"SOPInstanceUID": None}, Cause.NO_SOP_INSTANCE_UID),
    ],
)
def test_an_object_without_its_uids_is_quarantined_with_the_cause(
    archive: Archive, put: Put, change: dict[str, Any], cause: Cause
) -> None:
    outcome = put(ct(**change))
    assert (outcome.kind, outcome.cause) == (Kind.QUARANTINED, cause)
    (row,) = rows(archive.engine, quarantine)
    assert row.cause == cause.value
    assert (archive.root / row.path).exists()
    assert rows(archive.engine, instances) == []


def test_an_object_announced_under_another_uid_is_quarantined(archive: Archive) -> None:
    arrival = Arrival(CT, "1.2.3.9.9", EXPLICIT_LE, Source("CT1"))
    assert archive.store_blocking(arrival, [encoded(ct())]).cause is Cause.UID_MISMATCH


@pytest.mark.parametrize("data", [b"", b"\0", b"no data set at all", os.urandom(4096)])
def test_what_is_no_data_set_is_kept_in_quarantine(archive: Archive, data: bytes) -> None:
    outcome = archive.store_blocking(Arrival(CT, "1.2.3.9.9", IMPLICIT_LE, Source("CT1")), [data])
    assert outcome.kind is Kind.QUARANTINED
    (row,) = rows(archive.engine, quarantine)
    assert (archive.root / row.path).read_bytes()[row.offset :] == data


def test_wrong_values_are_stored_with_a_warning_each(archive: Archive, put: Put) -> None:
    data_set = ct(PatientID=None, AccessionNumber="X" * 40)
    data_set._dict[0x00080020] = data_set["StudyDate"]
    raw = encoded(data_set).replace(b"20260102", b"2026XXXX")
    outcome = archive.store_blocking(Arrival(CT, "1.2.3.1.1.1", EXPLICIT_LE, Source("CT1")), [raw])
    assert outcome.kind is Kind.STORED
    assert {tag for tag, _ in outcome.warnings} >= {"00100020", "00080020", "00080050"}
    stored = {row.tag for row in rows(archive.engine, instance_warnings)}
    assert stored >= {"00100020", "00080020", "00080050"}
    (version,) = rows(archive.engine, versions)
    assert (archive.root / version.path).read_bytes()[version.offset :] == raw


def test_patients_are_an_id_and_an_issuer(archive: Archive, put: Put) -> None:
    put(ct())
    put(ct(SOPInstanceUID="1.2.3.2.1.1", StudyInstanceUID="1.2.3.2", SeriesInstanceUID="1.2.3.2.1"))
    put(
        ct(SOPInstanceUID="1.2.3.3.1.1", StudyInstanceUID="1.2.3.3", SeriesInstanceUID="1.2.3.3.1"),
        Source("CT2", default_issuer="OTHER HOSPITAL"),
    )
    found = sorted((row.patient_id, row.issuer) for row in rows(archive.engine, patients))
    assert found == [("P1", ""), ("P1", "OTHER HOSPITAL")]
    assert rows(archive.engine, identity_flags) == []


@pytest.mark.parametrize("change", [{"PatientName": "ROE^RICHARD"}, {"PatientBirthDate": "19800102"}])
def test_another_person_under_one_id_is_flagged_and_kept_apart(
    archive: Archive, put: Put, change: dict[str, str]
) -> None:
    put(ct())
    for number in (2, 3):
        put(
            ct(
                SOPInstanceUID=f"1.2.3.{number}.1.1",
                StudyInstanceUID=f"1.2.3.{number}",
                SeriesInstanceUID=f"1.2.3.{number}.1",
                **change,
            )
        )
    assert [row.variant for row in rows(archive.engine, patients)] == [0, 1]
    (flag,) = rows(archive.engine, identity_flags)
    assert flag.kind == "same-id"


def test_one_study_under_two_patients_is_stored_and_flagged(archive: Archive, put: Put) -> None:
    put(ct())
    put(ct(SOPInstanceUID="1.2.3.1.1.2", PatientID="P2", PatientName="ROE^RICHARD"))
    assert len(rows(archive.engine, studies)) == 2
    assert [row.kind for row in rows(archive.engine, identity_flags)] == ["study-two-patients"]


def test_parallel_senders_of_one_new_patient_make_one_patient(archive: Archive, put: Put) -> None:
    def send(number: int) -> None:
        put(ct(SOPInstanceUID=f"1.2.3.1.1.{number}"))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(1, 33)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rows(archive.engine, patients)) == len(rows(archive.engine, studies)) == 1
    (one,) = rows(archive.engine, series)
    assert (one.instance_count, one.generation) == (32, 32)


def test_two_processes_make_one_patient(engine: Engine, tmp_path: Path) -> None:
    """Two archives on one index, as two servers on one PostgreSQL are."""
    both = [
        Archive(engine, tmp_path / "home" / "store", ArchiveSettings(minimum_free_bytes=0)) for _ in range(2)
    ]
    for one in both:
        one.start()
    errors: list[BaseException] = []

    def send(archive: Archive, first: int) -> None:
        try:
            for number in range(first, first + 20):
                archive.store_blocking(
                    Arrival(CT, f"1.2.3.1.1.{number}", EXPLICIT_LE, Source("CT1")),
                    [encoded(ct(SOPInstanceUID=f"1.2.3.1.1.{number}"))],
                )
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=send, args=(one, 100 * n)) for n, one in enumerate(both, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in both:
        one.stop()
    assert errors == []
    assert len(rows(engine, patients)) == 1
    assert [row.instance_count for row in rows(engine, studies)] == [40]


def test_an_aborted_object_leaves_nothing(archive: Archive) -> None:
    reception = archive.receive(Arrival(CT, "1.2.3.1.1.1", EXPLICIT_LE, Source("CT1")))
    reception.write(encoded(ct()) + bytes(900_000))
    reception.abort()
    archive.stop()
    assert files(archive) == []
    with reading(archive.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(versions)) == 0


def test_a_nearly_full_disk_refuses_before_anything_is_written_and_resumes(
    engine: Engine, tmp_path: Path
) -> None:
    free = shutil.disk_usage(tmp_path).free
    gigabyte = 1 << 30
    if free < 8 * gigabyte:
        pytest.skip("needs 8 GB of free disk")
    archive = Archive(engine, tmp_path / "store", ArchiveSettings(minimum_free_bytes=free - 2 * gigabyte))
    archive.start()
    arrival = Arrival(CT, "1.2.3.1.1.1", EXPLICIT_LE, Source("CT1"))
    filler = tmp_path / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 4 * gigabyte)
    with pytest.raises(Unavailable) as refused:
        archive.receive(arrival)
    assert refused.value.code == "disk-full"
    assert error_status(refused.value).status == 0xA700
    assert files(archive) == []
    filler.unlink()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            assert archive.store_blocking(arrival, [encoded(ct())]).kind is Kind.STORED
            break
        except Unavailable:
            threading.Event().wait(0.1)
    assert len(files(archive)) == 1
    archive.stop()


def test_a_sender_faster_than_the_disk_is_asked_to_wait(archive: Archive) -> None:
    ready = threading.Event()
    reception = archive.receive(Arrival(CT, "1.2.3.1.1.1", EXPLICIT_LE, Source("CT1")), ready.set)
    asked = [reception.write(bytes(400_000)) for _ in range(20)]
    assert False in asked
    assert ready.wait(10)
    reception.abort()


_CRASH = """
import os, signal, sys, time
from pathlib import Path
from filmless.archive.model import ArchiveSettings, Arrival, Source
from filmless.archive.store import Archive
from filmless.db.engine import open_engine
archive = Archive(open_engine(sys.argv[1]), Path(sys.argv[2]), ArchiveSettings(minimum_free_bytes=0))
archive.start()
data = Path(sys.argv[3]).read_bytes()
archive.store_blocking(Arrival(sys.argv[4], "1.2.3.1.1.1", "1.2.840.10008.1.2.1", Source("CT1")), [data])
half = archive.receive(Arrival(sys.argv[4], "1.2.3.1.1.2", "1.2.840.10008.1.2.1", Source("CT1")))
half.write(data + bytes(900_000))
while archive._work.qsize() or half._running: time.sleep(0.01)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_what_it_acknowledged_and_nothing_else(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    root = tmp_path / "home" / "store"
    (tmp_path / "object").write_bytes(encoded(ct()))
    killed = subprocess.run(
        [sys.executable, "-c", _CRASH, database_url, str(root), str(tmp_path / "object"), CT], timeout=60
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(list(root.rglob("*.dcm"))) == 2
    archive = Archive(engine, root, ArchiveSettings(minimum_free_bytes=0))
    assert archive.start() == 1
    report = integrity.check(engine, root)
    assert (report.files, report.objects, report.differences) == (1, 1, [])
    archive.stop()
    assert rows(engine, open_folders) == []
