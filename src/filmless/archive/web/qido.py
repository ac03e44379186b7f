"""QIDO-RS: the search transaction of the studies service (PS3.18 10.6)."""

import json
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from filmless.access.audit.model import Entry, Kind
from filmless.access.model import Action, Principal, permit
from filmless.archive import searchable
from filmless.archive.query import Level, Page, Query, count, page, page_if_known
from filmless.archive.query import order as ordering
from filmless.archive.query.words import patients_in
from filmless.archive.web.context import ArchiveWeb, principal_of
from filmless.archive.web.qido_json import Writer
from filmless.archive.web.qido_request import Resource, SearchRequest, read_request, uid_in_path
from filmless.archive.web.searching import AtOnce, Searcher
from filmless.dicom.web import accept, multipart, xml_model
from filmless.dicom.web.media_types import DICOM_JSON, DICOM_XML
from filmless.kit.errors import FilmlessError, Unavailable
from filmless.net.http.origin import base_url, client_host
from filmless.net.http.streams import Segments

#: answers fetched at a time: longer lists are made of several such pages
_PAGE: Final = 500
#: answers that are left are counted up to so many
COUNTED: Final = 50
#: of a query as it is kept in the audit trail; characters
_KEPT_QUERY: Final = 4_000

_OFFERED: Final = ((DICOM_JSON, False), (DICOM_XML, True))

_RESOURCES: Final[tuple[tuple[str, Level], ...]] = (
    ("/studies", "STUDY"),
    ("/series", "SERIES"),
    ("/instances", "IMAGE"),
    ("/studies/{study}/series", "SERIES"),
    ("/studies/{study}/instances", "IMAGE"),
    ("/studies/{study}/series/{series}/instances", "IMAGE"),
)


def routes(context: ArchiveWeb) -> list[Route]:
    """The six resources of a search."""
    return Service(context).routes()


@dataclass(slots=True)
class _Begun:
    """The first page of an answer, and what is known besides."""

    asked: SearchRequest
    first: Page
    #: its answers as JSON
    texts: list[str]
    #: further answers that the client gets, page by page
    remaining: int
    total: int | None
    #: answers behind those that the client gets: as a number, or "at least ..."
    left: str


@dataclass(slots=True)
class _Places:
    """Where the pages of clients ended that count their way with `offset`.

    An offset counts answers that move while objects arrive: the newest come first. The page after one that was given
    begins behind its last answer, whatever has come or gone since. Kept for a while in this process only; who asks
    for a page out of turn gets what its offset says at that moment.
    """

    SECONDS = 600.0
    MOST = 2_000
    MOST_PAGES = 1_000
    _kept: OrderedDict[Any, tuple[float, dict[int, tuple[str | int, ...]]]] = field(
        default_factory=OrderedDict
    )

    def find(self, key: Any, offset: int) -> tuple[str | int, ...]:
        until, places = self._kept.get(key, (0.0, {}))
        return places.get(offset, ()) if until > time.monotonic() else ()

    def keep(self, key: Any, offset: int, size: int, place: tuple[str | int, ...]) -> None:
        until, places = self._kept.pop(key, (0.0, {}))
        if offset == 0 or until <= time.monotonic() or len(places) >= self.MOST_PAGES:
            places = {}
        places[offset + size] = place
        self._kept[key] = (time.monotonic() + self.SECONDS, places)
        while len(self._kept) > self.MOST:
            self._kept.popitem(last=False)


