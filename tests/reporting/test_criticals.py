"""Findings that cannot wait: told, read back, acted upon, closed; what nobody answers is escalated."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update
from tests.access.conftest import one_database
from tests.reporting.conftest import Room, code_of, done

from filmless.db.work import writing
from filmless.kit import clock
from filmless.reporting.tables import criticals, reports
from filmless.reporting.upkeep import Upkeep


def test_the_loop_is_closed_step_by_step(room: Room) -> None:
    exam = room.exam(ward="ICU")
    other = room.exam(ward="W2")
    resident = room.browser("resident", "RES")
    doctor = room.browser("doctor", "CLI", wards=["ICU"])
    stranger = room.browser("stranger", "CLI", wards=["W9"])
    kinds = {one["code"]: one for one in done(resident.get("/api/criticals/catalogue"))["findings"]}
    assert (kinds["ICH"]["finding_zh"], kinds["ICH"]["minutes"]) == ("颅内出血", 10)
    raised = done(resident.post(f"/api/exams/{exam}/criticals", json={"code": "ICH"}), 201)
    assert (raised["level"], raised["status"], raised["ward"]) == ("red", "raised", "ICU")
    again = resident.post(f"/api/exams/{exam}/criticals", json={"code": "ICH"})
    assert code_of(again) == (409, "raised-already")
    done(resident.post(f"/api/exams/{other}/criticals", json={"finding": "其他", "level": "yellow"}), 201)
    assert [one["id"] for one in done(doctor.post("/api/inbox", json={}))["criticals"]] == [raised["id"]]
    path = f"/api/criticals/{raised['id']}/steps"
    assert stranger.post(path, json={"what": "acknowledged", "words": "x"}).status_code == 404

    assert code_of(doctor.post(path, json={"what": "closed"})) == (409, "wrong-state")
    done(resident.post(path, json={"what": "notified", "channel": "phone", "receiver": "护士 李"}))
    assert code_of(doctor.post(path, json={"what": "acknowledged"})) == (400, "words-missing")
    told = done(doctor.post(path, json={"what": "acknowledged", "words": "左侧基底节区脑出血"}))
    assert told["allowed"] == ["actioned"]
    assert code_of(doctor.post(path, json={"what": "closed"})) == (409, "wrong-state")
    assert code_of(doctor.post(path, json={"what": "actioned", "words": " "})) == (400, "words-missing")
    done(doctor.post(path, json={"what": "actioned", "words": "请神经外科会诊"}))
    closed = done(doctor.post(path, json={"what": "closed"}))
    assert [one["what"] for one in closed["steps"]] == [
        "raised",
        "notified",
        "acknowledged",
        "actioned",
        "closed",
    ]
    assert done(doctor.post("/api/inbox", json={}))["criticals"] == []
    # it stays with the exam
    listed = done(resident.post("/api/criticals/list", json={"open": False, "exam": exam}))["criticals"]
    assert [(one["id"], one["status"], one["about"]["number"]) for one in listed] == [
        (raised["id"], "closed", "M000001")
    ]


def test_what_nobody_answers_is_escalated(room: Room) -> None:
    exam = room.exam()
    resident = room.browser("resident", "RES")
    raised = done(resident.post(f"/api/exams/{exam}/criticals", json={"code": "PE"}), 201)
    upkeep = Upkeep(room.engine, room.hospital.trail)
    assert upkeep.run_once() == 0
    with writing(room.engine) as connection:
        connection.execute(update(criticals).values(due_at=clock.now() - timedelta(minutes=1)))
    assert upkeep.run_once() == 1
    assert upkeep.run_once() == 0
    (one,) = done(resident.post("/api/criticals/list", json={}))["criticals"]
    assert (one["id"], one["escalations"], one["steps"][-1]["what"]) == (raised["id"], 1, "escalated")
    assert one["due_at"] > raised["due_at"]


@one_database
def test_a_claim_without_a_word_goes_back(room: Room) -> None:
    left, written = room.exam(), room.exam()
    resident, attending = room.browser("resident", "RES"), room.browser("attending", "ATT")
    done(resident.post(f"/api/exams/{left}/claim", json={}))
    kept = done(resident.post(f"/api/exams/{written}/claim", json={}))
    typed = {"changes": kept["changes"], "content": {"findings": "左"}}
    done(resident.put(f"/api/reports/{kept['id']}/scratch", json=typed))
    upkeep = Upkeep(room.engine, room.hospital.trail)
    assert upkeep.run_once() == 0
    with writing(room.engine) as connection:
        connection.execute(update(reports).values(locked_until=clock.now() - timedelta(seconds=1)))
    assert upkeep.run_once() == 1
    assert [room.state(left), room.state(written)] == ["E60", "E70"]
    # what is written stays with its author until the head takes it over, and is not lost then
    assert code_of(attending.post(f"/api/exams/{written}/claim", json={"force": True})) == (409, "claimed")
    head = room.browser("head", "CHF")
    taken = done(head.post(f"/api/exams/{written}/claim", json={"force": True}))
    assert done(head.get(f"/api/reports/{taken['id']}"))["content"]["findings"] == "左"
    stale = resident.post(f"/api/reports/{kept['id']}/heartbeat")
    assert code_of(stale) == (409, "not-yours")
