"""Studies that are much larger than what may be in memory, from a process of its own over a real socket."""

import os
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from sqlalchemy import insert, select, update
from tests import made
from tests.archive.web.conftest import Web
from tests.peers import eventually

from filmless.archive.tables import instances, series, studies, versions
from filmless.db.work import writing

COUNT = 10_000
#: may be added to what the process has before; bytes
LIMIT = 64 << 20

pytestmark = pytest.mark.parametrize("backend", ["sqlite"])


class Served:
    """The process and where it answers."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process, self.port = process, port
        self.base = f"http://127.0.0.1:{port}/dicom-web"

    def memory(self, name: str = "VmHWM") -> int:
        """Bytes of memory, at most so far (VmHWM) or now (VmRSS)."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) << 10
        raise AssertionError(name)


@contextmanager
def served(web: Web) -> Iterator[Served]:
    url = web.context.engine.url.render_as_string(hide_password=False)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.archive.web.serving", url, str(web.context.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as process:
        assert process.stdout is not None
        yield Served(process, int(process.stdout.readline()))
        process.communicate(timeout=30)


def multiply(web: Web, address: str, count: int) -> None:
    """Make `count` instances of the one at `address`: rows of their own, one file under as many names."""
    uid = address.rpartition("/")[2]
    with writing(web.context.engine) as connection:
        row = connection.execute(select(instances).where(instances.c.sop_instance_uid == uid)).one()._mapping
        version = connection.execute(select(versions).where(versions.c.id == row["version"])).one()._mapping
        path = web.context.store / version["path"]
        first = version["id"] + 1
        new_versions, new_instances = [], []
        for number in range(first, first + count - 1):
            name = f"{version['path']}.{number}"
            os.link(path, web.context.store / name)
            new_versions.append(
                {
                    **version,
                    "id": number,
                    "path": name,
                    "key": f"k{number}",
                    "sop_instance_uid": f"{uid}.{number}",
                }
            )
            new_instances.append(
                {**row, "id": number, "version": number, "sop_instance_uid": f"{uid}.{number}"}
            )
        connection.execute(insert(versions), new_versions)
        connection.execute(insert(instances), new_instances)
        connection.execute(update(series).values(instance_count=count, generation=series.c.generation + 1))
        connection.execute(update(studies).values(instance_count=count))


def fetch(client: httpx.Client, url: str, accept: str, into: Path | None = None) -> int:
    """Read an answer to its end; its bytes."""
    size = 0
    with client.stream("GET", url, headers={"accept": accept}, timeout=120) as answer:
        assert answer.status_code == 200
        with (into or Path(os.devnull)).open("wb") as file:
            for piece in answer.iter_bytes():
                size += file.write(piece)
    return size


def test_ten_thousand_instances_within_sixty_four_megabytes(web: Web, tmp_path: Path) -> None:
    one = made.image(1, name="A^B", patient_id="P", study="1.2.3", series="1.2.3.1", side=64)
    address, data = web.put(made.part10(one))
    multiply(web, address, COUNT)
    with served(web) as server, httpx.Client() as client:
        # what is loaded with the first request is no growth
        fetch(client, f"{server.base}{address}", "application/zip")
        fetch(client, f"{server.base}{address}/metadata", "application/dicom+json")
        before = server.memory()
        made_now = fetch(client, f"{server.base}/studies/1.2.3/metadata", "application/dicom+json")
        assert made_now > COUNT * 1000
        assert server.memory() - before < LIMIT
        target = tmp_path / "study.zip"
        assert fetch(client, f"{server.base}/studies/1.2.3", "application/zip", target) > COUNT * len(data)
        assert server.memory() - before < LIMIT
        archive = zipfile.ZipFile(target)
        assert len(archive.namelist()) == COUNT + 1
        web.settle()
        prepared = fetch(
            client, f"{server.base}/studies/1.2.3/series/1.2.3.1/metadata", "application/dicom+json"
        )
        # as they were made, with white space where an address may be longer
        assert prepared > made_now
        everything = fetch(
            client, f"{server.base}/studies/1.2.3", 'multipart/related; type="application/dicom"'
        )
        assert everything > COUNT * len(data)
        assert server.memory() - before < LIMIT


def test_a_client_that_stops_reading_costs_no_memory(web: Web) -> None:
    one = made.image(1, name="A^B", patient_id="P", study="1.2.3", series="1.2.3.1", side=1024)
    address, data = web.put(made.part10(one))
    multiply(web, address, 80)
    with served(web) as server, httpx.Client() as client:
        fetch(client, f"{server.base}{address}", "application/zip")
        before = server.memory()
        stopped = []
        for accept in ('multipart/related; type="application/dicom"', "application/zip"):
            for _ in range(4):
                connection = socket.create_connection(("127.0.0.1", server.port))
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                request = f"GET /dicom-web/studies/1.2.3 HTTP/1.1\r\nHost: here\r\nAccept: {accept}\r\n\r\n"
                connection.sendall(request.encode())
                assert connection.recv(100).startswith(b"HTTP/1.1 200")
                stopped.append(connection)
        # meanwhile others are answered, each with more than may be in memory
        for _ in range(3):
            size = fetch(
                client, f"{server.base}/studies/1.2.3", 'multipart/related; type="application/dicom"'
            )
            assert size > 80 * len(data)
        assert server.memory() - before < LIMIT
        for connection in stopped:
            connection.close()
        # all that was open for them is closed again
        folder = Path(f"/proc/{server.process.pid}/fd")

        def files() -> int:
            count = 0
            for handle in folder.iterdir():
                with suppress(FileNotFoundError):
                    count += ".dcm" in str(handle.readlink())
            return count

        eventually(lambda: files() == 0, "stored files are closed")
