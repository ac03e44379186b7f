"""What the routes of reporting/ say and are told about reports."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from filmless.reporting.api.content_words import (
    CriticalWords,
    In,
    Reason,
    ReportContent,
    TemplateWords,
    _text,
)


class ReportAuthor(BaseModel):
    """Somebody of the department, as the name is shown."""

    account: str
    name_zh: str
    name_en: str
    title: str


class ReportPerson(BaseModel):
    """Whose exam it is."""

    id: int
    name: str = Field(description="As people read it: the ideographic name, else the alphabetic one.")
    name_alphabetic: str
    sex: str
    birth_date: str
    age: str = Field(description='At the time of the exam: "66Y", "5M", "12D", or "".')
    patient_id: str
    vip: bool


class ReportExam(BaseModel):
    """An exam, for who reads it."""

    id: int
    number: str
    study_uids: list[str] = Field(
        description="Those with images first; the one that the worklist gives else."
    )
    row: int = Field(
        default=0,
        description="Of a report: where images of several patients have the first of these numbers, which row of the "
        "study table is this person's; 0: only one has, or it cannot be told. Lists do not look for it.",
    )
    person: ReportPerson
    procedure: str
    procedure_zh: str
    procedure_en: str
    modality: str
    body_part: str
    side: str
    stat: bool
    exam_class: str
    patient_class: str
    state: str
    images: str
    station: str
    site: str
    department: str
    requester: str
    asked_by: str = Field(description="Code of the department that asked for it.")
    ward: str
    bed: str
    ordered_at: datetime
    arrived_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    verified_at: datetime | None
    reported_at: datetime | None
    final_at: datetime | None
    due_at: datetime | None


class ReportRequest(BaseModel):
    """Why the exam was asked for."""

    diagnosis: str
    history: str
    purpose: str
    cautions: dict[str, Any]
    priority: str


class ReportRevisionLine(BaseModel):
    """A revision, without its text."""

    number: int
    kind: str
    by: str
    at: datetime
    reason: str
    hash: str
    released: bool


class ReportSignature(BaseModel):
    """A signature, and whether it holds at this moment."""

    revision: int
    role: str
    account: str
    name: str
    signed_at: datetime
    key_id: str
    holds: bool
    why: str = Field(description='"", "text-altered", "unknown-key" or "wrong".')


class ReportAddendum(BaseModel):
    """An addendum to a final report."""

    number: int
    content: ReportContent
    by: str
    at: datetime


class ReportFinal(BaseModel):
    """What of a report counts: the newest signed text, and the addenda behind it."""

    number: int
    kind: str
    content: ReportContent
    by: str
    at: datetime
    reason: str
    addenda: list[ReportAddendum]


class ReportPrior(BaseModel):
    """Another exam of the person, with what its report says."""

    exam: int
    number: str
    study_uids: list[str]
    procedure_zh: str
    procedure_en: str
    modality: str
    body_part: str
    side: str
    at: datetime
    report: int
    status: str
    result: str
    author: str
    reviewer: str
    final: ReportFinal


class ReportPending(BaseModel):
    """What is being done to a final report."""

    kind: Literal["", "addendum", "correction", "correction-asked", "retraction-asked"]
    by: str
    reason: str


class ReportWords(BaseModel):
    """A report, as far as the reader may read it: whoever only reads gets `final` and no drafts."""

    id: int
    status: Literal["draft", "preliminary", "in-review", "final", "corrected", "withdrawn"]
    changes: int = Field(
        description="To be sent back with what is written, so that nothing is overwritten unseen."
    )
    revision: int
    released: int
    author: str
    reviewer: str
    people: list[ReportAuthor] = Field(description="Names of all accounts that occur here.")
    returned: bool
    returned_reason: str = Field(description="Of the reviewer, while it is returned.")
    pending: ReportPending
    locked_by: str
    locked_until: datetime | None
    template: str
    language: Literal["zh", "en"]
    result: str
    content: ReportContent | None = Field(
        description="What stands in the editor: typed last, else the newest revision. Null for who only reads."
    )
    unsaved: bool = Field(description="Whether something was typed since the newest revision.")
    changed_at: datetime
    changed_by: str
    final: ReportFinal | None
    provisional: bool = Field(description="Whether `final` is a preliminary report of an emergency.")
    exams: list[ReportExam]
    request: ReportRequest
    allowed: list[str] = Field(
        description="What the account may do now: edit, claim, release, submit, withdraw, review, return, sign, "
        "addendum, amend, retract, discard, print."
    )
    form: TemplateWords | None = Field(description="The template that it is written by.")
    priors: list[ReportPrior]
    revisions: list[ReportRevisionLine]
    signatures: list[ReportSignature]
    criticals: list[CriticalWords]


class ReportChanged(BaseModel):
    """What became of a report."""

    id: int
    status: str
    changes: int
    revision: int
    released: int
    locked_by: str
    locked_until: datetime | None
    pending: str
    allowed: list[str]


class ReportClaimed(ReportChanged):
    """A claimed exam."""

    exam: int


class ReportSeen(In):
    """The count of changes that the caller saw; another one is refused as stale."""

    changes: int = Field(ge=1)


class ReportContentIn(ReportSeen):
    """What is written; without content what was kept last counts."""

    content: ReportContent | None = None


class ReportScratchIn(ReportSeen):
    """What was typed."""

    content: ReportContent


class ReportReviewIn(ReportSeen):
    """`force`: take a review over from somebody else, with the right to direct reports."""

    force: bool = False


class ReportReasonIn(ReportSeen):
    """Why; kept with the revision and in the exam's log."""

    reason: Reason


