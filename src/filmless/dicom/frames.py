"""Where the frames of an object's pixel data are (PS3.5 8.2 and A.4), without decoding any."""

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from struct import unpack_from
from typing import Literal

from filmless.dicom.elements import IMPLICIT_HEAD, ITEM, UNDEFINED, Buffer, tag_of
from filmless.dicom.header import Header, integer, text
from filmless.dicom.scan import PIXEL_TAGS, scan
from filmless.dicom.uids import RLE_LOSSLESS, transfer_syntax
from filmless.kit.errors import Refused

FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA, PIXEL_DATA = PIXEL_TAGS
_EXTENDED_OFFSETS, _EXTENDED_LENGTHS = 0x7FE00001, 0x7FE00002

#: what the facts below need of a data set
FACT_TAGS = frozenset(
    {
        0x00080005,
        0x00280002,
        0x00280004,
        0x00280006,
        0x00280008,
        0x00280010,
        0x00280011,
        0x00280100,
        0x00280101,
        0x00280102,
        0x00280103,
        _EXTENDED_OFFSETS,
        _EXTENDED_LENGTHS,
    }
)

#: how compressed frames begin: JPEG and JPEG-LS, JPEG 2000 and HTJ2K (code stream, JP2 box), JPEG XL (both forms)
_STARTS = (
    b"\xff\xd8\xff",
    b"\xff\x4f\xff\x51",
    b"\0\0\0\x0cjP  ",
    b"\xff\x0a",
    b"\0\0\0\x0cJXL ",
)

Place = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PixelFacts:
    """The Image Pixel module (PS3.3 C.7.6.3) as far as decoding needs it."""

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    photometric: str
    #: Planar Configuration 1: the planes of a frame follow each other
    planar: bool
    frames: int
    #: which of the three pixel data elements
    tag: int = PIXEL_DATA

    @property
    def is_float(self) -> bool:
        """Whether the pixels are floating point numbers."""
        return self.tag != PIXEL_DATA

    @property
    def subsampled(self) -> bool:
        """Whether native frames have half the chrominance samples (PS3.3 C.7.6.3.1.2)."""
        return self.photometric in ("YBR_FULL_422", "YBR_PARTIAL_422") and self.samples == 3

    @property
    def frame_bits(self) -> int:
        """Bits of one native frame."""
        samples = 2 if self.subsampled else self.samples
        return self.rows * self.columns * samples * self.bits_allocated


@dataclass(frozen=True, slots=True)
class PixelIndex:
    """The pixel data element of one data set and the frames in it."""

    facts: PixelFacts
    transfer_syntax_uid: str
    #: whether the element is really encapsulated, whatever the syntax says
    encapsulated: bool
    little: bool
    #: where the element's tag and value begin in the data set, and where the data set goes on behind it; bytes
    offset: int
    value_offset: int
    end: int
    #: per frame (offset, length) in the data set; a frame in several fragments: (offset, length, offset, length...).
    #: Frames of one bit per pixel need not begin at a byte (PS3.5 8.1.1): the bytes that hold them, see `bit_shift`
    places: tuple[Place, ...]
    #: why `places` is empty, fewer than the frames or not whole, "" where all is well
    problem: str = ""
    #: the data set ends within the pixel data
    cut: bool = False

    def bit_shift(self, frame: int) -> int:
        """At which bit of its first byte a native frame (from 0) begins; 0 where frames begin at bytes."""
        return 0 if self.encapsulated else frame * self.facts.frame_bits % 8


