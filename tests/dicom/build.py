"""Small data sets made element by element, sound and unsound, without a DICOM library."""

from filmless.dicom import part10, uids
from filmless.dicom.builders.encode import element, sequence


def us(tag: int, number: int) -> bytes:
    return element(tag, "US", number.to_bytes(2, "little"))


def image(
    pixels: bytes,
    *,
    rows: int,
    columns: int,
    bits: int = 16,
    stored: int = 0,
    signed: bool = False,
    samples: int = 1,
    photometric: str = "MONOCHROME2",
    planar: int = 0,
    frames: int = 1,
    pixel_element: bytes = b"",
    extra: bytes = b"",
) -> bytes:
    """A secondary capture image in explicit VR little endian."""
    stored = stored or bits
    return b"".join(
        [
            element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7"),
            element(0x00080018, "UI", b"1.2.3.4"),
            element(0x00100010, "PN", b"Image^Made"),
            element(0x0020000D, "UI", b"1.2.3"),
            extra,
            us(0x00280002, samples),
            element(0x00280004, "CS", photometric.encode()),
            us(0x00280006, planar) if samples > 1 else b"",
            element(0x00280008, "IS", str(frames).encode()),
            us(0x00280010, rows),
            us(0x00280011, columns),
            us(0x00280100, bits),
            us(0x00280101, stored),
            us(0x00280102, stored - 1),
            us(0x00280103, int(signed)),
            pixel_element or element(0x7FE00010, "OW" if bits > 8 else "OB", pixels),
        ]
    )


def as_file(data_set: bytes, transfer_syntax_uid: str = uids.EXPLICIT_VR_LE) -> bytes:
    """With preamble and file meta information."""
    return (
        part10.build_preamble_and_meta("1.2.840.10008.5.1.4.1.1.7", "1.2.3.4", transfer_syntax_uid) + data_set
    )


__all__ = ["as_file", "element", "image", "sequence", "us"]
