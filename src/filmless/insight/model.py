"""Words and rules of statistics: a case is what is known of an exam, an indicator a formula over cases. Pure: no I/O.

The formulae are those that departments report; each names the figure that it is. Durations are in seconds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from typing import Any, Final, Literal


@dataclass(frozen=True, slots=True)
class Critical:
    """A critical result of an exam, by what was done about it and when."""

    raised_at: datetime
    notified_at: datetime | None = None
    acknowledged_at: datetime | None = None
    actioned_at: datetime | None = None
    closed_at: datetime | None = None
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """That somebody made sure who the patient is."""

    stage: str
    passed: bool
    overridden: bool


@dataclass(frozen=True, slots=True)
class Case:
    """An exam and when what happened to it. Moments are those of its log; None where it did not happen."""

    exam: int
    number: str
    #: the person whose exam it is now, merges followed
    person: int
    state: str
    exam_class: str = ""
    patient_class: str = ""
    stat: bool = False
    procedure: str = ""
    procedure_zh: str = ""
    procedure_en: str = ""
    modality: str = ""
    body_part: str = ""
    station: str = ""
    site: str = ""
    department: str = ""
    #: whence the order came
    source: str = ""
    requester: str = ""
    fee: float = 0.0
    weight: float = 1.0
    ordered_at: datetime | None = None
    booked_for: datetime | None = None
    arrived_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    verified_at: datetime | None = None
    claimed_at: datetime | None = None
    submitted_at: datetime | None = None
    final_at: datetime | None = None
    due_at: datetime | None = None
    #: it is due, and has no report
    late: bool = False
    matched_at: datetime | None = None
    cancelled_reason: str = ""
    #: it was let through although what was received is not what was expected
    overridden: bool = False
    objects: int = 0
    #: images that are out of use for their quality (113001), and why, by the last who said so
    rejected: int = 0
    reject_reason: str = ""
    submissions: int = 0
    returns: int = 0
    amendments: int = 0
    addenda: int = 0
    author: str = ""
    reviewer: str = ""
    technologist: str = ""
    registrar: str = ""
    double_sign: bool = True
    result: str = ""
    #: what the maker of the images says of them: A, B, C, waste; "" where nobody said
    quality: str = ""
    #: reactions to contrast media, one for each administration
    contrast: tuple[str, ...] = ()
    extravasated: bool = False
    films: int = 0
    criticals: tuple[Critical, ...] = ()
    checks: tuple[Check, ...] = ()


#: which moment of an exam must lie in the period for it to count
Base = Literal["finished", "ordered", "scheduled", "final", "now"]
Item = Any


def _itself(case: Case) -> Sequence[Item]:
    return (case,)


@dataclass(frozen=True, slots=True)
class Indicator:
    """A figure. `kind` says what is made of the items of all cases:

    "count" their number, "persons" how many persons, "sum" of `value`, "ratio" of those for which `counts` holds to
    those for which `among` does, or of amounts (`whole`), "spread" median and 90th percentile of `value` (seconds).
    """

    code: str
    #: of the list of figures that hospitals report
    number: int
    kind: Literal["count", "persons", "sum", "ratio", "spread"]
    base: Base
    among: Callable[[Item], bool] = field(default=lambda _: True)
    counts: Callable[[Item], bool] = field(default=lambda _: True)
    value: Callable[[Item], float | None] = field(default=lambda _: None)
    #: a ratio of amounts: the sum of `value` to the sum of this
    whole: Callable[[Item], float] | None = None
    items: Callable[[Case], Sequence[Item]] = _itself


@dataclass(frozen=True, slots=True)
class Figure:
    """What an indicator comes to. `value` None: there is nothing to say it of. `exams`: those behind it, each once."""

    value: float | None
    #: how many items it is of: of a ratio those `among`
    of: int
    #: of a ratio those that count
    part: int | None = None
    p90: float | None = None
    exams: tuple[int, ...] = ()
    #: of a ratio, the exams of those that count
    part_exams: tuple[int, ...] = ()


def between(first: datetime | None, second: datetime | None) -> float | None:
    """Seconds from the first moment to the second; None where one is missing or they are the other way round."""
    if first is None or second is None or second < first:
        return None
    return (second - first).total_seconds()


def _within(first: datetime | None, second: datetime | None, seconds: float) -> bool:
    passed = between(first, second)
    return passed is not None and passed <= seconds


def _positive(case: Case) -> bool:
    return case.result == "positive"


def _began(case: Case) -> bool:
    return case.state not in ("E00", "E05", "E10", "E20")


def _timely(case: Case) -> bool:
    return case.final_at is not None and case.due_at is not None and case.final_at <= case.due_at


def _criticals(case: Case) -> Sequence[Item]:
    return [one for one in case.criticals if not one.withdrawn]


def _checks(case: Case) -> Sequence[Item]:
    return case.checks


_TEN_MINUTES: Final = 600.0
_TWO_DAYS: Final = 48 * 3600.0
_DAY: Final = 86400.0

INDICATORS: Final[tuple[Indicator, ...]] = (
    Indicator("exams", 1, "count", "finished"),
    Indicator("persons", 1, "persons", "finished"),
    Indicator("booking-wait", 4, "spread", "scheduled", value=lambda c: between(c.ordered_at, c.booked_for)),
    Indicator("no-show", 7, "ratio", "scheduled", counts=lambda c: c.state == "X20"),
    Indicator("cancelled", 7, "ratio", "ordered", counts=lambda c: c.state == "X10"),
    Indicator(
        "inpatients-48h", 8, "ratio", "ordered",
        among=lambda c: c.patient_class == "I", counts=lambda c: _within(c.ordered_at, c.final_at, _TWO_DAYS),
    ),
    Indicator("hall-wait", 9, "spread", "finished", value=lambda c: between(c.arrived_at, c.started_at)),
    Indicator("duration", 10, "spread", "finished", value=lambda c: between(c.started_at, c.finished_at)),
    Indicator("transfer", 13, "spread", "finished", value=lambda c: between(c.finished_at, c.verified_at)),
    Indicator(
        "verified", 13, "ratio", "finished",
        counts=lambda c: c.verified_at is not None and not c.overridden,
    ),
    Indicator(
        "unsent", 14, "count", "finished",
        among=lambda c: c.objects == 0,
    ),
    Indicator("report-wait", 15, "spread", "finished", value=lambda c: between(c.verified_at, c.claimed_at)),
    Indicator("report-writing", 15, "spread", "finished", value=lambda c: between(c.claimed_at, c.submitted_at)),
    Indicator("report-review", 15, "spread", "finished", value=lambda c: between(c.submitted_at, c.final_at)),
    Indicator("report-total", 15, "spread", "finished", value=lambda c: between(c.finished_at, c.final_at)),
    Indicator("order-to-report", 15, "spread", "finished", value=lambda c: between(c.ordered_at, c.final_at)),
    Indicator("timely", 16, "ratio", "final", among=lambda c: c.due_at is not None, counts=_timely),
    Indicator(
        "overdue", 17, "count", "now",
        among=lambda c: c.late,
    ),
    Indicator(
        "positive", 18, "ratio", "final",
        among=lambda c: c.result in ("positive", "negative", "indeterminate"), counts=_positive,
    ),
    Indicator(
        "two-persons", 24, "ratio", "final",
        among=lambda c: c.double_sign, counts=lambda c: bool(c.reviewer) and c.reviewer != c.author,
    ),
    Indicator(
        "returned", 25, "ratio", "final", among=lambda c: c.submissions > 0, counts=lambda c: c.returns > 0
    ),
    Indicator("amended", 25, "ratio", "final", counts=lambda c: c.amendments > 0),
    Indicator("addenda", 25, "ratio", "final", counts=lambda c: c.addenda > 0),
    Indicator(
        "images-a", 27, "ratio", "finished", among=lambda c: c.quality != "", counts=lambda c: c.quality == "A"
    ),
    Indicator(
        "images-waste", 27, "ratio", "finished",
        among=lambda c: c.quality != "", counts=lambda c: c.quality == "waste",
    ),
    Indicator(
        "rejected", 28, "ratio", "finished",
        value=lambda c: c.rejected, whole=lambda c: c.objects + c.rejected,
    ),
    Indicator(
        "critical-told", 29, "ratio", "finished", items=_criticals,
        counts=lambda c: _within(c.raised_at, c.notified_at, _TEN_MINUTES),
    ),
    Indicator(
        "critical-acknowledged", 30, "ratio", "finished", items=_criticals,
        counts=lambda c: c.acknowledged_at is not None,
    ),
    Indicator(
        "critical-closed", 30, "ratio", "finished", items=_criticals,
        counts=lambda c: c.closed_at is not None and c.actioned_at is not None,
    ),
    Indicator(
        "contrast-reactions", 32, "ratio", "finished",
        among=lambda c: c.contrast != (), counts=lambda c: any(one != "none" for one in c.contrast),
    ),
    Indicator(
        "extravasations", 32, "ratio", "finished",
        among=lambda c: c.contrast != (), counts=lambda c: c.extravasated,
    ),
    Indicator("workload", 33, "sum", "finished", value=lambda c: c.weight),
    Indicator("films", 35, "sum", "finished", value=lambda c: c.films),
    Indicator("fees", 37, "sum", "finished", value=lambda c: c.fee),
    Indicator("green-channel", 38, "count", "finished", among=lambda c: c.exam_class == "L" or bool(c.matched_at)),
    Indicator("match-time", 38, "spread", "finished", value=lambda c: between(c.arrived_at, c.matched_at)),
    Indicator(
        "green-open", 38, "count", "now",
        among=lambda c: c.exam_class == "L" and c.matched_at is None and _began(c),
    ),
    Indicator("identity-failed", 39, "ratio", "finished", items=_checks, counts=lambda c: not c.passed),
)  # fmt: skip
BY_CODE: Final[Mapping[str, Indicator]] = {one.code: one for one in INDICATORS}


def figure(indicator: Indicator, cases: Iterable[Case]) -> Figure:
    """What an indicator comes to over cases that its base lets count."""
    items = [(case, item) for case in cases for item in indicator.items(case) if indicator.among(item)]
    if indicator.kind in ("sum", "spread"):
        valued = [(case, value) for case, item in items if (value := indicator.value(item)) is not None]
        exams = _once(case for case, _ in valued)
        values = sorted(value for _, value in valued)
        if indicator.kind == "sum":
            return Figure(round(sum(values), 4), len(values), exams=exams)
        if not values:
            return Figure(None, 0)
        return Figure(median(values), len(values), p90=percentile(values, 0.9), exams=exams)
    if indicator.whole is not None:
        return _of_amounts(indicator, items)
    exams = _once(case for case, _ in items)
    if indicator.kind == "count":
        return Figure(float(len(items)), len(items), exams=exams)
    if indicator.kind == "persons":
        return Figure(float(len({case.person for case, _ in items})), len(items), exams=exams)
    part = [case for case, item in items if indicator.counts(item)]
    value = len(part) / len(items) if items else None
    return Figure(value, len(items), part=len(part), exams=exams, part_exams=_once(part))


def _of_amounts(indicator: Indicator, items: Sequence[tuple[Case, Item]]) -> Figure:
    assert indicator.whole is not None
    wholes = [(case, indicator.whole(item)) for case, item in items]
    parts = [(case, indicator.value(item) or 0) for case, item in items]
    of, part = sum(amount for _, amount in wholes), sum(amount for _, amount in parts)
    return Figure(
        part / of if of else None,
        int(of),
        part=int(part),
        exams=_once(case for case, amount in wholes if amount),
        part_exams=_once(case for case, amount in parts if amount),
    )


def _once(cases: Iterable[Case]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(case.exam for case in cases))


def median(values: Sequence[float]) -> float:
    """The middle of sorted values, or the mean of the two in the middle."""
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of sorted values that at least this share of them does not exceed (nearest rank)."""
    return values[max(0, ceil(share * len(values)) - 1)]


