"""Display shutters (PS3.3 C.7.6.11, C.7.6.15, C.11.12): what is hidden, and the grey it is hidden with."""

import numpy as np

from filmless.dicom.header import Header
from filmless.dicom.pixels.render.raster import polygon
from filmless.dicom.pixels.render.values import Array, number, numbers, words

_SHAPE, _VALUE = 0x00181600, 0x00181622
_LEFT, _RIGHT, _UPPER, _LOWER = 0x00181602, 0x00181604, 0x00181606, 0x00181608
_CENTER, _RADIUS, _VERTICES, OVERLAY_GROUP = 0x00181610, 0x00181612, 0x00181620, 0x00181623
#: the macro of enhanced images: a shutter for each frame (PS3.3 C.7.6.16.2.16)
FRAME_SHUTTER = 0x00189472


def hidden(header: Header, shape: tuple[int, int], aspect: float = 1.0) -> Array | None:
    """Which pixels lie outside of the shutter; None without one. Shapes combine: all must show a pixel.

    `aspect`: height of a pixel by its width, for circles. Positions count from 1 and belong to what is shown.
    """
    shapes = words(header, _SHAPE)
    out: Array | None = None
    rows, columns = shape
    if "RECTANGULAR" in shapes and _LEFT in header.values and _LOWER in header.values:
        out = np.ones(shape, bool)
        top, bottom = int(number(header, _UPPER, 1)), int(number(header, _LOWER, rows))
        left, right = int(number(header, _LEFT, 1)), int(number(header, _RIGHT, columns))
        out[max(top - 1, 0) : max(bottom, 0), max(left - 1, 0) : max(right, 0)] = False
    center, radius = numbers(header, _CENTER), number(header, _RADIUS)
    if "CIRCULAR" in shapes and len(center) >= 2 and radius > 0:
        y = (np.arange(1, rows + 1) - center[0])[:, None] * aspect
        x = np.arange(1, columns + 1) - center[1]
        out = _both(out, x * x + y * y > radius * radius)
    corners = numbers(header, _VERTICES)
    if "POLYGONAL" in shapes and len(corners) >= 6:
        # row\\column of pixels, whose centres are half a pixel from their corners; the edge itself is shown
        points = [(column - 0.5, row - 0.5) for row, column in zip(corners[::2], corners[1::2], strict=False)]
        inside = polygon(points, shape)
        for column, row in points:
            if 0 <= row < rows and 0 <= column < columns:
                inside[int(row), int(column)] = True
        out = _both(out, ~inside)
    return out


def bitmap_group(header: Header) -> int | None:
    """The overlay group whose plane is the shutter (a presentation state's); None where there is none."""
    if "BITMAP" not in words(header, _SHAPE):
        return None
    return int(number(header, OVERLAY_GROUP)) or None


def shutter_grey(header: Header) -> int:
    """Shutter Presentation Value, a P-value of 16 bits, as 0 to 255; black where absent."""
    return min(int(number(header, _VALUE)), 0xFFFF) >> 8


def _both(first: Array | None, second: Array) -> Array:
    return second if first is None else first | second
