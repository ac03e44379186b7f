"""The DICOM server: listens, admits, and keeps the associations that are open."""

import asyncio
import dataclasses
import errno
import logging
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

from filmless.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from filmless.dicom.ul.negotiation import ANY, Context, ContextRequest, NegotiationPolicy, negotiate, windows
from filmless.dicom.ul.pdu import AssociateAccept, AssociateReject, AssociateRequest
from filmless.kit.errors import Refused
from filmless.net.dialogue import Association
from filmless.net.model import (
    Admission,
    NetSettings,
    Peer,
    Rejection,
    Reply,
    StoreAnswer,
    StoreSink,
)
from filmless.net.serving import Inbox, RequestHandler, Services, StoreHandler
from filmless.net.slabs import SlabPool
from filmless.net.wire import LINGER

__all__ = [
    "ANY",
    "Admission",
    "AssociateRequest",
    "Association",
    "Context",
    "ContextRequest",
    "NegotiationPolicy",
    "Peer",
    "Rejection",
    "Reply",
    "RequestHandler",
    "Server",
    "Services",
    "StoreAnswer",
    "StoreHandler",
    "StoreSink",
]

logger = logging.getLogger(__name__)

Admit = Callable[[AssociateRequest, Peer], Awaitable[Admission | Rejection]]

LIMIT_EXCEEDED = AssociateReject(2, 3, 2)
CONGESTED = AssociateReject(2, 3, 1)


