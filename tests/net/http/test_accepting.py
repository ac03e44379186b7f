"""Several processes on one port: each holds about as many connections, and none waits for one that is stuck."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from filmless.app.supervise import listen
from filmless.kit.board import Board
from filmless.net.http.model import HttpSettings
from filmless.net.http.server import HttpServer

GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


@asynccontextmanager
async def serving(number: int, connections: int = 100) -> AsyncIterator[tuple[int, list[Board]]]:
    """(port, boards) of servers that share a socket as processes do; each answers with its place."""
    async with made(number, connections) as (servers, boards):
        for server in servers:
            await begun(server, boards[0])
        yield servers[0].port, boards


async def begun(server: HttpServer, board: Board) -> None:
    before = len(board.held())
    server.start()
    async with asyncio.timeout(10):
        while len(board.held()) == before:
            await asyncio.sleep(0)


@asynccontextmanager
async def made(number: int, connections: int = 100) -> AsyncIterator[tuple[list[HttpServer], list[Board]]]:
    listener = listen("127.0.0.1", 0, "HTTP", "")
    first = Board()
    boards = [first, *(Board(place, os.dup(first.fileno())) for place in range(1, number))]

    def app(place: int) -> Starlette:
        async def who(_request: Request) -> Response:
            return PlainTextResponse(f"here {place}")

        return Starlette(routes=[Route("/", who)])

    settings = HttpSettings(connections=connections)
    servers = [
        HttpServer(app(place), listener.dup(), settings, board=board) for place, board in enumerate(boards)
    ]
    yield servers, boards
    await asyncio.gather(*(server.stop() for server in servers))
    listener.close()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    writer.write(GET)
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        return (await reader.readexactly(6)).decode()


async def test_connections_that_come_at_once_are_shared_out() -> None:
    async with serving(2) as (port, boards):
        for _ in range(5):
            opened = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in range(4)))
            said = [await ask(*one) for one in opened]
            assert sorted(said) == ["here 0", "here 0", "here 1", "here 1"]
            assert boards[0].held() == [2, 2]
            for _, writer in opened:
                writer.close()
                await writer.wait_closed()
            async with asyncio.timeout(10):
                while boards[0].held() != [0, 0]:
                    await asyncio.sleep(0)


async def test_one_that_comes_later_takes_what_comes_next() -> None:
    async with made(2) as (servers, boards):
        await begun(servers[0], boards[0])
        opened = []
        for number in range(8):
            if number == 4:
                await begun(servers[1], boards[0])
            opened.append(await asyncio.open_connection("127.0.0.1", servers[0].port))
            await ask(*opened[-1])
        assert boards[0].held() == [4, 4]
        for _, writer in opened:
            writer.close()


async def test_one_that_takes_nothing_is_not_waited_for() -> None:
    async with serving(2) as (port, boards):
        # somebody who says that he is there and free, and never comes
        stuck = Board(2, os.dup(boards[0].fileno()))
        stuck.take_part(0)
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
        said = [await ask(*one) for one in opened]
        assert {*said} == {"here 0", "here 1"}
        for _, writer in opened:
            writer.close()


async def test_the_bound_on_connections_is_for_all_together() -> None:
    async with serving(2, connections=3) as (port, _):
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for one in opened:
            await ask(*one)
        one_more = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(10):
            assert await one_more[0].read() == b""
        for _, writer in (*opened, one_more):
            writer.close()
