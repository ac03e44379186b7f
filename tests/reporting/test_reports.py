"""The way of a report through the hands of those who write and sign it, over HTTP."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient
from tests.reporting.conftest import PASSWORD, Room, code_of, done

TEXT = {"findings": "左侧基底节区见高密度影。", "impression": "左侧基底节区脑出血。", "result": "positive"}


def claim(browser: TestClient, exam: int) -> dict[str, Any]:
    return done(browser.post(f"/api/exams/{exam}/claim", json={}))


def do(browser: TestClient, report: dict[str, Any], verb: str, status: int = 200, **more: Any) -> Any:
    """A step with a report; what it is then, with the counts that the next step needs."""
    answer = browser.post(f"/api/reports/{report['id']}/{verb}", json={"changes": report["changes"], **more})
    return done(answer, status)


def signed(room: Room, exam: int, text: dict[str, Any] | None = None) -> dict[str, Any]:
    """A report that a resident has written and an attending signed."""
    resident, attending = room.browser("resident", "RES"), room.browser("attending", "ATT")
    report = do(resident, claim(resident, exam), "submit", content=text or TEXT)
    report = do(attending, report, "review")
    return do(attending, report, "sign", password=PASSWORD)


def test_two_persons_write_and_sign(room: Room) -> None:
    exam = room.exam()
    resident, attending = room.browser("resident", "RES"), room.browser("attending", "ATT")
    (line,) = done(resident.post("/api/reading/list", json={"queue": "to-read"}))["items"]
    assert (line["id"], line["person"]["name"], line["report"]) == (exam, "王小东", None)
    assert done(resident.post("/api/reading/next", json={}))["exam"] == exam
    report = claim(resident, exam)
    assert room.state(exam) == "E70"
    assert "edit" in report["allowed"]
    # typed, and read by nobody else yet
    answer = resident.put(
        f"/api/reports/{report['id']}/scratch", json={"changes": report["changes"], "content": TEXT}
    )
    report = done(answer)
    shown = done(resident.get(f"/api/reports/{report['id']}"))
    assert shown["content"]["impression"] == TEXT["impression"]
    assert shown["unsaved"]
    assert code_of(attending.post(f"/api/exams/{exam}/claim", json={})) == (409, "claimed")
    # what another window kept meanwhile is not overwritten
    late = resident.put(f"/api/reports/{report['id']}/scratch", json={"changes": 1, "content": {}})
    assert code_of(late) == (409, "stale")
    assert late.json()["content"]["impression"] == TEXT["impression"]
    assert late.json()["changed_by"] == "resident"

    report = do(resident, report, "submit")
    assert (room.state(exam), report["status"]) == ("E75", "preliminary")
    listed = done(attending.post("/api/reading/list", json={"queue": "to-review"}))
    assert [one["id"] for one in listed["items"]] == [exam]
    assert listed["counts"]["to-review"] == 1
    assert code_of(resident.post(f"/api/reports/{report['id']}/review", json={"changes": 3}))[0] == 403

    report = do(attending, report, "review")
    report = do(attending, report, "return", reason="请描述出血量。")
    (line,) = done(resident.post("/api/reading/list", json={"queue": "returned"}))["items"]
    assert line["returned"]
    assert done(resident.get(f"/api/reports/{report['id']}"))["returned_reason"] == "请描述出血量。"
    claim(resident, exam)
    better = {**TEXT, "findings": "左侧基底节区见高密度影，出血量约10ml。"}
    report = do(resident, report, "submit", content=better)
    report = do(attending, report, "review")
    wrong = attending.post(
        f"/api/reports/{report['id']}/sign", json={"changes": report["changes"], "password": "wrong"}
    )
    assert code_of(wrong) == (400, "wrong-password")
    assert room.state(exam) == "E80"
    report = do(attending, report, "sign", password=PASSWORD)
    assert (room.state(exam), report["status"], report["locked_by"]) == ("E90", "final", "")

    shown = done(attending.get(f"/api/reports/{report['id']}"))
    assert [one["kind"] for one in shown["revisions"]] == ["submitted", "returned", "submitted", "final"]
    (signature,) = shown["signatures"]
    assert signature["holds"]
    assert signature["account"] == "attending"
    assert shown["final"]["content"]["findings"] == better["findings"]
    differs = done(attending.get(f"/api/reports/{report['id']}/diff?a=1&b=4"))["sections"]
    assert [one["section"] for one in differs] == ["findings"]
    assert {"op": "added", "text": "，出血量约10ml"} in differs[0]["parts"]
