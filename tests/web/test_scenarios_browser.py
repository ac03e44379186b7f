"""Two whole days of patients on the screens of everybody who works on them: an outpatient from the registration desk to
the printed report, an emergency without a name that is matched in the end. Devices are foreign toolkits: worklist and
images by dcmtk, performed steps by pynetdicom."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from sqlalchemy import insert

from filmless.access import accounts, grants, passwords, sessions
from filmless.access.acting import Acting
from filmless.access.model import SYSTEM, Role, Scope
from filmless.app.index import open_index
from filmless.app.settings import load
from filmless.app.trail import open_trail
from filmless.db.work import reading, writing
from filmless.department import exams
from filmless.department.tables import places
from filmless.kit import clock
from filmless.patients import persons
from filmless.patients.persons import NewPerson
from tests import made, peers
from tests.department import console
from tests.department import hospital as department

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PASSWORD = "long enough for tests"
SETTINGS = """
[department]
issuer = "H"
transfer_seconds = 1
[devices]
check_called_ae = false
[reporting]
hospital_zh = "第一试验医院"
hospital_en = "First Test Hospital"
"""
#: role -> who works in it
STAFF = {
    Role.REG: "登记张",
    Role.TRI: "分诊李",
    Role.TEC: "技师王",
    Role.RES: "住院陈",
    Role.ATT: "主治赵",
    Role.CLI: "神内孙",
    Role.FLM: "发放吴",
}


@dataclass
class Ward:
    """A running server, and who works at it."""

    server: peers.FilmlessServer
    cookies: dict[Role, str]

    @property
    def base(self) -> str:
        return f"http://{peers.HOST}:{self.server.http_port}"

    def reach(self, number: str, state: str) -> exams.Exam:
        """The exam of this number, once it is in this state."""
        with open_index(load(self.server.home, environment={})) as engine:

            def reached() -> exams.Exam | None:
                with reading(engine) as connection:
                    found = exams.by_number(connection, number)
                return found if found is not None and found.state.value == state else None

            found = peers.eventually(reached, f"{state} of {number}", 60)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    server = peers.FilmlessServer(tmp_path_factory.mktemp("scenarios") / "home", settings=SETTINGS)
    server.home.mkdir(parents=True)
    (server.home / "filmless.toml").write_text(SETTINGS, "utf-8")
    settings = load(server.home, environment={})
    cookies = {}
    with open_index(settings, create=True) as engine, open_trail(settings, engine, "test") as trail:
        acting, kept = Acting(SYSTEM, trail, reason="a test"), passwords.hashed(PASSWORD)
        with writing(engine) as connection:
            department.found(connection)
            connection.execute(
                insert(places).values(
                    kind="department",
                    code="NEU",
                    name_zh="神经内科",
                    name_en="Neurology",
                    more={},
                    changed_at=clock.now(),
                )
            )
            for role, name in STAFF.items():
                account = accounts.create(
                    connection, role.lower(), acting, display_name=name, password_hash=kept, must_change_password=False
                )  # fmt: skip
                scope = Scope(departments=frozenset({"NEU"})) if role is Role.CLI else Scope()
                grants.grant(connection, role.lower(), role, acting, scope=scope)
                cookies[role] = sessions.open_session(
                    connection, account.id, settings.access, method="password", host=peers.HOST
                )
            known = NewPerson("王建国", name_alphabetic="WANG^JIANGUO", sex="M", birth_date="19581103")
            persons.create(connection, known, acting)
    with server:
        yield Ward(server, cookies)
        assert server.running.alive, server.running.output()[-4000:]


@pytest.fixture
def enter(ward: Ward, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page as whoever works in a role; a page that threw an error fails the test."""
    contexts, errors = [], []

    def as_somebody(role: Role, path: str, locale: str = "zh-CN") -> Page:
        context = browser.new_context(viewport={"width": 1440, "height": 900}, locale=locale)
        contexts.append(context)
        context.add_cookies([{"name": "filmless_session", "value": ward.cookies[role], "url": ward.base}])
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(ward.base + path)
        return page

    yield as_somebody
    for context in contexts:
        context.close()
    assert not errors, errors


