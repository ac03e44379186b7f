"""Whole days of the department against a real server: an outpatient from the order to the signed report, an emergency
without a name that turns out to be an inpatient, a substitution, a wrong entry of the worklist, one person under two
numbers. Devices are foreign toolkits: worklist, images and queries by dcmtk, performed steps by pynetdicom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from sqlalchemy import Engine, select
from tests import made, peers
from tests.department import console
from tests.department import hospital as people

from filmless.access import accounts, grants, passwords, sessions
from filmless.access.acting import Acting
from filmless.access.audit.trail import Trail
from filmless.access.model import SYSTEM, Role, Scope
from filmless.app.index import open_index
from filmless.app.settings import Settings, load
from filmless.app.trail import open_trail
from filmless.db.work import reading, writing
from filmless.department import exams, execution, orders, registration, tasks
from filmless.department.identity import matching, merging, voiding
from filmless.department.identity_check import Shown
from filmless.department.orders import NewOrder, Wanted
from filmless.kit.errors import Refused
from filmless.patients import persons
from filmless.reporting.tables import deliveries, reports

PASSWORD = "long enough for tests"
SETTINGS = '[department]\nissuer = "H"\ntransfer_seconds = 1\n\n[devices]\ncheck_called_ae = false\n'


@dataclass
class Ward:
    """A running server with accounts of the department."""

    server: peers.FilmlessServer
    settings: Settings
    engine: Engine
    trail: Trail

    @property
    def desk(self) -> people.Hospital:
        return people.Hospital(self.trail)

    def state(self, exam: int) -> str:
        with reading(self.engine) as connection:
            return exams.get(connection, exam).state.value

    def reach(self, exam: int, state: str) -> None:
        peers.eventually(lambda: self.state(exam) == state, f"{state} of exam {exam}", 60)

    def account(self, name: str, role: Role) -> httpx.Client:
        """Asks as a new account with this role everywhere, sensitive patients among them."""
        acting = Acting(SYSTEM, self.trail, reason="a test")
        with writing(self.engine) as connection:
            kept = passwords.hashed(PASSWORD)
            one = accounts.create(connection, name, acting, password_hash=kept, must_change_password=False)
            grants.grant(connection, name, role, acting, scope=Scope(sensitive=True))
            secret = sessions.open_session(
                connection, one.id, self.settings.access, method="password", host=peers.HOST
            )
        base = f"http://{peers.HOST}:{self.server.http_port}/api"
        client = httpx.Client(base_url=base, cookies={"filmless_session": secret}, timeout=60)
        client.headers["X-Filmless-CSRF"] = client.get("/session").json()["csrf"]
        return client


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    server = peers.FilmlessServer(tmp_path_factory.mktemp("scenarios") / "home", settings=SETTINGS)
    server.home.mkdir(parents=True)
    (server.home / "filmless.toml").write_text(SETTINGS, "utf-8")
    settings = load(server.home, environment={})
    with open_index(settings, create=True) as engine, open_trail(settings, engine, "test") as trail:
        with writing(engine) as connection:
            people.found(connection)
        with server:
            yield Ward(server, settings, engine, trail)
            assert server.running.alive, server.running.output()[-4000:]


def acquired(folder: Path, answer: Dataset, count: int) -> tuple[str, list[str]]:
    """Writes images as the device makes them of an answer of the worklist; (series, objects)."""
    series_uid, uids = generate_uid(), [generate_uid() for _ in range(count)]
    folder.mkdir(parents=True)
    now = datetime.now().astimezone()
    for number, uid in enumerate(uids, 1):
        image = made.image(
            number, name=str(answer.PatientName), patient_id=str(answer.PatientID),
            study=str(answer.StudyInstanceUID), series=series_uid,
        )  # fmt: skip
        image.SpecificCharacterSet = "ISO_IR 192"
        image.AccessionNumber, image.SOPInstanceUID = answer.AccessionNumber, uid
        image.StudyDate, image.StudyTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
        (folder / f"{number}.dcm").write_bytes(made.part10(image))
    return series_uid, uids


def write_and_sign(
    ward: Ward,
    exam: int,
    findings: str,
    impression: str,
    prefix: str,
    images: list[dict[str, Any]] | None = None,
) -> int:
    """A resident writes, an attending signs; the number of the report."""
    resident, attending = ward.account(f"{prefix}-res", Role.RES), ward.account(f"{prefix}-att", Role.ATT)

    def post(client: httpx.Client, path: str, **body: Any) -> dict[str, Any]:
        answer = client.post(path, json=body)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return dict(answer.json())

    claimed = post(resident, f"/exams/{exam}/claim")
    report = int(claimed["id"])
    text = {"findings": findings, "impression": impression, "result": "positive", "images": images or []}
    sent = post(resident, f"/reports/{report}/submit", changes=claimed["changes"], content=text)
    refused = resident.post(f"/reports/{report}/review", json={"changes": sent["changes"]})
    assert refused.status_code == 403
    begun = post(attending, f"/reports/{report}/review", changes=sent["changes"])
    wrong = attending.post(
        f"/reports/{report}/sign", json={"changes": begun["changes"], "password": "not this one"}
    )
    assert wrong.status_code == 400 and wrong.json()["code"] == "wrong-password"
    post(attending, f"/reports/{report}/sign", changes=begun["changes"], password=PASSWORD)
    return report


async def examine(
    ward: Ward, folder: Path, number: str, exam: int, count: int, *, aet: str
) -> tuple[Dataset, list[str]]:
    """The device's part: worklist, performed step, images; until all is there. (answer of the worklist, objects)."""
    port = ward.server.dicom_port
    (answer,) = await console.worklist(port, folder / "worklist", f"AccessionNumber={number}", aet=aet)
    step = generate_uid()
    assert (await console.tell(port, step, console.begun(answer, aet=aet), create=True, aet=aet)).Status == 0
    series_uid, uids = acquired(folder / "images", answer, count)
    sent = await asyncio.to_thread(peers.storescu, port, folder / "images", aet=aet)
    assert peers.stored(sent) == count
    ended = await console.tell(port, step, console.ended("COMPLETED", {series_uid: uids}), aet=aet)
    assert ended.Status == 0
    await asyncio.to_thread(ward.reach, exam, "E60")
    return answer, uids


