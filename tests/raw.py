"""A DICOM association over a bare socket, written without the product's own code.

Tests use it where they must say exactly what goes over the wire (fuzz, tricklers, aborts between PDUs), the
benchmark where a toolkit's own delays would hide what is measured. Blocking, one thread, implicit VR for
command sets (PS3.7 6.3.1), PDUs as PS3.8 9.3.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
VERIFICATION = "1.2.840.10008.1.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
CT = "1.2.840.10008.5.1.4.1.1.2"

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
NO_DATA_SET = 0x0101

_US = {0x0100, 0x0110, 0x0120, 0x0700, 0x0800, 0x0900, 0x1020, 0x1021, 0x1022, 0x1023, 0x1031}


class Closed(Exception):
    """The other side aborted or closed the connection."""


def uid(text: str) -> bytes:
    data = text.encode()
    return data + b"\0" * (len(data) % 2)


def pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxI", kind, len(body)) + body


def associate_rq(
    contexts: Sequence[tuple[str, Sequence[str]]],
    *,
    calling: str = "RAW",
    called: str = "FILMLESS",
    max_pdu: int = 131072,
    roles: Sequence[str] = (),
) -> bytes:
    """A-ASSOCIATE-RQ with context IDs 1, 3, 5...; `roles`: SOP classes for which we also act as SCP."""

    def item(kind: int, data: bytes) -> bytes:
        return struct.pack(">BxH", kind, len(data)) + data

    body = struct.pack(">Hxx16s16s32x", 1, called.ljust(16).encode(), calling.ljust(16).encode())
    body += item(0x10, b"1.2.840.10008.3.1.1.1")
    for index, (abstract, transfers) in enumerate(contexts):
        inner = item(0x30, abstract.encode()) + b"".join(item(0x40, one.encode()) for one in transfers)
        body += item(0x20, struct.pack(">Bxxx", 2 * index + 1) + inner)
    user = item(0x51, struct.pack(">I", max_pdu)) + item(0x52, b"2.25.12345678901234567890")
    for abstract in roles:
        name = abstract.encode()
        user += item(0x54, struct.pack(">H", len(name)) + name + b"\1\1")
    return pdu(ASSOCIATE_RQ, body + item(0x50, user))


def command_set(values: dict[int, int | str]) -> bytes:
    """Group 0000 in implicit VR LE: element number -> value; the group length is added."""
    body = b""
    for element, value in sorted(values.items()):
        if isinstance(value, str):
            data = uid(value)
        else:
            data = struct.pack("<H" if element in _US else "<I", value)
        body += struct.pack("<HHI", 0, element, len(data)) + data
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def parse_command(data: bytes) -> dict[int, int | str]:
    values: dict[int, int | str] = {}
    at = 0
    while at + 8 <= len(data):
        _, element, length = struct.unpack_from("<HHI", data, at)
        raw = data[at + 8 : at + 8 + length]
        values[element] = (
            int.from_bytes(raw, "little")
            if element in _US or element == 0
            else raw.decode("latin-1").rstrip("\0 ")
        )
        at += 8 + length
    return values


def element(tag: int, value: str | bytes) -> bytes:
    """One element of a data set in implicit VR LE, padded to even length."""
    data = value.encode() if isinstance(value, str) else value
    if len(data) % 2:
        data += b"\0" if tag & 0xFFFF in (0x000D, 0x000E, 0x0018, 0x0016) else b" "
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(data)) + data


def pdata(context: int, data: bytes, *, command: bool, maximum: int = 131072, last: bool = True) -> bytes:
    """P-DATA-TF PDUs, each with one PDV no longer than the peer's maximum."""
    room = maximum - 6 if maximum else max(len(data), 1)
    pieces = [data[at : at + room] for at in range(0, len(data), room)] or [b""]
    out = []
    for index, piece in enumerate(pieces):
        flags = (1 if command else 0) | (2 if last and index == len(pieces) - 1 else 0)
        out.append(pdu(DATA, struct.pack(">IBB", len(piece) + 2, context, flags) + piece))
    return b"".join(out)


@dataclass(frozen=True)
class Message:
    context: int
    command: dict[int, int | str]
    data: bytes | None

    @property
    def status(self) -> int:
        return int(self.command.get(0x0900, -1))


