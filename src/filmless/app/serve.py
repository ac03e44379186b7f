"""`filmless serve`: the network process, its worker process, and their beginning and end.

One event loop serves DICOM, HTTP and the control socket. Work that is heavy or may wait (jobs, codecs) is in other
processes. At SIGTERM nothing new is accepted, messages under way may end for some seconds, then associations are
aborted; a second signal does not wait.
"""

import asyncio
import logging
import os
import resource
import signal
import ssl
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from filmless import __version__
from filmless.app import logs, metrics, supervise
from filmless.app.calling import tls_for_devices
from filmless.app.control import ControlServer
from filmless.app.http import HttpServer, application
from filmless.app.index import make_home
from filmless.app.services import Policies, StorageAsAllowed, answer_extended, table
from filmless.app.settings import Settings
from filmless.archive.codecs import Codecs
from filmless.archive.commitment.provider import CommitmentHandler
from filmless.archive.commitment.user import CommitmentResultHandler
from filmless.archive.dimse import StorageService, error_status
from filmless.archive.find import FindHandler, FindSettings
from filmless.archive.get import GetHandler
from filmless.archive.model import Outcome, Source
from filmless.archive.move import MoveHandler
from filmless.archive.retrieve.sending import Sender
from filmless.archive.store import Archive
from filmless.db import migrate
from filmless.db.engine import open_engine
from filmless.db.work import reading
from filmless.devices import service as devices
from filmless.devices.model import Device, Refusal
from filmless.dicom.dimse import CommandField
from filmless.dicom.ul.pdu import AssociateRequest
from filmless.kit.errors import FilmlessError, Refused
from filmless.net import tls
from filmless.net.model import Admission, Peer, Rejection
from filmless.net.server import Server
from filmless.net.serving import RequestHandler, Services

log = logging.getLogger(__name__)

_HEALTH_SECONDS = 5.0


@dataclass(slots=True)
class Running:
    """A server that runs: what its edges ask about."""

    settings: Settings
    engine: Engine
    archive: Archive
    worker: supervise.Worker
    #: one per port: plain, and TLS where there is one
    servers: list[Server]
    dicom_port: int
    http_port: int
    tls_port: int
    #: objects received, by what became of them ("failed" where nothing was kept)
    received: Counter[str]
    began: float = field(default_factory=time.monotonic)


