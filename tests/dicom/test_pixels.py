"""Pixels: every lossless syntax both ways, and real compressed files against pydicom's and dcmtk's decoders."""

import shutil
import subprocess
import warnings
from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.pixels import pixel_array

from filmless.dicom import frames, part10, uids
from filmless.dicom.pixels import can_transcode, transcode
from filmless.dicom.pixels.decode import decode_frame
from filmless.dicom.pixels.encode import ENCODABLE
from filmless.dicom.pixels.transcode import TARGETS
from filmless.dicom.scan import scan, text
from filmless.kit.errors import Refused
from tests.dicom.build import as_file, element, image
from tests.dicom.sample_files import dicom_files, shipped

LE = uids.EXPLICIT_VR_LE
COMPRESSED = sorted(ENCODABLE)


def _cells(rows: int, columns: int, kind: str, *, samples: int = 1, stored: int = 0) -> np.ndarray:
    """Something with edges, slopes and noise, all bits stored in use."""
    bits = stored or np.dtype(kind).itemsize * 8
    y, x = np.mgrid[0:rows, 0:columns]
    noise = np.random.default_rng(7).integers(0, 1 << 16, (rows, columns))
    plane = (x * 977 + y * 31 + (noise >> 9) + (x > columns // 2) * (1 << (bits - 1))) % (1 << bits)
    if np.dtype(kind).kind == "i":
        plane = plane - (1 << (bits - 1))
    out = plane.astype(kind)
    return out if samples == 1 else np.stack([out, out[::-1], out[:, ::-1]], -1)


CASES = {
    "unsigned 8": {"kind": "u1"},
    "unsigned 16": {"kind": "<u2"},
    "signed 16": {"kind": "<i2"},
    "signed 8": {"kind": "i1"},
    "12 in 16": {"kind": "<u2", "stored": 12},
    "signed 12 in 16": {"kind": "<i2", "stored": 12},
    "inverted": {"kind": "<u2", "stored": 10, "photometric": "MONOCHROME1"},
    "colour": {"kind": "u1", "samples": 3, "photometric": "RGB"},
    "colour 16": {"kind": "<u2", "samples": 3, "photometric": "RGB"},
    "luminance": {"kind": "u1", "samples": 3, "photometric": "YBR_FULL"},
}


def _made(case: str, count: int = 2) -> tuple[bytes, np.ndarray]:
    facts = dict(CASES[case])
    kind = str(facts.pop("kind"))
    one = _cells(17, 23, kind, samples=int(facts.get("samples", 1)), stored=int(facts.get("stored", 0)))  # type: ignore[call-overload]
    pixels = np.stack([one, one[::-1]][:count])
    data = image(
        pixels.tobytes(),
        rows=17,
        columns=23,
        bits=np.dtype(kind).itemsize * 8,
        signed=np.dtype(kind).kind == "i",
        frames=count,
        **facts,  # type: ignore[arg-type]
    )
    return data, pixels


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("target", COMPRESSED, ids=[uids.name_of(uid)[:24] for uid in COMPRESSED])
def test_every_lossless_syntax_gives_back_the_very_bytes(case: str, target: str) -> None:
    data, _ = _made(case)
    if target == uids.JPEG_XL_LOSSLESS and ("signed" in case.split() or case == "luminance"):
        with pytest.raises(Refused):
            transcode(data, LE, target)
        return
    packed = transcode(data, LE, target)
    found = frames.index(packed, target)
    assert found is not None and found.encapsulated and len(found.places) == 2 and not found.problem
    assert all(length % 2 == 0 for _, length in found.places)
    assert transcode(packed, target, LE) == data


@pytest.mark.parametrize("target", [uids.IMPLICIT_VR_LE, uids.EXPLICIT_VR_BE, uids.DEFLATED_EXPLICIT_VR_LE])
@pytest.mark.parametrize("case", CASES)
def test_uncompressed_syntaxes_both_ways(case: str, target: str) -> None:
    data, pixels = _made(case)
    changed = transcode(data, LE, target)
    assert changed != data
    assert transcode(changed, target, LE) == data
    theirs = pydicom.dcmread(BytesIO(as_file(changed, target)))
    assert np.array_equal(pixel_array(theirs, raw=True), pixels)


def test_from_one_compressed_syntax_to_another() -> None:
    data, _ = _made("signed 12 in 16")
    packed = transcode(data, LE, uids.JPEG_LS_LOSSLESS)
    again = transcode(packed, uids.JPEG_LS_LOSSLESS, uids.HTJ2K_LOSSLESS_RPCL)
    assert transcode(again, uids.HTJ2K_LOSSLESS_RPCL, LE) == data


def test_photometric_interpretation_and_planar_configuration_follow() -> None:
    data, _ = _made("colour")
    for target, photometric, planar in (
        (uids.HTJ2K_LOSSLESS_RPCL, "YBR_RCT", 0),
        (uids.JPEG_2000_LOSSLESS, "YBR_RCT", 0),
        (uids.JPEG_LS_LOSSLESS, "RGB", 0),
        (uids.RLE_LOSSLESS, "RGB", 1),
    ):
        header = scan(transcode(data, LE, target), target)
        assert text(header, 0x00280004) == photometric
        assert text(header, 0x00280006) == str(planar)


def test_planes_are_interleaved() -> None:
    pixels = _cells(4, 6, "u1", samples=3)
    data = image(
        pixels.transpose(2, 0, 1).tobytes(), rows=4, columns=6, bits=8, samples=3, photometric="RGB", planar=1
    )
    back = transcode(transcode(data, LE, uids.JPEG_LOSSLESS_SV1), uids.JPEG_LOSSLESS_SV1, LE)
    assert back.endswith(pixels.tobytes())
    assert text(scan(back, LE), 0x00280006) == "0"


def test_what_is_in_the_bits_above_those_stored_survives() -> None:
    pixels = _cells(8, 8, "<u2")  # overlays in the high bits, PS3.5 8.1.1
    data = image(pixels.tobytes(), rows=8, columns=8, stored=12)
    for target in (uids.JPEG_LOSSLESS_SV1, uids.JPEG_2000_LOSSLESS, uids.JPEG_LS_LOSSLESS):
        assert transcode(transcode(data, LE, target), target, LE) == data


def test_everything_but_the_pixels_stays_byte_for_byte() -> None:
    odd = element(0x00211001, "UN", b"\xfe\xff\x00\xe0\0\0\0\0") + b"\x21\x00\x02\x10LO\x03\x00id "
    late = element(0x7FE10010, "LO", b"behind the pixels")
    data = image(_cells(4, 4, "<u2").tobytes(), rows=4, columns=4, extra=odd) + late
    packed = transcode(data, LE, uids.JPEG_LS_LOSSLESS)
    header = scan(data, LE)
    assert header.pixel_offset is not None
    assert packed[: header.pixel_offset] == data[: header.pixel_offset]
    assert packed.endswith(late)


def test_one_bit_frames_that_begin_within_bytes() -> None:
    bits = np.random.default_rng(3).integers(0, 2, 27).astype(np.uint8)
    data = image(np.packbits(bits, bitorder="little").tobytes(), rows=3, columns=3, bits=1, frames=3)
    packed = transcode(data, LE, uids.DEFLATED_FRAMES)
    assert transcode(packed, uids.DEFLATED_FRAMES, LE) == data
    with pytest.raises(Refused):
        transcode(data, LE, uids.JPEG_LS_LOSSLESS)


def test_offset_tables_of_other_encodings_are_taken_out() -> None:
    data, _ = _made("unsigned 8")
    packed = transcode(data, LE, uids.RLE_LOSSLESS)
    at = scan(packed, uids.RLE_LOSSLESS).pixel_offset
    table = element(0x7FE00001, "OV", bytes(16)) + element(0x7FE00002, "OV", bytes(16))
    assert transcode(packed[:at] + table + packed[at:], uids.RLE_LOSSLESS, LE) == data


@pytest.mark.parametrize(
    "target", [uids.JPEG_BASELINE, uids.JPEG_2000, uids.HTJ2K, "1.2.840.10008.1.2.4.102", "1.2.3"]
)
def test_nothing_is_made_lossy(target: str) -> None:
    assert target not in TARGETS and not can_transcode(LE, target)
    with pytest.raises(Refused):
        transcode(_made("unsigned 8")[0], LE, target)


def test_objects_without_pixels_change_their_encoding_only() -> None:
    data = element(0x00080016, "UI", b"1.2") + element(0x0040A160, "UT", "说明".encode())
    for target in (
        uids.IMPLICIT_VR_LE,
        uids.EXPLICIT_VR_BE,
        uids.DEFLATED_EXPLICIT_VR_LE,
        uids.HTJ2K_LOSSLESS,
    ):
        assert transcode(transcode(data, LE, target), target, LE) == data


def test_damaged_frames_are_refused_with_a_reason() -> None:
    data, _ = _made("unsigned 16", count=1)
    for target in (uids.JPEG_LS_LOSSLESS, uids.JPEG_LOSSLESS_SV1, uids.HTJ2K_LOSSLESS, uids.RLE_LOSSLESS):
        packed = bytearray(transcode(data, LE, target))
        found = frames.index(bytes(packed), target)
        assert found is not None
        offset, length = found.places[0]
        packed[offset : offset + length] = bytes(length)
        with pytest.raises(Refused) as refusal:
            transcode(bytes(packed), target, LE)
        assert refusal.value.code == "bad-pixels"


@pytest.mark.parametrize("uid", [uids.HTJ2K, uids.JPEG_2000])
@pytest.mark.parametrize("stored", [8, 12, 16])
def test_what_loses_does_not_turn_white_into_black(uid: str, stored: int) -> None:
    """Loss leads beyond the ends of the range, next to edges: what is there is the end, not the other one."""
    kind = "u1" if stored == 8 else "<u2"
    pixels = np.zeros((64, 64), kind)
    pixels[8:40, 8:40] = (1 << stored) - 1
    if uid == uids.HTJ2K:
        raw = imagecodecs.htj2k_encode(pixels, level=0.02, reversible=False)
    else:
        raw = imagecodecs.jpeg2k_encode(pixels, level=65, codecformat="j2k", reversible=False)
    header = scan(image(pixels.tobytes(), rows=64, columns=64, bits=pixels.itemsize * 8, stored=stored), LE)
    found = decode_frame(raw, frames.facts_of(header), uid).pixels
    # ringing reaches some pixels from the edge; the other end of the range would be nearly all of it
    assert np.abs(found.astype(int) - pixels).max() < (1 << stored) * 0.4


@pytest.mark.parametrize("target", [uids.JPEG_2000_LOSSLESS, uids.HTJ2K_LOSSLESS])
def test_a_code_stream_that_claims_to_be_huge_is_refused_at_once(target: str) -> None:
    packed = bytearray(transcode(_made("unsigned 16", count=1)[0], LE, target))
    at = packed.index(b"\xff\x4f\xff\x51")
    for place in (8, 12, 24, 28):
        packed[at + place : at + place + 4] = (60000).to_bytes(4, "big")
    with pytest.raises(Refused, match="another size"):
        transcode(bytes(packed), target, LE)


@settings(max_examples=60, deadline=5000)
@given(
    target=st.sampled_from(
        [uids.JPEG_LS_LOSSLESS, uids.JPEG_2000_LOSSLESS, uids.RLE_LOSSLESS, uids.JPEG_LOSSLESS_SV1]
    ),
    place=st.integers(0, 2000),
    value=st.integers(0, 255),
)
def test_damage_is_refused_or_read_but_never_raises_otherwise(target: str, place: int, value: int) -> None:
    packed = bytearray(transcode(_made("12 in 16", count=1)[0], LE, target))
    packed[place % len(packed)] = value
    try:
        transcode(bytes(packed), target, LE)
    except Refused as refusal:
        assert refusal.message


_DCMTK = {
    uids.JPEG_BASELINE: "dcmdjpeg",
    uids.JPEG_EXTENDED: "dcmdjpeg",
    uids.JPEG_LOSSLESS: "dcmdjpeg",
    uids.JPEG_LOSSLESS_SV1: "dcmdjpeg",
    uids.JPEG_LS_LOSSLESS: "dcmdjpls",
    uids.JPEG_LS_NEAR_LOSSLESS: "dcmdjpls",
    uids.RLE_LOSSLESS: "dcmdrle",
}


def _reference(path: Path, syntax: str, folder: Path) -> pydicom.Dataset | None:
    """The file decoded by somebody else: dcmtk where it is installed and knows the syntax, pydicom for native ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not uids.transfer_syntax(syntax).encapsulated:
            return pydicom.dcmread(path, force=True)
        tool = shutil.which(_DCMTK.get(syntax, ""))
        if tool is None:
            return pydicom.dcmread(path) if syntax == uids.RLE_LOSSLESS else None
        out = folder / "decoded.dcm"
        if subprocess.run([tool, path, out], capture_output=True, check=False).returncode:
            return None
        return pydicom.dcmread(out)


def test_real_files_decode_as_pydicom_and_dcmtk_decode_them(tmp_path: Path) -> None:
    compared = 0
    for path in dicom_files("codecs"):
        if path.stat().st_size > 1 << 20:
            continue
        whole = path.read_bytes()
        try:
            meta = part10.read_meta(whole)
            native = transcode(whole[meta.data_set_offset :], meta.transfer_syntax_uid, LE)
        except Refused:
            continue
        ours = pydicom.dcmread(BytesIO(as_file(native)))
        theirs = _reference(path, meta.transfer_syntax_uid, tmp_path)
        if theirs is None or "PixelData" not in theirs:
            continue
        try:
            expected = pixel_array(theirs, raw=True)
        except (AttributeError, ValueError):
            continue
        assert np.array_equal(pixel_array(ours, raw=True), expected), path
        assert ours.PhotometricInterpretation == theirs.PhotometricInterpretation, path
        compared += 1
    assert compared > 25


def test_jpeg_2000_of_a_sign_other_than_declared() -> None:
    """The pattern counts, not the code stream's idea of its sign."""
    pixels = _cells(16, 16, "<i2")
    signed = transcode(image(pixels.tobytes(), rows=16, columns=16, signed=True), LE, uids.JPEG_2000_LOSSLESS)
    at = signed.index(b"\x28\x00\x03\x01US\x02\x00") + 8
    mislabelled = signed[:at] + b"\x00\x00" + signed[at + 2 :]
    assert transcode(mislabelled, uids.JPEG_2000_LOSSLESS, LE).endswith(pixels.tobytes())


def test_files_that_pydicom_ships_in_jpeg_2000() -> None:
    """Against the same images uncompressed, from the same collection."""
    whole = shipped("MR_small_jp2klossless.dcm")
    meta = part10.read_meta(whole)
    native = transcode(whole[meta.data_set_offset :], meta.transfer_syntax_uid, LE)
    plain = pydicom.dcmread(BytesIO(shipped("MR_small.dcm")))
    assert plain.PixelData in native
