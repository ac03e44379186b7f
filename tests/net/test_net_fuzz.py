"""Noise and slow peers over real sockets: no crash, no hang, no partial object, and others are not held up."""

import asyncio
import random

import pytest

from filmless.dicom.dimse import find_rq, store_rq
from filmless.dicom.ul.frames import frame
from filmless.dicom.ul.negotiation import ContextRequest, propose
from filmless.dicom.ul.pdu import AssociateRequest, ReleaseRequest
from filmless.net.association import BytesSource
from filmless.net.model import NetSettings

from .conftest import ALL, CT, EXPLICIT, FIND, Start, eventually


def request() -> AssociateRequest:
    return propose(
        calling_ae="NOISE",
        called_ae="CALLED",
        contexts=[ContextRequest(uid, (EXPLICIT,)) for uid in ALL],
        max_pdu=16384,
        implementation_class_uid="1.2.3",
        implementation_version="",
    )


DATA = bytes(range(256)) * 100
IDS = {uid: 2 * i + 1 for i, uid in enumerate(ALL)}
CONVERSATION = [
    frame(IDS[CT], store_rq(1, CT, "1.2.1").encode(), 16378, command=True),
    frame(IDS[CT], DATA, 16378, command=False),
    frame(IDS[FIND], find_rq(2, FIND).encode(), 16378, command=True),
    frame(IDS[FIND], b"1   ", 16378, command=False),
    frame(IDS[CT], store_rq(3, CT, "1.2.2").encode(), 16378, command=True),
    frame(IDS[CT], DATA, 16378, command=False),
    ReleaseRequest().encode(),
]


def spoil(rng: random.Random, parts: list[bytes]) -> bytes:
    """The conversation with one part left out, doubled, swapped, cut, or with bytes changed in headers."""
    parts = list(parts)
    at = rng.randrange(len(parts))
    match rng.randrange(6):
        case 0:
            del parts[at]
        case 1:
            parts.insert(at, parts[at])
        case 2:
            other = rng.randrange(len(parts))
            parts[at], parts[other] = parts[other], parts[at]
        case 3:
            return b"".join(parts)[: rng.randrange(1, sum(map(len, parts)))]
        case 4:
            raw = bytearray(parts[at])
            raw[rng.randrange(min(12, len(raw)))] = rng.randrange(256)
            parts[at] = bytes(raw)
        case _:
            parts.insert(at, rng.randbytes(rng.randint(1, 500)))
    return b"".join(parts)


async def test_spoilt_conversations(start: Start) -> None:
    rng = random.Random(3)
    serving = await start(NetSettings(artim=5, dimse_timeout=5))
    good = await serving.call()

    async def converse(raw: bytes, pieces: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", serving.port)
        try:
            writer.write(request().encode())
            head = await reader.readexactly(6)
            await reader.readexactly(int.from_bytes(head[2:], "big"))
            for start_at in range(0, len(raw), max(1, len(raw) // pieces)):
                writer.write(raw[start_at : start_at + max(1, len(raw) // pieces)])
                await writer.drain()
            writer.write_eof()
            await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # what the server does to a peer like this
        finally:
            writer.close()

    async with asyncio.timeout(60):
        for _ in range(30):
            await asyncio.gather(*(converse(spoil(rng, CONVERSATION), rng.randint(1, 9)) for _ in range(8)))
            assert await good.echo() == 0
    await eventually(lambda: len(serving.server.associations) == 1)
    # whole or not at all: nothing that was kept is a part, nothing that was begun is still open
    assert serving.kept.objects and not serving.kept.open
    assert all(data.startswith(DATA[:1]) or not data for data in serving.kept.objects.values())
    await good.release()


async def test_noise_instead_of_a_request(start: Start) -> None:
    rng = random.Random(4)
    serving = await start(NetSettings(artim=2))
    whole = request().encode()

    async def shout(raw: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", serving.port)
        writer.write(raw)
        writer.write_eof()
        try:
            async with asyncio.timeout(20):
                await reader.read()
        except ConnectionError:
            pass  # reset instead of closed: it is gone either way
        writer.close()

    for _ in range(25):
        changed = []
        for _ in range(6):
            raw = bytearray(whole)
            for _ in range(rng.randint(1, 6)):
                raw[rng.randrange(len(raw))] = rng.randrange(256)
            changed.append(bytes(raw))
        await asyncio.gather(*map(shout, [*changed, rng.randbytes(rng.randint(1, 3000))]))
    await eventually(lambda: not serving.server.associations)
    assoc = await serving.call()
    assert await assoc.echo() == 0
    await assoc.release()


@pytest.mark.parametrize("slow_peers", [20])
async def test_tricklers_and_never_releasers_do_not_hold_up_others(start: Start, slow_peers: int) -> None:
    serving = await start()
    lazy = [await serving.call() for _ in range(slow_peers)]
    trickling = True

    async def trickle(number: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", serving.port)
        raw = request().encode() + b"".join(CONVERSATION)
        for byte in raw:
            if not trickling:
                break
            writer.write(bytes((byte,)))
            await asyncio.sleep(0.001)
        writer.close()

    tasks = [asyncio.create_task(trickle(n)) for n in range(slow_peers)]
    assoc = await serving.call()
    context = assoc.context_for(CT)
    assert context is not None
    async with asyncio.timeout(30):
        for i in range(50):
            source = BytesSource(
                DATA * 10, sop_class_uid=CT, sop_instance_uid=f"1.9.{i}", transfer_syntax_uid=EXPLICIT
            )
            assert (await assoc.store(source, context)).status == 0
    assert all(serving.kept.objects[f"1.9.{i}"] == DATA * 10 for i in range(50))
    trickling = False
    await asyncio.gather(*tasks)
    await assoc.release()
    assert all(one.is_open for one in lazy)
    await asyncio.gather(*(one.abort() for one in lazy))
