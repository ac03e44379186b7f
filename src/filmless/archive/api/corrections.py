"""Corrections as routes of our own HTTP API: preview, make, list, undo."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from filmless.access.api.told import Told
from filmless.access.model import Principal
from filmless.access.web import host_of, principal_of
from filmless.archive.api.deciding import Reason
from filmless.archive.corrections import service
from filmless.archive.corrections.model import (
    Changes,
    Correction,
    Done,
    Level,
    Target,
    from_text,
    in_words,
    keyword,
    tag_of,
)
from filmless.archive.corrections.preview import preview
from filmless.archive.web.context import ArchiveWeb
from filmless.db.work import reading
from filmless.dicom.vr import dictionary_vr
from filmless.kit.errors import Defect, Refused

Who = Annotated[Principal, Depends(principal_of)]
Host = Annotated[str, Depends(host_of)]
Key = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="The correction's key.")]
Word = Annotated[str, Field(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
Uid = Annotated[str, Field(max_length=64, pattern=r"^[0-9.]*$")]

_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": words, "content": {"application/problem+json": {}}}
    for status, words in {
        400: "An attribute is not corrected here, or a value is not as the standard asks.",
        401: "Nobody is signed in.",
        403: "This account may not correct.",
        404: "There is no such patient, study, series, object or correction.",
        409: "It clashes with what is there: undone before, or not one patient.",
        422: "The request is not understood.",
        503: "Not now; try again later.",
    }.items()
}


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ChangeWords(_In):
    """The new value of one attribute: as text, as items of a sequence, or none."""

    attribute: Word = Field(description="Keyword of PS3.6, or GGGGEEEE.")
    value: str | None = Field(
        None,
        max_length=20000,
        description="Values parted by backslashes, groups of a name by =; empty empties.",
    )
    items: list[dict[str, Any]] | None = Field(
        None, max_length=1000, description="Items of a sequence as DICOM JSON (PS3.18 F)."
    )
    remove: bool = Field(default=False, description="Take the attribute out.")


class PatientWords(_In):
    """A patient by ID and issuer."""

    id: Word = Field(min_length=1)
    issuer: Word = ""
    variant: int | None = Field(None, ge=0, le=10000, description="Which of several persons under the ID.")


class Wish(_In):
    """What is to be corrected: a patient, or a study, series or object by its UID."""

    level: Level
    uid: Uid = ""
    patient: PatientWords | None = None
    changes: list[ChangeWords] = Field(min_length=1, max_length=200)

    def target(self) -> Target:
        if self.level is Level.PATIENT:
            if self.patient is None or self.uid:
                raise Refused("A patient is told by ID and issuer.", code="bad-target")
            return Target(
                self.level,
                patient_id=self.patient.id,
                issuer=self.patient.issuer,
                variant=self.patient.variant,
            )
        if self.patient is not None or not self.uid:
            raise Refused("A study, series or object is told by its UID.", code="bad-target")
        return Target(self.level, self.uid)


class NewCorrection(Wish):
    """A correction to be made."""

    reason: Reason = Field(description="Why; kept with the correction.")
    code: str = Field("CORRECT", pattern="^(CORRECT|COERCE)$", description="(0400,0565) as objects tell it.")


class Undoing(_In):
    """Why a correction is taken back."""

    reason: Reason


class ChangedWords(BaseModel):
    """One attribute before and after."""

    tag: str
    keyword: str
    old: list[str] = Field(description="The different values there are, at most ten.")
    new: str
    removed: bool


class PreviewWords(BaseModel):
    """What a correction would do."""

    level: Level
    studies: list[str]
    series: int
    instances: int
    changed: list[ChangedWords]
    patient_id: str
    issuer: str
    patient_name: str
    joins_known_patient: bool = Field(description="Such a patient is known: what is corrected joins him.")


class CorrectionWords(BaseModel):
    """A correction as it is kept."""

    key: str
    level: Level
    patient_id: str
    issuer: str
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    changes: list[ChangedWords]
    code: str
    reason: str
    by: str
    at: datetime
    undone_at: datetime | None
    undone_by: str
    undo_reason: str

    @classmethod
    def of(cls, one: Correction) -> "CorrectionWords":
        return cls(
            key=one.key,
            level=one.level,
            patient_id=one.patient_id,
            issuer=one.issuer,
            study_uid=one.study_uid,
            series_uid=one.series_uid,
            sop_instance_uid=one.sop_instance_uid,
            changes=[
                ChangedWords(
                    tag=tag,
                    keyword=keyword(int(tag, 16)),
                    old=[],
                    new=in_words(member),
                    removed=member is None,
                )
                for tag, member in sorted(one.changes.items())
            ],
            code=one.code,
            reason=one.reason,
            by=one.by,
            at=one.at,
            undone_at=one.undone_at,
            undone_by=one.undone_by,
            undo_reason=one.undo_reason,
        )


class DoneWords(BaseModel):
    """A correction that was made or undone, and how much it touched."""

    correction: CorrectionWords
    studies: list[str]
    instances: int

    @classmethod
    def of(cls, done: Done) -> "DoneWords":
        return cls(
            correction=CorrectionWords.of(done.correction), studies=done.studies, instances=done.instances
        )


class Corrections(BaseModel):
    """Corrections, the newest first."""

    corrections: list[CorrectionWords]
    more: bool


def changes_of(words: Sequence[ChangeWords]) -> Changes:
    """The changes in the words of model.py. Raises Refused where an attribute comes twice or has no one value."""
    found: dict[str, dict[str, Any] | None] = {}
    for one in words:
        tag = tag_of(one.attribute)
        name = f"{tag:08X}"
        if name in found or sum((one.value is not None, one.items is not None, one.remove)) != 1:
            raise Refused(f"Give {one.attribute} one value, items, or remove it.", code="bad-value")
        if one.remove:
            found[name] = None
        elif one.items is not None:
            if dictionary_vr(tag) != "SQ":
                raise Refused(f"{one.attribute} is no sequence.", code="bad-value")
            found[name] = {"vr": dictionary_vr(tag), "Value": one.items}
        else:
            found[name] = from_text(tag, one.value or "")
    return found


def router(context: ArchiveWeb | None) -> APIRouter:
    """The routes. Without `context` they can be described, not called."""
    routes = APIRouter(prefix="/corrections", tags=["corrections"], responses=_PROBLEMS, route_class=Told)

    def web() -> ArchiveWeb:
        if context is None:
            raise Defect("These routes have no archive.", code="no-archive")
        return context

    Web = Annotated[ArchiveWeb, Depends(web)]

    @routes.post("/preview")
    def preview_correction(wish: Wish, who: Who, web: Web) -> PreviewWords:
        """Old and new values, and what a correction would touch; nothing is changed."""
        shown = preview(web.engine, web.store, who, wish.target(), changes_of(wish.changes))
        return PreviewWords.model_validate(shown, from_attributes=True)

    @routes.post("", status_code=201)
    def make_correction(wish: NewCorrection, who: Who, host: Host, web: Web) -> DoneWords:
        """Put a correction in force: over what there is, and over what comes to it later."""
        done = service.correct(
            web.engine,
            web.store,
            who,
            wish.target(),
            changes_of(wish.changes),
            reason=wish.reason,
            by=who.name,
            code=wish.code,
            record=web.trail.record_in,
            host=host,
        )
        return DoneWords.of(done)

    @routes.get("")
    def list_corrections(
        who: Who,
        web: Web,
        study: Annotated[Uid, Query(max_length=64)] = "",
        patient: Annotated[Word, Query()] = "",
        undone: Annotated[bool, Query(description="Undone ones too.")] = False,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Corrections:
        """Corrections of what one may see, the newest first."""
        with reading(web.engine) as connection:
            found = service.listed(
                connection, who, study_uid=study, patient_id=patient, include_undone=undone, limit=limit + 1
            )
        return Corrections(
            corrections=[CorrectionWords.of(one) for one in found[:limit]], more=len(found) > limit
        )

    @routes.post("/{key}/undo")
    def undo_correction(key: Key, undoing: Undoing, who: Who, host: Host, web: Web) -> DoneWords:
        """Take a correction back."""
        done = service.undo(
            web.engine,
            web.store,
            who,
            key,
            reason=undoing.reason,
            by=who.name,
            record=web.trail.record_in,
            host=host,
        )
        return DoneWords.of(done)

    return routes
