"""The viewer over a real server: what is on the screen is what is in the object."""

from __future__ import annotations

import base64
import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Error as PlaywrightError
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import generate_uid

from filmless.dicom import uids
from tests import made

from .conftest import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

Array = np.ndarray[Any, Any]
Opened = Callable[..., "Page"]

ROWS, COLUMNS, SLICES = 96, 128, 9
CENTER, WIDTH = 2000, 3600
RLE = "1.2.840.10008.1.2.5"


def slice_of(number: int) -> Array:
    """A ramp, noise and a bright mark near the upper left corner: no flip or rotation looks like another."""
    noise = np.random.default_rng(number).integers(0, 300, (ROWS, COLUMNS))
    values = noise + np.arange(COLUMNS)[None, :] * 5 + np.arange(ROWS)[:, None] * 2 + number * 20
    values[4:14, 6:30] = 2600
    return values.astype(np.uint16)


ENCODERS: dict[str, Callable[[Array], bytes]] = {
    uids.JPEG_LOSSLESS_SV1: imagecodecs.ljpeg_encode,
    uids.JPEG_LS_LOSSLESS: imagecodecs.jpegls_encode,
    uids.JPEG_2000_LOSSLESS: lambda values: imagecodecs.jpeg2k_encode(values, level=0, codecformat="j2k"),
    uids.HTJ2K_LOSSLESS_RPCL: lambda values: imagecodecs.htj2k_encode(values, tlm=True),
}


def ct(number: int, study: str, series: str) -> Dataset:
    """A slice of a CT as above, 2 mm apart, pixels of 0.5 mm; a patient for each study, or others hang beside it."""
    ds = made.image(number, name="Viewed^Vera", patient_id=f"V{study[-12:]}", study=study, series=series)
    ds.Rows, ds.Columns = ROWS, COLUMNS
    ds.PixelData = slice_of(number).tobytes()
    ds.RescaleIntercept, ds.RescaleSlope = "-200", "2"
    ds.WindowCenter, ds.WindowWidth = CENTER, WIDTH
    ds.PixelSpacing = [0.5, 0.5]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.ImagePositionPatient = [-32, -24, 2.0 * number]
    ds.FrameOfReferenceUID = series
    return ds


def windowed(values: Array, center: float = CENTER, width: float = WIDTH) -> Array:
    """Greys of 8 bits (PS3.3 C.11.2.1.2)."""
    x = values.astype(float) * 2 - 200
    return np.clip(((x - (center - 0.5)) / (width - 1) + 0.5) * 255, 0, 255)


