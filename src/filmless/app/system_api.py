"""How the server is, as our own HTTP API: its parts, open associations, and what needs those in charge."""

import asyncio
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
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
from filmless.app.alarms import conditions, seen, telling
from filmless.app.alarms.model import Channel, Condition, Why
from filmless.app.settings import Settings
from filmless.archive import quarantine
from filmless.archive.api.deciding import quarantined_for
from filmless.db.work import reading, writing
from filmless.exchange.job_api import JobDesk
from filmless.kit.errors import Defect, FilmlessError, Refused, Unavailable

#: seconds for which the alarms of one process stand: bells of many screens ask for them
_STAND: Final = 20.0


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
    alarms_told_by: list[Channel] = Field(
        description="How those in charge are told, besides by their screens."
    )


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
    seen_by: str = Field(description="Who has seen it, since nothing newer happened; empty: nobody yet.")
    seen_at: datetime | None


class SeenAlarm(In):
    """An alarm that the one who asks has seen."""

    why: Literal["job", "alert"]
    about: Line = Field(default="", max_length=64, description="As the alarm says.")


class Tested(BaseModel):
    """What came of a test."""

    channel: Channel
    reason: str = Field(description="Why it could not be sent; empty where it was.")


class TestAnswer(BaseModel):
    """One for each way that is set; empty where alarms are on the screens alone."""

    tested: list[Tested]


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
        return Alarms(alarms=sorted(found, key=lambda one: (bool(one.seen_by), not one.grave)))

    @made.post(
        "/alarms/seen", status_code=204, summary="Say that an alarm was seen, until something is newer"
    )
    def see_alarm(body: SeenAlarm, who: Who, of: At_, at: At, host: Host) -> None:
        permit(who, Action.JOBS if body.why == "job" else Action.AUDIT)
        with writing(of.engine) as connection:
            seen.mark(connection, body.why, body.about, at.acting(who, host))
        with of.seeing:
            of.seen.pop("jobs", None)

    @made.post("/alarms/test", summary="Send a test of how alarms are told")
    async def test_alarms(who: Looking, of: At_, at: At, host: Host) -> TestAnswer:
        settings = of.settings
        results = await asyncio.to_thread(telling.test, settings.alarms, settings.server.aet)
        told: dict[str, str] = {channel: reason or "sent" for channel, reason in results}
        at.trail.record_late(Entry(Kind.CONFIG, who, host=host, what="alarms tested", detail=told))
        return TestAnswer(tested=[Tested(channel=channel, reason=reason) for channel, reason in results])

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
        certificate_ends_at=conditions.certificate_end(of.settings.tls.certificate),
        alarms_told_by=list(of.settings.alarms.channels),
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


def _alarms(of: Server, who: Principal) -> Iterator[Alarm]:
    found: list[Condition] = []
    if may(who, Action.HEALTH):
        found += _kept(of, "health", lambda: list(_of_health(of)))
    if may(who, Action.DEVICES):
        found += _kept(of, "devices", lambda: list(conditions.of_devices(of.engine)))
    if may(who, Action.JOBS):
        found += _kept(of, "jobs", lambda: list(_of_jobs(of)))
    with reading(of.engine) as connection:
        if may(who, Action.QUARANTINE):
            among = quarantined_for(permit(who, Action.QUARANTINE), Action.QUARANTINE)
            waiting = len(quarantine.objects(connection, state="waiting", limit=1000, among=among))
            if waiting:
                found.append(Condition("quarantine", count=waiting))
        if may(who, Action.REVIEW_BREAK_GLASS) and (count := emergency.waiting_for_review(connection)):
            found.append(Condition("emergency", count=count))
        if may(who, Action.AUDIT):
            found += conditions.of_alerts(connection, seen.of(connection, "alert"))
    for one in found:
        yield Alarm(
            why=one.why,
            grave=one.grave,
            about=one.about,
            count=one.count,
            reason=one.reason,
            seen_by=one.seen.by if one.seen else "",
            seen_at=one.seen.at if one.seen else None,
        )


def _of_health(of: Server) -> Iterator[Condition]:
    try:
        told = control.ask(of.settings.control_socket, "health")
    except FilmlessError as error:
        yield Condition("server", grave=True, reason=error.message)
    else:
        if not told["database"]["ok"]:
            yield Condition("database", grave=True)
        if not told["worker"]["ok"]:
            yield Condition("worker", grave=True)
        yield from conditions.of_disk(of.settings.store, of.settings.archive.minimum_free_bytes)
    yield from conditions.of_certificate(of.settings.tls.certificate)
    for one in telling.troubles(of.settings.home):
        yield Condition("telling", about=one.channel, count=one.waiting, reason=one.reason)


def _of_jobs(of: Server) -> Iterator[Condition]:
    try:
        jobs = of.desk.jobs
    except Unavailable as error:
        yield Condition("job", grave=True, reason=error.message)
        return
    with reading(of.engine) as connection:
        known = seen.of(connection, "job")
    yield from conditions.of_jobs(jobs, known)


def _kept(of: Server, name: str, look: Callable[[], Any], stand: float = _STAND) -> Any:
    """What `look` found, for a while; asked by one thread at a time."""
    with of.seeing:
        at, found = of.seen.get(name, (0.0, None))
        if found is None or time.monotonic() - at > stand:
            found = look()
            of.seen[name] = (time.monotonic(), found)
        return found
