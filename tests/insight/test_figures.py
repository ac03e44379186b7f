"""Every figure of a prepared month against a calculation of its own from the raw events; what is behind each number."""

import csv
import io
import json
import re
import statistics
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from filmless.db.work import reading, writing
from filmless.insight import export, service
from filmless.insight.model import BY_CODE, GROUPS, INDICATORS, Case, figure
from filmless.kit.errors import Refused
from tests.insight.month import BEGIN, END, Month

ALL = tuple(one.code for one in INDICATORS)


@pytest.fixture
def month(engine: Engine) -> Engine:
    with writing(engine) as connection:
        Month(connection).write(300)
    return engine


class Raw:
    """The same month as plain rows of SQL, and formulae written once more, without anything of insight/."""

    def __init__(self, connection: Connection) -> None:
        def rows(query: str) -> list[dict[str, Any]]:
            return [dict(row._mapping) for row in connection.execute(text(query))]

        self.exams = {row["id"]: row for row in rows("SELECT * FROM exams")}
        for exam in self.exams.values():
            exam["log"] = []
            more = exam["more"]
            exam["more"] = json.dumps(json.loads(more) if isinstance(more, str) else more)
        for row in rows("SELECT * FROM exam_log ORDER BY exam, seq"):
            self.exams[row["exam"]]["log"].append(row)
        for row in rows("SELECT e.id, o.patient_class FROM exams e JOIN orders o ON o.id = e.order_id"):
            self.exams[row["id"]]["patient_class"] = row["patient_class"]
        for row in rows("SELECT x.exam, r.* FROM report_exams x JOIN reports r ON r.id = x.report"):
            self.exams[row["exam"]]["report"] = row
        self.merged = {row["id"]: row["merged_into"] for row in rows("SELECT id, merged_into FROM persons")}
        self.criticals = rows("SELECT * FROM criticals WHERE status <> 'withdrawn'")
        self.critical_steps = rows("SELECT * FROM critical_steps")
        self.checks = rows("SELECT * FROM identity_checks")

    @staticmethod
    def at(exam: dict[str, Any], *names: str, last: bool = False) -> datetime | None:
        found = [row["at"] for row in exam["log"] if row["transition"] in names]
        return datetime.fromisoformat(found[-1 if last else 0]) if found else None

    def alive(self) -> list[dict[str, Any]]:
        return [exam for exam in self.exams.values() if exam["state"] != "X40"]

    def done(self) -> list[dict[str, Any]]:
        chosen = []
        for exam in self.alive():
            end = self.at(exam, "T11", last=True)
            if end and BEGIN <= end < END:
                chosen.append(exam)
        return chosen

    def signed(self) -> list[dict[str, Any]]:
        return [e for e in self.alive() if (at := self.at(e, "T21", "T22")) and BEGIN <= at < END]

    def spread(
        self, exams: list[dict[str, Any]], first: Callable[[dict[str, Any]], datetime | None],
        second: Callable[[dict[str, Any]], datetime | None],
    ) -> float | None:  # fmt: skip
        values = []
        for exam in exams:
            a, b = first(exam), second(exam)
            if a and b and b >= a:
                values.append((b - a).total_seconds())
        return statistics.median(values) if values else None

    def survivor(self, person: int) -> int:
        while self.merged[person]:
            person = self.merged[person]
        return person


