"""Answers N-CREATE and N-SET of the Modality Performed Procedure Step, service class provider (PS3.4 F.7)."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from filmless.access.acting import Acting
from filmless.access.audit.trail import Trail
from filmless.access.model import device_principal
from filmless.db.work import writing
from filmless.department.performed import recording
from filmless.devices.model import Device
from filmless.dicom import json_model
from filmless.dicom.dimse import Command, CommandField, Value
from filmless.dicom.statuses import NO_SUCH_INSTANCE, OUT_OF_RESOURCES, PROCESSING_FAILURE, SUCCESS
from filmless.dicom.ul.negotiation import Context
from filmless.kit.errors import Conflict, FilmlessError, Refused
from filmless.kit.ids import new_uid
from filmless.net.association import Association
from filmless.net.model import Reply

_log = logging.getLogger(__name__)

_INVALID_VALUE = 0x0106
_DUPLICATE = 0x0111
_MISSING = 0x0120
#: Error ID of an N-SET after the end (PS3.4 table F.7.2-2)
_OVER = 0xA710

#: code of an error -> status, Error ID
_STATUSES: Mapping[str, tuple[int, int]] = {
    "bad-status": (_INVALID_VALUE, 0),
    "unknown": (NO_SUCH_INSTANCE, 0),
    "duplicate": (_DUPLICATE, 0),
    recording.OVER: (PROCESSING_FAILURE, _OVER),
}


@dataclass(frozen=True, slots=True)
class _Told:
    device: Device
    host: str
    create: bool
    sop_uid: str
    dataset: bytes
    transfer_syntax_uid: str


class PerformedHandler:
    """One per process. Call `close` at the end."""

    def __init__(self, engine: Engine, trail: Trail) -> None:
        self._engine = engine
        self._trail = trail
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="performed")

    def close(self) -> None:
        """No further requests; the one under way ends by itself."""
        self._threads.shutdown(wait=False)

    async def __call__(
        self,
        association: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        """One response, after what was told is kept."""
        device = association.who
        assert isinstance(device, Device)
        create = command.command_field == CommandField.N_CREATE_RQ
        sop_uid = command.affected_sop_instance_uid if create else command.requested_sop_instance_uid
        # whoever leaves it out is told the one that we made (PS3.7 10.1.5.1.4)
        fields: dict[str, Value] = {}
        if create and not sop_uid:
            sop_uid = new_uid()
            fields["AffectedSOPInstanceUID"] = sop_uid
        if not dataset:
            yield Reply(_MISSING, comment="a performed step has attributes", fields=fields)
            return
        said = _Told(device, association.peer.host, create, sop_uid, dataset, context.transfer_syntax)
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._threads, self._keep, said)
        except (Refused, Conflict) as error:
            status, error_id = _STATUSES.get(error.code, (PROCESSING_FAILURE, 0))
            _log.info("%s: a performed step was refused: %s", device.ae_title, error.code)
            if error_id:
                fields["ErrorID"] = error_id
            yield Reply(status, comment=error.message[:64], fields=fields)
            return
        except IntegrityError:
            yield Reply(_DUPLICATE, fields=fields)
            return
        except (SQLAlchemyError, FilmlessError) as error:
            _log.error("a performed step could not be kept: %s", type(error).__name__, exc_info=error)
            yield Reply(OUT_OF_RESOURCES, comment="the index is not available", fields=fields)
            return
        yield Reply(SUCCESS, fields=fields)

    def _keep(self, said: _Told) -> None:
        attributes = json_model.from_data_set(
            said.dataset, said.transfer_syntax_uid, character_set=said.device.character_set
        )
        # in the name of the device, whoever uses it: it tells what has happened
        acting = Acting(device_principal(said.device.ae_title), self._trail, said.host)
        with writing(self._engine) as connection:
            keep = recording.create if said.create else recording.change
            linked = keep(connection, said.sop_uid, attributes, acting)
        what = "begun" if said.create else "told of"
        _log.info("%s: performed step %s, %d exams", said.device.ae_title, what, len(linked))
