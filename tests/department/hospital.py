"""A hospital for tests: first words, stations, and those who work there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert

from filmless.access.acting import Acting
from filmless.access.audit.trail import Trail
from filmless.access.model import Grant, Principal, Role, Scope, account_principal
from filmless.department.master import first
from filmless.department.model import DepartmentSettings, Desk
from filmless.department.orders import NewOrder, Wanted
from filmless.department.tables import stations
from filmless.kit import clock
from filmless.patients import persons
from filmless.patients.persons import NewPerson, Person

DESK = Desk(DepartmentSettings(issuer="H"), b"key of tests")
EVERYTHING = Scope(sensitive=True)


def principal(*roles: str, name: str = "", scope: Scope = EVERYTHING) -> Principal:
    """Somebody with these roles."""
    number = abs(hash((roles, name))) % 10**6 + 1
    return account_principal(
        name or "-".join(roles).lower(), number, [Grant(Role(role), scope) for role in roles]
    )


@dataclass
class Hospital:
    """Commands of a test, on behalf of whom it names."""

    trail: Trail

    def acting(self, *roles: str, name: str = "", scope: Scope = EVERYTHING) -> Acting:
        """Somebody with these roles, acting."""
        return Acting(principal(*roles, name=name, scope=scope), self.trail)

    def person(self, connection: Connection, name: str = "王小东", **more: Any) -> Person:
        """A person, made by the desk."""
        new = NewPerson(
            name_ideographic=name,
            sex=more.pop("sex", "M"),
            birth_date=more.pop("birth_date", "19700101"),
            **more,
        )
        return persons.create(connection, new, self.acting("REG"))


def found(connection: Connection) -> None:
    """First words and four stations: CT1, CT2, MR1 (08:00 to 12:00 and 13:00 to 17:00 every day), US1 (no network)."""
    first.provide(connection)
    hours = {str(day): [["08:00", "12:00"], ["13:00", "17:00"]] for day in range(7)}
    for code, modality in (("CT1", "CT"), ("CT2", "CT"), ("MR1", "MR"), ("US1", "US")):
        connection.execute(
            insert(stations).values(
                code=code,
                name_zh=code,
                name_en=code,
                ae_title="" if modality == "US" else code,
                modality=modality,
                hours=hours,
                abilities={},
                changed_at=clock.now(),
            )
        )


def outpatient(person: Person, visit: str = "V1", **more: Any) -> NewOrder:
    """An order for an outpatient."""
    return NewOrder(person=person.id, visit_number=visit, **more)


HEAD = (Wanted("CT-HEAD"),)
