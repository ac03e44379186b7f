"""The servers that are compared: how each is started, what it promises when it answers, where to call it."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers import FilmlessServer, Orthanc, Running, free_port, storescp

from bench.memory import cpu_seconds


@dataclass(frozen=True)
class Side:
    """A running server. `queries`: it answers C-FIND and C-MOVE too."""

    name: str
    durability: str
    port: int
    pid: int
    queries: bool = False


DURABILITY = {
    "Filmless": "file, directory and index on disk before the answer",
    "Orthanc": "SyncStorageArea on: fdatasync of the file; neither its directory nor the index (traced)",
    "pynetdicom": "none: file written, no fsync, no index",
    "dcmtk storescp": "none: file written (+B), no fsync, no index",
}
DESTINATION = "BENCHDEST"


@contextmanager
def started(name: str, folder: Path, destination_port: int = 0) -> Iterator[Side]:
    """Starts one side on a folder, empty or prepared, and takes the folder away afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _running(name, folder, destination_port) as side:
            rest(side.pid)
            yield side
    finally:
        put_away(folder)


#: what stays free of the disk; bytes
_ROOM = 20 << 30


def put_away(folder: Path) -> None:
    """Out of the way, to be deleted with all that is beside it.

    Not at once: for minutes ext4 searches through the inodes of deleted files for each new file that it makes near
    them (recently_deleted() in fs/ext4/ialloc.c: measured here, 0.7 ms for a file), and gives their blocks back. Who
    comes next would pay for who was there before; most of all who puts many files into one folder.
    """
    if shutil.disk_usage(folder).free < _ROOM:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        folder.rename(folder.with_name(f"{folder.name}-{time.monotonic_ns()}-done"))


def rest(pid: int, seconds: float = 30.0) -> None:
    """Waits until a server that has just started has no more to do by itself: 2 % of a core over half a second."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        before = cpu_seconds(pid)
        time.sleep(0.5)
        if cpu_seconds(pid) - before < 0.01:
            return


@contextmanager
def _running(name: str, folder: Path, destination_port: int) -> Iterator[Side]:
    durability = DURABILITY[name]
    if name == "Filmless":
        with FilmlessServer(folder / "home") as server:
            if destination_port:
                server.add_device(DESTINATION, destination_port)
            yield Side(name, durability, server.dicom_port, server.running.pid, queries=True)
    elif name == "Orthanc":
        modalities = {"destination": (DESTINATION, "127.0.0.1", destination_port)} if destination_port else {}
        with Orthanc(folder / "orthanc", modalities=modalities) as orthanc:
            yield Side(name, durability, orthanc.dicom_port, orthanc.running.pid, queries=True)
    elif name == "pynetdicom":
        port = free_port()
        script = Path(__file__).parent / "peers" / "pynetdicom_scp.py"
        kept = folder / "kept"
        kept.mkdir()
        with Running(sys.executable, script, str(port), kept, log=folder / "log", port=port) as running:
            yield Side(name, durability, port, running.pid)
    else:
        with storescp(folder / "kept", "--fork") as running:
            yield Side(name, durability, running.port, running.pid)
