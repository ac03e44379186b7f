"""Decisions of people and notes, and what runs at the same time."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from tests.archive.conftest import CT, EXPLICIT_LE, Put, ct, encoded

from filmless.access.model import ENGINEER
from filmless.archive import doubts, integrity, purge, quarantine, rebuild, reject
from filmless.archive.model import ArchiveSettings, Arrival, Kind, Source
from filmless.archive.publish import Publisher
from filmless.archive.store import Archive
from filmless.archive.tables import instances, series, studies, versions
from filmless.archive.tables import quarantine as quarantine_table
from filmless.db.work import reading
from filmless.dicom import scan
from filmless.dicom.builders.kos import Reference, rejection_note
from filmless.kit import clock
from filmless.kit.errors import Conflict, FilmlessError
from filmless.patients import service as patients
from filmless.patients.tables import identity_flags


def waiting(archive: Archive) -> list[quarantine.QuarantinedObject]:
    with reading(archive.engine) as connection:
        return quarantine.objects(connection)


def states(archive: Archive) -> list[str]:
    with reading(archive.engine) as connection:
        return list(connection.scalars(select(quarantine_table.c.state).order_by(quarantine_table.c.id)))


def test_a_note_and_its_object_that_arrive_at_once_agree(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two servers on one PostgreSQL: one is committing the object while the other takes the note."""
    one, other = (
        Archive(engine, tmp_path / "home" / "store", ArchiveSettings(minimum_free_bytes=0)) for _ in range(2)
    )
    one.start()
    other.start()
    note = rejection_note(
        scan.scan(encoded(ct()), EXPLICIT_LE),
        [Reference("1.2.3.1.1", CT, "1.2.3.1.1.1")],
        "113037",
        reason="another patient",
        at=clock.now(),
    )
    committing, go_on = threading.Event(), threading.Event()
    whole = Publisher._write

    def write(self: Publisher, *arguments: Any) -> None:
        whole(self, *arguments)
        if self is one._publisher:
            committing.set()
            assert go_on.wait(30)

    def send(archive: Archive, sop_class: str, uid: str, data: bytes) -> threading.Thread:
        def store() -> None:
            archive.store_blocking(Arrival(sop_class, uid, EXPLICIT_LE, Source("CT1")), [data])

        thread = threading.Thread(target=store)
        thread.start()
        return thread

    monkeypatch.setattr(Publisher, "_write", write)
    first = send(one, CT, "1.2.3.1.1.1", encoded(ct()))
    assert committing.wait(30)
    second = send(other, note.sop_class_uid, note.sop_instance_uid, note.data_set)
    # long enough for the other to come as far as it can
    second.join(1)
    go_on.set()
    first.join(30)
    second.join(30)
    monkeypatch.undo()
    one.stop()
    other.stop()
    with reading(engine) as connection:
        rejected = {row.sop_instance_uid: row.rejected for row in connection.execute(select(instances))}
        counts = list(connection.scalars(select(studies.c.instance_count)))
    assert rejected == {"1.2.3.1.1.1": "113037", note.sop_instance_uid: "113037"}
    assert counts == [0]
    assert integrity.check(engine, tmp_path / "home" / "store").differences == []


