"""Storage commitment with foreign peers: as provider on the same and on a new association, and as user."""

import asyncio
import dataclasses
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance
from sqlalchemy import Engine, select, update
from tests.archive.conftest import CT, EXPLICIT_LE, IMPLICIT_LE, Put, ct

from filmless.access.model import ENGINEER
from filmless.archive.commitment import CommitmentHandler, CommitmentResultHandler, record, user
from filmless.archive.commitment import provider as provider_module
from filmless.archive.commitment.provider import Reporter
from filmless.archive.model import Kind, Source
from filmless.archive.references import Reference
from filmless.archive.reject import reject
from filmless.archive.store import Archive
from filmless.archive.tables import commitments, instances, versions
from filmless.db import events
from filmless.db.work import reading, writing
from filmless.devices import service
from filmless.devices.model import Device
from filmless.dicom.dimse import CommandField
from filmless.dicom.ul.negotiation import NegotiationPolicy
from filmless.kit.errors import Refused, Unavailable
from filmless.net.model import Admission, NetSettings
from filmless.net.server import Server, Services

MR = "1.2.840.10008.5.1.4.1.1.4"
SETTINGS = NetSettings(ae_title="FILMLESS", connect_timeout=3, acse_timeout=5, response_timeout=10)
DEVICE = Device("CT1")

Verdicts = dict[str, int | None]


class Reports:
    """N-EVENT-REPORTs that a peer received, and how it answers them."""

    def __init__(self, status: int = 0) -> None:
        self.status = status
        self.came = threading.Event()
        self.reports: list[tuple[int, Dataset]] = []

    def on_report(self, event: Any) -> tuple[int, None]:
        self.reports.append((event.event_type, event.event_information))
        self.came.set()
        return self.status, None

    @property
    def verdicts(self) -> Verdicts:
        _, data = self.reports[-1]
        found: Verdicts = {
            one.ReferencedSOPInstanceUID: None for one in data.get("ReferencedSOPSequence", [])
        }
        for one in data.get("FailedSOPSequence", []):
            found[one.ReferencedSOPInstanceUID] = one.FailureReason
        return found


@asynccontextmanager
async def server(engine: Engine, root: Path, device: Device = DEVICE) -> AsyncIterator[int]:
    """Our server with the commitment services; every caller is `device`."""
    handler = CommitmentHandler(engine, root, "FILMLESS")
    services = Services()
    services.add([StorageCommitmentPushModel], [CommandField.N_ACTION_RQ], handler)
    services.add(
        [StorageCommitmentPushModel], [CommandField.N_EVENT_REPORT_RQ], CommitmentResultHandler(engine)
    )
    policy = NegotiationPolicy(
        accepts={StorageCommitmentPushModel: (EXPLICIT_LE, IMPLICIT_LE)},
        roles={StorageCommitmentPushModel: (True, True)},
    )

    async def admit(request: object, peer: object) -> Admission:
        return Admission(device, policy)

    running = Server(SETTINGS, services, admit)
    port = await running.start("127.0.0.1", 0)
    try:
        yield port
    finally:
        await running.stop(0)
        await handler.stop()


def request(references: Sequence[tuple[str, str]], transaction: str = "") -> Dataset:
    made = Dataset()
    made.TransactionUID = transaction or generate_uid()
    made.ReferencedSOPSequence = []
    for sop_class, sop_instance in references:
        item = Dataset()
        item.ReferencedSOPClassUID = sop_class
        item.ReferencedSOPInstanceUID = sop_instance
        made.ReferencedSOPSequence.append(item)
    return made


