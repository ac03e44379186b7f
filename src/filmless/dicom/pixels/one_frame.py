"""One frame of an object in another transfer syntax, without reading the others."""

from filmless.dicom import frames, uids
from filmless.dicom.elements import Buffer
from filmless.dicom.frames import PixelFacts, Place
from filmless.dicom.pixels.decode import decode_frame, little_endian
from filmless.dicom.pixels.encode import coded_bits, encode_frame, encoded_facts
from filmless.dicom.pixels.native import to_bytes
from filmless.dicom.pixels.transcode import can_transcode
from filmless.dicom.rewrite import inflate
from filmless.dicom.scan import scan
from filmless.kit.errors import Refused

#: targets whose frames are native, little endian
_NATIVE = frozenset({uids.EXPLICIT_VR_LE, uids.IMPLICIT_VR_LE})


def transcode_frame(data: Buffer, source_uid: str, number: int, place: Place, target_uid: str) -> bytes:
    """Frame `number` (from 0) of a data set, at `place` in it (() where that is not known), without loss.

    Native pixels stay as the header says (planar configuration, photometric interpretation); compressed ones become
    what decoding them gives, interleaved (dicom.pixels.decode). Raises Refused with the reason where it cannot be.
    """
    if not can_transcode(source_uid, target_uid):
        raise Refused(
            f"{uids.name_of(source_uid)} cannot be turned into {uids.name_of(target_uid)}.",
            code="unsupported-syntax",
        )
    if uids.transfer_syntax(source_uid).deflated:
        data, source_uid, place = inflate(data), uids.EXPLICIT_VR_LE, ()
    header = scan(data, source_uid, frames.FACT_TAGS)
    at = header.pixel_offset
    if at is None:
        raise Refused("The object has no pixels.", code="bad-pixels")
    if not place:
        found = frames.index(data, source_uid, header)
        if found is None or number >= len(found.places):
            raise Refused("There is no such frame.", code="bad-pixels")
        place = found.places[number]
    element = int.from_bytes(data[at + 2 : at + 4], "little" if header.little else "big")
    facts = frames.facts_of(header, 0x7FE00000 + element)
    if uids.transfer_syntax(source_uid).encapsulated:
        raw = frames.read(data, place)
    else:
        vr = bytes(data[at + 4 : at + 6]).decode("ascii", "replace") if header.explicit else "OW"
        raw = _native(data, facts, number, place, "" if header.little else vr)
        if target_uid in _NATIVE:
            return raw
        source_uid = uids.EXPLICIT_VR_LE
    decoded = decode_frame(raw, facts, source_uid)
    if target_uid in _NATIVE:
        return to_bytes(decoded.pixels, decoded.facts)
    encoded_facts(decoded.facts, target_uid)
    bits = coded_bits([decoded.pixels], decoded.facts)
    return encode_frame(decoded.pixels, decoded.facts, target_uid, bits=bits)


def _native(data: Buffer, facts: PixelFacts, number: int, place: Place, swapped: str) -> bytes:
    """The bytes of a native frame, little endian, from its first bit on. `swapped`: the VR of big endian pixels."""
    start, length = number * facts.frame_bits // 8, place[1]
    if swapped:
        # bytes are exchanged within words, which need not begin where a frame does
        width = 1 if swapped == "OB" and facts.bits_allocated <= 8 else max(2, facts.bits_allocated // 8)
        before = start % width
        window = before + length + -(before + length) % width
        at = place[0] - before
        raw = little_endian(bytes(data[at : at + window]), facts, swapped)[before : before + length]
    else:
        raw = frames.read(data, place)
    if shift := number * facts.frame_bits % 8:
        raw = (int.from_bytes(raw, "little") >> shift).to_bytes(len(raw), "little")
    raw = raw[: (facts.frame_bits + 7) // 8]
    if rest := facts.frame_bits % 8:
        # the bits behind it are the next frame's
        raw = raw[:-1] + bytes([raw[-1] & ((1 << rest) - 1)])
    return raw
