"""Reports by their words, on either database."""

from __future__ import annotations

from sqlalchemy import delete, select, update
from tests.reporting.conftest import PASSWORD, Room, done
from tests.reporting.test_reports import TEXT, do, signed

from filmless.access.model import Scope
from filmless.db.work import reading, writing
from filmless.reporting.tables import report_words, reports
from filmless.reporting.upkeep import Upkeep
from filmless.reporting.words import cut, found, make

ELSEWHERE = Scope(sites=frozenset({"ELSEWHERE"}), sensitive=True)
TOLD = {
    **TEXT,
    "findings": "右肺上叶见磨玻璃结节，约 8mm；𠮷氏征(-)。No pleural effusion.",
    "impression": "右上肺结节，Lung-RADS 4A。",
}


def test_characters_are_words_and_so_are_runs_of_letters() -> None:
    assert cut("结节8mm, Lung-RADS") == ["u7ed3", "u8282", "w8mm", "wlung", "wrads"]
    assert cut("ＣＴ；𠮷") == ["wct", "u20bb7"] and cut("(-)") == []


def test_what_counts_is_found_by_phrases(room: Room) -> None:
    exam = room.exam()
    report = signed(room, exam, TOLD)
    signed(room, room.exam(name="李华"), TEXT)
    attending = room.browser("attending", "ATT")

    def has(text: str) -> bool:
        with reading(room.engine) as connection:
            return (
                report["id"]
                in connection.scalars(select(reports.c.id).where(found(reports.c.id, text))).all()
            )

    asked = ("结节", "磨玻璃结节", "节，约8MM", "𠮷氏征", "pleural eff", "lung-rads 4", "Ｌｕｎｇ", "结")
    assert [has(text) for text in asked] == [True] * len(asked)
    asked = ("玻璃磨", "effus pleural", "结节 征", "leural", '"', "结节*)", "u7ed3")
    assert [has(text) for text in asked] == [False] * 4 + [False, True, False]
    listed = done(attending.post("/api/reading/list", json={"queue": "all", "text": "磨玻璃结节"}))["items"]
    assert [one["number"] for one in listed] == ["M000001"]
    # who may not see the exam does not find it
    elsewhere = room.browser("elsewhere", "ATT", scope=ELSEWHERE)
    assert (
        done(elsewhere.post("/api/reading/list", json={"queue": "all", "text": "磨玻璃结节"}))["items"] == []
    )

    # an addendum is found beside what it is to; a correction takes its place
    now = do(attending, report, "addendum")
    now = do(attending, now, "sign", password=PASSWORD, content={"findings": "补充：甲状腺囊肿。"})
    assert has("甲状腺囊肿") and has("磨玻璃结节")
    # also where what it is to is not in the index yet; what is written while the index is made is not overwritten
    with writing(room.engine) as connection:
        connection.execute(delete(report_words).where(report_words.c.report == report["id"]))
    now = do(attending, now, "addendum")
    now = do(attending, now, "sign", password=PASSWORD, content={"findings": "肝血管瘤。"})
    assert has("肝血管瘤") and has("甲状腺囊肿") and has("磨玻璃结节")
    with writing(room.engine) as connection:
        connection.execute(update(report_words).values(words="wnewer"))
        make(connection, [report["id"]])
    assert has("newer")
    # written before there was an index
    with writing(room.engine) as connection:
        connection.execute(delete(report_words))
    assert not has("结节")
    assert Upkeep(room.engine, room.hospital.trail).run_once() == 2
    assert has("甲状腺囊肿") and has("磨玻璃结节")
    now = do(attending, now, "amend", reason="改")
    now = do(attending, now, "submit", content={**TOLD, "findings": "未见异常。", "impression": "正常。"})
    do(room.browser("second", "ATT"), now, "sign", password=PASSWORD)
    assert has("未见异常") and not has("磨玻璃结节")