def index(data: Buffer, transfer_syntax_uid: str, header: Header | None = None) -> PixelIndex | None:
    """The frames of a data set; None where it has no pixel data.

    `data` is the whole data set, inflated where its syntax is deflated; `header` a scan of it that took FACT_TAGS.
    Never raises because of the data.
    """
    header = header or scan(data, transfer_syntax_uid, FACT_TAGS)
    at = header.pixel_offset
    if at is None or at + 8 > len(data):
        return None
    order: Literal["little", "big"] = "little" if header.little else "big"
    element = int.from_bytes(data[at + 2 : at + 4], order)
    facts = facts_of(header, 0x7FE00000 + element)
    if header.explicit and bytes(data[at + 4 : at + 6]) in (b"OB", b"OW", b"OF", b"OD", b"UN", b"OL", b"OV"):
        value = at + 12
    else:
        value = at + 8
    length = int.from_bytes(data[value - 4 : value], order)
    if length == UNDEFINED:
        table, fragments, end, cut = _fragments(data, value, little=header.little)
        places, problem = _encapsulated(data, table, fragments, header, facts, transfer_syntax_uid)
        if cut:
            problem = "the pixel data are cut short"
        return PixelIndex(
            facts,
            transfer_syntax_uid,
            encapsulated=True,
            little=header.little,
            offset=at,
            value_offset=value,
            end=end,
            places=places,
            problem=problem,
            cut=cut,
        )
    end = min(value + length, len(data))
    places, problem = _native(facts, value, end)
    if transfer_syntax(transfer_syntax_uid).encapsulated:
        problem = "the pixel data are not encapsulated, against their transfer syntax"
    return PixelIndex(
        facts,
        transfer_syntax_uid,
        encapsulated=False,
        little=header.little,
        offset=at,
        value_offset=value,
        end=end,
        places=places,
        problem=problem,
    )


def facts_of(header: Header, pixel_tag: int = PIXEL_DATA) -> PixelFacts:
    """The facts as declared, with the standard's only sensible values where they are absent."""

    def number(tag: int, default: int) -> int:
        found = integer(header, tag, default)
        return default if found is None or found < 0 else found

    allocated = number(0x00280100, {FLOAT_PIXEL_DATA: 32, DOUBLE_FLOAT_PIXEL_DATA: 64}.get(pixel_tag, 0))
    stored = number(0x00280101, allocated)
    return PixelFacts(
        rows=number(0x00280010, 0),
        columns=number(0x00280011, 0),
        samples=number(0x00280002, 1) or 1,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=number(0x00280102, max(stored - 1, 0)),
        signed=number(0x00280103, 0) == 1,
        photometric=text(header, 0x00280004),
        planar=number(0x00280006, 0) == 1,
        frames=number(0x00280008, 1) or 1,
        tag=pixel_tag,
    )


