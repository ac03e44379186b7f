"""Broken PDUs, messages and data sets against a live server: no crash, no hang, no partial object.

Valid conversations are recorded once and then mutated: bits, lengths, cuts, repeats, pieces out of order. After
each the server must let go of the connection or answer, and must still serve a well-behaved peer.
"""

import contextlib
import random
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.peers import HOST, FilmlessServer
from tests.raw import (
    CT,
    IMPLICIT,
    RELEASE_RQ,
    STUDY_ROOT_FIND,
    VERIFICATION,
    Closed,
    associate_rq,
    command_set,
    element,
    pdata,
    pdu,
)
from tests.soak.objects import Sent, connect, make, study_given_back

SETTINGS = "[net]\nartim = 1\ndimse_timeout = 1\nidle_timeout = 1\nacse_timeout = 2\n"
#: nothing that a broken peer sends may keep its connection longer than the deadlines above, with room
LONGEST = 20.0
CONTEXTS = [(CT, [IMPLICIT]), (STUDY_ROOT_FIND, [IMPLICIT]), (VERIFICATION, [IMPLICIT])]
LENGTHS = (0, 1, 2, 3, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilmlessServer]:
    with FilmlessServer(tmp_path_factory.mktemp("fuzz") / "home", settings=SETTINGS) as running:
        yield running
        check = running.cli("check")
        assert check.status == 0, check.output


def conversation(number: int, source: random.Random) -> list[bytes]:
    """Associate, echo, find, store, release: one PDU each or several, as a peer would send them."""
    echo = {0x0002: VERIFICATION, 0x0100: 0x30, 0x0110: 1, 0x0800: 0x0101}
    find = {0x0002: STUDY_ROOT_FIND, 0x0100: 0x20, 0x0110: 2, 0x0700: 0, 0x0800: 1}
    one = make("FUZZ", f"700.{number}", 1, 1, 3000, source)
    store = {0x0002: CT, 0x0100: 1, 0x0110: 3, 0x0700: 0, 0x0800: 1, 0x1000: one.sop_instance}
    keys = element(0x00080052, "STUDY") + element(0x00100010, "A*") + element(0x0020000D, "")
    return [
        associate_rq(CONTEXTS, calling="FUZZ", roles=[CT]),
        pdata(5, command_set(echo), command=True),
        pdata(3, command_set(find), command=True),
        pdata(3, keys, command=False),
        pdata(1, command_set(store), command=True),
        pdata(1, one.data, command=False, maximum=1024),
        pdu(RELEASE_RQ, b"\0\0\0\0"),
    ]


def mutate(pieces: list[bytes], source: random.Random) -> bytes:
    """One to four changes, of which some to whole PDUs and some to bytes."""
    pieces = list(pieces)
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(pieces))
        piece = bytearray(pieces[at])
        where = source.randrange(len(piece)) if piece else 0
        kind = source.randrange(9)
        if kind == 0 and piece:
            piece[where] ^= 1 << source.randrange(8)
        elif kind == 1 and piece:
            piece[where] = source.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            del piece[where:]
        elif kind == 3:
            piece[where:where] = source.randbytes(source.randint(1, 64))
        elif kind == 4 and len(piece) > 6:
            struct.pack_into(">I", piece, 2, source.choice(LENGTHS))
        elif kind == 5 and len(piece) > where + 4:
            struct.pack_into(source.choice((">I", "<I")), piece, where, source.choice(LENGTHS))
        elif kind == 6:
            piece *= 2
        elif kind == 7:
            other = source.randrange(len(pieces))
            pieces[at], pieces[other] = pieces[other], pieces[at]
            continue
        else:
            piece[:1] = bytes([source.randrange(256)])
        pieces[at] = bytes(piece)
    return b"".join(pieces)


