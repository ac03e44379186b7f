"""Performed steps told by pynetdicom of what dcmtk picked from the worklist; what does not fit becomes a task."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, select
from tests import peers
from tests.department.console import IMPLICIT, begun, ended, serving, tell, worklist
from tests.department.hospital import DESK, HEAD, Hospital, outpatient

from filmless.db.work import reading, writing
from filmless.department import exams, registration, tasks
from filmless.department.exams import Exam
from filmless.department.identity_check import Shown
from filmless.department.orders import Wanted
from filmless.department.registration import Arrival
from filmless.department.tables import expected_instances, performed_steps

CHEST = Wanted("CT-CHEST")


def _arrive(engine: Engine, hospital: Hospital, *wanted: Wanted, name: str = "王小东") -> list[Exam]:
    with writing(engine) as connection:
        person = hospital.person(connection, name)
        order = outpatient(person, f"V-{person.id}")
        arrival = Arrival(station="CT1", identity=Shown("two-identifiers"))
        return registration.walk_in(connection, order, wanted or HEAD, hospital.acting("REG"), DESK, arrival)[
            1
        ]


def _state(engine: Engine, exam: Exam) -> str:
    with reading(engine) as connection:
        return exams.get(connection, exam.id).state.value


def _tasks(engine: Engine) -> list[tuple[str, int | None]]:
    with reading(engine) as connection:
        return [(task.kind, task.exam) for task in tasks.open_tasks(connection)]


async def test_an_exam_begins_and_ends_as_its_device_tells(
    engine: Engine, hospital: Hospital, tmp_path: Path
) -> None:
    peers.need("findscu")
    (exam,) = _arrive(engine, hospital)
    async with serving(engine, hospital.trail) as port:
        (picked,) = await worklist(port, tmp_path)
        done = await tell(port, "1.9.1", begun(picked), create=True, syntax=IMPLICIT)
        assert done.Status == 0x0000
        assert _state(engine, exam) == "E40"
        # still there for more images, and told twice it is not
        (again,) = await worklist(port, tmp_path)
        assert again.ScheduledProcedureStepSequence[0].ScheduledProcedureStepStatus == "STARTED"
        assert (await tell(port, "1.9.1", begun(picked), create=True)).Status == 0x0111
        assert (await tell(port, "1.9.2", ended("COMPLETED"))).Status == 0x0112
        wrong = begun(picked, PerformedProcedureStepStatus="COMPLETED")
        assert (await tell(port, "1.9.3", wrong, create=True)).Status == 0x0106

        made = {"1.9.1.1": ["1.9.1.1.1", "1.9.1.1.2"], "1.9.1.2": ["1.9.1.2.1"]}
        assert (await tell(port, "1.9.1", ended("IN PROGRESS", {"1.9.1.1": ["1.9.1.1.1"]}))).Status == 0
        assert (await tell(port, "1.9.1", ended("COMPLETED", made))).Status == 0
        assert _state(engine, exam) == "E50"
        over = await tell(port, "1.9.1", ended("DISCONTINUED", reason="110501"))
        assert (over.Status, over.ErrorID) == (0x0110, 0xA710)
        assert not await worklist(port, tmp_path)
    with reading(engine) as connection:
        assert set(connection.scalars(select(expected_instances.c.sop_uid))) == {
            "1.9.1.1.1",
            "1.9.1.1.2",
            "1.9.1.2.1",
        }
        kept = connection.execute(select(performed_steps)).one()
        assert kept.status == "COMPLETED"
        assert kept.attributes["00100010"]["Value"][0]["Ideographic"] == "王^小东"
        log = exams.history(connection, exam.id)
        assert [entry.transition for entry in log if entry.transition][-2:] == ["T09", "T11"]
        assert [entry.by for entry in log if entry.transition][-1] == "CT1"
        assert [entry.at for entry in log] == sorted(entry.at for entry in log)
        assert exams.get(connection, exam.id).technologist == "LI TEC"


async def test_one_step_for_several_exams_and_several_for_one(
    engine: Engine, hospital: Hospital, tmp_path: Path
) -> None:
    peers.need("findscu")
    head, chest = _arrive(engine, hospital, *HEAD, CHEST)
    async with serving(engine, hospital.trail) as port:
        picked = await worklist(port, tmp_path)
        assert (await tell(port, "1.8.1", begun(*picked), create=True)).Status == 0
        assert {_state(engine, head), _state(engine, chest)} == {"E40"}
        assert _tasks(engine) == [("report-group", head.id)]
        with reading(engine) as connection:
            # the images of one step are of both
            of_head = exams.of_study(connection, head.study_uid)
            assert {exam.id for exam in of_head} == {head.id, chest.id}
        # a second step for the head, before the first is over: it ends when both have
        assert (await tell(port, "1.8.2", begun(picked[0]), create=True)).Status == 0
        assert (await tell(port, "1.8.1", ended("COMPLETED", {"1.8": ["1.8.8"]}))).Status == 0
        assert (_state(engine, head), _state(engine, chest)) == ("E40", "E50")
        assert (await tell(port, "1.8.2", ended("COMPLETED", {"1.8.2": ["1.8.9"]}))).Status == 0
        assert _state(engine, head) == "E50"
        # and one more afterwards: more images
        assert (await tell(port, "1.8.3", begun(picked[0]), create=True)).Status == 0
        assert _state(engine, head) == "E40"


async def test_what_does_not_fit_becomes_a_task(engine: Engine, hospital: Hospital, tmp_path: Path) -> None:
    peers.need("findscu")
    (exam,) = _arrive(engine, hospital)
    (other,) = _arrive(engine, hospital, name="李华")
    async with serving(engine, hospital.trail) as port:
        first, second = await worklist(port, tmp_path)
        # a patient that nobody knows; the right exam with another patient's ID
        assert (await tell(port, "1.7.1", begun(), create=True)).Status == 0
        mixed = begun(first, PatientID=second.PatientID)
        assert (await tell(port, "1.7.2", mixed, create=True)).Status == 0
        assert (_state(engine, exam), _state(engine, other)) == ("E30", "E30")
        assert _tasks(engine) == [("unscheduled", None), ("unscheduled", exam.id)]
        # the wrong entry of the worklist, and a machine that fails
        for uid, answer, reason in (("1.7.3", first, "110514"), ("1.7.4", second, "110501")):
            assert (await tell(port, uid, begun(answer), create=True)).Status == 0
            assert (await tell(port, uid, ended("DISCONTINUED", reason=reason))).Status == 0
        assert (_state(engine, exam), _state(engine, other)) == ("X30", "X30")
        assert _tasks(engine)[2:] == [("wrong-worklist-entry", exam.id), ("repeat", other.id)]
        # it is repeated: a new step is on the worklist, and goes on from there
        with writing(engine) as connection:
            exams.advance(connection, other.id, "T34", hospital.acting("REG"))
        (anew,) = await worklist(port, tmp_path)
        assert anew.AccessionNumber == second.AccessionNumber
        assert anew.ScheduledProcedureStepSequence != second.ScheduledProcedureStepSequence
        assert (await tell(port, "1.7.5", begun(anew), create=True)).Status == 0
        assert _state(engine, other) == "E40"


async def test_a_green_channel_exam_matched_meanwhile_is_still_its_own(
    engine: Engine, hospital: Hospital, tmp_path: Path
) -> None:
    peers.need("findscu")
    with writing(engine) as connection:
        _, green = registration.green_channel(connection, hospital.acting("REG"), DESK, procedure="CT-HEAD")
    async with serving(engine, hospital.trail) as port:
        (picked,) = await worklist(port, tmp_path)
        with writing(engine) as connection:
            person = hospital.person(connection, "赵六")
            registration.renumber(
                connection, green.id, "Z", hospital.acting("REG"), also={"person": person.id}
            )
        assert (await tell(port, "1.6.1", begun(picked), create=True)).Status == 0
    assert _state(engine, green) == "E40"
    assert _tasks(engine) == []
