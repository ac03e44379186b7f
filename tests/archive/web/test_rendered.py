"""Rendered resources, thumbnails and documents over HTTP, made in real codec processes."""

import asyncio
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import av
import httpx
import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage, generate_uid
from sqlalchemy import update
from tests import made
from tests.archive.web.conftest import READER, REGISTRAR, STEWARD, Web, parts_of

from filmless.access.model import ENGINEER, Grant, Role, account_principal
from filmless.archive import purge, reject
from filmless.archive.codecs import Codecs
from filmless.archive.corrections.model import Level, Target
from filmless.archive.corrections.service import correct
from filmless.archive.kept_pictures import find, forget, keep, path_of, tidy
from filmless.archive.tables import instances
from filmless.db.work import writing

STUDY = "1.2.3"


@pytest.fixture(scope="module")
def codecs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Codecs]:
    """One for all tests here: a codec process takes a second to start."""
    made = Codecs(tmp_path_factory.mktemp("scratch"))
    yield made
    made.close()


@pytest.fixture
def web(web: Web, codecs: Codecs) -> Web:
    web.context = replace(web.context, codecs=codecs)
    return web


def image(number: int, *, series: int = 1, frames: int = 1, side: int = 32, **attributes: Any) -> Dataset:
    """A grey ramp, brighter with its number."""
    ds = made.image(
        number, name="Web^Wanda", patient_id="WEB1", study=STUDY, series=f"{STUDY}.{series}", side=side
    )
    cells = np.tile(np.arange(side * side, dtype="<u2") % 100 + 100 * number, frames)
    ds.PixelData = cells.tobytes()
    ds.RescaleIntercept = "0"
    ds.WindowCenter, ds.WindowWidth = "500", "1000"
    if frames > 1:
        ds.NumberOfFrames, ds.FrameTime = frames, "40"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def expected(number: int, side: int = 32) -> np.ndarray:
    values = np.arange(side * side).reshape(side, side) % 100 + 100.0 * number
    return np.floor(np.clip((values - 499.5) / 999 + 0.5, 0, 1) * 255 + 0.5)


def report(text: str = "No <b>fracture</b> & nothing else") -> Dataset:
    ds = made.image(
        1, name="<script>alert(1)</script>^X", patient_id="WEB1", study=STUDY, series=f"{STUDY}.9"
    )
    for keyword in (
        "Rows",
        "Columns",
        "PixelData",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "SamplesPerPixel",
    ):
        delattr(ds, keyword)
    ds.SOPClassUID, ds.Modality = "1.2.840.10008.5.1.4.1.1.88.11", "SR"
    title, name, child = Dataset(), Dataset(), Dataset()
    title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning = "1", "99X", "Report <i>of</i> Wanda"
    name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = "2", "99X", "Finding"
    child.RelationshipType, child.ValueType, child.TextValue = "CONTAINS", "TEXT", text
    child.ConceptNameCodeSequence = [name]
    ds.ValueType, ds.ConceptNameCodeSequence, ds.ContentSequence = "CONTAINER", [title], [child]
    return ds


async def get(
    client: httpx.AsyncClient, address: str, accept: str | None = None, **headers: str
) -> httpx.Response:
    return await client.get(address, headers={"accept": accept or "*/*", **headers})


async def test_an_instance_as_jpeg_png_and_gif(web: Web) -> None:
    address, _ = web.put(made.part10(image(3)))
    async with web.client() as client:
        default = await get(client, f"{address}/rendered")
        assert (default.status_code, default.headers["content-type"]) == (200, "image/jpeg")
        assert np.abs(imagecodecs.jpeg8_decode(default.content).astype(int) - expected(3)).mean() < 2
        png = await get(client, f"{address}/rendered", "image/png")
        assert png.headers["content-type"] == "image/png"
        np.testing.assert_array_equal(imagecodecs.png_decode(png.content), expected(3))
        gif = await get(client, f"{address}/rendered", "image/gif")
        np.testing.assert_array_equal(imagecodecs.gif_decode(gif.content)[..., 0], expected(3))
        by_query = await get(client, f"{address}/rendered?accept=image/png", "image/jpeg")
        assert by_query.content == png.content
        parts = parts_of(await get(client, f"{address}/rendered", 'multipart/related; type="image/png"'))
        assert [(head["Content-Type"], body) for head, body in parts] == [("image/png", png.content)]
        for impossible in ("video/mp4", "text/html", "application/dicom"):
            assert (await get(client, f"{address}/rendered", impossible)).status_code == 406


