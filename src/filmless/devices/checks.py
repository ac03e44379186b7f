"""Whether devices answer: C-ECHO as user (PS3.4 annex A), with the reason in words where they do not."""

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from filmless.devices.model import Device
from filmless.dicom import statuses
from filmless.dicom.sopclasses import VERIFICATION
from filmless.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from filmless.dicom.ul.negotiation import ContextRequest
from filmless.kit.errors import FilmlessError
from filmless.net.association import connect
from filmless.net.model import NetSettings

#: an answer to an echo that takes longer is no sign of life
_PATIENCE = 10.0
#: devices asked at the same time
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class CheckResult:
    """`ms`: from the first packet to the answer to the echo; None where there was none."""

    ok: bool
    reason: str = ""
    ms: int | None = None


async def check(device: Device, settings: NetSettings, *, tls: ssl.SSLContext | None = None) -> CheckResult:
    """Ask one device. Never raises for what the device or the network does."""
    brief = replace(
        settings,
        connect_timeout=min(settings.connect_timeout, _PATIENCE),
        acse_timeout=min(settings.acse_timeout, _PATIENCE),
        response_timeout=min(settings.response_timeout, _PATIENCE),
    )
    if device.tls and tls is None:
        return CheckResult(ok=False, reason="it is to be called over TLS, for which nothing is set up here")
    began = time.perf_counter()
    try:
        association = await connect(
            device.host,
            device.port,
            calling_ae=settings.ae_title,
            called_ae=device.ae_title,
            contexts=[ContextRequest(VERIFICATION, (IMPLICIT_VR_LE, EXPLICIT_VR_LE))],
            settings=brief,
            tls=tls if device.tls else None,
        )
        try:
            if association.context_for(VERIFICATION) is None:
                return CheckResult(
                    ok=False, reason="it takes the association but does not offer Verification"
                )
            status = await association.echo()
            ms = max(1, round((time.perf_counter() - began) * 1000))
        finally:
            await association.release(_PATIENCE)
    except FilmlessError as error:
        return CheckResult(ok=False, reason=error.message)
    if status != statuses.SUCCESS:
        return CheckResult(ok=False, reason=f"it answers the echo with {statuses.words(status)}", ms=ms)
    return CheckResult(ok=True, ms=ms)


async def check_all(
    devices: Sequence[Device],
    settings: NetSettings,
    *,
    tls: Callable[[Device], ssl.SSLContext | None] = lambda device: None,
) -> list[CheckResult]:
    """Ask many devices, some at the same time; results in the order of the devices."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(device: Device) -> CheckResult:
        async with places:
            try:
                context = tls(device)
            except FilmlessError as error:
                # a device's TLS that cannot be set up costs its own check only
                return CheckResult(ok=False, reason=error.message)
            return await check(device, settings, tls=context)

    return await asyncio.gather(*(one(device) for device in devices))
