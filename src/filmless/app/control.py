"""HOME/control.sock: the command line asks the running server something, one JSON line each way.

    {"do": "associations"}                      -> {"associations": [{"id": ..., "calling_ae": ...}, ...]}
    {"do": "health"}, {"do": "metrics"}         -> what /health and /metrics of the web process say
    {"do": "abort", "id": "...", "reason": ""}  -> {"aborted": "..."}
    {"do": "attempt", "kind": "...", "key": "...", "most": 30}  -> {}, or "too-many" (app/counting.py)
    anything that fails                         -> {"error": "...", "family": "Refused", "code": "..."}

The socket belongs to the server's user alone (0600): who may open it may do everything that it offers.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from filmless.kit import errors

log = logging.getLogger(__name__)

Action = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]

_LINE = 64 << 10
_SECONDS = 30.0


class ControlServer:
    """Answers on the socket until closed."""

    def __init__(self, path: Path, actions: Mapping[str, Action]) -> None:
        self._path = path
        self._actions = actions
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. The caller holds the home's lock, so that a socket that is there is a dead server's."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # 0600 from the first moment: nobody can slip in between bind and chmod
        before = os.umask(0o177)
        try:
            with _short(self._path) as address:
                listener.bind(address)
        finally:
            os.umask(before)
        listener.setblocking(False)  # noqa: FBT003 - positional only
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=_LINE)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                answer = await self._answer(await reader.readline())
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (TimeoutError, ConnectionError, ValueError) as why:
            log.debug("a control request ended early: %s", why)
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Mapping[str, Any]:
        try:
            request = json.loads(line)
            action = self._actions.get(request["do"])
        except (ValueError, KeyError, TypeError):
            return {"error": "not a request of Filmless", "family": "Refused", "code": "bad-request"}
        if action is None:
            words = "The running server does not know this request: it is another version of Filmless."
            return {"error": words, "family": "Refused", "code": "bad-request"}
        try:
            return await action(request)
        except errors.FilmlessError as why:
            return {"error": why.message, "family": _family(why), "code": why.code}

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)


def ask(path: Path, do: str, **arguments: Any) -> dict[str, Any]:
    """Ask the server running on this home; blocks for at most half a minute.

    Raises Unavailable where no server runs, and the error of the server's answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_SECONDS)
        try:
            with _short(path) as address:
                connection.connect(address)
            connection.sendall(json.dumps({"do": do, **arguments}).encode() + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline()
        except PermissionError:
            raise errors.Refused(
                f"Only the server's own user may open {path}; try the same with sudo -u.", code="not-allowed"
            ) from None
        except OSError:
            raise errors.Unavailable(f"No server runs on {path.parent}.", code="not-running") from None
    if not line:
        raise errors.Unavailable("The server ended before it answered.", code="not-running")
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        family: type[errors.FilmlessError] = getattr(errors, answer["family"], errors.Defect)
        raise family(answer["error"], code=answer.get("code", ""))
    return answer


def _family(error: errors.FilmlessError) -> str:
    families = (errors.Refused, errors.Conflict, errors.Unavailable, errors.Defect)
    return next(family.__name__ for family in families if isinstance(error, family))


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """An address of at most 107 bytes for a socket in any folder (sun_path, unix(7))."""
    if len(os.fsencode(path)) < 100:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