async def test_an_outpatient_from_order_to_report(ward: Ward, tmp_path: Path) -> None:
    """Scenario 1: ordered, registered under an M number, worklist, MPPS, images, verified, written, signed, printed."""
    port = ward.server.dicom_port
    with writing(ward.engine) as connection:
        person = ward.desk.person(connection, "㐂𠮷龘", name_alphabetic="XI^JIDA")
        order, (asked,) = orders.order(
            connection, NewOrder(person=person.id, diagnosis="头痛"), (Wanted("CT-HEAD"),),
            ward.desk.acting("REG"), people.DESK.settings,
        )  # fmt: skip
        arrival = registration.Arrival(visit_number="V77", station="CT1", identity=Shown("two-identifiers"))
        exam = registration.register(connection, asked.id, ward.desk.acting("REG"), people.DESK, arrival)
    assert exam.number.startswith("M") and order.diagnosis == "头痛"
    begun = time.monotonic()
    (answer,) = await console.worklist(port, tmp_path / "worklist", f"AccessionNumber={exam.number}")
    assert time.monotonic() - begun < 10 and str(answer.PatientName).endswith("=㐂^𠮷龘")
    step = generate_uid()
    told = await console.tell(port, step, console.begun(answer), create=True)
    assert told.Status == 0 and ward.state(exam.id) == "E40"
    series_uid, uids = acquired(tmp_path / "images", answer, 5)
    sent = await asyncio.to_thread(peers.storescu, port, tmp_path / "images", aet="CT1")
    assert peers.stored(sent) == 5
    told = await console.tell(port, step, console.ended("COMPLETED", {series_uid: uids}))
    assert told.Status == 0
    await asyncio.to_thread(ward.reach, exam.id, "E60")
    report = await asyncio.to_thread(
        write_and_sign, ward, exam.id, "左侧基底节区高密度影。", "脑出血。", "outpatient"
    )
    assert ward.state(exam.id) == "E90"
    clerk = ward.account("outpatient-flm", Role.FLM)
    pdf = await asyncio.to_thread(clerk.get, f"/reports/{report}/pdf")
    (tmp_path / "report.pdf").write_bytes(pdf.content)
    words = peers.run("pdftotext", tmp_path / "report.pdf", "-").output
    assert "㐂𠮷龘" in words.replace("\n", "") and "脑出血" in words and exam.number in words


