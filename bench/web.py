"""DICOMweb beside Orthanc's plug-in: metadata, frames, whole series, searches, memory, and ingest while others read.

Filmless is asked with sign-in, permission filter and audit trail on; Orthanc has none of these here.
"""

from __future__ import annotations

import gzip
import http.client
import json
import os
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pydicom
from tests.peers import FilmlessServer, Orthanc, Running, eventually, free_port

from bench import small, synthetic
from bench.http_client import load
from bench.memory import Sampler, pss
from bench.report import Report
from bench.slices import make
from bench.store import send
from filmless.db.engine import open_engine

WEB = "DICOMweb, ms"
RATES = "DICOMweb, per second"
WEB_MEMORY = "Growth of memory while answering, MB (PSS of all processes)"
MIXED_WEB = "Ingest from 4 senders, images/s, alone and while others read over HTTP"

FRAMES = "frames of 512 x 512, 8 connections"
#: what a row is called where Filmless answered with two web processes
_TWO = ", two web processes"

#: the share of the load client's ceiling that counts as the ceiling
_AT_CEILING = 0.95

PASSWORD = "bench-lantern-42"
_PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
_ORTHANC = {
    "Plugins": [_PLUGIN],
    "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    "HttpThreadsCount": 50,
    "HttpCompressionEnabled": True,
}
_MULTIPART = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_FRAME = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'


_AS_BROWSERS = {"Accept": "application/dicom+json", "Accept-Encoding": "gzip, deflate, br"}


@dataclass(frozen=True)
class WebSide:
    """A server that answers DICOMweb."""

    name: str
    pid: int
    dicom_port: int
    http_port: int
    headers: dict[str, str]

    def get(self, path: str, **headers: str) -> tuple[float, bytes]:
        """(ms to the last byte, the body) on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=300)
        connection.connect()
        began = time.perf_counter()
        connection.request("GET", "/dicom-web" + path, headers={**self.headers, **headers})
        answer = connection.getresponse()
        body = answer.read()
        took = (time.perf_counter() - began) * 1e3
        connection.close()
        if answer.status != 200:
            raise AssertionError(f"{self.name} {path}: {answer.status} {body[:300]!r}")
        return took, body

    def drain(self, path: str, **headers: str) -> tuple[float, int]:
        """(ms, bytes) of an answer that is thrown away as it comes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=900)
        connection.connect()
        began = time.perf_counter()
        connection.request("GET", "/dicom-web" + path, headers={**self.headers, **headers})
        answer = connection.getresponse()
        buffer, taken = memoryview(bytearray(1 << 20)), 0
        while count := answer.readinto(buffer):
            taken += count
        took = (time.perf_counter() - began) * 1e3
        connection.close()
        if answer.status != 200:
            raise AssertionError(f"{self.name} {path}: {answer.status}")
        return took, taken


@contextmanager
def web_side(name: str, folder: Path, processes: int = 1) -> Iterator[WebSide]:
    """Either side on a folder, empty or prepared. `processes`: of Filmless that answer HTTP."""
    folder.mkdir(parents=True, exist_ok=True)
    if name == "Orthanc":
        with Orthanc(folder / "orthanc", settings=_ORTHANC) as orthanc:
            yield WebSide(name, orthanc.running.pid, orthanc.dicom_port, orthanc.http_port, {})
        return
    settings = f'admin_password = "{PASSWORD}"\n[http]\nprocesses = {processes}\n'
    with FilmlessServer(folder / "home", settings=settings) as server:
        cookie = sign_in(server.http_port)
        eventually(lambda: _serving(server.http_port) == processes, "all web processes serve")
        yield WebSide(name, server.running.pid, server.dicom_port, server.http_port, {"Cookie": cookie})


