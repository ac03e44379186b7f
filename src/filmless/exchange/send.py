"""Sending objects to a device: C-STORE as user (PS3.4 annex B).

Objects go in batches, one association for each batch, or more where its kinds of objects need more than 128
presentation contexts. Each kind (SOP class and stored transfer syntax) has a context of its own, so that an
object goes as it is stored whenever the device takes that; else it is transcoded, never with loss
(archive/retrieve/planning.py). A batch proposes the kinds in it, so a kind not met before is negotiated when it
comes.
"""

import contextlib
import logging
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal

from filmless.archive.query import StoredInstance
from filmless.archive.retrieve.planning import proposals
from filmless.archive.retrieve.presence import Now
from filmless.archive.retrieve.sending import Sender, SubOperation
from filmless.archive.retrieve.tally import Result
from filmless.devices.model import Device
from filmless.dicom import part10, scan, sopclasses
from filmless.dicom.uids import IMPLICIT_VR_LE, UNCOMPRESSED
from filmless.dicom.ul.negotiation import ContextRequest
from filmless.kit.errors import FilmlessError, Refused, Unavailable
from filmless.net.association import connect
from filmless.net.errors import AssociationAborted, PeerTimeout
from filmless.net.model import NetSettings

log = logging.getLogger(__name__)

#: objects of one association
BATCH = 500
#: C-STORE requests that we would have under way at once, where the device agrees (PS3.7 D.3.3.3); where it does
#: not, the association lets them wait for each other
_WINDOW = 8
#: associations in a row that the device breaks off before any object is answered
_IN_VAIN = 5

_SOP_CLASS_UID, _SOP_INSTANCE_UID = 0x00080016, 0x00080018
#: how much of a file is read in search of its SOP UIDs, where its meta information lacks them; bytes
_HEAD = 64 << 10

