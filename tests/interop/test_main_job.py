"""The main job: a series comes in by storescu, is found, and comes back byte for byte.

With FILMLESS_SAMPLES it is the brain series of 384 slices (implicit VR, which storescu rewrites to explicit on
its way), otherwise a generated one.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import AE, _config
from tests import made
from tests.peers import (
    HOST,
    FilmlessServer,
    Final,
    Running,
    final_response,
    findscu,
    getscu,
    movescu,
    stored,
    storescp,
    storescu,
)
from tests.raw import IMPLICIT, STUDY_ROOT_GET, RawAssociation, element

STUDY_UID = "(0020,000d)"


@dataclass(frozen=True)
class Job:
    server: FilmlessServer
    receiver: Running
    received: Path
    folder: Path
    count: int
    name: str
    patient_id: str
    date: str
    study_uid: str


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    base = tmp_path_factory.mktemp("job")
    brain = Path(os.environ.get("FILMLESS_SAMPLES", ""), "mri-brain")
    if os.environ.get("FILMLESS_SAMPLES") and brain.is_dir():
        folder, expected = brain, 384
    else:
        folder, expected = base / "series", 40
        made.series(folder, expected, name="Jane_Doe", transfer_syntax=ImplicitVRLittleEndian)
    first = pydicom.dcmread(next(folder.glob("*.dcm")), stop_before_pixels=True)
    receiver = storescp(base / "moved", aet="DEST")
    with receiver, FilmlessServer(base / "home") as server:
        server.add_device("DEST", receiver.port)
        yield Job(
            *(server, receiver, base / "moved", folder, expected),
            *(str(first.PatientName), first.PatientID, first.StudyDate, first.StudyInstanceUID),
        )


@pytest.fixture(scope="module")
def sent(job: Job) -> int:
    """How many objects storescu was told Success for."""
    return stored(storescu(job.server.dicom_port, job.folder))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, job: Job) -> dict[str, bytes]:
    """What dcmtk's own receiver records bit for bit from the same command."""
    folder = tmp_path_factory.mktemp("recorded") / "kept"
    with storescp(folder) as receiver:
        assert stored(storescu(receiver.port, job.folder)) == job.count
    return made.recorded(folder)


def test_every_image_is_stored(job: Job, sent: int) -> None:
    assert sent == job.count
    answers = findscu(job.server.dicom_port, *keys(f"StudyInstanceUID={job.study_uid}"))
    assert [answer["(0020,1208)"] for answer in answers] == [str(job.count)]


def keys(*more: str) -> list[str]:
    asked = {key.split("=")[0] for key in more}
    wanted = ("StudyInstanceUID", "PatientName", "PatientID", "StudyDate", "NumberOfStudyRelatedInstances")
    return ["QueryRetrieveLevel=STUDY", *(key for key in wanted if key not in asked), *more]


@pytest.mark.usefixtures("sent")
def test_found_by_name_date_range_and_wildcard(job: Job) -> None:
    year = int(job.date[:4])
    found = {
        "name": f"PatientName={job.name}",
        "name in small letters": f"PatientName={job.name.lower()}",
        "wildcard": f"PatientName={job.name[:3]}*",
        "wildcard for one character": f"PatientName={job.name[:-1]}?",
        "ID": f"PatientID={job.patient_id}",
        "date": f"StudyDate={job.date}",
        "date range": f"StudyDate={year - 1}0101-{year + 1}1231",
        "range open to the right": f"StudyDate={job.date}-",
        "range open to the left": f"StudyDate=-{job.date}",
    }
    for words, key in found.items():
        answers = findscu(job.server.dicom_port, *keys(key))
        assert [answer[STUDY_UID] for answer in answers] == [job.study_uid], words
        assert answers[0]["(0010,0010)"] == job.name, words
    for key in (f"PatientName=X{job.name}*", f"StudyDate={year + 1}0101-", "PatientID=nobody"):
        assert findscu(job.server.dicom_port, *keys(key)) == [], key


@pytest.mark.usefixtures("sent")
def test_getscu_brings_all_back_as_storescp_records_them(
    job: Job, recorded: dict[str, bytes], tmp_path: Path
) -> None:
    done = getscu(
        *(job.server.dicom_port, tmp_path / "got", "QueryRetrieveLevel=STUDY"),
        f"StudyInstanceUID={job.study_uid}",
    )
    assert done.status == 0, done.output[-2000:]
    got = made.recorded(tmp_path / "got")
    assert len(got) == job.count
    assert got == recorded


@pytest.mark.usefixtures("sent")
def test_movescu_brings_all_back_as_storescp_records_them(job: Job, recorded: dict[str, bytes]) -> None:
    done = movescu(
        *(job.server.dicom_port, "DEST", "QueryRetrieveLevel=STUDY", f"StudyInstanceUID={job.study_uid}")
    )
    assert done.status == 0, done.output[-2000:]
    assert final_response(done) == Final(0, job.count, 0, 0)
    moved = made.recorded(job.received)
    assert len(moved) == job.count
    assert moved == recorded


def test_pynetdicom_sends_the_files_and_the_very_bytes_come_back(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home of its own: under the same UIDs storescu sent the same objects in another encoding."""
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
    files = sorted(job.folder.glob("*.dcm"))
    first = pydicom.dcmread(files[0], stop_before_pixels=True)
    with FilmlessServer(tmp_path / "home") as server:
        ae = AE("PYNETDICOM")
        ae.add_requested_context(first.SOPClassUID, first.file_meta.TransferSyntaxUID)
        association = ae.associate(HOST, server.dicom_port, ae_title="FILMLESS")
        assert association.is_established
        statuses = [association.send_c_store(file).Status for file in files]
        association.release()
        assert statuses == [0] * job.count
        assert given_back(server, str(first.SOPClassUID), job.study_uid) == {
            uid_of(file): made.data_set(file) for file in files
        }


def test_filmless_sends_the_files_and_the_very_bytes_come_back(job: Job, tmp_path: Path) -> None:
    """One Filmless sends the files to another."""
    files = sorted(job.folder.glob("*.dcm"))
    first = pydicom.dcmread(files[0], stop_before_pixels=True)
    with FilmlessServer(tmp_path / "home", aet="OTHER") as other:
        sender = FilmlessServer(tmp_path / "sender")
        sender.home.mkdir()
        sender.add_device("OTHER", other.dicom_port)
        sender.cli("send", "OTHER", job.folder)
        assert given_back(other, str(first.SOPClassUID), job.study_uid) == {
            uid_of(file): made.data_set(file) for file in files
        }


def uid_of(file: Path) -> str:
    return str(pydicom.dcmread(file, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)


def given_back(server: FilmlessServer, sop_class: str, study_uid: str) -> dict[str, bytes]:
    """C-GET of a study in implicit VR, as these files are stored."""
    contexts = [(STUDY_ROOT_GET, [IMPLICIT]), (sop_class, [IMPLICIT])]
    with RawAssociation(server.dicom_port, contexts, called=server.aet, roles=[sop_class]) as association:
        received, final = association.get(element(0x00080052, "STUDY") + element(0x0020000D, study_uid))
        association.release()
    assert final.status == 0
    assert len({uid for uid, _, _ in received}) == len(received)
    return {uid: data for uid, _, data in received}
