"""Colour: YBR, palettes plain, segmented and supplemental, samples of other bits, colour profiles."""

import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import convert_color_space
from tests.dicom.render.making import LE, encoded, image, shown

from filmless.dicom.pixels.render import render
from filmless.dicom.pixels.render.colour import colour_space
from filmless.dicom.rendering import Wish
from filmless.kit.errors import Refused

RGB = np.random.default_rng(3).integers(0, 256, (12, 14, 3)).astype(np.uint8)


def test_rgb_is_itself_by_pixel_and_by_plane() -> None:
    np.testing.assert_array_equal(shown(image(RGB)), RGB)
    planes = image(RGB, PlanarConfiguration=1, PixelData=RGB.transpose(2, 0, 1).tobytes())
    np.testing.assert_array_equal(shown(planes), RGB)


def test_ybr_is_converted_as_pydicom_does() -> None:
    ybr = convert_color_space(RGB, "RGB", "YBR_FULL")
    found = shown(image(ybr, PhotometricInterpretation="YBR_FULL")).astype(int)
    np.testing.assert_allclose(found, convert_color_space(ybr, "YBR_FULL", "RGB"), atol=1)


def test_ybr_422_has_one_colour_for_two_pixels() -> None:
    quads = np.array([[[100, 200, 128, 128], [50, 60, 128, 128]]], np.uint8)
    ds = image(
        np.zeros((1, 4, 3), np.uint8), PhotometricInterpretation="YBR_FULL_422", PixelData=quads.tobytes()
    )
    assert shown(ds)[0].tolist() == [[100] * 3, [200] * 3, [50] * 3, [60] * 3]


def test_partial_range_goes_from_16_to_235() -> None:
    ybr = np.array([[[16, 128, 128], [235, 128, 128]]], np.uint8)
    assert shown(image(ybr, PhotometricInterpretation="YBR_PARTIAL_420"))[0].tolist() == [[0] * 3, [255] * 3]


def test_samples_of_16_and_of_10_bits() -> None:
    wide = np.array([[[0, 32768, 65535]]], np.uint16)
    assert shown(image(wide)).tolist() == [[[0, 128, 255]]]
    ten = np.array([[[0, 512, 1023]]], np.uint16)
    assert shown(image(ten, BitsStored=10, HighBit=9)).tolist() == [[[0, 128, 255]]]


def test_a_window_on_colour_is_ignored_and_said() -> None:
    from filmless.dicom.rendering import Window

    rendered = render(encoded(image(RGB)), LE, Wish("image/png", window=Window(10, 10)))
    assert rendered.warnings == ["A window is for grey images only."]
    np.testing.assert_array_equal(imagecodecs.png_decode(rendered.content), RGB)


# --- palettes ------------------------------------------------------------------------------------------------


def _palette(
    ds: Dataset, first: int, channels: list[bytes], bits: int = 16, *, count: int, segmented: bool = False
) -> Dataset:
    for number, data in enumerate(channels):
        ds.add_new(0x00281101 + number, "US", [count, first, bits])
        ds.add_new((0x00281221 if segmented else 0x00281201) + number, "OW", data)


def _words(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}H", *numbers)


def test_a_palette_of_16_bits_and_what_lies_outside_of_it() -> None:
    ds = image(np.array([[0, 10, 11, 12, 200]], np.uint8), PhotometricInterpretation="PALETTE COLOR")
    channels = [_words(0xFF00, 0x8000, 0), _words(0, 0x4000, 0xFFFF), _words(0x0100, 0x0200, 0x0300)]
    _palette(ds, 10, channels, count=3)
    assert shown(ds)[0].tolist() == [[255, 0, 1], [255, 0, 1], [128, 64, 2], [0, 255, 3], [0, 255, 3]]


def test_a_palette_of_8_bits_in_bytes() -> None:
    ds = image(np.array([[0, 1, 2, 3]], np.uint8), PhotometricInterpretation="PALETTE COLOR")
    _palette(ds, 0, [bytes([1, 2, 3, 4]), bytes([5, 6, 7, 8]), bytes([9, 10, 11, 12])], 8, count=4)
    assert shown(ds)[0].tolist() == [[1, 5, 9], [2, 6, 10], [3, 7, 11], [4, 8, 12]]