def test_an_acceptance_that_is_cut_off_leaves_the_object_waiting(
    archive: Archive, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(ct())
    put(ct(PixelData=bytes(128)))
    (item,) = waiting(archive)
    publisher = Publisher(archive.engine, archive.root, archive.settings)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Publisher, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        quarantine.accept(archive.engine, publisher, archive.root, item.id, by="li", reason="right")
    monkeypatch.undo()
    assert states(archive) == ["waiting"]
    quarantine.accept(archive.engine, publisher, archive.root, item.id, by="li", reason="right")
    assert states(archive) == ["accepted"]


def test_two_people_who_accept_at_once_make_one_version(
    archive: Archive, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(ct())
    put(ct(PixelData=bytes(128)))
    (item,) = waiting(archive)
    publisher = Publisher(archive.engine, archive.root, archive.settings)
    whole = quarantine._waiting

    def other_is_faster(engine: Engine, number: int, reason: str) -> Any:
        row = whole(engine, number, reason)
        monkeypatch.undo()
        quarantine.discard(archive.engine, archive.root, number, by="wang", reason="wrong")
        return row

    monkeypatch.setattr(quarantine, "_waiting", other_is_faster)
    with pytest.raises(Conflict):
        quarantine.accept(archive.engine, publisher, archive.root, item.id, by="li", reason="right")
    assert states(archive) == ["discarded"]


def test_an_object_whose_file_is_lost_can_be_discarded_but_not_accepted(archive: Archive, put: Put) -> None:
    put(ct())
    put(ct(PixelData=bytes(128)))
    (item,) = waiting(archive)
    (archive.root / item.path).unlink()
    publisher = Publisher(archive.engine, archive.root, archive.settings)
    with pytest.raises(FilmlessError):
        quarantine.accept(archive.engine, publisher, archive.root, item.id, by="li", reason="right")
    quarantine.discard(archive.engine, archive.root, item.id, by="li", reason="lost")
    assert states(archive) == ["discarded"]


def test_an_accepted_object_that_was_rejected_stays_out_of_sight(archive: Archive, put: Put) -> None:
    put(ct())
    put(ct(PixelData=bytes(128)))
    reject.reject(archive, ENGINEER, code="113037", by="li", reason="no", sop_uids=["1.2.3.1.1.1"])
    (item,) = waiting(archive)
    publisher = Publisher(archive.engine, archive.root, archive.settings)
    quarantine.accept(archive.engine, publisher, archive.root, item.id, by="li", reason="right")
    with reading(archive.engine) as connection:
        rejected = connection.scalar(
            select(instances.c.rejected).where(instances.c.sop_instance_uid == "1.2.3.1.1.1")
        )
    assert rejected == "113037"


def test_what_was_kept_out_stays_out_when_the_first_is_gone(archive: Archive, put: Put) -> None:
    """keep-first, then the first is rejected and purged: a rebuild must not take the second for an object."""
    put(ct())
    assert put(ct(PixelData=bytes(128)), Source("CT1", duplicates="keep-first")).kind is Kind.KEPT_FIRST
    reject.reject(archive, ENGINEER, code="113039", by="li", reason="old", sop_uids=["1.2.3.1.1.1"])
    purge.purge(archive.engine, archive.root, older_than=timedelta(seconds=-5), by="li")
    archive.stop()
    rebuild.rebuild(archive.engine, archive.root, ArchiveSettings())
    with reading(archive.engine) as connection:
        assert connection.execute(select(instances)).all() == []
    assert states(archive) == ["waiting"]


def test_a_replacement_may_move_to_another_series(archive: Archive, put: Put) -> None:
    put(ct())
    put(ct(SOPInstanceUID="1.2.3.1.1.2"))
    moved = ct(SeriesInstanceUID="1.2.3.1.2", Modality="MR")
    assert put(moved, Source("CT1", duplicates="replace")).kind is Kind.REPLACED
    with reading(archive.engine) as connection:
        counts = {
            row[0]: row[1] for row in connection.execute(select(series.c.series_uid, series.c.instance_count))
        }
        (study,) = connection.execute(select(studies)).all()
    assert counts == {"1.2.3.1.1": 1, "1.2.3.1.2": 1}
    assert (study.instance_count, study.series_count, study.modalities) == (2, 2, "CT\\MR")
    put(ct(SOPInstanceUID="1.2.3.1.1.2", SeriesInstanceUID="1.2.3.1.2"), Source("CT1", duplicates="replace"))
    with reading(archive.engine) as connection:
        (study,) = connection.execute(select(studies)).all()
    assert (study.instance_count, study.series_count, study.modalities) == (2, 1, "MR")
    assert integrity.check(archive.engine, archive.root).differences == []


def test_an_object_announced_by_another_uid_and_accepted_is_no_damage(archive: Archive) -> None:
    announced = Arrival(CT, "1.2.3.99", EXPLICIT_LE, Source("CT1"))
    archive.store_blocking(announced, [encoded(ct())])
    (one,) = waiting(archive)
    publisher = Publisher(archive.engine, archive.root, archive.settings)
    outcome = quarantine.accept(archive.engine, publisher, archive.root, one.id, by="li", reason="a rewriter")
    assert outcome.kind is Kind.STORED
    assert integrity.check(archive.engine, archive.root).differences == []
    rebuild.rebuild(archive.engine, archive.root, archive.settings)
    assert integrity.check(archive.engine, archive.root).differences == []


def test_a_settled_doubt_stays_settled_whichever_of_the_two_a_rebuild_meets_first(
    archive: Archive, put: Put
) -> None:
    put(ct())
    put(
        ct(
            PatientName="ROE^ANN",
            StudyInstanceUID="1.2.3.2",
            SeriesInstanceUID="1.2.3.2.1",
            SOPInstanceUID="1.2.3.2.1.1",
        )
    )
    # of one day, at once: they have no order but that of their names
    with reading(archive.engine) as connection:
        (doubt,) = patients.open_flags(connection, limit=9)
        second = connection.scalar(
            select(versions.c.path).where(versions.c.sop_instance_uid == "1.2.3.2.1.1")
        )
    assert (doubt.patient.name, doubt.other.name) == ("DOE^JANE", "ROE^ANN")
    doubts.settle(archive.engine, archive.root, doubt.id, by="li", reason="mother and daughter")
    archive.stop()
    file = archive.root / str(second)
    file.rename(file.with_name(f"0{file.name}"))

    rebuild.rebuild(archive.engine, archive.root, archive.settings)
    with reading(archive.engine) as connection:
        assert patients.open_flags(connection, limit=9) == []
        again = [
            patients.flag_of(connection, number) for number in connection.scalars(select(identity_flags.c.id))
        ]
    assert [(one.patient.name, one.other.name) for one in again if one] == [("ROE^ANN", "DOE^JANE")]
