"""Orders: what a clinician asks for. One order is one or several exams of one person."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from filmless.access.acting import Acting
from filmless.access.audit.model import Kind
from filmless.department import exams
from filmless.department.exams import Exam
from filmless.department.model import DepartmentSettings
from filmless.department.tables import exams as exam_rows
from filmless.department.tables import orders, words
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused
from filmless.patients import persons

PRIORITIES: Final = ("routine", "urgent", "stat")
#: class of a patient -> class of exams where nothing else is said
PATIENT_CLASSES: Final[Mapping[str, tuple[str, str]]] = {
    "O": ("outpatient", "门诊"),
    "I": ("inpatient", "住院"),
    "E": ("emergency", "急诊"),
    "P": ("physical exam", "体检"),
}
SIDES: Final = ("", "L", "R", "B")
#: what is known of dangers -> values where they are chosen, none where they are words
CAUTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "pregnancy": ("no", "possible", "yes", "unknown"),
    "allergies": (),
    "implants": (),
    "contrast": (),
    "infection": (),
    "other": (),
}


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What is asked for, for whom. The columns of department.tables.orders, where they are described."""

    person: int
    placer: str = ""
    #: "": one is made
    placer_number: str = ""
    requested_by: str = ""
    requester: str = ""
    department: str = ""
    ward: str = ""
    bed: str = ""
    patient_class: str = "O"
    visit_number: str = ""
    admission_number: str = ""
    diagnosis: str = ""
    history: str = ""
    purpose: str = ""
    cautions: Mapping[str, str] = field(default_factory=dict)
    priority: str = "routine"
    ordered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """One procedure that is asked for; `study_uid` where who asks has fixed it."""

    procedure: str
    side: str = ""
    study_uid: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Order:
    """A row of `orders`."""

    id: int
    person: int
    placer: str
    placer_number: str
    requested_by: str
    requester: str
    department: str
    ward: str
    bed: str
    patient_class: str
    visit_number: str
    admission_number: str
    diagnosis: str
    history: str
    purpose: str
    cautions: Mapping[str, str]
    priority: str
    ordered_at: datetime
    created_at: datetime
    created_by: str

    @classmethod
    def of(cls, row: Row[Any]) -> "Order":
        """From a row with all columns of `orders`."""
        return cls(**{name: getattr(row, name) for name in cls.__slots__})


def order(
    connection: Connection,
    new: NewOrder,
    wanted: Sequence[Wanted],
    acting: Acting,
    settings: DepartmentSettings,
    *,
    source: str = "screen",
) -> tuple[Order, list[Exam]]:
    """Write an order and its exams (T01).

    Raises Refused: "nothing-asked", "unknown-procedure", "side-missing", "bad-value"; Conflict: "order-known",
    "order-incomplete" ([department] order_needs).
    """
    if not wanted:
        raise Refused("An order asks for one procedure at least.", code="nothing-asked")
    missing = [name for name in settings.order_needs if not str(getattr(new, name)).strip()]
    if missing and new.patient_class != "E" and new.priority != "stat":
        raise Conflict(f"The order does not say: {', '.join(missing)}.", code="order-incomplete")
    made = insert_order(connection, new, acting)
    found = []
    for one in wanted:
        values = columns(connection, made, one, settings)
        before = earlier(connection, values, settings.repeat_days, besides=made.id)
        # whoever orders was shown it (screens), and has ordered all the same
        detail = {"earlier": before} if before else None
        exam = exams.begin(connection, "T01", values, acting, source=source, detail=detail, at=new.ordered_at)
        found.append(exam)
    return made, found


def earlier(connection: Connection, values: Mapping[str, Any], days: int, *, besides: int) -> list[str]:
    """Numbers of exams of the same person, modality and part of the body within so many days, the newest first; "?" of
    those that have none yet. Neither those that came to nothing, nor those of the order `besides`."""
    query = (
        select(exam_rows.c.number)
        .where(
            exam_rows.c.person == values["person"],
            exam_rows.c.modality == values["modality"],
            exam_rows.c.body_part == values["body_part"],
            exam_rows.c.state < "X",
            exam_rows.c.order_id != besides,
            exam_rows.c.ordered_at > values["ordered_at"] - timedelta(days=days),
        )
        .order_by(exam_rows.c.id.desc())
        .limit(5)
    )
    return [number or "?" for number in connection.scalars(query)]


