"""The audit trail over our API: found by user, patient, study, kind, outcome and time; looking is told too."""

import json

import pytest
from sqlalchemy import text

from filmless.access.audit.model import Entry, Kind
from filmless.access.model import Principal, Role

from .conftest import Site, signed_in

WANG, LI, CT1 = Principal("user", "wang"), Principal("user", "li"), Principal("device", "CT1")


def fill(site: Site) -> None:
    for entry in (
        Entry(Kind.VIEW, WANG, host="10.0.0.1", studies=("1.2.1",), patients=("P1^^^NORTH",), what="pixels"),
        Entry(Kind.VIEW, LI, host="10.0.0.2", studies=("1.2.2",), patients=("P2",), what="pixels"),
        Entry(Kind.SEARCH, WANG, host="10.0.0.1", query="PatientID=P1", patients=("P1",)),
        Entry(Kind.STORE, CT1, host="10.0.0.9", studies=("1.2.1",), patients=("P1^^^NORTH",)),
        Entry(
            Kind.EXPORT,
            LI,
            "refused",
            "10.0.0.2",
            studies=("1.2.1",),
            patients=("P1^^^NORTH",),
            reason="no right",
        ),
    ):
        site.trail.record(entry)
    site.trail.flush()


@pytest.fixture
def officer(site: Site):  # type: ignore[no-untyped-def]
    site.account("sec", Role.SEC)
    client = site.browser()
    signed_in(client, "sec")
    fill(site)
    return client


def found(client, **asked):  # type: ignore[no-untyped-def]
    answer = client.post("/api/audit/search", json=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def short(page) -> list[tuple[str, str]]:  # type: ignore[no-untyped-def]
    return [(one["kind"], one["who"]) for one in page["entries"] if one["who"] in ("wang", "li", "CT1")]


def test_the_trail_is_searched(site: Site, officer) -> None:  # type: ignore[no-untyped-def]
    assert short(found(officer, who="wang")) == [("search", "wang"), ("view", "wang")]
    everything = [("export", "li"), ("store", "CT1"), ("search", "wang"), ("view", "wang")]
    assert short(found(officer, patient="P1")) == everything
    assert short(found(officer, patient="P1^^^NORTH")) == [everything[0], everything[1], everything[3]]
    assert short(found(officer, study="1.2.1")) == [everything[0], everything[1], everything[3]]
    assert short(found(officer, study="1.2.1", kinds=["view", "store"])) == [everything[1], everything[3]]
    assert short(found(officer, outcome="refused")) == [("export", "li")]
    assert short(found(officer, host="10.0.0.9")) == [("store", "CT1")]
    first = found(officer, who="wang")["entries"][-1]
    assert first["studies"] == ["1.2.1"]
    assert first["patients"] == ["P1^^^NORTH"]
    assert first["what"] == "pixels"
    assert short(found(officer, until=first["at"])) == []
    assert ("view", "wang") in short(found(officer, since=first["at"]))


def test_pages_follow_each_other_while_entries_come(site: Site, officer) -> None:  # type: ignore[no-untyped-def]
    whole = [one["seq"] for one in found(officer, who="wang")["entries"]]
    page = found(officer, who="wang", limit=1)
    assert [one["seq"] for one in page["entries"]] == whole[:1]
    site.trail.record(Entry(Kind.VIEW, WANG, studies=("1.2.9",)))
    site.trail.flush()
    page = found(officer, who="wang", limit=1, before=page["next"])
    assert [one["seq"] for one in page["entries"]] == whole[1:]
    assert page["next"] == 0


def test_a_search_is_told_with_what_was_looked_for(site: Site, officer) -> None:  # type: ignore[no-untyped-def]
    found(officer, patient="P1", kinds=["view"])
    told = site.told(kind="audit")
    assert [(one.who, one.outcome) for one in told] == [("sec", "success")]
    body = json.loads(told[0].body)
    assert body["query"] == "patient=P1 kinds=view"
    assert body["patients"] == ["P1"]


def test_others_are_refused_and_that_is_told(site: Site, officer) -> None:  # type: ignore[no-untyped-def]
    site.account("reader", Role.ATT)
    client = site.browser()
    signed_in(client, "reader")
    for path in ("search", "verify"):
        answer = client.post(f"/api/audit/{path}", json={})
        assert answer.status_code == 403
        assert answer.json()["code"] == "not-permitted"
    told = site.told(kind="refusal")
    assert [(one.who, json.loads(one.body)["what"]) for one in told] == [
        ("reader", "POST /audit/search"),
        ("reader", "POST /audit/verify"),
    ]
    assert site.browser().post("/api/audit/search", json={}).status_code in (401, 403)


def test_the_trail_is_verified(site: Site, officer) -> None:  # type: ignore[no-untyped-def]
    answer = officer.post("/api/audit/verify").json()
    assert answer["whole"] is True
    assert answer["records"] == answer["last"] >= 5
    with site.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text("DROP TRIGGER audit_never_update"))
        else:
            connection.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
        connection.execute(text("UPDATE audit SET who = 'nobody' WHERE who = 'CT1'"))
    answer = officer.post("/api/audit/verify").json()
    assert answer["whole"] is False
    assert "was altered" in answer["findings"][0]["words"]
    last = site.told(kind="audit")[-1]
    assert (last.outcome, json.loads(last.body)["what"]) == ("failed", "verify")
