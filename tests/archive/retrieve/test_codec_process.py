"""Codec processes: started at need, bounded, replaced after a crash, gone when idle."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tests.peers import eventually

from filmless.archive.codecs import Codecs, CodecSettings, DataSet
from filmless.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from filmless.kit.errors import Refused, Unavailable

#: Patient ID in explicit and implicit VR
EXPLICIT = b"\x10\x00\x20\x00LO\x04\x00ABCD"
IMPLICIT = b"\x10\x00\x20\x00\x04\x00\x00\x00ABCD"


def children() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children()
        if child.status() != psutil.STATUS_ZOMBIE and "filmless.archive.codec_process" in child.cmdline()
    ]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Codecs]]:
    made: list[Codecs] = []

    def make(**settings: float) -> Codecs:
        made.append(Codecs(tmp_path / "scratch", CodecSettings(**settings)))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for codecs in made:
        codecs.close()


@pytest.fixture
def explicit(tmp_path: Path) -> DataSet:
    path = tmp_path / "explicit"
    path.write_bytes(b"before" + EXPLICIT + b"after")
    return DataSet(str(path), 6, len(EXPLICIT), EXPLICIT_VR_LE)


@pytest.fixture
def stuck(tmp_path: Path) -> DataSet:
    """A data set that nobody finishes reading: a pipe without a writer."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return DataSet(str(path), 0, 1, EXPLICIT_VR_LE)


async def test_transcodes_into_a_file_of_its_own(make: Callable[..., Codecs], explicit: DataSet) -> None:
    codecs = make()
    assert not children()
    result = await codecs.transcode(
        explicit.path, explicit.offset, explicit.size, EXPLICIT_VR_LE, IMPLICIT_VR_LE
    )
    assert result.path.read_bytes()[result.offset : result.offset + result.size] == IMPLICIT
    assert result.transfer_syntax_uid == IMPLICIT_VR_LE
    assert len(children()) == 1
    result.discard()
    result.discard()
    assert not result.path.exists()


def test_compares_objects(make: Callable[..., Codecs], explicit: DataSet, tmp_path: Path) -> None:
    codecs = make()
    (tmp_path / "implicit").write_bytes(IMPLICIT)
    (tmp_path / "other").write_bytes(IMPLICIT.replace(b"ABCD", b"ABCE"))
    same = DataSet(str(tmp_path / "implicit"), 0, len(IMPLICIT), IMPLICIT_VR_LE)
    other = DataSet(str(tmp_path / "other"), 0, len(IMPLICIT), IMPLICIT_VR_LE)
    assert codecs.same_blocking(explicit, same) is None
    difference = codecs.same_blocking(explicit, other)
    assert difference
    assert "ABC" not in difference


def test_what_cannot_be_done_is_refused_and_the_process_lives_on(
    make: Callable[..., Codecs], explicit: DataSet
) -> None:
    codecs = make()
    with pytest.raises(Refused):
        codecs.transcode_blocking(explicit.path, 6, explicit.size, EXPLICIT_VR_LE, "1.2.3.4")
    [process] = children()
    with pytest.raises(Refused, match="file cannot be read"):
        codecs.transcode_blocking("/does/not/exist", 0, 1, EXPLICIT_VR_LE, IMPLICIT_VR_LE)
    assert [child.pid for child in children()] == [process.pid]
    assert codecs.transcode_blocking(explicit.path, 6, explicit.size, EXPLICIT_VR_LE, IMPLICIT_VR_LE).size
    assert [child.pid for child in children()] == [process.pid]


def test_a_task_that_takes_too_long_costs_itself_only(
    make: Callable[..., Codecs], explicit: DataSet, stuck: DataSet
) -> None:
    codecs = make(timeout=0.3)
    with pytest.raises(Unavailable) as slow:
        codecs.same_blocking(stuck, explicit)
    assert slow.value.code == "codec-timeout"
    assert not children()


