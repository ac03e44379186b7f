"""Lines, curves and polygons on pixels. Coordinates are (x, y) in pixels, (0, 0) the top left corner of the top left
pixel; everything is clipped, so that no coordinate costs more than the picture."""

import itertools
from collections.abc import Sequence
from math import ceil, hypot, isfinite, pi

import numpy as np

from filmless.dicom.pixels.render.values import Array

Point = tuple[float, float]

#: of one figure; what is beyond is not drawn
MAX_POINTS = 20_000


def polygon(points: Sequence[Point], shape: tuple[int, int]) -> Array:
    """Which pixels have their centre inside a closed polygon (even-odd)."""
    out = np.zeros(shape, bool)
    corners = [point for point in points[:MAX_POINTS] if isfinite(point[0]) and isfinite(point[1])]
    if len(corners) < 3:
        return out
    edges = np.array(corners, np.float64)
    following = np.roll(edges, -1, axis=0)
    for row in range(shape[0]):
        y = row + 0.5
        crosses = (edges[:, 1] <= y) != (following[:, 1] <= y)
        if not crosses.any():
            continue
        start, stop = edges[crosses], following[crosses]
        at = np.sort(
            start[:, 0] + (y - start[:, 1]) / (stop[:, 1] - start[:, 1]) * (stop[:, 0] - start[:, 0])
        )
        bounds = np.clip(np.ceil(at - 0.5), 0, shape[1]).astype(int)
        for left, right in zip(bounds[::2], bounds[1::2], strict=False):
            out[row, left:right] = True
    return out


def ellipse(major: Sequence[Point], minor: Sequence[Point], steps: int = 0) -> list[Point]:
    """The outline as a closed line of points, from the end points of both axes."""
    cx, cy = (major[0][0] + major[1][0]) / 2, (major[0][1] + major[1][1]) / 2
    ux, uy = (major[1][0] - major[0][0]) / 2, (major[1][1] - major[0][1]) / 2
    vx, vy = (minor[1][0] - minor[0][0]) / 2, (minor[1][1] - minor[0][1]) / 2
    size = max(hypot(ux, uy), hypot(vx, vy))
    count = steps or int(min(max(size * 2, 24), 2000)) if isfinite(size) else 24
    angles = np.linspace(0, 2 * pi, count + 1)
    return [
        (float(cx + ux * c + vx * s), float(cy + uy * c + vy * s))
        for c, s in zip(np.cos(angles), np.sin(angles), strict=True)
    ]


def curve(points: Sequence[Point], steps: int = 16) -> list[Point]:
    """A smooth line through all points (Catmull-Rom), for the figure INTERPOLATED (PS3.3 C.10.5.1.2)."""
    if len(points) < 3:
        return list(points)
    closed = points[0] == points[-1]
    before = points[-2] if closed else points[0]
    after = points[1] if closed else points[-1]
    line = np.array([before, *points, after], np.float64)
    out: list[Point] = []
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    for p0, p1, p2, p3 in zip(line, line[1:], line[2:], line[3:], strict=False):
        part = 0.5 * (
            2 * p1
            + (p2 - p0) * t
            + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
            + (3 * p1 - p0 - 3 * p2 + p3) * t**3
        )
        out += [(float(x), float(y)) for x, y in part]
    return [*out, points[-1]]


class Ink:
    """A mask of a picture's shape into which figures are drawn; `width` of lines in pixels."""

    def __init__(self, shape: tuple[int, int], width: int = 1) -> None:
        self.mask: Array = np.zeros(shape, bool)
        self.width = max(1, min(width, 32))

    def line(self, start: Point, stop: Point) -> None:
        """A straight line, both ends included."""
        clipped = _clip(start, stop, self.mask.shape)
        if clipped is None:
            return
        (x0, y0), (x1, y1) = clipped
        count = ceil(max(abs(x1 - x0), abs(y1 - y0))) + 1
        xs = np.floor(np.linspace(x0, x1, count)).astype(int)
        ys = np.floor(np.linspace(y0, y1, count)).astype(int)
        low = -((self.width - 1) // 2)
        for dy in range(low, low + self.width):
            for dx in range(low, low + self.width):
                self.dots(xs + dx, ys + dy)

    def dots(self, xs: Array, ys: Array) -> None:
        """Single pixels by column and row."""
        height, width = self.mask.shape
        inside = (xs >= 0) & (xs < width) & (ys >= 0) & (ys < height)
        self.mask[ys[inside], xs[inside]] = True

    def lines(self, points: Sequence[Point]) -> None:
        """A line through all points."""
        points = points[:MAX_POINTS]
        for start, stop in itertools.pairwise(points):
            self.line(start, stop)

    def fill(self, points: Sequence[Point]) -> None:
        """A closed polygon's inside."""
        self.mask |= polygon(points, (self.mask.shape[0], self.mask.shape[1]))

    def cross(self, point: Point, size: int) -> None:
        """A mark at a point."""
        x, y = point
        self.line((x - size, y), (x + size, y))
        self.line((x, y - size), (x, y + size))


def _clip(start: Point, stop: Point, shape: tuple[int, ...]) -> tuple[Point, Point] | None:
    """The part of a line that is on the picture, a margin of 32 pixels around it (Liang and Barsky)."""
    if not all(isfinite(one) and abs(one) < 1e9 for one in (*start, *stop)):
        return None
    (x0, y0), (x1, y1) = start, stop
    dx, dy = x1 - x0, y1 - y0
    first, last = 0.0, 1.0
    margin = 32.0
    for step, room in (
        (-dx, x0 + margin),
        (dx, shape[1] + margin - x0),
        (-dy, y0 + margin),
        (dy, shape[0] + margin - y0),
    ):
        if step == 0:
            if room < 0:
                return None
            continue
        at = room / step
        if step < 0:
            first = max(first, at)
        else:
            last = min(last, at)
    if first > last:
        return None
    return (x0 + first * dx, y0 + first * dy), (x0 + last * dx, y0 + last * dy)
