"""Import: files, folders, ZIP archives, DICOMDIR; what is left out and why."""

import io
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pydicom
import pytest
from pydicom.fileset import FileSet
from sqlalchemy import Engine, select
from tests import made

from filmless.access.model import ENGINEER
from filmless.archive import purge, reject
from filmless.archive.model import ArchiveSettings, Kind, Source
from filmless.archive.store import Archive
from filmless.archive.tables import versions
from filmless.db import migrate
from filmless.db.engine import open_engine
from filmless.db.work import reading
from filmless.exchange.media import incoming
from filmless.kit.errors import Unavailable

Bring = Callable[..., incoming.Imported]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path}/index.sqlite")
    migrate.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def archive(index: Engine, tmp_path: Path) -> Iterator[Archive]:
    made = Archive(index, tmp_path / "home" / "store", ArchiveSettings(minimum_free_bytes=0))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def bring(archive: Archive) -> Bring:
    return lambda *paths: incoming.bring_in(archive, paths, source=Source("import"))


def stored(index: Engine, root: Path) -> dict[str, bytes]:
    with reading(index) as connection:
        return {
            row.sop_instance_uid: (root / row.path).read_bytes()[row.offset : row.offset + row.size]
            for row in connection.execute(select(versions))
        }


def reasons(result: incoming.Imported) -> dict[str, str]:
    return {name.rpartition("/")[2]: reason for name, reason in result.left_out}


def test_a_folder_with_everything_in_it(bring: Bring, index: Engine, tmp_path: Path) -> None:
    disc = tmp_path / "disc"
    series = made.series(disc / "deep" / "er", 4)
    other = made.series(disc / "b", 2)
    (disc / "AUTORUN.INF").write_text("[autorun]")
    (disc / "empty").touch()
    (disc / "zeros").write_bytes(bytes(100_000))
    os.mkfifo(disc / "pipe")
    (disc / "loop").symlink_to(disc)
    result = bring(disc)
    assert result.counts == {Kind.STORED: 6}
    assert stored(index, tmp_path / "home" / "store") == series.data_sets | other.data_sets
    assert reasons(result) == {
        "AUTORUN.INF": "is not a DICOM file",
        "empty": "is not a DICOM file",
        "zeros": "is not a DICOM file",
        "pipe": "is no regular file",
    }
    again = bring(disc)
    assert again.counts == {Kind.SAME: 6}


def test_files_without_a_preamble_or_any_meta_information(
    bring: Bring, index: Engine, tmp_path: Path
) -> None:
    series = made.series(tmp_path / "files", 2)
    bare = made.data_set(series.files[0])
    (tmp_path / "files" / "00001.dcm").write_bytes(bare)
    content = series.files[1].read_bytes()
    (tmp_path / "files" / "00002.dcm").write_bytes(content[128:])
    assert bring(tmp_path / "files").counts == {Kind.STORED: 2}
    assert stored(index, tmp_path / "home" / "store") == series.data_sets


def test_the_data_sets_uids_count_when_the_meta_information_has_others(bring: Bring, tmp_path: Path) -> None:
    (file,) = made.series(tmp_path / "files", 1).files
    data_set = pydicom.dcmread(file)
    data_set.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.5"
    data_set.save_as(file)
    assert bring(file).counts == {Kind.STORED: 1}


def test_a_zip_is_read_without_unpacking(bring: Bring, index: Engine, tmp_path: Path) -> None:
    series = made.series(tmp_path / "files", 3)
    archive = tmp_path / "cd.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for file in series.files:
            out.write(file, f"DICOM/{file.name}")
        out.writestr("../../evil.dcm", series.files[0].read_bytes())
        out.writestr("/etc/evil.dcm", series.files[0].read_bytes())
        out.writestr("read\x1b[31mme.txt", "text")
        out.writestr("inner.zip", b"PK\x03\x04")
        out.writestr("zeros.dcm", bytes(80 << 20))
    before = set(tmp_path.iterdir())
    result = bring(archive)
    assert result.counts == {Kind.STORED: 3, Kind.SAME: 2}
    assert stored(index, tmp_path / "home" / "store") == series.data_sets
    left_out = {name.partition(": ")[2]: reason for name, reason in result.left_out}
    assert left_out == {
        "read\\x1b[31mme.txt": "is not a DICOM file",
        "inner.zip": "is a ZIP archive inside a ZIP archive: unpack the outer one first",
        "zeros.dcm": "would grow more than 200-fold when unpacked, which images do not",
    }
    assert set(tmp_path.iterdir()) == before, "nothing is unpacked anywhere"
    assert not Path("/etc/evil.dcm").exists()


def test_a_zip_that_lies_about_its_members_costs_those_members(
    bring: Bring, index: Engine, tmp_path: Path
) -> None:
    """A member that unpacks to more than it says, and one whose checksum is wrong: neither is stored."""
    series = made.series(tmp_path / "files", 3)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as out:
        for file in series.files:
            out.write(file, file.name)
    content = bytearray(packed.getvalue())
    directory = content.rindex(b"PK\x01\x02", 0, content.index(b"PK\x05\x06"))
    struct.pack_into("<I", content, directory + 16, 0xDEADBEEF)
    (tmp_path / "bad.zip").write_bytes(content)
    result = bring(tmp_path / "bad.zip")
    assert result.counts == {Kind.STORED: 2}
    ((name, reason),) = result.left_out
    assert name.endswith("00003.dcm")
    assert "CRC" in reason
    assert len(stored(index, tmp_path / "home" / "store")) == 2
    assert len(list((tmp_path / "home" / "store").rglob("*.dcm"))) == 2, "nothing half is left behind"


