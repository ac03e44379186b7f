"""HTTP connections that ask for nothing, or take their time over it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from filmless.app.supervise import listen
from filmless.net.http.model import HttpSettings
from filmless.net.http.server import HttpServer

GET = b"GET /health HTTP/1.1\r\nHost: here\r\n\r\n"


async def well(_request: Request) -> Response:
    return PlainTextResponse("ok")


@asynccontextmanager
async def serving(patience: int, connections: int = 100) -> AsyncIterator[int]:
    listener = listen("127.0.0.1", 0, "HTTP", "")
    app = Starlette(routes=[Route("/health", well)])
    server = HttpServer(app, listener, HttpSettings(patience=patience, connections=connections))
    server.start()
    yield server.port
    await server.stop()


async def closed(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(10):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


@pytest.mark.parametrize("said", [b"", b"GET", GET[:-2], GET + GET[:9]])
async def test_who_does_not_ask_in_time_is_cut_off(said: bytes) -> None:
    async with serving(1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def trickle() -> None:
            for byte in said:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.005)
            while not writer.transport.is_closing():
                await asyncio.sleep(0.1)
                if said == b"GET":
                    writer.write(b"X")

        trickling = asyncio.create_task(trickle())
        answer = await closed(reader)
        assert answer.startswith(b"HTTP/1.1 200") is said.startswith(GET)
        trickling.cancel()
        await asyncio.gather(trickling, return_exceptions=True)
        writer.close()


async def test_a_crowd_of_idle_connections_does_not_grow() -> None:
    async with serving(15, connections=3) as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        reader, one_more = await asyncio.open_connection("127.0.0.1", port)
        assert await closed(reader) == b""
        for reader, writer in idle:
            writer.write(GET)
            async with asyncio.timeout(10):
                assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.close()
        one_more.close()


@pytest.mark.parametrize(
    "said", [b"\x16\x03\x01\x02\x00", b"GET /health?" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: here\r\n\r\n"]
)
async def test_what_is_no_request_is_told_so_as_any_other_error(said: bytes) -> None:
    async with serving(5) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        head, _, body = (await closed(reader)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ") and b"\r\ncontent-type: application/problem+json" in head
        assert json.loads(body)["code"] == "not-http"
        writer.close()