def _native(facts: PixelFacts, value: int, end: int) -> tuple[tuple[Place, ...], str]:
    bits = facts.frame_bits
    if bits == 0:
        return (), "rows, columns or bits allocated are missing"
    held = (end - value) * 8 // bits
    places = tuple(
        (value + start // 8, (start + bits + 7) // 8 - start // 8)
        for start in range(0, min(facts.frames, held) * bits, bits)
    )
    return (
        places,
        "" if held >= facts.frames else "the pixel data are shorter than rows, columns and frames ask",
    )


def _encapsulated(
    data: Buffer,
    table: bytes,
    fragments: list[tuple[int, int]],
    header: Header,
    facts: PixelFacts,
    transfer_syntax_uid: str,
) -> tuple[tuple[Place, ...], str]:
    """(places, problem) of encapsulated pixel data (PS3.5 A.4)."""
    if not fragments:
        return (), "there are no fragments"
    groups = _group(data, fragments, table, header, facts.frames, transfer_syntax_uid)
    if groups is None:
        return (), f"{len(fragments)} fragments cannot be told apart into {facts.frames} frames"
    return tuple(tuple(number for fragment in group for number in fragment) for group in groups), ""


def _fragments(data: Buffer, value: int, *, little: bool) -> tuple[bytes, list[tuple[int, int]], int, bool]:
    """(basic offset table, (offset, length) of each fragment, offset behind the delimiter, whether cut short)."""
    head = IMPLICIT_HEAD[little]
    items: list[tuple[int, int]] = []
    pos, size, cut = value, len(data), False
    while pos + 8 <= size:
        key, length = head(data, pos)
        pos += 8
        if tag_of(key, little) != ITEM:
            break
        if length == UNDEFINED or pos + length > size:  # cut off: the rest of the data is the fragment
            items.append((pos, size - pos))
            pos, cut = size, True
            break
        items.append((pos, length))
        pos += length
    if not items:
        return b"", [], pos, cut
    start, length = items[0]
    return bytes(data[start : start + length]), items[1:], pos, cut


def _group(
    data: Buffer,
    fragments: list[tuple[int, int]],
    table: bytes,
    header: Header,
    frames: int,
    transfer_syntax_uid: str,
) -> list[Sequence[tuple[int, int]]] | None:
    """The fragments of each frame; None where that cannot be known."""
    extended = header.values.get(_EXTENDED_OFFSETS)
    if extended is not None:
        order = "<" if header.little else ">"
        offsets = unpack_from(f"{order}{len(extended[1]) // 8}Q", extended[1])
        if groups := _by_offsets(fragments, offsets, frames):
            return groups
    if is_video(transfer_syntax_uid):
        return [fragments]  # video: one stream, however many frames it shows (PS3.5 8.2.5)
    if table:
        order = "<" if header.little else ">"
        offsets = unpack_from(f"{order}{len(table) // 4}I", table)
        if groups := _by_offsets(fragments, offsets, frames):
            return groups
    if frames == 1:
        return [fragments]
    if len(fragments) == frames:
        return [[fragment] for fragment in fragments]
    if len(fragments) < frames or transfer_syntax_uid == RLE_LOSSLESS:
        return None
    starts = [
        number
        for number, (offset, _) in enumerate(fragments)
        if bytes(data[offset : offset + 8]).startswith(_STARTS)
    ]
    if len(starts) != frames or starts[0] != 0:
        return None
    return [fragments[first:last] for first, last in zip(starts, [*starts[1:], len(fragments)], strict=True)]


def _by_offsets(
    fragments: list[tuple[int, int]], offsets: Sequence[int], frames: int
) -> list[Sequence[tuple[int, int]]] | None:
    """Fragments by an offset table: offsets of item tags from the first fragment's; None where it is wrong."""
    origin = fragments[0][0]
    numbers = {offset - origin: number for number, (offset, _) in enumerate(fragments)}
    if len(offsets) != frames or not offsets or offsets[0] != 0:
        return None
    starts = [numbers.get(offset, -1) for offset in offsets]
    if any(later <= earlier for earlier, later in pairwise(starts)):
        return None
    return [fragments[first:last] for first, last in zip(starts, [*starts[1:], len(fragments)], strict=True)]


def read(data: Buffer, place: Place) -> bytes:
    """The bytes of one frame, its fragments joined."""
    return b"".join(
        bytes(data[offset : offset + length]) for offset, length in zip(place[::2], place[1::2], strict=True)
    )


def of_file(path: Path, offset: int, size: int, transfer_syntax_uid: str) -> list[Place]:
    """Places (see PixelIndex.places) counted from the start of the file, of the data set at `offset`.

    [] where there are no pixels, where the frames cannot be told apart, and where the data set is deflated, so
    that no place in the file holds a frame.
    """
    if transfer_syntax(transfer_syntax_uid).deflated or not size:
        return []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        whole = memoryview(mapped)
        part = whole[offset : offset + size]
        try:
            found = index(part, transfer_syntax_uid)
        finally:
            part.release()
            whole.release()
    if found is None:
        return []
    return [
        tuple(number + offset if even % 2 == 0 else number for even, number in enumerate(place))
        for place in found.places
    ]


def require(data: Buffer, transfer_syntax_uid: str, header: Header | None = None) -> PixelIndex | None:
    """`index` for those who need every frame: raises Refused with the reason where not all were found."""
    found = index(data, transfer_syntax_uid, header)
    if found is not None and (
        found.cut or (len(found.places) < found.facts.frames and not is_video(transfer_syntax_uid))
    ):
        raise Refused(f"The frames cannot be read: {found.problem or 'too few'}.", code="bad-pixels")
    return found


def is_video(transfer_syntax_uid: str) -> bool:
    """MPEG-2, MPEG-4 and HEVC: 1.2.840.10008.1.2.4.100 to .108 and their fragmentable forms."""
    arc = transfer_syntax_uid.removeprefix("1.2.840.10008.1.2.4.").partition(".")[0]
    return arc in ("100", "101", "102", "103", "104", "105", "106", "107", "108")
