"""What others ask of the running server: monitoring over HTTP, the command line over the control socket."""

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from filmless import __version__
from filmless.access.rates import Rates
from filmless.app import metrics, supervise
from filmless.app.settings import Settings
from filmless.archive.store import Archive
from filmless.db import events
from filmless.db.work import reading, writing
from filmless.kit.board import Board
from filmless.kit.errors import FilmlessError, Refused
from filmless.net.server import Server

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Running:
    """A server that runs: what its edges ask about."""

    settings: Settings
    engine: Engine
    archive: Archive
    worker: supervise.Child
    webs: list[supervise.Child]
    #: of the web processes
    board: Board
    #: one per port: plain, and TLS where there is one
    servers: list[Server]
    dicom_port: int
    http_port: int
    tls_port: int
    #: objects received, by what became of them ("failed" where nothing was kept)
    received: Counter[str]
    #: attempts at all web processes, where there are several
    rates: Rates = field(default_factory=Rates)
    began: float = field(default_factory=time.monotonic)


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
        "web": {
            # while one is started again the others answer: no reason to send callers elsewhere
            "ok": any(web.runs for web in running.webs),
            # those that take connections
            "processes": len(running.board.held()),
            "restarts": sum(web.deaths for web in running.webs),
            "port": running.http_port,
        },
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


def registry(running: Running) -> CollectorRegistry:
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
        "filmless_web_processes": (
            "Web processes that take connections.", False, lambda: float(len(running.board.held())),
        ),
        "filmless_web_restarts": (
            "Times that a web process was started again.",
            True,
            lambda: float(sum(web.deaths for web in running.webs)),
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


def teller(running: Running) -> Any:
    """Answers what the web process asks for /health and /metrics."""
    figures = registry(running)

    async def tell(request: Mapping[str, Any]) -> Mapping[str, Any]:
        if request["do"] == "health":
            return await health(running)
        # collectors may ask the database: not on the loop that serves DICOM
        return {"text": (await asyncio.to_thread(generate_latest, figures)).decode()}

    return tell


def lister(running: Running) -> Any:
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


def _keep(engine: Engine, body: Mapping[str, Any]) -> None:
    with writing(engine) as connection:
        events.record(connection, [("association-aborted", body)])


def aborter(running: Running) -> Any:
    async def abort(request: Mapping[str, Any]) -> Mapping[str, Any]:
        wanted, reason, by = (str(request.get(name, "")) for name in ("id", "reason", "by"))
        for server in running.servers:
            found = server.associations.get(wanted)
            if found is not None:
                log.warning(
                    "association %s from %s is aborted by %s: %s", wanted, found.calling_ae, by, reason
                )
                await found.abort()
                body = {"id": wanted, "ae_title": found.calling_ae, "by": by, "reason": reason}
                await asyncio.to_thread(_keep, running.engine, body)
                return {"aborted": wanted}
        raise Refused(f"There is no open association {wanted}.", code="unknown-association")

    return abort
