"""Statistics of a period as a table: a row for each group, a figure for each indicator; and the exams behind each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import ColumnElement, Connection

from filmless.insight.cases import load
from filmless.insight.model import (
    BY_CODE,
    FILTERS,
    GROUPS,
    Base,
    Case,
    Figure,
    counting,
    figure,
    grouped,
    passing,
)
from filmless.kit.errors import Refused

#: rows of a table
MOST_ROWS: Final = 1000


@dataclass(frozen=True, slots=True)
class Question:
    """`group` "": all in one row. [begin, end) aware moments."""

    begin: datetime
    end: datetime
    indicators: tuple[str, ...]
    group: str = ""
    filters: Mapping[str, Sequence[str]] | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A row: the value of its group, words for it (Chinese, English), and figures by indicator."""

    key: str
    words: tuple[str, str]
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Answer:
    """`total`: the figures over all rows. `cut`: there were more rows than a table takes."""

    rows: tuple[Line, ...]
    total: Line
    cut: bool


def check(question: Question) -> Question:
    """The question. Raises Refused (code "bad-value") for an indicator, group or filter that is none."""
    for code in question.indicators:
        if code not in BY_CODE:
            raise Refused(f"There is no figure {code!r}.", code="bad-value")
    if not question.indicators:
        raise Refused("Name at least one figure.", code="bad-value")
    if question.group and question.group not in GROUPS:
        raise Refused(f"Figures cannot be told apart by {question.group!r}.", code="bad-value")
    for word in question.filters or {}:
        if word not in FILTERS:
            raise Refused(f"There is no filter {word!r}.", code="bad-value")
    return question


def answer(connection: Connection, question: Question, seen: ColumnElement[bool] | None = None) -> Answer:
    """The figures. `seen`: the condition on exams that they may be known of. Raises Refused."""
    check(question)
    cases = load(connection, question.begin, question.end, seen)
    bases = {BY_CODE[code].base for code in question.indicators}
    chosen = {base: _chosen(cases, question, base) for base in bases}
    total = Line(
        "",
        ("", ""),
        {code: figure(BY_CODE[code], chosen[BY_CODE[code].base]) for code in question.indicators},
    )
    if not question.group:
        return Answer((), total, cut=False)
    parts = {base: grouped(chosen[base], question.group, base) for base in bases}
    keys = sorted({key for part in parts.values() for key in part})
    if len(keys) > MOST_ROWS:
        # the largest, as far as a person reads
        weight = {key: sum(len(part.get(key, ())) for part in parts.values()) for key in keys}
        kept = sorted(keys, key=lambda key: -weight[key])[:MOST_ROWS]
    else:
        kept = keys
    words = _words(cases, question.group)
    rows = tuple(
        Line(
            key,
            words.get(key, (key, key)),
            {
                code: figure(BY_CODE[code], parts[BY_CODE[code].base].get(key, ()))
                for code in question.indicators
            },
        )
        for key in sorted(kept)
    )
    return Answer(rows, total, cut=len(kept) < len(keys))


def behind(
    connection: Connection,
    question: Question,
    code: str,
    key: str | None,
    which: Literal["of", "part"],
    seen: ColumnElement[bool] | None = None,
) -> list[Case]:
    """The exams behind one number, in the order of the archive's numbers: as many as it counts.

    `key`: the row, None for the total. `which` "part": of a ratio, those that count.
    """
    check(question)
    if code not in BY_CODE:
        raise Refused(f"There is no figure {code!r}.", code="bad-value")
    indicator = BY_CODE[code]
    chosen = _chosen(load(connection, question.begin, question.end, seen), question, indicator.base)
    if key is not None and question.group:
        chosen = grouped(chosen, question.group, indicator.base).get(key, [])
    found = figure(indicator, chosen)
    wanted = set(found.part_exams if which == "part" else found.exams)
    return [case for case in chosen if case.exam in wanted]


def _chosen(cases: Sequence[Case], question: Question, base: Base) -> list[Case]:
    return passing(counting(cases, base, question.begin, question.end), question.filters or {}, base)


def _words(cases: Sequence[Case], group: str) -> dict[str, tuple[str, str]]:
    """Names that the cases themselves carry; the names of stations and departments are given by the edge."""
    if group != "procedure":
        return {}
    return {case.procedure: (case.procedure_zh, case.procedure_en) for case in cases}
