"""What the collector gets: every entry once, in order, whatever happens to it in between."""

import re
import socket
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from tests.peers import eventually

from filmless.access.audit import forwarding
from filmless.access.audit.anchors import parse_line
from filmless.access.audit.forwarding import READER, Forwarder
from filmless.access.audit.messages import Reporter
from filmless.access.audit.model import Entry, Kind
from filmless.access.audit.settings import AuditSettings
from filmless.access.audit.syslog import line
from filmless.access.audit.verify import verify
from filmless.access.model import Principal
from filmless.db import events
from filmless.db.work import reading

from .collector import Certificates, Collector
from .conftest import Kept
from .test_chain import tamper

WANG = Principal("user", "wang")
HEADER = re.compile(
    rb"<(\d+)>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (\S+) filmless (\S+) (\S+) - \xef\xbb\xbf(.*)",
    re.DOTALL,
)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=["tls", "tcp"])
def collector(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Collector]:
    made = Collector(request.param, certificates.server_context() if request.param == "tls" else None)
    made.start()
    yield made
    made.stop()


def settings(collector: Collector, certificates: Certificates, **more: Any) -> AuditSettings:
    tls = {
        "authorities": str(certificates.authority.file),
        "client_certificate": str(certificates.client.certificate),
        "client_key": str(certificates.client.key),
    }
    transport: Literal["tls", "tcp", "udp"] = collector.transport  # type: ignore[assignment]
    given = {"timeout": 5.0, **(tls if transport == "tls" else {}), **more}
    return AuditSettings(collector="127.0.0.1", collector_port=collector.port, transport=transport, **given)


def forwarder(kept: Kept, wanted: AuditSettings) -> Forwarder:
    return Forwarder(kept.engine, kept.keys, wanted, Reporter("FILMLESS", "Site"), host="pacs1")


def fill(kept: Kept, first: int, last: int) -> None:
    for number in range(first, last + 1):
        kept.trail.record(Entry(Kind.VIEW, WANG, studies=(f"1.2.{number}",), what="pixels"))
    kept.trail.flush()


def told(collector: Collector) -> list[str]:
    """The studies of the messages, in the order in which they came."""
    found = []
    for message in list(collector.messages):
        parts = HEADER.fullmatch(message)
        assert parts is not None, message
        if parts[5] == b"DICOM+RFC3881":
            found += re.findall(r'ParticipantObjectID="(1\.2\.\d+)"', parts[6].decode())
    return found


def studies(first: int, last: int) -> list[str]:
    return [f"1.2.{number}" for number in range(first, last + 1)]


def test_a_message_has_the_form_of_rfc_5424() -> None:
    at = datetime(2026, 11, 22, 4, 11, 26, 123456, UTC)
    assert line(85, at, "pacs 1é", "", "DICOM+RFC3881", "<x>王</x>".encode()) == (
        b"<85>1 2026-11-22T04:11:26.123Z pacs1 filmless - DICOM+RFC3881 - \xef\xbb\xbf<x>\xe7\x8e\x8b</x>"
    )


def test_every_entry_is_told_in_order_and_an_anchor(
    kept: Kept, collector: Collector, certificates: Certificates
) -> None:
    one = forwarder(kept, settings(collector, certificates))
    fill(kept, 1, 250)
    assert [one.run_once() for _ in range(4)] == [100, 100, 50, 0]
    eventually(lambda: len(collector.messages) == 251, "all messages and the anchor")
    assert told(collector) == studies(1, 250)
    last = HEADER.fullmatch(collector.messages[-1])
    assert last is not None
    assert last[5] == b"FILMLESS+ANCHOR"
    anchor = parse_line(last[6].decode())
    assert anchor is not None
    assert anchor.seq == 250
    assert verify(kept.engine, kept.keys, kept.anchors, others=[anchor]).whole
    first = HEADER.fullmatch(collector.messages[0])
    assert first is not None
    assert (first[1], first[3]) == (b"85", b"FILMLESS")
    one.close()
    # another process goes on where this one was
    fill(kept, 251, 251)
    other = forwarder(kept, settings(collector, certificates))
    assert other.run_once() == 1
    eventually(lambda: told(collector) == studies(1, 251), "the next one alone")
    other.close()


def test_a_collector_that_was_down_misses_nothing(
    kept: Kept, collector: Collector, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "_BACK_OFF", (0.01,))
    one = forwarder(kept, settings(collector, certificates))
    fill(kept, 1, 5)
    assert one.run_once() == 5
    eventually(lambda: told(collector) == studies(1, 5), "the first ones")
    collector.stop()
    fill(kept, 6, 150)
    assert one.run_once() == 0
    with reading(kept.engine) as connection:
        assert events.position(connection, READER) == 5
    collector.start()
    eventually(lambda: one.run_once() or told(collector) == studies(1, 150), "the others")
    eventually(lambda: one.run_once() or told(collector) == studies(1, 150), "the others, too", every=0.05)
    eventually(lambda: told(collector) == studies(1, 150), "all")
    one.close()


