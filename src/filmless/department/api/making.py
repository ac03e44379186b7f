"""With what an exam was made, and what its maker says of the images."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection

from filmless.access.api.words import At, Host, Who
from filmless.access.model import Action, permit
from filmless.db.work import writing
from filmless.department import made_with, visibility
from filmless.department.api.desk import desk_of
from filmless.department.api.words import ExamId, ExamWords
from filmless.department.api.work_words import (
    ContradictionWords,
    ContrastWords,
    DoseWords,
    Judging,
    QualityWords,
    Recording,
)
from filmless.department.contradictions import contradictions
from filmless.department.exams import Exam, guards
from filmless.department.made_with import Contrast, Dose
from filmless.department.model import Desk
from filmless.department.transfer import unlooked


def router(given: Desk | None) -> APIRouter:
    """The routes."""
    made = APIRouter()

    @made.post("/exams/{exam}/record", summary="Contrast media and dose")
    def record_making(exam: ExamId, body: Recording, who: Who, at: At, host: Host) -> ExamWords:
        acting = at.acting(permit(who, Action.PERFORM), host)
        contrast = (
            [Contrast(**one.model_dump()) for one in body.contrast] if body.contrast is not None else None
        )
        dose = Dose(**body.dose.model_dump()) if body.dose is not None else None
        with writing(at.engine) as connection:
            visibility.check(connection, acting.who, exam, Action.PERFORM)
            return ExamWords.of(
                made_with.record(connection, exam, acting, contrast=contrast, dose=dose, seen=body.seen)
            )

    @made.post("/exams/{exam}/quality", summary="How good its images are; with that they may be read")
    def judge_images(exam: ExamId, body: Judging, who: Who, at: At, host: Host) -> ExamWords:
        acting = at.acting(permit(who, Action.PERFORM), host)
        settings = desk_of(given).settings
        with writing(at.engine) as connection:
            visibility.check(connection, acting.who, exam, Action.PERFORM)
            return ExamWords.of(
                made_with.judge(
                    connection, exam, acting, settings, grade=body.grade, note=body.note, seen=body.seen
                )
            )

    return made


def told(connection: Connection, exam: Exam, desk: Desk | None) -> dict[str, Any]:
    """What of it stands on the technologist's page."""
    contrast, dose, quality = made_with.told(exam)
    said = None
    if quality:
        said = QualityWords(**quality, stale=unlooked(exam))
    return {
        "contrast_wanted": bool(guards.procedure_words(connection, exam.procedure).get("contrast")),
        "contrast": [ContrastWords(**one) for one in contrast] if contrast is not None else None,
        "dose": DoseWords(**dose),
        "dose_told": DoseWords(**asdict(made_with.told_dose(connection, exam.id))),
        "quality": said,
        "contradictions": [ContradictionWords(**asdict(one)) for one in contradictions(connection, exam)],
        "quality_wanted": desk is not None and desk.settings.self_check,
    }
