"""An association in use, from either end: the operations that we ask for, and the sending of messages."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from filmless.dicom import dimse
from filmless.dicom.dimse import Command, CommandField
from filmless.dicom.ul.engine import Engine
from filmless.dicom.ul.negotiation import Context
from filmless.dicom.ul.pdu import AssociateAccept, AssociateReject, AssociateRequest
from filmless.kit.clock import now
from filmless.net.asking import Asking, is_pending
from filmless.net.model import DataSource, NetSettings, Peer
from filmless.net.slabs import SlabPool
from filmless.net.speaking import Speaker
from filmless.net.watch import Watch
from filmless.net.wire import LINGER, Wire, peer_of

logger = logging.getLogger(__name__)

VERIFICATION: Final = "1.2.840.10008.1.1"


class Incoming(Protocol):
    """What receives messages on an association (serving.Inbox)."""

    @property
    def inside_message(self) -> bool: ...
    @property
    def outstanding(self) -> int: ...
    def close(self) -> None: ...


class Association:
    """One association, in either role.

    Made by `connect` or by `Server`. Operations may be started by several tasks at once: they wait for each
    other where no asynchronous window was negotiated. When the association ends, every operation that waits
    raises AssociationAborted.
    """

    def __init__(
        self,
        *,
        requestor: bool,
        settings: NetSettings,
        slabs: SlabPool,
        max_pdu: int,
        on_associated: "Callable[[Association, AssociateRequest | AssociateAccept | AssociateReject], None]",
        on_end: "Callable[[Association], None]",
        on_connected: "Callable[[Association], None] | None" = None,
    ) -> None:
        self.id = uuid.uuid4().hex[:12]
        self.requestor = requestor
        self.settings = settings
        self.started_at: datetime = now()
        self.calling_ae = ""
        self.called_ae = ""
        self.peer = Peer("", "", 0)
        #: what the admission said about the caller; None for associations that we asked for
        self.who: Any = None
        self.contexts: Mapping[int, Context] = {}
        self.max_pdu_out = 0
        #: requests of ours that may be under way at once, as negotiated; 0 is unlimited
        self.window = 1
        self.is_open = False
        #: why it ended, in words; empty while it lasts and after a release
        self.ended = ""
        self.images_in = 0
        self.images_out = 0
        self.engine = Engine(requestor=requestor, max_pdu=max_pdu)
        self.wire = Wire(self.engine, self, settings, slabs)
        self.incoming: Incoming | None = None
        self._on_associated = on_associated
        self._on_end = on_end
        self._on_connected = on_connected
        self._watch = Watch(self.wire, settings, self._doing, self.fail)
        self._speaker = Speaker(self.wire, self.fail)
        self.asking = Asking(self.wire, settings, self._serving, self.fail)
        self._released: asyncio.Future[None] | None = None
        self._over = False

    # -- facts -----------------------------------------------------------------------------------------

    @property
    def bytes_in(self) -> int:
        return self.wire.bytes_in

    @property
    def bytes_out(self) -> int:
        return self.wire.bytes_out

    @property
    def outstanding(self) -> int:
        """Requests of either side that have no final response yet."""
        return len(self.asking) + self._serving()

    def _serving(self) -> int:
        return self.incoming.outstanding if self.incoming is not None else 0

    @property
    def busy(self) -> bool:
        """A message is arriving."""
        return self.incoming is not None and self.incoming.inside_message

    def context_for(
        self, abstract_syntax: str, transfer_syntax: str | None = None, role: str = "scu"
    ) -> Context | None:
        """The first accepted context for a class (and syntax) in which we have the role, or None."""
        for context in self.contexts.values():
            if (
                context.abstract_syntax == abstract_syntax
                and transfer_syntax in (None, context.transfer_syntax)
                and (context.we_scu if role == "scu" else context.we_scp)
            ):
                return context
        return None

    # -- operations ------------------------------------------------------------------------------------

    async def echo(self) -> int:
        """C-ECHO; the status of the answer. Raises LookupError without a Verification context."""
        context = self.context_for(VERIFICATION)
        if context is None:
            raise LookupError("the other side did not accept Verification")
        answer, _ = await self._ask(context, CommandField.C_ECHO_RQ, dimse.echo_rq)
        return answer.status

    async def store(
        self,
        source: DataSource,
        context: Context,
        *,
        priority: int = 0,
        originator: tuple[str, int] | None = None,
    ) -> Command:
        """C-STORE of one object; the response.

        The data set is streamed as it is: the caller has chosen a context of its transfer syntax. A source
        that fails before its first byte was sent raises its own error and leaves the association usable;
        later, the association is aborted, as a message cannot be taken back.
        """
        operation = await self.asking.begin(CommandField.C_STORE_RQ)
        try:
            command = dimse.store_rq(
                operation.message_id,
                source.sop_class_uid,
                source.sop_instance_uid,
                priority=priority,
                originator=originator,
            )
            await self._speaker.send_object(context, command, source, operation)
            self.images_out += 1
            answer, _ = await self.asking.next(operation)
        except BaseException:
            self.asking.abandon(operation)
            raise
        finally:
            source.close()
        return answer

    def find(
        self, context: Context, identifier: bytes, *, priority: int = 0
    ) -> AsyncIterator[tuple[Command, bytes | None]]:
        """C-FIND: each response with its identifier, the final one last. Leaving the loop early cancels."""
        return self._ask_many(
            context,
            CommandField.C_FIND_RQ,
            lambda i: dimse.find_rq(i, context.abstract_syntax, priority=priority),
            identifier,
        )

    def move(
        self, context: Context, identifier: bytes, destination: str, *, priority: int = 0
    ) -> AsyncIterator[tuple[Command, bytes | None]]:
        """C-MOVE to `destination`, an AE title: each response, the final one last."""
        return self._ask_many(
            context,
            CommandField.C_MOVE_RQ,
            lambda i: dimse.move_rq(i, context.abstract_syntax, destination, priority=priority),
            identifier,
        )

    def get(
        self, context: Context, identifier: bytes, *, priority: int = 0
    ) -> AsyncIterator[tuple[Command, bytes | None]]:
        """C-GET: each response, the final one last; objects go to the storage handler given to `connect`."""
        return self._ask_many(
            context,
            CommandField.C_GET_RQ,
            lambda i: dimse.get_rq(i, context.abstract_syntax, priority=priority),
            identifier,
        )

    async def cancel(self, context: Context, message_id: int) -> None:
        """C-CANCEL of an operation of ours. Its final response still comes, with whatever status."""
        await self.send(self.framed(context, dimse.cancel_rq(message_id)))

    async def normalized(
        self,
        field: CommandField,
        context: Context,
        sop_instance_uid: str,
        dataset: bytes | None = None,
        *,
        sop_class_uid: str = "",
        **fields: dimse.Value,
    ) -> tuple[Command, bytes | None]:
        """Any DIMSE-N request: the response and its data set. The class is the context's unless given."""
        return await self._ask(
            context,
            field,
            lambda message_id: dimse.normalized_rq(
                field,
                message_id,
                sop_class_uid or context.abstract_syntax,
                sop_instance_uid,
                has_dataset=dataset is not None,
                **fields,
            ),
            dataset,
        )

    async def action(
        self, context: Context, sop_instance_uid: str, action_type_id: int, dataset: bytes | None = None
    ) -> tuple[Command, bytes | None]:
        """N-ACTION (PS3.7 10.1.4)."""
        return await self.normalized(
            CommandField.N_ACTION_RQ, context, sop_instance_uid, dataset, ActionTypeID=action_type_id
        )

    async def event_report(
        self, context: Context, sop_instance_uid: str, event_type_id: int, dataset: bytes | None = None
    ) -> tuple[Command, bytes | None]:
        """N-EVENT-REPORT (PS3.7 10.1.1)."""
        return await self.normalized(
            CommandField.N_EVENT_REPORT_RQ, context, sop_instance_uid, dataset, EventTypeID=event_type_id
        )

    async def create(
        self, context: Context, sop_instance_uid: str, dataset: bytes | None
    ) -> tuple[Command, bytes | None]:
        """N-CREATE (PS3.7 10.1.5); an empty instance UID lets the other side choose one."""
        return await self.normalized(CommandField.N_CREATE_RQ, context, sop_instance_uid, dataset)

    async def set(
        self, context: Context, sop_instance_uid: str, dataset: bytes
    ) -> tuple[Command, bytes | None]:
        """N-SET (PS3.7 10.1.3)."""
        return await self.normalized(CommandField.N_SET_RQ, context, sop_instance_uid, dataset)

    async def release(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - it ends in an A-ABORT
        """Release in order and close. Aborts where the peer does not answer in `timeout` seconds (the ACSE
        time-out by default); never raises for what the peer does."""
        if self.is_open and self.engine.state == 6:
            self._released = asyncio.get_running_loop().create_future()
            self.wire.perform(self.engine.release())
        if self._released is not None and not self._over:
            try:
                async with asyncio.timeout(timeout or self.settings.acse_timeout):
                    await asyncio.shield(self._released)
            except TimeoutError:
                self.fail("the other side did not answer the release")
        await self._closed()

    async def abort(self) -> None:
        """A-ABORT now, whatever is going on, and close."""
        self.fail("aborted by us")
        await self._closed(1)

    async def _closed(self, patience: float = LINGER) -> None:
        """Let the peer close first, as then it has read our last word."""
        await asyncio.wait([self.wire.closed], timeout=patience)
        self.wire.cut()

    # -- sending ---------------------------------------------------------------------------------------

    def post(self, framed: bytes) -> None:
        """Send a whole message now, or after the object that is being sent. Dropped when all is over."""
        self._speaker.post(framed)

    async def send(self, framed: bytes) -> None:
        """Send a whole message and wait until the peer takes more. Raises PeerTimeout, AssociationAborted."""
        await self._speaker.send(framed)

    def framed(self, context: Context, command: Command, dataset: bytes | None = None) -> bytes:
        """A message as PDUs for this peer."""
        return self._speaker.framed(context, command, dataset)

    def _doing(self) -> tuple[bool, int]:
        """For the watch: whether a message is arriving, and how many operations are outstanding."""
        return self.busy, self.outstanding

    # -- asking ----------------------------------------------------------------------------------------

    async def _ask(
        self,
        context: Context,
        field: CommandField,
        request: Callable[[int], Command],
        dataset: bytes | None = None,
    ) -> tuple[Command, bytes | None]:
        operation = await self.asking.begin(field)
        try:
            operation.sent = True
            await self.send(self.framed(context, request(operation.message_id), dataset))
            return await self.asking.next(operation)
        except BaseException:
            self.asking.abandon(operation)
            raise

    async def _ask_many(
        self, context: Context, field: CommandField, request: Callable[[int], Command], identifier: bytes
    ) -> AsyncIterator[tuple[Command, bytes | None]]:
        operation = await self.asking.begin(field, many=True)
        final = False
        try:
            operation.sent = True
            await self.send(self.framed(context, request(operation.message_id), identifier))
            while not final:
                answer = await self.asking.next(operation)
                final = not is_pending(answer[0])
                yield answer
        finally:
            if not final:
                self.asking.abandon(operation)
                self.post(self.framed(context, dimse.cancel_rq(operation.message_id)))

    # -- what the wire tells ---------------------------------------------------------------------------

    def connected(self, transport: asyncio.Transport) -> None:
        """The transport is open: note who is at its other end."""
        self.peer = peer_of(transport)
        if self._on_connected is not None:
            self._on_connected(self)

    def open(self, contexts: Mapping[int, Context], max_pdu_out: int, may_invoke: int) -> None:
        """The association is established."""
        self.contexts = contexts
        self.max_pdu_out = max_pdu_out
        self._speaker.open(max_pdu_out)
        self.window = may_invoke
        self.asking.open(may_invoke)
        self.is_open = True
        self._watch.start()

    def associated(self, pdu: AssociateRequest | AssociateAccept | AssociateReject) -> None:
        self._on_associated(self, pdu)

    def release_asked(self, *, collision: bool) -> None:
        """Release is agreed to at once; the acceptor of two that collide answers second (PS3.8 9.2.3)."""
        if self.engine.state not in (8, 9):
            # the acceptor's side of a collision, or what came behind the request has ended it already
            return
        self.wire.perform(self.engine.release_reply())
        if not collision:
            self._end("")

    def released(self) -> None:
        if self.engine.state == 12:
            self.wire.perform(self.engine.release_reply())
        if self._released is not None and not self._released.done():
            self._released.set_result(None)
        self._end("")

    def lost(self, why: str) -> None:
        self._end(why)

    def fail(self, why: str) -> None:
        """A-ABORT and end. Does nothing when it is over already."""
        if self._over:
            return
        if self.is_open:
            logger.info("association %s with %s: aborted: %s", self.id, self.peer.ae_title, why)
        self.wire.perform(self.engine.abort())
        self._end(why)

    def _end(self, why: str) -> None:
        if self._over:
            return
        self._over = True
        self.is_open = False
        self.ended = why
        self._watch.stop()
        self._speaker.end(why)
        self.asking.end(why or "the association was released by the other side")
        if self._released is not None and not self._released.done():
            self._released.set_result(None)
        if self.incoming is not None:
            self.incoming.close()
        self.wire.end()
        self._on_end(self)
