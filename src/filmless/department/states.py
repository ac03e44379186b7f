"""The states of an exam and the only ways between them, as data. Pure: no I/O.

Each way has a name by which the log, the screens and the tests know it. What has to hold before, beyond the state, is
in guards.py; what follows from it, in the commands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from filmless.access.model import Role
from filmless.kit.errors import Conflict


class State(StrEnum):
    """Of an exam; it has exactly one."""

    REQUESTED = "E00"
    HELD = "E05"
    VETTED = "E10"
    SCHEDULED = "E20"
    ARRIVED = "E30"
    IN_PROGRESS = "E40"
    ACQUIRED = "E50"
    VERIFIED = "E60"
    REPORTING = "E70"
    PRELIMINARY = "E75"
    IN_REVIEW = "E80"
    FINAL = "E90"
    CORRECTED = "E92"
    CLOSED = "E97"
    CANCELLED = "X10"
    NO_SHOW = "X20"
    DISCONTINUED = "X30"
    VOID = "X40"


#: state -> (English, Chinese, Scheduled Procedure Step Status (0040,0020); "" hides it from worklists)
WORDS: Final[Mapping[State, tuple[str, str, str]]] = {
    State.REQUESTED: ("requested", "已申请", ""),
    State.HELD: ("on hold", "挂起", ""),
    State.VETTED: ("protocolled", "已审方案", ""),
    State.SCHEDULED: ("scheduled", "已预约", "SCHEDULED"),
    State.ARRIVED: ("arrived", "已登记", "ARRIVED"),
    State.IN_PROGRESS: ("in progress", "检查中", "STARTED"),
    State.ACQUIRED: ("acquired", "已检查", "COMPLETED"),
    State.VERIFIED: ("ready to read", "待写报告", "COMPLETED"),
    State.REPORTING: ("being reported", "报告中", "COMPLETED"),
    State.PRELIMINARY: ("awaiting review", "待审核", "COMPLETED"),
    State.IN_REVIEW: ("in review", "审核中", "COMPLETED"),
    State.FINAL: ("final", "已审核", "COMPLETED"),
    State.CORRECTED: ("corrected", "已修订", "COMPLETED"),
    State.CLOSED: ("closed without report", "无报告结案", "COMPLETED"),
    State.CANCELLED: ("cancelled", "已取消", "CANCELED"),
    State.NO_SHOW: ("not come", "未到", "CANCELED"),
    State.DISCONTINUED: ("discontinued", "检查中止", "DISCONTINUED"),
    State.VOID: ("void", "作废", ""),
}

S = State
#: before it has begun
_WAITING = (S.REQUESTED, S.VETTED, S.SCHEDULED, S.ARRIVED)
_ALIVE = tuple(state for state in State if state is not S.VOID)
_BEGUN_L = tuple(state for state in State if "E30" <= state <= "E92")


@dataclass(frozen=True, slots=True)
class Transition:
    """A way from some states to another. `to` None: where it was before it was held, or where it is.

    `roles`: who may; Role.DEV is a device or a message, and "system" is written as no role at all.
    """

    name: str
    before: tuple[State, ...]
    to: State | None
    roles: frozenset[Role]
    what: str
    #: a reason must be given
    reason: bool = False
    #: may be done by Filmless itself
    system: bool = False
    #: a second person has to agree
    two_persons: bool = False


def _way(
    name: str, before: tuple[State, ...], to: State | None, roles: str, what: str, **more: bool
) -> Transition:
    return Transition(name, before, to, frozenset(Role(role) for role in roles.split()), what, **more)


#: T01 to T35; an empty `before` makes the exam
TRANSITIONS: Final[Mapping[str, Transition]] = {
    way.name: way
    for way in (
        _way("T01", (), S.REQUESTED, "DEV CLI REG", "ordered"),
        _way("T02", (S.REQUESTED,), S.VETTED, "ATT CHF RES TEC", "protocolled", system=True),
        _way("T03", (S.REQUESTED, S.VETTED), S.SCHEDULED, "REG CLI PAT", "booked"),
        _way("T04", (S.REQUESTED, S.VETTED, S.SCHEDULED), S.ARRIVED, "REG", "registered"),
        # a steward makes one for images that fit no exam (department/identity/unmatched)
        _way("T05", (), S.ARRIVED, "REG TRI TEC CLI PAD", "green channel"),
        _way("T06", _WAITING, S.HELD, "REG TRI ATT CHF", "held", reason=True),
        _way("T06R", (S.HELD,), None, "REG TRI ATT CHF", "released"),
        _way("T07", (S.ARRIVED,), S.SCHEDULED, "REG TRI", "left again"),
        _way("T08", (S.SCHEDULED, S.ARRIVED), None, "TRI REG TEC", "moved"),
        _way("T09", (S.ARRIVED,), S.IN_PROGRESS, "DEV TEC", "started", system=True),
        _way("T10", (S.SCHEDULED,), S.IN_PROGRESS, "DEV", "started without registration", system=True),
        _way("T11", (S.IN_PROGRESS,), S.ACQUIRED, "DEV TEC", "finished", system=True),
        _way("T12", (S.IN_PROGRESS,), S.DISCONTINUED, "DEV TEC", "discontinued", reason=True),
        _way("T13", (S.ACQUIRED,), S.VERIFIED, "TEC", "verified", system=True),
        _way("T14", (S.VERIFIED,), S.ACQUIRED, "TEC QC RES ATT CHF", "sent back", reason=True, system=True),
        _way("T15", (S.ACQUIRED, S.VERIFIED), S.IN_PROGRESS, "TEC DEV", "more images"),
        _way("T16", (S.VERIFIED,), S.REPORTING, "RES ATT CHF", "claimed"),
        _way("T17", (S.REPORTING,), S.VERIFIED, "RES ATT CHF", "claim released", system=True),
        _way("T18", (S.REPORTING,), S.PRELIMINARY, "RES ATT CHF", "submitted"),
        _way("T19", (S.PRELIMINARY,), S.IN_REVIEW, "ATT CHF", "review begun"),
        _way("T20", (S.IN_REVIEW,), S.REPORTING, "ATT CHF", "returned", reason=True),
        _way("T21", (S.IN_REVIEW,), S.FINAL, "ATT CHF", "signed"),
        _way("T22", (S.REPORTING,), S.FINAL, "ATT CHF", "signed alone"),
        _way("T23", (S.PRELIMINARY, S.IN_REVIEW), S.REPORTING, "RES ATT CHF", "withdrawn"),
        _way("T24", (S.FINAL, S.CORRECTED), S.CORRECTED, "ATT CHF", "addendum signed"),
        _way("T25", (S.FINAL, S.CORRECTED), S.CORRECTED, "ATT CHF", "amended", reason=True, two_persons=True),
        _way("T26", (S.FINAL, S.CORRECTED), S.PRELIMINARY, "CHF", "retracted", reason=True, two_persons=True),
        _way("T27", (S.VERIFIED,), S.CLOSED, "ATT CHF", "closed without report", reason=True),
        # also what is held: nobody has to release it first
        _way("T28", (*_WAITING, S.HELD), S.CANCELLED, "DEV REG CLI ATT CHF", "cancelled", reason=True),
        _way("T29", (S.SCHEDULED,), S.NO_SHOW, "REG", "did not come", system=True),
        _way("T30", (S.CANCELLED, S.NO_SHOW), S.SCHEDULED, "REG", "reinstated"),
        _way("T30A", (S.CANCELLED, S.NO_SHOW), S.ARRIVED, "REG", "reinstated and registered"),
        _way("T31", _ALIVE, S.VOID, "CHF PAD", "void", reason=True, two_persons=True),
        _way("T32", _BEGUN_L, None, "REG PAD", "matched"),
        _way("T33", (S.DISCONTINUED,), S.ACQUIRED, "TEC ATT CHF", "partial images accepted", reason=True),
        _way("T34", (S.DISCONTINUED,), S.ARRIVED, "REG TEC", "to be repeated"),
        _way("T35", (S.CLOSED,), S.VERIFIED, "CHF ATT", "report wanted after all"),
    )
}


def following(state: State | None, name: str, *, held_from: State | None = None) -> State:
    """The state after `name` from `state` (None: there is no exam yet).

    Raises Conflict (code "wrong-state") where there is no such way.
    """
    way = TRANSITIONS[name]
    if (state is None) != (not way.before) or (state is not None and state not in way.before):
        now = "there is no exam yet" if state is None else f"the exam is {WORDS[state][0]}"
        raise Conflict(f"{way.what.capitalize()}: not possible, {now}.", code="wrong-state")
    if way.to is not None:
        return way.to
    if name == "T06R":
        assert held_from is not None
        return held_from
    assert state is not None
    return state


def ways(state: State) -> list[str]:
    """Names of all ways out of a state."""
    return [name for name, way in TRANSITIONS.items() if state in way.before]
