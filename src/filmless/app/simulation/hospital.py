"""Patients that are none: they are ordered for, come to the desk, and devices examine them over the network."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, Engine, select

from filmless.access.acting import Acting
from filmless.app.simulation.modality import Made, Modality, Way
from filmless.db.work import reading, writing
from filmless.department import registration
from filmless.department.exams import Exam
from filmless.department.identity_check import Shown
from filmless.department.model import Desk
from filmless.department.orders import NewOrder, Wanted
from filmless.department.registration import Arrival
from filmless.department.tables import stations
from filmless.department.tables import words as word_rows
from filmless.devices import service as devices
from filmless.devices.model import Device
from filmless.kit.errors import Conflict, Refused
from filmless.patients import persons
from filmless.patients.persons import Identifier, NewPerson

_FAMILY: Final = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘蔡蒋余"
_GIVEN: Final = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂华建国志文玉兰红梅春燕海波云飞㐂𠮷龘"


@dataclass
class Tally:
    """What a day came to."""

    registered: int = 0
    made: list[Made] = field(default_factory=list)

    @property
    def images(self) -> int:
        return sum(one.sent for one in self.made)


@dataclass
class Hospital:
    """The desk of a home, and the devices of its stations at host and port."""

    engine: Engine
    acting: Acting
    desk: Desk
    host: str
    port: int
    called: str
    way: Way = field(default_factory=Way)
    seed: int = 1
    told: Callable[[str], None] = lambda _words: None

    async def day(self, exams: int) -> Tally:
        """So many patients come and are examined on the stations that have an AE title.

        Raises Refused (code "no-stations") where there is none.
        """
        tally = Tally()
        planned = await asyncio.to_thread(self._register, exams)
        tally.registered = len(planned)
        by_station: dict[tuple[str, str], list[str]] = {}
        for exam, title in planned:
            by_station.setdefault((title, exam.modality), []).append(exam.number)
        working = [
            Modality(self.host, self.port, title, modality, self.called, self.way, told=self.told).work(
                len(numbers), only=numbers
            )
            for (title, modality), numbers in by_station.items()
        ]
        for made in await asyncio.gather(*working):
            tally.made += made
        return tally

    def _register(self, count: int) -> list[tuple[Exam, str]]:
        chance = random.Random(self.seed)
        with reading(self.engine) as connection:
            ready = _stations(connection)
        if not ready:
            raise Refused(
                "There is no station with an AE title and a procedure: `filmless simulate` needs one "
                "(Administration, Stations).",
                code="no-stations",
            )
        found: list[tuple[Exam, str]] = []
        for number in range(count):
            code, title, procedures = ready[number % len(ready)]
            with writing(self.engine) as connection:
                self._device(connection, title)
                person = self._person(connection, chance)
                green = chance.random() < 0.05
                if green:
                    _, exam = registration.green_channel(
                        connection,
                        self.acting,
                        self.desk,
                        procedure=chance.choice(procedures),
                        station=code,
                        sex=chance.choice("MF"),
                    )
                    found.append((exam, title))
                    continue
                inpatient = chance.random() < 0.3
                order = NewOrder(
                    person=person.id,
                    patient_class="I" if inpatient else "O",
                    visit_number="" if inpatient else _number("V", chance),
                    admission_number=_number("A", chance) if inpatient else "",
                    requester="模拟医师",
                    priority="urgent" if chance.random() < 0.1 else "routine",
                )
                side = "L"
                procedure = chance.choice(procedures)
                wanted = (Wanted(procedure, side if _sided(connection, procedure) else ""),)
                card = person.identifier("NI")
                arrival = Arrival(station=code, identity=Shown("NI", card))
                _, made = registration.walk_in(connection, order, wanted, self.acting, self.desk, arrival)
                found += [(one, title) for one in made]
            self.told(f"registered {found[-1][0].number}")
        return found

    def _person(self, connection: Connection, chance: random.Random) -> persons.Person:
        name = chance.choice(_FAMILY) + "".join(chance.choices(_GIVEN, k=chance.choice((1, 2))))
        born = f"{chance.randint(1935, 2015)}{chance.randint(1, 12):02}{chance.randint(1, 28):02}"
        sex = chance.choice("MF")
        # of no region that there is: nobody's number; the last digit but one tells the sex
        order = f"{chance.randint(0, 99):02}{chance.choice('13579' if sex == 'M' else '02468')}"
        card = Identifier("NI", f"990000{born}{order}{chance.randint(0, 9)}")
        new = NewPerson(name_ideographic=name, sex=sex, birth_date=born, identifiers=(card,))
        try:
            return persons.create(connection, new, self.acting)
        except Conflict:
            # the same number once more: another day with the same seed
            known = persons.by_identifier(connection, "NI", card.value, None)
            assert known is not None
            return known

    def _device(self, connection: Connection, title: str) -> None:
        if devices.find_device(connection, title) is None:
            devices.add(connection, Device(title, description="simulated"), by=self.acting.who.name)


def _number(letter: str, chance: random.Random) -> str:
    return f"{letter}{chance.randint(1, 10**9 - 1):09}"


def _stations(connection: Connection) -> list[tuple[str, str, list[str]]]:
    """(code, AE title, codes of procedures) of the stations that can be simulated."""
    rows = connection.execute(
        select(stations.c.code, stations.c.ae_title, stations.c.modality)
        .where(stations.c.active, stations.c.ae_title != "")
        .order_by(stations.c.id)
    ).all()
    procedures: dict[str, list[str]] = {}
    for row in connection.execute(
        select(word_rows.c.code, word_rows.c.more)
        .where(word_rows.c.kind == "procedure", word_rows.c.active)
        .order_by(word_rows.c.id)
    ):
        procedures.setdefault(str(row.more.get("modality", "")), []).append(row.code)
    return [
        (row.code, row.ae_title, procedures[row.modality]) for row in rows if procedures.get(row.modality)
    ]


def _sided(connection: Connection, procedure: str) -> bool:
    more = connection.scalar(
        select(word_rows.c.more).where(word_rows.c.kind == "procedure", word_rows.c.code == procedure)
    )
    return bool((more or {}).get("sides"))
