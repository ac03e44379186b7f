"""What the routes of persons take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import BaseModel, Field, StringConstraints

from filmless.access.api.words import In, Line
from filmless.department.api.words import ExamWords, Reason
from filmless.department.exams import Exam
from filmless.department.identity.journal import Entry
from filmless.department.identity.unmatched import Candidate, InTray, Study
from filmless.patients import persons
from filmless.patients.persons import DOCUMENTS, Identifier, NewPerson, Person
from filmless.patients.persons import Candidate as Likely

Kind = Literal["MR", "VN", "AN", "NI", "PPN", "HC", "TMP", "EXT"]
Sex = Literal["", "M", "F", "O"]
Name = Annotated[Line, StringConstraints(max_length=64)]
Short = Annotated[Line, StringConstraints(max_length=64)]
#: why; without it nothing of the kind is done
Why = Annotated[Reason, Field(min_length=1)]
PersonId = Annotated[int, Path(ge=1, le=2**53, alias="person", description="Number of the person's row.")]
Seen = Annotated[int, Field(ge=1, description="The person's `changes` when it was looked at.")]


class IdentifierWords(BaseModel):
    """A number by which a person is known. The middle of documents' numbers is only told on the person's own page."""

    id: int
    kind: Kind
    value: str
    authority: str
    active: bool
    given_at: datetime | None
    until: datetime | None
    source: str

    @classmethod
    def of(cls, one: Identifier, *, whole: bool = True) -> "IdentifierWords":
        """From the room's words."""
        values = {name: getattr(one, name) for name in cls.model_fields}
        if not whole and one.kind in DOCUMENTS and len(one.value) > 6:
            values["value"] = f"{one.value[:3]}{'*' * (len(one.value) - 6)}{one.value[-3:]}"
        return cls(**values)


class PersonWords(BaseModel):
    """A person whom the department knows."""

    id: int
    patient_id: str
    issuer: str
    name: str = Field(description="As a person reads it.")
    name_ideographic: str
    name_alphabetic: str
    name_phonetic: str
    sex: Sex
    birth_date: str = Field(description="YYYYMMDD, YYYYMM, YYYY or empty.")
    phone: str
    address: str
    vip: bool
    deceased: bool
    unknown: bool
    status: Literal["active", "merged", "void"]
    merged_into: int | None
    changes: int = Field(description="Counts changes; say it as `seen` when you change the person.")
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str
    identifiers: list[IdentifierWords]

    @classmethod
    def of(cls, one: Person, *, whole: bool = False) -> "PersonWords":
        """From the room's words; `whole`: with documents' numbers."""
        named = {"name", "identifiers"}
        return cls(
            **{name: getattr(one, name) for name in cls.model_fields if name not in named},
            name=persons.shown(one),
            identifiers=[IdentifierWords.of(each, whole=whole) for each in one.identifiers],
        )


class NewIdentifierWords(In):
    """A number to be known by."""

    kind: Kind
    value: Annotated[Line, StringConstraints(min_length=1, max_length=64)]
    authority: Short = ""

    def identifier(self) -> Identifier:
        """In the room's words."""
        return Identifier(self.kind, self.value, self.authority)


class NewPersonWords(In):
    """Somebody to be made known."""

    name_ideographic: Name = ""
    name_alphabetic: Name = ""
    name_phonetic: Name = ""
    sex: Sex = ""
    birth_date: Annotated[str, StringConstraints(pattern=r"^[0-9-]{0,10}$")] = ""
    phone: Annotated[Line, StringConstraints(max_length=40)] = ""
    address: Annotated[Line, StringConstraints(max_length=300)] = ""
    vip: bool = False
    patient_id: Short = Field("", description="Empty: one is made.")
    issuer: Short | None = Field(None, description="Of the patient ID; left out: ours.")
    identifiers: list[NewIdentifierWords] = Field(default_factory=list, max_length=10)

    def new(self, issuer: str) -> NewPerson:
        """In the room's words; `issuer`: ours."""
        told = self.model_dump(exclude={"identifiers", "issuer"})
        return NewPerson(
            **told,
            issuer=issuer if self.issuer is None else self.issuer,
            identifiers=tuple(one.identifier() for one in self.identifiers),
        )


