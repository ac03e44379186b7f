"""Makes the day: every exam by the commands that people give, at the times at which they would."""

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine

from filmless.access import accounts, grants
from filmless.access.acting import Acting
from filmless.access.audit.trail import Trail
from filmless.access.demonstration import PASSWORD
from filmless.access.model import SYSTEM, Principal
from filmless.app.demonstration import objects
from filmless.app.demonstration.cast import DAY, PLACES, STAFF, STATIONS, TEXTS, Visit
from filmless.archive.model import Source
from filmless.archive.store import Archive
from filmless.db.work import reading, writing
from filmless.department import (
    arrivals,
    booking,
    exams,
    execution,
    made_with,
    orders,
    registration,
    transfer,
)
from filmless.department.exams import Exam
from filmless.department.exams.guards import procedure_words
from filmless.department.identity import voiding
from filmless.department.identity_check import Shown
from filmless.department.made_with import Contrast
from filmless.department.master import first, lists
from filmless.department.model import DepartmentSettings, Desk
from filmless.exchange.media import incoming
from filmless.kit import clock
from filmless.patients import persons
from filmless.patients.persons import Identifier, NewPerson
from filmless.reporting import criticals, deciding, finals, sign_off, signing
from filmless.reporting import writing as reports
from filmless.reporting.model import Report, whole

log = logging.getLogger(__name__)

_ISSUER: Final = "DEMO"
#: the hour of the day at which it is looked at
_NOW: Final = 10.2
#: what is injected: (contrast medium, ml)
_MEDIA: Final = {"CT": ("碘海醇 350", 80.0), "MR": ("钆特酸葡胺", 15.0)}
#: the states through which an exam goes, in the order of the day
_ORDER: Final = ("E00", "E10", "E20", "E30", "E40", "E50", "E60", "E70", "E75", "E80", "E90", "E92")


@dataclass
class Making:
    """What making the day takes. `progress` gets (done, all)."""

    engine: Engine
    trail: Trail
    archive: Archive
    desk: Desk
    home: Path
    settings: DepartmentSettings
    wheel: Path | None
    progress: Callable[[int, int], None] = lambda _done, _all: None
    people: dict[tuple[str, str], int] = field(default_factory=dict)
    principals: dict[str, Principal] = field(default_factory=dict)

    def acting(self, account: str) -> Acting:
        return Acting(self.principals[account], self.trail, host="127.0.0.1", reason="demonstration")

    def make(self) -> int:
        """Everything; returns how many exams were made."""
        morning = clock.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        # the day is half over, whenever it is looked at
        shift = clock.now() - (morning + timedelta(hours=_NOW))
        with clock.pretending(morning + shift - timedelta(days=20)):
            self._hospital()
        seen = arrivals.Arrivals(self.engine, self.settings, self.trail)
        for number, visit in enumerate(sorted(DAY, key=lambda one: one.begin), 1):
            _Exam(self, visit, morning + shift + timedelta(hours=visit.begin), seen).make()
            self.progress(number, len(DAY))
        return len(DAY)

    def _hospital(self) -> None:
        from filmless.access import passwords

        system = Acting(SYSTEM, self.trail, reason="demonstration")
        kept = passwords.hashed(PASSWORD)
        with writing(self.engine) as connection:
            first.provide(connection)
            for name, (roles, zh, en, title, wards, language) in STAFF.items():
                shown = zh if language == "zh" else en
                accounts.create(
                    connection, name, system, display_name=shown, language=language, wards=wards,
                    password_hash=kept, must_change_password=False,
                )  # fmt: skip
                for role in roles:
                    grants.grant(connection, name, role, system)
                words = {"name_zh": zh, "name_en": en, "title": title, "department": "RAD"}
                account = accounts.get(connection, name)
                self.principals[name] = grants.principal_of(connection, account)
                if "adm" in self.principals:
                    lists.put_staff(connection, name, words, self.acting("adm"))
            for name, (_, zh, en, title, _, _) in STAFF.items():
                words = {"name_zh": zh, "name_en": en, "title": title, "department": "RAD"}
                lists.put_staff(connection, name, words, self.acting("adm"))
            for kind, codes in PLACES.items():
                for code, (zh, en, more) in codes.items():
                    lists.put_place(
                        connection, kind, code, {"name_zh": zh, "name_en": en, **more}, self.acting("adm")
                    )
            hours = {str(day): [["00:00", "23:59"]] for day in range(7)}
            for code, (zh, en, modality, room) in STATIONS.items():
                values = {
                    "name_zh": zh, "name_en": en, "ae_title": code, "modality": modality, "room": room,
                    "department": "RAD", "site": "MAIN", "hours": hours, "abilities": {"worklist": True},
                }  # fmt: skip
                lists.put_station(connection, code, values, self.acting("adm"))


