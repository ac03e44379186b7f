"""The request (PS3.18 10.5.1): who may, what is sent, its body part by part, and the answer.

Nothing of the body is kept in memory beyond a few chunks. Objects whose bytes are all here are stored even where the
body breaks behind them: they are whole, and sending them again is no error.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from filmless.access.audit.model import Entry, Kind
from filmless.access.model import Action, Principal, permit
from filmless.archive import levels
from filmless.archive.model import Source
from filmless.archive.web.context import ArchiveWeb, principal_of
from filmless.archive.web.stow import answer, metadata
from filmless.archive.web.stow.objects import Incoming, Intake
from filmless.archive.web.stow.spool import Spool, Spooled
from filmless.dicom.web import accept, media_types
from filmless.dicom.web.multipart import (
    Data,
    End,
    MultipartParser,
    Part,
    boundary_of,
    parse_content_type,
)
from filmless.kit.errors import FilmlessError, Refused, Unavailable
from filmless.net.http import origin, problems
from filmless.net.http.streams import Segments

log = logging.getLogger(__name__)

_OFFERED = ((media_types.DICOM_JSON, False), (media_types.DICOM_XML, False))
_METADATA = (media_types.DICOM_JSON, media_types.DICOM_XML)
#: parts of one message
_MOST_PARTS = 100_000
#: so many bytes have to come in each stall_timeout of waiting, but for the last
_PACE = 16 << 10
#: of a body that is refused, so much is still read, so that its sender gets to read why; bytes, seconds
_DRAIN, _DRAIN_SECONDS = 8 << 20, 5.0
#: requests whose metadata are made into objects at a time: each has a thread that all others want too
_MAKING = 2
#: names of stored objects in a problem answer
_NAMED = 1000
#: errors by which a whole message is no message
_BAD_SYNTAX = frozenset({"not-dicom", "json", "xml", "content-type"})


def routes(context: ArchiveWeb) -> list[BaseRoute]:
    """POST of objects, with and without a study."""
    made = _Store(context)
    return [
        Route("/studies", made.answer, methods=["POST"], name="stow"),
        Route("/studies/{study}", made.answer, methods=["POST"], name="stow-study"),
    ]


class _Store:
    def __init__(self, context: ArchiveWeb) -> None:
        self._context = context
        self._making = asyncio.Semaphore(_MAKING)

    async def answer(self, request: Request) -> Response:
        """200, 202, 409, 503 or 507 with a data set; everything else is a problem."""
        chunks = _paced(request, self._context.http.stall_timeout)
        async with aclosing(chunks):
            try:
                return await self._answer(request, chunks)
            except FilmlessError:
                await _drain(chunks)
                raise

    async def _answer(self, request: Request, chunks: AsyncGenerator[bytes, None]) -> Response:
        context = self._context
        principal = principal_of(request)
        host = origin.client_host(request, context.http)
        try:
            permit(principal, Action.STORE)
        except Refused as refused:
            entry = Entry(Kind.STORE, principal, "refused", host, what="STOW-RS", reason=refused.code)
            context.trail.record(entry)
            raise
        if context.archive is None:
            raise Unavailable("Objects are not stored by this server.", code="no-storage")
        study_uid = request.path_params.get("study", "")
        if study_uid and not levels.uid_value(study_uid):
            raise Refused("The study of the address is no UID.", code="bad-uid")
        wishes = accept.wishes_of(request.headers.get("accept"), request.url.query)
        wanted = accept.document(wishes, _OFFERED)
        if wanted is None:
            raise accept.not_acceptable("the answer is application/dicom+json or application/dicom+xml")
        context.trail.require()
        intake = Intake(context.archive, principal, Source(f"web:{principal.name}"[:64]), study_uid)
        body = _Body(intake, context, self._making)
        try:
            await body.read(request, chunks)
        except FilmlessError as error:
            body.close()
            await intake.wait()
            if not any(one.stored for one in intake.results):
                raise
            await _drain(chunks)
            return self._broken(intake, error)
        finally:
            # also of a client that has gone: what is whole is stored, and has to be in the trail
            await asyncio.shield(self._conclude(intake, body, principal, host))
        _check_syntax(intake)
        root = origin.base_url(request, context.http) + request.scope.get("root_path", "")
        headers = {"Cache-Control": "no-store"}
        status = answer.status_of(intake.results)
        if status in (503, 507):
            headers["Retry-After"] = "30"
        return Segments(
            answer.body(intake.results, root, study_uid, wanted[0]),
            media_type=wanted[0],
            status_code=status,
            headers=headers,
        )

    async def _conclude(self, intake: Intake, body: "_Body", principal: Principal, host: str) -> None:
        """Wait for what is under way, and write down what came."""
        body.close()
        await intake.wait()
        stored = [one for one in intake.results if one.stored]
        failed = [one for one in intake.results if not one.stored]
        if not intake.results:
            return
        refused = not stored and all(one.code == "not-permitted" for one in failed)
        entry = Entry(
            Kind.STORE,
            principal,
            "success" if stored else ("refused" if refused else "failed"),
            host,
            tuple(dict.fromkeys(one.study_uid for one in stored or failed if one.study_uid)),
            what="STOW-RS",
            detail={
                "instances": len(stored),
                "sop_classes": dict(Counter(one.sop_class_uid for one in stored)),
                **({"failed": len(failed)} if failed else {}),
            },
        )
        self._context.trail.record_late(entry)

    def _broken(self, intake: Intake, error: FilmlessError) -> Response:
        """The answer where objects were stored before the body turned out to be broken."""
        stored = [one.sop_instance_uid for one in intake.results if one.stored]
        return problems.problem(
            problems.status_of(error),
            detail=error.message,
            code=error.code,
            stored=len(stored),
            stored_instances=stored[:_NAMED],
        )


def _check_syntax(intake: Intake) -> None:
    """Raise Refused where nothing was sent, or nothing of it can be understood (400)."""
    if not intake.results:
        raise Refused("The message holds no object.", code="empty")
    if all(one.code in _BAD_SYNTAX and not one.sop_instance_uid for one in intake.results):
        first = intake.results[0]
        raise Refused(first.comments[0], code=first.code)


class _Body:
    """The body of one request, by what its parts are."""

    def __init__(self, intake: Intake, context: ArchiveWeb, making: asyncio.Semaphore) -> None:
        self._intake, self._context, self._making = intake, context, making
        self._spool: Spool | None = None
        self._bulk: metadata.Bulk | None = None
        self._roots: list[Spooled] = []
        self._root_type = ""
        self._incoming: Incoming | None = None
        #: the part that goes to the spool: its Content-Location and its place so far
        self._spooling: tuple[str, Spooled] | None = None

    def close(self) -> None:
        """Leave nothing of what is incomplete."""
        if self._incoming is not None:
            self._incoming.abort()
            self._incoming = None
        if self._spool is not None:
            self._spool.close()

    async def read(self, request: Request, chunks: AsyncGenerator[bytes, None]) -> None:
        """All of it. Raises Refused where it is no message, or breaks off."""
        media_type, parameters = _content_type(request)
        if media_type == media_types.DICOM:
            self._incoming = self._intake.begin()
            async for chunk in chunks:
                await self._incoming.write(memoryview(chunk))
            incoming, self._incoming = self._incoming, None
            await incoming.finish()
            return
        parser = MultipartParser(boundary_of(parameters), max_parts=_MOST_PARTS)
        root_type = _plain(parameters.get("type", ""))
        self._root_type = media_types.ALIASES.get(root_type, root_type)
        if self._root_type and self._root_type not in (media_types.DICOM, *_METADATA):
            raise _unsupported()
        async for chunk in chunks:
            for event in parser.feed(chunk):
                if isinstance(event, Part):
                    self._begin(event)
                elif isinstance(event, Data):
                    await self._data(event.content)
                elif isinstance(event, End):
                    await self._end()
        parser.finish()
        if self._spool is not None and self._bulk is not None:
            await self._spool.flush()
            async with self._making:
                await asyncio.to_thread(metadata.store, self._intake, self._roots, self._bulk)

    def _begin(self, part: Part) -> None:
        # a part without a type is of that of the root (RFC 2387 has no other to offer)
        said = part.headers.get("content-type") or self._root_type
        try:
            media_type, parameters = parse_content_type(said)
            media_type = media_types.ALIASES.get(media_type, media_type)
            encoding = part.headers.get("content-transfer-encoding", "binary").lower()
            if encoding not in ("binary", "8bit", "7bit"):
                raise Refused("A part has a transfer encoding that is not taken.", code="not-dicom")
            if not self._root_type:
                if media_type not in (media_types.DICOM, *_METADATA):
                    raise _unsupported()
                self._root_type = media_type
            if self._root_type == media_types.DICOM:
                if media_type != media_types.DICOM:
                    raise Refused("This part is no DICOM object.", code="not-dicom")
                self._incoming = self._intake.begin()
                return
        except Refused as refused:
            if refused.code == "unsupported-media-type":
                raise
            self._intake.no_object(refused)
            return
        if self._spool is None:
            self._spool = Spool(self._context.home / "scratch")
            self._bulk = metadata.Bulk(self._spool)
        self._spooling = (
            "" if media_type == self._root_type else part.headers.get("content-location", ""),
            Spooled(media_type, parameters.get("transfer-syntax", ""), self._spool.size, 0),
        )

    async def _data(self, content: memoryview) -> None:
        if self._incoming is not None:
            await self._incoming.write(content)
        elif self._spooling is not None and self._spool is not None:
            if self._context.archive is not None:
                self._context.archive.check_space()
            await self._spool.write(content)

    async def _end(self) -> None:
        if self._incoming is not None:
            incoming, self._incoming = self._incoming, None
            await incoming.finish()
        elif self._spooling is not None and self._spool is not None and self._bulk is not None:
            location, begun = self._spooling
            self._spooling = None
            part = Spooled(
                begun.media_type, begun.transfer_syntax, begun.offset, self._spool.size - begun.offset
            )
            if part.media_type == self._root_type:
                self._roots.append(part)
            else:
                self._bulk.parts.setdefault(location, []).append(part)


def _content_type(request: Request) -> tuple[str, dict[str, str]]:
    """Media type and parameters of the body. Raises Refused (code "unsupported-media-type", "content-type")."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused("A Content-Encoding is not taken here.", code="unsupported-media-type")
    said = request.headers.get("content-type", "")
    if not said:
        raise _unsupported()
    media_type, parameters = parse_content_type(said)
    if media_type not in (media_types.MULTIPART, media_types.DICOM):
        raise _unsupported()
    return media_type, parameters


