"""A load client for HTTP in a process of its own: asks paths over some connections and throws the bodies away.

    echo '{"host": "127.0.0.1", "port": 8104, "paths": ["/"], "connections": 8, "count": 1000}' | \
        python -m bench.http_client

It reads into one buffer and looks at nothing but the status and the length, so that it costs little of the machine that
it shares with the server; what it can do at most is measured beside every figure (bench/http_ceiling.py).
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Load:
    """What came back. Times in ms; `statuses`: how many answers of each."""

    rate: float
    median: float
    p95: float
    bytes_per_answer: float
    statuses: dict[str, int]


def load(
    port: int,
    paths: Sequence[str],
    *,
    connections: int,
    count: int,
    headers: dict[str, str] | None = None,
    least_bytes: int = 1,
) -> Load:
    """Ask `count` times, the paths in turn. Fails where an answer is no success or shorter than `least_bytes`."""
    asked = {
        "port": port,
        "paths": list(paths),
        "connections": connections,
        "count": count,
        "headers": headers or {},
        "least": least_bytes,
    }
    done = subprocess.run(
        [sys.executable, "-m", "bench.http_client"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"the load client failed: {done.stderr[-2000:]}")
    return Load(**json.loads(done.stdout))


class _Connection(asyncio.BufferedProtocol):
    """One request after the other. Understands Content-Length and chunked answers."""

    def __init__(self, work: _Work) -> None:
        self._work = work
        self._buffer = bytearray(1 << 20)
        self._view = memoryview(self._buffer)
        self._head = b""
        self._left = -1
        self._chunked = False
        self._tail = b""
        self._taken = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def get_buffer(self, _hint: int) -> memoryview:
        return self._view

    def connection_lost(self, exc: Exception | None) -> None:
        self._work.lost(exc, finished=self._left < 0 and not self._head)

    def _ask(self) -> None:
        request = self._work.next()
        if request is None:
            self._transport.close()
            return
        self._began = time.perf_counter()
        self._transport.write(request)

    def buffer_updated(self, nbytes: int) -> None:
        data = self._view[:nbytes]
        if self._left < 0 and not self._chunked:
            self._head += bytes(data)
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            head, rest = self._head[:end].lower(), self._head[end + 4 :]
            self._status = head.split(b" ", 2)[1].decode()
            self._chunked = b"transfer-encoding: chunked" in head
            self._taken = 0
            if self._chunked:
                self._tail = b""
                self._more(rest)
                return
            at = head.find(b"content-length:")
            self._left = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            self._body(len(rest))
        elif self._chunked:
            self._more(bytes(data))
        else:
            self._body(nbytes)

    def _body(self, count: int) -> None:
        self._left -= count
        self._taken += count
        if self._left <= 0:
            self._done()

    def _more(self, data: bytes) -> None:
        """A chunked answer ends with an empty chunk; bodies here are binary, so the end is looked for at the end."""
        self._taken += len(data)
        self._tail = (self._tail + data)[-7:]
        if self._tail == b"\r\n0\r\n\r\n" or (self._taken <= 5 and self._tail.endswith(b"0\r\n\r\n")):
            self._chunked = False
            self._done()

    def _done(self) -> None:
        self._left, self._head = -1, b""
        self._work.answered(self._status, self._taken, time.perf_counter() - self._began)
        self._ask()


class _Work:
    def __init__(self, asked: dict[str, Any]) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in asked["headers"].items())
        self._requests = [
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{asked['port']}\r\n{lines}\r\n".encode()
            for path in asked["paths"]
        ]
        self._count, self._given = asked["count"], 0
        self._least = asked["least"]
        self._open = asked["connections"]
        self._times: list[float] = []
        self._bytes = 0
        self._statuses: dict[str, int] = {}
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def next(self) -> bytes | None:
        if self._given >= self._count:
            return None
        self._given += 1
        return self._requests[self._given % len(self._requests)]

    def answered(self, status: str, size: int, seconds: float) -> None:
        self._statuses[status] = self._statuses.get(status, 0) + 1
        self._times.append(seconds)
        self._bytes += size
        if not status.startswith("2") or size < self._least:
            self._fail(f"status {status} with {size} bytes")

    def lost(self, exc: Exception | None, *, finished: bool) -> None:
        self._open -= 1
        if not finished or exc:
            self._fail(f"a connection ended early: {exc}")
        elif not self._open and not self.over.done():
            self.over.set_result(None)

    def _fail(self, words: str) -> None:
        if not self.over.done():
            self.over.set_exception(AssertionError(words))

    def result(self, seconds: float) -> dict[str, Any]:
        times = sorted(self._times)
        return {
            "rate": len(times) / seconds,
            "median": statistics.median(times) * 1e3,
            "p95": times[int(len(times) * 0.95)] * 1e3,
            "bytes_per_answer": self._bytes / len(times),
            "statuses": self._statuses,
        }


async def _run(asked: dict[str, Any]) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    work = _Work(asked)
    began = time.perf_counter()
    for _ in range(asked["connections"]):
        await loop.create_connection(lambda: _Connection(work), "127.0.0.1", asked["port"])
    await work.over
    return work.result(time.perf_counter() - began)


def main() -> None:
    import uvloop

    print(json.dumps(uvloop.run(_run(json.load(sys.stdin)))))


if __name__ == "__main__":
    main()
