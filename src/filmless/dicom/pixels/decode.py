"""Compressed frames to pixels (PS3.5 annex A.4), through imagecodecs."""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import imagecodecs
import numpy as np

from filmless.dicom import uids
from filmless.dicom.elements import Buffer
from filmless.dicom.frames import PixelFacts, PixelIndex, read
from filmless.dicom.pixels.codestream import jpeg_colour, stream_facts
from filmless.dicom.pixels.native import Array, fit, interleaved, shape_of, to_array
from filmless.dicom.rewrite import swap
from filmless.kit.errors import Refused

#: JPEG processes that the decoder has: baseline, extended, progressive and lossless, not hierarchical or arithmetic
_JPEG = {f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 53, 55, 57, 70)}
_JPEG_LOSSLESS = {uids.JPEG_LOSSLESS, uids.JPEG_LOSSLESS_SV1}
_JPEG_LS = {uids.JPEG_LS_LOSSLESS, uids.JPEG_LS_NEAR_LOSSLESS}
_JPEG_2000 = {uids.JPEG_2000_LOSSLESS, uids.JPEG_2000}
_HTJ2K_LOSSLESS = {uids.HTJ2K_LOSSLESS, uids.HTJ2K_LOSSLESS_RPCL}
_MAY_LOSE = {uids.JPEG_2000, uids.HTJ2K}
_JPEG_XL = {uids.JPEG_XL_LOSSLESS, uids.JPEG_XL_JPEG, uids.JPEG_XL}

#: encapsulated transfer syntaxes whose frames can be decoded
DECODABLE = frozenset(
    _JPEG
    | _JPEG_LS
    | _JPEG_2000
    | _HTJ2K_LOSSLESS
    | _JPEG_XL
    | {uids.HTJ2K, uids.RLE_LOSSLESS, uids.DEFLATED_FRAMES, uids.ENCAPSULATED_UNCOMPRESSED}
)

_OTHER_SIZE = "A frame has another size than rows and columns say."
#: a frame is decoded to no more than this; bytes
_MAX_FRAME = 1 << 30


class Decoded(NamedTuple):
    """`pixels` of shape (rows, columns) or (rows, columns, samples), with the photometric interpretation that they
    have now: colour transformations of the codec are undone."""

    pixels: Array
    facts: PixelFacts


def decode_frame(raw: bytes, facts: PixelFacts, transfer_syntax_uid: str) -> Decoded:
    """One frame, encapsulated or native little endian, as pixels by the facts' bits, sign, rows and columns.

    Raises Refused with the reason: a syntax without a decoder, a code stream that is damaged or that is not what
    the object says.
    """
    syntax = uids.transfer_syntax(transfer_syntax_uid)
    if not syntax.encapsulated:
        return Decoded(to_array(raw, facts), interleaved(facts))
    if transfer_syntax_uid not in DECODABLE:
        raise Refused(f"{syntax.name} cannot be decoded.", code="unsupported-syntax")
    if facts.frame_bits > 8 * _MAX_FRAME:
        raise Refused("A frame is too large to be decoded.", code="unsupported-pixels")
    coded = stream_facts(raw)
    if coded.rows and (coded.rows, coded.columns) != (facts.rows, facts.columns):
        raise Refused(_OTHER_SIZE, code="bad-pixels")  # before a damaged size costs memory and minutes
    try:
        pixels, photometric, bits = _decode(raw, facts, transfer_syntax_uid)
    except Refused:
        raise
    except (ValueError, RuntimeError, TypeError, IndexError, zlib.error, MemoryError) as error:
        raise Refused(f"A frame of {syntax.name} is damaged.", code="bad-pixels") from error
    if pixels.shape != shape_of(facts):
        raise Refused(_OTHER_SIZE, code="bad-pixels")
    now = replace(interleaved(facts), photometric=photometric)
    return Decoded(pixels if facts.bits_allocated == 1 else fit(pixels, facts, bits=bits), now)


def decode_frames(data: Buffer, index: PixelIndex, transfer_syntax_uid: str) -> Iterator[Decoded]:
    """The frames of a little endian data set one after the other; `index` of the same data."""
    syntax = transfer_syntax_uid if index.encapsulated else uids.EXPLICIT_VR_LE
    for number, place in enumerate(index.places):
        raw = read(data, place)
        shift = index.bit_shift(number)
        if shift:  # a frame of one bit per pixel that begins within a byte (PS3.5 8.1.1)
            raw = (int.from_bytes(raw, "little") >> shift).to_bytes(len(raw), "little")
        yield decode_frame(raw, index.facts, syntax)