def say(port: int, data: bytes) -> None:
    """Sends all and reads until the server closes; an open connection after LONGEST fails."""
    with socket.create_connection((HOST, port), timeout=LONGEST) as link:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            link.sendall(data)
            link.shutdown(socket.SHUT_WR)
        began = time.monotonic()
        with contextlib.suppress(ConnectionResetError):
            while link.recv(65536):
                assert time.monotonic() - began < LONGEST, "the server talks without end"


def fuzz_pdus(server: FilmlessServer, rounds: int) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    source = random.Random(seed)
    before = psutil.Process(server.running.pid).memory_info().rss
    for number in range(rounds):
        say(server.dicom_port, mutate(conversation(number, source), source))
        if number % 25 == 24:
            with connect(server.dicom_port) as association:
                assert association.echo() == 0, f"round {number} of seed {seed}"
                association.release()
    assert server.running.alive
    grown = psutil.Process(server.running.pid).memory_info().rss - before
    assert grown < 150e6, f"{grown / 1e6:.0f} MB more after {rounds} broken conversations of seed {seed}"


def broken(one: Sent, source: random.Random) -> bytes:
    """The data set with changes after the UIDs that it is known by; the pixel data element may go too."""
    head = one.data.rindex(one.series.encode()) + len(one.series)
    head += head % 2
    rest = bytearray(one.data[head:])
    for _ in range(source.randint(1, 6)):
        where = source.randrange(max(len(rest) - 8, 1))
        kind = source.randrange(5)
        if kind == 0 and where < len(rest):
            rest[where] ^= 1 << source.randrange(8)
        elif kind == 1:
            del rest[where:]
        elif kind == 2:
            rest[where:where] = source.randbytes(source.randint(1, 32))
        elif kind == 3 and len(rest) > where + 8:
            struct.pack_into("<I", rest, where, source.choice(LENGTHS))
        else:
            rest[where:where] = struct.pack("<HHI", 0x0040, 0x0275, 0xFFFFFFFF) * source.randint(1, 200)
    return bytes(one.data[:head] + rest)


def fuzz_data_sets(server: FilmlessServer, rounds: int) -> None:
    """Whatever was answered with Success comes back as it was sent; the rest is not there at all."""
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    source = random.Random(seed)
    association = connect(server.dicom_port)
    stored = 0
    try:
        for number in range(rounds):
            one = make("BROKEN", f"{seed}.{number}", 1, 1, source.choice((0, 500, 5000)), source)
            data = broken(one, source)
            try:
                status = association.store(CT, one.sop_instance, data).status
            except (Closed, OSError):
                status = -1
                association.close()
                association = connect(server.dicom_port)
            kept = study_given_back(association, one.study) if status == 0 else {}
            if status == 0:
                stored += 1
                assert kept == {one.sop_instance: data}, f"round {number} of seed {seed}"
        association.release()
    finally:
        association.close()
    assert stored > rounds / 3, f"only {stored} of {rounds} were stored: the fuzz does not reach the index"


def test_broken_pdus(server: FilmlessServer) -> None:
    fuzz_pdus(server, 200)


def test_broken_data_sets(server: FilmlessServer) -> None:
    fuzz_data_sets(server, 150)


@pytest.mark.soak
def test_broken_pdus_for_long(server: FilmlessServer) -> None:
    fuzz_pdus(server, 20_000)


@pytest.mark.soak
def test_broken_data_sets_for_long(server: FilmlessServer) -> None:
    fuzz_data_sets(server, 20_000)


def test_noise(server: FilmlessServer, tmp_path: Path) -> None:
    """What port scanners and lost browsers send."""
    source = random.Random(7)
    for data in (
        b"",
        b"GET / HTTP/1.1\r\nHost: pacs\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + source.randbytes(500),
        b"\0" * 100_000,
        b"\xff" * 100_000,
        *(source.randbytes(source.randint(1, 20_000)) for _ in range(20)),
    ):
        say(server.dicom_port, data)
    with connect(server.dicom_port) as association:
        assert association.echo() == 0
        association.release()
