"""From an image's pixels to the picture's: cut, turn, mirror, scale, each for pixels and for points alike.

Points are (x, y), (0, 0) the top left corner of the top left pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from filmless.dicom.pixels.render.raster import Point
from filmless.dicom.pixels.render.resample import scaled
from filmless.dicom.pixels.render.values import Array
from filmless.dicom.rendering import MAX_SIDE, Viewport
from filmless.kit.errors import Refused


class Step(Protocol):
    """One of the four."""

    def pixels(self, pixels: Array) -> Array: ...

    def point(self, point: Point) -> Point: ...

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(rows, columns) before to those behind."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The rectangle from (left, top); what of it lies outside of the image is black."""

    left: int
    top: int
    width: int
    height: int

    def pixels(self, pixels: Array) -> Array:
        rows, columns = pixels.shape[:2]
        inside_top, inside_left = max(self.top, 0), max(self.left, 0)
        part = pixels[
            inside_top : max(min(self.top + self.height, rows), 0),
            inside_left : max(min(self.left + self.width, columns), 0),
        ]
        if part.shape[:2] == (self.height, self.width):
            return part
        out = np.zeros((self.height, self.width, *pixels.shape[2:]), pixels.dtype)
        top, left = inside_top - self.top, inside_left - self.left
        if part.size:
            out[top : top + part.shape[0], left : left + part.shape[1]] = part
        return out

    def point(self, point: Point) -> Point:
        return point[0] - self.left, point[1] - self.top

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        return self.height, self.width


@dataclass(frozen=True, slots=True)
class Turn:
    """Clockwise by quarters of a circle; of an image of so many `rows` and `columns`."""

    quarters: int
    rows: int
    columns: int

    def pixels(self, pixels: Array) -> Array:
        return np.rot90(pixels, -self.quarters)

    def point(self, point: Point) -> Point:
        x, y = point
        return {
            0: (x, y),
            1: (self.rows - y, x),
            2: (self.columns - x, self.rows - y),
            3: (y, self.columns - x),
        }[self.quarters % 4]

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        return size if self.quarters % 2 == 0 else (size[1], size[0])


@dataclass(frozen=True, slots=True)
class Mirror:
    """Left to right, or with `vertical` top to bottom; of an image so many pixels long that way."""

    length: int
    vertical: bool = False

    def pixels(self, pixels: Array) -> Array:
        return pixels[::-1] if self.vertical else pixels[:, ::-1]

    def point(self, point: Point) -> Point:
        x, y = point
        return (x, self.length - y) if self.vertical else (self.length - x, y)

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        return size


@dataclass(frozen=True, slots=True)
class Scale:
    """From so many `rows` and `columns` to `height` and `width`."""

    rows: int
    columns: int
    height: int
    width: int

    def pixels(self, pixels: Array) -> Array:
        return scaled(pixels, self.height, self.width)

    def point(self, point: Point) -> Point:
        return point[0] * self.width / self.columns, point[1] * self.height / self.rows

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        return self.height, self.width


def through(steps: Sequence[Step], size: tuple[int, int]) -> tuple[int, int]:
    """(rows, columns) behind all steps."""
    for step in steps:
        size = step.size(size)
    return size


def placed(steps: Sequence[Step], point: Point) -> Point:
    """Where a point comes to lie."""
    for step in steps:
        point = step.point(point)
    return point


def viewing(port: Viewport | None, size: tuple[int, int], aspect: float) -> list[Step]:
    """The steps of a viewport on a picture of (rows, columns): the region, mirroring, and as large as fits.

    `aspect`: height of a pixel by its width; a viewport shows it in proportion. Without a viewport nothing is
    scaled (PS3.18 8.3.5.1.3), whatever the aspect. Raises Refused where the region or the picture is impossible.
    """
    steps: list[Step] = []
    rows, columns = size
    if port is None:
        if max(rows, columns) > MAX_SIDE:
            raise Refused(
                f"The image has more than {MAX_SIDE} pixels a side: ask for a viewport.", code="bad-viewport"
            )
        return steps
    left, top = round(port.left), round(port.top)
    width = round(port.region_width) if port.region_width else columns - left
    height = round(port.region_height) if port.region_height else rows - top
    if not (0 <= left < columns and 0 <= top < rows and width >= 1 and height >= 1):
        raise Refused("The viewport's region lies outside of the image.", code="bad-viewport")
    width, height = min(width, columns - left), min(height, rows - top)
    if (left, top, width, height) != (0, 0, columns, rows):
        steps.append(Cut(left, top, width, height))
    if port.flip_horizontal:
        steps.append(Mirror(width))
    if port.flip_vertical:
        steps.append(Mirror(height, vertical=True))
    factor = min(port.width / width, port.height / (height * aspect))
    out = (max(round(height * aspect * factor), 1), max(round(width * factor), 1))
    steps.append(Scale(height, width, min(out[0], port.height), min(out[1], port.width)))
    return steps
