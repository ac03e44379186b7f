"""Reports follow their exams and persons: void exams, matches, late images; and several exams in one report."""

from __future__ import annotations

from sqlalchemy import update
from tests.access.conftest import one_database
from tests.reporting.conftest import Room, code_of, done
from tests.reporting.test_reports import TEXT, claim, do, signed

from filmless.db import events
from filmless.db.work import reading, writing
from filmless.department import tasks
from filmless.department.states import State
from filmless.department.tables import exam_numbers, exams
from filmless.kit import clock
from filmless.patients.tables import persons
from filmless.reporting.documents import Documents
from filmless.reporting.following import Follower
from filmless.reporting.signing import Keys
from filmless.reporting.verify import verify


@one_database
def test_the_report_of_a_void_exam_is_withdrawn(room: Room) -> None:
    exam = room.exam(ward="N3")
    report = signed(room, exam)["id"]
    doctor, clerk = room.browser("doctor", "CLI", wards=["N3"]), room.browser("clerk", "FLM")
    done(doctor.get(f"/api/reports/{report}"))
    done(clerk.post(f"/api/reports/{report}/print", json={}), 201)
    room.column(exam, state=State.VOID.value)
    with writing(room.engine) as connection:
        body = {"exam": exam, "state": State.VOID.value, "transition": "T31"}
        events.record(connection, [("exam-changed", body)])
    follower = Follower(room.engine, room.hospital.trail)
    while follower.run_once():
        pass
    assert doctor.get(f"/api/reports/{report}").status_code == 404
    assert [one["status"] for one in done(clerk.get(f"/api/reports/{report}/deliveries"))["deliveries"]] == [
        "recalled"
    ]
    (arrived,) = done(doctor.post("/api/inbox", json={}))["reports"]
    assert arrived["withdrawn"]
    shown = done(room.browser("attending").get(f"/api/reports/{report}"))
    assert (shown["status"], shown["allowed"]) == ("withdrawn", [])


@one_database
def test_a_matched_exam_is_printed_anew(room: Room, documents: Documents) -> None:
    exam = room.exam(name="无名氏", exam_class="L", number="L000001")
    report = signed(room, exam)["id"]
    assert documents.run_once() == 2
    # what a match writes (patients/, department/identity)
    with writing(room.engine) as connection:
        person = connection.execute(exams.select().where(exams.c.id == exam)).one().person
        connection.execute(
            update(persons)
            .where(persons.c.id == person)
            .values(name_ideographic="王^小东", name_alphabetic="Wang^Xiaodong", patient_id="P77")
        )
        connection.execute(update(exam_numbers).values(alias="matched"))
        connection.execute(
            exam_numbers.insert().values(number="Z000009", exam=exam, given_at=clock.now(), alias="")
        )
        connection.execute(update(exams).where(exams.c.id == exam).values(number="Z000009", exam_class="Z"))
        events.record(connection, [("exam-changed", {"exam": exam, "state": "E90", "transition": "T32"})])
    follower = Follower(room.engine, room.hospital.trail)
    while follower.run_once():
        pass
    attending = room.browser("attending")
    shown = done(attending.get(f"/api/reports/{report}"))
    assert [one["kind"] for one in shown["revisions"]] == ["submitted", "final", "identity"]
    assert shown["released"] == 2
    assert all(one["holds"] for one in shown["signatures"])
    assert documents.run_once() == 2
    # said once, and nothing was altered by it
    with writing(room.engine) as connection:
        events.record(connection, [("exam-changed", {"exam": exam, "state": "E90", "transition": "T32"})])
    while follower.run_once():
        pass
    assert done(attending.get(f"/api/reports/{report}"))["revision"] == 3
    with reading(room.engine) as connection:
        assert list(verify(connection, Keys(room.home / "keys"))) == []
    found = done(attending.post("/api/reading/list", json={"queue": "signed", "text": "L000001"}))["items"]
    assert [(one["number"], one["person"]["name"]) for one in found] == [("Z000009", "王小东")]


@one_database
def test_late_images_are_said_until_somebody_signs(room: Room) -> None:
    exam = room.exam()
    resident = room.browser("resident", "RES")
    report = claim(resident, exam)
    with writing(room.engine) as connection:
        tasks.raise_task(connection, "late-images", f"late-images:{exam}", exam=exam, body={"count": 3})
    warnings = done(resident.post(f"/api/reports/{report['id']}/check", json={"content": TEXT}))["warnings"]
    assert [(one["code"], one["words"]) for one in warnings] == [("late-images", "3")]
    signed(room, exam)
    with reading(room.engine) as connection:
        assert tasks.open_tasks(connection, exam=exam) == []


def test_one_report_of_two_exams(room: Room) -> None:
    first = room.exam()
    resident, attending = room.browser("resident", "RES"), room.browser("attending", "ATT")
    report = claim(resident, first)
    person = done(resident.get(f"/api/reports/{report['id']}"))["exams"][0]["person"]["id"]
    second = room.exam(person=person, procedure="CT-CHEST", procedure_zh="胸部CT平扫")
    stranger = room.exam()
    found = done(resident.get(f"/api/reports/{report['id']}/candidates"))["exams"]
    assert [one["id"] for one in found] == [second]
    wrong = {"changes": report["changes"], "exam": stranger}
    assert code_of(resident.post(f"/api/reports/{report['id']}/exams", json=wrong)) == (409, "other-person")
    report = do(resident, report, "exams", exam=second)
    assert room.state(second) == "E70"
    assert code_of(attending.post(f"/api/exams/{second}/claim", json={})) == (409, "claimed")
    report = do(resident, report, "exams/leave", exam=second)
    assert room.state(second) == "E60"
    report = do(resident, report, "exams", exam=second)
    signed(room, first)
    assert [room.state(one) for one in (first, second, stranger)] == ["E90", "E90", "E60"]
    told = done(attending.get(f"/api/persons/{person}/timeline"))["items"]
    assert {one["report"]["id"] for one in told} == {report["id"]}
