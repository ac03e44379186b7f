"""Senders that trickle and peers that never release: the others are served as if they were not there."""

import contextlib
import random
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from tests.peers import HOST, FilmlessServer, eventually
from tests.raw import (
    ABORT,
    CT,
    IMPLICIT,
    VERIFICATION,
    Closed,
    RawAssociation,
    associate_rq,
    command_set,
    pdata,
)
from tests.soak.objects import connect, make, related

SETTINGS = "[net]\nartim = 2\ndimse_timeout = 2\nidle_timeout = 3\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilmlessServer]:
    with FilmlessServer(tmp_path_factory.mktemp("slow") / "home", settings=SETTINGS) as running:
        yield running


def trickle(link: socket.socket, data: bytes, stop: threading.Event) -> None:
    """A byte every 50 ms: always alive, never done."""
    with contextlib.suppress(OSError):
        for at in range(len(data)):
            link.sendall(data[at : at + 1])
            if stop.wait(0.05):
                return


def test_others_are_served_meanwhile(server: FilmlessServer) -> None:
    stop = threading.Event()
    source = random.Random(1)
    held: list[RawAssociation] = []
    links: list[socket.socket] = []
    threads = []
    try:
        for at in range(10):
            link = socket.create_connection((HOST, server.dicom_port))
            request = associate_rq([(VERIFICATION, [IMPLICIT])])
            threads.append(threading.Thread(target=trickle, args=(link, request, stop), daemon=True))
            links.append(link)
            one = make("TRICKLE", f"1.{at}", 1, at + 1, 200_000, source)
            slow = connect(server.dicom_port)
            message = command_set(
                {0x0002: CT, 0x0100: 1, 0x0110: 1, 0x0700: 0, 0x0800: 1, 0x1000: one.sop_instance}
            )
            slow.socket.sendall(pdata(1, message, command=True))
            body = pdata(1, one.data, command=False)
            threads.append(threading.Thread(target=trickle, args=(slow.socket, body, stop), daemon=True))
            held.append(slow)
        held += [connect(server.dicom_port) for _ in range(40)]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        with connect(server.dicom_port) as association:
            for number in range(1, 31):
                one = make("PROMPT", "2", 1, number, 100_000, source)
                assert association.store(CT, one.sop_instance, one.data).status == 0
            assert related(association, one.study) == 30
            association.release()
        assert time.monotonic() - began < 10
        assert server.health()
    finally:
        stop.set()
        for thread in threads:
            thread.join(5)
        for slow in held:
            slow.close()
        for link in links:
            link.close()
    check = server.cli("check")
    assert check.status == 0, check.output


@pytest.mark.parametrize("stage", ["before the request", "inside the request", "inside a message", "idle"])
def test_silent_peers_are_let_go(server: FilmlessServer, stage: str) -> None:
    """Each wait has its deadline: the server closes or aborts, whatever the peer was about to say."""
    if stage in ("before the request", "inside the request"):
        with socket.create_connection((HOST, server.dicom_port), timeout=15) as link:
            if stage == "inside the request":
                link.sendall(associate_rq([(VERIFICATION, [IMPLICIT])])[:50])
            answer = b""
            while piece := link.recv(4096):
                answer += piece
            assert answer == b"" or answer[0] == ABORT
        return
    with connect(server.dicom_port, seconds=15) as association:
        if stage == "inside a message":
            association.socket.sendall(pdata(1, b"\0\0\0\0", command=True, last=False))
        with pytest.raises(Closed):
            association.read_pdu()


def test_nothing_stays_open(server: FilmlessServer) -> None:
    def none_listed() -> bool:
        done = server.cli("associations", "list")
        return not any(word in done.output for word in ("SOAK", "RAW"))

    eventually(none_listed, "no association of these tests is left", seconds=20, every=0.5)
