"""One connection: the protocol engine on an asyncio transport.

Reads go into pooled slabs (`BufferedProtocol`), reading and writing stop and go with the other end and with
our own sinks, and every effect of the engine is carried out here.
"""

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Callable
from typing import Protocol, cast

from filmless.dicom.ul.engine import (
    Aborted,
    Associated,
    Close,
    Connect,
    Effect,
    Engine,
    Pdv,
    ReleaseAsked,
    Released,
    Send,
    StartArtim,
    StopArtim,
)
from filmless.dicom.ul.pdu import AssociateAccept, AssociateReject, AssociateRequest
from filmless.net.errors import AssociationAborted, PeerTimeout
from filmless.net.model import NetSettings, Peer
from filmless.net.slabs import SLAB, Slab, SlabPool
from filmless.net.tls import subject_of

logger = logging.getLogger(__name__)

#: A slab with less room than this left is not read into again.
LEAST_ROOM = 32 * 1024

#: Bytes to send before the transport asks to wait; an object is sent in pieces of this size.
HIGH_WATER = 1 << 20

#: Bytes to send before we read no more. Well above what objects alone can fill, or two ends that send objects
#: to each other at once could both stop reading.
MOST_UNSENT = 4 * HIGH_WATER

#: How long a connection may linger after the association ended, for the peer to read our last word.
LINGER = 5.0

#: Linux only
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)

#: A read of fewer bytes may be the first piece of a message.
_PIECEMEAL = 1024

#: Reasons why reading is paused; each is set and cleared by itself.
SINK, WINDOW, RESPONSES, WRITES = 1, 2, 4, 8


class WireUser(Protocol):
    """Whoever owns the association on a wire. Calls come in the loop's thread, in the order of the bytes."""

    def connected(self, transport: asyncio.Transport) -> None: ...
    def associated(self, pdu: AssociateRequest | AssociateAccept | AssociateReject) -> None: ...
    def release_asked(self, *, collision: bool) -> None: ...
    def released(self) -> None: ...
    def lost(self, why: str) -> None: ...
    def fail(self, why: str) -> None: ...


