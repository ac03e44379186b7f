"""The list of devices, and who is admitted."""

import dataclasses
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from filmless.db import events
from filmless.db.engine import open_engine
from filmless.db.schema import metadata
from filmless.db.work import writing
from filmless.devices import service
from filmless.devices.model import CHARACTER_SETS, SERVICES, Device, DeviceSettings, Refusal
from filmless.kit.errors import Conflict, Refused

CT = Device("CT1", host="10.0.0.7", port=104, description="CT, ground floor")
OURS = ("FILMLESS",)


@pytest.fixture
def connection(tmp_path) -> Iterator[Connection]:
    engine = open_engine(f"sqlite:///{tmp_path}/index.sqlite")
    metadata.create_all(engine)
    with writing(engine) as opened:
        yield opened
    engine.dispose()


def happened(connection: Connection) -> list[tuple[str, dict]]:
    return [(event.kind, dict(event.body)) for event in events.after(connection, 0)]


def test_a_device_is_kept_as_it_was_given(connection):
    given = dataclasses.replace(
        CT,
        ae_title=" CT1 ",
        tls=True,
        character_set="ISO 2022 IR 6\\ISO 2022 IR 58",
        default_issuer="HOSPITAL",
        services=frozenset({"store", "commit"}),
        quirks=frozenset({"implicit-only"}),
        duplicates="replace",
        notify=True,
        quality_control=True,
    )
    service.add(connection, given, by="engineer", reason="new scanner")
    kept = service.get_device(connection, "CT1  ")
    assert dataclasses.replace(kept, changed_at=None) == dataclasses.replace(given, ae_title="CT1")
    assert kept.changed_at is not None
    assert kept.principal.name == "CT1"
    assert kept.principal.quality_control
    assert happened(connection) == [
        ("device-added", {"ae_title": "CT1", "by": "engineer", "reason": "new scanner"})
    ]


def test_an_ae_title_is_taken_once(connection):
    service.add(connection, CT, by="engineer")
    with pytest.raises(Conflict, match="already a device CT1"):
        service.add(connection, dataclasses.replace(CT, ae_title="CT1 "), by="engineer")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"ae_title": "   "}, "at least one character"),
        ({"ae_title": "A" * 17}, "17 characters; at most 16"),
        ({"ae_title": "CT\\1"}, "no backslash"),
        ({"ae_title": "CT\n1"}, "ASCII only"),
        ({"ae_title": "扫描仪"}, "ASCII only"),
        ({"host": "no such host!"}, "neither a host name nor an IP address"),
        ({"host": f"{'long' * 20}.org"}, "63 between two dots"),
        ({"host": "a." * 127 + "org"}, "at most 253 characters"),
        ({"port": 70000}, "from 1 to 65535, not 70000"),
        ({"port": 0}, "from 1 to 65535"),
        ({"host": ""}, "needs a host"),
        ({"services": frozenset({"print"})}, "no service 'print'; there are: echo, store"),
        ({"quirks": frozenset({"odd"})}, "no quirk 'odd'"),
        ({"character_set": "latin-1"}, "not a Specific Character Set"),
        ({"duplicates": "drop"}, "no policy 'drop'"),
        ({"default_issuer": "x" * 65}, "at most 64"),
        ({"description": "x" * 201}, "at most 200"),
        ({"host": "", "port": 0, "notify": True}, "host and port are needed"),
    ],
)
def test_what_cannot_be_a_device_is_refused_in_plain_words(connection, wrong, words):
    with pytest.raises(Refused) as caught:
        service.add(connection, dataclasses.replace(CT, **wrong), by="engineer")
    assert words in caught.value.message
    assert service.list_devices(connection) == []


@pytest.mark.parametrize("host", ["10.1.2.3", "pacs.example.org", "localhost", "::1", "fe80::1%eth0", "ct-1"])
def test_addresses_of_all_kinds_are_taken(connection, host):
    service.add(connection, dataclasses.replace(CT, host=host), by="engineer")
    assert service.get_device(connection, "CT1").host == host


def test_character_sets_are_those_of_the_standard():
    assert {
        "ISO_IR 100",
        "ISO_IR 192",
        "GB18030",
        "GBK",
        "ISO 2022 IR 58",
        "ISO 2022 IR 149",
    } <= CHARACTER_SETS
    assert "ISO_IR 58" not in CHARACTER_SETS


def test_a_change_keeps_what_was_before_who_and_why(connection):
    service.add(connection, CT, by="engineer")
    service.change(
        connection,
        "CT1",
        {"port": 11112, "description": CT.description},
        by="wang",
        reason="moved",
    )
    assert service.get_device(connection, "CT1").port == 11112
    assert happened(connection)[-1] == (
        "device-changed",
        {"ae_title": "CT1", "changes": {"port": [104, 11112]}, "by": "wang", "reason": "moved"},
    )


