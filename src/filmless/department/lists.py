"""Lists of exams: today's registered, examined and finished ones, what is expected, and whatever is searched for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, or_, select

from filmless.access.model import Action, Principal
from filmless.department.exams.model import Exam
from filmless.department.states import State
from filmless.department.tables import exam_numbers, orders
from filmless.department.tables import exams as exam_rows
from filmless.department.tables import words as word_rows
from filmless.department.visibility import seen
from filmless.patients.persons.model import spoken, together
from filmless.patients.tables import person_identifiers, persons

View = Literal["all", "expected", "registered", "examined", "finished"]
_BEFORE: Final = (State.REQUESTED, State.VETTED, State.SCHEDULED, State.HELD)
_OVER: Final = (State.CANCELLED, State.NO_SHOW, State.VOID)
_FINISHED: Final = (State.FINAL, State.CORRECTED, State.CLOSED)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is looked for. `day`: a local date, None: any. `text`: a number, an ID, or what a name begins with.

    `number`: an exam number, whole, also one that an exam had before or has elsewhere."""

    view: View = "all"
    day: date | None = None
    text: str = ""
    number: str = ""
    states: Sequence[str] = ()
    modalities: Sequence[str] = ()
    stations: Sequence[str] = ()
    classes: Sequence[str] = ()
    person: int | None = None
    limit: int = 200


@dataclass(frozen=True, slots=True)
class Listed:
    """An exam of a list, with whom it is of and who asked."""

    exam: Exam
    patient_id: str
    name: str
    name_alphabetic: str
    sex: str
    birth_date: str
    vip: bool
    unknown: bool
    patient_class: str
    requester: str
    order_department: str
    ward: str
    bed: str
    priority: str


@dataclass(frozen=True, slots=True)
class Totals:
    """Of a day: how many exams were registered, examined and finished on it; how many of today are expected still."""

    expected: int
    registered: int
    examined: int
    finished: int


def search(
    connection: Connection, principal: Principal, wish: Wish, *, action: Action = Action.PERSONS
) -> list[Listed]:
    """Exams that fit, green channel and STAT first; one more than `limit` where there are more."""
    query = _joined().where(*_conditions(wish), seen(principal, action)).limit(wish.limit + 1)
    return [_listed(row) for row in connection.execute(query.order_by(*_order(wish)))]


def among(
    connection: Connection,
    principal: Principal,
    conditions: Sequence[ColumnElement[bool]],
    order: Sequence[Any],
    limit: int,
    *,
    action: Action = Action.PERSONS,
) -> list[Listed]:
    """Exams under conditions on rows of `exams`, in an order of its columns."""
    query = _joined().where(*conditions, seen(principal, action)).order_by(*order).limit(limit)
    return [_listed(row) for row in connection.execute(query)]


def one(connection: Connection, exam_id: int) -> Listed:
    """An exam as lists show it, whoever asks."""
    return _listed(connection.execute(_joined().where(exam_rows.c.id == exam_id)).one())


def several(connection: Connection, exam_ids: Iterable[int]) -> dict[int, Listed]:
    """Exams as lists show them, by their ids, whoever asks."""
    wanted = sorted(set(exam_ids))
    found: dict[int, Listed] = {}
    for start in range(0, len(wanted), 500):
        query = _joined().where(exam_rows.c.id.in_(wanted[start : start + 500]))
        found |= {row.id: _listed(row) for row in connection.execute(query)}
    return found


def totals(
    connection: Connection, principal: Principal, wish: Wish, *, action: Action = Action.PERSONS
) -> Totals:
    """Counts of the four views of a day, with the other conditions of `wish`."""
    found = []
    for view in ("expected", "registered", "examined", "finished"):
        conditions = _conditions(Wish(**{**_plain(wish), "view": view, "states": ()}))
        query = (
            select(func.count())
            .select_from(exam_rows.join(persons, persons.c.id == exam_rows.c.person))
            .where(*conditions, seen(principal, action))
        )
        found.append(connection.scalar(query) or 0)
    return Totals(*found)


def _plain(wish: Wish) -> dict[str, Any]:
    return {name: getattr(wish, name) for name in Wish.__slots__}


def _joined() -> Select[Any]:
    return (
        select(
            exam_rows,
            persons.c.patient_id,
            persons.c.name_ideographic,
            persons.c.name_alphabetic,
            persons.c.sex,
            persons.c.birth_date,
            persons.c.vip,
            persons.c.unknown,
            orders.c.patient_class,
            orders.c.requester,
            orders.c.department.label("order_department"),
            orders.c.ward,
            orders.c.bed,
            orders.c.priority,
        )
        .join(persons, persons.c.id == exam_rows.c.person)
        .join(orders, orders.c.id == exam_rows.c.order_id)
    )


