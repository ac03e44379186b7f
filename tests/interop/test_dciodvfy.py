"""dciodvfy (Debian's dicom3tools) on every object that we make: no error that was not in what it was made of."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage
from tests import made, peers, programs
from tests.archive.web.place import multipart

from filmless.dicom import json_model
from filmless.dicom.uids import EXPLICIT_VR_LE
from filmless.dicom.web import xml_model

DICOM = 'multipart/related; type="application/dicom"; transfer-syntax=*'


def errors(file: Path) -> set[str]:
    """The errors that dciodvfy tells of."""
    done = subprocess.run(["dciodvfy", "-new", str(file)], capture_output=True, check=False, timeout=60)
    lines = done.stderr.decode("utf-8", "replace").splitlines()
    # it does not say so when it cannot read at all, other than by its status and silence
    assert lines, f"{file}: dciodvfy said nothing"
    return {line for line in lines if line.startswith("Error")}


def _sound(number: int, study: str, series: str, *, side: int = 32) -> Dataset:
    """A secondary capture in which dciodvfy finds no error."""
    image = made.image(
        number, name="Wang^XiaoDong=王^小东", patient_id="VFY1", study=study, series=series, side=side
    )
    del image[0x00190010], image[0x00191010], image.RescaleIntercept, image.RescaleSlope
    image.SOPClassUID = SecondaryCaptureImageStorage
    image.Modality = "OT"
    image.ConversionType = "SYN"
    image.ReferringPhysicianName = ""
    image.PatientOrientation = ""
    image.Laterality = ""
    image.PixelData = image.PixelData[: side * side * 2]
    image.BitsStored, image.HighBit = 12, 11
    return image


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.FilmlessServer]:
    peers.need("dciodvfy", "dcmdump")
    with peers.FilmlessServer(tmp_path_factory.mktemp("vfy") / "home") as running:
        yield running


@pytest.fixture(scope="module")
def client(server: peers.FilmlessServer) -> Iterator[httpx.Client]:
    with programs.client(
        f"http://{peers.HOST}:{server.http_port}", programs.token(server.home)
    ) as made_client:
        yield made_client


def _stored(server: peers.FilmlessServer, folder: Path, count: int = 2) -> tuple[str, str, list[Path]]:
    folder.mkdir()
    study, series = str(made.generate_uid()), str(made.generate_uid())
    files = []
    for number in range(1, count + 1):
        file = folder / f"{number}.dcm"
        file.write_bytes(made.part10(_sound(number, study, series)))
        assert errors(file) == set(), "what the test begins with"
        files.append(file)
    server.cli("import", folder)
    return study, series, files


def _retrieved(client: httpx.Client, folder: Path, path: str, accepted: str = DICOM) -> list[Path]:
    """Every object of a multipart answer, as a file."""
    folder.mkdir(exist_ok=True)
    answer = client.get(f"/dicom-web{path}", headers={"Accept": accepted})
    assert answer.status_code == 200, answer.text
    boundary = re.search(r'boundary="?([^";]+)', answer.headers["content-type"])
    assert boundary
    found = []
    for number, part in enumerate(answer.content.split(b"--" + boundary[1].encode())[1:-1]):
        file = folder / f"{number}.dcm"
        file.write_bytes(part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n"))
        found.append(file)
    return found


@pytest.mark.parametrize("code", ["113001", "113037", "113038", "113039"])
def test_rejection_notes(
    server: peers.FilmlessServer, client: httpx.Client, tmp_path: Path, code: str
) -> None:
    study, _, files = _stored(server, tmp_path / "files")
    uid = pydicom.dcmread(files[0]).SOPInstanceUID
    before = {file.name for file in server.home.joinpath("store").rglob("*.dcm")}
    done = client.post(
        f"/dicom-web/studies/{study}/series/{pydicom.dcmread(files[0]).SeriesInstanceUID}/instances/{uid}/reject/{code}",
        params={"reason": "动了 moved"},
    )
    assert done.status_code in (200, 204), done.text
    notes = [file for file in server.home.joinpath("store").rglob("*.dcm") if file.name not in before]
    (note,) = notes
    made_note = pydicom.dcmread(note)
    assert made_note.Modality == "KO"
    assert made_note.ConceptNameCodeSequence[0].CodeValue == code
    assert errors(note) == set()


def test_corrected_objects(server: peers.FilmlessServer, client: httpx.Client, tmp_path: Path) -> None:
    study, _, _ = _stored(server, tmp_path / "files")
    server.cli(
        *("correct", "study", study, "PatientName=Li^Na=李^娜", "PatientID=VFY2", "StudyDescription=腹部"),
        *("AccessionNumber=", "--reason", "a test"),
    )
    for accepted in (
        DICOM,
        'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1',
    ):
        corrected = _retrieved(client, tmp_path / "corrected", f"/studies/{study}", accepted)
        assert len(corrected) == 2
        for file in corrected:
            assert str(pydicom.dcmread(file).PatientName) == "Li^Na=李^娜"
            assert errors(file) == set()


@pytest.mark.parametrize(
    "syntax",
    ["1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"],
)
def test_transcoded_objects(
    server: peers.FilmlessServer, client: httpx.Client, tmp_path: Path, syntax: str
) -> None:
    study, _, files = _stored(server, tmp_path / "files")
    accepted = f'multipart/related; type="application/dicom"; transfer-syntax={syntax}'
    transcoded = _retrieved(client, tmp_path / "transcoded", f"/studies/{study}", accepted)
    assert len(transcoded) == len(files)
    for file in transcoded:
        assert pydicom.dcmread(file).file_meta.TransferSyntaxUID == syntax
        assert errors(file) == set()


@pytest.mark.parametrize("form", ["json", "xml"])
def test_objects_made_of_metadata_and_bulk_data(
    server: peers.FilmlessServer, client: httpx.Client, tmp_path: Path, form: str
) -> None:
    study, series = str(made.generate_uid()), str(made.generate_uid())
    images = [_sound(number, study, series) for number in (1, 2)]
    metadata, bulk = [], []
    for image in images:
        content = json_model.from_data_set(made.data_set(made.part10(image)), EXPLICIT_VR_LE)
        address = f"http://x/{image.SOPInstanceUID}"
        content["7FE00010"] = {"vr": "OW", "BulkDataURI": address}
        metadata.append(content)
        bulk.append(("application/octet-stream", bytes(image.PixelData), address))
    if form == "json":
        heads = [("application/dicom+json", json.dumps(metadata).encode())]
    else:
        heads = [("application/dicom+xml", b"".join(xml_model.document(one))) for one in metadata]
    answer = client.post("/dicom-web/studies", **multipart([*heads, *bulk], root=f"application/dicom+{form}"))
    assert answer.status_code == 200, answer.text
    stored = _retrieved(client, tmp_path / "stored", f"/studies/{study}")
    assert len(stored) == 2
    for file in stored:
        assert pydicom.dcmread(file).PixelData in [image.PixelData for image in images]
        assert errors(file) == set()


def test_discs(server: peers.FilmlessServer, client: httpx.Client, tmp_path: Path) -> None:
    """DICOMDIR, of a folder and of a ZIP: sound to dcmtk and dciodvfy, and every record leads to its file."""
    import io
    import zipfile

    study, _, files = _stored(server, tmp_path / "files")
    server.cli("export", tmp_path / "disc", "--study", study)
    answer = client.get(f"/dicom-web/studies/{study}", headers={"Accept": "application/zip"})
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path / "zip")
    for disc in (tmp_path / "disc", tmp_path / "zip"):
        (directory,) = disc.rglob("DICOMDIR")
        assert peers.run("dcmdump", "-q", directory).status == 0
        assert errors(directory) == set()
        records = pydicom.dcmread(directory).DirectoryRecordSequence
        kinds = [record.DirectoryRecordType for record in records]
        assert kinds == ["PATIENT", "STUDY", "SERIES", *["IMAGE"] * len(files)]
        for record in records[3:]:
            file = directory.parent.joinpath(*record.ReferencedFileID)
            assert pydicom.dcmread(file).SOPInstanceUID == record.ReferencedSOPInstanceUIDInFile
            assert errors(file) == set()
