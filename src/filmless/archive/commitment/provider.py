"""Storage commitment as provider: N-ACTION in, N-EVENT-REPORT out (PS3.4 J.3)."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from ssl import SSLContext

from sqlalchemy import Engine

from filmless.archive.commitment import record
from filmless.archive.commitment.record import Commitment
from filmless.archive.commitment.verify import size_of, verify
from filmless.archive.references import (
    FAILED_SOP_SEQUENCE,
    FAILURE_REASON,
    REFERENCED_SOP_SEQUENCE,
    RETRIEVE_AE_TITLE,
    TRANSACTION_UID,
    TRANSFER_SYNTAXES,
    Element,
    Reference,
    encode,
    read_transaction,
    reference_items,
)
from filmless.db.work import reading, writing
from filmless.devices import service as devices
from filmless.devices.model import Device
from filmless.dicom import statuses
from filmless.dicom.dimse import Command
from filmless.dicom.sopclasses import STORAGE_COMMITMENT_PUSH, STORAGE_COMMITMENT_PUSH_INSTANCE
from filmless.dicom.ul.negotiation import Context, ContextRequest
from filmless.kit import clock
from filmless.kit.errors import Conflict, FilmlessError, Refused, Unavailable
from filmless.net.association import Association, connect
from filmless.net.model import NetSettings, Reply

log = logging.getLogger(__name__)

#: statuses of N-ACTION, PS3.7 10.1.4.1.10
_NO_SUCH_ACTION = 0x0123
_INVALID_ARGUMENT = 0x0115
_DUPLICATE_INVOCATION = 0x0210

#: requests that read no more than this are verified while the association waits; larger ones by the worker
_AT_ONCE_BYTES = 256 << 20
#: how long the network process has a request for itself before the worker takes it on
_GRACE = timedelta(seconds=10)


class CommitmentHandler:
    """Answers N-ACTION. The request is kept before the answer; the result follows at once where the association
    stays open, else from the worker (`Reporter`) on a new one. Call `stop` at the end."""

    def __init__(self, engine: Engine, root: Path, our_ae: str) -> None:
        """`root`: the store's root."""
        self._engine = engine
        self._root = root
        self._our_ae = our_ae
        self._verifying = ThreadPoolExecutor(1, "commitment")
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(
        self,
        association: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        device = association.who
        assert isinstance(device, Device)
        if command.requested_sop_instance_uid != STORAGE_COMMITMENT_PUSH_INSTANCE:
            yield Reply(statuses.NO_SUCH_INSTANCE)
            return
        if command.action_type_id != 1:
            yield Reply(_NO_SUCH_ACTION)
            return
        try:
            # in a thread: thousands of references would hold up everybody else
            transaction_uid, asked = await asyncio.to_thread(
                read_transaction, dataset or b"", context.transfer_syntax
            )
        except Refused as error:
            yield Reply(_INVALID_ARGUMENT, comment=error.message[:64])
            return
        try:
            commitment_id = await asyncio.to_thread(
                self._keep, device.ae_title, transaction_uid, [reference for reference, _ in asked]
            )
        except Conflict as error:
            yield Reply(_DUPLICATE_INVOCATION, comment=error.message[:64])
            return
        yield Reply(statuses.SUCCESS)
        if "commit-new-association" not in device.quirks:
            # a task of its own: other requests on the association do not wait for it
            task = asyncio.create_task(self._report_here(association, context, commitment_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Leave what is under way to the worker."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._verifying.shutdown(wait=False, cancel_futures=True)

    def _keep(self, device: str, transaction_uid: str, asked: list[Reference]) -> int:
        with writing(self._engine) as connection:
            return record.ask(connection, "provider", device, transaction_uid, asked)

    async def _report_here(self, association: Association, context: Context, commitment_id: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            commitment = await loop.run_in_executor(self._verifying, self._verify, commitment_id)
            if commitment is None or not association.is_open:
                return
            if await asyncio.to_thread(_claim, self._engine, commitment_id):
                await _deliver(self._engine, association, context, commitment, self._our_ae)
        except FilmlessError as error:
            log.info("commitment %d goes out on a new association: %s", commitment_id, error.message)
        except Exception:
            log.exception("commitment %d was not reported on its association", commitment_id)

    def _verify(self, commitment_id: int) -> Commitment | None:
        with reading(self._engine) as connection:
            commitment = record.load(connection, commitment_id)
        if commitment is None or size_of(self._engine, commitment.asked) > _AT_ONCE_BYTES:
            return None
        return _answered(self._engine, self._root, commitment)


class Reporter:
    """Delivers results on new associations; the worker calls it, again and again until it is done."""

    def __init__(
        self,
        engine: Engine,
        root: Path,
        net: NetSettings,
        tls: Callable[[Device], SSLContext | None] = lambda device: None,
    ) -> None:
        self._engine = engine
        self._root = root
        self._net = net
        self._tls = tls

    async def report(self, commitment_id: int) -> None:
        """Verify where that was not done, and deliver. Done where it returns.

        Raises Unavailable where a later try may do, Refused where there is no way to tell the device.
        """
        commitment = await asyncio.to_thread(self._load, commitment_id)
        if commitment is None or commitment.state == "delivered":
            return
        if commitment.state == "asked":
            if clock.now() - commitment.changed_at < _GRACE:
                raise Unavailable("Its association may still be waiting for the result.", code="not-yet")
            commitment = await asyncio.to_thread(_answered, self._engine, self._root, commitment)
        if not await asyncio.to_thread(_claim, self._engine, commitment_id):
            raise Unavailable("The result is being delivered.", code="not-yet")
        try:
            device = await asyncio.to_thread(self._destination, commitment.device)
            await self._on_new_association(device, commitment)
        except Refused as error:
            # the device may be given an address, or learn our AE title: a rejection does not end it
            final = error.code != "association-rejected"
            state = "failed" if final else "answered"
            await asyncio.to_thread(_settle, self._engine, commitment_id, state, error.message)
            if final:
                raise
            raise Unavailable(error.message, code=error.code) from error
        except BaseException as error:
            words = error.message if isinstance(error, FilmlessError) else type(error).__name__
            await asyncio.to_thread(_settle, self._engine, commitment_id, "answered", words)
            raise

    async def _on_new_association(self, device: Device, commitment: Commitment) -> None:
        roles = "no-role-selection" in device.quirks
        association = await connect(
            device.host,
            device.port,
            calling_ae=self._net.ae_title,
            called_ae=device.ae_title,
            contexts=[ContextRequest(STORAGE_COMMITMENT_PUSH, TRANSFER_SYNTAXES, scu=roles, scp=not roles)],
            settings=self._net,
            tls=self._tls(device),
        )
        try:
            context = association.context_for(STORAGE_COMMITMENT_PUSH, role="scp")
            # devices that accept the context but forget to answer the role mean it all the same
            context = context or association.context_for(STORAGE_COMMITMENT_PUSH)
            if context is None:
                raise Unavailable(
                    f"{device.ae_title} takes no results of storage commitment.", code="no-context"
                )
            await _deliver(self._engine, association, context, commitment, self._net.ae_title)
        except BaseException:
            await association.abort()
            raise
        with suppress(FilmlessError):
            # delivered: how the goodbye goes changes nothing
            await association.release()

    def _load(self, commitment_id: int) -> Commitment | None:
        with reading(self._engine) as connection:
            return record.load(connection, commitment_id)

    def _destination(self, ae_title: str) -> Device:
        with reading(self._engine) as connection:
            return devices.destination(connection, ae_title)


def result(commitment: Commitment, our_ae: str, transfer_syntax_uid: str) -> tuple[int, bytes]:
    """Event type (1: all committed, 2: failures exist) and data set, PS3.4 table J.3-2."""
    assert commitment.answer is not None
    kept = [reference for reference, reason in commitment.answer if reason is None]
    failed = commitment.failed
    elements: list[Element] = [
        (TRANSACTION_UID, "UI", commitment.transaction_uid),
        (RETRIEVE_AE_TITLE, "AE", our_ae),
    ]
    if kept:
        elements.append((REFERENCED_SOP_SEQUENCE, "SQ", reference_items(kept)))
    if failed:
        items = [
            [*item, (FAILURE_REASON, "US", reason or 0)]
            for item, (_, reason) in zip(reference_items(r for r, _ in failed), failed, strict=True)
        ]
        elements.append((FAILED_SOP_SEQUENCE, "SQ", items))
    return (2 if failed else 1), encode(elements, transfer_syntax_uid)


async def _deliver(
    engine: Engine, association: Association, context: Context, commitment: Commitment, our_ae: str
) -> None:
    """Report, and keep that it was. Raises Unavailable where the device did not take it."""
    event_type, dataset = result(commitment, our_ae, context.transfer_syntax)
    try:
        answer, _ = await association.event_report(
            context, STORAGE_COMMITMENT_PUSH_INSTANCE, event_type, dataset
        )
        if statuses.category(answer.status) == "failure":
            words = f"{commitment.device} refused the result: {statuses.words(answer.status)}"
            raise Unavailable(words, code="result-refused")
    except BaseException as error:
        words = error.message if isinstance(error, FilmlessError) else type(error).__name__
        await asyncio.shield(asyncio.to_thread(_settle, engine, commitment.id, "answered", words))
        raise
    await asyncio.to_thread(_settle, engine, commitment.id, "delivered", "")
    log.info(
        "told %s the result of commitment %d: %d kept, %d not",
        commitment.device,
        commitment.id,
        len(commitment.asked) - len(commitment.failed),
        len(commitment.failed),
    )


def _answered(engine: Engine, root: Path, commitment: Commitment) -> Commitment:
    verdicts = verify(engine, root, commitment.device, commitment.asked)
    with writing(engine) as connection:
        record.answer(connection, commitment.id, verdicts)
        loaded = record.load(connection, commitment.id)
    assert loaded is not None
    return loaded


def _claim(engine: Engine, commitment_id: int) -> bool:
    with writing(engine) as connection:
        return record.claim(connection, commitment_id)


def _settle(engine: Engine, commitment_id: int, state: str, error: str) -> None:
    with writing(engine) as connection:
        record.settle(connection, commitment_id, state, error)