def insert_order(connection: Connection, new: NewOrder, acting: Acting) -> Order:
    """Write an order without its exams. Raises as `order`."""
    if new.priority not in PRIORITIES or new.patient_class not in PATIENT_CLASSES:
        raise Refused("The order has a priority or a class of patient that is not known.", code="bad-value")
    cautions = {name: value for name, value in new.cautions.items() if value}
    for name, value in cautions.items():
        if name not in CAUTIONS or (CAUTIONS[name] and value not in CAUTIONS[name]):
            raise Refused(f"The order says something of {name} that is not known.", code="bad-value")
    person = persons.resolve(connection, new.person)
    now = clock.now()
    values = asdict(new) | {
        "person": person.id,
        "cautions": cautions,
        "ordered_at": new.ordered_at or now,
        "created_at": now,
        "created_by": acting.who.name[:80],
    }
    own = not new.placer_number
    if own:
        # unique until the row has an id
        values["placer_number"] = f"?{now.timestamp():.6f}-{person.id}"
    try:
        with connection.begin_nested():
            key = connection.execute(insert(orders).values(**values)).inserted_primary_key
    except IntegrityError:
        raise Conflict(
            f"The order {new.placer_number} of {new.placer or 'ours'} is known already.", code="order-known"
        ) from None
    assert key is not None
    if own:
        connection.execute(update(orders).where(orders.c.id == key[0]).values(placer_number=f"O{key[0]}"))
    made = get(connection, key[0])
    acting.note(
        connection,
        "ordered",
        kind=Kind.ORDER,
        patients=(persons.told_id(person),),
        order=made.id,
        number=made.placer_number,
        placer=made.placer,
    )
    return made


def get(connection: Connection, order_id: int, *, lock: bool = False) -> Order:
    """`lock`: its row is held until the transaction ends. Raises Refused (code "not-found")."""
    query = select(orders).where(orders.c.id == order_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise Refused("There is no such order.", code="not-found")
    return Order.of(row)


def by_placer(connection: Connection, placer: str, number: str) -> Order | None:
    """The order that somebody made under a number of theirs."""
    query = select(orders).where(orders.c.placer == placer, orders.c.placer_number == number)
    row = connection.execute(query).one_or_none()
    return None if row is None else Order.of(row)


#: what of an order may still be written after it was made
_CHANGEABLE: Final = frozenset(
    {
        "requested_by",
        "requester",
        "department",
        "ward",
        "bed",
        "patient_class",
        "visit_number",
        "admission_number",
        "diagnosis",
        "history",
        "purpose",
        "cautions",
        "priority",
    }
)


def change(connection: Connection, order_id: int, changes: Mapping[str, Any], acting: Acting) -> Order:
    """Write more, or other, of an order. Raises Refused ("not-found", "bad-value")."""
    before = get(connection, order_id)
    if unknown := changes.keys() - _CHANGEABLE:
        raise Refused(f"Of an order this is not changed: {', '.join(sorted(unknown))}.", code="bad-value")
    different = {name: value for name, value in changes.items() if value != getattr(before, name)}
    if not different:
        return before
    connection.execute(update(orders).where(orders.c.id == order_id).values(**different))
    person = persons.get(connection, before.person)
    acting.note(
        connection,
        "order changed",
        kind=Kind.ORDER,
        patients=(persons.told_id(person),),
        order=order_id,
        attributes=sorted(different),
    )
    return get(connection, order_id)


def columns(
    connection: Connection, made: Order, wanted: Wanted, settings: DepartmentSettings
) -> dict[str, Any]:
    """The columns of an exam of this order. The words of the procedure are those of now. Raises Refused."""
    query = select(words).where(words.c.kind == "procedure", words.c.code == wanted.procedure)
    row = connection.execute(query).one_or_none()
    if row is None or not row.active:
        raise Refused(
            f"The procedure {wanted.procedure} is not in the list of procedures.", code="unknown-procedure"
        )
    if wanted.side not in SIDES:
        raise Refused("A side is left, right or both.", code="bad-value")
    if row.more.get("sides") and not wanted.side:
        raise Refused(f"{row.name_en or row.name_zh}: say which side.", code="side-missing")
    return {
        "order_id": made.id,
        "person": made.person,
        "study_uid": wanted.study_uid,
        "procedure": row.code,
        "procedure_zh": row.name_zh,
        "procedure_en": row.name_en,
        "modality": row.more.get("modality", "OT"),
        "body_part": row.more.get("body_part", ""),
        "side": wanted.side,
        "stat": made.priority == "stat",
        "site": settings.site,
        "department": settings.code,
        "ordered_at": made.ordered_at,
        "more": dict(wanted.more),
    }