async def test_an_inpatient_whose_device_knows_no_worklist(ward: Ward, tmp_path: Path) -> None:
    """Scenario 2: ultrasound of an inpatient under a Z number; started and finished by hand, nine objects sent under
    number and ID alone, a report with pictures on paper."""
    port = ward.server.dicom_port
    technologist = ward.desk.acting("TEC")
    with writing(ward.engine) as connection:
        person = ward.desk.person(connection, "钱学礼", name_alphabetic="QIAN^XUELI")
        new = NewOrder(person=person.id, patient_class="I", admission_number="ZY55")
        arrival = registration.Arrival(station="US1", identity=Shown("wristband", "ZY55"))
        _, (exam,) = registration.walk_in(
            connection, new, (Wanted("US-ABD"),), ward.desk.acting("REG"), people.DESK, arrival
        )
        execution.start(connection, exam.id, technologist, people.DESK)
    assert exam.number.startswith("Z")
    # what was typed at the machine: no study of ours
    told = Dataset()
    told.PatientName, told.PatientID, told.AccessionNumber = "QIAN^XUELI", person.patient_id, exam.number
    told.StudyInstanceUID = generate_uid()
    series_uid, uids = acquired(tmp_path / "images", told, 9)
    await asyncio.to_thread(peers.storescu, port, tmp_path / "images", aet="US1")

    def arriving() -> bool:
        with reading(ward.engine) as connection:
            return exams.get(connection, exam.id).images != "none"

    await asyncio.to_thread(peers.eventually, arriving, "images that found their exam", 60)
    with writing(ward.engine) as connection:
        execution.finish(connection, exam.id, technologist, count=9)
    await asyncio.to_thread(ward.reach, exam.id, "E60")
    pictures = [
        {
            "study_uid": str(told.StudyInstanceUID),
            "series_uid": series_uid,
            "sop_uid": uid,
            "caption": f"图{at}",
        }
        for at, uid in enumerate(uids[:2], 1)
    ]
    report = await asyncio.to_thread(
        write_and_sign, ward, exam.id, "胆囊内见强回声。", "胆囊结石。", "inpatient", pictures
    )
    clerk = ward.account("inpatient-flm", Role.FLM)
    pdf = await asyncio.to_thread(clerk.get, f"/reports/{report}/pdf")
    (tmp_path / "report.pdf").write_bytes(pdf.content)
    listed = peers.run("pdfimages", "-list", tmp_path / "report.pdf").output
    assert len([line for line in listed.splitlines() if " image " in line]) >= 2, listed
    words = peers.run("pdftotext", tmp_path / "report.pdf", "-").output
    assert "胆囊结石" in words and exam.number in words and "图2" in words


