"""The viewer where the link is slow: the same pixels, only later."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from pydicom.uid import generate_uid

from tests import made
from tests.web import looking

from .conftest import Site
from .test_viewer import COLUMNS, ROWS, ct

if TYPE_CHECKING:
    from playwright.sync_api import Page

Opened = Callable[..., "Page"]

#: bytes a second
NARROW = 100_000


@pytest.fixture(scope="module")
def study(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("weak")
    study, series = str(generate_uid()), str(generate_uid())
    for number in range(1, 8):
        (folder / f"{number}.dcm").write_bytes(made.part10(ct(number, study, series)))
    site.server.cli("import", folder)
    return study


@pytest.fixture(scope="module")
def other(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    """By which the application is read before: frames stay in the browser's cache, and so are not those of the test."""
    folder = tmp_path_factory.mktemp("other")
    uid = str(generate_uid())
    (folder / "1.dcm").write_bytes(made.part10(ct(1, uid, str(generate_uid()))))
    site.server.cli("import", folder)
    return uid


def test_on_a_slow_link_a_preview_and_then_all_in_fewer_bytes(
    site: Site, opened: Opened, study: str, other: str
) -> None:
    page = opened("/studies")
    looking.begin(page)
    # what the application is made of is there already
    looking.call(page, "open", other)
    page.goto(f"{site.base}/studies")
    kinds: list[str] = []
    page.on(
        "response",
        lambda one: kinds.append(one.headers.get("content-type", "")) if "/frames/" in one.url else None,
    )
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")

    def narrow(rate: int) -> None:
        network.send(
            "Network.emulateNetworkConditions",
            {"offline": False, "latency": 50, "downloadThroughput": rate, "uploadThroughput": rate},
        )

    # slow enough to be seen waiting on every machine
    narrow(NARROW // 8)
    page.goto(f"{site.base}/view/{study}", wait_until="commit")
    page.get_by_text("Preview").wait_for()
    narrow(NARROW)
    page.wait_for_selector("[data-ready]")
    page.get_by_text("Preview").wait_for(state="hidden")
    looking.begin(page)
    page.wait_for_function("() => window.looking.ready()")
    found = looking.call(page, "compare", "?window=2000,3600")
    assert found["most"] <= 1 and found["count"] >= ROWS * COLUMNS, found
    for _ in range(3):
        looking.call(page, "next")
    found = looking.call(page, "compare", "?window=2000,3600")
    assert found["most"] <= 1 and not found["picture"], found
    assert any(kind.startswith("image/jphc") for kind in kinds), kinds


def test_scrolled_to_on_a_slow_link_the_coarse_picture_comes_first(
    site: Site, opened: Opened, study: str, other: str
) -> None:
    page = opened("/studies")
    # a link that counts as slow from the first image on, which else is known after some of them
    page.add_init_script("Object.defineProperty(navigator, 'connection', { value: { saveData: true } })")
    page.reload()
    looking.begin(page)
    looking.call(page, "open", other)
    page.goto(f"{site.base}/studies")
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")

    def narrow(rate: int) -> None:
        network.send(
            "Network.emulateNetworkConditions",
            {"offline": False, "latency": 50, "downloadThroughput": rate, "uploadThroughput": rate},
        )

    # so slow that the last image is not here yet, whatever is read ahead
    narrow(NARROW // 8)
    page.goto(f"{site.base}/view/{study}", wait_until="commit")
    page.wait_for_selector("[data-ready]")
    pane = page.locator("section[data-stack]")
    before = page.locator("[data-frame]").get_attribute("data-frame")
    narrow(NARROW // 12)
    page.keyboard.press("l")
    page.keyboard.press("End")
    # the words are of the image that one waits for, and nothing says that it is there
    seen = page.wait_for_function(
        """() => {
          const canvas = document.querySelector("[data-awaited='7'][data-early] canvas")
          // 300 is what a canvas has before anybody draws on it
          if (!canvas || canvas.width === 300) return null
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
          const greys = [...data].filter((_, at) => at % 4 === 0)
          const pane = document.querySelector('section[data-stack]')
          return {
            size: [canvas.width, canvas.height],
            reach: Math.max(...greys) - Math.min(...greys),
            ready: document.querySelectorAll('[data-ready]').length,
            words: pane.innerText,
            frame: document.querySelector('[data-frame]').dataset.frame,
          }
        }"""
    ).json_value()
    assert seen["size"] == [-(-COLUMNS // 4), -(-ROWS // 4)] and seen["reach"] > 60, seen
    assert "7/7" in seen["words"] and "Preview" in seen["words"], seen
    assert seen["ready"] == 0 and seen["frame"] != before, seen
    # nothing is drawn on it
    box = pane.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 40, steps=4)
    page.mouse.up()
    assert page.locator("[data-awaited='7']").count() == 1, "it came before anything could be drawn"
    narrow(10 * NARROW)
    page.wait_for_selector("[data-ready]")
    page.locator("[data-awaited]").wait_for(state="hidden")
    looking.begin(page)
    page.wait_for_function("() => window.looking.ready()")
    found = looking.call(page, "compare", "?window=2000,3600")
    assert found["most"] <= 1 and not found["picture"], found
    assert page.locator("svg.svg-layer line").count() == 0
    # with the same hand, once the image is there
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 40, steps=4)
    page.mouse.up()
    page.locator("svg.svg-layer line").first.wait_for(state="attached")
