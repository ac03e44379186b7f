"""Answers C-FIND on the modality worklist, service class provider (PS3.4 K.4.1)."""

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from filmless.access.audit.model import Entry, Kind
from filmless.access.audit.trail import Trail
from filmless.archive.query.matching import BadKey
from filmless.db.work import reading
from filmless.department.model import DepartmentSettings
from filmless.department.tables import stations
from filmless.department.worklist import asking, items, keys
from filmless.department.worklist.asking import Question
from filmless.department.worklist.items import Showing
from filmless.department.worklist.speaking import speaking
from filmless.department.worklist.writing import answer
from filmless.devices.model import Device
from filmless.dicom.charset import UTF_8
from filmless.dicom.dimse import Command
from filmless.dicom.statuses import CANCELLED, OUT_OF_RESOURCES, PENDING, PENDING_WARNING, SUCCESS
from filmless.dicom.ul.negotiation import Context
from filmless.kit.errors import Refused, Unavailable
from filmless.net.association import Association
from filmless.net.model import Reply

_log = logging.getLogger(__name__)

#: PS3.4 table K.4-1: identifier does not match SOP class; unable to process
_DOES_NOT_MATCH = 0xA900
_UNABLE = 0xC001
#: most items that one question is answered with
_MOST = 5000
_THREADS = 2


class WorklistHandler:
    """One per process. Call `close` at the end."""

    def __init__(self, engine: Engine, settings: DepartmentSettings, trail: Trail) -> None:
        self._engine = engine
        self._settings = settings
        self._trail = trail
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="worklist")

    def close(self) -> None:
        """No further answers."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def __call__(
        self,
        association: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        """Pending responses, then the final one."""
        device = association.who
        assert isinstance(device, Device)
        try:
            question = asking.read(dataset or b"", context.transfer_syntax, device.character_set)
            self._trail.require()
        except BadKey as error:
            fields = {"OffendingElement": [error.tag]}
            yield Reply(_UNABLE, comment=error.message[:64], fields=fields)
            return
        except Refused as error:
            yield Reply(_DOES_NOT_MATCH, comment=error.message[:64])
            return
        except Unavailable as error:
            yield Reply(OUT_OF_RESOURCES, comment=error.message[:64])
            return
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(
                self._threads, self._find, device, question, context.transfer_syntax
            )
        except SQLAlchemyError as error:
            _log.error("the worklist cannot be read: %s", type(getattr(error, "orig", error)).__name__)
            yield Reply(OUT_OF_RESOURCES, comment="the index is not available")
            return
        pending = PENDING_WARNING if question.unsupported else PENDING
        given, final = 0, SUCCESS
        for encoded in found:
            if cancelled.is_set():
                final = CANCELLED
                break
            yield Reply(pending, encoded)
            given += 1
        _log.info("worklist for %s: %d items", device.ae_title, given)
        self._tell(association, question, given)
        yield Reply(final)

    def _find(self, device: Device, question: Question, transfer_syntax_uid: str) -> list[bytes]:
        spoken = speaking(device.character_set, question.character_set, UTF_8)
        with reading(self._engine) as connection:
            row = connection.execute(
                select(stations.c.modality, stations.c.abilities)
                .where(stations.c.ae_title == device.ae_title, stations.c.active)
                .order_by(stations.c.id)
            ).first()
            showing = Showing(
                device.scope,
                limit=str((row.abilities or {}).get("worklist_shows") or "asked") if row else "asked",
                ae_title=device.ae_title,
                modality=row.modality if row else "",
                booked=self._settings.number_at == "booking",
                begun=timedelta(hours=self._settings.worklist_begun_hours),
                age=timedelta(days=self._settings.worklist_days),
            )
            return [
                answer(values, question, spoken, transfer_syntax_uid)
                for values in items.find(connection, question, showing, _MOST)
            ]

    def _tell(self, association: Association, question: Question, given: int) -> None:
        patient = question.top.single(keys.PATIENT_ID)
        self._trail.record_late(
            Entry(
                Kind.SEARCH,
                association.who.principal,
                "success",
                association.peer.host,
                what="worklist",
                patients=(patient,) if patient else (),
                query=" ".join(f"{tag:08X}={text}" for tag, text in asking.tags(question)),
                detail={"answers": given},
            )
        )
