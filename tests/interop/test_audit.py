"""A scripted day at a real server, with foreign toolkits: each act yields exactly one proper record, here and at the
collector."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lxml import etree
from sqlalchemy import Engine
from tests import made
from tests.access.audit.collector import Collector
from tests.peers import (
    FilmlessServer,
    echoscu,
    eventually,
    final_response,
    findscu,
    getscu,
    movescu,
    storescu,
)
from tests.trails import Written, entries

from filmless.app.cli.output import who
from filmless.db.engine import open_engine

pytestmark = pytest.mark.interop

SCHEMA = Path(__file__).parent.parent / "access" / "audit" / "audit-message.rng"
ENGINEER = f"user/engineer/{who()}"
CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def database(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of the server's index; "" for its own in the home folder."""
    if backend == "sqlite":
        return ""
    url: str = request.getfixturevalue("empty_database_url")
    return url


def short(one: Written) -> tuple[str, str, str, str, tuple[str, ...]]:
    studies = tuple(one.body.get("studies", ()))
    return one.kind, one.outcome, "/".join(one.who), one.body.get("what", ""), studies


def test_each_act_yields_one_record(database: str, tmp_path: Path) -> None:
    collector = Collector("tcp")
    collector.start()
    home = tmp_path / "home"
    home.mkdir()
    (home / "filmless.toml").write_text(
        (f'[database]\nurl = "{database}"\n' if database else "")
        + "[devices]\ntrust_local = false\ncheck_interval = 0\n"
        + f'[audit]\ncollector = "127.0.0.1"\ncollector_port = {collector.port}\ntransport = "tcp"\nsite = "Ward"\n'
    )
    one = made.series(tmp_path / "one", 3, patient_id="AUDIT1", side=16)
    two = made.series(tmp_path / "two", 1, patient_id="AUDIT2", side=16)
    with FilmlessServer(home) as server:
        port = server.dicom_port
        server.cli("devices", "add", "WS1", "127.0.0.1", "104", "--reason", "new workstation")
        storescu(port, tmp_path / "one", tmp_path / "two", aet="WS1")
        assert findscu(
            port, "QueryRetrieveLevel=STUDY", "PatientID=AUDIT1", "StudyInstanceUID", options=("-aet", "WS1")
        )
        getscu(
            port,
            tmp_path / "got",
            "QueryRetrieveLevel=STUDY",
            f"StudyInstanceUID={one.study_uid}",
            options=("-aet", "WS1"),
        )
        assert len(list((tmp_path / "got").iterdir())) == 3
        moved = movescu(
            port, "NOWHERE", "QueryRetrieveLevel=STUDY", f"StudyInstanceUID={two.study_uid}", aet="WS1"
        )
        assert final_response(moved).status == 0xA801
        for _ in range(3):
            assert echoscu(port, "-aet", "ROGUE", check=False).status != 0
        server.cli(
            "reject", "add", "--study", two.study_uid, "--code", "quality", "--reason", "moved while scanned"
        )
        server.cli("export", tmp_path / "disc", "--study", one.study_uid)
        url = database or f"sqlite:///{home}/index.sqlite"
        engine = open_engine(url)
        expected = [
            ("start", "success", "system/filmless", "server", ()),
            ("devices", "success", ENGINEER, "add", ()),
            ("store", "success", "device/WS1", "C-STORE", (one.study_uid,)),
            ("store", "success", "device/WS1", "C-STORE", (two.study_uid,)),
            ("search", "success", "device/WS1", "C-FIND", ()),
            ("send", "success", "device/WS1", "C-GET", (one.study_uid,)),
            ("send", "refused", "device/WS1", "C-MOVE", (two.study_uid,)),
            ("network", "refused", "device/ROGUE", "association", ()),
            ("reject", "success", ENGINEER, "reject", (two.study_uid,)),
            ("export", "success", ENGINEER, "DICOMDIR", (one.study_uid,)),
        ]
        _compare(engine, expected)
        _check_details(engine, one.study_uid)
        assert "nothing was altered or removed" in server.cli("audit", "verify").output
        assert one.study_uid in server.cli("audit", "list", "--patient", "AUDIT1").output
        count = len(entries(engine))
        eventually(lambda: len(_messages(collector)) >= count, "all of them at the collector")
        secrets = ("AUDIT1", "AUDIT2")
        logs = "".join(file.read_text() for file in (home / "log").iterdir())
        assert not [word for word in secrets if word in logs]
    # the repeats of the stranger that were counted, and the end
    expected += [
        ("network", "refused", "device/ROGUE", "association", ()),
        ("stop", "success", "system/filmless", "server", ()),
    ]
    _compare(engine, expected)
    assert entries(engine, "network")[-1].body["detail"]["repeats"] == 2
    engine.dispose()
    collector.stop()
    schema = etree.RelaxNG(etree.parse(SCHEMA))
    for message in _messages(collector):
        assert schema.validate(etree.fromstring(message)), schema.error_log


def _compare(engine: Engine, expected: list[tuple[str, str, str, str, tuple[str, ...]]]) -> None:
    kinds = {kind for kind, *_ in expected}

    def as_expected() -> bool:
        return sorted(short(found) for found in entries(engine, *kinds)) == sorted(expected)

    try:
        eventually(as_expected, "the records of all acts", seconds=10, every=0.2)
    except AssertionError:
        assert sorted(short(found) for found in entries(engine, *kinds)) == sorted(expected)
        raise


def _check_details(engine: Engine, study_uid: str) -> None:
    for kind in ("store", "send"):
        about = next(one for one in entries(engine, kind) if one.body.get("studies") == [study_uid])
        assert about.body["patients"] == ["AUDIT1"]
        assert about.body["detail"]["sop_classes"] == {CT: 3}
        assert about.host == "127.0.0.1"
    search = entries(engine, "search")[0]
    assert "PatientID=AUDIT1" in search.body["query"]
    assert search.body["patients"] == ["AUDIT1"]
    assert search.body["detail"]["answers"] == 1
    refused = entries(engine, "network")[0]
    assert refused.body["reason"]


def _messages(collector: Collector) -> list[bytes]:
    found = [
        re.search(rb"DICOM\+RFC3881 - \xef\xbb\xbf(.*)", one, re.DOTALL) for one in list(collector.messages)
    ]
    return [one[1] for one in found if one is not None]