class Service:
    """Answers searches. One for a process."""

    def __init__(self, context: ArchiveWeb) -> None:
        self._context = context
        self._searcher = Searcher(context.engine)
        self._at_once = AtOnce(context.engine)
        self._keys = searchable.Known(context.engine)
        self._places = _Places()

    def routes(self) -> list[Route]:
        """The six resources."""
        return [Route(path, self.endpoint(level), methods=["GET"]) for path, level in _RESOURCES]

    def endpoint(self, level: Level) -> Any:
        async def search(request: Request) -> Response:
            principal = principal_of(request)
            try:
                return await self._search(request, principal, level)
            except FilmlessError as error:
                self._audit(
                    request, principal, "refused" if error.code == "not-permitted" else "failed", error
                )
                raise

        return search

    async def _search(self, request: Request, principal: Principal, level: Level) -> Response:
        permitted = permit(principal, Action.SEARCH)
        query = request.scope["query_string"].decode("latin-1")
        wishes = accept.wishes_of(request.headers.get("accept"), query)
        form = accept.document(wishes, _OFFERED)
        if form is None:
            raise accept.not_acceptable(f"a search answers {DICOM_JSON}, or {DICOM_XML} in parts")
        resource = Resource(level, *(uid_in_path(request.path_params[name]) for name in request.path_params))
        service = base_url(request, self._context.http) + request.scope.get("root_path", "")

        def work(connection: Connection) -> _Begun:
            asked = self._asked(connection, resource, query)
            begun = self._begin(connection, permitted, resource, asked, service)
            self._audit(request, principal, "success", patients=patients_in(asked.asked))
            return begun

        def at_once(connection: Connection) -> _Begun | None:
            if self._keys.stale:
                return None
            asked = self._asked(connection, resource, query)
            begun = self._begin_at_once(connection, permitted, resource, asked, service)
            if begun is not None:
                try:
                    self._audit(request, principal, "success", patients=patients_in(asked.asked))
                except Unavailable:
                    # a thread waits for room in the trail
                    return None
            return begun

        begun = self._at_once.run(at_once)
        if begun is None:
            begun = await self._searcher.run(work)
        headers = self._headers(request, begun, service)
        if not begun.remaining:
            return _whole(begun.texts, form[0], headers)
        return _streamed(self._batches(permitted, begun, service), form[0], headers)

    def _asked(self, connection: Connection, resource: Resource, query: str) -> SearchRequest:
        return read_request(
            resource, query, self._keys.now(connection), self._context.settings.search_maximum
        )

    def _start(self, principal: Principal, resource: Resource, asked: SearchRequest) -> tuple[Query, int]:
        """The query of the first page, and how many answers behind it are to be counted."""
        after = asked.after
        if asked.offset and not after:
            after = self._places.find(_place_key(principal, resource, asked), asked.offset)
        size = min(asked.limit, _PAGE)
        offset = 0 if after and not asked.after else asked.offset
        return replace(asked.query, limit=size, after=after, offset=offset), asked.limit - size + COUNTED

    def _begin_at_once(
        self,
        connection: Connection,
        principal: Principal,
        resource: Resource,
        asked: SearchRequest,
        service: str,
    ) -> _Begun | None:
        if asked.count or not asked.limit:
            return None
        start, beyond = self._start(principal, resource, asked)
        first = page_if_known(connection, principal, start, beyond=beyond)
        return None if first is None else self._begun(principal, resource, asked, first, None, service)

    def _begin(
        self,
        connection: Connection,
        principal: Principal,
        resource: Resource,
        asked: SearchRequest,
        service: str,
    ) -> _Begun:
        start, beyond = self._start(principal, resource, asked)
        first = (
            page(connection, principal, start, beyond=beyond)
            if asked.limit
            else _nothing(connection, principal, start)
        )
        total = count(connection, principal, asked.query) if asked.count else None
        return self._begun(principal, resource, asked, first, total, service)

    def _begun(
        self,
        principal: Principal,
        resource: Resource,
        asked: SearchRequest,
        first: Page,
        total: int | None,
        service: str,
    ) -> _Begun:
        size, remaining, left = min(asked.limit, _PAGE), 0, ""
        if first.more and size:
            wanted, found = asked.limit - size, first.behind
            remaining = min(wanted, found)
            if found > wanted:
                left = f"at least {COUNTED}" if found == wanted + COUNTED else str(found - wanted)
            if not wanted and not asked.after:
                self._places.keep(_place_key(principal, resource, asked), asked.offset, size, first.last)
        return _Begun(asked, first, _texts(asked, first, service), remaining, total, left)

    async def _batches(self, principal: Principal, begun: _Begun, service: str) -> AsyncIterator[list[str]]:
        """Answers in batches, the first ones first."""
        yield begun.texts
        last, remaining = begun.first.last, begun.remaining
        asked = begun.asked
        while remaining > 0:
            following = replace(asked.query, after=last, limit=min(remaining, _PAGE))

            def work(connection: Connection, query: Any = following) -> tuple[list[str], Page]:
                found = page(connection, principal, query)
                return _texts(asked, found, service), found

            texts, found = await self._searcher.run(work)
            if texts:
                yield texts
            if not found.more:
                return
            last, remaining = found.last, remaining - len(texts)

    def _headers(self, request: Request, begun: _Begun, service: str) -> list[tuple[str, str]]:
        warnings = list(begun.asked.warnings)
        if begun.left:
            warnings.append(f"There are {begun.left} additional results that can be requested")
        headers = [("Warning", f'299 {service}: "{text}"') for text in warnings]
        # what may be seen depends on who asks, and changes with every arrival
        headers.append(("Cache-Control", "no-store"))
        if begun.total is not None:
            headers.append(("X-Total-Count", str(begun.total)))
        if begun.left and not begun.remaining:
            asked = begun.asked
            more = [*asked.parameters, ("limit", str(asked.limit))]
            more.append(("after", ordering.token(asked.query.order, begun.first.last)))
            address = service + request.scope["path"].removeprefix(request.scope.get("root_path", ""))
            headers.append(("Link", f'<{address}?{urlencode(more)}>; rel="next"'))
        return headers

    def _audit(
        self,
        request: Request,
        who: Principal,
        outcome: Any,
        error: FilmlessError | None = None,
        patients: tuple[str, ...] = (),
    ) -> None:
        query = request.scope["query_string"].decode("latin-1")
        entry = Entry(
            Kind.SEARCH,
            who,
            outcome,
            host=client_host(request, self._context.http),
            patients=patients,
            what="QIDO-RS",
            query=f"{request.scope['path']}?{query}"[:_KEPT_QUERY],
            reason=error.message if error is not None else "",
        )
        self._context.trail.record(entry)


