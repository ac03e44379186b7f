"""A data set from one transfer syntax to another without loss (PS3.5 annex A).

Never lossy by surprise: the target is uncompressed or lossless. Pixels that were lossy already keep their mark
(Lossy Image Compression (0028,2110)) and their SOP Instance UID, since decoding changes no value further.
"""

from filmless.dicom import frames, uids
from filmless.dicom.builders.encode import element
from filmless.dicom.elements import Buffer
from filmless.dicom.frames import PixelFacts, PixelIndex
from filmless.dicom.pixels.decode import DECODABLE, decode_frames, little_endian
from filmless.dicom.pixels.encode import ENCODABLE, coded_bits, encode_frame, encoded_facts
from filmless.dicom.pixels.native import Array, to_bytes
from filmless.dicom.rewrite import EXPLICIT_LE, IMPLICIT_LE, Encoding, deflate, inflate, reencode
from filmless.dicom.rewrite import replace as put_elements
from filmless.dicom.scan import scan
from filmless.kit.errors import Refused

_NATIVE = {
    uids.EXPLICIT_VR_LE: EXPLICIT_LE,
    uids.IMPLICIT_VR_LE: IMPLICIT_LE,
    uids.DEFLATED_EXPLICIT_VR_LE: EXPLICIT_LE,
    uids.EXPLICIT_VR_BE: Encoding(explicit=True, little=False),
}
_PHOTOMETRIC, _PLANAR = 0x00280004, 0x00280006
_EXTENDED_OFFSETS, _EXTENDED_LENGTHS = 0x7FE00001, 0x7FE00002

#: what can be written: targets of `transcode`
TARGETS = frozenset(_NATIVE) | ENCODABLE


def can_transcode(source_uid: str, target_uid: str) -> bool:
    """Whether the syntaxes allow it; the pixels of one object may still stand against it."""
    readable = source_uid in _NATIVE or source_uid in DECODABLE
    return source_uid == target_uid or (readable and target_uid in TARGETS)


def transcode(data: Buffer, source_uid: str, target_uid: str) -> bytes:
    """The data set in another transfer syntax, pixels unchanged in value.

    Photometric Interpretation and Planar Configuration follow; all other elements stay as they are, byte for
    byte where the target's encoding of elements is that of the source. Raises Refused with the reason where it
    cannot be done.
    """
    if source_uid == target_uid:
        return bytes(data)
    if not can_transcode(source_uid, target_uid):
        raise Refused(
            f"{uids.name_of(source_uid)} cannot be turned into {uids.name_of(target_uid)}.",
            code="unsupported-syntax",
        )
    if uids.transfer_syntax(source_uid).deflated:
        data = inflate(data)
    plain = _to_explicit_le(data, source_uid)
    result = _to_target(plain, _pixel_syntax(source_uid), target_uid)
    return deflate(result) if target_uid == uids.DEFLATED_EXPLICIT_VR_LE else result


def _pixel_syntax(uid: str) -> str:
    return uids.EXPLICIT_VR_LE if uid in _NATIVE else uid


def _to_explicit_le(data: Buffer, source_uid: str) -> bytes:
    """The whole data set in explicit VR little endian, pixel data native or encapsulated as they were."""
    header = scan(data, _header_syntax(source_uid), frames.FACT_TAGS)
    source = Encoding(header.explicit, header.little)
    if source == EXPLICIT_LE:
        return bytes(data)
    index = frames.index(data, source_uid, header)
    if index is None:
        return reencode(data, 0, len(data), source, EXPLICIT_LE)
    value = bytes(data[index.value_offset : index.end])
    if index.encapsulated and source.little:  # against PS3.5 A.4, but all there is to do is to add the VRs
        pixels = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + value
    elif index.encapsulated:
        raise Refused("Encapsulated pixel data must be little endian.", code="bad-pixels")
    else:
        vr = _sent_vr(data, index) if source.explicit else _pixel_vr(index.facts)
        if not source.little:
            value = little_endian(value, index.facts, vr)
        pixels = element(index.facts.tag, vr, value)
    return (
        reencode(data, 0, index.offset, source, EXPLICIT_LE)
        + pixels
        + reencode(data, index.end, len(data), source, EXPLICIT_LE)
    )


def _sent_vr(data: Buffer, index: PixelIndex) -> str:
    """OB, OW, OF or OD as the element has it, in explicit VR."""
    sent = bytes(data[index.offset + 4 : index.offset + 6]).decode("ascii", "replace")
    return sent if sent in ("OB", "OW", "OF", "OD") else _pixel_vr(index.facts)


def _header_syntax(uid: str) -> str:
    """For an inflated data set: what it is now."""
    return uids.EXPLICIT_VR_LE if uids.transfer_syntax(uid).deflated else uid


def _pixel_vr(facts: PixelFacts) -> str:
    """PS3.5 A.2: OW above 8 bits, else OB; OF and OD for floating point."""
    if facts.is_float:
        return "OF" if facts.tag == frames.FLOAT_PIXEL_DATA else "OD"
    return "OW" if facts.bits_allocated > 8 else "OB"


