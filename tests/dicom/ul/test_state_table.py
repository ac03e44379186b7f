"""The upper layer state machine against PS3.8 table 9-10, transcribed apart from the code it checks."""

import csv
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from filmless.dicom.ul.engine import (
    Aborted,
    Associated,
    Close,
    Connect,
    Effect,
    Engine,
    InvalidPrimitive,
    Pdv,
    ReleaseAsked,
    Released,
    Send,
    StartArtim,
    StopArtim,
)
from filmless.dicom.ul.negotiation import ANY, ContextRequest, NegotiationPolicy, negotiate, propose
from filmless.dicom.ul.pdu import APPLICATION_CONTEXT, AssociateAccept, AssociateReject, AssociateRequest
from filmless.dicom.ul.state import OTHERWISE, TABLE


class Cell(NamedTuple):
    """One non-empty cell of the table. `next_states` has two members where the action chooses."""

    event: str
    state: int
    action: str
    next_states: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.event}-Sta{self.state}"


def cells() -> list[Cell]:
    """The cells of the transcription."""
    with (Path(__file__).parent / "state_table_expected.csv").open(newline="") as file:
        return [
            Cell(
                row["event"],
                int(row["state"].removeprefix("Sta")),
                row["action"],
                tuple(int(state.removeprefix("Sta")) for state in row["next_state"].split(" or ")),
            )
            for row in csv.DictReader(file)
        ]


CELLS = cells()


def test_the_transcription_is_whole() -> None:
    assert len(CELLS) == len({(cell.event, cell.state) for cell in CELLS}) == 123
    assert {cell.event for cell in CELLS} == {f"Evt{n}" for n in range(1, 20)}
    assert {cell.state for cell in CELLS} == set(range(1, 14))


def test_the_table_is_the_standards_cell_by_cell() -> None:
    ours = {
        (event, state): (action, (next_state, OTHERWISE[action]) if action in OTHERWISE else (next_state,))
        for (event, state), (action, next_state) in TABLE.items()
    }
    standard = {(cell.event, cell.state): (cell.action, cell.next_states) for cell in CELLS}
    assert ours == standard


def request(*, application_context: str = APPLICATION_CONTEXT) -> AssociateRequest:
    proposal = propose(
        calling_ae="CALLER",
        called_ae="CALLED",
        contexts=[ContextRequest("1.2.840.10008.1.1", ("1.2.840.10008.1.2",))],
        max_pdu=16384,
        implementation_class_uid="1.2.3",
        implementation_version="TEST",
    )
    return dataclasses.replace(proposal, application_context=application_context)


def acceptance() -> AssociateAccept:
    policy = NegotiationPolicy({"1.2.840.10008.1.1": ANY})
    return negotiate(request(), policy, implementation_class_uid="1.2.3", implementation_version="TEST")[0]


REJECTION = AssociateReject(1, 1, 7)
#: a P-DATA-TF PDU with one whole presentation data value of four bytes
DATA = bytes.fromhex("04 00 0000000A 00000006 01 03 01020304")

