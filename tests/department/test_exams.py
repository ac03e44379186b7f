"""The states of an exam: the table is the only way, whoever asks."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select
from tests.department.hospital import DESK, HEAD, Hospital, outpatient, principal
from tests.trails import entries

from filmless.access.acting import Acting
from filmless.access.model import ALLOWED, SYSTEM, Action, Role, Scope, device_principal
from filmless.db import events
from filmless.db.work import reading, writing
from filmless.department import exams, registration
from filmless.department.identity_check import Shown
from filmless.department.registration import Arrival
from filmless.department.states import TRANSITIONS, State
from filmless.department.tables import exams as exam_rows
from filmless.department.tables import steps, tickets
from filmless.kit import clock
from filmless.kit.errors import Conflict, FilmlessError, Refused

ARRIVAL = Arrival(station="CT1", identity=Shown("two-identifiers"))


def registered(engine: Engine, hospital: Hospital, **more: str) -> exams.Exam:
    with writing(engine) as connection:
        new = outpatient(hospital.person(connection), **more)
        _, [exam] = registration.walk_in(connection, new, HEAD, hospital.acting("REG"), DESK, ARRIVAL)
        return exam


def test_a_whole_examination_leaves_its_traces(engine: Engine, hospital: Hospital) -> None:
    exam = registered(engine, hospital)
    assert exam.state is State.ARRIVED and exam.number.startswith("M") and len(exam.number) == 11
    device = Acting(device_principal("CT1"), hospital.trail)
    ways = [
        ("T09", device, {"source": "mpps"}),
        ("T11", device, {"source": "mpps"}),
        ("T13", Acting(SYSTEM, hospital.trail), {"images": "complete", "source": "images"}),
        ("T16", hospital.acting("RES"), {}),
        ("T18", hospital.acting("RES"), {}),
        ("T19", hospital.acting("ATT"), {}),
        ("T21", hospital.acting("ATT"), {}),
    ]
    for name, acting, more in ways:
        with writing(engine) as connection:
            exam = exams.advance(connection, exam.id, name, acting, **more)  # type: ignore[arg-type]
    assert exam.state is State.FINAL and exam.images == "complete"
    moments = [exam.ordered_at, exam.arrived_at, exam.started_at, exam.finished_at, exam.verified_at]
    moments += [exam.reported_at, exam.final_at]
    assert moments == sorted(m for m in moments if m is not None)
    assert exam.due_at is not None and exam.verified_at is not None
    assert exam.due_at - exam.verified_at == timedelta(hours=24)
    with reading(engine) as connection:
        log = exams.history(connection, exam.id)
        [step] = connection.execute(select(steps).where(steps.c.exam == exam.id)).all()
        [ticket] = connection.execute(select(tickets).where(tickets.c.exam == exam.id)).all()
        told = [one.body["transition"] for one in events.after(connection, 0, kinds=["exam-changed"])]
    changed = [one for one in log if one.transition]
    assert [one.transition for one in changed] == ["T01", "T04", *(name for name, _, _ in ways)]
    assert [one.from_state for one in changed[1:]] == [one.to_state for one in changed[:-1]]
    assert log[-1].to_state == exam.state and [one.at for one in log] == sorted(one.at for one in log)
    assert (step.status, step.ae_title, step.station) == ("COMPLETED", "CT1", "CT1")
    assert ticket.status == "done"
    assert [one for one in told if one] == [one.transition for one in changed]
    kept = [one.body["detail"].get("transition") for one in entries(engine, "exam")]
    assert [one for one in kept if one] == [one.transition for one in changed]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_every_way_is_open_to_its_roles_and_states_and_to_no_others(
    engine: Engine, hospital: Hospital
) -> None:
    """By brute force: each transition from each state by each role; what the table does not say is refused."""
    exam = registered(engine, hospital, requested_by="who")
    tried: Counter[str] = Counter()
    for name, way in TRANSITIONS.items():
        if not way.before:
            continue
        for state in State:
            # from a wrong state nobody may: two who could otherwise are enough
            for role in Role if state in way.before else sorted(way.roles)[:2]:
                with engine.connect().execution_options(filmless_write=True) as connection:
                    connection.execute(
                        exam_rows.update().values(
                            state=state,
                            held_from="E30" if state is State.HELD else "",
                            images="complete",
                            exam_class="L" if name == "T32" else "M",
                            starts_at=clock.now() - timedelta(hours=1),
                        )
                    )
                    who = Acting(principal(role, *["PAD"] * (name == "T31"), name="who"), hospital.trail)
                    second = principal(*("CHF", "PAD") if name == "T31" else ("CHF",), name="second")
                    allowed = state in way.before and (
                        role in way.roles or (name == "T31" and Role.PAD in way.roles)
                    )
                    try:
                        now = exams.advance(
                            connection,
                            exam.id,
                            name,
                            who,
                            source="message",
                            reason="because",
                            second=second if way.two_persons else None,
                        )
                    except FilmlessError as error:
                        assert error.code in ("not-permitted", "wrong-state")
                        assert not allowed, (name, state, role, error.message)
                    else:
                        assert allowed, (name, state, role)
                        expected = way.to or (State.ARRIVED if name == "T06R" else state)
                        assert now.state is expected
                        tried[name] += 1
                    connection.rollback()
    assert set(tried) == {name for name, way in TRANSITIONS.items() if way.before}


#: transition -> actions of the routes by which people take it, one of which is enough
TAKEN_BY = {
    "T01": {Action.ORDER}, "T02": {Action.VET}, "T03": {Action.BOOK}, "T04": {Action.REGISTER},
    "T05": {Action.GREEN_CHANNEL, Action.MATCH_IMAGES}, "T06": {Action.HOLD}, "T06R": {Action.HOLD},
    "T07": {Action.QUEUE}, "T08": {Action.QUEUE}, "T09": {Action.PERFORM}, "T11": {Action.PERFORM},
    "T12": {Action.PERFORM}, "T13": {Action.PERFORM}, "T14": {Action.SEND_BACK}, "T15": {Action.PERFORM},
    "T16": {Action.REPORT}, "T17": {Action.REPORT}, "T18": {Action.REPORT}, "T19": {Action.REVIEW},
    "T20": {Action.REVIEW}, "T21": {Action.REVIEW}, "T22": {Action.REVIEW}, "T23": {Action.REPORT},
    "T24": {Action.REVIEW}, "T25": {Action.REVIEW}, "T26": {Action.DIRECT_REPORTS}, "T27": {Action.REVIEW},
    "T28": {Action.CANCEL}, "T29": {Action.REGISTER}, "T30": {Action.BOOK}, "T30A": {Action.REGISTER},
    "T31": {Action.VOID}, "T32": {Action.MATCH}, "T33": {Action.PERFORM, Action.REVIEW},
    "T34": {Action.PERFORM, Action.REGISTER}, "T35": {Action.REVIEW},
}  # fmt: skip


def test_whoever_may_take_a_way_may_call_its_route() -> None:
    """The table of states and the table of rights say the same. Patients and devices have ways of their own."""
    for name, way in TRANSITIONS.items():
        people = way.roles - {Role.DEV, Role.PAT}
        missing = [role for role in people if not TAKEN_BY[name] & ALLOWED[role]] if people else []
        assert not missing, (name, missing)


def test_what_is_stale_is_refused_and_nothing_is_written(engine: Engine, hospital: Hospital) -> None:
    exam = registered(engine, hospital)
    triage = hospital.acting("TRI")
    with writing(engine) as connection:
        registration.hold(connection, exam.id, triage, code="LAB")
    with pytest.raises(Conflict) as refused, writing(engine) as connection:
        exams.advance(connection, exam.id, "T06R", triage, seen=exam.changes)
    assert refused.value.code == "stale"
    with reading(engine) as connection:
        held = exams.get(connection, exam.id)
        [status] = connection.scalars(select(steps.c.status).where(steps.c.exam == exam.id))
        [waiting] = connection.scalars(select(tickets.c.status).where(tickets.c.exam == exam.id))
    assert (held.state, held.held_from, held.hold_reason) == (State.HELD, State.ARRIVED, "LAB")
    assert (status, waiting) == ("HIDDEN", "left")
    with writing(engine) as connection:
        back = registration.release(connection, exam.id, triage)
        [status] = connection.scalars(select(steps.c.status).where(steps.c.exam == exam.id))
    assert back.state is State.ARRIVED and back.hold_reason == "" and status == "ARRIVED"


def test_rights_end_where_the_scope_ends(engine: Engine, hospital: Hospital) -> None:
    exam = registered(engine, hospital)
    ultrasound = hospital.acting("RES", "TRI", scope=Scope(modalities=frozenset({"US"})))
    with pytest.raises(Refused) as refused, writing(engine) as connection:
        registration.hold(connection, exam.id, ultrasound, code="LAB")
    assert refused.value.code == "not-permitted"


def test_two_persons_are_two_and_have_both_roles(engine: Engine, hospital: Hospital) -> None:
    exam = registered(engine, hospital)
    head, steward = hospital.acting("CHF", name="head"), principal("PAD", name="steward")
    other_head = principal("CHF", name="other")
    for second in (None, head.who, other_head):
        with pytest.raises(Refused) as refused, writing(engine) as connection:
            exams.advance(connection, exam.id, "T31", head, reason="another person", second=second)
        assert refused.value.code == "second-person"
    with writing(engine) as connection:
        void = exams.advance(connection, exam.id, "T31", head, reason="another person", second=steward)
        log = exams.history(connection, exam.id)
    assert void.state is State.VOID and log[-1].detail["second"] == "steward"


def test_a_device_with_a_wrong_clock_does_not_turn_time_back(engine: Engine, hospital: Hospital) -> None:
    exam = registered(engine, hospital)
    device = Acting(device_principal("CT1"), hospital.trail)
    told = clock.now() - timedelta(days=2)
    with writing(engine) as connection:
        begun = exams.advance(connection, exam.id, "T09", device, source="mpps", at=told)
        log = exams.history(connection, exam.id)
    assert exam.arrived_at is not None and begun.started_at is not None
    assert exam.arrived_at <= begun.started_at <= clock.now()
    assert log[-1].detail["told"] == told.isoformat(timespec="seconds")
