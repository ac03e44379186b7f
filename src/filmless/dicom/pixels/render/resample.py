"""Scaling: by area where it becomes smaller, linear where larger."""

import numpy as np

from filmless.dicom.pixels.render.values import Array

#: cells of float32 worked on at a time
_BLOCK = 1 << 22


def scaled(pixels: Array, height: int, width: int) -> Array:
    """uint8 pixels of shape (rows, columns[, 3]) as (height, width[, 3])."""
    rows, columns = pixels.shape[:2]
    if (rows, columns) == (height, width):
        return pixels
    if height < rows:  # the cheaper order: fewer cells in the second step
        return _rounded(_columns(_rows(pixels, height), width))
    return _rounded(_rows(_columns(pixels, width), height))


def _rounded(cells: Array) -> Array:
    out = np.empty(cells.shape, np.uint8)
    step = max(1, _BLOCK // max(cells[0].size, 1))
    for at in range(0, len(cells), step):
        # a hair above the half makes up for what float32 loses
        out[at : at + step] = (cells[at : at + step] + np.float32(0.50001)).clip(0, 255)
    return out


def _columns(pixels: Array, width: int) -> Array:
    if pixels.shape[1] == width:
        return pixels
    out = np.empty((pixels.shape[0], width, *pixels.shape[2:]), np.float32)
    step = max(1, _BLOCK // max(pixels[0].size, 1))
    for at in range(0, len(pixels), step):
        out[at : at + step] = _along(pixels[at : at + step].swapaxes(0, 1), width).swapaxes(0, 1)
    return out


def _rows(pixels: Array, height: int) -> Array:
    if pixels.shape[0] == height:
        return pixels
    out = np.empty((height, *pixels.shape[1:]), np.float32)
    step = max(1, _BLOCK // max(pixels[:, 0].size, 1))
    for at in range(0, pixels.shape[1], step):
        out[:, at : at + step] = _along(pixels[:, at : at + step], height)
    return out


def _along(pixels: Array, count: int) -> Array:
    """The first axis with `count` cells, as floats."""
    length = pixels.shape[0]
    if count < length:
        # what all cells up to a place hold together, at the fractional places where the new cells meet
        total = np.zeros((length + 1, *pixels.shape[1:]), np.float64)
        np.cumsum(pixels, axis=0, dtype=np.float64, out=total[1:])
        edges = np.linspace(0, length, count + 1)
        whole = np.minimum(edges.astype(int), length - 1)
        part = (edges - whole).reshape(-1, *(1,) * (pixels.ndim - 1))
        upto = total[whole] + part * pixels[whole]
        shrunk: Array = np.diff(upto, axis=0) * (count / length)
        return shrunk
    places = np.clip((np.arange(count) + 0.5) * (length / count) - 0.5, 0, length - 1)
    low = places.astype(int)
    high = np.minimum(low + 1, length - 1)
    part = (places - low).astype(np.float32).reshape(-1, *(1,) * (pixels.ndim - 1))
    grown: Array = pixels[low] * (1 - part) + pixels[high] * part
    return grown
