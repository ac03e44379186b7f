"""Exams: finding them, and the one way to change them (`advance`)."""

from filmless.department.exams.advance import advance, begin, note
from filmless.department.exams.find import (
    by_number,
    get,
    history,
    numbers_of,
    of_person,
    of_study,
    studies_of,
)
from filmless.department.exams.model import Exam, LogEntry

__all__ = [
    "Exam",
    "LogEntry",
    "advance",
    "begin",
    "by_number",
    "get",
    "history",
    "note",
    "numbers_of",
    "of_person",
    "of_study",
    "studies_of",
]
