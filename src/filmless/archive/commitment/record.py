"""Commitments as the index keeps them: asked, answered, delivered.

    provider: asked -> answered (verified) -> delivering -> delivered
                          ^____________________/ (not taken: again later; failed: when its job is resumed)
    user:     asked -> answered

`failed`: there is no way to deliver the result, or the device refused the request.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, and_, insert, or_, select, update

from filmless.archive.references import Reference
from filmless.archive.tables import commitments
from filmless.db import events
from filmless.kit import clock
from filmless.kit.errors import Conflict

Role = Literal["provider", "user"]
#: an object and why it is not committed (Failure Reason, PS3.3 C.14.1.1), None where it is
Verdict = tuple[Reference, int | None]

#: a delivery that did not end in this time died with its process
_DELIVERY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Commitment:
    id: int
    transaction_uid: str
    role: Role
    device: str
    asked: tuple[Reference, ...]
    #: once known
    answer: tuple[Verdict, ...] | None
    state: str
    attempts: int
    last_error: str
    at: datetime
    changed_at: datetime

    @property
    def failed(self) -> list[Verdict]:
        """The objects that are not committed."""
        return [verdict for verdict in self.answer or () if verdict[1] is not None]


def ask(
    connection: Connection, role: Role, device: str, transaction_uid: str, asked: Sequence[Reference]
) -> int:
    """Keep a request; returns its id. The same request again is asked anew.

    For the provider's role it is announced as event "commitment-asked". Raises Conflict (code
    "transaction-in-use") where the transaction is known with other objects.
    """
    rows = [[reference.sop_class_uid, reference.sop_instance_uid] for reference in asked]
    now = clock.now()
    known = connection.execute(
        select(commitments).where(
            commitments.c.role == role,
            commitments.c.device == device,
            commitments.c.transaction_uid == transaction_uid,
        )
    ).first()
    if known is None:
        made = connection.execute(
            insert(commitments).values(
                transaction_uid=transaction_uid,
                role=role,
                device=device,
                asked=rows,
                state="asked",
                at=now,
                changed_at=now,
            )
        )
        assert made.inserted_primary_key is not None
        commitment_id = int(made.inserted_primary_key[0])
    else:
        if sorted(known.asked) != sorted(rows):
            raise Conflict("the Transaction UID is in use for other objects", code="transaction-in-use")
        commitment_id = int(known.id)
        connection.execute(
            update(commitments)
            .where(commitments.c.id == commitment_id)
            .values(answer=None, state="asked", attempts=0, last_error="", at=now, changed_at=now)
        )
    if role == "provider":
        events.record(connection, [("commitment-asked", {"id": commitment_id, "device": device})])
    return commitment_id


def load(connection: Connection, commitment_id: int) -> Commitment | None:
    """The commitment, None where there is none."""
    row = connection.execute(select(commitments).where(commitments.c.id == commitment_id)).first()
    return None if row is None else _commitment(row)


def find(connection: Connection, role: Role, device: str, transaction_uid: str) -> Commitment | None:
    """The commitment of a transaction, None where there is none."""
    row = connection.execute(
        select(commitments).where(
            commitments.c.role == role,
            commitments.c.device == device,
            commitments.c.transaction_uid == transaction_uid,
        )
    ).first()
    return None if row is None else _commitment(row)


def answer(connection: Connection, commitment_id: int, verdicts: Sequence[Verdict]) -> None:
    """Keep what was found out about each object."""
    rows = [[r.sop_class_uid, r.sop_instance_uid, reason] for r, reason in verdicts]
    connection.execute(
        update(commitments)
        .where(commitments.c.id == commitment_id, commitments.c.state.in_(("asked", "answered")))
        .values(answer=rows, state="answered", changed_at=clock.now())
    )


def claim(connection: Connection, commitment_id: int) -> bool:
    """Take on the delivery of an answered commitment; False where another task or process has it.

    One that had failed is delivered after all where its job is resumed, e.g. when the device has an address now.
    """
    stale = clock.now() - _DELIVERY
    done = connection.execute(
        update(commitments)
        .where(
            commitments.c.id == commitment_id,
            or_(
                commitments.c.state == "answered",
                and_(commitments.c.state == "failed", commitments.c.role == "provider"),
                and_(commitments.c.state == "delivering", commitments.c.changed_at < stale),
            ),
        )
        .values(state="delivering", attempts=commitments.c.attempts + 1, changed_at=clock.now())
    )
    return bool(done.rowcount)


def settle(connection: Connection, commitment_id: int, state: str, error: str = "") -> None:
    """End a delivery: "delivered", "answered" (again later) or "failed", and why."""
    connection.execute(
        update(commitments)
        .where(commitments.c.id == commitment_id)
        .values(state=state, last_error=error, changed_at=clock.now())
    )


def _commitment(row: Row[Any]) -> Commitment:
    return Commitment(
        id=row.id,
        transaction_uid=row.transaction_uid,
        role=row.role,
        device=row.device,
        asked=tuple(Reference(*one) for one in row.asked),
        answer=None if row.answer is None else tuple((Reference(a, b), c) for a, b, c in row.answer),
        state=row.state,
        attempts=row.attempts,
        last_error=row.last_error,
        at=row.at,
        changed_at=row.changed_at,
    )
