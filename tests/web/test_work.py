"""The technologist's page in a real browser: an ultrasound whose machine sends images and tells of nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, update

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
from filmless.department.tables import exams, stations
from filmless.kit import clock
from tests import peers
from tests.department.hospital import DESK, Hospital, outpatient
from tests.web.conftest import Site

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


def _arrive(site: Site, station: str, *names: str) -> list[str]:
    """Patients at the desk for an ultrasound on a new station; the exams' numbers."""
    settings = load(site.server.home, environment={})
    with open_index(settings) as engine, open_trail(settings, engine, "test") as trail:
        desk = Hospital(trail)
        with writing(engine) as connection:
            first.provide(connection)
            connection.execute(
                insert(stations).values(
                    code=station,
                    ae_title=station,
                    modality="US",
                    hours={},
                    abilities={},
                    changed_at=clock.now(),
                )
            )
            found = []
            for name in names:
                person = desk.person(connection, name)
                _, (exam,) = registration.walk_in(
                    connection,
                    outpatient(person, f"V-{person.id}-{station}"),
                    (Wanted("US-ABD"),),
                    desk.acting("REG"),
                    DESK,
                    Arrival(station=station, identity=Shown("two-identifiers")),
                )
                found.append(exam.number)
    return found


def test_an_exam_is_begun_finished_and_verified_by_hand(site: Site, opened: Callable[..., Page]) -> None:
    (number,) = _arrive(site, "US9", "侯小超")
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
    window = page.get_by_role("dialog")
    details.get_by_role("button", name="Ask", exact=True).click()
    window.get_by_text("No", exact=True).click()
    window.get_by_label("Note for whoever makes the exam").fill("had breakfast")
    window.get_by_role("button", name="Save").click()
    details.get_by_text("not prepared: No").wait_for()
    details.get_by_text("had breakfast").wait_for()
    details.get_by_role("button", name="Start", exact=True).click()
    assert window.get_by_role("button", name="Start the exam").is_disabled(), "first it is asked who it is"
    window.get_by_label("It is this person").check()
    window.get_by_role("button", name="Start the exam").click()
    details.get_by_role("button", name="Finish").wait_for()

    _apart(lambda: device.examine(item))
    details.get_by_text("3 images are there").wait_for()

    details.get_by_role("button", name="Finish").click()
    window.get_by_label("How many images are there?").fill("4")
    window.get_by_label("Note to the reader").fill("full bladder")
    # with contrast, after all: the server asks, and there is where to answer
    _made_as(site, number, "CT-HEAD-C")
    window.get_by_role("button", name="Finish").click()
    window.get_by_label("Why? It is kept").fill("nobody knows which")
    window.get_by_role("button", name="Finish").click()
    details.get_by_text("1 of 4 images are missing.").wait_for()
    details.get_by_text("full bladder").wait_for()

    details.get_by_role("button", name="Judge").click()
    window.get_by_label("Waste").check()
    assert window.get_by_role("button", name="Save").is_disabled(), "first it is asked why"
    window.get_by_label("Why? It is kept").fill("blurred")
    window.get_by_role("button", name="Save").click()
    details.get_by_text("blurred").wait_for()

    details.get_by_role("button", name="Verify").click()
    window.get_by_label("Why it can be read without them").fill("one was of the bladder only")
    window.get_by_role("button", name="Verify without them").click()
    details.get_by_text("Verified without them: one was of the bladder only").wait_for()
    details.get_by_role("button", name="Send back").wait_for()

    def record() -> None:
        details.get_by_role("button", name="Record").click()
        window.wait_for()

    def save() -> None:
        window.get_by_role("button", name="Save").click()
        window.wait_for(state="detached")

    # a line without a medium is not left out unsaid; taken out is gone
    record()
    window.get_by_label("Volume, ml").fill("80")
    window.get_by_text("Which medium?").wait_for()
    # what is typed stays when the page behind cannot be read anew
    page.route("**/api/technologist/exams/*", lambda route: route.abort())
    details.get_by_role("alert").wait_for(state="attached")
    page.unroute("**/api/technologist/exams/*")
    assert window.get_by_role("button", name="Save").is_disabled()
    window.get_by_role("textbox", name="Contrast medium", exact=True).fill("iohexol")
    save()
    details.get_by_text("iohexol").wait_for()
    record()
    window.get_by_role("button", name="Delete").click()
    save()
    details.get_by_text("No contrast medium was given").wait_for()

    page.goto(site.base + "/work/shift")
    page.get_by_role("heading", name="End of shift").wait_for()
    page.get_by_label("For the next shift").fill("the probe of US9 is cold")
    page.get_by_role("button", name="Hand over").click()
    page.get_by_text("The shift is handed over.").wait_for()
    peers.eventually(lambda: "侯小超" not in page.content(), "no longer to be done")


def test_images_of_another_patient_are_moved_to_whom_they_are_of(
    site: Site, opened: Callable[..., Page]
) -> None:
    wrong, right = _arrive(site, "US8", "误小选", "实小查")
    device = Modality(
        "127.0.0.1", site.server.dicom_port, "US8", "US", way=Way(images=2, mpps=False, commit=False)
    )
    (item,) = [one for one in _apart(device.worklist) if one.identity.number == wrong]
    page = opened("/work", role=Role.TEC, size=(1440, 900))

    def choose(number: str, name: str) -> Locator:
        page.get_by_label("Exam number, name or ID").fill(number)
        page.get_by_text(name).first.wait_for()
        page.get_by_label("Exam number, name or ID").press("Enter")
        details = page.get_by_role("complementary", name="Details")
        details.get_by_role("heading", name=name).wait_for()
        return details

    _apart(lambda: device.examine(item))
    details = choose(wrong, "误小选")
    details.get_by_text("2 images are there").wait_for()
    details.get_by_role("button", name="Move images …").click()
    window = page.get_by_role("dialog")
    assert window.get_by_role("button", name="Move").is_disabled(), "first it is asked where to, and why"
    # the device, the hour and that nothing has come for it yet make it the likeliest
    window.get_by_role("radio", name="实小查").check()
    # another one is named by its number: who has such a name is not meant
    other = window.get_by_label("Exam by number")
    for typed, answer in (("误小选", page.get_by_text("Nobody is known by this")), (right.lower(), None)):
        other.fill(typed)
        with page.expect_response("**/exams/search"):
            other.press("Enter")
        if answer is not None:
            answer.wait_for()
    assert window.get_by_role("radio", name=right).is_checked()
    window.get_by_label("Why?").fill("the entry above was picked")
    with page.expect_request("**/move-images") as asked:
        window.get_by_role("button", name="Move").click()
    assert len(asked.value.post_data_json["series_uids"]) == 1, "those on the list, never all"
    page.get_by_text(f"The images are of exam {right} now.").wait_for()
    details.get_by_text("No image is there.").wait_for()
    details = choose(right, "实小查")
    details.get_by_text("All images are there.").wait_for()


def _made_as(site: Site, number: str, procedure: str) -> None:
    settings = load(site.server.home, environment={})
    with open_index(settings) as engine, writing(engine) as connection:
        connection.execute(update(exams).where(exams.c.number == number).values(procedure=procedure))


def _apart(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run in a thread of its own: the browser's event loop has this one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(lambda: asyncio.run(work())).result(60)
