"""Corrections beside what else goes on: search keys, arrivals in other threads and processes, settling, backup."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, select, update
from tests.archive.conftest import CT, EXPLICIT_LE, Put, ct, encoded
from tests.archive.corrections.test_correcting import (
    STUDY,
    correct,
    everything_out,
    fill,
    read,
    rebuilt,
    stored,
    study,
    undo,
    whole,
)
from tests.archive.test_search_keys import add, index

from filmless.archive import integrity, ledger, overlays, rebuild, settle
from filmless.archive.corrections import ledgered, service
from filmless.archive.corrections.applying import in_force
from filmless.archive.corrections.model import Level, Target
from filmless.archive.index_process import IndexProcess
from filmless.archive.leaving import described, leaving
from filmless.archive.model import ArchiveSettings, Arrival, Kind, Source
from filmless.archive.search_index import Indexer
from filmless.archive.store import Archive
from filmless.archive.tables import attribute_values, corrections, instances, series, studies
from filmless.db.work import reading, writing
from filmless.dicom import uids
from filmless.dicom.pixels import transcode
from filmless.dicom.rewrite import deflate
from filmless.kit.errors import Defect, Unavailable
from filmless.patients.tables import patients


def found(engine: Engine, path: str) -> list[str]:
    with reading(engine) as connection:
        return sorted(
            connection.scalars(select(attribute_values.c.value).where(attribute_values.c.path == path))
        )


def test_search_keys_find_what_was_corrected(archive: Archive, put: Put) -> None:
    fill(put, OperatorsName="LI^EI", ImageComments="left")
    indexer = Indexer(archive.engine, archive.root)
    index(indexer, add(archive.engine, "OperatorsName", "series"))
    correct(archive, Target(Level.SERIES, "1.2.3.1.1"), OperatorsName="LI^WEI")
    assert found(archive.engine, "OperatorsName") == ["LI^WEI"]
    made = correct(archive, Target(Level.INSTANCE, "1.2.3.1.1.2"), ImageComments="right")
    # made searchable after they were corrected
    index(indexer, add(archive.engine, "ImageComments", "instance"))
    assert found(archive.engine, "ImageComments") == ["left", "left", "right"]
    put(ct(SOPInstanceUID="1.2.3.1.9.1", SeriesInstanceUID="1.2.3.1.9", OperatorsName="X"))
    correct(archive, study(), ImageComments="both")
    put(ct(SOPInstanceUID="1.2.3.1.9.2", SeriesInstanceUID="1.2.3.1.9", OperatorsName="X", ImageComments="n"))
    assert found(archive.engine, "ImageComments") == ["both"] * 5
    undo(archive, made)
    assert found(archive.engine, "ImageComments") == ["both"] * 5


def test_arrivals_through_another_process_meet_corrections_at_every_moment(
    engine: Engine, tmp_path: Path
) -> None:
    settings = ArchiveSettings(minimum_free_bytes=0)
    root = tmp_path / "home" / "store"
    archive = Archive(engine, root, settings, publisher=IndexProcess(engine, root, settings))
    archive.start()
    try:

        def arrive(numbers: range) -> None:
            for number in numbers:
                uid = f"1.2.3.1.{number % 3 + 1}.{number}"
                data = encoded(
                    ct(
                        SOPInstanceUID=uid,
                        SeriesInstanceUID=f"1.2.3.1.{number % 3 + 1}",
                        InstanceNumber=number,
                        PatientName="DOE^JNAE",
                    )
                )
                outcome = archive.store_blocking(Arrival(CT, uid, EXPLICIT_LE, Source("CT1")), [data])
                assert outcome.kind is Kind.STORED

        arrive(range(3))
        threads = [threading.Thread(target=arrive, args=(range(n * 100, n * 100 + 25),)) for n in (1, 2, 3)]
        for thread in threads:
            thread.start()
        for number in range(6):
            last = correct(archive, study(), PatientName=f"DOE^JANE{number}", PatientID=f"N{number}")
            if number % 2:
                undo(archive, last)
        for thread in threads:
            thread.join()
        names = {str(read(archive, one).PatientName) for one in stored(archive)}
        assert names == {"DOE^JANE4"}
        rows = whole(engine)
        assert {row[0] for row in rows["whose"]} == {"N4"}
        assert len(rows["whose"]) == 78
        assert len(rows["studies"]) == 1 and len(rows["series"]) == 3
    finally:
        archive.stop()
    rebuild.rebuild(engine, root, settings)
    again = whole(engine)
    assert again["whose"] == rows["whose"]
    assert again["studies"] == rows["studies"]


def test_prepared_metadata_are_made_anew(archive: Archive, put: Put) -> None:
    fill(put)
    with reading(archive.engine) as connection:
        one = connection.execute(select(series)).one()
    assert settle.settle(archive.engine, archive.root, one.id, one.generation)
    correct(archive, study(), StudyDescription="Thorax")
    with reading(archive.engine) as connection:
        two = connection.execute(select(series)).one()
    assert two.generation > one.generation and two.settled_generation < two.generation
    assert settle.settle(archive.engine, archive.root, two.id, two.generation)
    with reading(archive.engine) as connection:
        path = connection.scalar(select(series.c.metadata_path))
    for instance in settle.read_metadata(archive.root.parent, path):
        assert instance["metadata"]["00081030"] == {"vr": "LO", "Value": ["Thorax"]}
        assert "04000561" in instance["metadata"]
        # frames are where they were
        ((offset, length),) = instance["frames"]
        (blob,) = [s for s in stored(archive) if s.path == instance["path"]]
        data = (archive.root / blob.path).read_bytes()
        assert data[offset : offset + length] == bytes(range(128))


def test_nothing_leaves_without_its_corrections(archive: Archive, put: Put) -> None:
    fill(put)
    correct(archive, study(), PatientName="DOE^JANET")
    (one, *_) = stored(archive)
    path = overlays.path_of(archive.root, one.correction)
    content = path.read_bytes()
    overlays.read.cache_clear()
    path.unlink()
    with pytest.raises(Unavailable):
        leaving(one, archive.root)
    report = integrity.check(archive.engine, archive.root)
    assert [found.kind for found in report.differences or []] == ["overlay-unreadable"]
    path.write_bytes(content.replace(b"JANET", b"JANEX"))
    with pytest.raises(Defect):
        leaving(one, archive.root)
    # a rebuild makes them again
    path.unlink()
    now = rebuilt(archive)
    assert leaving(one, archive.root).head
    assert {row[2] for row in now["whose"]} == {"DOE^JANET"}


def test_overlays_are_copied_for_backup(archive: Archive, put: Put, tmp_path: Path) -> None:
    fill(put)
    correct(archive, study(), PatientName="DOE^JANET")
    assert overlays.copy(archive.root, tmp_path / "other") == 1
    assert overlays.copy(archive.root, tmp_path / "other") == 0
    (one, *_) = stored(archive)
    assert overlays.read(tmp_path / "other", one.correction) == overlays.read(archive.root, one.correction)


def test_a_correction_that_fails_at_its_end_leaves_nothing(
    archive: Archive, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(put)
    before, out = whole(archive.engine), everything_out(archive)

    def full(*_: object) -> None:
        raise Unavailable("the disk is full", code="disk")

    with monkeypatch.context() as patched:
        patched.setattr(service.ledger, "write", full)
        with pytest.raises(Unavailable):
            correct(archive, study(), PatientName="DOE^JANET")
    assert whole(archive.engine) == before
    assert everything_out(archive) == out

    # the ledger has it, the index could not: the ledger takes it back
    write = ledger.write
    calls = []

    def then_fail(root: Path, lines: list[dict[str, object]]) -> None:
        write(root, lines)
        calls.append(lines)
        if len(calls) == 1:
            raise Unavailable("the database is gone", code="database")

    with monkeypatch.context() as patched:
        patched.setattr(service.ledger, "write", then_fail)
        with pytest.raises(Unavailable):
            correct(archive, study(), PatientName="DOE^JANET")
    assert [line["what"] for line in ledger.read(archive.root)] == ["correct", "undo-correction"]
    assert whole(archive.engine) == before
    assert rebuilt(archive) == before
    with reading(archive.engine) as connection:
        assert connection.scalar(select(corrections.c.undo_reason)) == "not made"
        assert connection.scalar(select(instances.c.correction).limit(1)) == 0
        assert connection.scalar(select(studies.c.study_uid)) == STUDY


def test_what_a_dead_process_only_wrote_down_never_comes_about(
    archive: Archive, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 between the ledger's line and the commit leaves the line; what is done next takes it back."""
    fill(put)
    write = ledger.write

    class Killed(BaseException):
        pass

    def die(root: Path, lines: list[dict[str, object]]) -> None:
        write(root, lines)
        raise Killed

    def killed_in(act: Callable[[], object]) -> None:
        with monkeypatch.context() as patched:
            # a dead process takes nothing back
            patched.setattr(service.ledger, "write", die)
            patched.setattr(ledgered, "_take_back", lambda *_: None)
            with pytest.raises(Killed):
                act()

    first = correct(archive, study(), StudyDescription="first")
    killed_in(lambda: correct(archive, study(), PatientName="WRONG^TWICE"))
    again = correct(archive, study(), PatientName="WRONG^TWICE")
    killed_in(lambda: undo(archive, first))
    undo(archive, again)
    now = whole(archive.engine)
    assert rebuilt(archive) == now
    with reading(archive.engine) as connection:
        assert [one.key for one in in_force(connection)] == [first.key]
        told = connection.scalars(select(patients.c.name)).all()
    assert told == ["DOE^JANE"]