async def test_an_emergency_that_has_a_name_in_the_end(ward: Ward, tmp_path: Path) -> None:
    """Scenario 3: an L number at once, first on the worklist; matched to an inpatient: found under both numbers, images
    under the new identity with the old one recorded; undone."""
    port = ward.server.dicom_port
    begun = time.monotonic()
    with writing(ward.engine) as connection:
        _, exam = registration.green_channel(
            connection, ward.desk.acting("TRI"), people.DESK, procedure="CT-HEAD", station="CT2", sex="M"
        )
    (answer,) = await console.worklist(
        port, tmp_path / "worklist", f"AccessionNumber={exam.number}", aet="CT2"
    )
    assert time.monotonic() - begun < 10 and exam.number.startswith("L") and exam.stat
    step = generate_uid()
    assert (
        await console.tell(port, step, console.begun(answer, aet="CT2"), create=True, aet="CT2")
    ).Status == 0
    series_uid, uids = acquired(tmp_path / "images", answer, 3)
    await asyncio.to_thread(peers.storescu, port, tmp_path / "images", aet="CT2")
    await console.tell(port, step, console.ended("COMPLETED", {series_uid: uids}), aet="CT2")
    await asyncio.to_thread(ward.reach, exam.id, "E60")
    await asyncio.to_thread(write_and_sign, ward, exam.id, "颅内出血。", "颅内出血。", "emergency")

    with writing(ward.engine) as connection:
        known = ward.desk.person(connection, "王建国", name_alphabetic="WANG^JIANGUO")
        wish = matching.Match(
            person=known.id,
            letter="Z",
            admission_number="ZY9",
            checked=("name", "birth-date"),
            reason="家属确认",
        )
        entry = matching.match(connection, exam.id, wish, ward.desk.acting("REG"))
        matched = exams.get(connection, exam.id)
    assert matched.number.startswith("Z") and matched.study_uid == exam.study_uid

    def found(number: str) -> list[str]:
        keys = ("QueryRetrieveLevel=STUDY", f"AccessionNumber={number}", "StudyInstanceUID", "PatientID")
        return [one["(0010,0020)"] for one in peers.findscu(port, *keys, options=("-aet", "CT2"))]

    await asyncio.to_thread(
        peers.eventually,
        lambda: found(matched.number) == [known.patient_id],
        "images under the new number",
        60,
    )
    assert found(exam.number) == [known.patient_id], "the L number finds it too"
    taken = tmp_path / "taken"
    await asyncio.to_thread(
        peers.getscu, port, taken, "QueryRetrieveLevel=STUDY", f"StudyInstanceUID={exam.study_uid}"
    )
    images = [one for one in map(dcmread, sorted(taken.iterdir())) if one.Modality == "CT"]
    assert sorted(one.SOPInstanceUID for one in images) == sorted(uids)
    for one in images:
        assert (one.PatientID, one.AccessionNumber) == (known.patient_id, matched.number)
        assert one.OriginalAttributesSequence[-1].ModifiedAttributesSequence[0] is not None

    with writing(ward.engine) as connection:
        matching.unmatch(connection, entry.id, ward.desk.acting("PAD"), reason="认错了人")
    await asyncio.to_thread(
        peers.eventually, lambda: found(exam.number) == [str(answer.PatientID)], "as it was", 60
    )


def registered(ward: Ward, name: str, letters: str, **more: Any) -> tuple[int, exams.Exam]:
    """A new person at the desk, registered for a head: (person, exam)."""
    with writing(ward.engine) as connection:
        person = ward.desk.person(connection, name, name_alphabetic=letters, **more)
        new = NewOrder(person=person.id, visit_number=f"V{person.id}")
        arrival = registration.Arrival(station="CT1", identity=Shown("two-identifiers"))
        _, (exam,) = registration.walk_in(
            connection, new, (Wanted("CT-HEAD"),), ward.desk.acting("REG"), people.DESK, arrival
        )
    return person.id, exam


def studies_of(ward: Ward, patient_id: str) -> list[str]:
    keys = ("QueryRetrieveLevel=STUDY", f"PatientID={patient_id}", "StudyInstanceUID")
    found = peers.findscu(ward.server.dicom_port, *keys, options=("-aet", "CT1"))
    return sorted(one["(0020,000d)"] for one in found)


