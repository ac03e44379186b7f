"""The engine as a stream machine: any split of the bytes gives the same data, and no bytes break it."""

import random
import struct

import pytest

from filmless.dicom.ul.engine import (
    COMMAND,
    LAST,
    Aborted,
    Associated,
    Effect,
    Engine,
    InvalidPrimitive,
    Pdv,
    ReleaseAsked,
    Send,
    StartArtim,
    Step,
)
from filmless.dicom.ul.frames import OVERHEAD, frame, laid_out, lay_out, room
from filmless.dicom.ul.pdu import Abort, AssociateRequest, ProposedContext, ReleaseRequest, UserInformation


def established(max_pdu: int = 16384) -> Engine:
    return Engine(requestor=False, max_pdu=max_pdu, state=6)


def joined(effects: list[Effect]) -> list[tuple[int, bool, bytes]]:
    """Fragments put together up to each LAST."""
    out: list[tuple[int, bool, bytes]] = []
    data = b""
    for effect in effects:
        assert isinstance(effect, Pdv), effect
        data += effect.data
        if effect.control & LAST:
            out.append((effect.context_id, bool(effect.control & COMMAND), data))
            data = b""
    assert data == b""
    return out


def pdv(context: int, control: int, data: bytes) -> bytes:
    return struct.pack(">IBB", len(data) + 2, context, control) + data


def pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxI", kind, len(body)) + body


MESSAGES = [(1, True, b"C" * 120), (1, False, bytes(range(256)) * 40), (3, True, b""), (255, False, b"x")]
STREAM = b"".join(frame(c, data, 1000, command=command) for c, command, data in MESSAGES) + pdu(
    4, pdv(5, COMMAND | LAST, b"command") + pdv(5, 0, b"da") + pdv(5, LAST, b"ta")
)
EXPECTED = [*MESSAGES, (5, True, b"command"), (5, False, b"data")]


@pytest.mark.parametrize("piece", [1, 2, 3, 5, 6, 7, 11, 12, 13, 100, 1012, 4096, 1 << 20])
def test_every_split_gives_the_same_messages(piece: int) -> None:
    engine = established()
    effects: list[Effect] = []
    for start in range(0, len(STREAM), piece):
        effects += engine.feed(memoryview(STREAM)[start : start + piece])
    assert joined(effects) == EXPECTED
    assert engine.state == 6


def test_random_splits() -> None:
    rng = random.Random(5)
    for _ in range(200):
        engine, effects, start = established(), list[Effect](), 0
        while start < len(STREAM):
            n = rng.randint(1, 3000)
            effects += engine.feed(memoryview(STREAM)[start : start + n])
            start += n
        assert joined(effects) == EXPECTED


def test_data_is_a_view_of_what_was_fed() -> None:
    raw = bytearray(frame(1, b"abcdef", 1000, command=False))
    (piece,) = established().feed(memoryview(raw))
    assert isinstance(piece, Pdv)
    raw[-6:] = b"ABCDEF"
    assert bytes(piece.data) == b"ABCDEF"


def test_both_ways_of_reading_a_pdu_take_the_same_cell() -> None:
    raw = frame(1, b"abcdef", 1000, command=False)
    whole, slow = established(), established()
    whole.history, slow.history = [], []
    whole.feed(memoryview(raw))
    for i in range(len(raw)):
        slow.feed(memoryview(raw)[i : i + 1])
    assert whole.history == slow.history == [Step("Evt10", 6, "DT-2", 6)]


def test_data_goes_on_while_we_await_the_release() -> None:
    engine = established()
    engine.release()
    assert joined(engine.feed(memoryview(STREAM))) == EXPECTED
    assert engine.state == 7


