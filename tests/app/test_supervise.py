"""One server per home, the worker that is started again, words to systemd, ports."""

import asyncio
import os
import socket
import sys
import time
from pathlib import Path

import pytest

from filmless.app import supervise
from filmless.app.settings import Settings, load
from filmless.kit.errors import Conflict, Refused


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(tmp_path, environment={})


def test_a_second_server_on_a_home_is_refused_and_told_of_the_first(tmp_path: Path) -> None:
    first, second = supervise.HomeLock(tmp_path), supervise.HomeLock(tmp_path)
    first.take()
    with pytest.raises(Conflict, match=rf"\(process {os.getpid()}\) runs on {tmp_path}"):
        second.take()
    first.give_back()
    second.take()
    second.give_back()


async def until(condition: object, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.01)


async def test_a_worker_that_dies_is_started_again(settings: Settings, tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'starts')!r}, 'a').write('x')"
    worker = supervise.Child(settings, "worker", (sys.executable, "-c", code))
    worker.start()
    await until(lambda: (tmp_path / "starts").exists() and len((tmp_path / "starts").read_text()) >= 2)
    assert worker.deaths >= 1
    await worker.stop(5)
    assert not worker.runs
    starts = len((tmp_path / "starts").read_text())
    await asyncio.sleep(0)
    assert len((tmp_path / "starts").read_text()) == starts


async def test_a_worker_gets_the_settings_and_ends_at_sigterm(tmp_path: Path) -> None:
    settings = load(tmp_path, environment={}, aet="MINE")
    code = (
        "import os, sys, time\n"
        f"open({str(tmp_path / 'said')!r}, 'w').write(os.environ['FILMLESS_AET'] + os.environ['FILMLESS_HOME'])\n"
        "time.sleep(60)"
    )
    worker = supervise.Child(settings, "worker", (sys.executable, "-c", code))
    worker.start()
    await until(lambda: (tmp_path / "said").exists() and (tmp_path / "said").read_text() != "")
    assert (tmp_path / "said").read_text() == f"MINE{tmp_path}"
    assert worker.runs
    pid = worker.pid
    assert pid is not None
    await worker.stop(20)
    assert worker.deaths == 0
    assert not Path(f"/proc/{pid}").exists()


async def test_a_worker_that_is_being_made_ends_too(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, making, go = asyncio.create_subprocess_exec, asyncio.Event(), asyncio.Event()

    async def slowly(*command: str, **how: object) -> asyncio.subprocess.Process:
        made = await really(*command, **how)  # type: ignore[arg-type]
        making.set()
        await go.wait()
        return made

    monkeypatch.setattr(asyncio, "create_subprocess_exec", slowly)
    worker = supervise.Child(settings, "worker", (sys.executable, "-c", "import time; time.sleep(60)"))
    worker.start()
    await making.wait()
    stopping = asyncio.create_task(worker.stop(5))
    await asyncio.sleep(0)
    go.set()
    await asyncio.wait_for(stopping, 20)
    assert not worker.runs


async def test_a_worker_that_ignores_sigterm_is_killed(settings: Settings, tmp_path: Path) -> None:
    code = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"open({str(tmp_path / 'up')!r}, 'w').close()\ntime.sleep(60)"
    )
    worker = supervise.Child(settings, "worker", (sys.executable, "-c", code))
    worker.start()
    await until((tmp_path / "up").exists)
    began = time.monotonic()
    await worker.stop(0.2)
    assert time.monotonic() - began < 10
    assert not worker.runs


def test_a_taken_port_is_named_with_the_option_that_changes_it() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Refused, match=rf"HTTP port {port} is taken.*--http-port"):
            supervise.listen("127.0.0.1", port, "HTTP", "--http-port")
    with pytest.raises(Refused, match=r"192\.0\.2\.1 is no address of this machine"):
        supervise.listen("192.0.2.1", 0, "HTTP", "--http-port")


def test_systemd_is_told_where_it_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    supervise.tell_systemd("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        supervise.tell_systemd("READY=1")
        assert systemd.recv(100) == b"READY=1"
