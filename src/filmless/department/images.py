"""Whose images these are: a study becomes an exam's by the UID that the worklist gave, by its number, or by hand.

Never against the patient: images under an exam's UID but of somebody else's patient ID wait for a person to look.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, func, insert, select

from filmless.access.acting import Acting
from filmless.archive.tables import instances, rejections, series, studies
from filmless.department import exams, numbers
from filmless.department.exams import Exam
from filmless.department.tables import exam_numbers, exam_studies
from filmless.department.tables import exams as exam_rows
from filmless.patients.service import same_person as not_another
from filmless.patients.tables import patients, person_identifiers, persons

#: how a study became an exam's
By = Literal["uid", "number", "mpps", "hand"]


@dataclass(frozen=True, slots=True)
class Fit:
    """The exams that a study belongs to, or the one that it might and why it does not ("patient")."""

    exams: tuple[Exam, ...] = ()
    doubtful: Exam | None = None
    why: str = ""


def of_study_uid(connection: Connection, study_uid: str) -> Exam | None:
    """The exam for which the worklist gave this Study Instance UID."""
    if not study_uid:
        return None
    row = connection.execute(select(exam_rows).where(exam_rows.c.study_uid == study_uid)).one_or_none()
    return Exam.of(row) if row is not None else None


def same_person(connection: Connection, exam: Exam, patient_id: str, number: str = "") -> bool:
    """Whether a patient ID that came with images or a step is the exam's person: by any number, old ones and those of
    persons merged into him. Without an ID there is nothing that contradicts.

    `number`: an exam number that came along. One that the exam had before a match was told together with the patient
    ID of that time.
    """
    if not patient_id:
        return True
    if number and number != exam.number:
        old = select(exam_numbers.c.exam).where(
            exam_numbers.c.number == number, exam_numbers.c.exam == exam.id, exam_numbers.c.alias != ""
        )
        if connection.execute(old).first() is not None:
            return True
    whose = {exam.person}
    while True:
        merged = set(connection.scalars(select(persons.c.id).where(persons.c.merged_into.in_(whose)))) - whose
        if not merged:
            break
        whose |= merged
    own = select(persons.c.id).where(persons.c.id.in_(whose), persons.c.patient_id == patient_id)
    if connection.execute(own).first() is not None:
        return True
    known = select(person_identifiers.c.id).where(
        person_identifiers.c.person.in_(whose), person_identifiers.c.value == patient_id
    )
    return connection.execute(known).first() is not None


def shared_numbers(connection: Connection, study_uids: Collection[str]) -> set[str]:
    """Those Study Instance UIDs under which several patients have images."""
    query = (
        select(studies.c.study_uid)
        .where(studies.c.study_uid.in_(list(study_uids)), studies.c.instance_count > 0)
        .group_by(studies.c.study_uid)
        .having(func.count() > 1)
    )
    return set(connection.scalars(query))


def row_of(connection: Connection, exam: Exam, study_uid: str) -> int:
    """Which row of `studies` is the exam's person's, where several patients have images under this number; 0 where
    only one has, or which of them it is cannot be told.
    """
    rows = connection.execute(
        select(
            studies.c.id,
            studies.c.accession_number,
            patients.c.patient_id,
            patients.c.name,
            patients.c.birth_date,
        )
        .join(patients, patients.c.id == studies.c.patient)
        .where(studies.c.study_uid == study_uid, studies.c.instance_count > 0)
        .limit(100)
    ).all()
    if len(rows) < 2:
        return 0
    fitting = [
        row
        for row in rows
        if row.patient_id and same_person(connection, exam, row.patient_id, row.accession_number)
    ]
    if len(fitting) > 1:
        # the same ID, and another name or birth date
        one = connection.execute(select(persons).where(persons.c.id == exam.person)).one()
        name = "=".join((one.name_alphabetic, one.name_ideographic, one.name_phonetic))
        fitting = [row for row in fitting if not_another(row.name, row.birth_date, name, one.birth_date)]
    return fitting[0].id if len(fitting) == 1 else 0


def attach(connection: Connection, exam: Exam, study_uid: str, by: By, acting: Acting) -> bool:
    """Write that the images of a study are an exam's, and whose they are with it; False where that is known."""
    known = select(exam_studies.c.by).where(
        exam_studies.c.exam == exam.id, exam_studies.c.study_uid == study_uid
    )
    if connection.execute(known).first() is not None:
        return False
    now = exams.note(
        connection, exam.id, "images attached", acting, source="images", detail={"study": study_uid, "by": by}
    )
    moment = exams.history(connection, exam.id)[-1].at
    connection.execute(insert(exam_studies).values(exam=exam.id, study_uid=study_uid, by=by, at=moment))
    exams.belong(connection, now, acting, study_uid=study_uid)
    numbers.tell_archive(connection, exam.id)
    return True


def fit(connection: Connection, study_uid: str) -> Fit:
    """To which exams a study belongs: those it is attached to; else by its UID, else by its accession number, where
    the patient is the same."""
    attached = connection.scalars(
        select(exam_studies.c.exam).where(exam_studies.c.study_uid == study_uid)
    ).all()
    if attached:
        return Fit(tuple(exams.get(connection, exam_id) for exam_id in sorted(attached)))
    row = connection.execute(
        select(studies.c.accession_number, patients.c.patient_id)
        .join(patients, patients.c.id == studies.c.patient)
        .where(studies.c.study_uid == study_uid)
        .order_by(studies.c.id)
    ).first()
    if row is None:
        return Fit()
    candidates = (of_study_uid(connection, study_uid), exams.by_number(connection, row.accession_number))
    doubtful: Exam | None = None
    for exam in candidates:
        if exam is None:
            continue
        # a number alone says nothing of an exam without a patient ID beside it
        named = exam.study_uid == study_uid or row.patient_id
        if named and same_person(connection, exam, row.patient_id, row.accession_number):
            return Fit((exam,))
        doubtful = doubtful or exam
    return Fit((), doubtful, "patient" if doubtful is not None else "")


def studies_of_note(connection: Connection, note_uid: str) -> list[str]:
    """Study Instance UIDs of what a rejection note names."""
    query = (
        select(studies.c.study_uid)
        .join(series, series.c.study == studies.c.id)
        .join(instances, instances.c.series == series.c.id)
        .join(rejections, rejections.c.sop_instance_uid == instances.c.sop_instance_uid)
        .where(rejections.c.note_uid == note_uid)
        .distinct()
    )
    return list(connection.scalars(query))
