"""What becomes of an order and its exams after they were asked for: on the screens of the desk and of clinicians."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select
from tests.department.hospital import DESK, Hospital, outpatient
from tests.trails import entries

from filmless.db.work import reading, writing
from filmless.department import exams, execution, identity_check, order_changes, orders, registration
from filmless.department.identity_check import Shown, keep_failure
from filmless.department.orders import Wanted
from filmless.department.registration import Arrival
from filmless.department.states import State
from filmless.department.tables import identity_checks
from filmless.kit.errors import Conflict
from filmless.patients.persons import Identifier

THREE = (Wanted("CT-HEAD"), Wanted("CT-CHEST"), Wanted("DR-CHEST"))


def test_an_order_is_changed_and_its_exams_follow(engine: Engine, hospital: Hospital) -> None:
    desk = hospital.acting("REG")
    with writing(engine) as connection:
        person = hospital.person(connection)
        asked, found = orders.order(connection, outpatient(person), THREE, desk, DESK.settings)
        arrival = Arrival(identity=Shown("two-identifiers"))
        registration.register(connection, found[0].id, desk, DESK, arrival)
        urgent = {"priority": "stat", "diagnosis": "外伤"}
        changed = order_changes.change_order(connection, asked.id, urgent, desk, begun=True)
        assert changed.diagnosis == "外伤"
        # what somebody else has written meanwhile is not taken back; the rest is one's own
        old = {"cautions": {}, "diagnosis": ""}
        with pytest.raises(Conflict) as stale:
            order_changes.change_order(
                connection, asked.id, {"diagnosis": "头痛"}, desk, begun=True, seen=old
            )
        assert stale.value.code == "stale"
        warned = {"cautions": {"allergies": "碘"}}
        order_changes.change_order(connection, asked.id, warned, desk, begun=True, seen=old)
        # what is registered under a visit needs its number
        with pytest.raises(Conflict) as needed:
            order_changes.change_order(connection, asked.id, {"visit_number": ""}, desk, begun=True)
        assert needed.value.code == "number-needed"
        execution.start(connection, found[0].id, hospital.acting("TEC"), DESK)
        with pytest.raises(Conflict) as late:
            order_changes.change_order(connection, asked.id, {"purpose": "x"}, desk, begun=False)
        assert late.value.code == "wrong-state"
    with reading(engine) as connection:
        assert all(exams.get(connection, one.id).stat for one in found)
        assert exams.history(connection, found[1].id)[-1].what == "order changed"


def test_all_that_waits_is_called_off(engine: Engine, hospital: Hospital) -> None:
    desk = hospital.acting("REG")
    with writing(engine) as connection:
        person = hospital.person(connection)
        asked, found = orders.order(
            connection, outpatient(person, requested_by="who-asked"), THREE, desk, DESK.settings
        )
        arrival = Arrival(identity=Shown("two-identifiers"))
        registration.register(connection, found[0].id, desk, DESK, arrival)
        execution.start(connection, found[0].id, hospital.acting("TEC"), DESK)
        registration.hold(connection, found[1].id, desk, code="LAB")
        # who asked for it has no right to release, and need not
        clinician = hospital.acting("CLI", name="who-asked")
        off = order_changes.cancel_order(connection, asked.id, clinician, code="CLINICIAN")
        assert [one.id for one in off] == [one.id for one in found[1:]]
        with pytest.raises(Conflict):
            order_changes.cancel_order(connection, asked.id, desk, code="CLINICIAN")
    with reading(engine) as connection:
        now = [exams.get(connection, one.id) for one in found]
    assert [one.state for one in now] == [State.IN_PROGRESS, State.CANCELLED, State.CANCELLED]
    assert (now[1].held_from, now[1].hold_reason) == (None, "")


def test_how_it_is_made_is_said_before(engine: Engine, hospital: Hospital) -> None:
    with writing(engine) as connection:
        person = hospital.person(connection)
        _, [exam] = orders.order(
            connection, outpatient(person), THREE[:1], hospital.acting("REG"), DESK.settings
        )
        said = execution.protocol(connection, exam.id, hospital.acting("ATT"), protocol="薄层1mm")
        assert (said.state, said.more["protocol"]) == (State.VETTED, "薄层1mm")


def test_a_check_that_failed_is_kept_and_does_not_count(engine: Engine, hospital: Hospital) -> None:
    desk, shown = hospital.acting("REG"), Shown("two-identifiers", fits=False)
    with writing(engine) as connection:
        person = hospital.person(connection)
        _, [exam] = orders.order(connection, outpatient(person), THREE[:1], desk, DESK.settings)
        keep_failure(connection, exam, "registration", shown, desk, DESK)
        with pytest.raises(Conflict) as unchecked:
            registration.register(connection, exam.id, desk, DESK)
        assert unchecked.value.code == "identity-unchecked"
        row = connection.execute(select(identity_checks)).one()
        assert (row.passed, row.override_by, row.by) == (False, "", desk.who.name)


def test_a_check_that_failed_before_there_was_an_exam_is_kept(engine: Engine, hospital: Hospital) -> None:
    desk = hospital.acting("REG")
    card = Identifier("NI", "11010519491231002X")
    with writing(engine) as connection:
        owner = hospital.person(connection, "王芳", identifiers=(card,), sex="F", birth_date="19491231")
        other = hospital.person(connection, "李四")
        fails = Shown("NI", card.value)
        with pytest.raises(Conflict) as stopped, connection.begin_nested():
            registration.walk_in(
                connection, outpatient(other), THREE[:1], desk, DESK, Arrival(identity=fails)
            )
        assert stopped.value.code == "document-elsewhere"
        identity_check.keep_failure_of(connection, other.id, fails, desk, DESK)
        # what fits is no failure
        identity_check.keep_failure_of(connection, owner.id, fails, desk, DESK)
        [row] = identity_check.failed_of(connection, other.id)
        assert (row.document, row.by, row.number) == ("NI", desk.who.name, "")
        assert not identity_check.failed_of(connection, owner.id)
    told = [one for one in entries(engine) if one.body.get("what") == "identity check failed"]
    assert [one.body["detail"]["why"] for one in told] == ["of-another-person"]
    # registered after all, it stands at the exam, before the check that counts
    with writing(engine) as connection:
        _, found = registration.walk_in(
            connection,
            outpatient(other),
            THREE[:2],
            desk,
            DESK,
            Arrival(identity=Shown("two-identifiers")),
        )
        rows = connection.execute(select(identity_checks).order_by(identity_checks.c.id)).all()
        assert [(one.exam, one.passed) for one in rows] == [
            (found[0].id, False),
            (found[0].id, True),
            (found[1].id, True),
        ]
        assert len(rows[0].document_hash) == 64
        [row] = identity_check.failed_of(connection, other.id)
        assert row.number == found[0].number