class _Exam:
    """One exam, from its order to where it is at the end."""

    def __init__(self, day: Making, visit: Visit, at: datetime, seen: arrivals.Arrivals) -> None:
        self._day, self._visit, self._at, self._seen = day, visit, at, seen
        #: when somebody is to be there, where that is still to come
        self._begins = at if visit.begin > _NOW else at - timedelta(days=1)
        self._id = 0
        self._files: list[Path] = []

    @contextmanager
    def _later(self, minutes: float) -> Iterator[Connection]:
        self._at += timedelta(minutes=minutes)
        with clock.pretending(self._at), writing(self._day.engine) as connection:
            yield connection

    def _reaches(self, state: str) -> bool:
        until = self._visit.until
        if until in _ORDER:
            return _ORDER.index(until) >= _ORDER.index(state)
        reached = {"E05": "E00", "X10": "E20", "X20": "E20", "X30": "E40", "X40": "E60", "E97": "E60"}[until]
        return _ORDER.index(reached) >= _ORDER.index(state)

    def make(self) -> None:
        visit, day = self._visit, self._day
        if visit.kind == "L":
            with self._later(0) as connection:
                _, exam = registration.green_channel(
                    connection,
                    day.acting("tri"),
                    day.desk,
                    procedure=visit.procedure,
                    station=visit.station,
                    sex=visit.sex,
                )
            self._id = exam.id
        else:
            self._ordered()
        if visit.until == "E05":
            with self._later(10) as connection:
                registration.hold(connection, self._id, day.acting("reg"), code="LAB")
        if self._reaches("E10") and visit.until == "E10":
            with self._later(15) as connection:
                exams.advance(connection, self._id, "T02", day.acting("att"), reason="按常规方案")
        if (
            self._reaches("E20")
            and visit.kind != "L"
            and (visit.until in ("E20", "X10", "X20") or visit.begin < 8.5)
        ):
            self._booked()
        if visit.until == "X10":
            with self._later(20) as connection:
                registration.cancel(connection, self._id, day.acting("reg"), code="PATIENT")
        if visit.until == "X20":
            with self._later(120) as connection:
                registration.no_show(connection, self._id, day.acting("reg"))
        if self._reaches("E30") and visit.kind != "L":
            self._registered()
        if self._reaches("E40"):
            self._examined()
        if self._reaches("E70") and visit.text:
            self._reported()
        if visit.until == "E97":
            with self._later(20) as connection:
                deciding.close(connection, self._id, day.acting("att"), "术中透视，无需报告")
        if visit.until == "X40":
            self._voided()

    def _ordered(self) -> None:
        visit, day = self._visit, self._day
        key = (visit.name + visit.pinyin, visit.birth)
        # what is expected this afternoon was asked for in the morning
        before = max(90.0, (visit.begin - 9) * 60) if visit.begin > 0 else 10.0
        with self._later(-before) as connection:
            if key not in day.people:
                latin = visit.name.isascii()
                new = NewPerson(
                    name_ideographic="" if latin else visit.name,
                    name_alphabetic=visit.pinyin,
                    sex=visit.sex,
                    birth_date=visit.birth,
                    vip=visit.vip,
                    issuer=_ISSUER,
                    identifiers=(Identifier("NI", f"11010119{len(day.people):010}"),),
                )
                day.people[key] = persons.create(connection, new, day.acting("reg")).id
            inside = visit.kind == "I"
            order = orders.NewOrder(
                person=day.people[key],
                requested_by="cli" if visit.ward == "W-NS" else "",
                requester="刘洋" if visit.ward == "W-NS" else ("Dr. Adams" if visit.english else "张医生"),
                department=visit.source,
                ward=visit.ward,
                bed="12" if visit.ward else "",
                patient_class=visit.kind,
                visit_number="" if inside else f"MZ{1000 + day.people[key]}",
                admission_number=f"ZY{2000 + day.people[key]}" if inside else "",
                diagnosis=visit.diagnosis,
                history=visit.history,
                purpose="Please exclude acute disease." if visit.english else "明确诊断",
                cautions={"allergies": "", "pregnancy": "no"} if visit.sex == "F" else {},
                priority="urgent" if visit.kind == "E" else "routine",
            )
            wanted = [orders.Wanted(visit.procedure, visit.side)]
            _, made = orders.order(connection, order, wanted, day.acting("reg"), day.settings)
        self._id = made[0].id

    def _booked(self) -> None:
        visit, day = self._visit, self._day
        with self._later(10) as connection:
            minutes = booking.minutes_of(connection, visit.procedure)
            modality = STATIONS[visit.station][2]
            found = booking.earliest(
                connection, modality, minutes, start=max(self._at + timedelta(minutes=65), self._begins)
            )
            assert found is not None
            booking.book(connection, self._id, *found, day.acting("reg"))

    def _registered(self) -> None:
        visit, day = self._visit, self._day
        with self._later(60) as connection:
            arrival = registration.Arrival(station=visit.station, identity=Shown("two-identifiers"))
            registration.register(connection, self._id, day.acting("reg"), day.desk, arrival)

    def _examined(self) -> None:
        visit, day = self._visit, self._day
        with self._later(12) as connection:
            execution.start(
                connection, self._id, day.acting("tec"), day.desk, identity=Shown("two-identifiers")
            )
        if visit.until == "X30":
            with self._later(8) as connection:
                execution.discontinue(
                    connection, self._id, day.acting("tec"), code="110505", reason="幽闭恐惧"
                )
        if visit.images:
            self._images()
        if self._reaches("E50"):
            with self._later(9) as connection:
                # of one exam not everything has arrived
                if procedure_words(connection, visit.procedure).get("contrast"):
                    agent, ml = _MEDIA[visit.station[:2]]
                    given = [Contrast(agent, ml=ml, route="IV")]
                    made_with.record(connection, self._id, day.acting("tec"), contrast=given)
                count = len(self._files) + (3 if visit.until == "E50" else 0)
                execution.finish(
                    connection,
                    self._id,
                    day.acting("tec"),
                    count=count or None,
                    reason="" if count else "未采集",
                )
        if self._reaches("E60"):
            self._look()
            with self._later(3) as connection:
                if exams.get(connection, self._id).state == "E50":
                    transfer.verify(connection, self._id, day.acting("tec"), reason="已核对图像")

    def _look(self) -> None:
        with clock.pretending(self._at):
            while self._seen.run_once():
                pass

    def _images(self) -> None:
        visit, day = self._visit, self._day
        with reading(day.engine) as connection:
            exam = exams.get(connection, self._id)
            person = persons.get(connection, exam.person)
        who = objects.Identity(
            person.patient_id, person.issuer, persons.name_of(person), person.sex, person.birth_date, exam.study_uid,
            exam.number, exam.procedure_en if visit.english else exam.procedure_zh, exam.modality, exam.body_part,
            visit.station, self._at,
        )  # fmt: skip
        folder = day.home / "scratch" / "demonstration" / str(self._id)
        self._files = objects.write(folder, who, visit.images, day.wheel)
        with clock.pretending(self._at + timedelta(minutes=4)):
            incoming.bring_in(day.archive, [folder], source=Source(visit.station))
        self._look()
        self._picture = objects.middle(self._files) if visit.text else ("", "")
        shutil.rmtree(folder)

    def _content(self, exam: Exam) -> dict[str, Any]:
        chinese, english, result = TEXTS[self._visit.text]
        findings, impression = english if self._visit.english else chinese
        series_uid, sop_uid = self._picture
        image = {
            "study_uid": exam.study_uid,
            "series_uid": series_uid,
            "sop_uid": sop_uid,
            "frame": 1,
            "caption": "",
            "window": None,
        }
        return whole({"findings": findings, "impression": impression, "result": result, "images": [image]})

    def _reported(self) -> None:
        visit, day = self._visit, self._day
        author, reviewer = (
            ("smith", "att") if visit.english else ("res", "att" if visit.kind != "L" else "chf")
        )
        with self._later(14) as connection:
            report = reports.claim(connection, self._id, day.acting(author))
            exam = exams.get(connection, self._id)
            content = self._content(exam)
            if visit.english:
                report = reports.style(
                    connection,
                    report.id,
                    day.acting(author),
                    language="en",
                    template=None,
                    seen=report.changes,
                )
            if visit.until == "E70":
                content["impression"] = ""
            report = reports.scratch(connection, report.id, day.acting(author), content, seen=report.changes)
        if visit.text == "bleeding":
            with self._later(1) as connection:
                criticals.raise_one(
                    connection, self._id, day.acting(author), finding="左侧基底节区脑出血", level="red"
                )
        if not self._reaches("E75"):
            return
        with self._later(6) as connection:
            report = deciding.submit(connection, report.id, day.acting(author), content, seen=report.changes)
        if not self._reaches("E80"):
            return
        with self._later(11) as connection:
            report = deciding.review(connection, report.id, day.acting(reviewer), seen=report.changes)
        if self._reaches("E90"):
            self._signed(report, reviewer)

    def _signed(self, report: Report, reviewer: str) -> None:
        day, keys = self._day, signing.Keys(self._day.home / "keys")
        with self._later(4) as connection:
            report = sign_off.sign(
                connection, report.id, day.acting(reviewer), keys, None, seen=report.changes
            )
        if self._reaches("E92"):
            with self._later(20) as connection:
                report = finals.append(connection, report.id, day.acting(reviewer), seen=report.changes)
                text = whole({"findings": "补充：胆总管内径约6 mm，未见扩张。"})
                sign_off.sign(connection, report.id, day.acting(reviewer), keys, text, seen=report.changes)

    def _voided(self) -> None:
        day = self._day
        with self._later(30) as connection:
            voiding.void(
                connection,
                self._id,
                day.acting("chf"),
                day.principals["pad"],
                code="DUPLICATE",
                reason="重复登记",
            )
        with clock.pretending(self._at):
            voiding.take_out(day.archive, self._id, day.acting("chf"))
