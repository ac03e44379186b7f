"""Pixels to frames of the lossless transfer syntaxes, through imagecodecs. Nothing here loses anything."""

import zlib
from collections.abc import Sequence
from dataclasses import replace

import imagecodecs
import numpy as np

from filmless.dicom import uids
from filmless.dicom.frames import PixelFacts
from filmless.dicom.pixels.native import Array, to_bytes
from filmless.kit.errors import Refused

#: encapsulated transfer syntaxes that can be written
ENCODABLE = frozenset(
    {
        uids.JPEG_LOSSLESS,
        uids.JPEG_LOSSLESS_SV1,
        uids.JPEG_LS_LOSSLESS,
        uids.JPEG_2000_LOSSLESS,
        uids.HTJ2K_LOSSLESS,
        uids.HTJ2K_LOSSLESS_RPCL,
        uids.JPEG_XL_LOSSLESS,
        uids.RLE_LOSSLESS,
        uids.DEFLATED_FRAMES,
        uids.ENCAPSULATED_UNCOMPRESSED,
    }
)
_JPEG_2000 = {uids.JPEG_2000_LOSSLESS, uids.HTJ2K_LOSSLESS, uids.HTJ2K_LOSSLESS_RPCL}
#: syntaxes that take any pixel cell: they know bytes, not numbers
_BYTES = {uids.RLE_LOSSLESS, uids.DEFLATED_FRAMES, uids.ENCAPSULATED_UNCOMPRESSED}


def encoded_facts(facts: PixelFacts, transfer_syntax_uid: str) -> PixelFacts:
    """The facts that the encoded object has. Raises Refused with the reason where the syntax cannot hold these pixels
    without loss."""
    name = uids.name_of(transfer_syntax_uid)
    if transfer_syntax_uid not in ENCODABLE:
        raise Refused(f"{name} cannot be written.", code="unsupported-syntax")
    if facts.is_float:
        raise Refused("Floating point pixels stay uncompressed.", code="unsupported-pixels")
    planar = transfer_syntax_uid == uids.RLE_LOSSLESS and facts.samples > 1
    if transfer_syntax_uid in _BYTES:
        return replace(facts, planar=planar)
    if facts.bits_allocated not in (8, 16) or facts.samples not in (1, 3):
        raise Refused(
            f"{name} cannot hold pixels of {facts.bits_allocated} bits allocated and {facts.samples} samples.",
            code="unsupported-pixels",
        )
    if transfer_syntax_uid == uids.JPEG_XL_LOSSLESS and (facts.signed or facts.photometric.startswith("YBR")):
        raise Refused(f"{name} cannot hold signed or YBR pixels.", code="unsupported-pixels")
    photometric = facts.photometric
    if transfer_syntax_uid in _JPEG_2000 and facts.samples == 3 and photometric == "RGB":
        photometric = "YBR_RCT"
    return replace(facts, planar=False, photometric=photometric)


def coded_bits(frames: Sequence[Array], facts: PixelFacts) -> int:
    """Bits per sample to code: the bits stored where every cell is a number of so many bits, else those allocated
    (there may be overlays in the bits above, PS3.5 8.1.1)."""
    bits, allocated = facts.bits_stored, facts.bits_allocated
    if not 2 <= bits < allocated or facts.high_bit != bits - 1:
        return allocated
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if facts.signed else (0, (1 << bits) - 1)
    clean = all(int(frame.min()) >= low and int(frame.max()) <= high for frame in frames if frame.size)
    return bits if clean else allocated


def encode_frame(pixels: Array, facts: PixelFacts, transfer_syntax_uid: str, *, bits: int) -> bytes:
    """One frame of shape (rows, columns[, samples]) in little endian cells, padded to an even number of bytes.

    `facts` of the pixels as they are, `bits` from `coded_bits` of all frames. Call `encoded_facts` first.
    """
    pixels = np.ascontiguousarray(pixels).astype(pixels.dtype.newbyteorder("="), copy=False)
    out = _encode(pixels, facts, transfer_syntax_uid, bits)
    return out + b"\0" * (len(out) % 2)


def _encode(pixels: Array, facts: PixelFacts, uid: str, bits: int) -> bytes:
    if uid == uids.ENCAPSULATED_UNCOMPRESSED:
        return to_bytes(pixels, facts)
    if uid == uids.DEFLATED_FRAMES:
        stream = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        return stream.compress(to_bytes(pixels, facts)) + stream.flush()
    if uid == uids.RLE_LOSSLESS:
        return _rle(pixels, facts)
    rgb = facts.samples == 3 and facts.photometric == "RGB"
    if uid in (uids.HTJ2K_LOSSLESS, uids.HTJ2K_LOSSLESS_RPCL):
        # the codec writes RPCL order; with tile-part lengths it is the syntax for random access (PS3.5 A.4.14)
        return bytes(imagecodecs.htj2k_encode(pixels, reversible=True, tlm=True, rgb=rgb))
    if uid == uids.JPEG_2000_LOSSLESS:
        return bytes(
            imagecodecs.jpeg2k_encode(
                pixels, level=0, codecformat="j2k", reversible=True, mct=rgb, bitspersample=bits, numthreads=1
            )
        )
    # these code unsigned numbers only: signed ones go as their two's complement pattern
    pattern = pixels.view(f"u{pixels.dtype.itemsize}")
    if uid == uids.JPEG_LS_LOSSLESS:
        return bytes(imagecodecs.jpegls_encode(pattern))
    if uid == uids.JPEG_XL_LOSSLESS:
        return bytes(imagecodecs.jpegxl_encode(pattern, lossless=True, effort=3, numthreads=1))
    if bits < facts.bits_allocated and facts.signed:
        pattern = pattern & pattern.dtype.type((1 << bits) - 1)
    space = None if facts.samples == 1 else "RGB"  # as they are: no colour transformation
    return bytes(
        imagecodecs.jpeg8_encode(
            pattern, lossless=True, predictor=1, bitspersample=bits, colorspace=space, outcolorspace=space
        )
    )


def _rle(pixels: Array, facts: PixelFacts) -> bytes:
    """PS3.5 annex G: each row of each byte plane by itself, segments of even length."""
    if facts.bits_allocated == 1:
        raise Refused("Pixels of one bit stay uncompressed.", code="unsupported-pixels")
    width = facts.bits_allocated // 8
    cells = pixels.reshape(facts.rows, facts.columns, facts.samples)
    little = cells.astype(f"<{cells.dtype.kind}{width}")
    octets = little.view(np.uint8).reshape(facts.rows, facts.columns, facts.samples, width)
    if facts.samples * width > 15:
        raise Refused("RLE holds at most 15 segments.", code="unsupported-pixels")
    segments = []
    for sample in range(facts.samples):
        for place in reversed(range(width)):
            plane = np.ascontiguousarray(octets[:, :, sample, place])
            packed = b"".join(bytes(imagecodecs.packbits_encode(row.tobytes())) for row in plane)
            segments.append(packed + b"\0" * (len(packed) % 2))
    header = [len(segments), *np.cumsum([64, *map(len, segments[:-1])]).tolist()]
    header += [0] * (16 - len(header))
    return np.array(header, "<u4").tobytes() + b"".join(segments)
