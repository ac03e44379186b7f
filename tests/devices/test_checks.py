"""Echo checks of real peers: what is said of each way in which a device may not answer."""

import asyncio
import dataclasses
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, Verification
from tests.certificates import Authority
from tests.peers import free_port

from filmless.devices.checks import check, check_all
from filmless.devices.model import Device
from filmless.kit.errors import Refused
from filmless.net import tls
from filmless.net.model import NetSettings

SETTINGS = NetSettings(ae_title="FILMLESS", connect_timeout=2, acse_timeout=1, response_timeout=1)


@contextmanager
def answering(
    *, ae_title: str = "CT1", status: int = 0, configure: Callable[[AE], None] | None = None
) -> Iterator[Device]:
    ae = AE(ae_title)
    ae.require_called_aet = True
    if configure:
        configure(ae)
    else:
        ae.add_supported_context(Verification)
    server = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_ECHO, lambda event: status)]
    )
    try:
        yield Device(ae_title, host="127.0.0.1", port=server.server_address[1])
    finally:
        server.shutdown()


@contextmanager
def mute() -> Iterator[Device]:
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Device("CT1", host="127.0.0.1", port=listener.getsockname()[1])


async def test_a_device_that_answers():
    with answering() as device:
        result = await check(device, SETTINGS)
    assert (result.ok, result.reason) == (True, "")
    assert result.ms is not None and result.ms >= 1


async def test_nobody_listens():
    result = await check(Device("CT1", host="127.0.0.1", port=free_port()), SETTINGS)
    assert (result.ok, result.ms) == (False, None)
    assert "nothing listens there" in result.reason


async def test_a_name_that_nobody_knows():
    result = await check(Device("CT1", host="no-such-host.invalid", port=104), SETTINGS)
    assert not result.ok
    assert "the name no-such-host.invalid is not known" in result.reason


async def test_a_device_that_calls_itself_otherwise():
    with answering() as device:
        result = await check(dataclasses.replace(device, ae_title="MR9"), SETTINGS)
    assert not result.ok
    assert "association rejected" in result.reason
    assert "called AE title not recognised" in result.reason


async def test_a_device_that_does_not_know_us():
    def only_others(ae: AE) -> None:
        ae.add_supported_context(Verification)
        ae.require_calling_aet = ["SOMEBODY"]

    with answering(configure=only_others) as device:
        result = await check(device, SETTINGS)
    assert "calling AE title not recognised" in result.reason


async def test_a_device_without_verification():
    with answering(configure=lambda ae: ae.add_supported_context(CTImageStorage)) as device:
        result = await check(device, SETTINGS)
    assert (result.ok, result.reason) == (
        False,
        "it takes the association but does not offer Verification",
    )


async def test_a_device_that_answers_with_a_failure():
    with answering(status=0x0122) as device:
        result = await check(device, SETTINGS)
    assert (result.ok, result.reason) == (
        False,
        "it answers the echo with SOP class not supported (0122)",
    )


async def test_a_device_that_says_nothing():
    with mute() as device:
        result = await check(device, SETTINGS)
    assert not result.ok
    assert "did not answer the association request in time" in result.reason


async def test_a_device_that_hangs_up():
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.close()

    listener = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        result = await check(Device("CT1", host="127.0.0.1", port=port), SETTINGS)
    assert not result.ok
    assert "no association" in result.reason


async def test_many_devices_are_asked_at_once_and_answered_in_order():
    with answering() as good, mute() as bad:
        results = await check_all([bad, good, bad, good, bad], SETTINGS)
    assert [result.ok for result in results] == [False, True, False, True, False]


async def test_a_device_whose_tls_cannot_be_set_up_costs_no_other_its_check():
    def broken(device: Device) -> ssl.SSLContext | None:
        if device.tls:
            raise Refused("the certificate cannot be used")
        return None

    with answering() as good:
        results = await check_all([dataclasses.replace(good, tls=True), good], SETTINGS, tls=broken)
    assert [result.ok for result in results] == [False, True]
    assert "certificate" in results[0].reason


async def test_tls_is_spoken_and_its_failures_are_said(tmp_path: Path):
    ours, theirs = (Authority(tmp_path / name, name) for name in ("ours", "theirs"))
    shown = ours.issue("ct1")
    context = tls.server_context(shown.certificate, shown.key)
    ae = AE("CT1")
    ae.add_supported_context(Verification)
    server = ae.start_server(("127.0.0.1", 0), block=False, ssl_context=context)
    device = Device("CT1", host="127.0.0.1", port=server.server_address[1], tls=True)
    try:
        good = await check(device, SETTINGS, tls=tls.client_context(ca=ours.file))
        stranger = await check(device, SETTINGS, tls=tls.client_context(ca=theirs.file))
        nothing = await check(device, SETTINGS)
        plain = await check(dataclasses.replace(device, tls=False), SETTINGS)
    finally:
        server.shutdown()
    assert good.ok, good.reason
    assert "TLS" in stranger.reason
    assert "certificate" in stranger.reason or "issuer" in stranger.reason
    assert "nothing is set up" in nothing.reason
    assert not plain.ok


async def test_tls_with_a_device_that_speaks_none():
    context = ssl.create_default_context()
    with mute() as device:
        quick = dataclasses.replace(SETTINGS, connect_timeout=1)
        result = await check(dataclasses.replace(device, tls=True), quick, tls=context)
    assert not result.ok
    assert result.reason


@pytest.mark.parametrize("count", [0, 40])
async def test_any_number_of_devices(count):
    device = Device("CT1", host="127.0.0.1", port=free_port())
    results = await check_all([device] * count, SETTINGS)
    assert len(results) == count
    assert not any(result.ok for result in results)
