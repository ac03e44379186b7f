"""What the routes of templates, critical results, the inbox and timelines say and are told."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from filmless.reporting.api.content_words import (
    Code,
    CriticalWords,
    In,
    Line,
    Short,
    TemplateContent,
    TemplateTexts,
    TemplateWords,
    _text,
)
from filmless.reporting.api.words import ReportExam, ReportFinal, ReportPerson

Level = Literal["red", "orange", "yellow"]


class PhraseContent(In):
    """A piece of text under an abbreviation."""

    abbreviation: Annotated[str, StringConstraints(min_length=1, max_length=16), AfterValidator(_text)]
    section: Literal["", "technique", "comparison", "findings", "impression", "advice"] = ""
    text: dict[
        Literal["zh", "en"], Annotated[str, StringConstraints(max_length=4000), AfterValidator(_text)]
    ] = Field(default_factory=dict)


class PhraseWords(BaseModel):
    """A phrase. `id` 0: one that Filmless comes with."""

    id: int
    code: str
    revision: int
    owner: Literal["hospital", "department", "user"]
    modality: str
    body_part: str
    content: PhraseContent
    changed_at: datetime | None


class TemplateList(BaseModel):
    """Templates and phrases, those for the exam first."""

    templates: list[TemplateWords]
    phrases: list[PhraseWords]


class TemplateIn(In):
    """A template as somebody wants it; the code of one that exists makes its next revision."""

    owner: Literal["hospital", "department", "user"] = "user"
    name_zh: Annotated[
        str, StringConstraints(max_length=100, strip_whitespace=True), AfterValidator(_text)
    ] = ""
    name_en: Annotated[
        str, StringConstraints(max_length=100, strip_whitespace=True), AfterValidator(_text)
    ] = ""
    modality: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{0,16}$")] = ""
    body_part: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9 _]{0,16}$")] = ""
    content: TemplateContent


class PhraseIn(In):
    """A phrase as somebody wants it; the code of one that exists makes its next revision."""

    owner: Literal["hospital", "department", "user"] = "user"
    modality: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{0,16}$")] = ""
    body_part: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9 _]{0,16}$")] = ""
    content: PhraseContent


class CriticalKind(BaseModel):
    """A finding of the catalogue."""

    code: str
    finding_zh: str
    finding_en: str
    level: Level
    minutes: int = Field(description="Within which somebody has to be told.")


class CriticalCatalogue(BaseModel):
    """What may be raised by its code."""

    findings: list[CriticalKind]


class CriticalIn(In):
    """What was found: by code, or in words with a level."""

    code: Annotated[str, StringConstraints(max_length=16)] = ""
    finding: Line = ""
    level: Level | None = None


class CriticalStepIn(In):
    """What was done. By phone the receiver is named; `words`: what was read back, done, or why it is withdrawn."""

    what: Literal["notified", "acknowledged", "actioned", "closed", "withdrawn"]
    channel: Literal["screen", "phone", "message"] = "screen"
    receiver: Annotated[str, StringConstraints(max_length=100), AfterValidator(_text)] = ""
    words: Annotated[str, StringConstraints(max_length=1000), AfterValidator(_text)] = ""


class CriticalSearch(In):
    """Which critical results."""

    open: bool = True
    exam: Annotated[int, Field(ge=1, le=2**53)] | None = None
    limit: int = Field(200, ge=1, le=500)


class CriticalItem(CriticalWords):
    """A critical result with whom it is about, and what may be done now."""

    about: ReportExam
    allowed: list[str]


class CriticalList(BaseModel):
    """The most urgent first."""

    criticals: list[CriticalItem]


class InboxSearch(In):
    """`unread`: only reports whose newest text the account has not seen."""

    unread: bool = True
    days: int = Field(30, ge=1, le=3660)
    limit: int = Field(100, ge=1, le=500)


class InboxReport(BaseModel):
    """A report that came."""

    report: int
    exam: int
    number: str
    study_uids: list[str]
    person: ReportPerson
    procedure_zh: str
    procedure_en: str
    modality: str
    body_part: str
    stat: bool
    ward: str
    bed: str
    status: str
    result: str
    final_at: datetime | None
    changed_at: datetime
    read: bool
    corrected: bool = Field(description="Another text than the one that this account has read counts now.")
    withdrawn: bool = Field(description="What this account has read was taken back; tell that it is seen.")


class Inbox(BaseModel):
    """What waits for a clinician."""

    criticals: list[CriticalItem]
    reports: list[InboxReport]


class PersonTimelineReport(BaseModel):
    """The report of an exam as far as the reader may read it."""

    id: int
    status: str
    result: str
    author: str
    reviewer: str
    provisional: bool
    final: ReportFinal | None


class PersonTimelineItem(BaseModel):
    """An exam with its report; null where there is none, or none for the reader."""

    exam: ReportExam
    report: PersonTimelineReport | None
    critical: bool


class PersonTimeline(BaseModel):
    """The exams of a person, the newest first; those of records that were merged among them."""

    person: ReportPerson
    items: list[PersonTimelineItem]


class StudyReport(PersonTimelineItem):
    """What a viewer offers: its actions, where there is a report or may be one."""

    actions: list[Literal["claim", "open", "read"]]


class StudyReports(BaseModel):
    """The exams and reports of a study; empty where the department knows nothing of it."""

    person: ReportPerson | None
    items: list[StudyReport]


__all__ = ["Code", "Short", "TemplateTexts"]
