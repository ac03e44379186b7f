"""Reads the header of a data set where it lies, fast, without believing any of it (PS3.5 section 7).

Scanners send wrong lengths, wrong VRs, data in another syntax than they negotiated, and files cut short. The
scanner takes what can be had, says in `warnings` what could not, never raises because of the data, and its work
is bounded by the size of the data: every step moves forward by at least eight bytes.
"""

import zlib
from collections.abc import Callable
from dataclasses import fields
from functools import lru_cache

from filmless.dicom.attributes import INDEX_TAGS, TAG
from filmless.dicom.elements import (
    EXPLICIT_HEAD,
    IMPLICIT_HEAD,
    ITEM,
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
from filmless.dicom.header import Header, decimals, integer, strings, text, text_pn
from filmless.dicom.uids import transfer_syntax

__all__ = [
    "INDEX_TAGS",
    "PIXEL_TAGS",
    "TAG",
    "Header",
    "decimals",
    "integer",
    "scan",
    "sequence_items",
    "strings",
    "text",
    "text_pn",
]

#: the top-level elements that hold pixels: Float, Double Float and Pixel Data (PS3.3 C.7.6.24, C.7.6.25, C.7.6.3)
PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)

#: longest value copied of an attribute that is no sequence, and of one that is; bytes
MAX_VALUE = 1 << 20
MAX_SEQUENCE = 16 << 20
#: how much of a deflated data set is inflated in search of the pixel data; bytes
MAX_INFLATED = 64 << 20


def scan(
    data: Buffer,
    transfer_syntax_uid: str,
    wanted: frozenset[int] | None = INDEX_TAGS,
    *,
    total: int | None = None,
    past_pixels: bool = False,
) -> Header:
    """Reads the top level of a data set up to its pixel data, or with `past_pixels` also what comes behind them.

    `data` may be the head of a data set of `total` bytes; Header.complete says whether it was enough.
    `wanted` None takes every attribute. Values are copied, so `data` may be reused. Never raises because of the
    data.
    """
    syntax = transfer_syntax(transfer_syntax_uid)
    header = Header(transfer_syntax_uid, syntax.explicit, syntax.little)
    if syntax.deflated:
        _scan_deflated(
            header, data, wanted, whole=total is None or total <= len(data), past_pixels=past_pixels
        )
        return header
    _sniff(header, data)
    end = len(data)
    _walk(header, data, 0, end, end if total is None else total, wanted, past_pixels=past_pixels)
    return header


def _scan_deflated(
    header: Header, data: Buffer, wanted: frozenset[int] | None, *, whole: bool, past_pixels: bool
) -> None:
    """Inflates (PS3.5 A.5) in growing steps until the scan is satisfied, at most MAX_INFLATED bytes."""
    limit = 256 << 10
    while True:
        inflated, more, fault = _inflate(data, limit)
        attempt = Header(header.transfer_syntax_uid, explicit=True, little=True)
        _sniff(attempt, inflated)
        unseen = more or not whole
        total = len(inflated) + 1 if unseen and not fault else len(inflated)
        _walk(attempt, inflated, 0, len(inflated), total, wanted, past_pixels=past_pixels)
        if (attempt.ended if past_pixels else attempt.complete) or not more or limit >= MAX_INFLATED:
            break
        limit *= 4
    for each in fields(Header):
        setattr(header, each.name, getattr(attempt, each.name))
    if fault and not header.ended:
        header.truncated = True
        header.complete = True
        header.warn(0, "the deflated data are damaged")


def _inflate(data: Buffer, limit: int) -> tuple[bytes, bool, bool]:
    """(the first `limit` bytes, whether there are more, whether the stream is damaged)."""
    for window in (
        -zlib.MAX_WBITS,
        zlib.MAX_WBITS,
    ):  # raw as PS3.5 A.5 says; some writers add the zlib wrapper
        stream = zlib.decompressobj(window)
        try:
            out = stream.decompress(data, limit)
        except zlib.error:
            continue
        return out, not stream.eof and len(out) >= limit, False
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    sound = bytearray()
    try:
        for start in range(0, len(data), 512):
            sound += stream.decompress(data[start : start + 512])
            if len(sound) >= limit:
                break
    except zlib.error:
        return bytes(sound), False, True
    return bytes(sound), len(sound) >= limit, True


def _sniff(header: Header, data: Buffer) -> None:
    """Corrects `explicit` and `little` where the first element shows that the transfer syntax is wrong."""
    if len(data) < 8:
        return
    first = bytes(data[:8])
    group = int.from_bytes(first[:2], "little" if header.little else "big")
    if group in (0x0800, 0x0200):
        header.little = not header.little
        header.warn(0, "the byte order is not that of the transfer syntax")
    looks_explicit = first[4:6] in SHORT or first[4:6] in LONG
    length = int.from_bytes(first[4:], "little" if header.little else "big")
    implicit_fits = length <= len(data) - 8 or length == UNDEFINED
    if header.explicit:
        unknown_vr = 65 <= first[4] <= 90 and 65 <= first[5] <= 90
        wrong = not looks_explicit and not unknown_vr and implicit_fits
    else:
        wrong = looks_explicit and not implicit_fits
    if wrong:
        header.explicit = not header.explicit
        header.warn(0, "explicit and implicit VR are not as the transfer syntax says")