async def test_parameters(web: Web) -> None:
    address, _ = web.put(made.part10(image(3)))
    async with web.client() as client:

        async def png(query: str) -> np.ndarray:
            answer = await get(client, f"{address}/rendered?{query}", "image/png")
            assert answer.status_code == 200, answer.text
            return np.asarray(imagecodecs.png_decode(answer.content))

        assert set(np.unique(await png("window=350,1,linear"))) == {0, 255}
        values = np.arange(1024).reshape(32, 32) % 100 + 300.0
        exact = np.floor(np.clip((values - 350) / 50 + 0.5, 0, 1) * 255 + 0.5)
        np.testing.assert_array_equal(await png("window=350,50,linear-exact"), exact)
        sigmoid = np.floor(255 / (1 + np.exp(-4 * (values - 350) / 50)) + 0.5)
        np.testing.assert_array_equal(await png("window=350,50,sigmoid"), sigmoid)
        assert (await png("viewport=16,100")).shape == (16, 16)
        np.testing.assert_array_equal(await png("viewport=8,4,5,6,-8,4"), expected(3)[6:10, 5:13][:, ::-1])
        np.testing.assert_array_equal(await png("viewport=24,32,8"), expected(3)[:, 8:])
        small = await get(client, f"{address}/rendered?quality=5")
        large = await get(client, f"{address}/rendered?quality=100")
        assert len(small.content) < len(large.content)
        profiled = await get(client, f"{address}/rendered?iccprofile=srgb")
        assert b"ICC_PROFILE" in profiled.content
        noted = await get(client, f"{address}/rendered?annotation=patient,technique")
        assert noted.status_code == 200
        assert noted.headers["warning"].startswith("299 ")
        for wrong in (
            "window=1", "window=a,b,linear", "window=1,0,linear", "window=1,2,cubic", "window=1,1e999,linear",
            "viewport=0,5", "viewport=9000,9", "viewport=5", "viewport=a,b", "viewport=1,1,1,1,1,1,1",
            "viewport=5,5,100,100", "viewport=1.5,2", "quality=0", "quality=101", "quality=x", "iccprofile=x",
            "viewport=5,5,-1,0", "window=nan,1,linear", "viewport=inf,1", "presentationUID=%00",
            "presentationSeriesUID=%27",
        ):  # fmt: skip
            answer = await get(client, f"{address}/rendered?{wrong}")
            assert (answer.status_code, answer.headers["content-type"]) == (
                400,
                "application/problem+json",
            ), wrong


async def test_frames(web: Web) -> None:
    ds = image(1, frames=3)
    cells = np.concatenate([np.full(1024, value, "<u2") for value in (100, 500, 900)])
    ds.PixelData = cells.tobytes()
    address, _ = web.put(made.part10(ds))
    async with web.client() as client:
        seen = []
        for frame in (1, 2, 3):
            answer = await get(client, f"{address}/frames/{frame}/rendered", "image/png")
            seen.append(int(imagecodecs.png_decode(answer.content)[0, 0]))
        assert seen == [26, 128, 230]
        several = await get(client, f"{address}/frames/3,1/rendered", 'multipart/related; type="image/png"')
        assert [int(imagecodecs.png_decode(body)[0, 0]) for _, body in parts_of(several)] == [230, 26]
        assert (await get(client, f"{address}/frames/1,2/rendered", "image/png")).status_code == 406
        assert (await get(client, f"{address}/frames/4/rendered")).status_code == 404
        for wrong in ("0", "x", "1,,2", "-1"):
            assert (await get(client, f"{address}/frames/{wrong}/rendered")).status_code in (400, 404), wrong
        middle = await get(client, f"{address}/thumbnail", "image/png")
        assert int(imagecodecs.png_decode(middle.content)[0, 0]) == 128
        third = await get(client, f"{address}/frames/3/thumbnail", "image/png")
        assert int(imagecodecs.png_decode(third.content)[0, 0]) == 230


