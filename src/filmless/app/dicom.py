"""Wires the DICOM servers: who is admitted, who answers which request, TLS."""

import asyncio
import dataclasses
import logging
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from filmless.access.audit.model import Entry, Kind
from filmless.access.audit.repeats import Repeats
from filmless.access.audit.trail import Trail
from filmless.access.gate import Gate
from filmless.access.model import Principal
from filmless.app.calling import tls_for_devices
from filmless.app.services import Policies, StorageAsAllowed, answer_extended, table
from filmless.app.settings import Settings
from filmless.archive.commitment.provider import CommitmentHandler
from filmless.archive.commitment.user import CommitmentResultHandler
from filmless.archive.dimse import StorageService, error_status
from filmless.archive.find import FindHandler
from filmless.archive.get import GetHandler
from filmless.archive.model import Outcome, Source
from filmless.archive.move import MoveHandler
from filmless.archive.retrieve.sending import Sender
from filmless.archive.store import Archive
from filmless.archive.told import Arrivals
from filmless.db.work import reading
from filmless.department.performed.provider import PerformedHandler
from filmless.department.worklist.provider import WorklistHandler
from filmless.devices import service as devices
from filmless.devices.model import Device, Refusal
from filmless.devices.users import Users
from filmless.dicom.dimse import CommandField
from filmless.dicom.ul.pdu import AssociateRequest
from filmless.kit.errors import Refused
from filmless.net import tls
from filmless.net.dialogue import Association
from filmless.net.model import Admission, Peer, Rejection
from filmless.net.server import Server
from filmless.net.serving import RequestHandler, Services

log = logging.getLogger(__name__)


def servers(
    settings: Settings,
    engine: Engine,
    archive: Archive,
    sender: Sender,
    received: Counter[str],
    trail: Trail,
    stack: AsyncExitStack,
) -> list[Server]:
    def count(_source: Source, outcome: Outcome | None) -> None:
        received[outcome.kind.value if outcome is not None else "failed"] += 1

    provided = table(settings.archive, department=settings.department.enabled)
    arrivals = Arrivals(trail)
    stack.callback(arrivals.close)
    repeats = Repeats(trail)
    stack.callback(repeats.close)

    def not_stored(association: Association, refused: Refused) -> None:
        who, host = association.who.principal, association.peer.host
        repeats.tell(Entry(Kind.STORE, who, "refused", host, what="C-STORE", reason=refused.message))

    storage = StorageAsAllowed(StorageService(archive, count, arrivals), provided, not_stored)
    services = Services(storage, status_of=error_status)
    handlers = _handlers(settings, engine, sender, trail, stack)
    for service in provided:
        for request in service.requests:
            handler = handlers.get((service.word, request))
            if handler is not None:
                services.add(service.sop_classes, (request,), handler)
    users = Users(Gate(engine, settings.access, settings.http, trail))
    admit = _admission(settings, engine, Policies(provided, settings.net, answer_extended), repeats, users)

    def crowded(request: AssociateRequest, peer: Peer) -> None:
        repeats.tell(_not_admitted(request, peer, "too many associations at once"), whoever=True)

    found = [Server(settings.net, services, admit, crowded=crowded)]
    if settings.tls.port:
        found.append(Server(settings.net, services, admit, _tls(settings), crowded=crowded))
    return found


def _handlers(
    settings: Settings, engine: Engine, sender: Sender, trail: Trail, stack: AsyncExitStack
) -> dict[tuple[str, CommandField], RequestHandler]:
    """Who answers each request of the services of the table; Verification and Storage are net's and the archive's."""
    find = FindHandler(engine, settings.find, trail)
    stack.callback(find.close)
    commitment = CommitmentHandler(engine, settings.store, settings.server.aet)
    stack.push_async_callback(commitment.stop)
    worklist = WorklistHandler(engine, settings.department, trail)
    stack.callback(worklist.close)
    performed = PerformedHandler(engine, trail)
    stack.callback(performed.close)
    return {
        ("find", CommandField.C_FIND_RQ): find,
        ("move", CommandField.C_MOVE_RQ): MoveHandler(
            engine, sender, settings.net, trail, tls_for_devices(settings)
        ),
        ("get", CommandField.C_GET_RQ): GetHandler(engine, sender, trail),
        ("commit", CommandField.N_ACTION_RQ): commitment,
        ("commit", CommandField.N_EVENT_REPORT_RQ): CommitmentResultHandler(engine),
        ("worklist", CommandField.C_FIND_RQ): worklist,
        ("mpps", CommandField.N_CREATE_RQ): performed,
        ("mpps", CommandField.N_SET_RQ): performed,
    }


def _tls(settings: Settings) -> ssl.SSLContext:
    # TlsSettings has checked that there is an authority where peers are to be checked
    wanted = settings.tls
    context = tls.server_context(
        Path(wanted.certificate),
        Path(wanted.key),
        clients_ca=Path(wanted.authorities) if wanted.peers != "none" else None,
    )
    if wanted.peers == "optional":
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _not_admitted(request: AssociateRequest, peer: Peer, reason: str) -> Entry:
    return Entry(
        Kind.NETWORK,
        Principal("device", request.calling_ae.strip(" \0")),
        "refused",
        peer.host,
        what="association",
        detail={"called": request.called_ae.strip(" \0"), "tls": peer.tls},
        reason=reason,
    )


def _admission(
    settings: Settings, engine: Engine, policies: Policies, refused: Repeats, users: Users
) -> Callable[[AssociateRequest, Peer], Any]:
    """Asked at each association request, so that changes to the list of devices act at once."""

    def decide(request: AssociateRequest, peer: Peer) -> Device | Refusal:
        with reading(engine) as connection:
            return devices.decide(
                connection,
                settings.devices,
                calling_ae=request.calling_ae,
                called_ae=request.called_ae,
                our_ae_titles=(settings.server.aet,),
                peer_is_local=peer.local,
            )

    async def admit(request: AssociateRequest, peer: Peer) -> Admission | Rejection:
        decision = await asyncio.to_thread(decide, request, peer)
        if isinstance(decision, Refusal):
            log.info("%s (%s) is not admitted: %s", request.calling_ae, peer.host, decision.words)
            refused.tell(_not_admitted(request, peer, decision.words))
            return Rejection(*decision.rejection)
        user = await asyncio.to_thread(users.who, peer)
        if isinstance(user, Refusal):
            log.info("%s (%s) is not admitted: %s", request.calling_ae, peer.host, user.words)
            return Rejection(*user.rejection)
        if user is not None:
            decision = dataclasses.replace(decision, user=user)
        # only what was checked is answered (PS3.7 D.3.3.7.1)
        return Admission(decision, policies.of(decision), b"" if user is not None else None)

    return admit
