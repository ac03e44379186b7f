"""The VOI LUT's functions (PS3.3 C.11.2.1.2 and C.11.2.1.3): values to parts of the full range, 0 to 1."""

import numpy as np

from filmless.dicom.pixels.render.lut import Floats
from filmless.dicom.pixels.render.values import Array
from filmless.dicom.rendering import Window


def windowed(values: Array, window: Window) -> Floats:
    """The window's function over the values. The width must be sound (Window.sound)."""
    x = np.asarray(values, np.float64)
    center, width = window.center, window.width
    if window.function == "SIGMOID":
        with np.errstate(over="ignore"):
            out: Floats = 1.0 / (1.0 + np.exp(-4.0 * (x - center) / width))
        return out
    if window.function == "LINEAR_EXACT":
        return np.clip((x - center) / width + 0.5, 0.0, 1.0)
    low, high = center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2
    if width == 1:  # no slope: a step
        return np.where(x <= low, 0.0, 1.0)
    ramp = (x - (center - 0.5)) / (width - 1) + 0.5
    return np.where(x <= low, 0.0, np.where(x > high, 1.0, ramp))


def spread(values: Array, low: float, high: float) -> Floats:
    """`low` to `high` as 0 to 1; without a range, what is above 0 is 1."""
    x = np.asarray(values, np.float64)
    if not high > low:
        return np.where(x > 0, 1.0, 0.0)
    return np.clip((x - low) / (high - low), 0.0, 1.0)


def eight_bits(fraction: Floats) -> Array:
    """0 to 1 as 0 to 255, the nearest."""
    return np.floor(np.nan_to_num(fraction) * 255.0 + 0.5).astype(np.uint8)
