"""Thumbnails of objects that are no images: a sheet with a word on it."""

import numpy as np

from filmless.dicom.pixels.render.font import letters
from filmless.dicom.pixels.render.resample import scaled
from filmless.dicom.pixels.render.values import Array

_SIDE = 128


def icon(label: str, side: int = _SIDE) -> Array:
    """A square picture of `side` pixels: a grey sheet on black with up to six letters of ASCII on it."""
    out = np.zeros((_SIDE, _SIDE), np.uint8)
    out[12:116, 24:104] = 96
    out[12:36, 80:104] = 0
    for step in range(24):  # the folded corner
        out[12 + step, 80 : 80 + step + 1] = 150
    words = label[:6] or "?"
    dots = letters(words, 2 if len(words) > 4 else 3)
    rows, columns = np.nonzero(dots)
    top, left = 72 - dots.shape[0] // 2, max(64 - dots.shape[1] // 2, 0)
    inside = (columns + left < _SIDE) & (rows + top < _SIDE)
    out[rows[inside] + top, columns[inside] + left] = 240
    return scaled(out, side, side)
