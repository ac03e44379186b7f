"""Moves of images that are cut off, undone half-way, moved on, or whose exam turns out to be void."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine
from tests.department.hospital import Hospital
from tests.department.identity.conftest import Send
from tests.department.identity.test_identity import leaves_as, of_worklist, registered
from tests.department.identity.test_moving import images_of

from filmless.archive.store import Archive
from filmless.db.work import writing
from filmless.department.exams import Exam
from filmless.department.identity import moving
from filmless.department.identity.journal import Entry
from filmless.patients.persons import Person


class Moving:
    """Exams of as many persons, images under the first."""

    def __init__(self, engine: Engine, hospital: Hospital, archive: Archive, send: Send) -> None:
        self.engine, self.hospital, self.archive, self._send = engine, hospital, archive, send
        self.steward = hospital.acting("PAD")
        self.people: list[Person] = []
        self.exams: list[Exam] = []

    def begin(self, *names: str, images: int = 2) -> list[Exam]:
        with writing(self.engine) as connection:
            self.people = [self.hospital.person(connection, one) for one in names]
        self.exams = [registered(self.engine, self.hospital, one) for one in self.people]
        for _ in range(images):
            self.send()
        return self.exams

    def send(self, **more: object) -> str:
        return self._send(self.exams[0].study_uid, **of_worklist(self.people[0], self.exams[0], **more))

    def move(self, before: Exam, after: Exam) -> Entry:
        with writing(self.engine) as connection:
            wish = moving.Wish(before.study_uid, after.id, "wrong entry")
            return moving.move(connection, wish, self.steward)

    def undo(self, entry: Entry) -> Entry:
        with writing(self.engine) as connection:
            return moving.unmove(connection, entry.id, self.steward, reason="it was right")

    def settle(self, entry: Entry) -> int:
        return moving.settle(self.archive, self.steward, entry.id)

    def seen(self) -> list[int]:
        """How many images of each exam are in use."""
        return [len(images_of(self.archive, one.study_uid)) for one in self.exams]


@pytest.fixture
def moved(engine: Engine, hospital: Hospital, archive: Archive, send: Send) -> Moving:
    return Moving(engine, hospital, archive, send)


def test_copies_tell_nothing_of_the_other_patient_and_request(moved: Moving) -> None:
    _, right = moved.begin("误选", "实查", images=0)
    other = {
        "OtherPatientNames": "XX^Wu", "PatientBirthName": "XX^Born", "PatientAddress": "XX Street",
        "PatientTelephoneNumbers": "XX138", "PatientMotherBirthName": "XX^M", "OtherPatientIDs": "XX1",
        "ReferringPhysicianName": "XX^Ref", "StudyDescription": "XX", "RequestedProcedureDescription": "XX",
        "PatientWeight": "99", "PatientSize": "1.99", "AdmittingDiagnosesDescription": "XX", "StudyID": "XX",
        "PatientBirthTime": "0101", "RequestingPhysician": "XX^Req", "RequestingService": "XX",
        "CurrentPatientLocation": "XX", "PatientState": "XX", "SpecialNeeds": "XX", "ServiceEpisodeID": "XX",
        "IssuerOfPatientID": "XX", "MedicalAlerts": "XX", "ClinicalTrialSubjectID": "XX",
        "ReasonForTheRequestedProcedure": "XX", "ScheduledProcedureStepDescription": "XX",
        "RequestedContrastAgent": "XX",
    }  # fmt: skip
    moved.send(**other, BodyPartExamined="HEAD", InstitutionName="Ours")
    assert moved.settle(moved.move(*moved.exams)) == 1
    [uid] = images_of(moved.archive, right.study_uid)
    copy = leaves_as(moved.archive, uid)
    before = copy.OriginalAttributesSequence[-1].ModifiedAttributesSequence[0]
    assert before.PatientWeight == 99 and before.StudyDescription == "XX", "what was there is kept"
    del copy.OriginalAttributesSequence
    told = [element for element in copy.iterall() if "XX" in str(element.value) or element.value == 99]
    assert not told
    for gone in ("PatientBirthTime", "PatientWeight", "PatientSize"):
        assert gone not in copy
    # what the worklist tells of the right exam, and what is the images' own
    assert (copy.StudyDescription, copy.StudyID) == (right.procedure_zh, right.number)
    assert copy.RequestAttributesSequence[0].ScheduledProcedureStepID
    assert "ReferringPhysicianName" in copy
    assert (copy.BodyPartExamined, copy.InstitutionName) == ("HEAD", "Ours")