Became = Literal["sent", "warning", "failed", "again"]


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one object. "again": not sent for a passing reason, worth another attempt."""

    became: Became
    #: in plain words; "" where it was sent as it should be
    why: str = ""


@dataclass(slots=True)
class Report:
    """What became of all objects of one call of `send`. Those with a warning count as sent too."""

    sent: int = 0
    warnings: int = 0
    failed: int = 0
    again: int = 0
    #: the first of those not sent: (SOP Instance UID, why)
    failures: list[tuple[str, str]] = field(default_factory=list)

    def count(self, sop_instance_uid: str, sent: Sent) -> None:
        if sent.became in ("sent", "warning"):
            self.sent += 1
            self.warnings += sent.became == "warning"
            return
        self.failed += sent.became == "failed"
        self.again += sent.became == "again"
        if len(self.failures) < 20:
            self.failures.append((sop_instance_uid, sent.why))

    @property
    def why(self) -> str:
        """The first reason that an object was not sent; "" where all were."""
        return self.failures[0][1] if self.failures else ""


def read_file(path: Path) -> StoredInstance:
    """A DICOM file as an object to send. Raises Refused where it is none, or says not what it is."""
    try:
        with path.open("rb") as file:
            meta = part10.read_meta(file)
            sop_class, sop_instance = meta.sop_class_uid, meta.sop_instance_uid
            if not (sop_class and sop_instance):
                file.seek(meta.data_set_offset)
                wanted = frozenset({_SOP_CLASS_UID, _SOP_INSTANCE_UID})
                header = scan.scan(file.read(_HEAD), meta.transfer_syntax_uid, wanted)
                sop_class = sop_class or scan.text(header, _SOP_CLASS_UID)
                sop_instance = sop_instance or scan.text(header, _SOP_INSTANCE_UID)
            size = path.stat().st_size - meta.data_set_offset
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}.", code="unreadable") from None
    if not (sop_class and sop_instance):
        raise Refused(f"{path} has no SOP Class or SOP Instance UID.", code="no-sop-uid")
    return StoredInstance(
        sop_class=sop_class,
        sop_instance=sop_instance,
        ts=meta.transfer_syntax_uid,
        # absolute, so that it does not become one in the store
        path=str(path.absolute()),
        offset=meta.data_set_offset,
        size=size,
        series_uid="",
        study_uid="",
        sha256="",
        version=0,
    )


def files_in(paths: Iterable[Path]) -> Iterator[Path]:
    """The files named and those in the folders named, in the order of their names. Hidden ones are left out."""
    for path in paths:
        if path.is_dir():
            yield from files_in(sorted(child for child in path.iterdir() if not child.name.startswith(".")))
        else:
            yield path


async def send(
    device: Device,
    objects: Iterable[StoredInstance],
    *,
    sender: Sender,
    settings: NetSettings,
    tls: ssl.SSLContext | None = None,
    on_result: Callable[[StoredInstance, Sent], None] | None = None,
    batch: int = BATCH,
    now: Now | None = None,
) -> Report:
    """Send objects to a device and say what became of each (`on_result`, at once).

    Raises AssociationRejected, PeerUnreachable or PeerTimeout where the device does not take an association; what
    `on_result` was told before stands. When cancelled the association is aborted: objects under way may or may
    not have arrived, and `on_result` was not told of them. `now`: as for Sender.send.
    """
    report = Report()

    def tell(one: StoredInstance, sent: Sent) -> None:
        report.count(one.sop_instance, sent)
        if on_result is not None:
            on_result(one, sent)

    size = 1 if "one-object-per-association" in device.quirks else batch
    waiting = iter(objects)
    while chosen := list(islice(waiting, size)):
        await _Batch(device, sender, settings, tls, tell, now).send(chosen)
    return report


class _Batch:
    """Objects that are known from the start: their kinds are proposed together."""

    def __init__(
        self,
        device: Device,
        sender: Sender,
        settings: NetSettings,
        tls: ssl.SSLContext | None,
        tell: Callable[[StoredInstance, Sent], None],
        now: Now | None,
    ) -> None:
        self._device = device
        self._sender = sender
        self._settings = settings
        self._tls = tls if device.tls else None
        self._tell = tell
        self._now = now

    async def send(self, objects: Sequence[StoredInstance]) -> None:
        kinds: dict[tuple[str, str], None] = {}
        for one in objects:
            if _is_storage(one.sop_class):
                kinds[one.sop_class, one.ts] = None
        groups = proposals(kinds, only=_only(self._device))
        group_of = {
            request.abstract_syntax: number for number, group in enumerate(groups) for request in group
        }
        for one in objects:
            if one.sop_class not in group_of:
                name = sopclasses.name_of(one.sop_class)
                why = (
                    f"no transfer syntax is left for {name}"
                    if _is_storage(one.sop_class)
                    else f"{name} is not sent"
                )
                self._tell(one, Sent("failed", why))
        for number, contexts in enumerate(groups):
            await self._over(contexts, [one for one in objects if group_of.get(one.sop_class) == number])

    async def _over(self, contexts: list[ContextRequest], objects: list[StoredInstance]) -> None:
        """Send over one association, and over new ones where the device breaks it off.

        The object at which it broke off gets one more try, at the end; where it breaks off again, it has failed.
        """
        left = objects
        suspects: list[StoredInstance] = []
        in_vain = 0
        while left or suspects:
            alone = not left
            todo = left or suspects[:1]
            done, why = await self._one_association(contexts, todo)
            if not alone:
                in_vain = 0 if done else in_vain + 1
            if in_vain == _IN_VAIN:
                raise Unavailable(
                    f"{self._device.ae_title} breaks off each association: {why}", code="breaks-off"
                )
            rest = todo[done:]
            if alone:
                suspects.pop(0)
                for one in rest:
                    self._tell(one, Sent("failed", f"the device broke off while it was sent: {why}"))
            else:
                suspects += rest[:1]
                left = rest[1:]

    async def _one_association(
        self, contexts: list[ContextRequest], objects: Sequence[StoredInstance]
    ) -> tuple[int, str]:
        """(how many are dealt with, why it ended before the last)."""
        association = await connect(
            self._device.host,
            self._device.port,
            calling_ae=self._settings.ae_title,
            called_ae=self._device.ae_title,
            contexts=contexts,
            settings=self._settings,
            tls=self._tls,
            async_ops=(_WINDOW, 1),
        )
        done = 0
        try:
            async with aclosing(
                self._sender.send(association, objects, window=_WINDOW, now=self._now)
            ) as sending:
                async for one in sending:
                    self._tell(one.instance, _judge(one))
                    done += 1
        except (AssociationAborted, PeerTimeout) as error:
            log.warning("sending to %s broke off after %d objects: %s", self._device.ae_title, done, error)
            return done, error.message
        finally:
            if done < len(objects):
                await association.abort()
        with contextlib.suppress(FilmlessError):
            # every object is answered: how the goodbye goes changes nothing
            await association.release()
        return done, ""


def _judge(one: SubOperation) -> Sent:
    if one.result is Result.COMPLETED:
        return Sent("sent")
    if one.result is Result.WARNING:
        return Sent("warning", one.reason)
    return Sent("again" if one.passing else "failed", one.reason)


def _is_storage(sop_class: str) -> bool:
    return sop_class in sopclasses.STORAGE or not sop_class.startswith("1.2.840.10008.")


def _only(device: Device) -> tuple[str, ...]:
    if "implicit-only" in device.quirks:
        return (IMPLICIT_VR_LE,)
    return UNCOMPRESSED if "uncompressed-only" in device.quirks else ()
