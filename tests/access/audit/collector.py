"""A syslog collector on a real socket: TLS, TCP or UDP, that can be stopped and started on its port."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from pathlib import Path

from tests.certificates import Authority, Pair


class Collector:
    """Keeps the messages that it was sent, in order. `reads`: whether it takes anything from its connections."""

    def __init__(self, transport: str, context: ssl.SSLContext | None = None) -> None:
        self.transport = transport
        self.messages: list[bytes] = []
        self.port = 0
        self._context = context
        self._listener: socket.socket | None = None
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        kind = socket.SOCK_DGRAM if self.transport == "udp" else socket.SOCK_STREAM
        listener = socket.socket(socket.AF_INET, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self._listener = listener
        if self.transport == "udp":
            self._run(self._datagrams, listener)
        else:
            listener.listen()
            self._run(self._accept, listener)

    def stop(self) -> None:
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in self._threads:
            thread.join(10)
        self._connections.clear()
        self._threads.clear()

    def _run(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        thread.start()
        self._threads.append(thread)

    def _datagrams(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := listener.recv(65536):
                self.messages.append(data)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                if self._context is not None:
                    try:
                        connection = self._context.wrap_socket(connection, server_side=True)
                    except (ssl.SSLError, OSError):
                        connection.close()
                        continue
                self._connections.append(connection)
                self._run(self._frames, connection)

    def _frames(self, connection: socket.socket) -> None:
        """Octet counting, RFC 5425 4.3: MSG-LEN SP SYSLOG-MSG."""
        waiting = b""
        with contextlib.suppress(OSError, ssl.SSLError):
            while data := connection.recv(65536):
                waiting += data
                while (found := re.match(rb"([1-9][0-9]*) ", waiting)) and len(waiting) >= (
                    end := found.end() + int(found[1])
                ):
                    self.messages.append(waiting[found.end() : end])
                    waiting = waiting[end:]


class Certificates:
    """Of a collector and its client, signed by one authority; and of a stranger."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "ours", "Hospital")
        self.collector: Pair = self.authority.issue("collector")
        self.client: Pair = self.authority.issue("filmless")
        self.stranger = Authority(folder / "theirs", "Stranger")

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.collector.certificate, self.collector.key)
        context.load_verify_locations(self.authority.file)
        context.verify_mode = ssl.CERT_REQUIRED
        return context
