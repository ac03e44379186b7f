"""The application around the viewer: signing in with a second factor, finding out why a study is not there, a patient's
timeline, in a real browser."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pyotp
import pytest
from PIL import Image

from filmless.access import accounts, belonging, grants
from filmless.access.acting import Acting
from filmless.access.model import SYSTEM, Role
from filmless.app.index import open_index
from filmless.app.settings import load
from filmless.app.trail import open_trail
from filmless.db.work import writing
from tests import made

from .conftest import Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Open = Callable[..., Any]
PASSWORD = "mended-lantern-42"


def test_a_second_factor_is_added_by_its_picture_and_asked_at_the_door(site: Site, browser: Browser) -> None:
    settings = load(site.server.home, environment={})
    _, kept = accounts.new_password(PASSWORD, name="dr.otp", length=8)
    with open_index(settings) as engine, open_trail(settings, engine, "test") as trail:
        acting = Acting(SYSTEM, trail, reason="a test")
        with writing(engine) as connection:
            accounts.create(connection, "dr.otp", acting, password_hash=kept, must_change_password=False)
            grants.grant(connection, "dr.otp", Role.RES, acting)
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{site.base}/account")

    def sign_in() -> None:
        page.get_by_label("Account name").or_(page.get_by_label("Name")).first.fill("dr.otp")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()

    # the hospital's own sign-in is offered where it is set
    page.get_by_role("link", name="Hospital").wait_for()
    sign_in()
    page.get_by_role("button", name="Add a second factor").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Current password").fill(PASSWORD)
    dialog.get_by_role("button", name="Continue").click()
    picture = dialog.get_by_alt_text("QR code for the authenticator app")
    picture.wait_for()
    assert picture.evaluate("one => one.complete && one.naturalWidth > 0")
    grey = np.asarray(Image.open(io.BytesIO(picture.screenshot())).convert("L"))
    # black and white modules, about as many of each
    assert 0.25 < (grey < 64).mean() < 0.65
    assert 0.3 < (grey > 192).mean() < 0.75
    secret = dialog.locator("code").inner_text()
    totp = pyotp.TOTP(secret)
    dialog.get_by_label("Code that the app shows").fill(totp.now())
    dialog.get_by_role("button", name="Confirm").click()
    dialog.get_by_text("Your second factor is in use.").wait_for()
    recovery = dialog.locator("code").first.inner_text()
    dialog.get_by_role("button", name="I have noted it").click()
    dialog.wait_for(state="detached")
    context.clear_cookies()
    page.goto(f"{site.base}/account")
    sign_in()
    page.get_by_label("Code from your second factor").fill(recovery)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_text("A code is asked at each sign-in.").wait_for()
    context.close()


@pytest.fixture(scope="module")
def patient(site: Site, tmp_path_factory: pytest.TempPathFactory) -> list[made.Made]:
    """Two studies of one patient; the second is sensitive."""
    folder = tmp_path_factory.mktemp("application")
    found = [made.series(folder / str(n), 2, name="Why^Wei=魏^未", patient_id="WHY7001") for n in (1, 2)]
    site.server.cli("import", folder)
    settings = load(site.server.home, environment={})
    with (
        open_index(settings) as engine,
        open_trail(settings, engine, "test") as trail,
        writing(engine) as connection,
    ):
        acting = Acting(SYSTEM, trail, reason="a test")
        belonging.assign(connection, found[1].study_uid, acting, sensitive=True)
    return found


def test_why_a_study_is_not_there(opened: Open, patient: list[made.Made]) -> None:
    hidden = patient[1].study_uid
    page = opened(f"/view/{hidden}", role=Role.RES)
    page.get_by_role("button", name="Why can I not see it?").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("You see no study of").wait_for()
    dialog.get_by_text("Resident: everywhere").wait_for()
    # nothing tells whether there is one
    assert "sensitive" not in dialog.inner_text().lower()
    # those whom people ask read which right is missing, and no name
    page = opened("/admin/why", role=Role.SEC)
    page.get_by_label("Accession number, patient ID or study UID").fill(hidden)
    page.get_by_role("combobox", name="Account (who asks)").fill("the-res")
    page.get_by_role("button", name="Look into it").click()
    page.get_by_text("the-res does not see it.").wait_for()
    page.get_by_text("Does not open sensitive studies.").wait_for()
    assert "Why Wei" not in page.get_by_role("main").inner_text()


def test_glass_is_broken_for_a_patient(opened: Open, patient: list[made.Made]) -> None:
    page = opened("/studies", role=Role.ATT)
    page.get_by_label("Search studies").fill("WHY7001")
    page.get_by_text("1 study", exact=True).wait_for()
    page.get_by_role("button", name="Account:").click()
    page.get_by_role("menuitem", name="Why can I not see a study?").click()
    dialog = page.get_by_role("dialog").first
    dialog.get_by_label("Accession number, patient ID or study UID").fill("WHY7001")
    dialog.get_by_role("button", name="Look into it").click()
    dialog.get_by_text("You can see:").wait_for()
    dialog.get_by_role("button", name="Break the glass").click()
    glass = page.get_by_role("dialog", name="Break the glass")
    glass.get_by_label("Why?").fill("unconscious in the emergency room")
    glass.get_by_role("button", name="Break the glass").click()
    glass.wait_for(state="detached")
    page.keyboard.press("Escape")
    page.get_by_text("2 studies", exact=True).wait_for()
    page.get_by_role("row").filter(has_text="WHY7001").first.click()
    page.keyboard.press("t")
    # both are on the timeline now, and are compared
    page.get_by_role("heading", name="Why Wei").wait_for()
    marks = page.get_by_role("checkbox", name="Mark to compare")
    for at in range(2):
        marks.nth(at).check()
    page.get_by_role("button", name="Compare two").click()
    page.wait_for_url("**/view/**with=**")
