"""The registration desk as a registrar works with it: by keyboard, and by one click in an emergency."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from filmless.access.acting import Acting
from filmless.access.model import ENGINEER, Role
from filmless.app.index import open_index
from filmless.app.settings import load
from filmless.app.trail import open_trail
from filmless.db.work import reading, writing
from filmless.department import exams
from filmless.department.master import lists
from filmless.department.states import State
from filmless.department.tables import orders, steps

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.web.conftest import Site


def test_a_stranger_is_registered_and_an_emergency_too(site: Site, opened: Callable[..., Page]) -> None:
    settings = load(site.server.home, environment={})
    with open_index(settings) as engine, open_trail(settings, engine, "test") as trail:
        with writing(engine) as connection:
            values = {"name_zh": "CT 九室", "modality": "CT", "ae_title": "CT9", "hours": {}}
            lists.put_station(connection, "CT9", values, Acting(ENGINEER, trail))
        page = opened("/registration", role=Role.REG, locale="zh-CN", size=(1280, 900))
        page.get_by_label("登记", exact=True).first.wait_for()
        page.keyboard.press("Escape")
        page.get_by_role("button", name="新登记").click()

        # nobody of this name is known: Enter makes a new patient
        page.get_by_placeholder("姓名、拼音、首字母或任意号码").fill("欧阳𠮷")
        page.get_by_text("没有匹配的患者").wait_for()
        page.keyboard.press("Enter")
        page.get_by_label("证件号码").fill("110105194912310021")
        assert page.get_by_label("出生日期").input_value() == "19491231"
        page.get_by_role("button", name="建档").click()
        page.get_by_text("OUYANG JI").wait_for()

        page.get_by_placeholder("选择检查项目…").click()
        page.get_by_role("option", name="颅脑CT平扫").click()
        page.get_by_role("combobox", name="机房设备").click()
        page.get_by_role("option", name=re.compile("CT9")).click()
        page.get_by_label("门诊号").fill("MZ-W-1")
        # another one's card: nothing is registered, and that it was shown is kept
        page.get_by_role("combobox", name="核对方式").click()
        page.get_by_role("option", name="身份证").click()
        page.get_by_label("证件号码").fill("11010519491231002X")
        page.keyboard.press("Control+Enter")
        page.get_by_text("身份核对未通过").wait_for()
        page.get_by_label("证件号码").fill("110105194912310021")
        page.keyboard.press("Control+Enter")
        number = page.locator("h1").filter(has_text=re.compile(r"M\d{10}")).inner_text().strip()

        checks = page.locator("section").filter(has=page.get_by_role("heading", name="身份核对"))
        checks.get_by_text("不符").wait_for()
        checks.get_by_text("相符").wait_for()

        # whoever scans the slip finds the exam
        page.goto(f"{site.base}/registration")
        page.get_by_placeholder("扫码或输入检查号、姓名、首字母、患者号").fill(number)
        page.keyboard.press("Enter")
        page.get_by_role("complementary").get_by_text("欧阳𠮷").wait_for()

        # a colleague writes of an allergy while the form is open: it is not written over
        page.get_by_role("complementary").get_by_role("button", name="更多").click()
        page.get_by_role("menuitem", name="修改申请").click()
        form = page.get_by_role("dialog")
        form.get_by_label("过敏").fill("青霉素")
        with writing(engine) as connection:
            connection.execute(update(orders).values(cautions={"allergies": "碘对比剂"}))
        form.get_by_role("button", name="保存").click()
        form.get_by_text("内容已被他人修改").wait_for()
        form.get_by_role("button", name="取消").click()

        # one click
        page.get_by_role("button", name="绿色通道", exact=True).click()
        page.get_by_role("complementary").get_by_text(re.compile(r"L\d{10}")).wait_for()
        # the same by keyboard, where more is known
        page.keyboard.press("Alt+g")
        page.get_by_role("dialog").get_by_text("男", exact=True).wait_for()
        page.keyboard.press("Enter")
        page.get_by_text("已进入工作列表").nth(1).wait_for()
        # before everybody else, as soon as the list is read again
        page.wait_for_function(
            "() => /L\\d{10}/.test(document.querySelectorAll('[role=row]')[1]?.innerText ?? '')"
        )
        first = page.get_by_role("row").nth(1).inner_text()
        with reading(engine) as connection:
            exam = exams.by_number(connection, number)
            assert exam is not None and (exam.state, exam.station) == (State.ARRIVED, "CT9")
            shown = connection.scalars(select(steps.c.ae_title).where(steps.c.exam == exam.id)).all()
    assert shown == ["CT9"]
    assert re.search(r"L\d{10}", first), first
