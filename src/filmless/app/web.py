"""The web process: everything that is asked over HTTP, so that the DICOM network is left in peace.

    python -m filmless.app.web NUMBER NUMBER PLACE       (of a listening socket and a board that it was given, and its
                                                          place on that; settings as for `filmless serve`)

`filmless serve` starts as many as [http] processes says, and starts one again when it ends; they end with their
standard input, where that is a pipe. They have nothing of their own to remember (decision 0016): several of them, on
one or more machines with one PostgreSQL, answer alike.
"""

import asyncio
import gc
import logging
import os
import signal
import socket
import stat
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from filmless.app import logs
from filmless.app.settings import Settings, load
from filmless.app.site import Site, open_site
from filmless.kit.allocator import frugal
from filmless.kit.board import Board
from filmless.kit.errors import FilmlessError
from filmless.kit.forks import name_this
from filmless.net import tls
from filmless.net.http.server import HttpServer

# by its name, also where it is run as __main__
log = logging.getLogger("filmless.app.web")


async def serve(settings: Settings, listener: socket.socket, board: Board, stopping: asyncio.Event) -> None:
    """Serve until `stopping`."""
    async with AsyncExitStack() as stack:
        site: Site = await stack.enter_async_context(open_site(settings, board))
        context = None
        if settings.http.tls:
            context = tls.server_context(Path(settings.tls.certificate), Path(settings.tls.key))
        server = HttpServer(site.app, listener, settings.http, context, board)
        server.start()
        # nothing of what was made at start is garbage
        gc.freeze()
        log.info("the web process serves on port %d", server.port)
        await stopping.wait()
        site.ending.set()
        await server.stop()
    log.info("the web process has ended")


async def _main(settings: Settings, listener: socket.socket, board: Board) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        loop.add_reader(0, _end_of_input, loop, stopping)
    await serve(settings, listener, board, stopping)


def _end_of_input(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    if not os.read(0, 4096):
        loop.remove_reader(0)
        stopping.set()


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit code."""
    import uvloop

    name_this("filmless-web")
    frugal()
    os.umask(0o027)
    try:
        settings = load()
        listener, board, place = (int(argument) for argument in arguments)
        name = f"web-{place + 1}" if place else "web"
        logs.start(settings, name, name=name)
        uvloop.run(_main(settings, socket.socket(fileno=listener), Board(place, board)))
    except FilmlessError as error:
        log.error("%s", error.message)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
