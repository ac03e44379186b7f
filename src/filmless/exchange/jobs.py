"""Background work of exchange/: sends and notifications, each a durable job of its device."""

import asyncio
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select

from filmless.access.audit import search
from filmless.access.audit.model import Kind
from filmless.access.audit.trail import Trail
from filmless.access.model import SYSTEM
from filmless.archive.commitment import user as commitment
from filmless.archive.query import StoredInstance, instances_of
from filmless.archive.query.instances import stored
from filmless.archive.references import Reference
from filmless.archive.retrieve.presence import Now, as_now
from filmless.archive.retrieve.sending import Sender
from filmless.archive.tables import instances, rejections
from filmless.archive.told import Departures
from filmless.db import durable
from filmless.db.durable import BACK_OFF, Attempt, Jobs
from filmless.db.events import Event
from filmless.db.work import reading
from filmless.devices import service as devices
from filmless.devices.model import Device
from filmless.exchange import journal
from filmless.exchange.notify import available, notify, study_is_quiet
from filmless.exchange.send import BATCH, Sent, send
from filmless.kit.errors import FilmlessError, Refused, Unavailable
from filmless.net.errors import AssociationRejected
from filmless.net.model import NetSettings

SEND, NOTIFY = "send", "notify"
#: sends of a study among which the devices that have it are looked for
_MOST_SENT = 200

#: how long a job waits for the result of the storage commitment that it asked for; seconds
_COMMITMENT_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Wish:
    """A job to add. The id makes it the same job when it is wished for again."""

    kind: str
    task: Mapping[str, Any]
    device: str
    queue: str
    job_id: str


def add_send(
    jobs: Jobs,
    device: Device,
    *,
    study_uids: Sequence[str] = (),
    series_uids: Sequence[str] = (),
    sop_uids: Sequence[str] = (),
    commit: bool = False,
) -> str:
    """Add a job that sends these studies, series and objects to a device; returns its id.

    `commit`: ask the device at the end to commit to what it was sent.
    """
    task = {
        "study_uids": list(study_uids),
        "series_uids": list(series_uids),
        "sop_uids": list(sop_uids),
        "commit": commit,
    }
    return jobs.add(SEND, task, device=device.ae_title, queue="sends")


def chosen(
    connection: Connection,
    *,
    study_uids: Sequence[str] = (),
    series_uids: Sequence[str] = (),
    sop_uids: Sequence[str] = (),
) -> list[StoredInstance]:
    """The objects of these studies, series and UIDs, each once."""
    found: dict[str, StoredInstance] = {}
    if study_uids:
        for one in instances_of(connection, SYSTEM, level="STUDY", study_uids=study_uids):
            found[one.sop_instance] = one
    if series_uids:
        for one in instances_of(connection, SYSTEM, level="SERIES", series_uids=series_uids):
            found[one.sop_instance] = one
    if sop_uids:
        for one in instances_of(connection, SYSTEM, level="IMAGE", sop_uids=sop_uids):
            found[one.sop_instance] = one
    return list(found.values())


def of_event(connection: Connection, event: Event) -> Iterator[Wish]:
    """The jobs that an event asks for."""
    if event.kind == "series-settled":
        yield from notifications(connection, event)
    elif event.kind == "images-moved":
        yield from corrections(connection, event)


def corrections(connection: Connection, event: Event) -> Iterator[Wish]:
    """Images were moved to another study: each device that was sent them gets the note that rejects them, and the
    copies (IHE RAD IOCM, RAD-66)."""
    body = event.body
    sent = search.newest(
        connection,
        search.Asked(study=str(body["study"]), kinds=(Kind.SEND,), outcome="success"),
        limit=_MOST_SENT,
    )
    # what somebody fetched (C-MOVE, C-GET) is on the list of copies to be called back
    told = (str(one.detail.get("destination", "")) for one in sent if one.what == "send")
    for title in dict.fromkeys(told):
        device = devices.find_device(connection, title) if title else None
        if device is None or not device.enabled or not device.host:
            continue
        task = {
            "study_uids": [],
            "series_uids": list(body["series"]),
            "sop_uids": [],
            "notes": list(body["notes"]),
            "commit": False,
        }
        yield Wish(SEND, task, device.ae_title, "sends", f"{SEND}-{device.ae_title}-{event.seq}")


