"""ZIP archives of stored files, written as a stream (PKWARE APPNOTE 6.3.x): headers as bytes, no file, no memory.

Check sum and size of a file must be known before it: then its local header is right, and readers that go through an
archive from its beginning can read it too. Zip64 fields stand where numbers need them.
"""

import struct
from dataclasses import dataclass, field
from typing import Final

_LOCAL: Final = struct.Struct("<IHHHHHIIIHH")
_CENTRAL: Final = struct.Struct("<IHHHHHHIIIHHHHHII")
_END: Final = struct.Struct("<IHHHHIIH")
_END64: Final = struct.Struct("<IQHHIIQQQQ")
_LOCATOR: Final = struct.Struct("<IIQI")
_FULL: Final = 0xFFFFFFFF
#: 1980-01-01, the earliest moment that there is
_DATE: Final = 33
_VERSION, _VERSION64 = 20, 45
#: made on Unix: the upper half of the attributes is the mode
_UNIX: Final = 3 << 8
_MODE: Final = 0o100640 << 16


@dataclass(slots=True)
class Zip:
    """One archive: for each file `begin`, then its bytes; at last `end`. Keeps 60 bytes and the name of each."""

    _central: bytearray = field(default_factory=bytearray)
    _count: int = 0
    _position: int = 0

    def begin(self, name: str, size: int, crc: int) -> bytes:
        """The local header of a file of `size` bytes with this CRC-32; its bytes must follow. `name`: ASCII."""
        encoded = name.encode("ascii")
        large = size >= _FULL
        extra = struct.pack("<HHQQ", 1, 16, size, size) if large else b""
        stated = _FULL if large else size
        version = _VERSION64 if large else _VERSION
        local = _LOCAL.pack(
            0x04034B50, version, 0, 0, 0, _DATE, crc, stated, stated, len(encoded), len(extra)
        )
        local += encoded + extra
        self._note(encoded, size, crc)
        self._position += len(local) + size
        self._count += 1
        return local

    def _note(self, name: bytes, size: int, crc: int) -> None:
        values = [size, size] if size >= _FULL else []
        offset = self._position
        if offset >= _FULL:
            values.append(offset)
        extra = struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values) if values else b""
        stated = min(size, _FULL)
        version = _VERSION64 if values else _VERSION
        self._central += _CENTRAL.pack(
            0x02014B50,
            _UNIX | version,
            version,
            0,
            0,
            0,
            _DATE,
            crc,
            stated,
            stated,
            len(name),
            len(extra),
            0,
            0,
            0,
            _MODE,
            min(offset, _FULL),
        )
        self._central += name + extra

    def end(self) -> bytes:
        """The directory, with which an archive ends."""
        size, count, at = len(self._central), self._count, self._position
        tail = b""
        if count >= 0xFFFF or size >= _FULL or at >= _FULL:
            tail = _END64.pack(0x06064B50, 44, _UNIX | _VERSION64, _VERSION64, 0, 0, count, count, size, at)
            tail += _LOCATOR.pack(0x07064B50, 0, at + size, 1)
        few = min(count, 0xFFFF)
        tail += _END.pack(0x06054B50, 0, 0, few, few, min(size, _FULL), min(at, _FULL), 0)
        return bytes(self._central) + tail
