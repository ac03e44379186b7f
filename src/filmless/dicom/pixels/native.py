"""Native pixel cells and arrays (PS3.5 8.1): shapes (rows, columns) or (rows, columns, samples)."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from filmless.dicom.frames import PixelFacts
from filmless.kit.errors import Refused

Array = NDArray[np.generic]


def cell_type(facts: PixelFacts) -> np.dtype[np.generic]:
    """The little endian type of one pixel cell. Raises Refused for cells that are no whole bytes."""
    if facts.is_float:
        return np.dtype("<f4" if facts.bits_allocated == 32 else "<f8")
    if facts.bits_allocated not in (8, 16, 32, 64):
        raise Refused(
            f"Pixels of {facts.bits_allocated} bits allocated cannot be converted.", code="unsupported-pixels"
        )
    return np.dtype(f"<{'i' if facts.signed else 'u'}{facts.bits_allocated // 8}")


def shape_of(facts: PixelFacts) -> tuple[int, ...]:
    """(rows, columns) or (rows, columns, samples)."""
    one = (facts.rows, facts.columns)
    return one if facts.samples == 1 else (*one, facts.samples)


def to_array(raw: bytes, facts: PixelFacts) -> Array:
    """One native little endian frame as an array; planes are interleaved, bits unpacked (to 0 and 1), 4:2:2
    chrominance repeated so that the result is YBR_FULL."""
    if facts.bits_allocated == 1 and not facts.is_float:
        bits = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")
        return bits[: facts.rows * facts.columns * facts.samples].reshape(shape_of(facts))
    cells = np.frombuffer(raw, cell_type(facts))
    if facts.subsampled:
        return _upsample(cells, facts)
    wanted = facts.rows * facts.columns * facts.samples
    if len(cells) < wanted:
        raise Refused("A frame is shorter than rows and columns ask.", code="bad-pixels")
    cells = cells[:wanted]
    if facts.samples > 1 and facts.planar:
        planes = cells.reshape(facts.samples, facts.rows, facts.columns)
        return np.ascontiguousarray(planes.transpose(1, 2, 0))
    return cells.reshape(shape_of(facts))


def _upsample(cells: Array, facts: PixelFacts) -> Array:
    """Y1 Y2 Cb Cr for each two pixels of a row (PS3.3 C.7.6.3.1.2)."""
    wanted = facts.rows * facts.columns * 2
    if facts.columns % 2 or len(cells) < wanted:
        raise Refused("A 4:2:2 frame of odd width or too few bytes.", code="bad-pixels")
    quads = cells[:wanted].reshape(facts.rows, facts.columns // 2, 4)
    out = np.empty((facts.rows, facts.columns, 3), cells.dtype)
    out[:, 0::2, 0] = quads[:, :, 0]
    out[:, 1::2, 0] = quads[:, :, 1]
    for place, source in ((1, 2), (2, 3)):
        out[:, 0::2, place] = quads[:, :, source]
        out[:, 1::2, place] = quads[:, :, source]
    return out


def to_bytes(array: Array, facts: PixelFacts) -> bytes:
    """The frame as native little endian bytes, samples interleaved; bits packed where one bit is allocated."""
    if facts.bits_allocated == 1 and not facts.is_float:
        return np.packbits(array.astype(np.uint8).ravel(), bitorder="little").tobytes()
    return np.ascontiguousarray(array).astype(cell_type(facts), copy=False).tobytes()


def interleaved(facts: PixelFacts) -> PixelFacts:
    """The facts after `to_array`: by pixel, no chrominance left out."""
    photometric = "YBR_FULL" if facts.subsampled else facts.photometric
    return replace(facts, planar=False, photometric=photometric)


def fit(array: Array, facts: PixelFacts, *, bits: int) -> Array:
    """Decoded samples, coded with `bits` bits, as pixel cells: the sign that Pixel Representation asks for, whatever
    sign the code stream gave them. Raises Refused where they do not fit the bits allocated."""
    target = cell_type(facts)
    if not np.issubdtype(array.dtype, np.integer):
        raise Refused("The decoded pixels are not integers.", code="bad-pixels")
    allocated = facts.bits_allocated
    bits = bits or array.dtype.itemsize * 8
    if array.dtype.itemsize * 8 > allocated and bits > allocated:
        low, high = int(array.min(initial=0)), int(array.max(initial=0))
        if low < -(1 << (allocated - 1)) or high >= 1 << allocated:
            raise Refused(f"Decoded pixels do not fit in {allocated} bits allocated.", code="bad-pixels")
        bits = allocated
    coded_signed = np.issubdtype(array.dtype, np.signedinteger)
    if coded_signed == facts.signed or bits >= allocated:
        return array.astype(target, casting="unsafe", copy=False)
    if facts.signed:  # the pattern is two's complement of `bits` bits
        shift = allocated - bits
        return (array.astype(target, casting="unsafe") << shift) >> shift
    return array.astype(target, casting="unsafe") & np.array((1 << bits) - 1, target)
