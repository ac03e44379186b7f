"""A correction is in force on every way out over HTTP, and renews what was prepared and what clients keep."""

import io
import zipfile

import pydicom
from tests import made
from tests.archive.web.conftest import STEWARD, Web, parts_of

from filmless.archive.corrections.model import Level, Target
from filmless.archive.corrections.service import correct
from filmless.dicom import part10
from filmless.dicom.pixels import transcode

DICOM, LE = "application/dicom", "1.2.840.10008.1.2.1"


def put(web: Web) -> list[tuple[str, pydicom.Dataset]]:
    found = []
    for number, syntax in enumerate(
        (LE, "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.1.99"), 1
    ):
        one = made.image(number, name="Wrong^Name", patient_id="P", study="1.2.3", series="1.2.3.1")
        file = made.part10(one)
        meta = part10.read_meta(file)
        head = part10.build_preamble_and_meta(meta.sop_class_uid, meta.sop_instance_uid, syntax)
        found.append((web.put(head + transcode(file[meta.data_set_offset :], LE, syntax))[0], one))
    return found


async def test_everything_leaves_corrected(web: Web) -> None:
    stored = put(web)
    web.settle()
    async with web.client() as client:
        paths = ["/studies/1.2.3/metadata", stored[0][0] + "/metadata", stored[0][0]]
        before = {path: await client.get(path) for path in paths}
        changes = {
            "00081030": {"vr": "LO", "Value": ["Abdomen"]},
            "00080090": {"vr": "PN", "Value": [{"Alphabetic": "Li^Si"}]},
        }
        context, target = web.context, Target(Level.STUDY, "1.2.3")
        correct(context.engine, context.store, STEWARD, target, changes, reason="typo", by="li")
        for settled in (False, True):
            if settled:
                assert web.settle() == 1
            for path, old in before.items():
                again = await client.get(path, headers={"if-none-match": old.headers["etag"]})
                assert again.status_code == 200, path
            found = (await client.get("/studies/1.2.3/metadata")).json()
            assert [one["00081030"]["Value"] for one in found] == [["Abdomen"]] * 4
            assert all("04000561" in one for one in found)
            assert [(await client.get(f"{address}/metadata")).json()[0] for address, _ in stored] == found
            for one in found:
                assert one["7FE00010"]["BulkDataURI"].endswith("/bulkdata/7FE00010")
        for accept in (
            f'multipart/related; type="{DICOM}"; transfer-syntax=*',
            f'multipart/related; type="{DICOM}"',
        ):
            parts = parts_of(await client.get("/studies/1.2.3", headers={"accept": accept}))
            for (_, content), (_, one) in zip(parts, stored, strict=True):
                got = pydicom.dcmread(io.BytesIO(content))
                assert (got.StudyDescription, got.SOPInstanceUID) == ("Abdomen", one.SOPInstanceUID)
                if not got.file_meta.TransferSyntaxUID.is_encapsulated:
                    assert got.PixelData == one.PixelData
        zipped = await client.get("/studies/1.2.3", headers={"accept": "application/zip"})
        archive = zipfile.ZipFile(io.BytesIO(zipped.content))
        assert archive.testzip() is None
        for name in archive.namelist():
            if name != "DICOMDIR":
                assert pydicom.dcmread(archive.open(name)).StudyDescription == "Abdomen"
        records = pydicom.dcmread(archive.open("DICOMDIR")).DirectoryRecordSequence
        assert [one.StudyDescription for one in records if "StudyDescription" in one] == ["Abdomen"]
        for address, one in stored:
            assert (await client.get(f"{address}/bulkdata/00081030")).content == b"Abdomen "
            pixels = await client.get(f"{address}/frames/1", headers={"accept": "application/octet-stream"})
            assert pixels.content == one.PixelData
            uri = {"studyUID": "1.2.3", "seriesUID": "1.2.3.1", "objectUID": str(one.SOPInstanceUID)}
            file = await client.get("/wado", params={"requestType": "WADO", "contentType": DICOM, **uri})
            assert pydicom.dcmread(io.BytesIO(file.content)).StudyDescription == "Abdomen"
