"""The worker process, with foreign devices: sends that survive kill -9, notifications, checks, settling."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import CTImageStorage
from pynetdicom import evt
from pynetdicom.sop_class import InstanceAvailabilityNotification, StorageCommitmentPushModel
from sqlalchemy import Engine, select, update
from tests import peers
from tests.exchange.peer import Got, image, peer
from tests.trails import keys

from filmless.access.audit.trail import Trail
from filmless.access.model import ENGINEER
from filmless.app import worker as worker_module
from filmless.app.index import open_index
from filmless.app.settings import Settings, load
from filmless.archive.codecs import Codecs
from filmless.archive.commitment import record
from filmless.archive.corrections import service as corrections
from filmless.archive.corrections.model import Level, Target
from filmless.archive.model import Arrival, Kind, Source
from filmless.archive.query import StoredInstance
from filmless.archive.references import Reference
from filmless.archive.retrieve.sending import Sender
from filmless.archive.store import Archive
from filmless.archive.tables import commitments, instances, series
from filmless.db import events
from filmless.db.durable import Job, Jobs, jobs_url
from filmless.db.work import reading, writing
from filmless.devices import service
from filmless.devices.model import Device
from filmless.exchange import jobs, journal
from filmless.exchange.jobs import add_send
from filmless.exchange.send import read_file, send
from filmless.kit import clock

STUDY = "1.2.3.4"


class Home:
    """A home with an archive in it, and its worker."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.settings = settings
        self.engine = engine
        self.process: subprocess.Popen[bytes] | None = None
        self.jobs = Jobs(jobs_url(settings.home, settings.index_url))

    def store(self, paths: Sequence[Path]) -> None:
        archive = Archive(self.engine, self.settings.store, self.settings.archive)
        archive.start()
        for path in paths:
            item = read_file(path)
            arrival = Arrival(item.sop_class, item.sop_instance, item.ts, Source("CT1"))
            outcome = archive.store_blocking(arrival, [path.read_bytes()[item.offset :]])
            assert outcome.kind is Kind.STORED
        archive.stop()

    def objects(self) -> list[StoredInstance]:
        with reading(self.engine) as connection:
            return jobs.chosen(connection, study_uids=[STUDY])

    def add(self, device: Device) -> None:
        with writing(self.engine) as connection:
            service.add(connection, device, by="test")

    def device(self, ae_title: str) -> Device:
        with reading(self.engine) as connection:
            return service.get_device(connection, ae_title)

    def start(self) -> None:
        log = (self.settings.home / "stderr").open("ab")
        environment = os.environ | self.settings.environment()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "filmless.app.worker"],
            stdin=subprocess.PIPE,
            stderr=log,
            env=environment,
        )

    def kill(self, number: int = signal.SIGKILL) -> int:
        assert self.process is not None
        os.kill(self.process.pid, number)
        code = self.process.wait(30)
        self.process = None
        return code

    def over(self, job_id: str) -> Job:
        peers.eventually(
            lambda: self.jobs.get(job_id).state in ("done", "failed", "cancelled"), f"the end of {job_id}", 30
        )
        return self.jobs.get(job_id)

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        with reading(self.engine) as connection:
            return [dict(event.body) for event in events.after(connection, 0, kinds=kinds)]


