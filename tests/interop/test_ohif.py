"""OHIF in a real browser, on another origin than the archive, with a token: what a radiologist would see."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Request, Response, sync_playwright
from tests import made, peers, programs
from tests.interop import ohif

SIDE = 64
NAME = "王^小明"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    peers.need("chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=[
                "--no-sandbox",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield started
        started.close()


def _series(folder: Path) -> tuple[str, str, list[str]]:
    """Three images, each with four fields of different grey."""
    study, series = made.generate_uid(), made.generate_uid()
    uids = []
    folder.mkdir()
    for number in (1, 2, 3):
        image = made.image(number, name=NAME, patient_id="OHIF1", study=study, series=series, side=SIDE)
        rows, columns = np.mgrid[0:SIDE, 0:SIDE]
        fields = np.where(rows < SIDE // 2, 200, 800) + np.where(columns < SIDE // 2, 0, 1400)
        image.PixelData = (fields + number * 100).astype("<u2").tobytes()
        image.WindowCenter, image.WindowWidth = "276", "2600"
        image.PixelSpacing, image.SliceThickness = ["0.703125", "0.703125"], "5"
        image.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
        image.ImagePositionPatient = ["-22.5", "-22.5", str(5 * number)]
        image.FrameOfReferenceUID = series
        (folder / f"{number}.dcm").write_bytes(made.part10(image))
        uids.append(str(image.SOPInstanceUID))
    return str(study), str(series), uids


def _fields(picture: Image.Image) -> list[float]:
    """The grey of the four fields of a square picture in the middle of `picture`, 0 to 255."""
    grey = np.asarray(picture.convert("L"), float)
    side = min(grey.shape)
    top, left = (grey.shape[0] - side) // 2, (grey.shape[1] - side) // 2
    near = max(side // 16, 1)
    middles = [(at * side) // 4 for at in (1, 3)]
    return [
        float(grey[top + y - near : top + y + near, left + x - near : left + x + near].mean())
        for y in middles
        for x in middles
    ]


def _canvas(page: Page) -> list[float]:
    data = page.evaluate(
        """() => new Promise(done => {
          const canvas = document.querySelector('canvas.cornerstone-canvas');
          if (!canvas || !canvas.width) return done(null);
          canvas.toBlob(async blob => done(blob ? Array.from(new Uint8Array(await blob.arrayBuffer())) : null));
        })"""
    )
    return _fields(Image.open(io.BytesIO(bytes(data)))) if data else [0.0] * 4


def _rendered(base: str, secret: str, instance: str) -> list[float]:
    """What we make of an instance ourselves."""
    with programs.client(base, secret) as client:
        shown = client.get(f"/dicom-web/studies/{instance}/rendered", headers={"Accept": "image/png"})
    assert shown.status_code == 200, shown.text
    return _fields(Image.open(io.BytesIO(shown.content)))


def test_the_list_and_a_picture(browser: Browser, tmp_path: Path) -> None:
    assert ohif.DIST.is_dir(), "`make toolkits` installs OHIF"
    study, series, uids = _series(tmp_path / "files")
    viewer = ohif.Viewer()
    settings = f'[http]\nallowed_origins = ["{viewer.origin}"]\n'
    with peers.FilmlessServer(tmp_path / "home", settings=settings) as server:
        server.cli("import", tmp_path / "files")
        secret = programs.token(server.home, "ohif", actions=("search", "view"))
        base = f"http://127.0.0.1:{server.http_port}"
        answers: list[tuple[int, str, str]] = []
        failed: list[str] = []

        def answered(response: Response) -> None:
            if response.url.startswith(base):
                answers.append((response.status, response.request.method, response.url[len(base) :]))

        def gave_up(request: Request) -> None:
            if request.url.startswith(base):
                failed.append(f"{request.url} {request.failure}")

        with viewer.serving(f"{base}/dicom-web", secret) as origin, browser.new_context() as context:
            page = context.new_page()
            page.on("response", answered)
            page.on("requestfailed", gave_up)
            page.set_default_timeout(60_000)
            page.goto(origin)
            page.get_by_text("小明").first.wait_for()
            page.goto(f"{origin}/viewer?StudyInstanceUIDs={study}")
            page.locator("canvas.cornerstone-canvas").first.wait_for()
            expected = [_rendered(base, secret, f"{study}/series/{series}/instances/{uid}") for uid in uids]
            assert all(max(one) - min(one) > 100 for one in expected), expected

            def same() -> bool:
                # which of the three comes first is for the viewer to say
                page.wait_for_timeout(200)
                return any(np.allclose(_canvas(page), one, atol=3) for one in expected)

            try:
                peers.eventually(same, "the picture is there", 60)
            except AssertionError:
                page.screenshot(path=tmp_path / "ohif.png")
                raise AssertionError(f"{_canvas(page)}, not one of {expected}; {answers}") from None
    wrong = [one for one in answers if one[0] >= 400]
    assert wrong == []
    # what the page gave up itself, as it went from the list to the viewer, is no failure of ours
    assert [one for one in failed if "ERR_ABORTED" not in one] == []
    asked = {path.partition("?")[0].rpartition("/")[2] for _, _, path in answers}
    assert {"studies", "series", "metadata"} <= asked
    assert any("/frames/" in path for _, _, path in answers)