@pytest.fixture(scope="module")
def study(site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """ "study" and, for each syntax and "volume" and "nothing", the series."""
    folder = tmp_path_factory.mktemp("viewed")
    uid = str(generate_uid())
    series = {"study": uid}
    for syntax in (uids.EXPLICIT_VR_LE, RLE, *ENCODERS):
        series[syntax] = str(generate_uid())
        ds = ct(1, uid, series[syntax])
        ds.SeriesDescription = syntax
        ds.SeriesNumber = str(len(series))
        if syntax == RLE:
            ds.file_meta = Dataset()
            ds.file_meta.TransferSyntaxUID = uids.EXPLICIT_VR_LE
            ds.compress(RLE, generate_instance_uid=False)
        elif syntax in ENCODERS:
            ds.PixelData = encapsulate([ENCODERS[syntax](slice_of(1))])
            ds["PixelData"].VR = "OB"
        (folder / f"{len(series)}.dcm").write_bytes(made.part10(ds, syntax))
    series["volume"] = str(generate_uid())
    for number in range(1, SLICES + 1):
        ds = ct(number, uid, series["volume"])
        ds.SeriesNumber = "50"
        (folder / f"volume{number}.dcm").write_bytes(made.part10(ds))
    series["nothing"] = str(generate_uid())
    ds = ct(1, uid, series["nothing"])
    ds.SOPClassUID, ds.Modality = "1.2.840.10008.5.1.4.1.1.66", "REG"
    for keyword in ("Rows", "Columns", "PixelData", "BitsAllocated"):
        delattr(ds, keyword)
    (folder / "nothing.dcm").write_bytes(made.part10(ds))
    site.server.cli("import", folder)
    return series


def view(opened: Opened, study: dict[str, str], series: str, **how: Any) -> Page:
    page = opened(f"/view/{study['study']}?series={study[series]}", **how)
    page.wait_for_selector("[data-ready]")
    return page


def drawn(page: Page) -> Array:
    """The image's pixels as they are on the canvas at one to one."""
    page.get_by_label("One to one").click()
    page.wait_for_function(
        "() => document.querySelector('[data-ready]').dataset.corner.split(',')"
        ".every((value) => Math.abs(value - Math.round(value)) < 1e-3)"
    )
    # two frames: what was asked for is drawn
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    left, top = page.evaluate(
        "() => document.querySelector('[data-ready]').dataset.corner.split(',').map(Number)"
    )
    return canvas(page)[round(top) : round(top) + ROWS, round(left) : round(left) + COLUMNS]


def canvas(page: Page) -> Array:
    text = page.evaluate("() => document.querySelector('[data-ready] canvas').toDataURL()")
    picture = Image.open(io.BytesIO(base64.b64decode(text.partition(",")[2])))
    return np.asarray(picture.convert("L")).astype(int)


@pytest.mark.parametrize("syntax", [uids.EXPLICIT_VR_LE, RLE, *ENCODERS])
def test_pixels_are_those_of_the_object(
    site: Site, opened: Opened, study: dict[str, str], syntax: str
) -> None:
    page = view(opened, study, syntax)
    found = drawn(page)
    assert np.abs(found - windowed(slice_of(1))).max() <= 1
    frame = page.evaluate("() => document.querySelector('[data-ready]').dataset.frame")
    answer = page.request.get(f"{frame}/rendered", headers={"Accept": "image/png"})
    rendered = np.asarray(Image.open(io.BytesIO(answer.body())).convert("L")).astype(int)
    assert np.abs(found - rendered).max() <= 1


def letters(page: Page) -> str:
    """Top, right, bottom, left."""
    return " ".join(page.locator("[class*=_edge]").all_inner_texts())


def shows(page: Page, text: str) -> None:
    page.get_by_text(text, exact=False).first.wait_for()


def test_letters_are_true_after_flips_and_rotations(opened: Opened, study: dict[str, str]) -> None:
    page = view(opened, study, "volume")
    assert letters(page) == "A L P R"
    for key, wanted in (
        ("h", "A R P L"),
        ("h", "A L P R"),
        ("v", "P L A R"),
        ("v", "A L P R"),
        ("r", "R A L P"),
    ):
        page.keyboard.press(key)
        page.wait_for_function(
            "(wanted) => [...document.querySelectorAll('[class*=_edge]')]"
            ".map((one) => one.innerText).join(' ') === wanted",
            arg=wanted,
        )
        # the mark, stored at the front and right of the patient, is where the letters say
        picture = canvas(page)
        ys, xs = np.nonzero(picture >= 230)
        middle = (picture.shape[0] / 2, picture.shape[1] / 2)
        top, right, *_ = wanted.split()
        assert (np.median(ys) < middle[0]) == (top in "AR"), wanted
        assert (np.median(xs) > middle[1]) == (right in "AR"), wanted


def test_window_and_scroll(opened: Opened, study: dict[str, str]) -> None:
    page = view(opened, study, "volume")
    shows(page, f"Image {SLICES // 2 + 1}/{SLICES}")
    shows(page, f"{WIDTH} / {CENTER}")
    page.keyboard.press("ArrowDown")
    shows(page, f"Image {SLICES // 2 + 2}/{SLICES}")
    page.keyboard.press("4")
    shows(page, "2000 / 500")
    assert np.abs(drawn(page) - windowed(slice_of(SLICES // 2 + 2), 500, 2000)).max() <= 1
    before = page.evaluate("() => document.querySelector('[data-ready]').dataset.frame")
    page.locator("[data-ready]").hover()
    page.mouse.wheel(0, 120)
    page.wait_for_function(
        "(before) => (document.querySelector('[data-ready]')?.dataset.frame ?? before) !== before", arg=before
    )


def test_a_volume_opens_in_three_planes_and_goes_back(opened: Opened, study: dict[str, str]) -> None:
    page = view(opened, study, "volume")
    page.keyboard.press("o")
    for plane in ("axial", "sagittal", "coronal"):
        page.wait_for_selector(f"[data-plane={plane}][data-ready]")
    page.get_by_label("Back to the stack").click()
    page.wait_for_selector("[data-frame][data-ready]")


def test_what_is_no_image_is_a_labelled_tile(opened: Opened, study: dict[str, str]) -> None:
    page = opened(f"/view/{study['study']}?series={study['nothing']}", locale="zh-CN")
    page.wait_for_selector("[data-tile]")
    assert "REG" in page.locator("[data-tile]").inner_text()


def test_it_says_preview_until_the_image_is_there(
    site: Site, opened: Opened, study: dict[str, str], tmp_path: Path
) -> None:
    page = opened("/studies")
    held: list[Any] = []
    hold = True
    page.route("**/frames/**", lambda route: held.append(route) if hold else route.continue_())
    page.goto(f"{site.base}/view/{study['study']}?series={study['volume']}")
    shows(page, "Preview")
    assert page.locator("[data-ready]").count() == 0
    hold = False
    for route in held:
        # one that the page has given up meanwhile is over
        with contextlib.suppress(PlaywrightError):
            route.continue_()
    page.wait_for_selector("[data-ready]")
    page.get_by_text("Preview").wait_for(state="hidden")
