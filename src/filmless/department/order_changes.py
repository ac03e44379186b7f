"""What becomes of an order after it was made: other words, another class or priority; all that waits is called off.

In the caller's write transaction.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, select

from filmless.access.acting import Acting
from filmless.department import exams, orders, registration
from filmless.department.exams import Exam
from filmless.department.exams.guards import class_words
from filmless.department.orders import Order
from filmless.department.states import TRANSITIONS, State
from filmless.department.tables import exams as exam_rows
from filmless.kit.errors import Conflict

#: in these it is what it is: nothing of the order is to be done any more
_OVER: Final = frozenset({State.CANCELLED, State.NO_SHOW, State.VOID})
#: can still be called off
_WAITING: Final = frozenset(TRANSITIONS["T28"].before)
#: who reads and who hands out follows from these
_BELONGING: Final = frozenset({"department", "ward", "requested_by"})


def exams_of(connection: Connection, order_id: int) -> list[Exam]:
    """The exams of an order, in the order in which they were asked for."""
    query = select(exam_rows).where(exam_rows.c.order_id == order_id).order_by(exam_rows.c.id).limit(100)
    return [Exam.of(row) for row in connection.execute(query)]


def change_order(
    connection: Connection,
    order_id: int,
    changes: Mapping[str, Any],
    acting: Acting,
    *,
    begun: bool,
    seen: Mapping[str, Any] | None = None,
) -> Order:
    """Write more, or other, of an order; its exams, the worklist and who sees them follow.

    `begun`: also what has begun already may be written about. `seen`: what is changed, as it was when it was looked
    at. Raises Refused ("not-found", "bad-value"), Conflict ("wrong-state", "number-needed", "identifier-taken",
    "stale").
    """
    before = orders.get(connection, order_id, lock=True)
    for name in changes.keys() & (seen or {}).keys():
        if getattr(before, name, None) not in ((seen or {})[name], changes[name]):
            raise Conflict(
                "Somebody has written something else there meanwhile. Look at the order again.", code="stale"
            )
    found = exams_of(connection, order_id)
    if found and all(one.state in _OVER for one in found):
        raise Conflict("Nothing of this order is to be done any more.", code="wrong-state")
    if not begun and any(one.state not in _WAITING | _OVER for one in found):
        raise Conflict("It has begun: what was asked for is changed by the department.", code="wrong-state")
    told = {
        name: str(changes.get(name, getattr(before, name))) for name in ("visit_number", "admission_number")
    }
    for one in found:
        if one.number:
            registration.check_needs(connection, one.exam_class, told)
    now = orders.change(connection, order_id, changes, acting)
    different = sorted(name for name in changes if getattr(now, name) != getattr(before, name))
    if not different:
        return now
    if {"visit_number", "admission_number"} & set(different):
        registration.remember(connection, now.person, told, acting)
    for one in found:
        also = {}
        # the green channel stays what it is
        if "priority" in different and one.state in _WAITING and not _green(connection, one):
            also["stat"] = now.priority == "stat"
        noted = exams.note(
            connection, one.id, "order changed", acting, reason=acting.reason,
            detail={"attributes": different}, also=also,
        )  # fmt: skip
        if _BELONGING & set(different):
            exams.belong(connection, noted, acting)
    return now


def cancel_order(
    connection: Connection, order_id: int, acting: Acting, *, code: str, reason: str = ""
) -> list[Exam]:
    """Call off all exams of an order that have not begun (T28). Raises Conflict (code "wrong-state") where none is."""
    waiting = [one for one in exams_of(connection, order_id) if one.state in _WAITING]
    if not waiting:
        raise Conflict("Nothing of this order waits any more.", code="wrong-state")
    return [registration.cancel(connection, one.id, acting, code=code, reason=reason) for one in waiting]


def _green(connection: Connection, exam: Exam) -> bool:
    return bool(class_words(connection, exam.exam_class).get("green"))
