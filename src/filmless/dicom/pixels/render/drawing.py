"""Figures and texts of a presentation state onto the finished picture (PS3.3 C.10.5)."""

from collections.abc import Sequence
from math import hypot

import numpy as np

from filmless.dicom.pixels.render.font import can_be_drawn, letters
from filmless.dicom.pixels.render.placing import Step, placed
from filmless.dicom.pixels.render.raster import MAX_POINTS, Ink, Point, curve, ellipse
from filmless.dicom.pixels.render.state import Figure, Words
from filmless.dicom.pixels.render.values import Array

_MAX_TEXT = 400
#: of all figures and texts of a picture
_MAX_POINTS, _MAX_TEXTS = 100_000, 1000
#: a figure costs as much as so many points, whatever it is
_OVERHEAD = 50


class Canvas:
    """The picture to draw on, and the way of points to it: `steps` from image pixels; `shown`: size (rows, columns)
    of the displayed area, and `later`: the steps from it."""

    def __init__(
        self, pixels: Array, steps: Sequence[Step], shown: tuple[int, int], later: Sequence[Step]
    ) -> None:
        self.pixels = np.ascontiguousarray(pixels)
        self._steps, self._shown, self._later = steps, shown, later
        #: lines of one pixel on a large picture are hard to see
        self._line = max(1, round(min(self.pixels.shape[:2]) / 700))
        self.warnings: list[str] = []
        self._points, self._texts = _MAX_POINTS, _MAX_TEXTS

    def _place(self, point: Point, *, display: bool) -> Point:
        if display:
            return placed(self._later, (point[0] * self._shown[1], point[1] * self._shown[0]))
        return placed(self._steps, point)

    def _ink(self) -> Ink:
        height, width = self.pixels.shape[:2]
        return Ink((height, width), self._line)

    def figure(self, figure: Figure) -> None:
        """Draw one; kinds that are not known are left out."""
        points = list(figure.points[:MAX_POINTS])
        self._points -= len(points) + _OVERHEAD
        if not points:
            return
        if self._points < 0:
            self._warn("There is more on the picture than is drawn.")
            return
        closed: list[Point] = []
        if figure.kind == "CIRCLE" and len(points) >= 2:
            (x, y), (ex, ey) = points[:2]
            radius = hypot(ex - x, ey - y)
            closed = ellipse([(x - radius, y), (x + radius, y)], [(x, y - radius), (x, y + radius)], 256)
        elif figure.kind == "ELLIPSE" and len(points) >= 4:
            closed = ellipse(points[:2], points[2:4], 256)
        elif figure.kind == "INTERPOLATED":
            points = curve(points)
        elif figure.kind not in ("POLYLINE", "POINT"):
            return
        places = [self._place(point, display=figure.display) for point in closed or points]
        ink = self._ink()
        if figure.kind == "POINT":
            ink.cross(places[0], 2 * self._line)
        else:
            ink.lines(places)
            if figure.filled and (closed or places[0] == places[-1]):
                ink.fill(places)
        self.pixels[ink.mask] = figure.grey

    def words(self, words: Words) -> None:
        """Draw a text at its box's corner, or beside its anchor, with a line from one to the other."""
        start = words.corner or words.anchor
        self._texts -= 1
        if start is None:
            return
        if self._texts < 0:
            self._warn("There is more on the picture than is drawn.")
            return
        at = self._place(start, display=words.corner_display if words.corner else words.anchor_display)
        text = words.text[:_MAX_TEXT]
        if not can_be_drawn(text):
            self._warn("A text has characters that cannot be drawn; boxes stand for them.")
        dots = letters(text, self._line)
        height, width = self.pixels.shape[:2]
        rows, columns = np.nonzero(dots)
        if not (abs(at[0]) < 1e6 and abs(at[1]) < 1e6):
            return
        # a text that would run out at the right or below is moved in
        x = max(min(int(at[0]), width - dots.shape[1]), 0)
        y = max(min(int(at[1]), height - dots.shape[0]), 0)
        ink = self._ink()
        ink.dots(columns + x, rows + y)
        if words.corner is not None and words.anchor is not None:
            ink.line((x, y + dots.shape[0] / 2), self._place(words.anchor, display=words.anchor_display))
        self.pixels[ink.mask] = words.grey

    def _warn(self, words: str) -> None:
        if words not in self.warnings:
            self.warnings.append(words)
