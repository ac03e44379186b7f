"""C-MOVE, service class provider (PS3.4 C.4.2): objects go to another device on associations of their own."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from ssl import SSLContext

from sqlalchemy import Engine

from filmless.access.audit.trail import Trail
from filmless.archive.query import StoredInstance
from filmless.archive.retrieve.asked import asked_for, final, pending
from filmless.archive.retrieve.delivery import Delivery
from filmless.archive.retrieve.presence import as_now
from filmless.archive.retrieve.sending import Sender
from filmless.archive.retrieve.tally import DESTINATION_UNKNOWN, UNABLE_TO_PERFORM, Tally
from filmless.archive.told import NOTHING_FOUND, Departures
from filmless.db.work import reading
from filmless.devices import service as devices
from filmless.devices.model import Device
from filmless.dicom.dimse import Command
from filmless.dicom.ul.negotiation import Context
from filmless.kit.errors import Refused, Unavailable
from filmless.net.association import Association
from filmless.net.model import NetSettings, Reply


class MoveHandler:
    """Answers C-MOVE requests. The destination is looked up in the list of devices at each request."""

    def __init__(
        self,
        engine: Engine,
        sender: Sender,
        net: NetSettings,
        trail: Trail,
        tls: Callable[[Device], SSLContext | None] = lambda device: None,
    ) -> None:
        """`tls`: the context to call a device with, None for a device without TLS."""
        self._engine = engine
        self._trail = trail
        self._sender = sender
        self._net = net
        self._tls = tls

    async def __call__(
        self,
        association: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncGenerator[Reply, None]:
        """A pending response at each interval, then the final one.

        Closed before its end (the requestor's association is lost), it ends the associations to the destination.
        """
        found = await asked_for(self._engine, association, context, dataset)
        if isinstance(found, Reply):
            yield found
            return
        asked, wanted = found
        told = Departures(
            self._trail,
            association.who.principal,
            association.peer.host,
            "C-MOVE",
            destination=command.move_destination,
        )
        try:
            destination = await asyncio.to_thread(self._destination, command.move_destination)
            self._trail.require()
        except Refused as error:
            told.refused(wanted.study_uids, error.message)
            yield Reply(DESTINATION_UNKNOWN, comment=error.message[:64])
            return
        except Unavailable as error:
            yield Reply(UNABLE_TO_PERFORM, comment=error.message[:64])
            return
        told.address = destination.host
        if not asked:
            told.refused(wanted.study_uids, NOTHING_FOUND)
        tally = Tally(len(asked))
        sending = asyncio.create_task(
            self._deliver(destination, asked, tally, told, association, command, cancelled)
        )
        try:
            while not sending.done():
                await asyncio.wait((sending,), timeout=self._sender.settings.pending_interval)
                if not sending.done():
                    yield pending(tally)
            await sending
        finally:
            if not sending.done():
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
            told.tell()
        yield final(tally, context, command, cancelled=cancelled)

    def _destination(self, ae_title: str) -> Device:
        with reading(self._engine) as connection:
            return devices.destination(connection, ae_title)

    async def _deliver(
        self,
        destination: Device,
        asked: Sequence[StoredInstance],
        tally: Tally,
        told: Departures,
        association: Association,
        command: Command,
        cancelled: asyncio.Event,
    ) -> None:
        delivery = Delivery(
            self._sender,
            self._net,
            destination,
            tls=self._tls(destination),
            priority=command.priority,
            originator=(association.calling_ae, command.message_id),
            stop=cancelled,
            now=as_now(self._engine, association.who.principal),
        )
        async for one in delivery.send(asked):
            tally.count(one.result, one.instance.sop_instance, one.reason)
            told.count(one)