def test_what_a_collector_died_with_is_told_again(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "_BACK_OFF", (0.0,))
    collector = Collector("tcp")
    listener = socket.create_server(("127.0.0.1", 0))
    collector.port = listener.getsockname()[1]
    one = forwarder(
        kept,
        AuditSettings(
            collector="127.0.0.1", collector_port=collector.port, transport="tcp", anchor_seconds=1e6
        ),
    )
    fill(kept, 1, 5)
    assert one.run_once() == 5
    # it has them, unread, and is killed: the system resets the connection
    connection, _ = listener.accept()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    listener.close()
    fill(kept, 6, 7)
    assert one.run_once() == 0
    collector.start()
    eventually(lambda: one.run_once() == 7, "the same again, and the new ones")
    eventually(lambda: told(collector) == studies(1, 7), "all")
    one.close()
    collector.stop()


def test_a_collector_that_does_not_read_is_not_waited_for(kept: Kept) -> None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    port = listener.getsockname()[1]
    one = forwarder(
        kept, AuditSettings(collector="127.0.0.1", collector_port=port, transport="tcp", timeout=0.3)
    )
    for _ in range(60):
        kept.trail.record(Entry(Kind.SEARCH, WANG, query="x" * 16_000, patients=("P",)))
    for _ in range(60):
        kept.trail.record(Entry(Kind.SEARCH, WANG, query="y" * 16_000))
    kept.trail.flush()
    assert one.run_once() == 0
    with reading(kept.engine) as connection:
        assert events.position(connection, READER) == 0
    one.close()
    listener.close()


def test_a_collector_with_a_strangers_certificate_is_told_nothing(
    kept: Kept, certificates: Certificates
) -> None:
    collector = Collector("tls", certificates.server_context())
    collector.start()
    wanted = settings(collector, certificates, authorities=str(certificates.stranger.file))
    one = forwarder(kept, wanted)
    fill(kept, 1, 1)
    assert one.run_once() == 0
    assert collector.messages == []
    one.close()
    collector.stop()


def test_a_collector_that_wants_a_certificate_and_gets_none(kept: Kept, certificates: Certificates) -> None:
    collector = Collector("tls", certificates.server_context())
    collector.start()
    wanted = settings(collector, certificates, client_certificate="", client_key="")
    one = forwarder(kept, wanted)
    fill(kept, 1, 1)

    def refused() -> bool:
        # in TLS 1.3 the refusal may come after our first message: it is taken back then
        one._not_before = 0.0
        sent = one.run_once()
        with reading(kept.engine) as connection:
            return sent == 0 and events.position(connection, READER) == 0

    eventually(refused, "nothing counts as told")
    assert collector.messages == []
    one.close()
    collector.stop()


def test_a_record_that_somebody_damaged_does_not_hold_up_the_others(kept: Kept) -> None:
    collector = Collector("tcp")
    collector.start()
    wanted = AuditSettings(collector="127.0.0.1", collector_port=collector.port, transport="tcp")
    one = forwarder(kept, wanted)
    fill(kept, 1, 8)
    for seq, change in enumerate(
        (
            "body = 'nonsense'",
            "body = '[]'",
            """body = '{"studies":["1.2.3"],"detail":{"sop_classes":{"x":"many"}}}'""",
            "at = 'never'",
            "kind = 'strange'",
            """body = '{"studies":[[7]],"patients":[{}],"server": 7,"detail":"x"}'""",
        ),
        start=2,
    ):
        tamper(kept.engine, f"UPDATE audit SET {change} WHERE seq = {seq}")
    assert one.run_once() == 8
    eventually(lambda: len(collector.messages) == 8, "all eight")
    found = told(collector)
    assert (found[0], found[-1]) == ("1.2.1", "1.2.8")
    one.close()
    collector.stop()


def test_udp(kept: Kept, certificates: Certificates) -> None:
    collector = Collector("udp")
    collector.start()
    one = forwarder(kept, settings(collector, certificates))
    fill(kept, 1, 3)
    assert one.run_once() == 3
    eventually(lambda: told(collector) == studies(1, 3), "three datagrams")
    one.close()
    collector.stop()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"collector_port": 0}, "collector_port"),
        ({"client_certificate": "x"}, "belong together"),
        ({"transport": "udp", "authorities": "x"}, "transport"),
    ],
)
def test_settings_that_cannot_be_meant(given: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        AuditSettings(**given)
