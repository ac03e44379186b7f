"""Overlay planes and shutters, pixel by pixel."""

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from tests.dicom.render.making import image, shown

from filmless.dicom.rendering import Wish

GREY = np.full((6, 8), 100, np.uint8)
GREY[0, 0], GREY[5, 7] = 0, 200


def _overlay(
    ds: Dataset, bits: np.ndarray, origin: tuple[int, int] = (1, 1), group: int = 0x6000, **more: Any
) -> Dataset:
    ds.add_new((group << 16) | 0x10, "US", bits.shape[-2])
    ds.add_new((group << 16) | 0x11, "US", bits.shape[-1])
    ds.add_new((group << 16) | 0x40, "CS", "G")
    ds.add_new((group << 16) | 0x50, "SS", list(origin))
    ds.add_new((group << 16) | 0x100, "US", 1)
    ds.add_new((group << 16) | 0x102, "US", 0)
    packed = np.packbits(bits.astype(np.uint8).ravel(), bitorder="little").tobytes()
    ds.add_new((group << 16) | 0x3000, "OW", packed + b"\0" * (len(packed) % 2))
    for element, (vr, value) in more.items():
        ds.add_new((group << 16) | int(element[1:], 16), vr, value)
    return ds


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ((1, 1), {(0, 0), (1, 1)}),
        ((3, 4), {(2, 3), (3, 4)}),
        ((0, 0), {(0, 0)}),  # partly above and left of the image
        ((6, 8), {(5, 7)}),
        ((100, 1), set()),
    ],
)
def test_an_overlay_lies_where_its_origin_says(
    origin: tuple[int, int], expected: set[tuple[int, int]]
) -> None:
    bits = np.array([[1, 0], [0, 1]])
    found = shown(_overlay(image(GREY), bits, origin))
    plain = shown(image(GREY))
    changed = {(int(y), int(x)) for y, x in np.argwhere(found != plain)}
    white = {(int(y), int(x)) for y, x in np.argwhere(found == 255)}
    assert changed == expected - {(5, 7)}
    assert white == expected | {(5, 7)}


def test_overlays_can_be_left_out() -> None:
    ds = _overlay(image(GREY), np.ones((6, 8)))
    assert (shown(ds) == 255).all()
    np.testing.assert_array_equal(shown(ds, Wish(overlays=False)), shown(image(GREY)))


def test_planes_of_an_overlay_belong_to_frames() -> None:
    """Two planes of 3 x 3, so that the second begins within a byte; they belong to frames 2 and 3."""
    planes = np.zeros((2, 3, 3), np.uint8)
    planes[0, 0, 0] = planes[1, 2, 2] = 1
    ds = image(np.arange(27, dtype=np.uint8).reshape(3, 3, 3) + 1, NumberOfFrames=3)
    _overlay(ds, planes, x15=("IS", "2"), x51=("US", 2))
    plain = [shown(ds, Wish(frame=frame, overlays=False)) for frame in range(3)]
    drawn = [shown(ds, Wish(frame=frame)) for frame in range(3)]
    assert [np.argwhere(a != b).tolist() for a, b in zip(plain, drawn, strict=True)] == [[], [[0, 0]], []]
    assert drawn[2][2, 2] == 255


def test_an_overlay_in_an_unused_bit_of_the_pixels() -> None:
    values = np.arange(48, dtype=np.uint16).reshape(6, 8)
    cells = values | (values % 5 == 0).astype(np.uint16) << 12
    ds = image(cells, BitsStored=12, HighBit=11)
    for element, vr, value in ((0x10, "US", 6), (0x11, "US", 8), (0x100, "US", 16), (0x102, "US", 12)):
        ds.add_new(0x60020000 | element, vr, value)
    found, plain = shown(ds), shown(image(values))
    np.testing.assert_array_equal(found[values % 5 == 0], 255)
    np.testing.assert_array_equal(found[values % 5 != 0], plain[values % 5 != 0])


def test_an_overlay_that_is_too_short_is_empty_at_its_end() -> None:
    ds = _overlay(image(GREY), np.ones((6, 8)))
    ds[0x60003000].value = b"\xff\xff"
    assert (shown(ds) == 255).sum() == 17  # two rows of eight, and the image's own white


# --- shutters ------------------------------------------------------------------------------------------------


def _shut(**attributes: Any) -> np.ndarray:
    return shown(
        image(
            np.full((20, 30), 255, np.uint8),
            BitsStored=8,
            WindowCenter="128",
            WindowWidth="256",
            **attributes,
        )
    )


def test_a_rectangle_shows_its_edges_too() -> None:
    found = _shut(
        ShutterShape="RECTANGULAR",
        ShutterLeftVerticalEdge=5,
        ShutterRightVerticalEdge=10,
        ShutterUpperHorizontalEdge=3,
        ShutterLowerHorizontalEdge=8,
    )
    expected = np.zeros((20, 30), np.uint8)
    expected[2:8, 4:10] = 255
    np.testing.assert_array_equal(found, expected)


def test_a_circle() -> None:
    found = _shut(ShutterShape="CIRCULAR", CenterOfCircularShutter=[10, 15], RadiusOfCircularShutter=5)
    y, x = np.mgrid[1:21, 1:31]
    np.testing.assert_array_equal(found == 255, (y - 10) ** 2 + (x - 15) ** 2 <= 25)


def test_a_circle_of_pixels_that_are_not_square() -> None:
    found = _shut(
        ShutterShape="CIRCULAR",
        CenterOfCircularShutter=[10, 15],
        RadiusOfCircularShutter=8,
        PixelSpacing=["2", "1"],
    )
    assert found[9].tolist().count(255) == 17
    assert found[:, 14].tolist().count(255) == 9


def test_a_polygon() -> None:
    found = _shut(ShutterShape="POLYGONAL", VerticesOfThePolygonalShutter=[1, 1, 1, 20, 20, 1])
    y, x = np.mgrid[1:21, 1:31]
    inside = x + y < 21
    assert (found[inside] == 255).all()
    assert not found[x + y > 22].any()


def test_shapes_combine_and_the_shutter_has_its_grey() -> None:
    found = _shut(
        ShutterShape=["RECTANGULAR", "CIRCULAR"],
        ShutterLeftVerticalEdge=1,
        ShutterRightVerticalEdge=15,
        ShutterUpperHorizontalEdge=1,
        ShutterLowerHorizontalEdge=20,
        CenterOfCircularShutter=[10, 15],
        RadiusOfCircularShutter=5,
        ShutterPresentationValue=0x8000,
    )
    y, x = np.mgrid[1:21, 1:31]
    shows = ((y - 10) ** 2 + (x - 15) ** 2 <= 25) & (x <= 15)
    np.testing.assert_array_equal(found, np.where(shows, 255, 128))