def _serving(port: int) -> int:
    """Web processes that take connections."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/health")
    found: int = json.loads(connection.getresponse().read())["web"]["processes"]
    connection.close()
    return found


def sign_in(port: int) -> str:
    """The first account's session, its password changed as it has to be."""

    def ask(method: str, path: str, body: Any, **headers: str) -> tuple[http.client.HTTPResponse, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        sent = {"Content-Type": "application/json", **headers}
        connection.request(method, path, json.dumps(body), sent)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise AssertionError(f"{method} {path}: {answer.status} {content[:300]!r}")
        return answer, json.loads(content) if content else None

    def answers() -> bool:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False

    eventually(answers, "HTTP answers", 30)
    answer, session = ask("POST", "/api/session", {"name": "admin", "password": PASSWORD, "code": ""})
    cookie = str(answer.headers["Set-Cookie"]).split(";", 1)[0]
    if session["must_change_password"]:
        body = {"old": PASSWORD, "new": PASSWORD + "-changed"}
        answer, _ = ask(
            "PUT", "/api/session/password", body, Cookie=cookie, **{"X-Filmless-CSRF": session["csrf"]}
        )
        cookie = str(answer.headers.get("Set-Cookie") or cookie).split(";", 1)[0]
    return cookie


def ceiling(size: int, connections: int, count: int) -> float:
    """Answers per second that the load client can take at most."""
    port = free_port()
    log = Path(os.devnull)
    with Running(sys.executable, "-m", "bench.http_ceiling", str(port), str(size), log=log, port=port):
        return load(port, ["/"], connections=connections, count=count).rate


def web_part(plan: Any, report: Report) -> None:
    sides = [name for name in plan.sides if name in ("Filmless", "Orthanc")]
    series = make(plan.work / "series", 2, 250 if plan.images >= 250 else plan.images)
    for turn in range(plan.rounds):
        for name in sides if turn % 2 == 0 else sides[::-1]:
            with web_side(name, plan.folder()) as side:
                _objects(plan, report, side, series)
    for name in sides:
        _searches(plan, report, name)
    _mixed(plan, report, sides)
    if "Filmless" in sides:
        _memory(plan, report)


def _objects(plan: Any, report: Report, side: WebSide, series: list[list[Path]]) -> None:
    first = pydicom.dcmread(series[0][0], stop_before_pixels=True)
    path = f"/studies/{first.StudyInstanceUID}/series/{first.SeriesInstanceUID}"
    count = len(series[0])
    metadata: list[dict[str, Any]] = []
    for one, seconds, moment in ((series[0], 0, "after arrival"), (series[1], 5, "5 s after arrival")):
        send(side.dicom_port, [one], 1, plan.work / "logs")
        # a person who opens what is complete does so some seconds later; Filmless has prepared it by then
        time.sleep(seconds)
        of = pydicom.dcmread(one[0], stop_before_pixels=True)
        took, body = side.get(
            f"/studies/{of.StudyInstanceUID}/series/{of.SeriesInstanceUID}/metadata", **_AS_BROWSERS
        )
        found = json.loads(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
        if len(found) != count:
            raise AssertionError(f"{side.name}: metadata of {len(found)} instances, {count} were stored")
        metadata = metadata or found
        report.add(WEB, f"metadata of a series of {count}, the first time {moment}", side.name, took)
    if side.name == "Filmless":
        time.sleep(12)  # it settles: what viewers ask for later is prepared by then
    for _ in range(10):
        took, _body = side.get(f"{path}/metadata", **_AS_BROWSERS)
        report.add(WEB, f"metadata of a series of {count}", side.name, took)
    uids = [one["00080018"]["Value"][0] for one in metadata]
    times = max(4, 2000 // count)
    frames = load(
        side.http_port,
        [f"/dicom-web{path}/instances/{uid}/frames/1" for uid in uids],
        connections=8,
        count=count * times,
        headers={**side.headers, "Accept": _FRAME},
        least_bytes=512 * 512 * 2,
    )
    report.add(RATES, FRAMES, side.name, frames.rate)
    if side.name == "Filmless":
        most = ceiling(512 * 512 * 2, 8, count * times)
        report.ceilings.setdefault((RATES, FRAMES), []).append(most)
        report.note(f"The load client's own ceiling for such frames was {most:.0f} per second.")
    for _ in range(5):
        took, size = side.drain(path, Accept=_MULTIPART)
        report.add(WEB, f"a series of {size / 1e6:.0f} MB as multipart", side.name, took)


def _searches(plan: Any, report: Report, name: str) -> None:
    """Filmless at `plan.studies`, rows only, with one web process and with two; Orthanc at what it can be filled with
    in reasonable time."""
    folder = plan.folder()
    if name == "Filmless":
        home = folder / "home"
        home.mkdir(parents=True)
        engine = open_engine(f"sqlite:///{home / 'index.sqlite'}")
        synthetic.fill(engine, plan.studies)
        engine.dispose()
        number = plan.studies
        # before there are accounts in it
        shutil.copytree(folder, again := plan.folder())
    else:
        number = plan.peer_studies
    with web_side(name, folder) as side:
        if name == "Orthanc":
            small.fill(side.dicom_port, number)
        _search(plan, report, side, number)
    if name == "Filmless":
        with web_side(name, again, processes=2) as side:
            _search(plan, report, side, number, _TWO)
        shutil.rmtree(again)
    report.note(f"Searches: {name} with {number:,} studies, 4 connections.")


def _search(plan: Any, report: Report, side: WebSide, number: int, how: str = "") -> None:
    for words, queries in _questions(side.name, number).items():
        done = load(
            side.http_port,
            [f"/dicom-web/studies?{query}" for query in queries],
            connections=4,
            count=min(plan.queries * 4, 2000) if side.name == "Filmless" else plan.queries,
            headers={**side.headers, "Accept": "application/dicom+json"},
        )
        report.add(RATES, f"search by {words}{how}", side.name, done.rate)


def _questions(name: str, number: int) -> dict[str, list[str]]:
    picks = [1 + turn * 7919 % number for turn in range(200)]
    if name == "Filmless":
        people = [synthetic.patient_of(pick) for pick in picks]
        ids = [synthetic.patient_id(one) for one in people]
        names = [synthetic.patient_name(one).split("=")[0] for one in people]
        days = [synthetic.day(pick) for pick in picks]
    else:
        ids = [small.patient_id(pick - 1) for pick in picks]
        names = [small.patient_name(pick - 1) for pick in picks]
        days = [small.day(pick - 1) for pick in picks]
    weeks = [
        f"{date.fromisoformat(one):%Y%m%d}-{date.fromisoformat(one) + timedelta(days=3):%Y%m%d}"
        for one in days
    ]
    return {
        "patient ID": [f"PatientID={quote(one)}" for one in ids],
        "patient's name": [f"PatientName={quote(one)}&limit=100" for one in names],
        "family name, 100 results": [f"PatientName={quote(one.split('^')[0])}*&limit=100" for one in names],
        "four days, 100 results": [f"StudyDate={one}&limit=100" for one in weeks],
    }


def _mixed(plan: Any, report: Report, sides: Sequence[str]) -> None:
    """Half is there and read by four who scroll and one who takes a ZIP; the other half arrives."""
    old, new = plan.slices[:8], plan.slices[8:]
    images = sum(len(study) for study in new)
    for turn in range(plan.rounds):
        for name in sides if turn % 2 else sides[::-1]:
            for busy in (False, True):
                with web_side(name, plan.folder()) as side:
                    send(side.dicom_port, old, 4, plan.work / "logs")
                    readers = _Readers(side, old) if busy else None
                    if readers:
                        readers.start()
                    seconds = send(side.dicom_port, new, 4, plan.work / "logs")
                    if readers:
                        frames = readers.stop()
                        report.add(MIXED_WEB, "frames read meanwhile, per second", name, frames / seconds)
                row = "while four scroll and one takes a ZIP" if busy else "alone"
                report.add(MIXED_WEB, row, name, images / seconds)


class _Readers:
    """Four who scroll through frames, thirty a second each, and one who takes ZIPs (Orthanc: multipart)."""

    _PER_SECOND = 30

    def __init__(self, side: WebSide, studies: Sequence[Sequence[Path]]) -> None:
        self._side = side
        self._paths = []
        for study in studies:
            for file in study:
                one = pydicom.dcmread(file, stop_before_pixels=True)
                self._paths.append(
                    f"/studies/{one.StudyInstanceUID}/series/{one.SeriesInstanceUID}/instances/{one.SOPInstanceUID}"
                )
        self._over = threading.Event()
        self._counts = [0] * 4
        self._errors: list[BaseException] = []
        self._threads = [
            *(threading.Thread(target=self._scroll, args=(number,)) for number in range(4)),
            threading.Thread(target=self._take),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> int:
        self._over.set()
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]
        return sum(self._counts)

    def _scroll(self, number: int) -> None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self._side.http_port, timeout=60)
            turn = number * 97
            due = time.perf_counter()
            while not self._over.is_set():
                path = f"/dicom-web{self._paths[turn % len(self._paths)]}/frames/1"
                connection.request("GET", path, headers={**self._side.headers, "Accept": _FRAME})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    raise AssertionError(f"{path}: {answer.status}")
                self._counts[number] += 1
                turn += 1
                due = max(due + 1 / self._PER_SECOND, time.perf_counter() - 0.1)
                time.sleep(max(0.0, due - time.perf_counter()))
        except (OSError, http.client.HTTPException, AssertionError) as why:
            self._errors.append(why)

    def _take(self) -> None:
        kind = "application/zip" if self._side.name == "Filmless" else _MULTIPART
        turn = 0
        try:
            while not self._over.is_set():
                study = self._paths[turn * 61 % len(self._paths)].split("/series/")[0]
                self._side.drain(study, Accept=kind)
                turn += 1
        except (OSError, http.client.HTTPException, AssertionError) as why:
            self._errors.append(why)


def _memory(plan: Any, report: Report) -> None:
    """A study of 10,000 small instances: its metadata and its ZIP."""
    count = 10_000 if plan.images >= 1000 else 500
    with web_side("Filmless", plan.folder()) as side:
        study = small.one_study(side.dicom_port, count)
        side.get("/studies?limit=1", Accept="application/dicom+json")
        for words, path, kind in (
            ("metadata", f"/studies/{study}/metadata", "application/dicom+json"),
            ("ZIP", f"/studies/{study}", "application/zip"),
        ):
            before = pss(side.pid)
            with Sampler(side.pid, 0.05) as memory:
                took, size = side.drain(path, Accept=kind)
            report.add(
                WEB_MEMORY, f"{words} of a study of {count:,}", "Filmless", (memory.peak - before) / 1e6
            )
            report.add(WEB, f"{words} of a study of {count:,} ({size / 1e6:.0f} MB)", "Filmless", took)


def wanted(report: Report) -> list[tuple[str, str, bool]]:
    """What is wanted, beside what was measured: words, figure, whether it is so."""
    rows: list[tuple[str, str, bool]] = []
    asked = {
        (WEB, "metadata of a series of"): ("Series metadata: 50 times as fast as Orthanc", 50.0, True),
        (RATES, "frames of"): ("Frames: twice Orthanc's, or the load client's ceiling", 2.0, False),
        (WEB, "a series of"): ("A series as multipart: as fast", 1.0, True),
        (RATES, "search by"): ("Search: 20 times as many", 20.0, False),
    }
    for part, row in dict.fromkeys((part, row) for part, row, _ in report.figures):
        for (wanted_part, start), (words, least, time_) in asked.items():
            if part != wanted_part or not row.startswith(start):
                continue
            ours = report.median(part, row, "Filmless")
            theirs = report.median(part, row.removesuffix(_TWO), "Orthanc")
            if ours and theirs:
                ratio = theirs / ours if time_ else ours / theirs
                figure, so = f"{ratio:.1f} times", ratio >= least
                if most := report.ceilings.get((part, row)):
                    share = ours / statistics.median(most)
                    figure, so = f"{figure}, {share:.0%} of the ceiling", so or share >= _AT_CEILING
                rows.append((f"{words} ({row})", figure, so))
    alone = report.median(MIXED_WEB, "alone", "Filmless")
    busy = report.median(MIXED_WEB, "while four scroll and one takes a ZIP", "Filmless")
    if alone and busy:
        rows.append(("Ingest while others read keeps 60 %", f"{busy / alone:.2f}", busy / alone >= 0.6))
    for (part, row, _), figures in report.figures.items():
        if part == WEB_MEMORY:
            rows.append((f"{row}: grows by at most 64 MB", f"{max(figures):.0f} MB", max(figures) <= 64))
    return rows
