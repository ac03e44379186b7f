"""The hospital of the demonstration, used as those who work there would: from the sign-in page to a signed report."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import create_engine, select

from filmless.access.demonstration import PASSWORD
from filmless.app.demonstration.cast import DAY
from filmless.department.tables import exams
from filmless.reporting.tables import reports
from tests import peers

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.FilmlessServer]:
    """A demonstration, served. Its brain is the phantom: no wheel is needed."""
    home = tmp_path_factory.mktemp("hospital") / "home"
    peers.run(*peers.filmless_command(), "demonstrate", "--home", home, seconds=240)
    with peers.FilmlessServer(home) as server:
        yield server
        assert server.running.alive, server.running.output()[-4000:]


@pytest.fixture
def enter(hospital: peers.FilmlessServer, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page as somebody of the hospital, who clicks on his name."""
    contexts, errors = [], []

    def as_somebody(name: str, path: str, locale: str = "zh-CN") -> Page:
        context = browser.new_context(viewport={"width": 1440, "height": 900}, locale=locale)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"http://{peers.HOST}:{hospital.http_port}{path}")
        page.get_by_role("button", name=re.compile(name)).click()
        page.get_by_role("navigation").first.wait_for()
        return page

    yield as_somebody
    for context in contexts:
        context.close()
    assert not errors, errors


def test_the_day_is_as_it_was_written(hospital: peers.FilmlessServer) -> None:
    engine = create_engine(f"sqlite:///{hospital.home}/index.sqlite")
    with engine.connect() as connection:
        states = Counter(row.state for row in connection.execute(select(exams.c.state)))
    engine.dispose()
    assert states == Counter(visit.until for visit in DAY)
    assert len(DAY) >= 30 and {"CT", "MR", "DX", "US", "MG"} == {
        visit.station[:-1].replace("DR", "DX") for visit in DAY
    }
    # what was signed holds, and what was done was written down
    assert "nothing was altered" in hospital.cli("reports", "verify").output
    hospital.cli("audit", "verify")


