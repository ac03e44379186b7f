"""TLS for DICOM as PS3.15 B.12 asks (BCP 195, RFC 9325): version 1.2 or later, forward secrecy, AEAD."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from filmless.kit.errors import Refused
from filmless.net.errors import words_of

#: TLS 1.2 suites of RFC 9325 section 4.2; those of TLS 1.3 are all sound and not configured here.
CIPHERS: Final = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
    )
)


def server_context(certificate: Path, key: Path, *, clients_ca: Path | None = None) -> ssl.SSLContext:
    """For a server that proves itself by `certificate` (PEM, with its chain) and `key`.

    With `clients_ca` every client must prove itself by a certificate from one of these authorities. Raises
    Refused when a file cannot be used, and names it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    _load(context, certificate, key)
    if clients_ca is not None:
        _trust(context, clients_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(
    *,
    ca: Path | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    check_hostname: bool = False,
    verify: bool = True,
) -> ssl.SSLContext:
    """For calls to a server whose certificate comes from `ca` (the system's authorities if None).

    DICOM nodes are known by address more than by name, so the name is checked only where asked for; the chain
    is checked unless `verify` is False, which leaves the connection open to anyone in between. Give
    `certificate` and `key` where the server asks for them. Raises Refused when a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context)
    context.check_hostname = check_hostname and verify
    context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    if ca is not None:
        _trust(context, ca)
    elif verify:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if certificate is not None:
        _load(context, certificate, key or certificate)
    return context


def subject_of(certificate: Mapping[str, Any] | None) -> str:
    """The subject of a certificate as `getpeercert` gives it, e.g. "CN=ct1,O=Hospital"; "" without one."""
    short = {"commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU", "countryName": "C"}
    parts = [
        f"{short.get(kind, kind)}={value}"
        for rdn in (certificate or {}).get("subject", ())
        for kind, value in rdn
    ]
    return ",".join(parts)


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        # a key with a pass phrase is refused, instead of asking for it on a terminal that nobody sees
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ssl.SSLError) as error:
        raise Refused(
            f"the certificate {certificate} with the key {key} cannot be used: {words_of(error)}"
        ) from error


def _trust(context: ssl.SSLContext, ca: Path) -> None:
    try:
        context.load_verify_locations(ca)
    except (OSError, ssl.SSLError) as error:
        raise Refused(f"the certificates of authorities in {ca} cannot be used: {words_of(error)}") from error
