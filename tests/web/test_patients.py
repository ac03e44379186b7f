"""Who is who, in the browser: a steward matches an unknown person, merges two persons, and takes it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from filmless.access.acting import Acting
from filmless.access.model import ENGINEER, Role
from filmless.app.index import open_index
from filmless.app.settings import load
from filmless.app.trail import open_trail
from filmless.db.work import reading, writing
from filmless.department import exams, registration
from filmless.department.desk import open_desk
from filmless.department.exams import Exam
from filmless.department.master import first
from filmless.patients import persons
from filmless.patients.persons import NewPerson, Person
from tests.web.conftest import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page


def known(site: Site, *names: str) -> tuple[list[Person], Exam]:
    """Persons of these names, and an exam of somebody unknown."""
    settings = load(site.server.home, environment={})
    desk = open_desk(settings.department, settings.home)
    with open_index(settings) as engine, open_trail(settings, engine, "test") as trail:
        acting = Acting(ENGINEER, trail)
        with writing(engine) as connection:
            first.provide(connection)
            found = [
                persons.create(connection, NewPerson(name, sex="M", birth_date="19700101"), acting)
                for name in names
            ]
            _, exam = registration.green_channel(connection, acting, desk, sex="M")
    return found, exam


def test_an_unknown_person_is_matched_by_keyboard(site: Site, opened: Callable[..., Page]) -> None:
    (person,), exam = known(site, "匹㐂𠮷")
    page = opened("/persons/green", role=Role.PAD, size=(1400, 860))
    page.get_by_role("row").filter(has_text=exam.number).click()
    box = page.get_by_role("complementary").get_by_role("textbox").first
    box.fill("pi xiji")
    page.get_by_role("option").filter(has_text="匹㐂𠮷").wait_for()
    box.press("Enter")
    page.get_by_text("Document", exact=True).click()
    page.get_by_role("combobox", name="New class").click()
    page.get_by_role("option").filter(has_text="M ·").click()
    page.get_by_role("textbox", name="Visit number").fill("V-web-1")
    page.get_by_role("textbox", name="Why?").fill("his wife brought the card")
    button = page.get_by_role("button", name="Match", exact=True)
    assert button.is_disabled(), "two things are asked for"
    page.get_by_text("Relative", exact=True).click()
    button.click()
    page.get_by_text("Matched: M").wait_for()
    settings = load(site.server.home, environment={})
    with open_index(settings) as engine, reading(engine) as connection:
        now = exams.get(connection, exam.id)
        assert now.person == person.id and now.number.startswith("M")
        assert exams.by_number(connection, exam.number).id == exam.id  # type: ignore[union-attr]


def test_two_persons_are_compared_merged_and_parted(site: Site, opened: Callable[..., Page]) -> None:
    (one, other), _ = known(site, "合小东", "合晓东")
    page = opened(f"/persons/{one.id}", role=Role.PAD, size=(1400, 860), locale="zh-CN")
    page.get_by_role("button", name="合并…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").first.fill(other.patient_id)
    dialog.get_by_role("option").click()
    marked = dialog.locator("tr[data-differs]")
    assert "合晓东" in marked.first.inner_text() and marked.count() == 1
    dialog.get_by_role("textbox").fill("重复建档")
    dialog.get_by_role("button", name="合并", exact=True).click()
    page.get_by_text("已并入该患者").wait_for()
    page.get_by_role("button", name="撤销").click()
    dialog.get_by_role("textbox").fill("是两个人")
    dialog.get_by_role("button", name="撤销", exact=True).click()
    page.get_by_text("已并入该患者").wait_for(state="detached")
    assert "已撤销" in page.get_by_role("complementary").inner_text()
