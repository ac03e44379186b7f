"""A server with sinks in memory, on asyncio's own loop and on uvloop."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvloop

from filmless.dicom.dimse import Command
from filmless.dicom.ul.negotiation import ANY, Context, ContextRequest, NegotiationPolicy
from filmless.net.association import Association, connect
from filmless.net.model import Admission, NetSettings, Peer, Rejection, StoreAnswer
from filmless.net.server import AssociateRequest, Server, Services

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
GET = "1.2.840.10008.5.1.4.1.2.2.3"
COMMITMENT = "1.2.840.10008.1.20.1"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
ALL = (VERIFICATION, CT, FIND, MOVE, GET, COMMITMENT)

POLICY = NegotiationPolicy(dict.fromkeys(ALL, ANY), roles={CT: (True, True)}, async_ops=(4, 4))


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Any]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class Kept:
    """A storage handler that keeps data sets in memory and does as it is told.

    `hold`: the slabs are given back only with `let_go`, and `write` asks for a pause. `answer_when`: answers wait
    for this event. `fail_begin`, `fail_write`, `fail_finish` are raised there.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.aborted: list[str] = []
        self.open: list[Sink] = []
        self.hold = False
        self.answer_when: asyncio.Event | None = None
        self.answer = StoreAnswer()
        self.fail_begin: Exception | None = None
        self.fail_write: Exception | None = None
        self.fail_finish: Exception | None = None
        self.most_at_once = 0
        self.pieces = 0

    def begin(self, assoc: Association, context: Context, command: Command) -> "Sink":
        if self.fail_begin is not None:
            raise self.fail_begin
        sink = Sink(self, command.affected_sop_instance_uid)
        self.open.append(sink)
        self.most_at_once = max(self.most_at_once, len(self.open))
        return sink

    def let_go(self) -> None:
        self.hold = False
        for sink in list(self.open):
            sink.let_go()


class Sink:
    def __init__(self, kept: Kept, uid: str) -> None:
        self.on_ready: Callable[[], None] | None = None
        self.kept = kept
        self.uid = uid
        self.held: list[tuple[memoryview, Callable[[], None]]] = []
        self.data = bytearray()

    def write(self, data: memoryview, release: Callable[[], None]) -> bool:
        self.kept.pieces += 1
        if self.kept.fail_write is not None:
            raise self.kept.fail_write
        self.held.append((data, release))
        if self.kept.hold:
            return False
        self.let_go()
        return True

    def let_go(self) -> None:
        for data, release in self.held:
            self.data += data
            release()
        self.held.clear()
        if self.on_ready is not None:
            self.on_ready()

    async def finish(self) -> StoreAnswer:
        if self.kept.answer_when is not None:
            await self.kept.answer_when.wait()
        self.kept.open.remove(self)
        if self.kept.fail_finish is not None:
            raise self.kept.fail_finish
        self.let_go()
        self.kept.objects[self.uid] = bytes(self.data)
        return self.kept.answer

    def abort(self) -> None:
        for _, release in self.held:
            release()
        self.kept.open.remove(self)
        self.kept.aborted.append(self.uid)


class Serving:
    """A running server and what a test wants to see of it."""

    def __init__(self, server: Server, port: int, kept: Kept, services: Services) -> None:
        self.server = server
        self.port = port
        self.kept = kept
        self.services = services
        self.asked: list[tuple[AssociateRequest, Peer]] = []
        #: hosts whose associations were refused because there were too many
        self.crowd: list[str] = []

    async def call(self, *contexts: ContextRequest, **more: Any) -> Association:
        """An association with us; by default every class in explicit VR little endian."""
        settings = more.pop("settings", NetSettings(acse_timeout=5, response_timeout=10))
        return await connect(
            "127.0.0.1",
            self.port,
            calling_ae="CALLER",
            called_ae="CALLED",
            contexts=contexts or [ContextRequest(uid, (EXPLICIT,)) for uid in ALL],
            settings=settings,
            **more,
        )


Start = Callable[..., Awaitable[Serving]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts servers: `await start(settings=..., policy=..., admit=..., tls=...)`; stops them afterwards and
    checks that no association, no task and no receive buffer is left over."""
    running: list[Serving] = []

    async def begin(
        settings: NetSettings | None = None,
        policy: NegotiationPolicy = POLICY,
        admit: Callable[[AssociateRequest, Peer], Awaitable[Admission | Rejection]] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> Serving:
        kept = Kept()
        services = Services(kept)

        async def let_in(request: AssociateRequest, peer: Peer) -> Admission | Rejection:
            serving.asked.append((request, peer))
            return Admission("somebody", policy)

        server = Server(
            settings or NetSettings(),
            services,
            admit or let_in,
            tls,
            crowded=lambda _request, peer: serving.crowd.append(peer.host),
        )
        serving = Serving(server, await server.start("127.0.0.1", 0), kept, services)
        running.append(serving)
        return serving

    yield begin
    for serving in running:
        serving.kept.let_go()
        await serving.server.stop(0)
        assert not serving.server.associations
        pool = serving.server.slabs
        assert pool.made == pool.idle, "a receive buffer was not given back"


async def eventually(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until `condition` holds; fail after a deadline."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
