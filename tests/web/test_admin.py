"""The pages of those in charge, as they look to each of them."""

from collections.abc import Callable
from typing import Any

import pytest

from filmless.access.model import Role
from tests import peers

Open = Callable[..., Any]


def test_an_administrator_adds_a_device_and_sees_why_it_does_not_answer(opened: Open) -> None:
    page = opened("/", role=Role.ADM)
    # who may not search begins where there is something to do
    page.get_by_role("heading", name="Users").wait_for()
    page.get_by_role("link", name="Devices").click()
    page.get_by_role("button", name="Add a device").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("AE title").fill("ROOM7")
    dialog.get_by_label("Host").fill(peers.HOST)
    dialog.get_by_label("Port").fill(str(peers.free_port()))
    dialog.get_by_role("button", name="Save").click()
    details = page.get_by_role("complementary")
    details.get_by_role("button", name="Does it answer?").click()
    details.get_by_role("status").filter(has_text="nothing listens there").wait_for()
    page.get_by_role("row").filter(has_text="ROOM7").filter(has_text="nothing listens there").wait_for()


def test_a_password_is_shown_once(opened: Open) -> None:
    page = opened("/admin/users", role=Role.ADM)
    page.get_by_role("button", name="Add an account").click()
    page.get_by_role("dialog").get_by_label("Account name").fill("nurse.wu")
    page.get_by_role("dialog").get_by_role("button", name="Add").click()
    shown = page.get_by_role("dialog").locator("code")
    shown.wait_for()
    secret = shown.inner_text()
    assert len(secret) >= 12
    page.get_by_role("button", name="I have noted it").click()
    page.get_by_role("row").filter(has_text="nurse.wu").wait_for()
    assert secret not in page.content()


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_a_privacy_officer_reads_chinese(opened: Open, size: tuple[int, int]) -> None:
    page = opened("/admin/audit", role=Role.SEC, locale="zh-CN", size=size)
    page.get_by_role("heading", name="审计日志").wait_for()
    page.get_by_role("row").filter(has_text="账户与权限").first.wait_for()
    page.get_by_role("button", name="校验", exact=True).click()
    page.get_by_role("button", name="开始校验").click()
    page.get_by_text("审计日志完整。").wait_for()
    # nothing of other people's work
    assert page.get_by_role("link", name="设备").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
