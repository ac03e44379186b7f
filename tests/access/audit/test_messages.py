"""Audit messages by the schema of PS3.15 A.5.1, with the participants that A.5.3 asks for."""

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from filmless.access.audit.messages import Reporter, message
from filmless.access.audit.model import Kind, Record

SCHEMA = etree.RelaxNG(etree.parse(Path(__file__).with_name("audit-message.rng")))
CT = "1.2.840.10008.5.1.4.1.1.2"
REPORTER = Reporter("FILMLESS", "General Hospital")


def record(
    kind: Kind, who: tuple[str, str] = ("user", "wang"), outcome: str = "success", **body: Any
) -> Record:
    body = {"server": "pacs1/serve/4711", **body}
    at = datetime(2026, 11, 22, 4, 11, 26, 123456, UTC)
    return Record(7, at, kind.value, outcome, who[0], who[1], "10.0.0.7", body)


def made(one: Record) -> Any:
    root = etree.fromstring(message(one, REPORTER))
    assert SCHEMA.validate(root), SCHEMA.error_log
    return root


def event(root: Any) -> tuple[str, str, str, str]:
    """EventID, EventActionCode, EventOutcomeIndicator, EventTypeCode."""
    found = root.find("EventIdentification")
    kind = found.find("EventTypeCode")
    return (
        found.find("EventID").get("csd-code"),
        found.get("EventActionCode"),
        found.get("EventOutcomeIndicator"),
        kind.get("csd-code") if kind is not None else "",
    )


def people(root: Any) -> list[tuple[str, str, str, str]]:
    """UserID, UserIsRequestor, first RoleIDCode, NetworkAccessPointID of each participant."""
    return [
        (
            one.get("UserID"),
            one.get("UserIsRequestor"),
            one.find("RoleIDCode").get("csd-code") if one.find("RoleIDCode") is not None else "",
            one.get("NetworkAccessPointID", ""),
        )
        for one in root.findall("ActiveParticipant")
    ]


def things(root: Any) -> list[tuple[str, str]]:
    return [
        (one.find("ParticipantObjectIDTypeCode").get("csd-code"), one.get("ParticipantObjectID"))
        for one in root.findall("ParticipantObjectIdentification")
    ]


US = ("4711", "false", "", "pacs1")
WANG = ("wang", "true", "", "10.0.0.7")


@pytest.mark.parametrize("outcome", ["success", "refused", "failed"])
@pytest.mark.parametrize("who", [("user", "wang"), ("device", "CT1"), ("system", "filmless")])
@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_a_valid_message(kind: Kind, who: tuple[str, str], outcome: str) -> None:
    full: dict[str, Any] = {
        "studies": ["1.2.3", "1.2.4"],
        "patients": ["P1^^^H", "王\x01 \ud83d  & <x>"],
        "what": 'a <b> & "c" \x02',
        "query": "PatientName=王*\x00",
        "reason": "because \x0b ]]>",
        "detail": {
            "sop_classes": {CT: 3, "": 1},
            "destination": "STORE",
            "odd \n name": {"a": [1]},
            "answers": 2,
        },
    }
    for body in ({}, full, {**full, "studies": ["1.2.3"]}, {"detail": {"destination": "STORE"}}):
        root = made(record(kind, who, outcome, **body))
        requestors = [one for one in people(root) if one[1] == "true"]
        assert len(requestors) <= 1
        assert event(root)[2] in (
            {"success": "0"}.get(outcome),
            *({} if outcome == "success" else {"4", "8"}),
        )
        assert root.find("AuditSourceIdentification").get("AuditSourceID") == "FILMLESS@pacs1"
        assert root.find("AuditSourceIdentification").get("AuditEnterpriseSiteID") == "General Hospital"
        assert root.find("EventIdentification").get("EventDateTime") == "2026-11-22T04:11:26.123Z"


def test_view() -> None:
    root = made(record(Kind.VIEW, studies=["1.2.3"], patients=["P1"], what="pixels"))
    assert event(root) == ("110103", "R", "0", "")
    assert people(root) == [WANG, US]
    assert things(root) == [("110180", "1.2.3"), ("2", "P1")]


def test_query_carries_the_data_set_of_a_find() -> None:
    data_set = base64.b64encode(b"\x08\x00\x52\x00CS\x06\x00STUDY ").decode()
    detail = {
        "sop_class": "1.2.840.10008.5.1.4.1.2.2.1",
        "transfer_syntax": "1.2.840.10008.1.2.1",
        "dataset": data_set,
    }
    root = made(
        record(Kind.SEARCH, ("device", "WS1"), query="StudyDate=20260101", detail=detail, patients=["P1"])
    )
    assert event(root) == ("110112", "E", "0", "")
    assert people(root) == [("WS1", "true", "110153", "10.0.0.7"), ("4711", "false", "110152", "pacs1")]
    assert root.find("ActiveParticipant").get("AlternativeUserID") == "AETITLES=WS1"
    assert things(root) == [("110181", "1.2.840.10008.5.1.4.1.2.2.1"), ("2", "P1")]
    assert root.find("ParticipantObjectIdentification/ParticipantObjectQuery").text == data_set
    pair = root.find("ParticipantObjectIdentification/ParticipantObjectDetail")
    assert (pair.get("type"), base64.b64decode(pair.get("value"))) == (
        "TransferSyntax",
        b"1.2.840.10008.1.2.1",
    )


