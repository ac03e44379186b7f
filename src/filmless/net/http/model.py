"""The words of HTTP settings."""

import ipaddress
from dataclasses import dataclass

from filmless.kit.board import MOST
from filmless.kit.errors import Refused


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """[http]: the web side."""

    #: serve HTTPS with the certificate and key of [tls]
    tls: bool = False
    #: the address that browsers use, e.g. https://images.hospital.example; empty: as each request says
    public_url: str = ""
    #: addresses or networks of reverse proxies whose Forwarded and X-Forwarded-* headers are believed
    trusted_proxies: tuple[str, ...] = ()
    #: origins of other web applications that may call /dicom-web with a token, e.g. https://viewer.example
    allowed_origins: tuple[str, ...] = ()
    #: processes that answer, each on a core of its own; one more takes 45 to 75 MB of memory
    processes: int = 1
    #: open connections of all of them; those beyond are closed at once
    connections: int = 512
    #: seconds in which a connection has to ask for something
    patience: int = 15
    #: seconds without a byte of a request's body, and without a byte taken of an answer
    stall_timeout: float = 60.0
    #: the longest body that is taken, in bytes: of stored objects (STOW-RS), and of everything else
    max_store_bytes: int = 64 << 30
    max_body_bytes: int = 16 << 20

    def __post_init__(self) -> None:
        if not 1 <= self.processes <= MOST:
            raise ValueError(f"processes must be from 1 to {MOST}")
        if self.public_url and not self.public_url.startswith(("http://", "https://")):
            raise ValueError("public_url must begin with http:// or https://")
        for proxy in self.trusted_proxies:
            try:
                ipaddress.ip_network(proxy, strict=False)
            except ValueError:
                raise ValueError(f"trusted_proxies: {proxy!r} is no address or network") from None


def too_large(limit: int) -> Refused:
    """The error for a body that is longer than it may be."""
    return Refused(f"The body is longer than the {limit} bytes that are taken here.", code="too-large")
