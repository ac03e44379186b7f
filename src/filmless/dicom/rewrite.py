"""Data sets from one uncompressed encoding to another, and single elements replaced (PS3.5 section 7, annex A).

What need not change is not touched: explicit VR little endian stays byte for byte.
"""

import zlib
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from filmless.dicom.elements import (
    EXPLICIT_HEAD,
    IMPLICIT_HEAD,
    ITEM,
    ITEM_END,
    LONG,
    SEQUENCE_END,
    SHORT,
    UNDEFINED,
    Buffer,
    item_end,
    long_form,
    sequence_end,
    tag_of,
)
from filmless.dicom.vr import PIXEL_REPRESENTATION, settled_vr
from filmless.kit.errors import Refused

#: items nested deeper than this are refused: no real object comes near
MAX_DEPTH = 200
#: an inflated data set may be this long; bytes
MAX_INFLATED = 512 << 20

#: bytes per word of VRs that change with the byte order
WORD = {
    "AT": 2,
    "US": 2,
    "SS": 2,
    "OW": 2,
    "UL": 4,
    "SL": 4,
    "FL": 4,
    "OF": 4,
    "OL": 4,
    "FD": 8,
    "OD": 8,
    "OV": 8,
    "SV": 8,
    "UV": 8,
}


class Encoding(NamedTuple):
    """How elements are written."""

    explicit: bool
    little: bool


EXPLICIT_LE = Encoding(explicit=True, little=True)
IMPLICIT_LE = Encoding(explicit=False, little=True)


class Element(NamedTuple):
    """Where one element is: `start` of its tag, `value` to `end` its value (of undefined length: up to the
    delimiter), `after` where the next begins. `vr` "" in implicit VR."""

    tag: int
    vr: str
    start: int
    value: int
    end: int
    after: int
    undefined: bool


def elements(data: Buffer, pos: int, end: int, encoding: Encoding) -> Iterator[Element]:
    """The elements of data[pos:end]; those of undefined length as one. Raises Refused where they do not add up."""
    explicit, little = encoding
    head = (EXPLICIT_HEAD if explicit else IMPLICIT_HEAD)[little]
    while pos + 8 <= end:
        code = b""
        value = pos + 8
        if explicit:
            key, code, length = head(data, pos)
            if code not in SHORT:
                value, length, code = long_form(data, pos, end, key, code, length, little)
        else:
            key, length = head(data, pos)
        tag = tag_of(key, little)
        vr = SHORT.get(code) or LONG.get(code, "")
        if length == UNDEFINED:
            inner = IMPLICIT_LE if vr == "UN" else encoding
            stop, after = sequence_end(data, value, end, explicit=inner.explicit, little=inner.little)
            if after < 0:
                raise Refused("The data set has a sequence without an end.", code="bad-data-set")
            yield Element(tag, vr, pos, value, stop, after, undefined=True)
        else:
            stop = after = value + length
            if after > end:
                raise Refused("The data set ends in the middle of an element.", code="bad-data-set")
            yield Element(tag, vr, pos, value, stop, after, undefined=False)
        pos = after
    if pos != end:
        raise Refused("The data set ends in the middle of an element.", code="bad-data-set")


def items(data: Buffer, sequence: Element, encoding: Encoding) -> Iterator[tuple[int, int, bool]]:
    """(start, end, whether of undefined length) of the contents of each item. Raises Refused where they do not add
    up."""
    head = IMPLICIT_HEAD[encoding.little]
    pos, end = sequence.value, sequence.end
    while pos + 8 <= end:
        key, length = head(data, pos)
        if tag_of(key, encoding.little) != ITEM:
            raise Refused("A sequence holds something else than items.", code="bad-data-set")
        pos += 8
        if length == UNDEFINED:
            stop, after = item_end(data, pos, end, explicit=encoding.explicit, little=encoding.little)
        else:
            stop = after = pos + length
            if stop > end:
                raise Refused("An item reaches past its sequence.", code="bad-data-set")
        yield pos, stop, length == UNDEFINED
        pos = after


def inflate(data: Buffer, longest: int = MAX_INFLATED) -> bytes:
    """A deflated data set (PS3.5 A.5), with or without a zlib wrapper; at most `longest` bytes, since a thousand may
    come of one. Raises Refused where it is damaged or longer."""
    for window in (-zlib.MAX_WBITS, zlib.MAX_WBITS):
        stream = zlib.decompressobj(window)
        try:
            out = stream.decompress(data, longest)
        except zlib.error:
            continue
        if stream.eof:
            return out
        raise Refused("The deflated data set is cut short or too long.", code="bad-data-set")
    raise Refused("The deflated data set is damaged.", code="bad-data-set")


def deflate(data: Buffer) -> bytes:
    """The data set deflated, padded to an even number of bytes (PS3.5 A.5)."""
    stream = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    out = stream.compress(data) + stream.flush()
    return out + b"\0" * (len(out) % 2)