def notes_of(connection: Connection, note_uids: Sequence[str]) -> list[StoredInstance]:
    """Rejection notes in force: they are hidden like what they name, and leave only where they are meant."""
    if not note_uids:
        return []
    meant = (
        select(rejections.c.id)
        .where(
            rejections.c.note_uid == instances.c.sop_instance_uid,
            rejections.c.note_uid.in_(list(note_uids)),
            rejections.c.revoked_at.is_(None),
        )
        .exists()
    )
    return [StoredInstance(*row) for row in connection.execute(stored(SYSTEM, rejected=True).where(meant))]


def notifications(connection: Connection, event: Event) -> Iterator[Wish]:
    """When the last series of a study settles, each device that wants it is told of the study."""
    study_uid = str(event.body["study_uid"])
    if not study_is_quiet(connection, study_uid):
        return
    for device in devices.list_devices(connection, notify=True):
        if device.enabled:
            job_id = f"{NOTIFY}-{device.ae_title}-{event.seq}"
            yield Wish(NOTIFY, {"study_uid": study_uid}, device.ae_title, "notices", job_id)


class ExchangeJobs:
    """The attempts at jobs, with what they need."""

    def __init__(
        self,
        engine: Engine,
        home: Path,
        net: NetSettings,
        sender: Sender,
        trail: Trail,
        tls: Callable[[Device], ssl.SSLContext | None] = lambda device: None,
    ) -> None:
        self._engine = engine
        self._trail = trail
        self._home = home
        self._net = net
        self._sender = sender
        self._tls = tls

    def register(self, *, back_off: Sequence[float] = BACK_OFF) -> None:
        """Define the kinds of jobs, inside `durable.running`."""
        durable.kind(SEND, self.send, back_off=back_off)
        durable.kind(NOTIFY, self.notify, back_off=back_off)

    async def send(self, job_id: str, task: Mapping[str, Any], number: int) -> Attempt:
        """Send what is not confirmed yet. Done when everything is; what the device refuses for good has failed."""
        device, objects = await asyncio.to_thread(self._to_send, task)
        notes = tuple(task.get("notes", ()))
        if not objects:
            return Attempt("failed", "There are no such objects in the archive.")
        confirmed = await asyncio.to_thread(journal.confirmed, self._home, job_id, objects)
        left = [one for one in objects if one.sop_instance not in confirmed]
        lost: FilmlessError | None = None
        why, failed, again = "", 0, 0
        told = Departures(
            self._trail, SYSTEM, "", "send", destination=device.ae_title, address=device.host, job=job_id
        )
        with ExitStack() as stack:
            stack.callback(told.tell)
            written = stack.enter_context(journal.open_journal(self._home, job_id))
            written.total(len(objects))

            def note(one: StoredInstance, sent: Sent) -> None:
                written.note(one, sent)
                told.count_instance(one, sent=sent.became not in ("failed", "again"), why=sent.why)

            try:
                report = await send(
                    device,
                    self._still_there(left, notes),
                    sender=self._sender,
                    settings=self._net,
                    tls=self._tls(device),
                    on_result=note,
                    now=self._now(notes),
                )
                why, failed, again = report.why, report.failed, report.again
            except (Unavailable, AssociationRejected) as error:
                # what was confirmed stays; a rejection may be a matter of the device's settings
                lost = error
        # as they are by now: what was corrected when it had left already has to leave again
        now = await asyncio.to_thread(lambda: list(self._still_there(objects, notes)))
        confirmed = await asyncio.to_thread(journal.confirmed, self._home, job_id, objects)
        current = await asyncio.to_thread(journal.confirmed, self._home, job_id, now)
        sent = sum(one.sop_instance in confirmed | current for one in objects)
        result: dict[str, Any] = {"sent": sent, "failed": failed, "of": len(objects)}
        if lost is not None:
            return Attempt("again", lost.message, result)
        if again:
            return Attempt("again", why, result)
        if any(one.sop_instance in confirmed - current for one in now):
            return Attempt("again", "Objects were corrected or replaced while they were sent.", result)
        if failed:
            return Attempt("failed", f"{failed} of {len(objects)} were not taken: {why}", result)
        if task.get("commit"):
            result |= await self._commit(device, objects)
        return Attempt("done", "", result)

    async def notify(self, job_id: str, task: Mapping[str, Any], number: int) -> Attempt:
        """Tell a device which objects of a study there are, unless it no longer wants that."""
        study_uid = str(task["study_uid"])
        device, objects = await asyncio.to_thread(self._to_tell, str(task["device"]), study_uid)
        if device is None or not objects:
            return Attempt("done", "Nothing to tell any more.")
        try:
            await notify(device, study_uid, objects, settings=self._net, tls=self._tls(device))
        except AssociationRejected as error:
            return Attempt("again", error.message)
        return Attempt("done", "", {"objects": len(objects)})

    async def _commit(self, device: Device, objects: Sequence[StoredInstance]) -> dict[str, Any]:
        asked = [Reference(one.sop_class, one.sop_instance) for one in objects]
        try:
            made = await commitment.ask(
                self._engine,
                device,
                asked,
                settings=self._net,
                tls=self._tls(device),
                wait=_COMMITMENT_WAIT,
            )
        except Refused as error:
            return {"commitment": error.message}
        if made.answer is None:
            return {"commitment": "asked, no result yet"}
        return {"commitment": f"{len(asked) - len(made.failed)} kept, {len(made.failed)} not"}

    def _now(self, notes: Sequence[str]) -> Now:
        """As archive.retrieve.presence.as_now; rejection notes that are meant are there although they are hidden."""
        plain = as_now(self._engine, SYSTEM)
        if not notes:
            return plain

        def look_up(asked: Sequence[StoredInstance]) -> Mapping[str, StoredInstance]:
            with reading(self._engine) as connection:
                meant = {one.sop_instance: one for one in notes_of(connection, notes)}
            return {**plain(asked), **meant}

        return look_up

    def _still_there(
        self, objects: Sequence[StoredInstance], notes: Sequence[str] = ()
    ) -> Iterator[StoredInstance]:
        """The objects as they are when their turn comes: a send may take hours, and what is rejected meanwhile
        must not leave."""
        for start in range(0, len(objects), BATCH):
            uids = [one.sop_instance for one in objects[start : start + BATCH]]
            with reading(self._engine) as connection:
                found = chosen(connection, sop_uids=uids)
                found += [one for one in notes_of(connection, notes) if one.sop_instance in uids]
            yield from found

    def _to_send(self, task: Mapping[str, Any]) -> tuple[Device, list[StoredInstance]]:
        with reading(self._engine) as connection:
            device = devices.destination(connection, str(task["device"]))
            objects = chosen(
                connection,
                study_uids=task.get("study_uids", ()),
                series_uids=task.get("series_uids", ()),
                sop_uids=task.get("sop_uids", ()),
            )
            objects += notes_of(connection, task.get("notes", ()))
        return device, objects

    def _to_tell(self, ae_title: str, study_uid: str) -> tuple[Device | None, list[StoredInstance]]:
        with reading(self._engine) as connection:
            device = devices.find_device(connection, ae_title)
            if device is None or not device.notify or not device.enabled:
                return None, []
            return device, available(connection, device.principal, study_uid)
