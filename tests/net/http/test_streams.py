"""Answers of bytes and files over a real connection: whole, in part, to clients that stop or go."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from filmless.app.supervise import listen
from filmless.kit.errors import Conflict, Defect, FilmlessError, Refused, Unavailable
from filmless.net.http.bodies import BoundedBodies
from filmless.net.http.model import HttpSettings
from filmless.net.http.problems import of_error
from filmless.net.http.server import HttpServer
from filmless.net.http.streams import CHUNK, FileSlice, Segments, part_asked, ranged
from tests import peers


@asynccontextmanager
async def serving(app: Any, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    server = HttpServer(app, listen("127.0.0.1", 0, "HTTP", ""), HttpSettings(**settings))
    server.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=20) as client:
        yield client
    await server.stop()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_bytes(os.urandom(3 * CHUNK + 12345))
    return made


def answering(response: Any) -> Starlette:
    async def answer(request: Request) -> Response:
        made: Response = response(request)
        return made

    return Starlette(routes=[Route("/", answer, methods=["GET", "POST"])])


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("asynchronous", [True, False])
async def test_segments_arrive_in_order(file: Path, *, known: bool, asynchronous: bool) -> None:
    whole = file.read_bytes()
    parts = [
        b"head",
        FileSlice(file, 10, 100),
        b"",
        b"x" * 70_000,
        FileSlice(file, 5, len(whole) - 5),
        b"end",
    ]
    wanted = b"".join(
        whole[part.offset : part.offset + part.length] if isinstance(part, FileSlice) else part
        for part in parts
    )

    async def one_by_one() -> AsyncIterator[Any]:
        for part in parts:
            yield part

    def respond(_request: Request) -> Response:
        length = len(wanted) if known else None
        return Segments(one_by_one() if asynchronous else iter(parts), length=length, media_type="a/b")

    async with serving(answering(respond)) as client:
        found = await client.get("/")
        assert hashlib.sha256(found.content).digest() == hashlib.sha256(wanted).digest()
        assert found.headers.get("content-length") == (str(len(wanted)) if known else None)
        assert found.headers["content-type"] == "a/b"
        assert (await client.head("/")).content == b""


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        ("bytes=0-9", (0, 9)),
        ("bytes=90-", (90, 99)),
        ("bytes=90-1000", (90, 99)),
        ("bytes=-5", (95, 99)),
        ("bytes=-500", (0, 99)),
        ("bytes=5-2", None),
        ("bytes=0-1,5-6", None),
        ("lines=1-2", None),
        ("bytes=-", None),
        # longer than any file, and than numbers that Python reads
        (f"bytes={'9' * 5000}-", None),
        (f"bytes=0-{'9' * 5000}", None),
    ],
)
def test_ranges_as_rfc_9110_has_them(header: str, asked: tuple[int, int] | None) -> None:
    assert part_asked(header, 100) == asked


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=-0"])
def test_a_range_outside_is_refused(header: str) -> None:
    with pytest.raises(Refused) as refusal:
        part_asked(header, 100)
    assert refusal.value.code == "range"


async def test_a_part_of_a_file(file: Path) -> None:
    whole = file.read_bytes()

    def respond(request: Request) -> Response:
        return ranged(request.headers.get("range", ""), FileSlice(file, 100, len(whole) - 100), "video/mp4")

    async with serving(answering(respond)) as client:
        found = await client.get("/", headers={"Range": "bytes=1000-2000099"})
        assert found.status_code == 206
        assert found.content == whole[1100:2000200]
        assert found.headers["content-range"] == f"bytes 1000-2000099/{len(whole) - 100}"
        full = await client.get("/")
        assert (full.status_code, full.headers["accept-ranges"]) == (200, "bytes")
        assert full.content == whole[100:]


async def test_half_an_answer_is_never_taken_for_whole(file: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 200_000
        raise OSError("the disk is gone")

    async with serving(answering(lambda _request: Segments(broken()))) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/")
    short = FileSlice(file, 0, file.stat().st_size + 1)
    async with serving(answering(lambda _request: Segments([short], length=short.length))) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/")


async def test_who_goes_away_ends_the_answer() -> None:
    given, ended = 0, asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        try:
            while True:
                given += 1
                yield b"x" * CHUNK
        finally:
            ended.set()

    async with serving(answering(lambda _request: Segments(endless()))) as client:
        async with client.stream("GET", "/") as answer:
            async for _ in answer.aiter_raw():
                break
        async with asyncio.timeout(15):
            await ended.wait()
    assert given < 100


async def test_who_stops_reading_costs_no_memory_and_is_cut_off(file: Path) -> None:
    with file.open("ab") as grown:
        grown.truncate(400 << 20)
    before = psutil.Process().memory_info().rss
    whole = FileSlice(file, 0, 400 << 20)
    async with serving(
        answering(lambda _request: Segments([whole], length=whole.length)), stall_timeout=1.0
    ) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port, limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        await reader.readline()
        port = writer.get_extra_info("sockname")[1]

        def cut_off() -> bool:
            # the server's end of it
            ends = [one for one in psutil.net_connections("tcp4") if one.raddr and one.raddr.port == port]
            return all(one.status != "ESTABLISHED" for one in ends)

        await asyncio.to_thread(peers.eventually, cut_off, "the connection is cut")
        assert psutil.Process().memory_info().rss - before < 50 << 20
        writer.close()


async def _take(request: Request) -> Response:
    taken = len(await request.body())
    return Response(str(taken))


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, FilmlessError)
    return of_error(error)


def _bounded(stall: float = 5.0) -> Any:
    routes = [Route("/", _take, methods=["POST"])]
    app = Starlette(routes=routes, exception_handlers={FilmlessError: _problem})
    return BoundedBodies(app, lambda _path: 1000, stall)


async def test_bodies_have_a_longest_length() -> None:
    async def chunks(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b"x" * 100

    async with serving(_bounded()) as client:
        assert (await client.post("/", content=b"x" * 1000)).text == "1000"
        assert (await client.post("/", content=chunks(10))).text == "1000"
        for body in (b"x" * 1001, chunks(11)):
            refused = await client.post("/", content=body)
            assert refused.status_code == 413
            assert refused.json()["code"] == "too-large"


async def test_a_body_that_stops_coming_is_given_up() -> None:
    async with serving(_bounded(0.3)) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n\r\nhalf")
        async with asyncio.timeout(10):
            assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        writer.close()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Refused("no", code="bad"), 400),
        (Refused("no", code="not-found"), 404),
        (Refused("no", code="not-signed-in"), 401),
        (Conflict("no"), 409),
        (Unavailable("later"), 503),
        (Unavailable("full", code="disk-full"), 507),
        (Defect("ours"), 500),
    ],
)
def test_errors_have_their_status(error: FilmlessError, status: int) -> None:
    made = of_error(error)
    assert made.status_code == status
    assert made.media_type == "application/problem+json"
    assert ("retry-after" in made.headers) is (status == 503)
    assert ("www-authenticate" in made.headers) is (status == 401)