async def test_frames_keep_their_places_where_one_cannot_be_shown(web: Web) -> None:
    """Without the second, the third would be taken for it."""
    ds = image(1, frames=3)
    state = state_for(ds)
    reference = state.ReferencedSeriesSequence[0].ReferencedImageSequence[0]
    reference.ReferencedFrameNumber = [1, 3]
    address, _ = web.put(made.part10(ds))
    web.put(made.part10(state))
    accepted, query = 'multipart/related; type="image/png"', f"presentationUID={state.SOPInstanceUID}"
    async with web.client() as client:
        both = await get(client, f"{address}/frames/3,1/rendered?{query}", accepted)
        assert len(parts_of(both)) == 2
        assert (await get(client, f"{address}/frames/2,3/rendered?{query}", accepted)).status_code == 406
        # the server cuts off what it has begun
        with pytest.raises(RuntimeError, match="already started"):
            await get(client, f"{address}/frames/1,2,3/rendered?{query}", accepted)


async def test_many_frames_move_and_come_in_pieces(web: Web) -> None:
    address, _ = web.put(made.part10(image(2, frames=6)))
    async with web.client() as client:
        whole = await get(client, f"{address}/rendered", "video/mp4")
        assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
        with av.open(io.BytesIO(whole.content), "r") as container:
            frames = list(container.decode(container.streams.video[0]))
        assert len(frames) == 6
        assert float(frames[5].pts * frames[5].time_base) == pytest.approx(0.2)  # type: ignore[operator]
        part = await get(client, f"{address}/rendered", "video/mp4", range="bytes=10-99")
        assert part.status_code == 206
        assert part.content == whole.content[10:100]
        assert part.headers["content-range"] == f"bytes 10-99/{len(whole.content)}"
        gif = await get(client, f"{address}/rendered", "image/gif")
        assert imagecodecs.gif_decode(gif.content).shape[0] == 6
        still = await get(client, f"{address}/rendered", "image/png")
        np.testing.assert_array_equal(imagecodecs.png_decode(still.content), expected(2))


async def test_series_and_study_come_in_parts_in_the_order_of_numbers(web: Web) -> None:
    for number in (10, 2, 1):
        web.put(made.part10(image(number)))
    web.put(made.part10(image(4, series=2)))
    web.put(made.part10(report()))
    async with web.client() as client:
        series = await get(
            client, f"/studies/{STUDY}/series/{STUDY}.1/rendered", 'multipart/related; type="image/png"'
        )
        found = [imagecodecs.png_decode(body) for _, body in parts_of(series)]
        assert len(found) == 3
        for picture, number in zip(found, (1, 2, 10), strict=True):
            np.testing.assert_array_equal(picture, expected(number))
        study = await get(client, f"/studies/{STUDY}/rendered")
        assert [head["Content-Type"] for head, _ in parts_of(study)] == ["image/jpeg"] * 4
        assert (await get(client, f"/studies/{STUDY}/rendered", "image/jpeg")).status_code == 406
        alone = await get(client, f"/studies/{STUDY}/series/{STUDY}.2/rendered", "image/png")
        np.testing.assert_array_equal(imagecodecs.png_decode(alone.content), expected(4))
        nothing = await get(client, f"/studies/{STUDY}/series/{STUDY}.9/rendered")
        assert nothing.status_code == 406


async def test_a_damaged_image_costs_only_itself(web: Web) -> None:
    bad = image(1)
    bad.PixelData = bad.PixelData[:100]
    address, _ = web.put(made.part10(bad))
    web.put(made.part10(image(2)))
    async with web.client() as client:
        alone = await get(client, f"{address}/rendered")
        assert alone.status_code == 406
        assert "cannot be rendered" in alone.json()["detail"]
        rest = await get(client, f"/studies/{STUDY}/rendered", 'multipart/related; type="image/png"')
        [(_, body)] = parts_of(rest)
        np.testing.assert_array_equal(imagecodecs.png_decode(body), expected(2))
        sheet = await get(client, f"{address}/thumbnail", "image/png")
        assert sheet.status_code == 200
        assert imagecodecs.png_decode(sheet.content).shape == (128, 128)