def _decode(raw: bytes, facts: PixelFacts, uid: str) -> tuple[Array, str, int]:
    """(samples, photometric interpretation now, bits per sample as coded)."""
    if uid == uids.RLE_LOSSLESS:
        return _rle(raw, facts), facts.photometric, facts.bits_allocated
    if uid in (uids.DEFLATED_FRAMES, uids.ENCAPSULATED_UNCOMPRESSED):
        if uid == uids.DEFLATED_FRAMES:
            raw = zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw, _MAX_FRAME)
        return to_array(raw, facts), interleaved(facts).photometric, facts.bits_allocated
    bits = stream_facts(raw).bits
    if uid in _JPEG:
        return (*_jpeg(raw, facts, lossless=uid in _JPEG_LOSSLESS), bits)
    if uid in _JPEG_LS:
        return _contiguous(imagecodecs.jpegls_decode(raw), facts), _upsampled(facts), bits
    if uid in _JPEG_XL:
        pixels = imagecodecs.jpegxl_decode(raw)
        return _contiguous(pixels, facts), "RGB" if facts.samples == 3 else facts.photometric, 0
    if uid in _HTJ2K_LOSSLESS:
        pixels = imagecodecs.htj2k_decode(raw, planar=False)
    else:
        # what loses may go beyond the range of its bits: OpenJPEG stops at the end, OpenJPH goes on at the other one
        pixels = imagecodecs.jpeg2k_decode(raw, planar=False)
        if uid in _MAY_LOSE and bits > facts.bits_stored:
            pixels = _within(pixels, facts)
    return _contiguous(pixels, facts), _after_transform(raw, facts), bits


def _contiguous(pixels: Array, facts: PixelFacts) -> Array:
    """Some decoders give planes, or an axis too many."""
    if pixels.ndim == 3 and facts.samples > 1 and pixels.shape[0] == facts.samples != pixels.shape[2]:
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim == 3 and facts.samples == 1 and 1 in (pixels.shape[0], pixels.shape[2]):
        pixels = pixels.reshape(facts.rows, facts.columns)
    return np.ascontiguousarray(pixels)


def _within(pixels: Array, facts: PixelFacts) -> Array:
    """Samples of a stream with more bits than are stored, which loss may have led beyond those: the nearest."""
    if np.issubdtype(pixels.dtype, np.signedinteger) != facts.signed:
        return pixels
    low, high = (
        (-(1 << facts.bits_stored - 1), (1 << facts.bits_stored - 1) - 1)
        if facts.signed
        else (0, (1 << facts.bits_stored) - 1)
    )
    return np.clip(pixels, low, high)


def _upsampled(facts: PixelFacts) -> str:
    return "YBR_FULL" if facts.photometric == "YBR_FULL_422" else facts.photometric


def _after_transform(raw: bytes, facts: PixelFacts) -> str:
    """JPEG 2000 with its component transformation is RGB once decoded (PS3.5 A.4.4)."""
    if facts.samples == 3 and (stream_facts(raw).transformed or facts.photometric in ("YBR_RCT", "YBR_ICT")):
        return "RGB"
    return _upsampled(facts)


def _jpeg(raw: bytes, facts: PixelFacts, *, lossless: bool) -> tuple[Array, str]:
    """JPEG: lossy colour in YCbCr becomes RGB, because 8-bit YBR is converted by every viewer anyway and is often
    mislabelled; lossless samples are given as they are."""
    if facts.samples == 1 or lossless:
        space = None if facts.samples == 1 else "RGB"
        return imagecodecs.jpeg8_decode(raw, colorspace=space, outcolorspace=space), _upsampled(facts)
    colour = jpeg_colour(raw)
    if colour.adobe is not None:
        ybr = colour.adobe == 1
    elif colour.components == (0x52, 0x47, 0x42):
        ybr = False
    else:
        ybr = facts.photometric != "RGB" or colour.jfif
    space = "YCBCR" if ybr else "RGB"
    return imagecodecs.jpeg8_decode(raw, colorspace=space, outcolorspace="RGB"), "RGB"


def _rle(raw: bytes, facts: PixelFacts) -> Array:
    """RLE (PS3.5 annex G): a header of 16 words, then one segment per byte of each sample, most significant first."""
    if len(raw) < 64:
        raise Refused("An RLE frame is shorter than its header.", code="bad-pixels")
    words = np.frombuffer(raw[:64], "<u4")
    width = max(facts.bits_allocated // 8, 1)
    wanted = facts.samples * width
    count = int(words[0])
    if count != wanted:
        raise Refused(f"An RLE frame has {count} segments instead of {wanted}.", code="bad-pixels")
    starts = [int(word) for word in words[1 : count + 1]] + [len(raw)]
    cells = facts.rows * facts.columns
    if facts.bits_allocated == 1:
        cells = (cells + 7) // 8
    planes = np.zeros((facts.samples, cells, width), np.uint8)
    for number in range(count):
        segment = raw[starts[number] : starts[number + 1]]
        plain = unpack_bits(segment, cells)
        sample, place = divmod(number, width)
        planes[sample, :, width - 1 - place] = np.frombuffer(plain, np.uint8)
    if facts.bits_allocated == 1:
        return to_array(planes.tobytes(), facts)
    flat = planes.reshape(facts.samples, -1).view(f"<u{width}")
    if facts.samples == 1:
        return flat.reshape(facts.rows, facts.columns)
    return np.ascontiguousarray(flat.T).reshape(facts.rows, facts.columns, facts.samples)


def unpack_bits(segment: bytes, wanted: int) -> bytes:
    """One RLE segment as `wanted` bytes; the rest after them is padding (PS3.5 G.3.1)."""
    plain = bytes(imagecodecs.packbits_decode(segment))
    if len(plain) < wanted:
        raise Refused("An RLE segment is too short.", code="bad-pixels")
    return plain[:wanted]


def little_endian(raw: bytes, facts: PixelFacts, vr: str) -> bytes:
    """A native big endian pixel data value in little endian: OW in words of 16 bits, wider cells whole."""
    width = facts.bits_allocated // 8
    if vr == "OB" and width <= 1:
        return raw
    return swap(raw, max(2, width))
