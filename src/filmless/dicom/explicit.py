"""From implicit to explicit VR little endian without touching the pixels: the header anew, the pixels where they are.

What dicom.pixels.transcode does to such an object, without numpy and without reading its pixels: scanners send
implicit VR often, and PS3.18 does not let it out unless it is asked for.
"""

from dataclasses import dataclass

from filmless.dicom import frames
from filmless.dicom.builders.encode import element
from filmless.dicom.elements import UNDEFINED, Buffer
from filmless.dicom.rewrite import EXPLICIT_LE, IMPLICIT_LE, Encoding, reencode
from filmless.dicom.scan import scan
from filmless.dicom.uids import IMPLICIT_VR_LE


@dataclass(frozen=True, slots=True)
class Explicit:
    """The data set: `head`, then bytes [start, start + length) of what it was made from, then `tail`."""

    head: bytes
    start: int
    length: int
    tail: bytes


def explicit(data: Buffer) -> Explicit | None:
    """An implicit VR little endian data set in explicit VR; None where more must be done than this does.

    Raises Refused where the data do not add up.
    """
    header = scan(data, IMPLICIT_VR_LE, frames.FACT_TAGS)
    if Encoding(header.explicit, header.little) != IMPLICIT_LE or not header.ended:
        return None
    at = header.pixel_offset
    if at is None:
        return Explicit(reencode(data, 0, len(data), IMPLICIT_LE, EXPLICIT_LE), len(data), 0, b"")
    start = at + 8
    length = int.from_bytes(data[at + 4 : start], "little")
    if length == UNDEFINED or length % 2 or start + length > len(data):
        return None
    facts = frames.facts_of(header, 0x7FE00000 + int.from_bytes(data[at + 2 : at + 4], "little"))
    vr = "OW" if facts.bits_allocated > 8 else "OB"
    if facts.is_float:
        vr = "OF" if facts.tag == frames.FLOAT_PIXEL_DATA else "OD"
    head = reencode(data, 0, at, IMPLICIT_LE, EXPLICIT_LE)
    # element() of an empty value ends with its length of four bytes
    head += element(facts.tag, vr, b"")[:-4] + length.to_bytes(4, "little")
    return Explicit(head, start, length, reencode(data, start + length, len(data), IMPLICIT_LE, EXPLICIT_LE))
