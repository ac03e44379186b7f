"""C-STORE from our client to our server: data whole, back-pressure, failures, aborts at any moment."""

import asyncio
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from filmless.dicom.dimse import Command, store_rq
from filmless.dicom.ul.frames import frame
from filmless.dicom.ul.negotiation import ANY, ContextRequest, NegotiationPolicy
from filmless.kit.errors import Defect, Refused, Unavailable
from filmless.net import sources
from filmless.net.association import Association, BytesSource, FileSource
from filmless.net.errors import AssociationAborted
from filmless.net.model import NetSettings, StoreAnswer

from .conftest import CT, EXPLICIT, Start, eventually


def source(uid: str, data: bytes) -> BytesSource:
    return BytesSource(data, sop_class_uid=CT, sop_instance_uid=uid, transfer_syntax_uid=EXPLICIT)


def pattern(size: int) -> bytes:
    return (b"".join(i.to_bytes(4, "big") for i in range(size // 4 + 1)))[:size]


async def store(assoc: Association, uid: str, data: bytes) -> Command:
    context = assoc.context_for(CT)
    assert context is not None
    async with asyncio.timeout(20):
        return await assoc.store(source(uid, data), context)


@pytest.mark.parametrize("size", [0, 2, 131066, 131068, 262144, 3_000_000])
@pytest.mark.parametrize("max_pdu", [131072, 16384, 0])
async def test_objects_arrive_whole(start: Start, size: int, max_pdu: int) -> None:
    serving = await start(NetSettings(max_pdu=max_pdu))
    assoc = await serving.call()
    data = pattern(size)
    assert (await store(assoc, "1.2.3", data)).status == 0
    assert serving.kept.objects == {"1.2.3": data}
    await assoc.release()


@pytest.mark.parametrize("their_max", [100, 1000, 16384])
async def test_small_pdus_of_the_receiver_are_respected(start: Start, their_max: int) -> None:
    serving = await start(policy=NegotiationPolicy({CT: ANY}, max_pdu=their_max))
    assoc = await serving.call(ContextRequest(CT, (EXPLICIT,)))
    assert assoc.max_pdu_out == their_max
    data = pattern(200_000)
    assert (await store(assoc, "1.2.3", data)).status == 0
    assert serving.kept.objects == {"1.2.3": data}
    await assoc.release()


async def test_files_are_sent_from_where_the_data_set_begins(start: Start, tmp_path: Path) -> None:
    serving = await start()
    data = pattern(2_500_000)
    path = tmp_path / "object"
    path.write_bytes(b"head" + data + b"tail")
    assoc = await serving.call()
    context = assoc.context_for(CT)
    assert context is not None
    names = {"sop_class_uid": CT, "sop_instance_uid": "1.2", "transfer_syntax_uid": EXPLICIT}
    assert (await assoc.store(FileSource(path, 4, len(data), **names), context)).status == 0
    assert serving.kept.objects["1.2"] == data
    # a file that is missing costs nothing but itself
    with pytest.raises(Unavailable, match="cannot read"):
        await assoc.store(FileSource(tmp_path / "no", 4, 10, **names), context)
    assert (await store(assoc, "1.3", b"ok")).status == 0
    # one that ends too early costs the association, for a message cannot be taken back
    with pytest.raises(Unavailable, match="shorter"):
        await assoc.store(FileSource(path, 4, len(data) + 100, **names), context)
    assert not assoc.is_open
    await eventually(lambda: serving.kept.aborted == ["1.2"])
    assert serving.kept.objects["1.2"] == data


async def test_many_objects_on_many_associations(start: Start) -> None:
    serving = await start()

    async def sender(number: int) -> None:
        assoc = await serving.call()
        for i in range(20):
            assert (await store(assoc, f"1.{number}.{i}", pattern(50_000 + number * 1000 + i))).status == 0
        assert assoc.images_out == 20
        await assoc.release()

    await asyncio.gather(*(sender(n) for n in range(16)))
    assert len(serving.kept.objects) == 320
    assert all(
        serving.kept.objects[f"1.{n}.{i}"] == pattern(50_000 + n * 1000 + i)
        for n in range(16)
        for i in range(20)
    )
    await eventually(lambda: not serving.server.associations)


async def test_a_sink_that_asks_for_a_pause_gets_no_more(start: Start) -> None:
    serving = await start()
    serving.kept.hold = True
    assoc = await serving.call()
    data = pattern(20_000_000)
    task = asyncio.create_task(store(assoc, "1.2", data))
    await eventually(lambda: serving.kept.pieces > 0)
    (there,) = serving.server.associations.values()
    await eventually(lambda: there.wire.paused_since is not None)
    seen, pieces = -1, -1
    while (seen, pieces) != (there.bytes_in, serving.kept.pieces):
        seen, pieces = there.bytes_in, serving.kept.pieces
        await asyncio.sleep(0.05)
    # what was read is at most one slab, and the sender is held up by it
    assert seen < 1_000_000
    assert not task.done() and assoc.wire.unsent > 0
    serving.kept.let_go()
    assert (await task).status == 0
    assert serving.kept.objects["1.2"] == data
    await assoc.release()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Refused("no"), 0x0124),
        (Unavailable("disk full"), 0xA700),
        (Defect("broken"), 0x0110),
        (RuntimeError("secret"), 0x0110),
    ],
)
@pytest.mark.parametrize("where", ["fail_begin", "fail_write", "fail_finish"])
async def test_failures_become_statuses_and_the_association_goes_on(
    start: Start, where: str, error: Exception, status: int
) -> None:
    serving = await start()
    assoc = await serving.call()
    setattr(serving.kept, where, error)
    answer = await store(assoc, "1.2", pattern(700_000))
    assert answer.status == status
    assert "secret" not in answer.error_comment
    assert serving.kept.objects == {}
    assert serving.kept.aborted == (["1.2"] if where == "fail_write" else [])
    setattr(serving.kept, where, None)
    assert (await store(assoc, "1.3", pattern(700_000))).status == 0
    await assoc.release()


