"""WADO-URI (PS3.18 chapter 9)."""

import io

import imagecodecs
import pydicom
import pytest
from tests import made
from tests.archive.web.conftest import READER, Web

from filmless.dicom import part10

# what is asked of the database is asked in the same way elsewhere
pytestmark = pytest.mark.parametrize("backend", ["sqlite"])
IMPLICIT, LE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"


def put(web: Web, syntax: str = LE) -> tuple[dict[str, str], pydicom.Dataset]:
    one = made.image(3, name="A^B", patient_id="P", study="1.2.3", series="1.2.3.1", side=64)
    web.put(made.part10(one, syntax))
    uids = {"studyUID": "1.2.3", "seriesUID": "1.2.3.1", "objectUID": str(one.SOPInstanceUID)}
    return {"requestType": "WADO", **uids}, one


async def test_objects(web: Web) -> None:
    given, one = put(web, IMPLICIT)
    async with web.client() as client:
        plain = await client.get("/wado", params={**given, "contentType": "application/dicom"})
        assert plain.status_code == 200
        assert plain.headers["content-type"] == f"application/dicom; transfer-syntax={LE}"
        assert pydicom.dcmread(io.BytesIO(plain.content)).PixelData == one.PixelData
        for asked, got in (("*", IMPLICIT), (IMPLICIT, IMPLICIT), ("1.2.840.10008.1.2.4.202",) * 2):
            answer = await client.get(
                "/wado", params={**given, "contentType": "application/dicom", "transferSyntax": asked}
            )
            assert part10.read_meta(answer.content).transfer_syntax_uid == got
        lossy = {**given, "contentType": "application/dicom", "transferSyntax": "1.2.840.10008.1.2.4.50"}
        assert (await client.get("/wado", params=lossy)).status_code == 406
    assert {(entry["kind"], entry["what"]) for entry in web.audited()} == {("view", "pixels")}


async def test_pictures(web: Web) -> None:
    given, _ = put(web)
    async with web.client(READER) as client:
        # a browser's <img>, which says nothing
        jpeg = await client.get("/wado", params=given, headers={"accept": "image/avif,image/webp,*/*;q=0.8"})
        assert (jpeg.status_code, jpeg.headers["content-type"]) == (200, "image/jpeg")
        assert imagecodecs.jpeg8_decode(jpeg.content).shape[:2] == (64, 64)
        small = await client.get(
            "/wado", params={**given, "contentType": "image/png", "rows": "16", "region": "0.5,0,1,1"}
        )
        assert imagecodecs.png_decode(small.content).shape[:2] == (16, 8)
        window = {**given, "contentType": "image/png", "windowCenter": "100", "windowWidth": "1"}
        shown = imagecodecs.png_decode((await client.get("/wado", params=window)).content)
        assert set(shown.ravel()) <= {0, 255}
        first = await client.get("/wado", params={**given, "frameNumber": "1"})
        assert first.content == jpeg.content
        assert (await client.get("/wado", params={**given, "frameNumber": "2"})).status_code == 404
        same = await client.get("/wado", params=given, headers={"if-none-match": jpeg.headers["etag"]})
        assert same.status_code == 304


REFUSALS: list[tuple[dict[str, str], int]] = [
    ({"requestType": "WADI"}, 400),
    ({"studyUID": ""}, 400),
    ({"objectUID": "../../etc"}, 404),
    ({"objectUID": "9.9"}, 404),
    ({"studyUID": "9.9"}, 404),
    ({"seriesUID": "9.9"}, 404),
    ({"anonymize": "yes"}, 400),
    ({"contentType": "text/html"}, 406),
    ({"contentType": "video/mp4"}, 406),
    ({"windowCenter": "1"}, 400),
    ({"region": "1,0,0,1"}, 400),
    ({"region": "x"}, 400),
    ({"rows": "-1"}, 400),
    ({"frameNumber": "0"}, 400),
    ({"imageQuality": "500"}, 400),
    ({"presentationUID": "9.9"}, 404),
]


async def test_refusals(web: Web) -> None:
    given, _ = put(web)
    async with web.client() as client:
        for change, status in REFUSALS:
            answer = await client.get("/wado", params={**given, **change})
            assert answer.status_code == status, (change, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
    async with web.client(None) as nobody:
        assert (await nobody.get("/wado", params=given)).status_code == 401
