"""Beginning, limits, deadlines and ends of associations."""

import asyncio
import logging
import socket
import time

import pytest

from filmless.dicom.dimse import store_rq
from filmless.dicom.ul.engine import Engine
from filmless.dicom.ul.frames import frame
from filmless.dicom.ul.negotiation import ANY, ContextRequest, NegotiationPolicy, negotiate
from filmless.dicom.ul.pdu import AssociateRequest, ReleaseRequest, UserIdentity, UserInformation, decode
from filmless.dicom.ul.state import TABLE
from filmless.kit.errors import Refused
from filmless.net.association import Association, BytesSource, connect
from filmless.net.errors import AssociationAborted, AssociationRejected, PeerTimeout, PeerUnreachable
from filmless.net.model import Admission, NetSettings, Peer, Rejection
from filmless.net.server import Server, Services

from .conftest import ALL, CT, EXPLICIT, POLICY, VERIFICATION, Start, eventually

ECHO = ContextRequest(VERIFICATION, (EXPLICIT,))


async def read_to_end(reader: asyncio.StreamReader, seconds: float = 10) -> bytes:
    async with asyncio.timeout(seconds):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


async def test_who_calls_is_told_to_the_admission(start: Start) -> None:
    serving = await start()
    assoc = await serving.call(ECHO, user_identity=UserIdentity(1, b"doctor"), extended={CT: b"\1"})
    ((request, peer),) = serving.asked
    assert (request.calling_ae, request.called_ae) == ("CALLER", "CALLED")
    assert peer.ae_title == "CALLER" and peer.local and not peer.tls and peer.host == "127.0.0.1"
    assert peer.user_identity is not None and peer.user_identity.name == "doctor"
    assert peer.implementation.startswith("FILMLESS") and assoc.peer.implementation.startswith("FILMLESS")
    await assoc.release()
    assert not assoc.is_open and assoc.ended == ""
    await eventually(lambda: not serving.server.associations)


@pytest.mark.parametrize(
    ("rejection", "words", "transient"),
    [
        (Rejection(1, 1, 7), "association rejected: called AE title not recognised", False),
        (Rejection(1, 1, 3), "association rejected: calling AE title not recognised", False),
        (Rejection(2, 3, 1), "association rejected for now: temporary congestion", True),
    ],
)
async def test_rejections_come_in_words(
    start: Start, rejection: Rejection, words: str, transient: bool
) -> None:
    async def refuse(request: AssociateRequest, peer: Peer) -> Admission | Rejection:
        return rejection

    serving = await start(admit=refuse)
    with pytest.raises(AssociationRejected) as caught:
        await serving.call(ECHO)
    assert caught.value.message == words and caught.value.transient == transient
    assert (caught.value.result, caught.value.source, caught.value.reason) == (
        rejection.result,
        rejection.source,
        rejection.reason,
    )
    assert serving.server.refusals == {rejection.words: 1}


