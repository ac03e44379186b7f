"""Whether the trail is whole: names the first record that was altered or removed, the end of the chain included."""

import heapq
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Engine, Row, select

from filmless.access.audit import chain
from filmless.access.audit.anchors import Anchor, Anchors
from filmless.access.audit.keys import Keys
from filmless.access.audit.tables import audit, audit_subjects

_ROWS = 1000
#: findings that are kept; one alteration can show in many
_MOST = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong. `seq`: the first record that it is about; 0 where only anchors or the sealed end are wrong."""

    seq: int
    words: str


@dataclass(slots=True)
class Report:
    """What a verification found, the first record first."""

    records: int = 0
    anchors: int = 0
    #: the last record's number and mac, to be kept elsewhere
    last: int = 0
    mac: str = ""
    findings: list[Finding] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not self.findings

    @property
    def first(self) -> int:
        """Number of the first record that was altered or removed; 0 where there is none."""
        return min((one.seq for one in self.findings if one.seq), default=0)


def verify(
    engine: Engine,
    keys: Keys,
    anchors: Anchors | None = None,
    *,
    others: Iterable[Anchor] = (),
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Read the whole trail, as a stream, while others may append to it.

    `others`: anchors from elsewhere (the collector's), whose seals are not chained and so not looked at.
    """
    # before the database: an anchor that is written meanwhile is of rows that are not looked at
    size = anchors.size() if anchors is not None else 0
    report = Report()
    with _snapshot(engine) as connection:
        end = chain.head(connection)
        elsewhere = sorted((one.seq, one.mac, f"anchor elsewhere of {one.at}") for one in others)
        points = heapq.merge(_points(anchors, size, report), elsewhere)
        _Chain(connection, keys, report, points, progress).run()
    _check_end(end, keys, report)
    if anchors is not None and report.last and not report.anchors:
        report.findings.append(Finding(0, f"there are no anchors: {anchors.file} is missing or empty"))
    report.findings.sort(key=lambda one: (one.seq == 0, one.seq))
    return report


#: number, mac, and what says so
Point = tuple[int, str, str]


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one moment of the trail."""
    level = "REPEATABLE READ" if engine.dialect.name == "postgresql" else None
    options = {"isolation_level": level} if level else {}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


def _points(anchors: Anchors | None, size: int, report: Report) -> Iterator[Point]:
    """Every anchor that can be believed, in order. A wrong one becomes a finding."""
    if anchors is None:
        return
    for number, anchor, right in anchors.read(size):
        if anchor is None:
            # half a line of a power cut; where it hid an anchor, the next one's seal is wrong
            continue
        report.anchors += 1
        if right:
            yield anchor.seq, anchor.mac, f"anchor of {anchor.at}"
        else:
            words = f"line {number} of {anchors.file.name} was altered, or follows one that was removed"
            _add(report, Finding(0, words))


class _Chain:
    """One pass over the rows."""

    def __init__(
        self,
        connection: Connection,
        keys: Keys,
        report: Report,
        points: Iterator[Point],
        progress: Callable[[int], None] | None,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._report = report
        self._points = points
        self._point = next(points, None)
        #: the last row that an anchor agrees with, and the last that is wrong by itself
        self._vouched = self._bad = 0
        self._progress = progress

    def run(self) -> None:
        report = self._report
        for rows in self._pages():
            found_by = self._found_by(rows[0].seq, rows[-1].seq)
            for row in rows:
                self._row(row, found_by.pop(row.seq, set()))
                report.records += 1
            for seq in found_by:
                _add(report, Finding(seq, f"record {seq} is missing; what it was found by is left"))
            if self._progress is not None:
                self._progress(report.records)
        beyond = [self._point, *self._points] if self._point is not None else []
        if beyond:
            seq, _, source = beyond[-1]
            _add(report, Finding(report.last + 1, f"{_missing(report.last + 1, seq)} ({source})"))

    def _row(self, row: Row[Any], found_by: set[tuple[str, str]]) -> None:
        report = self._report
        values = row._asdict()
        if row.seq != report.last + 1:
            self._wrong(report.last + 1, _missing(report.last + 1, row.seq - 1))
        key = self._keys.find(row.key)
        if key is None:
            self._wrong(row.seq, f"record {row.seq} cannot be verified: key {row.key} is not here")
        elif chain.row_mac(key, values, report.mac) != row.mac:
            if row.seq == report.last + 1:
                self._wrong(row.seq, f"record {row.seq} was altered, or put in place of another")
        elif found_by != _expected(row.body):
            self._wrong(row.seq, f"the studies or patients by which record {row.seq} is found were altered")
        self._anchored(row.seq, row.mac)
        report.last, report.mac = row.seq, row.mac

    def _wrong(self, seq: int, words: str) -> None:
        self._bad = seq
        _add(self._report, Finding(seq, words))

    def _anchored(self, seq: int, mac: str) -> None:
        """Compare with the anchors up to this row."""
        while self._point is not None and self._point[0] <= seq:
            at, expected, source = self._point
            self._point = next(self._points, None)
            # of rows that are missing or altered themselves nothing needs to be said again
            if at == seq and expected != mac and self._bad <= self._vouched:
                first = self._vouched + 1
                words = f"records {first} to {seq} are not those that were there ({source}): the trail was replaced"
                _add(self._report, Finding(first, words))
            self._vouched = seq

    def _pages(self) -> Iterator[Sequence[Any]]:
        """Rows in order; by pages, so that PostgreSQL's driver holds few of them."""
        last = 0
        query = select(*chain.SEALED, audit.c.mac).order_by(audit.c.seq).limit(_ROWS)
        while rows := self._connection.execute(query.where(audit.c.seq > last)).all():
            yield rows
            last = rows[-1].seq

    def _found_by(self, first: int, last: int) -> dict[int, set[tuple[str, str]]]:
        table = audit_subjects
        found = self._connection.execute(
            select(table.c.seq, table.c.kind, table.c.value)
            .where(table.c.seq >= first, table.c.seq <= last)
            .order_by(table.c.seq)
        )
        return {
            seq: {(row.kind, row.value) for row in rows} for seq, rows in groupby(found, lambda row: row.seq)
        }


def _expected(body: str) -> set[tuple[str, str]]:
    try:
        said = json.loads(body)
        return set(chain.subjects_of(said.get("studies", []), said.get("patients", [])))
    except (ValueError, AttributeError, TypeError):
        return set()


def _check_end(end: chain.Head, keys: Keys, report: Report) -> None:
    """The sealed end against the last row."""
    if end.seq == 0 and report.last == 0:
        return
    key = keys.find(end.key)
    if key is None or not end.sealed_by(key):
        _add(report, Finding(0, "the sealed end of the trail was altered"))
    elif end.seq > report.last:
        _add(report, Finding(report.last + 1, _missing(report.last + 1, end.seq)))
    elif end.seq < report.last or end.mac != report.mac:
        _add(
            report,
            Finding(
                end.seq + 1,
                f"the trail's sealed end is record {end.seq}: what follows was added from outside",
            ),
        )


def _missing(first: int, last: int) -> str:
    return f"record {first} is missing" if first == last else f"records {first} to {last} are missing"


def _add(report: Report, finding: Finding) -> None:
    """Keep few, but always the first record's."""
    if len(report.findings) < _MOST:
        report.findings.append(finding)
        return
    latest = max(report.findings, key=lambda one: one.seq)
    if finding.seq and finding.seq < latest.seq:
        report.findings[report.findings.index(latest)] = finding