async def test_answers_carry_what_the_sink_says(start: Start) -> None:
    serving = await start()
    serving.kept.answer = StoreAnswer(0xB000, "coerced", {"OffendingElement": [0x00100010]})
    assoc = await serving.call()
    answer = await store(assoc, "1.2", b"xx")
    assert (answer.status, answer.error_comment) == (0xB000, "coerced")
    assert answer["OffendingElement"] == [0x00100010]
    assert answer.affected_sop_instance_uid == "1.2" and answer.affected_sop_class_uid == CT
    await assoc.release()


async def test_an_abort_in_the_middle_of_an_object_leaves_nothing(start: Start) -> None:
    serving = await start()
    serving.kept.hold = True
    assoc = await serving.call()
    task = asyncio.create_task(store(assoc, "1.2", pattern(20_000_000)))
    await eventually(lambda: serving.kept.pieces > 0)
    await assoc.abort()
    with pytest.raises(AssociationAborted):
        await task
    # the server reads nothing while its sink holds it up; once it may, it sees the abort or the end
    await eventually(lambda: bool(serving.kept.aborted) or bool(serving.kept.open))
    serving.kept.let_go()
    await eventually(lambda: serving.kept.aborted == ["1.2"])
    assert serving.kept.objects == {}
    await eventually(lambda: not serving.server.associations)


async def test_the_server_may_abort_at_any_moment(start: Start) -> None:
    serving = await start()
    serving.kept.hold = True
    assoc = await serving.call()
    task = asyncio.create_task(store(assoc, "1.2", pattern(5_000_000)))
    await eventually(lambda: serving.kept.pieces > 0)
    (there,) = serving.server.associations.values()
    await there.abort()
    with pytest.raises(AssociationAborted):
        await task
    assert serving.kept.aborted == ["1.2"] and not assoc.is_open
    assert "abort" in assoc.ended or "closed" in assoc.ended