def _to_target(plain: bytes, source_uid: str, target_uid: str) -> bytes:
    """From explicit VR little endian (pixels in `source_uid`) to the target, not yet deflated."""
    header = scan(plain, uids.EXPLICIT_VR_LE, frames.FACT_TAGS)
    index = frames.require(plain, source_uid, header)
    if index is None:
        return _write_native(plain, b"", b"", target_uid, None, "")
    head_end, tail = index.offset, plain[index.end :]
    if target_uid in _NATIVE and not index.encapsulated:
        value = plain[index.value_offset : index.end]
        return _write_native(plain[:head_end], value, tail, target_uid, index.facts, _sent_vr(plain, index))
    if target_uid in _NATIVE:
        facts, value = _decode_all(plain, index, source_uid)
        head = _with_facts(plain, head_end, index.facts, facts)
        return _write_native(head, value, tail, target_uid, facts, _pixel_vr(facts))
    decoded = list(decode_frames(plain, index, source_uid))
    arrays = [one.pixels for one in decoded]
    now = decoded[0].facts if decoded else index.facts
    if any(one.facts != now for one in decoded):
        raise Refused("The frames differ in their colours.", code="bad-pixels")
    facts = encoded_facts(now, target_uid)
    bits = coded_bits(arrays, now)
    encoded = [encode_frame(array, now, target_uid, bits=bits) for array in arrays]
    head = _with_facts(plain, head_end, index.facts, facts)
    return head + encapsulate(encoded) + tail


def _decode_all(plain: bytes, index: PixelIndex, source_uid: str) -> tuple[PixelFacts, bytes]:
    """(the facts now, all frames native little endian)."""
    out = bytearray()
    facts: PixelFacts | None = None
    ones: list[Array] = []
    for one in decode_frames(plain, index, source_uid):
        if facts is not None and one.facts != facts:
            raise Refused("The frames differ in their colours.", code="bad-pixels")
        facts = one.facts
        if facts.bits_allocated == 1:
            ones.append(one.pixels)
        else:
            out += to_bytes(one.pixels, facts)
    if facts is None:
        raise Refused("There are no frames.", code="bad-pixels")
    if ones:  # frames follow each other without padding between them
        import numpy as np

        out += to_bytes(np.concatenate([one.ravel() for one in ones]), facts)
    return facts, bytes(out)


def _with_facts(plain: bytes, end: int, before: PixelFacts, now: PixelFacts) -> bytes:
    """plain[:end] with what changed in the Image Pixel module, and without tables of frame offsets."""
    changes: dict[int, bytes | None] = {_EXTENDED_OFFSETS: None, _EXTENDED_LENGTHS: None}
    if now.photometric != before.photometric:
        changes[_PHOTOMETRIC] = element(_PHOTOMETRIC, "CS", now.photometric.encode("ascii"))
    if now.samples > 1 and now.planar != before.planar:
        changes[_PLANAR] = element(_PLANAR, "US", int(now.planar).to_bytes(2, "little"))
    return put_elements(plain, end, changes)


def _write_native(
    head: bytes, value: bytes, tail: bytes, target_uid: str, facts: PixelFacts | None, vr: str
) -> bytes:
    """Head, native pixels and tail, all explicit VR little endian until here, in the target's encoding."""
    target = _NATIVE.get(target_uid, EXPLICIT_LE)
    pixels = b""
    if facts is not None:
        value += b"\0" * (len(value) % 2)
        if not target.little:
            value = little_endian(value, facts, vr)  # the same exchange of bytes in either direction
        if len(value) >= 0xFFFFFFFF:
            raise Refused("The pixels are too long to be uncompressed.", code="unsupported-pixels")
        pixels = _pixel_element(facts.tag, vr, value, target)
    if target == EXPLICIT_LE:
        return head + pixels + tail
    return (
        reencode(head, 0, len(head), EXPLICIT_LE, target)
        + pixels
        + reencode(tail, 0, len(tail), EXPLICIT_LE, target)
    )


def _pixel_element(tag: int, vr: str, value: bytes, target: Encoding) -> bytes:
    if target == EXPLICIT_LE:
        return element(tag, vr, value)
    if target == IMPLICIT_LE:
        return (
            (tag >> 16).to_bytes(2, "little")
            + (tag & 0xFFFF).to_bytes(2, "little")
            + len(value).to_bytes(4, "little")
            + value
        )
    return tag.to_bytes(4, "big") + vr.encode() + b"\0\0" + len(value).to_bytes(4, "big") + value


def encapsulate(encoded: list[bytes]) -> bytes:
    """Pixel Data (7FE0,0010) of one fragment per frame, with a basic offset table (PS3.5 A.4) where its 32-bit offsets
    reach, else an empty one."""
    offsets, at = [], 0
    for frame in encoded:
        offsets.append(at)
        at += 8 + len(frame)
    table = b"".join(offset.to_bytes(4, "little") for offset in offsets) if at < 1 << 32 else b""
    parts = [
        b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff",
        b"\xfe\xff\x00\xe0",
        len(table).to_bytes(4, "little"),
        table,
    ]
    for frame in encoded:
        parts += [b"\xfe\xff\x00\xe0", len(frame).to_bytes(4, "little"), frame]
    parts.append(b"\xfe\xff\xdd\xe0\0\0\0\0")
    return b"".join(parts)