def ask(
    port: int,
    data: Dataset,
    reports: Reports | None = None,
    *,
    action: int = 1,
    instance: str = StorageCommitmentPushModelInstance,
    syntax: str = EXPLICIT_LE,
) -> int:
    """N-ACTION from a foreign device; waits for the report on the same association where `reports` is given."""
    ae = AE("CT1")
    ae.add_requested_context(StorageCommitmentPushModel, syntax)
    handlers = [(evt.EVT_N_EVENT_REPORT, reports.on_report)] if reports else []
    opened = ae.associate("127.0.0.1", port, ae_title="FILMLESS", evt_handlers=handlers)
    assert opened.is_established
    status, _ = opened.send_n_action(data, action, StorageCommitmentPushModel, instance)
    if reports:
        assert reports.came.wait(10), "no report on the same association"
    opened.release()
    return int(status.Status)


@contextmanager
def listening(reports: Reports, *, answer_roles: bool = True) -> Iterator[Device]:
    """A foreign device that takes reports on associations that we open."""
    ae = AE("CT1")
    if answer_roles:
        ae.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
    else:
        ae.add_supported_context(StorageCommitmentPushModel)
    running = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, reports.on_report)]
    )
    try:
        yield Device("CT1", host="127.0.0.1", port=running.server_address[1])
    finally:
        running.shutdown()


def rows(engine: Engine) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(select(commitments).order_by(commitments.c.id)))


