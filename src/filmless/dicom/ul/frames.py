"""Writing P-DATA-TF PDUs (PS3.8 9.3.5): one presentation data value in each."""

import struct
from typing import Final

from filmless.dicom.ul.engine import COMMAND, LAST

#: Bytes of a P-DATA-TF PDU before its data: the PDU's header and that of its presentation data value.
OVERHEAD: Final = 12

_HEAD = struct.Struct(">BxIIBB")


def room(max_pdu: int, ours: int = 131072) -> int:
    """Bytes of data in each PDU for a receiver of `max_pdu` (0 is unlimited), even as PS3.8 9.3.1 wants."""
    return ((min(max_pdu, ours) if max_pdu else ours) - 6) & ~1


def frame(context_id: int, payload: bytes, size: int, *, command: bool) -> bytes:
    """The whole of a command or data set as PDUs of at most `size` bytes of data."""
    kind = COMMAND if command else 0
    total = len(payload)
    if total <= size:
        return _HEAD.pack(4, total + 6, total + 2, context_id, kind | LAST) + payload
    out = bytearray()
    for start in range(0, total, size):
        piece = payload[start : start + size]
        last = LAST if start + size >= total else 0
        out += _HEAD.pack(4, len(piece) + 6, len(piece) + 2, context_id, kind | last)
        out += piece
    return bytes(out)


def lay_out(
    into: bytearray, start: int, context_id: int, length: int, size: int, *, last: bool
) -> list[memoryview]:
    """Write PDU headers for `length` bytes of a data set into `into` from `start`, and return the places
    between them for the data to be read into. `into` must have `laid_out(length, size)` bytes there."""
    view = memoryview(into)
    places: list[memoryview] = []
    pos, left = start, length
    while True:
        piece = min(left, size)
        left -= piece
        control = LAST if last and not left else 0
        _HEAD.pack_into(into, pos, 4, piece + 6, piece + 2, context_id, control)
        pos += OVERHEAD
        places.append(view[pos : pos + piece])
        pos += piece
        if not left:
            return places


def laid_out(length: int, size: int) -> int:
    """Bytes that `length` bytes of data take in PDUs of at most `size` bytes of data."""
    return length + OVERHEAD * max(1, -(-length // size))
