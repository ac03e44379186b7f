"""What is asked before an exam stops it where it speaks against it, until somebody answers for that."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Connection, Engine, update
from tests.department.hospital import DESK, Hospital, outpatient

from filmless.access.acting import Acting
from filmless.access.model import device_principal
from filmless.db.work import reading, writing
from filmless.department import exams, execution, registration, safety, tasks
from filmless.department.beginning import begun
from filmless.department.exams import Exam, dangers
from filmless.department.identity_check import Shown
from filmless.department.orders import Wanted
from filmless.department.registration import Arrival
from filmless.department.states import State
from filmless.department.tables import orders, words
from filmless.department.worklist import keys
from filmless.department.worklist.items import of_exam
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused


def arrived(engine: Engine, hospital: Hospital, procedure: str, *, sex: str = "F", **more: object) -> Exam:
    """Somebody born in 1990, registered for a procedure."""
    with writing(engine) as connection:
        return arrived_at(connection, hospital, procedure, sex=sex, **more)


def arrived_at(
    connection: Connection, hospital: Hospital, procedure: str, *, sex: str = "F", **more: object
) -> Exam:
    desk = hospital.acting("REG")
    person = hospital.person(connection, "王芳", sex=sex, birth_date=str(more.pop("born", "19900101")))
    new = outpatient(person, f"V{person.id}", **more)  # type: ignore[arg-type]
    arrival = Arrival(identity=Shown("two-identifiers"))
    _, [exam] = registration.walk_in(connection, new, (Wanted(procedure),), desk, DESK, arrival)
    return exam


def codes(engine: Engine, exam: Exam) -> list[str]:
    with reading(engine) as connection:
        return [one.code for one in dangers.asked(connection, exams.get(connection, exam.id))]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_what_is_asked_depends_on_what_is_made_and_of_whom(engine: Engine, hospital: Hospital) -> None:
    assert codes(engine, arrived(engine, hospital, "CT-HEAD")) == ["pregnancy"]
    assert codes(engine, arrived(engine, hospital, "CT-HEAD", sex="M")) == []
    this_year = clock.now().astimezone().year
    # 55 until her birthday
    assert codes(engine, arrived(engine, hospital, "CT-HEAD", born=f"{this_year - 56}1231")) == ["pregnancy"]
    assert codes(engine, arrived(engine, hospital, "CT-HEAD", born=f"{this_year - 57}1231")) == []
    assert codes(engine, arrived(engine, hospital, "US-THYROID")) == []
    found = codes(engine, arrived(engine, hospital, "MR-BRAIN-C", sex="M"))
    assert found == ["pacemaker", "metal", "claustrophobia", "allergy", "kidneys", "prepared"]


def test_what_speaks_against_an_exam_stops_it(engine: Engine, hospital: Hospital) -> None:
    exam = arrived(engine, hospital, "CT-HEAD")
    nurse, technologist = hospital.acting("TRI"), hospital.acting("TEC")
    with writing(engine) as connection:
        with pytest.raises(Refused) as strange:
            safety.answer(connection, exam.id, nurse, answers={"pacemaker": "no"})
        assert strange.value.code == "bad-value"
        now = safety.answer(connection, exam.id, nurse, answers={"pregnancy": "unknown"}, note="BP 180/100")
        assert now.more["safety"]["state"] == "stop"
        with pytest.raises(Conflict) as stopped:
            execution.start(connection, exam.id, technologist, DESK)
        assert stopped.value.code == "safety-stop"
        safety.accept(connection, exam.id, technologist, reason="trauma, apron worn")
        assert execution.start(connection, exam.id, technologist, DESK).state is State.IN_PROGRESS
    with reading(engine) as connection:
        log = [one for one in exams.history(connection, exam.id) if one.what == "danger accepted"]
    assert [(one.by, one.reason, one.detail["dangers"]) for one in log] == [
        (technologist.who.name, "trauma, apron worn", ["pregnancy"])
    ]


def test_what_the_order_says_of_a_pregnancy_counts_until_it_is_asked(
    engine: Engine, hospital: Hospital
) -> None:
    exam = arrived(engine, hospital, "CT-HEAD", cautions={"pregnancy": "possible"})
    technologist = hospital.acting("TEC")
    with writing(engine) as connection:
        with pytest.raises(Conflict), connection.begin_nested():
            execution.start(connection, exam.id, technologist, DESK)
        safety.answer(connection, exam.id, technologist, answers={"pregnancy": "no"})
        assert execution.start(connection, exam.id, technologist, DESK).state is State.IN_PROGRESS
        # what is made is not asked about any more
        execution.finish(connection, exam.id, technologist, reason="a test")
        with pytest.raises(Conflict) as over:
            safety.answer(connection, exam.id, technologist, answers={})
        assert over.value.code == "wrong-state"


def test_a_class_may_ask_before_every_exam_and_a_device_is_not_stopped(
    engine: Engine, hospital: Hospital
) -> None:
    one, other = (arrived(engine, hospital, "CT-HEAD") for _ in range(2))
    technologist = hospital.acting("TEC")
    with writing(engine) as connection:
        of_class = (words.c.kind == "exam-class", words.c.code == "M")
        connection.execute(
            update(words)
            .where(*of_class)
            .values(more={"needs": "VN", "patient_class": "O", "safety": "required"})
        )
        with pytest.raises(Conflict) as unasked:
            execution.start(connection, one.id, technologist, DESK)
        assert unasked.value.code == "safety-unasked"
        safety.answer(connection, one.id, technologist, answers={"pregnancy": "no"})
        assert execution.start(connection, one.id, technologist, DESK).state is State.IN_PROGRESS
        # a device has begun already
        now = safety.answer(connection, other.id, hospital.acting("TRI"), answers={"pregnancy": "yes"})
        device = Acting(device_principal("CT1"), hospital.trail)
        begun(connection, now, device, "images", "a test")
        [task] = tasks.open_tasks(connection, kinds=("safety",))
        assert (task.exam, task.body["dangers"]) == (other.id, ["pregnancy"])
        safety.accept(connection, other.id, technologist, reason="known, in an emergency")
        assert not tasks.open_tasks(connection, kinds=("safety",))
        # nor does it pass unseen that a device began what nobody had asked about; asked now, the task is done with
        unasked = arrived_at(connection, hospital, "MR-BRAIN-C", sex="M")
        begun(connection, unasked, device, "images", "a test")
        [task] = tasks.open_tasks(connection, kinds=("safety",))
        assert task.body["dangers"] == [] and "pacemaker" in task.body["unasked"]
        answers = {one.code: "no" for one in dangers.asked(connection, unasked)}
        safety.answer(connection, unasked.id, technologist, answers={**answers, "metal": "yes"})
        [task] = tasks.open_tasks(connection, kinds=("safety",))
        assert (task.body["dangers"], task.body["unasked"]) == (["metal"], [])
        safety.answer(connection, unasked.id, technologist, answers=answers)
        assert not tasks.open_tasks(connection, kinds=("safety",))


def test_who_asked_does_not_answer_for_going_on(engine: Engine, hospital: Hospital) -> None:
    exam = arrived(engine, hospital, "CT-HEAD", cautions={"allergies": "peanuts"})
    technologist = hospital.acting("TEC")
    with writing(engine) as connection:
        before = safety.answer(connection, exam.id, technologist, answers={"pregnancy": "yes"})
        with pytest.raises(Conflict) as alone:
            safety.accept(connection, exam.id, technologist, reason="in a hurry")
        assert alone.value.code == "second-person"
        # two who write at once: the second has not seen the first
        safety.accept(connection, exam.id, hospital.acting("ATT"), reason="trauma", seen=before.changes)
        with pytest.raises(Conflict) as stale:
            safety.answer(connection, exam.id, technologist, answers={}, seen=before.changes)
        assert stale.value.code == "stale"


def test_what_was_said_counts_for_the_procedure_and_the_day(engine: Engine, hospital: Hospital) -> None:
    exam = arrived(engine, hospital, "CT-HEAD", cautions={"allergies": "contrast media, 2019"})
    nurse, technologist, desk = (hospital.acting(role) for role in ("TRI", "TEC", "REG"))
    with writing(engine) as connection:
        safety.answer(connection, exam.id, nurse, answers={"pregnancy": "yes"})
        safety.accept(connection, exam.id, technologist, reason="head only, apron")
        now = registration.change_procedure(connection, exam.id, Wanted("CT-ABD-C"), desk, DESK)
        assert dangers.state(now) == "stop"
        # the danger that the order tells of in words is one until somebody has asked
        assert dangers.stopping(now, dangers.asked(connection, now)) == ["pregnancy", "allergy"]
        no = {one.code: "yes" if one.code == "prepared" else "no" for one in dangers.asked(connection, now)}
        now = safety.answer(connection, exam.id, nurse, answers=no)
        assert dangers.state(now) == "clear" and all(one.answer for one in dangers.asked(connection, now))
        long_ago = {**now.more["safety"], "at": "2026-01-01T08:00:00+00:00"}
        old = replace(now, more={**now.more, "safety": long_ago})
        assert dangers.state(old) == ""
        assert {one.code: one.answer for one in dangers.asked(connection, old)} == {
            **dict.fromkeys(no, ""),
            "allergy": "unknown",
        }


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_the_device_is_told_what_was_asked(engine: Engine, hospital: Hospital) -> None:
    exam = arrived(engine, hospital, "MR-BRAIN", cautions={"pregnancy": "no", "other": "deaf"})
    answers = {"pregnancy": "unknown", "pacemaker": "no", "metal": "yes", "claustrophobia": "no"}
    with writing(engine) as connection:
        safety.answer(connection, exam.id, hospital.acting("TRI"), answers=answers)
        item = of_exam(connection, exam.id)
        assert item is not None
        assert (item[keys.PREGNANCY], item[keys.ALERTS].en) == (4, "metal in the body; deaf")
        # "no" counts for a day, metal until somebody asks again
        now = safety.answer(
            connection, exam.id, hospital.acting("TRI"), answers={**answers, "pregnancy": "no"}
        )
        exams.note(
            connection,
            exam.id,
            "a test",
            hospital.acting("TRI"),
            also={"more": {"safety": {**now.more["safety"], "at": "2026-01-01T08:00:00+00:00"}}},
        )
        connection.execute(update(orders).values(cautions={"pregnancy": "yes"}))
        item = of_exam(connection, exam.id)
        assert item is not None
        assert (item[keys.PREGNANCY], item[keys.ALERTS].en) == (3, "metal in the body")


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_the_green_channel_is_not_stopped(engine: Engine, hospital: Hospital) -> None:
    with writing(engine) as connection:
        _, exam = registration.green_channel(connection, hospital.acting("TRI"), DESK, procedure="CT-HEAD")
        safety.answer(connection, exam.id, hospital.acting("TRI"), answers={"pregnancy": "unknown"})
        started = execution.start(connection, exam.id, hospital.acting("TEC"), DESK)
    assert started.state is State.IN_PROGRESS