class Wire(asyncio.BufferedProtocol):
    """The engine's transport. `user` hears of everything but fragments, which go to `on_pdv`."""

    def __init__(self, engine: Engine, user: WireUser, settings: NetSettings, slabs: SlabPool) -> None:
        self.engine = engine
        self.user = user
        #: takes each fragment with the slab that it lies in
        self.on_pdv: Callable[[Pdv, Slab], None] = _nobody
        self.bytes_in = 0
        self.bytes_out = 0
        #: since when the transport takes no more of what we send (loop time); None while it does
        self.blocked_since: float | None = None
        #: since when we do not read (loop time); None while we do
        self.paused_since: float | None = None
        self.closed = asyncio.get_running_loop().create_future()
        self._settings = settings
        self._slabs = slabs
        self._slab: Slab | None = None
        self._pos = 0
        self._loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None
        self._artim: asyncio.TimerHandle | None = None
        self._last: asyncio.TimerHandle | None = None
        self._paused = 0
        self._drained: asyncio.Future[None] | None = None
        self._raw: socket.socket | None = None

    # -- the transport's calls -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's
        self.transport = transport = cast(asyncio.Transport, transport)
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if _QUICK_ACK is not None:
                self._raw = raw
        transport.set_write_buffer_limits(high=HIGH_WATER, low=HIGH_WATER // 4)
        self.user.connected(transport)
        self.perform(self.engine.transport_connected())

    def get_buffer(self, sizehint: int) -> memoryview:
        slab = self._slab
        if slab is None:
            self._slab = slab = self._slabs.take()
            self._pos = 0
            return slab.view
        return slab.view[self._pos :]

    def buffer_updated(self, nbytes: int) -> None:
        slab = self._slab
        assert slab is not None
        start = self._pos
        self._pos = end = start + nbytes
        self.bytes_in += nbytes
        if nbytes < _PIECEMEAL and self._raw is not None and _QUICK_ACK is not None:
            # a peer with Nagle's algorithm on that writes a message in two pieces (dcmtk's getscu) holds back
            # the second until the first is acknowledged: do not let that wait for the delayed acknowledgement
            self._raw.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
        try:
            for effect in self.engine.feed(slab.view[start:end]):
                if type(effect) is Pdv:
                    self.on_pdv(effect, slab)
                else:
                    self._perform(effect)
        except Exception:
            logger.exception("what came over a connection could not be dealt with")
            self.user.fail("an error of ours")
        if slab.refs == 1 or SLAB - end < LEAST_ROOM:
            # nobody holds a view, or it is full: the next read starts a slab at its beginning
            self._slab = None
            slab.release()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.perform(self.engine.transport_closed())
        self._stop_artim()
        if self._last is not None:
            self._last.cancel()
        if self._slab is not None:
            self._slab.release()
            self._slab = None
        self._wake_writers()
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        self.blocked_since = self._loop.time()

    def resume_writing(self) -> None:
        self.blocked_since = None
        self.resume_reading(WRITES)
        self._wake_writers()

    # -- for the association ---------------------------------------------------------------------------

    def perform(self, effects: list[Effect]) -> None:
        """Carry out what the engine decided, in order."""
        for effect in effects:
            self._perform(effect)

    def write(self, data: bytes | bytearray) -> None:
        """Hand bytes to the transport, which sends them at once as far as the peer takes them."""
        self.bytes_out += len(data)
        if self.transport is not None:
            self.transport.write(data)
            if self.blocked_since is not None and self.unsent > MOST_UNSENT:
                # answers pile up that the peer does not take: let it ask for no more
                self.pause_reading(WRITES)

    async def drain(self) -> None:
        """Wait until the transport takes more.

        Raises PeerTimeout after the send time-out without any progress, AssociationAborted when the
        connection is gone.
        """
        unsent = self.unsent
        while self.blocked_since is not None and not self.closed.done():
            if self._drained is None or self._drained.done():
                self._drained = self._loop.create_future()
            try:
                async with asyncio.timeout(self._settings.send_timeout):
                    await asyncio.shield(self._drained)
            except TimeoutError:
                if self.unsent >= unsent:
                    raise PeerTimeout("the other side takes no more data") from None
                unsent = self.unsent
        if self.closed.done():
            raise AssociationAborted("the connection is closed")

    @property
    def unsent(self) -> int:
        """Bytes that the transport still holds."""
        return self.transport.get_write_buffer_size() if self.transport is not None else 0

    def pause_reading(self, reason: int) -> None:
        """Read no more until this and every other reason is gone."""
        if not self._paused and self.transport is not None and not self.transport.is_closing():
            self.paused_since = self._loop.time()
            self.transport.pause_reading()
        self._paused |= reason

    def resume_reading(self, reason: int) -> None:
        """One reason to pause is gone."""
        if not self._paused & reason:
            return
        self._paused &= ~reason
        if not self._paused:
            self.paused_since = None
            if self.transport is not None and not self.transport.is_closing():
                self.transport.resume_reading()

    def paused_for(self, reason: int) -> bool:
        """Whether this is among the reasons for not reading."""
        return bool(self._paused & reason)

    def end(self) -> None:
        """The association is over: read on, whatever paused us, to see the peer close."""
        self.resume_reading(SINK | WINDOW | RESPONSES | WRITES)

    def cut(self) -> None:
        """Close the connection now, without sending what is left."""
        if self.transport is not None:
            self.transport.abort()

    # -- the engine's effects --------------------------------------------------------------------------

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Send(data):
                self.write(data)
            case Associated(pdu):
                self.user.associated(pdu)
            case ReleaseAsked(collision):
                self.user.release_asked(collision=collision)
            case Released():
                self.user.released()
            case Aborted(_, why):
                self.user.lost(why)
            case StartArtim():
                self._stop_artim()
                # in state 2 the peer owes us a request; elsewhere only its closing is awaited
                delay = self._settings.artim if self.engine.state == 2 else min(self._settings.artim, LINGER)
                self._artim = self._loop.call_later(delay, self._artim_expired)
            case StopArtim():
                self._stop_artim()
            case Close():
                if self.transport is not None:
                    self.transport.close()
                    self._last = self._loop.call_later(LINGER, self.cut)
            case Connect() | Pdv():
                pass  # connect() opens the connection; fragments never come this way

    def _artim_expired(self) -> None:
        self._artim = None
        self.perform(self.engine.artim_expired())

    def _stop_artim(self) -> None:
        if self._artim is not None:
            self._artim.cancel()
            self._artim = None

    def _wake_writers(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)


def peer_of(transport: asyncio.Transport) -> Peer:
    """Who is at the other end, before any title is known. A connection from one of our own addresses to
    itself counts as local."""
    theirs = transport.get_extra_info("peername") or ("", 0)
    ours = transport.get_extra_info("sockname") or ("", 0)
    host = str(theirs[0])
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None) or address
        local = mapped.is_loopback or theirs[0] == ours[0]
    except ValueError:
        local = False
    certificate = transport.get_extra_info("peercert")
    tls = transport.get_extra_info("ssl_object") is not None
    return Peer("", host, int(theirs[1]), local=local, tls=tls, tls_subject=subject_of(certificate))


def _nobody(pdv: Pdv, slab: Slab) -> None:
    """Fragments before an association exists: the engine lets none through."""
