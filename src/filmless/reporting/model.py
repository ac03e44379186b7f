"""What a report is, in words of ours. Pure: no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Row

from filmless.kit.errors import Conflict


class Status(StrEnum):
    """Of a report; it follows the state of its exams."""

    #: is written; the exam is E70, or E60 while nobody has claimed it
    DRAFT = "draft"
    #: waits for its review: E75
    PRELIMINARY = "preliminary"
    #: E80
    IN_REVIEW = "in-review"
    #: signed: E90
    FINAL = "final"
    #: signed again, or appended to: E92
    CORRECTED = "corrected"
    #: of an exam that became void
    WITHDRAWN = "withdrawn"


#: may be read by who reads final reports
RELEASED: Final = frozenset({Status.FINAL, Status.CORRECTED})
RESULTS: Final = ("", "negative", "positive", "indeterminate", "not-applicable")
#: kinds of revisions that count for clinicians: the newest of the first two, and the addenda behind it
WHOLE: Final = ("final", "correction")
ADDENDUM: Final = "addendum"

#: an editor that is not heard of for so long has lost its lock
LOCK: Final = timedelta(minutes=15)

#: sections of the text, in the order in which they stand
SECTIONS: Final = ("technique", "comparison", "findings", "impression", "advice")
#: section -> (English, Chinese)
SECTION_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "technique": ("Technique", "检查方法"),
    "comparison": ("Comparison", "对比检查"),
    "findings": ("Findings", "影像所见"),
    "impression": ("Impression", "诊断意见"),
    "advice": ("Advice", "建议"),
}
RESULT_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "": ("", ""),
    "negative": ("negative", "阴性"),
    "positive": ("positive", "阳性"),
    "indeterminate": ("indeterminate", "不确定"),
    "not-applicable": ("not applicable", "不适用"),
}


def empty_content() -> dict[str, Any]:
    """A report in which nothing is written yet."""
    return {**dict.fromkeys(SECTIONS, ""), "result": "", "fields": {}, "links": [], "images": []}


def whole(content: Mapping[str, Any] | None) -> dict[str, Any]:
    """Content with all its parts, whatever was left out."""
    return {**empty_content(), **(content or {})}


def has_text(content: Mapping[str, Any] | None) -> bool:
    """Whether a person wrote anything; how the exam was made is said by the template."""
    return any(str((content or {}).get(name, "")).strip() for name in SECTIONS if name != "technique")


@dataclass(frozen=True, slots=True)
class Report:
    """The columns of reporting.tables.reports, where they are described."""

    id: int
    status: Status
    revision: int
    released: int
    author: str
    reviewer: str
    locked_by: str
    locked_until: datetime | None
    scratch: Mapping[str, Any] | None
    scratch_at: datetime | None
    template: str
    language: str
    result: str
    returned: bool
    pending: str
    pending_by: str
    pending_reason: str
    changes: int
    created_at: datetime
    changed_at: datetime
    changed_by: str

    @classmethod
    def of(cls, row: Row[Any]) -> "Report":
        """From a row with all columns of `reports`."""
        values = {name: getattr(row, name) for name in cls.__slots__}
        values["status"] = Status(values["status"])
        return cls(**values)

    def locked(self, now: datetime, *, against: str) -> bool:
        """Whether somebody other than `against` edits it now."""
        return (
            bool(self.locked_by)
            and self.locked_by != against
            and self.locked_until is not None
            and self.locked_until > now
        )


@dataclass(frozen=True, slots=True)
class Revision:
    """The columns of reporting.tables.report_revisions."""

    report: int
    number: int
    kind: str
    content: Mapping[str, Any]
    template: str
    language: str
    hash: str
    canonical: str
    by: str
    at: datetime
    reason: str


#: where anybody may ask whether a printed report is genuine
CHECK_PAGE: Final = "/check"
#: of a revision's hash, in the address of that page: who has no paper cannot guess it
TOKEN_DIGITS: Final = 24


def check_path(revision: Revision) -> str:
    """The address of the page about a printed revision, below that of the server."""
    return f"{CHECK_PAGE}/{revision.report}-{revision.number}-{revision.hash[:TOKEN_DIGITS]}"


class Stale(Conflict):
    """Somebody else, or another window, wrote meanwhile."""

    def __init__(self, report: Report) -> None:
        super().__init__("The report was changed meanwhile.", code="stale")
        self.report = report


class Locked(Conflict):
    """Somebody else edits it."""

    def __init__(self, report: Report) -> None:
        super().__init__(f"{report.locked_by} is working on this report.", code="locked")
        self.report = report
