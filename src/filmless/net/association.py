"""Calling another node: `connect` opens an association as its requestor."""

import asyncio
import dataclasses
import socket
import ssl
from collections.abc import Mapping, Sequence

from filmless.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from filmless.dicom.ul.negotiation import (
    SMALLEST_MAX_PDU,
    Context,
    ContextRequest,
    conclude,
    propose,
    windows,
)
from filmless.dicom.ul.pdu import (
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    UserIdentity,
)
from filmless.net.dialogue import Association
from filmless.net.errors import (
    AssociationAborted,
    AssociationRejected,
    PeerTimeout,
    PeerUnreachable,
    words_of,
)
from filmless.net.model import DataSource, NetSettings, Peer
from filmless.net.serving import Inbox, Services
from filmless.net.slabs import SlabPool
from filmless.net.sources import BytesSource, FileSource
from filmless.net.wire import LINGER

__all__ = [
    "Association",
    "BytesSource",
    "Context",
    "ContextRequest",
    "DataSource",
    "FileSource",
    "Peer",
    "connect",
]

_slabs = SlabPool(keep=8)


async def connect(
    host: str,
    port: int,
    *,
    calling_ae: str,
    called_ae: str,
    contexts: Sequence[ContextRequest],
    settings: NetSettings,
    tls: ssl.SSLContext | None = None,
    user_identity: UserIdentity | None = None,
    services: Services | None = None,
    extended: Mapping[str, bytes] | None = None,
    async_ops: tuple[int, int] = (1, 1),
) -> Association:
    """Open an association. Whether any context was accepted is for the caller to look at.

    `services` answers what the other side asks on this association: the C-STORE sub-operations of a C-GET,
    N-EVENT-REPORT. `extended` is application information by abstract syntax, `async_ops` what we may invoke
    and perform at once (0 is unlimited).

    Raises PeerUnreachable, PeerTimeout, AssociationRejected (the reason in words), AssociationAborted. Nothing
    stays open when it raises or is cancelled.
    """
    loop = asyncio.get_running_loop()
    request = propose(
        calling_ae=calling_ae,
        called_ae=called_ae,
        contexts=contexts,
        max_pdu=settings.max_pdu,
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
        implementation_version=IMPLEMENTATION_VERSION_NAME,
        async_ops=async_ops,
        extended=extended,
        user_identity=user_identity,
    )
    answered: asyncio.Future[AssociateAccept | AssociateReject] = loop.create_future()

    def on_associated(_: Association, pdu: AssociateRequest | AssociateAccept | AssociateReject) -> None:
        if answered.done() or isinstance(pdu, AssociateRequest):
            return
        if isinstance(pdu, AssociateAccept):
            if 0 < pdu.user.max_length < SMALLEST_MAX_PDU:
                # as for a requestor: there would be no room for data beside the headers
                assoc.fail(f"the other side takes PDUs of {pdu.user.max_length} bytes only")
                return
            _open(assoc, request, pdu, services or Services())
        answered.set_result(pdu)

    def on_end(ended: Association) -> None:
        if not answered.done():
            answered.set_exception(AssociationAborted(f"no association: {ended.ended}"))

    assoc = Association(
        requestor=True,
        settings=settings,
        slabs=_slabs,
        max_pdu=settings.max_pdu,
        on_associated=on_associated,
        on_end=on_end,
    )
    assoc.calling_ae, assoc.called_ae = calling_ae, called_ae
    assoc.engine.associate(request)
    try:
        await _open_transport(assoc, host, port, tls, settings.connect_timeout)
        async with asyncio.timeout(settings.acse_timeout):
            answer = await answered
    except TimeoutError:
        assoc.fail("no answer to the association request")
        raise PeerTimeout("the other side did not answer the association request in time") from None
    except BaseException:
        assoc.fail("given up")
        assoc.wire.cut()
        if answered.done() and not answered.cancelled():
            answered.exception()
        raise
    if isinstance(answer, AssociateReject):
        passing = answer.result == 2
        message = (
            f"association rejected for now: {answer.words}"
            if passing
            else f"association rejected: {answer.words}"
        )
        raise AssociationRejected(message, result=answer.result, source=answer.source, reason=answer.reason)
    return assoc


def _open(assoc: Association, request: AssociateRequest, accept: AssociateAccept, services: Services) -> None:
    may_invoke, may_perform = windows(request, accept)
    inbox = Inbox(assoc, services, may_perform)
    assoc.incoming = inbox
    assoc.wire.on_pdv = inbox.pdv
    assoc.peer = dataclasses.replace(
        assoc.peer,
        ae_title=assoc.called_ae,
        implementation=accept.user.implementation_version or accept.user.implementation_class_uid,
    )
    assoc.open(conclude(request, accept), accept.user.max_length, may_invoke)


async def _open_transport(
    assoc: Association, host: str, port: int, tls: ssl.SSLContext | None, deadline: float
) -> None:
    try:
        async with asyncio.timeout(deadline):
            await asyncio.get_running_loop().create_connection(
                lambda: assoc.wire,
                host,
                port,
                ssl=tls,
                ssl_handshake_timeout=deadline if tls else None,
                ssl_shutdown_timeout=LINGER if tls else None,
            )
    except TimeoutError:
        raise PeerTimeout(f"no connection to {host}:{port} within {deadline:g} s") from None
    except ssl.SSLError as error:
        raise PeerUnreachable(f"TLS with {host}:{port} failed: {words_of(error)}") from error
    except (socket.gaierror, UnicodeError) as error:
        # UnicodeError: a name that cannot be one, e.g. with an empty label
        raise PeerUnreachable(f"the name {host} is not known") from error
    except OSError as error:
        raise PeerUnreachable(f"no connection to {host}:{port}: {words_of(error)}") from error
