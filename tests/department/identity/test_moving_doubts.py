"""Moves of images that are cut off, undone half-way, moved on, or whose exam turns out to be void."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, update
from tests.department.hospital import DESK, Hospital
from tests.department.identity.conftest import Send
from tests.department.identity.test_identity import leaves_as, of_worklist, registered
from tests.department.identity.test_moving import images_of
from tests.trails import entries

from filmless.access.audit.model import Entry as AuditEntry
from filmless.access.audit.model import Kind as AuditKind
from filmless.archive import reject
from filmless.archive.store import Archive
from filmless.archive.tables import quarantine
from filmless.db import events
from filmless.db.work import reading, writing
from filmless.department import execution, registration, tasks
from filmless.department.exams import Exam
from filmless.department.identity import following, journal, moving, voiding
from filmless.department.identity.alone import alone
from filmless.department.identity.following import Follower
from filmless.department.identity.journal import Entry
from filmless.department.identity.moving import deciding, settling
from filmless.department.identity_check import Shown
from filmless.department.registration import Arrival
from filmless.kit.errors import Conflict, Unavailable
from filmless.patients.persons import Person
from filmless.patients.tables import persons


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

    def entry(self, entry: Entry) -> Entry:
        with reading(self.engine) as connection:
            return journal.get(connection, entry.id)

    def worker(self) -> Follower:
        return Follower(
            self.engine, self.archive.root, self.hospital.trail, lambda: nullcontext(self.archive)
        )

    def follow(self) -> None:
        worker = self.worker()
        while worker.run_once():
            pass

    def tasks(self) -> list[tuple[str, str]]:
        """Of a steward."""
        with reading(self.engine) as connection:
            found = tasks.open_tasks(connection, kinds=("moved-images",))
        return [(one.kind, one.body["why"]) for one in found]

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


def test_undone_while_it_is_copied(moved: Moving, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = moved.move(*moved.begin("误选", "实查"))
    really = reject.reject

    def undone_just_before(*given: Any, **more: Any) -> Any:
        monkeypatch.setattr(reject, "reject", really)
        moved.undo(entry)
        return really(*given, **more)

    monkeypatch.setattr(reject, "reject", undone_just_before)
    moved.settle(entry)
    assert not moved.entry(entry).body["settled"], "the undoing is still to be followed"
    moved.settle(entry)
    assert moved.seen() == [2, 0] and moved.entry(entry).body["settled"]
    # undone before anything is rejected: nothing is
    again = moved.move(*moved.exams)
    copy = settling._copy

    def undone_at_the_first(*given: Any) -> None:
        monkeypatch.setattr(settling, "_copy", copy)
        moved.undo(again)
        copy(*given)

    monkeypatch.setattr(settling, "_copy", undone_at_the_first)
    monkeypatch.setattr(settling, "_THREADS", 1)
    assert moved.settle(again) == 0
    assert moved.seen()[0] == 2
    moved.settle(again)
    assert moved.seen() == [2, 0]


def test_what_was_moved_on_goes_back_in_order(moved: Moving) -> None:
    first, second, third = moved.begin("甲甲", "乙乙", "丙丙")
    one = moved.move(first, second)
    # not twice, and not elsewhere before that is undone
    for after in (second, third):
        with pytest.raises(Conflict) as caught:
            moved.move(first, after)
        assert caught.value.code == "moved"
    moved.settle(one)
    on = moved.move(second, third)
    moved.settle(on)
    with pytest.raises(Conflict) as caught:
        moved.undo(one)
    assert caught.value.code == "moved-on" and moved.seen() == [0, 0, 2]
    moved.undo(on)
    moved.settle(on)
    moved.undo(one)
    with pytest.raises(Conflict) as caught:
        moved.move(second, third)
    assert caught.value.code == "moved", "the copies are about to go"
    moved.settle(one)
    assert moved.seen() == [2, 0, 0]
    moved.settle(moved.move(first, third))
    assert moved.seen() == [0, 0, 2]


def test_too_many_are_refused_before_they_are_moved(moved: Moving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "_MOST", 1)
    first, second = moved.begin("误选", "实查")
    with pytest.raises(Conflict) as caught:
        moved.move(first, second)
    assert caught.value.code == "too-many-objects"


def test_cut_off_and_the_person_changed_before_it_goes_on(
    moved: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, right = moved.begin("误选", "实查", images=3)
    entry = moved.move(*moved.exams)
    really, left = moved.archive.store_blocking, [2]

    def full(*given: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        return really(*given)

    monkeypatch.setattr(moved.archive, "store_blocking", full)
    with pytest.raises(Unavailable):
        moved.settle(entry)
    monkeypatch.setattr(following, "_AGAIN", timedelta(0))
    moved.worker().watch_once()
    assert moved.tasks() == [("moved-images", "waiting")]
    monkeypatch.setattr(moved.archive, "store_blocking", really)
    with writing(moved.engine) as connection:
        of_him = persons.c.id == right.person
        connection.execute(update(persons).where(of_him).values(birth_date="19700102"))
    moved.worker().watch_once()
    assert moved.seen() == [0, 3] and moved.tasks() == []
    with reading(moved.engine) as connection:
        assert not connection.execute(select(quarantine.c.id)).all()


def test_a_crash_after_the_rejection_loses_neither_event_nor_audit(
    moved: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved.begin("误选", "实查")
    entry = moved.move(*moved.exams)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    for count in (1, 2):
        # the second time: what came late
        with monkeypatch.context() as patch:
            patch.setattr(settling, "_followed", crash)
            with pytest.raises(KeyboardInterrupt):
                moved.settle(entry)
        moved.settle(entry)
        moved.settle(entry)
        with reading(moved.engine) as connection:
            told = [one.body["notes"] for one in events.after(connection, 0, kinds=("images-moved",))]
        assert [len(one) for one in told] == [1] * count and len({one[0] for one in told}) == count
        audited = [one.body for one in entries(moved.engine) if one.body.get("what") == "images moved"]
        assert [one["detail"]["objects"] for one in audited] == [2, 1][:count]
        moved.send()
    with reading(moved.engine) as connection:
        assert moving.late(connection, moved.exams[0].study_uid) == [entry.id]


def test_the_exam_moved_to_becomes_void(moved: Moving) -> None:
    wrong, right = moved.begin("误选", "实查")
    entry = moved.move(wrong, right)
    moved.settle(entry)
    with writing(moved.engine) as connection:
        second = moved.hospital.acting("CHF").who
        voiding.void(connection, right.id, moved.steward, second, code="TEST", reason="a wrong exam")
    moved.follow()
    assert moved.tasks() == [("moved-images", "void")]
    # what comes now stays where somebody sees it
    moved.send()
    moved.follow()
    assert moved.settle(entry) == 0 and moved.seen() == [1, 0]
    moved.undo(entry)
    moved.settle(entry)
    moved.follow()
    assert moved.seen() == [3, 0] and moved.tasks() == []


def test_the_exam_moved_to_is_cancelled_and_goes_on(moved: Moving) -> None:
    wrong, right = moved.begin("误选", "实查")
    moved.settle(moved.move(wrong, right))
    desk, technologist = moved.hospital.acting("REG"), moved.hospital.acting("TEC")
    with writing(moved.engine) as connection:
        execution.discontinue(connection, right.id, technologist, code="110505")
        execution.change(connection, right.id, "T34", technologist, reason="again")
        registration.cancel(connection, right.id, desk, code="PATIENT")
    moved.follow()
    assert moved.tasks() == [("moved-images", "void")]
    with writing(moved.engine) as connection:
        registration.register(connection, right.id, desk, DESK, Arrival(identity=Shown("two-identifiers")))
    moved.follow()
    assert moved.tasks() == []


def test_what_is_in_use_under_both_exams_is_a_task(moved: Moving) -> None:
    moved.begin("误选", "实查")
    entry = moved.move(*moved.exams)
    moved.settle(entry)
    moved.follow()
    with reading(moved.engine) as connection:
        [note] = reject.notes(connection)
    reject.revoke(moved.archive, note.note_uid, by="steward", reason="they are his")
    moved.follow()
    assert moved.seen() == [2, 2] and moved.tasks() == [("moved-images", "revoked")]
    # rejected there again, they are in use once
    uids = images_of(moved.archive, moved.exams[0].study_uid)
    reject.reject(
        moved.archive, moved.steward.who, code="113038", by="steward", reason="not his", sop_uids=uids
    )
    moved.follow()
    assert moved.seen() == [0, 2] and moved.tasks() == []
    # put back once more, and the move undone: as it was at first
    with reading(moved.engine) as connection:
        [again] = reject.notes(connection)
    reject.revoke(moved.archive, again.note_uid, by="steward", reason="they are his")
    moved.follow()
    assert moved.tasks() == [("moved-images", "revoked")]
    moved.undo(entry)
    moved.follow()
    assert moved.seen() == [2, 0] and moved.tasks() == []


def test_what_a_steward_put_back_stays(moved: Moving) -> None:
    moved.begin("误选", "实查")
    entry = moved.move(*moved.exams)
    moved.settle(entry)
    with reading(moved.engine) as connection:
        [note] = reject.notes(connection)
    reject.revoke(moved.archive, note.note_uid, by="steward", reason="they are his")
    moved.send()
    moved.follow()
    assert moved.seen() == [2, 3]


def test_undone_after_copies_left_they_are_called_back(moved: Moving) -> None:
    _, right = moved.begin("误选", "实查")
    entry = moved.move(*moved.exams)
    moved.settle(entry)
    acting = moved.steward
    acting.trail.record(
        AuditEntry(AuditKind.SEND, acting.who, studies=(right.study_uid,), detail={"destination": "REGIONAL"})
    )
    acting.trail.flush()
    moved.undo(entry)
    with reading(moved.engine) as connection:
        [task] = tasks.open_tasks(connection, kinds=("recall",))
    assert (task.exam, task.body["copies"]) == (right.id, 1)


def test_a_request_waits_only_so_long_for_another_move(moved: Moving) -> None:
    entry = moved.move(*moved.begin("误选", "实查"))
    with alone(moved.archive.root, "moves"):
        # those who correct studies do not wait for it
        with alone(moved.archive.root, seconds=0):
            pass
        with pytest.raises(Unavailable) as caught:
            moving.settle(moved.archive, moved.steward, entry.id, seconds=0)
    assert caught.value.code == "busy"
    assert moving.settle(moved.archive, moved.steward, entry.id, seconds=0) == 2
