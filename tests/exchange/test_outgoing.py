"""Export: a file-set that other programs read, with the very data sets that were stored."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.fileset import FileSet
from pydicom.uid import ImplicitVRLittleEndian
from sqlalchemy import Engine
from tests import made
from tests.peers import filmless_command, need, run

from filmless.access.model import SYSTEM
from filmless.archive.model import ArchiveSettings, Kind, Source
from filmless.archive.query import StoredInstance, instances_of
from filmless.archive.store import Archive
from filmless.db import migrate
from filmless.db.engine import open_engine
from filmless.db.work import reading
from filmless.exchange.media import incoming, outgoing
from filmless.kit.errors import Conflict, Refused, Unavailable


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Engine]:
    (tmp_path / "home").mkdir()
    engine = open_engine(f"sqlite:///{tmp_path}/home/index.sqlite")
    migrate.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def studies(index: Engine, tmp_path: Path) -> list[made.Made]:
    """Two studies of two patients, one of them stored in implicit VR."""
    found = [
        made.series(tmp_path / "files" / "a", 4, name="Ausgang^Anna", patient_id="OUT1"),
        made.series(
            tmp_path / "files" / "b",
            2,
            name="李^四",
            patient_id="OUT2",
            transfer_syntax=ImplicitVRLittleEndian,
        ),
    ]
    archive = Archive(index, tmp_path / "home" / "store", ArchiveSettings(minimum_free_bytes=0))
    archive.start()
    assert incoming.bring_in(archive, [tmp_path / "files"], source=Source("import")).counts == {
        Kind.STORED: 6
    }
    archive.stop()
    return found


def wanted(index: Engine, studies: list[made.Made]) -> list[StoredInstance]:
    with reading(index) as connection:
        uids = [one.study_uid for one in studies]
        return list(instances_of(connection, SYSTEM, level="STUDY", study_uids=uids))


def exported(folder: Path) -> dict[str, bytes]:
    """SOP Instance UID -> data set, found through the DICOMDIR by pydicom."""
    file_set = FileSet(folder / "DICOMDIR")
    return {str(one.SOPInstanceUID): made.data_set(Path(one.path)) for one in file_set}


def test_a_folder_is_a_file_set_that_pydicom_reads(
    index: Engine, studies: list[made.Made], tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    result = outgoing.take_out(
        tmp_path / "home" / "store",
        wanted(index, studies),
        tmp_path / "out",
        progress=lambda done, total: seen.append((done, total)),
    )
    assert exported(tmp_path / "out") == studies[0].data_sets | studies[1].data_sets
    assert (result.objects, result.damaged) == (6, [])
    assert result.bytes == sum(len(one) for study in studies for one in study.data_sets.values())
    assert seen[-1] == (result.bytes, result.bytes)
    file_set = FileSet(tmp_path / "out" / "DICOMDIR")
    assert sorted(map(str, file_set.find_values("PatientName"))) == ["Ausgang^Anna", "李^四"]
    for path in (tmp_path / "out").rglob("*"):
        assert path.name.isupper()
        assert len(path.name) <= 8
        if path.is_file() and path.name != "DICOMDIR":
            assert b'"filmless"' not in path.read_bytes()[:1024], "our label stays in the archive"


def test_a_zip_holds_the_same_and_comes_back_in(
    index: Engine, studies: list[made.Made], tmp_path: Path
) -> None:
    outgoing.take_out(tmp_path / "home" / "store", wanted(index, studies), tmp_path / "out.zip")
    assert sorted(path.name for path in tmp_path.iterdir() if "out" in path.name) == ["out.zip"]
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "unpacked")
    assert exported(tmp_path / "unpacked") == studies[0].data_sets | studies[1].data_sets
    again = Archive(index, tmp_path / "home" / "store", ArchiveSettings(minimum_free_bytes=0))
    again.start()
    result = incoming.bring_in(again, [tmp_path / "out.zip"], source=Source("import"))
    again.stop()
    assert result.counts == {Kind.SAME: 6}


@pytest.mark.interop
def test_dcmtk_reads_the_dicomdir(index: Engine, studies: list[made.Made], tmp_path: Path) -> None:
    need("dcmdump")
    outgoing.take_out(tmp_path / "home" / "store", wanted(index, studies), tmp_path / "out")
    done = run("dcmdump", "+E", tmp_path / "out" / "DICOMDIR")
    assert done.output.count("DirectoryRecordType") == 2 + 2 + 2 + 6
    assert "W:" not in done.output
    assert "E:" not in done.output


def test_what_is_damaged_is_left_out_and_named(
    index: Engine, studies: list[made.Made], tmp_path: Path
) -> None:
    objects = wanted(index, studies)
    for one, spoil in zip(
        objects[:2], (lambda path: path.unlink(), lambda path: path.write_bytes(b"")), strict=True
    ):
        spoil(tmp_path / "home" / "store" / one.path)
    result = outgoing.take_out(tmp_path / "home" / "store", objects, tmp_path / "out")
    assert sorted(result.damaged) == sorted(one.sop_instance for one in objects[:2])
    assert set(exported(tmp_path / "out")) == {one.sop_instance for one in objects[2:]}


def test_nothing_is_overwritten(index: Engine, studies: list[made.Made], tmp_path: Path) -> None:
    (tmp_path / "out.zip").touch()
    for place in (tmp_path / "files", tmp_path / "out.zip"):
        with pytest.raises(Conflict):
            outgoing.take_out(tmp_path / "home" / "store", wanted(index, studies), place)
    with pytest.raises(Refused, match="There is no folder"):
        outgoing.take_out(tmp_path / "home" / "store", wanted(index, studies), tmp_path / "no" / "out.zip")
    with pytest.raises(Unavailable, match="cannot be written"):
        outgoing.take_out(tmp_path / "home" / "store", wanted(index, studies), Path("/proc/out"))


def test_the_commands(studies: list[made.Made], index: Engine, tmp_path: Path) -> None:
    home = ("--home", tmp_path / "home")
    listed = run(*filmless_command(), "import", tmp_path / "files", tmp_path / "home" / "index.sqlite", *home)
    assert "6  objects were there already" in listed.output
    assert "index.sqlite: is not a DICOM file" in listed.output
    done = run(*filmless_command(), "export", "--study", studies[0].study_uid, tmp_path / "one", *home)
    assert "Exported 4 objects" in done.output
    assert exported(tmp_path / "one") == studies[0].data_sets
    reason = ("--code", "safety", "--reason", "wrong patient")
    run(*filmless_command(), "reject", "add", "--image", next(iter(studies[0].data_sets)), *reason, *home)
    done = run(*filmless_command(), "export", "--study", studies[0].study_uid, tmp_path / "two.zip", *home)
    assert "Exported 3 objects" in done.output, "what is rejected does not leave"
    done = run(*filmless_command(), "export", "--study", "1.2.3", tmp_path / "three", *home, check=False)
    assert (done.status, "no such study" in done.output) == (2, True)
