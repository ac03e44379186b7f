"""gzip streams that are put together from parts compressed before (RFC 1951, RFC 1952), without compressing again.

A part may have blanks: places of a fixed width that are filled in when it is sent, all with the same text. A blank is a
stored block of its own, and nothing in the part refers back to it, so filling it in is copying. The check sum is a
linear function of what is filled in: one factor for each part makes it right.
"""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

#: the CRC-32 polynomial with its bits reversed, as zlib counts; x^0 is the highest bit
_POLYNOMIAL: Final = 0xEDB88320
_ONE: Final = 1 << 31
#: of a window in deflate (RFC 1951 2)
_WINDOW: Final = 32768

#: deflate, no flags, no time, unknown system
HEADER: Final = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


def stored(text: bytes, *, last: bool = False) -> bytes:
    """A stored block (RFC 1951 3.2.4) of at most 65535 bytes; begins and ends at a byte."""
    length = len(text)
    return bytes([last]) + length.to_bytes(2, "little") + (length ^ 0xFFFF).to_bytes(2, "little") + text


def trailer(crc: int, length: int) -> bytes:
    """What ends a gzip stream: the check sum and the length of its text."""
    return crc.to_bytes(4, "little") + (length & 0xFFFFFFFF).to_bytes(4, "little")


def _multiplied(a: int, b: int) -> int:
    """a times b modulo the polynomial."""
    product = 0
    while a:
        if a & _ONE:
            product ^= b
        a = (a << 1) & 0xFFFFFFFF
        b = (b >> 1) ^ _POLYNOMIAL if b & 1 else b >> 1
    return product


def _squares() -> list[int]:
    """x^(8 * 2^n)"""
    found = [_ONE >> 8]
    for _ in range(63):
        found.append(_multiplied(found[-1], found[-1]))
    return found


_SQUARES: Final = _squares()


def _shift(length: int) -> int:
    """x^(8 * length): what a check sum is multiplied with when so many bytes follow."""
    power, at = _ONE, 0
    while length:
        if length & 1:
            power = _multiplied(power, _SQUARES[at])
        length >>= 1
        at += 1
    return power


def joined_crc(first: int, second: int, second_length: int) -> int:
    """The CRC-32 of two texts one after the other, from theirs."""
    return _multiplied(_shift(second_length), first) ^ second


def _unit() -> bytes:
    """Four bytes whose CRC differs from that of four zeros by the polynomial 1."""
    # x has the order 2^32 - 1 (the polynomial is primitive), so that x^-32 = x^(2^32 - 33)
    exponent, power, base = (1 << 32) - 33, _ONE, _ONE >> 1
    while exponent:
        if exponent & 1:
            power = _multiplied(power, base)
        base = _multiplied(base, base)
        exponent >>= 1
    return power.to_bytes(4, "little")


_UNIT: Final = _unit()


@dataclass(frozen=True, slots=True)
class Part:
    """Deflate blocks that end at a byte, none of them the last; `length` and `crc` of their text, blanks full of zeros.

    `blanks` are offsets in `data`, each of `width` bytes; `factor` is what the check sum of their filling counts.
    """

    data: bytes | bytearray
    length: int
    crc: int
    width: int = 0
    blanks: Iterable[int] = ()
    factor: int = 0

    def filled(self, text: bytes) -> "Part":
        """The part with `text`, of exactly `width` bytes, in every blank."""
        if len(text) != self.width:
            raise ValueError("the text has not the width of the blank")
        data = bytearray(self.data)
        width = self.width
        for at in self.blanks:
            data[at : at + width] = text
        difference = zlib.crc32(text) ^ zlib.crc32(bytes(width))
        return Part(data, self.length, self.crc ^ _multiplied(self.factor, difference))


@dataclass(slots=True)
class PartWriter:
    """Compresses a text with blanks, given piece by piece. Uses 40 KB beside what it gives back."""

    width: int
    level: int = 6
    length: int = 0
    crc: int = 0
    #: offsets of the blanks in everything given back so far
    blanks: list[int] = field(default_factory=list)
    _written: int = 0
    _with_unit: int = 0
    _window: bytes = b""

    def text(self, text: bytes) -> bytes:
        """Blocks of a piece of text."""
        if not text:
            return b""
        # What stands for a blank in the window is in no UTF-8 text, so that nothing refers to it.
        stream = (
            zlib.compressobj(self.level, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=self._window)
            if self._window
            else zlib.compressobj(self.level, zlib.DEFLATED, -zlib.MAX_WBITS)
        )
        data = stream.compress(text) + stream.flush(zlib.Z_SYNC_FLUSH)
        self._add(text, text, text, len(data))
        return data

    def blank(self) -> bytes:
        """The block of a blank."""
        zeros = bytes(self.width)
        data = stored(zeros)
        self.blanks.append(self._written + len(data) - self.width)
        self._add(zeros, zeros[:-4] + _UNIT, b"\xff" * self.width, len(data))
        return data

    @property
    def factor(self) -> int:
        return self.crc ^ self._with_unit

    def _add(self, text: bytes, unit: bytes, window: bytes, size: int) -> None:
        self.length += len(text)
        self.crc = zlib.crc32(text, self.crc)
        self._with_unit = zlib.crc32(unit, self._with_unit)
        self._window = (self._window + window)[-_WINDOW:]
        self._written += size


@dataclass(slots=True)
class Stream:
    """A gzip stream being put together, from texts and parts in any order."""

    level: int = 4
    length: int = 0
    crc: int = 0

    def start(self) -> bytes:
        return HEADER

    def text(self, text: bytes) -> bytes:
        """Blocks of a text, compressed where that is worth it."""
        self.length += len(text)
        self.crc = zlib.crc32(text, self.crc)
        if len(text) < 64:
            return stored(text)
        stream = zlib.compressobj(self.level, zlib.DEFLATED, -zlib.MAX_WBITS)
        return stream.compress(text) + stream.flush(zlib.Z_SYNC_FLUSH)

    def part(self, part: Part) -> bytes | bytearray:
        """The blocks of a part, its blanks filled."""
        self.crc = joined_crc(self.crc, part.crc, part.length)
        self.length += part.length
        return part.data

    def end(self) -> bytes:
        """The last block, and the trailer."""
        return stored(b"", last=True) + trailer(self.crc, self.length)


def inflated(part: Part, size: int) -> Iterator[bytes]:
    """The text of a part in pieces of at most `size` bytes."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    data: bytes | bytearray = part.data
    while data:
        piece = stream.decompress(data, size)
        if piece:
            yield piece
        data = stream.unconsumed_tail
