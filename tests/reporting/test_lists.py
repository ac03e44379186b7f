"""Reading lists, the next case, timelines, what a viewer is told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from tests.access.conftest import one_database
from tests.reporting.conftest import Room, done
from tests.reporting.test_reports import TEXT, signed

from filmless.access.model import Scope
from filmless.kit import clock


def numbers(answer: dict[str, list[dict[str, int]]]) -> list[int]:
    return [one["id"] for one in answer["items"]]


def test_lists_are_sorted_filtered_and_paged(room: Room) -> None:
    now = clock.now()
    late = room.exam(name="李娜", due_at=now - timedelta(hours=1), modality="MR", body_part="HEAD")
    soon = room.exam(name="王小东", due_at=now + timedelta(hours=1))
    whenever = room.exam(name="张三丰", due_at=None, procedure="CT-CHEST", body_part="CHEST")
    urgent = room.exam(name="赵云", due_at=now + timedelta(hours=5), stat=True)
    room.exam(state="E50")
    reader = room.browser("reader", "RES")

    def ask(**wish: object) -> list[int]:
        return numbers(done(reader.post("/api/reading/list", json=wish)))

    assert ask() == [urgent, late, soon, whenever]
    assert ask(modalities=["MR"]) == [late]
    assert ask(overdue=True) == [late]
    assert ask(stat=True) == [urgent]
    assert ask(body_part="CHEST") == [whenever]
    for text, found in (
        ("王小东", soon),
        ("zhaoyun", urgent),
        ("zsf", whenever),
        ("M000001", late),
        ("m00", late),
    ):
        assert found in ask(text=text), text
    assert ask(text="%") == []
    first = done(reader.post("/api/reading/list", json={"limit": 3}))
    rest = done(reader.post("/api/reading/list", json={"limit": 3, "after": first["after"]}))
    assert numbers(first) + numbers(rest) == [urgent, late, soon, whenever]
    assert rest["after"] == ""
    assert reader.post("/api/reading/list", json={"after": "x"}).status_code == 400
    assert first["counts"] == {"to-read": 4, "mine": 0, "returned": 0, "to-review": 0, "signed": 0, "all": 5}
    # a grant's scope is in every query
    narrow = room.browser("narrow", "RES", scope=Scope(modalities=frozenset({"MR"})))
    assert numbers(done(narrow.post("/api/reading/list", json={}))) == [late]
    assert narrow.post(f"/api/exams/{soon}/claim", json={}).status_code == 404


@one_database
def test_a_report_is_found_by_its_words(room: Room) -> None:
    exam = room.exam()
    signed(room, exam)
    room.exam()
    reader = room.browser("resident")
    wish = {"queue": "all", "text": "基底节区脑出血"}
    assert numbers(done(reader.post("/api/reading/list", json=wish))) == [exam]


def test_many_take_the_next_case_and_each_gets_another_one(room: Room) -> None:
    wanted = {room.exam() for _ in range(4)}
    readers = [room.browser(f"reader{number}", "RES") for number in range(5)]
    with ThreadPoolExecutor(5) as pool:
        found = list(pool.map(lambda one: done(one.post("/api/reading/next", json={}))["exam"], readers))
    assert {one for one in found if one} == wanted
    assert found.count(None) == 1


def test_what_was_done_to_a_person(room: Room) -> None:
    first = room.exam(ward="N3", finished_at=clock.now() - timedelta(days=9))
    report = signed(room, first)
    attending = room.browser("attending")
    person = done(attending.get(f"/api/reports/{report['id']}"))["exams"][0]["person"]["id"]
    now = room.exam(person=person, ward="N3", finished_at=clock.now())
    strange = room.exam(person=person, ward="W9", modality="MR", finished_at=clock.now())
    doctor = room.browser("doctor", "CLI", wards=["N3"])
    told = done(doctor.get(f"/api/persons/{person}/timeline"))
    assert [one["exam"]["id"] for one in told["items"]] == [now, first]
    assert told["items"][0]["report"] is None
    assert told["items"][1]["report"]["final"]["content"]["impression"] == TEXT["impression"]
    assert [one["exam"]["id"] for one in done(attending.get(f"/api/persons/{person}/timeline"))["items"]] == [
        strange,
        now,
        first,
    ]
    assert room.browser("other", "CLI", wards=["X"]).get(f"/api/persons/{person}/timeline").status_code == 404
    # who writes the new one has the old one beside it
    resident = room.browser("resident")
    claimed = done(resident.post(f"/api/exams/{now}/claim", json={}))
    (prior,) = done(resident.get(f"/api/reports/{claimed['id']}"))["priors"]
    assert (prior["exam"], prior["final"]["content"]["findings"]) == (first, TEXT["findings"])
    warnings = done(resident.post(f"/api/reports/{claimed['id']}/check", json={"content": TEXT}))["warnings"]
    assert [one["code"] for one in warnings] == ["comparison"]
    uid = done(attending.get(f"/api/reports/{report['id']}"))["exams"][0]["study_uids"][0]
    (here,) = done(resident.get(f"/api/studies/{uid}/report-context"))["items"]
    assert (here["exam"]["id"], here["actions"]) == (first, ["open", "read"])
    assert done(doctor.get(f"/api/studies/{uid}/report-context"))["items"][0]["actions"] == ["read"]
    assert done(doctor.get("/api/studies/1.2.3/report-context")) == {"person": None, "items": []}
