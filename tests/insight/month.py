"""A month of a department, written event by event, for figures to be checked against."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert

from filmless.department.tables import (
    exam_log,
    exam_studies,
    exams,
    identity_checks,
    orders,
    places,
    stations,
    words,
)
from filmless.patients.tables import persons
from filmless.reporting.tables import critical_steps, criticals, report_exams, reports

BEGIN = datetime(2026, 9, 1, tzinfo=UTC)
END = datetime(2026, 10, 1, tzinfo=UTC)

_PROCEDURES = [
    ("CTHEAD", "CT", "HEAD", 280.0, 1.5, True),
    ("DRCHEST", "DX", "CHEST", 60.0, 0.5, False),
    ("MRBRAIN", "MR", "BRAIN", 620.0, 2.0, True),
    ("USABD", "US", "ABDOMEN", 120.0, 1.0, False),
]
_STATIONS = {"CT": ["CT1", "CT2"], "DX": ["DR1"], "MR": ["MR1"], "US": ["US1", "US2"]}
_DOCTORS = ["res1", "res2", "att1", "att2"]


class Month:
    """Writes exams with their events; `count` of them, from a few days before the month to its end."""

    def __init__(self, connection: Connection, seed: int = 7) -> None:
        self._connection = connection
        self._random = random.Random(seed)
        self._made = 0

    def write(self, count: int) -> None:
        add = self._connection.execute
        now = BEGIN
        for code, modality, part, fee, weight, double in _PROCEDURES:
            more = {
                "modality": modality,
                "body_part": part,
                "fee": fee,
                "weight": weight,
                "double_sign": double,
            }
            add(insert(words).values(kind="procedure", code=code, name_zh=f"{part}检查", name_en=part.title(),
                                     more=more, active=True, changed_at=now))  # fmt: skip
        for modality, codes in _STATIONS.items():
            for code in codes:
                names = {"name_zh": f"{code}机", "name_en": code}
                add(insert(stations).values(code=code, ae_title=code, modality=modality, hours={}, abilities={},
                                            changed_at=now, **names))  # fmt: skip
        add(insert(places).values(kind="department", code="ER", name_zh="急诊科", name_en="Emergency", more={},
                                  active=True, changed_at=now))  # fmt: skip
        people = [self._person() for _ in range(max(2, count // 3))]
        for person in people[: len(people) // 10]:
            # merged into the one after
            add(
                persons.update().where(persons.c.id == person).values(status="merged", merged_into=person + 1)
            )
        for _ in range(count):
            self._exam(self._random.choice(people))

    def _person(self) -> int:
        self._made += 1
        return self._connection.execute(
            insert(persons)
            .values(patient_id=f"P{self._made}", issuer="H", created_at=BEGIN, changed_at=BEGIN)
            .returning(persons.c.id)
        ).scalar_one()

    def _exam(self, person: int) -> None:
        draw, add = self._random, self._connection.execute
        code, modality, part, _, _, _ = draw.choice(_PROCEDURES)
        self._made += 1
        number = self._made
        ordered = BEGIN + timedelta(hours=draw.uniform(-100, 24 * 30))
        kind = draw.choice(["O", "O", "I", "E"])
        order = add(
            insert(orders)
            .values(person=person, placer_number=f"O{number}", requester=draw.choice(["Dr. Lu", "Dr. Ma"]),
                    department=draw.choice(["ER", "SURG"]), patient_class=kind, cautions={}, ordered_at=ordered,
                    created_at=ordered)
            .returning(orders.c.id)
        ).scalar_one()  # fmt: skip
        letter = {"O": "M", "I": "Z", "E": draw.choice(["L", "M"])}[kind]
        log: list[dict[str, Any]] = []
        state, at = "", ordered

        def step(name: str, to: str, minutes: float, by: str = "reg1", **detail: Any) -> datetime:
            nonlocal state, at
            at = at + timedelta(minutes=minutes)
            log.append(
                {"seq": len(log) + 1, "from_state": state, "to_state": to, "transition": name, "what": "", "at": at,
                 "by": by, "source": "screen", "reason": "", "detail": detail}
            )  # fmt: skip
            state = to
            return at

        moments: dict[str, Any] = {}
        step("T01", "E00", 0)
        if draw.random() < 0.06:
            step("T28", "X10", 30, code=draw.choice(["dup", "wish"]))
        else:
            if letter != "L":
                moments["starts_at"] = at + timedelta(minutes=draw.uniform(20, 3000))
                step("T03", "E20", 5)
            if letter != "L" and draw.random() < 0.07:
                step("T29", "X20", 3000, by="filmless")
            else:
                moments["arrived_at"] = step("T05" if letter == "L" else "T04", "E30", draw.uniform(5, 2000))
                if draw.random() < 0.93:
                    moments["started_at"] = step("T09", "E40", draw.uniform(1, 120), by="tec1")
                    if draw.random() < 0.95:
                        moments["finished_at"] = step(
                            "T11", "E50", draw.uniform(3, 40), by=draw.choice(["tec1", "tec2"])
                        )
                        self._after(step, moments, code)
        if letter == "L" and state >= "E30" and state < "X" and draw.random() < 0.6:
            step("T32", state, 60)
        if draw.random() < 0.02:
            step("T31", "X40", 5, by="chf1")
        exam = add(
            insert(exams)
            .values(order_id=order, person=person, number=f"{letter}{number:06}" if "arrived_at" in moments else "",
                    study_uid=f"1.2.3.{number}", exam_class=letter if "arrived_at" in moments else "", procedure=code,
                    procedure_zh=f"{part}检查", procedure_en=part.title(), modality=modality, body_part=part,
                    stat=letter == "L", state=state, station=draw.choice(_STATIONS[modality]), ordered_at=ordered,
                    technologist=draw.choice(["tec1", "tec2"]), more=_made_with(number),
                    final_at=moments.get("final_at"),
                    due_at=moments.get("due_at"), **{name: moments.get(name) for name in
                    ("starts_at", "arrived_at", "started_at", "finished_at", "verified_at")})
            .returning(exams.c.id)
        ).scalar_one()  # fmt: skip
        add(insert(exam_log), [{"exam": exam, **row} for row in log])
        add(insert(exam_studies).values(exam=exam, study_uid=f"1.2.3.{number}", by="uid", at=at))
        if "arrived_at" in moments:
            checked = {"stage": "registration", "document": "NI", "passed": draw.random() < 0.9, "by": "reg1"}
            add(insert(identity_checks).values(exam=exam, at=moments["arrived_at"], **checked))
        if "report" in moments:
            report = add(
                insert(reports)
                .values(status="draft", created_at=at, changed_at=at, **moments["report"])
                .returning(reports.c.id)
            ).scalar_one()
            add(insert(report_exams).values(exam=exam, report=report))
            if draw.random() < 0.15:
                self._critical(exam, at)

    def _after(self, step: Any, moments: dict[str, Any], code: str) -> None:
        draw = self._random
        if draw.random() < 0.9:
            moments["verified_at"] = step(
                "T13", "E60", draw.uniform(1, 60), by="filmless", override=draw.random() < 0.1
            )
            moments["due_at"] = moments["verified_at"] + timedelta(minutes=draw.choice([30, 120, 1440]))
        if "verified_at" not in moments or draw.random() < 0.1:
            return
        author, reviewer = draw.sample(_DOCTORS, 2)
        moments["report"] = {
            "author": author,
            "result": draw.choice(["", "positive", "negative", "indeterminate"]),
        }
        step("T16", "E70", draw.uniform(1, 600), by=author)
        if draw.random() < 0.15:
            moments["final_at"] = step("T22", "E90", draw.uniform(3, 60), by=author)
        else:
            step("T18", "E75", draw.uniform(3, 60), by=author)
            if draw.random() < 0.85:
                step("T19", "E80", draw.uniform(1, 200), by=reviewer)
                moments["report"]["reviewer"] = reviewer
                if draw.random() < 0.2:
                    step("T20", "E70", 5, by=reviewer)
                    step("T18", "E75", 20, by=author)
                    step("T19", "E80", 20, by=reviewer)
                moments["final_at"] = step("T21", "E90", draw.uniform(1, 60), by=reviewer)
        if "final_at" in moments:
            for name, share in (("T24", 0.1), ("T25", 0.05), ("T25", 0.5)):
                if draw.random() < share and (share != 0.5 or draw.random() < 0.05):
                    step(name, "E92", 300, by=author)

    def _critical(self, exam: int, at: datetime) -> None:
        draw, add = self._random, self._connection.execute
        status = draw.choice(["raised", "notified", "acknowledged", "closed", "withdrawn"])
        key = add(
            insert(criticals)
            .values(
                exam=exam, finding="pneumothorax", level="red", status=status, raised_at=at, raised_by="res1"
            )
            .returning(criticals.c.id)
        ).scalar_one()
        steps = ["raised", "notified", "acknowledged", "actioned", "closed"]
        upto = {"raised": 1, "notified": 2, "acknowledged": 3, "closed": 5, "withdrawn": 1}[status]
        for seq, what in enumerate(steps[:upto], 1):
            add(insert(critical_steps).values(critical=key, seq=seq, what=what, at=at, by="res1"))
            at += timedelta(minutes=draw.uniform(1, 20))


def _made_with(number: int) -> dict[str, Any]:
    """Contrast media, films and what its maker says of the images; of most exams nothing."""
    chance = random.Random(number)
    more: dict[str, Any] = {}
    if chance.random() < 0.4:
        more["quality"] = {
            "grade": chance.choice(["A", "A", "B", "waste"]),
            "note": "",
            "by": "tec1",
            "at": "",
        }
    if chance.random() < 0.3:
        reaction = chance.choice(["none", "none", "mild", "severe"])
        more["contrast"] = [
            {"agent": "x", "ml": 80, "reaction": reaction, "extravasation": chance.random() < 0.2}
        ]
    if chance.random() < 0.2:
        more["dose"] = {"dlp": 500.0, "films": chance.randint(1, 3)}
    return more
