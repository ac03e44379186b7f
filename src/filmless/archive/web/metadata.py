"""WADO-RS metadata of a study, a series, an instance (PS3.18 10.4.1.1.2), as DICOM JSON or XML.

Of settled series they are copied as they were prepared. Of others they are made while they are sent, some instances at
a time, so that neither waits for the other and nothing gathers.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from filmless.archive import prepared
from filmless.archive.leaving import leaving
from filmless.archive.prepared import BETWEEN, CLOSING, OPENING, MetadataText, Prepared, address
from filmless.archive.query.instances import StoredInstance, instances_in
from filmless.archive.web.asking import (
    CACHE,
    Asked,
    address_of,
    asked,
    etag_of,
    not_found,
    takes_gzip,
    unchanged,
    unreadable,
)
from filmless.archive.web.context import ArchiveWeb
from filmless.archive.web.lookup import Lookup, SeriesRow
from filmless.db.work import reading
from filmless.dicom.web import accept, xml_model
from filmless.dicom.web.media_types import DICOM_JSON, DICOM_XML
from filmless.dicom.web.multipart import closing, content_type, new_boundary, part_head
from filmless.kit import deflated
from filmless.kit.errors import Defect, Refused
from filmless.net.http.streams import Segments

log = logging.getLogger(__name__)

_OFFERED: Final = ((DICOM_JSON, False), (DICOM_XML, True))
#: text made at a time, and given on; characters
_BATCH: Final = 256 << 10
#: instances described in one go of a thread
_AT_ONCE: Final = 64


class Metadata:
    """Answers with metadata."""

    def __init__(self, context: ArchiveWeb, lookup: Lookup) -> None:
        self._context = context
        self._lookup = lookup

    async def study_or_series(self, request: Request) -> Response:
        """GET .../metadata of a study or a series."""
        ask = asked(request, self._context)
        form = self._form(ask)
        rows = await asyncio.to_thread(self._lookup.series, ask.principal, ask.study, ask.series)
        if not rows:
            raise not_found()
        etag = _etag([(row.id, row.generation, row.since, row.rejected) for row in rows], form)
        if (same := unchanged(request, etag)) is not None:
            return same
        self._context.trail.viewed(ask.principal, ask.host, ask.study, "metadata")
        base = address_of(request, self._context)
        headers = {"ETag": etag, "Cache-Control": CACHE, "Vary": "Accept, Accept-Encoding"}
        if form == DICOM_XML:
            return self._xml(self._made(ask, rows, base), headers)
        gzip = takes_gzip(request)
        if gzip:
            headers["Content-Encoding"] = "gzip"
            parts = await asyncio.to_thread(self._all_prepared, rows, base)
            if parts is not None:
                pieces, length = prepared.document(parts)
                return Segments(pieces, length=length, media_type=DICOM_JSON, headers=headers)
        body = self._json(ask, rows, base, gzip=gzip)
        return Segments(body, media_type=DICOM_JSON, headers=headers)

    async def instance(self, request: Request) -> Response:
        """GET .../metadata of an instance."""
        ask = asked(request, self._context)
        form = self._form(ask)
        found = await self._lookup.instance(ask.principal, ask.study, ask.series, ask.instance)
        if found is None:
            raise not_found()
        one = found.stored
        etag = "W/" + etag_of(one, form.rpartition("+")[2])
        if (same := unchanged(request, etag)) is not None:
            return same
        self._context.trail.viewed(ask.principal, ask.host, ask.study, "metadata")
        base = address_of(request, self._context)
        headers = {"ETag": etag, "Cache-Control": CACHE, "Vary": "Accept, Accept-Encoding"}
        texts = MetadataText(one.study_uid, one.series_uid)
        try:
            text = await asyncio.to_thread(self._text, texts, one, address(base))
        except OSError as why:
            raise unreadable(why) from why
        if form == DICOM_XML:
            return self._xml(_one(text), headers)
        body = OPENING + text + CLOSING
        if takes_gzip(request):
            headers["Content-Encoding"] = "gzip"
            stream = deflated.Stream()
            body = stream.start() + stream.text(body) + stream.end()
        return Segments([body], length=len(body), media_type=DICOM_JSON, headers=headers)

    def _form(self, ask: Asked) -> str:
        chosen = accept.document(ask.wishes, _OFFERED)
        if chosen is None:
            raise accept.not_acceptable(
                "metadata are application/dicom+json or multipart application/dicom+xml"
            )
        return chosen[0]

    def _text(self, texts: MetadataText, one: StoredInstance, base: bytes) -> bytes:
        return base.join(texts.pieces(one.sop_instance, leaving(one, self._context.store), one.character_set))

    def _prepared(self, row: SeriesRow) -> Prepared | None:
        if not row.prepared:
            return None
        try:
            return prepared.read(self._context.home / row.prepared)
        except FileNotFoundError:
            # prepared anew in the meantime
            return None

    def _all_prepared(self, rows: Sequence[SeriesRow], base: str) -> list[deflated.Part] | None:
        """What was prepared, where that is so of all; None: something must be made."""
        if not all(row.prepared for row in rows):
            return None
        parts: list[deflated.Part] = []
        for row in rows:
            part = self._filled(row, base)
            if part is None:
                return None
            if part.length:
                parts.append(part)
        return parts

    def _filled(self, row: SeriesRow, base: str) -> deflated.Part | None:
        found = self._prepared(row)
        try:
            return found.for_address(base) if found is not None else None
        except Defect:
            # the address is longer than was thought of
            return None

    async def _json(
        self, ask: Asked, rows: Sequence[SeriesRow], base: str, *, gzip: bool
    ) -> AsyncIterator[bytes | bytearray]:
        """The array of all instances, in pieces."""
        stream = deflated.Stream()
        if gzip:
            yield stream.start()
        text, begun = bytearray(OPENING), False
        for row in rows:
            part = await asyncio.to_thread(self._filled, row, base)
            if part is not None and part.length and gzip:
                if begun:
                    text += BETWEEN
                yield stream.text(bytes(text))
                text.clear()
                yield stream.part(part)
                begun = True
                continue
            if part is not None:
                pieces = deflated.inflated(part, _BATCH)
                if begun and part.length:
                    text += BETWEEN
                begun = begun or bool(part.length)
                while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                    yield bytes(text) + piece
                    text.clear()
                continue
            async for one in self._made(ask, [row], base):
                text += (BETWEEN if begun else b"") + one
                begun = True
                if len(text) >= _BATCH:
                    yield await asyncio.to_thread(stream.text, bytes(text)) if gzip else bytes(text)
                    text.clear()
        text += CLOSING
        yield stream.text(bytes(text)) + stream.end() if gzip else bytes(text)

    async def _made(self, ask: Asked, rows: Sequence[SeriesRow], base: str) -> AsyncIterator[bytes]:
        """The text of each instance, made now."""
        for row in rows:
            texts = MetadataText(row.study_uid, row.series_uid)
            found = await asyncio.to_thread(self._instances, ask, row)
            for start in range(0, len(found), _AT_ONCE):
                some = found[start : start + _AT_ONCE]
                for one in await asyncio.to_thread(self._texts, texts, some, address(base)):
                    yield one

    def _instances(self, ask: Asked, row: SeriesRow) -> list[StoredInstance]:
        with reading(self._context.engine) as connection:
            return list(instances_in(connection, ask.principal, row.id))

    def _texts(self, texts: MetadataText, some: Iterable[StoredInstance], base: bytes) -> list[bytes]:
        return [self._or_least(texts, one, base) for one in some]

    def _or_least(self, texts: MetadataText, one: StoredInstance, base: bytes) -> bytes:
        """The text; of an object that cannot be read what the index knows, so that the others are not lost with it."""
        try:
            return self._text(texts, one, base)
        except (OSError, ValueError, Refused) as why:
            log.error("metadata of %s cannot be read: %s", one.sop_instance, why)
            known = {
                "00080016": one.sop_class,
                "00080018": one.sop_instance,
                "0020000D": one.study_uid,
                "0020000E": one.series_uid,
            }
            return json.dumps({tag: {"vr": "UI", "Value": [uid]} for tag, uid in known.items()}).encode()

    def _xml(self, texts: AsyncIterator[bytes], headers: dict[str, str]) -> Segments:
        """One part of application/dicom+xml for each instance (PS3.19 A.1)."""
        boundary = new_boundary()

        async def parts() -> AsyncIterator[bytes]:
            first = True
            async for text in texts:
                yield part_head(boundary, DICOM_XML, first=first)
                first = False
                document = iter(xml_model.document(json.loads(text)))
                for piece in await asyncio.to_thread(list[bytes], document):
                    yield piece
            yield closing(boundary)

        return Segments(parts(), media_type=content_type(boundary, DICOM_XML), headers=headers)


async def _one(text: bytes) -> AsyncIterator[bytes]:
    yield text


def _etag(states: Sequence[tuple[int, int, object, bool]], form: str) -> str:
    """Weak: the same document whatever its encoding."""
    digest = hashlib.sha256(repr((states, form)).encode()).hexdigest()
    return f'W/"{digest[:32]}"'


def routes(metadata: Metadata) -> Iterator[BaseRoute]:
    """Their addresses."""
    study, series = "/studies/{study}", "/studies/{study}/series/{series}"
    for path, endpoint in (
        (f"{study}/metadata", metadata.study_or_series),
        (f"{series}/metadata", metadata.study_or_series),
        (f"{series}/instances/{{instance}}/metadata", metadata.instance),
    ):
        yield Route(path, endpoint, methods=["GET"])
