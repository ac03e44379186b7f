"""Times on stations. Two exams never have the same time of one station: the database itself keeps them apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select
from sqlalchemy.exc import IntegrityError

from filmless.access.acting import Acting
from filmless.access.audit.model import Kind
from filmless.access.model import Action, Principal, permit
from filmless.department import exams
from filmless.department.exams import Exam
from filmless.department.states import State
from filmless.department.tables import bookings, stations, words
from filmless.department.tables import exams as exam_rows
from filmless.department.visibility import seen
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused
from filmless.patients.persons.model import spoken
from filmless.patients.tables import persons

_VISIBLE: Final = exam_rows.alias("visible_exam")
_MINUTES: Final = 15
_LONGEST: Final = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Taken:
    """A time that is taken. `exam` None: the station is closed, `note` says why."""

    id: int
    station: str
    starts_at: datetime
    ends_at: datetime
    overbooked: bool
    note: str
    exam: int | None
    number: str = ""
    state: str = ""
    procedure_zh: str = ""
    procedure_en: str = ""
    stat: bool = False
    name: str = ""
    name_alphabetic: str = ""
    #: there is one, of a person whom this principal may not see
    hidden: bool = False


def book(
    connection: Connection,
    exam_id: int,
    station: str,
    starts_at: datetime,
    acting: Acting,
    *,
    minutes: int | None = None,
    overbook: bool = False,
    source: str = "screen",
    seen_changes: int | None = None,
) -> Exam:
    """Give an exam a time on a station: the first (T03), or another one (T08), or again after it was cancelled (T30).

    Raises Conflict: "slot-taken", "closed" (outside the station's hours; overbooking may), "wrong-state", "stale";
    Refused: "unknown-station", "past", "bad-value", "not-permitted".
    """
    exam = exams.get(connection, exam_id)
    length = timedelta(minutes=minutes or minutes_of(connection, exam.procedure))
    ends_at = starts_at + length
    if starts_at < clock.now() - timedelta(minutes=15) and source == "screen":
        raise Refused("This time is over.", code="past")
    take(connection, exam_id, station, starts_at, ends_at, acting, overbook=overbook)
    name = {
        State.SCHEDULED: "T08",
        State.ARRIVED: "T08",
        State.CANCELLED: "T30",
        State.NO_SHOW: "T30",
    }.get(exam.state, "T03")
    detail = {"station": station, "starts_at": starts_at.isoformat(timespec="minutes")}
    if exam.station:
        detail["from"] = exam.station
    if overbook:
        detail["overbooked"] = "yes"
    return exams.advance(
        connection,
        exam_id,
        name,
        acting,
        source=source,
        detail=detail,
        also={"station": station, "starts_at": starts_at, "ends_at": ends_at},
        seen=seen_changes,
    )


def take(
    connection: Connection,
    exam_id: int,
    station: str,
    starts_at: datetime,
    ends_at: datetime | None,
    acting: Acting,
    *,
    overbook: bool = False,
) -> None:
    """The row of a booking, in the place of the exam's earlier one. Raises as `book`."""
    row = _station(connection, station)
    exam = exams.get(connection, exam_id)
    if row.modality != exam.modality:
        raise Refused(f"On {station} no {exam.modality} is made.", code="unknown-station")
    end = ends_at or starts_at + timedelta(minutes=minutes_of(connection, exam.procedure))
    if overbook:
        permit(acting.who, Action.OVERBOOK)
    elif not within_hours(row.hours, starts_at, end):
        raise Conflict("The station is not open at this time.", code="closed")
    free(connection, exam_id)
    _put(connection, row.id, exam_id, starts_at, end, acting, overbook=overbook, note="")


def free(connection: Connection, exam_id: int) -> None:
    """Give back the time of an exam."""
    connection.execute(delete(bookings).where(bookings.c.exam == exam_id))


def close(
    connection: Connection, station: str, starts_at: datetime, ends_at: datetime, note: str, acting: Acting
) -> int:
    """Close a station for maintenance or a holiday; returns the id. Raises Conflict (code "slot-taken")."""
    row = _station(connection, station)
    made = _put(connection, row.id, None, starts_at, ends_at, acting, overbook=False, note=note)
    acting.note(connection, "station closed", kind=Kind.CONFIG, station=station)
    return made


def reopen(connection: Connection, booking_id: int, acting: Acting) -> None:
    """Take a closure back. Raises Refused (code "not-found")."""
    done = connection.execute(delete(bookings).where(bookings.c.id == booking_id, bookings.c.exam.is_(None)))
    if done.rowcount != 1:
        raise Refused("There is no such closure.", code="not-found")
    acting.note(connection, "station opened again", kind=Kind.CONFIG, booking=booking_id)


def on_day(
    connection: Connection,
    principal: Principal,
    day: date,
    *,
    station_codes: Sequence[str] = (),
    action: Action = Action.BOOK,
    limit: int = 1000,
) -> list[Taken]:
    """What is taken on a local day, station by station. Exams that are not for this principal are told of as taken."""
    first, last = _seconds(_local(day, time(0))), _seconds(_local(day + timedelta(days=1), time(0))) - 1
    visible = select(_VISIBLE.c.id).where(_VISIBLE.c.id == bookings.c.exam, seen(principal, action, _VISIBLE))
    query = (
        select(
            bookings.c.id,
            stations.c.code.label("station"),
            bookings.c.starts_at,
            bookings.c.ends_at,
            bookings.c.overbooked,
            bookings.c.note,
            bookings.c.exam,
            exam_rows.c.number,
            exam_rows.c.state,
            exam_rows.c.procedure_zh,
            exam_rows.c.procedure_en,
            exam_rows.c.stat,
            persons.c.name_ideographic,
            persons.c.name_alphabetic,
            visible.correlate(bookings).exists().label("visible"),
        )
        .join(stations, stations.c.id == bookings.c.station)
        .outerjoin(exam_rows, exam_rows.c.id == bookings.c.exam)
        .outerjoin(persons, persons.c.id == exam_rows.c.person)
        .where(bookings.c.first_second <= last, bookings.c.last_second >= first)
        .order_by(stations.c.code, bookings.c.first_second, bookings.c.id)
        .limit(limit)
    )
    if station_codes:
        query = query.where(stations.c.code.in_(list(station_codes)))
    return [_taken(row) for row in connection.execute(query)]


def _taken(row: Any) -> Taken:
    plain = (row.id, row.station, row.starts_at, row.ends_at, row.overbooked, row.note)
    if row.exam is None:
        return Taken(*plain, exam=None)
    if not row.visible:
        return Taken(*plain, exam=None, hidden=True)
    return Taken(
        *plain,
        exam=row.exam,
        number=row.number,
        state=row.state,
        procedure_zh=row.procedure_zh,
        procedure_en=row.procedure_en,
        stat=row.stat,
        name=spoken(row.name_ideographic, row.name_alphabetic),
        name_alphabetic=row.name_alphabetic,
    )


def earliest(
    connection: Connection, modality: str, minutes: int, *, start: datetime | None = None, days: int = 14
) -> tuple[str, datetime] | None:
    """(station, time) of the first free time of `minutes` on any station of a modality; None within `days`."""
    begin = start or clock.now()
    best: tuple[datetime, str] | None = None
    for row in connection.execute(
        select(stations).where(stations.c.modality == modality, stations.c.active).order_by(stations.c.code)
    ):
        found = _first_free(connection, row, timedelta(minutes=minutes), begin, days)
        if found is not None and (best is None or found < best[0]):
            best = (found, row.code)
    return None if best is None else (best[1], best[0])


def _first_free(
    connection: Connection, row: Row[Any], length: timedelta, begin: datetime, days: int
) -> datetime | None:
    until = begin + timedelta(days=days)
    busy = [
        (taken.first_second, taken.last_second)
        for taken in connection.execute(
            select(bookings.c.first_second, bookings.c.last_second)
            .where(
                bookings.c.station == row.id,
                bookings.c.last_second >= _seconds(begin),
                bookings.c.first_second <= _seconds(until),
            )
            .order_by(bookings.c.first_second)
        )
    ]
    first_day = begin.astimezone().date()
    for offset in range(days + 1):
        day = first_day + timedelta(days=offset)
        for opens, closes in hours_of(row.hours, day):
            at = max(opens, _rounded(begin))
            while at + length <= closes:
                clash = [
                    last for first, last in busy if first < _seconds(at + length) and last >= _seconds(at)
                ]
                if not clash:
                    return at
                at = _rounded(datetime.fromtimestamp(max(clash) + 1, UTC))
    return None


def hours_of(hours: Mapping[str, Any], day: date) -> list[tuple[datetime, datetime]]:
    """When a station is open on a local day; the whole day where no hours are written at all."""
    if not hours:
        return [(_local(day, time(0)), _local(day + timedelta(days=1), time(0)))]
    found = []
    for opens, closes in hours.get(str(day.weekday()), ()):
        end = (
            _local(day + timedelta(days=1), time(0))
            if closes == "24:00"
            else _local(day, time.fromisoformat(closes))
        )
        found.append((_local(day, time.fromisoformat(opens)), end))
    return found


def within_hours(hours: Mapping[str, Any], starts_at: datetime, ends_at: datetime) -> bool:
    """Whether a station is open the whole time."""
    return any(
        opens <= starts_at and ends_at <= closes
        for opens, closes in hours_of(hours, starts_at.astimezone().date())
    )


def minutes_of(connection: Connection, procedure: str) -> int:
    """How long a procedure takes."""
    more = connection.scalar(
        select(words.c.more).where(words.c.kind == "procedure", words.c.code == procedure)
    )
    return int((more or {}).get("minutes") or _MINUTES)


def _station(connection: Connection, code: str) -> Row[Any]:
    row = connection.execute(select(stations).where(stations.c.code == code, stations.c.active)).one_or_none()
    if row is None:
        raise Refused(f"There is no station {code}.", code="unknown-station")
    return row


def _put(
    connection: Connection,
    station: int,
    exam: int | None,
    starts_at: datetime,
    ends_at: datetime,
    acting: Acting,
    *,
    overbook: bool,
    note: str,
) -> int:
    if not timedelta() < ends_at - starts_at <= (_LONGEST if exam is not None else timedelta(days=60)):
        raise Refused("The end comes after the beginning, within twelve hours.", code="bad-value")
    try:
        with connection.begin_nested():
            key = connection.execute(
                insert(bookings).values(
                    station=station,
                    exam=exam,
                    starts_at=starts_at,
                    ends_at=ends_at,
                    first_second=_seconds(starts_at),
                    last_second=_seconds(ends_at) - 1,
                    overbooked=overbook,
                    note=note[:200],
                    by=acting.who.name[:80],
                    at=clock.now(),
                )
            ).inserted_primary_key
    except IntegrityError:
        raise Conflict("Somebody has this time already. Choose another.", code="slot-taken") from None
    assert key is not None
    return int(key[0])


def _local(day: date, at: time) -> datetime:
    return datetime.combine(day, at).astimezone().astimezone(UTC)


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _rounded(at: datetime) -> datetime:
    """Up to the next five minutes."""
    seconds = -(-int(at.timestamp()) // 300) * 300
    return datetime.fromtimestamp(seconds, UTC)
