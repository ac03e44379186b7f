"""What a report holds as the routes say it: its content, templates, critical results; and the kinds of text in it."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from filmless.archive.api.words import Uid

ResultWord = Literal["", "negative", "positive", "indeterminate", "not-applicable"]


def _text(text: str) -> str:
    if any((letter < " " and letter not in "\n\t") or 0xD800 <= ord(letter) <= 0xDFFF for letter in text):
        raise ValueError("characters that no text has")
    return text


Text = Annotated[str, StringConstraints(max_length=20_000), AfterValidator(_text)]
Line = Annotated[str, StringConstraints(max_length=400), AfterValidator(_text)]
Short = Annotated[str, StringConstraints(max_length=64), AfterValidator(_text)]
Code = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._-]{1,32}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_.-]{1,64}$")]
Reason = Annotated[
    str, StringConstraints(min_length=1, max_length=400, strip_whitespace=True), AfterValidator(_text)
]


class In(BaseModel):
    """What a request says; unknown words are refused."""

    model_config = ConfigDict(extra="forbid")


class ReportWindow(In):
    """Centre and width, in the units of the image."""

    center: Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
    width: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]


class ReportLink(In):
    """Words of the report that lead to an image; a click on them brings the viewer there."""

    text: Line = ""
    study_uid: Uid
    series_uid: Uid
    sop_uid: Uid
    frame: int = Field(1, ge=1, le=1_000_000)
    annotation: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z./-]{0,80}$")] = Field(
        "", description="Id of what was drawn there, where it is of that."
    )


class ReportImage(In):
    """A picture that is printed with the report."""

    study_uid: Uid
    series_uid: Uid
    sop_uid: Uid
    frame: int = Field(1, ge=1, le=1_000_000)
    caption: Line = ""
    window: ReportWindow | None = None


FieldValue = Annotated[float, Field(allow_inf_nan=False)] | Line | list[Short] | None


class ReportContent(In):
    """What is written."""

    findings: Text = ""
    impression: Text = ""
    advice: Text = ""
    technique: Text = ""
    comparison: Text = ""
    result: ResultWord = Field("", description="Class of the result.")
    fields: dict[Name, FieldValue] = Field(default_factory=dict, max_length=200)
    links: list[ReportLink] = Field(default_factory=list, max_length=200)
    images: list[ReportImage] = Field(default_factory=list, max_length=24)


class TemplateChoice(In):
    """One of the values of a field."""

    value: Short
    label_zh: Line = ""
    label_en: Line = ""


class TemplateField(In):
    """A structured field of a template."""

    name: Name
    label_zh: Line = ""
    label_en: Line = ""
    kind: Literal["text", "number", "choice", "choices"] = "text"
    unit: Annotated[str, StringConstraints(max_length=16)] = ""
    choices: list[TemplateChoice] = Field(default_factory=list, max_length=100)
    least: Annotated[float, Field(allow_inf_nan=False)] | None = None
    most: Annotated[float, Field(allow_inf_nan=False)] | None = None
    required: bool = False


class TemplateTexts(In):
    """Text for each section, offered and not written by itself."""

    technique: Text = ""
    comparison: Text = ""
    findings: Text = ""
    impression: Text = ""
    advice: Text = ""


class TemplateContent(In):
    """What a template has: sections that must not be empty, text for them by language, structured fields."""

    required: list[Literal["technique", "comparison", "findings", "impression", "advice"]] = Field(
        default_factory=list, max_length=5
    )
    text: dict[Literal["zh", "en"], TemplateTexts] = Field(default_factory=dict)
    fields: list[TemplateField] = Field(default_factory=list, max_length=100)


class TemplateWords(BaseModel):
    """A template. `id` 0: one that Filmless comes with."""

    id: int
    key: str
    code: str
    revision: int
    name_zh: str
    name_en: str
    owner: Literal["hospital", "department", "user"]
    modality: str
    body_part: str
    content: TemplateContent
    changed_at: datetime | None
    changed_by: str


class CriticalStepWords(BaseModel):
    """One thing that was done about a critical result."""

    what: str
    channel: str
    receiver: str
    words: str
    at: datetime
    by: str


class CriticalWords(BaseModel):
    """A critical result."""

    id: int
    exam: int
    code: str
    finding: str
    level: str
    status: str
    raised_at: datetime
    raised_by: str
    due_at: datetime | None
    escalations: int
    receiver: str
    ward: str
    department: str
    closed_at: datetime | None
    steps: list[CriticalStepWords]