@contextmanager
def made_home(folder: Path) -> Iterator[Home]:
    environment = {"FILMLESS_ARCHIVE_SETTLE_SECONDS": "0.2", "FILMLESS_DEVICES_CHECK_INTERVAL": "1"}
    settings = load(folder, environment=environment)
    with open_index(settings, create=True) as engine:
        made = Home(settings, engine)
        try:
            yield made
        finally:
            if made.process is not None:
                made.kill()
            made.jobs.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home of the test's own, whose worker it starts and kills."""
    with made_home(tmp_path / "home") as made:
        yield made


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home with a worker that runs; each test takes studies and AE titles of its own."""
    with made_home(tmp_path_factory.mktemp("running") / "home") as made:
        made.start()
        yield made


def images(folder: Path, count: int, **more: Any) -> list[Path]:
    return [image(folder, number=number, **more) for number in range(1, count + 1)]


def slowly(event: Any, got: Got) -> int:
    time.sleep(0.02)
    return 0


def test_a_killed_send_goes_on_without_repeating_what_was_confirmed(home, tmp_path):
    paths = images(tmp_path, 60)
    home.store(paths)
    with peer(on_store=slowly) as (device, got):
        home.add(device)
        job_id = add_send(home.jobs, device, study_uids=[STUDY])
        home.start()
        peers.eventually(lambda: len(got.uids) >= 10, "ten objects sent")
        home.kill()
        before = len(got.uids)
        confirmed = journal.confirmed(home.settings.home, job_id, home.objects())
        assert 10 <= before < 60
        assert before - 1 <= len(confirmed) <= before
        home.start()
        job = home.over(job_id)
        assert (job.state, job.reason) == ("done", "")
        assert dict(job.result) == {"sent": 60, "failed": 0, "of": 60}
        assert sorted(set(got.uids)) == sorted(path.stem for path in paths)
        assert len(got.uids) <= 61, "only the object under way at the kill may come twice"
    progress = journal.progress(home.settings.home, job_id)
    assert (progress.sent, progress.failed, progress.total) == (60, 0, 60)


async def test_what_is_rejected_during_a_send_does_not_leave(home, tmp_path, monkeypatch):
    paths = images(tmp_path, 3)
    home.store(paths)
    uids = [path.stem for path in paths]

    def reject_the_last(event: Any, got: Got) -> int:
        with writing(home.engine) as connection:
            connection.execute(
                update(instances).where(instances.c.sop_instance_uid == uids[2]).values(rejected="113037")
            )
        return 0

    monkeypatch.setattr(jobs, "BATCH", 1)
    monkeypatch.setattr(jobs, "send", partial(send, batch=1))
    sender = Sender(home.settings.store, Codecs(tmp_path / "scratch"))
    with peer(on_store=reject_the_last) as (device, got):
        with writing(home.engine) as connection:
            service.add(connection, device, by="test")
        work = jobs.ExchangeJobs(
            home.engine, home.settings.home, home.settings.net, sender, Trail(home.engine, keys())
        )
        task = {"device": device.ae_title, "study_uids": [STUDY]}
        made = await work.send("send-1", task, 1)
    assert (made.state, made.result) == ("done", {"sent": 2, "failed": 0, "of": 3})
    assert got.uids == uids[:2]
    sender.close()


async def test_what_is_corrected_during_a_send_leaves_again(home, tmp_path):
    home.store(images(tmp_path, 3))
    changes = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Right^Name"}]}}

    def correct_once(event: Any, got: Got) -> int:
        if not got.objects:
            corrections.correct(
                home.engine,
                home.settings.store,
                ENGINEER,
                Target(Level.STUDY, STUDY),
                changes,
                reason="x",
                by="li",
            )
        return 0

    sender = Sender(home.settings.store, Codecs(tmp_path / "scratch"))
    names: dict[str, str] = {}
    with peer(on_store=correct_once) as (device, got):
        with writing(home.engine) as connection:
            service.add(connection, device, by="test")
        work = jobs.ExchangeJobs(
            home.engine, home.settings.home, home.settings.net, sender, Trail(home.engine, keys())
        )
        task = {"device": device.ae_title, "study_uids": [STUDY]}
        first = await work.send("send-1", task, 1)
        assert first.state == "again"
        second = await work.send("send-1", task, 2)
        assert (second.state, second.result) == ("done", {"sent": 3, "failed": 0, "of": 3})
        names = {str(one.SOPInstanceUID): str(one.PatientName) for one in got.objects}
        before = len(got.objects)
        assert (await work.send("send-1", task, 3)).state == "done"
        assert len(got.objects) == before
    assert list(names.values()) == ["Right^Name"] * 3
    sender.close()


def test_a_send_is_cancelled_and_resumed(home, tmp_path):
    home.store(images(tmp_path, 60))
    with peer(on_store=slowly) as (device, got):
        home.add(device)
        job_id = add_send(home.jobs, device, study_uids=[STUDY])
        home.start()
        peers.eventually(lambda: len(got.uids) >= 5, "five objects sent")
        home.jobs.cancel(job_id)
        peers.eventually(lambda: not _associations(device), "the association is gone")
        before = len(got.uids)
        assert before < 60
        assert home.jobs.get(job_id).state == "cancelled"
        home.jobs.resume(job_id)
        job = home.over(job_id)
        assert (job.state, job.result["sent"]) == ("done", 60)
        assert len(set(got.uids)) == 60
        assert len(got.uids) <= 61


def _associations(device: Device) -> list[int]:
    """Connections from this machine to the device's port that are open."""
    wanted = f"{device.port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [1 for line in lines if line.split()[2].endswith(f":{wanted}") and line.split()[3] == "01"]