def test_every_figure_of_a_month(month: Engine) -> None:
    with reading(month) as connection:
        found = service.answer(connection, service.Question(BEGIN, END, ALL)).total.figures
        raw = Raw(connection)

    def moment(*names: str, last: bool = False) -> Callable[[dict[str, Any]], datetime | None]:
        return lambda exam: raw.at(exam, *names, last=last)

    done, signed, alive = raw.done(), raw.signed(), raw.alive()
    arrived, started = moment("T04", "T05"), moment("T09")
    finished, verified = moment("T11", last=True), moment("T13", last=True)
    claimed, submitted, final = moment("T16"), moment("T18", last=True), moment("T21", "T22")
    ordered = moment("T01")
    booked = lambda e: datetime.fromisoformat(e["starts_at"]) if e["starts_at"] else None  # noqa: E731
    scheduled = [e for e in alive if (at := booked(e)) and BEGIN <= at < END]
    asked = [e for e in alive if BEGIN <= ordered(e) < END]
    inpatients = [e for e in asked if e["patient_class"] == "I"]

    def share(part: int, of: int) -> tuple[float | None, int]:
        return (part / of if of else None, of)

    spreads = {
        "booking-wait": raw.spread(scheduled, ordered, booked),
        "hall-wait": raw.spread(done, arrived, started),
        "duration": raw.spread(done, started, finished),
        "transfer": raw.spread(done, finished, verified),
        "report-wait": raw.spread(done, verified, claimed),
        "report-writing": raw.spread(done, claimed, submitted),
        "report-review": raw.spread(done, submitted, final),
        "report-total": raw.spread(done, finished, final),
        "order-to-report": raw.spread(done, ordered, final),
        "match-time": raw.spread(done, arrived, moment("T32")),
    }
    due = [e for e in signed if e["due_at"]]
    told = [
        e
        for e in signed
        if (e.get("report") or {}).get("result") in ("positive", "negative", "indeterminate")
    ]
    double = [e for e in signed if e["procedure"] in ("CTHEAD", "MRBRAIN")]
    handed = [e for e in signed if submitted(e)]
    ids = {e["id"] for e in done}
    criticals = [c for c in raw.criticals if c["exam"] in ids]

    def when(critical: dict[str, Any], what: str) -> datetime | None:
        found = [s["at"] for s in raw.critical_steps if s["critical"] == critical["id"] and s["what"] == what]
        return datetime.fromisoformat(found[0]) if found else None

    def soon(critical: dict[str, Any]) -> bool:
        at = when(critical, "notified")
        return at is not None and at - datetime.fromisoformat(critical["raised_at"]) <= timedelta(minutes=10)

    def has(exam: dict[str, Any], name: str) -> bool:
        return any(row["transition"] == name for row in exam["log"])

    def unforced(exam: dict[str, Any]) -> bool:
        rows = [row for row in exam["log"] if row["transition"] == "T13"]
        return bool(rows) and "true" not in str(rows[-1]["detail"]).lower()

    checks = [c for c in raw.checks if c["exam"] in ids]
    ratios = {
        "no-show": share(sum(e["state"] == "X20" for e in scheduled), len(scheduled)),
        "cancelled": share(sum(e["state"] == "X10" for e in asked), len(asked)),
        "inpatients-48h": share(
            sum(1 for e in inpatients if final(e) and final(e) - ordered(e) <= timedelta(hours=48)),
            len(inpatients),
        ),
        "verified": share(sum(map(unforced, done)), len(done)),
        "timely": share(sum(final(e) <= datetime.fromisoformat(e["due_at"]) for e in due), len(due)),
        "positive": share(sum(e["report"]["result"] == "positive" for e in told), len(told)),
        "two-persons": share(
            sum(
                bool(e["report"]["reviewer"]) and e["report"]["reviewer"] != e["report"]["author"]
                for e in double
            ),
            len(double),
        ),
        "returned": share(sum(has(e, "T20") for e in handed), len(handed)),
        "amended": share(sum(has(e, "T25") for e in signed), len(signed)),
        "addenda": share(sum(has(e, "T24") for e in signed), len(signed)),
        "critical-told": share(sum(map(soon, criticals)), len(criticals)),
        "critical-acknowledged": share(sum(bool(when(c, "acknowledged")) for c in criticals), len(criticals)),
        "critical-closed": share(sum(bool(when(c, "closed")) for c in criticals), len(criticals)),
        "identity-failed": share(sum(not c["passed"] for c in checks), len(checks)),
    }
    judged = [e for e in done if '"grade"' in e["more"]]
    given = [e for e in done if '"agent"' in e["more"]]
    ratios |= {
        "images-a": share(sum('"grade": "A"' in e["more"] for e in judged), len(judged)),
        "images-waste": share(sum('"grade": "waste"' in e["more"] for e in judged), len(judged)),
        "contrast-reactions": share(
            sum('"mild"' in e["more"] or '"severe"' in e["more"] for e in given), len(given)
        ),
        # nothing was ever sent
        "rejected": share(0, 0),
        "extravasations": share(sum('"extravasation": true' in e["more"] for e in given), len(given)),
    }
    begun = [e for e in alive if "E30" <= e["state"] < "E90"]
    numbers = {
        "exams": len(done),
        "persons": len({raw.survivor(e["person"]) for e in done}),
        "unsent": len(done),  # nothing was ever sent
        "overdue": sum(1 for e in begun if e["due_at"] and not final(e) and e["state"] >= "E50"),
        "workload": sum(
            {"CTHEAD": 1.5, "DRCHEST": 0.5, "MRBRAIN": 2.0, "USABD": 1.0}[e["procedure"]] for e in done
        ),
        "fees": sum(
            {"CTHEAD": 280, "DRCHEST": 60, "MRBRAIN": 620, "USABD": 120}[e["procedure"]] for e in done
        ),
        "films": sum(int(n) for e in done for n in re.findall(r'"films": (\d+)', e["more"])),
        "green-channel": sum(1 for e in done if e["exam_class"] == "L" or has(e, "T32")),
        "green-open": sum(1 for e in begun if e["exam_class"] == "L" and not has(e, "T32")),
    }
    # nothing is left out, and nothing is of nothing
    assert set(spreads) | set(ratios) | set(numbers) == set(ALL)
    assert len(done) > 150 and len(signed) > 100 and criticals and inpatients and double
    assert judged and given and numbers["films"]
    for code, value in spreads.items():
        assert found[code].value == pytest.approx(value), code
    for code, (value, of) in ratios.items():
        assert (found[code].value, found[code].of) == (pytest.approx(value), of), code
    for code, number in numbers.items():
        assert found[code].value == pytest.approx(number), code