def test_it_is_served_on_this_machine_alone(hospital: peers.FilmlessServer) -> None:
    ways = httpx.get(f"http://{peers.HOST}:{hospital.http_port}/api/session/ways", timeout=60).json()
    assert ways["demonstration"]["password"] == PASSWORD and len(ways["demonstration"]["accounts"]) >= 12
    refused = subprocess.run(
        [*peers.filmless_command(), "serve", "--home", hospital.home, "--bind", "0.0.0.0"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert refused.returncode == 2 and "this machine alone" in refused.stderr
    again = hospital.cli("demonstrate", check=False)
    assert again.status == 3


def test_a_resident_writes_and_an_attending_signs(
    hospital: peers.FilmlessServer, enter: Callable[..., Page], tmp_path: Path
) -> None:
    page = enter("陈晨", "/reading")
    page.get_by_role("row").filter(has_text="Zhang Wei").first.dblclick()
    page.wait_for_url(re.compile(r"/reports/\d+"))
    number = page.url.rsplit("/", 1)[-1]
    # the images are there beside what is written
    page.locator("[data-viewport-uid] canvas").first.wait_for()
    findings, impression = page.locator("#section-findings"), page.locator("#section-impression")
    findings.fill("左肺上叶见结节，大小约14 mm。")
    # as soon as the image is drawn
    page.locator("[data-frame][data-ready]").first.wait_for()
    page.keyboard.press("Alt+p")
    page.locator("figure img").first.wait_for()
    page.locator("[data-keeping=kept]").wait_for()
    # without an impression it does not leave
    page.get_by_role("button", name="提交").click()
    page.get_by_role("alert").filter(has_text="诊断意见").wait_for()
    # what was typed is there after a reload, without anything having been saved by hand
    page.reload()
    assert findings.input_value() == "左肺上叶见结节，大小约14 mm。"
    impression.fill("左肺上叶结节。")
    page.get_by_role("button", name="提交").click()
    # what does not fit is said once more
    page.get_by_role("dialog").get_by_role("button", name="提交").click()
    page.wait_for_url(re.compile(r"/reading"))

    other = enter("王海燕", f"/reports/{number}")
    other.get_by_role("button", name="审核", exact=True).click()
    other.get_by_role("button", name="签名").click()
    dialog = other.get_by_role("dialog")
    dialog.get_by_label("您的密码").fill("something else")
    dialog.get_by_role("button", name="签名").click()
    dialog.get_by_role("alert").last.wait_for()
    dialog.get_by_label("您的密码").fill(PASSWORD)
    dialog.get_by_role("button", name="签名").click()
    dialog.wait_for(state="hidden")
    other.get_by_text(re.compile("王海燕.*签名")).first.wait_for()
    cookies = {one["name"]: one["value"] for one in other.context.cookies()}
    base = f"http://{peers.HOST}:{hospital.http_port}"
    pdf = httpx.get(f"{base}/api/reports/{number}/pdf", cookies=cookies, timeout=60)
    assert pdf.status_code == 200 and pdf.content[:5] == b"%PDF-"
    (tmp_path / "report.pdf").write_bytes(pdf.content)
    printed = peers.run("pdftotext", tmp_path / "report.pdf", "-").output
    assert "左肺上叶结节" in printed and "张伟" in printed and "王海燕" in printed
    engine = create_engine(f"sqlite:///{hospital.home}/index.sqlite")
    with engine.connect() as connection:
        assert connection.scalar(select(reports.c.status).where(reports.c.id == int(number))) == "final"
    engine.dispose()


def test_a_clinician_reads_and_a_director_counts(enter: Callable[..., Page]) -> None:
    page = enter("刘洋", "/inbox", locale="en-GB")
    page.get_by_role("row").filter(has_text="Wang Fang").first.click()
    page.get_by_text("颅脑CT平扫未见明显异常").first.wait_for()
    # a second exam for his patient, by keyboard; what it is to be is said by whoever vets it
    page.goto(page.url.replace("/inbox", "/exams"))
    page.get_by_role("button", name="Order an exam").click()
    page.get_by_placeholder("Name, letters, initials, any number").fill("wang fang")
    page.get_by_role("option").filter(has_text="王芳").wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("option", name="MR brain", exact=True).wait_for()
    # the look at what was ordered a few days ago takes long: who is quicker need not ask twice, and who does, or holds
    # the keys, has ordered once
    looked: list[Route] = []
    ordered: list[str] = []
    page.on("request", lambda one: one.url.endswith("/api/orders") and ordered.append(one.method))
    page.route("**/api/exams/search", lambda request: looked.append(request))
    page.keyboard.type("MR brain")
    with page.expect_request("**/api/exams/search"):
        page.keyboard.press("Enter")
    page.get_by_text("25 min").wait_for()
    page.get_by_label("Clinical diagnosis").fill("dizziness")
    page.keyboard.press("Control+Enter")
    page.route("**/api/exams/search", lambda request: request.continue_())
    for request in looked:
        request.continue_()
    for _ in range(10):
        page.keyboard.press("Control+Enter")
    page.get_by_role("heading", name="No number yet").wait_for()
    assert ordered == ["POST"]
    attending = enter("王海燕", f"/exams/{page.url.rsplit('/', 1)[-1]}", locale="en-GB")
    attending.get_by_role("button", name="Protocol").click()
    attending.get_by_role("dialog").get_by_label("Protocol").fill("with contrast, thin slices")
    attending.get_by_role("dialog").get_by_role("button", name="Protocol").click()
    attending.get_by_text("Requested → Protocolled").wait_for()
    page.get_by_text("with contrast, thin slices").first.wait_for()
    director = enter("周建国", "/statistics", locale="en-GB")
    director.get_by_role("row").filter(has_text="CT").first.wait_for()
    director.get_by_role("button", name=re.compile(r"^\d+$")).first.click()
    director.get_by_role("dialog").get_by_role("row").nth(1).wait_for()
