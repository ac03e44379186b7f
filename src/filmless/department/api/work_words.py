"""What the routes of the technologist's page take and give."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from filmless.access.api.words import In, Line
from filmless.department import lists, worksheet
from filmless.department.api.tasks import TaskWords
from filmless.department.api.words import (
    CheckWords,
    ExamWords,
    ListedWords,
    Reason,
    Short,
    ShownWords,
    Words,
)
from filmless.department.worksheet import Row, Wish
from filmless.kit.errors import Refused

Code = Annotated[Line, StringConstraints(max_length=16)]
Seen = Annotated[int | None, Field(ge=1, description="The exam's `changes` when it was looked at.")]
Uid = Annotated[str, StringConstraints(pattern=r"^[0-9.]{1,64}$")]
Count = Annotated[int | None, Field(ge=0, le=100_000)]


class WorkWish(In):
    """Which exams."""

    day: date | None = Field(None, description="A day of the server's time zone; null is today.")
    stations: list[Code] = Field([], max_length=100)
    modalities: list[Code] = Field([], max_length=50)

    def wish(self) -> Wish:
        """In the room's words."""
        begins, ends = lists.day_of(self.day or datetime.now(UTC).astimezone().date())
        return Wish(begins, ends, self.stations, self.modalities)


class ProgressWords(BaseModel):
    """How far the images of an exam are."""

    received: int
    expected: int | None = Field(description="Null: nobody said how many.")
    missing: int
    steps: int = Field(description="Performed steps that the device told of.")
    checked: bool = Field(description="It was made sure who lies there.")


class WorkRow(BaseModel):
    """An exam with the progress of its images and the kinds of its open tasks."""

    listed: ListedWords
    progress: ProgressWords
    tasks: list[str]

    @classmethod
    def of(cls, one: Row) -> "WorkRow":
        """From the room's words."""
        told = ProgressWords(**{name: getattr(one.progress, name) for name in ProgressWords.model_fields})
        return cls(listed=ListedWords.of(one.listed), progress=told, tasks=list(one.tasks))


class WorkList(BaseModel):
    """What is before a technologist; urgent ones first."""

    rows: list[WorkRow]


class WorkSeries(BaseModel):
    """A series of an exam."""

    study_uid: str
    series_uid: str
    number: str
    description: str
    modality: str
    images: int
    last_at: datetime


class WorkStep(BaseModel):
    """What a device told of: a performed step."""

    device: str
    status: str
    starts_at: datetime | None
    ends_at: datetime | None
    objects: int
    reason: str


class TransferWords(BaseModel):
    """What the device made against what has arrived."""

    known_by: Literal["mpps", "commitment", "count", ""]
    expected: int | None
    received: int
    rejected: int
    short: int
    missing: list[str] = Field(description="SOP Instance UIDs, at most 500.")
    complete: bool


class ContrastWords(In):
    """One administration of a contrast medium."""

    agent: Annotated[Line, StringConstraints(min_length=1, max_length=64)]
    lot: Short = ""
    ml: float = Field(0.0, ge=0, le=5000)
    rate: float = Field(0.0, ge=0, le=100, description="ml/s; 0: not told.")
    route: Short = ""
    reaction: Literal["none", "mild", "moderate", "severe"] = "none"
    extravasation: bool = False
    note: Words = ""


class DoseWords(In):
    """Of the whole exam; null where not told."""

    ctdi: float | None = Field(None, ge=0, le=1e6, description="CTDIvol, mGy.")
    dlp: float | None = Field(None, ge=0, le=1e6, description="mGy·cm.")
    dap: float | None = Field(None, ge=0, le=1e9, description="dGy·cm².")
    entrance: float | None = Field(None, ge=0, le=1e6, description="mGy.")
    glandular: float | None = Field(None, ge=0, le=1e6, description="mGy.")
    fluoroscopy: float | None = Field(None, ge=0, le=1e6, description="Seconds.")
    exposures: int | None = Field(None, ge=0, le=100_000)
    films: int | None = Field(None, ge=0, le=10_000)


class Recording(In):
    """With what it was made; what is null stays as it is."""

    contrast: list[ContrastWords] | None = Field(None, max_length=20)
    dose: DoseWords | None = None
    seen: Seen = None