def test_query_of_a_person_is_text() -> None:
    root = made(record(Kind.SEARCH, query="PatientName=王*", what="QIDO-RS"))
    assert base64.b64decode(root.find(".//ParticipantObjectQuery").text).decode() == "PatientName=王*"


def test_objects_received() -> None:
    detail = {"sop_classes": {CT: 250}, "instances": 250, "source": "CT1"}
    root = made(record(Kind.STORE, ("device", "CT1"), studies=["1.2.3"], patients=["P1"], detail=detail))
    assert event(root) == ("110104", "C", "0", "")
    assert people(root) == [("CT1", "true", "110153", "10.0.0.7"), ("4711", "false", "110152", "pacs1")]
    sop_class = root.find(".//SOPClass")
    assert (sop_class.get("UID"), sop_class.get("NumberOfInstances")) == (CT, "250")


def test_objects_moved_name_the_third_party() -> None:
    detail = {"sop_classes": {CT: 2}, "destination": "ARCHIVE2", "address": "pacs2.example"}
    root = made(record(Kind.SEND, ("device", "WS1"), studies=["1.2.3"], patients=["P1"], detail=detail))
    assert event(root) == ("110104", "R", "0", "")
    assert people(root) == [
        ("4711", "false", "110153", "pacs1"),
        ("ARCHIVE2", "false", "110152", "pacs2.example"),
        ("WS1", "true", "", "10.0.0.7"),
    ]
    types = [one.get("NetworkAccessPointTypeCode") for one in root.findall("ActiveParticipant")]
    assert types == ["1", "1", "2"]


def test_objects_fetched() -> None:
    detail = {"sop_classes": {CT: 2}, "destination": "WS1"}
    root = made(record(Kind.SEND, ("device", "WS1"), studies=["1.2.3"], detail=detail))
    assert people(root) == [("4711", "false", "110153", "pacs1"), ("WS1", "true", "110152", "10.0.0.7")]


def test_export_names_the_medium() -> None:
    root = made(record(Kind.EXPORT, studies=["1.2.3"], patients=["P1"], what="ZIP"))
    assert event(root) == ("110106", "R", "0", "")
    assert people(root)[0] == ("wang", "true", "110153", "10.0.0.7")
    assert people(root)[2][2] == "110154"
    assert root.find(".//MediaType").get("csd-code") == "110037"


def test_import_names_the_medium() -> None:
    root = made(record(Kind.IMPORT, studies=["1.2.3"], detail={"source": "/media/cd"}))
    assert event(root) == ("110107", "C", "0", "")
    assert people(root)[2] == ("/media/cd", "false", "110155", "")


def test_deletion_for_good() -> None:
    root = made(record(Kind.PURGE, studies=["1.2.3"]))
    assert event(root) == ("110105", "D", "0", "")
    assert root.find("ParticipantObjectIdentification").get("ParticipantObjectDataLifeCycle") == "15"


@pytest.mark.parametrize(
    ("kind", "what", "code"),
    [
        (Kind.START, "", ("110100", "E", "0", "110120")),
        (Kind.STOP, "", ("110100", "E", "0", "110121")),
        (Kind.SIGN_IN, "password", ("110114", "E", "0", "110122")),
        (Kind.SIGN_OUT, "", ("110114", "E", "0", "110123")),
        (Kind.NETWORK, "attach", ("110108", "E", "0", "110124")),
        (Kind.AUDIT, "search", ("110101", "R", "0", "")),
        (Kind.DEVICES, "change", ("110113", "E", "0", "110128")),
        (Kind.CONFIG, "settings", ("110113", "E", "0", "110131")),
        (Kind.ACCESS, "grant", ("110113", "E", "0", "110137")),
        (Kind.BREAK_GLASS, "began", ("110113", "E", "0", "110127")),
        (Kind.BREAK_GLASS, "ended", ("110113", "E", "0", "110138")),
        (Kind.SHARE, "made", ("110113", "E", "0", "110135")),
    ],
)
def test_events_without_a_study(kind: Kind, what: str, code: tuple[str, ...]) -> None:
    assert event(made(record(kind, what=what))) == code


def test_a_refused_association_is_an_alert_that_we_report() -> None:
    root = made(
        record(
            Kind.NETWORK,
            ("device", "ROGUE"),
            "refused",
            what="association",
            reason="unknown caller",
            detail={"called": "FILMLESS"},
        )
    )
    assert event(root) == ("110113", "E", "8", "110126")
    assert people(root) == [("4711", "true", "", "pacs1"), ("ROGUE", "false", "", "10.0.0.7")]
    assert root.find("EventIdentification/EventOutcomeDescription").text == "association; unknown caller"
    described = root.find(".//ParticipantObjectDetail")
    assert described.get("type") == "Alert Description"
    assert b"unknown caller" in base64.b64decode(described.get("value"))


def test_wrong_passwords_are_minor_until_the_account_is_locked() -> None:
    assert event(made(record(Kind.SIGN_IN, outcome="refused")))[2] == "4"
    assert event(made(record(Kind.SIGN_IN, outcome="refused", detail={"locked": True})))[2] == "12"