class RawAssociation:
    """Requests an association; `contexts` maps context ID -> accepted transfer syntax ("" where refused)."""

    def __init__(
        self,
        port: int,
        contexts: Sequence[tuple[str, Sequence[str]]],
        *,
        calling: str = "RAW",
        called: str = "FILMLESS",
        seconds: float = 30.0,
        roles: Sequence[str] = (),
    ) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb", buffering=262144)
        self.maximum = 16384
        self.contexts: dict[int, str] = {}
        self._message_id = 0
        self._proposed = contexts
        self.socket.sendall(associate_rq(contexts, calling=calling, called=called, roles=roles))
        kind, body = self.read_pdu()
        if kind != ASSOCIATE_AC:
            self.close()
            raise Closed(f"association answered by PDU type {kind}: {body.hex()}")
        self._accept(body)

    def _accept(self, body: bytes) -> None:
        at = 68
        while at + 4 <= len(body):
            kind, length = struct.unpack_from(">BxH", body, at)
            data = body[at + 4 : at + 4 + length]
            if kind == 0x21:
                self.contexts[data[0]] = data[8:].decode().rstrip("\0") if data[2] == 0 else ""
            elif kind == 0x50:
                inner = 0
                while inner + 4 <= len(data):
                    sub, size = struct.unpack_from(">BxH", data, inner)
                    if sub == 0x51:
                        self.maximum = struct.unpack_from(">I", data, inner + 4)[0]
                    inner += 4 + size
            at += 4 + length

    def context(self, abstract: str) -> int:
        """The first accepted context for an abstract syntax."""
        for index, (name, _) in enumerate(self._proposed):
            if name == abstract and self.contexts.get(2 * index + 1):
                return 2 * index + 1
        raise Closed(f"no context accepted for {abstract}")

    def next_id(self) -> int:
        self._message_id = self._message_id % 65535 + 1
        return self._message_id

    def read_pdu(self) -> tuple[int, bytes]:
        head = self.stream.read(6)
        if len(head) < 6:
            raise Closed("connection closed")
        kind, length = struct.unpack(">BxI", head)
        body = self.stream.read(length)
        if len(body) < length:
            raise Closed("connection closed inside a PDU")
        if kind == ABORT:
            raise Closed(f"aborted: source {body[2]}, reason {body[3]}")
        return kind, body

    def read_message(self) -> Message:
        command, data = b"", b""
        have_command = False
        values: dict[int, int | str] = {}
        while True:
            kind, body = self.read_pdu()
            if kind != DATA:
                raise Closed(f"PDU type {kind} where a message was awaited")
            at = 0
            while at < len(body):
                length, context, flags = struct.unpack_from(">IBB", body, at)
                piece = body[at + 6 : at + 4 + length]
                at += 4 + length
                if flags & 1:
                    command += piece
                    if flags & 2:
                        values, have_command = parse_command(command), True
                        if values.get(0x0800) == NO_DATA_SET:
                            return Message(context, values, None)
                else:
                    data += piece
                    if flags & 2 and have_command:
                        return Message(context, values, data)

    def request(self, context: int, values: dict[int, int | str], data: bytes | None = None) -> int:
        """Sends one message; the Message ID is returned."""
        number = self.next_id()
        values = {0x0110: number, 0x0800: NO_DATA_SET if data is None else 1} | values
        out = pdata(context, command_set(values), command=True, maximum=self.maximum)
        if data is not None:
            out += pdata(context, data, command=False, maximum=self.maximum)
        self.socket.sendall(out)
        return number

    def echo(self) -> int:
        self.request(self.context(VERIFICATION), {0x0002: VERIFICATION, 0x0100: 0x0030})
        return self.read_message().status

    def store(self, sop_class: str, sop_instance: str, data: bytes, context: int | None = None) -> Message:
        self.request(
            self.context(sop_class) if context is None else context,
            {0x0002: sop_class, 0x0100: 0x0001, 0x0700: 0, 0x1000: sop_instance},
            data,
        )
        return self.read_message()

    def find(self, identifier: bytes, abstract: str = STUDY_ROOT_FIND) -> Iterator[Message]:
        """Every response; the last one is final (neither FF00 nor FF01)."""
        self.request(self.context(abstract), {0x0002: abstract, 0x0100: 0x0020, 0x0700: 0}, identifier)
        while True:
            answer = self.read_message()
            yield answer
            if answer.status not in (0xFF00, 0xFF01):
                return

    def get(
        self, identifier: bytes, abstract: str = STUDY_ROOT_GET
    ) -> tuple[list[tuple[str, int, bytes]], Message]:
        """C-GET: (SOP Instance UID, context, data set) of each object given back, and the final response."""
        self.request(self.context(abstract), {0x0002: abstract, 0x0100: 0x0010, 0x0700: 0}, identifier)
        received = []
        while True:
            message = self.read_message()
            if message.command[0x0100] != 0x0001:
                if message.status != 0xFF00:
                    return received, message
                continue
            received.append((str(message.command[0x1000]), message.context, message.data or b""))
            answer: dict[int, int | str] = {
                0x0002: message.command[0x0002],
                0x0100: 0x8001,
                0x0120: message.command[0x0110],
                0x0800: NO_DATA_SET,
                0x0900: 0,
                0x1000: message.command[0x1000],
            }
            out = pdata(message.context, command_set(answer), command=True, maximum=self.maximum)
            self.socket.sendall(out)

    def cancel(self, context: int, number: int) -> None:
        values: dict[int, int | str] = {0x0100: 0x0FFF, 0x0120: number, 0x0800: NO_DATA_SET}
        self.socket.sendall(pdata(context, command_set(values), command=True, maximum=self.maximum))

    def release(self) -> None:
        self.socket.sendall(pdu(RELEASE_RQ, b"\0\0\0\0"))
        kind, _ = self.read_pdu()
        if kind != RELEASE_RP:
            raise Closed(f"PDU type {kind} where the release was awaited")
        self.close()

    def abort(self) -> None:
        self.socket.sendall(pdu(ABORT, b"\0\0\0\0"))
        self.close()

    def close(self) -> None:
        self.stream.close()
        self.socket.close()

    def __enter__(self) -> RawAssociation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
