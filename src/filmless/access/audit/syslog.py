"""Syslog to a collector: RFC 5424 messages, over TLS (RFC 5425), TCP with the same frames (RFC 6587 3.4.1) or UDP
(RFC 5426). As PS3.15 A.6 and A.7 ask: facility 10 (security/authorization), MSGID "DICOM+RFC3881".
"""

import contextlib
import errno
import fcntl
import socket
import ssl
import struct
import termios
import time
from collections.abc import Iterator
from datetime import datetime

from filmless.access.audit.settings import AuditSettings
from filmless.kit.errors import Unavailable

#: facility 10 * 8 + severity: 5 notice, 4 warning for what was refused or failed (RFC 5424 6.2.1)
NOTICE, WARNING = 10 * 8 + 5, 10 * 8 + 4
MESSAGE_ID = "DICOM+RFC3881"
ANCHOR_ID = "FILMLESS+ANCHOR"
#: largest datagram over IPv4 (RFC 5426 3.2)
_DATAGRAM = 65_507


def line(priority: int, at: datetime, host: str, process: str, message_id: str, message: bytes) -> bytes:
    """One syslog message. `message`: UTF-8; a byte order mark before it says so (RFC 5424 6.4)."""
    moment = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    header = f"<{priority}>1 {moment} {_word(host, 255)} filmless {_word(process, 128)} {message_id} - "
    return header.encode("ascii") + b"\xef\xbb\xbf" + message


def _word(words: str, longest: int) -> str:
    """Printable ASCII without spaces, "-" where there is nothing (RFC 5424 6.2)."""
    kept = "".join(letter for letter in words if 32 < ord(letter) < 127)[:longest]
    return kept or "-"


class Collector:
    """A connection to the collector: opened when needed, opened anew after a failure."""

    def __init__(self, settings: AuditSettings) -> None:
        """Raises Unavailable where the certificates of the settings cannot be read."""
        self._settings = settings
        self._socket: socket.socket | None = None
        self._context: ssl.SSLContext | None = None
        if settings.transport == "tls":
            self._context = _context(settings)

    def send(self, lines: list[bytes]) -> None:
        """Send messages in their order; raises Unavailable where they cannot all be handed over.

        Syslog has no receipts (RFC 5425 4.4): handed over means acknowledged by the peer's network stack, on a
        connection that was still open afterwards. A peer that dies with messages unread, or refuses us after all,
        breaks the connection: the next call says so with the code "audit-collector-broken", and what was sent last
        is to be sent again.
        """
        try:
            if self._socket is None:
                self._socket = self._connect()
            if self._settings.transport == "udp":
                for one in lines:
                    # longer ones lose their end, as syslog over UDP does everywhere (RFC 5426 3.2)
                    self._socket.send(one[:_DATAGRAM])
                return
            # before and after: a peer that is gone takes the first bytes without complaint
            self._still_there(self._socket)
            self._socket.sendall(b"".join(str(len(one)).encode() + b" " + one for one in lines))
            self._taken(self._socket)
            self._still_there(self._socket)
        except (OSError, ssl.SSLError) as why:
            self.close()
            words = getattr(why, "strerror", None) or getattr(why, "reason", None) or type(why).__name__
            raise Unavailable(
                f"The audit collector {self._settings.collector}:{self._settings.collector_port} does not "
                f"take messages: {words}.",
                code="audit-collector"
                if isinstance(why, ConnectionAbortedError)
                else "audit-collector-broken",
            ) from None

    def close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                if isinstance(self._socket, ssl.SSLSocket):
                    self._socket.settimeout(1.0)
                    self._socket.unwrap()
            self._socket.close()
            self._socket = None

    def _connect(self) -> socket.socket:
        settings = self._settings
        address = (settings.collector, settings.collector_port)
        if settings.transport == "udp":
            family, kind, protocol, _, to = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
            datagrams = socket.socket(family, kind, protocol)
            datagrams.settimeout(settings.timeout)
            datagrams.connect(to)
            return datagrams
        plain = socket.create_connection(address, timeout=settings.timeout)
        try:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._context is None:
                return plain
            return self._context.wrap_socket(plain, server_hostname=settings.collector)
        except BaseException:
            plain.close()
            raise

    def _still_there(self, connection: socket.socket) -> None:
        """Raises OSError where the peer has closed or reset. A collector says nothing; what it says is passed over."""
        connection.settimeout(0)
        try:
            while connection.recv(4096):
                pass
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        finally:
            connection.settimeout(self._settings.timeout)
        raise ConnectionAbortedError(errno.ECONNABORTED, "it closed the connection")

    def _taken(self, connection: socket.socket) -> None:
        """Return when the peer's network stack has acknowledged all bytes (Linux tcp(7), SIOCOUTQ)."""
        deadline = time.monotonic() + self._settings.timeout
        while struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))[0]:
            if time.monotonic() > deadline:
                raise TimeoutError(errno.ETIMEDOUT, "it does not read")
            self._still_there(connection)
            time.sleep(0.002)


def _context(settings: AuditSettings) -> ssl.SSLContext:
    """TLS 1.2 and up, the collector's certificate checked by name (RFC 5425 5, BCP 195)."""
    try:
        context = ssl.create_default_context(cafile=settings.authorities or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.client_certificate:
            context.load_cert_chain(settings.client_certificate, settings.client_key)
    except (OSError, ssl.SSLError) as why:
        raise Unavailable(
            f"The certificates of [audit] cannot be used: {why}.", code="audit-collector"
        ) from None
    return context


def frames(data: bytes) -> Iterator[bytes]:
    """The messages in octet-counted frames (RFC 5425 4.3), for who receives them."""
    while data:
        length, _, data = data.partition(b" ")
        yield data[: int(length)]
        data = data[int(length) :]