def test_a_task_that_wants_all_memory_costs_itself_only(
    make: Callable[..., Codecs], explicit: DataSet, tmp_path: Path
) -> None:
    codecs = make(memory=512)
    with (tmp_path / "large").open("wb") as file:
        # nothing on the disk, and more than may be had when it is read
        file.truncate(700 << 20)
    large = DataSet(str(tmp_path / "large"), 0, 700 << 20, EXPLICIT_VR_LE)
    assert codecs.same_blocking(explicit, explicit) is None
    [process] = children()
    with pytest.raises(Refused, match="more memory") as refused:
        codecs.same_blocking(large, explicit)
    assert refused.value.code == "memory"
    assert codecs.same_blocking(explicit, explicit) is None
    assert [child.pid for child in children()] != [process.pid]


def test_a_task_that_kills_its_process_costs_itself_only(
    make: Callable[..., Codecs], explicit: DataSet, stuck: DataSet
) -> None:
    codecs = make()
    failures: list[Unavailable] = []

    def work() -> None:
        try:
            codecs.same_blocking(stuck, explicit)
        except Unavailable as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    [process] = eventually(children, "the codec process starts")
    process.kill()
    thread.join(10)
    assert [failure.code for failure in failures] == ["codec-died"]
    assert codecs.same_blocking(explicit, explicit) is None


def test_a_process_that_dies_idle_is_replaced_unnoticed(
    make: Callable[..., Codecs], explicit: DataSet
) -> None:
    codecs = make()
    assert codecs.same_blocking(explicit, explicit) is None
    [process] = children()
    process.kill()
    process.wait(10)
    assert codecs.same_blocking(explicit, explicit) is None


def test_an_idle_process_ends_and_another_starts_at_need(
    make: Callable[..., Codecs], explicit: DataSet
) -> None:
    codecs = make(idle=0.1)
    assert codecs.same_blocking(explicit, explicit) is None
    eventually(lambda: not children(), "the idle codec process ends")
    assert codecs.same_blocking(explicit, explicit) is None


async def test_the_queue_is_bounded(make: Callable[..., Codecs], explicit: DataSet, stuck: DataSet) -> None:
    codecs = make(waiting=2)
    tasks = [asyncio.create_task(codecs.same(stuck, explicit)) for _ in range(3)]
    while codecs.running < 3:
        await asyncio.sleep(0)
    with pytest.raises(Unavailable) as full:
        await codecs.same(explicit, explicit)
    assert full.value.code == "codec-busy"
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    while not children():
        await asyncio.sleep(0.01)
    children()[0].kill()
    while codecs.running:
        await asyncio.sleep(0.01)
    assert await codecs.same(explicit, explicit) is None


async def test_a_result_that_nobody_waits_for_is_discarded(
    make: Callable[..., Codecs], explicit: DataSet, stuck: DataSet, tmp_path: Path
) -> None:
    codecs = make()
    task = asyncio.create_task(codecs.transcode(stuck.path, 0, len(EXPLICIT), EXPLICIT_VR_LE, IMPLICIT_VR_LE))
    while not children():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with Path(stuck.path).open("wb") as pipe:
        pipe.write(EXPLICIT)
    while codecs.running:
        await asyncio.sleep(0.01)
    assert not [path for path in (tmp_path / "scratch").rglob("*") if path.is_file()]


def test_closing_leaves_nothing_and_the_dead_are_cleaned_up(
    make: Callable[..., Codecs], explicit: DataSet, tmp_path: Path
) -> None:
    orphan = tmp_path / "scratch" / "codecs-orphan"
    orphan.mkdir(parents=True)
    (orphan / "result").write_bytes(b"left behind by a process that was killed")
    living, closing = make(), make()
    kept = living.transcode_blocking(explicit.path, 6, explicit.size, EXPLICIT_VR_LE, IMPLICIT_VR_LE)
    closing.transcode_blocking(explicit.path, 6, explicit.size, EXPLICIT_VR_LE, IMPLICIT_VR_LE)
    closing.close()
    assert kept.path.exists()
    assert not orphan.exists()
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == [kept.path.parent.name]
    with pytest.raises(Unavailable):
        closing.same_blocking(explicit, explicit)


async def test_the_end_does_not_wait_for_a_task_in_hand(make: Callable[..., Codecs], stuck: DataSet) -> None:
    codecs = make()
    task = asyncio.create_task(codecs.same(stuck, stuck))
    async with asyncio.timeout(20):
        while not children():
            await asyncio.sleep(0.01)
        await asyncio.to_thread(codecs.close)
        with pytest.raises(Unavailable):
            await task
    assert not children()