@lru_cache(maxsize=16)
def _lookup(wanted: frozenset[int] | None, little: bool) -> tuple[Callable[[int], int | None], int]:
    """(tag as read from the data -> tag where wanted, minus the tag for pixel data, else None; the last tag)."""
    if wanted is None:
        pixels = frozenset(PIXEL_TAGS)

        def every(key: int) -> int:
            tag = ((key & 0xFFFF) << 16 | key >> 16) if little else key
            return -tag if tag in pixels else tag

        return every, PIXEL_TAGS[-1]
    table: dict[int, int] = {}
    for tag in wanted:
        table[tag_of(tag, little)] = tag
    for tag in PIXEL_TAGS:
        table[tag_of(tag, little)] = -tag
    return table.get, max(wanted, default=0)


def _walk(
    header: Header,
    data: Buffer,
    pos: int,
    end: int,
    total: int,
    wanted: frozenset[int] | None,
    *,
    item: bool = False,
    past_pixels: bool = False,
) -> None:
    """Reads elements of data[pos:end] into `header`; `total` > `end` where the data set goes on beyond."""
    explicit, little = header.explicit, header.little
    get, last = _lookup(wanted, little)
    head = (EXPLICIT_HEAD if explicit else IMPLICIT_HEAD)[little]
    values = header.values
    short = SHORT
    key = 0
    final = end - 8
    while pos <= final:
        if explicit:
            key, code, length = head(data, pos)
            if code in short:
                start = pos + 8
            else:
                start, length, code = long_form(data, pos, end, key, code, length, little)
        else:
            key, length = head(data, pos)
            start = pos + 8
            code = b""
        tag = get(key)
        after = start + length
        if length != UNDEFINED and after <= end:
            if tag is not None:
                if tag < 0:
                    if not item:
                        header.pixel_offset, header.pixel_end = pos, after
                        if not past_pixels:
                            break
                        pos = after
                        continue
                    tag = -tag
                vr = short.get(code) or LONG.get(code, "")
                if length <= MAX_VALUE or (length <= MAX_SEQUENCE and _may_be_sequence(vr)):
                    values[tag] = (vr, bytes(data[start:after]))
                else:
                    header.large[tag] = (vr, start, length)
            pos = after
            continue
        if tag is not None and tag < 0:
            if not item:
                header.pixel_offset = pos
                if length != UNDEFINED:
                    header.pixel_end = after
                if not past_pixels:
                    break
                tag = None
            else:
                tag = -tag
        swapped = tag_of(key, little)
        if length == UNDEFINED:
            if swapped >> 16 == 0xFFFE:
                # a stray item or delimiter: its contents are read as if it were not there
                pos = start
                continue
            if code == b"UN":  # PS3.5 6.2.2 note 4: implicit VR little endian inside
                content_end, after = sequence_end(data, start, end, explicit=False, little=True)
            else:
                content_end, after = sequence_end(data, start, end, explicit=explicit, little=little)
            if after >= 0:
                if tag is not None:
                    if content_end - start <= MAX_SEQUENCE:
                        values[tag] = (LONG.get(code, "SQ"), bytes(data[start:content_end]))
                    else:
                        header.large[tag] = (LONG.get(code, "SQ"), start, content_end - start)
                pos = after
                continue
            if total <= end:
                header.truncated = True
                header.warn(swapped, "the end of this sequence was not found")
        elif after > total:
            header.truncated = True
            header.warn(swapped, "its length reaches past the end of the data set")
        break
    else:
        if total <= end and pos < end:
            header.truncated = True
            header.warn(0, "the last bytes are no element")
    header.stopped_at = pos
    header.ended = total <= end or (header.pixel_offset is not None and not past_pixels)
    reached = tag_of(key, little)
    header.complete = header.ended or header.pixel_offset is not None or reached > last


def _may_be_sequence(vr: str) -> bool:
    return vr in ("SQ", "UN", "")


def sequence_items(
    header: Header, tag: int, wanted: frozenset[int] | None = None, *, limit: int = 100_000
) -> list[Header]:
    """The items of a sequence found by the scan, each scanned in turn; [] where there is none.

    `wanted` None takes every attribute of the items. Nested sequences: call again with an item.
    """
    found = header.values.get(tag)
    if found is None:
        return []
    vr, data = found
    explicit, little = (False, True) if vr == "UN" else (header.explicit, header.little)
    plain = IMPLICIT_HEAD[little]
    items: list[Header] = []
    pos, end = 0, len(data)
    while pos + 8 <= end and len(items) < limit:
        key, length = plain(data, pos)
        mark = tag_of(key, little)
        pos += 8
        if mark == SEQUENCE_END:
            break
        if mark != ITEM:
            header.warn(tag, "a sequence that holds something else than items")
            break
        if length == UNDEFINED:
            stop, after = item_end(data, pos, end, explicit=explicit, little=little)
        else:
            stop = after = min(pos + length, end)
        item = Header(
            header.transfer_syntax_uid, explicit, little, inherited_character_set=header.character_set
        )
        _walk(item, data, pos, stop, stop, wanted, item=True)
        items.append(item)
        pos = after
    return items