def test_an_index_that_is_older_than_the_ledger_leaves_the_ledger_alone(archive: Archive, put: Put) -> None:
    fill(put)
    correct(archive, study(), StudyDescription="first")
    lost = [correct(archive, study(), PatientName=name) for name in ("A^B", "C^D")]
    with writing(archive.engine) as connection:
        # as an older backup has it
        connection.execute(delete(corrections).where(corrections.c.key.in_([one.key for one in lost])))
        connection.execute(update(instances).values(correction=0))
    correct(archive, study(), StudyID="7")
    rebuilt(archive)
    with reading(archive.engine) as connection:
        assert len(in_force(connection)) == 4
        assert connection.scalars(select(patients.c.name)).all() == ["C^D"]


def test_every_encoding_leaves_corrected_with_its_pixels_untouched(archive: Archive, put: Put) -> None:
    two_frames = ct(SOPInstanceUID="1.2.3.1.1.7", NumberOfFrames=2, PixelData=bytes(range(256)))
    plain = encoded(two_frames)
    made = {
        uids.DEFLATED_EXPLICIT_VR_LE: deflate(plain),
        uids.EXPLICIT_VR_BE: transcode(plain, EXPLICIT_LE, uids.EXPLICIT_VR_BE),
        uids.RLE_LOSSLESS: transcode(plain, EXPLICIT_LE, uids.RLE_LOSSLESS),
        uids.JPEG_LS_LOSSLESS: transcode(plain, EXPLICIT_LE, uids.JPEG_LS_LOSSLESS),
        uids.IMPLICIT_VR_LE: transcode(plain, EXPLICIT_LE, uids.IMPLICIT_VR_LE),
    }
    for number, (ts, data) in enumerate(made.items(), 1):
        uid = f"1.2.3.1.1.{number}"
        own = plain.replace(b"1.2.3.1.1.7", uid.encode())
        data = (
            deflate(own) if ts == uids.DEFLATED_EXPLICIT_VR_LE else data.replace(b"1.2.3.1.1.7", uid.encode())
        )
        outcome = archive.store_blocking(Arrival(CT, uid, ts, Source("CT1")), [data])
        assert outcome.kind is Kind.STORED
        made[ts] = data
    before = everything_out(archive)
    one = correct(archive, study(), PatientName="Wang=王^小明", StudyDescription="Thorax")
    for each in stored(archive):
        leaves = leaving(each, archive.root)
        data_set = read(archive, each)
        assert data_set.file_meta.TransferSyntaxUID == each.ts
        assert (str(data_set.PatientName), data_set.StudyDescription) == ("Wang=王^小明", "Thorax")
        if each.ts == uids.DEFLATED_EXPLICIT_VR_LE:
            assert (leaves.length, leaves.size % 2) == (0, 0)
        else:
            # a slice of the file, from the pixel data's tag on
            order = "big" if each.ts == uids.EXPLICIT_VR_BE else "little"
            tag = (0x7FE0).to_bytes(2, order) + (0x0010).to_bytes(2, order)
            assert made[each.ts][-leaves.length :].startswith(tag)
            assert made[each.ts].endswith(b"".join(leaves.chunks())[len(leaves.head) :])
        assert described(each, archive.root)["00100010"]["Value"] == [
            {"Alphabetic": "Wang", "Ideographic": "王^小明"}
        ]
        assert "BulkDataURI" in described(each, archive.root)["7FE00010"]
    undo(archive, one)
    assert everything_out(archive) == before
