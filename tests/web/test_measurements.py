"""A length drawn in the browser: kept while it is drawn, there again after a reload, saved as DICOM, read by highdicom,
seen by another person."""

import io
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from filmless.access.model import Role
from tests import made, peers
from tests.viewing.conftest import images
from tests.web.conftest import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: samples are optional
BRAIN = Path(os.environ.get("FILMLESS_SAMPLES", "/no/samples"), "mri-brain")


@dataclass
class Study:
    """In the archive of the site."""

    site: Site
    slices: list[Dataset]

    @property
    def uid(self) -> str:
        return str(self.slices[0].StudyInstanceUID)

    def api(self, role: Role) -> httpx.Client:
        """Asks as the account whose pages `opened` opens."""
        secret = self.site.session(f"the-{role.lower()}", role)
        headers = {"Cookie": f"filmless_session={secret}"}
        return httpx.Client(base_url=f"{self.site.base}/api/studies/{self.uid}", headers=headers, timeout=30)


def imported(site: Site, files: Path, first: int, count: int) -> Study:
    """Slices of a brain; made ones where those are not there. A study of their own: others look at the whole."""
    brain = sorted(BRAIN.rglob("*.dcm"))[first : first + count]
    slices = [pydicom.dcmread(path) for path in brain] or images(count, side=256)
    uid, series_uid = generate_uid(), generate_uid()
    for number, one in enumerate(slices):
        one.StudyInstanceUID, one.SeriesInstanceUID, one.SOPInstanceUID = uid, series_uid, generate_uid()
        (files / f"{number}.dcm").write_bytes(made.part10(one))
    site.server.cli("import", files)
    return Study(site, [pydicom.dcmread(files / f"{number}.dcm") for number in range(count)])


