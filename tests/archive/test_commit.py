"""The moment of the commit: what is known when it fails, or when it happened and nobody heard of it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete, select
from sqlalchemy.exc import OperationalError
from tests.archive.conftest import CT, EXPLICIT_LE, Put, ct, encoded

from filmless.archive import integrity
from filmless.archive.blobs import BlobStore, writer_lives, writer_name
from filmless.archive.model import ArchiveSettings, Arrival, Kind, Outcome, Source
from filmless.archive.publish import NotDurable, Publisher, Result
from filmless.archive.reception import Written
from filmless.archive.store import Archive
from filmless.archive.tables import instances, quarantine, versions
from filmless.db.work import reading, writing
from filmless.exchange.media import incoming
from filmless.kit.errors import FilmlessError, Unavailable


def stored(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return sorted(connection.scalars(select(instances.c.sop_instance_uid)))


def break_after_commit(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """The connection breaks when the commit has happened, `times` times."""
    whole = Publisher._writing
    left = times

    @contextmanager
    def breaking(self: Publisher) -> Iterator[Connection]:
        nonlocal left
        with whole(self) as connection:
            yield connection
        if left:
            left -= 1
            raise OperationalError("COMMIT", None, Exception("the server closed the connection"))

    monkeypatch.setattr(Publisher, "_writing", breaking)


@pytest.mark.parametrize("times", [1, 2])
def test_a_commit_whose_answer_was_lost_keeps_the_file(
    archive: Archive, put: Put, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    break_after_commit(monkeypatch, times)
    assert put(ct()).kind is Kind.STORED
    assert len(list(archive.root.rglob("*.dcm"))) == 1
    assert integrity.check(archive.engine, archive.root).differences == []


def test_a_commit_in_doubt_to_the_end_is_no_success_and_keeps_the_file(
    archive: Archive, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_after_commit(monkeypatch, 100)
    with pytest.raises(Unavailable):
        put(ct())
    assert stored(archive.engine) == ["1.2.3.1.1.1"]
    assert integrity.check(archive.engine, archive.root).differences == []


def test_a_quarantine_whose_answer_was_lost_keeps_the_file(
    archive: Archive, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_after_commit(monkeypatch, 1)
    assert put(ct(StudyInstanceUID=None)).kind is Kind.QUARANTINED
    assert len(list(archive.root.rglob("*.dcm"))) == 1


def test_what_never_committed_leaves_no_file(
    archive: Archive, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise OperationalError("INSERT", None, Exception("out of space"))

    monkeypatch.setattr(Publisher, "_write", broken)
    with pytest.raises(Unavailable):
        put(ct())
    assert list(archive.root.rglob("*.dcm")) == []


Answer = Outcome | FilmlessError


def send_together(archive: Archive, numbers: range, take: Callable[[int, Answer], None]) -> None:
    """Objects that come into one transaction: the committer is started when all of them wait."""
    for number in numbers:
        uid = f"1.2.3.1.1.{number}"
        reception = archive.receive(Arrival(CT, uid, EXPLICIT_LE, Source("CT1")))
        reception.write(encoded(ct(SOPInstanceUID=uid)))
        reception.complete(lambda answer, number=number: take(number, answer))  # type: ignore[misc]


@pytest.fixture
def slow_archive(engine: Engine, tmp_path: Path) -> Iterator[Archive]:
    """An archive whose committer is started by the test."""
    made = Archive(engine, tmp_path / "home" / "store", ArchiveSettings(minimum_free_bytes=0))
    made._folders.start()
    for thread in made._writers:
        thread.start()
    yield made
    made.stop()


def test_a_sender_that_is_gone_does_not_cost_others_their_files(slow_archive: Archive) -> None:
    answers: dict[int, Answer] = {}

    def take(number: int, answer: Answer) -> None:
        if number == 2:
            raise RuntimeError("the event loop is closed")
        answers[number] = answer

    send_together(slow_archive, range(1, 5), take)
    slow_archive._committer.start()
    slow_archive.stop()
    assert {number: getattr(answer, "kind", answer) for number, answer in answers.items()} == {
        1: Kind.STORED,
        3: Kind.STORED,
        4: Kind.STORED,
    }
    assert len(stored(slow_archive.engine)) == 4
    assert integrity.check(slow_archive.engine, slow_archive.root).differences == []


def test_one_object_that_cannot_be_indexed_does_not_touch_the_others(
    slow_archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Publisher._add

    def add(self: Publisher, connection: Any, entry: Any, *rest: Any) -> None:
        if entry.sop_instance_uid.endswith(".3"):
            raise ValueError("nobody thought of this")
        whole(self, connection, entry, *rest)

    monkeypatch.setattr(Publisher, "_add", add)
    answers: dict[int, Answer] = {}
    send_together(slow_archive, range(1, 5), answers.__setitem__)
    slow_archive._committer.start()
    slow_archive.stop()
    assert isinstance(answers.pop(3), FilmlessError)
    assert [getattr(answer, "kind", answer) for answer in answers.values()] == [Kind.STORED] * 3
    assert len(list(slow_archive.root.rglob("*.dcm"))) == 3
    assert integrity.check(slow_archive.engine, slow_archive.root).differences == []


def test_a_disk_that_fails_later_does_not_undo_what_is_visible(
    slow_archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that is published one by one asks the disk once, before the first commit."""
    whole = Publisher._transaction
    asked = 0

    def transaction(self: Publisher, items: Any, *rest: Any) -> Any:
        if len(items) > 1:
            raise OperationalError("INSERT", None, Exception("deadlock"))
        return whole(self, items, *rest)

    def error(_: Written) -> FilmlessError | None:
        nonlocal asked
        asked += 1
        # of the three files, once
        return Unavailable("the disk did not take the object (I/O error)") if asked > 3 else None

    monkeypatch.setattr(Publisher, "_transaction", transaction)
    answers: dict[int, Answer] = {}
    send_together(slow_archive, range(1, 4), answers.__setitem__)
    while slow_archive._work.qsize() or slow_archive._ready.qsize() < 3:
        pass
    monkeypatch.setattr(Written, "durable", property(lambda _: False))
    monkeypatch.setattr(Written, "error", property(error))
    slow_archive._committer.start()
    slow_archive.stop()
    assert [getattr(answer, "kind", answer) for answer in answers.values()] == [Kind.STORED] * 3
    assert len(list(slow_archive.root.rglob("*.dcm"))) == 3


