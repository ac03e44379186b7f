"""The desk: whoever is there gets an exam number and a place on the worklist. Green channel, holds, cancellations.

All commands work in the caller's write transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from filmless.access.acting import Acting
from filmless.department import booking, exams, identity_check, numbers, orders
from filmless.department.exams import Exam
from filmless.department.exams.guards import class_words
from filmless.department.identity_check import Shown
from filmless.department.model import Desk
from filmless.department.orders import NewOrder, Order, Wanted
from filmless.department.states import State
from filmless.department.tables import stations, words
from filmless.kit.errors import Conflict, Refused
from filmless.patients import persons
from filmless.patients.persons import Identifier, Person
from filmless.patients.tables import persons as person_rows

#: what a class may need -> the identifier, and the column of the order that has it
_NEEDS: Final[Mapping[str, tuple[str, str]]] = {
    "VN": ("visit number", "visit_number"),
    "AN": ("admission number", "admission_number"),
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is said of somebody at the desk. Empty fields: as the order says.

    `exam_class`: letter; "" is that of the order's class of patient. `station`: code; "" is where it is booked, else
    nowhere yet, so that any device of the modality sees it.
    """

    exam_class: str = ""
    visit_number: str = ""
    admission_number: str = ""
    station: str = ""
    identity: Shown | None = None


def register(
    connection: Connection,
    exam_id: int,
    acting: Acting,
    desk: Desk,
    arrival: Arrival | None = None,
    *,
    source: str = "screen",
    at: datetime | None = None,
    seen: int | None = None,
) -> Exam:
    """Somebody has come for an exam: it gets its number, a step on the worklist and a ticket (T04, or T30A).

    Raises Conflict: "number-needed" (the class needs a visit or admission number), "identity-failed",
    "document-elsewhere", "identity-unchecked", "wrong-state", "stale"; Refused: "unknown-class", "not-permitted", ...
    """
    arrival = arrival or Arrival()
    exam = exams.get(connection, exam_id)
    if seen is not None and exam.changes != seen:
        raise Conflict("Somebody has changed this exam meanwhile. Look at it again.", code="stale")
    asked = orders.get(connection, exam.order_id)
    told = {
        "visit_number": arrival.visit_number or asked.visit_number,
        "admission_number": arrival.admission_number or asked.admission_number,
    }
    letter = exam.exam_class or arrival.exam_class or class_of(connection, asked.patient_class)
    check_needs(connection, letter, told)
    orders.change(connection, asked.id, told, acting)
    remember(connection, exam.person, told, acting)
    exam = number(connection, exam, letter, acting, at=at)
    identity_check.take_over(connection, exam, acting)
    if arrival.identity is not None:
        identity_check.record(connection, exam, "registration", arrival.identity, acting, desk)
    also: dict[str, Any] = {}
    if arrival.station and arrival.station != exam.station:
        also["station"] = station_for(connection, arrival.station, exam.modality)
    name = "T30A" if exam.state in (State.CANCELLED, State.NO_SHOW) else "T04"
    return exams.advance(connection, exam_id, name, acting, source=source, at=at, also=also)


def walk_in(
    connection: Connection,
    new: NewOrder,
    wanted: Sequence[Wanted],
    acting: Acting,
    desk: Desk,
    arrival: Arrival | None = None,
    *,
    at: datetime | None = None,
) -> tuple[Order, list[Exam]]:
    """Order and register in one go. Raises as `orders.order` and `register`."""
    made, found = orders.order(connection, new, wanted, acting, desk.settings)
    return made, [register(connection, one.id, acting, desk, arrival, at=at) for one in found]


def green_channel(
    connection: Connection,
    acting: Acting,
    desk: Desk,
    *,
    procedure: str = "",
    station: str = "",
    sex: str = "",
    person: int | None = None,
    source: str = "screen",
    at: datetime | None = None,
) -> tuple[Person, Exam]:
    """An exam at once, without any data (T05): an L number, STAT, on the worklist when this transaction ends.

    Raises Refused: "not-permitted", "unknown-procedure", "unknown-station".
    """
    letter = green_letter(connection)
    if person is None:
        whom = persons.unknown(connection, sex, acting, issuer=desk.settings.issuer)
    else:
        whom = persons.resolve(connection, person)
    asked = procedure or _emergency_procedure(connection, station)
    new = NewOrder(person=whom.id, patient_class="E", priority="stat", ordered_at=at)
    made = orders.insert_order(connection, new, acting)
    sides = connection.scalar(select(words.c.more).where(words.c.kind == "procedure", words.c.code == asked))
    # a side is not asked for now: both, until somebody says which
    wanted = Wanted(asked, side="B" if (sides or {}).get("sides") else "")
    values = orders.columns(connection, made, wanted, desk.settings)
    if station:
        values["station"] = station_for(connection, station, values["modality"])
    given = _next(connection, letter, desk.settings.site, at)
    exam = exams.begin(
        connection,
        "T05",
        {**values, "stat": True, "exam_class": letter, "number": given},
        acting,
        source=source,
        at=at,
    )
    numbers.give(connection, given, exam.id, at=at)
    return whom, exam


