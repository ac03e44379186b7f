"""The grey pipeline in its order: stored values, padding, modality LUT, VOI LUT, presentation LUT, inversion."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from tests.dicom.render.making import LE, encoded, image, lut, shown

from filmless.dicom.builders.encode import element
from filmless.dicom.pixels.render import pixels
from filmless.dicom.rendering import Window, Wish

RAMP = np.arange(0, 4096, 16, dtype=np.uint16).reshape(16, 16)


def test_without_a_window_the_range_of_the_frame_is_shown() -> None:
    found = shown(image(RAMP))
    assert found[0, 0] == 0
    assert found[-1, -1] == 255
    np.testing.assert_array_equal(found, np.floor(RAMP / 4080 * 255 + 0.5))


def test_a_window_counts_in_modality_values() -> None:
    ds = image(RAMP, RescaleSlope="2", RescaleIntercept="-1000", WindowCenter="100", WindowWidth="400")
    hu = RAMP.astype(float) * 2 - 1000
    expected = np.clip((hu - 99.5) / 399 + 0.5, 0, 1)
    np.testing.assert_array_equal(shown(ds), np.floor(expected * 255 + 0.5))


def test_the_window_that_is_asked_for_goes_first() -> None:
    ds = image(RAMP, WindowCenter="100", WindowWidth="400")
    asked = Window(2048, 2048, "LINEAR_EXACT")
    expected = np.clip((RAMP.astype(float) - 2048) / 2048 + 0.5, 0, 1)
    np.testing.assert_array_equal(shown(ds, Wish(window=asked)), np.floor(expected * 255 + 0.5))


def test_of_several_windows_the_first_sound_one_counts() -> None:
    ds = image(RAMP, WindowCenter=["500", "2048"], WindowWidth=["0", "4096"])
    np.testing.assert_array_equal(shown(ds), np.floor(RAMP / 4095 * 255 + 0.5))


def test_signed_values_keep_their_sign() -> None:
    values = np.arange(-128, 128, dtype=np.int16).reshape(16, 16)
    ds = image(values, WindowCenter="0", WindowWidth="256")
    np.testing.assert_array_equal(shown(ds), values + 128)


def test_signed_12_in_16_with_junk_above_the_value() -> None:
    values = np.arange(-2048, 2048, 16).reshape(16, 16)
    cells = (values & 0xFFF).astype(np.uint16) | 0x5000
    ds = image(cells, BitsStored=12, HighBit=11, PixelRepresentation=1, WindowCenter="0", WindowWidth="4096")
    np.testing.assert_array_equal(shown(ds), np.floor((values + 2048) / 4095 * 255 + 0.5))


def test_a_value_that_does_not_begin_at_bit_0() -> None:
    cells = (RAMP << 4) | 7  # high bit 15, 12 bits stored, junk below
    ds = image(cells.astype(np.uint16), BitsStored=12, HighBit=15, WindowCenter="2048", WindowWidth="4096")
    np.testing.assert_array_equal(shown(ds), np.floor(RAMP / 4095 * 255 + 0.5))


@pytest.mark.parametrize("kind", ["u1", "i1", "u4", "i4", "f4", "f8"])
def test_other_cells(kind: str) -> None:
    dtype = np.dtype(kind)
    values = np.linspace(0, 100, 64).reshape(8, 8).astype(dtype)
    expected = np.floor(values.astype(np.float64) / float(values.max()) * 255 + 0.5)
    np.testing.assert_array_equal(shown(image(values)), expected)


def test_floats_that_are_no_numbers_are_black_and_do_not_count() -> None:
    values = np.array([[np.nan, 0.0, 1.0], [np.inf, -np.inf, 0.5]], np.float32)
    found = shown(image(values))
    assert found.tolist() == [[0, 0, 255], [255, 0, 128]]


def test_one_bit_is_black_and_white_whatever_is_there() -> None:
    bits = np.zeros((8, 8), np.uint8)
    ds = image(bits, BitsAllocated=1, BitsStored=1, HighBit=0, PixelData=bytes([0x0F] * 8))
    assert shown(ds)[0].tolist() == [255, 255, 255, 255, 0, 0, 0, 0]
    ds.PixelData = bytes(8)
    assert not shown(ds).any()


# --- padding -------------------------------------------------------------------------------------------------


def test_padding_is_black_and_does_not_count_for_the_range() -> None:
    values = np.array([[-2000, -2000, 0], [100, 50, 25]], np.int16)
    assert shown(image(values, PixelPaddingValue=-2000)).tolist() == [[0, 0, 0], [255, 128, 64]]


def test_padding_is_of_stored_values_and_black_in_monochrome1() -> None:
    values = np.array([[4095, 0, 100], [4000, 4095, 200]], np.uint16)
    ds = image(
        values,
        PhotometricInterpretation="MONOCHROME1",
        PixelPaddingValue=4095,
        RescaleSlope="-1",
        RescaleIntercept="0",
    )
    found = shown(ds)
    assert found[0, 0] == found[1, 1] == 0
    assert found[0, 1] == 0  # the highest modality value, inverted
    assert found[1, 0] == 255


def test_a_range_of_padding() -> None:
    values = np.array([[1, 2, 3, 4, 10, 20]], np.uint8)
    ds = image(values, PixelPaddingValue=1, PixelPaddingRangeLimit=4)
    assert shown(ds).tolist() == [[0, 0, 0, 0, 0, 255]]


def test_padding_outside_of_the_stored_bits_is_found_in_the_cells() -> None:
    """As CT scanners write it: 12 bits stored, -2000 in the whole cell."""
    cells = np.array([[63536, 0, 1000]], np.uint16)
    ds = image(cells, BitsStored=12, HighBit=11, PixelPaddingValue=63536)
    assert shown(ds).tolist() == [[0, 0, 255]]


def test_padding_of_floats() -> None:
    ds = image(np.array([[-999.0, 1.0, 3.0]], np.float32))
    ds.add_new(0x00280122, "FL", -999.0)
    assert shown(ds).tolist() == [[0, 0, 255]]


# --- modality LUT --------------------------------------------------------------------------------------------


def test_a_modality_lut_takes_signed_inputs() -> None:
    values = np.array([[-2, -1, 0, 1, 2]], np.int16)
    ds = image(values)
    item = lut(-1, [10, 20, 30], 16, signed=True)
    item.ModalityLUTType = "HU"
    ds.ModalityLUTSequence = [item]
    ds.WindowCenter, ds.WindowWidth = "20.5", "21"  # 10 to 30
    assert shown(ds).tolist() == [[0, 0, 128, 255, 255]]


def test_a_descriptor_sent_as_us_for_signed_pixels_is_understood() -> None:
    ds = image(np.array([[-2, -1, 0]], np.int16))
    item = lut(0, [0, 100, 200], 8)
    item[0x00283002].value = [3, 65534, 8]
    item.ModalityLUTType = "US"
    ds.ModalityLUTSequence = [item]
    assert shown(ds).tolist() == [[0, 128, 255]]


# --- VOI and presentation LUT --------------------------------------------------------------------------------


def test_a_voi_lut_goes_before_a_window_and_is_of_its_bits() -> None:
    ds = image(np.array([[0, 1, 2, 3]], np.uint8), WindowCenter="2", WindowWidth="4")
    ds.VOILUTSequence = [lut(0, [0, 1023, 4095, 2048], 12)]
    assert shown(ds).tolist() == [[0, 64, 255, 128]]


def test_a_lut_of_8_bits_in_bytes() -> None:
    ds = image(np.array([[0, 1, 2, 3]], np.uint8))
    item = Dataset()
    item.add_new(0x00283002, "US", [4, 0, 8])
    item.add_new(0x00283006, "OW", bytes([255, 100, 50, 0]))
    ds.VOILUTSequence = [item]
    assert shown(ds).tolist() == [[255, 100, 50, 0]]


def test_a_lut_of_65536_entries_says_0() -> None:
    ds = image(np.array([[0, 65535]], np.uint16))
    item = Dataset()
    item.add_new(0x00283002, "US", [0, 0, 16])
    item.add_new(0x00283006, "OW", np.arange(65535, -1, -1).astype("<u2").tobytes())
    ds.VOILUTSequence = [item]
    assert shown(ds).tolist() == [[255, 0]]


def test_a_presentation_lut_spans_the_range_before_it() -> None:
    ds = image(np.array([[0, 50, 100]], np.uint8))
    ds.PresentationLUTSequence = [lut(0, [0, 255, 0], 8)]
    assert shown(ds).tolist() == [[0, 255, 0]]


@pytest.mark.parametrize(
    ("photometric", "shape", "inverse"),
    [
        ("MONOCHROME2", None, False),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME1", None, True),
        ("MONOCHROME1", "INVERSE", True),  # DX says both; it is inverted once
    ],
)
def test_inversion(photometric: str, shape: str | None, inverse: bool) -> None:
    ds = image(np.array([[0, 100]], np.uint8), PhotometricInterpretation=photometric)
    if shape:
        ds.PresentationLUTShape = shape
    assert shown(ds).tolist() == ([[255, 0]] if inverse else [[0, 255]])


# --- values as they come -------------------------------------------------------------------------------------


def test_decimal_strings_of_more_than_16_characters_count() -> None:
    """As real MR and CT scanners send them, against PS3.5 6.2."""
    data = encoded(image(RAMP))
    extra = b"".join(
        element(tag, "DS", text)
        for tag, text in (
            (0x00281050, b"40.000000000000000000"),
            (0x00281051, b"400.00000000000000000"),
            (0x00281052, b"-1024.00000000000000"),
            (0x00281053, b"1.0000000000000000000"),
        )
    )
    at = data.index(b"\xe0\x7f\x10\x00")
    found = pixels(data[:at] + extra + data[at:], LE)
    expected = np.clip((RAMP.astype(float) - 1024 - 39.5) / 399 + 0.5, 0, 1)
    np.testing.assert_array_equal(found, np.floor(expected * 255 + 0.5))


def test_implicit_vr() -> None:
    values = np.array([[-2000, 0, 100]], np.int16)
    ds = image(values, PixelPaddingValue=-2000, WindowCenter="50.5", WindowWidth="101")
    found = pixels(encoded(ds, implicit=True), "1.2.840.10008.1.2")
    assert found.tolist() == [[0, 0, 255]]


# --- functional groups ---------------------------------------------------------------------------------------


def test_each_frame_has_its_own_rescale_and_window() -> None:
    frames = np.array([[[0, 100]], [[0, 100]]], np.uint16)
    ds = image(frames, NumberOfFrames=2)
    groups = []
    for slope, center in ((1, 50.5), (10, 500.5)):
        rescale = Dataset()
        rescale.RescaleIntercept, rescale.RescaleSlope, rescale.RescaleType = 0, slope, "US"
        window = Dataset()
        window.WindowCenter, window.WindowWidth = center, 101
        item = Dataset()
        item.PixelValueTransformationSequence, item.FrameVOILUTSequence = [rescale], [window]
        groups.append(item)
    ds.PerFrameFunctionalGroupsSequence = groups
    ds.SharedFunctionalGroupsSequence = [Dataset()]
    assert shown(ds, Wish(frame=0)).tolist() == [[0, 255]]
    # 0 to 1000, window 450 to 550
    assert shown(ds, Wish(frame=1)).tolist() == [[0, 255]]
    groups[1].FrameVOILUTSequence[0].WindowCenter = 1000.5
    assert shown(ds, Wish(frame=1)).tolist() == [[0, 128]]


def test_shared_groups_count_where_a_frame_has_none() -> None:
    ds = image(np.array([[0, 50, 100]], np.uint16))
    window = Dataset()
    window.WindowCenter, window.WindowWidth, window.VOILUTFunction = 50, 100, "LINEAR_EXACT"
    item = Dataset()
    item.FrameVOILUTSequence = [window]
    ds.SharedFunctionalGroupsSequence = [item]
    ds.PerFrameFunctionalGroupsSequence = [Dataset()]
    assert shown(ds).tolist() == [[0, 128, 255]]