def replace(data: Buffer, end: int, changes: Mapping[int, bytes | None]) -> bytes:
    """data[:end] in explicit VR little endian with some top-level elements put in or replaced (bytes: the whole
    encoded element) or taken out (None). The others keep their bytes and order."""
    out = bytearray()
    due = sorted(changes.items())
    for element in elements(data, 0, end, EXPLICIT_LE):
        while due and due[0][0] <= element.tag:
            tag, encoded = due.pop(0)
            out += encoded or b""
            if tag == element.tag:
                break
        if element.tag not in changes:
            out += data[element.start : element.after]
    for _, encoded in due:
        out += encoded or b""
    return bytes(out)


def reencode(data: Buffer, start: int, end: int, source: Encoding, target: Encoding) -> bytes:
    """data[start:end], whole elements without pixel data, in another encoding.

    Group lengths are left out, since they would be wrong; sequences keep their defined or undefined lengths. In
    explicit VR, what has no known VR becomes UN. Raises Refused where the data do not add up.
    """
    return _Rewriter(data, source, target).level(start, end, source, 0)


class _Rewriter:
    def __init__(self, data: Buffer, source: Encoding, target: Encoding) -> None:
        self.data = data
        self.source = source
        self.target = target
        self.signed = False

    @property
    def order(self) -> Literal["little", "big"]:
        return "little" if self.target.little else "big"

    def level(self, start: int, end: int, source: Encoding, depth: int) -> bytes:
        if depth > MAX_DEPTH:
            raise Refused("The data set is nested too deep.", code="bad-data-set")
        out = bytearray()
        for element in elements(self.data, start, end, source):
            if element.tag & 0xFFFF == 0:
                continue
            out += self.element(element, source, depth)
        return bytes(out)

    def element(self, element: Element, source: Encoding, depth: int) -> bytes:
        length = element.end - element.value
        vr = settled_vr(element.tag, element.vr, length, signed=self.signed)
        if element.tag == PIXEL_REPRESENTATION and depth == 0:
            self.signed = 1 in bytes(self.data[element.value : element.end])
        if element.vr == "UN" and self.target.explicit:
            vr = "UN"  # as it was sent: its contents are in implicit VR little endian in every encoding
        if vr == "SQ" or (element.undefined and vr in ("UN", "")):
            return self.sequence(element, source, depth)
        value = bytes(self.data[element.value : element.end])
        if element.undefined:
            raise Refused("An element that is no sequence has no length.", code="bad-data-set")
        width = WORD.get(vr, 1)
        if source.little != self.target.little and width > 1:
            value = swap(value, width)
        return self.header(element.tag, vr, len(value)) + value

    def header(self, tag: int, vr: str, length: int) -> bytes:
        order = self.order
        head = (tag >> 16).to_bytes(2, order) + (tag & 0xFFFF).to_bytes(2, order)
        if not self.target.explicit:
            return head + length.to_bytes(4, order)
        if vr.encode() in SHORT:
            if length <= 0xFFFF:
                return head + vr.encode() + length.to_bytes(2, order)
            vr = "UN"  # PS3.5 6.2.2: too long for its VR
        return head + vr.encode() + b"\0\0" + length.to_bytes(4, order)

    def sequence(self, element: Element, source: Encoding, depth: int) -> bytes:
        inner = IMPLICIT_LE if element.vr == "UN" else source
        if element.vr == "UN" and self.target.explicit:
            inner_target, self.target = self.target, IMPLICIT_LE
            content = self.items(element, inner, depth)
            self.target = inner_target
            head = self.header(element.tag, "UN", UNDEFINED if element.undefined else len(content))
        else:
            content = self.items(element, inner, depth)
            head = self.header(element.tag, "SQ", UNDEFINED if element.undefined else len(content))
        if element.undefined:
            content += self.mark(SEQUENCE_END, 0)
        return head + content

    def items(self, element: Element, source: Encoding, depth: int) -> bytes:
        out = bytearray()
        for start, stop, undefined in items(self.data, element, source):
            content = self.level(start, stop, source, depth + 1)
            out += self.mark(ITEM, UNDEFINED if undefined else len(content)) + content
            if undefined:
                out += self.mark(ITEM_END, 0)
        return bytes(out)

    def mark(self, tag: int, length: int) -> bytes:
        order = self.order
        return (tag >> 16).to_bytes(2, order) + (tag & 0xFFFF).to_bytes(2, order) + length.to_bytes(4, order)


def swap(value: bytes, width: int) -> bytes:
    """The value with the bytes of each word of `width` bytes in the opposite order; a rest stays as it is."""
    whole = len(value) // width * width
    out = bytearray(value)
    for place in range(width):
        out[place:whole:width] = value[width - 1 - place : whole : width]
    return bytes(out)
