"""What comes over an association is told to the audit trail for each study: at its end, and from time to time."""

import asyncio
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from tests.peers import eventually
from tests.raw import RawAssociation
from tests.trails import Written, entries, keys

from filmless.access.audit.model import Entry, Kind
from filmless.access.audit.repeats import Repeats
from filmless.access.audit.trail import Trail
from filmless.access.model import Principal
from filmless.app.services import StorageAsAllowed, table
from filmless.archive.dimse import StorageService, error_status
from filmless.archive.store import Archive
from filmless.archive.told import Arrivals
from filmless.archive.whose import patients_of
from filmless.devices.model import Device
from filmless.dicom.ul.negotiation import NegotiationPolicy
from filmless.kit.errors import Refused
from filmless.net.model import Admission, NetSettings
from filmless.net.server import Server, Services

from .conftest import CT, EXPLICIT_LE, ct, encoded


def store(association: RawAssociation, uid: str, announced: str = "", **attributes: Any) -> int:
    """Send a CT image; the status of the answer."""
    data = encoded(ct(SOPInstanceUID=uid, **attributes))
    return int(association.store(CT, announced or uid, data).status)


def short(found: list[Written]) -> list[tuple[str, list[str], dict[str, int]]]:
    return [(one.outcome, one.body.get("studies", []), one.body["detail"]["became"]) for one in found]


async def test_arrivals_are_told_by_study(archive: Archive, engine: Engine, tmp_path: Path) -> None:
    trail = Trail(engine, keys(), patients_of=patients_of)
    arrivals = Arrivals(trail, every=1.0)
    services = Services(StorageService(archive, lambda *_: None, arrivals), status_of=error_status)

    async def admit(_request: object, _peer: object) -> Admission:
        return Admission(Device("CT1"), NegotiationPolicy({CT: (EXPLICIT_LE,)}))

    server = Server(NetSettings(), services, admit)
    port = await server.start("127.0.0.1", 0)

    def work() -> None:
        with RawAssociation(port, [(CT, [EXPLICIT_LE])]) as association:
            assert [store(association, f"1.2.3.1.1.{number}") for number in (1, 2)] == [0, 0]
            # the association stays open: what came is told all the same
            told = eventually(lambda: entries(engine, "store"), "the first entry")
            assert short(told) == [("success", ["1.2.3.1"], {"stored": 2})]
            assert store(association, "1.2.3.1.1.2") == 0
            assert store(association, "1.2.3.1.1.3", announced="1.2.3.1.1.4") != 0
            assert (
                store(association, "1.2.9.1.1.1", StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.9.1") == 0
            )
            association.release()

    await asyncio.to_thread(work)
    found = await asyncio.to_thread(
        eventually, lambda: len(all_ := entries(engine, "store")) >= 4 and all_, "an entry for each"
    )
    assert found
    assert sorted(map(str, short(found[1:]))) == sorted(
        map(
            str,
            [
                ("success", ["1.2.3.1"], {"same": 1}),
                ("failed", ["1.2.3.1"], {"quarantined": 1}),
                ("success", ["1.2.9"], {"stored": 1}),
            ],
        )
    )
    assert {one.who for one in found} == {("device", "CT1")}
    assert all(one.body["detail"]["sop_classes"][CT] for one in found)
    assert found[0].body["patients"] == ["P1"]
    assert not arrivals._open
    await server.stop(grace=0)
    await asyncio.to_thread(trail.close)


async def test_a_device_that_may_not_store_is_told_once(archive: Archive, engine: Engine) -> None:
    trail = Trail(engine, keys())
    repeats = Repeats(trail)

    def refused(association: Any, why: Refused) -> None:
        who = association.who.principal
        repeats.tell(Entry(Kind.STORE, who, "refused", association.peer.host, reason=why.message))

    inner = StorageService(archive, lambda *_: None, Arrivals(trail))
    storage = StorageAsAllowed(inner, table(archive.settings), refused)

    async def admit(_request: object, _peer: object) -> Admission:
        return Admission(Device("WS1", services=frozenset({"get"})), NegotiationPolicy({CT: (EXPLICIT_LE,)}))

    server = Server(NetSettings(), Services(storage, status_of=error_status), admit)
    port = await server.start("127.0.0.1", 0)

    def work() -> None:
        with RawAssociation(port, [(CT, [EXPLICIT_LE])]) as association:
            assert [store(association, f"1.2.3.1.1.{number}") for number in (1, 2, 3)] == [0x0124] * 3
            association.release()

    await asyncio.to_thread(work)
    repeats.close()
    await asyncio.to_thread(trail.close)
    found = [(one.outcome, one.who[1], one.body.get("detail", {})) for one in entries(engine)]
    assert found == [("refused", "WS1", {}), ("refused", "WS1", {"repeats": 2})]
    await server.stop(grace=0)


def test_repeats_are_counted(engine: Engine) -> None:
    now = 0.0
    trail = Trail(engine, keys())
    repeats = Repeats(trail, seconds=600, clock=lambda: now)
    rogue = Entry(Kind.NETWORK, Principal("device", "ROGUE"), "refused", "10.0.0.1", what="association")
    for _ in range(5):
        repeats.tell(rogue)
    repeats.tell(Entry(Kind.NETWORK, Principal("device", "OTHER"), "refused", "10.0.0.1", what="association"))
    now = 601.0
    repeats.tell(rogue)
    repeats.tell(rogue)
    repeats.close()
    trail.close()
    found = [(one.who[1], one.body.get("detail", {}).get("repeats")) for one in entries(engine)]
    assert found == [("ROGUE", None), ("OTHER", None), ("ROGUE", 4), ("ROGUE", None), ("ROGUE", 1)]


def test_names_that_cost_nothing_do_not_fill_the_trail(engine: Engine) -> None:
    trail = Trail(engine, keys())
    repeats = Repeats(trail)

    def knock(name: str, **how: bool) -> None:
        repeats.tell(Entry(Kind.NETWORK, Principal("device", name), "refused", "10.0.0.1"), **how)

    for number in range(500):
        knock(f"A{number}", whoever=True)
    for number in range(500):
        knock(f"B{number}")
    repeats.close()
    trail.close()
    found = [(one.who[1], one.body.get("detail", {}).get("repeats")) for one in entries(engine)]
    assert found[:2] == [("A0", None), ("B0", None)]
    # the hundred that are told apart, and for all others how often
    assert len(found) == 1 + 100 + 1
    assert found[-1] == ("A0", 499 + 400)