async def test_a_thumbnail_is_of_the_middle_of_the_largest_series(web: Web) -> None:
    for number in (1, 2, 9):
        web.put(made.part10(image(number, series=2)))
    web.put(made.part10(image(5, series=1)))
    sheet_of_paper = report()
    sheet_of_paper.PatientName = "Web^Wanda"
    web.put(made.part10(sheet_of_paper))
    async with web.client() as client:
        for address in (f"/studies/{STUDY}", f"/studies/{STUDY}/series/{STUDY}.2"):
            answer = await get(client, f"{address}/thumbnail", "image/png")
            picture = imagecodecs.png_decode(answer.content)
            assert picture.shape == (128, 128)
            assert abs(float(picture.mean()) - expected(2).mean()) < 2
        small = await get(client, f"/studies/{STUDY}/thumbnail?viewport=20,10")
        assert imagecodecs.jpeg8_decode(small.content).shape == (10, 10)
        assert (await get(client, f"/studies/{STUDY}/thumbnail?viewport=20,10,1,1,5,5")).status_code == 400
        sheet = await get(client, f"/studies/{STUDY}/series/{STUDY}.9/thumbnail", "image/png")
        assert imagecodecs.png_decode(sheet.content).shape == (128, 128)
        assert (await get(client, f"/studies/{STUDY}/thumbnail", "text/html")).status_code == 406
        # nothing stands for two patients who have one number
        other = image(6, series=1, PatientName="Web^Somebody")
        address, _ = web.put(made.part10(other))
        for several in (f"/studies/{STUDY}", f"/studies/{STUDY}/series/{STUDY}.1"):
            assert (await get(client, f"{several}/thumbnail")).status_code == 404
        assert (await get(client, f"{address}/thumbnail", "image/png")).status_code == 200


async def test_thumbnails_are_kept_and_known_again(web: Web) -> None:
    web.put(made.part10(image(1)))
    folder = web.context.home / "pictures"
    async with web.client() as client:
        first = await get(client, f"/studies/{STUDY}/thumbnail")
        [kept] = [path for path in folder.rglob("*") if path.is_file()]
        again = await get(client, f"/studies/{STUDY}/thumbnail")
        assert again.content == first.content
        assert again.headers["etag"] == first.headers["etag"]
        assert "private" in again.headers["cache-control"]
        known = await get(client, f"/studies/{STUDY}/thumbnail", **{"if-none-match": first.headers["etag"]})
        assert (known.status_code, known.content) == (304, b"")
        kept.write_bytes(kept.read_bytes()[:-5])  # damaged: made again
        assert (await get(client, f"/studies/{STUDY}/thumbnail")).content == first.content
        kept.unlink()
        assert (await get(client, f"/studies/{STUDY}/thumbnail")).content == first.content
        # another version of the object has another picture
        changed = image(7)
        with_same_uid = await get(client, f"/studies/{STUDY}/thumbnail")
        assert with_same_uid.headers["etag"] == first.headers["etag"]
        from sqlalchemy import select

        from filmless.db.work import reading

        with reading(web.context.engine) as connection:
            changed.SOPInstanceUID = connection.scalar(select(instances.c.sop_instance_uid))
        web.put(made.part10(changed))
        other = await get(client, f"/studies/{STUDY}/thumbnail", **{"if-none-match": first.headers["etag"]})
        assert other.status_code == 200
        assert other.headers["etag"] != first.headers["etag"]
        assert other.content != first.content