#: by what figures are told apart: word -> what it is of a case. Days and hours are those of the server's place
GROUPS: Final[Mapping[str, Callable[[Case, datetime | None], str]]] = {
    "modality": lambda c, _: c.modality,
    "station": lambda c, _: c.station,
    "procedure": lambda c, _: c.procedure,
    "body-part": lambda c, _: c.body_part,
    "site": lambda c, _: c.site,
    "department": lambda c, _: c.department,
    "source": lambda c, _: c.source,
    "requester": lambda c, _: c.requester,
    "exam-class": lambda c, _: c.exam_class,
    "patient-class": lambda c, _: c.patient_class,
    "priority": lambda c, _: "stat" if c.stat else "routine",
    "result": lambda c, _: c.result,
    "cancel-reason": lambda c, _: c.cancelled_reason,
    "reject-reason": lambda c, _: c.reject_reason,
    "author": lambda c, _: c.author,
    "reviewer": lambda c, _: c.reviewer,
    "technologist": lambda c, _: c.technologist,
    "registrar": lambda c, _: c.registrar,
    "day": lambda _, at: at.astimezone().strftime("%Y-%m-%d") if at else "",
    "month": lambda _, at: at.astimezone().strftime("%Y-%m") if at else "",
    "weekday": lambda _, at: str(at.astimezone().isoweekday()) if at else "",
    "hour": lambda _, at: at.astimezone().strftime("%H") if at else "",
}
#: what may be asked to be one of some values
FILTERS: Final = (
    "site", "department", "modality", "station", "procedure", "body-part", "exam-class", "patient-class", "priority",
    "source", "author", "reviewer", "technologist", "registrar", "hour", "weekday",
)  # fmt: skip


