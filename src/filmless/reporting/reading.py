"""The lists of what is to be read, written, reviewed; and the next case."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    String,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    tuple_,
    type_coerce,
)

from filmless.access.acting import Acting
from filmless.access.model import Action, Principal, permit
from filmless.department.states import State
from filmless.department.tables import exam_numbers, exam_studies, exams, orders
from filmless.department.visibility import seen
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused
from filmless.patients import names
from filmless.patients.tables import persons
from filmless.reporting import deciding, words, writing
from filmless.reporting.model import Report
from filmless.reporting.tables import criticals, report_exams, reports

Queue = Literal["to-read", "mine", "returned", "to-review", "signed", "all"]
QUEUES: Final[tuple[Queue, ...]] = ("to-read", "mine", "returned", "to-review", "signed", "all")
#: counts go no further
MOST_COUNTED: Final = 1000

#: an exam that is due at no time comes last
_NEVER: Final = "9999"
_RANK: Final = case((exams.c.stat, 0), else_=1)
_DUE: Final = func.coalesce(type_coerce(exams.c.due_at, String), literal(_NEVER))
_SIGNED_AT: Final = func.coalesce(type_coerce(exams.c.final_at, String), literal(""))
_PRIOR, _PRIOR_LINK = exams.alias("prior"), report_exams.alias("prior_report")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is looked for; empty does not restrict. `text`: a name, pinyin, patient ID, number, or words of a report."""

    queue: Queue = "to-read"
    text: str = ""
    modalities: tuple[str, ...] = ()
    stat: bool | None = None
    department: str = ""
    body_part: str = ""
    exam_class: str = ""
    station: str = ""
    since: datetime | None = None
    until: datetime | None = None
    overdue: bool = False
    limit: int = 100
    after: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """Rows with the columns of `_query`, how many each queue has, and where to go on ("" at the end)."""

    rows: Sequence[Row[Any]]
    studies: dict[int, list[str]]
    counts: dict[Queue, int]
    after: str


def listed(connection: Connection, who: Principal, wish: Wish) -> Listed:
    """A page of a queue, the most urgent first (the newest of those that are signed), and the size of each queue.

    Raises Refused (code "bad-cursor").
    """
    narrowed = permit(who, Action.REPORT)
    query = _query(narrowed).where(_of_queue(wish.queue, narrowed), *_asked(wish))
    newest_first = wish.queue in ("signed", "all")
    order: list[Any] = [_SIGNED_AT, exams.c.id] if newest_first else [_RANK, _DUE, exams.c.id]
    if newest_first and wish.queue == "all":
        order = [exams.c.id]
    if wish.after:
        point = _point(wish.after, len(order))
        behind = tuple_(*order) < tuple_(*point) if newest_first else tuple_(*order) > tuple_(*point)
        query = query.where(behind)
    query = query.add_columns(*(part.label(f"order_{at}") for at, part in enumerate(order)))
    query = query.order_by(*(part.desc() if newest_first else part for part in order)).limit(wish.limit + 1)
    rows = connection.execute(query).all()
    page = rows[: wish.limit]
    after = ""
    if len(rows) > wish.limit:
        after = _cursor([getattr(page[-1], f"order_{at}") for at in range(len(order))])
    counts: dict[Queue, int] = {queue: _count(connection, narrowed, queue) for queue in QUEUES}
    return Listed(page, _studies(connection, page), counts, after)


def _cursor(values: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(list(values)).encode()).decode("ascii")


def _point(cursor: str, length: int) -> list[Any]:
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
        if not isinstance(values, list) or len(values) != length or not isinstance(values[-1], int):
            raise ValueError
        if not all(isinstance(one, int | str) and not isinstance(one, bool) for one in values):
            raise ValueError
    except (ValueError, TypeError):
        raise Refused("This place in the list is not known.", code="bad-cursor") from None
    return [literal(one) for one in values]


def _query(who: Principal) -> Select[Any]:
    """Rows of exams with the person, the order and the report."""
    priors = (
        select(func.count())
        .select_from(_PRIOR)
        .where(
            _PRIOR.c.person == exams.c.person,
            _PRIOR.c.id != exams.c.id,
            _PRIOR.c.state.in_((State.FINAL.value, State.CORRECTED.value)),
        )
        .correlate(exams)
        .scalar_subquery()
    )
    critical = exists(
        select(criticals.c.id)
        .where(
            criticals.c.exam == exams.c.id,
            criticals.c.status.in_(("raised", "notified", "acknowledged", "actioned")),
        )
        .correlate(exams)
    )
    return (
        select(
            exams,
            persons.c.name_ideographic,
            persons.c.name_alphabetic,
            persons.c.sex,
            persons.c.birth_date,
            persons.c.patient_id,
            persons.c.vip,
            orders.c.patient_class,
            orders.c.requester,
            orders.c.department.label("asked_by"),
            orders.c.ward,
            orders.c.bed,
            orders.c.diagnosis,
            reports.c.id.label("report"),
            reports.c.status.label("report_status"),
            reports.c.author,
            reports.c.reviewer,
            reports.c.locked_by,
            reports.c.locked_until,
            reports.c.returned,
            reports.c.pending,
            reports.c.pending_by,
            reports.c.result,
            reports.c.changed_at.label("report_changed_at"),
            priors.label("priors"),
            critical.label("critical"),
        )
        .select_from(exams)
        .join(persons, persons.c.id == exams.c.person)
        .join(orders, orders.c.id == exams.c.order_id)
        .outerjoin(report_exams, report_exams.c.exam == exams.c.id)
        .outerjoin(reports, reports.c.id == report_exams.c.report)
        .where(seen(who, Action.REPORT))
    )


