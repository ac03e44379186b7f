"""With what an exam was made, what its maker says of the images, and who did not come."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, update
from tests.archive.conftest import archive, put  # noqa: F401 - fixtures
from tests.department.hospital import DESK, HEAD, Hospital, outpatient
from tests.department.test_arrivals import SQLITE, Day, day  # noqa: F401 - fixture

from filmless.db.work import reading, writing
from filmless.department import booking, exams, execution, made_with, orders, registration, transfer
from filmless.department.arrivals import Arrivals
from filmless.department.contradictions import contradictions, same_part
from filmless.department.identity_check import Shown
from filmless.department.made_with import Contrast, Dose
from filmless.department.model import DepartmentSettings
from filmless.department.no_shows import NoShows
from filmless.department.states import State
from filmless.department.tables import exams as exam_rows
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused

CHECKED = DepartmentSettings(self_check=True)


@SQLITE
def test_somebody_looks_at_the_images_before_they_are_read(day: Day) -> None:  # noqa: F811
    day.arrivals = Arrivals(day.engine, CHECKED, day.hospital.trail)
    tec = day.hospital.acting("TEC")
    day.tell("1.6.1", "IN PROGRESS")
    with writing(day.engine) as connection, pytest.raises(Conflict, match="Finish"):
        made_with.judge(connection, day.exam.id, tec, CHECKED, grade="A")
    day.images(1)
    day.tell("1.6.1", "COMPLETED", 1)
    assert day.state == ("E50", "complete"), "all is there, and nobody has looked"
    with writing(day.engine) as connection, pytest.raises(Conflict) as caught:
        transfer.verify(connection, day.exam.id, tec, CHECKED)
    assert caught.value.code == "self-check"
    with writing(day.engine) as connection:
        made_with.judge(connection, day.exam.id, tec, CHECKED, grade="waste", note="motion")
    day.images(1)
    assert day.state == ("E50", "complete"), "waste is not given to be read"
    with writing(day.engine) as connection:
        assert made_with.judge(connection, day.exam.id, tec, CHECKED, grade="B").state is State.VERIFIED
    said = day.now.more["quality"]
    assert (said["grade"], said["by"]) == ("B", tec.who.name)
    # images that are added ask for another look
    with writing(day.engine) as connection:
        execution.change(connection, day.exam.id, "T15", tec, reason="the neck too")
        exams.advance(connection, day.exam.id, "T11", tec)
    day.follow()
    assert day.state[0] == "E50" and transfer.unlooked(day.now)


@SQLITE
def test_what_a_person_sends_back_stays_until_there_is_something_new(day: Day) -> None:  # noqa: F811
    tec, settings = day.hospital.acting("TEC"), DepartmentSettings()
    day.images(1, 2)
    with writing(day.engine) as connection:
        execution.finish(connection, day.exam.id, tec, count=2)
    day.follow()
    assert day.state == ("E60", "complete")
    with writing(day.engine) as connection:
        execution.send_back(connection, day.exam.id, day.hospital.acting("RES"), reason="motion")
    day.follow()
    assert day.state == ("E50", "complete"), "its count is met as it was before: that is nothing new"
    day.images(3)
    assert day.state[0] == "E60"
    with writing(day.engine) as connection:
        with pytest.raises(Refused) as caught:
            made_with.judge(connection, day.exam.id, tec, settings, grade="waste")
        connection.rollback()
    assert caught.value.code == "reason-missing"
    with writing(day.engine) as connection:
        made_with.judge(connection, day.exam.id, tec, settings, grade="waste", note="blurred")
    day.follow()
    with reading(day.engine) as connection:
        last = exams.history(connection, day.exam.id)[-1]
    assert (day.state[0], last.transition, last.reason) == ("E50", "T14", "blurred")
    with writing(day.engine) as connection:
        assert made_with.judge(connection, day.exam.id, tec, settings, grade="B").state is State.VERIFIED
        execution.send_back(connection, day.exam.id, tec, reason="the neck is missing")
        assert transfer.verify(connection, day.exam.id, tec).state is State.VERIFIED
    assert "sent_back" not in day.now.more


@SQLITE
def test_two_who_write_at_once_keep_what_the_other_wrote(day: Day) -> None:  # noqa: F811
    tec = day.hospital.acting("TEC")
    day.images(1)
    seen = day.now.changes
    with writing(day.engine) as connection:
        made_with.record(connection, day.exam.id, tec, dose=Dose(dlp=780.0), seen=seen)
    with writing(day.engine) as connection:
        # as read before the other's was written
        noted = exams.note(connection, day.exam.id, "images counted", tec, also={"more": {"expected": 2}})
        assert noted.more == {"dose": {"dlp": 780.0}, "expected": 2}
        with pytest.raises(Conflict) as caught:
            exams.note(connection, day.exam.id, "looked at", tec, also={"more": {"dose": {}}}, seen=seen)
        assert caught.value.code == "stale"
        noted = exams.note(connection, day.exam.id, "images counted", tec, also={"more": {"expected": None}})
        assert noted.more == {"dose": {"dlp": 780.0}}


@SQLITE
def test_an_exam_with_contrast_is_finished_with_what_was_given(day: Day) -> None:  # noqa: F811
    tec = day.hospital.acting("TEC")
    with writing(day.engine) as connection:
        connection.execute(
            update(exam_rows).where(exam_rows.c.id == day.exam.id).values(procedure="CT-HEAD-C")
        )
        with pytest.raises(Conflict):
            made_with.record(connection, day.exam.id, tec, contrast=[])
    day.images(1)
    with writing(day.engine) as connection, pytest.raises(Conflict) as caught:
        execution.finish(connection, day.exam.id, tec)
    assert caught.value.code == "contrast-missing"
    with writing(day.engine) as connection:
        with pytest.raises(Refused):
            made_with.record(connection, day.exam.id, tec, contrast=[Contrast(" ", ml=-1)])
        given = [Contrast("碘海醇 350", "L7", 80.0, 3.5, "IV", "mild", note="荨麻疹")]
        made_with.record(connection, day.exam.id, tec, contrast=given, dose=Dose(ctdi=41.2, dlp=780.0))
        assert execution.finish(connection, day.exam.id, tec).state is State.ACQUIRED
        history = exams.history(connection, day.exam.id)
    assert day.now.more["contrast"][0]["agent"] == "碘海醇 350" and day.now.more["dose"] == {
        "ctdi": 41.2,
        "dlp": 780.0,
    }
    (noted,) = [one for one in history if one.what == "contrast and dose"]
    assert noted.detail["contrast"][0]["reaction"] == "mild"


@SQLITE
def test_what_does_not_agree_is_told(day: Day) -> None:  # noqa: F811
    with writing(day.engine) as connection:
        connection.execute(update(exam_rows).where(exam_rows.c.id == day.exam.id).values(side="L"))
    today = clock.now().astimezone()
    right = {"StudyDate": today.strftime("%Y%m%d"), "StudyTime": today.strftime("%H%M%S")}
    day.images(1, Laterality="L", BodyPartExamined="BRAIN", InstanceNumber=1, **right)
    with reading(day.engine) as connection:
        assert contradictions(connection, day.now) == []
    day.images(
        2, Laterality="R", BodyPartExamined="FOOT", InstanceNumber=1, SeriesInstanceUID="1.9.9", **right
    )
    day.images(3, InstanceNumber=1, SeriesInstanceUID="1.9.9", **right)
    with reading(day.engine) as connection:
        found = {one.what: (one.asked, one.told) for one in contradictions(connection, day.now)}
    assert found == {"side": ("L", "R"), "part": ("HEAD", "FOOT"), "numbers": ("", "1")}
    past = {"started_at": today - timedelta(days=2)}
    with writing(day.engine) as connection:
        connection.execute(update(exam_rows).where(exam_rows.c.id == day.exam.id).values(**past))
    with reading(day.engine) as connection:
        assert "clock" in [one.what for one in contradictions(connection, day.now)]
    assert same_part("ABDOMEN", "ABDOMEN_PELVIS") and not same_part("KNEE", "HAND")


def test_a_device_tells_of_the_dose() -> None:
    step = {
        "0018115E": {"vr": "DS", "Value": ["12.5"]},
        "00400301": {"vr": "US", "Value": [3]},
        "00400302": {"vr": "US", "Value": [2]},
        "0040030E": {"vr": "SQ", "Value": [{"00189345": {"vr": "FD", "Value": [41.5]}}, {}]},
        "00400321": {"vr": "SQ", "Value": [{"21000170": {"vr": "IS", "Value": ["2"]}}]},
    }
    found = made_with._of_step(step)
    assert found == {"dap": 12.5, "exposures": 3.0, "entrance": 200.0, "ctdi": 41.5, "films": 2.0}
    assert made_with._of_step({"0018115E": {"vr": "DS", "Value": ["much"]}}) == {}


def test_who_was_booked_and_did_not_come(engine: Engine, hospital: Hospital) -> None:
    desk = hospital.acting("REG")
    at = (clock.now().astimezone() + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)
    with writing(engine) as connection:
        person = hospital.person(connection)
        _, (exam,) = orders.order(connection, outpatient(person), HEAD, desk, DESK.settings)
        booking.book(connection, exam.id, "CT1", at, desk)
    settings = DepartmentSettings(no_show_hours=24)
    watch = NoShows(engine, settings, hospital.trail)
    assert watch.run_once() == 0
    with writing(engine) as connection:
        registration.hold(connection, exam.id, desk, code="", reason="the kidneys first")
    with clock.pretending(at + timedelta(days=3)):
        with writing(engine) as connection:
            assert registration.release(connection, exam.id, desk).state is State.SCHEDULED
        assert watch.run_once() == 0, "the time that was booked was over before it was released"
    with clock.pretending(at + timedelta(days=5)):
        assert NoShows(engine, replace(settings, no_show_hours=0), hospital.trail).run_once() == 0
        assert (watch.run_once(), watch.run_once()) == (1, 0)
        with reading(engine) as connection:
            now = exams.get(connection, exam.id)
            last = exams.history(connection, exam.id)[-1]
        assert (now.state, last.transition, last.source) == (State.NO_SHOW, "T29", "timer")
        with writing(engine) as connection:
            # and came after all
            arrival = registration.Arrival(visit_number="V1", identity=Shown("two-identifiers"))
            assert registration.register(connection, exam.id, desk, DESK, arrival).state is State.ARRIVED
