"""Deliveries with several C-STORE requests under way at once, and deliveries that are stopped."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from tests.archive.retrieve.conftest import HOST, ROOT, Home, slice_of

from filmless.access.model import SYSTEM
from filmless.archive.query import StoredInstance, instances_of
from filmless.archive.retrieve.delivery import Delivery
from filmless.archive.retrieve.sending import Sender
from filmless.archive.retrieve.tally import Result
from filmless.db.work import reading
from filmless.devices.model import Device
from filmless.dicom.dimse import Command
from filmless.dicom.sopclasses import CT_IMAGE
from filmless.dicom.uids import IMPLICIT_VR_LE
from filmless.dicom.ul.negotiation import ANY, Context, NegotiationPolicy
from filmless.net.association import Association
from filmless.net.model import Admission, NetSettings, Peer, StoreAnswer
from filmless.net.server import AssociateRequest, Server
from filmless.net.serving import Services

Answer = Callable[[str], Awaitable[int]]


class Sink:
    def __init__(self, uid: str, answer: Answer, arrived: dict[str, bytearray]) -> None:
        self.on_ready: Callable[[], None] | None = None
        self._uid, self._answer, self._data = uid, answer, arrived.setdefault(uid, bytearray())

    def write(self, data: memoryview, release: Callable[[], None]) -> bool:
        self._data += data
        release()
        return True

    async def finish(self) -> StoreAnswer:
        return StoreAnswer(await self._answer(self._uid))

    def abort(self) -> None:
        pass


class Handler:
    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.arrived: dict[str, bytearray] = {}

    def begin(self, assoc: Association, context: Context, command: Command) -> Sink:
        return Sink(command.affected_sop_instance_uid, self.answer, self.arrived)


@asynccontextmanager
async def destination(
    answer: Answer, *, window: int = 4, accepts: tuple[str, ...] = ANY
) -> AsyncIterator[tuple[Device, dict[str, bytearray]]]:
    """A receiver that agrees to several operations at once."""
    handler = Handler(answer)

    async def admit(request: AssociateRequest, peer: Peer) -> Admission:
        return Admission("who", NegotiationPolicy({CT_IMAGE: accepts}, async_ops=(window, 1)))

    server = Server(NetSettings(), Services(handler), admit)
    port = await server.start(HOST, 0)
    yield Device("THERE", host=HOST, port=port), handler.arrived
    await server.stop(grace=0)


def stored(home: Home) -> list[StoredInstance]:
    with reading(home.engine) as connection:
        return list(instances_of(connection, SYSTEM, level="STUDY", study_uids=[f"{ROOT}.1"]))


async def test_answers_out_of_order_are_accounted_in_order(home: Home) -> None:
    uids = await asyncio.to_thread(home.store_study, 1, 12)
    waiting: list[asyncio.Event] = []
    most = 0

    async def answer(uid: str) -> int:
        """The first of each four is answered last."""
        nonlocal most
        mine = asyncio.Event()
        waiting.append(mine)
        most = max(most, len(waiting))
        if len(waiting) == 4:
            waiting[-1].set()
        await mine.wait()
        waiting.remove(mine)
        if waiting:
            waiting[-1].set()
        return 0xC000 if uid == uids[5] else 0

    sender = Sender(home.archive.root, home.codecs)
    async with destination(answer) as (device, arrived):
        delivery = Delivery(sender, NetSettings(response_timeout=10), device)
        results = [one async for one in delivery.send(stored(home))]
    sender.close()
    assert [one.instance.sop_instance for one in results] == uids
    assert [one.result for one in results] == [
        Result.FAILED if number == 5 else Result.COMPLETED for number in range(12)
    ]
    assert {uid: bytes(data) for uid, data in arrived.items()} == home.stored
    assert most == 4


async def test_stopping_lets_those_under_way_end(home: Home) -> None:
    uids = await asyncio.to_thread(home.store_study, 1, 12)
    stop, go_on, four = asyncio.Event(), asyncio.Event(), asyncio.Event()
    count = 0

    async def answer(uid: str) -> int:
        nonlocal count
        count += 1
        if count == 4:
            four.set()
        await go_on.wait()
        return 0

    async def stopping() -> None:
        await four.wait()
        stop.set()
        await asyncio.sleep(0)
        go_on.set()

    sender = Sender(home.archive.root, home.codecs)
    async with destination(answer) as (device, arrived):
        task = asyncio.create_task(stopping())
        delivery = Delivery(sender, NetSettings(response_timeout=10), device, stop=stop)
        results = [one async for one in delivery.send(stored(home))]
        await task
    sender.close()
    assert [one.instance.sop_instance for one in results] == uids[: len(results)]
    assert 4 <= len(results) <= 5
    assert all(one.result is Result.COMPLETED for one in results)
    assert len(arrived) == len(results)


async def test_stopping_does_not_wait_for_a_conversion(home: Home, tmp_path: Path) -> None:
    """A pipe without a writer stands for an object that takes long to convert."""
    await asyncio.to_thread(home.store_study, 1, 1)
    [one] = stored(home)
    os.mkfifo(home.archive.root / "pipe")
    stuck = StoredInstance(one.sop_class, "1.2.3", one.ts, "pipe", 0, 8, "", "", "", 0)
    stop = asyncio.Event()

    async def answer(uid: str) -> int:
        return 0

    sender = Sender(home.archive.root, home.codecs)
    async with destination(answer, accepts=(IMPLICIT_VR_LE,)) as (device, arrived):
        results = []
        delivery = Delivery(sender, NetSettings(), device, stop=stop)
        async with asyncio.timeout(15), aclosing(delivery.send([one, stuck])) as sent:
            async for each in sent:
                results.append(each.instance)
                stop.set()
        assert (results, set(arrived)) == ([one], {one.sop_instance})
        pipe = os.open(home.archive.root / "pipe", os.O_RDWR | os.O_NONBLOCK)
        os.write(pipe, b"\x10\0\x20\0LO\0\0")  # what nobody waits for any more ends
        async with asyncio.timeout(15):
            while home.codecs.running:
                await asyncio.sleep(0.01)
        os.close(pipe)
    sender.close()


async def test_a_conversion_that_fails_in_an_unforeseen_way_costs_its_object(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = home.store(slice_of(1, 1, 1), IMPLICIT_VR_LE)
    uid = home.store(slice_of(1, 1, 2))
    cut_off = home.store(slice_of(1, 1, 3))

    async def broken(path: Path, *_: object) -> object:
        broken.calls += 1  # type: ignore[attr-defined]
        raise RuntimeError if broken.calls == 1 else asyncio.CancelledError  # type: ignore[attr-defined]

    broken.calls = 0  # type: ignore[attr-defined]
    monkeypatch.setattr(home.codecs, "transcode", broken)
    sender = Sender(home.archive.root, home.codecs)

    async def answer(_: str) -> int:
        return 0

    with reading(home.engine) as connection:
        wanted = list(instances_of(connection, SYSTEM, level="IMAGE", sop_uids=[kept, uid, cut_off]))
    async with destination(answer, accepts=(IMPLICIT_VR_LE,)) as (device, _), asyncio.timeout(20):
        delivery = Delivery(sender, NetSettings(), device)
        became = {one.instance.sop_instance: one.result async for one in delivery.send(wanted)}
    assert became == {kept: Result.COMPLETED, uid: Result.FAILED, cut_off: Result.FAILED}
    sender.close()
