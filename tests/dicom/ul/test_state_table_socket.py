"""The common cells of the state table, observed over real sockets against the server and the requestor."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.dicom.ul.test_state_table import CELLS, RECEIVED, acceptance, request

from filmless.dicom.ul.engine import Engine, Step
from filmless.dicom.ul.negotiation import ANY, ContextRequest, NegotiationPolicy
from filmless.dicom.ul.pdu import AssociateReject
from filmless.kit.errors import FilmlessError
from filmless.net import dialogue
from filmless.net.association import Association, connect
from filmless.net.model import Admission, NetSettings, Peer
from filmless.net.server import AssociateRequest, Server
from filmless.net.serving import Services

HOST = "127.0.0.1"
VERIFICATION, IMPLICIT = "1.2.840.10008.1.1", "1.2.840.10008.1.2"
EXPECTED = {(cell.event, cell.state): cell for cell in CELLS}
#: a C-ECHO-RQ as one P-DATA-TF PDU in context 1
ECHO = bytes.fromhex(
    "04 00 0000004A 00000046 01 03"
    "00000000 04000000 38000000"
    "00000200 12000000 312E322E3834302E31303030382E312E3100"
    "00000001 02000000 3000"
    "00001001 02000000 0100"
    "00000008 02000000 0101"
)
ABORT, RELEASE, RELEASED, UNKNOWN = (RECEIVED[event] for event in ("Evt16", "Evt12", "Evt13", "Evt19"))


class Observed:
    """Every move of every engine made since the test began."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    async def until(self, *cells: tuple[str, int]) -> None:
        """Wait for these cells, in any order; every move so far is one of the standard's."""
        async with asyncio.timeout(10):
            while not set(cells) <= {(step.event, step.state) for step in self.steps}:
                await asyncio.sleep(0.002)
        for step in self.steps:
            cell = EXPECTED[step.event, step.state]
            assert (step.action, step.next_state in cell.next_states) == (cell.action, True), step


@pytest.fixture
def observed(monkeypatch: pytest.MonkeyPatch) -> Observed:
    found = Observed()

    class Watched(Engine):
        def __init__(self, **arguments: Any) -> None:
            super().__init__(**arguments)
            self.history = found.steps

    monkeypatch.setattr(dialogue, "Engine", Watched)
    return found


