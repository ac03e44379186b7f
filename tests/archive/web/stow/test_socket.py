"""STOW-RS over a real socket: a foreign client, and clients that trickle, stop or go away."""

import asyncio
import io
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset
from tests import made
from tests.archive.web.place import CLERK, STEWARD, Place, dicom_parts, multipart, series

from filmless.access.model import Principal
from filmless.net.http.model import HttpSettings
from filmless.net.http.server import HttpServer

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
#: seconds without progress
STALL = 0.6


@asynccontextmanager
async def served(place: Place, principal: Principal = STEWARD) -> AsyncIterator[int]:
    """The port on which the place answers."""
    settings = HttpSettings(stall_timeout=STALL)
    place.context = replace(place.context, http=settings)
    listener = socket.create_server(("127.0.0.1", 0))
    server = HttpServer(place.app(principal), listener, settings)
    server.start()
    try:
        yield server.port
    finally:
        await server.stop()
        listener.close()


async def until(ask: Callable[[], bool], what: str, seconds: float = 15.0) -> None:
    """Wait, without blocking the server, until `ask()` is true."""
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(ask):
        assert time.monotonic() < deadline, f"not seen: {what}"
        await asyncio.sleep(0.02)


def head(length: int | str, path: str = "/dicom-web/studies") -> bytes:
    kind = multipart([("application/dicom", b"")])["headers"]["content-type"]
    size = "Transfer-Encoding: chunked" if length == "chunked" else f"Content-Length: {length}"
    return f"POST {path} HTTP/1.1\r\nHost: here\r\nContent-Type: {kind}\r\n{size}\r\n\r\n".encode()


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, object]]:
    status = int((await reader.readline()).split()[1])
    length = 0
    chunked = False
    while (line := await reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode().partition(":")
        length = int(value) if name.lower() == "content-length" else length
        chunked = chunked or (name.lower() == "transfer-encoding" and "chunked" in value)
    body = b""
    if chunked:
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
    else:
        body = await reader.readexactly(length)
    return status, json.loads(body)


async def test_dicomweb_client_stores_and_stores_again(place: Place) -> None:
    objects = series(3)
    async with served(place) as port:
        client = DICOMwebClient(f"http://127.0.0.1:{port}/dicom-web")
        for study in (None, "1.2.3", None):
            given = [_with_meta(one) for one in objects]
            answer = await asyncio.to_thread(client.store_instances, given, study)
            assert [str(item.ReferencedSOPInstanceUID) for item in answer.ReferencedSOPSequence] == [
                str(one.SOPInstanceUID) for one in objects
            ]
            assert "FailedSOPSequence" not in answer
            # it leaves the port out of its Host header
            assert answer.RetrieveURL == "http://127.0.0.1/dicom-web/studies/1.2.3"
    assert (len(place.stored()), place.files()) == (3, 3)


def _with_meta(image: Dataset) -> Dataset:
    return pydicom.dcmread(io.BytesIO(made.part10(image)))


async def test_a_client_that_goes_away_leaves_nothing_half_stored(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    objects = series(2)
    body = multipart(dicom_parts(objects))["content"]
    cut = body.index(made.part10(objects[1])) + 700
    async with served(place) as port:
        for length in (len(body), "chunked"):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            sent = body[:cut] if length != "chunked" else b"%x\r\n%s\r\n" % (cut, body[:cut])
            writer.write(head(length) + sent)
            await writer.drain()
            await until(lambda: place.files() >= 1, "the first object arrives")
            writer.close()
            await until(lambda: place.archive._under_way == 0, "all that was under way has ended")
            await until(lambda: len(place.stored()) == 1, "the first object is stored")
            assert place.stored() == {str(objects[0].SOPInstanceUID)}
            assert place.files() == 1
        assert place.quarantined() == 0
    # what was whole is in the trail, although nobody heard the answer
    kept = [one for one in place.audited() if one["kind"] == "store"]
    assert [one["detail"]["instances"] for one in kept] == [1, 1]
    # and it is no fault of ours
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("behaviour", ["stops", "trickles"])
@SQLITE
async def test_a_client_that_does_not_go_on_is_ended(place: Place, behaviour: str) -> None:
    body = multipart(dicom_parts(series(1)))["content"]
    async with served(place) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head(len(body)) + body[:600])
        answer = asyncio.create_task(answer_of(reader))
        begun = time.monotonic()
        at = 600
        while not answer.done():
            if behaviour == "trickles" and at < len(body) - 1:
                writer.write(body[at : at + 1])
                at += 1
            await asyncio.wait([answer], timeout=0.05)
            assert time.monotonic() - begun < 20
        status, problem = await answer
        assert (status, problem["code"]) == (408, "stalled")
        writer.close()
    assert (place.files(), place.stored()) == (0, set())


@SQLITE
async def test_who_is_refused_while_sending_gets_to_read_why(place: Place) -> None:
    body = b"x" * (4 << 20)
    async with served(place, CLERK) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head(len(body)) + body)
        status, problem = await answer_of(reader)
        assert (status, problem["code"]) == (403, "not-permitted")
        writer.close()


async def test_many_senders_at_once(place: Place) -> None:
    groups = [series(4, study=f"1.2.{number}") for number in range(3, 9)]

    async def send(port: int, objects: list[Dataset]) -> int:
        body = multipart(dicom_parts(objects))["content"]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head(len(body)) + body)
        status, _ = await answer_of(reader)
        writer.close()
        return status

    async with served(place) as port:
        statuses = await asyncio.gather(*(send(port, list(group)) for group in groups))
    assert statuses == [200] * len(groups)
    assert place.stored() == {str(one.SOPInstanceUID) for group in groups for one in group}