@pytest.mark.parametrize(("window", "most"), [((1, 1), 1), ((4, 1), 4), ((0, 1), 4)])
async def test_as_many_outstanding_as_were_negotiated(
    start: Start, window: tuple[int, int], most: int
) -> None:
    serving = await start()
    serving.kept.answer_when = asyncio.Event()
    assoc = await serving.call(async_ops=window)
    tasks = [asyncio.create_task(store(assoc, f"1.{i}", pattern(10_000 + i))) for i in range(9)]
    await eventually(lambda: len(serving.kept.open) == most)
    serving.kept.answer_when.set()
    assert [answer.status for answer in await asyncio.gather(*tasks)] == [0] * 9
    assert serving.kept.most_at_once == most
    assert serving.kept.objects == {f"1.{i}": pattern(10_000 + i) for i in range(9)}
    await assoc.release()


async def test_a_sender_that_does_not_wait_for_answers_is_held_up(start: Start) -> None:
    serving = await start()
    serving.kept.answer_when = asyncio.Event()
    assoc = await serving.call()
    context = assoc.context_for(CT)
    assert context is not None
    for i in range(400):
        command = store_rq(i + 1, CT, f"1.{i}").encode()
        assoc.wire.write(frame(context.id, command, 16378, command=True))
        assoc.wire.write(frame(context.id, pattern(50_000), 16378, command=False))
    await eventually(lambda: len(serving.kept.open) > 1)
    (there,) = serving.server.associations.values()
    await eventually(lambda: there.wire.paused_since is not None)
    assert len(serving.kept.open) < 20
    serving.kept.answer_when.set()
    await eventually(lambda: len(serving.kept.objects) == 400, 30)
    await assoc.abort()


async def test_storage_needs_the_role(start: Start) -> None:
    serving = await start()
    serving.services.storage = None
    assoc = await serving.call()
    assert (await store(assoc, "1.2", b"ab")).status == 0x0122
    await assoc.release()


async def test_cancelling_a_store_before_anything_was_sent_keeps_the_association(start: Start) -> None:
    serving = await start()
    assoc = await serving.call()

    class Stuck(BytesSource):
        async def fill(self, offset: int, places: Sequence[memoryview]) -> None:
            await asyncio.Event().wait()

    context = assoc.context_for(CT)
    assert context is not None
    stuck = Stuck(b"abcd", sop_class_uid=CT, sop_instance_uid="1.1", transfer_syntax_uid=EXPLICIT)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await assoc.store(stuck, context)
    assert (await store(assoc, "1.2", b"ab")).status == 0
    assert assoc.outstanding == 0
    await assoc.release()


async def test_counters(start: Start) -> None:
    serving = await start()
    assoc = await serving.call()
    await store(assoc, "1.2", pattern(100_000))
    (there,) = serving.server.associations.values()
    assert there.images_in == 1 and assoc.images_out == 1
    assert there.bytes_in == assoc.bytes_out > 100_000
    assert there.calling_ae == "CALLER" and there.who == "somebody" and there.peer.local
    assert serving.server.associations[there.id] is there
    await assoc.release()


async def test_a_file_that_is_given_up_while_it_is_opened_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "object"
    path.write_bytes(bytes(100))
    opening, go, opened = threading.Event(), threading.Event(), list[int]()
    really = os.open

    def slowly(name: Path, flags: int) -> int:
        opening.set()
        assert go.wait(10)
        opened.append(really(name, flags))
        return opened[0]

    monkeypatch.setattr(sources.os, "open", slowly)
    source = FileSource(path, 0, 100, sop_class_uid=CT, sop_instance_uid="1", transfer_syntax_uid=EXPLICIT)
    reading = asyncio.create_task(source.fill(0, [memoryview(bytearray(50))]))
    await asyncio.to_thread(opening.wait, 10)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    source.close()
    go.set()

    def is_closed() -> bool:
        try:
            return bool(opened) and os.fstat(opened[0]) is None
        except OSError:
            return True

    await eventually(is_closed)