async def eventually(happened: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not await asyncio.to_thread(happened):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("syntax", [EXPLICIT_LE, IMPLICIT_LE])
async def test_what_is_kept_is_committed_on_the_same_association(
    engine: Engine, archive: Archive, put: Put, syntax: str
) -> None:
    put(ct())
    put(ct(SOPInstanceUID="1.2.3.1.1.2"))
    reports = Reports()
    data = request([(CT, "1.2.3.1.1.1"), (CT, "1.2.3.1.1.2")])
    async with server(engine, archive.root) as port:
        assert await asyncio.to_thread(ask, port, data, reports, syntax=syntax) == 0
        await eventually(lambda: rows(engine)[0].state == "delivered")
    kind, report = reports.reports[0]
    assert (kind, report.TransactionUID, len(reports.reports)) == (1, data.TransactionUID, 1)
    assert reports.verdicts == {"1.2.3.1.1.1": None, "1.2.3.1.1.2": None}
    assert "FailedSOPSequence" not in report
    with reading(engine) as connection:
        asked = [event.body for event in events.after(connection, 0, kinds=["commitment-asked"])]
    assert asked == [{"id": rows(engine)[0].id, "device": "CT1"}]


async def test_what_is_not_kept_is_named_with_its_reason(engine: Engine, archive: Archive, put: Put) -> None:
    for number in range(1, 7):
        put(ct(SOPInstanceUID=f"1.2.3.1.1.{number}", SeriesInstanceUID=f"1.2.3.1.{number}"))
    # 3: cut short, 4: one bit turned, 5: rejected, 6: the device sent another object under the same UID
    cut, turned = (archive.root / path for path in _paths(engine, "1.2.3.1.1.3", "1.2.3.1.1.4"))
    cut.chmod(0o600)
    turned.chmod(0o600)
    cut.write_bytes(cut.read_bytes()[:-1])
    damaged = bytearray(turned.read_bytes())
    damaged[-1] ^= 1
    turned.write_bytes(damaged)
    reject(archive, ENGINEER, code="113039", by="test", reason="old", sop_uids=["1.2.3.1.1.5"])
    outcome = put(ct(SOPInstanceUID="1.2.3.1.1.6", SeriesInstanceUID="1.2.3.1.6", PixelData=bytes(128)))
    assert outcome.kind is Kind.QUARANTINED
    asked = [
        (CT, "1.2.3.1.1.1"),
        (MR, "1.2.3.1.1.2"),
        *((CT, f"1.2.3.1.1.{number}") for number in (3, 4, 5, 6, 99)),
    ]
    reports = Reports()
    async with server(engine, archive.root) as port:
        await asyncio.to_thread(ask, port, request(asked), reports)
    assert reports.reports[0][0] == 2
    assert reports.verdicts == {
        "1.2.3.1.1.1": None,
        "1.2.3.1.1.2": 0x0119,
        "1.2.3.1.1.3": 0x0110,
        "1.2.3.1.1.4": 0x0110,
        "1.2.3.1.1.5": 0x0112,
        "1.2.3.1.1.6": 0x0110,
        "1.2.3.1.1.99": 0x0112,
    }


def _paths(engine: Engine, *uids: str) -> list[str]:
    with reading(engine) as connection:
        return [
            connection.execute(
                select(versions.c.path)
                .join(instances, instances.c.version == versions.c.id)
                .where(instances.c.sop_instance_uid == uid)
            ).scalar_one()
            for uid in uids
        ]


async def test_another_devices_object_under_the_uid_does_not_spoil_ours(
    engine: Engine, archive: Archive, put: Put
) -> None:
    put(ct())
    assert put(ct(PixelData=bytes(128)), Source("MR9")).kind is Kind.QUARANTINED
    reports = Reports()
    async with server(engine, archive.root) as port:
        await asyncio.to_thread(ask, port, request([(CT, "1.2.3.1.1.1")]), reports)
    assert reports.verdicts == {"1.2.3.1.1.1": None}


@pytest.mark.parametrize("how", ["roles answered", "roles not answered", "no role selection"])
async def test_a_device_that_hangs_up_is_called_with_the_result(
    engine: Engine, archive: Archive, put: Put, how: str
) -> None:
    put(ct())
    reports = Reports()
    with listening(reports, answer_roles=how == "roles answered") as device:
        quirks = {"commit-new-association"} | ({"no-role-selection"} if how == "no role selection" else set())
        device = dataclasses.replace(device, quirks=frozenset(quirks))
        _add(engine, device)
        async with server(engine, archive.root, device) as port:
            assert await asyncio.to_thread(ask, port, request([(CT, "1.2.3.1.1.1")])) == 0
        commitment_id = _long_ago(engine)
        await Reporter(engine, archive.root, SETTINGS).report(commitment_id)
        assert reports.verdicts == {"1.2.3.1.1.1": None}
        assert rows(engine)[0].state == "delivered"
        await Reporter(engine, archive.root, SETTINGS).report(commitment_id)
        assert len(reports.reports) == 1, "a result is delivered once"


async def test_a_result_that_is_not_taken_is_kept_until_it_is(
    engine: Engine, archive: Archive, put: Put
) -> None:
    put(ct())
    reports = Reports(status=0x0110)
    with listening(reports) as device:
        _add(engine, device)
        with writing(engine) as connection:
            commitment_id = record.ask(
                connection, "provider", "CT1", "1.2.99", [Reference(CT, "1.2.3.1.1.1")]
            )
        reporter = Reporter(engine, archive.root, SETTINGS)
        with pytest.raises(Unavailable, match="may still be waiting"):
            await reporter.report(commitment_id)
        _long_ago(engine)
        with pytest.raises(Unavailable, match="refused the result"):
            await reporter.report(commitment_id)
        assert (rows(engine)[0].state, rows(engine)[0].attempts) == ("answered", 1)
        reports.status = 0
        await Reporter(engine, archive.root, SETTINGS).report(commitment_id)
    assert (rows(engine)[0].state, rows(engine)[0].attempts) == ("delivered", 2)


async def test_a_delivery_that_died_is_taken_up_after_a_while(
    engine: Engine, archive: Archive, put: Put
) -> None:
    put(ct())
    reports = Reports()
    with listening(reports) as device:
        _add(engine, device)
        with writing(engine) as connection:
            commitment_id = record.ask(
                connection, "provider", "CT1", "1.2.99", [Reference(CT, "1.2.3.1.1.1")]
            )
            record.answer(connection, commitment_id, [(Reference(CT, "1.2.3.1.1.1"), None)])
            assert record.claim(connection, commitment_id)
            assert not record.claim(connection, commitment_id), "one delivers"
        reporter = Reporter(engine, archive.root, SETTINGS)
        with pytest.raises(Unavailable, match="is being delivered"):
            await reporter.report(commitment_id)
        _long_ago(engine, minutes=10)
        await reporter.report(commitment_id)
    assert rows(engine)[0].state == "delivered"
    assert len(reports.reports) == 1


async def test_without_an_address_the_result_has_no_way_out(engine: Engine, archive: Archive) -> None:
    _add(engine, Device("CT1"))
    with writing(engine) as connection:
        commitment_id = record.ask(connection, "provider", "CT1", "1.2.99", [Reference(CT, "1.2.3")])
    _long_ago(engine)
    with pytest.raises(Refused, match="no host and port"):
        await Reporter(engine, archive.root, SETTINGS).report(commitment_id)
    assert rows(engine)[0].state == "failed"
    assert "no host and port" in rows(engine)[0].last_error
    # the job is resumed when that has been put right
    reports = Reports()
    with listening(reports) as device:
        with writing(engine) as connection:
            address = {"host": device.host, "port": device.port}
            service.change(connection, "CT1", address, by="test", reason="found it")
        await Reporter(engine, archive.root, SETTINGS).report(commitment_id)
    assert rows(engine)[0].state == "delivered"
    assert reports.verdicts == {"1.2.3": 0x0112}


async def test_requests_that_make_no_sense_are_refused(engine: Engine, archive: Archive, put: Put) -> None:
    put(ct())
    good = request([(CT, "1.2.3.1.1.1")], "1.2.77")
    nothing = Dataset()
    nothing.ReferencedSOPSequence = []
    async with server(engine, archive.root) as port:
        assert await asyncio.to_thread(ask, port, good, action=2) == 0x0123
        assert await asyncio.to_thread(ask, port, good, instance="1.2.3") == 0x0112
        assert await asyncio.to_thread(ask, port, nothing) == 0x0115
        assert rows(engine) == []
        assert await asyncio.to_thread(ask, port, good) == 0
        other = request([(CT, "1.2.3.1.1.2")], "1.2.77")
        assert await asyncio.to_thread(ask, port, other) == 0x0210
        again = Reports()
        assert await asyncio.to_thread(ask, port, good, again) == 0
    assert again.verdicts == {"1.2.3.1.1.1": None}
    assert len(rows(engine)) == 1


async def test_a_long_request_holds_up_nobody_else(
    engine: Engine, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request may name thousands of objects: reading it takes time, which is not the network's."""
    really, readers = provider_module.read_transaction, list[threading.Thread]()

    def read(data: bytes, syntax: str) -> Any:
        readers.append(threading.current_thread())
        return really(data, syntax)

    monkeypatch.setattr(provider_module, "read_transaction", read)
    async with server(engine, archive.root) as port:
        good = request([(CT, f"1.2.3.{number}") for number in range(3000)])
        assert await asyncio.to_thread(ask, port, good) == 0
    assert readers and threading.main_thread() not in readers


def _add(engine: Engine, device: Device) -> None:
    with writing(engine) as connection:
        service.add(connection, device, by="test")


def _long_ago(engine: Engine, minutes: float = 1) -> int:
    """As if the only commitment had been changed some minutes ago; its id."""
    row = rows(engine)[0]
    before = row.changed_at - timedelta(minutes=minutes)
    with writing(engine) as connection:
        connection.execute(update(commitments).values(changed_at=before))
    return int(row.id)


# -- as user


@contextmanager
def provider(on_action: Callable[[Any], tuple[int, None]], *, offers: bool = True) -> Iterator[Device]:
    ae = AE("VAULT")
    ae.add_supported_context(StorageCommitmentPushModel if offers else CT)
    running = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_ACTION, on_action)])
    try:
        yield Device("VAULT", host="127.0.0.1", port=running.server_address[1])
    finally:
        running.shutdown()


