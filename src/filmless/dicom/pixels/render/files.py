"""Still pictures as files, with a colour profile where there is one."""

import struct
import zlib

import imagecodecs
import numpy as np

from filmless.dicom.pixels.render.values import Array

_ICC_PART = 65519  # what an APP2 segment holds of a profile beside its own words (ICC.1 annex B.4)


def still(pixels: Array, media_type: str, *, quality: int, profile: bytes = b"") -> bytes:
    """uint8 pixels (rows, columns) or (rows, columns, 3) as a file."""
    pixels = np.ascontiguousarray(pixels)
    if media_type == "image/png":
        return _with_png_profile(bytes(imagecodecs.png_encode(pixels, level=4)), profile)
    if media_type == "image/gif":
        from filmless.dicom.pixels.render.moving import gif

        return gif(iter([pixels]), [0])
    if pixels.ndim == 2:
        return _with_jpeg_profile(bytes(imagecodecs.jpeg8_encode(pixels, level=quality)), profile)
    subsampling = "444" if quality >= 90 else "420"
    coded = imagecodecs.jpeg8_encode(pixels, level=quality, subsampling=subsampling)
    return _with_jpeg_profile(bytes(coded), profile)


def _with_png_profile(file: bytes, profile: bytes) -> bytes:
    """An iCCP chunk right behind the header (PNG 11.3.2.3)."""
    if not profile:
        return file
    body = b"iCCP" + b"icc\0\0" + zlib.compress(profile)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    end = 8 + 25  # the signature and IHDR
    return file[:end] + chunk + file[end:]


def _with_jpeg_profile(file: bytes, profile: bytes) -> bytes:
    """APP2 segments behind the APP0 of JFIF (ICC.1 annex B.4)."""
    if not profile:
        return file
    parts = [profile[at : at + _ICC_PART] for at in range(0, len(profile), _ICC_PART)]
    if len(parts) > 255:
        return file
    segments = b"".join(
        b"\xff\xe2"
        + struct.pack(">H", len(part) + 16)
        + b"ICC_PROFILE\0"
        + bytes([number, len(parts)])
        + part
        for number, part in enumerate(parts, 1)
    )
    at = 2
    if file[2:4] == b"\xff\xe0":
        at = 4 + int.from_bytes(file[4:6], "big")
    return file[:at] + segments + file[at:]
