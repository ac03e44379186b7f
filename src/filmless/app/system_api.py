"""How the server is, as our own HTTP API: its parts, open associations, and what needs those in charge."""

import asyncio
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends
from fastapi import Path as InPath
from pydantic import BaseModel, Field
from sqlalchemy import Engine, text

from filmless.access import emergency
from filmless.access.api.told import Told
from filmless.access.api.words import PROBLEMS, At, Host, In, Line, Who
from filmless.access.audit.model import Entry, Kind
from filmless.access.model import Action, Principal, may, permit
from filmless.app import control
from filmless.app.settings import Settings
from filmless.archive import quarantine
from filmless.archive.api.deciding import quarantined_for
from filmless.db.work import reading
from filmless.devices import service as devices
from filmless.exchange.job_api import JobDesk
from filmless.kit import clock
from filmless.kit.errors import Defect, FilmlessError, Refused, Unavailable

#: a job that failed longer ago is history, not news
_NEWS: Final = timedelta(days=2)
#: jobs are tried for a day, and some wait before
_TRIED: Final = timedelta(days=7)
#: days before its end at which a certificate is spoken of
_RENEW: Final = 30
#: part of the store's file system that is free when it is spoken of
_LOW: Final = 0.05
#: seconds for which the alarms of one process stand: bells of many screens ask for them
_STAND: Final = 20.0

Why = Literal[
    "server", "disk", "database", "worker", "device", "job", "certificate", "quarantine", "emergency"
]


@dataclass(frozen=True, slots=True)
class Server:
    """What these routes ask: the settings, the index, and the jobs of this process."""

    settings: Settings
    engine: Engine
    desk: JobDesk
    seen: dict[str, tuple[float, Any]] = field(default_factory=dict)
    seeing: threading.Lock = field(default_factory=threading.Lock)


class Part(BaseModel):
    """One part of the server."""

    name: Literal["dicom", "web", "worker", "database", "disk"]
    ok: bool
    figures: dict[str, int | str]


class Space(BaseModel):
    """A file system; bytes."""

    path: str
    size: int
    free: int


class System(BaseModel):
    """How the server is."""

    ok: bool
    version: str
    uptime_seconds: float
    ae_title: str
    parts: list[Part]
    spaces: list[Space] = Field(description="Where the store is, and where the home is if that is elsewhere.")
    database: Literal["sqlite", "postgresql"]
    database_bytes: int
    studies: int
    series: int
    instances: int
    certificate_ends_at: datetime | None


class AssociationWords(BaseModel):
    """An open association."""

    id: str
    calling_ae: str
    called_ae: str
    host: str
    tls: bool
    started_at: datetime
    images_in: int
    images_out: int
    implementation: str
    contexts: int


class Associations(BaseModel):
    """Open associations, the oldest first."""

    associations: list[AssociationWords]


class Abort(In):
    """Why an association is aborted."""

    reason: Line = Field(min_length=1, max_length=400)


class Alarm(BaseModel):
    """Something that needs somebody."""

    why: Why
    grave: bool = Field(description="Work stands still, or will soon.")
    about: str = Field(description="Which device or file; empty where there is but one.")
    count: int = Field(description="How many, or bytes, or days; 0 where that says nothing.")
    reason: str


class Alarms(BaseModel):
    """What needs the one who asks, the gravest first. Empty for whoever is in charge of nothing."""

    alarms: list[Alarm]


def _looking(who: Who) -> Principal:
    permit(who, Action.HEALTH)
    return who


Looking = Annotated[Principal, Depends(_looking)]
AssociationId = Annotated[str, InPath(pattern=r"^[\x21-\x7e]{1,100}$", description="Id of the association.")]


def router(server: Server | None) -> APIRouter:
    """The routes. `server` None: only to be described."""
    made = APIRouter(prefix="/system", tags=["system"], responses=PROBLEMS, route_class=Told)

    def running() -> Server:
        if server is None:
            raise Defect("These routes have no server.", code="no-server")
        return server

    At_ = Annotated[Server, Depends(running)]

    @made.get("", summary="How the server is")
    async def get_system(who: Looking, of: At_) -> System:
        told = await asyncio.to_thread(control.ask, of.settings.control_socket, "health")
        return await asyncio.to_thread(_system, of, told)

    @made.get("/associations", summary="Open associations")
    async def list_associations(who: Looking, of: At_) -> Associations:
        told = await asyncio.to_thread(control.ask, of.settings.control_socket, "associations")
        found = [
            AssociationWords(**{**one, "contexts": len(one["contexts"])}) for one in told["associations"]
        ]
        return Associations(associations=sorted(found, key=lambda one: one.started_at)[:1000])

    @made.post("/associations/{id}/abort", status_code=204, summary="Abort an association")
    async def abort_association(
        id: AssociationId, body: Abort, who: Looking, of: At_, at: At, host: Host
    ) -> None:
        try:
            await asyncio.to_thread(
                control.ask, of.settings.control_socket, "abort", id=id, reason=body.reason, by=who.name
            )
        except Refused as refused:
            raise Refused(refused.message, code="not-found") from None
        told = Entry(
            Kind.CONFIG, who, host=host, what="abort", reason=body.reason, detail={"association": id}
        )
        at.trail.record_late(told)

    @made.get("/alarms", summary="What needs whoever asks")
    def list_alarms(who: Who, of: At_) -> Alarms:
        found = list(_alarms(of, who))
        return Alarms(alarms=sorted(found, key=lambda one: not one.grave))

    return made