def test_a_change_that_changes_nothing_is_no_event(connection):
    service.add(connection, CT, by="engineer")
    service.change(connection, "CT1", {"port": 104}, by="wang", reason="again")
    assert [kind for kind, _ in happened(connection)] == ["device-added"]


def test_a_change_is_checked_like_a_new_device(connection):
    service.add(connection, CT, by="engineer")
    with pytest.raises(Refused, match="65535"):
        service.change(connection, "CT1", {"port": -1}, by="wang", reason="typing")
    with pytest.raises(Refused, match="no colour"):
        service.change(connection, "CT1", {"colour": "red"}, by="wang", reason="typing")


def test_removing_takes_a_device_off_the_list(connection):
    service.add(connection, CT, by="engineer")
    service.remove(connection, "CT1", by="wang", reason="scrapped")
    with pytest.raises(Refused, match="No device CT1"):
        service.get_device(connection, "CT1")
    assert happened(connection)[-1][1]["reason"] == "scrapped"


def test_an_unknown_title_is_answered_with_the_nearest(connection):
    service.add(connection, CT, by="engineer")
    with pytest.raises(Refused, match=r"Did you mean CT1\?"):
        service.get_device(connection, "ct2")


def test_the_list_has_a_limit_and_an_order(connection):
    for title in ("MR", "CT", "US"):
        service.add(connection, Device(title), by="engineer")
    assert [device.ae_title for device in service.list_devices(connection, limit=2)] == ["CT", "MR"]


def test_only_devices_that_can_be_called_are_destinations(connection):
    service.add(connection, Device("PRINTER"), by="engineer")
    service.add(connection, dataclasses.replace(CT, enabled=False), by="engineer")
    with pytest.raises(Refused, match="no host and port"):
        service.destination(connection, "PRINTER")
    with pytest.raises(Refused, match="switched off"):
        service.destination(connection, "CT1")


def test_checks_are_kept_and_a_change_of_state_is_an_event(connection):
    service.add(connection, CT, by="engineer")
    for ok, reason in (
        (True, ""),
        (True, ""),
        (False, "refused"),
        (False, "no answer"),
        (True, ""),
    ):
        service.record_check(connection, "CT1", ok=ok, reason=reason, ms=3 if ok else None)
    device = service.get_device(connection, "CT1")
    assert (device.check_ok, device.check_ms, device.check_reason) == (True, 3, "")
    assert device.checked_at is not None
    assert [kind for kind, _ in happened(connection)][1:] == [
        "device-reachable",
        "device-unreachable",
        "device-reachable",
    ]


#: (settings, calling, called, local) -> "refused: code", "quarantined", or the services admitted
DECISIONS = [
    ({}, "CT1", "FILMLESS", False, "known"),
    ({}, "CT1", "OTHER", False, "wrong-called-ae"),
    ({"check_called_ae": False}, "CT1", "OTHER", False, "known"),
    ({}, "OFF", "FILMLESS", False, "disabled"),
    ({}, "OFF", "FILMLESS", True, "disabled"),
    ({}, "STRANGER", "FILMLESS", False, "unknown-caller"),
    ({}, "STRANGER", "FILMLESS", True, "trusted"),
    ({"trust_local": False}, "STRANGER", "FILMLESS", True, "unknown-caller"),
    ({"behind_proxy": True}, "STRANGER", "FILMLESS", True, "unknown-caller"),
    ({"unknown_callers": "accept"}, "STRANGER", "FILMLESS", False, "trusted"),
    ({"unknown_callers": "quarantine"}, "STRANGER", "FILMLESS", False, "quarantined"),
    ({"unknown_callers": "quarantine"}, "STRANGER", "FILMLESS", True, "trusted"),
    ({"unknown_callers": "quarantine", "behind_proxy": True}, "STRANGER", "FILMLESS", True, "quarantined"),
]


@pytest.mark.parametrize(("settings", "calling", "called", "local", "expected"), DECISIONS)
def test_who_is_admitted(connection, settings, calling, called, local, expected):
    service.add(connection, dataclasses.replace(CT, services=frozenset({"store"})), by="engineer")
    service.add(connection, Device("OFF", enabled=False), by="engineer")
    decision = service.decide(
        connection,
        DeviceSettings(**settings),
        calling_ae=calling,
        called_ae=called + "  ",
        our_ae_titles=OURS,
        peer_is_local=local,
    )
    if isinstance(decision, Refusal):
        assert decision.code == expected
        assert decision.words
        assert decision.rejection[:2] == (1, 1)
    elif decision.known:
        assert expected == "known"
        assert decision.services == {"store"}
    elif decision.quarantined:
        assert expected == "quarantined"
        assert decision.services == {"echo", "store"}
    else:
        assert expected == "trusted"
        assert decision.services == set(SERVICES)
