"""dicomweb-client against a server as it runs, with accounts on: everything that it can ask, by token."""

from __future__ import annotations

import io
from collections.abc import Iterator

import httpx
import numpy as np
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from dicomweb_client.session_utils import create_session
from PIL import Image
from requests import HTTPError
from tests import made, peers, programs

LE = "1.2.840.10008.1.2.1"
ANY = ("application/dicom", "*")
NAME = "Wang^XiaoDong=王^小东"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.FilmlessServer]:
    # the client leaves the port out of its Host header: addresses in answers are by public_url
    made_server = peers.FilmlessServer(tmp_path_factory.mktemp("client") / "home")
    made_server.settings = f'[http]\npublic_url = "http://{peers.HOST}:{made_server.http_port}"\n'
    with made_server:
        yield made_server


def connect(server: peers.FilmlessServer, secret: str) -> DICOMwebClient:
    session = create_session()
    if secret:
        session.headers["Authorization"] = f"Bearer {secret}"
    return DICOMwebClient(f"http://{peers.HOST}:{server.http_port}/dicom-web", session=session)


def _images() -> list[pydicom.Dataset]:
    study, series = made.generate_uid(), made.generate_uid()
    found = []
    for number in (1, 2, 3):
        image = made.image(number, name=NAME, patient_id="东-1", study=study, series=series)
        image.NumberOfFrames = 2
        image.PixelData = image.PixelData * 2
        image.StudyDescription = "胸部平扫"
        image.private_block(0x0019, "FILMLESS TEST").add_new(0x11, "OB", bytes(range(250)) * 20)
        image.file_meta = pydicom.dataset.FileMetaDataset()
        image.file_meta.TransferSyntaxUID = LE
        image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        found.append(image)
    return found


def test_everything_by_token(server: peers.FilmlessServer) -> None:
    images = _images()
    study, series = str(images[0].StudyInstanceUID), str(images[0].SeriesInstanceUID)
    client = connect(server, programs.token(server.home, "everything"))

    stored = client.store_instances(images)
    assert [one.ReferencedSOPInstanceUID for one in stored.ReferencedSOPSequence] == [
        image.SOPInstanceUID for image in images
    ]
    assert "FailedSOPSequence" not in stored

    for keys in (
        {"PatientName": "王*"},
        {"PatientName": "wang^xiaodong*"},
        {"PatientName": "*小东"},
        {"PatientID": "东-1"},
        {"StudyDescription": "*平扫"},
        {"StudyInstanceUID": study},
    ):
        (found,) = client.search_for_studies(search_filters=keys, fields=["StudyDescription"])
        data_set = pydicom.Dataset.from_json(found)
        assert data_set.PatientName == NAME
        assert data_set.PatientName.ideographic == "王^小东"
        assert (data_set.StudyDescription, data_set.StudyInstanceUID) == ("胸部平扫", study)
        assert data_set.NumberOfStudyRelatedInstances == 3
    assert client.search_for_studies(search_filters={"PatientName": "李*"}) == []
    (found,) = client.search_for_series(study)
    assert found["0020000E"]["Value"] == [series]
    assert len(client.search_for_instances(study, series)) == 3
    assert len(client.search_for_instances(study, limit=2)) == 2
    assert len(client.search_for_instances(study, limit=2, get_remaining=True)) == 3

    for metadata in (client.retrieve_study_metadata(study), client.retrieve_series_metadata(study, series)):
        assert len(metadata) == 3
        data_set = pydicom.Dataset.from_json(metadata[0])
        assert (data_set.PatientName, data_set.PatientID) == (NAME, "东-1")
        assert client.retrieve_bulkdata(metadata[0]["00191011"]["BulkDataURI"]) == [bytes(range(250)) * 20]
        pixels = {
            one["00080018"]["Value"][0]: client.retrieve_bulkdata(one["7FE00010"]["BulkDataURI"])
            for one in metadata
        }
        assert pixels == {image.SOPInstanceUID: [image.PixelData] for image in images}

    for several in (
        client.retrieve_study(study, media_types=(ANY,)),
        client.retrieve_series(study, series, media_types=(ANY,)),
    ):
        assert {one.SOPInstanceUID: one.PixelData for one in several} == {
            image.SOPInstanceUID: image.PixelData for image in images
        }
        assert {str(one.PatientName) for one in several} == {NAME}
    for image in images:
        uids = (study, series, str(image.SOPInstanceUID))
        frames = client.retrieve_instance_frames(
            *uids, [2, 1], media_types=(("application/octet-stream", LE),)
        )
        assert frames == [image.PixelData[:2048], image.PixelData[:2048]]
        rendered = client.retrieve_instance_rendered(*uids, media_types=("image/png", "image/gif"))
        assert Image.open(io.BytesIO(rendered)).size == (32, 32)
        picture = client.retrieve_instance_frames_rendered(*uids, [1], media_types=("image/png",))
        assert np.asarray(Image.open(io.BytesIO(picture))).max() > 100


def test_by_name_and_token_as_password(server: peers.FilmlessServer) -> None:
    secret = programs.token(server.home, "by-password", actions=("search",))
    base = f"http://{peers.HOST}:{server.http_port}"
    with httpx.Client(base_url=base) as client:
        assert client.get("/dicom-web/studies", auth=("by-password", secret)).status_code in (200, 204)
        assert client.get("/dicom-web/studies", auth=("everything", secret)).status_code == 401


def test_it_may_what_its_token_may(server: peers.FilmlessServer) -> None:
    image = _images()[0]
    searcher = connect(server, programs.token(server.home, "searcher", actions=("search",)))
    searcher.search_for_studies()
    nobody = connect(server, "")
    for refused, status in ((searcher, 403), (nobody, 401)):
        for ask in (
            lambda client: client.store_instances([image]),
            lambda client: client.retrieve_study_metadata("1.2.3"),
        ):
            with pytest.raises(HTTPError) as why:
                ask(refused)
            assert why.value.response.status_code == status
    with pytest.raises(HTTPError) as why:
        nobody.search_for_studies()
    assert why.value.response.status_code == 401