class LikelyWords(BaseModel):
    """Somebody who may be the one that is looked for."""

    person: PersonWords
    score: int
    why: list[str] = Field(description='What agrees, and with "-" before it what contradicts.')

    @classmethod
    def of(cls, one: Likely) -> "LikelyWords":
        """From the room's words."""
        return cls(person=PersonWords.of(one.person), score=one.score, why=list(one.why))


class IdentityJournalWords(BaseModel):
    """One thing that was done to whom somebody is."""

    id: int
    kind: Literal["merge", "link", "change-id", "match", "images", "move"]
    person: int
    other: int | None
    #: the other's name and patient ID
    other_name: str
    other_patient_id: str
    at: datetime
    by: str
    reason: str
    undone_at: datetime | None
    undone_by: str
    exams: list[int] = Field(description="Exams that were moved by it.")
    before: str = Field(description="What was before: patient ID, exam numbers.")
    after: str

    @classmethod
    def of(cls, one: Entry, other: Person | None) -> "IdentityJournalWords":
        """From the room's words."""
        body: dict[str, Any] = dict(one.body)
        before, after = "", ""
        if one.kind == "change-id":
            before, after = str(body["before"][0]), str(body["after"][0])
        elif one.kind == "match":
            before = ", ".join(str(was["number"]) for was in body["matched"].values())
        elif one.kind in ("images", "move"):
            before, after = str(body["told"]["accession"]), str(body["exam"])
        plain = ("id", "kind", "person", "other", "at", "by", "reason", "undone_at", "undone_by")
        return cls(
            **{name: getattr(one, name) for name in plain},
            other_name=persons.shown(other) if other is not None else "",
            other_patient_id=other.patient_id if other is not None else "",
            exams=[int(each) for each in body.get("exams", ())],
            before=before,
            after=after,
        )


class UnmatchedStudyWords(BaseModel):
    """A study as its images tell it."""

    study_uid: str
    patient_id: str
    issuer: str
    name: str
    birth_date: str
    sex: str
    accession: str
    date: str
    time: str
    description: str
    modalities: list[str]
    sources: list[str]
    series: int
    images: int
    came_at: datetime
    several: bool = Field(description="Objects of it are said to be of different patients.")

    @classmethod
    def of(cls, one: Study) -> "UnmatchedStudyWords":
        """From the room's words."""
        return cls(**{name: getattr(one, name) for name in cls.model_fields})


class ExamOfPersonWords(BaseModel):
    """An exam and whose it is."""

    exam: ExamWords
    person: PersonWords

    @classmethod
    def made(cls, exam: Exam, person: Person) -> "ExamOfPersonWords":
        """From the room's words."""
        return cls(exam=ExamWords.of(exam), person=PersonWords.of(person))


class CandidateWords(ExamOfPersonWords):
    """An exam that images may be of."""

    score: int
    why: list[str]

    @classmethod
    def of(cls, one: Candidate) -> "CandidateWords":
        """From the room's words."""
        return cls(
            exam=ExamWords.of(one.exam),
            person=PersonWords.of(one.person),
            score=one.score,
            why=list(one.why),
        )


class UnmatchedWords(BaseModel):
    """A study that waits for somebody to say of which exam it is."""

    task: int
    kind: str
    raised_at: datetime
    why: str
    study: UnmatchedStudyWords
    exams: list[ExamWords] = Field(description="Under which it came, perhaps by mistake.")

    @classmethod
    def of(cls, one: InTray) -> "UnmatchedWords":
        """From the room's words."""
        return cls(
            task=one.task.id,
            kind=one.task.kind,
            raised_at=one.task.raised_at,
            why=str(one.task.body.get("why", "")),
            study=UnmatchedStudyWords.of(one.study),
            exams=[ExamWords.of(each) for each in one.exams],
        )
