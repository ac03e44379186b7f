"""What calling devices takes: TLS as the settings say."""

import ssl
from collections.abc import Callable
from functools import cache
from pathlib import Path

from filmless.app.settings import Settings
from filmless.devices.model import Device
from filmless.net import tls


def tls_for_devices(settings: Settings) -> Callable[[Device], ssl.SSLContext | None]:
    """The TLS context to call a device with, None for one that is called without.

    Devices show a certificate of the [tls] authorities (of the system's where none are set); we show ours where
    there is one. Calling raises Refused where a file of the settings cannot be used.
    """

    @cache
    def context() -> ssl.SSLContext:
        wanted = settings.tls
        return tls.client_context(
            ca=Path(wanted.authorities) if wanted.authorities else None,
            certificate=Path(wanted.certificate) if wanted.certificate else None,
            key=Path(wanted.key) if wanted.key else None,
        )

    return lambda device: context() if device.tls else None
