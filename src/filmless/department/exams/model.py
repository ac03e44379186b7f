"""What an exam is, in words of ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from filmless.department.states import State


@dataclass(frozen=True, slots=True)
class Exam:
    """One procedure on one person at one time. The columns of department.tables.exams, where they are described."""

    id: int
    order_id: int
    person: int
    number: str
    study_uid: str
    exam_class: str
    procedure: str
    procedure_zh: str
    procedure_en: str
    modality: str
    body_part: str
    side: str
    stat: bool
    state: State
    #: None unless it is held
    held_from: State | None
    hold_reason: str
    images: str
    station: str
    starts_at: datetime | None
    ends_at: datetime | None
    site: str
    department: str
    ordered_at: datetime
    booked_at: datetime | None
    arrived_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    verified_at: datetime | None
    reported_at: datetime | None
    final_at: datetime | None
    due_at: datetime | None
    technologist: str
    more: Mapping[str, Any]
    changes: int

    @classmethod
    def of(cls, row: Row[Any]) -> "Exam":
        """From a row with all columns of `exams`."""
        values = {name: getattr(row, name) for name in cls.__slots__}
        values["state"] = State(values["state"])
        values["held_from"] = State(values["held_from"]) if values["held_from"] else None
        return cls(**values)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One thing that happened to an exam. `transition` is empty where its state did not change."""

    seq: int
    from_state: str
    to_state: str
    transition: str
    what: str
    at: datetime
    by: str
    source: str
    reason: str
    detail: Mapping[str, Any]