def test_what_is_no_zip_and_what_is_encrypted(bring: Bring, tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as out:
        out.writestr("secret.dcm", b"x" * 100)
    content = bytearray(packed.getvalue())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + at] |= 1
    (tmp_path / "encrypted.zip").write_bytes(content)
    result = bring(tmp_path / "broken.zip", tmp_path / "encrypted.zip", tmp_path / "nothing")
    assert [reason.partition(":")[0] for _, reason in result.left_out] == [
        "is a ZIP archive that cannot be read",
        "is encrypted",
        "there is no such file or folder",
    ]


@pytest.fixture
def disc(tmp_path: Path) -> tuple[Path, made.Made]:
    """A file-set as discs have it, with a file beside it that its DICOMDIR does not name."""
    series = made.series(tmp_path / "files", 3)
    file_set = FileSet()
    for file in series.files:
        file_set.add(file)
    file_set.write(tmp_path / "disc")
    made.series(tmp_path / "disc" / "EXTRA", 1)
    return tmp_path / "disc", series


def test_a_dicomdir_stands_for_the_files_that_it_names(
    disc: tuple[Path, made.Made], bring: Bring, index: Engine, tmp_path: Path
) -> None:
    folder, series = disc
    # as a disc whose names are shown in small letters
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.name != "DICOMDIR":
            path.rename(path.with_name(path.name.lower()))
    result = bring(folder / "DICOMDIR")
    assert result.counts == {Kind.STORED: 3}
    assert set(stored(index, tmp_path / "home" / "store")) == set(series.data_sets)


def test_a_folder_with_a_dicomdir_tells_what_is_missing(
    disc: tuple[Path, made.Made], bring: Bring, tmp_path: Path
) -> None:
    folder, _ = disc
    named = [path for path in folder.rglob("*") if path.is_file() and "EXTRA" not in path.parts]
    gone = next(path for path in named if path.name != "DICOMDIR")
    gone.unlink()
    result = bring(folder)
    assert result.counts == {Kind.STORED: 3}, "two of the set and the one beside it"
    assert [reason for _, reason in result.left_out] == ["is named in the DICOMDIR, and missing"]


@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
def test_a_dicomdir_cannot_lead_out_of_its_folder(
    disc: tuple[Path, made.Made], bring: Bring, tmp_path: Path
) -> None:
    folder, _ = disc
    outside = made.series(tmp_path / "outside", 1).files[0]
    directory = pydicom.dcmread(folder / "DICOMDIR")
    images = [one for one in directory.DirectoryRecordSequence if "ReferencedFileID" in one]
    images[0].ReferencedFileID = ["..", "outside", outside.name.upper()]
    (folder / "LINK").symlink_to(tmp_path / "outside")
    images[1].ReferencedFileID = ["LINK", outside.name]
    directory.save_as(folder / "DICOMDIR")
    result = bring(folder / "DICOMDIR")
    assert result.counts == {Kind.STORED: 1}
    assert sorted(reason for _, reason in result.left_out) == [
        "is named in the DICOMDIR by a path that leads elsewhere",
        "is named in the DICOMDIR, and missing",
    ]


def test_clashes_and_objects_without_uids_are_told(bring: Bring, tmp_path: Path) -> None:
    files = made.series(tmp_path / "files", 2).files
    assert bring(tmp_path / "files").counts == {Kind.STORED: 2}
    clash, bare = (pydicom.dcmread(file) for file in files)
    clash.StudyDescription = "another"
    clash.save_as(files[0])
    del bare.StudyInstanceUID
    bare.SOPInstanceUID = "1.2.3.4"
    bare.save_as(files[1])
    result = bring(tmp_path / "files")
    assert result.counts == {Kind.QUARANTINED: 2}
    assert result.objects == 0
    assert [reason for _, reason in sorted(result.left_out)] == [
        "is in quarantine: another object with this SOP Instance UID is in the archive",
        "is in quarantine: the data set has no Study Instance UID",
    ]


def test_objects_hidden_by_a_rejection_are_told(bring: Bring, archive: Archive, tmp_path: Path) -> None:
    series = made.series(tmp_path / "files", 3)
    rejected, *_ = series.data_sets
    assert bring(series.files[0].parent).hidden == 0
    reject.reject(archive, ENGINEER, code="113037", by="li", reason="no", sop_uids=[rejected])
    again = bring(series.files[0].parent)
    assert (again.counts, again.hidden) == ({Kind.SAME: 3}, 1)
    purge.purge(archive.engine, archive.root, older_than=timedelta(seconds=-5), by="li")
    anew = bring(series.files[0].parent)
    assert (anew.counts, anew.hidden) == ({Kind.SAME: 2, Kind.STORED: 1}, 1)


def test_a_full_disk_ends_the_import(index: Engine, tmp_path: Path) -> None:
    files = made.series(tmp_path / "files", 30).files
    archive = Archive(index, tmp_path / "home" / "store", ArchiveSettings(minimum_free_bytes=1 << 60))
    archive.start()
    with pytest.raises(Unavailable, match="nearly full"):
        incoming.bring_in(archive, [files[0].parent], source=Source("import"))
    archive.stop()
    assert not list((tmp_path / "home" / "store").rglob("*.dcm"))


def test_progress_counts_every_file(index: Engine, tmp_path: Path) -> None:
    folder = made.series(tmp_path / "files", 12).files[0].parent
    (folder / "text.txt").touch()
    archive = Archive(index, tmp_path / "home" / "store", ArchiveSettings(minimum_free_bytes=0))
    archive.start()
    seen: list[int] = []
    incoming.bring_in(archive, [folder], source=Source("import"), progress=seen.append)
    archive.stop()
    assert seen == list(range(1, incoming.count([folder]) + 1)) == list(range(1, 14))