async def test_an_admission_that_fails_or_hangs_refuses_for_now(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(request: AssociateRequest, peer: Peer) -> Admission | Rejection:
        if request.called_ae == "CALLED":
            raise RuntimeError("database gone")
        raise AssertionError

    async def hanging(request: AssociateRequest, peer: Peer) -> Admission | Rejection:
        await asyncio.Event().wait()
        raise AssertionError

    with caplog.at_level(logging.CRITICAL):
        for admit in (broken, hanging):
            serving = await start(NetSettings(acse_timeout=0.2), admit=admit)
            with pytest.raises(AssociationRejected) as caught:
                await serving.call(ECHO)
            assert caught.value.transient
            assert not serving.server.associations


async def test_no_context_accepted_is_for_the_caller_to_see(start: Start) -> None:
    serving = await start(policy=NegotiationPolicy({VERIFICATION: ANY}))
    assoc = await serving.call(ContextRequest(CT, (EXPLICIT,)))
    assert not assoc.contexts and assoc.context_for(CT) is None
    with pytest.raises(LookupError):
        await assoc.echo()
    await assoc.release()


async def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = NetSettings(connect_timeout=2)
    names = {"calling_ae": "A", "called_ae": "B"}
    with pytest.raises(PeerUnreachable, match="nothing listens there"):
        await connect("127.0.0.1", port, contexts=[ECHO], settings=settings, **names)
    for host in ("no-such-name.invalid", "an..empty.label", f"{'long' * 20}.invalid"):
        with pytest.raises(PeerUnreachable, match="not known"):
            await connect(host, port, contexts=[ECHO], settings=settings, **names)


@pytest.mark.parametrize("behaviour", ["silent", "closes", "talks nonsense"])
async def test_a_peer_that_is_no_dicom_node(behaviour: str) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        if behaviour == "talks nonsense":
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        if behaviour != "silent":
            writer.close()
        else:
            await reader.read()
            writer.close()

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        with pytest.raises(PeerTimeout if behaviour == "silent" else AssociationAborted):
            await connect(
                "127.0.0.1",
                port,
                calling_ae="A",
                called_ae="B",
                contexts=[ECHO],
                settings=NetSettings(acse_timeout=0.3),
            )
    finally:
        listener.close()
        await listener.wait_closed()


@pytest.mark.parametrize("length", [1, 4, 6, 7, 12, 63])
async def test_a_peer_that_takes_next_to_nothing_is_not_sent_to(length: int) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes((await reader.readexactly(6))[2:], "big")
        request = decode(1, await reader.readexactly(size))
        assert isinstance(request, AssociateRequest)
        policy = NegotiationPolicy({VERIFICATION: ANY}, max_pdu=length)
        answer, _ = negotiate(request, policy, implementation_class_uid="1.2", implementation_version="")
        writer.write(answer.encode())
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    names = {"calling_ae": "A", "called_ae": "B"}
    try:
        with pytest.raises(AssociationAborted, match=f"PDUs of {length} bytes only"):
            await connect("127.0.0.1", port, contexts=[ECHO], settings=NetSettings(), **names)
    finally:
        listener.close()
        await listener.wait_closed()


async def test_a_taken_port_is_named(start: Start) -> None:
    serving = await start()

    async def never(request: AssociateRequest, peer: Peer) -> Admission | Rejection:
        raise AssertionError

    with pytest.raises(Refused, match=f"port {serving.port} "):
        await Server(NetSettings(), Services(), never).start("127.0.0.1", serving.port)


async def test_limits_refuse_for_now_and_places_come_free(start: Start) -> None:
    for settings in (NetSettings(max_associations=2), NetSettings(max_associations_per_host=2)):
        serving = await start(settings)
        first, second = await serving.call(ECHO), await serving.call(ECHO)
        with pytest.raises(AssociationRejected, match="local limit exceeded") as caught:
            await serving.call(ECHO)
        assert caught.value.transient
        assert serving.crowd == ["127.0.0.1"]
        assert await second.echo() == 0
        await first.release()
        await eventually(lambda: len(serving.server.associations) == 1)  # noqa: B023
        third = await serving.call(ECHO)
        await third.release()
        await second.release()


async def test_a_connection_that_never_asks_is_closed(start: Start) -> None:
    serving = await start(NetSettings(artim=0.3))
    for said in (b"", AssociateRequest("A", "B", (), UserInformation()).encode()[:50]):
        reader, writer = await asyncio.open_connection("127.0.0.1", serving.port)
        writer.write(said)
        began = time.monotonic()
        assert await read_to_end(reader) == b""
        assert time.monotonic() - began < 5
        writer.close()
    assert not serving.server.associations


async def test_an_idle_association_is_aborted_and_a_busy_one_not(start: Start) -> None:
    serving = await start(NetSettings(idle_timeout=0.4))
    idle, busy = await serving.call(ECHO), await serving.call()

    async def keep_busy() -> None:
        while idle.is_open:
            assert await busy.echo() == 0
            await asyncio.sleep(0.02)

    async with asyncio.timeout(10):
        await keep_busy()
    assert busy.is_open and "abort" in idle.ended
    await busy.release()


@pytest.mark.parametrize("trickle", [False, True])
async def test_a_message_that_does_not_go_on_is_given_up(start: Start, trickle: bool) -> None:
    serving = await start(NetSettings(dimse_timeout=0.4))
    slow, other = await serving.call(), await serving.call()
    context = slow.context_for(CT)
    assert context is not None
    slow.wire.write(frame(context.id, store_rq(1, CT, "1.2").encode(), 1000, command=True))
    slow.wire.write(frame(context.id, bytes(100_000), 200_000, command=False)[:50_000])
    async with asyncio.timeout(10):
        while slow.is_open:
            if trickle:
                slow.wire.write(b"x")
            assert await other.echo() == 0
            await asyncio.sleep(0.02)
    assert serving.kept.aborted == ["1.2"] and not serving.kept.objects
    assert other.is_open
    await other.release()


async def test_an_answer_that_takes_too_long_ends_the_association(start: Start) -> None:
    serving = await start(NetSettings(answer_timeout=0.3))
    serving.kept.answer_when = asyncio.Event()
    assoc = await serving.call()
    context = assoc.context_for(CT)
    assert context is not None
    source = BytesSource(b"abcd", sop_class_uid=CT, sop_instance_uid="1.2", transfer_syntax_uid=EXPLICIT)
    with pytest.raises(AssociationAborted):
        await assoc.store(source, context)
    serving.kept.answer_when.set()
    await eventually(lambda: not serving.kept.open)


async def test_a_receiver_that_reads_nothing_is_given_up(start: Start) -> None:
    """The peer accepts and then reads no more: what we send piles up to the transport's limit only."""
    accept_all = NegotiationPolicy(dict.fromkeys(ALL, ANY))

    async def admit(request: AssociateRequest, peer: Peer) -> Admission | Rejection:
        return Admission(None, accept_all)

    serving = await start(NetSettings(dimse_timeout=60), admit=admit)
    assoc = await serving.call(settings=NetSettings(send_timeout=0.5, acse_timeout=5))
    (there,) = serving.server.associations.values()
    there.wire.pause_reading(1)
    context = assoc.context_for(CT)
    assert context is not None
    source = BytesSource(
        bytes(50_000_000), sop_class_uid=CT, sop_instance_uid="1.2", transfer_syntax_uid=EXPLICIT
    )
    with pytest.raises((PeerTimeout, AssociationAborted)):
        async with asyncio.timeout(15):
            await assoc.store(source, context)
    assert not assoc.is_open and assoc.bytes_out < 20_000_000
    there.wire.resume_reading(1)
    await eventually(lambda: not there.is_open)


async def test_a_caller_that_never_releases_does_not_hold_up_the_stop(start: Start) -> None:
    serving = await start()
    assoc = await serving.call(ECHO)
    began = time.monotonic()
    await serving.server.stop(5)
    assert time.monotonic() - began < 4
    await eventually(lambda: not assoc.is_open)
    with pytest.raises(PeerUnreachable):
        await serving.call(ECHO)


async def test_stopping_lets_an_object_on_its_way_arrive(start: Start) -> None:
    serving = await start()
    serving.kept.hold = True
    assoc = await serving.call()
    context = assoc.context_for(CT)
    assert context is not None
    data = bytes(range(256)) * 12_000
    source = BytesSource(data, sop_class_uid=CT, sop_instance_uid="1.2", transfer_syntax_uid=EXPLICIT)
    task = asyncio.create_task(assoc.store(source, context))
    await eventually(lambda: serving.kept.pieces > 0)
    stop = asyncio.create_task(serving.server.stop(10))
    await asyncio.sleep(0)
    serving.kept.let_go()
    assert (await task).status == 0
    await stop
    assert serving.kept.objects == {"1.2": data}


async def test_release_collision(start: Start) -> None:
    serving = await start()
    assoc = await serving.call(ECHO)
    (there,) = serving.server.associations.values()
    async with asyncio.timeout(10):
        await asyncio.gather(assoc.release(), there.release())
    assert not assoc.is_open and not there.is_open
    assert assoc.ended == there.ended == ""


async def test_the_acceptor_may_release(start: Start) -> None:
    serving = await start()
    assoc = await serving.call(ECHO)
    (there,) = serving.server.associations.values()
    await there.release()
    await eventually(lambda: not assoc.is_open)
    assert assoc.ended == there.ended == ""


async def test_a_peer_that_does_not_answer_the_release_is_aborted() -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(6)
        request = decode(1, await reader.readexactly(int.from_bytes(head[2:], "big")))
        assert isinstance(request, AssociateRequest)
        answer, _ = negotiate(request, POLICY, implementation_class_uid="1.2", implementation_version="")
        writer.write(answer.encode())
        heard.append(await reader.read(1000))
        heard.append(await reader.read(1000))
        writer.close()

    heard: list[bytes] = []
    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    assoc = await connect(
        "127.0.0.1", port, calling_ae="A", called_ae="B", contexts=[ECHO], settings=NetSettings()
    )
    await assoc.release(0.2)
    assert not assoc.is_open
    await eventually(lambda: len(heard) == 2)
    assert heard[0] == ReleaseRequest().encode() and heard[1][0] == 7
    listener.close()
    await listener.wait_closed()


async def test_the_common_cells_over_a_socket(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ends of real connections take the cells of PS3.8 table 9-10 that daily life takes."""
    seen: dict[bool, set[tuple[str, int, str]]] = {True: set(), False: set()}

    class Watched(Engine):
        def __init__(self, *, requestor: bool, max_pdu: int = 0, state: int = 1) -> None:
            super().__init__(requestor=requestor, max_pdu=max_pdu, state=state)
            self.history = []
            engines.append(self)

    engines: list[Watched] = []
    monkeypatch.setattr("filmless.net.dialogue.Engine", Watched)

    async def admit(request: AssociateRequest, peer: Peer) -> Admission | Rejection:
        return Rejection(1, 1, 7) if request.contexts[0].abstract_syntax == CT else Admission(None, POLICY)

    serving = await start(NetSettings(artim=0.2), admit=admit)
    released = await serving.call(ECHO)
    await released.echo()
    await released.release()
    with pytest.raises(AssociationRejected):
        await serving.call(ContextRequest(CT, (EXPLICIT,)))
    aborted = await serving.call(ECHO)
    await aborted.abort()
    broken = await serving.call(ECHO)
    broken.wire.write(b"\x42\0\0\0\0\4abcd")
    await eventually(lambda: not broken.is_open)
    cut = await serving.call(ECHO)
    cut.wire.cut()
    reader, writer = await asyncio.open_connection("127.0.0.1", serving.port)
    await read_to_end(reader)
    writer.close()
    colliding = await serving.call(ECHO)
    (there,) = [
        a for a in serving.server.associations.values() if a.is_open and a.peer.port == port_of(colliding)
    ]
    await asyncio.gather(colliding.release(), there.release())
    await eventually(lambda: all(engine.state == 1 for engine in engines))
    for engine in engines:
        for step in engine.history or []:
            assert TABLE[step.event, step.state][0] == step.action
            seen[engine.requestor].add((step.event, step.state, step.action))
    both = {("Evt9", 6, "DT-1"), ("Evt10", 6, "DT-2"), ("Evt11", 6, "AR-1"), ("Evt17", 13, "AR-5")}
    assert seen[True] >= both | {
        ("Evt1", 1, "AE-1"),
        ("Evt2", 4, "AE-2"),
        ("Evt3", 5, "AE-3"),
        ("Evt4", 5, "AE-4"),
        ("Evt13", 7, "AR-3"),
        ("Evt15", 6, "AA-1"),
        ("Evt16", 6, "AA-3"),
        ("Evt17", 6, "AA-4"),
        ("Evt12", 7, "AR-8"),
        ("Evt14", 9, "AR-9"),
        ("Evt13", 11, "AR-3"),
    }
    assert seen[False] >= both | {
        ("Evt5", 1, "AE-5"),
        ("Evt6", 2, "AE-6"),
        ("Evt7", 3, "AE-7"),
        ("Evt8", 3, "AE-8"),
        ("Evt12", 6, "AR-2"),
        ("Evt14", 8, "AR-4"),
        ("Evt16", 6, "AA-3"),
        ("Evt17", 6, "AA-4"),
        ("Evt18", 2, "AA-2"),
        ("Evt19", 6, "AA-8"),
        ("Evt12", 7, "AR-8"),
        ("Evt13", 10, "AR-10"),
        ("Evt14", 12, "AR-4"),
    }


def port_of(assoc: Association) -> int:
    """Our end's port, by which the other end knows us."""
    assert assoc.wire.transport is not None
    return int(assoc.wire.transport.get_extra_info("sockname")[1])


async def test_cancelling_a_call_leaves_nothing_open(start: Start) -> None:
    async def slow(request: AssociateRequest, peer: Peer) -> Admission | Rejection:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    asked = asyncio.Event()
    serving = await start(admit=slow)
    task = asyncio.create_task(serving.call(ECHO))
    async with asyncio.timeout(5):
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await eventually(lambda: not serving.server.associations)


async def test_waiting_for_a_place_in_the_window_ends_with_the_association(start: Start) -> None:
    serving = await start()
    serving.kept.answer_when = asyncio.Event()
    assoc = await serving.call()
    context = assoc.context_for(CT)
    assert context is not None

    async def store(assoc: Association, uid: str) -> None:
        source = BytesSource(b"ab", sop_class_uid=CT, sop_instance_uid=uid, transfer_syntax_uid=EXPLICIT)
        assert context is not None
        await assoc.store(source, context)

    tasks = [asyncio.create_task(store(assoc, f"1.{i}")) for i in range(5)]
    await eventually(lambda: len(serving.kept.open) == 1)
    await assoc.abort()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, AssociationAborted) for result in results)
    serving.kept.answer_when.set()
    await eventually(lambda: not serving.kept.open)
