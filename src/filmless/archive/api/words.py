"""What the archive's routes say and are told."""

import json
import re
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from filmless.archive.query.listing import Wanted
from filmless.archive.query.order import LONGEST_TOKEN
from filmless.net.http.described import problems

#: for every route: the error answers that it may have
PROBLEMS: Final = problems(
    {
        400: "The request cannot be done as it is.",
        401: "Nobody is signed in.",
        403: "This account may not do this.",
        404: "There is no such thing, or it is not for this account.",
        422: "The request is not understood.",
        503: "Not now; try again later.",
    }
)


def _no_control(text: str) -> str:
    if "\0" in text or any(0xD800 <= ord(letter) <= 0xDFFF for letter in text):
        raise ValueError("characters that no value has")
    return text


_DAY = re.compile(r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", re.ASCII)


def _day(text: str) -> str:
    plain = text.replace("-", "")
    if plain and not _DAY.fullmatch(plain):
        raise ValueError("a date is needed: YYYY-MM-DD")
    return plain


Word = Annotated[str, StringConstraints(max_length=64), AfterValidator(_no_control)]
Text = Annotated[str, StringConstraints(max_length=256), AfterValidator(_no_control)]
Day = Annotated[str, StringConstraints(max_length=10), AfterValidator(_day)]
Uid = Annotated[str, StringConstraints(pattern=r"^[0-9.]{1,64}$")]
Words = Annotated[list[Word], Field(max_length=32)]


class Search(BaseModel):
    """What is looked for. What is left out does not restrict."""

    model_config = ConfigDict(extra="forbid")

    text: Text = Field(
        "",
        description="One box: name in characters, pinyin or initials, ID, accession number, date. "
        "Every word has to be found.",
    )
    fuzzy: bool = Field(default=False, description="Also names that sound alike.")
    modalities: Words = []
    first_day: Day = Field("", description="YYYY-MM-DD, of the study date; inclusive.")
    last_day: Day = Field("", description="YYYY-MM-DD; inclusive.")
    stations: Words = []
    institutions: Words = []
    body_parts: Words = []
    received_since: datetime | None = Field(None, description="Of the first object; with a time zone.")
    order: Literal["date", "received", "name", "patient_id", "accession", "description", "instances"] = "date"
    descending: bool = True
    limit: int = Field(50, ge=1, le=500)
    after: Annotated[str, StringConstraints(max_length=LONGEST_TOKEN)] = Field(
        "", description="`following` of the page before: the rows behind it."
    )
    count: bool = Field(default=False, description="Say also how many there are in all.")
    facets: list[Literal["modality", "station", "institution", "body_part"]] = Field([], max_length=4)

    def wanted(self) -> Wanted:
        """The same for the query."""
        since = self.received_since
        if since is not None and since.tzinfo is None:
            since = since.astimezone()
        return Wanted(
            text=self.text,
            fuzzy=self.fuzzy,
            modalities=tuple(self.modalities),
            first_day=self.first_day,
            last_day=self.last_day,
            stations=tuple(self.stations),
            institutions=tuple(self.institutions),
            body_parts=tuple(self.body_parts),
            received_since=since,
            order=self.order,
            descending=self.descending,
            limit=self.limit,
            after=self.after,
        )


class PatientWords(BaseModel):
    """A patient, the name in its component groups (PS3.5 6.2.1)."""

    id: str
    issuer: str
    name: str
    name_ideographic: str
    name_phonetic: str
    sex: str
    birth_date: str = Field(description="YYYYMMDD, or as much of it as is known; may be empty.")


class StudyRow(BaseModel):
    """A row of the study table."""

    row: int = Field(description="Ours: where a study is under several patients, each is a row.")
    study_uid: str
    patient: PatientWords
    age: str = Field(description="As the object says it, e.g. 045Y.")
    accession_number: str
    study_id: str
    date: str = Field(description="YYYYMMDD; may be empty.")
    time: str = Field(description="HHMMSS; may be empty.")
    description: str
    referring_physician: str
    modalities: list[str]
    series: int
    instances: int
    stations: list[str]
    institutions: list[str]
    body_parts: list[str]
    received_at: datetime
    changed_at: datetime
    sensitive: bool


class NamedStudy(BaseModel):
    """Whose study it is and what it is, in lists of what was done to studies."""

    row: int = Field(description="Ours, as of the study table.")
    study_uid: str
    patient: PatientWords
    accession_number: str
    date: str = Field(description="YYYYMMDD; may be empty.")
    time: str = Field(description="HHMMSS; may be empty.")
    description: str
    modalities: list[str]


class FacetValue(BaseModel):
    """One value, and how many of the studies found have it."""

    value: str
    studies: int


class SearchAnswer(BaseModel):
    """A page of the study table."""

    studies: list[StudyRow]
    following: str = Field(description="`after` of the next page; empty at the end.")
    total: int | None = Field(description="All that there are, where it was asked for.")
    facets: dict[str, list[FacetValue]]
    facets_complete: bool = Field(
        description="False: of the newest studies found only; there are at least as many as the facets say."
    )


class Thumbnail(BaseModel):
    """The instance that stands for a series."""

    sop_instance_uid: str
    sop_class_uid: str
    frames: int


class SeriesWords(BaseModel):
    """A series of a study."""

    series_uid: str
    modality: str
    number: str
    description: str
    body_part: str
    laterality: str
    protocol: str
    station: str
    institution: str
    instances: int
    images: int = Field(description="Those that have rows and columns.")
    last_arrival_at: datetime
    objects: list[str] = Field(
        description="SOP Instance UIDs, where objects of other patients have the study's number, too; else none."
    )
    thumbnail: Thumbnail


class StudyDetails(StudyRow):
    """A study with its series, in the order of their numbers."""

    content: list[SeriesWords]
    other_patients: int = Field(
        description="Other patients under which there is a study of this UID: a doubt for the data steward."
    )
    under: list[StudyRow] = Field(description="Where there are such: the row of each patient, this one too.")


class Prior(StudyRow):
    """Another study of the same patient."""

    earlier: bool


class Priors(BaseModel):
    """The other studies of a patient, the newest first."""

    studies: list[Prior]


class Change(BaseModel):
    """A study in which something happened."""

    study_uid: str
    what: list[Literal["created", "images", "settled", "corrected", "changed"]]
    at: datetime


class Changes(BaseModel):
    """What happened since."""

    seq: int = Field(description="`since` of the next request.")
    changes: list[Change]


def as_json(content: Any) -> Response:
    """An answer whose form the description has; checked in tests, not at each answer."""

    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=str)
    return Response(text.encode("utf-8", "replace"), media_type="application/json")
