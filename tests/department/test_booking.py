"""Times on stations, and the queue: nobody gets a time that another has, whoever asks at the same moment."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from tests.department.hospital import DESK, HEAD, Hospital, outpatient

from filmless.db.work import reading, writing
from filmless.department import booking, exams, orders, queue, registration
from filmless.department.identity_check import Shown
from filmless.department.registration import Arrival
from filmless.department.states import State
from filmless.department.tables import bookings, steps
from filmless.kit import clock
from filmless.kit.errors import Conflict, FilmlessError, Refused


def nine(hour: int = 9, minute: int = 0) -> datetime:
    """Tomorrow at nine."""
    tomorrow = clock.now().astimezone() + timedelta(days=1)
    return tomorrow.replace(hour=hour, minute=minute, second=0, microsecond=0)


def ordered(engine: Engine, hospital: Hospital, count: int) -> list[int]:
    with writing(engine) as connection:
        person = hospital.person(connection)
        desk = hospital.acting("REG")
        return [
            orders.order(connection, outpatient(person), HEAD, desk, DESK.settings)[1][0].id
            for _ in range(count)
        ]


def test_sixteen_want_three_times_and_three_get_them(engine: Engine, hospital: Hospital) -> None:
    """Overlapping by a minute or wholly: one of those that overlap wins, whatever the database."""
    desk = hospital.acting("REG")
    wanted = [
        (exam, nine(9, minute))
        for exam, minute in zip(ordered(engine, hospital, 16), [0, 9, 20, 4] * 4, strict=True)
    ]

    def book(one: tuple[int, datetime]) -> str:
        try:
            with writing(engine) as connection:
                booking.book(connection, one[0], "CT1", one[1], desk)
        except FilmlessError as error:
            return error.code
        return "booked"

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(book, wanted))
    assert set(results) == {"booked", "slot-taken"}
    with reading(engine) as connection:
        taken = connection.execute(select(bookings).order_by(bookings.c.first_second)).all()
    assert 2 <= len(taken) == results.count("booked") <= 3
    for before, after in itertools.pairwise(taken):
        assert before.last_second < after.first_second
    with reading(engine) as connection:
        states = [exams.get(connection, exam).state for exam, _ in wanted]
    assert states.count(State.SCHEDULED) == len(taken) and states.count(State.REQUESTED) == 16 - len(taken)


def test_overbooking_is_a_right_and_hours_are_kept(engine: Engine, hospital: Hospital) -> None:
    desk, head = hospital.acting("REG"), hospital.acting("REG", "CHF")
    first, second, third = ordered(engine, hospital, 3)

    def refused(exam: int, at: datetime, by: object = desk, **more: bool) -> str:
        with pytest.raises(FilmlessError) as error, writing(engine) as connection:
            booking.book(connection, exam, "CT1", at, by, **more)  # type: ignore[arg-type]
        return error.value.code

    with writing(engine) as connection:
        booking.book(connection, first, "CT1", nine(), desk)
    assert refused(second, nine()) == "slot-taken"
    assert refused(second, nine(), overbook=True) == "not-permitted"
    assert refused(second, nine(11, 55)) == "closed"
    assert refused(second, nine() - timedelta(days=2)) == "past"
    assert refused(second, nine(), head) == "slot-taken"
    with writing(engine) as connection:
        booking.book(connection, second, "CT1", nine(), head, overbook=True)
        found = booking.earliest(connection, "CT", 10, start=nine())
        closed = booking.close(connection, "CT2", nine(8), nine(12), "service", head)
        later = booking.earliest(connection, "CT", 10, start=nine())
    assert found == ("CT2", nine()) and later == ("CT1", nine(9, 10))
    with writing(engine) as connection:
        moved = booking.book(connection, first, "CT1", nine(10), desk)
        assert (moved.state, moved.starts_at) == (State.SCHEDULED, nine(10))
        booking.book(connection, third, "CT1", nine(13), desk)
        day = booking.on_day(connection, desk.who, nine().date())
        booking.reopen(connection, closed, head)
        assert len(booking.on_day(connection, desk.who, nine().date())) == len(day) - 1
    assert [(one.station, one.exam, one.overbooked) for one in day] == [
        ("CT1", second, True),
        ("CT1", first, False),
        ("CT1", third, False),
        ("CT2", None, False),
    ]
    with writing(engine) as connection:
        registration.cancel(connection, third, desk, code="PATIENT")
        assert third not in [one.exam for one in booking.on_day(connection, desk.who, nine().date())]


def test_the_queue_calls_passes_returns_and_moves_and_the_worklist_follows(
    engine: Engine, hospital: Hospital
) -> None:
    desk, triage = hospital.acting("REG"), hospital.acting("TRI")
    arrival = Arrival(station="CT1", identity=Shown("two-identifiers"))
    waiting = ordered(engine, hospital, 5)
    with writing(engine) as connection:
        for exam in waiting:
            registration.register(connection, exam, desk, DESK, arrival)

    def queued(station: str = "CT1") -> list[tuple[int, str]]:
        with reading(engine) as connection:
            return [
                (one.exam.id, one.status)
                for one in queue.waiting(connection, triage.who, station_codes=[station])
            ]

    def act(exam: int, what: str) -> None:
        with writing(engine) as connection:
            [ticket] = [one.id for one in queue.waiting(connection, triage.who) if one.exam.id == exam]
            queue.act(connection, ticket, what, triage)

    assert [exam for exam, _ in queued()] == waiting
    act(waiting[0], "call")
    act(waiting[0], "pass")
    act(waiting[0], "return")
    # behind the next three
    assert [exam for exam, _ in queued()] == [*waiting[1:4], waiting[0], waiting[4]]
    with pytest.raises(Conflict):
        act(waiting[0], "return")
    with writing(engine) as connection:
        moved = queue.move(connection, waiting[1], "CT2", triage)
        [step] = connection.execute(select(steps).where(steps.c.exam == waiting[1])).all()
        with pytest.raises(Refused) as refused:
            queue.move(connection, waiting[1], "MR1", triage)
    assert refused.value.code == "unknown-station"
    assert moved.station == step.station == step.ae_title == "CT2" and step.status == "ARRIVED"
    assert queued("CT2") == [(waiting[1], "waiting")] and len(queued()) == 4
    with writing(engine) as connection:
        log = [one.what for one in exams.history(connection, waiting[0])]
        exams.advance(connection, waiting[2], "T09", hospital.acting("TEC"))
    assert log[-3:] == ["called", "passed over", "back in the queue"]
    assert (waiting[2], "in-room") in queued()
