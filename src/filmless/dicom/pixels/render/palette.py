"""Palettes: colour of a stored value (PS3.3 C.7.6.3.1.5, C.7.9), supplemental and segmented ones too."""

from dataclasses import dataclass

import numpy as np

from filmless.dicom.elements import Buffer
from filmless.dicom.header import Header
from filmless.dicom.pixels.render.lut import descriptor
from filmless.dicom.pixels.render.values import Array, cells, raw
from filmless.kit.errors import Refused

_DESCRIPTORS = (0x00281101, 0x00281102, 0x00281103)
_DATA = (0x00281201, 0x00281202, 0x00281203)
_SEGMENTED = (0x00281221, 0x00281222, 0x00281223)


@dataclass(frozen=True, slots=True)
class Palette:
    """`colours`: (entries, 3) of 8 bits, for the stored values from `first` on."""

    first: int
    colours: Array

    def __call__(self, values: Array) -> Array:
        """(..., 3) of 8 bits; values outside get the first or last colour."""
        places = np.clip(values.astype(np.int64) - self.first, 0, len(self.colours) - 1)
        return self.colours[places]


def read_palette(header: Header, *, signed: bool, data: Buffer | None = None) -> Palette | None:
    """The palette of an image; None where it has none. Raises Refused where it has one that cannot be used."""
    described = [descriptor(header, tag, signed=signed) for tag in _DESCRIPTORS]
    if not any(described):
        return None
    channels = []
    first = 0
    for three, plain, segmented in zip(described, _DATA, _SEGMENTED, strict=True):
        if three is None:
            raise Refused("The palette lacks a colour.", code="bad-palette")
        count, first, bits = three
        if value := raw(header, plain, data):
            wide = not (bits <= 8 and len(value) < 2 * count)
            entries = cells(value, header, wide=wide)[:count]
        elif value := raw(header, segmented, data):
            entries = _expand(cells(value, header, wide=bits > 8), count)
        else:
            raise Refused("The palette has no data.", code="bad-palette")
        if not len(entries):
            raise Refused("The palette has no data.", code="bad-palette")
        if len(entries) < count:
            entries = np.concatenate([entries, np.full(count - len(entries), entries[-1], entries.dtype)])
        channels.append(entries)
    shortest = min(len(entries) for entries in channels)
    colours = np.stack([entries[:shortest] for entries in channels], axis=-1)
    # a descriptor may say 16 bits of values of 8, and the other way round: the data decide
    wide = bool(colours.max() > 255)
    return Palette(first, (colours >> 8 if wide else colours).astype(np.uint8))


def _expand(segments: Array, count: int) -> Array:
    """Segmented data (PS3.3 C.7.9.2): discrete, linear and indirect segments, `count` entries at most."""
    wide = segments.dtype.itemsize == 2
    words = [int(word) for word in segments]
    out: list[int] = []
    _run(words, 0, len(words), out, count, wide=wide, depth=0, segments=None)
    return np.array(out[:count], np.uint16)


def _run(
    words: list[int],
    at: int,
    end: int,
    out: list[int],
    count: int,
    *,
    wide: bool,
    depth: int,
    segments: int | None,
) -> None:
    """Appends the entries of the segments from `at` on; of so many `segments`, or all up to `end`."""
    done = 0
    while at + 2 <= end and len(out) < count and (segments is None or done < segments):
        opcode, length = words[at], words[at + 1]
        at += 2
        done += 1
        if opcode == 0:
            out += words[at : at + length]
            at += length
        elif opcode == 1:
            if at >= end or not out:
                raise Refused("The palette's segments are damaged.", code="bad-palette")
            start, stop = out[-1], words[at]
            at += 1
            length = min(length, count)
            out += [start + int((stop - start) * step / length + 0.5) for step in range(1, length + 1)]
        elif opcode == 2 and depth == 0:
            # the offset: of the segment from the start of the data, in bytes, its low half first
            if at + 2 > end:
                break
            offset = words[at] | words[at + 1] << 16
            if not wide:
                if at + 4 > end:
                    break
                offset = int.from_bytes(bytes(words[at : at + 4]), "little")
            at += 2 if wide else 4
            start = offset // 2 if wide else offset
            _run(words, start, end, out, count, wide=wide, depth=1, segments=length)
        else:
            raise Refused("The palette's segments are damaged.", code="bad-palette")
