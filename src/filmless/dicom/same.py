"""Whether two data sets are the same object: the same elements and pixels, in whatever transfer syntax.

What the encoding brings with it does not count: lengths, group lengths, padding, VRs that implicit VR does not
have, how pixels are compressed and the attributes that follow from it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from filmless.dicom import frames, uids
from filmless.dicom.elements import Buffer
from filmless.dicom.frames import PixelFacts, PixelIndex
from filmless.dicom.rewrite import (
    IMPLICIT_LE,
    MAX_DEPTH,
    WORD,
    Encoding,
    elements,
    inflate,
    items,
)
from filmless.dicom.scan import scan
from filmless.dicom.vr import PIXEL_REPRESENTATION, settled_vr
from filmless.kit.errors import Refused

if TYPE_CHECKING:
    from filmless.dicom.pixels.native import Array

#: padding of whole data sets (PS3.5 7.2 note), offsets of frames: no part of the object
_NOT_THE_OBJECT = frozenset({0xFFFCFFFC, 0x7FE00001, 0x7FE00002})
#: what transcoding changes: compared through the decoded pixels
_FOLLOW_THE_PIXELS = frozenset({0x00280004, 0x00280006})

Tree = dict[int, bytes | list["Tree"]]


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two objects differ first; holds no values, so that it may be logged."""

    #: tags and item numbers (from 1) joined by "/", "" for the whole
    path: str
    words: str

    def __str__(self) -> str:
        return f"{self.path} {self.words}".strip()


def same_object(a: Buffer, a_syntax: str, b: Buffer, b_syntax: str) -> Difference | None:
    """None where both are the same object, else the first difference. Never raises because of the data: what cannot
    be read or decoded is the same only where its bytes are."""
    if a_syntax == b_syntax and a == b:
        return None
    try:
        one, other = _open(a, a_syntax), _open(b, b_syntax)
    except Refused as error:
        return Difference("", f"cannot be compared: {error.message}")
    coded_alike = _coded_alike(one, other)
    found = _compare(one.tree, other.tree, "", frozenset() if coded_alike else _FOLLOW_THE_PIXELS)
    if found is not None or coded_alike:
        return found
    try:
        return _compare_pixels(one, other)
    except Refused as error:
        return Difference("7FE00010", f"the pixels cannot be compared: {error.message}")


@dataclass(frozen=True, slots=True)
class _Object:
    data: Buffer
    syntax: str
    index: PixelIndex | None
    tree: Tree


def _open(data: Buffer, syntax: str) -> _Object:
    if uids.transfer_syntax(syntax).deflated:
        data, syntax = inflate(data), uids.EXPLICIT_VR_LE
    header = scan(data, syntax, frames.FACT_TAGS)
    if not header.little:
        from filmless.dicom.pixels.transcode import transcode

        data, syntax = transcode(data, syntax, uids.EXPLICIT_VR_LE), uids.EXPLICIT_VR_LE
        header = scan(data, syntax, frames.FACT_TAGS)
    index = frames.index(data, syntax, header)
    encoding = Encoding(header.explicit, header.little)
    reader = _Reader(data)
    if index is None:
        return _Object(data, syntax, None, reader.tree(0, len(data), encoding, 0))
    tree = reader.tree(0, index.offset, encoding, 0)
    tree.update(reader.tree(index.end, len(data), encoding, 0))
    return _Object(data, syntax, index, tree)


class _Reader:
    """A data set as a tree of little endian values without padding."""

    def __init__(self, data: Buffer) -> None:
        self.data = data
        self.signed = False

    def tree(self, start: int, end: int, encoding: Encoding, depth: int) -> Tree:
        if depth > MAX_DEPTH:
            raise Refused("nested too deep", code="bad-data-set")
        out: Tree = {}
        for element in elements(self.data, start, end, encoding):
            if element.tag & 0xFFFF == 0 or element.tag in _NOT_THE_OBJECT or element.tag >> 16 == 0xFFFE:
                continue
            length = element.end - element.value
            vr = settled_vr(element.tag, element.vr, length, signed=self.signed)
            inner = IMPLICIT_LE if element.vr == "UN" else encoding
            value = bytes(self.data[element.value : element.end])
            if vr == "SQ" or (vr == "UN" and value[:4] == b"\xfe\xff\x00\xe0"):
                out[element.tag] = [
                    self.tree(first, last, inner, depth + 1)
                    for first, last, _ in items(self.data, element, inner)
                ]
                continue
            if element.tag == PIXEL_REPRESENTATION and depth == 0:
                self.signed = 1 in value
            out[element.tag] = value if vr in WORD else value.rstrip(b" \0")
        return out