@pytest.fixture(scope="module")
def study(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Study:
    return imported(site, tmp_path_factory.mktemp("slices"), 150, 20)


def on_screen(page: "Page") -> "Page":
    """The page, its first image shown."""
    page.locator("[data-ready]").first.wait_for()
    return page


def draw(page: "Page", tool_name: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    """With this tool, from place to place; parts of the pane's width and height."""
    tool = page.get_by_role("button", name=tool_name, exact=True)
    tool.click()
    # its effect on the mouse comes with the drawing of the button
    peers.eventually(lambda: tool.get_attribute("aria-pressed") == "true", tool_name)
    box = page.locator("[data-ready]").first.bounding_box()
    assert box is not None
    (x, y), (to_x, to_y) = (
        (box["x"] + box["width"] * across, box["y"] + box["height"] * down) for across, down in (start, end)
    )
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move((x + to_x) / 2, (y + to_y) / 2, steps=4)
    page.mouse.move(to_x, to_y, steps=4)
    page.mouse.up()


def entries(page: "Page", count: int) -> Any:
    """The entries of the list, of which there are so many by now."""
    found = page.get_by_test_id("measurement")
    peers.eventually(lambda: found.count() == count, f"{count} entries")
    return found


def status(page: "Page", word: str) -> None:
    page.locator(f"[data-status={word}]").wait_for(state="attached")


def test_drawn_reloaded_saved_and_read_by_others(study: Study, opened: Callable[..., "Page"]) -> None:
    import highdicom.sr

    api = study.api(Role.ATT)
    page = on_screen(opened(f"/view/{study.uid}", role=Role.ATT))
    status(page, "empty")
    draw(page, "Length", (0.4, 0.4), (0.6, 0.55))
    status(page, "saved")
    shown = re.search(r"([\d.]+) mm", entries(page, 1).first.inner_text())
    assert shown is not None

    # the server has it, in pixels; its length is that of the image's spacing
    (draft,) = api.get("/draft").json()["annotations"]
    image = next(one for one in study.slices if one.SOPInstanceUID == draft["sop"])
    row, column = (float(one) for one in image.PixelSpacing)
    (x, y), (to_x, to_y) = draft["points"]
    assert 0 < x < to_x < image.Columns and 0 < y < to_y < image.Rows
    length = math.hypot((to_x - x) * column, (to_y - y) * row)
    assert draft["values"] == [{"name": "length", "value": pytest.approx(length, rel=1e-3), "unit": "mm"}]
    assert float(shown[1]) == pytest.approx(length, abs=0.06)

    # no connection: what is drawn stays, and is kept when there is one again
    page.route("**/draft", lambda route: route.abort())
    draw(page, "Rectangle", (0.3, 0.3), (0.45, 0.4))
    entries(page, 2)
    status(page, "waiting")
    page.unroute("**/draft")
    status(page, "saved")

    # a label, then everything anew
    entries(page, 2).first.get_by_role("button", name="Change the label").click()
    page.get_by_role("combobox", name="Label").fill("病灶 A")
    page.keyboard.press("Enter")
    peers.eventually(
        lambda: api.get("/draft").json()["annotations"][0]["label"] == "病灶 A", "the label is kept"
    )
    page.reload()
    on_screen(page)
    words = entries(page, 2).first.inner_text()
    assert "病灶 A" in words and f"{shown[1]} mm" in words
    status(page, "saved")
    drawn = api.get("/draft").json()["annotations"]
    assert drawn[0]["points"] == [[x, y], [to_x, to_y]]
    area = statistics(study, drawn[1])
    found = {one["name"]: one["value"] for one in drawn[1]["values"]}
    assert found["mean"] == pytest.approx(area["mean"], rel=0.02)
    assert found["max"] == pytest.approx(area["max"], rel=0.02)

    # saved as DICOM: no draft any more
    page.get_by_role("button", name="Save as DICOM").click()
    page.get_by_test_id("report").wait_for()
    assert api.get("/draft").json()["version"] == 0
    saved = api.get("/measurements").json()["annotations"]
    assert [(one["tool"], one["points"]) for one in saved] == [
        (one["tool"], [[pytest.approx(at, abs=1e-3) for at in point] for point in one["points"]])
        for one in drawn
    ]
    dicom = httpx.Client(base_url=study.site.base, headers=api.headers, timeout=30)
    series = dicom.get(f"/dicom-web/studies/{study.uid}/series?Modality=SR").json()[0]["0020000E"]["Value"][0]
    address = f"/dicom-web/studies/{study.uid}/series/{series}/instances/{saved[0]['report']}"
    answer = dicom.get(address, headers={"Accept": 'multipart/related; type="application/dicom"'}).content
    start = answer.index(b"DICM") - 128
    report = highdicom.sr.srread(io.BytesIO(answer[start : answer.rindex(b"\r\n--")]))
    (group,) = report.content.get_image_measurement_groups()
    assert group.get_measurements()[0].value == pytest.approx(length, rel=1e-3)
    assert (report.PatientID, report.PatientName) == (image.PatientID, image.PatientName)

    # another person opens the study, in Chinese
    other = on_screen(opened(f"/view/{study.uid}", role=Role.QC, locale="zh-CN"))
    words = entries(other, 2).first.inner_text()
    assert "病灶 A" in words and "长度" in words
    assert other.get_by_role("button", name="存为 DICOM").count() == 0
    entries(other, 2).first.get_by_role("button").first.click()

    # a drawing that begins on what the report says is one's own, and leaves the report's where it was
    kept = entries(other, 2).first.inner_text()
    draw(other, "长度", (0.4, 0.4), (0.5, 0.7))
    status(other, "saved")
    mine, *reported = entries(other, 3).all_inner_texts()
    assert kept in reported and mine not in reported


def statistics(study: Study, rectangle: dict[str, Any]) -> dict[str, float]:
    """Of the pixels whose centres are in the rectangle, by numpy."""
    image = next(one for one in study.slices if one.SOPInstanceUID == rectangle["sop"])
    (left, top), _, (right, bottom), _ = rectangle["points"]
    part = image.pixel_array[math.ceil(top - 0.5) : math.floor(bottom - 0.5) + 1]
    part = part[:, math.ceil(left - 0.5) : math.floor(right - 0.5) + 1] * float(image.get("RescaleSlope", 1))
    part = part + float(image.get("RescaleIntercept", 0))
    return {"mean": float(part.mean()), "max": float(part.max())}


def test_two_windows_of_one_person(study: Study, opened: Callable[..., "Page"]) -> None:
    api = study.api(Role.RES)
    first, second = (on_screen(opened(f"/view/{study.uid}", role=Role.RES)) for _ in range(2))
    for page in (first, second):
        status(page, "empty")
    first.bring_to_front()
    draw(first, "Length", (0.4, 0.4), (0.6, 0.5))
    status(first, "saved")
    second.bring_to_front()
    draw(second, "Length", (0.3, 0.6), (0.6, 0.7))
    # the second window takes over what the first drew
    status(second, "saved")
    assert len(api.get("/draft").json()["annotations"]) == 2
