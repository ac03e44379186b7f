"""Exams: finding them, and the one way to change them (`advance`)."""

from filmless.department.exams.advance import advance, begin, may_go, note
from filmless.department.exams.belonging import belong
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
    "belong",
    "by_number",
    "get",
    "history",
    "may_go",
    "note",
    "numbers_of",
    "of_person",
    "of_study",
    "studies_of",
]