class Caller:
    """The peer of our server: a socket, and the PDUs that it reads."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, *pdus: bytes) -> None:
        self.writer.write(b"".join(pdus))

    async def hear(self) -> int:
        """The type of the next PDU; 0 where the connection is closed."""
        try:
            async with asyncio.timeout(10):
                head = await self.reader.readexactly(6)
                await self.reader.readexactly(int.from_bytes(head[2:], "big"))
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0
        return head[0]

    def leave(self) -> None:
        self.writer.close()


@asynccontextmanager
async def server(
    *, artim: float = 30, reject: bool = False
) -> AsyncIterator[tuple[Server, Callable[[], Any]]]:
    async def admit(asked: AssociateRequest, peer: Peer) -> Admission | AssociateReject:
        return (
            AssociateReject(1, 1, 7) if reject else Admission("who", NegotiationPolicy({VERIFICATION: ANY}))
        )

    ours = Server(NetSettings(artim=artim), Services(), admit)
    port = await ours.start(HOST, 0)
    callers: list[Caller] = []

    async def call() -> Caller:
        callers.append(Caller(*await asyncio.open_connection(HOST, port)))
        return callers[-1]

    try:
        yield ours, call
    finally:
        for caller in callers:
            caller.leave()
        await ours.stop(grace=0)


async def test_an_association_from_beginning_to_end(observed: Observed) -> None:
    async with server() as (_, call):
        peer = await call()
        peer.say(request().encode())
        assert await peer.hear() == 2
        peer.say(ECHO)
        assert await peer.hear() == 4
        peer.say(RELEASE)
        assert await peer.hear() == 6
        peer.leave()
        await observed.until(
            *(("Evt5", 1), ("Evt6", 2), ("Evt7", 3), ("Evt10", 6), ("Evt12", 6), ("Evt14", 8), ("Evt17", 13))
        )


async def test_refusals(observed: Observed) -> None:
    async with server(reject=True) as (_, call):
        peer = await call()
        peer.say(request().encode())
        assert await peer.hear() == 3
        peer.leave()
        await observed.until(("Evt8", 3), ("Evt17", 13))
        other = await call()
        other.say(request(application_context="1.2.3").encode())
        assert await other.hear() == 3
    assert Step("Evt6", 2, "AE-6", 13) in observed.steps


@pytest.mark.parametrize("event", ["Evt3", "Evt4", "Evt10", "Evt12", "Evt13", "Evt19"])
async def test_something_else_before_the_request(observed: Observed, event: str) -> None:
    async with server() as (_, call):
        peer = await call()
        peer.say(RECEIVED[event])
        assert await peer.hear() == 7
        await observed.until((event, 2))


@pytest.mark.parametrize("event", ["Evt3", "Evt4", "Evt6", "Evt13", "Evt19"])
async def test_something_else_while_associated(observed: Observed, event: str) -> None:
    async with server() as (_, call):
        peer = await call()
        peer.say(request().encode())
        assert await peer.hear() == 2
        peer.say(RECEIVED[event])
        assert await peer.hear() == 7
        await observed.until((event, 6))


@pytest.mark.parametrize("event", ["Evt3", "Evt4", "Evt6", "Evt10", "Evt12", "Evt13", "Evt16", "Evt19"])
async def test_what_comes_after_the_end(observed: Observed, event: str) -> None:
    async with server() as (_, call):
        peer = await call()
        peer.say(UNKNOWN, RECEIVED[event])
        assert await peer.hear() == 7
        await observed.until(("Evt19", 2), (event, 13))


async def test_aborts_and_lost_connections(observed: Observed) -> None:
    async with server() as (_, call):
        for said in ([], [request().encode()]):
            for ending in (ABORT, b""):
                peer = await call()
                for pdu in said:
                    peer.say(pdu)
                    assert await peer.hear() == 2
                peer.say(ending)
                if ending:
                    assert await peer.hear() == 0
                peer.leave()
        await observed.until(("Evt16", 2), ("Evt17", 2), ("Evt16", 6), ("Evt17", 6))


async def test_artim(observed: Observed) -> None:
    async with server(artim=0.05) as (_, call):
        silent = await call()
        assert await silent.hear() == 0
        await observed.until(("Evt18", 2))
        staying = await call()
        staying.say(UNKNOWN)
        assert await staying.hear() == 7
        assert await staying.hear() == 0
        await observed.until(("Evt18", 13))


async def test_we_release_and_the_other_side_too(observed: Observed) -> None:
    """The collision as its acceptor (PS3.8 7.2.2)."""
    async with server() as (ours, call):
        peer = await call()
        peer.say(request().encode())
        assert await peer.hear() == 2
        [association] = ours.associations.values()
        releasing = asyncio.create_task(association.release(5))
        assert await peer.hear() == 5
        peer.say(RELEASE)
        await observed.until(("Evt11", 6), ("Evt12", 7))
        peer.say(RELEASED)
        assert await peer.hear() == 6
        peer.leave()
        await releasing
        await observed.until(("Evt13", 10), ("Evt14", 12), ("Evt17", 13))


@asynccontextmanager
async def provider(behave: Callable[[Caller], Awaitable[None]]) -> AsyncIterator[int]:
    """A provider that reads an association request and then does as told."""
    failures: list[BaseException] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            peer = Caller(reader, writer)
            assert await peer.hear() == 1
            await behave(peer)
            while await peer.hear():
                pass
        except BaseException as error:
            failures.append(error)
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, HOST, 0)
    yield listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()
    assert not failures


async def calling(port: int) -> Association:
    return await connect(
        HOST,
        port,
        calling_ae="US",
        called_ae="THEM",
        contexts=[ContextRequest(VERIFICATION, (IMPLICIT,))],
        settings=NetSettings(acse_timeout=5, connect_timeout=5),
    )


async def test_we_call_and_release(observed: Observed) -> None:
    async def behave(peer: Caller) -> None:
        peer.say(acceptance().encode())
        assert await peer.hear() == 5
        peer.say(RECEIVED["Evt10"], RELEASED)

    async with provider(behave) as port:
        await (await calling(port)).release(5)
        await observed.until(
            *(("Evt1", 1), ("Evt2", 4), ("Evt3", 5), ("Evt11", 6), ("Evt10", 7), ("Evt13", 7))
        )


async def test_both_release_and_we_called(observed: Observed) -> None:
    async def behave(peer: Caller) -> None:
        peer.say(acceptance().encode())
        assert await peer.hear() == 5
        peer.say(RELEASE)
        assert await peer.hear() == 6
        peer.say(RELEASED)

    async with provider(behave) as port:
        await (await calling(port)).release(5)
        await observed.until(("Evt12", 7), ("Evt14", 9), ("Evt13", 11))


async def test_we_abort(observed: Observed) -> None:
    async def behave(peer: Caller) -> None:
        peer.say(acceptance().encode())
        assert await peer.hear() == 7

    async with provider(behave) as port:
        await (await calling(port)).abort()
        await observed.until(("Evt15", 6))


@pytest.mark.parametrize(
    ("said", "cell"),
    [
        (RECEIVED["Evt4"], ("Evt4", 5)),
        (ABORT, ("Evt16", 5)),
        (RELEASE, ("Evt12", 5)),
        (RECEIVED["Evt10"], ("Evt10", 5)),
        (UNKNOWN, ("Evt19", 5)),
        (b"", ("Evt17", 5)),
    ],
)
async def test_a_request_that_is_not_accepted(observed: Observed, said: bytes, cell: tuple[str, int]) -> None:
    async def behave(peer: Caller) -> None:
        peer.say(said)
        if not said:
            peer.leave()

    async with provider(behave) as port:
        with pytest.raises(FilmlessError):
            await calling(port)
        await observed.until(cell)
