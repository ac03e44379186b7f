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

    Devices show a certificate of the [tls] authorities. Where none are set it is one of the system's authorities,
    and has to name the host that is called. We show ours where there is one. Calling raises Refused where a file
    of the settings cannot be used.
    """

    @cache
    def context() -> ssl.SSLContext:
        wanted = settings.tls
        return tls.client_context(
            ca=Path(wanted.authorities) if wanted.authorities else None,
            certificate=Path(wanted.certificate) if wanted.certificate else None,
            key=Path(wanted.key) if wanted.key else None,
            # an authority of the hospital's own vouches for its devices; one of the system's for anybody's name
            check_hostname=not wanted.authorities,
        )

    return lambda device: context() if device.tls else None
