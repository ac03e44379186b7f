"""A day of 2,000 exams on the modality worklist, asked as scanners ask, beside Orthanc's plug-in and wlmscpfs.

All exams of the day wait, which is the hardest hour: no step drops out by its state. They are registered by the
department's own commands; the peers get files (.wl) of what Filmless answers, so that all sides give the same items.
Filmless looks at the exams' states, the device's grant and its own audit trail; the peers have none of these.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, Association
from pynetdicom.dsutils import decode, encode
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    ModalityWorklistInformationFind as WORKLIST,
)
from sqlalchemy import Connection, insert
from tests.department.hospital import Hospital
from tests.peers import FilmlessServer, Orthanc, Running, free_port
from tests.raw import EXPLICIT, RawAssociation

from bench.report import Report
from filmless.access import accounts, grants, passwords, sessions
from filmless.access.acting import Acting
from filmless.access.model import SYSTEM, Role, Scope
from filmless.app.index import open_index
from filmless.app.settings import load
from filmless.app.trail import open_trail
from filmless.db.work import writing
from filmless.department import registration
from filmless.department.identity_check import Shown
from filmless.department.master import first
from filmless.department.model import DepartmentSettings, Desk
from filmless.department.orders import NewOrder, Wanted
from filmless.department.tables import stations
from filmless.dicom.sopclasses import MODALITY_WORKLIST_FIND
from filmless.kit import clock
from filmless.patients import persons
from filmless.patients.persons import NewPerson

PART = "Modality worklist of a day, ms from request to final response"
ARRIVING = "From the answer of a registration to being on the worklist, ms"
DCMTK = "dcmtk wlmscpfs"
_PLUGIN = "/usr/share/orthanc/plugins/libModalityWorklists.so"
_AREA = "DAY"
#: ten scanners of each modality
_PLACES = tuple((f"{modality}{number}", modality) for number in range(1, 11) for modality in ("CT", "MR"))
_PROCEDURES = {"CT": ("CT-HEAD", "CT-CHEST", "CT-ABD"), "MR": ("MR-BRAIN", "MR-LSPINE")}
_FAMILY = "王李张刘陈杨黄赵吴周"
_GIVEN = "伟芳娜敏静丽强磊军洋"
_SETTINGS = "[devices]\ncheck_called_ae = false\n"


def worklist_part(plan: Any, report: Report) -> None:
    """Every round all sides in turn; then registrations, one after the other, each looked for at once."""
    exams = 200 if report.quick else 2000
    home = plan.folder() / "home"
    home.mkdir(parents=True)
    server = FilmlessServer(home, settings=_SETTINGS)
    arrivals = _fill(server, exams, plan.queries // 6)
    with ExitStack() as stack:
        stack.enter_context(server)
        ports = {"Filmless": server.dicom_port}
        items = plan.folder()
        _write_files(items / _AREA, _ask_raw(server.dicom_port, _question()))
        if "Orthanc" in plan.sides:
            own = {
                "DicomAlwaysAllowFindWorklist": True,
                "Plugins": [_PLUGIN],
                "Worklists": {"Enable": True, "Database": str(items / _AREA)},
            }
            ports["Orthanc"] = stack.enter_context(Orthanc(plan.folder() / "o", settings=own)).dicom_port
        ports[DCMTK] = stack.enter_context(_wlmscpfs(items)).port
        report.sides = (*report.sides, DCMTK)
        for turn in range(plan.rounds):
            for name in list(ports)[:: 1 if turn % 2 == 0 else -1]:
                _time(plan, report, name, ports[name], exams)
        for took in _register(server, arrivals):
            report.add(ARRIVING, "registered over HTTP, asked by its number", "Filmless", took)
    report.note(
        f"Worklist: {exams:,} exams of today that all wait, on {len(_PLACES)} scanners; {plan.queries} questions "
        "each by modality, date and AE title. By pynetdicom includes what that client waits and decodes."
    )


def wanted(report: Report) -> list[tuple[str, str, bool]]:
    """50 ms at the median, a second from registration to worklist; with what was measured."""
    rows: list[tuple[str, str, bool]] = []
    for (part, row, side), figures in report.figures.items():
        if side != "Filmless":
            continue
        # of pynetdicom most is the client's own work, which every server pays
        if part == PART and row.startswith("own") and row.endswith("by a bare socket, median"):
            median = statistics.median(figures)
            rows.append((f"Worklist, {row}: 50 ms", f"{median:.1f} ms", median <= 50))
        if part == ARRIVING:
            longest = max(figures)
            rows.append(
                ("Registration to worklist: under 1 s, the longest", f"{longest:.0f} ms", longest < 1000)
            )
    return rows


# --- a day


@dataclass(frozen=True)
class Waiting:
    """Somebody who is known and will be registered: the person's row."""

    person: int