def apart(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run in a thread of its own: the browser's event loop has this one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(lambda: asyncio.run(work())).result(120)


def on_worklist(ward: Ward, folder: Path, number: str, aet: str) -> Dataset:
    """What a device's console shows of an exam."""
    port = ward.server.dicom_port
    answers = apart(lambda: console.worklist(port, folder, f"AccessionNumber={number}", aet=aet))
    assert len(answers) == 1
    return answers[0]


def examined(ward: Ward, folder: Path, answer: Dataset, count: int, aet: str) -> None:
    """The device's part: begun, images, ended; what it makes is of what its worklist said."""
    port, step, series = ward.server.dicom_port, generate_uid(), generate_uid()
    told = apart(lambda: console.tell(port, step, console.begun(answer, aet=aet), create=True, aet=aet))
    assert told.Status == 0
    folder.mkdir()
    uids = []
    for number in range(1, count + 1):
        image = made.image(
            number, name=str(answer.PatientName), patient_id=str(answer.PatientID),
            study=str(answer.StudyInstanceUID), series=series, side=256,
        )  # fmt: skip
        image.AccessionNumber = answer.AccessionNumber
        uids.append(image.SOPInstanceUID)
        (folder / f"{number}.dcm").write_bytes(made.part10(image))
    assert peers.stored(peers.storescu(port, folder, aet=aet)) == count
    told = apart(lambda: console.tell(port, step, console.ended("COMPLETED", {series: uids}), aet=aet))
    assert told.Status == 0


FOCUS = """() => {
  const here = document.activeElement
  return here.getAttribute('aria-label') || here.labels?.[0]?.innerText || here.placeholder || here.innerText || ''
}"""


def tab_to(page: Page, label: str) -> None:
    """By the Tab key to the field of this name."""
    passed = []
    for _ in range(40):
        page.keyboard.press("Tab")
        passed.append(page.evaluate(FOCUS).strip())
        if passed[-1] == label:
            return
    raise AssertionError(f"{label} is not reached by Tab: {passed}")


def printed(page: Page, button: Callable[[], None], folder: Path) -> tuple[str, int]:
    """What is on the copy that a click prints: (words, pictures)."""
    with page.context.expect_event("request", lambda request: "/pdf?" in request.url) as asked:
        button()
    pdf = page.context.request.get(asked.value.url)
    assert pdf.ok, (pdf.status, pdf.text())
    (folder / "report.pdf").write_bytes(pdf.body())
    words = peers.run("pdftotext", "-layout", folder / "report.pdf", "-").output
    listed = peers.run("pdfimages", "-list", folder / "report.pdf").output
    return words, sum(" image " in line for line in listed.splitlines())


def take_picture(page: Page) -> None:
    """What is on the screen into the report, as soon as it is drawn."""
    page.locator("[data-frame][data-ready]").first.wait_for()
    page.keyboard.press("Alt+p")
    page.locator("figure img").first.wait_for()


def test_an_outpatient_from_registration_to_the_printed_report(
    ward: Ward, enter: Callable[..., Page], tmp_path: Path
) -> None:
    """Scenario 1, in Chinese."""
    desk = enter(Role.REG, "/registration")
    keys = desk.keyboard
    desk.wait_for_function(f"() => ({FOCUS})().startsWith('扫码')")
    keys.press("Alt+n")
    # nobody of this name is known: Enter makes the patient; the card tells birth date and sex
    desk.wait_for_function(f"() => ({FOCUS})().startsWith('姓名')")
    keys.type("龘㐂𠮷")
    desk.get_by_text("没有匹配的患者").wait_for()
    keys.press("Enter")
    desk.get_by_role("heading", name="新患者").wait_for()
    tab_to(desk, "证件号码")
    keys.type("110105194912310021")
    assert desk.get_by_label("出生日期").input_value() == "19491231"
    tab_to(desk, "电话")
    keys.type("13800000000")
    keys.press("Enter")
    # the keyboard is where the next thing is asked
    desk.wait_for_function(f"() => ({FOCUS})() === '检查项目'")
    keys.type("颅脑CT平扫")
    keys.press("Enter")
    desk.get_by_text("10 分钟").wait_for()
    tab_to(desk, "核对方式")
    keys.press("ArrowDown")
    desk.get_by_role("option", name="身份证").wait_for()
    keys.press("ArrowDown")
    keys.press("Enter")
    desk.wait_for_function(f"() => ({FOCUS})() === '证件号码'")
    keys.type("110105194912310021")
    tab_to(desk, "机房设备")
    keys.press("ArrowDown")
    desk.get_by_role("option", name="CT1").wait_for()
    keys.press("ArrowDown")
    keys.press("Enter")
    tab_to(desk, "门诊号")
    keys.type("MZ-2026-1")
    tab_to(desk, "申请科室")
    keys.type("神经")
    # the first that fits is marked a moment after the last sign
    desk.locator("[role=option][data-combobox-selected]").filter(has_text="神经").wait_for()
    keys.press("Enter")
    desk.get_by_role("combobox", name="申请科室", expanded=False).wait_for()
    assert len(desk.get_by_role("combobox", name="申请科室").input_value()) > len("神经")
    tab_to(desk, "临床诊断")
    keys.type("头痛待查")
    keys.press("Control+Enter")
    number = desk.locator("h1").filter(has_text=re.compile(r"M\d{10}")).inner_text().strip()

    # called into the room
    nurse = enter(Role.TRI, "/queue")
    ticket = nurse.get_by_role("article").filter(has_text="龘㐂𠮷")
    ticket.get_by_role("button", name="呼叫", exact=True).click()
    ticket.get_by_role("button", name="已进入").click()
    ticket.get_by_text("检查室内").wait_for()

    # at the device: who it is is made sure on the screen, the rest the device tells
    room = enter(Role.TEC, "/work")
    room.get_by_role("row").filter(has_text=number).click()
    panel = room.get_by_role("complementary")
    panel.get_by_role("button", name="核对身份").click()
    room.get_by_role("dialog").get_by_label("确认为本人").check()
    room.get_by_role("button", name="保存核对").click()
    panel.get_by_text("检查前 · 核对姓名和出生日期").wait_for()
    answer = on_worklist(ward, tmp_path / "worklist", number, "CT1")
    assert str(answer.PatientName).endswith("=龘^㐂𠮷")
    examined(ward, tmp_path / "images", answer, 4, "CT1")
    panel.get_by_text("待写报告").wait_for()
    panel.get_by_text("图像已全部传到。").wait_for()
    ward.reach(number, "E60")

    resident = enter(Role.RES, "/reading")
    resident.get_by_role("row").filter(has_text=number).wait_for()
    resident.keyboard.press("Enter")
    resident.wait_for_url(re.compile(r"/reports/\d+"))
    resident.locator("#section-findings").fill("左侧基底节区见高密度影，大小约 12 mm。")
    take_picture(resident)
    resident.locator("#section-impression").fill("左侧基底节区脑出血。")
    resident.get_by_text("阳性", exact=True).click()
    resident.keyboard.press("Control+Enter")
    resident.wait_for_url(re.compile(r"/reading$"))

    attending = enter(Role.ATT, "/reading")
    attending.get_by_role("grid").wait_for()
    attending.keyboard.press("4")
    attending.get_by_role("row").filter(has_text=number).dblclick()
    attending.get_by_role("button", name="审核", exact=True).click()
    attending.get_by_role("button", name="签名").click()
    dialog = attending.get_by_role("dialog")
    dialog.get_by_label("您的密码").fill(PASSWORD)
    attending.keyboard.press("Enter")
    dialog.wait_for(state="hidden")
    attending.get_by_text(re.compile("主治赵.*签名")).first.wait_for()

    clinician = enter(Role.CLI, "/inbox")
    clinician.get_by_role("row").filter(has_text=number).click()
    clinician.get_by_text("左侧基底节区脑出血。").first.wait_for()

    # whoever hands out reports scans the slip and prints
    clerk = enter(Role.FLM, "/exams")
    clerk.wait_for_function(f"() => ({FOCUS})().startsWith('扫码')")
    clerk.keyboard.type(number)
    clerk.keyboard.press("Enter")
    button = clerk.get_by_role("complementary").get_by_role("button", name="打印报告")
    words, pictures = printed(clerk, button.click, tmp_path)
    plain = re.sub(r"\s", "", words)
    for said in (number, "龘㐂𠮷", "左侧基底节区脑出血", "第一试验医院", "神经内科", "住院陈", "主治赵"):
        assert said in plain, (said, words)
    assert pictures >= 1
    clerk.get_by_text("第 1 份").wait_for()


def test_an_emergency_from_one_click_to_the_reprint_under_its_own_name(
    ward: Ward, enter: Callable[..., Page], tmp_path: Path
) -> None:
    """Scenario 3, in English."""
    nurse = enter(Role.TRI, "/queue", "en-GB")
    clicked = time.monotonic()
    nurse.get_by_role("button", name="Green channel", exact=True).click()
    said = nurse.get_by_text(re.compile(r"L\d{10} · .* is on the worklist")).inner_text()
    number = said.split()[0]
    answer = on_worklist(ward, tmp_path / "worklist", number, "CT2")
    assert time.monotonic() - clicked < 5
    assert str(answer.RequestedProcedurePriority) == "STAT"

    room = enter(Role.TEC, "/work", "en-GB")
    room.get_by_role("row").nth(1).filter(has_text=number).click()
    examined(ward, tmp_path / "images", answer, 3, "CT2")
    room.get_by_role("complementary").get_by_text("Ready to read").wait_for()

    # STAT comes first, whatever else waits
    resident = enter(Role.RES, "/reading", "en-GB")
    resident.get_by_role("row").nth(1).filter(has_text=number).dblclick()
    resident.wait_for_url(re.compile(r"/reports/\d+"))
    resident.locator("#section-findings").fill("Hyperdense collection in the left basal ganglia.")
    take_picture(resident)
    resident.locator("#section-impression").fill("Intracranial haemorrhage.")
    resident.get_by_text("Positive", exact=True).click()
    # it cannot wait: raised while it is written, told by phone
    resident.get_by_role("button", name="Raise a critical result").click()
    box = resident.get_by_role("dialog")
    box.get_by_role("combobox").first.click()
    resident.get_by_role("option").filter(has_text="intracranial haemorrhage").first.click()
    box.get_by_role("button", name="Raise a critical result").click()
    resident.get_by_role("button", name="Somebody was told").click()
    box.get_by_label("Who was spoken to").fill("Dr Sun, emergency room")
    box.get_by_label("What was read back").fill("bleeding on the left")
    box.get_by_role("button", name="Somebody was told").click()
    resident.locator("[data-critical=notified]").wait_for()
    resident.get_by_role("button", name="Submit").click()
    resident.wait_for_url(re.compile(r"/reading$"))

    attending = enter(Role.ATT, "/reading", "en-GB")
    attending.get_by_role("grid").wait_for()
    attending.keyboard.press("4")
    attending.get_by_role("row").filter(has_text=number).dblclick()
    attending.get_by_role("button", name="Review", exact=True).click()
    attending.get_by_role("button", name="Sign", exact=True).click()
    attending.get_by_role("dialog").get_by_label("Your password").fill(PASSWORD)
    attending.keyboard.press("Enter")
    attending.get_by_text(re.compile("主治赵.*signed|[Ss]igned.*主治赵")).first.wait_for()

    # his wife brings the card
    desk = enter(Role.REG, "/persons/green", "en-GB")
    desk.get_by_role("row").filter(has_text=number).click()
    panel = desk.get_by_role("complementary")
    panel.get_by_role("textbox").first.fill("wang jianguo")
    panel.get_by_role("option").filter(has_text="王建国").click()
    for way in ("Document", "Relative"):
        panel.get_by_text(way, exact=True).click()
    panel.get_by_role("combobox", name="New class").click()
    desk.get_by_role("option").filter(has_text="Z ·").click()
    panel.get_by_role("textbox", name="Admission number").fill("ZY-2026-9")
    panel.get_by_role("textbox", name="Why?").fill("his wife brought the card")
    panel.get_by_role("button", name="Match", exact=True).click()
    matched = desk.get_by_text(re.compile(r"Matched: Z\d{10}")).inner_text().split()[-1].rstrip(".")

    # the old number finds him; what is printed now has the new one and his name
    clerk = enter(Role.FLM, "/exams", "en-GB")
    clerk.get_by_placeholder("Scan or type").fill(number)
    clerk.keyboard.press("Enter")
    panel = clerk.get_by_role("complementary")
    panel.get_by_role("heading", name=matched).wait_for()
    panel.get_by_text("王建国").wait_for()
    panel.get_by_text(number).first.wait_for()
    words, pictures = printed(clerk, panel.get_by_role("button", name="Print report").click, tmp_path)
    for told in (matched, "王建国", "Intracranial haemorrhage", "主治赵"):
        assert told in words, (told, words)
    assert number in words, "the number on the first films is told as well"
    assert pictures >= 1
