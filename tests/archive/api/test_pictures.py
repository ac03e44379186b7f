"""A study taken along as pictures: what is in the ZIP is what is in the images; only for those who may export."""

import io
import zipfile
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image
from pydicom.uid import generate_uid
from tests import made
from tests.archive.web.place import RESIDENT, STEWARD, As, Place, dicom_parts, multipart
from tests.archive.web.place import problem_of as of_error

from filmless.access.model import Principal
from filmless.archive.api import pictures
from filmless.kit.errors import FilmlessError

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
LOOP = "1.2.840.10008.5.1.4.1.1.3.1"


async def ask(place: Place, who: Principal, query: str) -> httpx.Response:
    app = FastAPI(exception_handlers={FilmlessError: of_error})  # type: ignore[dict-item]
    app.include_router(pictures.router(place.context))
    transport = httpx.ASGITransport(As(app, who), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://here", timeout=60) as client:
        return await client.get(f"/studies/1.7.1/pictures{query}")


@SQLITE
async def test_stills_and_what_moves(place: Place) -> None:
    objects: list[Any] = [
        made.image(number, name="Pic^Ture", patient_id="PIC1", study="1.7.1", series="1.7.1.1")
        for number in (2, 1)
    ]
    loop = made.image(1, name="Pic^Ture", patient_id="PIC1", study="1.7.1", series="1.7.1.2")
    loop.SOPClassUID, loop.SOPInstanceUID, loop.Modality, loop.SeriesNumber = LOOP, generate_uid(), "US", 2
    loop.NumberOfFrames, loop.FrameTime = 3, "40"
    loop.PixelData = loop.PixelData * 3
    async with place.client() as client:
        assert (await client.post("/studies", **multipart(dicom_parts([*objects, loop])))).status_code == 200
    answer = await ask(place, STEWARD, "?form=png")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    names = [f"01-CT/{n:04d}.png" for n in (1, 2)] + [f"02-US/{n:04d}.png" for n in (1, 2, 3)]
    assert archive.namelist() == names
    async with place.client() as client:
        path = f"/studies/1.7.1/series/1.7.1.1/instances/{objects[1].SOPInstanceUID}/rendered"
        alone = await client.get(path, headers={"Accept": "image/png"})
    mine = np.asarray(Image.open(io.BytesIO(archive.read(names[0]))))
    assert np.array_equal(mine, np.asarray(Image.open(io.BytesIO(alone.content))))
    moving = zipfile.ZipFile(io.BytesIO((await ask(place, STEWARD, "?form=mp4")).content))
    assert moving.namelist() == ["01-US/0001.mp4"]
    assert moving.read("01-US/0001.mp4")[4:8] == b"ftyp"
    assert (await ask(place, STEWARD, "?form=mp4&series=1.7.1.1")).status_code == 406
    assert (await ask(place, RESIDENT, "?form=png")).status_code == 403
    told = [(row["what"], row["outcome"]) for row in place.audited() if row["kind"] == "export"]
    assert told == [("PNG", "success"), ("MP4", "success"), ("PNG", "refused")]
