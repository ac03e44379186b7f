"""Corrections over HTTP, signed in as whoever may and may not."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from starlette.testclient import TestClient
from tests.access.conftest import Site, code_of, signed_in
from tests.archive.conftest import Put, ct

from filmless.access import api as access_api
from filmless.access.audit.keys import Keys
from filmless.access.audit.trail import Trail
from filmless.access.gate import Gate
from filmless.access.model import Role
from filmless.access.settings import AccessSettings
from filmless.app.settings import load
from filmless.app.site import assemble
from filmless.archive.api.corrections import router
from filmless.archive.codecs import Codecs
from filmless.archive.store import Archive
from filmless.archive.tables import studies
from filmless.archive.web.context import ArchiveWeb
from filmless.db.work import reading
from filmless.net.http.model import HttpSettings

WISH = {
    "level": "STUDY",
    "uid": "1.2.3.1",
    "changes": [
        {"attribute": "StudyDescription", "value": "Thorax"},
        {"attribute": "AccessionNumber", "value": ""},
    ],
}


@pytest.fixture
def site(archive: Archive, tmp_path: Path) -> Iterator[Site]:
    engine: Engine = archive.engine
    trail = Trail(engine, Keys(tmp_path / "audit.key"), server="test")
    gate = Gate(engine, AccessSettings(), HttpSettings(), trail)
    web = ArchiveWeb(engine, archive.root.parent, archive.root, Codecs(tmp_path / "scratch"), trail, archive)
    app = assemble(load(tmp_path, environment={}), gate, [], [access_api.router, router(web)])
    made = Site(engine, trail, gate, app)
    yield made
    for client in made.clients:
        client.close()
    trail.close()


def steward(site: Site) -> TestClient:
    site.account("wang", Role.PAD)
    client = site.browser()
    signed_in(client, "wang")
    return client


def test_a_steward_previews_corrects_lists_and_undoes(site: Site, put: Put) -> None:
    put(ct(StudyDescription="Torax"))
    client = steward(site)

    shown = client.post("/api/corrections/preview", json=WISH)
    assert shown.status_code == 200, shown.text
    assert [(one["keyword"], one["old"], one["new"]) for one in shown.json()["changed"]] == [
        ("AccessionNumber", ["A1"], ""),
        ("StudyDescription", ["Torax"], "Thorax"),
    ]

    made = client.post("/api/corrections", json={**WISH, "reason": "typo"})
    assert made.status_code == 201, made.text
    key = made.json()["correction"]["key"]
    assert (made.json()["studies"], made.json()["instances"]) == (["1.2.3.1"], 1)
    with reading(site.engine) as connection:
        assert connection.execute(select(studies.c.study_description, studies.c.accession_number)).one() == (
            "Thorax",
            "",
        )

    (listed,) = client.get("/api/corrections", params={"study": "1.2.3.1"}).json()["corrections"]
    assert (listed["key"], listed["by"], listed["reason"], listed["undone_at"]) == (key, "wang", "typo", None)

    undone = client.post(f"/api/corrections/{key}/undo", json={"reason": "was right"})
    assert undone.status_code == 200, undone.text
    with reading(site.engine) as connection:
        assert connection.scalar(select(studies.c.study_description)) == "Torax"
    assert client.get("/api/corrections").json()["corrections"] == []
    assert len(client.get("/api/corrections", params={"undone": True}).json()["corrections"]) == 1
    assert code_of(client.post(f"/api/corrections/{key}/undo", json={"reason": "x"})) == (409, "undone")
    told = site.told(kind="correct")
    assert [row.who for row in told] == ["wang", "wang"]


def test_others_may_not_and_nobody_learns_of_what_he_may_not_see(site: Site, put: Put) -> None:
    put(ct())
    client = site.browser()
    assert code_of(client.post("/api/corrections/preview", json=WISH))[0] == 401
    site.account("res", Role.RES)
    signed_in(client, "res")
    assert code_of(client.post("/api/corrections/preview", json=WISH)) == (403, "not-permitted")
    assert code_of(client.post("/api/corrections", json={**WISH, "reason": "x"})) == (403, "not-permitted")
    assert code_of(client.get("/api/corrections")) == (403, "not-permitted")
    assert [row.who for row in site.told(kind="refusal", outcome="refused")] == ["res"] * 3
    with reading(site.engine) as connection:
        assert connection.scalar(select(studies.c.study_description)) == ""


def test_wrong_wishes_are_told_in_words(site: Site, put: Put) -> None:
    put(ct())
    client = steward(site)

    def ask(**other: object) -> tuple[int, str]:
        return code_of(client.post("/api/corrections", json={**WISH, "reason": "x", **other}))

    assert ask(uid="1.2.9") == (404, "not-found")
    assert ask(level="PATIENT") == (400, "bad-target")
    assert ask(changes=[{"attribute": "SOPInstanceUID", "value": "1.2"}]) == (400, "not-correctable")
    assert ask(changes=[{"attribute": "NoSuchThing", "value": "1.2"}]) == (400, "unknown-attribute")
    assert ask(changes=[{"attribute": "StudyID", "value": "1", "remove": True}]) == (400, "bad-value")
    assert ask(changes=[{"attribute": "PatientName", "items": [{}]}]) == (400, "bad-value")
    assert ask(changes=[]) == (422, "invalid")
    assert ask(reason="") == (422, "invalid")
    assert ask(extra=1) == (422, "invalid")


def test_odd_values_are_refused_not_stumbled_over(site: Site, put: Put) -> None:
    put(ct())
    client = steward(site)

    def change(**one: object) -> int:
        answer = client.post("/api/corrections", json={**WISH, "reason": "x", "changes": [one]})
        return answer.status_code

    assert change(attribute="StudyDescription", value="a\0b") == 400
    assert change(attribute="StudyDescription", value="<script>alert(1)</script>") == 201
    assert change(attribute="StudyDescription", value="x" * 65) == 400
    assert change(attribute="ProcedureCodeSequence", items=[{"00080100": 1}]) == 400
    assert change(attribute="ProcedureCodeSequence", items=[{"00080100": {"vr": "SH", "Value": 1}}]) == 400
    assert change(attribute="ProcedureCodeSequence", items=[{"00080100": {"vr": "SH", "Value": [{}]}}]) == 400
    assert change(attribute="ProcedureCodeSequence", items=[{"nonsense": {"vr": "SH"}}]) == 400
    nested: dict[str, object] = {"00080100": {"vr": "SH", "Value": ["T"]}}
    for _ in range(12):
        nested = {"00400275": {"vr": "SQ", "Value": [nested]}}
    assert change(attribute="ProcedureCodeSequence", items=[nested]) == 400
    body = (
        '{"level":"STUDY","uid":"1.2.3.1","reason":"x","changes":[{"attribute":"StudyID","value":"\\ud800"}]}'
    )
    answer = client.post("/api/corrections", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    body = body.replace('"value":"\\ud800"', '"items":[{"00101020":{"vr":"DS","Value":[NaN]}}]')
    body = body.replace("StudyID", "ProcedureCodeSequence")
    answer = client.post("/api/corrections", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert client.get("/api/corrections", params={"patient": "a\0b"}).status_code == 422
    assert len(client.get("/api/corrections").json()["corrections"]) == 1


def test_the_trail_names_both_patients(site: Site, put: Put) -> None:
    put(ct())
    client = steward(site)
    moved = [{"attribute": "PatientID", "value": "P2"}]
    assert (
        client.post("/api/corrections", json={**WISH, "changes": moved, "reason": "mixed up"}).status_code
        == 201
    )
    (row,) = site.told(kind="correct")
    assert json.loads(row.body)["patients"] == ["P1", "P2"]