def test_the_folder_of_pictures_is_bounded(tmp_path: Path) -> None:
    import os
    import time

    now = time.time()
    for number in range(20):
        path = tmp_path / f"{number % 3:02x}" / str(number)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(100))
        os.utime(path, (now - 10_000 + number, now - 10_000 + number))
    assert tidy(tmp_path, 2000) == 0
    assert tidy(tmp_path, 1000) == 12
    left = sorted(int(path.name) for path in tmp_path.glob("*/*"))
    assert left == list(range(12, 20))
    assert tidy(tmp_path, 100, young=20_000) == 0  # in use


async def test_a_purge_leaves_no_picture(web: Web) -> None:
    web.put(made.part10(image(1)))
    async with web.client() as client:
        assert (await get(client, f"/studies/{STUDY}/thumbnail")).status_code == 200
    folder = web.context.home / "pictures"
    assert [path for path in folder.rglob("*") if path.is_file()]
    reject.reject(web.archive, ENGINEER, code="113039", by="li", reason="old", study_uids=[STUDY])
    purge.purge(web.archive.engine, web.archive.root, older_than=timedelta(seconds=-5), by="li")
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_pictures_go_with_their_object(tmp_path: Path) -> None:
    mine, other = "ab" * 32, "ab" * 31 + "cd"
    for sha256, name in ((mine, "1"), (mine, "2"), (other, "1")):
        (tmp_path / "made").write_bytes(b"picture")
        assert keep(path_of(tmp_path, sha256, name), tmp_path / "made", "image/png", ["a warning"])
        assert not (tmp_path / "made").exists()
    kept = find(path_of(tmp_path, mine, "1"))
    assert kept is not None
    assert kept.path.read_bytes()[: kept.length] == b"picture"
    assert (kept.media_type, kept.warnings) == ("image/png", ("a warning",))
    forget(tmp_path, [mine, "ff" * 32])
    assert [find(path_of(tmp_path, mine, name)) for name in "12"] == [None, None]
    assert find(path_of(tmp_path, other, "1")) is not None


def test_a_picture_that_cannot_be_kept_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "made").write_bytes(b"picture")
    (tmp_path / "pictures").write_bytes(b"in the way")
    assert keep(path_of(tmp_path, "ab" * 32, "1"), tmp_path / "made", "image/png", []) is None
    assert (tmp_path / "made").read_bytes() == b"picture"


async def test_large_pictures_stay_on_disk(web: Web) -> None:
    """More than a chunk: sent from the file, alone and between others, and gone afterwards."""
    noise = np.random.default_rng(2).integers(0, 1000, 1600 * 1600).astype("<u2")
    one = image(1, side=1600, PixelData=noise.tobytes())
    address, _ = web.put(made.part10(one))
    web.put(made.part10(image(2)))
    async with web.client() as client:
        alone = await get(client, f"{address}/rendered", "image/png")
        assert len(alone.content) > 1 << 20
        assert int(alone.headers["content-length"]) == len(alone.content)
        assert imagecodecs.png_decode(alone.content).shape == (1600, 1600)
        parts = parts_of(
            await get(client, f"/studies/{STUDY}/rendered", 'multipart/related; type="image/png"')
        )
        assert parts[0][1] == alone.content
        np.testing.assert_array_equal(imagecodecs.png_decode(parts[1][1]), expected(2))


async def test_what_may_not_be_seen_is_not_there(web: Web) -> None:
    address, _ = web.put(made.part10(image(1)))
    async with web.client(REGISTRAR) as client:
        for path in (f"{address}/rendered", f"{address}/thumbnail", f"/studies/{STUDY}/thumbnail"):
            assert (await get(client, path)).status_code in (403, 404), path
    async with web.client(None) as client:
        assert (await get(client, f"{address}/rendered")).status_code == 401
    async with web.client(READER) as client:
        assert (await get(client, f"{address}/thumbnail")).status_code == 200
        with writing(web.context.engine) as connection:
            connection.execute(update(instances).values(rejected="113037"))
        for path in (
            f"{address}/rendered",
            f"{address}/thumbnail",
            f"{address}/frames/1/rendered",
            f"/studies/{STUDY}/thumbnail",
            f"/studies/{STUDY}/rendered",
            "/studies/9.9/thumbnail",
            "/studies/1.2%27%20OR%201=1/thumbnail",
        ):
            assert (await get(client, path)).status_code == 404, path