#: what arrives from the peer at each event of a received PDU
RECEIVED: dict[str, bytes] = {
    "Evt3": acceptance().encode(),
    "Evt4": REJECTION.encode(),
    "Evt6": request().encode(),
    "Evt10": DATA,
    "Evt12": bytes.fromhex("05 00 00000004 00000000"),
    "Evt13": bytes.fromhex("06 00 00000004 00000000"),
    "Evt16": bytes.fromhex("07 00 00000004 00000000"),
    "Evt19": bytes.fromhex("99 00 00000004 00000000"),
}
#: what the local user, the transport and the timer do at the others
DONE: dict[str, Callable[[Engine], list[Effect]]] = {
    "Evt1": lambda engine: engine.associate(request()),
    "Evt2": lambda engine: engine.transport_connected(),
    "Evt5": lambda engine: engine.transport_connected(),
    "Evt7": lambda engine: engine.accept(acceptance()),
    "Evt8": lambda engine: engine.reject(REJECTION),
    "Evt9": lambda engine: engine.send_data(DATA),
    "Evt11": lambda engine: engine.release(),
    "Evt14": lambda engine: engine.release_reply(),
    "Evt15": lambda engine: engine.abort(),
    "Evt17": lambda engine: engine.transport_closed(),
    "Evt18": lambda engine: engine.artim_expired(),
}
#: state -> (whether we are the requestor, the events that lead there from Sta1)
WAYS: dict[int, tuple[bool, str]] = {
    1: (False, ""),
    2: (False, "Evt5"),
    3: (False, "Evt5 Evt6"),
    4: (True, "Evt1"),
    5: (True, "Evt1 Evt2"),
    6: (True, "Evt1 Evt2 Evt3"),
    7: (True, "Evt1 Evt2 Evt3 Evt11"),
    8: (True, "Evt1 Evt2 Evt3 Evt12"),
    9: (True, "Evt1 Evt2 Evt3 Evt11 Evt12"),
    10: (False, "Evt5 Evt6 Evt7 Evt11 Evt12"),
    11: (True, "Evt1 Evt2 Evt3 Evt11 Evt12 Evt14"),
    12: (False, "Evt5 Evt6 Evt7 Evt11 Evt12 Evt13"),
    13: (False, "Evt5 Evt6 Evt8"),
}
#: what each action does, PS3.8 tables 9-6 to 9-9: PDUs sent by type, primitives issued, timer, connection
OBSERVED: dict[str, list[str]] = {
    "AE-1": ["connect"],
    "AE-2": ["send 01"],
    "AE-3": ["A-ASSOCIATE AssociateAccept"],
    "AE-4": ["A-ASSOCIATE AssociateReject", "close"],
    "AE-5": ["start ARTIM"],
    "AE-6": ["stop ARTIM", "A-ASSOCIATE AssociateRequest"],
    "AE-7": ["send 02"],
    "AE-8": ["send 03", "start ARTIM"],
    "DT-1": ["send 04"],
    "DT-2": ["P-DATA"],
    "AR-1": ["send 05"],
    "AR-2": ["A-RELEASE indication"],
    "AR-3": ["A-RELEASE confirmation", "close"],
    "AR-4": ["send 06", "start ARTIM"],
    "AR-5": ["stop ARTIM"],
    "AR-6": ["P-DATA"],
    "AR-7": ["send 04"],
    "AR-8": ["A-RELEASE indication (collision)"],
    "AR-9": ["send 06"],
    "AR-10": ["A-RELEASE confirmation"],
    "AA-1": ["send 07 from service-user", "start ARTIM"],
    "AA-2": ["stop ARTIM", "close"],
    "AA-3": ["A-ABORT", "close"],
    "AA-4": ["A-ABORT"],
    "AA-5": ["stop ARTIM"],
    "AA-6": [],
    "AA-7": ["send 07"],
    "AA-8": ["send 07 from service-provider", "A-ABORT", "start ARTIM"],
}


def words(effect: Effect, action: str) -> str:
    """An effect as OBSERVED says it."""
    match effect:
        case Send(data):
            source = ""
            if data[0] == 7 and action != "AA-7":
                source = {0: " from service-user", 2: " from service-provider"}[data[8]]
            assert int.from_bytes(data[2:6], "big") == len(data) - 6
            return f"send {data[0]:02d}{source}"
        case Associated(pdu):
            return f"A-ASSOCIATE {type(pdu).__name__}"
        case ReleaseAsked(collision):
            return "A-RELEASE indication (collision)" if collision else "A-RELEASE indication"
        case Pdv(context_id, control, data):
            assert (context_id, control, bytes(data)) == (1, 3, b"\1\2\3\4")
            return "P-DATA"
    plain = {
        Connect: "connect",
        Close: "close",
        StartArtim: "start ARTIM",
        StopArtim: "stop ARTIM",
        Released: "A-RELEASE confirmation",
        Aborted: "A-ABORT",
    }
    return plain[type(effect)]


def happen(engine: Engine, event: str, received: Mapping[str, bytes] = RECEIVED) -> list[Effect]:
    if event in received:
        return engine.feed(memoryview(received[event]))
    return DONE[event](engine)


