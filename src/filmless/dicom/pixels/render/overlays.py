"""Overlay planes (PS3.3 C.9.2), in Overlay Data and in unused bits of the pixels (retired, and met every day)."""

from dataclasses import dataclass

import numpy as np

from filmless.dicom.elements import Buffer
from filmless.dicom.header import Header
from filmless.dicom.pixels.render.image import OVERLAY_GROUPS
from filmless.dicom.pixels.render.values import Array, number, numbers, raw

_MAX_CELLS = 1 << 28


@dataclass(frozen=True, slots=True)
class Overlay:
    """`bits`: (rows, columns) of truth, its top left at (`top`, `left`) of the image, from 0, possibly outside."""

    group: int
    bits: Array
    top: int
    left: int

    def on(self, shape: tuple[int, int]) -> Array:
        """The plane cut and moved onto an image of this shape."""
        out = np.zeros(shape, bool)
        rows = slice(max(self.top, 0), min(self.top + self.bits.shape[0], shape[0]))
        columns = slice(max(self.left, 0), min(self.left + self.bits.shape[1], shape[1]))
        if rows.start < rows.stop and columns.start < columns.stop:
            out[rows, columns] = self.bits[
                rows.start - self.top : rows.stop - self.top,
                columns.start - self.left : columns.stop - self.left,
            ]
        return out


def overlays_of(
    header: Header,
    data: Buffer,
    frame: int,
    cells: Array | None = None,
    *,
    groups: frozenset[int] | None = None,
) -> list[Overlay]:
    """The overlays that belong to a frame (from 0), those of `groups` only where given.

    `cells`: the frame's whole pixel cells, for overlays in their unused bits. What is not sound is left out.
    """
    found = []
    for group in OVERLAY_GROUPS:
        if groups is not None and group not in groups:
            continue
        base = group << 16
        rows, columns = int(number(header, base | 0x10)), int(number(header, base | 0x11))
        if rows <= 0 or columns <= 0:
            continue
        origin = [int(one) for one in numbers(header, base | 0x50)]
        top, left = (origin[0] - 1, origin[1] - 1) if len(origin) >= 2 else (0, 0)
        value = raw(header, base | 0x3000, data)
        if value:
            bits = _plane(value, header, base, frame, rows, columns)
        elif cells is not None and cells.ndim == 2:
            bits = _embedded(header, base, cells)
        else:
            bits = None
        if bits is not None and bits.size:
            found.append(Overlay(group, bits, top, left))
    return found


def _plane(value: bytes, header: Header, base: int, frame: int, rows: int, columns: int) -> Array | None:
    """The frame's plane of Overlay Data (60xx,3000); a single plane belongs to every frame."""
    planes = max(int(number(header, base | 0x15, 1)), 1)
    place = 0
    if planes > 1:
        place = frame - (max(int(number(header, base | 0x51, 1)), 1) - 1)
        if not 0 <= place < planes:
            return None
    cells = rows * columns
    if cells > _MAX_CELLS:
        return None
    start = place * cells
    part = np.frombuffer(value, np.uint8)[start // 8 : (start + cells + 7) // 8]
    bits = np.unpackbits(part, bitorder="little")[start % 8 :][:cells]
    if len(bits) < cells:
        bits = np.concatenate([bits, np.zeros(cells - len(bits), np.uint8)])
    return bits.reshape(rows, columns).astype(bool)


def _embedded(header: Header, base: int, cells: Array) -> Array | None:
    """An overlay in a bit of the pixel cells above or below the value (PS3.5 8.1.2 as of 2004)."""
    declared = numbers(header, base | 0x102)
    allocated = int(number(header, base | 0x100))
    if not declared or allocated != cells.dtype.itemsize * 8 or not 0 <= declared[0] < allocated:
        return None
    bits: Array = (cells >> int(declared[0])) & 1 == 1
    return bits
