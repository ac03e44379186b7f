"""The only way to change the state of an exam: the table of states.py, in the caller's transaction, all or nothing.

What one change writes: the exam (compare-and-set on its count of changes), its log, its steps, an event, the audit
trail.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update

from filmless.access.acting import Acting
from filmless.access.audit.model import Kind
from filmless.access.model import Principal, Role
from filmless.db import events
from filmless.department.exams import guards, steps, tickets
from filmless.department.exams.belonging import belong
from filmless.department.exams.find import get
from filmless.department.exams.model import Exam
from filmless.department.states import TRANSITIONS, WORDS, State, Transition, following
from filmless.department.tables import exam_log, exams, words
from filmless.department.visibility import covers
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused
from filmless.kit.ids import new_uid
from filmless.patients.tables import persons

#: transition -> the moments of an exam that it sets, and those that it takes back
_SETS: Final[Mapping[str, tuple[str, ...]]] = {
    "T03": ("booked_at",),
    "T04": ("arrived_at",),
    "T05": ("arrived_at",),
    "T09": ("started_at",),
    "T10": ("arrived_at", "started_at"),
    "T11": ("finished_at",),
    "T13": ("verified_at",),
    "T18": ("reported_at",),
    "T21": ("final_at",),
    "T22": ("reported_at", "final_at"),
    "T30A": ("arrived_at",),
    "T33": ("finished_at",),
    "T35": ("verified_at",),
}
_TAKES_BACK: Final[Mapping[str, tuple[str, ...]]] = {
    "T07": ("arrived_at",),
    "T14": ("verified_at", "due_at"),
    "T15": ("finished_at", "verified_at", "due_at"),
    "T20": ("reported_at",),
    "T23": ("reported_at",),
    "T26": ("final_at",),
    "T30": ("arrived_at",),
    "T30A": ("arrived_at",),
    "T34": ("started_at", "finished_at"),
}
#: what may be written together with a change of state
_ALSO: Final = frozenset(
    {
        "procedure",
        "procedure_zh",
        "procedure_en",
        "modality",
        "body_part",
        "side",
        "person",
        "order_id",
        "number",
        "study_uid",
        "exam_class",
        "station",
        "starts_at",
        "ends_at",
        "hold_reason",
        "technologist",
        "due_at",
        "stat",
        "more",
    }
)
#: after these its images may belong to others
_BELONGS_ANEW: Final = frozenset({"T04", "T30A", "T32"})
#: two persons who between them have all of these roles
_BETWEEN_THEM: Final[Mapping[str, frozenset[Role]]] = {"T31": frozenset({Role.CHF, Role.PAD})}
#: transition -> roles of the person who agrees, where they are other ones than those of the person who acts
_AGREES: Final[Mapping[str, frozenset[Role]]] = {"T26": frozenset({Role.ATT, Role.CHF})}
#: until a report is due, where the procedure does not say
_DUE: Final = {"CT": 24 * 60, "MR": 24 * 60, "DX": 120, "CR": 120, "US": 30}
_DUE_STAT, _DUE_OTHERS = 30, 48 * 60


def advance(
    connection: Connection,
    exam_id: int,
    name: str,
    acting: Acting,
    *,
    source: str = "screen",
    reason: str = "",
    detail: Mapping[str, Any] | None = None,
    second: Principal | None = None,
    at: datetime | None = None,
    images: str = "",
    also: Mapping[str, Any] | None = None,
    seen: int | None = None,
) -> Exam:
    """Take an exam the way `name` (T02 to T35); returns it as it is then.

    `source`: "screen", "mpps", "images", "timer", "message". `second`: the person who agrees, where it takes two.
    `at`: when it happened; a moment before the last change, or in the future, is moved there (a device's clock), and
    what was told is kept in the log. `images`: the new facet of images. `also`: other columns that change with it;
    of `more` only the keys that are named, a None takes one away.
    `seen`: the count of changes that the caller saw.

    Raises Refused: "not-found", "not-permitted", "reason-missing", "second-person"; Conflict: "wrong-state", "stale",
    and what the guards say.
    """
    way = TRANSITIONS[name]
    exam = _locked(connection, exam_id, seen)
    _check_who(connection, way, acting.who, exam)
    to = following(exam.state, name, held_from=exam.held_from)
    if way.reason and not reason:
        raise Refused(f"{way.what.capitalize()}: say why.", code="reason-missing")
    if way.two_persons:
        _check_second(connection, way, acting.who, second, exam)

    changed = _asked(exam, also)
    if images:
        changed["images"] = images
    if name in guards.GUARDS:
        guards.GUARDS[name](connection, guards.Asked(replace(exam, **changed), exam, source, reason))

    moment, told = _moment(connection, exam_id, at)
    taken = _TAKES_BACK.get(name, ())
    changed |= dict.fromkeys(taken)
    changed |= {
        column: moment for column in _SETS.get(name, ()) if column in taken or getattr(exam, column) is None
    }
    if name in ("T13", "T35") and changed.get("due_at") is None:
        changed["due_at"] = moment + _due(connection, exam)
    if name == "T06":
        changed["held_from"] = exam.state
    if exam.state is State.HELD:
        changed |= {"held_from": "", "hold_reason": ""}
    now = _written(connection, exam, {**changed, "state": to})

    kept = dict(detail or {})
    if told:
        kept["told"] = told
    if second is not None:
        kept["second"] = second.name
    _log(connection, now, exam.state, name, way.what, acting, source, reason, kept, moment)
    steps.follow(connection, now)
    tickets.follow(connection, now, moment)
    if name in _BELONGS_ANEW:
        belong(connection, now, acting)
    events.record(connection, [("exam-changed", {"exam": exam_id, "state": to.value, "transition": name})])
    _trail(connection, now, way.what, acting, reason, {**kept, "transition": name})
    return now


def begin(
    connection: Connection,
    name: str,
    values: Mapping[str, Any],
    acting: Acting,
    *,
    source: str = "screen",
    reason: str = "",
    detail: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> Exam:
    """Make an exam (T01, T05) of these columns; a Study Instance UID is made where none is given.

    Raises Refused (code "not-permitted").
    """
    way = TRANSITIONS[name]
    to = following(None, name)
    if not _roles(acting.who, way):
        _refuse(way)
    moment = at or clock.now()
    row = {
        "number": "",
        "exam_class": "",
        "study_uid": "",
        "more": {},
        "ordered_at": moment,
        **values,
        **dict.fromkeys(_SETS.get(name, ()), moment),
        "state": to,
    }
    row["study_uid"] = row["study_uid"] or new_uid()
    made = connection.execute(insert(exams).values(**row)).inserted_primary_key
    assert made is not None
    exam = get(connection, made[0])
    _log(connection, exam, None, name, way.what, acting, source, reason, dict(detail or {}), moment)
    steps.follow(connection, exam)
    tickets.follow(connection, exam, moment)
    belong(connection, exam, acting)
    events.record(connection, [("exam-changed", {"exam": exam.id, "state": to.value, "transition": name})])
    _trail(connection, exam, way.what, acting, reason, {**(detail or {}), "transition": name})
    return exam


def note(
    connection: Connection,
    exam_id: int,
    what: str,
    acting: Acting,
    *,
    source: str = "screen",
    reason: str = "",
    detail: Mapping[str, Any] | None = None,
    at: datetime | None = None,
    also: Mapping[str, Any] | None = None,
    images: str = "",
    seen: int | None = None,
) -> Exam:
    """Write into the log of an exam what does not change its state, together with what else changes (`also`).

    Whether the principal may do so is asked by the caller. Raises Refused (code "not-found"), Conflict (code "stale").
    """
    exam = _locked(connection, exam_id, seen)
    changed = _asked(exam, also)
    if images:
        changed["images"] = images
    moment, told = _moment(connection, exam_id, at)
    kept = {**(detail or {}), **({"told": told} if told else {})}
    now = _written(connection, exam, changed) if changed else exam
    _log(connection, now, exam.state, "", what, acting, source, reason, kept, moment)
    if changed:
        steps.follow(connection, now)
        tickets.follow(connection, now, moment)
        events.record(
            connection, [("exam-changed", {"exam": exam_id, "state": exam.state.value, "transition": ""})]
        )
    _trail(connection, now, what, acting, reason, kept)
    return now


def _locked(connection: Connection, exam_id: int, seen: int | None) -> Exam:
    """The exam, with its row held until the transaction ends (SQLite has one writer anyway)."""
    row = connection.execute(select(exams).where(exams.c.id == exam_id).with_for_update()).one_or_none()
    if row is None:
        raise Refused("There is no such exam.", code="not-found")
    if seen is not None and seen != row.changes:
        raise Conflict("Somebody has changed this exam meanwhile. Look at it again.", code="stale")
    return Exam.of(row)


def _asked(exam: Exam, also: Mapping[str, Any] | None) -> dict[str, Any]:
    """What changes with it, put into the exam as it is under the lock: others write other keys of `more`."""
    changed = dict(also or {})
    if unknown := changed.keys() - _ALSO:
        raise ValueError(f"not to be changed with an exam: {sorted(unknown)}")
    if "more" in changed:
        both = {**exam.more, **changed["more"]}
        changed["more"] = {name: value for name, value in both.items() if value is not None}
    return changed


def _written(connection: Connection, exam: Exam, changed: Mapping[str, Any]) -> Exam:
    done = connection.execute(
        update(exams)
        .where(exams.c.id == exam.id, exams.c.state == exam.state, exams.c.changes == exam.changes)
        .values(**changed, changes=exam.changes + 1)
    )
    if done.rowcount != 1:
        raise Conflict("Somebody has changed this exam meanwhile. Look at it again.", code="stale")
    return get(connection, exam.id)


def _roles(who: Principal, way: Transition) -> bool:
    """Whether `who` has a role of this way at all."""
    if who.unlimited:
        # the engineer at the machine may what somebody may; ourselves only what is ours
        return who.kind != "system" or way.system
    return any(grant.role in way.roles for grant in _grants(who))


def _grants(who: Principal) -> list[Any]:
    return [grant for grant in who.grants if grant.until is None or grant.until > clock.now()]


def may_go(connection: Connection, name: str, who: Principal, exam: Exam) -> bool:
    """Whether `who` has a role of this way, in a scope that has the exam; the state aside."""
    return _may_go(connection, TRANSITIONS[name], who, exam)


def _may_go(connection: Connection, way: Transition, who: Principal, exam: Exam) -> bool:
    if not _roles(who, way):
        return False
    # what a device tells has happened, whoever the patient is
    if who.unlimited or who.kind == "device":
        return True
    scopes = [grant.effective_scope for grant in _grants(who) if grant.role in way.roles]
    return covers(connection, who, scopes, exam.id)


def _check_who(connection: Connection, way: Transition, who: Principal, exam: Exam) -> None:
    if not _may_go(connection, way, who, exam):
        _refuse(way)


def _refuse(way: Transition) -> None:
    raise Refused(f"You have no right to do this: {way.what}.", code="not-permitted")


def _check_second(
    connection: Connection, way: Transition, first: Principal, second: Principal | None, exam: Exam
) -> None:
    if second is None or (second.kind, second.name) == (first.kind, first.name):
        raise Refused(f"{way.what.capitalize()}: a second person has to agree.", code="second-person")
    _check_who(connection, replace(way, roles=_AGREES.get(way.name, way.roles)), second, exam)
    wanted = _BETWEEN_THEM.get(way.name)
    if wanted is None or first.unlimited or second.unlimited:
        return
    held = {grant.role for who in (first, second) for grant in _grants(who)}
    if not wanted <= held:
        raise Refused(
            f"{way.what.capitalize()}: takes a section head and a data steward.", code="second-person"
        )


def _moment(connection: Connection, exam_id: int, at: datetime | None) -> tuple[datetime, str]:
    """When it happened by our reckoning, and what was told where that is another moment."""
    now = clock.now()
    last = connection.scalar(select(func.max(exam_log.c.at)).where(exam_log.c.exam == exam_id))
    wanted = at or now
    moment = min(wanted, now) if at is not None else now
    if last is not None and moment < last:
        moment = last
    return moment, at.isoformat(timespec="seconds") if at is not None and moment != at else ""


def _due(connection: Connection, exam: Exam) -> timedelta:
    """Until when the report is due after the images are there."""
    if exam.stat:
        return timedelta(minutes=_DUE_STAT)
    more = connection.scalar(
        select(words.c.more).where(words.c.kind == "procedure", words.c.code == exam.procedure)
    )
    minutes = (more or {}).get("due_minutes") or _DUE.get(exam.modality, _DUE_OTHERS)
    return timedelta(minutes=int(minutes))


def _log(
    connection: Connection,
    exam: Exam,
    before: State | None,
    transition: str,
    what: str,
    acting: Acting,
    source: str,
    reason: str,
    detail: Mapping[str, Any],
    moment: datetime,
) -> None:
    last = connection.scalar(select(func.max(exam_log.c.seq)).where(exam_log.c.exam == exam.id))
    connection.execute(
        insert(exam_log).values(
            exam=exam.id,
            seq=(last or 0) + 1,
            from_state="" if before is None else before,
            to_state=exam.state,
            transition=transition,
            what=what[:40],
            at=moment,
            by=acting.who.name[:80],
            source=source,
            reason=reason[:400],
            detail=dict(detail),
        )
    )


def _trail(
    connection: Connection, exam: Exam, what: str, acting: Acting, reason: str, detail: Mapping[str, Any]
) -> None:
    row = connection.execute(
        select(persons.c.patient_id, persons.c.issuer).where(persons.c.id == exam.person)
    ).one()
    patient = f"{row.patient_id}^^^{row.issuer}" if row.issuer else row.patient_id
    acting.note(
        connection,
        what,
        kind=Kind.EXAM,
        reason=reason,
        studies=(exam.study_uid,),
        patients=(patient,) if row.patient_id else (),
        **{
            **detail,
            "exam": exam.id,
            "number": exam.number,
            "state": exam.state.value,
            "words": WORDS[exam.state][0],
        },
    )
