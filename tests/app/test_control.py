"""The control socket: who may ask, what is answered."""

import asyncio
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from filmless.app.control import ControlServer, ask
from filmless.kit.errors import Conflict, Refused, Unavailable


async def echo(request: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"got": request["word"]}


async def clash(_request: Mapping[str, Any]) -> Mapping[str, Any]:
    raise Conflict("it is so already", code="same")


@pytest.mark.parametrize("depth", [1, 12], ids=["short path", "path longer than an address may be"])
async def test_questions_are_answered_and_errors_come_back_as_they_were(tmp_path: Path, depth: int) -> None:
    home = tmp_path.joinpath(*["a-rather-long-folder"] * depth)
    home.mkdir(parents=True)
    path = home / "control.sock"
    server = ControlServer(path, {"echo": echo, "clash": clash})
    await server.start()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert await asyncio.to_thread(ask, path, "echo", word="hello") == {"got": "hello"}
    with pytest.raises(Conflict, match="it is so already") as caught:
        await asyncio.to_thread(ask, path, "clash")
    assert caught.value.code == "same"
    with pytest.raises(Refused, match="another version"):
        await asyncio.to_thread(ask, path, "dance")
    await server.close()
    assert not path.exists()


async def test_what_is_no_request_is_refused(tmp_path: Path) -> None:
    server = ControlServer(tmp_path / "control.sock", {"echo": echo})
    await server.start()
    for nonsense in (b"hello\n", b"[]\n", b"\n", b"x" * 100_000 + b"\n"):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "control.sock"))
        writer.write(nonsense)
        async with asyncio.timeout(10):
            answer = await reader.read()
        assert answer == b"" or b"not a request" in answer
        writer.close()
    assert await asyncio.to_thread(ask, tmp_path / "control.sock", "echo", word="still") == {"got": "still"}
    await server.close()


def test_without_a_server_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No server runs on"):
        ask(tmp_path / "control.sock", "echo")


async def test_a_dead_servers_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    path.touch()
    server = ControlServer(path, {"echo": echo})
    await server.start()
    assert await asyncio.to_thread(ask, path, "echo", word="x") == {"got": "x"}
    await server.close()