def result(asked: Dataset, failed: Sequence[str] = ()) -> Dataset:
    made = Dataset()
    made.TransactionUID = asked.TransactionUID
    items = list(asked.ReferencedSOPSequence)
    made.ReferencedSOPSequence = [one for one in items if one.ReferencedSOPInstanceUID not in failed]
    made.FailedSOPSequence = [one for one in items if one.ReferencedSOPInstanceUID in failed]
    for one in made.FailedSOPSequence:
        one.FailureReason = 0x0112
    return made


ASKED = [Reference(CT, "1.2.3.1"), Reference(MR, "1.2.3.2")]


async def test_a_device_answers_our_request_on_the_same_association(engine: Engine) -> None:
    threads: list[threading.Thread] = []

    def on_action(event: Any) -> tuple[int, None]:
        def report() -> None:
            event.assoc.send_n_event_report(
                result(event.action_information, ["1.2.3.2"]),
                2,
                StorageCommitmentPushModel,
                StorageCommitmentPushModelInstance,
            )

        threads.append(threading.Timer(0.2, report))
        threads[-1].start()
        return 0, None

    with provider(on_action) as device:
        made = await user.ask(engine, device, ASKED, settings=SETTINGS, wait=10)
        for thread in threads:
            await asyncio.to_thread(thread.join)
    assert made.state == "answered"
    assert made.answer == ((ASKED[0], None), (ASKED[1], 0x0112))
    assert made.failed == [(ASKED[1], 0x0112)]


