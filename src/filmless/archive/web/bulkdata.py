"""WADO-RS bulk data: values that metadata refer to, by the way to them: tags and item numbers (PS3.18 10.4.1.1.5).

Values leave little endian, whatever their object's syntax. Pixel data leave as frames do where they are compressed.
"""

import asyncio
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from filmless.archive.leaving import Leaving, leaving
from filmless.archive.web.asking import CACHE, asked, etag_of, not_found, unchanged, unreadable
from filmless.archive.web.context import ArchiveWeb
from filmless.archive.web.frames import Frames, ranged
from filmless.archive.web.lookup import Found, Lookup
from filmless.dicom import uids
from filmless.dicom.header import Header, integer
from filmless.dicom.json_text import mapped
from filmless.dicom.rewrite import WORD, inflate, swap
from filmless.dicom.scan import PIXEL_TAGS, scan, sequence_items
from filmless.dicom.vr import settled_vr
from filmless.dicom.web import accept
from filmless.dicom.web.media_types import OCTET_STREAM
from filmless.dicom.web.multipart import closing, content_type, new_boundary, part_head
from filmless.kit.errors import Refused
from filmless.net.http.streams import FileSlice, Segments, part_asked

#: a tag, then item numbers and tags
_PATH: Final = re.compile(r"[0-9A-Fa-f]{8}(/[1-9][0-9]{0,5}/[0-9A-Fa-f]{8}){0,100}")
_ALLOCATED: Final = 0x00280100
#: of a deflated data set, inflated for one of its values, in this process; bytes, and how many at a time
_LONGEST_INFLATED: Final = 64 << 20
_INFLATING: Final = threading.BoundedSemaphore(2)
_KIND: Final = f"{OCTET_STREAM}; transfer-syntax={uids.EXPLICIT_VR_LE}"


@dataclass(frozen=True, slots=True)
class Value:
    """A value: in memory, or where it is."""

    content: bytes | FileSlice

    @property
    def length(self) -> int:
        return self.content.length if isinstance(self.content, FileSlice) else len(self.content)


class BulkData:
    """Answers with values."""

    def __init__(self, context: ArchiveWeb, lookup: Lookup, frames: Frames) -> None:
        self._context = context
        self._lookup = lookup
        self._frames = frames

    async def retrieve(self, request: Request) -> Response:
        """GET .../instances/{instance}/bulkdata/{path}"""
        ask = asked(request, self._context)
        way = request.path_params["path"].rstrip("/")
        found = await self._lookup.instance(ask.principal, ask.study, ask.series, ask.instance)
        if found is None or not _PATH.fullmatch(way):
            raise not_found()
        pixels = len(way) == 8 and int(way, 16) in PIXEL_TAGS
        if pixels and uids.transfer_syntax(found.stored.ts).encapsulated:
            return await self._frames.answer(request, ask, found, None)
        try:
            value = await asyncio.to_thread(self._value, found, way)
        except OSError as why:
            raise unreadable(why) from why
        if value is None:
            raise not_found()
        form = accept.document(ask.wishes, [(OCTET_STREAM, False), (OCTET_STREAM, True)])
        if form is None:
            if pixels:
                # native pixels in a compressed form: frame by frame
                return await self._frames.answer(request, ask, found, None)
            raise accept.not_acceptable(OCTET_STREAM)
        etag = etag_of(found.stored, int(form[1]))
        if (same := unchanged(request, etag)) is not None:
            return same
        self._context.trail.viewed(
            ask.principal, ask.host, found.stored.study_uid, "pixels" if pixels else "metadata"
        )
        headers = {"ETag": etag, "Cache-Control": CACHE, "Vary": "Accept"}
        if form[1]:
            boundary = new_boundary()
            body = [part_head(boundary, _KIND, first=True), value.content, closing(boundary)]
            length = len(body[0]) + value.length + len(body[2])  # type: ignore[arg-type]
            return Segments(
                body, length=length, media_type=content_type(boundary, OCTET_STREAM), headers=headers
            )
        if isinstance(value.content, FileSlice):
            return ranged(request, [value.content], _KIND, headers)
        return _ranged_bytes(request, value.content, headers)

    def _value(self, found: Found, way: str) -> Value | None:
        """The value, None where the object has none there. Raises OSError."""
        stored = found.stored
        out = leaving(stored, self._context.store)
        tag = int(way[:8], 16)
        if out.head and tag not in PIXEL_TAGS:
            head: bytes = out.head
            syntax = stored.ts
            if uids.transfer_syntax(syntax).deflated:
                head, syntax = _inflated(head), uids.EXPLICIT_VR_LE
            return _inside(
                scan(head, syntax, frozenset({tag, _ALLOCATED}), past_pixels=True), head, None, way
            )
        if not out.length:
            return None
        with mapped(out.path, out.offset, out.length) as part:
            data, syntax, place = part, stored.ts, out
            if uids.transfer_syntax(syntax).deflated:
                data, syntax = memoryview(_inflated(part)), uids.EXPLICIT_VR_LE
                return _inside(
                    scan(data, syntax, frozenset({tag, _ALLOCATED}), past_pixels=True), data, None, way
                )
            return _inside(
                scan(data, syntax, frozenset({tag, _ALLOCATED}), past_pixels=True), data, place, way
            )


