"""The safety questions before an exam: asked at the desk, by the triage nurse or at the device; what speaks against the
exam stops it until somebody who answers for it accepts that, with a reason."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from filmless.access.acting import Acting
from filmless.access.model import Action, may
from filmless.department import exams, tasks
from filmless.department.exams import Exam, dangers, guards
from filmless.department.states import State
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused


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
    if exam.state not in dangers.OPEN:
        raise Conflict("The exam is over: nothing is asked any more.", code="wrong-state")
    known = {one.code for one in dangers.asked(connection, exam)}
    if strange := set(answers) - known:
        raise Refused(f"This is not asked before this exam: {', '.join(sorted(strange))}.", code="bad-value")
    kept: dict[str, Any] = {
        "answers": dict(answers),
        "note": note,
        "at": clock.now().isoformat(timespec="seconds"),
        "by": acting.who.name[:80],
        "procedure": exam.procedure,
    }
    answered = replace(exam, more={**exam.more, "safety": kept})
    found = dangers.asked(connection, answered)
    stopping = dangers.stopping(answered, found)
    kept["state"] = (
        "stop"
        if stopping
        else "caution"
        if any(one.speaks for one in found)
        else "clear"
        if all(one.answer for one in found)
        else ""
    )
    now = exams.note(
        connection,
        exam_id,
        "safety questions answered",
        acting,
        reason=note,
        detail={"answers": dict(answers)},
        also={"more": {"safety": kept}},
        # two at once would take each other's answers away
        seen=exam.changes if seen is None else seen,
    )
    if now.state is State.IN_PROGRESS:
        tasks.close_cause(connection, f"safety:{exam_id}", acting.who, note or "asked again")
        raise_task(connection, now)
    return now


def accept(
    connection: Connection, exam_id: int, acting: Acting, *, reason: str, seen: int | None = None
) -> Exam:
    """It goes on although something speaks against it: another person than who has asked answers for that, or a reader.

    Raises Conflict ("wrong-state": nothing does; "second-person"; "stale").
    """
    exam = exams.get(connection, exam_id)
    codes = dangers.stopping(exam, dangers.asked(connection, exam))
    if not codes:
        raise Conflict("Nothing speaks against this exam.", code="wrong-state")
    before: dict[str, Any] = dict(exam.more.get("safety") or {})
    if before.get("by") == acting.who.name[:80] and not may(acting.who, Action.REVIEW):
        raise Conflict("Somebody else than who has asked answers for going on.", code="second-person")
    # what was accepted before and still counts is not among those that stop
    all_of = [one.code for one in dangers.asked(connection, exam) if one.speaks and one.stops]
    accepted = {
        "codes": all_of,
        "reason": reason,
        "at": clock.now().isoformat(timespec="seconds"),
        "by": acting.who.name[:80],
        "procedure": exam.procedure,
    }
    now = exams.note(
        connection,
        exam_id,
        "danger accepted",
        acting,
        reason=reason,
        detail={"dangers": codes},
        also={"more": {"safety": {**before, "accepted": accepted, "state": "accepted"}}},
        seen=exam.changes if seen is None else seen,
    )
    tasks.close_cause(connection, f"safety:{exam_id}", acting.who, reason)
    if now.state is State.IN_PROGRESS:
        # what was never asked is not accepted with it
        raise_task(connection, now)
    return now


def raise_task(connection: Connection, exam: Exam) -> None:
    """A task where something speaks against an exam that has begun, or what has to be asked was not."""
    policies = guards.class_words(connection, exam.exam_class)
    if policies.get("green"):
        return
    found = dangers.asked(connection, exam)
    stopping = dangers.stopping(exam, found)
    needed = policies.get("safety") == "required"
    unasked = [one.code for one in found if not one.answer] if needed else []
    if stopping or unasked:
        body = {"dangers": stopping, "unasked": unasked, "number": exam.number}
        tasks.raise_task(connection, "safety", f"safety:{exam.id}", exam=exam.id, body=body)