@pytest.mark.parametrize(
    "raw",
    [
        pdu(4, b""),  # no value at all
        pdu(4, b"\0\0\0\1\1"),  # less than a value's header
        pdu(4, struct.pack(">IBB", 1, 1, 3) + b"\0\0"),  # a value shorter than its own header
        pdu(4, struct.pack(">IBB", 500, 1, 3) + b"\0\0"),  # a value longer than its PDU
        pdu(4, pdv(1, 3, b"ok") + b"\0\0\0"),  # bytes after the last value
        struct.pack(">BxI", 4, 0xFFFFFFF0) + bytes(12),  # a PDU of 4 GB
        struct.pack(">BxI", 1, 0x7FFFFFFF),  # a request of 2 GB
        struct.pack(">BxI", 0x99, 4) + bytes(4),  # a type that does not exist
        struct.pack(">BxI", 5, 5) + bytes(5),  # a release of the wrong length
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_broken_pdus_are_event_19(raw: bytes, piece: int) -> None:
    engine = established()
    engine.history = []
    effects: list[Effect] = []
    for start in range(0, len(raw), piece):
        effects += engine.feed(memoryview(raw)[start : start + piece])
    assert [step for step in engine.history if step.event == "Evt19"] == [Step("Evt19", 6, "AA-8", 13)]
    sent = [effect.data for effect in effects if isinstance(effect, Send)]
    assert len(sent) == 1 and sent[0][0] == 7 and sent[0][8] == 2
    assert sum(isinstance(effect, Aborted) for effect in effects) == 1
    assert engine.fault


def test_a_pdu_a_little_longer_than_announced_is_taken() -> None:
    engine = established(max_pdu=16384)
    assert joined(engine.feed(memoryview(frame(1, bytes(20000), 20000, command=False)))) == [
        (1, False, bytes(20000))
    ]


def test_after_an_abort_bytes_are_passed_over_and_only_an_abort_counts() -> None:
    engine = established()
    assert engine.abort() == [Send(Abort(0, 0).encode()), StartArtim()]
    assert engine.abort() == []
    assert engine.feed(memoryview(STREAM)) == []
    engine.feed(memoryview(Abort(0, 0).encode()))
    assert engine.state == 1


def test_request_in_single_bytes_then_release() -> None:
    request = AssociateRequest(
        "CALLED",
        "CALLING",
        (ProposedContext(1, "1.2.840.10008.1.1", ("1.2.840.10008.1.2",)),),
        UserInformation(),
    )
    engine = Engine(requestor=False)
    engine.transport_connected()
    effects: list[Effect] = []
    for byte in request.encode():
        effects += engine.feed(memoryview(bytes((byte,))))
    assert Associated(request) in effects and engine.state == 3
    engine.state = 6
    assert engine.feed(memoryview(ReleaseRequest().encode())) == [ReleaseAsked()]


def test_a_request_that_the_provider_itself_refuses() -> None:
    wrong = AssociateRequest("A", "B", (), UserInformation(), application_context="1.2.3")
    engine = Engine(requestor=False)
    engine.transport_connected()
    effects = engine.feed(memoryview(wrong.encode()))
    sent = [effect.data for effect in effects if isinstance(effect, Send)]
    assert [data[0] for data in sent] == [3] and sent[0][7:] == bytes((1, 1, 2))
    assert engine.state == 13


def test_primitives_where_the_table_is_empty_are_our_mistake() -> None:
    with pytest.raises(InvalidPrimitive):
        Engine(requestor=True).release()
    with pytest.raises(InvalidPrimitive):
        Engine(requestor=True, state=13).send_data()
    established().send_data()


def test_noise_in_any_state_never_raises() -> None:
    rng = random.Random(7)
    for _ in range(1500):
        engine = Engine(requestor=rng.random() < 0.5, max_pdu=16384, state=rng.randint(1, 13))
        for _ in range(rng.randint(1, 6)):
            match rng.randrange(3):
                case 0:
                    raw = rng.randbytes(rng.randint(1, 200))
                case 1:
                    raw = pdu(rng.randrange(9), rng.randbytes(rng.randrange(100)))
                case _:
                    spoilt = bytearray(STREAM[: rng.randint(1, 3000)])
                    spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
                    raw = bytes(spoilt)
            for effect in engine.feed(memoryview(raw)):
                assert not isinstance(effect, Pdv) or effect.control <= 3
        assert 1 <= engine.state <= 13


# -- writing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("maximum", "expected"), [(0, 131066), (16384, 16378), (16383, 16376), (1 << 20, 131066)]
)
def test_room_respects_the_peer_and_is_even(maximum: int, expected: int) -> None:
    assert room(maximum) == expected


@pytest.mark.parametrize("length", [0, 1, 999, 1000, 1001, 5000])
def test_laid_out_frames_are_those_of_frame(length: int) -> None:
    data = bytes(i % 251 for i in range(length))
    buffer = bytearray(3 + laid_out(length, 1000))
    at = 0
    for place in lay_out(buffer, 3, 7, length, 1000, last=True):
        place[:] = data[at : at + len(place)]
        at += len(place)
    assert at == length
    assert bytes(buffer[3:]) == frame(7, data, 1000, command=False)
    assert len(buffer) == 3 + length + OVERHEAD * max(1, -(-length // 1000))