def _plain(type_parameter: str) -> str:
    return type_parameter.split(";")[0].strip().lower()


def _unsupported() -> Refused:
    return Refused(
        "Objects come as multipart/related of application/dicom, or of application/dicom+json or "
        "application/dicom+xml with bulk data.",
        code="unsupported-media-type",
    )


async def _paced(request: Request, patience: float) -> AsyncGenerator[bytes, None]:
    """The body as it comes. Raises Refused (code "stalled") where it stops, is broken off, or only trickles.

    Only the time in which we wait for the client counts, not that in which it waits for us.
    """
    loop = asyncio.get_running_loop()
    stream = request.stream()
    waited, came = 0.0, 0
    while True:
        begun = loop.time()
        try:
            async with asyncio.timeout(patience):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Refused("The rest of the body did not come in time.", code="stalled") from None
        except ClientDisconnect:
            # nobody will read the answer; but it is no fault of ours
            raise Refused("The rest of the body did not come.", code="stalled") from None
        waited += loop.time() - begun
        came += len(chunk)
        if waited > patience:
            if came < _PACE:
                raise Refused("The body comes too slowly.", code="stalled")
            waited, came = 0.0, 0
        if chunk:
            yield chunk


async def _drain(chunks: AsyncGenerator[bytes, None]) -> None:
    """Read on for a moment: who is still sending would not see the answer."""
    left = _DRAIN
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for chunk in chunks:
                left -= len(chunk)
                if left < 0:
                    return
    except (TimeoutError, FilmlessError):
        return