def _inflated(data: bytes | memoryview) -> bytes:
    """Raises Refused (code "not-acceptable") where it is longer than this process holds for one answer."""
    with _INFLATING:
        try:
            return inflate(data, _LONGEST_INFLATED)
        except Refused as why:
            raise accept.not_acceptable(why.message.rstrip(".")) from why


def _inside(header: Header, data: bytes | memoryview, place: Leaving | None, way: str) -> Value | None:
    """The value at `way` below what was scanned; `place`: where `data` is in a file."""
    first, _, rest = way.partition("/")
    tag = int(first, 16)
    while rest:
        number, _, rest = rest.partition("/")
        items = sequence_items(header, tag)
        if int(number) > len(items):
            return None
        header = items[int(number) - 1]
        first, _, rest = rest.partition("/")
        tag = int(first, 16)
        data, place = b"", None
    if tag in PIXEL_TAGS and header.pixel_offset is not None and len(way) == 8:
        return _pixels(header, data, place, tag)
    if tag in header.large:
        sent, start, length = header.large[tag]
        if place is not None and header.little:
            return Value(FileSlice(place.path, place.offset + start, length))
        return Value(_little(bytes(data[start : start + length]), tag, sent, header))
    found = header.values.get(tag)
    return Value(_little(found[1], tag, found[0], header)) if found is not None else None


def _little(value: bytes, tag: int, sent: str, header: Header) -> bytes:
    width = WORD.get(settled_vr(tag, sent, len(value), signed=False), 1)
    return value if header.little or width == 1 else swap(value, width)


def _pixels(header: Header, data: bytes | memoryview, place: Leaving | None, tag: int) -> Value | None:
    """Native pixel data as a whole."""
    at = header.pixel_offset or 0
    little = "little" if header.little else "big"
    if int.from_bytes(data[at + 2 : at + 4], little) != tag & 0xFFFF:  # type: ignore[arg-type]
        return None
    vr = bytes(data[at + 4 : at + 6]).decode("ascii", "replace") if header.explicit else "OW"
    start = at + (12 if vr in ("OB", "OW", "OF", "OD", "UN") and header.explicit else 8)
    length = int.from_bytes(data[start - 4 : start], little)  # type: ignore[arg-type]
    length = min(length, len(data) - start)
    if place is not None and header.little:
        return Value(FileSlice(place.path, place.offset + start, length))
    value = bytes(data[start : start + length])
    if header.little:
        return Value(value)
    # as dicom.pixels takes them: OW in words of 16 bits, wider cells whole
    width = (integer(header, _ALLOCATED, 16) or 16) // 8
    return Value(value if vr == "OB" and width <= 1 else swap(value, max(2, width)))


def _ranged_bytes(request: Request, content: bytes, headers: dict[str, str]) -> Segments:
    more = {**headers, "Accept-Ranges": "bytes"}
    wanted = request.headers.get("range")
    condition = request.headers.get("if-range")
    part = part_asked(wanted, len(content)) if wanted and condition in (None, headers["ETag"]) else None
    if part is None:
        return Segments([content], length=len(content), media_type=_KIND, headers=more)
    first, last = part
    more["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
    body = content[first : last + 1]
    return Segments([body], length=len(body), media_type=_KIND, status_code=206, headers=more)


def routes(bulkdata: BulkData) -> Iterator[BaseRoute]:
    """Its address."""
    yield Route(
        "/studies/{study}/series/{series}/instances/{instance}/bulkdata/{path:path}",
        bulkdata.retrieve,
        methods=["GET"],
    )
