"""The page behind the code on a printed report, asked by a stranger with a telephone."""

from __future__ import annotations

import re

from sqlalchemy import select, update
from starlette.testclient import TestClient
from tests.access.conftest import one_database
from tests.reporting.conftest import ORIGIN, PASSWORD, Room
from tests.reporting.test_reports import TEXT, do, signed
from tests.trails import entries

from filmless.db.work import reading, writing
from filmless.reporting import find
from filmless.reporting.model import check_path
from filmless.reporting.press.gather import released_sheet
from filmless.reporting.settings import ReportingSettings
from filmless.reporting.tables import report_revisions


def stranger(room: Room, address: str = "stranger") -> TestClient:
    return TestClient(room.app, base_url=ORIGIN, client=(address, 1))


def standing(answer: object) -> str:
    (found,) = re.findall(r"<h2>(.*?)</h2>", answer.text)  # type: ignore[attr-defined]
    return str(found)


@one_database
def test_it_says_whether_the_paper_counts(room: Room) -> None:
    exam = room.exam(name="王小东")
    report = signed(room, exam, TEXT)
    with reading(room.engine) as connection:
        gathered = released_sheet(
            connection, find.get(connection, report["id"]), ReportingSettings(), base_url=ORIGIN
        )
        first = check_path(find.revision(connection, report["id"], report["released"]))
    assert gathered.sheet.link == ORIGIN + first
    anybody = stranger(room)
    answer = anybody.get(first, headers={"Accept-Language": "zh-CN"})
    assert answer.status_code == 200 and standing(answer) == "真实有效"
    assert "M000001" in answer.text and "W. X." in answer.text
    # nothing that is not on the paper, and of the patient initials alone
    for words in ("王小东", "WANG", "Wang", TEXT["findings"], TEXT["impression"], "19700101"):
        assert words not in answer.text, words
    assert "script" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert standing(anybody.get(first + "?lang=en")) == "Genuine and current"

    # another text in its place
    attending, second_person = room.browser("attending", "ATT"), room.browser("second", "ATT")
    again = do(attending, report, "amend", reason="侧别错误")
    again = do(attending, again, "submit", content={**TEXT, "impression": "右侧基底节区脑出血。"})
    again = do(second_person, again, "sign", password=PASSWORD)
    assert standing(anybody.get(first)) == "Superseded"
    with reading(room.engine) as connection:
        second = check_path(find.revision(connection, report["id"], again["released"]))
    assert standing(anybody.get(second)) == "Genuine and current"

    # taken back by two
    asked = do(attending, again, "retract", reason="患者错误")
    do(room.browser("head", "CHF"), asked, "retract")
    assert [standing(anybody.get(path)) for path in (first, second)] == ["Retracted", "Retracted"]

    # what is kept is altered by somebody who gets at the database
    with writing(room.engine) as connection:
        row = connection.execute(
            select(report_revisions.c.content).where(report_revisions.c.number == again["released"])
        ).one()
        connection.execute(
            update(report_revisions)
            .where(report_revisions.c.number == again["released"])
            .values(content={**row.content, "impression": "正常。"})
        )
    assert standing(anybody.get(second)) == "Cannot be confirmed"
    room.hospital.trail.flush()
    seen = [one for one in entries(room.engine, "view") if one.body.get("what") == "report check"]
    assert {one.body["detail"]["standing"] for one in seen} == {
        "current",
        "superseded",
        "retracted",
        "altered",
    }
    assert {one.host for one in seen} == {"stranger"}

    # guessed ones lead nowhere
    unknown = first[:-1] + ("0" if first[-1] != "0" else "1")
    for path in (unknown, "/check/1", "/check/..%2Freports", f"/check/{'9' * 40}"):
        assert anybody.get(path).status_code == 404, path
    assert standing(anybody.get(unknown, headers={"Accept-Language": "zh"})) == "查无此报告"
    # who tries many has to wait, and others need not
    codes = [anybody.get(unknown).status_code for _ in range(70)]
    assert codes[-1] == 429 and anybody.get(first).status_code == 429
    assert stranger(room, "other").get(first).status_code == 200
    # nobody fills the audit trail with codes that are made up
    for number in range(30):
        assert stranger(room, f"10.0.0.{number}").get(unknown).status_code == 404
    room.hospital.trail.flush()
    told = [one for one in entries(room.engine, "view") if one.body.get("reason") == "no such report"]
    assert len(told) == 20 and len({one.host for one in told}) == 20
