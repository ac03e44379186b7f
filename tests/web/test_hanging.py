"""How studies are laid out: beside the prior, by layouts that somebody saved, and what panes do together."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydicom.uid import generate_uid

from filmless.access.model import Role
from tests import made, peers
from tests.web.conftest import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

SLICES = 8
PANES = "[class*=_panes_] > section"
AXIAL, CORONAL = [1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1]


@dataclass(frozen=True)
class Exam:
    uid: str
    #: series by description
    series: dict[str, str]


def exam(folder: Path, patient: str, date: str, part: str = "HIP", words: str = "CT hips") -> Exam:
    """Two series of one frame of reference, axial and coronal, 5 mm apart, pixels of 2 mm."""
    uid = str(generate_uid())
    series = {"Axial": str(generate_uid()), "Coronal": str(generate_uid())}
    for number, (description, series_uid) in enumerate(series.items(), 1):
        for at in range(SLICES):
            one = made.image(
                at + 1, name=f"{patient}^Hanna", patient_id=patient, study=uid, series=series_uid
            )
            one.StudyDate, one.BodyPartExamined, one.StudyDescription = date, part, words
            one.SeriesDescription, one.SeriesNumber = description, str(number)
            one.PixelSpacing, one.FrameOfReferenceUID = [2, 2], f"{uid}.9"
            one.ImageOrientationPatient = AXIAL if description == "Axial" else CORONAL
            # 64 mm wide and high, 40 mm deep: the coronal planes cut the axial ones
            one.ImagePositionPatient = [0, 0, 5 * at] if description == "Axial" else [0, 8 * at, 40]
            (folder / f"{series_uid}-{at}.dcm").write_bytes(made.part10(one))
    return Exam(uid, series)


@pytest.fixture(scope="module")
def exams(site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Exam]:
    folder = tmp_path_factory.mktemp("hanging")
    found = {
        "now": exam(folder, "HIP1", "20260601"),
        "before": exam(folder, "HIP1", "20250601"),
        "older": exam(folder, "HIP1", "20240601"),
        "knee": exam(folder, "HIP1", "20260101", "KNEE", "CT knees"),
        "other": exam(folder, "HIP2", "20260602"),
    }
    site.server.cli("import", folder)
    return found


def stacks(page: Page) -> list[str]:
    """The series in the panes, in their order; "" where there is none."""
    return [(one.get_attribute("data-stack") or "").partition("/")[0] for one in page.locator(PANES).all()]


def hung(page: Page, *wanted: str) -> None:
    peers.eventually(lambda: stacks(page) == list(wanted), f"panes {wanted}", 30)
    for at in range(len(wanted)):
        page.locator(PANES).nth(at).locator("[data-ready]").wait_for()


def corner(page: Page, at: int) -> str:
    return page.locator(PANES).nth(at).locator("[class*=_bottomRight]").inner_text()


def test_beside_its_prior_and_by_a_layout(
    exams: dict[str, Exam], opened: Callable[..., Page], tmp_path: Path
) -> None:
    now, before, other = exams["now"], exams["before"], exams["other"]
    page = opened(f"/view/{now.uid}", role=Role.CHF)
    # the latest before it of the same part of the body, the series that is like the one shown
    hung(page, now.series["Axial"], before.series["Axial"])
    assert page.get_by_text("Other study").count() == 1

    # windows and zoom together: the prior follows
    page.keyboard.press("Alt+w")
    page.keyboard.press("Alt+z")
    page.keyboard.press("5")
    peers.eventually(lambda: "1500 / -600" in corner(page, 1), "the prior's window")
    page.keyboard.press("=")
    peers.eventually(lambda: "100 %" in corner(page, 0) and "100 %" in corner(page, 1), "the prior's zoom")

    # three panes: both series of the exam, and the prior's coronal one
    page.keyboard.press("Alt+3")
    hung(page, now.series["Axial"], before.series["Axial"], now.series["Coronal"])
    page.locator(f"nav [data-stack^='{before.series['Coronal']}']").drag_to(page.locator(PANES).nth(1))
    hung(page, now.series["Axial"], before.series["Coronal"], now.series["Coronal"])
    page.get_by_label("Layout", exact=True).click()
    page.get_by_role("button", name="Save this layout for exams like this").click()
    page.get_by_label("Name").fill("Hips, three")
    page.get_by_role("combobox", name="For whom").click()
    page.get_by_role("option", name="Hospital").click()
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Exams like this open with it.").wait_for()

    # another exam of the kind, read by another person in Chinese: the pane of the prior that there is none of is empty
    page = opened(f"/view/{other.uid}", role=Role.CHF, locale="zh-CN")
    hung_without_prior = [other.series["Axial"], "", other.series["Coronal"]]
    peers.eventually(lambda: stacks(page) == hung_without_prior, "the layout", 30)
    # an older exam of the first patient is hung with the one before it
    page.goto(page.url.replace(other.uid, before.uid))
    hung(page, before.series["Axial"], exams["older"].series["Coronal"], before.series["Coronal"])

    # renamed, taken out, deleted, taken in again
    page.get_by_label("布局", exact=True).click()
    page.get_by_role("button", name="全部挂片方案").click()
    row = page.get_by_test_id("layout")
    row.get_by_label("重命名").click()
    page.get_by_label("名称").fill("髋关节 三窗")
    page.keyboard.press("Enter")
    row.get_by_text("髋关节 三窗").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="导出").click()
    file = tmp_path / "layouts.json"
    download.value.save_as(file)
    (kept,) = json.loads(file.read_text("utf-8"))["layouts"]
    assert (kept["name"], kept["owner"], kept["modality"], kept["body_part"]) == (
        "髋关节 三窗",
        "hospital",
        "CT",
        "HIP",
    )
    assert [(one["prior"], one["description"], one["orientation"]) for one in kept["content"]["panes"]] == [
        (0, "Axial", "axial"),
        (1, "Coronal", "coronal"),
        (0, "Coronal", "coronal"),
    ]
    row.get_by_label("删除").click()
    row.get_by_role("button", name="删除", exact=True).click()
    page.get_by_text("暂无挂片方案").wait_for()
    page.locator("input[type=file]").set_input_files(file)
    row.get_by_text("髋关节 三窗").wait_for()
    row.get_by_label("删除").click()
    row.get_by_role("button", name="删除", exact=True).click()
    page.get_by_text("暂无挂片方案").wait_for()


def test_two_patients_and_a_place_in_space(exams: dict[str, Exam], opened: Callable[..., Page]) -> None:
    other, now = exams["other"], exams["now"]
    page = opened(f"/view/{other.uid}?with={now.uid}", role=Role.RES)
    hung(page, other.series["Axial"], now.series["Axial"])
    page.get_by_text("Images of different patients are side by side.").wait_for()

    # the same place in both series of an exam: pointed at in the axial one, shown by the coronal one
    page.locator(f"nav [data-stack^='{other.series['Coronal']}']").drag_to(page.locator(PANES).nth(1))
    hung(page, other.series["Axial"], other.series["Coronal"])
    page.get_by_text("Images of different patients are side by side.").wait_for(state="hidden")
    axial = page.locator(PANES).nth(0).locator("[data-ready]")
    box = axial.bounding_box()
    corner, step = (
        [float(one) for one in (axial.get_attribute(name) or "").split(",")]
        for name in ("data-corner", "data-step")
    )
    assert box is not None
    # pixel (20, 12) of the axial image: x 40 mm, y 24 mm; that is the fourth coronal one
    page.keyboard.press("d")
    page.mouse.move(box["x"] + corner[0] + 20.5 * step[0], box["y"] + corner[1] + 12.5 * step[1])
    page.mouse.down()
    page.mouse.up()
    coronal = page.locator(PANES).nth(1)
    coronal.get_by_text(f"Image 4/{SLICES}").wait_for()
    cross = coronal.locator("[data-cross]")
    cross.wait_for(state="attached")
    shown = coronal.locator("[data-ready]")

    def pixel() -> list[float]:
        first, size = (
            [float(one) for one in (shown.get_attribute(name) or "").split(",")]
            for name in ("data-corner", "data-step")
        )
        at = [float(one) for one in (cross.get_attribute("data-cross") or "").split(",")]
        return [(at[axis] - first[axis]) / size[axis] - 0.5 for axis in (0, 1)]

    # the axial one shown is at 20 mm, the coronal ones begin at 40 mm
    peers.eventually(lambda: pixel() == pytest.approx([20, 10], abs=0.2), "the place")
