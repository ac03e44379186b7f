"""Foreign peers on 127.0.0.1: dcmtk's tools, Orthanc, and Filmless itself as a separate process.

Every process gets a free port, a folder of its own and a deadline, and is stopped by its owner. The command
lines of the toolkits run with TCP_NODELAY=1: dcmtk and Orthanc otherwise leave Nagle's algorithm on, and what
a test would time is the delayed acknowledgement.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

HOST = "127.0.0.1"
ENVIRONMENT = os.environ | {"TCP_NODELAY": "1"}
T = TypeVar("T")
_PORTS = random.SystemRandom()


def missing_tools(*tools: str) -> list[str]:
    return [tool for tool in tools if shutil.which(tool) is None]


def need(*tools: str) -> None:
    """Skips the test where a toolkit is missing; in CI (CI=true) that is a failure."""
    missing = missing_tools(*tools)
    if not missing:
        return
    text = f"not installed: {', '.join(missing)} (Debian packages dcmtk, orthanc, strace)"
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(text)
    pytest.skip(text)


def samples(*parts: str) -> Path:
    """A folder below FILMLESS_SAMPLES; the test is skipped where there is none (samples are optional)."""
    root = os.environ.get("FILMLESS_SAMPLES", "")
    folder = Path(root, *parts)
    if not root or not folder.exists():
        pytest.skip(f"FILMLESS_SAMPLES has no {'/'.join(parts) or 'folder'}")
    return folder


def free_port() -> int:
    """A port that nobody has, of those that the system gives to no connection by itself: until somebody listens on
    it, another test's connection does not take it."""
    while True:
        port = _PORTS.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port


def eventually(ask: Callable[[], T], what: str, seconds: float = 60.0, every: float = 0.02) -> T:
    """Asks until the answer is true, and returns it; fails with `what` after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {seconds:.0f} s: {what}")
        time.sleep(every)


def run(*command: str | Path, seconds: float = 120.0, check: bool = True, cwd: Path | None = None) -> Done:
    """Runs a command to its end; with `check`, an exit status other than 0 fails with what it printed."""
    result = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        env=ENVIRONMENT,
        cwd=cwd,
        check=False,
    )
    done = Done(result.returncode, result.stdout.decode("utf-8", "replace"))
    if check and done.status != 0:
        raise AssertionError(f"{Path(command[0]).name} ended with {done.status}:\n{done.output[-4000:]}")
    return done


@dataclass(frozen=True)
class Done:
    status: int
    output: str


class Running:
    """A process that is stopped with the block; its output goes to a file, shown when it fails to start."""

    def __init__(self, *command: str | Path, log: Path, port: int = 0, cwd: Path | None = None) -> None:
        self.command = [str(part) for part in command]
        self.log = log
        self.port = port
        self.cwd = cwd
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, seconds: float = 30.0) -> None:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=ENVIRONMENT,
                cwd=self.cwd,
                start_new_session=True,
            )
        if self.port:
            try:
                eventually(self._listens, f"{self.command[0]} listens on {self.port}", seconds)
            except AssertionError as why:
                self.kill()
                raise AssertionError(f"{why}\n{self.output()[-4000:]}") from None

    def _listens(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"{self.command[0]} ended with {self.process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), timeout=1):
            return True
        return False

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def output(self) -> str:
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def stop(self, seconds: float = 20.0) -> int:
        """SIGTERM, then SIGKILL to the process's own group when it does not end in time; the exit status."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        status = self.process.poll()
        self.kill()
        return -signal.SIGKILL if status is None else status

    def kill(self) -> None:
        """SIGKILL to the process and the children it started, at once."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)

    def __enter__(self) -> Running:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


# --- dcmtk


def storescp(folder: Path, *options: str | Path, aet: str = "STORESCP", log: Path | None = None) -> Running:
    """dcmtk's receiver, writing the data sets bit for bit (+B) below `folder`."""
    need("storescp")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    return Running(
        "storescp",
        *("-aet", aet, "+B", "+xa", "-pdu", "131072", "--unique-filenames", "-od", folder),
        *options,
        str(port),
        log=log or folder.with_suffix(".log"),
        port=port,
    )


