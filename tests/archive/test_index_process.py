"""The index written by a process of its own: the same outcomes, and a child that dies costs nobody an image."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from tests.archive.conftest import CT, EXPLICIT_LE, ct, encoded

from filmless.archive import integrity
from filmless.archive.index_process import IndexProcess
from filmless.archive.model import ArchiveSettings, Arrival, Kind, Source
from filmless.archive.store import Archive
from filmless.archive.tables import instances, studies
from filmless.db.work import reading


@pytest.fixture
def served(engine: Engine, tmp_path: Path) -> Iterator[tuple[Archive, IndexProcess]]:
    """An archive as the server has it."""
    settings = ArchiveSettings(minimum_free_bytes=0)
    root = tmp_path / "home" / "store"
    index = IndexProcess(engine, root, settings)
    archive = Archive(engine, root, settings, publisher=index)
    archive.start()
    yield archive, index
    archive.stop()


def put(archive: Archive, number: int, *, pixels: int = 0) -> Kind:
    data_set = ct(SOPInstanceUID=f"1.2.3.1.1.{number}", PixelData=bytes([pixels]) * 128)
    arrival = Arrival(CT, f"1.2.3.1.1.{number}", EXPLICIT_LE, Source("CT1"))
    return archive.store_blocking(arrival, [encoded(data_set)]).kind


def test_outcomes_are_those_of_one_process(served: tuple[Archive, IndexProcess]) -> None:
    archive, _ = served
    assert [put(archive, 1), put(archive, 1), put(archive, 1, pixels=7), put(archive, 2)] == [
        Kind.STORED,
        Kind.SAME,
        Kind.QUARANTINED,
        Kind.STORED,
    ]
    with reading(archive.engine) as connection:
        assert connection.scalar(select(studies.c.instance_count)) == 2
    assert integrity.check(archive.engine, archive.root).differences == []


def test_a_file_that_cannot_be_synced_is_never_indexed(
    served: tuple[Archive, IndexProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, _ = served
    put(archive, 1)
    real = os.fsync

    def broken(fd: int) -> None:
        if Path(f"/proc/self/fd/{fd}").readlink().suffix == ".dcm":
            raise OSError(5, "Input/output error")
        real(fd)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", broken)
        with pytest.raises(Exception, match="disk did not take"):
            put(archive, 2)
    assert put(archive, 3) is Kind.STORED
    with reading(archive.engine) as connection:
        stored = sorted(connection.scalars(select(instances.c.sop_instance_uid)))
    assert stored == ["1.2.3.1.1.1", "1.2.3.1.1.3"]
    assert integrity.check(archive.engine, archive.root).differences == []


def test_a_child_killed_again_and_again_loses_nothing(served: tuple[Archive, IndexProcess]) -> None:
    archive, index = served
    assert put(archive, 1) is Kind.STORED
    stored: list[int] = []
    kills, enough = 0, 10

    def send(first: int) -> None:
        stored.extend(
            number for number in range(first, first + 25) if put(archive, number) in (Kind.STORED, Kind.SAME)
        )

    senders = [threading.Thread(target=send, args=(100 * n,)) for n in range(1, 5)]
    for sender in senders:
        sender.start()
    child = index.pid
    while any(sender.is_alive() for sender in senders):
        for sender in senders:
            sender.join(0.005)
        with reading(archive.engine) as connection:
            seen = connection.scalar(select(func.count()).select_from(instances))
        # each child lives long enough to store something: one that never can is the index being unavailable
        if index.pid is not None and seen >= enough:
            kills, enough = kills + 1, seen + 15
            os.kill(index.pid, signal.SIGKILL)
    assert kills > 1
    assert index.pid != child
    assert len(stored) == 100
    with reading(archive.engine) as connection:
        known = set(connection.scalars(select(instances.c.sop_instance_uid)))
    assert {f"1.2.3.1.1.{number}" for number in stored} <= known
    assert integrity.check(archive.engine, archive.root).differences == []
