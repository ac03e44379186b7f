"""What the routes of viewing/ say and are told."""

import math
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from filmless.archive.api.words import Uid

Tool = Literal[
    "length",
    "angle",
    "cobb",
    "bidirectional",
    "ratio",
    "ellipse",
    "rectangle",
    "freehand",
    "probe",
    "arrow",
    "text",
    "calibration",
]
#: how it is known how large a pixel is
Spacing = Literal[
    "", "calibrated", "region", "patient", "magnification", "detector", "scanned", "reformatted", "none"
]
Name = Literal[
    "length", "angle", "long", "short", "area", "perimeter", "ratio", "mean", "std", "min", "max", "value"
]
Unit = Literal["mm", "mm2", "deg", "px", "px2", "HU", "SUV", "raw", "ratio"]

#: tool -> how many points it has; a freehand outline has three at the least
_POINTS = {
    "length": 2,
    "angle": 3,
    "cobb": 4,
    "bidirectional": 4,
    "ratio": 4,
    "ellipse": 4,
    "rectangle": 4,
    "probe": 1,
    "arrow": 2,
    "text": 1,
    "calibration": 2,
}


def _words(text: str) -> str:
    if any(letter < " " or letter == "\x7f" or 0xD800 <= ord(letter) <= 0xDFFF for letter in text):
        raise ValueError("characters that no text has")
    return text


def _finite(value: float) -> float:
    if not math.isfinite(value) or abs(value) > 1e9:
        raise ValueError("a number within bounds is needed")
    return value


Line = Annotated[str, AfterValidator(_words)]
Number = Annotated[float, AfterValidator(_finite)]
Point = Annotated[list[Number], Field(min_length=2, max_length=2)]
Place = Annotated[list[Number], Field(min_length=3, max_length=3)]
Identity = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z./-]{1,80}$")]


class In(BaseModel):
    """What a request says; unknown words are refused."""

    model_config = ConfigDict(extra="forbid")


class Value(In):
    """One number that a tool gives."""

    name: Name
    value: Number
    unit: Unit


class Plane(In):
    """A plane through a volume, in the coordinates of the patient (PS3.3 C.7.6.2.1.1); mm."""

    reference: Uid = Field(description="Frame of Reference UID.")
    origin: Place
    row: Place = Field(description="A unit vector: to the right.")
    column: Place = Field(description="A unit vector, perpendicular to the row: downwards.")
    slab: Annotated[float, Field(ge=0, le=1000)] = Field(0.0, description="How thick it is; 0: thin.")
    blend: Literal["", "max", "min", "mean"] = Field("", description="How what lies in a slab is shown.")

    @model_validator(mode="after")
    def _perpendicular(self) -> Self:
        lengths = [math.hypot(*self.row), math.hypot(*self.column)]
        across = sum(a * b for a, b in zip(self.row, self.column, strict=True))
        if any(abs(length - 1) > 1e-3 for length in lengths) or abs(across) > 1e-3:
            raise ValueError("two perpendicular unit vectors are needed")
        if bool(self.slab) != bool(self.blend):
            raise ValueError("a slab says how it is shown, and only a slab")
        return self


class Annotation(In):
    """Something drawn on an image, or on a plane through the volume that images make."""

    id: UUID = Field(description="The same as long as it is the same thing: later its Tracking UID.")
    tool: Tool
    sop: Uid = Field(description="SOP Instance UID of the image; of a plane that of the nearest one.")
    frame: int = Field(1, ge=1, le=1_000_000)
    points: list[Point] = Field(
        min_length=1,
        max_length=5000,
        description="Column and row in pixels, from the upper left corner of the upper left pixel; on a plane in mm "
        "from its origin.",
    )
    plane: Plane | None = Field(None, description="Where it is not on the image itself.")
    world: list[Place] = Field(
        default_factory=list,
        max_length=100,
        description="The same points in the patient, in mm, where known.",
    )
    values: list[Value] = Field(default_factory=list, max_length=16)
    spacing: Spacing = Field("", description="How the size of a pixel was known when it was measured.")
    label: Annotated[Line, StringConstraints(max_length=256)] = ""
    colour: Annotated[str, StringConstraints(pattern=r"^(#[0-9a-f]{6})?$")] = ""

    @model_validator(mode="after")
    def _enough_points(self) -> Self:
        wanted = _POINTS.get(self.tool)
        if len(self.points) != wanted if wanted else len(self.points) < 3:
            raise ValueError(f"{self.tool} has {wanted or 'three or more'} points")
        if self.plane and self.tool == "calibration":
            raise ValueError("only an image is calibrated")
        return self


class DraftIn(In):
    """A draft to be kept."""

    version: int = Field(ge=0, description="The version that it replaces; 0 where there is none.")
    annotations: list[Annotation] = Field(max_length=500)
    previous: list[Uid] = Field(
        default_factory=list, max_length=20, description="Reports of which it is a later version."
    )


class DraftWords(BaseModel):
    """A draft. `version` 0: there is none."""

    version: int
    annotations: list[Annotation]
    previous: list[str]
    changed_at: datetime | None