def _system(of: Server, told: dict[str, Any]) -> System:
    names = ("dicom", "web", "worker", "database", "disk")
    parts = [
        Part(
            name=name,  # type: ignore[arg-type]
            ok=told[name]["ok"],
            figures={key: value for key, value in told[name].items() if key != "ok"},
        )
        for name in names
    ]
    counts = _kept(of, "counts", lambda: _counts(of), 60.0)
    return System(
        ok=told["status"] == "ok",
        version=told["version"],
        uptime_seconds=told["uptime_seconds"],
        ae_title=told["dicom"]["ae_title"],
        parts=parts,
        spaces=_spaces(of.settings),
        certificate_ends_at=_certificate_end(of.settings),
        **counts,
    )


def _counts(of: Server) -> dict[str, Any]:
    name = of.engine.dialect.name
    with reading(of.engine) as connection:
        rows = {
            table: connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0
            for table in ("studies", "series", "instances")
        }
        size = (
            connection.scalar(text("SELECT pg_database_size(current_database())"))
            if name == "postgresql"
            else _file_size(Path(of.engine.url.database or ""))
        )
    return {**rows, "database": name, "database_bytes": int(size or 0)}


def _file_size(index: Path) -> int:
    """Of a SQLite file with its journals."""
    return sum(file.stat().st_size for file in index.parent.glob(f"{index.name}*") if file.is_file())


def _spaces(settings: Settings) -> list[Space]:
    found: dict[int, Space] = {}
    for path in (settings.store, settings.home):
        usage = shutil.disk_usage(path)
        found.setdefault(
            os.stat(path).st_dev,  # noqa: PTH116
            Space(path=str(path), size=usage.total, free=usage.free),
        )
    return list(found.values())


def _certificate_end(settings: Settings) -> datetime | None:
    if not settings.tls.certificate:
        return None
    from cryptography import x509

    try:
        # the chain: what ends first ends all of it
        chain = x509.load_pem_x509_certificates(Path(settings.tls.certificate).read_bytes())
    except (OSError, ValueError):
        return None
    return min((one.not_valid_after_utc for one in chain), default=None)


def _alarms(of: Server, who: Principal) -> Iterator[Alarm]:
    if may(who, Action.HEALTH):
        yield from _kept(of, "health", lambda: list(_of_health(of)))
    if may(who, Action.DEVICES):
        yield from _kept(of, "devices", lambda: list(_of_devices(of)))
    if may(who, Action.JOBS):
        yield from _kept(of, "jobs", lambda: list(_of_jobs(of)))
    with reading(of.engine) as connection:
        if may(who, Action.QUARANTINE):
            among = quarantined_for(permit(who, Action.QUARANTINE), Action.QUARANTINE)
            waiting = len(quarantine.objects(connection, state="waiting", limit=1000, among=among))
            if waiting:
                yield _alarm("quarantine", count=waiting)
        if may(who, Action.REVIEW_BREAK_GLASS) and (count := emergency.waiting_for_review(connection)):
            yield _alarm("emergency", count=count)


def _alarm(why: Why, *, grave: bool = False, about: str = "", count: int = 0, reason: str = "") -> Alarm:
    return Alarm(why=why, grave=grave, about=about, count=count, reason=reason)


def _of_health(of: Server) -> Iterator[Alarm]:
    try:
        told = control.ask(of.settings.control_socket, "health")
    except FilmlessError as error:
        yield _alarm("server", grave=True, reason=error.message)
    else:
        if not told["database"]["ok"]:
            yield _alarm("database", grave=True)
        if not told["worker"]["ok"]:
            yield _alarm("worker", grave=True)
        if not told["disk"]["ok"]:
            yield _alarm("disk", grave=True, count=told["disk"]["free_bytes"])
        else:
            space = shutil.disk_usage(of.settings.store)
            if space.free < _LOW * space.total:
                yield _alarm("disk", count=space.free)
    ends = _certificate_end(of.settings)
    if ends is not None and ends - clock.now() < timedelta(days=_RENEW):
        left = (ends - clock.now()).days
        yield _alarm("certificate", grave=left < 7, about=of.settings.tls.certificate, count=left)


def _of_devices(of: Server) -> Iterator[Alarm]:
    with reading(of.engine) as connection:
        for one in devices.list_devices(connection):
            if one.enabled and one.host and one.check_ok is False:
                yield _alarm("device", about=one.ae_title, reason=one.check_reason)


def _of_jobs(of: Server) -> Iterator[Alarm]:
    try:
        failed = of.desk.jobs.newest(limit=200, state="failed", since=clock.now() - _TRIED)
    except Unavailable as error:
        yield _alarm("job", grave=True, reason=error.message)
        return
    news = [one for one in failed if clock.now() - one.changed_at < _NEWS]
    if news:
        yield _alarm("job", count=len(news), reason=news[0].reason)


def _kept(of: Server, name: str, look: Callable[[], Any], stand: float = _STAND) -> Any:
    """What `look` found, for a while; asked by one thread at a time."""
    with of.seeing:
        at, found = of.seen.get(name, (0.0, None))
        if found is None or time.monotonic() - at > stand:
            found = look()
            of.seen[name] = (time.monotonic(), found)
        return found