def _fill(server: FilmlessServer, exams: int, more: int) -> list[Waiting]:
    """Registers so many exams, and makes so many persons who will come."""
    server.home.joinpath("filmless.toml").write_text(_SETTINGS, "utf-8")
    settings = load(server.home, environment={})
    desk = Desk(DepartmentSettings(issuer="H"), b"key of the benchmark")
    with open_index(settings, create=True) as engine, open_trail(settings, engine, "bench") as trail:
        acting = Hospital(trail).acting("REG")
        with writing(engine) as connection:
            first.provide(connection)
            _stations(connection)
        for start in range(0, exams, 100):
            with writing(engine) as connection:
                for number in range(start, min(start + 100, exams)):
                    code, modality = _PLACES[number % len(_PLACES)]
                    person = persons.create(connection, _somebody(number), acting)
                    order = NewOrder(person=person.id, visit_number=f"V{number}", diagnosis="头痛待查")
                    procedures = _PROCEDURES[modality]
                    asked = (Wanted(procedures[number % len(procedures)]),)
                    arrival = registration.Arrival(station=code, identity=Shown("two-identifiers"))
                    registration.walk_in(connection, order, asked, acting, desk, arrival)
        with writing(engine) as connection:
            return [
                Waiting(persons.create(connection, _somebody(exams + number), acting).id)
                for number in range(more)
            ]


def _somebody(number: int) -> NewPerson:
    digits = [int(one) for one in f"{number:05d}"]
    name = _FAMILY[digits[0]] + "".join(_GIVEN[one] for one in digits[3:])
    return NewPerson(
        name_ideographic=name,
        sex="MF"[number % 2],
        birth_date=f"{1940 + number % 70}{number % 12 + 1:02d}{number % 28 + 1:02d}",
    )


def _stations(connection: Connection) -> None:
    for code, modality in _PLACES:
        connection.execute(
            insert(stations).values(
                code=code,
                name_zh=code,
                name_en=code,
                ae_title=code,
                modality=modality,
                hours={},
                abilities={},
                changed_at=clock.now(),
            )
        )


# --- the peers


def _write_files(folder: Path, answers: Sequence[Dataset]) -> None:
    """What Filmless answers, as the files that both peers read; wlmscpfs wants a lock file beside them."""
    folder.mkdir(parents=True)
    (folder / "lockfile").touch()
    for number, answer in enumerate(answers):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = WORKLIST
        meta.MediaStorageSOPInstanceUID = f"1.2.826.0.1.3680043.10.1561.8.{number + 1}"
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        answer.file_meta = meta
        answer.save_as(folder / f"{number:05d}.wl", enforce_file_format=True)


@contextmanager
def _wlmscpfs(folder: Path) -> Iterator[Running]:
    port = free_port()
    command = ("wlmscpfs", "-dfp", folder, "-csk", "-dfr", str(port))
    with Running(*command, log=folder / "wlmscpfs.log", port=port) as running:
        yield running


# --- asking


def _question(modality: str = "", title: str = "", accession: str = "") -> Dataset:
    """What consoles ask: keys in the step, and what they show."""
    asked = Dataset()
    asked.SpecificCharacterSet = "ISO_IR 192"
    for keyword in (
        "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "RequestedProcedureID",
        "RequestedProcedureDescription", "RequestedProcedurePriority", "RequestingPhysician", "PatientWeight",
        "MedicalAlerts", "Allergies", "PregnancyStatus", "AdmissionID",
    ):  # fmt: skip
        setattr(asked, keyword, None if keyword == "PregnancyStatus" else "")
    asked.AccessionNumber = accession
    step = Dataset()
    step.Modality, step.ScheduledStationAETitle = modality, title
    step.ScheduledProcedureStepStartDate = datetime.now().astimezone().strftime("%Y%m%d")
    for keyword in (
        "ScheduledProcedureStepStartTime", "ScheduledPerformingPhysicianName", "ScheduledProcedureStepDescription",
        "ScheduledProcedureStepID", "ScheduledStationName", "ScheduledProcedureStepStatus",
    ):  # fmt: skip
        setattr(step, keyword, "")
    asked.ScheduledProcedureStepSequence = [step]
    return asked


def _encoded(question: Dataset) -> bytes:
    data = encode(question, is_implicit_vr=False, is_little_endian=True)
    assert data is not None
    return data


def _ask_raw(port: int, question: Dataset, calling: str = "CT1") -> list[Dataset]:
    """All answers, decoded."""
    with _raw(port, calling) as association:
        *answers, final = association.find(_encoded(question), MODALITY_WORKLIST_FIND)
        association.release()
    if final.status != 0:
        raise AssertionError(f"the worklist ended with status {final.status:04X}")
    return [decode(BytesIO(one.data or b""), is_implicit_vr=False, is_little_endian=True) for one in answers]


def _raw(port: int, calling: str) -> RawAssociation:
    contexts = [(MODALITY_WORKLIST_FIND, [EXPLICIT])]
    return RawAssociation(port, contexts, calling=calling, called=_AREA, seconds=120)


