"""The list of devices as our own HTTP API: look, add, change, take off, and ask whether one answers."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from filmless.access.acting import Acting
from filmless.access.api.told import Told
from filmless.access.api.words import PROBLEMS, At, Host, In, Line, Reason, ScopeWords, Who
from filmless.access.audit.model import Kind
from filmless.access.model import Action, Principal, permit
from filmless.db.events import Event
from filmless.db.work import reading, writing
from filmless.devices import checks, service
from filmless.devices.model import CHARACTER_SETS, DUPLICATES, QUIRKS, SERVICES, Device
from filmless.kit.errors import Defect, Refused
from filmless.net.model import NetSettings

#: a screen has no use for more
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Calling:
    """What calling a device takes."""

    net: NetSettings
    tls: Callable[[Device], ssl.SSLContext | None]


# an AE title may have a slash
Title = Annotated[Line, Path(min_length=1, max_length=64, description="AE title.")]
Word = Annotated[Line, Field(max_length=200)]


class DeviceWords(BaseModel):
    """A device."""

    ae_title: str
    description: str
    host: str
    port: int = Field(description="0: it only calls us.")
    tls: bool
    enabled: bool
    character_set: str
    default_issuer: str
    services: list[str]
    quirks: list[str]
    duplicates: str
    notify: bool
    quality_control: bool
    site: str
    department: str
    scope: ScopeWords
    checked_at: datetime | None
    check_ok: bool | None
    check_reason: str
    check_ms: int | None
    changed_at: datetime | None

    @classmethod
    def of(cls, one: Device) -> "DeviceWords":
        """From the service's words."""
        values: dict[str, Any] = {name: getattr(one, name) for name in cls.model_fields}
        values["services"] = [word for word in SERVICES if word in one.services]
        values["quirks"] = [word for word in QUIRKS if word in one.quirks]
        values["scope"] = ScopeWords.of(one.scope)
        return cls(**values)


class DeviceList(BaseModel):
    """The devices in the order of their AE titles, and what can be said of one."""

    devices: list[DeviceWords]
    more: bool = Field(description="There are more than are shown.")
    services: dict[str, str] = Field(description="What a device may ask of us, with words.")
    quirks: dict[str, str] = Field(description="How a device may depart from the standard, with words.")
    duplicates: dict[str, str] = Field(description="What is done with another object under a known UID.")
    character_sets: list[str]


class DeviceFields(In):
    """What can be said of a device; what is left out stays as it is."""

    description: Word | None = None
    host: Line | None = Field(None, max_length=300)
    port: int | None = Field(None, ge=0, le=65535)
    tls: bool | None = None
    enabled: bool | None = None
    character_set: Line | None = Field(None, max_length=200)
    default_issuer: Line | None = Field(None, max_length=200)
    services: list[Word] | None = Field(None, max_length=50)
    quirks: list[Word] | None = Field(None, max_length=50)
    duplicates: Word | None = None
    notify: bool | None = None
    quality_control: bool | None = None
    site: Word | None = None
    department: Word | None = None
    scope: ScopeWords | None = None

    def changes(self) -> dict[str, Any]:
        """In the words of the service."""
        given: dict[str, Any] = {
            name: getattr(self, name)
            for name in DeviceFields.model_fields
            if name != "scope" and getattr(self, name) is not None
        }
        for name in ("services", "quirks"):
            if name in given:
                given[name] = frozenset(given[name])
        if self.scope is not None:
            given["scope"] = self.scope.scope()
        return given


class NewDevice(DeviceFields):
    """A device to be added."""

    ae_title: Line = Field(min_length=1, max_length=64)
    reason: Reason = ""


class DeviceChange(DeviceFields):
    """What is to change, and why."""

    reason: Line = Field(min_length=1, max_length=400)


class CheckWords(BaseModel):
    """Whether a device answers."""

    ok: bool
    reason: str = Field(description="In words; empty where it answers.")
    ms: int | None = Field(description="From the first packet to the answer; null where there was none.")
    device: DeviceWords


class DeviceEvent(BaseModel):
    """What happened to a device."""

    at: datetime
    what: Literal["added", "changed", "removed", "reachable", "unreachable"]
    by: str
    reason: str
    changes: dict[str, list[Any]] = Field(description="Field: before and after.")

    @classmethod
    def of(cls, one: Event) -> "DeviceEvent":
        """From the event log."""
        return cls(
            at=one.at,
            what=one.kind.removeprefix("device-"),  # type: ignore[arg-type]
            by=one.body.get("by", ""),
            reason=one.body.get("reason", ""),
            changes=one.body.get("changes", {}),
        )


class DeviceEvents(BaseModel):
    """What happened to a device, the newest first."""

    events: list[DeviceEvent]


