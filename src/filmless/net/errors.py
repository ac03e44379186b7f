"""What can go wrong with another node on the network, in the four families of kit.errors, and in plain words."""

import errno
import socket
import ssl
from typing import Final

from filmless.kit.errors import Refused, Unavailable


class AssociationRejected(Refused):
    """The other node answered A-ASSOCIATE-RJ; result, source and reason as in PS3.8 table 9-21."""

    def __init__(self, message: str, *, result: int, source: int, reason: int) -> None:
        super().__init__(message, code="association-rejected")
        self.result = result
        self.source = source
        self.reason = reason

    @property
    def transient(self) -> bool:
        """The other node says that a later try may do."""
        return self.result == 2


class AssociationAborted(Unavailable):
    """The association ended before the operation did."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="association-aborted")


class PeerUnreachable(Unavailable):
    """No connection: nothing listens there, no route, no such name, or TLS failed."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="peer-unreachable")


class PeerTimeout(Unavailable):
    """The other node did not answer within the time set for it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="peer-timeout")


def words_of(error: OSError) -> str:
    """What the network, a file or TLS says, in few plain words: never "[Errno 111]" or "WRONG_VERSION_NUMBER"."""
    if isinstance(error, ssl.SSLCertVerificationError):
        known = _CERTIFICATES.get(error.verify_code)
        return known or f"its certificate is not accepted here ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return _TLS.get(error.reason or "", f"the handshake failed ({error.reason or 'no reason given'})")
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    if error.errno == errno.ECONNREFUSED:
        return "nothing listens there"
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return "no route to it"
    if error.errno in (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED):
        return "the other side closed the connection"
    return (error.strerror or str(error) or type(error).__name__).lower()


#: X509_V_ERR of OpenSSL -> words
_CERTIFICATES: Final[dict[int, str]] = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is signed by itself and not known here",
    19: "its certificate comes from an authority that is not known here",
    20: "its certificate comes from an authority that is not known here",
    21: "its certificate comes from an authority that is not known here",
    23: "its certificate was revoked",
    26: "its certificate is not for a server",
    62: "its certificate is for another name",
    64: "its certificate is for another address",
}

_NO_TLS: Final = "it does not speak TLS there"
_OURS: Final = "it does not accept our certificate"
_NONE_IN_COMMON: Final = "no version of TLS or cipher is in common, or it wants a certificate of ours"
#: reason of OpenSSL -> words
_TLS: Final[dict[str, str]] = {
    "HTTP_REQUEST": _NO_TLS,
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "UNEXPECTED_EOF_WHILE_READING": "the other side closed the connection",
    "NO_PROTOCOLS_AVAILABLE": _NONE_IN_COMMON,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": _NONE_IN_COMMON,
    "TLSV1_ALERT_PROTOCOL_VERSION": _NONE_IN_COMMON,
    "UNSUPPORTED_PROTOCOL": _NONE_IN_COMMON,
    "SSLV3_ALERT_BAD_CERTIFICATE": _OURS,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _OURS,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": _OURS,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _OURS,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": _OURS,
    "TLSV1_ALERT_UNKNOWN_CA": _OURS,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a certificate of ours",
    "KEY_VALUES_MISMATCH": "the key is of another certificate",
    "NO_START_LINE": "it is not in PEM",
    "PEM_LIB": "it is not in PEM",
}
