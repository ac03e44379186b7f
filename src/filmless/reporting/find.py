"""To find reports: by exam and study, their revisions and signatures, and for whom they are there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, select

from filmless.access.account_tables import accounts
from filmless.access.model import Action, Principal
from filmless.department.exams import Exam
from filmless.department.tables import exams as exams_table
from filmless.department.tables import staff
from filmless.department.visibility import seen
from filmless.kit.errors import Refused
from filmless.patients.tables import persons
from filmless.reporting.model import ADDENDUM, WHOLE, Report, Revision
from filmless.reporting.tables import report_exams, report_revisions, reports, signatures


def get(connection: Connection, report_id: int, *, to_write: bool = False) -> Report:
    """Raises Refused (code "not-found"). `to_write` keeps others from writing it until the transaction ends."""
    query = select(reports).where(reports.c.id == report_id)
    row = connection.execute(query.with_for_update() if to_write else query).one_or_none()
    if row is None:
        raise Refused("There is no such report.", code="not-found")
    return Report.of(row)


def for_whom(connection: Connection, principal: Principal, action: Action, report_id: int) -> None:
    """Raises Refused (code "not-found") where the report is of no exam on which `principal` may do `action`."""
    query = (
        select(report_exams.c.report)
        .join(exams_table, exams_table.c.id == report_exams.c.exam)
        .where(report_exams.c.report == report_id, seen(principal, action))
        .limit(1)
    )
    if connection.scalar(query) is None:
        raise Refused("There is no such report.", code="not-found")


def exam_for_whom(connection: Connection, principal: Principal, action: Action, exam_id: int) -> None:
    """Raises Refused (code "not-found") where there is no such exam on which `principal` may do `action`."""
    query = select(exams_table.c.id).where(exams_table.c.id == exam_id, seen(principal, action))
    if connection.scalar(query) is None:
        raise Refused("There is no such exam.", code="not-found")


def of_exam(connection: Connection, exam_id: int) -> Report | None:
    """The report of an exam; None where nobody has begun one."""
    row = connection.execute(
        select(reports)
        .join(report_exams, report_exams.c.report == reports.c.id)
        .where(report_exams.c.exam == exam_id)
    ).one_or_none()
    return None if row is None else Report.of(row)


def exams_of(connection: Connection, report_id: int) -> list[Exam]:
    """The exams that a report is about, in the order in which they were registered."""
    query = (
        select(exams_table)
        .join(report_exams, report_exams.c.exam == exams_table.c.id)
        .where(report_exams.c.report == report_id)
        .order_by(exams_table.c.id)
    )
    return [Exam.of(row) for row in connection.execute(query)]


_COLUMNS = [column for column in report_revisions.c if column.name != "text"]


def revisions(connection: Connection, report_id: int) -> list[Revision]:
    """All revisions of a report, the first one first."""
    query = (
        select(*_COLUMNS)
        .where(report_revisions.c.report == report_id)
        .order_by(report_revisions.c.number)
        .limit(1000)
    )
    return [Revision(**row._mapping) for row in connection.execute(query)]


def revision(connection: Connection, report_id: int, number: int) -> Revision:
    """Raises Refused (code "not-found")."""
    query = select(*_COLUMNS).where(
        report_revisions.c.report == report_id, report_revisions.c.number == number
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise Refused("There is no such revision of the report.", code="not-found")
    return Revision(**row._mapping)


@dataclass(frozen=True, slots=True)
class Signature:
    """The columns of reporting.tables.signatures."""

    id: int
    report: int
    revision: int
    role: str
    account: str
    name: str
    algorithm: str
    key_id: str
    value: str
    signed_at: datetime


def signatures_of(connection: Connection, report_id: int) -> list[Signature]:
    """All signatures under a report's revisions, in the order in which they were made."""
    query = select(signatures).where(signatures.c.report == report_id).order_by(signatures.c.id)
    return [Signature(**row._mapping) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class Released:
    """What of a report counts: the newest signed whole, and the addenda behind it."""

    base: Revision
    addenda: tuple[Revision, ...]

    @property
    def last(self) -> Revision:
        return self.addenda[-1] if self.addenda else self.base


def released(connection: Connection, report: Report) -> Released | None:
    """None where nothing of it is released."""
    if not report.released:
        return None
    found = revisions(connection, report.id)
    counting = [one for one in found if one.number <= report.released]
    bases = [one for one in counting if one.kind in WHOLE]
    if not bases:
        return None
    base = bases[-1]
    return Released(base, tuple(one for one in counting if one.kind == ADDENDUM and one.number > base.number))


def submitted(connection: Connection, report: Report) -> Released | None:
    """What waits for its review, where nothing is released yet; None where nothing was submitted."""
    found = [one for one in revisions(connection, report.id) if one.kind == "submitted"]
    return Released(found[-1], ()) if found and not report.released else None


@dataclass(frozen=True, slots=True)
class Name:
    """How somebody signs."""

    account: str
    name_zh: str = ""
    name_en: str = ""
    title: str = ""
    licence: str = ""

    def words(self, language: str) -> str:
        """The name in a language, else in the other one, else the account."""
        first, second = (self.name_zh, self.name_en) if language == "zh" else (self.name_en, self.name_zh)
        return first or second or self.account

    def signed(self, language: str) -> str:
        """The name and title; a title that is in Chinese is left out of an English text."""
        title = self.title if language == "zh" or self.title.isascii() else ""
        return " ".join(part for part in (self.words(language), title) if part)


def names_of(connection: Connection, wanted: Sequence[str]) -> dict[str, Name]:
    """Names of accounts: as the department's staff has them, else as the account is called."""
    asked = sorted({one for one in wanted if one})
    found = {one: Name(one) for one in asked}
    if not asked:
        return found
    shown = connection.execute(
        select(accounts.c.name, accounts.c.display_name).where(accounts.c.name.in_(asked))
    )
    for row in shown:
        found[row.name] = Name(row.name, row.display_name, row.display_name)
    for row in connection.execute(select(staff).where(staff.c.account.in_(asked))):
        before = found[row.account]
        found[row.account] = Name(
            row.account, row.name_zh or before.name_zh, row.name_en or before.name_en, row.title, row.licence
        )
    return found


def person_row(connection: Connection, person_id: int) -> Row[Any]:
    """The row of a person. Raises Refused (code "not-found")."""
    row = connection.execute(select(persons).where(persons.c.id == person_id)).one_or_none()
    if row is None:
        raise Refused("There is no such person.", code="not-found")
    return row


def identity(row: Row[Any]) -> Mapping[str, str]:
    """Who the person was when something was signed."""
    return {
        "patient_id": row.patient_id,
        "issuer": row.issuer,
        "name": "=".join((row.name_alphabetic, row.name_ideographic, row.name_phonetic)).rstrip("="),
        "sex": row.sex,
        "birth_date": row.birth_date,
    }


def exam_identity(exam: Exam) -> Mapping[str, str]:
    """What the exam was when something was signed."""
    return {
        "number": exam.number,
        "study_uid": exam.study_uid,
        "procedure": exam.procedure,
        "procedure_zh": exam.procedure_zh,
        "procedure_en": exam.procedure_en,
        "modality": exam.modality,
        "body_part": exam.body_part,
        "side": exam.side,
    }


def has_report(exam_id: Any) -> Any:
    """The condition that an exam has one."""
    return exists(select(report_exams.c.exam).where(report_exams.c.exam == exam_id))