def _place_key(principal: Principal, resource: Resource, asked: SearchRequest) -> Any:
    return (principal.kind, principal.name, resource, asked.parameters)


def _texts(asked: SearchRequest, found: Page, service: str) -> list[str]:
    """The answers of a page as JSON."""
    # the readers of one shape are those of one query's tags: so are their VRs
    writer = found.made.get("qido")
    if writer is None:
        writer = found.made["qido"] = Writer(asked.query.level, found.readers, asked.vrs)
    texts: list[str] = writer.texts(found.rows, service)
    return texts


def _nothing(connection: Connection, principal: Principal, query: Any) -> Page:
    """The page of a client that wants no answer, only to know how many there are."""
    found = page(connection, principal, replace(query, limit=0, offset=0))
    return Page((), found.readers, (), 0)


def _whole(texts: Sequence[str], media_type: str, headers: list[tuple[str, str]]) -> Response:
    """An answer that is there as a whole."""
    if media_type == DICOM_JSON:
        body = ("[" + ",\n".join(texts) + "]").encode("utf-8", "replace")
        return _with(Response(body, media_type=DICOM_JSON), headers)
    boundary = multipart.new_boundary()
    pieces = [*_parts(texts, boundary, first=True)]
    # without a single result the message has no part
    pieces.append(multipart.closing(boundary) if texts else f"--{boundary}--\r\n".encode())
    content_type = multipart.content_type(boundary, DICOM_XML)
    return _with(Response(b"".join(pieces), media_type=content_type), headers)


def _streamed(batches: AsyncIterator[list[str]], media_type: str, headers: list[tuple[str, str]]) -> Response:
    """An answer that is made while it is sent."""
    if media_type == DICOM_JSON:

        async def array() -> AsyncIterator[bytes]:
            opening = b"["
            async for texts in batches:
                yield opening + ",\n".join(texts).encode("utf-8", "replace")
                opening = b",\n"
            yield b"]"

        return _with(Segments(array(), media_type=DICOM_JSON), headers)
    boundary = multipart.new_boundary()

    async def parts() -> AsyncIterator[bytes]:
        first = True
        async for texts in batches:
            for piece in _parts(texts, boundary, first=first):
                yield piece
            first = False
        yield multipart.closing(boundary)

    content_type = multipart.content_type(boundary, DICOM_XML)
    return _with(Segments(parts(), media_type=content_type), headers)


def _parts(texts: Sequence[str], boundary: str, *, first: bool) -> list[bytes]:
    pieces: list[bytes] = []
    for text in texts:
        pieces.append(multipart.part_head(boundary, DICOM_XML, first=first))
        pieces += xml_model.document(json.loads(text))
        first = False
    return pieces


def _with(response: Any, headers: list[tuple[str, str]]) -> Response:
    for name, value in headers:
        response.headers.append(name, value)
    made: Response = response
    return made
