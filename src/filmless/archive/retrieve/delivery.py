"""Sending stored objects to a device, on as many associations as it takes."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from itertools import islice
from ssl import SSLContext

from filmless.archive.query import StoredInstance
from filmless.archive.retrieve.planning import proposals
from filmless.archive.retrieve.presence import Now
from filmless.archive.retrieve.sending import Sender, SubOperation
from filmless.archive.retrieve.tally import Result
from filmless.devices.model import Device
from filmless.dicom.uids import IMPLICIT_VR_LE, UNCOMPRESSED
from filmless.dicom.ul.negotiation import ContextRequest
from filmless.kit.errors import FilmlessError
from filmless.net.association import Association, connect
from filmless.net.errors import PeerTimeout
from filmless.net.model import NetSettings

_log = logging.getLogger(__name__)

_RELEASE_SECONDS = 10.0
#: C-STORE requests that we would have under way at once, where the receiver agrees (PS3.7 D.3.3.3)
_WINDOW = 8


class Delivery:
    """One delivery to one device. Objects in an association's order; each is accounted for exactly once."""

    def __init__(
        self,
        sender: Sender,
        net: NetSettings,
        device: Device,
        *,
        tls: SSLContext | None = None,
        priority: int = 0,
        originator: tuple[str, int] | None = None,
        stop: asyncio.Event | None = None,
        now: Now | None = None,
    ) -> None:
        """`originator`: AE title and Message ID of the C-MOVE behind it. `stop`: begin no further object. `now`: as
        for Sender.send."""
        self._sender = sender
        self._net = net
        self._device = device
        self._tls = tls
        self._priority = priority
        self._originator = originator
        self._stop = stop or asyncio.Event()
        self._now = now

    async def send(self, instances: Sequence[StoredInstance]) -> AsyncGenerator[SubOperation, None]:
        """What became of each object; all of them unless stopped. Never raises because of the device or an object."""
        kinds = dict.fromkeys((one.sop_class, one.ts) for one in instances)
        groups = proposals(kinds, only=_limits(self._device))
        group_of = {request.abstract_syntax: n for n, group in enumerate(groups) for request in group}
        for number, contexts in enumerate(groups):
            mine = [one for one in instances if group_of.get(one.sop_class) == number]
            async with aclosing(self._send_group(contexts, mine)) as sent:
                async for one in sent:
                    yield one
        for instance in instances:
            if instance.sop_class not in group_of and not self._stop.is_set():
                yield SubOperation(
                    instance, Result.FAILED, "the device is not to be sent its transfer syntax"
                )

    async def _send_group(
        self, contexts: Sequence[ContextRequest], instances: Sequence[StoredInstance]
    ) -> AsyncGenerator[SubOperation, None]:
        """A lost association costs the object under way; the rest goes on a new one while there is progress."""
        one_each = "one-object-per-association" in self._device.quirks
        done = barren = 0
        while done < len(instances) and not self._stop.is_set():
            before = done
            association, lost = None, None
            upto = done + 1 if one_each else len(instances)
            try:
                association = await self._connect(contexts)
            except FilmlessError as error:
                lost = error
            else:
                try:
                    sent = self._sender.send(
                        association,
                        islice(instances, done, upto),
                        window=_window(association),
                        priority=self._priority,
                        originator=self._originator,
                        stop=self._stop,
                        now=self._now,
                    )
                    async with aclosing(sent):
                        async for one in sent:
                            done += 1
                            yield one
                    await association.release(_RELEASE_SECONDS)
                except FilmlessError as error:
                    lost = error
                finally:
                    if association.is_open:
                        await association.abort()
            if lost is None or done == upto:
                continue
            _log.warning("sending to %s: %s", self._device.ae_title, lost.message)
            barren = barren + 1 if done == before else 0
            hopeless = barren > 1 or association is None or isinstance(lost, PeerTimeout)
            for instance in instances[done:] if hopeless else instances[done : done + 1]:
                done += 1
                yield SubOperation(instance, Result.FAILED, lost.message)

    async def _connect(self, contexts: Sequence[ContextRequest]) -> Association:
        return await connect(
            self._device.host,
            self._device.port,
            calling_ae=self._net.ae_title,
            called_ae=self._device.ae_title,
            contexts=contexts,
            settings=self._net,
            tls=self._tls,
            async_ops=(_WINDOW, 1),
        )


def _limits(device: Device) -> tuple[str, ...]:
    if "implicit-only" in device.quirks:
        return (IMPLICIT_VR_LE,)
    return UNCOMPRESSED if "uncompressed-only" in device.quirks else ()


def _window(association: Association) -> int:
    """C-STORE requests to have under way: what was negotiated, within our own bound (0 is unlimited)."""
    return min(association.window or _WINDOW, _WINDOW)
