"""Look-up tables (PS3.3 C.11.1.1, C.11.2.1.1, C.7.6.3.1.5): descriptor and data."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from filmless.dicom.elements import Buffer
from filmless.dicom.header import Header
from filmless.dicom.pixels.render.values import Array, cells, numbers, raw

Floats = NDArray[np.float64]

DESCRIPTOR, DATA = 0x00283002, 0x00283006


@dataclass(frozen=True, slots=True)
class Lut:
    """`entries` for the inputs from `first` on, each of `bits` bits; inputs outside get the first or last entry."""

    first: int
    entries: Array
    bits: int

    def at(self, values: Array) -> Array:
        """The entry of each value, by the nearest whole number."""
        places = np.rint(values).astype(np.int64) - self.first
        return self.entries[np.clip(places, 0, len(self.entries) - 1)]

    def fraction(self, values: Array) -> Floats:
        """The entry of each value as a part of the full range, 0 to 1."""
        out: Floats = self.at(values) / float((1 << self.bits) - 1)
        return out


def descriptor(header: Header, tag: int, *, signed: bool) -> tuple[int, int, int] | None:
    """(entries, first input, bits); None where there are no three values.

    The count and the bits are unsigned whatever the VR (0 entries: 65536); the first input is signed where the VR
    sent says so or, without one, where `signed`. A descriptor sent as US for signed pixels is an old mistake:
    its first input of 32768 and more then means a negative one.
    """
    three = numbers(header, tag, signed=signed)
    if len(three) < 3:
        return None
    count, first, bits = (int(one) for one in three[:3])
    if signed and first >= 1 << 15:
        first -= 1 << 16
    return (count & 0xFFFF) or 1 << 16, first, bits & 0xFF


def read_lut(
    header: Header,
    *,
    signed: bool,
    descriptor_tag: int = DESCRIPTOR,
    data_tag: int = DATA,
    data: Buffer | None = None,
) -> Lut | None:
    """The table of a header (often an item of a LUT sequence); None where there is none that can be used.

    Data of 8 bits may come in bytes or each in a word. A table that is too short goes on with its last entry.
    """
    described = descriptor(header, descriptor_tag, signed=signed)
    value = raw(header, data_tag, data)
    if described is None or not value:
        return None
    count, first, bits = described
    wide = not (bits <= 8 and len(value) < 2 * count)
    entries = cells(value, header, wide=wide)[:count]
    if not len(entries):
        return None
    top = int(entries.max())
    # more bits in the data than the descriptor says, or none said
    bits = max(bits if 1 <= bits <= 16 else 0, top.bit_length(), 1)
    if len(entries) < count:
        entries = np.concatenate([entries, np.full(count - len(entries), entries[-1])])
    return Lut(first, entries, bits)
