"""Answers every request at once with bytes that are there already: what the load client can do at most.

python -m bench.http_ceiling PORT SIZE
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any


class _Answer(asyncio.Protocol):
    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._head = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._head += data
        while (end := self._head.find(b"\r\n\r\n")) >= 0:
            self._head = self._head[end + 4 :]
            self._transport.write(self._answer)


async def _serve(port: int, size: int) -> None:
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode() + bytes(size)
    server = await asyncio.get_running_loop().create_server(lambda: _Answer(answer), "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    import uvloop

    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2])))


if __name__ == "__main__":
    main()