def number(
    connection: Connection, exam: Exam, letter: str, acting: Acting, *, at: datetime | None = None
) -> Exam:
    """Give an exam its number, unless it has one. Raises Refused (code "unknown-class")."""
    if exam.number:
        return exam
    given = _next(connection, letter, exam.site, at)
    numbered = exams.note(
        connection,
        exam.id,
        "number given",
        acting,
        detail={"number": given},
        also={"number": given, "exam_class": letter},
        at=at,
    )
    numbers.give(connection, given, exam.id, at=at)
    return numbered


def number_booked(connection: Connection, exam: Exam, acting: Acting) -> Exam:
    """The number at booking, where the department gives it then ([department] number_at)."""
    asked = orders.get(connection, exam.order_id)
    return number(connection, exam, class_of(connection, asked.patient_class), acting)


def renumber(
    connection: Connection,
    exam_id: int,
    letter: str,
    acting: Acting,
    *,
    transition: str = "T32",
    also: Mapping[str, Any] | None = None,
    reason: str = "",
    detail: Mapping[str, Any] | None = None,
) -> Exam:
    """Another number of another class in the place of the one it has, which stays an alias (T32).

    `also` as in exams.advance (the person, the order). Raises as exams.advance, and Refused (code "unknown-class").
    """
    exam = exams.get(connection, exam_id)
    given = _next(connection, letter, exam.site, None)
    now = exams.advance(
        connection,
        exam_id,
        transition,
        acting,
        reason=reason,
        detail={"number": given, "before": exam.number, **(detail or {})},
        also={**(also or {}), "number": given, "exam_class": letter},
    )
    numbers.give(connection, given, exam_id)
    if exam.number:
        numbers.mark(connection, exam.number, "matched")
    numbers.tell_archive(connection, exam_id)
    return now


def change_procedure(
    connection: Connection,
    exam_id: int,
    wanted: Wanted,
    acting: Acting,
    desk: Desk,
    *,
    seen: int | None = None,
) -> Exam:
    """Another procedure, or side, than was asked for, before it has begun. Number, images' UID and state stay.

    Raises Conflict: "wrong-state", "stale"; Refused: "unknown-procedure", "side-missing".
    """
    exam = exams.get(connection, exam_id)
    if seen is not None and exam.changes != seen:
        raise Conflict("Somebody has changed this exam meanwhile. Look at it again.", code="stale")
    if exam.state not in (State.REQUESTED, State.VETTED, State.SCHEDULED, State.ARRIVED, State.HELD):
        raise Conflict("The exam has begun: what is made is no longer changed.", code="wrong-state")
    made = orders.columns(connection, orders.get(connection, exam.order_id), wanted, desk.settings)
    names = ("procedure", "procedure_zh", "procedure_en", "modality", "body_part", "side")
    also = {name: made[name] for name in names}
    if also["modality"] != exam.modality:
        # what it was booked for, or waits at, does not make this
        booking.free(connection, exam_id)
        also |= {"station": "", "starts_at": None, "ends_at": None}
    return exams.note(
        connection,
        exam_id,
        "procedure changed",
        acting,
        detail={"from": exam.procedure, "to": made["procedure"], "side": made["side"]},
        also=also,
    )


def hold(connection: Connection, exam_id: int, acting: Acting, *, code: str, reason: str = "") -> Exam:
    """Take an exam off the worklist for a while (T06). Raises as exams.advance."""
    told = reason or reason_words(connection, "reason-hold", code)
    return exams.advance(
        connection, exam_id, "T06", acting, reason=told, detail={"code": code}, also={"hold_reason": code}
    )


def release(connection: Connection, exam_id: int, acting: Acting) -> Exam:
    """Back to where it was (T06R)."""
    return exams.advance(connection, exam_id, "T06R", acting)


def cancel(
    connection: Connection,
    exam_id: int,
    acting: Acting,
    *,
    code: str,
    reason: str = "",
    source: str = "screen",
    seen: int | None = None,
) -> Exam:
    """Cancel what has not begun (T28); its time on the station is free again."""
    told = reason or reason_words(connection, "reason-cancel", code)
    exam = exams.advance(
        connection, exam_id, "T28", acting, source=source, reason=told, detail={"code": code}, seen=seen
    )
    booking.free(connection, exam.id)
    return exam


