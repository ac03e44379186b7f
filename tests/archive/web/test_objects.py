"""WADO-RS objects and ZIP archives: what leaves is what came, in the syntax that was asked for."""

import io
import zipfile

import imagecodecs
import pydicom
from pydicom.encaps import get_frame
from tests import made
from tests.archive.web.conftest import READER, REGISTRAR, Web, parts_of

from filmless.dicom import part10

LE, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
DICOM = "application/dicom"


def series(count: int, *, study: str = "1.2.3", number: int = 1, side: int = 32) -> list[pydicom.Dataset]:
    return [
        made.image(
            at, name="Web^Wanda", patient_id="WEB1", study=study, series=f"{study}.{number}", side=side
        )
        for at in range(1, count + 1)
    ]


async def test_study_series_and_instance_as_stored(web: Web) -> None:
    stored = dict(web.put(made.part10(one)) for number in (1, 2) for one in series(3, number=number))
    first = next(iter(stored))
    async with web.client() as client:
        for address, count in (("/studies/1.2.3", 6), ("/studies/1.2.3/series/1.2.3.2", 3), (first, 1)):
            answer = await client.get(address, headers={"accept": f'multipart/related; type="{DICOM}"'})
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith(f'multipart/related; type="{DICOM}"; boundary=')
            assert int(answer.headers["content-length"]) == len(answer.content)
            assert answer.headers["cache-control"] == "private, no-cache"
            parts = parts_of(answer)
            assert len(parts) == count
            for headers, content in parts:
                assert headers["Content-Type"] == f"{DICOM}; transfer-syntax={LE}"
                meta = part10.read_meta(content)
                address = web.address(meta.sop_instance_uid)
                assert content[meta.data_set_offset :] == stored[address]
                assert pydicom.dcmread(io.BytesIO(content)).SOPInstanceUID == meta.sop_instance_uid
    entries = web.audited()
    assert [(entry["kind"], entry["what"], entry["studies"]) for entry in entries] == [
        ("view", "pixels", ["1.2.3"])
    ]


