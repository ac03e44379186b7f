"""To find exams: by what they are known, whose images they have, what happened to them."""

from sqlalchemy import Connection, select, union

from filmless.department.exams.model import Exam, LogEntry
from filmless.department.tables import exam_log, exam_numbers, exam_studies, exams
from filmless.kit.errors import Refused


def get(connection: Connection, exam_id: int) -> Exam:
    """Raises Refused (code "not-found")."""
    row = connection.execute(select(exams).where(exams.c.id == exam_id)).one_or_none()
    if row is None:
        raise Refused("There is no such exam.", code="not-found")
    return Exam.of(row)


def by_number(connection: Connection, number: str) -> Exam | None:
    """The exam that has this number, or had it before a match, or has it elsewhere. Letters count, not their case."""
    wanted = number.strip().upper()
    if not wanted or len(wanted) > 16:
        return None
    named = select(exam_numbers.c.exam).where(exam_numbers.c.number.in_({wanted, number.strip()}))
    row = connection.execute(select(exams).where(exams.c.id.in_(named)).order_by(exams.c.id)).first()
    return None if row is None else Exam.of(row)


def of_study(connection: Connection, study_uid: str) -> list[Exam]:
    """The exams that the images of a study belong to: by what was attached, or by the UID that the worklist gave."""
    ids = union(
        select(exams.c.id).where(exams.c.study_uid == study_uid),
        select(exam_studies.c.exam).where(exam_studies.c.study_uid == study_uid),
    )
    return [
        Exam.of(row)
        for row in connection.execute(select(exams).where(exams.c.id.in_(ids)).order_by(exams.c.id))
    ]


def of_person(connection: Connection, person: int, *, limit: int = 200) -> list[Exam]:
    """The exams of a person, the newest first."""
    query = select(exams).where(exams.c.person == person).order_by(exams.c.id.desc()).limit(limit)
    return [Exam.of(row) for row in connection.execute(query)]


def studies_of(connection: Connection, exam: Exam) -> list[str]:
    """The Study Instance UIDs of an exam: its own first, then what was attached to it."""
    query = select(exam_studies.c.study_uid).where(exam_studies.c.exam == exam.id).order_by(exam_studies.c.at)
    return list(dict.fromkeys([exam.study_uid, *connection.scalars(query)]))


def numbers_of(connection: Connection, exam_id: int) -> list[tuple[str, str]]:
    """(number, what it is: "" its own, "matched", "outside") of an exam, in the order in which they were given."""
    query = (
        select(exam_numbers.c.number, exam_numbers.c.alias)
        .where(exam_numbers.c.exam == exam_id)
        .order_by(exam_numbers.c.given_at, exam_numbers.c.number)
    )
    return [(row.number, row.alias) for row in connection.execute(query)]


def history(connection: Connection, exam_id: int) -> list[LogEntry]:
    """What happened to an exam, in order."""
    query = select(exam_log).where(exam_log.c.exam == exam_id).order_by(exam_log.c.seq)
    return [
        LogEntry(**{name: getattr(row, name) for name in LogEntry.__slots__})
        for row in connection.execute(query)
    ]
