"""The upper layer protocol machine without I/O: bytes, primitives and timers in, effects out.

Every event goes through `state.TABLE`. The one exception is a P-DATA-TF PDU in state 6, where the cell (DT-2)
is known beforehand and a look-up for each PDU would cost more than the rest. Fragments are streamed: what has
arrived of a presentation data value is handed on at once as a view of the caller's buffer, so a PDU is never
assembled and its length costs no memory.
"""

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from filmless.dicom.ul.negotiation import unacceptable
from filmless.dicom.ul.pdu import (
    BODY_LIMITS,
    P_DATA_TF,
    Abort,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    Pdu,
    PduError,
    ReleaseReply,
    ReleaseRequest,
    decode,
)
from filmless.dicom.ul.state import OTHERWISE, TABLE

COMMAND: Final = 1  # bit of a message control header: the fragment is of a command set (PS3.8 E.2)
LAST: Final = 2  # bit of a message control header: the fragment is the last of its command or data set

#: A PDU longer than we announced is tolerated up to this, because streaming makes it harmless and some
#: senders count the headers wrongly.
TOLERATED_PDU: Final = 1 << 24

_PDU_AND_PDV = struct.Struct(">BxIIBB")
_PDU = struct.Struct(">BxI")
_PDV = struct.Struct(">IBB")
_EMPTY = memoryview(b"")


class InvalidPrimitive(Exception):
    """The local user issued a primitive in a state that has no such cell: a mistake of the caller."""


class Pdv(NamedTuple):
    """A piece of a presentation data value; LAST is set in `control` only with its very last bytes."""

    context_id: int
    control: int
    data: memoryview


@dataclass(frozen=True, slots=True)
class Connect:
    """Open the transport connection, then call `transport_connected`."""


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes in one piece."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Close the transport connection after what was sent."""


@dataclass(frozen=True, slots=True)
class StartArtim:
    """Start the ARTIM timer, or start it again."""


@dataclass(frozen=True, slots=True)
class StopArtim:
    """Stop the ARTIM timer."""


@dataclass(frozen=True, slots=True)
class Associated:
    """A-ASSOCIATE indication or confirmation: a request to answer, or the answer to ours."""

    pdu: AssociateRequest | AssociateAccept | AssociateReject


@dataclass(frozen=True, slots=True)
class ReleaseAsked:
    """A-RELEASE indication."""

    collision: bool = False


