"""Measured on a tilted plane through a volume of unequal sides: what the browser says is what numpy says."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from filmless.access.model import Role
from tests import made, peers

from .conftest import Site
from .test_measurements import entries, status

if TYPE_CHECKING:
    from playwright.sync_api import Page

Array = np.ndarray[Any, Any]
Opened = Callable[..., "Page"]

COLUMNS, ROWS, SLICES = 80, 72, 30
#: mm from column to column, from row to row, from slice to slice
SPACING = np.array([0.7, 0.9, 2.2])
ORIGIN = np.array([-31.0, -27.5, 100.0])
MIDDLE = ORIGIN + SPACING * (np.array([COLUMNS, ROWS, SLICES]) - 1) / 2
#: a plane that is parallel to no axis
TILT, TURN = np.radians(24), np.radians(17)
RIGHT = np.array([np.cos(TILT), 0, np.sin(TILT)])
DOWN = np.array([-np.sin(TURN) * np.sin(TILT), np.cos(TURN), np.sin(TURN) * np.cos(TILT)])
#: two bright marks on it
BALLS = MIDDLE - 11 * RIGHT - 6 * DOWN, MIDDLE + 9 * RIGHT + 8 * DOWN


def hounsfield() -> Array:
    """[slice, row, column]: waves, and two marks of which the middles are at BALLS."""
    k, j, i = np.meshgrid(np.arange(SLICES), np.arange(ROWS), np.arange(COLUMNS), indexing="ij")
    at = ORIGIN + np.stack([i, j, k], axis=-1) * SPACING
    values = 60 + 40 * np.sin(at[..., 0] / 4) + 30 * np.cos(at[..., 1] / 5) + 25 * np.sin(at[..., 2] / 6)
    for ball in BALLS:
        values += 1400 * np.exp(-((at - ball) ** 2).sum(axis=-1) / (2 * 2.5**2))
    return np.round(values)


VOLUME = hounsfield()


@dataclass
class Study:
    """In the archive; `tilted`: a series with slices that are shifted against each other."""

    site: Site
    uid: str
    reference: str
    straight: str
    tilted: str
    #: SOP Instance UIDs of a slice in the middle, of the first one, and of one that is tilted
    sop: str
    first: str
    other: str

    def api(self, role: Role = Role.ATT) -> httpx.Client:
        secret = self.site.session(f"the-{role.lower()}", role)
        headers = {"Cookie": f"filmless_session={secret}"}
        return httpx.Client(base_url=f"{self.site.base}/api/studies/{self.uid}", headers=headers, timeout=30)

    def drawn(self) -> list[dict[str, Any]]:
        with self.api() as api:
            return list(api.get("/draft").json()["annotations"])


@pytest.fixture(scope="module")
def study(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("planes")
    uid, straight, tilted, reference = (str(generate_uid()) for _ in range(4))

    def slice_of(number: int, series: str, shift: float) -> Dataset:
        ds = made.image(number + 1, name="Plane^Petra", patient_id="PLANE1", study=uid, series=series)
        ds.Rows, ds.Columns, ds.SeriesNumber = ROWS, COLUMNS, "1" if series == straight else "2"
        ds.PixelData = (VOLUME[number] + 1024).astype("<u2").tobytes()
        ds.RescaleType, ds.WindowCenter, ds.WindowWidth = "HU", 700, 2000
        ds.PixelSpacing, ds.SliceThickness = [float(SPACING[1]), float(SPACING[0])], float(SPACING[2])
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        place = ORIGIN + np.array([0, shift * number, SPACING[2] * number])
        ds.ImagePositionPatient = [float(f"{value:.4f}") for value in place]
        ds.FrameOfReferenceUID = reference
        (folder / f"{series}.{number}.dcm").write_bytes(made.part10(ds))
        return ds

    slices = [slice_of(number, straight, 0) for number in range(SLICES)]
    shifted = [slice_of(number, tilted, 0.4) for number in range(8)]
    site.server.cli("import", folder)
    named = (str(one.SOPInstanceUID) for one in (slices[SLICES // 2], slices[0], shifted[4]))
    return Study(site, uid, reference, straight, tilted, *named)


def tool(page: Page, name: str) -> None:
    button = page.get_by_role("button", name=name, exact=True)
    button.click()
    peers.eventually(lambda: button.get_attribute("aria-pressed") == "true", name)


def stroke(page: Page, where: tuple[float, float], to: tuple[float, float]) -> None:
    """With the tool in hand, in pixels of the page."""
    page.mouse.move(*where)
    page.mouse.down()
    page.mouse.move((where[0] + to[0]) / 2, (where[1] + to[1]) / 2, steps=4)
    page.mouse.move(*to, steps=4)
    page.mouse.up()


def marks(page: Page, selector: str) -> list[tuple[float, float]]:
    """Where the two bright marks are in a viewport, in pixels of the page; of the image itself, nothing over it."""
    found = page.evaluate(
        """(selector) => {
            const canvas = document.querySelector(selector + ' canvas')
            const box = canvas.getBoundingClientRect()
            return [canvas.toDataURL('image/png').split(',')[1], box.x, box.y, box.width / canvas.width]
        }""",
        selector,
    )
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(found[0]))).convert("L")).astype(float)
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]] + 0.5
    places = []
    for _ in BALLS:
        if picture.max() < 100:
            return []
        bright = picture > picture.max() * 0.8
        row, column = np.unravel_index(np.argmax(picture), picture.shape)
        near = np.hypot(y - row, x - column) < 40
        weight = picture * (bright & near)
        places.append(((weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum()))
        picture = np.where(near, 0, picture)
    (_, left, top, ratio) = found
    return sorted((left + across * ratio, top + down * ratio) for across, down in places)


def at_rest(page: Page, selector: str) -> list[tuple[float, float]] | None:
    """Where the marks are, once both are there and stay where they are; None before."""
    found = marks(page, selector)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 300)))")
    again = marks(page, selector)
    if len(found) < 2 or np.abs(np.subtract(found, again)).max() > 0.2:
        return None
    return found if np.hypot(*np.subtract(found[0], found[1])) > 100 else None


def in_patient(one: dict[str, Any], points: Any = None) -> Array:
    plane = one["plane"]
    on = np.asarray(one["points"] if points is None else points, dtype=float)
    return np.asarray(plane["origin"]) + on @ np.array([plane["row"], plane["column"]])


def values_at(places: Array) -> Array:
    """Of the volume, linear between voxels; NaN outside."""
    index = (places - ORIGIN) / SPACING
    most = np.array([COLUMNS, ROWS, SLICES]) - 1
    inside = ((index >= 0) & (index <= most)).all(axis=-1)
    low = np.clip(np.floor(index), 0, most - 1).astype(int)
    part = index - low
    found = np.zeros(index.shape[:-1])
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, part, 1 - part), axis=-1)
        i, j, k = np.moveaxis(low + corner, -1, 0)
        found += weight * VOLUME[k, j, i]
    return np.where(inside, found, np.nan)


def samples(one: dict[str, Any]) -> Array:
    """The values in an upright box or ellipse on its plane, as reformat.ts says where they lie."""
    step = SPACING.min()
    points = np.array(one["points"])
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    first, last = np.floor([left / step, top / step]), np.ceil([right / step, bottom / step])
    x, y = np.meshgrid(
        *((np.arange(start - 1, end + 1) + 0.5) * step for start, end in zip(first, last, strict=True))
    )
    if one["tool"] == "ellipse":
        middle, half = np.array([left + right, top + bottom]) / 2, np.array([right - left, bottom - top]) / 2
        inside = ((x - middle[0]) / half[0]) ** 2 + ((y - middle[1]) / half[1]) ** 2 <= 1
    else:
        inside = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
    places = in_patient(one, np.stack([x[inside], y[inside]], axis=-1))
    slab, normal = one["plane"]["slab"], np.cross(one["plane"]["row"], one["plane"]["column"])
    if not slab:
        return values_at(places)
    deep = np.linspace(-slab / 2, slab / 2, int(np.ceil(slab / (step / 2))) + 1)
    found = values_at(places[:, None] + deep[None, :, None] * normal)
    highest = np.where(np.isnan(found), -np.inf, found).max(axis=1)
    return np.where(np.isinf(highest), np.nan, highest)


def numbers(one: dict[str, Any]) -> dict[str, float]:
    return {value["name"]: value["value"] for value in one["values"]}


def statistics(one: dict[str, Any]) -> None:
    """What is said is what numpy finds."""
    found = samples(one)
    # outside of the volume there is nothing
    found = found[np.isfinite(found)]
    said = numbers(one)
    assert len(found) > 100
    assert (said["mean"], said["std"]) == pytest.approx((found.mean(), found.std()), rel=2e-3)
    assert (said["min"], said["max"]) == pytest.approx((found.min(), found.max()), abs=0.5)
    assert {value["unit"] for value in one["values"]} == {"mm2", "mm", "HU"}


def test_lengths_and_greys_on_a_tilted_plane(study: Study, opened: Opened) -> None:
    # somebody pointed at something on that plane
    spot = {
        "id": str(uuid4()),
        "tool": "probe",
        "sop": study.sop,
        "points": [[-18, 18]],
        "values": [],
        "label": "here",
        "plane": {
            "reference": study.reference,
            "slab": 0,
            "blend": "",
            "origin": MIDDLE.tolist(),
            "row": RIGHT.tolist(),
            "column": DOWN.tolist(),
        },
    }
    with study.api() as api:
        csrf = api.get(f"{study.site.base}/api/session").json()["csrf"]
        drawn = {"version": 0, "annotations": [spot]}
        kept = api.put("/draft", json=drawn, headers={"X-Filmless-CSRF": csrf})
        assert kept.status_code == 200, kept.text
    page = opened(f"/view/{study.uid}", role=Role.ATT, size=(1300, 800))
    entry = entries(page, 1).first
    assert "Oblique plane" in entry.inner_text()
    normal = np.cross(DOWN, RIGHT)
    tilted = f"[data-plane][data-normal='{','.join(f'{value:.3f}' for value in normal)}']"
    # found again from the list, wherever one is
    entry.get_by_role("button", name="here").click()
    page.locator(f"{tilted}[data-ready]").wait_for()
    tool(page, "Length")
    # where it is is known before it is drawn
    first, second = peers.eventually(lambda: at_rest(page, tilted), "both marks are on the plane")
    peers.eventually(
        lambda: {value["name"] for one in study.drawn() for value in one["values"]} == {"value"},
        "the value at the spot, which is known now",
    )
    (probe,) = study.drawn()
    assert numbers(probe)["value"] == pytest.approx(float(values_at(in_patient(probe))[0]), abs=0.05)

    # from mark to mark, as they are seen: the length, and both ends, are where the marks were put
    stroke(page, first, second)
    entries(page, 2)
    wanted = float(np.linalg.norm(BALLS[1] - BALLS[0]))
    # what is drawn slowly is kept on its way, too
    peers.eventually(lambda: abs(numbers(study.drawn()[-1])["length"] - wanted) < 0.5, f"{wanted} mm")
    length = study.drawn()[-1]
    (said,) = length["values"]
    assert (said["name"], said["unit"], length["spacing"]) == ("length", "mm", "reformatted")
    assert said["value"] == pytest.approx(wanted, abs=0.5)
    ends = in_patient(length)
    assert said["value"] == pytest.approx(float(np.linalg.norm(ends[1] - ends[0])), abs=1e-3)
    assert np.linalg.norm(ends - np.array(BALLS), axis=1).max() < 0.6
    assert "Oblique plane" in entries(page, 2).last.inner_text()

    # greys, thin and as a slab of 10 mm
    tool(page, "Rectangle")
    (x, y), (to_x, to_y) = first, second
    stroke(page, (x - 15, y - 20), (x + 70, y + 40))
    entries(page, 3)
    slider = page.get_by_role("slider", name="Slab")
    for _ in range(10):
        slider.press("ArrowRight")
    page.get_by_text("MIP 10 mm").first.wait_for()
    tool(page, "Ellipse")
    stroke(page, (to_x + 35, to_y - 25), (to_x + 70, to_y + 5))
    entries(page, 4)
    status(page, "saved")
    peers.eventually(
        lambda: len(found := study.drawn()) == 4 and all(len(samples(one)) > 100 for one in found[2:]),
        "all of it is kept",
    )
    *_, rectangle, ellipse = study.drawn()
    assert (rectangle["tool"], ellipse["tool"]) == ("rectangle", "ellipse")
    assert (rectangle["plane"]["slab"], ellipse["plane"]["slab"], ellipse["plane"]["blend"]) == (0, 10, "max")
    statistics(rectangle)
    statistics(ellipse)
    assert "MIP 10 mm" in entries(page, 4).last.inner_text()

    # away with the plane they are away, on images they never were; both ways lead back
    shown = f"{tilted} svg text"
    assert page.locator(shown).count() > 0
    box = page.locator(tilted).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 8, box["y"] + box["height"] - 8)
    for _ in range(3):
        page.mouse.wheel(0, 120)
    page.locator(shown).first.wait_for(state="detached")
    page.get_by_label("Back to the stack").click()
    page.locator("[data-frame][data-ready]").first.wait_for()
    assert page.locator("[data-frame] svg text").count() == 0

    # saved as DICOM, in the patient, and found again from the report
    page.get_by_role("button", name="Save as DICOM").click()
    page.get_by_test_id("report").wait_for()
    with study.api() as api:
        saved = api.get("/measurements").json()["annotations"]
    assert [one["tool"] for one in saved] == ["probe", "length", "rectangle", "ellipse"]
    assert in_patient(saved[1]) == pytest.approx(ends, abs=1e-3)
    assert numbers(saved[3]) == pytest.approx(numbers(ellipse))
    entries(page, 4).nth(1).get_by_role("button").first.click()
    page.locator(f"{tilted}[data-ready]").wait_for()
    page.locator(shown).first.wait_for()

    # a later version of it is on the same planes, with the same mm
    page.get_by_role("button", name="Change", exact=True).click()
    peers.eventually(lambda: len(study.drawn()) == 4, "the draft of the later version")
    status(page, "saved")
    again = study.drawn()[1]
    assert again["plane"]["row"] == pytest.approx(length["plane"]["row"], abs=1e-5)
    assert numbers(again) == pytest.approx(numbers(length), abs=1e-3)
    page.get_by_role("button", name="Save as DICOM").click()
    page.get_by_test_id("report").wait_for()
    with study.api() as api:
        later = api.get("/measurements").json()["annotations"]
    assert {one["report"] for one in later} != {one["report"] for one in saved}
    # only coordinates in the patient are read as on a plane
    assert [bool(one["plane"]) for one in later] == [True] * 4
    assert in_patient(later[1]) == pytest.approx(ends, abs=1e-3)
    assert numbers(later[1]) == pytest.approx(numbers(length), abs=1e-3)


def pointed(study: Study, sop: str) -> dict[str, Any]:
    """Something pointed at on the axial plane through the middle."""
    axes = {"origin": MIDDLE.tolist(), "row": [1, 0, 0], "column": [0, 1, 0]}
    plane = {"reference": study.reference, "slab": 0, "blend": "", **axes}
    return {
        "id": str(uuid4()),
        "tool": "probe",
        "sop": sop,
        "points": [[-9, -9]],
        "values": [],
        "plane": plane,
    }


def test_nothing_is_measured_where_it_would_be_wrong(study: Study, opened: Opened) -> None:
    # slices that are shifted against each other
    page = opened(f"/view/{study.uid}?series={study.tilted}", role=Role.QC)
    page.locator("[data-frame][data-ready]").first.wait_for()
    page.keyboard.press("o")
    page.locator("[data-plane=axial][data-ready]").wait_for()
    page.locator("[data-unmeasured=uneven]").first.wait_for()
    tool(page, "Length")
    box = page.locator("[data-plane=axial]").bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    # what belongs to one image is no tool here
    assert page.get_by_role("button", name="Magnifier").is_disabled()
    stroke(page, middle, (middle[0] + 60, middle[1] + 40))
    # something in either series, in the same place of the patient
    own, others = (pointed(study, sop) for sop in (study.sop, study.other))
    with study.api(Role.QC) as api:
        csrf = api.get(f"{study.site.base}/api/session").json()["csrf"]
        drawn = {"version": 0, "annotations": [own, others]}
        assert api.put("/draft", json=drawn, headers={"X-Filmless-CSRF": csrf}).status_code == 200
    # and a volume of which a slice is on its way
    held: list[Any] = []
    hold = True
    page.route(f"**/{study.first}/frames/**", lambda route: held.append(route) if hold else route.continue_())
    page.goto(f"{study.site.base}/view/{study.uid}?series={study.straight}")
    page.locator("[data-frame][data-ready]").first.wait_for()
    page.keyboard.press("o")
    page.locator("[data-unmeasured=awaited]").wait_for()
    tool(page, "Length")
    page.locator("[data-plane=axial][data-normal]").wait_for()
    stroke(page, middle, (middle[0] + 60, middle[1] + 40))
    hold = False
    for route in held:
        route.continue_()
    page.locator("[data-plane=axial][data-ready]").wait_for()
    # a mark is shown in its own series only: another one has other values there
    shown = "[data-plane=axial] svg [data-annotation-uid='{}']"
    page.locator(shown.format(own["id"])).first.wait_for(state="attached")
    assert page.locator(shown.format(others["id"])).count() == 0
    stroke(page, middle, (middle[0] + 50, middle[1] + 70))
    # only what was drawn when all of it was here
    with study.api(Role.QC) as api:

        def lengths() -> list[dict[str, Any]]:
            return [one for one in api.get("/draft").json()["annotations"] if one["tool"] == "length"]

        peers.eventually(lengths, "the length is kept")
        (one,) = lengths()
    assert one["plane"]["row"] == [1, 0, 0] and one["points"][1][1] - one["points"][0][1] > 0
    across, down = np.subtract(one["points"][1], one["points"][0])
    assert down / across == pytest.approx(70 / 50, rel=0.03)
