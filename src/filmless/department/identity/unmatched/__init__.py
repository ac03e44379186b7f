"""The tray of images that fit no exam, or that came under another's: which exams they may be, and saying which it is.

The tray is the open tasks about studies ("unmatched-images", "unscheduled", "wrong-worklist-entry").
"""

from filmless.department.identity.unmatched.giving import NewExam, assign, make_exam, unassign
from filmless.department.identity.unmatched.tray import (
    KINDS,
    Candidate,
    InTray,
    Study,
    candidates,
    count,
    study_of,
    tray,
)

__all__ = [
    "KINDS",
    "Candidate",
    "InTray",
    "NewExam",
    "Study",
    "assign",
    "candidates",
    "count",
    "make_exam",
    "study_of",
    "tray",
    "unassign",
]
