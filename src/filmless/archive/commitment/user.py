"""Storage commitment as user: asking a device whether it keeps what it was sent (PS3.4 J.3)."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Sequence

from sqlalchemy import Engine

from filmless.archive.commitment import record
from filmless.archive.commitment.record import Commitment
from filmless.archive.references import (
    REFERENCED_SOP_SEQUENCE,
    TRANSACTION_UID,
    TRANSFER_SYNTAXES,
    Reference,
    encode,
    read_transaction,
    reference_items,
)
from filmless.db import events
from filmless.db.work import reading, writing
from filmless.devices.model import Device
from filmless.dicom import statuses
from filmless.dicom.dimse import Command, CommandField
from filmless.dicom.sopclasses import STORAGE_COMMITMENT_PUSH, STORAGE_COMMITMENT_PUSH_INSTANCE
from filmless.dicom.ul.negotiation import Context, ContextRequest
from filmless.kit import ids
from filmless.kit.errors import Refused, Unavailable
from filmless.net.association import Association, connect
from filmless.net.model import NetSettings, Reply
from filmless.net.serving import Services

log = logging.getLogger(__name__)

_NO_SUCH_EVENT = 0x0113
_INVALID_ARGUMENT = 0x0115


class CommitmentResultHandler:
    """Answers N-EVENT-REPORT with the result of a commitment that we asked for, on whichever association."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: dict[str, asyncio.Event] = {}

    async def __call__(
        self,
        association: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        if command.event_type_id not in (1, 2):
            yield Reply(_NO_SUCH_EVENT)
            return
        try:
            # in a thread: thousands of references would hold up everybody else
            transaction_uid, verdicts = await asyncio.to_thread(
                read_transaction, dataset or b"", context.transfer_syntax
            )
        except Refused as error:
            yield Reply(_INVALID_ARGUMENT, comment=error.message[:64])
            return
        known = await asyncio.to_thread(self._keep, association.peer.ae_title, transaction_uid, verdicts)
        if not known:
            yield Reply(statuses.PROCESSING_FAILURE, comment="no such transaction was asked for")
            return
        yield Reply(statuses.SUCCESS)
        if event := self._waiting.get(transaction_uid):
            event.set()

    def expect(self, transaction_uid: str) -> asyncio.Event:
        """An event that is set when the result of this transaction has come here."""
        return self._waiting.setdefault(transaction_uid, asyncio.Event())

    def forget(self, transaction_uid: str) -> None:
        """Nobody waits for the result any more; it is kept all the same when it comes."""
        self._waiting.pop(transaction_uid, None)

    def _keep(self, device: str, transaction_uid: str, verdicts: list[record.Verdict]) -> bool:
        with writing(self._engine) as connection:
            commitment = record.find(connection, "user", device, transaction_uid)
            if commitment is None:
                return False
            said = dict(verdicts)
            # an object that the result does not name is not committed
            answer = [(reference, said.get(reference, 0x0110)) for reference in commitment.asked]
            record.answer(connection, commitment.id, answer)
            failed = sum(reason is not None for _, reason in answer)
            body = {"id": commitment.id, "device": device, "failed": failed}
            events.record(connection, [("commitment-answered", body)])
        return True


async def ask(
    engine: Engine,
    device: Device,
    references: Sequence[Reference],
    *,
    settings: NetSettings,
    tls: ssl.SSLContext | None = None,
    wait: float = 30.0,
) -> Commitment:
    """Ask a device to commit to objects, and wait up to `wait` seconds for its result on the same association.

    Where it does not come in that time the state is "asked": it may come on an association that the device opens,
    where the server's CommitmentResultHandler takes it. Raises Refused where the device does not offer commitment
    or refuses the request.
    """
    transaction_uid = ids.new_uid()
    handler = CommitmentResultHandler(engine)
    services = Services()
    services.add([STORAGE_COMMITMENT_PUSH], [CommandField.N_EVENT_REPORT_RQ], handler)
    came = handler.expect(transaction_uid)
    association = await connect(
        device.host,
        device.port,
        calling_ae=settings.ae_title,
        called_ae=device.ae_title,
        contexts=[ContextRequest(STORAGE_COMMITMENT_PUSH, TRANSFER_SYNTAXES)],
        settings=settings,
        tls=tls if device.tls else None,
        services=services,
    )
    try:
        context = association.context_for(STORAGE_COMMITMENT_PUSH)
        if context is None:
            raise Refused(f"{device.ae_title} does not offer storage commitment.", code="no-context")
        # kept before it is asked: the result may come before the response
        commitment_id = await asyncio.to_thread(_keep, engine, device.ae_title, transaction_uid, references)
        dataset = encode(
            [
                (TRANSACTION_UID, "UI", transaction_uid),
                (REFERENCED_SOP_SEQUENCE, "SQ", reference_items(references)),
            ],
            context.transfer_syntax,
        )
        answer, _ = await association.action(context, STORAGE_COMMITMENT_PUSH_INSTANCE, 1, dataset)
        if statuses.category(answer.status) == "failure":
            words = f"{device.ae_title} refused the request: {statuses.words(answer.status)}."
            await asyncio.to_thread(_fail, engine, commitment_id, words)
            raise Refused(words, code="commitment-refused")
        await _until(came, association, wait)
    except BaseException:
        await association.abort()
        raise
    if association.is_open:
        await association.release()
    return await asyncio.to_thread(_load, engine, commitment_id)


async def _until(came: asyncio.Event, association: Association, seconds: float) -> None:
    """Wait for the event, no longer than the association lives."""
    deadline = asyncio.get_running_loop().time() + seconds
    while association.is_open and not came.is_set():
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            return
        try:
            await asyncio.wait_for(came.wait(), min(left, 0.5))
        except TimeoutError:
            continue


def _keep(engine: Engine, device: str, transaction_uid: str, references: Sequence[Reference]) -> int:
    with writing(engine) as connection:
        return record.ask(connection, "user", device, transaction_uid, references)


def _fail(engine: Engine, commitment_id: int, words: str) -> None:
    with writing(engine) as connection:
        record.settle(connection, commitment_id, "failed", words)


def _load(engine: Engine, commitment_id: int) -> Commitment:
    with reading(engine) as connection:
        commitment = record.load(connection, commitment_id)
    if commitment is None:
        raise Unavailable("The commitment is gone from the index.", code="commitment-gone")
    return commitment