async def test_a_device_answers_our_request_on_an_association_of_its_own(
    engine: Engine, tmp_path: Path
) -> None:
    asked: list[Dataset] = []

    def on_action(event: Any) -> tuple[int, None]:
        asked.append(event.action_information)
        return 0, None

    with provider(on_action) as device:
        made = await user.ask(engine, device, ASKED, settings=SETTINGS, wait=0.1)
    assert (made.state, made.answer) == ("asked", None)

    def call_back(port: int, data: Dataset) -> int:
        ae = AE("VAULT")
        ae.add_requested_context(StorageCommitmentPushModel)
        roles = [build_role(StorageCommitmentPushModel, scp_role=True)]
        opened = ae.associate("127.0.0.1", port, ae_title="FILMLESS", ext_neg=roles)
        assert opened.is_established
        status, _ = opened.send_n_event_report(
            data, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
        opened.release()
        return int(status.Status)

    async with server(engine, tmp_path, device) as port:
        unknown = result(asked[0])
        unknown.TransactionUID = "1.2.3.4.5"
        assert await asyncio.to_thread(call_back, port, unknown) == 0x0110
        assert await asyncio.to_thread(call_back, port, result(asked[0])) == 0
    row = rows(engine)[0]
    assert (row.state, row.answer) == ("answered", [[CT, "1.2.3.1", None], [MR, "1.2.3.2", None]])
    with reading(engine) as connection:
        told = [event.body for event in events.after(connection, 0, kinds=["commitment-answered"])]
    assert told == [{"id": row.id, "device": "VAULT", "failed": 0}]


async def test_an_object_that_the_result_leaves_out_is_not_committed(engine: Engine, tmp_path: Path) -> None:
    def on_action(event: Any) -> tuple[int, None]:
        data = result(event.action_information)
        del data.ReferencedSOPSequence[1]

        def report() -> None:
            event.assoc.send_n_event_report(
                data, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
            )

        threading.Timer(0.2, report).start()
        return 0, None

    with provider(on_action) as device:
        made = await user.ask(engine, device, ASKED, settings=SETTINGS, wait=10)
    assert made.failed == [(ASKED[1], 0x0110)]


async def test_a_device_that_refuses_or_does_not_offer_is_said_so(engine: Engine) -> None:
    with provider(lambda event: (0x0110, None)) as device:
        with pytest.raises(Refused, match=r"refused the request: processing failure \(0110\)"):
            await user.ask(engine, device, ASKED, settings=SETTINGS)
        assert rows(engine)[0].state == "failed"
    with (
        provider(lambda event: (0, None), offers=False) as device,
        pytest.raises(Refused, match="does not offer storage commitment"),
    ):
        await user.ask(engine, device, ASKED, settings=SETTINGS)