def test_an_object_whose_folder_cannot_be_synced_is_not_stored(
    archive: Archive, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(ct())
    folder = archive.blobs._current
    assert folder is not None
    sync = os.fsync

    def fsync(fd: int) -> None:
        if fd == folder.fd:
            raise OSError(5, "Input/output error")
        sync(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(Unavailable, match="Input/output error"):
        put(ct(SOPInstanceUID="1.2.3.1.1.2"))
    monkeypatch.undo()
    assert stored(archive.engine) == ["1.2.3.1.1.1"] and len(list(archive.root.rglob("*.dcm"))) == 1
    assert put(ct(SOPInstanceUID="1.2.3.1.1.2")).kind is Kind.STORED
    assert integrity.check(archive.engine, archive.root).differences == []


def test_a_slow_disk_is_waited_for_before_the_index_is_locked(
    archive: Archive, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Publisher._transaction
    waits: list[bool] = []

    def transaction(self: Publisher, items: Any, before_commit: Any, *rest: Any) -> Any:
        waits.append(before_commit is not None)
        return whole(self, items, before_commit, *rest)

    monkeypatch.setattr(Publisher, "_transaction", transaction)
    archive._waited = 1.0
    assert put(ct()).kind is Kind.STORED
    # it was quick this time, or slow again: either way it is known anew
    assert waits == [False] and archive._waited < 1.0


def test_nobody_waits_for_an_object_that_did_not_come(archive: Archive, put: Put) -> None:
    """What was broken off, or could not be written, is no longer expected by the next batch."""
    reception = archive.receive(Arrival(CT, "1.2.3.1.1.9", EXPLICIT_LE, Source("CT1")))
    reception.write(encoded(ct(SOPInstanceUID="1.2.3.1.1.9")))
    reception.abort()
    reception.complete(lambda _: None)
    with pytest.raises(FilmlessError):
        archive.store_blocking(
            Arrival(CT, "1.2.3.1.1.8", EXPLICIT_LE, Source("CT1"), study_uid="9.9"),
            [encoded(ct(SOPInstanceUID="1.2.3.1.1.8"))],
        )
    put(ct())
    archive.stop()
    assert archive._coming == 0 and archive._under_way == 0


def test_a_folder_that_cannot_be_retired_costs_nothing(
    archive: Archive, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(ct())
    archive.blobs._folder_files = 1

    @contextmanager
    def broken(_engine: Engine) -> Iterator[Connection]:
        raise OperationalError("DELETE", None, Exception("the server closed the connection"))
        yield

    folder = archive.blobs._current
    assert folder is not None
    folder.full = True
    folder.unfinished += 1
    monkeypatch.setattr("filmless.archive.blobs.writing", broken)
    archive.blobs.settle(folder)
    monkeypatch.undo()
    archive.blobs._current = None
    assert put(ct(SOPInstanceUID="1.2.3.1.1.2")).kind is Kind.STORED
    assert len(list(archive.root.rglob("*.dcm"))) == 2
    assert BlobStore(archive.engine, archive.root).recover() == 0


def test_a_lost_file_in_quarantine_is_healed_by_the_same_object(archive: Archive, put: Put) -> None:
    put(ct(StudyInstanceUID=None))
    (file,) = archive.root.rglob("*.dcm")
    file.unlink()
    put(ct(StudyInstanceUID=None))
    assert len(list(archive.root.rglob("*.dcm"))) == 1
    with reading(archive.engine) as connection:
        paths = list(connection.scalars(select(quarantine.c.path)))
    assert len(paths) == 2


_DIE = """
import os, signal, sys
from pathlib import Path
from filmless.archive.model import ArchiveSettings, Arrival, Source
from filmless.archive.store import Archive
from filmless.db.engine import open_engine
archive = Archive(open_engine(sys.argv[1]), Path(sys.argv[2]), ArchiveSettings(minimum_free_bytes=0))
archive.start()
data = Path(sys.argv[3]).read_bytes()
archive.store_blocking(Arrival(sys.argv[4], "1.2.3.1.1.1", "1.2.840.10008.1.2.1", Source("CT1")), [data])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_an_older_index_restored_does_not_cost_images(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    """What a backup of the index does not know was acknowledged all the same: it must stay on disk."""
    root = tmp_path / "home" / "store"
    (tmp_path / "object").write_bytes(encoded(ct()))
    subprocess.run(
        [sys.executable, "-c", _DIE, database_url, str(root), str(tmp_path / "object"), CT],
        timeout=60,
        check=False,
    )
    with writing(engine) as connection:
        connection.execute(delete(instances))
        connection.execute(delete(versions))
    archive = Archive(engine, root, ArchiveSettings(minimum_free_bytes=0))
    assert archive.start() == 1
    (file,) = (tmp_path / "home" / "set-aside").iterdir()
    assert file.read_bytes().endswith(encoded(ct()))
    assert list(root.rglob("*.dcm")) == []
    brought = incoming.bring_in(archive, [file.parent], source=Source("import"))
    archive.stop()
    assert brought.counts == {Kind.STORED: 1}
    assert stored(engine) == ["1.2.3.1.1.1"]


def test_a_process_is_known_by_its_boot_too() -> None:
    host, pid, started = writer_name().rsplit(":", 2)
    assert writer_lives(writer_name())
    assert not writer_lives(f"{host}:{pid}:{started.partition('-')[0]}-another")


def test_nothing_commits_without_the_word_that_files_are_durable(
    archive: Archive, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever should give it may be gone: then no other attempt may commit either."""
    items: list[Any] = []

    def catch(_self: Publisher, arrived: Any, *_: Any) -> Any:
        items.extend(arrived)
        return [Result(error=Unavailable("not now")) for _ in arrived]

    monkeypatch.setattr(Publisher, "publish", catch)
    for number in (1, 2):
        with pytest.raises(Unavailable):
            put(ct(SOPInstanceUID=f"1.2.3.1.1.{number}"))
    monkeypatch.undo()
    asked = []

    def gone() -> None:
        asked.append(1)
        if len(asked) == 1:
            raise EOFError

    publisher = Publisher(archive.engine, archive.root, archive.settings)
    with pytest.raises(NotDurable):
        publisher.publish(items, gone)
    publisher.close()
    assert stored(archive.engine) == []
