"""The four parts of the comparison; each puts its figures into the report."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import pydicom

from bench import bare, disk, find, retrieve, small, synthetic, viewer, web, worklist
from bench.memory import Sampler
from bench.report import Report
from bench.sides import Side, started
from bench.slices import make
from bench.store import send
from filmless.db.engine import open_engine

STORE = "C-STORE of CT slices of 527 kB, images/s"
BARE = "C-STORE of the same from senders that cost next to nothing, images/s"
FIND = "C-FIND on an open association, ms from request to final response"
RETRIEVE = "Retrieve of CT slices, images/s"
MIXED = "Ingest from 4 senders while readers read"
MEMORY = "Peak of memory while ingesting, MB (PSS of all processes)"


@dataclass(frozen=True)
class Plan:
    work: Path
    rounds: int
    images: int
    studies: int
    peer_studies: int
    queries: int
    sides: tuple[str, ...]
    _folders: list[int] = field(default_factory=list)

    @cached_property
    def slices(self) -> list[list[Path]]:
        """16 studies that together have `images` slices (rounded up)."""
        return make(self.work / "slices", 16, -(-self.images // 16))

    @cached_property
    def study_uids(self) -> list[str]:
        return [
            str(pydicom.dcmread(study[0], stop_before_pixels=True).StudyInstanceUID) for study in self.slices
        ]

    def folder(self) -> Path:
        """A new name below `work`."""
        self._folders.append(1)
        return self.work / f"run{len(self._folders)}"


def count(studies: Sequence[Sequence[Path]]) -> int:
    return sum(len(study) for study in studies)


def store_part(plan: Plan, report: Report) -> None:
    """1, 4 and 16 senders; an empty store for every figure."""
    images = count(plan.slices)
    for turn in range(plan.rounds):
        order = plan.sides[turn % len(plan.sides) :] + plan.sides[: turn % len(plan.sides)]
        for senders in (1, 4, 16):
            for name in order:
                row = f"{senders} sender{'s' * (senders > 1)}"
                with started(name, plan.folder()) as side:
                    seconds = send(side.port, plan.slices, senders, plan.work / "logs")
                report.add(STORE, row, name, images / seconds)
                if turn == 0 and name in ("Filmless", "Orthanc"):
                    # by itself: to look costs as much as the side has processes (17 ms of four, 3 of one)
                    with started(name, plan.folder()) as side, Sampler(side.pid) as memory:
                        send(side.port, plan.slices, senders, plan.work / "logs")
                    report.add(MEMORY, row, name, memory.peak / 1e6)
            most = disk.rate(plan.folder(), plan.slices[0][0].read_bytes(), images, senders)
            report.add(STORE, f"{senders} sender{'s' * (senders > 1)}", disk.NAME, most)
        for senders in (1, 4):
            for name in order:
                if name == "pynetdicom":
                    continue
                with started(name, plan.folder()) as side:
                    seconds = bare.send(side.port, "FILMLESS", plan.slices, senders)
                report.add(BARE, f"{senders} sender{'s' * (senders > 1)}", name, images / seconds)
    report.note(f"C-STORE: {images} images per figure, {plan.rounds} rounds, dcmtk storescu.")
    report.note(
        "Senders that cost next to nothing: files in memory, one call of sendmsg for each image, one process for all; "
        "a storescu takes 0.8 ms of the same two cores for each. What they give dcmtk storescp is near their ceiling."
    )


def find_part(plan: Plan, report: Report) -> None:
    """Both sides at a number that Orthanc can be filled with; Filmless at the wanted 100,000 studies."""
    small_row = f"{plan.peer_studies:,} studies"
    for name in plan.sides:
        if name not in ("Filmless", "Orthanc"):
            continue
        with started(name, plan.folder()) as side:
            small.fill(side.port, plan.peer_studies)
            time_queries(plan, report, side, small_row, plan.peer_studies)
    if "Filmless" in plan.sides:
        large_index(plan, report)
    report.note(
        f"C-FIND: {plan.queries} queries each at study level, 11 return keys; Orthanc was filled with "
        f"{plan.peer_studies:,} studies over C-STORE, Filmless with as many, and with {plan.studies:,}."
    )


def time_queries(plan: Plan, report: Report, side: Side, row: str, studies: int) -> None:
    def number(turn: int) -> int:
        return turn * 7919 % studies

    time_questions(
        report,
        side,
        row,
        (
            ("PatientID", lambda turn: find.identifier(patient=small.patient_id(number(turn))), plan.queries),
            (
                "PatientName",
                lambda turn: find.identifier(name=small.patient_name(number(turn))),
                plan.queries,
            ),
            ("one day", lambda turn: find.identifier(date=small.day(number(turn))), plan.queries // 3),
            ("two weeks", lambda turn: find.identifier(date=fortnight(number(turn))), plan.queries // 6),
        ),
    )


#: words, the identifier of the n-th query, how many queries
Question = tuple[str, Callable[[int], bytes], int]


def time_questions(report: Report, side: Side, row: str, questions: Sequence[Question]) -> None:
    for words, key, times in questions:
        timing = find.measure(side.port, key, times)
        label = f"{words}, {row} ({timing.matches:.0f} match{'es' * (timing.matches >= 1.5)})"
        report.add(FIND, f"{label}, median", side.name, timing.median)
        report.add(FIND, f"{label}, p95", side.name, timing.p95)


def fortnight(number: int) -> str:
    month = small.day(number)[:6]
    return f"{month}01-{month}14"


def large_index(plan: Plan, report: Report) -> None:
    """Filmless with a generated index of `plan.studies` studies: rows only, there are no files behind them."""
    folder = plan.folder()
    home = folder / "home"
    home.mkdir(parents=True)
    engine = open_engine(f"sqlite:///{home / 'index.sqlite'}")
    made = synthetic.fill(engine, plan.studies)
    engine.dispose()
    report.note(
        f"The index of {made.studies:,} studies of {made.patients:,} patients: {made.seconds:.0f} s to make."
    )

    def study(turn: int) -> int:
        return 1 + turn * 7919 % plan.studies

    def patient(turn: int) -> int:
        return synthetic.patient_of(study(turn))

    def two_weeks(turn: int) -> str:
        first = date.fromisoformat(synthetic.day(study(turn)))
        return f"{first:%Y%m%d}-{first + timedelta(days=13):%Y%m%d}"

    with started("Filmless", folder) as side:
        time_questions(
            report,
            side,
            f"{plan.studies:,} studies",
            (
                (
                    "PatientID",
                    lambda turn: find.identifier(patient=synthetic.patient_id(patient(turn))),
                    plan.queries,
                ),
                (
                    "PatientName",
                    lambda turn: find.identifier(name=synthetic.patient_name(patient(turn))),
                    plan.queries,
                ),
                ("one day", lambda turn: find.identifier(date=synthetic.day(study(turn))), plan.queries // 3),
                ("two weeks", lambda turn: find.identifier(date=two_weeks(turn)), plan.queries // 6),
            ),
        )


def retrieve_part(plan: Plan, report: Report) -> None:
    images = count(plan.slices)
    (plan.work / "logs").mkdir(exist_ok=True)
    for name in plan.sides:
        if name not in ("Filmless", "Orthanc"):
            continue
        with (
            retrieve.destination(plan.work / "logs" / "destination.log") as destination,
            started(name, plan.folder(), destination.port) as side,
        ):
            send(side.port, plan.slices, 4, plan.work / "logs")
            for _ in range(plan.rounds):
                rate = retrieve.move(side.port, plan.study_uids, images)
                report.add(RETRIEVE, "C-MOVE to storescp", name, rate)
                report.add(
                    RETRIEVE, "C-GET by getscu", name, retrieve.get(side.port, plan.study_uids, images)
                )
    report.note(f"Retrieve: {images} images in 16 studies, one request; the receivers keep nothing.")


def mixed_part(plan: Plan, report: Report) -> None:
    """Half of the studies are there and read (C-GET and C-FIND in loops) while the other half arrives."""
    old, new = plan.slices[:8], plan.slices[8:]
    for turn in range(plan.rounds):
        for name in plan.sides if turn % 2 else plan.sides[::-1]:
            if name not in ("Filmless", "Orthanc"):
                continue
            with started(name, plan.folder()) as side:
                send(side.port, old, 4, plan.work / "logs")
                readers = Readers(side.port, plan.study_uids[:8], len(old[0]))
                with readers:
                    seconds = send(side.port, new, 4, plan.work / "logs")
            report.add(MIXED, "images stored per second", name, count(new) / seconds)
            report.add(MIXED, "images read per second (C-GET)", name, readers.images / seconds)
            report.add(MIXED, "C-FIND PatientID median, ms", name, readers.median)


def wanted(plan: Plan, report: Report) -> list[tuple[str, str, bool]]:
    """What is wanted of Filmless, beside what was measured: words, figure, whether it is so."""
    rows: list[tuple[str, str, bool]] = []
    for row, least in (("1 sender", 2.0), ("4 senders", 1.5)):
        ours, theirs = report.median(STORE, row, "Filmless"), report.median(STORE, row, "Orthanc")
        if ours and theirs:
            words = f"C-STORE, {row}: at least {least:g} times Orthanc"
            rows.append((words, f"{ours / theirs:.2f} times", ours / theirs >= least))
    four, sixteen = (report.median(STORE, f"{count} senders", "Filmless") for count in (4, 16))
    if four and sixteen:
        share = sixteen / four
        rows.append(("C-STORE: 16 senders within 10 % of 4", f"{share:.2f} of 4", share >= 0.9))
    memory = [report.median(MEMORY, row, "Filmless") for row in ("1 sender", "4 senders", "16 senders")]
    if peaks := [one for one in memory if one]:
        rows.append(("Memory while ingesting: under 250 MB", f"{max(peaks):.0f} MB", max(peaks) < 250))
    start = f"PatientID, {plan.studies:,} studies"
    for (part, row, side), figures in report.figures.items():
        if part == FIND and side == "Filmless" and row.startswith(start) and row.endswith("median"):
            words = f"C-FIND of a patient at {plan.studies:,} studies: under 10 ms"
            rows.append((words, f"{figures[0]:.1f} ms", figures[0] < 10))
    return rows + web.wanted(report) + viewer.wanted(report) + worklist.wanted(report)


class Readers:
    """One C-GET reader and one C-FIND reader, each in a loop until the block ends; their errors are raised."""

    def __init__(self, port: int, study_uids: Sequence[str], images_per_study: int) -> None:
        self.port = port
        self.study_uids = study_uids
        self.images_per_study = images_per_study
        self.images = 0
        self.taken: list[float] = []
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(2)
        self._work: list[Future[None]] = []

    @property
    def median(self) -> float:
        return sorted(self.taken)[len(self.taken) // 2]

    def _get(self) -> None:
        turn = 0
        while not self._stop.is_set():
            retrieve.get(self.port, [self.study_uids[turn % 8]], self.images_per_study)
            if not self._stop.is_set():
                self.images += self.images_per_study
            turn += 1

    def _find(self) -> None:
        turn = 0
        with find.open_association(self.port) as association:
            while not self._stop.is_set():
                took, found = find.ask(association, find.identifier(patient=f"BENCH{turn % 8 + 1:05d}"))
                if found != 1:
                    raise AssertionError(f"{found} studies found instead of 1")
                self.taken.append(took)
                turn += 1
                time.sleep(0.01)
            association.release()

    def __enter__(self) -> Readers:
        self._work = [self._pool.submit(self._get), self._pool.submit(self._find)]
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._pool.shutdown()
        for one in self._work:
            one.result()
