"""Critical results: findings that cannot wait. Raised, told, acknowledged with what was read back, acted upon, closed;
every step is kept. What is late is escalated by the worker."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, exists, func, insert, or_, select, update

from filmless.access.acting import Acting
from filmless.access.audit.model import Kind
from filmless.access.model import SYSTEM, Action, Principal, may
from filmless.db import events
from filmless.department import exams as department
from filmless.department.tables import exams, orders
from filmless.department.tables import words as department_words
from filmless.department.visibility import seen
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused
from filmless.reporting.tables import critical_steps, criticals

#: code -> (Chinese, English, level)
CATALOGUE: Final[Mapping[str, tuple[str, str, str]]] = {
    "ICH": ("颅内出血", "intracranial haemorrhage", "red"),
    "HERNIATION": ("脑疝", "brain herniation", "red"),
    "STROKE": ("急性大面积脑梗死", "acute large infarct", "red"),
    "CORD": ("脊髓急性受压", "acute spinal cord compression", "red"),
    "PNEUMOTHORAX": ("张力性气胸", "tension pneumothorax", "red"),
    "DISSECTION": ("主动脉夹层或破裂", "aortic dissection or rupture", "red"),
    "PE": ("肺栓塞", "pulmonary embolism", "red"),
    "TAMPONADE": ("心包填塞", "cardiac tamponade", "red"),
    "FREE-GAS": ("消化道穿孔(腹腔游离气体)", "free intraperitoneal gas", "red"),
    "RUPTURE": ("实质脏器破裂出血", "rupture of a solid organ", "red"),
    "ECTOPIC": ("异位妊娠破裂", "ruptured ectopic pregnancy", "red"),
    "TUBE": ("导管位置异常", "misplaced tube or line", "orange"),
    "FRACTURE": ("不稳定骨折", "unstable fracture", "orange"),
    "ILEUS": ("急性肠梗阻", "acute bowel obstruction", "orange"),
    "DVT": ("急性深静脉血栓", "acute deep vein thrombosis", "orange"),
    "MALIGNANCY": ("意外发现恶性肿瘤可能", "unexpected finding that may be malignant", "yellow"),
}
#: level -> until when somebody has to be told, and after that to have acknowledged
TIMES: Final[Mapping[str, timedelta]] = {
    "red": timedelta(minutes=10),
    "orange": timedelta(minutes=60),
    "yellow": timedelta(hours=24),
}
OPEN: Final = ("raised", "notified", "acknowledged", "actioned")
#: step -> the statuses in which it may be done, the status after it
_STEPS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "notified": (("raised", "notified"), "notified"),
    "acknowledged": (("raised", "notified"), "acknowledged"),
    "actioned": (("acknowledged", "actioned"), "actioned"),
    "closed": (("actioned",), "closed"),
    "withdrawn": (("raised", "notified", "acknowledged"), "withdrawn"),
}
#: escalated at most so often: clinician, ward, duty doctor, head of department, medical office
MOST_ESCALATIONS: Final = 5


@dataclass(frozen=True, slots=True)
class Critical:
    """The columns of reporting.tables.criticals."""

    id: int
    exam: int
    code: str
    finding: str
    level: str
    status: str
    raised_at: datetime
    raised_by: str
    due_at: datetime | None
    escalations: int
    receiver: str
    ward: str
    department: str
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Step:
    """The columns of reporting.tables.critical_steps."""

    critical: int
    seq: int
    what: str
    channel: str
    receiver: str
    words: str
    at: datetime
    by: str


def catalogue(connection: Connection) -> dict[str, tuple[str, str, str]]:
    """code -> (Chinese, English, level): what Filmless comes with, and what the department wrote besides or instead."""
    found = dict(CATALOGUE)
    query = (
        select(department_words)
        .where(department_words.c.kind == "critical")
        .order_by(department_words.c.code)
    )
    for row in connection.execute(query):
        found.pop(row.code, None)
        if row.active:
            found[row.code] = (row.name_zh, row.name_en, str(row.more.get("level", "red")))
    return found


def raise_one(
    connection: Connection,
    exam_id: int,
    acting: Acting,
    *,
    code: str = "",
    finding: str = "",
    level: str = "",
) -> Critical:
    """Raise a critical result on an exam, whether or not there is a report yet. In the caller's write transaction.

    The clinician, ward and department that asked for the exam are to be told. Raises Refused: "bad-value" without a
    finding, Conflict "raised-already".
    """
    known = catalogue(connection).get(code)
    if code and known is None:
        raise Refused("This is not in the catalogue of critical results.", code="bad-value")
    words = finding.strip() or (known[0] if known else "")
    kept = level or (known[2] if known else "red")
    if not words or kept not in TIMES:
        raise Refused("Say what was found and how urgent it is.", code="bad-value")
    exam = department.get(connection, exam_id)
    order = connection.execute(select(orders).where(orders.c.id == exam.order_id)).one()
    now = clock.now()
    same = select(criticals.c.id).where(
        criticals.c.exam == exam_id,
        criticals.c.code == code,
        criticals.c.finding == words[:400],
        criticals.c.status.in_(OPEN),
    )
    if connection.scalar(same) is not None:
        raise Conflict("This was raised already.", code="raised-already")
    row = connection.execute(
        insert(criticals)
        .values(
            exam=exam_id,
            code=code,
            finding=words[:400],
            level=kept,
            status="raised",
            raised_at=now,
            raised_by=acting.who.name,
            due_at=now + TIMES[kept],
            receiver=order.requested_by,
            ward=order.ward,
            department=order.department,
        )
        .returning(criticals)
    ).one()
    made = Critical(**row._mapping)
    _keep(connection, made, "raised", acting, channel="screen", words=words)
    return made


def get(connection: Connection, critical_id: int, *, to_write: bool = False) -> Critical:
    """Raises Refused (code "not-found")."""
    query = select(criticals).where(criticals.c.id == critical_id)
    row = connection.execute(query.with_for_update() if to_write else query).one_or_none()
    if row is None:
        raise Refused("There is no such critical result.", code="not-found")
    return Critical(**row._mapping)


def step(
    connection: Connection,
    critical_id: int,
    acting: Acting,
    what: str,
    *,
    channel: str = "screen",
    receiver: str = "",
    words: str = "",
) -> Critical:
    """One step further; in the caller's write transaction.

    "notified" says who was told and how; "acknowledged" who took it and what was read back; "actioned" what was done;
    "withdrawn" why. Raises Refused "words-missing", "not-permitted"; Conflict "wrong-state".
    """
    found = get(connection, critical_id, to_write=True)
    before, after = _STEPS[what]
    _may_step(acting.who, what, channel)
    if found.status not in before:
        raise Conflict(f"It is {found.status}: this step is not possible now.", code="wrong-state")
    if what != "closed" and not words.strip() and not (what == "notified" and receiver.strip()):
        raise Refused("Say what was read back, done, or why.", code="words-missing")
    if what in ("notified", "acknowledged") and channel == "phone" and not receiver.strip():
        raise Refused("Say who was spoken to.", code="words-missing")
    now = clock.now()
    values: dict[str, Any] = {"status": after}
    if what == "notified" and found.status == "raised":
        values["due_at"] = now + TIMES[found.level]
    if what == "acknowledged":
        values["due_at"] = now + 3 * TIMES[found.level]
    if what in ("actioned", "closed", "withdrawn"):
        values["due_at"] = None
    if after in ("closed", "withdrawn"):
        values["closed_at"] = now
    connection.execute(update(criticals).where(criticals.c.id == critical_id).values(**values))
    _keep(connection, found, what, acting, channel=channel, receiver=receiver, words=words)
    return get(connection, critical_id)


def _may_step(who: Principal, what: str, channel: str) -> None:
    """Radiologists tell and withdraw, clinicians acknowledge and act; by phone a radiologist writes down what the
    clinician said. Either closes."""
    raises, answers = may(who, Action.RAISE_CRITICAL), may(who, Action.ANSWER_CRITICAL)
    allowed = {
        "notified": raises,
        "withdrawn": raises,
        "acknowledged": answers or (raises and channel == "phone"),
        "actioned": answers or (raises and channel == "phone"),
        "closed": raises or answers,
    }[what]
    if not allowed:
        raise Refused("You have no right to do this.", code="not-permitted")


def _keep(
    connection: Connection,
    one: Critical,
    what: str,
    acting: Acting,
    *,
    channel: str = "",
    receiver: str = "",
    words: str = "",
) -> None:
    last = connection.scalar(
        select(func.max(critical_steps.c.seq)).where(critical_steps.c.critical == one.id)
    )
    connection.execute(
        insert(critical_steps).values(
            critical=one.id,
            seq=(last or 0) + 1,
            what=what,
            channel=channel,
            receiver=receiver[:100],
            words=words[:1000],
            at=clock.now(),
            by=acting.who.name,
        )
    )
    events.record(connection, [("critical", {"critical": one.id, "exam": one.exam, "what": what})])
    exam = department.note(
        connection,
        one.exam,
        f"critical result {what}",
        acting,
        source="timer" if what == "escalated" else "screen",
        detail={"critical": one.id, "level": one.level},
    )
    acting.note(
        connection,
        f"critical {what}",
        kind=Kind.EXAM,
        studies=(exam.study_uid,),
        critical=one.id,
        level=one.level,
    )


def steps_of(connection: Connection, ids: list[int]) -> dict[int, list[Step]]:
    """What was done about each, in order."""
    found: dict[int, list[Step]] = {one: [] for one in ids}
    query = (
        select(critical_steps)
        .where(critical_steps.c.critical.in_(ids))
        .order_by(critical_steps.c.critical, critical_steps.c.seq)
    )
    for row in connection.execute(query):
        found[row.critical].append(Step(**row._mapping))
    return found


def for_reader(who: Principal) -> ColumnElement[bool]:
    """The condition on `criticals` joined with `exams` that a principal reads them: who raises them, within the scope;
    who answers them, those of own patients, own wards and what is addressed to the account."""
    asked: list[ColumnElement[bool]] = []
    if may(who, Action.RAISE_CRITICAL):
        asked.append(seen(who, Action.RAISE_CRITICAL))
    if may(who, Action.ANSWER_CRITICAL):
        asked.append(seen(who, Action.ANSWER_CRITICAL))
    return or_(*asked) if asked else criticals.c.id < 0


def listed(
    connection: Connection,
    who: Principal,
    *,
    open_only: bool = True,
    exam: int | None = None,
    limit: int = 200,
) -> list[Critical]:
    """Those that a principal reads, the most urgent first."""
    query = (
        select(criticals)
        .join(exams, exams.c.id == criticals.c.exam)
        .where(for_reader(who))
        .order_by(
            criticals.c.closed_at.is_not(None),
            criticals.c.due_at.is_(None),
            criticals.c.due_at,
            criticals.c.id.desc(),
        )
        .limit(limit)
    )
    if open_only:
        query = query.where(criticals.c.status.in_(OPEN))
    if exam is not None:
        query = query.where(criticals.c.exam == exam)
    return [Critical(**row._mapping) for row in connection.execute(query)]


def for_whom(connection: Connection, who: Principal, critical_id: int) -> None:
    """Raises Refused (code "not-found") where there is no such one for this principal."""
    query = (
        select(criticals.c.id)
        .join(exams, exams.c.id == criticals.c.exam)
        .where(criticals.c.id == critical_id, for_reader(who))
    )
    if connection.scalar(query) is None:
        raise Refused("There is no such critical result.", code="not-found")


def escalate(connection: Connection, acting: Acting) -> int:
    """Tell the next in the chain of what is late; by the worker. Returns how many were."""
    assert acting.who is SYSTEM or acting.who.unlimited
    now = clock.now()
    late = select(criticals).where(
        criticals.c.status.in_(("raised", "notified", "acknowledged")),
        and_(criticals.c.due_at.is_not(None), criticals.c.due_at < now),
        criticals.c.escalations < MOST_ESCALATIONS,
    )
    done = 0
    for row in connection.execute(late.limit(100)).all():
        one = Critical(**row._mapping)
        connection.execute(
            update(criticals)
            .where(criticals.c.id == one.id)
            .values(escalations=one.escalations + 1, due_at=now + TIMES[one.level])
        )
        _keep(connection, one, "escalated", acting, channel="screen", words=f"{one.escalations + 1}")
        done += 1
    return done


def open_on(connection: Connection, exam_ids: list[int]) -> list[Critical]:
    """All critical results on exams, closed ones too, the newest first."""
    query = select(criticals).where(criticals.c.exam.in_(exam_ids)).order_by(criticals.c.id.desc()).limit(100)
    return [Critical(**row._mapping) for row in connection.execute(query)]


def any_open(exam_id: Any) -> ColumnElement[bool]:
    """The condition that an exam has one that is open."""
    return exists(select(criticals.c.id).where(criticals.c.exam == exam_id, criticals.c.status.in_(OPEN)))
