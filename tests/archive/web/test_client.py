"""dicomweb-client, a client that others wrote, against a real socket."""

import numpy as np
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from tests import made
from tests.archive.web.conftest import Web
from tests.archive.web.test_large import served

from filmless.dicom import part10
from filmless.dicom.pixels import transcode

pytestmark = pytest.mark.parametrize("backend", ["sqlite"])
LE, JLS = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.80"


def test_everything_that_it_retrieves(web: Web) -> None:
    images = [
        made.image(at, name="李^四", patient_id="P", study="1.2.3", series="1.2.3.1") for at in (1, 2, 3)
    ]
    for one, syntax in zip(images, (LE, JLS, LE), strict=True):
        one.private_block(0x0019, "FILMLESS TEST").add_new(0x11, "OB", bytes(range(250)) * 20)
        one.NumberOfFrames = 2
        one.PixelData = one.PixelData * 2
        file = made.part10(one)
        meta = part10.read_meta(file)
        head = part10.build_preamble_and_meta(meta.sop_class_uid, meta.sop_instance_uid, syntax)
        web.put(head + transcode(file[meta.data_set_offset :], LE, syntax))
    first = ("1.2.3", "1.2.3.1", str(images[0].SOPInstanceUID))
    with served(web) as server:
        client = DICOMwebClient(server.base)
        plain = (("application/dicom", LE),)
        for found in (
            client.retrieve_study("1.2.3", media_types=plain),
            client.retrieve_series("1.2.3", "1.2.3.1", media_types=plain),
            [client.retrieve_instance(*first[:2], str(one.SOPInstanceUID), plain) for one in images],
            list(client.iter_series("1.2.3", "1.2.3.1", media_types=plain)),
        ):
            assert [one.PixelData for one in found] == [one.PixelData for one in images]
            assert [one.PatientName for one in found] == ["李^四"] * 3

        stored = client.retrieve_series("1.2.3", "1.2.3.1", media_types=(("application/dicom", "*"),))
        assert [one.file_meta.TransferSyntaxUID for one in stored] == [LE, JLS, LE]
        for metadata in (
            client.retrieve_study_metadata("1.2.3"),
            client.retrieve_series_metadata("1.2.3", "1.2.3.1"),
            [client.retrieve_instance_metadata(*first)],
        ):
            data_set = pydicom.Dataset.from_json(metadata[0])
            assert data_set.SOPInstanceUID == first[2]
            assert data_set.Rows == 32
            value = client.retrieve_bulkdata(metadata[0]["00191011"]["BulkDataURI"])
            assert value == [bytes(range(250)) * 20]
            (part,) = client.retrieve_bulkdata(metadata[0]["7FE00010"]["BulkDataURI"])
            assert part == images[0].PixelData
        for one in images:
            uids = (*first[:2], str(one.SOPInstanceUID))
            frames = client.retrieve_instance_frames(
                *uids, [2, 1], media_types=(("application/octet-stream", LE),)
            )
            half = len(one.PixelData) // 2
            assert frames == [one.PixelData[half:], one.PixelData[:half]]
        (jls,) = client.retrieve_instance_frames(
            *first[:2], str(images[1].SOPInstanceUID), [1], media_types=(("image/jls", JLS),)
        )
        import imagecodecs

        assert imagecodecs.jpegls_decode(jls).tobytes() == images[1].PixelData[: 32 * 32 * 2]
        rendered = client.retrieve_instance_rendered(*first, media_types=("image/png",))
        assert np.asarray(imagecodecs.png_decode(rendered)).shape[:2] == (32, 32)