def _manager(who: Who) -> Principal:
    permit(who, Action.DEVICES)
    return who


Manager = Annotated[Principal, Depends(_manager)]


def router(calling: Calling | None) -> APIRouter:
    """The routes. `calling` None: only to be described."""
    made = APIRouter(prefix="/devices", tags=["devices"], responses=PROBLEMS, route_class=Told)

    @made.get("", summary="The list of devices")
    def list_devices(
        who: Manager, at: At, limit: Annotated[int, Query(ge=1, le=_MOST)] = _MOST
    ) -> DeviceList:
        with reading(at.engine) as connection:
            found = service.list_devices(connection, limit=limit + 1)
        return DeviceList(
            devices=[DeviceWords.of(one) for one in found[:limit]],
            more=len(found) > limit,
            services=SERVICES,
            quirks=QUIRKS,
            duplicates=DUPLICATES,
            character_sets=sorted(CHARACTER_SETS),
        )

    @made.post("", status_code=201, summary="Add a device; it may call from now on")
    def add_device(body: NewDevice, who: Manager, at: At, host: Host) -> DeviceWords:
        acting = at.acting(who, host, body.reason)
        with writing(at.engine) as connection:
            wanted = Device(ae_title=body.ae_title, **body.changes())
            device = service.add(connection, wanted, by=who.name, reason=body.reason)
            words = DeviceWords.of(device)
            _note(acting, connection, "add", device.ae_title, now=_as_told(words))
        return words

    @made.post("/{ae_title:path}/check", summary="Ask a device whether it answers (C-ECHO)")
    async def check_device(ae_title: Title, who: Manager, at: At) -> CheckWords:
        if calling is None:
            raise Defect("These routes call nobody.", code="no-calling")
        device = await asyncio.to_thread(_destination, at, ae_title)
        [result] = await checks.check_all([device], calling.net, tls=calling.tls)
        kept = await asyncio.to_thread(_keep, at, device.ae_title, result)
        return CheckWords(ok=result.ok, reason=result.reason, ms=result.ms, device=kept)

    @made.get("/{ae_title:path}/history", summary="What happened to a device, the newest first")
    def device_history(
        ae_title: Title, who: Manager, at: At, limit: Annotated[int, Query(ge=1, le=200)] = 50
    ) -> DeviceEvents:
        with reading(at.engine) as connection:
            found = service.history(connection, ae_title=ae_title, limit=limit)
        return DeviceEvents(events=[DeviceEvent.of(one) for one in found])

    @made.patch("/{ae_title:path}", summary="Change a device; in force from its next association on")
    def change_device(ae_title: Title, body: DeviceChange, who: Manager, at: At, host: Host) -> DeviceWords:
        acting = at.acting(who, host, body.reason)
        with writing(at.engine) as connection:
            before = DeviceWords.of(_known(connection, ae_title))
            device = service.change(
                connection, before.ae_title, body.changes(), by=who.name, reason=body.reason
            )
            words = DeviceWords.of(device)
            old, new = _as_told(before), _as_told(words)
            changes = {name: [old[name], new[name]] for name in new if old[name] != new[name]}
            _note(acting, connection, "change", device.ae_title, changes=changes)
        return words

    @made.delete("/{ae_title:path}", status_code=204, summary="Take a device off the list")
    def remove_device(
        ae_title: Title,
        who: Manager,
        at: At,
        host: Host,
        reason: Annotated[Line, Query(min_length=1, max_length=400)],
    ) -> None:
        with writing(at.engine) as connection:
            device = _known(connection, ae_title)
            service.remove(connection, device.ae_title, by=who.name, reason=reason)
            _note(at.acting(who, host, reason), connection, "remove", device.ae_title)

    return made


def _known(connection: Connection, ae_title: str) -> Device:
    """Raises Refused (code "not-found")."""
    device = service.find_device(connection, ae_title)
    if device is None:
        raise Refused(f"There is no device {ae_title}.", code="not-found")
    return device


def _destination(at: At, ae_title: str) -> Device:
    with reading(at.engine) as connection:
        _known(connection, ae_title)
        return service.destination(connection, ae_title)


def _keep(at: At, ae_title: str, result: checks.CheckResult) -> DeviceWords:
    with writing(at.engine) as connection:
        service.record_check(connection, ae_title, ok=result.ok, reason=result.reason, ms=result.ms)
        return DeviceWords.of(service.get_device(connection, ae_title))


def _as_told(words: DeviceWords) -> dict[str, Any]:
    """What may be changed, as the trail keeps it."""
    return words.model_dump(mode="json", include=set(service.CHANGEABLE), exclude_none=True)


def _note(acting: Acting, connection: Connection, what: str, ae_title: str, **detail: Any) -> None:
    acting.note(connection, what, kind=Kind.DEVICES, device=ae_title, **detail)