def test_a_send_waits_for_a_device_that_is_not_there_yet(running, tmp_path):
    running.store(images(tmp_path, 3, study="1.2.31", series="1.2.31.1"))
    port = peers.free_port()
    device = Device("LATE", host="127.0.0.1", port=port)
    running.add(device)
    job_id = add_send(running.jobs, device, study_uids=["1.2.31"])
    peers.eventually(lambda: running.jobs.get(job_id).state == "retrying", "the first attempt", 30)
    assert "nothing listens there" in running.jobs.get(job_id).reason
    with peer(port=port, ae_title="LATE") as (_, got):
        job = running.over(job_id)
    assert (job.state, len(got.uids)) == ("done", 3)
    assert job.attempt >= 2


def test_what_a_device_refuses_for_good_is_said(running, tmp_path):
    running.store(images(tmp_path, 3, study="1.2.32", series="1.2.32.1"))
    with peer(ae_title="PICKY", on_store=lambda event, got: 0xA900 if got.objects else 0) as (device, _):
        running.add(device)
        job = running.over(add_send(running.jobs, device, study_uids=["1.2.32"]))
        assert job.state == "failed"
        assert "2 of 3 were not taken: data set does not match SOP class (A900)" in job.reason
        nothing = running.over(add_send(running.jobs, device, study_uids=["1.2.3.999"]))
        assert (nothing.state, nothing.reason) == ("failed", "There are no such objects in the archive.")


def test_devices_that_want_it_are_told_of_a_settled_study_once(home, tmp_path):
    told: list[Dataset] = []

    def create(event: Any) -> tuple[int, Dataset]:
        told.append(event.attribute_list)
        return 0, event.attribute_list

    def configure(ae: Any) -> None:
        ae.add_supported_context(InstanceAvailabilityNotification)

    with peer(more=[(evt.EVT_N_CREATE, create)], configure=configure) as (device, _):
        home.add(Device(device.ae_title, host=device.host, port=device.port, notify=True))
        home.add(Device("OTHER", host=device.host, port=device.port))
        first = images(tmp_path, 2, series="1.2.3.4.5")
        second = images(tmp_path, 1, series="1.2.3.4.6")
        home.store([*first, *second])
        home.start()
        peers.eventually(lambda: told, "a notification", 30)
        peers.eventually(lambda: not home.jobs.newest(state="running", kind="notify"), "its end")
        jobs = home.jobs.newest(kind="notify")
        assert {job.device for job in jobs} == {"PEER"}
        home.kill(signal.SIGTERM)
        with writing(home.engine) as connection:
            events.advance(connection, worker_module.READER, 0)
        home.start()
        peers.eventually(lambda: _position(home) > 0, "the events read again")
        assert len(home.jobs.newest(kind="notify")) == len(jobs), "an event read twice adds no second job"
    last = told[-1]
    assert last.StudyInstanceUID == STUDY
    assert list(last.ReferencedPerformedProcedureStepSequence) == []
    found = {
        (one.SeriesInstanceUID, sop.ReferencedSOPInstanceUID, sop.InstanceAvailability, sop.RetrieveAETitle)
        for one in last.ReferencedSeriesSequence
        for sop in one.ReferencedSOPSequence
    }
    assert found == {
        *(("1.2.3.4.5", path.stem, "ONLINE", "FILMLESS") for path in first),
        *(("1.2.3.4.6", path.stem, "ONLINE", "FILMLESS") for path in second),
    }