@dataclass(frozen=True, slots=True)
class Released:
    """A-RELEASE confirmation."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """A-ABORT or A-P-ABORT indication; `why` in words."""

    pdu: Abort
    why: str


Effect = (
    Pdv | Connect | Send | Close | StartArtim | StopArtim | Associated | ReleaseAsked | Released | Aborted
)


class Step(NamedTuple):
    """One move of the machine, for tests and traces."""

    event: str
    state: int
    action: str
    next_state: int


class Engine:
    """One association's protocol machine.

    `state` may be given to start anywhere in the table. When `history` is set to a list, every move is
    appended to it.
    """

    def __init__(self, *, requestor: bool, max_pdu: int = 0, state: int = 1) -> None:
        self.requestor = requestor
        self.state = state
        self.history: list[Step] | None = None
        #: why the last PDU was found wrong, in words
        self.fault = ""
        self._limit = max(max_pdu, TOLERATED_PDU) if max_pdu else 0xFFFFFFFF
        self._request: AssociateRequest | None = None
        self._head = bytearray()  # a header of which not all bytes are here
        self._kind = 0  # type of the PDU whose body is being collected
        self._body: bytearray | None = None
        self._body_left = 0
        self._skip = 0  # bytes of a PDU that is ignored
        self._pdu_left = 0  # bytes of the P-DATA-TF PDU after this place
        self._pdv_left = 0  # of them, data of the presentation data value that we are in
        self._context_id = 0
        self._control = 0

    # -- primitives of the local user, the transport and the timer -------------------------------------

    def associate(self, request: AssociateRequest) -> list[Effect]:
        """A-ASSOCIATE request (Evt1)."""
        self._request = request
        return self._local("Evt1", request)

    def transport_connected(self) -> list[Effect]:
        """The connection is open: confirmation for a requestor (Evt2), indication for an acceptor (Evt5)."""
        return self._local("Evt2" if self.requestor else "Evt5")

    def accept(self, answer: AssociateAccept) -> list[Effect]:
        """A-ASSOCIATE response, accept (Evt7)."""
        return self._local("Evt7", answer)

    def reject(self, answer: AssociateReject) -> list[Effect]:
        """A-ASSOCIATE response, reject (Evt8)."""
        return self._local("Evt8", answer)

    def send_data(self, framed: bytes = b"") -> list[Effect]:
        """P-DATA request (Evt9) of PDUs framed already. A caller that writes them itself passes nothing
        and has only the state checked."""
        if self.state == 6 and not framed and self.history is None:
            return []
        return self._local("Evt9", framed)

    def release(self) -> list[Effect]:
        """A-RELEASE request (Evt11)."""
        return self._local("Evt11")

    def release_reply(self) -> list[Effect]:
        """A-RELEASE response (Evt14)."""
        return self._local("Evt14")

    def abort(self) -> list[Effect]:
        """A-ABORT request (Evt15). Nothing where there is no association to abort."""
        return self._happen("Evt15")

    def transport_closed(self) -> list[Effect]:
        """The transport connection is gone (Evt17)."""
        return self._happen("Evt17")

    def artim_expired(self) -> list[Effect]:
        """The ARTIM timer ran out (Evt18)."""
        return self._happen("Evt18")

    # -- bytes -----------------------------------------------------------------------------------------

    def feed(self, data: memoryview) -> list[Effect]:
        """What follows from bytes received, in order. The views in `Pdv` are slices of `data`.

        Never raises: bytes that break the protocol are event 19.
        """
        effects: list[Effect] = []
        pos, end = 0, len(data)
        while pos < end:
            left = self._pdv_left
            if left:
                stop = pos + left
                if stop <= end:
                    effects.append(Pdv(self._context_id, self._control, data[pos:stop]))
                    self._pdv_left = 0
                    self._pdu_left -= left
                    pos = stop
                else:
                    effects.append(Pdv(self._context_id, self._control & COMMAND, data[pos:end]))
                    self._pdv_left = stop - end
                    self._pdu_left -= end - pos
                    pos = end
            elif (
                end - pos >= 12
                and data[pos] == P_DATA_TF
                and self.state == 6
                and not (self._pdu_left or self._skip or self._head or self._body is not None)
            ):
                _, length, item, self._context_id, control = _PDU_AND_PDV.unpack_from(data, pos)
                rest = length - item - 4
                if item < 2 or rest < 0 or 0 < rest < 6 or length > self._limit:
                    # found again, and answered, on the way that takes one header at a time
                    pos = self._step(data, pos, end, effects)
                    continue
                if self.history is not None:
                    self.history.append(Step("Evt10", 6, "DT-2", 6))
                self._control = control & 3
                self._pdv_left = item - 2
                self._pdu_left = length - 6
                pos += 12
                if item == 2:
                    effects.append(Pdv(self._context_id, self._control, _EMPTY))
            else:
                pos = self._step(data, pos, end, effects)
        return effects

    def _step(self, data: memoryview, pos: int, end: int, effects: list[Effect]) -> int:
        """One header, or part of one, or part of a body; returns the new position."""
        if self._skip:
            n = min(self._skip, end - pos)
            self._skip -= n
            return pos + n
        if self._body is not None:
            n = min(self._body_left, end - pos)
            self._body += data[pos : pos + n]
            self._body_left -= n
            if not self._body_left:
                body, self._body = bytes(self._body), None
                effects += self._receive(self._kind, body)
            return pos + n
        n = min(6 - len(self._head), end - pos)
        self._head += data[pos : pos + n]
        if len(self._head) == 6:
            head = bytes(self._head)
            self._head.clear()
            if self._pdu_left:
                self._begin_pdv(head, effects)
            else:
                self._begin_pdu(head, effects)
        return pos + n

    def _begin_pdu(self, head: bytes, effects: list[Effect]) -> None:
        kind, length = _PDU.unpack(head)
        if kind == P_DATA_TF:
            if not 6 <= length <= self._limit:
                self._invalid(f"a P-DATA-TF PDU of {length} bytes", 6, length, effects)
                return
            event_effects = self._happen("Evt10")
            effects += event_effects
            if self.state in (6, 7):
                self._pdu_left = length
            else:
                self._skip = length
        elif kind not in BODY_LIMITS:
            self._invalid(f"a PDU of type {kind:02X}H", 1, length, effects)
        elif length > BODY_LIMITS[kind]:
            self._invalid(f"a PDU of type {kind:02X}H with {length} bytes", 6, length, effects)
        elif length == 0:
            effects += self._receive(kind, b"")
        else:
            self._kind, self._body, self._body_left = kind, bytearray(), length

    def _begin_pdv(self, head: bytes, effects: list[Effect]) -> None:
        item, self._context_id, control = _PDV.unpack(head)
        if item < 2 or item > self._pdu_left - 4:
            rest, self._pdu_left = self._pdu_left - 6, 0
            self._invalid(f"a presentation data value of {item} bytes", 6, max(rest, 0), effects)
            return
        self._control = control & 3
        self._pdv_left = item - 2
        self._pdu_left -= 6
        if 0 < self._pdu_left - self._pdv_left < 6:
            rest, self._pdu_left, self._pdv_left = self._pdu_left, 0, 0
            self._invalid("bytes after the last presentation data value", 6, rest, effects)
        elif item == 2:
            effects.append(Pdv(self._context_id, self._control, _EMPTY))

    def _receive(self, kind: int, body: bytes) -> list[Effect]:
        try:
            pdu = decode(kind, body)
        except PduError as error:
            self.fault = str(error)
            return self._happen("Evt19", Abort(2, error.reason))
        return self._happen(_EVENT_OF[type(pdu)], pdu)

    def _invalid(self, fault: str, reason: int, skip: int, effects: list[Effect]) -> None:
        self.fault = fault
        self._skip = skip
        effects += self._happen("Evt19", Abort(2, reason))

    # -- the table -------------------------------------------------------------------------------------

    def _local(self, event: str, subject: Pdu | bytes | None = None) -> list[Effect]:
        if (event, self.state) not in TABLE:
            raise InvalidPrimitive(f"{event} in state {self.state}")
        return self._happen(event, subject)

    def _happen(self, event: str, subject: Pdu | bytes | None = None) -> list[Effect]:
        cell = TABLE.get((event, self.state))
        if cell is None:
            # an empty cell: a late timer, or a connection that is closed twice
            return []
        action, next_state = cell
        effects: list[Effect] = []
        if action == "AE-6":
            assert isinstance(subject, AssociateRequest)
            effects.append(StopArtim())
            if (refusal := unacceptable(subject)) is not None:
                next_state = OTHERWISE[action]
                effects += [Send(refusal.encode()), StartArtim()]
            else:
                self._request = subject
                effects.append(Associated(subject))
        elif action == "AR-8":
            next_state = 9 if self.requestor else OTHERWISE[action]
            effects.append(ReleaseAsked(collision=True))
        else:
            self._act(action, event, subject, effects)
        if self.history is not None:
            self.history.append(Step(event, self.state, action, next_state))
        self.state = next_state
        return effects

    def _act(self, action: str, event: str, subject: Pdu | bytes | None, effects: list[Effect]) -> None:
        match action:
            case "AE-1":
                effects.append(Connect())
            case "AE-2":
                assert self._request is not None
                effects.append(Send(self._request.encode()))
            case "AE-3":
                assert isinstance(subject, AssociateAccept)
                effects.append(Associated(subject))
            case "AE-4":
                assert isinstance(subject, AssociateReject)
                effects += [Associated(subject), Close()]
            case "AE-5":
                effects.append(StartArtim())
            case "AE-7":
                assert isinstance(subject, AssociateAccept)
                effects.append(Send(subject.encode()))
            case "AE-8":
                assert isinstance(subject, AssociateReject)
                effects += [Send(subject.encode()), StartArtim()]
            case "DT-1" | "AR-7":
                assert isinstance(subject, bytes)
                if subject:
                    effects.append(Send(subject))
            case "DT-2" | "AR-6" | "AA-6":
                pass  # the fragments themselves follow from feed(); AA-6 ignores
            case "AR-1":
                effects.append(Send(ReleaseRequest().encode()))
            case "AR-2":
                effects.append(ReleaseAsked())
            case "AR-3":
                effects += [Released(), Close()]
            case "AR-4":
                effects += [Send(ReleaseReply().encode()), StartArtim()]
            case "AR-5" | "AA-5":
                effects.append(StopArtim())
            case "AR-9":
                effects.append(Send(ReleaseReply().encode()))
            case "AR-10":
                effects.append(Released())
            case "AA-1":
                effects += [Send(Abort(0, 0).encode()), StartArtim()]
            case "AA-2":
                effects += [StopArtim(), Close()]
            case "AA-3":
                assert isinstance(subject, Abort)
                effects += [Aborted(subject, f"aborted by the peer, {subject.words}"), Close()]
            case "AA-4":
                effects.append(Aborted(Abort(2, 0), "the connection was closed by the peer"))
            case "AA-7":
                effects.append(Send(Abort(2, 2).encode()))
            case "AA-8":
                abort = subject if event == "Evt19" and isinstance(subject, Abort) else Abort(2, 2)
                why = f"the peer broke the protocol: {self.fault or abort.words}"
                effects += [Send(abort.encode()), Aborted(abort, why), StartArtim()]
            case _:  # pragma: no cover - a test drives every action of the table
                raise AssertionError(action)


_EVENT_OF: Final[dict[type, str]] = {
    AssociateAccept: "Evt3",
    AssociateReject: "Evt4",
    AssociateRequest: "Evt6",
    ReleaseRequest: "Evt12",
    ReleaseReply: "Evt13",
    Abort: "Evt16",
}
