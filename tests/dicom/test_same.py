import pytest

from filmless.dicom import part10, uids
from filmless.dicom.pixels import transcode
from filmless.dicom.pixels.transcode import TARGETS
from filmless.dicom.same import same_object
from tests.dicom.build import element, image, sequence
from tests.dicom.sample_files import dicom_files

LE = uids.EXPLICIT_VR_LE
PIXELS = bytes(range(0, 256, 2)) * 4
RGB = {"bits": 8, "samples": 3, "photometric": "RGB"}


def _object(**changes: object) -> bytes:
    facts: dict[str, object] = {"rows": 16, "columns": 16, **changes}
    return image(PIXELS, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize("syntax", sorted(TARGETS))
def test_the_same_object_in_another_syntax(syntax: str) -> None:
    data = _object()
    assert same_object(data, LE, transcode(data, LE, syntax), syntax) is None
    assert same_object(transcode(data, LE, syntax), syntax, data, LE) is None


@pytest.mark.parametrize("syntax", sorted(TARGETS - {uids.JPEG_XL_LOSSLESS}))
def test_one_other_pixel_is_another_object(syntax: str) -> None:
    data = _object()
    other = bytearray(data)
    other[-7] ^= 1
    found = same_object(data, LE, transcode(bytes(other), LE, syntax), syntax)
    assert found is not None and found.path == "7FE00010"


def test_two_compressed_forms_of_one_object() -> None:
    data = image(bytes(range(192)) * 4, rows=16, columns=16, **RGB)  # type: ignore[arg-type]
    one = transcode(data, LE, uids.HTJ2K_LOSSLESS_RPCL)
    other = transcode(data, LE, uids.RLE_LOSSLESS)
    assert same_object(one, uids.HTJ2K_LOSSLESS_RPCL, other, uids.RLE_LOSSLESS) is None


def test_lengths_padding_and_group_lengths_do_not_count() -> None:
    item = element(0x00080100, "SH", b"T1")
    defined = sequence(0x00081140, [item])
    undefined = (
        b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
        + item
        + b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    )
    one = element(0x00080000, "UL", b"\x10\0\0\0") + element(0x00080060, "CS", b"MR") + defined
    other = element(0x00080060, "CS", b"MR  ") + undefined + element(0xFFFCFFFC, "OB", bytes(100))
    assert same_object(one, LE, other, LE) is None


@pytest.mark.parametrize(
    ("one", "other", "path"),
    [
        (element(0x00100020, "LO", b"1"), element(0x00100020, "LO", b"2"), "00100020"),
        (element(0x00100020, "LO", b"1"), b"", "00100020"),
        (element(0x00100020, "LO", b""), b"", "00100020"),
        (sequence(0x00081140, [b""]), sequence(0x00081140, []), "00081140"),
        (
            sequence(0x00081140, [element(0x00080100, "SH", b"T1")]),
            sequence(0x00081140, [element(0x00080100, "SH", b"T2")]),
            "00081140/1/00080100",
        ),
        (element(0x00091001, "UN", b"ab"), element(0x00091001, "UN", b"ac"), "00091001"),
    ],
)
def test_other_elements_make_another_object(one: bytes, other: bytes, path: str) -> None:
    base = element(0x0020000D, "UI", b"1.2")
    found = same_object(one + base if one[:1] < b"\x20" else base + one, LE, other + base, LE)
    assert found is not None
    assert found.path == path
    assert "T1" not in str(found)


def test_what_cannot_be_read_is_the_same_only_byte_for_byte() -> None:
    broken = element(0x00080060, "CS", b"MR") + b"\x10\x00\x10\x00PN\xff\xffDoe"
    assert same_object(broken, LE, bytes(bytearray(broken)), LE) is None
    found = same_object(broken, LE, broken + b"x", LE)
    assert found is not None and "cannot be compared" in found.words


def test_real_files_equal_themselves_uncompressed_and_changed_ones_do_not() -> None:
    compared = 0
    for path in dicom_files("odd"):
        if path.stat().st_size > 300_000:
            continue
        whole = path.read_bytes()
        try:
            meta = part10.read_meta(whole)
            data = whole[meta.data_set_offset :]
            target = uids.IMPLICIT_VR_LE if meta.transfer_syntax_uid != uids.IMPLICIT_VR_LE else LE
            other = transcode(data, meta.transfer_syntax_uid, target)
        except part10.Refused:
            continue
        assert same_object(data, meta.transfer_syntax_uid, other, target) is None, path
        at = other.find(b"1.2.840.10008.5.1.4.1.1.")
        if at > 0:
            changed = other[: at + 22] + b"9" + other[at + 23 :]
            assert same_object(data, meta.transfer_syntax_uid, changed, target) is not None, path
        compared += 1
    assert compared > 60