def test_a_segmented_palette() -> None:
    """Discrete 2, linear 4 up to 0x5000, indirect: the linear segment again, from where it got to (PS3.3 C.7.9.2.2)."""
    segments = _words(0, 2, 0x0000, 0x1000, 1, 4, 0x5000, 0, 1, 0x1000, 2, 1, 8, 0)
    ds = image(np.arange(11, dtype=np.uint8)[None], PhotometricInterpretation="PALETTE COLOR")
    _palette(ds, 0, [segments] * 3, count=11, segmented=True)
    expected = [0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x10, 0x20, 0x30, 0x40, 0x50]
    assert shown(ds)[0, :, 0].tolist() == expected


@pytest.mark.parametrize(
    "segments",
    [
        _words(1, 4, 0x5000),  # linear without anything before it
        _words(0, 1, 5, 2, 1, 6, 0),  # an indirect segment that leads to itself
        _words(9, 1, 5),  # no such segment
    ],
)
def test_damaged_segments_are_refused(segments: bytes) -> None:
    ds = image(np.arange(4, dtype=np.uint8)[None], PhotometricInterpretation="PALETTE COLOR")
    _palette(ds, 0, [segments] * 3, count=4, segmented=True)
    with pytest.raises(Refused) as refused:
        shown(ds)
    assert refused.value.code == "bad-palette"


def test_a_supplemental_palette_colours_the_values_from_its_first_on() -> None:
    ds = image(np.array([[0, 50, 100, 200, 201]], np.uint8), WindowCenter="50.5", WindowWidth="101")
    ds.PixelPresentation = "COLOR"
    _palette(ds, 200, [_words(0xFF00, 0), _words(0, 0xFF00), _words(0, 0)], count=2)
    assert shown(ds)[0].tolist() == [[0] * 3, [128] * 3, [255] * 3, [255, 0, 0], [0, 255, 0]]


# --- colour profiles -----------------------------------------------------------------------------------------


def _png_profile(file: bytes) -> bytes:
    at = file.find(b"iCCP")
    if at < 0:
        return b""
    length = int.from_bytes(file[at - 4 : at], "big")
    assert int.from_bytes(file[at + 4 + length : at + 8 + length], "big") == zlib.crc32(
        file[at : at + 4 + length]
    )
    return zlib.decompress(file[at + 4 + len(b"icc\0\0") : at + 4 + length])


def test_profiles_in_png_and_jpeg() -> None:
    own = colour_space("adobergb")
    data = encoded(image(RGB, ICCProfile=own))
    for wish, expected in (("", own), ("yes", own), ("no", b""), ("srgb", colour_space("srgb"))):
        png = render(data, LE, Wish("image/png", icc=wish)).content
        assert _png_profile(png) == expected, wish
        jpeg = render(data, LE, Wish("image/jpeg", icc=wish)).content
        assert (expected in jpeg) is True
        assert (b"ICC_PROFILE\0\1\1" in jpeg) is bool(expected), wish
        assert imagecodecs.jpeg8_decode(jpeg).shape == RGB.shape
        pixels = imagecodecs.png_decode(png)
        if wish == "srgb":
            exact = imagecodecs.cms_transform(
                RGB, own, colour_space("srgb"), colorspace="rgb", outcolorspace="rgb"
            )
            np.testing.assert_array_equal(pixels, exact)
            assert np.abs(pixels.astype(int) - RGB).max() > 5
        else:
            np.testing.assert_array_equal(pixels, RGB)


def test_colour_spaces_bring_white_and_grey_where_they_are() -> None:
    grey = np.repeat(np.array([[0, 64, 128, 255]], np.uint8)[..., None], 3, axis=2)
    for name in ("srgb", "adobergb", "displayp3"):
        file = render(encoded(image(grey)), LE, Wish("image/png", icc=name)).content
        found = imagecodecs.png_decode(file)
        assert found[0, 0].tolist() == [0, 0, 0], name
        assert found[0, 3].min() >= 254, name
        assert np.ptp(found.astype(int), axis=2).max() <= 1, name  # grey stays grey


def test_a_grey_picture_has_a_profile_of_greys() -> None:
    grey = encoded(image(RGB[..., 0].copy()))
    assert _png_profile(render(grey, LE, Wish("image/png")).content) == b""
    profile = _png_profile(render(grey, LE, Wish("image/png", icc="yes")).content)
    assert (profile[16:20], profile[36:40]) == (b"GRAY", b"acsp")
    named = render(grey, LE, Wish("image/png", icc="srgb")).content
    assert _png_profile(named)[16:20] == b"RGB "
    assert imagecodecs.png_decode(named).shape == RGB.shape


def test_a_damaged_profile_is_left_out() -> None:
    data = encoded(image(RGB, ICCProfile=b"no profile" * 20))
    assert _png_profile(render(data, LE, Wish("image/png")).content) == b""
