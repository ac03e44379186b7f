"""One Study Instance UID, one Series Instance UID, two patients: each is opened by name, and nothing of the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from pydicom.uid import generate_uid

from tests import made

from .conftest import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAMES = {"TWIN1": "Twin^Anna", "TWIN2": "Twin^Berta"}


@pytest.fixture(scope="module")
def study(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("twins")
    uid, series = str(generate_uid()), str(generate_uid())
    for patient, name in NAMES.items():
        for number in (1, 2):
            ds = made.image(number, name=name, patient_id=patient, study=uid, series=series, side=64)
            ds.WindowCenter, ds.WindowWidth = 1000, 4000
            (folder / f"{patient}.{number}.dcm").write_bytes(made.part10(ds))
    site.server.cli("import", folder)
    return uid


def shows(page: Page, name: str, other: str) -> None:
    """The images of one, two of them, and nothing of the other."""
    page.locator("[data-frame][data-ready]").first.wait_for()
    words = page.locator("section[data-stack]").inner_text()
    assert name in words and other not in words
    assert "1/2" in words


def test_each_is_opened_by_name(study: str, opened: Callable[..., Page]) -> None:
    page = opened(f"/view/{study}")
    asked = page.get_by_test_id("which-patient")
    asked.get_by_role("button", name="Anna").wait_for()
    assert page.locator("[data-frame]").count() == 0
    asked.get_by_role("button", name="Berta").click()
    shows(page, "Berta", "Anna")
    # and back to the other one
    page.get_by_role("button", name="Show the other patient").click()
    asked.get_by_role("button", name="Anna").click()
    shows(page, "Anna", "Berta")

    # in the list they are two, and the one that is opened is the one that was meant
    page = opened("/studies", locale="zh-CN")
    page.get_by_label("搜索检查").fill("Twin")
    row = page.get_by_role("row").filter(has_text="Berta")
    row.wait_for()
    page.get_by_role("row").filter(has_text="Anna").wait_for()
    row.dblclick()
    shows(page, "Berta", "Anna")
