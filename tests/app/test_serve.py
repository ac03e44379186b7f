"""`filmless serve` as a process: beginning, what it answers, and its end."""

import json
import os
import re
import signal
import socket
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pydicom
import pytest
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import CTImageStorage, StudyRootQueryRetrieveInformationModelFind, Verification

from tests import made
from tests.peers import HOST, FilmlessServer, eventually, filmless_command, free_port, run
from tests.raw import CT, IMPLICIT, STUDY_ROOT_FIND, RawAssociation, command_set, element, pdata

SECRET_NAME, SECRET_ID = "Geheim^Gerda", "GEHEIM0815"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilmlessServer]:
    with FilmlessServer(tmp_path_factory.mktemp("serve") / "home") as running:
        yield running


def associate(server: FilmlessServer, *, ae_title: str = "TESTER", called: str = "") -> Association:
    ae = AE(ae_title)
    for uid in (Verification, CTImageStorage, StudyRootQueryRetrieveInformationModelFind):
        ae.add_requested_context(uid)
    return ae.associate(HOST, server.dicom_port, ae_title=called or server.aet)


def get(server: FilmlessServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{server.http_port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as why:
        return why.code, why.read().decode()


def health(server: FilmlessServer) -> dict[str, Any]:
    status, text = get(server, "/health")
    found: dict[str, Any] = json.loads(text)
    assert (status == 200) == (found["status"] == "ok")
    return found


def test_it_is_healthy_once_it_answers(server: FilmlessServer) -> None:
    found = eventually(lambda: (now := health(server))["status"] == "ok" and now, "it is healthy")
    assert found["dicom"]["port"] == server.dicom_port
    assert found["worker"] == {"ok": True, "restarts": 0}
    assert found["database"] == {"ok": True}
    assert found["disk"]["free_bytes"] > 0


def test_http_shows_strangers_figures_and_nothing_else(server: FilmlessServer) -> None:
    status, text = get(server, "/metrics")
    assert status == 200
    for name in (
        "process_resident_memory_bytes",
        "filmless_associations",
        "filmless_store_free_bytes",
        "filmless_info",
    ):
        assert re.search(rf"^{name}(\{{.*\}})? [0-9.e+]+$", text, re.MULTILINE), name
    for path in (
        "/docs.html",
        "/index.sqlite",
        "/../log/filmless.log",
        "/api/docs",
        "/assets/../index.sqlite",
    ):
        assert get(server, path)[0] in (400, 404), path
    for path in ("/dicom-web/studies", "/api/me/preferences", "/api/users"):
        assert get(server, path)[0] == 401, path


def test_objects_are_counted_by_outcome(server: FilmlessServer, tmp_path: Path) -> None:
    series = made.series(tmp_path, 3)
    association = associate(server)
    for file in [*series.files, series.files[0]]:
        assert association.send_c_store(file).Status == 0x0000
    association.release()
    text = get(server, "/metrics")[1]
    assert 'filmless_objects_received_total{outcome="stored"} 3.0' in text
    assert 'filmless_objects_received_total{outcome="same"} 1.0' in text


def test_associations_are_listed_shown_and_aborted(server: FilmlessServer) -> None:
    association = associate(server, ae_title="LISTED")
    assert association.is_established
    listed = server.cli("associations", "list").output
    line = next(line for line in listed.splitlines() if "LISTED" in line)
    identity = line.split()[0]
    shown = server.cli("associations", "show", identity).output
    assert re.search(r"program: +PYNETDICOM", shown)
    assert re.search(r"^1 +Verification +Implicit VR Little Endian$", shown, re.MULTILINE)
    assert json.loads(server.cli("associations", "show", identity, "--json").output)["calling_ae"] == "LISTED"
    assert server.cli("associations", "abort", identity, check=False).status == 2, "a reason is needed"
    server.cli("associations", "abort", identity, "--reason", "a test")
    eventually(lambda: association.is_aborted, "the association is aborted")
    assert "LISTED" not in server.cli("associations", "list").output
    with sqlite3.connect(server.home / "index.sqlite") as index:
        ((body,),) = index.execute("SELECT body FROM events WHERE kind = 'association-aborted'").fetchall()
    assert (json.loads(body)["ae_title"], json.loads(body)["reason"]) == ("LISTED", "a test")
    assert json.loads(body)["by"]
    gone = server.cli("associations", "show", identity, check=False)
    assert (gone.status, "no open association" in gone.output) == (2, True)


def test_a_long_list_of_associations_is_cut(server: FilmlessServer) -> None:
    held = [associate(server, ae_title=f"HELD{number}") for number in range(3)]
    cut = server.cli("associations", "list", "--limit", "2").output
    assert ("HELD0" in cut, "HELD2" in cut, "There are more than 2" in cut) == (True, False, True)
    for association in held:
        association.release()


def test_who_calls_us_by_another_name_is_refused(server: FilmlessServer) -> None:
    association = associate(server, called="ORTHANC")
    assert association.is_rejected
    rejection = association.acceptor.primitive
    assert (rejection.result, rejection.result_source, rejection.diagnostic) == (1, 1, 7)


def test_a_change_of_the_devices_acts_at_the_next_association(server: FilmlessServer) -> None:
    server.cli("devices", "add", "CHANGING", "--service", "echo")
    association = associate(server, ae_title="CHANGING")
    accepted = {str(context.abstract_syntax) for context in association.accepted_contexts}
    assert accepted == {Verification}
    association.release()
    server.cli("devices", "change", "CHANGING", "--service", "find", "--reason", "a test")
    association = associate(server, ae_title="CHANGING")
    accepted = {str(context.abstract_syntax) for context in association.accepted_contexts}
    assert accepted == {StudyRootQueryRetrieveInformationModelFind}
    association.release()
    server.cli("devices", "change", "CHANGING", "--disabled", "--reason", "a test")
    assert associate(server, ae_title="CHANGING").is_rejected


def test_a_device_that_may_only_get_may_not_store(server: FilmlessServer, tmp_path: Path) -> None:
    server.cli("devices", "add", "GETTER", "--service", "get")
    association = associate(server, ae_title="GETTER")
    assert association.send_c_store(made.series(tmp_path, 1).files[0]).Status == 0x0124
    association.release()


def test_what_is_no_storage_class_is_not_stored(server: FilmlessServer) -> None:
    with RawAssociation(server.dicom_port, [(STUDY_ROOT_FIND, [IMPLICIT]), (CT, [IMPLICIT])]) as association:
        data = element(0x00080016, STUDY_ROOT_FIND) + element(0x00080018, "1.2.3.4.5")
        for context in (1, 3):
            answer = association.store(STUDY_ROOT_FIND, "1.2.3.4.5", data, context)
            assert answer.status == 0x0122
        assert association.store(CT, "1.2.3.4.5", data, 1).status == 0x0122


def test_a_second_server_on_the_home_is_refused(server: FilmlessServer) -> None:
    done = run(
        *filmless_command(),
        "serve",
        "--home",
        server.home,
        "--dicom-port",
        "0",
        "--http-port",
        "0",
        check=False,
    )
    assert done.status == 3
    assert re.search(r"Another Filmless server \(process \d+\) runs on", done.output)


@pytest.mark.parametrize("which", ["dicom", "http"])
def test_a_taken_port_refuses_to_start_and_is_named(which: str, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        taken = other.getsockname()[1]
        ports = {"dicom": str(free_port()), "http": str(free_port())} | {which: str(taken)}
        options = ("--bind", HOST, "--dicom-port", ports["dicom"], "--http-port", ports["http"])
        done = run(*filmless_command(), "serve", "--home", tmp_path / "home", *options, check=False)
    assert done.status == 2
    assert str(taken) in done.output
    assert f"--{which}-port" in done.output
    assert "Traceback" not in done.output


def workers(process: psutil.Process, name: str = "filmless-worker") -> list[psutil.Process]:
    return [child for child in process.children() if child.name() == name]


def test_the_worker_comes_back_and_goes_with_the_server(tmp_path: Path) -> None:
    with FilmlessServer(tmp_path / "home") as server:
        eventually(lambda: health(server)["status"] == "ok", "it is healthy")
        process = psutil.Process(server.running.pid)
        (worker,) = workers(process)
        assert worker.cmdline() == process.cmdline(), "it was forked: memory is shared"
        worker.kill()
        eventually(lambda: health(server)["worker"]["restarts"] == 1, "the death is noticed")
        eventually(lambda: health(server)["worker"]["ok"], "the worker is back")
        (second,) = eventually(lambda: workers(process), "it has its name")
        assert second.cmdline() != process.cmdline(), "a process with threads is not forked"
        assert second.pid != worker.pid
        (index,) = workers(process, "filmless-index")
        process.kill()
        for other in (second, index):
            eventually(
                lambda other=other: not other.is_running() or other.status() == "zombie", "it ends too"
            )


def test_sigterm_lets_the_message_under_way_end(tmp_path: Path) -> None:
    """An object that is half sent at SIGTERM is still taken and acknowledged; then the server ends with 0."""
    with FilmlessServer(tmp_path / "home") as server:
        uid = "1.2.826.0.1.3680043.8.498.77"
        body = b"".join(
            element(tag, value)
            for tag, value in (
                (0x00080016, CTImageStorage), (0x00080018, uid), (0x0020000D, uid + ".1"), (0x0020000E, uid + ".2"),
            )
        ) + b"\xe0\x7f\x10\x00" + (200_000).to_bytes(4, "little") + bytes(200_000)  # fmt: skip
        with RawAssociation(server.dicom_port, [(CTImageStorage, ["1.2.840.10008.1.2"])]) as association:
            context = association.context(CTImageStorage)
            begin = command_set(
                {0x0002: CTImageStorage, 0x0100: 1, 0x0110: 1, 0x0700: 0, 0x0800: 1, 0x1000: uid}
            )
            association.socket.sendall(pdata(context, begin, command=True))
            association.socket.sendall(pdata(context, body[:100_000], command=False, last=False))
            eventually(
                lambda: any((server.home / "store").rglob("*.dcm")) or busy(server), "half of it is there"
            )
            os.kill(server.running.pid, signal.SIGTERM)
            eventually(lambda: "stopping" in server.running.output(), "it has heard")
            eventually(lambda: not reachable(server.dicom_port), "nobody new gets in")
            association.socket.sendall(pdata(context, body[100_000:], command=False))
            assert association.read_message().status == 0x0000
        eventually(lambda: not server.running.alive, "it ends")
        assert server.stop() == 0
        assert "stopped" in server.running.output()
        assert not (server.home / "control.sock").exists()
        server.start()
        assert "1 objects" in server.cli("check").output


def busy(server: FilmlessServer) -> bool:
    return "RAW" in server.cli("associations", "list").output


def reachable(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=5).close()
    except OSError:
        return False
    return True


def test_nothing_of_a_patient_is_in_the_logs(tmp_path: Path) -> None:
    with FilmlessServer(tmp_path / "home", settings='[log]\nlevel = "debug"\n') as server:
        series = made.series(tmp_path / "files", 4, name=SECRET_NAME, patient_id=SECRET_ID)
        association = associate(server)
        for file in series.files:
            association.send_c_store(file)
        # every unhappy path too: a clash, a broken data set, bad queries
        clash = pydicom.dcmread(series.files[0])
        clash.PatientName = SECRET_NAME + "2"
        assert association.send_c_store(clash).Status == 0xC110
        broken = pydicom.dcmread(series.files[1])
        del broken.StudyInstanceUID
        broken.SOPInstanceUID = broken.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        association.send_c_store(broken)
        association.release()
        with RawAssociation(server.dicom_port, [(STUDY_ROOT_FIND, ["1.2.840.10008.1.2"])]) as raw:
            for level, date in (("STUDY", ""), ("STUDY", "no date"), ("NOWHERE", "")):
                keys = (
                    (0x00080020, date),
                    (0x00080052, level),
                    (0x00100010, SECRET_NAME),
                    (0x00100020, SECRET_ID),
                )
                answers = list(raw.find(b"".join(element(tag, value) for tag, value in keys)))
                assert len(answers) == (2 if level == "STUDY" and not date else 1)
            raw.release()
        server.cli("quarantine", "list")
        eventually((server.home / "log" / "worker.log").exists, "the worker logs", 60)
        server.stop()
        texts = {path.name: path.read_text() for path in (server.home / "log").iterdir()}
        texts["stderr"] = server.running.output()
    assert "filmless.log" in texts
    assert "worker.log" in texts
    assert "association" in texts["filmless.log"], "it does log"
    for name, text in texts.items():
        for secret in ("Geheim", "Gerda", SECRET_ID, f"ACC{SECRET_ID[-8:]}", "19600101"):
            assert secret not in text, f"{secret} is in {name}"
