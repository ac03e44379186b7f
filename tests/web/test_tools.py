"""Every measuring tool drawn in the browser: its numbers are numpy's, its DICOM is read by highdicom and dcmtk."""

from __future__ import annotations

import io
import itertools
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from filmless.access.model import Role
from tests import peers
from tests.web.conftest import Site
from tests.web.test_measurements import Study, entries, imported, on_screen, status

if TYPE_CHECKING:
    from playwright.sync_api import Page

Place = tuple[float, float]


@pytest.fixture(scope="module")
def study(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Each tool gets a slice of its own."""
    return imported(site, tmp_path_factory.mktemp("tools"), 160, 15)


def pane(page: Page) -> dict[str, float]:
    box = page.locator("[data-ready]").first.bounding_box()
    assert box is not None
    return dict(box)


def drag(page: Page, *places: Place) -> None:
    """Presses at the first of the places (parts of the pane's width and height), lets go at the last."""
    box = pane(page)
    at = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in places]
    page.mouse.move(*at[0])
    page.mouse.down()
    for place in at[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def click(page: Page, place: Place) -> None:
    box = pane(page)
    page.mouse.move(box["x"] + box["width"] * place[0], box["y"] + box["height"] * place[1], steps=3)
    page.mouse.down()
    page.mouse.up()


def take(page: Page, key: str) -> None:
    """A tool by its key; the mouse has it at once."""
    page.keyboard.press(key)


def shown(page: Page) -> int:
    """Which image it is, from 1."""
    found = re.search(r"(?:Image|图像)\s+(\d+)/", page.locator("[class*=_bottomLeft]").first.inner_text())
    assert found is not None
    return int(found[1])


def next_image(page: Page) -> None:
    number = shown(page)
    page.keyboard.press("ArrowDown")
    peers.eventually(lambda: shown(page) == number + 1, "the next image")


A, B, C, D = (0.35, 0.35), (0.65, 0.45), (0.4, 0.6), (0.6, 0.65)
ROUND = [(0.5 + 0.14 * math.cos(turn / 6), 0.5 + 0.2 * math.sin(turn / 6)) for turn in range(37)]


def test_every_tool(study: Study, opened: Callable[..., Page], tmp_path: Path) -> None:
    import highdicom.sr

    api = study.api(Role.ATT)
    page = on_screen(opened(f"/view/{study.uid}", role=Role.ATT, locale="zh-CN"))
    status(page, "empty")
    page.keyboard.press("Home")
    peers.eventually(lambda: shown(page) == 1, "the first image")
    keys = {"length": "l", "angle": "a", "cobb": "c", "bidirectional": "b", "ellipse": "e", "rectangle": "t"}
    keys |= {"freehand": "f", "probe": "p", "arrow": "n", "ratio": "y", "calibration": "Alt+c"}
    for count, (tool, key) in enumerate(keys.items(), 1):
        next_image(page)
        take(page, key)
        if tool == "angle":
            drag(page, A, B)
            click(page, C)
        elif tool in ("cobb", "ratio"):
            drag(page, A, B)
            drag(page, C, D)
        elif tool == "freehand":
            drag(page, *ROUND)
        elif tool == "probe":
            click(page, A)
        else:
            drag(page, A, D)
        if tool == "arrow":
            page.get_by_role("combobox", name="文字").fill("结")
            page.get_by_role("option", name="结节").click()
            page.get_by_role("button", name="完成").click()
        if tool == "calibration":
            page.get_by_label("该线段的实际长度").fill("40")
            page.get_by_role("button", name="校准", exact=True).click()
        entries(page, count)
    # on the calibrated image lengths are those of the calibration
    page.locator("[data-ready]").first.hover()
    take(page, "l")
    drag(page, (0.3, 0.7), (0.6, 0.8))
    entries(page, len(keys) + 1)
    peers.eventually(lambda: len(api.get("/draft").json()["annotations"]) == len(keys) + 1, "all is kept")
    status(page, "saved")

    drawn = {one["tool"]: one for one in api.get("/draft").json()["annotations"][: len(keys)]}
    assert list(drawn) == list(keys)
    for tool, one in drawn.items():
        image = next(each for each in study.slices if each.SOPInstanceUID == one["sop"])
        found = {value["name"]: (value["value"], value["unit"]) for value in one["values"][:6]}
        wanted = numbers(tool, np.array(one["points"]), image)
        assert found.keys() == wanted.keys(), tool
        for name, (value, unit) in wanted.items():
            assert found[name] == (pytest.approx(value, rel=2e-3, abs=1e-6), unit), (tool, name)
    assert drawn["arrow"]["label"] == "结节"
    calibrated = api.get("/draft").json()["annotations"][-1]
    spacing = [float(one) for one in study.slices[0].PixelSpacing]
    far = [length(one["points"], spacing) for one in (drawn["calibration"], calibrated)]
    assert calibrated["spacing"] == "calibrated" and drawn["length"]["spacing"] == "patient"
    assert calibrated["values"][0]["value"] == pytest.approx(40 * far[1] / far[0], rel=2e-3)
    assert "已校准" in page.get_by_test_id("measurement").last.inner_text()

    # the histogram of an outline counts its pixels
    entry = page.locator("[data-testid=measurement][data-tool=rectangle]")
    entry.get_by_role("button").first.click()
    entry.get_by_label("直方图").first.click()
    counts = page.get_by_test_id("histogram").get_attribute("data-counts") or ""
    values = inside(drawn["rectangle"]["points"], image_of(study, drawn["rectangle"]))
    assert [int(one) for one in counts.split()] == np.histogram(values, 48)[0].tolist()

    # saved, and read by others
    page.get_by_role("button", name="存为 DICOM").click()
    page.get_by_test_id("report").wait_for()
    saved = api.get("/measurements").json()["annotations"]
    assert [one["tool"] for one in saved] == [*keys, "length"]
    assert saved[-1]["spacing"] == "calibrated"
    report = fetch(study, str(saved[0]["report"]))
    (tmp_path / "report.dcm").write_bytes(report)
    content = highdicom.sr.srread(io.BytesIO(report)).content
    lengths = [
        one.value
        for group in content.get_image_measurement_groups()
        for one in group.get_measurements()
        if one.name.meaning == "Length"
    ]
    assert lengths == [
        pytest.approx(one, rel=1e-6)
        for one in (drawn["length"]["values"][0]["value"], 40, calibrated["values"][0]["value"])
    ]
    peers.need("dsrdump")
    text = peers.run("dsrdump", "+Pc", tmp_path / "report.dcm").output
    for word in (
        "Length",
        "Cobb angle",
        "Long axis",
        "Calibration by a known length",
        "Area",
        "Ratio",
        "Calibrated",
    ):
        assert word in text, word


def image_of(study: Study, one: dict[str, Any]) -> Dataset:
    return next(each for each in study.slices if each.SOPInstanceUID == one["sop"])


def fetch(study: Study, sop: str) -> bytes:
    """A Part 10 file out of the archive."""
    import httpx

    api = study.api(Role.ATT)
    with httpx.Client(base_url=study.site.base, headers=api.headers, timeout=30) as dicom:
        series = dicom.get(f"/dicom-web/studies/{study.uid}/series?Modality=SR").json()[0]["0020000E"][
            "Value"
        ][0]
        where = f"/dicom-web/studies/{study.uid}/series/{series}/instances/{sop}"
        answer = dicom.get(where, headers={"Accept": 'multipart/related; type="application/dicom"'}).content
    return answer[answer.index(b"DICM") - 128 : answer.rindex(b"\r\n--")]


def length(points: Sequence[Sequence[float]], spacing: Sequence[float]) -> float:
    (x, y), (u, v) = points[:2]
    return math.hypot((u - x) * spacing[1], (v - y) * spacing[0])


def inside(points: Any, image: Dataset, *, ellipse: bool = False) -> Any:
    """The values of the pixels whose centres are inside; by another way than the browser's."""
    values = image.pixel_array * float(image.get("RescaleSlope", 1)) + float(image.get("RescaleIntercept", 0))
    y, x = np.mgrid[: image.Rows, : image.Columns] + 0.5
    at = np.asarray(points)
    if ellipse:
        middle, u, v = (at[0] + at[1]) / 2, (at[1] - at[0]) / 2, (at[3] - at[2]) / 2
        p, q = np.linalg.solve(np.stack([u, v], 1), np.stack([x.ravel(), y.ravel()]) - middle[:, None])
        return values.ravel()[p * p + q * q <= 1]
    crossings = np.zeros(x.shape, int)
    for (a, b), (c, d) in itertools.pairwise([*at, at[0]]):
        if b != d:
            cuts = ((b <= y) != (d <= y)) & (x > a + (y - b) / (d - b) * (c - a))
            crossings += cuts
    return values[crossings % 2 == 1]


def numbers(tool: str, points: Any, image: Dataset) -> dict[str, tuple[float, str]]:
    """What the tool has to say of these points, in millimetres in the patient."""
    row, column = (float(one) for one in image.PixelSpacing)
    mm = points * [column, row]

    def far(a: int, b: int) -> float:
        return float(np.linalg.norm(mm[b] - mm[a]))

    def between(u: Any, v: Any) -> float:
        return math.degrees(math.acos(float(u @ v) / float(np.linalg.norm(u) * np.linalg.norm(v))))

    grey = "HU" if image.Modality == "CT" else "raw"
    if tool == "length":
        return {"length": (far(0, 1), "mm")}
    if tool == "angle":
        return {"angle": (between(mm[0] - mm[1], mm[2] - mm[1]), "deg")}
    if tool == "cobb":
        return {"angle": (between(mm[1] - mm[0], mm[3] - mm[2]), "deg")}
    if tool == "bidirectional":
        return {"long": (far(0, 1), "mm"), "short": (far(2, 3), "mm")}
    if tool == "ratio":
        return {"ratio": (min(far(0, 1), far(2, 3)) / max(far(0, 1), far(2, 3)), "ratio")}
    if tool == "calibration":
        return {"length": (40, "mm")}
    if tool == "probe":
        (x, y) = points[0]
        slope, intercept = float(image.get("RescaleSlope", 1)), float(image.get("RescaleIntercept", 0))
        stored = float(image.pixel_array[int(y), int(x)])
        # of CT the stored value comes second
        return {"value": (stored, "raw") if grey == "HU" else (stored * slope + intercept, grey)}
    if tool == "arrow":
        return {}
    if tool == "ellipse":
        u, v = (mm[1] - mm[0]) / 2, (mm[3] - mm[2]) / 2
        turns = np.linspace(0, 2 * math.pi, 10_001)
        line = np.outer(np.cos(turns), u) + np.outer(np.sin(turns), v)
        area = math.pi * float(np.linalg.norm(u) * np.linalg.norm(v))
        around = float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())
    else:
        x, y = mm[:, 0], mm[:, 1]
        area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
        around = float(np.linalg.norm(np.roll(mm, -1, axis=0) - mm, axis=1).sum())
    values = inside(points, image, ellipse=tool == "ellipse")
    greys = {"mean": values.mean(), "std": values.std(), "min": values.min(), "max": values.max()}
    shape = {"area": (area, "mm2"), "perimeter": (around, "mm")}
    return shape | {name: (float(value), grey) for name, value in greys.items()}


def test_windows_of_a_region_and_of_the_whole(study: Study, opened: Callable[..., Page]) -> None:
    page = on_screen(opened(f"/view/{study.uid}", role=Role.ATT))
    image = study.slices[shown(page) - 1]
    values = image.pixel_array * float(image.get("RescaleSlope", 1)) + float(image.get("RescaleIntercept", 0))

    def window() -> list[float]:
        said = page.locator("[data-ready]").first.get_attribute("data-window") or ""
        return [float(one) for one in said.split(",")]

    def spanning(part: Any) -> list[float]:
        ordered = np.sort(part.ravel())
        at = int(0.005 * (len(ordered) - 1))
        low, high = float(ordered[at]), float(ordered[-1 - at])
        return [(low + high) / 2 + 0.5, high - low + 1]

    page.keyboard.press("u")
    peers.eventually(lambda: window() == pytest.approx(spanning(values), abs=0.01), "the automatic window")
    corner, step = (
        [float(one) for one in (page.locator("[data-ready]").first.get_attribute(name) or "").split(",")]
        for name in ("data-corner", "data-step")
    )
    box = pane(page)
    (left, top), (right, bottom) = (
        [
            (part * box[size] - corner[axis]) / step[axis] - 0.5
            for axis, (part, size) in enumerate(zip(at, ("width", "height"), strict=True))
        ]
        for at in ((0.45, 0.45), (0.6, 0.55))
    )
    page.keyboard.press("g")
    drag(page, (0.45, 0.45), (0.6, 0.55))
    part = values[round(top) : round(bottom) + 1, round(left) : round(right) + 1]
    peers.eventually(
        lambda: window() == pytest.approx(spanning(part), rel=0.02, abs=2), "the region's window"
    )