def storescu(
    port: int,
    *files: str | Path,
    options: Sequence[str | Path] = (),
    aet: str = "STORESCU",
    aec: str = "FILMLESS",
    check: bool = True,
) -> Done:
    """Sends files or folders; the verbose output names each response's status."""
    need("storescu")
    directories = any(Path(file).is_dir() for file in files)
    return run(
        *("storescu", "-v", "-aet", aet, "-aec", aec, "--max-send-pdu", "131072", "-to", "10", "-td", "60"),
        *(("+sd", "+r") if directories else ()),
        *options,
        HOST,
        str(port),
        *files,
        seconds=300,
        check=check,
    )


def stored(done: Done) -> int:
    """How many objects a verbose storescu was told Success for."""
    return done.output.count("Received Store Response (Success)")


def echoscu(port: int, *options: str | Path, aec: str = "FILMLESS", check: bool = True) -> Done:
    need("echoscu")
    return run("echoscu", "-v", "-aec", aec, "-to", "10", *options, HOST, str(port), seconds=30, check=check)


def findscu(
    port: int, *keys: str, model: str = "-S", aec: str = "FILMLESS", options: Sequence[str | Path] = ()
) -> list[dict[str, str]]:
    """The answers of a query, each as tag "(gggg,eeee)" -> value as dcmtk prints it, without padding."""
    need("findscu")
    arguments = [argument for key in keys for argument in ("-k", key)]
    done = run(
        *("findscu", "-v", model, "-aec", aec, "-to", "10", "-td", "60"),
        *(*options, *arguments, HOST, str(port)),
    )
    assert "Received Final Find Response (Success)" in done.output, done.output[-2000:]
    return parse_answers(done.output)


def parse_answers(output: str) -> list[dict[str, str]]:
    answers: list[dict[str, str]] = []
    for line in output.splitlines():
        text = line.removeprefix("I: ")
        if text.startswith("Find Response:"):
            answers.append({})
        elif answers and text.startswith("(") and len(text) > 15:
            value = text[15:].split("#")[0].strip()
            value = "" if value.startswith("(no value") else value.removeprefix("[").removesuffix("]")
            answers[-1][text[:11]] = value.strip(" \0")
    return answers


def getscu(
    port: int,
    folder: Path,
    *keys: str,
    model: str = "-S",
    aec: str = "FILMLESS",
    options: Sequence[str | Path] = (),
) -> Done:
    need("getscu")
    folder.mkdir(parents=True, exist_ok=True)
    arguments = [argument for key in keys for argument in ("-k", key)]
    return run(
        *(
            "getscu",
            "-v",
            model,
            "+B",
            "-aec",
            aec,
            "-pdu",
            "131072",
            "-to",
            "10",
            "-td",
            "120",
            "-od",
            folder,
        ),
        *(*options, *arguments, HOST, str(port)),
        seconds=300,
        check=False,
    )


@dataclass(frozen=True)
class Final:
    """The final response of a retrieve as dcmtk shows it with -d; absent counters are -1."""

    status: int
    completed: int
    failed: int
    warning: int


def final_response(done: Done) -> Final:
    text = done.output.rpartition("Final Move Response")[2] or done.output

    def field_of(name: str) -> int:
        lines = [line.partition(":")[2].partition(":")[2] for line in text.splitlines() if name in line]
        return int(lines[-1]) if lines and lines[-1].strip() not in ("", "none") else -1

    status = re.findall(r"DIMSE Status\s+: 0x([0-9a-f]{4})", text)
    assert status, f"no final response:\n{done.output[-2000:]}"
    return Final(
        int(status[-1], 16),
        *(field_of(f"{word} Suboperations") for word in ("Completed", "Failed", "Warning")),
    )


def movescu(
    port: int,
    destination: str,
    *keys: str,
    model: str = "-S",
    aec: str = "FILMLESS",
    aet: str = "MOVESCU",
    options: Sequence[str | Path] = (),
) -> Done:
    need("movescu")
    arguments = [argument for key in keys for argument in ("-k", key)]
    return run(
        *("movescu", "-d", model, "-aet", aet, "-aec", aec, "-aem", destination, "-to", "10", "-td", "120"),
        *(*options, *arguments, HOST, str(port)),
        seconds=300,
        check=False,
    )


# --- Orthanc


