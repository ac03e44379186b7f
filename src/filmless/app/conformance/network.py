"""Time-outs, TLS, character sets and security."""

from filmless.app.conformance.markdown import table
from filmless.app.settings import TlsSettings
from filmless.devices.model import CHARACTER_SETS
from filmless.net import tls
from filmless.net.model import NetSettings


def network() -> str:
    """TCP/IP and TLS."""
    net, own = NetSettings(), TlsSettings()
    rows = [
        ("connection, TLS handshake included", net.connect_timeout),
        ("association request after the connection, and ARTIM", net.artim),
        ("answer to an association request or a release", net.acse_timeout),
        ("progress inside a message", net.dimse_timeout),
        ("response to a request of ours", net.response_timeout),
        ("between messages", net.idle_timeout),
        ("the peer taking data that we send", net.send_timeout),
    ]
    return f"""
## 7 Network

TCP/IP (IPv4, IPv6). PS3.8 state machine as in its table 9-10. Time-outs, by default, in seconds:

{table(("wait for", "s"), rows)}

TLS by the BCP 195 profile (PS3.15 B.12), TLS 1.2 and 1.3, on a port of its own (by default {own.port or "none"};
registered is 2762); certificates of peers are {own.peers} by default. A device's setting says whether it is called
with TLS. Suites of TLS 1.2: {", ".join(tls.CIPHERS.split(":"))}.
"""


def character_sets() -> str:
    """Specific Character Set."""
    return f"""
## 8 Character sets

Objects are kept as they came. An answer is in the character set of the request where that can express its text,
otherwise in the device's set, otherwise in ISO_IR 192. Text without a declaration, or with a wrong one, is read by the
device's set. These are read and written:

{", ".join(sorted(CHARACTER_SETS, key=_natural))}
"""


def _natural(term: str) -> tuple[str, int]:
    words, _, number = term.rpartition(" ")
    return (words, int(number)) if number.isdigit() else (term, 0)


def security() -> str:
    """Security and privacy."""
    return """
## 9 Security and privacy

Associations are admitted by calling AE title, called AE title and, on the TLS port, certificate. Logs hold UIDs and AE
titles, never names, identifiers of patients or dates. The preamble of files is zero. Files that Filmless writes carry
private information in their file meta information (0002,0100), (0002,0102); data sets carry no private attributes of
Filmless.
"""