def driven_to(state: int, *, requestor: bool | None = None) -> Engine:
    """An engine brought to a state by events from Sta1, not put there."""
    ours, way = WAYS[state]
    if requestor is not None and requestor is not ours:
        ours, way = requestor, "Evt5 Evt6 Evt7 Evt11" if state == 7 else way
    engine = Engine(requestor=ours)
    for event in way.split():
        happen(engine, event)
    assert engine.state == state
    engine.history = []
    return engine


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_every_cell_is_observed_on_a_driven_engine(cell: Cell) -> None:
    engine = driven_to(cell.state)
    effects = happen(engine, cell.event)
    assert engine.history == [(cell.event, cell.state, cell.action, cell.next_states[0])]
    assert engine.state == cell.next_states[0]
    assert [words(effect, cell.action) for effect in effects] == OBSERVED[cell.action]


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.event in RECEIVED], ids=str)
def test_a_pdu_that_trickles_does_the_same(cell: Cell) -> None:
    engine = driven_to(cell.state)
    effects: list[Effect] = []
    for number in range(len(RECEIVED[cell.event])):
        effects += engine.feed(memoryview(RECEIVED[cell.event])[number : number + 1])
    assert list(engine.history or []) == [(cell.event, cell.state, cell.action, cell.next_states[0])]
    pieces = [effect for effect in effects if isinstance(effect, Pdv)]
    assert [words(e, cell.action) for e in effects if not isinstance(e, Pdv)] == [
        said for said in OBSERVED[cell.action] if said != "P-DATA"
    ]
    if "P-DATA" in OBSERVED[cell.action]:
        assert b"".join(bytes(piece.data) for piece in pieces) == b"\1\2\3\4"
        assert [piece.control for piece in pieces] == [1, 1, 1, 3]
    else:
        assert not pieces


def test_an_unacceptable_request_is_rejected_by_the_provider() -> None:
    engine = driven_to(2)
    effects = happen(engine, "Evt6", {"Evt6": request(application_context="1.2.3.4").encode()})
    assert engine.history == [("Evt6", 2, "AE-6", 13)]
    assert [words(effect, "AE-6") for effect in effects] == ["stop ARTIM", "send 03", "start ARTIM"]


def test_a_release_collision_leads_the_acceptor_to_its_own_state() -> None:
    engine = driven_to(7, requestor=False)
    effects = happen(engine, "Evt12")
    assert engine.history == [("Evt12", 7, "AR-8", 10)]
    assert [words(effect, "AR-8") for effect in effects] == OBSERVED["AR-8"]


FILLED = {(cell.event, cell.state) for cell in CELLS}
#: which of Evt2 and Evt5 a connection is depends on the role alone: see the test after the next
EMPTY = [
    (event, state)
    for event in DONE
    for state in range(1, 14)
    if (event, state) not in FILLED and event not in ("Evt2", "Evt5")
]


@pytest.mark.parametrize(("event", "state"), EMPTY)
def test_an_empty_cell_changes_nothing(event: str, state: int) -> None:
    engine = driven_to(state)
    try:
        effects = happen(engine, event)
    except InvalidPrimitive:
        effects = []
    assert (effects, engine.state) == ([], state)


@pytest.mark.parametrize("state", [2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13])
def test_a_second_connection_indication_is_our_own_mistake(state: int) -> None:
    with pytest.raises(InvalidPrimitive):
        driven_to(state).transport_connected()


def test_both_sides_of_a_release_collision_end_released() -> None:
    requestor, acceptor = driven_to(6), Engine(requestor=False)
    for event in ("Evt5", "Evt6", "Evt7"):
        happen(acceptor, event)
    [asked], [asked_back] = requestor.release(), acceptor.release()
    assert isinstance(asked, Send)
    assert isinstance(asked_back, Send)
    assert requestor.feed(memoryview(asked_back.data)) == [ReleaseAsked(collision=True)]
    assert acceptor.feed(memoryview(asked.data)) == [ReleaseAsked(collision=True)]
    [reply] = requestor.release_reply()  # the requestor answers first (PS3.8 7.2.2)
    assert isinstance(reply, Send)
    assert acceptor.feed(memoryview(reply.data)) == [Released()]
    reply_back, artim = acceptor.release_reply()
    assert isinstance(reply_back, Send)
    assert artim == StartArtim()
    assert requestor.feed(memoryview(reply_back.data)) == [Released(), Close()]
    assert acceptor.transport_closed() == [StopArtim()]
    assert (requestor.state, acceptor.state) == (1, 1)