def _time(plan: Any, report: Report, name: str, port: int, exams: int) -> None:
    """Its own items for each scanner in turn, by pynetdicom and by a bare socket; then all of a modality."""
    own = exams // len(_PLACES)
    titles = [_PLACES[turn % len(_PLACES)] for turn in range(plan.queries)]
    for client, asking in (("pynetdicom", _by_pynetdicom), ("a bare socket", _by_socket)):
        taken = sorted(asking(port, [(modality, title) for title, modality in titles], own))
        row = f"own of a scanner ({own} items), by {client}"
        report.add(PART, f"{row}, median", name, statistics.median(taken))
        report.add(PART, f"{row}, p95", name, taken[round(0.95 * (len(taken) - 1))])
    few = [(modality, "") for _, modality in titles[: max(4, plan.queries // 30)]]
    row = f"all of a modality ({exams // 2} items), by a bare socket, median"
    report.add(PART, row, name, statistics.median(_by_socket(port, few, exams // 2)))


def _by_pynetdicom(port: int, keys: Sequence[tuple[str, str]], awaited: int) -> list[float]:
    ae = AE(ae_title="CT1")
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 120
    ae.add_requested_context(WORKLIST, ExplicitVRLittleEndian)
    association = ae.associate("127.0.0.1", port, ae_title=_AREA)
    if not association.is_established:
        raise AssertionError("no association for the worklist")
    try:
        return [_timed(association, key, awaited) for key in [*keys[:2], *keys]][2:]
    finally:
        association.release()


def _timed(association: Association, key: tuple[str, str], awaited: int) -> float:
    question = _question(*key)
    # pynetdicom 3.0's reactor looks once more for messages after a request has been sent, and drops the first
    # answer of a server that is quick: let it come to rest before
    association._reactor_checkpoint.clear()
    time.sleep(0.01)
    began = time.perf_counter()
    answers = list(association.send_c_find(question, WORKLIST))
    took = (time.perf_counter() - began) * 1000
    found = [data for status, data in answers if status and status.Status in (0xFF00, 0xFF01)]
    if answers[-1][0].get("Status") != 0 or len(found) != awaited:
        raise AssertionError(f"{len(found)} items instead of {awaited}, status {answers[-1][0]}")
    return took


def _by_socket(port: int, keys: Sequence[tuple[str, str]], awaited: int) -> list[float]:
    taken = []
    with _raw(port, "CT1") as association:
        for key in [*keys[:2], *keys]:
            data = _encoded(_question(*key))
            began = time.perf_counter()
            *answers, final = association.find(data, MODALITY_WORKLIST_FIND)
            taken.append((time.perf_counter() - began) * 1000)
            if final.status != 0 or len(answers) != awaited:
                raise AssertionError(f"{len(answers)} items instead of {awaited}, status {final.status:04X}")
        association.release()
    return taken[2:]


# --- from the desk to the worklist


def _register(server: FilmlessServer, arriving: Sequence[Waiting]) -> Iterator[float]:
    """Of each registration over HTTP: ms from its answer to the worklist's answer that has its number."""
    with _desk(server) as desk, _raw(server.dicom_port, "CT1") as association:
        for one in arriving:
            body = {
                "person": one.person,
                "procedures": [{"procedure": "CT-HEAD"}],
                "visit_number": f"W{one.person}",
                "arrival": {"station": "CT1", "identity": {"document": "two-identifiers"}},
            }
            answer = desk.post("/orders", json=body)
            answered = time.perf_counter()
            if answer.status_code != 201:
                raise AssertionError(f"registration: {answer.status_code} {answer.text[:300]}")
            data = _encoded(_question("CT", "CT1", answer.json()["exams"][0]["number"]))
            while not list(association.find(data, MODALITY_WORKLIST_FIND))[:-1]:
                if time.perf_counter() - answered > 10:
                    raise AssertionError("registered, and after 10 s not on the worklist")
            yield (time.perf_counter() - answered) * 1000
        association.release()


@contextmanager
def _desk(server: FilmlessServer) -> Iterator[httpx.Client]:
    """Asks as somebody at the desk."""
    settings = load(server.home, environment={})
    with open_index(settings) as engine, open_trail(settings, engine, "bench") as trail:
        acting = Acting(SYSTEM, trail, reason="the benchmark")
        with writing(engine) as connection:
            kept = passwords.hashed("bench-lantern-42")
            account = accounts.create(
                connection, "desk", acting, password_hash=kept, must_change_password=False
            )
            grants.grant(connection, "desk", Role.REG, acting, scope=Scope())
            secret = sessions.open_session(
                connection, account.id, settings.access, method="password", host="127.0.0.1"
            )
    base = f"http://127.0.0.1:{server.http_port}/api"
    with httpx.Client(base_url=base, cookies={"filmless_session": secret}, timeout=60) as client:
        client.headers["X-Filmless-CSRF"] = client.get("/session").json()["csrf"]
        yield client
