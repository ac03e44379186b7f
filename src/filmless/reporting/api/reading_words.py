"""What the routes of reading lists say and are told."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from filmless.reporting.api.content_words import In, Reason, Short, _text
from filmless.reporting.api.words import ReportExam

Queue = Literal["to-read", "mine", "returned", "to-review", "signed", "all"]


class ReadingItem(ReportExam):
    """A line of a reading list."""

    diagnosis: str
    report: int | None
    report_status: str = Field(description='"" where nobody has begun.')
    author: str
    reviewer: str
    returned: bool
    pending: str
    pending_by: str
    locked_by: str = Field(description='Who edits it at this moment, "" for nobody.')
    result: str
    priors: int
    critical: bool = Field(description="A critical result is open.")


class ReadingSearch(In):
    """Which lines. What is empty does not restrict."""

    queue: Queue = "to-read"
    text: Annotated[str, StringConstraints(max_length=200), AfterValidator(_text)] = Field(
        "", description="A name, pinyin or its initials, a number, a patient ID, or words of a report."
    )
    modalities: list[Short] = Field(default_factory=list, max_length=30)
    stat: bool | None = None
    department: Short = ""
    body_part: Short = ""
    exam_class: Annotated[str, StringConstraints(max_length=1), AfterValidator(_text)] = ""
    station: Short = ""
    since: datetime | None = Field(None, description="Ordered at or after.")
    until: datetime | None = Field(None, description="Ordered before.")
    overdue: bool = False
    limit: int = Field(100, ge=1, le=500)
    after: Annotated[str, StringConstraints(max_length=400)] = Field(
        "", description="`after` of the page before."
    )


class ReadingList(BaseModel):
    """A page of a queue, the most urgent first; the newest first of what is signed."""

    items: list[ReadingItem]
    counts: dict[Queue, int] = Field(description="Of each queue, at most 1000.")
    after: str = Field(description='Where to go on, "" at the end.')


class ReadingNextIn(In):
    """Which case is wanted next."""

    queue: Literal["to-read", "to-review"] = "to-read"
    modalities: list[Short] = Field(default_factory=list, max_length=30)
    body_part: Short = ""
    department: Short = ""
    stat: bool | None = None


class ReadingClaimIn(In):
    """`force`: take over from somebody else, with the right to direct reports."""

    force: bool = False


class ReadingReasonIn(In):
    """Why; kept in the exam's log."""

    reason: Reason


class ReadingNext(BaseModel):
    """The claimed case; null where nothing waits."""

    exam: int | None
    report: int | None