async def test_who_asks_for_what_is_not_open_to_him_is_in_the_trail(web: Web) -> None:
    address, _ = web.put(made.part10(image(1)))
    study = address.split("/")[2]
    stranger = account_principal("stranger", 7, [Grant(Role.CLI)])
    uri = "/wado?requestType=WADO&studyUID={}&seriesUID=1.2&objectUID=1.2"
    async with web.client(stranger) as client:
        for path in (f"{address}/frames/1", f"{address}/thumbnail", f"/studies/{study}/metadata", address):
            assert (await get(client, path)).status_code == 404, path
        assert (await client.get(uri.format("9.9"))).status_code == 404
        assert (await get(client, "/studies/9.9/metadata")).status_code == 404
    async with web.client(account_principal("other", 8, [Grant(Role.RCO)])) as client:
        assert (await client.get(uri.format(study))).status_code == 404
    async with web.client(READER) as client:
        # of a study that is open only the object is not there
        assert (await get(client, f"/studies/{study}/series/1.9/metadata")).status_code == 404
    told = [(one["who"], one["outcome"], one["studies"]) for one in web.audited()]
    assert told == [("stranger", "refused", [study]), ("other", "refused", [study])]


async def test_what_is_seen_is_in_the_trail(web: Web) -> None:
    address, _ = web.put(made.part10(image(1)))
    async with web.client(READER) as client:
        await get(client, f"{address}/rendered")
        await get(client, f"{address}/rendered", "image/png")
        await get(client, f"{address}/thumbnail")
    whats = sorted(entry["what"] for entry in web.audited() if entry["kind"] == "view")
    assert whats == ["rendered", "thumbnail"]


def state_for(ds: Dataset, **attributes: Any) -> Dataset:
    out = made.image(1, name="Web^Wanda", patient_id="WEB1", study=STUDY, series=f"{STUDY}.8")
    for keyword in (
        "Rows",
        "Columns",
        "PixelData",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "SamplesPerPixel",
    ):
        delattr(out, keyword)
    del out.RescaleIntercept, out.RescaleSlope, out.PhotometricInterpretation, out.PixelRepresentation
    out.SOPClassUID, out.Modality, out.PresentationLUTShape = "1.2.840.10008.5.1.4.1.1.11.1", "PR", "INVERSE"
    reference, series, voi = Dataset(), Dataset(), Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    series.SeriesInstanceUID, series.ReferencedImageSequence = ds.SeriesInstanceUID, [reference]
    voi.WindowCenter, voi.WindowWidth = "500", "1000"
    out.ReferencedSeriesSequence, out.SoftcopyVOILUTSequence = [series], [voi]
    for keyword, value in attributes.items():
        setattr(out, keyword, value)
    return out


async def test_through_a_presentation_state(web: Web) -> None:
    ds = image(3)
    address, _ = web.put(made.part10(ds))
    other, _ = web.put(made.part10(image(4)))
    state = state_for(ds, ImageRotation=90)
    where, _ = web.put(made.part10(state))
    fraction = np.clip((np.arange(1024).reshape(32, 32) % 100 + 300 - 499.5) / 999 + 0.5, 0, 1)
    inverted = np.rot90(np.floor((1 - fraction) * 255 + 0.5), -1)
    async with web.client() as client:
        own = await get(client, f"{where}/rendered", "image/png")
        assert own.status_code == 200, own.text
        np.testing.assert_array_equal(imagecodecs.png_decode(own.content), inverted)
        named = await get(client, f"{address}/rendered?presentationUID={state.SOPInstanceUID}", "image/png")
        assert named.content == own.content
        wrong = await get(client, f"{other}/rendered?presentationUID={state.SOPInstanceUID}", "image/png")
        assert wrong.status_code == 406
        assert (await get(client, f"{address}/rendered?presentationUID=1.2.3.4")).status_code == 404
        assert (
            await get(client, f"{address}/rendered?presentationUID={ds.SOPInstanceUID}")
        ).status_code == 400
        sheet = await get(client, f"{where}/thumbnail", "image/png")
        assert sheet.status_code == 200


