"""From a retrieve request to the stored objects it asks for, and to the response where that fails."""

import asyncio
import logging
from collections.abc import Mapping

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from filmless.archive.query import StoredInstance, instances_of
from filmless.archive.retrieve.identifier import BadIdentifier, Wanted, read_identifier
from filmless.archive.retrieve.tally import IDENTIFIER_DOES_NOT_MATCH, UNABLE_TO_CALCULATE, Tally
from filmless.archive.whose import several_patients
from filmless.db.work import reading
from filmless.devices.model import Device
from filmless.dicom.dimse import Command
from filmless.dicom.statuses import CANCELLED, PENDING, PROCESSING_FAILURE
from filmless.dicom.uids import transfer_syntax
from filmless.dicom.ul.negotiation import Context
from filmless.kit.errors import FilmlessError, Unavailable
from filmless.net.association import Association
from filmless.net.model import Reply

_log = logging.getLogger(__name__)


async def asked_for(
    engine: Engine, association: Association, context: Context, dataset: bytes | None
) -> tuple[list[StoredInstance], Wanted] | Reply:
    """The objects that an identifier asks for and its sender may have, and what it asks for; the final response where
    it is refused.

    Relational where negotiated (PS3.4 C.5.2.1, first byte) or where the device's quirk "relational" says so.
    """
    device = association.who
    assert isinstance(device, Device)
    relational = context.extended[:1] == b"\x01" or "relational" in device.quirks

    def look_up() -> tuple[list[StoredInstance], Wanted]:
        wanted = read_identifier(
            dataset or b"",
            context.transfer_syntax,
            context.abstract_syntax,
            relational=relational,
            character_set=device.character_set,
        )
        return _look_up(engine, device, wanted), wanted

    try:
        # the identifier too in the thread: a long list of UIDs would hold up everybody else
        return await asyncio.to_thread(look_up)
    except BadIdentifier as error:
        return Reply(IDENTIFIER_DOES_NOT_MATCH, comment=error.message[:64])
    except Unavailable as error:
        return Reply(UNABLE_TO_CALCULATE, comment=error.message[:64])
    except SQLAlchemyError as error:
        _log.error("a look-up for a retrieve failed: %s", type(getattr(error, "orig", error)).__name__)
        return Reply(UNABLE_TO_CALCULATE, comment="the index is not available")
    except FilmlessError as error:
        return Reply(PROCESSING_FAILURE, comment=error.message[:64])


def _look_up(engine: Engine, device: Device, wanted: Wanted) -> list[StoredInstance]:
    with reading(engine) as connection:
        found = list(
            instances_of(
                connection,
                device.principal,
                level=wanted.level,
                patient_id=wanted.patient_id,
                issuer=wanted.issuer,
                study_uids=wanted.study_uids,
                series_uids=wanted.series_uids,
                sop_uids=wanted.sop_uids,
            )
        )
        # "*" is how some ask for the ID in searches, and names nobody
        if not wanted.named_patient_id or set("*?") & set(wanted.named_patient_id):
            return found
        return _of_who_is_named(connection, device, wanted, found)


def _of_who_is_named(
    connection: Connection, device: Device, wanted: Wanted, found: list[StoredInstance]
) -> list[StoredInstance]:
    """Of studies whose UID several patients use, the objects of the patient named alone.

    Under the Study Root model the Patient ID is no key, and elsewhere it restricts nothing; but nobody who names one
    patient is given images of another one.
    """
    shared = several_patients(connection, list(dict.fromkeys(one.study_uid for one in found)))
    if not shared:
        return found
    theirs = {
        one.sop_instance
        for one in instances_of(
            connection,
            device.principal,
            level="STUDY",
            patient_id=wanted.named_patient_id,
            issuer=wanted.named_issuer,
            study_uids=sorted(shared),
        )
    }
    return [one for one in found if one.study_uid not in shared or one.sop_instance in theirs]


def pending(tally: Tally) -> Reply:
    """A pending response with all four counters."""
    return Reply(PENDING, fields=tally.fields(with_remaining=True))


def final(tally: Tally, context: Context, command: Command, *, cancelled: asyncio.Event) -> Reply:
    """The final response, with the Failed SOP Instance UID List where there is one (PS3.4 C.4.2.1.5)."""
    status = tally.final_status(cancelled=cancelled.is_set() and tally.remaining > 0)
    syntax = transfer_syntax(context.transfer_syntax)
    _log.log(
        logging.WARNING if tally.failed else logging.INFO,
        "retrieve %d ended with %04X: %d sent, %d with warning, %d failed, %d not begun%s",
        command.message_id,
        status,
        tally.completed,
        tally.warning,
        tally.failed,
        tally.remaining,
        _listed(tally.reasons),
    )
    return Reply(
        status,
        tally.failed_list(explicit=syntax.explicit, little=syntax.little),
        comment=tally.comment,
        fields=tally.fields(with_remaining=status == CANCELLED),
    )


def _listed(reasons: Mapping[str, int]) -> str:
    return "".join(f"; {count} x {reason}" for reason, count in list(reasons.items())[:5])
