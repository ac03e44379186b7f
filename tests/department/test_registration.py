"""The desk: numbers, classes, identity, the green channel, what follows on the worklist."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, insert, select, update
from tests.department.hospital import DESK, HEAD, Hospital, outpatient, principal

from filmless.access import belonging
from filmless.access.model import EVERYWHERE, Scope
from filmless.db.work import reading, writing
from filmless.department import booking, exams, identity_check, lists, numbers, orders, queue, registration
from filmless.department.identity_check import Shown
from filmless.department.lists import Wish
from filmless.department.model import DepartmentSettings
from filmless.department.orders import NewOrder, Wanted
from filmless.department.registration import Arrival
from filmless.department.states import State
from filmless.department.tables import exam_numbers, identity_checks, steps, tickets, words
from filmless.department.tables import exams as exam_rows
from filmless.kit import clock
from filmless.kit.errors import Conflict, FilmlessError, Refused
from filmless.patients import persons
from filmless.patients.persons import Identifier

ASKED = Shown("two-identifiers")


def test_200_desks_at_once_give_200_numbers(engine: Engine, hospital: Hospital) -> None:
    desk = hospital.acting("REG")
    with writing(engine) as connection:
        person = hospital.person(connection)
        _, [exam] = orders.order(connection, outpatient(person), HEAD, desk, DESK.settings)
        same = dict(connection.execute(select(exam_rows).where(exam_rows.c.id == exam.id)).one()._mapping)
        copies = [{**same, "id": exam.id + number, "study_uid": f"2.25.{number}"} for number in range(1, 200)]
        connection.execute(insert(exam_rows), copies)
        waiting = connection.scalars(select(exam_rows.c.id)).all()

    def register(number: int) -> str:
        with writing(engine) as connection:
            return registration.number(connection, exams.get(connection, number), "M", desk).number

    with ThreadPoolExecutor(12) as pool:
        given = list(pool.map(register, waiting))
    assert len(set(given)) == 200
    day = clock.now().astimezone().strftime("%y%m%d")
    assert sorted(given) == [f"M{day}{number:04d}" for number in range(1, 201)]


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_two_desks_register_the_same_visit_at_once(engine: Engine, hospital: Hospital) -> None:
    """SQLite has one writer; elsewhere both see that the number is not known yet."""
    desk = hospital.acting("REG")
    with writing(engine) as connection:
        person = hospital.person(connection)
        new = outpatient(person, "V9")
        waiting = [orders.order(connection, new, HEAD, desk, DESK.settings)[1][0].id for _ in range(4)]

    def register(exam: int) -> str:
        with writing(engine) as connection:
            return registration.register(connection, exam, desk, DESK, Arrival(identity=ASKED)).number

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(register, waiting))) == 4


def test_what_a_class_needs_is_asked_for_and_kept(engine: Engine, hospital: Hospital) -> None:
    desk = hospital.acting("REG")
    with writing(engine) as connection:
        person = hospital.person(connection)
        new = NewOrder(person=person.id, patient_class="I")
        _, [exam] = orders.order(connection, new, HEAD, desk, DESK.settings)
        with pytest.raises(Conflict) as refused, connection.begin_nested():
            registration.register(connection, exam.id, desk, DESK)
        assert refused.value.code == "number-needed"
        exam = registration.register(connection, exam.id, desk, DESK, Arrival(admission_number="ZY1"))
        found = persons.by_identifier(connection, "AN", "ZY1")
        [step] = connection.execute(select(steps).where(steps.c.exam == exam.id)).all()
    assert re.fullmatch(r"Z\d{10}", exam.number) and found is not None and found.id == person.id
    # no station yet: any device of its modality may take it
    assert (step.status, step.ae_title, step.modality) == ("ARRIVED", "", "CT")


def test_a_number_that_others_have_is_passed_over_and_none_comes_twice(
    engine: Engine, hospital: Hospital
) -> None:
    desk = hospital.acting("REG")
    day = clock.now().astimezone().strftime("%y%m%d")
    with writing(engine) as connection:
        person = hospital.person(connection)
        _, [exam] = orders.order(connection, outpatient(person), HEAD, desk, DESK.settings)
        numbers.give(connection, f"M{day}0001", exam.id, alias="outside")
        exam = registration.register(connection, exam.id, desk, DESK, Arrival(identity=ASKED))
        assert exam.number == f"M{day}0002"
        cancelled = registration.cancel(connection, exam.id, desk, code="PATIENT")
        assert cancelled.state is State.CANCELLED
        back = registration.register(connection, exam.id, desk, DESK)
        assert (back.state, back.number) == (State.ARRIVED, exam.number)
        assert exams.by_number(connection, f"m{day}0001") == back
        with pytest.raises(Conflict):
            numbers.give(connection, exam.number, exam.id)
    with pytest.raises(RuntimeError), writing(engine) as connection:
        numbers.next_number(connection, "M", {})
        raise RuntimeError
    with writing(engine) as connection:
        assert numbers.next_number(connection, "M", {}) == f"M{day}0003"
        assert len(numbers.next_number(connection, "Q", {"date": "yyyymmdd", "digits": 6})) == 15
        with pytest.raises(Refused):
            numbers.next_number(connection, "Q", {"date": "dd/mm"})


def test_the_green_channel_needs_nothing_and_is_first(engine: Engine, hospital: Hospital) -> None:
    triage, desk = hospital.acting("TRI"), hospital.acting("REG")
    with writing(engine) as connection:
        person = hospital.person(connection)
        arrival = Arrival(station="CT1", identity=ASKED)
        _, [plain] = registration.walk_in(connection, outpatient(person), HEAD, desk, DESK, arrival)
    with writing(engine) as connection:
        someone, exam = registration.green_channel(connection, triage, DESK, station="CT1", sex="M")
    with reading(engine) as connection:
        [step] = connection.execute(select(steps).where(steps.c.exam == exam.id)).all()
        today = clock.now().astimezone().date()
        listed = lists.search(connection, triage.who, Wish(view="registered", day=today))
        counted = lists.totals(connection, triage.who, Wish(day=today))
        waiting = queue.waiting(connection, triage.who)
        found = exams.by_number(connection, exam.number)
    assert someone.unknown and exam.stat and exam.state is State.ARRIVED
    assert re.fullmatch(r"L\d{10}", exam.number) and found == exam
    assert (step.ae_title, step.status) == ("CT1", "ARRIVED")
    assert [one.exam.id for one in listed] == [exam.id, plain.id]
    assert [one.exam.id for one in waiting] == [exam.id, plain.id]
    assert (counted.registered, counted.examined, counted.expected) == (2, 0, 0)


def test_identity_is_compared_kept_and_blocks_by_class(engine: Engine, hospital: Hospital) -> None:
    desk, head = hospital.acting("REG"), hospital.acting("REG", "CHF")
    with writing(engine) as connection:
        card = Identifier("NI", "11010519491231002X")
        one = hospital.person(connection, identifiers=(card,), sex="F", birth_date="19491231")
        other = hospital.person(connection, "李四")

        def ordered(person: persons.Person) -> int:
            return orders.order(connection, outpatient(person, ""), HEAD, desk, DESK.settings)[1][0].id

        def register(exam: int, identity: Shown | None, by: object = desk) -> exams.Exam:
            with connection.begin_nested():
                arrival = Arrival(visit_number=f"V{exam}", identity=identity)
                return registration.register(connection, exam, by, DESK, arrival)  # type: ignore[arg-type]

        def refused(exam: int, identity: Shown | None, by: object = desk) -> str:
            with pytest.raises(FilmlessError) as error:
                register(exam, identity, by)
            return error.value.code

        first = ordered(one)
        assert refused(first, None) == "identity-unchecked"
        assert refused(first, Shown("NI", "110105194912310021")) == "identity-failed"
        assert register(first, Shown("NI", "11010519491231002x")).state is State.ARRIVED
        second = ordered(other)
        # the same card at another person: substitution
        assert refused(second, Shown("NI", "11010519491231002X")) == "document-elsewhere"
        despite = Shown("NI", "11010519491231002X", despite="twins, card mixed up")
        assert refused(second, despite) == "not-permitted"
        # a supervisor stands by and has shown that it is they; one of another site may not
        elsewhere = hospital.acting("CHF", scope=Scope(sites=frozenset({"South"}))).who
        assert refused(second, replace(despite, agreed=elsewhere)) == "not-found"
        assert refused(second, replace(despite, agreed=hospital.acting("ATT").who)) == "not-found"
        assert register(second, replace(despite, agreed=head.who)).state is State.ARRIVED
        # a card of nobody who is known here, of a woman born 1949-12-31: not this man's
        assert refused(ordered(other), Shown("NI", "110105194912310046")) == "identity-failed"
        # a passport that nobody's record has, shown for two
        third, fourth = ordered(one), ordered(other)
        assert register(third, Shown("PPN", "E1")).state is State.ARRIVED
        assert refused(fourth, Shown("PPN", "E1")) == "document-elsewhere"
        kept = connection.execute(select(identity_checks).order_by(identity_checks.c.id)).all()
    assert [(row.passed, row.override_by) for row in kept] == [(True, ""), (False, head.who.name), (True, "")]
    assert all(len(row.document_hash) == 64 and "1101" not in row.reason for row in kept)


def test_another_procedure_before_it_begins_and_whose_images_they_are(
    engine: Engine, hospital: Hospital
) -> None:
    desk = hospital.acting("REG")
    with writing(engine) as connection:
        person = hospital.person(connection, vip=True)
        new = outpatient(person, department="NEURO", ward="N1")
        with pytest.raises(Refused) as refused, connection.begin_nested():
            registration.walk_in(connection, new, [Wanted("MR-KNEE")], desk, DESK)
        assert refused.value.code == "side-missing"
        arrival = Arrival(station="CT1", identity=ASKED)
        _, [exam] = registration.walk_in(connection, new, HEAD, desk, DESK, arrival)
        now = registration.change_procedure(connection, exam.id, Wanted("MR-KNEE", "L"), desk, DESK)
        [step] = connection.execute(select(steps).where(steps.c.exam == exam.id)).all()
        [ticket] = connection.execute(select(tickets).where(tickets.c.exam == exam.id)).all()
        whose = belonging.belonging_of(connection, exam.study_uid)
    assert (now.modality, now.side, now.station, now.number) == ("MR", "L", "", exam.number)
    assert (step.modality, step.ae_title, ticket.status) == ("MR", "", "left")
    assert (whose.department, whose.ward, whose.sensitive) == ("NEURO", "N1", True)


def test_clinicians_see_their_own_and_vips_are_for_those_who_may(engine: Engine, hospital: Hospital) -> None:
    desk = hospital.acting("REG")
    clinician, plain = principal("CLI", name="dr"), principal("TEC", name="t", scope=EVERYWHERE)
    with writing(engine) as connection:
        mine = outpatient(hospital.person(connection), "V1", requested_by="dr")
        others = outpatient(hospital.person(connection, "李四"), "V2")
        vip = outpatient(hospital.person(connection, "赵一", vip=True), "V3")
        found = {
            name: registration.walk_in(connection, new, HEAD, desk, DESK, Arrival(identity=ASKED))[1][0].id
            for name, new in (("mine", mine), ("others", others), ("vip", vip))
        }
        seen = {
            who.name: {one.exam.id for one in lists.search(connection, who, Wish())}
            for who in (clinician, plain, desk.who)
        }
    assert seen["dr"] == {found["mine"]}
    assert seen["t"] == {found["mine"], found["others"]}
    assert seen[desk.who.name] == set(found.values())


def test_exams_are_found_by_name_letters_initials_and_numbers(engine: Engine, hospital: Hospital) -> None:
    desk = hospital.acting("REG")
    with writing(engine) as connection:
        person = hospital.person(connection, "欧阳𠮷")
        _, [exam] = registration.walk_in(
            connection, outpatient(person, "MZ77"), HEAD, desk, DESK, Arrival(identity=ASKED)
        )
        for text in ("欧阳", "ouyang", "OYJ", "MZ77", person.patient_id, exam.number, exam.number.lower()):
            assert [one.exam.id for one in lists.search(connection, desk.who, Wish(text=text))] == [exam.id]
        assert lists.search(connection, desk.who, Wish(text="王")) == []
        # a number is asked for whole, and is no name
        numbered = lists.search(connection, desk.who, Wish(number=f" {exam.number.lower()} "))
        assert [one.exam.id for one in numbered] == [exam.id]
        assert lists.search(connection, desk.who, Wish(number="WANG")) == []
        renamed = connection.scalar(select(func.count()).select_from(exam_numbers))
    assert renamed == 1


def test_no_show_only_when_its_time_is_over(engine: Engine, hospital: Hospital) -> None:
    desk = hospital.acting("REG")
    with writing(engine) as connection:
        person = hospital.person(connection)
        _, [exam] = orders.order(connection, outpatient(person), HEAD, desk, DESK.settings)
        tomorrow = (clock.now() + timedelta(days=1)).astimezone().replace(hour=9, minute=0)
        booking.book(connection, exam.id, "CT1", tomorrow, desk)
        with pytest.raises(Conflict) as refused:
            registration.no_show(connection, exam.id, desk)
    assert refused.value.code == "not-due"


@pytest.mark.parametrize(
    ("number", "birth_date", "sex", "contradictory"),
    [
        ("11010519491231002X", "19491231", "F", False),
        ("11010519491231002x", "1949", "", False),
        ("11010519491231002X", "19491230", "F", True),
        ("11010519491231002X", "19491231", "M", True),
        # a check digit that is wrong, the older form with 15 digits: they tell nothing
        ("110105194912310021", "19700101", "M", False),
        ("110105491231002", "19700101", "M", False),
        ("²10105194912310021", "19700101", "M", False),
    ],
)
def test_an_identity_card_tells_birth_date_and_sex(
    number: str, birth_date: str, sex: str, contradictory: bool
) -> None:
    assert identity_check.contradicts(number, birth_date, sex) is contradictory


def test_an_order_says_what_the_department_asks_for(engine: Engine, hospital: Hospital) -> None:
    settings = DepartmentSettings(order_needs=("diagnosis", "purpose"))
    desk = hospital.acting("REG")
    with writing(engine) as connection:
        person = hospital.person(connection)
        with pytest.raises(Conflict, match="purpose") as caught:
            orders.order(connection, outpatient(person, diagnosis="头痛"), HEAD, desk, settings)
        assert caught.value.code == "order-incomplete"
        for told in ({"diagnosis": "头痛", "purpose": "出血?"}, {"patient_class": "E"}, {"priority": "stat"}):
            assert orders.order(connection, outpatient(person, **told), HEAD, desk, settings)[1]
    with pytest.raises(ValueError, match="shoe"):
        DepartmentSettings(order_needs=("shoe size",))


def test_a_document_that_is_asked_for_is_left_out_by_right_only(engine: Engine, hospital: Hospital) -> None:
    desk, head = hospital.acting("REG"), hospital.acting("CHF")
    with writing(engine) as connection:
        of_class = (words.c.kind == "exam-class", words.c.code == "M")
        connection.execute(
            update(words)
            .where(*of_class)
            .values(more={"needs": "VN", "identity": "document", "patient_class": "O"})
        )
        person = hospital.person(connection)
        _, [exam] = orders.order(connection, outpatient(person), HEAD, desk, DESK.settings)

        def register(shown: Shown) -> exams.Exam:
            with connection.begin_nested():
                return registration.register(connection, exam.id, desk, DESK, Arrival(identity=shown))

        for shown, code in (
            (Shown("two-identifiers"), "identity-failed"),
            (Shown("two-identifiers", despite="a child"), "not-permitted"),
        ):
            with pytest.raises(FilmlessError) as error:
                register(shown)
            assert error.value.code == code
        done = register(Shown("two-identifiers", despite="a child", agreed=head.who))
        assert done.state is State.ARRIVED
        [row] = connection.execute(select(identity_checks)).all()
    assert (row.override_by, row.by, row.reason) == (head.who.name, desk.who.name, "a child")