class Server:
    """Accepts associations on one port.

    `admit` is asked about each request and answers within the ACSE time-out, or the association is refused
    for now. Closing: `stop`.
    """

    def __init__(
        self,
        settings: NetSettings,
        services: Services,
        admit: Admit,
        tls: ssl.SSLContext | None = None,
        *,
        crowded: Callable[[AssociateRequest, Peer], None] | None = None,
    ) -> None:
        """`crowded` hears of each association that was refused because there are too many."""
        self._crowded = crowded
        self._settings = settings
        self._services = services
        self._admit = admit
        self._tls = tls
        #: receive buffers of all connections
        self.slabs = SlabPool()
        self._listener: asyncio.Server | None = None
        self._associations: dict[str, Association] = {}
        self._connections: set[Association] = set()
        self._per_host: Counter[str] = Counter()
        self._admissions: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        #: associations refused since the start, by reason in words
        self.refusals: Counter[str] = Counter()

    @property
    def associations(self) -> Mapping[str, Association]:
        """The established associations by ID, a live view."""
        return self._associations

    async def start(self, bind: str, port: int) -> int:
        """Listen; the port, which the system chose where 0 was asked for. Raises Refused for a taken port."""
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                self._connection,
                bind,
                port,
                ssl=self._tls,
                backlog=512,
                reuse_address=True,
                ssl_handshake_timeout=self._settings.artim if self._tls else None,
                ssl_shutdown_timeout=LINGER if self._tls else None,
            )
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise Refused(
                    f"port {port} on {bind} is taken by another program", code="port-taken"
                ) from error
            raise Refused(f"cannot listen on {bind}:{port}: {error.strerror}", code="bind") from error
        return int(self._listener.sockets[0].getsockname()[1])

    async def stop(self, grace: float = 10) -> None:
        """Listen no more, let operations that are under way end within `grace` seconds, and close everything."""
        if self._listener is not None:
            self._listener.close()
        deadline = asyncio.get_running_loop().time() + grace
        while True:
            self._changed.clear()
            for assoc in list(self._connections):
                if not assoc.is_open or not (assoc.outstanding or assoc.busy):
                    assoc.fail("the server stops")
            left = deadline - asyncio.get_running_loop().time()
            if not self._associations or left <= 0:
                break
            try:
                async with asyncio.timeout(min(left, 0.05)):
                    await self._changed.wait()
            except TimeoutError:
                continue
        for task in list(self._admissions):
            task.cancel()
        connections = list(self._connections)
        if connections:
            await asyncio.gather(*(assoc.abort() for assoc in connections))
        if self._listener is not None:
            await self._listener.wait_closed()

    # -- connections -----------------------------------------------------------------------------------

    def _connection(self) -> asyncio.BaseProtocol:
        assoc = Association(
            requestor=False,
            settings=self._settings,
            slabs=self.slabs,
            max_pdu=self._settings.max_pdu,
            on_associated=self._requested,
            on_end=self._ended,
            on_connected=self._connected,
        )
        return assoc.wire

    def _connected(self, assoc: Association) -> None:
        # not before: a TLS handshake that fails never comes this far
        self._connections.add(assoc)
        assoc.wire.closed.add_done_callback(lambda _: self._connections.discard(assoc))
        if len(self._connections) > 2 * self._settings.max_associations + 16:
            # not even a refusal is due to connections that ask for nothing
            asyncio.get_running_loop().call_soon(assoc.wire.cut)

    def _requested(
        self, assoc: Association, pdu: AssociateRequest | AssociateAccept | AssociateReject
    ) -> None:
        assert isinstance(pdu, AssociateRequest)
        task = asyncio.get_running_loop().create_task(self._decide(assoc, pdu))
        self._admissions.add(task)
        task.add_done_callback(self._admissions.discard)

    async def _decide(self, assoc: Association, request: AssociateRequest) -> None:
        assoc.calling_ae, assoc.called_ae = request.calling_ae, request.called_ae
        user = request.user
        assoc.peer = peer = dataclasses.replace(
            assoc.peer,
            ae_title=request.calling_ae,
            user_identity=user.user_identity,
            implementation=user.implementation_version or user.implementation_class_uid,
        )
        if (
            len(self._associations) >= self._settings.max_associations
            or self._per_host[peer.host] >= self._settings.max_associations_per_host
        ):
            self._reject(assoc, LIMIT_EXCEEDED)
            if self._crowded is not None:
                self._crowded(request, peer)
            return
        # the place is taken while admission is decided, so that a crowd cannot slip past the limits
        self._associations[assoc.id] = assoc
        self._per_host[peer.host] += 1
        try:
            async with asyncio.timeout(self._settings.acse_timeout):
                decision = await self._admit(request, peer)
        except Exception:
            logger.exception("admission of %s could not be decided", peer.ae_title)
            decision = CONGESTED
        if assoc.engine.state != 3:
            self._leave(assoc)  # it went away meanwhile, perhaps before the place was taken
            return
        if isinstance(decision, AssociateReject):
            self._leave(assoc)
            self._reject(assoc, decision)
            return
        self._accept(assoc, request, decision)

    def _accept(self, assoc: Association, request: AssociateRequest, admission: Admission) -> None:
        accept, contexts = negotiate(
            request,
            admission.policy,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version=IMPLEMENTATION_VERSION_NAME,
            identity_response=admission.identity_response,
        )
        they_invoke, they_perform = windows(request, accept)
        assoc.who = admission.who
        inbox = Inbox(assoc, self._services, they_invoke)
        assoc.incoming = inbox
        assoc.wire.on_pdv = inbox.pdv
        assoc.open(contexts, request.user.max_length, they_perform)
        assoc.wire.perform(assoc.engine.accept(accept))
        logger.info(
            "association %s from %s (%s): %d of %d contexts accepted",
            assoc.id,
            assoc.calling_ae,
            assoc.peer.host,
            len(contexts),
            len(request.contexts),
        )

    def _reject(self, assoc: Association, rejection: Rejection) -> None:
        logger.info(
            "association from %s (%s) to %s refused: %s",
            assoc.calling_ae,
            assoc.peer.host,
            assoc.called_ae,
            rejection.words,
        )
        self.refusals[rejection.words] += 1
        assoc.wire.perform(assoc.engine.reject(rejection))

    def _ended(self, assoc: Association) -> None:
        if self._leave(assoc) and assoc.ended:
            logger.info("association %s from %s ended: %s", assoc.id, assoc.calling_ae, assoc.ended)

    def _leave(self, assoc: Association) -> bool:
        if self._associations.pop(assoc.id, None) is None:
            return False
        self._per_host[assoc.peer.host] -= 1
        if not self._per_host[assoc.peer.host]:
            del self._per_host[assoc.peer.host]
        self._changed.set()
        return True
