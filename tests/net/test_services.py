"""Requests other than C-STORE, in both roles: pending answers, cancel, sub-operations, N-services, windows."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from filmless.dicom.dimse import Command, CommandField, cancel_rq, echo_rq, find_rq
from filmless.dicom.ul.frames import frame
from filmless.dicom.ul.negotiation import Context, ContextRequest
from filmless.kit.errors import Refused
from filmless.net.association import Association, BytesSource
from filmless.net.errors import AssociationAborted, PeerTimeout
from filmless.net.model import NetSettings, Reply
from filmless.net.server import Services

from .conftest import COMMITMENT, CT, EXPLICIT, FIND, GET, MOVE, VERIFICATION, Kept, Start, eventually


def context_of(assoc: Association, uid: str) -> Context:
    context = assoc.context_for(uid)
    assert context is not None
    return context


async def counting(
    assoc: Association, context: Context, command: Command, dataset: bytes | None, cancelled: asyncio.Event
) -> AsyncIterator[Reply]:
    """As many pending answers as the identifier says, each with its number, unless cancelled."""
    assert dataset is not None
    for i in range(int(dataset)):
        if cancelled.is_set():
            yield Reply(0xFE00)
            return
        yield Reply(0xFF00, str(i).encode().ljust(4))
        await asyncio.sleep(0)
    yield Reply(0)


async def test_echo(start: Start) -> None:
    serving = await start()
    assoc = await serving.call()
    assert [await assoc.echo() for _ in range(3)] == [0, 0, 0]
    await assoc.release()
    with pytest.raises(AssociationAborted):
        await assoc.echo()


@pytest.mark.parametrize("count", [0, 1, 500])
async def test_find_gives_every_answer_in_order(start: Start, count: int) -> None:
    serving = await start()
    serving.services.add([FIND], [CommandField.C_FIND_RQ], counting)
    assoc = await serving.call()
    answers = [a async for a in assoc.find(context_of(assoc, FIND), str(count).encode())]
    assert [d for _, d in answers] == [str(i).encode().ljust(4) for i in range(count)] + [None]
    assert answers[-1][0].status == 0
    assert answers[-1][0].command_field == CommandField.C_FIND_RSP
    await assoc.release()


async def test_a_slow_reader_of_answers_holds_the_server_up_and_loses_none(start: Start) -> None:
    serving = await start()
    made = 0

    async def endless(
        assoc: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        nonlocal made
        for i in range(3000):
            made = i
            yield Reply(0xFF00, i.to_bytes(4, "big") * 4000)
        yield Reply(0)

    serving.services.add([FIND], [CommandField.C_FIND_RQ], endless)
    assoc = await serving.call()
    answers = assoc.find(context_of(assoc, FIND), b"")
    first = await anext(answers)
    assert first[1] == bytes(16000)
    held = -1
    while held != made:
        held = made
        await asyncio.sleep(0.1)
    assert made < 2900
    rest = [d[:4] async for _, d in answers if d is not None]
    assert rest == [i.to_bytes(4, "big") for i in range(1, 3000)]
    await assoc.release()


async def test_cancel(start: Start) -> None:
    serving = await start()
    serving.services.add([FIND], [CommandField.C_FIND_RQ], counting)
    assoc = await serving.call()
    context = context_of(assoc, FIND)
    seen = 0
    async for command, _ in assoc.find(context, b"1000000"):
        seen += 1
        if seen == 5:
            await assoc.cancel(context, command.responds_to)
        final = command.status
    assert final == 0xFE00 and seen < 100_000
    assert await assoc.echo() == 0
    await assoc.release()


async def test_leaving_the_loop_cancels_and_the_association_stays_usable(start: Start) -> None:
    serving = await start()
    stopped = asyncio.Event()

    async def until_cancelled(
        assoc: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        yield Reply(0xFF00, b"xx")
        await cancelled.wait()
        stopped.set()
        yield Reply(0xFE00)

    serving.services.add([FIND], [CommandField.C_FIND_RQ], until_cancelled)
    assoc = await serving.call()
    answers = assoc.find(context_of(assoc, FIND), b"")
    assert (await anext(answers))[0].status == 0xFF00
    await answers.aclose()  # type: ignore[attr-defined]
    async with asyncio.timeout(5):
        await stopped.wait()
        assert await assoc.echo() == 0
    assert assoc.outstanding == 0
    await assoc.release()


async def test_get_brings_objects_on_the_same_association(start: Start) -> None:
    serving = await start()

    async def give(
        assoc: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        done = 0
        target = assoc.context_for(CT)
        assert target is not None
        for i in range(5):
            source = BytesSource(
                bytes([i]) * 300_000,
                sop_class_uid=CT,
                sop_instance_uid=f"1.{i}",
                transfer_syntax_uid=EXPLICIT,
            )
            answer = await assoc.store(source, target)
            assert answer.status == 0
            done += 1
            yield Reply(0xFF00, fields={"NumberOfCompletedSuboperations": done})
        yield Reply(0, fields={"NumberOfCompletedSuboperations": done})

    serving.services.add([GET], [CommandField.C_GET_RQ], give)
    ours = Kept()
    assoc = await serving.call(
        ContextRequest(GET, (EXPLICIT,)),
        ContextRequest(CT, (EXPLICIT,), scu=False, scp=True),
        services=Services(ours),
    )
    assert assoc.context_for(CT) is None and assoc.context_for(CT, role="scp") is not None
    answers = [command async for command, _ in assoc.get(context_of(assoc, GET), b"")]
    assert [a.completed for a in answers] == [1, 2, 3, 4, 5, 5] and answers[-1].status == 0
    assert ours.objects == {f"1.{i}": bytes([i]) * 300_000 for i in range(5)}
    await assoc.release()


async def test_move_names_its_destination(start: Start) -> None:
    serving = await start()

    async def handler(
        assoc: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        yield Reply(0xA801 if command.move_destination != "DEST" else 0)

    serving.services.add([MOVE], [CommandField.C_MOVE_RQ], handler)
    assoc = await serving.call()
    for name, status in (("DEST", 0), ("OTHER", 0xA801)):
        answers = [a async for a, _ in assoc.move(context_of(assoc, MOVE), b"", name)]
        assert [a.status for a in answers] == [status]
    await assoc.release()


async def test_commitment_with_its_event_on_the_same_association(start: Start) -> None:
    serving = await start()
    reported: list[Command] = []

    async def commit(
        assoc: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        assert command.action_type_id == 1 and command.requested_sop_instance_uid == "1.2.3"
        yield Reply(0, dataset)
        # what comes after the last reply happens after it was sent
        answer, _ = await assoc.event_report(context, "1.2.3", 1, b"event ")
        reported.append(answer)

    async def hear(
        assoc: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        assert dataset == b"event " and command.event_type_id == 1
        yield Reply(0)

    serving.services.add([COMMITMENT], [CommandField.N_ACTION_RQ], commit)
    ours = Services()
    ours.add([COMMITMENT], [CommandField.N_EVENT_REPORT_RQ], hear)
    assoc = await serving.call(services=ours)
    answer, dataset = await assoc.action(context_of(assoc, COMMITMENT), "1.2.3", 1, b"asked ")
    assert answer.status == 0 and dataset == b"asked "
    await eventually(lambda: len(reported) == 1)
    assert reported[0].status == 0 and reported[0].event_type_id == 1
    await assoc.release()


async def test_create_and_set(start: Start) -> None:
    serving = await start()

    async def handler(
        assoc: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        yield Reply(0, dataset, fields={"AffectedSOPInstanceUID": "1.9"})

    fields = [CommandField.N_CREATE_RQ, CommandField.N_SET_RQ]
    serving.services.add([COMMITMENT], fields, handler)
    assoc = await serving.call()
    context = context_of(assoc, COMMITMENT)
    created, dataset = await assoc.create(context, "", b"abcd")
    assert created.affected_sop_instance_uid == "1.9" and dataset == b"abcd"
    changed, _ = await assoc.set(context, "1.9", b"ef")
    assert changed.command_field == CommandField.N_SET_RSP
    await assoc.release()


async def test_requests_that_nobody_answers_are_refused(start: Start) -> None:
    serving = await start()
    assoc = await serving.call()
    answers = [a async for a, _ in assoc.find(context_of(assoc, FIND), b"id")]
    assert [a.status for a in answers] == [0x0211]
    await assoc.release()


@pytest.mark.parametrize("after", [0, 2])
async def test_a_handler_that_fails_is_answered_with_a_failure(start: Start, after: int) -> None:
    serving = await start()

    async def failing(
        assoc: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        for _ in range(after):
            yield Reply(0xFF00, b"xx")
        if dataset == b"refuse":
            raise Refused("not yours")
        if dataset == b"break ":
            raise RuntimeError("secret")

    serving.services.add([FIND], [CommandField.C_FIND_RQ], failing)
    assoc = await serving.call()
    for identifier, status in ((b"refuse", 0x0124), (b"break ", 0x0110), (b"forget", 0x0110)):
        answers = [a async for a, _ in assoc.find(context_of(assoc, FIND), identifier)]
        assert [a.status for a in answers] == [0xFF00] * after + [status]
        assert "secret" not in answers[-1].error_comment
    await assoc.release()


async def test_identifiers_are_bounded(start: Start) -> None:
    serving = await start(NetSettings(max_identifier=10_000))
    serving.services.add([FIND], [CommandField.C_FIND_RQ], counting)
    assoc = await serving.call()
    answers = [a async for a, _ in assoc.find(context_of(assoc, FIND), bytes(10_002))]
    assert [a.status for a in answers] == [0xA700]
    assert [a.status async for a, _ in assoc.find(context_of(assoc, FIND), b"1".ljust(10_000))] == [0xFF00, 0]
    await assoc.release()


async def test_requests_beyond_the_window_wait_their_turn(start: Start) -> None:
    serving = await start()
    running, most, go = 0, 0, asyncio.Event()

    async def slow(
        assoc: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go.wait()
        running -= 1
        yield Reply(0)

    serving.services.add([FIND], [CommandField.C_FIND_RQ], slow)
    assoc = await serving.call(async_ops=(4, 1))

    async def ask() -> int:
        return [a.status async for a, _ in assoc.find(context_of(assoc, FIND), b"")][-1]

    tasks = [asyncio.create_task(ask()) for _ in range(10)]
    await eventually(lambda: running == 4)
    go.set()
    assert await asyncio.gather(*tasks) == [0] * 10
    assert most == 4
    await assoc.release()


async def test_one_that_does_not_wait_still_gets_echo_and_cancel(start: Start) -> None:
    serving = await start()
    assoc = await serving.call()
    context = context_of(assoc, FIND)
    ran: list[int] = []

    async def until_cancelled(
        assoc: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        ran.append(command.message_id)
        await cancelled.wait()
        yield Reply(0xFE00)

    serving.services.add([FIND], [CommandField.C_FIND_RQ], until_cancelled)
    answers: list[tuple[int, int]] = []
    assoc.asking.answered = lambda command, _: answers.append((command.responds_to, command.status))  # type: ignore[method-assign]

    def say(command: Command) -> None:
        dataset = b"id" if command.has_dataset else None
        assoc.post(assoc.framed(context, command, dataset))

    for number in (11, 12, 13):
        say(find_rq(number, FIND))
    assoc.post(assoc.framed(context_of(assoc, VERIFICATION), echo_rq(20)))
    say(cancel_rq(12))  # one that waits its turn
    say(cancel_rq(11))
    await eventually(lambda: len(answers) == 3 and ran == [11, 13])
    say(cancel_rq(13))
    await eventually(lambda: len(answers) == 4)
    assert sorted(answers) == [(11, 0xFE00), (12, 0xFE00), (13, 0xFE00), (20, 0)]
    assert answers[0] == (20, 0)
    for number in range(100):
        say(find_rq(100 + number, FIND))
    await eventually(lambda: not assoc.is_open)


async def test_objects_in_both_directions_at_once(start: Start) -> None:
    serving = await start()
    size, count = 6_000_000, 4

    def source(uid: str) -> BytesSource:
        return BytesSource(bytes(size), sop_class_uid=CT, sop_instance_uid=uid, transfer_syntax_uid=EXPLICIT)

    async def give(
        assoc: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        for i in range(count):
            assert (await assoc.store(source(f"1.{i}"), context_of(assoc, CT))).status == 0
        yield Reply(0)

    serving.services.add([GET], [CommandField.C_GET_RQ], give)
    ours = Kept()
    assoc = await serving.call(
        ContextRequest(GET, (EXPLICIT,)),
        ContextRequest(CT, (EXPLICIT,), scu=True, scp=True),
        services=Services(ours),
        async_ops=(2, 2),
    )

    async def get() -> None:
        assert [a.status async for a, _ in assoc.get(context_of(assoc, GET), b"")] == [0]

    async def put() -> None:
        for i in range(count):
            assert (await assoc.store(source(f"2.{i}"), context_of(assoc, CT))).status == 0

    async with asyncio.timeout(30):
        await asyncio.gather(get(), put())
    assert len(ours.objects) == len(serving.kept.objects) == count
    assert all(data == bytes(size) for data in (*ours.objects.values(), *serving.kept.objects.values()))
    await assoc.release()


async def test_when_the_caller_goes_its_handlers_are_cancelled(start: Start) -> None:
    serving = await start()
    began, ended = asyncio.Event(), asyncio.Event()

    async def waiting(
        assoc: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        try:
            began.set()
            await asyncio.Event().wait()
            yield Reply(0)
        finally:
            assert cancelled.is_set()
            ended.set()

    serving.services.add([FIND], [CommandField.C_FIND_RQ], waiting)
    assoc = await serving.call()

    async def ask() -> None:
        async for _ in assoc.find(context_of(assoc, FIND), b""):
            pass

    task = asyncio.create_task(ask())
    async with asyncio.timeout(5):
        await began.wait()
        await assoc.abort()
        await ended.wait()
    with pytest.raises(AssociationAborted):
        await task


async def test_no_answer_in_time_aborts(start: Start) -> None:
    serving = await start()

    async def silent(
        assoc: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        await asyncio.Event().wait()
        yield Reply(0)

    serving.services.add([FIND], [CommandField.C_FIND_RQ], silent)
    assoc = await serving.call(settings=NetSettings(response_timeout=0.2))
    with pytest.raises(PeerTimeout):
        async for _ in assoc.find(context_of(assoc, FIND), b""):
            pass
    assert not assoc.is_open
    await eventually(lambda: not serving.server.associations)


async def test_answers_to_nothing_and_strange_fragments(start: Start) -> None:
    serving = await start()
    assoc = await serving.call()
    context = context_of(assoc, VERIFICATION)
    stray = Command(CommandField=0x8030, MessageIDBeingRespondedTo=999, CommandDataSetType=0x0101, Status=0)
    assoc.wire.write(frame(context.id, stray.encode(), 1000, command=True))
    assert await assoc.echo() == 0
    for raw in (
        frame(99, stray.encode(), 1000, command=True),  # a context that does not exist
        frame(context.id, b"data", 1000, command=False),  # a data set without command
        frame(context.id, b"\0\0\0\0\xff\xff\xff\xff", 1000, command=True),  # no command set
        frame(context.id, bytes(20_000), 30_000, command=True),  # one without end
    ):
        other = await serving.call()
        other.wire.write(raw)
        await eventually(lambda: not other.is_open)  # noqa: B023
        assert "abort" in other.ended
    assert await assoc.echo() == 0
    await assoc.release()


async def test_an_operation_that_was_given_up_does_not_hold_up_the_next_for_ever(start: Start) -> None:
    serving = await start()

    async def deaf(
        assoc: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        yield Reply(0xFF00, b"    ")
        await asyncio.Event().wait()

    serving.services.add([FIND], [CommandField.C_FIND_RQ], deaf)
    assoc = await serving.call(settings=NetSettings(response_timeout=0.3))
    answers = assoc.find(context_of(assoc, FIND), b"")
    assert (await anext(answers))[0].status == 0xFF00
    await answers.aclose()  # type: ignore[attr-defined]
    async with asyncio.timeout(5):
        with pytest.raises((PeerTimeout, AssociationAborted)):
            await assoc.echo()
    assert not assoc.is_open


@pytest.mark.parametrize("wrong", ["no status", "another kind"])
async def test_what_is_no_answer_to_the_request_is_never_success(start: Start, wrong: str) -> None:
    serving = await start()
    assoc = await serving.call()
    await eventually(lambda: bool(serving.server.associations))
    (other,) = serving.server.associations.values()
    serving.kept.answer_when = asyncio.Event()
    storing = asyncio.create_task(
        assoc.store(
            BytesSource(b"data", sop_class_uid=CT, sop_instance_uid="1.2", transfer_syntax_uid=EXPLICIT),
            context_of(assoc, CT),
        )
    )
    await eventually(lambda: bool(serving.kept.open) and other.outstanding == 1)
    fields: dict[str, int] = {"MessageIDBeingRespondedTo": 1, "CommandDataSetType": 0x0101}
    if wrong == "no status":
        fields["CommandField"] = CommandField.C_STORE_RSP
    else:
        fields |= {"CommandField": CommandField.C_ECHO_RSP, "Status": 0}
    context = context_of(assoc, CT)
    other.wire.write(frame(context.id, Command(fields).encode(), 16000, command=True))
    with pytest.raises(AssociationAborted):
        await storing
    assert not assoc.is_open
    serving.kept.answer_when.set()
    await eventually(lambda: not serving.kept.open)
