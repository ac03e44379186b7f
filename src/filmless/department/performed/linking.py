"""Which exams a performed step or a study is about: by numbers that we gave, only where the patient is the same."""

from sqlalchemy import Connection, select

from filmless.department import exams
from filmless.department.exams import Exam
from filmless.department.performed.told import Scheduled
from filmless.department.tables import exam_numbers, steps
from filmless.department.tables import exams as exam_rows
from filmless.patients.tables import person_identifiers, persons


def of_scheduled(connection: Connection, one: Scheduled) -> Exam | None:
    """The exam of an item of the Scheduled Step Attributes Sequence: by step, by number, by study."""
    if one.step_id:
        found = connection.scalar(select(steps.c.exam).where(steps.c.step_id == one.step_id))
        if found is not None:
            return exams.get(connection, found)
    for number in (one.accession_number, one.procedure_id):
        exam = exams.by_number(connection, number) if number else None
        if exam is not None:
            return exam
    return of_study_uid(connection, one.study_uid)


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