async def test_another_person_was_examined(ward: Ward, tmp_path: Path) -> None:
    """Scenario 5: found out after the report was printed: void by two, images hidden, the copy is asked back, no figure
    counts it."""
    person, exam = registered(ward, "冒小名", "MAO^XIAOMING")
    answer, _ = await examine(ward, tmp_path, exam.number, exam.id, 2, aet="CT1")
    report = await asyncio.to_thread(write_and_sign, ward, exam.id, "未见异常。", "未见异常。", "fraud")
    clerk = ward.account("fraud-flm", Role.FLM)
    printed = await asyncio.to_thread(clerk.post, f"/reports/{report}/print", json={"kind": "print"})
    assert printed.status_code == 201, printed.text
    assert studies_of(ward, str(answer.PatientID)) == [exam.study_uid]

    chief, steward = people.principal("CHF"), people.principal("PAD")
    with writing(ward.engine) as connection:
        with pytest.raises(Refused):
            voiding.void(
                connection, exam.id, Acting(chief, ward.trail), chief, code="SUBSTITUTION", reason="x"
            )
        voiding.void(
            connection, exam.id, Acting(chief, ward.trail), steward, code="SUBSTITUTION", reason="照片不符"
        )
    await asyncio.to_thread(
        peers.eventually, lambda: studies_of(ward, str(answer.PatientID)) == [], "the images are hidden", 60
    )

    def withdrawn() -> bool:
        with reading(ward.engine) as connection:
            row = connection.execute(select(reports.c.released).where(reports.c.id == report)).one()
            copy = connection.execute(select(deliveries.c.status).where(deliveries.c.report == report)).one()
        return row.released == 0 and copy.status == "recalled"

    await asyncio.to_thread(peers.eventually, withdrawn, "the report is withdrawn, its copy recalled", 60)
    director = ward.account("fraud-chf", Role.CHF)
    today = datetime.now().astimezone().date()
    period = {"begin": str(today - timedelta(days=1)), "end": str(today + timedelta(days=1))}
    question = {**period, "indicators": ["exams"], "indicator": "exams"}
    behind = (await asyncio.to_thread(director.post, "/statistics/exams", json=question)).json()
    assert exam.id not in [one["exam"] for one in behind["exams"]]
    assert person


async def test_one_person_under_two_numbers(ward: Ward, tmp_path: Path) -> None:
    """Scenario 7: two registrars, two IDs, one human being; merged and unmerged, and right at each step."""
    people_and_exams = [
        registered(ward, "张小双", "ZHANG^XIAOSHUANG", birth_date="19800101") for _ in range(2)
    ]
    (first, one), (second, other) = people_and_exams
    answers = [
        (await examine(ward, tmp_path / exam.number, exam.number, exam.id, 1, aet="CT1"))[0]
        for _, exam in people_and_exams
    ]
    survivor, subsumed = (str(answer.PatientID) for answer in answers)
    assert (studies_of(ward, survivor), studies_of(ward, subsumed)) == ([one.study_uid], [other.study_uid])
    with writing(ward.engine) as connection:
        entry = merging.merge(connection, first, second, ward.desk.acting("PAD"), reason="同一患者")
        assert exams.get(connection, other.id).person == first
    both = sorted([one.study_uid, other.study_uid])
    await asyncio.to_thread(
        peers.eventually, lambda: studies_of(ward, survivor) == both, "both under the survivor", 60
    )
    assert studies_of(ward, subsumed) == []
    with writing(ward.engine) as connection:
        merging.unmerge(connection, entry.id, ward.desk.acting("PAD"), reason="不是同一人")
        assert exams.get(connection, other.id).person == second
    await asyncio.to_thread(
        peers.eventually, lambda: studies_of(ward, subsumed) == [other.study_uid], "as they were", 60
    )
    assert studies_of(ward, survivor) == [one.study_uid]