def _compare(one: Tree, other: Tree, path: str, ignored: frozenset[int]) -> Difference | None:
    for tag in sorted(one.keys() | other.keys()):
        if tag in ignored:
            continue
        here = f"{path}{tag:08X}"
        if tag not in one or tag not in other:
            return Difference(here, "is in one of them only")
        a, b = one[tag], other[tag]
        if isinstance(a, list) and isinstance(b, list):
            if len(a) != len(b):
                return Difference(here, "has another number of items")
            for number, (inner_a, inner_b) in enumerate(zip(a, b, strict=True), 1):
                found = _compare(inner_a, inner_b, f"{here}/{number}/", frozenset())
                if found is not None:
                    return found
        elif a != b and not (not a and not b) and not _same_but_padding(a, b):
            return Difference(here, "has another value")
    return None


def _same_but_padding(a: object, b: object) -> bool:
    """The same value sent once as UN (stripped) and once under its VR (not stripped)."""
    return (
        isinstance(a, bytes)
        and isinstance(b, bytes)
        and len(a) != len(b)
        and a.rstrip(b" \0") == b.rstrip(b" \0")
    )


def _coded_alike(one: _Object, other: _Object) -> bool:
    """Whether the pixel data are the same bytes in the same coding, or absent from both."""
    if one.index is None or other.index is None:
        return one.index is None and other.index is None
    a, b = one.index, other.index
    if a.encapsulated and b.encapsulated:
        return one.syntax == other.syntax and _fragments(one, a) == _fragments(other, b)
    if a.encapsulated or b.encapsulated or a.little != b.little:
        return False
    return a.facts.tag == b.facts.tag and _value(one, a) == _value(other, b)


def _value(which: _Object, index: PixelIndex) -> bytes:
    """Native pixels without the byte that pads them."""
    value = bytes(which.data[index.value_offset : index.end])
    size = (index.facts.frame_bits * index.facts.frames + 7) // 8
    return value[:size] if 0 < size == len(value) - 1 else value


def _fragments(which: _Object, index: PixelIndex) -> list[bytes] | bytes:
    if index.places:
        return [frames.read(which.data, place) for place in index.places]
    return bytes(which.data[index.value_offset : index.end])


def _compare_pixels(one: _Object, other: _Object) -> Difference | None:
    """Frame by frame, decoded; bits above those stored do not count, since codecs need not keep them."""
    if one.index is None or other.index is None:
        return Difference("7FE00010", "is in one of them only")
    import numpy as np

    from filmless.dicom.pixels.decode import decode_frames

    a, b = (frames.require(each.data, each.syntax) for each in (one, other))
    if a is None or b is None or len(a.places) != len(b.places) or a.facts.tag != b.facts.tag:
        return Difference("7FE00010", "has another number of frames")
    pairs = zip(
        decode_frames(one.data, a, one.syntax), decode_frames(other.data, b, other.syntax), strict=True
    )
    for number, (first, second) in enumerate(pairs, 1):
        if first.facts.photometric != second.facts.photometric:
            return Difference("00280004", "has another value")
        equal_nan = first.facts.is_float
        if not np.array_equal(
            _significant(first.pixels, first.facts),
            _significant(second.pixels, second.facts),
            equal_nan=equal_nan,
        ):
            return Difference("7FE00010", f"frame {number} has other pixels")
    return None


def _significant(pixels: "Array", facts: PixelFacts) -> "Array":
    """The bits stored of each pixel."""
    if facts.is_float or facts.bits_allocated == 1 or facts.bits_stored >= facts.bits_allocated:
        return pixels
    low = facts.high_bit - facts.bits_stored + 1
    mask = ((1 << facts.bits_stored) - 1) << max(low, 0)
    unsigned = pixels.view(f"u{pixels.dtype.itemsize}")
    significant: Array = unsigned & unsigned.dtype.type(mask)
    return significant
