"""Whom the department knows: persons and the numbers by which they are known.

Every command writes in the caller's transaction and into the audit trail. Persons are never deleted: one who turned out
to be another is merged into him (department/identity), and is still found.
"""

from filmless.patients.persons.changing import add_identifier, change, end_identifier
from filmless.patients.persons.finding import Candidate, find, likely
from filmless.patients.persons.making import create, unknown
from filmless.patients.persons.model import (
    DEMOGRAPHIC,
    DOCUMENTS,
    KINDS,
    Identifier,
    NewPerson,
    Person,
    name_of,
    shown,
    told_id,
)
from filmless.patients.persons.reading import by_identifier, by_patient_id, get, resolve, several

__all__ = [
    "DEMOGRAPHIC",
    "DOCUMENTS",
    "KINDS",
    "Candidate",
    "Identifier",
    "NewPerson",
    "Person",
    "add_identifier",
    "by_identifier",
    "by_patient_id",
    "change",
    "create",
    "end_identifier",
    "find",
    "get",
    "likely",
    "name_of",
    "resolve",
    "several",
    "shown",
    "told_id",
    "unknown",
]
