"""The technologist's page in a real browser: an ultrasound whose machine sends images and tells of nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from filmless.access.model import Role
from filmless.app.index import open_index
from filmless.app.settings import load
from filmless.app.simulation.modality import Modality, Way
from filmless.app.trail import open_trail
from filmless.db.work import writing
from filmless.department import registration
from filmless.department.identity_check import Shown
from filmless.department.master import first
from filmless.department.orders import Wanted
from filmless.department.registration import Arrival
from filmless.department.tables import stations
from filmless.kit import clock
from tests import peers
from tests.department.hospital import DESK, Hospital, outpatient
from tests.web.conftest import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page


def _arrive(site: Site) -> str:
    """A patient at the desk; the exam's number."""
    settings = load(site.server.home, environment={})
    with open_index(settings) as engine, open_trail(settings, engine, "test") as trail:
        desk = Hospital(trail)
        with writing(engine) as connection:
            first.provide(connection)
            connection.execute(
                insert(stations).values(
                    code="US9",
                    ae_title="US9",
                    modality="US",
                    hours={},
                    abilities={},
                    changed_at=clock.now(),
                )
            )
            person = desk.person(connection, "侯小超")
            _, (exam,) = registration.walk_in(
                connection,
                outpatient(person, "V-US9"),
                (Wanted("US-ABD"),),
                desk.acting("REG"),
                DESK,
                Arrival(station="US9", identity=Shown("two-identifiers")),
            )
    return exam.number


def test_an_exam_is_begun_finished_and_verified_by_hand(site: Site, opened: Callable[..., Page]) -> None:
    number = _arrive(site)
    device = Modality(
        "127.0.0.1", site.server.dicom_port, "US9", "US", way=Way(images=3, mpps=False, commit=False)
    )
    (item,) = [one for one in _apart(device.worklist) if one.identity.number == number]
    page = opened("/work", role=Role.TEC, size=(1440, 900))
    page.get_by_label("Exam number, name or ID").fill(number)
    page.get_by_text("侯小超").first.wait_for()
    page.get_by_label("Exam number, name or ID").press("Enter")
    details = page.get_by_role("complementary", name="Details")
    details.get_by_role("heading", name="侯小超").wait_for()
    details.get_by_role("button", name="Start").click()
    window = page.get_by_role("dialog")
    assert window.get_by_role("button", name="Start the exam").is_disabled(), "first it is asked who it is"
    window.get_by_label("It is this person").check()
    window.get_by_role("button", name="Start the exam").click()
    details.get_by_role("button", name="Finish").wait_for()

    _apart(lambda: device.examine(item))
    details.get_by_text("3 images are there").wait_for()

    details.get_by_role("button", name="Finish").click()
    window.get_by_label("How many images are there?").fill("4")
    window.get_by_label("Note to the reader").fill("full bladder")
    window.get_by_role("button", name="Finish").click()
    details.get_by_text("1 of 4 images are missing.").wait_for()
    details.get_by_text("full bladder").wait_for()

    details.get_by_role("button", name="Verify").click()
    window.get_by_label("Why it can be read without them").fill("one was of the bladder only")
    window.get_by_role("button", name="Verify without them").click()
    details.get_by_text("Verified without them: one was of the bladder only").wait_for()
    details.get_by_role("button", name="Send back").wait_for()

    page.goto(site.base + "/work/shift")
    page.get_by_role("heading", name="End of shift").wait_for()
    page.get_by_role("button", name="Hand over").click()
    page.get_by_text("The shift is handed over.").wait_for()
    peers.eventually(lambda: "侯小超" not in page.content(), "no longer to be done")


def _apart(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run in a thread of its own: the browser's event loop has this one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(lambda: asyncio.run(work())).result(60)
