"""pynetdicom at the other end, in both directions."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, build_role, evt

from filmless.dicom.dimse import Command, CommandField
from filmless.dicom.ul.negotiation import Context, ContextRequest
from filmless.dicom.ul.pdu import UserIdentity
from filmless.net.association import Association, BytesSource, connect
from filmless.net.errors import AssociationRejected
from filmless.net.model import NetSettings, Reply
from filmless.net.server import Services

from .conftest import COMMITMENT, CT, EXPLICIT, FIND, GET, VERIFICATION, Kept, Start


def ct(uid: str) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CT, uid
    dataset.PatientName, dataset.PatientID = "Test^Net", "1"
    dataset.StudyInstanceUID = dataset.SeriesInstanceUID = "1.2.3"
    dataset.PixelData = bytes(range(256)) * 1200
    dataset["PixelData"].VR = "OW"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def encoded(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    plain = Dataset(dataset)
    dcmwrite(buffer, plain, implicit_vr=False, little_endian=True)
    return buffer.getvalue()


async def in_thread(work: Callable[[], Any]) -> Any:
    async with asyncio.timeout(30):
        return await asyncio.to_thread(work)


async def test_their_user_with_our_provider(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    serving = await start()

    async def find(
        assoc: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        answer = Dataset()
        answer.PatientID = "1"
        yield Reply(0xFF00, encoded(answer))
        yield Reply(0)

    async def give(
        assoc: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        target = assoc.context_for(CT)
        assert target is not None
        source = BytesSource(
            encoded(ct("1.5")), sop_class_uid=CT, sop_instance_uid="1.5", transfer_syntax_uid=EXPLICIT
        )
        answer = await assoc.store(source, target)
        counters = {
            f"NumberOf{k}Suboperations": v for k, v in (("Completed", 1), ("Failed", 0), ("Warning", 0))
        }
        yield Reply(answer.status, fields=counters)

    async def commit(
        assoc: Association,
        context: Context,
        command: Command,
        dataset: bytes | None,
        cancelled: asyncio.Event,
    ) -> AsyncIterator[Reply]:
        yield Reply(0)
        await assoc.event_report(context, command.requested_sop_instance_uid, 1, dataset)

    serving.services.add([FIND], [CommandField.C_FIND_RQ], find)
    serving.services.add([GET], [CommandField.C_GET_RQ], give)
    serving.services.add([COMMITMENT], [CommandField.N_ACTION_RQ], commit)
    received: list[Dataset] = []
    events: list[Dataset] = []
    heard = threading.Event()

    def on_event(event: Any) -> Any:
        events.append(event.event_information)
        heard.set()
        return 0x0000, None

    def on_store(event: Any) -> int:
        received.append(event.dataset)
        return 0x0000

    def work() -> None:
        received.clear()
        events.clear()
        heard.clear()
        ae = AE("THEM")
        ae.dimse_timeout = 3
        for uid in (VERIFICATION, CT, FIND, GET, COMMITMENT):
            ae.add_requested_context(uid, EXPLICIT)
        assoc = ae.associate(
            "127.0.0.1",
            serving.port,
            ext_neg=[build_role(CT, scu_role=True, scp_role=True)],
            evt_handlers=[(evt.EVT_N_EVENT_REPORT, on_event), (evt.EVT_C_STORE, on_store)],
        )
        assert assoc.is_established
        assert assoc.send_c_echo().Status == 0
        for i in range(3):
            assert assoc.send_c_store(ct(f"1.{i}")).Status == 0
        wanted = Dataset()
        wanted.QueryRetrieveLevel, wanted.PatientID = "STUDY", ""
        answers = list(assoc.send_c_find(wanted, FIND))
        assert [(s.Status, d and d.PatientID) for s, d in answers] == [(0xFF00, "1"), (0, None)]
        answers = list(assoc.send_c_get(wanted, GET))
        assert [s.Status for s, _ in answers] == [0] and answers[0][0].NumberOfCompletedSuboperations == 1
        asked = Dataset()
        asked.TransactionUID = "1.2.3.4"
        status, _ = assoc.send_n_action(asked, 1, COMMITMENT, "1.2.840.10008.1.20.1.1")
        assert status.Status == 0
        assert heard.wait(10)
        assoc.release()
        assert assoc.is_released

    for _ in range(4):
        # pynetdicom's reactor thread sometimes takes the answer away from whoever asked, when it comes fast
        # and the machine is busy; its own log says so, and only then is it asked again - or where its two threads
        # wait for each other
        caplog.clear()
        try:
            await in_thread(work)
        except TimeoutError:
            continue
        except (AssertionError, AttributeError, RuntimeError):
            if "Received unexpected" not in caplog.text:
                raise
        else:
            break
    assert serving.kept.objects == {f"1.{i}": encoded(ct(f"1.{i}")) for i in range(3)}
    assert [d.SOPInstanceUID for d in received] == ["1.5"]
    assert received[0].PixelData == ct("1.5").PixelData
    assert events[0].TransactionUID == "1.2.3.4"


@pytest.fixture
def provider() -> Iterator[tuple[int, dict[str, bytes], list[Any]]]:
    """pynetdicom's server: port, what it stored, the user identities that it saw."""
    stored: dict[str, bytes] = {}
    identities: list[Any] = []

    def on_store(event: Any) -> int:
        stored[event.request.AffectedSOPInstanceUID] = event.request.DataSet.getvalue()
        return 0xB007 if event.request.AffectedSOPInstanceUID.endswith("9") else 0x0000

    def on_find(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        for i in range(200):
            if event.is_cancelled:
                yield 0xFE00, None
                return
            answer = Dataset()
            answer.PatientID = str(i)
            yield 0xFF00, answer

    def on_get(event: Any) -> Iterator[Any]:
        yield 2
        for uid in ("1.6", "1.7"):
            yield 0xFF00, ct(uid)

    def on_user(event: Any) -> tuple[bool, bytes | None]:
        identities.append((event.user_id_type, event.primary_field))
        return event.primary_field != b"wrong", b"welcome"

    ae = AE("THEM")
    for uid in (VERIFICATION, FIND, GET):
        ae.add_supported_context(uid)
    ae.add_supported_context(CT, scu_role=True, scp_role=True)
    ae.maximum_pdu_size = 20_000
    handlers = [
        (evt.EVT_C_STORE, on_store),
        (evt.EVT_C_FIND, on_find),
        (evt.EVT_C_GET, on_get),
        (evt.EVT_USER_ID, on_user),
    ]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    yield server.server_address[1], stored, identities
    server.shutdown()


async def test_our_user_with_their_provider(provider: tuple[int, dict[str, bytes], list[Any]]) -> None:
    port, stored, identities = provider
    ours = Kept()
    names = {"calling_ae": "US", "called_ae": "THEM"}
    assoc = await connect(
        "127.0.0.1",
        port,
        contexts=[
            *(ContextRequest(uid, (EXPLICIT,)) for uid in (VERIFICATION, FIND, GET)),
            ContextRequest(CT, (EXPLICIT,), scu=True, scp=True),
        ],
        settings=NetSettings(),
        services=Services(ours),
        user_identity=UserIdentity(2, b"user", b"pass", response_requested=True),
        **names,
    )
    assert identities == [(2, b"user")] and assoc.max_pdu_out == 20_000
    assert assoc.peer.implementation.startswith("PYNETDICOM")
    async with asyncio.timeout(30):
        assert await assoc.echo() == 0
        store = assoc.context_for(CT)
        assert store is not None and store.we_scp
        for uid, status in (("1.1", 0), ("1.9", 0xB007)):
            source = BytesSource(
                encoded(ct(uid)), sop_class_uid=CT, sop_instance_uid=uid, transfer_syntax_uid=EXPLICIT
            )
            assert (await assoc.store(source, store)).status == status
        find, get = assoc.context_for(FIND), assoc.context_for(GET)
        assert find is not None and get is not None
        wanted = Dataset()
        wanted.QueryRetrieveLevel, wanted.PatientID = "STUDY", ""
        answers = [a async for a in assoc.find(find, encoded(wanted))]
        assert len(answers) == 201 and answers[-1][0].status == 0
        statuses = [a.status async for a, _ in assoc.get(get, encoded(wanted))]
        assert statuses[-1] == 0
        await assoc.release()
    assert stored == {uid: encoded(ct(uid)) for uid in ("1.1", "1.9")}
    assert set(ours.objects) == {"1.6", "1.7"}
    with pytest.raises(AssociationRejected):
        await connect(
            "127.0.0.1",
            port,
            contexts=[ContextRequest(VERIFICATION, (EXPLICIT,))],
            settings=NetSettings(),
            user_identity=UserIdentity(1, b"wrong"),
            **names,
        )
