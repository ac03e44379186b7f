"""C-GET, service class provider (PS3.4 C.4.3): objects go back on the requestor's own association."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing

from sqlalchemy import Engine

from filmless.access.audit.trail import Trail
from filmless.archive.retrieve.asked import asked_for, final, pending
from filmless.archive.retrieve.presence import as_now
from filmless.archive.retrieve.sending import Sender
from filmless.archive.retrieve.tally import UNABLE_TO_PERFORM, Tally
from filmless.archive.told import NOTHING_FOUND, Departures
from filmless.dicom.dimse import Command
from filmless.dicom.ul.negotiation import Context
from filmless.kit.errors import Unavailable
from filmless.net.association import Association
from filmless.net.model import Reply


class GetHandler:
    """Answers C-GET requests. Objects in contexts for which the requestor did not take the provider's role of
    the storage class (role selection) are failures in the list, not silence."""

    def __init__(self, engine: Engine, sender: Sender, trail: Trail) -> None:
        self._engine = engine
        self._trail = trail
        self._sender = sender

    async def __call__(
        self,
        association: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncGenerator[Reply, None]:
        """Pending responses between the objects, then the final one. Ends early where the association is lost."""
        found = await asked_for(self._engine, association, context, dataset)
        if isinstance(found, Reply):
            yield found
            return
        asked, wanted = found
        told = Departures(
            self._trail,
            association.who.principal,
            association.peer.host,
            "C-GET",
            destination=association.calling_ae,
            address=association.peer.host,
        )
        try:
            self._trail.require()
        except Unavailable as error:
            yield Reply(UNABLE_TO_PERFORM, comment=error.message[:64])
            return
        if not asked:
            told.refused(wanted.study_uids, NOTHING_FOUND)
        tally = Tally(len(asked))
        said = time.monotonic()
        sent = self._sender.send(
            association,
            asked,
            priority=command.priority,
            stop=cancelled,
            now=as_now(self._engine, association.who.principal),
        )
        async with AsyncExitStack() as stack:
            stack.callback(told.tell)
            await stack.enter_async_context(aclosing(sent))
            async for one in sent:
                told.count(one)
                tally.count(one.result, one.instance.sop_instance, one.reason)
                if tally.remaining and time.monotonic() - said >= self._sender.settings.pending_interval:
                    yield pending(tally)
                    said = time.monotonic()
        yield final(tally, context, command, cancelled=cancelled)
