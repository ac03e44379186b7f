"""The words of the network: settings, peers, what handlers are given and what they answer."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from filmless.dicom.dimse import Value
from filmless.dicom.ul.negotiation import NegotiationPolicy
from filmless.dicom.ul.pdu import AssociateReject, UserIdentity

#: The answer of `admit` that refuses an association: result, source and reason of PS3.8 table 9-21.
Rejection = AssociateReject


@dataclass(frozen=True)
class NetSettings:
    """Limits and deadlines of the DICOM network. Times are seconds, sizes bytes."""

    ae_title: str = "FILMLESS"
    #: longest P-DATA-TF body that we announce; 0 is unlimited
    max_pdu: int = 131072
    max_associations: int = 256
    max_associations_per_host: int = 128
    #: for the connection, TLS handshake included
    connect_timeout: float = 10
    #: for the other side's answer to an association request or a release, and for our own decision
    acse_timeout: float = 30
    #: from connection to a complete association request, and the ARTIM timer elsewhere
    artim: float = 30
    #: without progress inside a message
    dimse_timeout: float = 60
    #: for the response to a request of ours; each pending response and sub-operation counts anew
    response_timeout: float = 120
    #: between messages while nothing is outstanding
    idle_timeout: float = 600
    #: without the other side taking a byte that we send
    send_timeout: float = 60
    #: for our own handlers to make a received object durable, or to take more of it
    answer_timeout: float = 300
    #: longest identifier, or other data set that is not an object to store
    max_identifier: int = 1 << 20


@dataclass(frozen=True, slots=True)
class Peer:
    """The other side of an association."""

    ae_title: str
    host: str
    port: int
    #: the connection comes from this same machine
    local: bool = False
    tls: bool = False
    #: subject of the certificate that the peer proved, e.g. "CN=ct1,O=Hospital"; empty without one
    tls_subject: str = ""
    user_identity: UserIdentity | None = None
    #: its implementation version name, or class UID where it sent none
    implementation: str = ""


@dataclass(frozen=True, slots=True)
class Admission:
    """An association is let in: who it is (opaque to net, found again as `Association.who`) and what for."""

    who: Any
    policy: NegotiationPolicy
    #: server response to a user identity that asked for one (PS3.7 D.3.3.7.2); empty for passcodes, None: no answer,
    #: because nobody has checked it
    identity_response: bytes | None = b""


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """How a C-STORE ended; `fields` are further command fields by keyword, e.g. OffendingElement."""

    status: int = 0
    comment: str = ""
    fields: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """One response to a request. `fields` are further command fields by keyword, e.g. the counters."""

    status: int
    dataset: bytes | None = None
    comment: str = ""
    fields: Mapping[str, Value] = field(default_factory=dict)


class StoreSink(Protocol):
    """Takes one object as it arrives. All calls are made in the event loop's thread."""

    #: set by the association; to be called in the loop's thread when more may come after `write` said False
    on_ready: Callable[[], None] | None

    def write(self, data: memoryview, release: Callable[[], None]) -> bool:
        """Take the next bytes of the data set.

        `data` is a piece of the receive buffer and stays valid until `release` is called, once, from any
        thread. False asks for a pause until `on_ready`. If it raises, the data is not taken over.
        """
        ...

    def finish(self) -> Awaitable[StoreAnswer]:
        """All data has arrived. Resolves when the answer may be given."""
        ...

    def abort(self) -> None:
        """The association died, or the sink failed, before all data arrived. Nothing may remain."""
        ...


class DataSource(Protocol):
    """A data set to send, read in pieces."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    size: int

    async def fill(self, offset: int, places: Sequence[memoryview]) -> None:
        """Read consecutive bytes from `offset` of the data set into `places`, all of them full."""
        ...

    def close(self) -> None:
        """Give back what reading took."""
        ...