async def test_a_report_is_a_page_in_which_nothing_runs(web: Web) -> None:
    address, _ = web.put(made.part10(report()))
    async with web.client() as client:
        page = await get(client, f"{address}/rendered")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "<script" not in page.text
        assert "<i>" not in page.text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
        assert "<b>Finding:</b> No &lt;b&gt;fracture&lt;/b&gt; &amp; nothing else" in page.text
        plain = await get(client, f"{address}/rendered", "text/plain")
        assert "  Finding: No <b>fracture</b> & nothing else\n" in plain.text
        assert (await get(client, f"{address}/rendered", "image/jpeg")).status_code == 406


@pytest.mark.parametrize("size", [1001, 2 << 20])
async def test_a_pdf_is_given_as_it_was_put_in(web: Web, size: int) -> None:
    ds = report()
    del ds.ContentSequence, ds.ValueType
    ds.SOPClassUID, ds.Modality, ds.SOPInstanceUID = EncapsulatedPDFStorage, "DOC", generate_uid()
    content = b"%PDF-1.4 " + bytes(size - 9)
    ds.MIMETypeOfEncapsulatedDocument, ds.EncapsulatedDocumentLength = "application/pdf", size
    ds.EncapsulatedDocument = content + b"\0" * (size % 2)
    address, _ = web.put(made.part10(ds))
    async with web.client() as client:
        answer = await get(client, f"{address}/rendered")
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.content == content


async def test_a_correction_is_in_pages_and_renews_pictures(web: Web) -> None:
    page, _ = web.put(made.part10(report()))
    address, _ = web.put(made.part10(image(3)))
    async with web.client() as client:
        before = await get(client, f"{address}/rendered", "image/png")
        small = await get(client, f"{address}/thumbnail")
        changes = {"00080020": {"vr": "DA", "Value": ["20200229"]}}
        assert "20200229" not in (await get(client, f"{page}/rendered")).text
        correct(
            web.context.engine,
            web.context.store,
            STEWARD,
            Target(Level.STUDY, STUDY),
            changes,
            reason="typo",
            by="li",
        )
        again = await get(
            client, f"{address}/rendered", "image/png", **{"if-none-match": before.headers["etag"]}
        )
        assert again.status_code == 200
        assert again.headers["etag"] != before.headers["etag"]
        assert again.content == before.content
        renewed = await get(client, f"{address}/thumbnail", **{"if-none-match": small.headers["etag"]})
        assert renewed.status_code == 200
        assert "20200229" in (await get(client, f"{page}/rendered")).text


async def test_nothing_is_left_in_the_scratch_folder(web: Web, tmp_path: Path) -> None:
    address, _ = web.put(made.part10(image(3, frames=2)))
    bad = image(1)
    bad.PixelData = bad.PixelData[:100]
    damaged, _ = web.put(made.part10(bad))
    own = Codecs(tmp_path / "scratch")
    web.context = replace(web.context, codecs=own)
    try:
        async with web.client() as client:
            answers = [
                await get(client, f"{address}/rendered"),
                await get(client, f"{address}/rendered", "video/mp4"),
                await get(client, f"{address}/thumbnail"),
                await get(client, f"{damaged}/rendered"),
                await get(client, f"{damaged}/thumbnail"),
            ]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 406, 200]
        assert not [path for path in (tmp_path / "scratch").rglob("*") if path.is_file()]
    finally:
        own.close()


async def test_many_who_ask_at_once_wait_for_one_picture(web: Web) -> None:
    web.put(made.part10(image(3)))
    asked = []

    class Counted(Codecs):
        async def render(self, *args: Any) -> Any:
            asked.append(args)
            return await super().render(*args)

    own = Counted(web.context.home / "scratch-of-one")
    web.context = replace(web.context, codecs=own)
    try:
        async with web.client() as client:
            answers = await asyncio.gather(*(get(client, f"/studies/{STUDY}/thumbnail") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
        assert len(asked) == 1
    finally:
        own.close()
