"""The VOI LUT's functions against tables worked out by hand from PS3.3 C.11.2.1.2 and C.11.2.1.3."""

import math

import numpy as np
import pytest

from filmless.dicom.pixels.render.voi import eight_bits, windowed
from filmless.dicom.rendering import Window

# PS3.3 C.11.2.1.2.1, note: center 2048, width 4096 is the identity over 12 bits: x <= 0 black, x > 4095 white
LINEAR = {
    (2048, 4096): {-1: 0.0, 0: 0.0, 1: 1 / 4095, 2047: 2047 / 4095, 4095: 1.0, 4096: 1.0},
    # center 2048, width 1: x <= 2047 black, above white
    (2048, 1): {0: 0.0, 2047: 0.0, 2047.5: 0.0, 2048: 1.0, 4095: 1.0},
    # center 0, width 100: from -50 to 49, (x + 50) / 99
    (0, 100): {-51: 0.0, -50: 0.0, -49: 1 / 99, 0: 50 / 99, 48: 98 / 99, 49: 1.0, 50: 1.0},
    # center 0, width 2: from -1 to 0
    (0, 2): {-1: 0.0, -0.5: 0.5, 0: 1.0},
}
# PS3.3 C.11.2.1.3.2: no half pixel, no one less
EXACT = {
    (2048, 4096): {0: 0.0, 1: 1 / 4096, 2048: 0.5, 4095: 4095 / 4096, 4096: 1.0},
    (0, 100): {-50: 0.0, -25: 0.25, 0: 0.5, 49: 0.99, 50: 1.0, 51: 1.0},
    (0, 1): {-0.5: 0.0, 0: 0.5, 0.25: 0.75, 0.5: 1.0},
    (0.25, 0.5): {0: 0.0, 0.25: 0.5, 0.5: 1.0},
}
# PS3.3 C.11.2.1.3.1: 1 / (1 + exp(-4 (x - c) / w))
SIGMOID = {
    (2048, 4096): {0: 1 / (1 + math.e**2), 2048: 0.5, 4096: 1 / (1 + math.e**-2)},
    (0, 4): {-4: 1 / (1 + math.e**4), 0: 0.5, 1: 1 / (1 + math.e**-1)},
}


@pytest.mark.parametrize(
    ("function", "table"), [("LINEAR", LINEAR), ("LINEAR_EXACT", EXACT), ("SIGMOID", SIGMOID)]
)
def test_functions(function: str, table: dict[tuple[float, float], dict[float, float]]) -> None:
    for (center, width), points in table.items():
        window = Window(center, width, function)  # type: ignore[arg-type]
        found = windowed(np.array(list(points)), window)
        np.testing.assert_allclose(found, list(points.values()), rtol=1e-12, atol=1e-12)


def test_a_sigmoid_far_away_is_black_and_white_without_a_warning() -> None:
    with np.errstate(all="raise", under="ignore", over="raise"):
        assert windowed(np.array([-1e9, 1e9]), Window(0, 1, "SIGMOID")).tolist() == [0.0, 1.0]


def test_eight_bits_are_the_nearest() -> None:
    assert eight_bits(np.array([0.0, 0.49 / 255, 0.5 / 255, 1.49 / 255, 0.5, 1.0])).tolist() == [
        0,
        0,
        1,
        1,
        128,
        255,
    ]


@pytest.mark.parametrize(
    ("window", "sound"),
    [
        (Window(0, 1), True),
        (Window(0, 0.5), False),
        (Window(0, 0), False),
        (Window(0, 0.5, "LINEAR_EXACT"), True),
        (Window(0, 0, "LINEAR_EXACT"), False),
        (Window(0, -5, "SIGMOID"), False),
    ],
)
def test_widths_that_the_standard_allows(window: Window, sound: bool) -> None:
    assert window.sound() is sound