def run(settings: Settings, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. `say` gets words for the person who started it.

    Raises FilmlessError where it cannot start: a taken port, another server on this home, a newer database.
    """
    import uvloop

    uvloop.run(_serve(settings, say))


async def _serve(settings: Settings, say: Callable[[str], None]) -> None:
    stopping = _stop_signals()
    # what is kept here is about patients: nobody but our own user and group may read it
    os.umask(0o027)
    async with AsyncExitStack() as stack:
        make_home(settings)
        lock = supervise.HomeLock(settings.home)
        lock.take()
        stack.callback(lock.give_back)
        logs.start(settings, "serve")
        _raise_file_limit()
        http_socket = supervise.listen(settings.server.bind, settings.server.http_port, "HTTP", "--http-port")
        stack.callback(http_socket.close)

        engine = open_engine(settings.index_url)
        stack.callback(engine.dispose)
        await asyncio.to_thread(migrate.upgrade, engine)
        codecs = Codecs(settings.home / "scratch")
        stack.callback(codecs.close)
        archive = Archive(engine, settings.store, settings.archive, codecs)
        await asyncio.to_thread(archive.start)
        stack.push_async_callback(asyncio.to_thread, archive.stop)
        sender = Sender(settings.store, codecs)
        stack.callback(sender.close)

        received: Counter[str] = Counter()
        servers = _servers(settings, engine, archive, sender, received, stack)
        dicom_port = await _listen(
            servers[0], settings.server.bind, settings.server.dicom_port, stack, settings
        )
        tls_port = 0
        if len(servers) > 1:
            tls_port = await _listen(servers[1], settings.server.bind, settings.tls.port, stack, settings)

        worker = supervise.Worker(settings)
        http_port = http_socket.getsockname()[1]
        running = Running(
            settings, engine, archive, worker, servers, dicom_port, http_port, tls_port, received
        )
        http = HttpServer(application(lambda: health(running), _registry(running)), http_socket)
        http.start()
        stack.push_async_callback(http.stop)
        control = ControlServer(
            settings.control_socket, {"associations": _lister(running), "abort": _aborter(running)}
        )
        await control.start()
        stack.push_async_callback(control.close)
        worker.start()
        stack.push_async_callback(worker.stop, settings.server.stop_grace_seconds)

        log.info("Filmless %s serves on DICOM port %d, HTTP port %d", __version__, dicom_port, http_port)
        say(welcome(running))
        supervise.tell_systemd("READY=1")
        await stopping.wait()
        supervise.tell_systemd("STOPPING=1")
        log.info("stopping")
        # at the same time: nobody waits for the other, and the whole ends within one grace
        grace = settings.server.stop_grace_seconds
        await asyncio.gather(http.stop(), worker.stop(grace), *(server.stop(grace) for server in servers))
    log.info("stopped")


def _stop_signals() -> asyncio.Event:
    """Set at the first SIGTERM or SIGINT; the second ends the process where it is."""
    asked = asyncio.Event()

    def ask(number: int) -> None:
        if asked.is_set():
            log.warning("told to stop a second time: not waiting any longer")
            os._exit(128 + number)
        asked.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ask, int(number))
    return asked


def _raise_file_limit() -> None:
    """Each association and each object under way is an open file: as many as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# --- DICOM


def _servers(
    settings: Settings,
    engine: Engine,
    archive: Archive,
    sender: Sender,
    received: Counter[str],
    stack: AsyncExitStack,
) -> list[Server]:
    def count(_source: Source, outcome: Outcome | None) -> None:
        received[outcome.kind.value if outcome is not None else "failed"] += 1

    services = Services(StorageAsAllowed(StorageService(archive, count)), status_of=error_status)
    provided = table(settings.archive)
    handlers = _handlers(settings, engine, sender, stack)
    for service in provided:
        for request in service.requests:
            if request in handlers:
                services.add(service.sop_classes, (request,), handlers[request])
    admit = _admission(settings, engine, Policies(provided, settings.net, answer_extended))
    found = [Server(settings.net, services, admit)]
    if settings.tls.port:
        found.append(Server(settings.net, services, admit, _tls(settings)))
    return found


def _handlers(
    settings: Settings, engine: Engine, sender: Sender, stack: AsyncExitStack
) -> dict[CommandField, RequestHandler]:
    """Who answers each service of the table; Verification and Storage are net's and the archive's own."""
    find = FindHandler(engine, FindSettings(ae_title=settings.server.aet))
    stack.callback(find.close)
    commitment = CommitmentHandler(engine, settings.store, settings.server.aet)
    stack.push_async_callback(commitment.stop)
    return {
        CommandField.C_FIND_RQ: find,
        CommandField.C_MOVE_RQ: MoveHandler(engine, sender, settings.net, tls_for_devices(settings)),
        CommandField.C_GET_RQ: GetHandler(engine, sender),
        CommandField.N_ACTION_RQ: commitment,
        CommandField.N_EVENT_REPORT_RQ: CommitmentResultHandler(engine),
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


async def _listen(server: Server, bind: str, port: int, stack: AsyncExitStack, settings: Settings) -> int:
    try:
        found = await server.start(bind, port)
    except Refused as why:
        option = "--dicom-port" if port == settings.server.dicom_port else "FILMLESS_TLS_PORT"
        raise Refused(f"DICOM: {why.message}. Choose another one with {option}.", code="port") from None
    stack.push_async_callback(server.stop, settings.server.stop_grace_seconds)
    return found


def _admission(
    settings: Settings, engine: Engine, policies: Policies
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
            return Rejection(*decision.rejection)
        if peer.user_identity is not None:
            # there are no accounts yet to check it against
            log.info("%s identifies its user (form %d)", request.calling_ae, peer.user_identity.kind)
        return Admission(decision, policies.of(decision))

    return admit


# --- what others ask of the running server


async def health(running: Running) -> Mapping[str, Any]:
    """For monitoring: "status" is "ok", or "degraded" with the part that is not."""
    database, disk = await asyncio.to_thread(_database_answers, running.engine), _disk(running.archive)
    parts: dict[str, dict[str, Any]] = {
        "dicom": {
            "ok": True,
            "ae_title": running.settings.server.aet,
            "port": running.dicom_port,
            "associations": sum(len(server.associations) for server in running.servers),
        },
        "worker": {"ok": running.worker.runs, "restarts": running.worker.deaths},
        "database": {"ok": database},
        "disk": disk,
    }
    if running.tls_port:
        parts["dicom"]["tls_port"] = running.tls_port
    return {
        "status": "ok" if all(part["ok"] for part in parts.values()) else "degraded",
        "version": __version__,
        "uptime_seconds": round(time.monotonic() - running.began, 1),
        **parts,
    }


def _database_answers(engine: Engine) -> bool:
    try:
        with reading(engine) as connection:
            return bool(connection.scalar(text("SELECT 1")))
    except SQLAlchemyError as why:
        log.error("the database does not answer: %s", why)
        return False


def _disk(archive: Archive) -> dict[str, Any]:
    space = os.statvfs(archive.root)
    try:
        archive.check_space()
    except FilmlessError:
        return {"ok": False, "free_bytes": space.f_bavail * space.f_frsize}
    return {"ok": True, "free_bytes": space.f_bavail * space.f_frsize}


def _registry(running: Running) -> CollectorRegistry:
    figures: metrics.Figures = {
        "filmless_associations": (
            "Associations that are open.",
            False,
            lambda: float(sum(len(server.associations) for server in running.servers)),
        ),
        "filmless_worker_up": ("1 while the worker process runs.", False, lambda: float(running.worker.runs)),
        "filmless_worker_restarts": (
            "Times that the worker process was started again.", True, lambda: float(running.worker.deaths),
        ),
    }  # fmt: skip
    counted: metrics.Counted = {
        "filmless_objects_received": (
            "Objects received, by outcome.",
            "outcome",
            lambda: dict(running.received),
        ),
        "filmless_associations_refused": (
            "Associations refused, by reason.",
            "reason",
            lambda: dict(sum((server.refusals for server in running.servers), Counter())),
        ),
    }
    return metrics.registry(running.engine, running.settings.store, figures, counted)


def _lister(running: Running) -> Any:
    async def associations(_request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            "associations": [
                {
                    "id": one.id,
                    "calling_ae": one.calling_ae,
                    "called_ae": one.called_ae,
                    "host": one.peer.host,
                    "tls": one.peer.tls,
                    "tls_subject": one.peer.tls_subject,
                    "implementation": one.peer.implementation,
                    "started_at": one.started_at.isoformat(),
                    "images_in": one.images_in,
                    "images_out": one.images_out,
                    "contexts": [
                        [context.id, context.abstract_syntax, context.transfer_syntax]
                        for context in one.contexts.values()
                    ],
                }
                for server in running.servers
                for one in list(server.associations.values())
            ]
        }

    return associations


def _aborter(running: Running) -> Any:
    async def abort(request: Mapping[str, Any]) -> Mapping[str, Any]:
        wanted, reason = str(request.get("id", "")), str(request.get("reason", ""))
        for server in running.servers:
            found = server.associations.get(wanted)
            if found is not None:
                log.warning("association %s from %s is aborted by hand: %s", wanted, found.calling_ae, reason)
                await found.abort()
                return {"aborted": wanted}
        raise Refused(f"There is no open association {wanted}.", code="unknown-association")

    return abort


def welcome(running: Running) -> str:
    """What to do next, for the person who has started the server."""
    server = running.settings.server
    host = "127.0.0.1" if server.bind in ("0.0.0.0", "::", "") else server.bind
    to = f"{host} {running.dicom_port}"
    home = running.settings.home
    return "\n".join(
        (
            f"Filmless {__version__} is ready.",
            f"  DICOM   {server.aet} at {server.bind}:{running.dicom_port}",
            f"  health  http://{host}:{running.http_port}/health",
            f"  data    {home}",
            "",
            "What to do next, in another terminal (dcmtk's tools; any DICOM tool will do):",
            f"  storescu -aec {server.aet} +sd +r {to} FOLDER_WITH_IMAGES",
            f"  findscu -S -aec {server.aet} -k QueryRetrieveLevel=STUDY -k PatientName='*' -k StudyInstanceUID {to}",
            f"  filmless import --home {home} FOLDER_OR_ZIP",
            "",
            "Programs on this machine may connect at once; others after `filmless devices add AE_TITLE HOST PORT`.",
            "Ctrl-C stops the server.",
        )
    )