class ReportRetractIn(ReportSeen):
    """The first person says why; the second, who agrees, need not."""

    reason: Annotated[
        str, StringConstraints(max_length=400, strip_whitespace=True), AfterValidator(_text)
    ] = ""


class ReportSignIn(ReportContentIn):
    """Whoever signs gives the password again."""

    password: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class ReportStyleIn(ReportSeen):
    """Language and template of a report."""

    language: Literal["zh", "en"] | None = None
    template: Annotated[str, StringConstraints(max_length=40)] | None = None


class ReportExamIn(ReportSeen):
    """Another exam of the person."""

    exam: int = Field(ge=1, le=2**53)


class ReportCandidates(BaseModel):
    """Exams of the person that wait to be read."""

    exams: list[ReportExam]


class ReportCheckIn(In):
    """What is to be checked; without content what was kept last."""

    content: ReportContent | None = None


class ReportWarning(BaseModel):
    """Something to be looked at again."""

    code: Literal[
        "empty",
        "sex",
        "side",
        "side-differs",
        "field-missing",
        "field-range",
        "comparison",
        "result-differs",
        "late-images",
        "whose-images",
    ]
    section: str
    words: str
    blocks: bool


class ReportWarnings(BaseModel):
    """What does not fit."""

    warnings: list[ReportWarning]


class ReportRevision(ReportRevisionLine):
    """A revision with its text."""

    content: ReportContent
    template: str
    language: str


class ReportDiffPart(BaseModel):
    """A piece of text that both have, or that one of them has."""

    op: Literal["same", "added", "removed"]
    text: str


class ReportDiffSection(BaseModel):
    """A section, "field:NAME", "result" or "images" that differs."""

    section: str
    parts: list[ReportDiffPart]


class ReportDiff(BaseModel):
    """What differs between two revisions."""

    a: int
    b: int
    sections: list[ReportDiffSection]


class ReportStale(BaseModel):
    """Somebody else, or another window, was first."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    code: str = ""
    changes: int = Field(description="The count of changes now.")
    changed_by: str
    changed_at: datetime
    locked_by: str
    content: ReportContent | None = Field(description="What stands there now.")
