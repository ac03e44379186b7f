import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.fileset import FileSet

from filmless.dicom import uids
from filmless.dicom.builders.dicomdir import RECORD_TAGS, Directory, record_type
from filmless.dicom.scan import scan
from filmless.kit.errors import Refused
from tests.dicom.build import as_file, element

CT = "1.2.840.10008.5.1.4.1.1.2"
KOS = "1.2.840.10008.5.1.4.1.1.88.59"
CLASSES = {1: CT, 2: CT, 3: KOS}


def _object(patient: int, study: int, series: int, number: int) -> tuple[str, str, bytes]:
    sop_class = CLASSES[number]
    uid = f"1.2.{patient}.{study}.{series}.{number}"
    data = (
        element(0x00080005, "CS", b"GB18030")
        + element(0x00080016, "UI", sop_class.encode())
        + element(0x00080018, "UI", uid.encode())
        + element(0x00080020, "DA", b"20260301")
        + element(0x00080023, "DA", b"20260301")
        + element(0x00080030, "TM", b"101500")
        + element(0x00080033, "TM", b"101501")
        + element(0x00080060, "CS", b"CT")
        + element(0x00100010, "PN", f"王^{patient}".encode("gb18030"))
        + element(0x00100020, "LO", f"P{patient}".encode())
        + element(0x0020000D, "UI", f"1.2.{patient}.{study}".encode())
        + element(0x0020000E, "UI", f"1.2.{patient}.{study}.{series}".encode())
    )
    return sop_class, uid, data


def _write(folder: Path) -> dict[str, Path]:
    directory = Directory()
    written = {}
    for patient in (1, 2):
        for study in (1, 2):
            for series in (1, 2):
                for number in (1, 2, 3):
                    sop_class, uid, data = _object(patient, study, series, number)
                    file_id = directory.add(
                        scan(data, uids.EXPLICIT_VR_LE, RECORD_TAGS),
                        sop_class_uid=sop_class,
                        sop_instance_uid=uid,
                        transfer_syntax_uid=uids.EXPLICIT_VR_LE,
                    )
                    path = folder.joinpath(*file_id)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    assert not path.exists()
                    path.write_bytes(as_file(data))
                    written[uid] = path
                    assert len(file_id) <= 8
                    assert all(len(part) <= 8 and part.isalnum() and part.isupper() for part in file_id)
    assert directory.count == 24
    (folder / "DICOMDIR").write_bytes(directory.build())
    return written


def test_pydicom_reads_the_file_set(tmp_path: Path) -> None:
    written = _write(tmp_path)
    found = FileSet(pydicom.dcmread(tmp_path / "DICOMDIR"))
    assert {item.SOPInstanceUID: Path(item.path) for item in found} == written
    assert found.find_values("PatientID") == ["P1", "P2"]
    assert sorted(found.find_values("StudyInstanceUID")) == ["1.2.1.1", "1.2.1.2", "1.2.2.1", "1.2.2.2"]
    names = {str(name) for name in found.find_values("PatientName")}
    assert names == {"王^1", "王^2"}
    kinds = {item.node.record_type for item in found}
    assert kinds == {"IMAGE", "KEY OBJECT DOC"}


@pytest.mark.skipif(shutil.which("dcmdump") is None, reason="dcmtk is not installed")
def test_dcmtk_reads_it_too(tmp_path: Path) -> None:
    _write(tmp_path)
    shown = subprocess.run(["dcmdump", "+L", tmp_path / "DICOMDIR"], capture_output=True, check=True)
    assert shown.stdout.count(b"DirectoryRecordType") == 2 + 4 + 8 + 24
    assert shown.stderr == b""


def test_an_empty_file_set() -> None:
    found = pydicom.dcmread(BytesIO(Directory("EMPTY").build()))
    assert found.FileSetID == "EMPTY"
    assert found.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity == 0
    assert list(found.DirectoryRecordSequence) == []


def test_an_object_is_in_a_file_set_once() -> None:
    directory = Directory()
    sop_class, uid, data = _object(1, 1, 1, 1)
    header = scan(data, uids.EXPLICIT_VR_LE, RECORD_TAGS)
    facts = {"sop_class_uid": sop_class, "sop_instance_uid": uid, "transfer_syntax_uid": uids.EXPLICIT_VR_LE}
    directory.add(header, **facts)
    with pytest.raises(Refused):
        directory.add(header, **facts)


@pytest.mark.parametrize(
    ("sop_class", "kind"),
    [
        (CT, "IMAGE"),
        (KOS, "KEY OBJECT DOC"),
        ("1.2.840.10008.5.1.4.1.1.88.33", "SR DOCUMENT"),
        ("1.2.840.10008.5.1.4.1.1.11.1", "PRESENTATION"),
        ("1.2.840.10008.5.1.4.1.1.4", "IMAGE"),
        ("1.2.840.10008.5.1.4.1.1.4.2", "SPECTROSCOPY"),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", "WAVEFORM"),
        ("1.2.840.10008.5.1.4.1.1.66", "RAW DATA"),
        ("1.2.840.10008.5.1.4.1.1.66.4", "IMAGE"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "ENCAP DOC"),
        ("1.2.840.10008.5.1.4.1.1.481.2", "RT DOSE"),
        ("1.2.840.10008.5.1.4.1.1.481.5", "RT PLAN"),
        ("1.3.46.670589.11.0.0.12.1", "IMAGE"),
    ],
)
def test_record_types(sop_class: str, kind: str) -> None:
    assert record_type(sop_class) == kind