def day_of(day: date) -> tuple[datetime, datetime]:
    """From and to (not included) of a local day."""
    begins = datetime.combine(day, time(0)).astimezone().astimezone(UTC)
    ends = datetime.combine(day + timedelta(days=1), time(0)).astimezone().astimezone(UTC)
    return begins, ends


def _on(column: Any, day: date) -> ColumnElement[bool]:
    begins, ends = day_of(day)
    return and_(column >= begins, column < ends)


def _conditions(wish: Wish) -> list[ColumnElement[bool]]:
    conditions = _of_view(wish)
    row = exam_rows.c
    if wish.states:
        conditions.append(row.state.in_(list(wish.states)))
    if wish.modalities:
        conditions.append(row.modality.in_(list(wish.modalities)))
    if wish.stations:
        conditions.append(row.station.in_(list(wish.stations)))
    if wish.classes:
        conditions.append(row.exam_class.in_(list(wish.classes)))
    if wish.person is not None:
        conditions.append(row.person == wish.person)
    if wish.number.strip():
        conditions.append(row.id.in_(_numbered(wish.number)))
    if wish.text.strip():
        conditions.append(_of_text(wish.text.strip()))
    return conditions


def _of_view(wish: Wish) -> list[ColumnElement[bool]]:
    row = exam_rows.c
    if wish.view == "expected":
        found: list[ColumnElement[bool]] = [row.state.in_(_BEFORE)]
        if wish.day is not None:
            # booked for this day, or asked for and not booked yet
            found.append(or_(_on(row.starts_at, wish.day), row.starts_at.is_(None)))
        return found
    column, states = {
        "registered": (row.arrived_at, _OVER),
        "examined": (row.finished_at, _OVER),
        "finished": (row.final_at, ()),
    }.get(wish.view, (None, ()))
    if column is None:
        if wish.day is None:
            return []
        return [
            or_(
                _on(row.arrived_at, wish.day),
                _on(row.starts_at, wish.day),
                _on(row.ordered_at, wish.day),
            )
        ]
    fits = row.state.not_in(states) if states else row.state.in_(_FINISHED)
    return [fits, _on(column, wish.day) if wish.day is not None else column.is_not(None)]


def _of_text(text: str) -> ColumnElement[bool]:
    """A number (aliases too), an identifier, or what a name begins with, in characters, letters or initials."""
    row = exam_rows.c
    known = select(person_identifiers.c.person).where(person_identifiers.c.value == text)
    begun = together(text)
    found: list[ColumnElement[bool]] = [
        row.id.in_(_numbered(text)),
        persons.c.patient_id == text,
        persons.c.id.in_(known),
    ]
    if begun:
        found += [
            _begins(persons.c[name], begun) for name in ("key_ideographic", "key_alphabetic", "initials")
        ]
    return or_(*found)


def _numbered(text: str) -> Select[tuple[int]]:
    number = text.strip()
    return select(exam_numbers.c.exam).where(exam_numbers.c.number.in_({number, number.upper()}))


def _begins(column: Any, text: str) -> ColumnElement[bool]:
    # a range, so that the index serves on both databases
    return and_(column >= text, column < text + "\U0010ffff")


def _order(wish: Wish) -> list[Any]:
    row = exam_rows.c
    green = select(word_rows.c.code).where(
        word_rows.c.kind == "exam-class", word_rows.c.more["green"].as_boolean()
    )
    first = [case((row.exam_class.in_(green), 0), else_=1), row.stat.desc()]
    match wish.view:
        case "expected":
            return [*first, row.starts_at.is_(None), row.starts_at, row.id]
        case "registered":
            return [*first, row.arrived_at.desc(), row.id.desc()]
        case "examined":
            return [*first, row.finished_at.desc(), row.id.desc()]
        case "finished":
            return [row.final_at.desc(), row.id.desc()]
        case _:
            return [row.id.desc()]


def _listed(row: Any) -> Listed:
    return Listed(
        Exam.of(row),
        row.patient_id,
        spoken(row.name_ideographic, row.name_alphabetic),
        row.name_alphabetic,
        row.sex,
        row.birth_date,
        row.vip,
        row.unknown,
        row.patient_class,
        row.requester,
        row.order_department,
        row.ward,
        row.bed,
        row.priority,
    )