def test_what_is_behind_a_number_is_as_many(month: Engine) -> None:
    for group in GROUPS:
        question = service.Question(BEGIN, END, ALL, group)
        with reading(month) as connection:
            found = service.answer(connection, question)
            assert found.rows and not found.cut
            for code in ("exams", "no-show", "timely", "unsent"):
                kept = [row.figures[code] for row in found.rows]
                assert sum(one.of for one in kept) == found.total.figures[code].of, (group, code)
            row = max(found.rows, key=lambda line: line.figures["positive"].of)
            figure = row.figures["positive"]
            of = service.behind(connection, question, "positive", row.key, "of")
            part = service.behind(connection, question, "positive", row.key, "part")
        assert (len(of), len(part)) == (figure.of, figure.part)
        assert {case.exam for case in part} <= {case.exam for case in of}


def test_a_filter_leaves_its_own(month: Engine) -> None:
    with reading(month) as connection:
        whole = service.answer(connection, service.Question(BEGIN, END, ("exams",), "modality"))
        for row in whole.rows:
            question = service.Question(BEGIN, END, ("exams",), "", {"modality": [row.key]})
            assert service.answer(connection, question).total.figures == row.figures


def test_what_is_no_question_is_refused(engine: Engine) -> None:
    with reading(engine) as connection:
        for question, code in (
            (service.Question(END, BEGIN, ALL), "bad-value"),
            (service.Question(BEGIN, BEGIN + timedelta(days=4000), ALL), "too-much"),
            (service.Question(BEGIN, END, ("shoes",)), "bad-value"),
            (service.Question(BEGIN, END, ALL, "shoe-size"), "bad-value"),
            (service.Question(BEGIN, END, ALL, "", {"day": ["x"]}), "bad-value"),
        ):
            with pytest.raises(Refused) as refused:
                service.answer(connection, question)
            assert refused.value.code == code
        empty = service.answer(connection, service.Question(BEGIN, END, ALL)).total.figures
        assert empty["timely"].value is None and empty["exams"].value == 0


def test_files_keep_numbers_and_never_calculate() -> None:
    rows = [["=1+1", 3, 0.5, None], ["CT一号机", 4, 0.25, 7.5]]
    text_file = export.as_csv(["name", "a", "b", "c"], rows)
    read = list(csv.reader(io.StringIO(text_file.decode("utf-8-sig"))))
    assert read == [["name", "a", "b", "c"], ["'=1+1", "3", "0.5", ""], ["CT一号机", "4", "0.25", "7.5"]]
    with zipfile.ZipFile(io.BytesIO(export.as_xlsx("2026", ["name", "a", "b", "c"], rows))) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        strings = book.read("xl/sharedStrings.xml").decode()
    assert "<f>" not in sheet and "<v>0.25</v>" in sheet
    assert "CT一号机" in strings and "=1+1" in strings


def test_images_rejected_for_quality_are_counted_image_by_image() -> None:
    cases = [
        Case(1, "M1", 1, "E90", objects=190, rejected=10, reject_reason="MOTION"),
        Case(2, "M2", 2, "E90", objects=100),
        Case(3, "M3", 3, "E50"),
    ]
    told = figure(BY_CODE["rejected"], cases)
    assert (told.value, told.part, told.of) == (10 / 300, 10, 300)
    assert (told.exams, told.part_exams) == ((1, 2), (1,))
    assert figure(BY_CODE["rejected"], cases[2:]).value is None