def _in(*states: State) -> ColumnElement[bool]:
    return exams.c.state.in_([state.value for state in states])


def _of_queue(queue: Queue, who: Principal) -> ColumnElement[bool]:
    me = who.name
    final = _in(State.FINAL, State.CORRECTED)
    match queue:
        case "to-read":
            return _in(State.VERIFIED)
        case "mine":
            own = and_(final, reports.c.pending_by == me, reports.c.pending.in_(("addendum", "correction")))
            written = and_(_in(State.REPORTING), reports.c.author == me, ~reports.c.returned)
            return or_(written, own)
        case "returned":
            return and_(_in(State.REPORTING), reports.c.author == me, reports.c.returned)
        case "to-review":
            waiting = and_(_in(State.PRELIMINARY), reports.c.author != me)
            begun = and_(_in(State.IN_REVIEW), reports.c.reviewer == me)
            asked = and_(
                final,
                reports.c.pending.in_(("correction-asked", "retraction-asked")),
                reports.c.pending_by != me,
            )
            return or_(waiting, begun, asked) if permitted(who) else false()
        case "signed":
            return final
        case "all":
            return exams.c.state.in_([state.value for state in State if "E40" <= state.value <= "E97"])


def permitted(who: Principal) -> bool:
    """Whether this principal reviews at all."""
    return who.unlimited or bool(who.granting(Action.REVIEW))


def _asked(wish: Wish) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wish.modalities:
        found.append(exams.c.modality.in_(wish.modalities))
    if wish.stat is not None:
        found.append(exams.c.stat if wish.stat else ~exams.c.stat)
    for column, value in (
        (exams.c.body_part, wish.body_part),
        (exams.c.exam_class, wish.exam_class),
        (exams.c.station, wish.station),
    ):
        if value:
            found.append(column == value)
    if wish.department:
        found.append(or_(exams.c.department == wish.department, orders.c.department == wish.department))
    if wish.since is not None:
        found.append(exams.c.ordered_at >= wish.since)
    if wish.until is not None:
        found.append(exams.c.ordered_at < wish.until)
    if wish.overdue:
        found.append(and_(exams.c.due_at < clock.now(), exams.c.final_at.is_(None)))
    if wish.text.strip():
        found.append(_text(wish.text.strip()))
    return found


def _text(text: str) -> ColumnElement[bool]:
    """Whoever or whatever is called so: the beginning of a name or number, or words in the report's newest text."""
    key = names.normal(text)
    number = select(exam_numbers.c.exam).where(exam_numbers.c.number.like(_like(text.upper()), escape="\\"))
    said = select(report_exams.c.exam).where(words.found(report_exams.c.report, text))
    return or_(
        persons.c.key_ideographic.like(_like(key), escape="\\"),
        persons.c.key_alphabetic.like(_like(key.replace(" ", "")), escape="\\"),
        persons.c.key_alphabetic.like(_like(key), escape="\\"),
        persons.c.initials.like(_like(key), escape="\\"),
        persons.c.patient_id == text,
        exams.c.id.in_(number),
        *([exams.c.id.in_(said)] if len(text) >= 2 else []),
    )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _like(text: str) -> str:
    return f"{_escaped(text)}%"


def _count(connection: Connection, who: Principal, queue: Queue) -> int:
    inside = (
        select(exams.c.id)
        .select_from(exams)
        .outerjoin(report_exams, report_exams.c.exam == exams.c.id)
        .outerjoin(reports, reports.c.id == report_exams.c.report)
        .where(_of_queue(queue, who), seen(who, Action.REPORT))
        .limit(MOST_COUNTED)
    )
    return connection.scalar(select(func.count()).select_from(inside.subquery())) or 0


def _studies(connection: Connection, rows: Sequence[Row[Any]]) -> dict[int, list[str]]:
    """The Study Instance UIDs of these exams that there are images of, else the one that the worklist gives."""
    found: dict[int, list[str]] = {row.id: [] for row in rows}
    query = (
        select(exam_studies.c.exam, exam_studies.c.study_uid)
        .where(exam_studies.c.exam.in_(list(found)))
        .order_by(exam_studies.c.at)
    )
    for row in connection.execute(query):
        found[row.exam].append(row.study_uid)
    return {row.id: found[row.id] or [row.study_uid] for row in rows}


def claim_next(connection: Connection, acting: Acting, wish: Wish) -> tuple[int, Report] | None:
    """Claim the most urgent one of a queue: to be read, or ("to-review") to be reviewed. (exam, report), or None.

    Cases that somebody else takes at the same moment are passed over.
    """
    narrowed = permit(acting.who, Action.REVIEW if wish.queue == "to-review" else Action.REPORT)
    query = (
        _query(permit(acting.who, Action.REPORT))
        .where(_of_queue(wish.queue, narrowed), *_asked(wish))
        .order_by(_RANK, _DUE, exams.c.id)
        .limit(20)
    )
    for row in connection.execute(query).all():
        try:
            with connection.begin_nested():
                if wish.queue == "to-review":
                    report = deciding.review(
                        connection, row.report, acting, seen=_changes(connection, row.report)
                    )
                else:
                    report = writing.claim(connection, row.id, acting)
            return row.id, report
        except (Conflict, Refused):
            continue
    return None


def _changes(connection: Connection, report: int) -> int:
    return connection.scalar(select(reports.c.changes).where(reports.c.id == report)) or 0