def moment_of(case: Case, base: Base) -> datetime | None:
    """The moment that must lie in the period. None of "now": that is of all that are open."""
    moments: Mapping[str, datetime | None] = {
        "finished": case.finished_at,
        "ordered": case.ordered_at,
        "scheduled": case.booked_for,
        "final": case.final_at,
    }
    return moments.get(base)


def counting(cases: Iterable[Case], base: Base, begin: datetime, end: datetime) -> list[Case]:
    """Cases that count for a base in [begin, end); void ones never do. Of "now": whoever came and has no report yet."""
    chosen = []
    for case in cases:
        if case.state == "X40":
            continue
        if base == "now":
            if _began(case) and case.state < "E90":
                chosen.append(case)
            continue
        at = moment_of(case, base)
        if at is not None and begin <= at < end:
            chosen.append(case)
    return chosen


def passing(cases: Iterable[Case], filters: Mapping[str, Sequence[str]], base: Base) -> list[Case]:
    """Cases whose values are among those asked for; a filter without values lets all pass."""
    wanted = [(GROUPS[word], frozenset(values)) for word, values in filters.items() if values]
    return [
        case for case in cases if all(read(case, moment_of(case, base)) in values for read, values in wanted)
    ]


def grouped(cases: Iterable[Case], word: str, base: Base) -> dict[str, list[Case]]:
    """Cases by a word of GROUPS, "" where it has none."""
    read = GROUPS[word]
    made: dict[str, list[Case]] = {}
    for case in cases:
        made.setdefault(read(case, moment_of(case, base)), []).append(case)
    return made
