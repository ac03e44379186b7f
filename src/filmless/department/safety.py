"""The safety questions before an exam: asked at the desk, by the triage nurse or at the device; what speaks against the
exam stops it until somebody who answers for it accepts that, with a reason."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection

from filmless.access.acting import Acting
from filmless.department import exams, tasks
from filmless.department.exams import Exam, dangers
from filmless.department.states import State
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused

#: asked until it is made
_OPEN: Final = (
    State.REQUESTED,
    State.HELD,
    State.VETTED,
    State.SCHEDULED,
    State.ARRIVED,
    State.IN_PROGRESS,
)


def answer(
    connection: Connection,
    exam_id: int,
    acting: Acting,
    *,
    answers: Mapping[str, str],
    note: str = "",
    seen: int | None = None,
) -> Exam:
    """Keep the answers, all of them at once, and a note for whoever makes the exam. What was accepted before is asked
    anew. Raises Refused ("not-found", "bad-value"), Conflict ("wrong-state", "stale")."""
    exam = exams.get(connection, exam_id)
    if exam.state not in _OPEN:
        raise Conflict("The exam is over: nothing is asked any more.", code="wrong-state")
    known = {one.code for one in dangers.asked(connection, exam)}
    if strange := set(answers) - known:
        raise Refused(f"This is not asked before this exam: {', '.join(sorted(strange))}.", code="bad-value")
    kept: dict[str, Any] = {
        "answers": dict(answers),
        "note": note,
        "at": clock.now().isoformat(timespec="seconds"),
        "by": acting.who.name[:80],
    }
    kept["state"] = _state(connection, replace(exam, more={**exam.more, "safety": kept}))
    return exams.note(
        connection,
        exam_id,
        "safety questions answered",
        acting,
        reason=note,
        detail={"answers": dict(answers)},
        also={"more": {"safety": kept}},
        seen=seen,
    )


def accept(
    connection: Connection, exam_id: int, acting: Acting, *, reason: str, seen: int | None = None
) -> Exam:
    """It goes on although something speaks against it. Raises Conflict ("wrong-state": nothing does; "stale")."""
    exam = exams.get(connection, exam_id)
    codes = dangers.stopping(exam, dangers.asked(connection, exam))
    if not codes:
        raise Conflict("Nothing speaks against this exam.", code="wrong-state")
    before: dict[str, Any] = dict(exam.more.get("safety") or {})
    earlier = (before.get("accepted") or {}).get("codes") or []
    accepted = {
        "codes": [*earlier, *codes],
        "reason": reason,
        "at": clock.now().isoformat(timespec="seconds"),
        "by": acting.who.name[:80],
    }
    now = exams.note(
        connection,
        exam_id,
        "danger accepted",
        acting,
        reason=reason,
        detail={"dangers": codes},
        also={"more": {"safety": {**before, "accepted": accepted, "state": "accepted"}}},
        seen=seen,
    )
    tasks.close_cause(connection, f"safety:{exam_id}", acting.who, reason)
    return now


def _state(connection: Connection, exam: Exam) -> str:
    found = dangers.asked(connection, exam)
    if dangers.stopping(exam, found):
        return "stop"
    return "caution" if any(one.speaks for one in found) else "clear"
