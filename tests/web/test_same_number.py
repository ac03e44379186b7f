"""One Study Instance UID, one Series Instance UID, two patients: each is opened by name, and nothing of the other.

The two may even have one Patient ID: another name or birth date makes them two (patients/service.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
import pytest
from pydicom.uid import generate_uid

from filmless.access.model import Role
from tests import made

from .conftest import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAMES = {"TWIN1": "Twin^Anna", "TWIN2": "Twin^Berta"}


BORN = {"Bruder^Bert": "19600101", "Bruder^Bernd": "19600102"}


@pytest.fixture(scope="module")
def twins(site: Site, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, dict[str, set[str]]]:
    """One number and one Patient ID for two; (the study, a later one, name -> SOP Instance UIDs)."""
    folder = tmp_path_factory.mktemp("brothers")
    uid, series = str(generate_uid()), str(generate_uid())
    objects: dict[str, set[str]] = {}
    for name, born in BORN.items():
        for number in (1, 2):
            ds = made.image(number, name=name, patient_id="BROTHER", study=uid, series=series, side=64)
            ds.PatientBirthDate, ds.StudyDate = born, "20250101"
            ds.WindowCenter, ds.WindowWidth = 1000, 4000
            (folder / f"{born}.{number}.dcm").write_bytes(made.part10(ds))
            objects.setdefault(name, set()).add(str(ds.SOPInstanceUID))
    # one of them has another study, of which this one is a prior
    later, one = str(generate_uid()), str(generate_uid())
    ds = made.image(1, name="Bruder^Bert", patient_id="BROTHER", study=later, series=one, side=64)
    ds.PatientBirthDate, ds.StudyDate = BORN["Bruder^Bert"], "20260101"
    (folder / "later.dcm").write_bytes(made.part10(ds))
    site.server.cli("import", folder)
    return uid, later, objects


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
    row = page.get_by_role("row").filter(has_text="TWIN2")
    row.wait_for()
    page.get_by_role("row").filter(has_text="TWIN1").wait_for()
    row.dblclick()
    shows(page, "Berta", "Anna")


def test_one_patient_id_for_two(
    twins: tuple[str, str, dict[str, set[str]]], site: Site, opened: Callable[..., Page]
) -> None:
    uid, later, objects = twins
    asked: list[str] = []
    page = opened(f"/view/{later}?with={uid}", size=(1400, 800))
    page.on("request", lambda request: asked.append(request.url))

    def measured() -> list[str]:
        return [url for url in asked if f"/studies/{uid}/measurements" in url]

    # of the prior, too, it is asked whose is meant; only those images, and what is measured in them, are shown
    page.get_by_test_id("which-patient").get_by_role("button", name="Bernd").click()
    prior = page.locator(f"nav [data-stack]:has(img[src*='{uid}'])")
    prior.wait_for()
    assert "2 images" in prior.inner_text()
    source = prior.locator("img").get_attribute("src") or ""
    assert any(f"/instances/{sop}/" in source for sop in objects["Bruder^Bernd"]), source
    # beside the other one, who has the same ID
    page.get_by_text("Images of different patients are side by side.").wait_for()
    assert not any(sop in url for sop in objects["Bruder^Bert"] for url in asked)
    for _ in range(300):
        if measured():
            break
        # events come while the page is waited for
        page.wait_for_timeout(100)
    assert measured() and all("row=" in url for url in measured())

    # in the list, what would be done to both is off, and why is said
    page = opened("/studies", role=Role.PAD)
    page.get_by_label("Search studies").fill("Bruder Bert 20250101")
    page.get_by_role("row").filter(has_text="Bert").first.click()
    page.get_by_text("are off until the data steward has settled it").wait_for()
    assert page.get_by_role("button", name="Download").is_disabled()
    assert page.get_by_role("button", name="More").last.is_disabled()

    # and so it is for programs
    headers = {"Cookie": f"filmless_session={site.session('the-pad', Role.PAD)}"}
    with httpx.Client(base_url=site.base, headers=headers, timeout=30) as web:
        proof = {"X-Filmless-CSRF": web.get("/api/session").json()["csrf"]}
        where = f"/dicom-web/studies/{uid}"
        refused = [
            web.get(f"{where}?accept=application/zip"),
            web.get(f"/api/studies/{uid}/pictures?form=png"),
            web.post(f"{where}/reject/113001%5EDCM", json={"reason": "of one of them"}, headers=proof),
            web.post(f"/api/studies/{uid}/links", json={"days": 7}, headers=proof),
        ]
        assert [(one.status_code, one.json().get("code")) for one in refused] == [(409, "shared-number")] * 4
        assert web.get(f"{where}/thumbnail").status_code == 404