def no_show(connection: Connection, exam_id: int, acting: Acting, *, source: str = "screen") -> Exam:
    """Did not come (T29)."""
    exam = exams.advance(connection, exam_id, "T29", acting, source=source)
    booking.free(connection, exam.id)
    return exam


def leave(connection: Connection, exam_id: int, acting: Acting, *, reason: str = "") -> Exam:
    """Came and went again (T07): scheduled as before, the number stays the exam's."""
    return exams.advance(connection, exam_id, "T07", acting, reason=reason)


def class_of(connection: Connection, patient_class: str) -> str:
    """The letter of the first class that is for this class of patient; that of outpatients for others.

    Raises Refused (code "unknown-class").
    """
    found = _classes(connection)
    for wanted in (patient_class, "O"):
        for letter, more in found.items():
            if more.get("patient_class") == wanted and not more.get("green"):
                return letter
    raise Refused("There is no class of exams: an administrator adds one.", code="unknown-class")


def green_letter(connection: Connection) -> str:
    """The letter of the green channel. Raises Refused (code "unknown-class")."""
    for letter, more in _classes(connection).items():
        if more.get("green"):
            return letter
    raise Refused("There is no class for the green channel.", code="unknown-class")


def station_for(connection: Connection, code: str, modality: str) -> str:
    """The code of a station on which exams of this modality are made. Raises Refused (code "unknown-station")."""
    row = connection.execute(
        select(stations.c.code, stations.c.modality).where(stations.c.code == code, stations.c.active)
    ).one_or_none()
    if row is None:
        raise Refused(f"There is no station {code}.", code="unknown-station")
    if row.modality != modality:
        raise Refused(f"On {code} no {modality} is made.", code="unknown-station")
    return str(row.code)


def reason_words(connection: Connection, kind: str, code: str) -> str:
    """A reason of the department's list in words. Raises Refused (code "reason-missing")."""
    row = connection.execute(
        select(words.c.name_zh, words.c.name_en).where(words.c.kind == kind, words.c.code == code)
    ).one_or_none()
    if row is None:
        raise Refused("Choose a reason from the list, or write one.", code="reason-missing")
    return str(row.name_zh or row.name_en)


def _classes(connection: Connection) -> dict[str, Mapping[str, Any]]:
    query = select(words.c.code, words.c.more).where(words.c.kind == "exam-class", words.c.active)
    rows = sorted(connection.execute(query), key=lambda row: (row.more.get("order", 99), row.code))
    return {row.code: row.more for row in rows}


def _next(connection: Connection, letter: str, site: str, at: datetime | None) -> str:
    form = _classes(connection).get(letter)
    if form is None:
        raise Refused(f"There is no class of exams {letter}.", code="unknown-class")
    return numbers.next_number(connection, letter, form, site=site, at=at)


def check_needs(connection: Connection, letter: str, told: Mapping[str, str]) -> None:
    """Raises Conflict (code "number-needed") where a class of exams needs a number that is not told."""
    need = _NEEDS.get(str(class_words(connection, letter).get("needs", "")))
    if need is not None and not told[need[1]]:
        raise Conflict(f"An exam of class {letter} needs the {need[0]}.", code="number-needed")


def remember(connection: Connection, person: int, told: Mapping[str, str], acting: Acting) -> None:
    """The numbers of the visit and the admission find the person from now on."""
    whom = persons.resolve(connection, person)
    new = [
        Identifier(kind, told[column])
        for kind, (_, column) in _NEEDS.items()
        if told[column]
        and not any(one.kind == kind and one.value == told[column] for one in whom.identifiers)
    ]
    for one in new:
        # two desks that register the same visit: the second one finds it written
        connection.execute(select(person_rows.c.id).where(person_rows.c.id == whom.id).with_for_update())
        known = persons.by_identifier(connection, one.kind, one.value)
        if known is not None and known.id == whom.id:
            continue
        try:
            with connection.begin_nested():
                persons.add_identifier(connection, whom.id, one, acting)
        except IntegrityError:
            raise Conflict(
                f"This {_NEEDS[one.kind][0]} belongs to another person.", code="identifier-taken"
            ) from None


def _emergency_procedure(connection: Connection, station: str) -> str:
    """What is done in an emergency where nobody says what: the first procedure of the station, else CT of the head."""
    modality = "CT"
    if station:
        found = connection.scalar(select(stations.c.modality).where(stations.c.code == station))
        modality = found or modality
    query = (
        select(words.c.code, words.c.more)
        .where(words.c.kind == "procedure", words.c.active)
        .order_by(words.c.id)
    )
    for row in connection.execute(query):
        if row.more.get("modality") == modality:
            return str(row.code)
    raise Refused("There is no procedure for this station.", code="unknown-procedure")
