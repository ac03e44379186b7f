"""What the routes of the department take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import BaseModel, Field, StringConstraints

from filmless.access.api.words import AccountName, In, Line, Password
from filmless.department.exams import Exam, LogEntry, dangers
from filmless.department.identity_check import Shown
from filmless.department.lists import Listed
from filmless.department.orders import Order
from filmless.department.registration import Arrival

Text = Annotated[str, StringConstraints(max_length=4000)]
Short = Annotated[Line, StringConstraints(max_length=64)]
Words = Annotated[Line, StringConstraints(max_length=200)]
Reason = Annotated[Line, StringConstraints(max_length=400)]
ExamId = Annotated[int, Path(ge=1, le=2**53, description="Number of the exam's row.")]


class ExamWords(BaseModel):
    """An exam."""

    id: int
    order_id: int
    person: int
    number: str = Field(description="Its exam number (Accession Number); empty before it is registered.")
    study_uid: str
    exam_class: str
    procedure: str
    procedure_zh: str
    procedure_en: str
    modality: str
    body_part: str
    side: str
    stat: bool
    state: str = Field(description="E00 to E97, X10 to X40.")
    held_from: str | None
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
    safety: Literal["", "clear", "caution", "stop", "accepted"] = Field(
        description="What came of the safety questions; empty where nobody has asked."
    )
    changes: int = Field(description="Counts changes; say it as `seen` when you change the exam.")

    @classmethod
    def of(cls, one: Exam) -> "ExamWords":
        """From the room's words."""
        plain = cls.model_fields.keys() - {"safety"}
        return cls(
            **{name: getattr(one, name) for name in plain},
            safety=dangers.state(one),
        )


class ListedWords(BaseModel):
    """An exam in a list, with whom it is of and who asked for it."""

    exam: ExamWords
    patient_id: str
    name: str
    name_alphabetic: str
    sex: str
    birth_date: str
    vip: bool
    unknown: bool
    patient_class: str
    requester: str
    order_department: str
    ward: str
    bed: str
    priority: str

    @classmethod
    def of(cls, one: Listed) -> "ListedWords":
        """From the room's words."""
        values: dict[str, Any] = {name: getattr(one, name) for name in cls.model_fields if name != "exam"}
        return cls(exam=ExamWords.of(one.exam), **values)


class OrderWords(BaseModel):
    """An order."""

    id: int
    person: int
    placer: str
    placer_number: str
    requested_by: str
    requester: str
    department: str
    ward: str
    bed: str
    patient_class: str
    visit_number: str
    admission_number: str
    diagnosis: str
    history: str
    purpose: str
    cautions: dict[str, str]
    priority: str
    ordered_at: datetime
    created_at: datetime
    created_by: str

    @classmethod
    def of(cls, one: Order) -> "OrderWords":
        """From the room's words."""
        return cls(**{name: getattr(one, name) for name in cls.model_fields})


class LogWords(BaseModel):
    """One thing that happened to an exam; without a transition its state did not change."""

    seq: int
    from_state: str
    to_state: str
    transition: str
    what: str
    at: datetime
    by: str
    source: str
    reason: str
    detail: dict[str, Any]

    @classmethod
    def of(cls, one: LogEntry) -> "LogWords":
        """From the room's words."""
        return cls(**{name: getattr(one, name) for name in cls.model_fields})


class CheckWords(BaseModel):
    """That somebody made sure who it is."""

    stage: str
    document: str
    passed: bool
    override_by: str
    reason: str
    at: datetime
    by: str

    @classmethod
    def of(cls, row: Any) -> "CheckWords":
        """From a row of `identity_checks`."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class SupervisorWords(In):
    """Who lets somebody through although the check failed, standing by: account and password."""

    account: AccountName
    password: Password
    passcode: Annotated[Line, Field(max_length=16)] = Field("", description="Of a second factor.")


class ShownWords(In):
    """What somebody showed to say who he is."""

    document: Literal["NI", "PPN", "HC", "wristband", "two-identifiers"]
    number: Short = Field("", description="As the scanner reads it; kept as a keyed hash only.")
    fits: bool = Field(default=True, description="The photograph, or the answers, fit the person.")
    despite: Reason = Field("", description="Why it goes on although the check fails.")
    supervisor: SupervisorWords | None = Field(
        None, description="Who agrees, where whoever checks may not let through by themselves."
    )

    def shown(self) -> Shown:
        """In the room's words."""
        return Shown(self.document, self.number, self.despite, self.fits)


class ArrivalWords(In):
    """What is said of somebody at the desk; what is left out is as the order says."""

    exam_class: Annotated[str, StringConstraints(pattern="^[A-Z]?$")] = ""
    visit_number: Short = ""
    admission_number: Short = ""
    station: Annotated[Line, StringConstraints(max_length=16)] = ""
    identity: ShownWords | None = None

    def arrival(self) -> Arrival:
        """In the room's words."""
        return Arrival(
            self.exam_class,
            self.visit_number.strip(),
            self.admission_number.strip(),
            self.station,
            self.identity.shown() if self.identity is not None else None,
        )