@dataclass
class Orthanc:
    """Debian's Orthanc with a configuration of our own. `modalities`: name -> (AE title, host, port)."""

    folder: Path
    aet: str = "ORTHANC"
    modalities: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    dicom_port: int = field(default_factory=free_port)
    http_port: int = field(default_factory=free_port)
    running: Running = field(init=False)

    def __enter__(self) -> Orthanc:
        need("Orthanc")
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = {
            "Name": "peer",
            "StorageDirectory": str(self.folder / "store"),
            "IndexDirectory": str(self.folder / "store"),
            "Plugins": [],
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "HttpPort": self.http_port,
            "DicomServerEnabled": True,
            "DicomAet": self.aet,
            "DicomPort": self.dicom_port,
            "DicomCheckCalledAet": False,
            "DicomAlwaysAllowEcho": True,
            "DicomAlwaysAllowStore": True,
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowGet": True,
            "DicomAlwaysAllowMove": True,
            "DicomModalities": {name: list(value) for name, value in self.modalities.items()},
            "StableAge": 2,
            "SyncStorageArea": True,
            "LimitFindResults": 0,
        } | self.settings
        file = self.folder / "orthanc.json"
        file.write_text(json.dumps(configuration, indent=1), "utf-8")
        self.running = Running(
            shutil.which("Orthanc") or "Orthanc", file, log=self.folder / "log", port=self.dicom_port
        )
        self.running.start()
        try:
            eventually(self._answers, "Orthanc answers over HTTP")
        except BaseException:
            self.running.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.running.stop()

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            self.ask("/system")
            return True
        return False

    def ask(
        self, path: str, body: Any = None, *, raw: bool = False, method: str = "", seconds: float = 120
    ) -> Any:
        """GET, or POST where there is a body (bytes as they are, else as JSON); what was answered."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        url = f"http://{HOST}:{self.http_port}{path}"
        request = urllib.request.Request(url, data=data, method=method or None)
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                content = answer.read()
        except urllib.error.HTTPError as why:
            raise AssertionError(
                f"Orthanc {path}: {why.code} {why.read().decode('utf-8', 'replace')}"
            ) from None
        return content if raw else json.loads(content)


# --- Filmless


class FilmlessServer:
    """`filmless serve` on a home folder of its own."""

    def __init__(
        self,
        home: Path,
        *options: str,
        aet: str = "FILMLESS",
        settings: str = "",
        tracer: Sequence[str | Path] = (),
    ) -> None:
        """`settings`: text of the settings file; `tracer`: a command that runs the server, such as strace."""
        self.home = home
        self.aet = aet
        self.settings = settings
        self.options = options
        self.tracer = tuple(tracer)
        self.dicom_port = free_port()
        self.http_port = free_port()
        self.running = Running("true", log=home.with_suffix(".log"))

    def start(self, seconds: float = 45.0) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        if self.settings:
            (self.home / "filmless.toml").write_text(self.settings, "utf-8")
        self.running = Running(
            *self.tracer,
            *(*filmless_command(), "serve", "--home", self.home, "--bind", HOST, "--aet", self.aet),
            *("--dicom-port", str(self.dicom_port), "--http-port", str(self.http_port)),
            *self.options,
            log=self.home.with_suffix(".log"),
            port=self.dicom_port,
        )
        self.running.start(seconds)

    def stop(self) -> int:
        return self.running.stop()

    def kill(self) -> None:
        """SIGKILL to every process of the server."""
        self.running.kill()

    def cli(self, *arguments: str | Path, check: bool = True, seconds: float = 180) -> Done:
        """A filmless command on this server's home."""
        first, *rest = arguments
        return run(*filmless_command(), first, *rest, "--home", self.home, check=check, seconds=seconds)

    def add_device(self, aet: str, port: int, *options: str) -> None:
        self.cli("devices", "add", aet, HOST, str(port), *options)

    def health(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{HOST}:{self.http_port}/health", timeout=20) as answer:
            result: dict[str, Any] = json.loads(answer.read())
            return result

    def __enter__(self) -> FilmlessServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.running.stop()


def filmless_command() -> tuple[str, ...]:
    return (sys.executable, "-m", "filmless.app.cli")


@pytest.fixture(scope="module")
def filmless_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilmlessServer]:
    """One server for a module's tests; each test uses patients and UIDs of its own."""
    with FilmlessServer(tmp_path_factory.mktemp("filmless") / "home") as server:
        yield server
        assert server.running.alive, f"the server ended by itself:\n{server.running.output()[-4000:]}"