class Judging(In):
    """What its maker says of the images."""

    grade: Literal["A", "B", "C", "waste"]
    note: Reason = ""
    seen: Seen = None


class ContradictionWords(BaseModel):
    """Something of the images that does not agree with what was asked. Of "numbers": how many come twice."""

    what: Literal["side", "part", "clock", "numbers"]
    asked: str
    told: str


class QualityWords(BaseModel):
    """What its maker said of the images."""

    grade: Literal["A", "B", "C", "waste"]
    note: str
    by: str
    at: datetime
    stale: bool = Field(description="Images were added since.")


class WorkPage(BaseModel):
    """All that a technologist needs of an exam."""

    row: WorkRow
    transfer: TransferWords
    series: list[WorkSeries]
    steps: list[WorkStep]
    identity: str = Field(
        description="Whether who it is must be checked: required, document, recorded, none."
    )
    history: str
    diagnosis: str
    purpose: str
    cautions: dict[str, Any]
    note: str = Field(description="For whoever reads it.")
    protocol: str = Field(description="How it is to be made.")
    checks: list[CheckWords] = Field(description="When and how it was made sure who it is.")
    override: str = Field(description="Why it was verified although images were missing.")
    contrast_wanted: bool = Field(
        description="The procedure takes a contrast medium: say which before it ends."
    )
    contrast: list[ContrastWords] | None = Field(description="Null: nobody said; empty: none was given.")
    dose: DoseWords = Field(description="As it was typed.")
    dose_told: DoseWords = Field(description="As the device told.")
    quality: QualityWords | None = Field(description="What its maker says of the images.")
    quality_wanted: bool = Field(description="Its maker has to look at the images before they are read.")
    contradictions: list[ContradictionWords] = Field(
        description="What of the images does not agree with what was asked."
    )


class Starting(In):
    """It begins."""

    identity: ShownWords | None = None
    seen: Seen = None


class Finishing(In):
    """It is made."""

    count: Count = Field(None, description="How many images there are to be.")
    note: Annotated[str, StringConstraints(max_length=2000)] = Field("", description="For whoever reads it.")
    reason: Reason = ""
    seen: Seen = None


class Stopping(In):
    """It is stopped: a code of CID 9300 of the department's list, and words."""

    code: Code
    reason: Reason = ""
    seen: Seen = None


class Verifying(In):
    """All is there: by a count, or in spite of it with a reason."""

    count: Count = None
    reason: Reason = ""
    seen: Seen = None


class RejectingImages(In):
    """Images that are of no use: some of the exam's, by themselves or by their series."""

    code: Annotated[Code, StringConstraints(min_length=1)]
    reason: Reason = ""
    series_uids: list[Uid] = Field([], max_length=100)
    sop_uids: list[Uid] = Field([], max_length=2000)


class RejectedImages(BaseModel):
    """What was taken out of use."""

    objects: int
    exam: ExamWords


class ShiftWish(In):
    """A shift, and where."""

    begins: AwareDatetime
    ends: AwareDatetime
    stations: list[Code] = Field([], max_length=100)
    modalities: list[Code] = Field([], max_length=50)

    def wish(self) -> Wish:
        """In the room's words."""
        if not self.begins < self.ends:
            raise Refused("A shift ends after it began.", code="bad-value")
        return Wish(self.begins, self.ends, self.stations, self.modalities)


class ShiftEnd(ShiftWish):
    """The shift is handed over."""

    note: Reason = Field("", description="What the next shift has to know.")


class ShiftWords(BaseModel):
    """What is left at the end of a shift, and what was done in it."""

    running: list[WorkRow]
    unsent: list[WorkRow]
    unverified: list[WorkRow]
    waiting: list[WorkRow]
    discontinued: list[WorkRow]
    tasks: list[TaskWords]
    registered: int
    examined: int
    verified: int
    images: int

    @classmethod
    def of(cls, one: worksheet.Shift) -> "ShiftWords":
        """From the room's words."""
        return cls(
            **{word: [WorkRow.of(row) for row in found] for word, found in one.left.items()},
            tasks=[TaskWords.of(task, one.task_exams) for task in one.tasks],
            registered=one.registered,
            examined=one.examined,
            verified=one.verified,
            images=one.images,
        )