def _position(home: Home) -> int:
    with reading(home.engine) as connection:
        return events.position(connection, worker_module.READER)


def test_series_settle(running, tmp_path):
    running.store(images(tmp_path, 2, study="1.2.33", series="1.2.33.1"))
    peers.eventually(
        lambda: any(one["study_uid"] == "1.2.33" for one in running.events("series-settled")), "settling", 30
    )
    with reading(running.engine) as connection:
        row = connection.execute(select(series).where(series.c.series_uid == "1.2.33.1")).one()
    assert row.settled_generation == row.generation == 2
    assert (running.settings.home / row.metadata_path).exists()


def test_devices_are_asked_whether_they_answer_and_changes_are_events(running):
    port = peers.free_port()
    running.add(Device("ASKED", host="127.0.0.1", port=port))
    running.add(Device("SILENT"))
    peers.eventually(lambda: running.device("ASKED").check_ok is False, "a failed check", 30)
    assert "nothing listens there" in running.device("ASKED").check_reason
    with peer(port=port, ae_title="ASKED"):
        peers.eventually(lambda: running.device("ASKED").check_ok, "a good check", 30)
    assert running.device("ASKED").check_ms >= 1
    assert running.device("SILENT").checked_at is None
    with reading(running.engine) as connection:
        happened = events.after(connection, 0, kinds=("device-unreachable", "device-reachable"))
    assert [event.kind for event in happened if event.body["ae_title"] == "ASKED"][:2] == [
        "device-unreachable",
        "device-reachable",
    ]


def test_the_result_of_a_commitment_outlives_its_worker(home, tmp_path):
    paths = images(tmp_path, 2)
    home.store(paths)
    told: list[Dataset] = []
    port = peers.free_port()
    home.add(Device("PEER", host="127.0.0.1", port=port))
    with writing(home.engine) as connection:
        asked = [Reference(CTImageStorage, path.stem) for path in paths]
        commitment_id = record.ask(connection, "provider", "PEER", "1.2.99", asked)
        connection.execute(update(commitments).values(changed_at=clock.now() - timedelta(minutes=1)))
    home.start()
    peers.eventually(lambda: home.jobs.newest(state="retrying"), "the first attempt", 30)
    home.kill()

    def report(event: Any) -> tuple[int, None]:
        told.append(event.event_information)
        return 0, None

    def configure(ae: Any) -> None:
        ae.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)

    with peer(port=port, more=[(evt.EVT_N_EVENT_REPORT, report)], configure=configure):
        home.start()
        peers.eventually(lambda: told, "the result", 30)
        home.over(home.jobs.newest()[0].id)
    assert [one.ReferencedSOPInstanceUID for one in told[0].ReferencedSOPSequence] == [
        path.stem for path in paths
    ]
    with reading(home.engine) as connection:
        assert record.load(connection, commitment_id).state == "delivered"


def test_there_is_one_worker_for_a_home_and_it_ends_with_its_server(home):
    assert not worker_module.runs(home.settings.home)
    home.start()
    peers.eventually(lambda: worker_module.runs(home.settings.home), "the worker runs")
    assert home.process is not None
    home.process.stdin.close()
    assert home.process.wait(20) == 0
    home.process = None
    assert not worker_module.runs(home.settings.home)
    log = (home.settings.home / "log" / "worker.log").read_text()
    assert "Traceback" not in log
    assert "Doe" not in log


def test_jobs_and_logs_hold_no_patient_data(running, tmp_path):
    running.store(images(tmp_path, 1, study="1.2.34", series="1.2.34.1"))
    with peer(ae_title="QUIET") as (device, got):
        running.add(device)
        assert running.over(add_send(running.jobs, device, study_uids=["1.2.34"])).state == "done"
    assert got.objects[0].PatientName == "Doe^Jane"
    running.kill(signal.SIGTERM)
    kept = b"".join(
        path.read_bytes()
        for path in running.settings.home.rglob("*")
        if path.is_file() and (path.name.startswith("jobs") or path.parent.name in ("jobs", "log"))
    )
    assert b"1.2.34" in kept
    for word in (b"Doe", b"Jane", b"19700101"):
        assert word not in kept
    running.start()
