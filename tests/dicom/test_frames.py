import warnings
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.encaps import get_frame

from filmless.dicom import frames, part10, uids
from filmless.kit.errors import Refused
from tests.dicom.build import as_file, element, image
from tests.dicom.sample_files import dicom_files

JPEG = uids.JPEG_BASELINE


def _item(content: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + len(content).to_bytes(4, "little") + content


def _encapsulated(fragments: list[bytes], table: bytes = b"") -> bytes:
    return (
        b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
        + _item(table)
        + b"".join(map(_item, fragments))
        + b"\xfe\xff\xdd\xe0\0\0\0\0"
    )


def _frames(
    fragments: list[bytes], count: int, table: bytes = b"", extra: bytes = b"", syntax: str = JPEG
) -> list[bytes]:
    data = image(
        b"", rows=2, columns=2, bits=8, frames=count, pixel_element=extra + _encapsulated(fragments, table)
    )
    found = frames.index(data, syntax)
    assert found is not None
    assert found.end == len(data)
    return [frames.read(data, place) for place in found.places]


def _offsets(*numbers: int, width: int = 4) -> bytes:
    return b"".join(number.to_bytes(width, "little") for number in numbers)


def test_one_frame_in_several_fragments() -> None:
    assert _frames([b"\xff\xd8\xff1", b"2345"], 1) == [b"\xff\xd8\xff12345"]


def test_a_fragment_for_each_frame() -> None:
    assert _frames([b"aa", b"bb", b"cc"], 3) == [b"aa", b"bb", b"cc"]


def test_a_basic_offset_table() -> None:
    parts = [b"a1", b"a2", b"b1"]
    assert _frames(parts, 2, _offsets(0, 20)) == [b"a1a2", b"b1"]


def test_a_wrong_table_is_not_believed() -> None:
    parts = [b"\xff\xd8\xffa", b"a2", b"\xff\xd8\xffb", b"b2"]
    for table in (_offsets(0, 7), _offsets(0), _offsets(22, 0), _offsets(0, 9999), b"\x01"):
        assert _frames(parts, 2, table) == [b"\xff\xd8\xffaa2", b"\xff\xd8\xffbb2"]


def test_an_extended_offset_table_goes_first() -> None:
    extra = element(0x7FE00001, "OV", _offsets(0, 20, width=8)) + element(
        0x7FE00002, "OV", _offsets(4, 2, width=8)
    )
    assert _frames([b"a1", b"a2", b"b1"], 2, b"", extra) == [b"a1a2", b"b1"]


def test_frames_that_cannot_be_told_apart() -> None:
    assert _frames([b"a", b"b", b"c"], 2) == []
    assert _frames([b"ab"], 2) == []
    data = image(b"", rows=2, columns=2, bits=8, frames=2, pixel_element=_encapsulated([b"ab"]))
    with pytest.raises(Refused, match="told apart"):
        frames.require(data, JPEG)


def test_video_is_one_stream() -> None:
    assert _frames([b"mp", b"eg"], 300, syntax="1.2.840.10008.1.2.4.102") == [b"mpeg"]
    assert not frames.is_video("1.2.840.10008.1.2.4.110")


def test_pixel_data_cut_short() -> None:
    data = image(b"", rows=2, columns=2, bits=8, pixel_element=_encapsulated([b"\xff\xd8\xff" + bytes(99)]))
    with pytest.raises(Refused, match="cut short"):
        frames.require(data[:-40], JPEG)


def test_native_frames_of_bytes_and_bits() -> None:
    data = image(bytes(range(16)), rows=2, columns=2, frames=2)
    found = frames.index(data, uids.EXPLICIT_VR_LE)
    assert found is not None
    assert [frames.read(data, place) for place in found.places] == [bytes(range(8)), bytes(range(8, 16))]
    bits = image(b"\x01\x02\x03\x04", rows=3, columns=3, bits=1, frames=3)
    found = frames.index(bits, uids.EXPLICIT_VR_LE)
    assert found is not None
    assert [length for _, length in found.places] == [2, 2, 2]
    assert [found.bit_shift(number) for number in range(3)] == [0, 1, 2]
    assert [frames.read(bits, place) for place in found.places] == [b"\x01\x02", b"\x02\x03", b"\x03\x04"]


def test_too_few_native_pixels() -> None:
    data = image(bytes(12), rows=2, columns=2, frames=2)
    found = frames.index(data, uids.EXPLICIT_VR_LE)
    assert found is not None and len(found.places) == 1 and "shorter" in found.problem


def test_places_in_a_file(tmp_path: Path) -> None:
    data = image(
        b"",
        rows=2,
        columns=2,
        bits=8,
        frames=2,
        pixel_element=_encapsulated([b"a1", b"a2", b"b1"], _offsets(0, 20)),
    )
    whole = as_file(data, JPEG)
    path = tmp_path / "two.dcm"
    path.write_bytes(whole + b"tail")
    places = frames.of_file(path, len(whole) - len(data), len(data), JPEG)
    assert [frames.read(whole, place) for place in places] == [b"a1a2", b"b1"]
    assert frames.of_file(path, len(whole) - len(data), len(data), uids.DEFLATED_EXPLICIT_VR_LE) == []


def test_real_files_have_the_frames_that_pydicom_finds() -> None:
    multi = 0
    for path in dicom_files("codecs", "odd"):
        whole = path.read_bytes()
        try:
            meta = part10.read_meta(whole)
        except Refused:
            continue
        data = whole[meta.data_set_offset :]
        found = frames.index(data, meta.transfer_syntax_uid)
        if found is None or not found.encapsulated or found.problem:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = pydicom.dcmread(path, force=True)
        if "PixelData" not in theirs:  # pydicom gives up where only the last delimiter is missing
            continue
        count = found.facts.frames
        assert len(found.places) == count, path
        for number, place in enumerate(found.places):
            assert frames.read(data, place) == get_frame(theirs.PixelData, number, number_of_frames=count), (
                path
            )
        multi += count > 1
    assert multi >= 4


@given(noise=st.binary(max_size=200), syntax=st.sampled_from([JPEG, uids.EXPLICIT_VR_LE, uids.RLE_LOSSLESS]))
def test_damaged_pixel_data_never_raise(noise: bytes, syntax: str) -> None:
    data = image(
        b"",
        rows=2,
        columns=2,
        bits=8,
        frames=3,
        pixel_element=b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + noise,
    )
    found = frames.index(data, syntax)
    assert found is None or found.end <= len(data)
