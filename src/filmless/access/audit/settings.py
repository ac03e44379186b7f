"""Settings of [audit]: the key of the chain, its anchors, and the collector that it is told to."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """Nothing here switches the trail off, and nothing deletes from it."""

    #: file with the key of the chain; empty: HOME/keys/audit.key, made at the first start. Servers that share one
    #: PostgreSQL need the same key: copy the file to each
    key_file: str = ""
    #: seconds between two anchors of the chain's end in HOME/audit/anchors.log and at the collector
    anchor_seconds: float = 60.0
    #: host of a syslog collector (audit record repository); empty: none
    collector: str = ""
    #: 6514 is the registered port of syslog over TLS (RFC 5425), 514 that of UDP
    collector_port: int = 6514
    #: "tls" RFC 5425, "tcp" the same frames without TLS (RFC 6587 3.4.1), "udp" RFC 5426
    transport: Literal["tls", "tcp", "udp"] = "tls"
    #: certificates (PEM) of the authorities that the collector's certificate is checked against; empty: the system's
    authorities: str = ""
    #: our certificate and key (PEM) for a collector that asks for one (IHE ATNA does)
    client_certificate: str = ""
    client_key: str = ""
    #: seconds that connecting to the collector, and each sending, may take
    timeout: float = 10.0
    #: name of this site in the messages (AuditEnterpriseSiteID)
    site: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.collector_port <= 65535:
            raise ValueError("collector_port must be a port number from 1 to 65535")
        if bool(self.client_certificate) != bool(self.client_key):
            raise ValueError("client_certificate and client_key belong together")
        if self.transport != "tls" and (self.client_certificate or self.authorities):
            raise ValueError('client_certificate and authorities are for transport = "tls"')
