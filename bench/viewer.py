"""The viewer beside OHIF, on the same server in the same browser: from a click in the list to the images.

Both fetch over HTTP from Filmless; OHIF is the npm package as it is built, served from an origin of its own. Each round
has a fresh browser for each side. All moments are taken in the page, by the same script.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pydicom
from tests import programs
from tests.interop import ohif
from tests.peers import FilmlessServer
from tests.web.conftest import Site

from bench.memory import pss
from bench.report import Report
from bench.slices import make
from filmless.access.model import Role

if TYPE_CHECKING:
    from playwright.sync_api import BrowserType, Page

VIEWER = "The viewer and OHIF on the same server"
FIRST = "click in the list to first image, ms"
WHOLE = "click in the list to last slice of the volume, ms"
SCROLL = "scrolling, ms from wheel to drawn, median"
SCROLL_95 = "scrolling, ms from wheel to drawn, 95 %"
MEMORY = "memory of the browser with the volume, MB (PSS)"
SHIFT = "layout shift after the click (CLS)"

BRAIN = Path(__file__).parents[2] / "shared" / "data" / "mri-brain"
#: what one waits for the whole volume, seconds
_PATIENCE = 90
#: turns of the wheel
_TURNS = 40

#: In the page: when it was clicked, when a canvas first shows greys, how much the page jumped.
_WATCH = """
(() => {
  const told = (window.__bench = { clicked: 0, first: 0, shift: 0, turned: 0, took: [] })
  document.addEventListener('wheel', () => { told.turned = performance.now() }, true)
  document.addEventListener('CORNERSTONE_IMAGE_RENDERED', () => {
    if (told.turned) told.took.push(performance.now() - told.turned)
    told.turned = 0
  }, true)
  document.addEventListener('click', () => { told.clicked = Date.now(); told.first = 0; told.shift = 0 }, true)
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) told.shift += one.value
  }).observe({ type: 'layout-shift', buffered: true })
  const small = document.createElement('canvas')
  small.width = small.height = 24
  const pen = small.getContext('2d', { willReadFrequently: true })
  const look = () => {
    requestAnimationFrame(look)
    if (!told.clicked || told.first) return
    for (const canvas of document.querySelectorAll('canvas.cornerstone-canvas')) {
      if (!canvas.width || !canvas.height) continue
      pen.drawImage(canvas, 0, 0, 24, 24)
      const { data } = pen.getImageData(0, 0, 24, 24)
      let low = 255, high = 0
      for (let at = 0; at < data.length; at += 4) { low = Math.min(low, data[at]); high = Math.max(high, data[at]) }
      if (high - low > 40) told.first = Date.now()
    }
  }
  requestAnimationFrame(look)
})()
"""


@dataclass(frozen=True)
class Study:
    """The one that is opened."""

    uid: str
    slices: int


@contextmanager
def _page(chromium: BrowserType, cookie: str, base: str) -> Iterator[tuple[Page, int]]:
    """(a page of a fresh browser, the browser's process)."""
    before = {one.pid for one in psutil.Process().children(recursive=True)}
    browser = chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
    try:
        started = [one for one in psutil.Process().children(recursive=True) if one.pid not in before]
        pid = next(one.pid for one in started if "chrom" in one.name())
        context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
        name, _, value = cookie.partition("=")
        context.add_cookies([{"name": name, "value": value, "url": base}])
        context.add_init_script(_WATCH)
        page = context.new_page()
        page.set_default_timeout(_PATIENCE * 1000)
        yield page, pid
    finally:
        browser.close()


def _measure(report: Report, side: str, page: Page, pid: int, study: Study, open_it: Any) -> None:
    """`open_it` clicks; everything else is the same for both."""
    fetched: dict[str, float] = {}

    def finished(request: Any) -> None:
        if "/frames/" in request.url and study.uid in request.url:
            fetched.setdefault(request.url.partition("?")[0], time.time() * 1000)

    page.on("requestfinished", finished)
    open_it()
    page.wait_for_function("() => window.__bench.first > 0")
    told = page.evaluate("() => window.__bench")
    report.add(VIEWER, FIRST, side, told["first"] - told["clicked"])
    until = time.monotonic() + _PATIENCE
    while len(fetched) < study.slices and time.monotonic() < until:
        page.wait_for_timeout(100)
    if len(fetched) >= study.slices:
        report.add(VIEWER, WHOLE, side, max(fetched.values()) - told["clicked"])
    else:
        report.note(f"{side} had fetched {len(fetched)} of {study.slices} slices after {_PATIENCE} s.")
    report.add(VIEWER, SHIFT, side, page.evaluate("() => window.__bench.shift"))
    tour = page.get_by_text("Skip all")
    if tour.count():
        tour.first.click()
    page.wait_for_timeout(1000)
    took = _turn(page)
    if len(took) < _TURNS // 2:
        report.note(f"{side} drew {len(took)} of {_TURNS} turns of the wheel.")
    else:
        report.add(VIEWER, SCROLL, side, took[len(took) // 2])
        report.add(VIEWER, SCROLL_95, side, took[int(len(took) * 0.95)])
    report.add(VIEWER, MEMORY, side, pss(pid) / 1e6)


def _turn(page: Page) -> list[float]:
    """Turns the wheel over the image; ms until each was drawn, in order of size."""
    from playwright.sync_api import TimeoutError as Late

    page.mouse.move(720, 450)
    page.evaluate("() => { window.__bench.took = [] }")
    for turn in range(_TURNS):
        page.mouse.wheel(0, 100)
        with contextlib.suppress(Late):
            page.wait_for_function(
                "(least) => window.__bench.took.length >= least", arg=turn + 1, timeout=3000
            )
    return sorted(page.evaluate("() => window.__bench.took"))


def viewer_part(plan: Any, report: Report) -> None:
    from playwright.sync_api import sync_playwright

    if not ohif.DIST.is_dir():
        raise AssertionError("OHIF is not there: make toolkits")
    files = sorted(BRAIN.rglob("*.dcm"))
    if files:
        folder = BRAIN
    else:
        (files,) = make(plan.work / "volume", 1, 200)
        folder = files[0].parent
    first = pydicom.dcmread(files[0], stop_before_pixels=True)
    study = Study(str(first.StudyInstanceUID), len(files))
    report.note(f"The volume: {len(files)} slices of {first.Columns} x {first.Rows}.")
    other = ohif.Viewer()
    settings = f'[http]\nallowed_origins = ["{other.origin}"]\n'
    with FilmlessServer(plan.folder() / "home", settings=settings) as server, sync_playwright() as playwright:
        base = f"http://127.0.0.1:{server.http_port}"
        cookie = f"filmless_session={Site(server).session('reader', Role.CHF)}"
        server.cli("import", folder)
        secret = programs.token(server.home, "ohif", actions=("search", "view"))
        time.sleep(12)  # it settles: what viewers ask for is prepared by then
        with other.serving(f"{base}/dicom-web", secret) as origin:
            for turn in range(plan.rounds):
                for side in ("Filmless", "OHIF") if turn % 2 == 0 else ("OHIF", "Filmless"):
                    with _page(playwright.chromium, cookie, base) as (page, pid):
                        listed = page.goto(f"{base}/studies" if side == "Filmless" else origin)
                        assert listed is not None and listed.ok
                        _measure(report, side, page, pid, study, _opener(side, page, str(first.Modality)))
    report.sides = (*report.sides, "OHIF")


def _opener(side: str, page: Page, modality: str) -> Any:
    """Waits until the list is there and quiet; what is returned opens the study."""
    # the only study: after the heads of our columns; by its modality in the other's list
    row = (
        page.locator("[role=row]").nth(1)
        if side == "Filmless"
        else page.get_by_text(modality, exact=True).first
    )
    row.wait_for()
    # never idle: a list waits for news of its own all the time
    page.wait_for_timeout(5000)
    if side == "Filmless":
        return row.dblclick
    row.click()
    button = page.get_by_role("button", name="Basic Viewer").first
    button.wait_for()
    return button.click


def wanted(report: Report) -> list[tuple[str, str, bool]]:
    """What is wanted beside OHIF, and what was measured."""
    rows: list[tuple[str, str, bool]] = []
    for row, most, words in (
        (FIRST, 0.5, "First image in half of OHIF's time"),
        (WHOLE, 1.0, "Whole volume no slower than in OHIF"),
    ):
        ours, theirs = report.median(VIEWER, row, "Filmless"), report.median(VIEWER, row, "OHIF")
        if ours and theirs:
            rows.append((words, f"{ours / theirs:.2f} of it", ours / theirs <= most))
    shift = report.median(VIEWER, SHIFT, "Filmless")
    if shift is not None:
        rows.append(("No layout shift", f"{shift:.3f}", shift < 0.01))
    return rows