async def test_the_wrong_entry_was_chosen(ward: Ward, tmp_path: Path) -> None:
    """Scenario 6: the console took another patient's entry and stopped with 110514: a task; a steward moves the images
    to whom they are of: copies under new UIDs, a note 113038, and the archive that had got them is sent both."""
    port = ward.server.dicom_port
    _, chosen = registered(ward, "误选", "WU^XUAN")
    lain, meant = registered(ward, "实查", "SHI^CHA")
    (answer,) = await console.worklist(port, tmp_path / "worklist", f"AccessionNumber={chosen.number}")
    step = generate_uid()
    await console.tell(port, step, console.begun(answer), create=True)
    series_uid, uids = acquired(tmp_path / "images", answer, 2)
    await asyncio.to_thread(peers.storescu, port, tmp_path / "images", aet="CT1")
    ended = console.ended("DISCONTINUED", {series_uid: uids}, reason="110514")
    assert (await console.tell(port, step, ended)).Status == 0

    def task() -> bool:
        with reading(ward.engine) as connection:
            found = tasks.open_tasks(connection, exam=chosen.id)
        return [one.kind for one in found] == ["wrong-worklist-entry"]

    await asyncio.to_thread(peers.eventually, task, "a task", 60)
    await asyncio.to_thread(
        peers.eventually, lambda: studies_of(ward, str(answer.PatientID)) == [chosen.study_uid], "stored", 60
    )
    steward = ward.account("wrong-entry-pad", Role.PAD)
    downstream = tmp_path / "downstream"
    with peers.storescp(downstream, aet="SECOND") as receiver:
        ward.server.add_device("SECOND", receiver.port)
        sent = await asyncio.to_thread(
            steward.post, f"/studies/{chosen.study_uid}/send", json={"device": "SECOND"}
        )
        assert sent.status_code == 202, sent.text
        await asyncio.to_thread(peers.eventually, lambda: len(list(downstream.iterdir())) == 2, "sent", 60)
        await _moved(ward, steward, chosen, meant, lain, uids, answer, tmp_path)


async def _moved(
    ward: Ward,
    steward: httpx.Client,
    chosen: exams.Exam,
    meant: exams.Exam,
    lain: int,
    uids: list[str],
    answer: Dataset,
    tmp_path: Path,
) -> None:
    port, downstream = ward.server.dicom_port, tmp_path / "downstream"
    page = await asyncio.to_thread(steward.get, f"/exams/{chosen.id}/move-images")
    assert [one["images"] for one in page.json()["series"]] == [2]
    assert meant.id in [one["exam"]["id"] for one in page.json()["candidates"]]
    body = {"study_uid": chosen.study_uid, "to": meant.id, "reason": "技师选错了条目"}
    moved = await asyncio.to_thread(steward.post, f"/exams/{chosen.id}/move-images", json=body)
    assert moved.status_code == 200, moved.text
    with reading(ward.engine) as connection:
        person = persons.get(connection, lain)
    await asyncio.to_thread(
        peers.eventually, lambda: studies_of(ward, person.patient_id) == [meant.study_uid], "moved", 60
    )
    assert studies_of(ward, str(answer.PatientID)) == []
    taken = tmp_path / "taken"
    await asyncio.to_thread(
        peers.getscu, port, taken, "QueryRetrieveLevel=STUDY", f"StudyInstanceUID={meant.study_uid}"
    )
    copies = [dcmread(one) for one in sorted(taken.iterdir())]
    assert len(copies) == 2 and not {str(one.SOPInstanceUID) for one in copies} & set(uids)
    for one in copies:
        assert (one.PatientID, one.AccessionNumber) == (person.patient_id, meant.number)
        assert str(one.PatientName).endswith("实^查") and one.OriginalAttributesSequence

    def told() -> bool:
        with reading(ward.engine) as connection:
            return not tasks.open_tasks(connection, kinds=("wrong-worklist-entry",), exam=chosen.id)

    await asyncio.to_thread(peers.eventually, told, "the task is closed", 60)
    # the archive that had got them is told: the note of the rejection, and the copies
    await asyncio.to_thread(peers.eventually, lambda: len(list(downstream.iterdir())) == 5, "downstream", 60)
    came = [dcmread(one) for one in downstream.iterdir()]
    (note,) = [one for one in came if one.Modality == "KO"]
    assert note.ConceptNameCodeSequence[0].CodeValue == "113038"
    (evidence,) = note.CurrentRequestedProcedureEvidenceSequence
    named = [
        one.ReferencedSOPInstanceUID for one in evidence.ReferencedSeriesSequence[0].ReferencedSOPSequence
    ]
    assert sorted(map(str, named)) == sorted(uids)
    assert {str(one.SOPInstanceUID) for one in copies} <= {str(one.SOPInstanceUID) for one in came}