async def test_one_body(web: Web) -> None:
    address, data = web.put(made.part10(series(1)[0]))
    async with web.client() as client:
        answer = await client.get(address, headers={"accept": DICOM})
        assert answer.headers["content-type"] == f"{DICOM}; transfer-syntax={LE}"
        meta = part10.read_meta(answer.content)
        assert answer.content[meta.data_set_offset :] == data
        again = await client.get(address, headers={"accept": DICOM, "if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        # the series has one object: one body holds it
        whole = await client.get("/studies/1.2.3", headers={"accept": DICOM})
        assert whole.content == answer.content
        web.put(made.part10(series(2)[1]))
        assert (await client.get("/studies/1.2.3", headers={"accept": DICOM})).status_code == 406
        head = await client.head(address, headers={"accept": DICOM})
        assert head.headers["content-length"] == str(len(answer.content))
        assert head.content == b""


async def test_transcodes_what_is_not_accepted_as_stored(web: Web) -> None:
    explicit, implicit = series(2)
    address, data = web.put(made.part10(implicit, IMPLICIT))
    web.put(made.part10(explicit))
    async with web.client() as client:
        one = await client.get(address, headers={"accept": DICOM})
        assert one.headers["content-type"] == f"{DICOM}; transfer-syntax={LE}"
        got = pydicom.dcmread(io.BytesIO(one.content))
        assert got.file_meta.TransferSyntaxUID == LE
        assert got.PixelData == implicit.PixelData
        assert int(one.headers["content-length"]) == len(one.content)
        as_stored = await client.get(address, headers={"accept": f"{DICOM}; transfer-syntax=*"})
        meta = part10.read_meta(as_stored.content)
        assert (meta.transfer_syntax_uid, as_stored.content[meta.data_set_offset :]) == (IMPLICIT, data)
        both = await client.get(
            "/studies/1.2.3",
            headers={"accept": f'multipart/related; type="{DICOM}"; transfer-syntax=1.2.840.10008.1.2.4.80'},
        )
        for (headers, content), pixels in zip(
            parts_of(both), (implicit.PixelData, explicit.PixelData), strict=True
        ):
            assert headers["Content-Type"] == f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.80"
            frame = get_frame(pydicom.dcmread(io.BytesIO(content)).PixelData, 0, number_of_frames=1)
            assert imagecodecs.jpegls_decode(frame).tobytes() == pixels
        lossy = await client.get(
            address, headers={"accept": f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.50"}
        )
        assert lossy.status_code == 406
    assert list((web.context.home / "scratch").rglob("*")) == [
        path for path in (web.context.home / "scratch").rglob("*") if path.is_dir()
    ]


async def test_406(web: Web) -> None:
    address, _ = web.put(made.part10(series(1)[0]))
    async with web.client() as client:
        for accept in ("image/png", "text/html", f"{DICOM};q=0", 'multipart/related; type="image/jls"'):
            answer = await client.get(address, headers={"accept": accept})
            assert answer.status_code == 406
            assert answer.json()["code"] == "not-acceptable"
        assert (await client.get(address, headers={"accept": "nonsense"})).status_code == 400
        lossy = await client.get(
            address, headers={"accept": f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.50"}
        )
        assert "none of it can be made of what is stored, Explicit VR Little Endian" in lossy.json()["detail"]


async def test_what_one_may_not_see_is_not_there(web: Web) -> None:
    address, _ = web.put(made.part10(series(1)[0]))
    elsewhere = address.replace("/series/1.2.3.1/", "/series/1.2.3.9/")
    async with web.client() as client:
        for path in (
            "/studies/9.9.9",
            "/studies/1.2.3/series/9",
            elsewhere,
            "/studies/..%2f..",
            "/studies/1.2.3%00",
            "/studies/" + "1" * 65,
        ):
            for below in ("", "/metadata"):
                # "..%2f.." is another address, to which nothing but POST goes
                assert (await client.get(path + below)).status_code in (404, 405), path
        assert (await client.get(elsewhere + "/frames/1")).status_code == 404
    async with web.client(None) as nobody:
        for below in ("", "/metadata", "/frames/1"):
            assert (await nobody.get(address + below)).status_code == 401
    async with web.client(REGISTRAR) as registrar:
        for below in ("", "/metadata", "/frames/1"):
            assert (await registrar.get(address + below)).status_code == 403
    tried = [(entry["kind"], entry["outcome"], entry["studies"]) for entry in web.audited()]
    assert tried == [("view", "refused", ["1.2.3"])] * 3


async def test_zip_with_a_directory(web: Web) -> None:
    stored = dict(web.put(made.part10(one)) for number in (1, 2) for one in series(3, number=number))
    async with web.client(READER) as reader:
        assert (await reader.get("/studies/1.2.3", headers={"accept": "application/zip"})).status_code == 403
    async with web.client() as client:
        answer = await client.get("/studies/1.2.3", headers={"accept": "application/zip"})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/zip"
        assert answer.headers["content-disposition"] == 'attachment; filename="1.2.3.zip"'
        archive = zipfile.ZipFile(io.BytesIO(answer.content))
        assert archive.testzip() is None
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
        directory = pydicom.dcmread(io.BytesIO(archive.read("DICOMDIR")))
        named = {
            "/".join(record.ReferencedFileID): record.ReferencedSOPInstanceUIDInFile
            for record in directory.DirectoryRecordSequence
            if "ReferencedFileID" in record
        }
        assert set(named) == set(archive.namelist()) - {"DICOMDIR"}
        assert len(named) == 6
        for name, uid in named.items():
            content = archive.read(name)
            assert content[part10.read_meta(content).data_set_offset :] == stored[web.address(uid)]
        query = "accept=application/zip;transfer-syntax=1.2.840.10008.1.2.4.90"
        one = await client.get(f"/studies/1.2.3/series/1.2.3.2?{query}")
        small = zipfile.ZipFile(io.BytesIO(one.content))
        assert len(small.namelist()) == 4
        for name in small.namelist():
            if name != "DICOMDIR":
                assert (
                    pydicom.dcmread(small.open(name)).file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.90"
                )
    kinds = [(entry["kind"], entry["what"], entry["outcome"]) for entry in web.audited()]
    assert kinds == [("export", "ZIP", "refused"), *[("export", "ZIP", "success")] * 2]
