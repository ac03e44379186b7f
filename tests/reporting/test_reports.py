"""The way of a report through the hands of those who write and sign it, over HTTP."""

from __future__ import annotations

from typing import Any

from click.testing import CliRunner
from sqlalchemy import delete, insert, select, update
from starlette.testclient import TestClient
from tests.access.conftest import one_database
from tests.reporting.conftest import PASSWORD, Room, code_of, done

from filmless.app.cli.reports import reports
from filmless.db.work import reading, writing
from filmless.department.tables import staff, words
from filmless.kit import clock
from filmless.reporting.canonical import digest
from filmless.reporting.signing import Keys
from filmless.reporting.tables import report_revisions, signatures
from filmless.reporting.verify import verify

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


@one_database
def test_what_was_altered_is_named(room: Room) -> None:
    report = signed(room, room.exam())["id"]
    other = signed(room, room.exam())["id"]
    keys = Keys(room.home / "keys")

    def found() -> list[tuple[int, int, str, str]]:
        with reading(room.engine) as connection:
            return [(one.report, one.revision, one.what, one.detail) for one in verify(connection, keys)]

    assert found() == []
    mine = (report_revisions.c.report == report) & (report_revisions.c.number == 2)
    with writing(room.engine) as connection:
        row = connection.execute(select(report_revisions).where(mine)).one()
        # the text alone
        content = {**row.content, "impression": "未见异常。"}
        connection.execute(update(report_revisions).where(mine).values(content=content))
    assert found() == [(report, 2, "text", "impression")]
    told = CliRunner().invoke(reports, ["verify", "--home", str(room.home)])
    assert (told.exit_code, "its text was altered" in told.output) == (3, True), told.output
    shown = done(room.browser("attending", "ATT").get(f"/api/reports/{report}"))
    assert [(one["holds"], one["why"]) for one in shown["signatures"]] == [(False, "text-altered")]
    # and what was signed with it, hash and all
    canonical = row.canonical.replace(TEXT["impression"], "未见异常。")
    with writing(room.engine) as connection:
        values = {"canonical": canonical, "hash": digest(canonical)}
        connection.execute(update(report_revisions).where(mine).values(**values))
    assert found() == [(report, 2, "signature", "attending")]
    with writing(room.engine) as connection:
        connection.execute(delete(signatures).where(signatures.c.report == other))
    assert (other, 2, "unsigned", "") in found()
    # another key in the place of ours
    for path in (room.home / "keys").glob("report-*"):
        path.unlink()
    assert (report, 2, "unknown-key", "attending") in found()


@one_database
def test_one_person_where_both_rights_allow_it(room: Room) -> None:
    exam = room.exam()
    attending = room.browser("attending", "ATT")
    report = claim(attending, exam)
    assert "sign" not in report["allowed"]
    alone = {"changes": report["changes"], "password": PASSWORD, "content": TEXT}
    assert code_of(attending.post(f"/api/reports/{report['id']}/sign", json=alone)) == (409, "two-persons")
    with writing(room.engine) as connection:
        connection.execute(
            insert(staff).values(account="attending", single_sign=True, changed_at=clock.now())
        )
    assert code_of(attending.post(f"/api/reports/{report['id']}/sign", json=alone)) == (409, "two-persons")
    with writing(room.engine) as connection:
        procedure = (words.c.kind == "procedure") & (words.c.code == "CT-HEAD")
        more = connection.execute(select(words.c.more).where(procedure)).scalar_one()
        connection.execute(update(words).where(procedure).values(more={**more, "double_sign": False}))
    assert done(attending.post(f"/api/reports/{report['id']}/sign", json=alone))["status"] == "final"
    assert room.state(exam) == "E90"


def test_a_final_report_is_appended_to_amended_and_retracted(room: Room) -> None:
    exam = room.exam(ward="N3")
    report = signed(room, exam)
    attending, second = room.browser("attending", "ATT"), room.browser("second", "ATT")
    head, clerk = room.browser("head", "CHF"), room.browser("clerk", "FLM")
    doctor = room.browser("doctor", "CLI", wards=["N3"])
    copy = done(clerk.post(f"/api/reports/{report['id']}/print", json={}), 201)
    (arrived,) = done(doctor.post("/api/inbox", json={}))["reports"]
    assert (arrived["number"], arrived["read"]) == ("M000001", False)
    read = done(doctor.get(f"/api/reports/{report['id']}"))
    assert read["final"]["content"]["impression"] == TEXT["impression"]
    assert (read["content"], read["allowed"]) == (None, [])
    assert done(doctor.post("/api/inbox", json={}))["reports"] == []

    # the original is not touched by an addendum
    report = do(attending, report, "addendum")
    report = do(attending, report, "sign", password=PASSWORD, content={"findings": "补充:未见骨折。"})
    assert (room.state(exam), report["status"]) == ("E92", "corrected")
    final = done(doctor.get(f"/api/reports/{report['id']}"))["final"]
    assert final["content"]["findings"] == TEXT["findings"]
    assert [one["content"]["findings"] for one in final["addenda"]] == ["补充:未见骨折。"]

    # an amendment takes somebody else's signature
    report = do(attending, report, "amend", reason="侧别错误")
    right = {**TEXT, "findings": "右侧基底节区见高密度影。", "impression": "右侧基底节区脑出血。"}
    report = do(attending, report, "submit", content=right)
    assert (
        done(doctor.get(f"/api/reports/{report['id']}"))["final"]["content"]["impression"]
        == TEXT["impression"]
    )
    own = attending.post(
        f"/api/reports/{report['id']}/sign", json={"changes": report["changes"], "password": PASSWORD}
    )
    assert code_of(own) == (409, "two-persons")
    listed = done(second.post("/api/reading/list", json={"queue": "to-review"}))["items"]
    assert [one["pending"] for one in listed] == ["correction-asked"]
    report = do(second, report, "sign", password=PASSWORD)
    (arrived,) = done(doctor.post("/api/inbox", json={}))["reports"]
    assert arrived["corrected"]
    shown = done(doctor.get(f"/api/reports/{report['id']}"))["final"]
    assert (shown["kind"], shown["reason"], shown["addenda"]) == ("correction", "侧别错误", [])
    recalls = done(clerk.get("/api/recalls"))["deliveries"]
    assert [one["id"] for one in recalls] == [copy["id"]]
    assert done(clerk.post(f"/api/recalls/{copy['id']}/returned"))["status"] == "returned"

    # who retracts needs a second one, and one of them is the head
    report = do(attending, report, "retract", reason="报告错发")
    assert code_of(
        second.post(f"/api/reports/{report['id']}/retract", json={"changes": report["changes"]})
    ) == (
        403,
        "not-permitted",
    )
    report = do(head, report, "retract")
    assert (room.state(exam), report["status"], report["released"]) == ("E75", "preliminary", 0)
    assert doctor.get(f"/api/reports/{report['id']}").status_code == 404
    # who has read it is told that it was taken back
    (arrived,) = done(doctor.post("/api/inbox", json={}))["reports"]
    assert arrived["withdrawn"]
    done(doctor.post(f"/api/inbox/{report['id']}/seen"), 204)
    assert done(doctor.post("/api/inbox", json={"unread": False}))["reports"] == []
    kinds = [one["kind"] for one in done(head.get(f"/api/reports/{report['id']}"))["revisions"]]
    assert kinds == ["submitted", "final", "addendum", "submitted", "correction", "retraction"]
    report = do(second, report, "review")
    assert do(second, report, "sign", password=PASSWORD, content=right)["released"] == 7
