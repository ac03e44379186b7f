"""A browser without WebGL: images are drawn all the same, pixel for pixel, and lie where they lie elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from filmless.access.model import Role
from tests.web import looking

from .conftest import Site
from .test_presented import KINDS, setting, stored
from .test_viewer import COLUMNS, ROWS, canvas, ct, letters, shows, slice_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


def fractions(ds: Dataset) -> None:
    ds.RescaleSlope, ds.RescaleIntercept = "0.37", "-12.5"
    ds.WindowCenter, ds.WindowWidth = "300", "700.5"


def oblong(ds: Dataset) -> None:
    del ds.PixelSpacing
    ds.PixelAspectRatio = [3, 2]


def negative(ds: Dataset) -> None:
    ds.PixelRepresentation = 1
    ds.PixelData = (slice_of(1).astype(np.int16) - 1500).tobytes()


#: beside those of test_presented.py, what is drawn in another way here
MORE: dict[str, Callable[[Dataset], None]] = {
    "straight": setting(),
    "fractions": fractions,
    "oblong pixels": oblong,
    "negative": negative,
    "white is low": setting(PhotometricInterpretation="MONOCHROME1"),
}


@pytest.fixture
def plain(site: Site, browser: Browser) -> Iterator[Page]:
    """A page of a browser without WebGL."""
    started = browser.browser_type.launch(
        executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu", "--disable-3d-apis"]
    )
    page = started.new_page(viewport={"width": 1000, "height": 720}, locale="en-GB")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(60_000)
    secret = site.session("the-chf", Role.CHF)
    page.context.add_cookies([{"name": "filmless_session", "value": secret, "url": site.base}])
    page.goto(f"{site.base}/studies")
    looking.begin(page)
    yield page
    started.close()
    assert not errors, errors


def test_the_same_pixels(site: Site, plain: Page, tmp_path: Path) -> None:
    assert plain.evaluate("() => document.createElement('canvas').getContext('webgl2')") is None
    study = str(generate_uid())
    kinds = {str(generate_uid()): kind for kind in KINDS | MORE}
    objects = []
    for number, (series, kind) in enumerate(kinds.items(), 1):
        ds = ct(1, study, series)
        ds.SeriesNumber, ds.SeriesDescription = str(number), kind
        (KINDS | MORE)[kind](ds)
        objects.append(ds)
    stored(site, tmp_path, objects)
    off = {}
    for stack in looking.call(plain, "walk", study, 1):
        (image,) = stack["images"] or [stack]
        kind = kinds[stack["stack"].partition("/")[0]]
        # between stretched pixels there are edges, which are nobody's
        count = ROWS * COLUMNS // (2 if kind == "oblong pixels" else 1)
        if "most" not in image or image["most"] > 1 or image["count"] < count or image["picture"]:
            off[kind] = image
    assert not off, off


def test_turned_moved_and_windowed(site: Site, plain: Page, tmp_path: Path) -> None:
    study, series = str(generate_uid()), str(generate_uid())
    stored(site, tmp_path, [ct(number, study, series) for number in range(1, 8)])
    looking.call(plain, "show", looking.call(plain, "open", study)[0])
    for key, wanted in (("h", "A R P L"), ("v", "P R A L"), ("r", None), ("r", None), ("0", "A L P R")):
        plain.keyboard.press(key)
        if wanted:
            plain.wait_for_function(
                "(wanted) => [...document.querySelectorAll('[class*=_edge]')]"
                ".map((one) => one.innerText).join(' ') === wanted",
                arg=wanted,
            )
        plain.evaluate("() => window.looking.frames(3)")
        # the mark is at the front and right of the patient, as the letters say
        top, right, *_ = letters(plain).split()
        picture = canvas(plain)
        ys, xs = np.nonzero(picture >= 230)
        assert (np.median(ys) < picture.shape[0] / 2) == (top in "AR"), key
        assert (np.median(xs) > picture.shape[1] / 2) == (right in "AR"), key
    # a window that was chosen stays while one scrolls
    plain.keyboard.press("4")
    shows(plain, "2000 / 500")
    plain.keyboard.press("ArrowDown")
    shows(plain, "Image 5/7")
    shows(plain, "2000 / 500")
    found = looking.call(plain, "compare", "?window=500,2000")
    assert found["most"] <= 1 and found["count"] >= ROWS * COLUMNS, found
    # inverted and back is what it was
    for _ in range(2):
        plain.keyboard.press("i")
        plain.evaluate("() => window.looking.frames(3)")
    assert looking.call(plain, "compare", "?window=500,2000")["most"] <= 1
    # no planes without a graphics processor: it is said
    plain.keyboard.press("o")
    plain.get_by_text("without a graphics processor").first.wait_for()
