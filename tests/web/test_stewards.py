"""What stewards see of studies: whose images were rejected or shared, what of them is not as the standard asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from pydicom.dataelem import DataElement

from filmless.access import accounts
from filmless.access.acting import Acting
from filmless.access.model import SYSTEM, Role
from filmless.app.index import open_index
from filmless.app.settings import load
from filmless.app.trail import open_trail
from filmless.db.work import writing
from tests import made
from tests.web.conftest import Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Open = Callable[..., Any]


def test_a_steward_sees_whose_and_what(opened: Open, site: Site, browser: Browser, tmp_path: Path) -> None:
    study = "1.2.777.77"
    for number in (1, 2, 4):
        image = made.image(
            number, name="Xi^Shu=奚^淑", patient_id="ODD77", study=study, series=f"{study}.1", side=32
        )
        # as a device writes it that minds no standard
        image["ContentDate"] = DataElement(0x00080023, "LO", "yesterday")
        (tmp_path / f"{number}.dcm").write_bytes(made.part10(image))
    site.server.cli("import", tmp_path)
    cookie = site.session("the-pad", Role.PAD)
    settings = load(site.server.home, environment={})
    with (
        open_index(settings) as engine,
        open_trail(settings, engine, "test") as trail,
        writing(engine) as connection,
    ):
        accounts.change(connection, "the-pad", {"display_name": "顾影"}, Acting(SYSTEM, trail))
    with httpx.Client(
        base_url=site.base, headers={"Cookie": f"filmless_session={cookie}"}, timeout=30
    ) as web:
        proof = {"X-Filmless-CSRF": web.get("/api/session").json()["csrf"]}
        link = web.post(f"/api/studies/{study}/links", json={"days": 7, "label": "Dr. Wu"}, headers=proof)

        page = opened("/admin/lenient", role=Role.PAD, locale="zh-CN", size=(1440, 900))
        page.get_by_role("heading", name="不规范数据").wait_for()
        page.get_by_role("row").filter(has_text="ODD77").click()
        details = page.get_by_role("complementary", name="详情")
        details.get_by_text("ContentDate").wait_for()
        for words in ("不是有效日期，无法按日期检索", "3 个对象", "序列 1，图像 1–2、4", "奚淑"):
            assert words in details.inner_text()

        # the link's page tells the visitor's time
        visitor = browser.new_context(timezone_id="Asia/Shanghai", locale="zh-CN")
        shared = visitor.new_page()
        shared.goto(link.json()["address"])
        shared.locator("footer time").filter(has_text="中国标准时间 (UTC+8)").wait_for()
        visitor.close()

        wish = {"study_uid": study, "code": "113037", "reason": "images are missing"}
        assert web.post("/api/rejections", json=wish, headers=proof).status_code == 201
    page.goto(f"{site.base}/admin/links")
    row = page.get_by_role("row").filter(has_text="Dr. Wu")
    # of what is rejected there is nothing to be seen
    row.filter(has_text="无权查看或已不存在").wait_for()
    page.goto(f"{site.base}/admin/rejections")
    row = page.get_by_role("row").filter(has_text="ODD77")
    # names of persons come after the list
    row.filter(has_text="顾影").wait_for()
    # what a person wrote stays as it was written, though a sentence of ours is the same
    for words in ("奚淑", "2026-03-02", "顾影", "images are missing"):
        assert words in row.inner_text()
