"""Images arrive in a real archive and exams go along: begun, verified, missing, late, nobody's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine, select
from tests.archive.conftest import Put, archive, ct, encoded, put  # noqa: F401 - fixtures
from tests.department.console import begun, ended
from tests.department.hospital import DESK, HEAD, Hospital, outpatient

from filmless.access.acting import Acting
from filmless.access.model import SYSTEM, device_principal
from filmless.archive import reject
from filmless.archive.commitment import record
from filmless.archive.model import Source
from filmless.archive.references import Reference
from filmless.archive.store import Archive
from filmless.archive.tables import studies
from filmless.db.work import reading, writing
from filmless.department import exams, images, registration, tasks, transfer
from filmless.department.arrivals import Arrivals
from filmless.department.exams import Exam
from filmless.department.identity_check import Shown
from filmless.department.model import DepartmentSettings
from filmless.department.performed import recording
from filmless.department.registration import Arrival
from filmless.department.tables import exam_studies
from filmless.dicom import json_model
from filmless.kit.errors import Conflict
from filmless.patients import persons
from filmless.patients.tables import patients

#: the rest runs on one database: what is compared here is the same on both
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
AT_ONCE = DepartmentSettings(transfer_seconds=0, quiet_seconds=0)


@dataclass
class Day:
    """One exam of a day, its device and what follows its images."""

    engine: Engine
    hospital: Hospital
    put: Put
    exam: Exam
    patient_id: str
    arrivals: Arrivals

    def images(self, *numbers: int, source: str = "CT1", **more: Any) -> list[str]:
        """The device sends these images; their UIDs."""
        uids = [f"{self.exam.study_uid}.{number}" for number in numbers]
        for uid in uids:
            values = {
                "StudyInstanceUID": self.exam.study_uid,
                "SeriesInstanceUID": f"{self.exam.study_uid}.0",
                "SOPInstanceUID": uid,
                "PatientID": self.patient_id,
                "IssuerOfPatientID": "H",
                "AccessionNumber": self.exam.number,
            }
            self.put(ct(**values | more), Source(source))
        self.follow()
        return uids

    def follow(self) -> None:
        while self.arrivals.run_once():
            pass

    def tell(self, uid: str, status: str, *made: int) -> None:
        """The device begins or ends a performed step."""
        acting = Acting(device_principal("CT1"), self.hospital.trail)
        if status == "IN PROGRESS":
            answer = ct(StudyInstanceUID=self.exam.study_uid, AccessionNumber=self.exam.number)
            answer.RequestedProcedureID = self.exam.number
            step = ct()
            step.ScheduledProcedureStepID = f"S{self.exam.id}-1"
            answer.ScheduledProcedureStepSequence = [step]
            answer.PatientID = self.patient_id
            data, keep = begun(answer), recording.create
        else:
            series = {f"{self.exam.study_uid}.0": [f"{self.exam.study_uid}.{one}" for one in made]}
            data, keep = ended(status, series), recording.change
        told = json_model.from_data_set(encoded(data), "1.2.840.10008.1.2.1")
        with writing(self.engine) as connection:
            keep(connection, uid, told, acting)
        self.follow()

    @property
    def now(self) -> Exam:
        with reading(self.engine) as connection:
            return exams.get(connection, self.exam.id)

    @property
    def state(self) -> tuple[str, str]:
        return self.now.state.value, self.now.images

    @property
    def tasks(self) -> list[str]:
        with reading(self.engine) as connection:
            return [task.kind for task in tasks.open_tasks(connection)]


@pytest.fixture
def day(engine: Engine, hospital: Hospital, put: Put) -> Day:  # noqa: F811
    with writing(engine) as connection:
        person = hospital.person(connection)
        arrival = Arrival(station="CT1", identity=Shown("two-identifiers"))
        order = outpatient(person, "V1", requested_by="cli", ward="")
        _, (exam,) = registration.walk_in(connection, order, HEAD, hospital.acting("REG"), DESK, arrival)
        patient_id = persons.get(connection, person.id).patient_id
    arrivals = Arrivals(engine, DepartmentSettings(), hospital.trail)
    return Day(engine, hospital, put, exam, patient_id, arrivals)


def test_all_images_come_and_it_is_ready_to_read(day: Day) -> None:
    day.tell("1.5.1", "IN PROGRESS")
    day.images(1, 2)
    assert day.state == ("E40", "arriving")
    day.tell("1.5.1", "COMPLETED", 1, 2, 3)
    assert day.state == ("E50", "arriving")
    day.images(3)
    assert day.state == ("E60", "complete")
    assert day.tasks == []
    with reading(day.engine) as connection:
        assert connection.scalars(select(exam_studies.c.by)).all() == ["uid"]
        last = exams.history(connection, day.exam.id)[-1]
        assert (last.transition, last.detail["expected"], last.source) == ("T13", 3, "images")


def test_missing_images_are_told_and_found(day: Day) -> None:
    day.arrivals = Arrivals(day.engine, AT_ONCE, day.hospital.trail)
    day.images(1)
    assert day.state == ("E40", "arriving"), "the first image begins an exam that nobody began"
    day.tell("1.5.1", "IN PROGRESS")
    day.tell("1.5.1", "COMPLETED", 1, 2, 3)
    day.arrivals.watch_once()
    assert (day.state, day.tasks) == (("E50", "mismatch"), ["images-missing"])
    with reading(day.engine) as connection:
        (task,) = tasks.open_tasks(connection)
        assert task.body["missing"] == [f"{day.exam.study_uid}.{one}" for one in (2, 3)]
    with writing(day.engine) as connection, pytest.raises(Conflict, match="Not all images"):
        transfer.verify(connection, day.exam.id, day.hospital.acting("TEC"))
    # it is sent again
    day.images(1, 2, 3)
    assert (day.state, day.tasks) == (("E60", "complete"), [])


@SQLITE
def test_without_a_word_from_the_device_a_technologist_counts(day: Day) -> None:
    day.images(1, 2)
    with writing(day.engine) as connection:
        exams.advance(connection, day.exam.id, "T11", day.hospital.acting("TEC"))
    day.follow()
    assert day.state == ("E50", "arriving")
    tec = day.hospital.acting("TEC")
    with writing(day.engine) as connection, pytest.raises(Conflict, match="Not all images"):
        transfer.verify(connection, day.exam.id, tec, count=3)
    with writing(day.engine) as connection:
        transfer.verify(connection, day.exam.id, tec, count=3, reason="the scout is not kept")
    assert day.state == ("E60", "mismatch")
    assert day.now.more["override"] == "the scout is not kept"
    # what is overridden stays verified when more comes
    day.images(3)
    assert day.state[0] == "E60"


def test_images_that_come_after_reading_began_are_told_to_the_reader(day: Day, archive: Archive) -> None:  # noqa: F811
    day.tell("1.5.1", "IN PROGRESS")
    made = day.images(1)
    day.tell("1.5.1", "COMPLETED", 1)
    with writing(day.engine) as connection:
        exams.advance(connection, day.exam.id, "T16", day.hospital.acting("RES"))
    day.images(2)
    day.images(3, 4)
    assert (day.state[0], day.tasks) == ("E70", ["late-images"])
    with reading(day.engine) as connection:
        assert tasks.open_tasks(connection)[0].body["count"] == 3
    reject.reject(archive, SYSTEM, code="113001", by="tec", reason="motion", sop_uids=made)
    day.follow()
    assert day.tasks == ["late-images", "images-rejected"]


@SQLITE
def test_what_a_device_asks_us_to_commit_to_is_expected(day: Day) -> None:
    sent = day.images(1, 2)
    asked = [Reference("1.2.840.10008.5.1.4.1.1.2", uid) for uid in (*sent, f"{day.exam.study_uid}.3")]
    with writing(day.engine) as connection:
        record.ask(connection, "provider", "CT1", "1.2.9", asked)
        exams.advance(connection, day.exam.id, "T11", day.hospital.acting("TEC"))
    day.follow()
    with reading(day.engine) as connection:
        check = transfer.compare(connection, exams.get(connection, day.exam.id))
    assert (check.known_by, check.expected, check.short) == ("commitment", 3, 1)
    assert day.state == ("E50", "arriving")
    day.images(3)
    assert day.state == ("E60", "complete")


@SQLITE
def test_rejected_for_safety_is_sent_back(day: Day, archive: Archive) -> None:  # noqa: F811
    day.tell("1.5.1", "IN PROGRESS")
    made = day.images(1)
    day.tell("1.5.1", "COMPLETED", 1)
    assert day.state == ("E60", "complete")
    reject.reject(archive, SYSTEM, code="113037", by="pad", reason="another patient", sop_uids=made)
    day.follow()
    assert day.state == ("E50", "rejected")


@SQLITE
@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"PatientID": "SOMEBODY"}, "patient"),
        ({"StudyInstanceUID": "1.4.4", "SeriesInstanceUID": "1.4.4.1", "AccessionNumber": "NONE"}, "unknown"),
    ],
)
def test_images_that_fit_no_exam_wait_in_the_tray(day: Day, values: dict[str, Any], why: str) -> None:
    day.images(1, **values)
    assert day.state == ("E30", "none")
    with reading(day.engine) as connection:
        (task,) = tasks.open_tasks(connection)
        assert (task.kind, task.body["why"]) == ("unmatched-images", why)


@SQLITE
def test_a_device_without_the_worklist_is_found_by_number(day: Day) -> None:
    day.images(1, StudyInstanceUID="1.4.5", SeriesInstanceUID="1.4.5.1")
    assert day.state == ("E40", "arriving")
    with reading(day.engine) as connection:
        assert [exam.id for exam in exams.of_study(connection, "1.4.5")] == [day.exam.id]


@SQLITE
def test_whose_row_it_is_where_several_patients_have_its_number(day: Day) -> None:
    with reading(day.engine) as connection:
        person = persons.get(connection, day.exam.person)
    name = {
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientName": f"{person.name_alphabetic}={person.name_ideographic}",
        "PatientBirthDate": person.birth_date,
    }

    def row() -> str:
        """A name and a birth date, of the row that is found."""
        with reading(day.engine) as connection:
            number = images.row_of(connection, day.exam, day.exam.study_uid)
            whose = select(patients).join(studies, studies.c.patient == patients.c.id)
            found = connection.execute(whose.where(studies.c.id == number)).one_or_none()
            assert bool(number) == (
                day.exam.study_uid in images.shared_numbers(connection, [day.exam.study_uid])
            )
        return f"{found.patient_id} {found.birth_date}" if found else ""

    day.images(1, **name)
    assert row() == ""
    day.images(2, PatientID="SOMEBODY", **name)
    assert row() == f"{day.patient_id} {person.birth_date}"
    # the same ID, and born on another day
    day.images(3, **name | {"PatientBirthDate": "19010101"})
    assert row() == f"{day.patient_id} {person.birth_date}"


@SQLITE
def test_what_comes_from_elsewhere_needs_no_exam(day: Day) -> None:
    day.images(1, source="OLDPACS", StudyInstanceUID="1.4.6", SeriesInstanceUID="1.4.6.1", AccessionNumber="")
    assert day.tasks == []
