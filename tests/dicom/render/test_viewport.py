"""Viewports: regions, mirroring, scaling that keeps proportions (PS3.18 8.3.5.1.3), and its quality."""

import numpy as np
import pytest
from tests.dicom.render.making import image, shown

from filmless.dicom.pixels.render.resample import scaled
from filmless.dicom.rendering import Viewport, Wish
from filmless.kit.errors import Refused

VALUES = np.random.default_rng(1).integers(0, 255, (40, 60)).astype(np.uint8)
VALUES[0, 0], VALUES[-1, -1] = 0, 255


def test_without_a_viewport_nothing_is_scaled() -> None:
    np.testing.assert_array_equal(shown(image(VALUES, PixelSpacing=["2", "1"])), VALUES)


@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [(30, 30, (20, 30)), (60, 10, (10, 15)), (120, 500, (80, 120)), (1, 1, (1, 1))],
)
def test_as_large_as_fits(width: int, height: int, shape: tuple[int, int]) -> None:
    assert shown(image(VALUES), Wish(viewport=Viewport(width, height))).shape == shape


def test_pixels_that_are_not_square_keep_their_proportions() -> None:
    ds = image(VALUES, PixelSpacing=["2", "1"])
    assert shown(ds, Wish(viewport=Viewport(60, 100))).shape == (80, 60)
    ratio = image(VALUES, PixelAspectRatio=["1", "2"])
    assert shown(ratio, Wish(viewport=Viewport(60, 100))).shape == (20, 60)


def test_a_region_and_mirroring() -> None:
    region = Viewport(20, 10, 5, 7, 20, 10)
    np.testing.assert_array_equal(shown(image(VALUES), Wish(viewport=region)), VALUES[7:17, 5:25])
    mirrored = Viewport(20, 10, 5, 7, 20, 10, flip_horizontal=True, flip_vertical=True)
    np.testing.assert_array_equal(
        shown(image(VALUES), Wish(viewport=mirrored)), VALUES[7:17, 5:25][::-1, ::-1]
    )
    to_the_edge = Viewport(55, 33, 5, 7)
    np.testing.assert_array_equal(shown(image(VALUES), Wish(viewport=to_the_edge)), VALUES[7:, 5:])


@pytest.mark.parametrize(
    "port", [Viewport(10, 10, 60, 0), Viewport(10, 10, 0, 40), Viewport(10, 10, 0, 0, 0.2, 0.2)]
)
def test_a_region_outside_is_refused(port: Viewport) -> None:
    with pytest.raises(Refused) as refused:
        shown(image(VALUES), Wish(viewport=port))
    assert refused.value.code == "bad-viewport"


def test_what_is_too_large_is_refused() -> None:
    for width, height in ((8193, 1), (0, 5), (-1, 5)):
        with pytest.raises(Refused):
            Wish(viewport=Viewport(width, height))
    with pytest.raises(Refused):
        shown(image(np.zeros((1, 9000), np.uint8)))
    assert shown(image(np.zeros((1, 9000), np.uint8)), Wish(viewport=Viewport(100, 100))).shape == (1, 100)


def test_smaller_by_area() -> None:
    blocks = VALUES.astype(float).reshape(20, 2, 15, 4).mean(axis=(1, 3))
    np.testing.assert_array_equal(scaled(VALUES, 20, 15), np.floor(blocks + 0.5))


def test_smaller_by_a_fraction_weighs_what_is_cut() -> None:
    """3 cells to 2: each new one is one whole and half of another."""
    row = np.array([[0, 90, 240]], np.uint8)
    assert scaled(row, 1, 2).tolist() == [[30, 190]]
    assert scaled(row.T, 2, 1).tolist() == [[30], [190]]


def test_larger_is_linear_between_centres() -> None:
    assert scaled(np.array([[0, 100]], np.uint8), 1, 4).tolist() == [[0, 25, 75, 100]]


def test_colour_and_both_ways_at_once() -> None:
    colour = np.stack([VALUES, VALUES[::-1], VALUES[:, ::-1]], -1)
    found = scaled(colour, 80, 30)
    for channel in range(3):
        np.testing.assert_array_equal(
            found[..., channel], scaled(np.ascontiguousarray(colour[..., channel]), 80, 30)
        )


def test_a_grey_surface_stays_grey_whatever_the_size() -> None:
    flat = np.full((37, 53), 131, np.uint8)
    for height, width in ((5, 7), (36, 52), (100, 200), (10, 300)):
        assert (scaled(flat, height, width) == 131).all()