class Kept(BaseModel):
    """That a draft is kept."""

    version: int
    changed_at: datetime


class SaveIn(In):
    """What is to be saved as DICOM."""

    save: UUID = Field(
        description="Given by the client, the same when it tries again: nothing is saved twice."
    )
    annotations: list[Annotation] = Field(max_length=500)
    key_images: list[Uid] = Field(default_factory=list, max_length=200)
    previous: list[Uid] = Field(default_factory=list, max_length=20)
    draft: int = Field(0, ge=0, description="The version of the draft that this was; it is discarded then.")


class SavedWords(BaseModel):
    """SOP Instance UIDs of the new objects, "" where there is none."""

    report: str
    presentation_states: list[str]
    key_objects: str


class MeasuredValue(BaseModel):
    """A number in a report; names and units as ours where they are such."""

    name: str
    value: float
    unit: str


class MeasuredPlane(BaseModel):
    """The plane of something measured; as Plane."""

    reference: str
    origin: list[float]
    row: list[float]
    column: list[float]
    slab: float
    blend: str


class Measured(BaseModel):
    """Something measured, as a report has it."""

    id: str
    tool: str = Field(description="One of ours, or other.")
    sop: str = Field(description='"" where it is in the patient and no image is named.')
    frame: int
    points: list[list[float]]
    plane: MeasuredPlane | None
    values: list[MeasuredValue]
    spacing: str
    label: str
    colour: str
    finding: str
    site: str
    report: str = Field(description="SOP Instance UID of the report.")
    by: str = Field(description="The observer, as the report names it.")
    own: bool = Field(description="Whether the account that asks made it.")
    at: str = Field(description="When, as the report says it.")


class Measurements(BaseModel):
    """What is measured in a study."""

    annotations: list[Measured]
    left_out: int = Field(description="Reports that could not be read, or are too many or too large.")


class Window(In):
    """Centre and width, in the units of the image."""

    center: Number
    width: Annotated[float, Field(gt=0, le=1e9)]


class PaneRule(In):
    """What goes into a pane: the first series that fits all that is said."""

    prior: int = Field(0, ge=0, le=20, description="0 the exam itself, 1 the newest prior like it, ...")
    modality: Annotated[Line, StringConstraints(max_length=16)] = ""
    description: Annotated[Line, StringConstraints(max_length=128)] = ""
    orientation: Literal["", "axial", "sagittal", "coronal", "oblique"] = ""
    number: int | None = Field(None, ge=0, le=2**31 - 1, description="Series Number.")
    at: int = Field(0, ge=0, le=100, description="Of several that fit, which.")
    view: Literal["stack", "axial", "sagittal", "coronal", "volume"] = "stack"
    window: Window | None = None
    invert: bool = False
    slab: Annotated[float, Field(ge=0, le=1000)] = 0.0


class Content(In):
    """How panes are laid out, in rows."""

    rows: int = Field(ge=1, le=4)
    columns: int = Field(ge=1, le=5)
    panes: list[PaneRule] = Field(max_length=20)
    tool: Annotated[Line, StringConstraints(max_length=32)] = ""
    linked: bool = Field(default=False, description="Whether panes scroll together.")


class LayoutIn(In):
    """A layout for exams like this."""

    owner: Literal["user", "department", "hospital"]
    department: Annotated[Line, StringConstraints(max_length=64, strip_whitespace=True)] = ""
    name: Annotated[Line, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
    modality: Annotated[Line, StringConstraints(max_length=16, strip_whitespace=True)] = ""
    body_part: Annotated[Line, StringConstraints(max_length=64, strip_whitespace=True)] = ""
    procedure: Annotated[Line, StringConstraints(max_length=256, strip_whitespace=True)] = ""
    content: Content

    @model_validator(mode="after")
    def _department_where_it_is_one(self) -> Self:
        if (self.owner == "department") != bool(self.department):
            raise ValueError("a department is named where it owns the layout, and only there")
        return self


class LayoutWords(BaseModel):
    """A layout as it is kept."""

    number: int
    owner: Literal["user", "department", "hospital"]
    department: str
    name: str
    modality: str
    body_part: str
    procedure: str
    content: Content
    changed_at: datetime
    changed_by: str


class Layouts(BaseModel):
    """Layouts, the newest first."""

    layouts: list[LayoutWords]


class Exchange(In):
    """Layouts on their way from one server to another."""

    format: Literal["filmless-layouts"] = "filmless-layouts"
    version: Literal[1] = 1
    layouts: list[LayoutIn] = Field(max_length=500)


class Hanging(BaseModel):
    """The layouts for an exam, the best first; what they are chosen by; and what to compare with."""

    layouts: list[LayoutWords]
    modalities: list[str]
    body_parts: list[str]
    department: str
    priors: list[str] = Field(
        description="Earlier studies of the same modality and part of the body, the latest first."
    )


def plain(annotation: Annotation) -> dict[str, Any]:
    """An annotation as JSON."""
    return annotation.model_dump(mode="json")
