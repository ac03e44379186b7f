"""Exam numbers: the letter of a class, the site's prefix, the date, a serial number. Never given twice, never edited.

A number is the exam's Accession Number (0008,0050) and stands in bar codes: at most 16 characters of ASCII.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from filmless.archive import aliases
from filmless.department.tables import exam_numbers, exam_studies, exams, number_counters, places
from filmless.kit import clock
from filmless.kit.errors import Conflict, Defect, Refused

#: VR SH
LONGEST: Final = 16
#: how a date may stand in a number
DATES: Final[Mapping[str, str]] = {"yymmdd": "%y%m%d", "yyyymmdd": "%Y%m%d", "yymm": "%y%m", "": ""}


def prefix(letter: str, site_prefix: str, date: str, at: datetime) -> str:
    """All that stands before the serial number; the date is that of the server's clock on the wall.

    Raises Refused (code "number-form") for a form that is not known.
    """
    if date not in DATES:
        raise Refused(f"The date in a number is one of {', '.join(DATES)}.", code="number-form")
    day = at.astimezone().strftime(DATES[date]) if date else ""
    return f"{letter}{site_prefix}{day}"


def site_prefix(connection: Connection, site: str) -> str:
    """What a site puts into its numbers: nothing, or one or two characters."""
    if not site:
        return ""
    more = connection.scalar(select(places.c.more).where(places.c.kind == "site", places.c.code == site))
    return str((more or {}).get("prefix", ""))[:2]


def next_number(
    connection: Connection,
    letter: str,
    form: Mapping[str, Any],
    *,
    site: str = "",
    at: datetime | None = None,
) -> str:
    """A number that nobody has had, in the caller's transaction: undone with it, it was never given.

    `form`: what is kept of the class, "date" and "digits". Two transactions that ask for the same day wait for each
    other. Raises Conflict (code "numbers-used-up") where the day's numbers have become too long.
    """
    before = prefix(letter, site_prefix(connection, site), str(form.get("date", "yymmdd")), at or clock.now())
    digits = int(form.get("digits") or 4)
    while True:
        number = f"{before}{_count(connection, before):0{digits}d}"
        if len(number) > LONGEST:
            raise Conflict("There are no numbers of this form left.", code="numbers-used-up")
        # an outside number may look like ours
        taken = select(exam_numbers.c.number).where(exam_numbers.c.number == number)
        if connection.execute(taken).first() is None:
            return number


def give(
    connection: Connection, number: str, exam: int, *, alias: str = "", at: datetime | None = None
) -> None:
    """Write down that `number` is an exam's. Raises Conflict (code "number-taken")."""
    if not (0 < len(number) <= LONGEST and number.isascii() and number.isprintable() and "\\" not in number):
        raise Refused("A number has 1 to 16 characters of ASCII, without a backslash.", code="number-form")
    try:
        with connection.begin_nested():
            connection.execute(
                insert(exam_numbers).values(number=number, exam=exam, given_at=at or clock.now(), alias=alias)
            )
    except IntegrityError:
        raise Conflict(f"The number {number} belongs to another exam.", code="number-taken") from None


def _count(connection: Connection, before: str) -> int:
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    counted = (
        make(number_counters)
        .values(prefix=before, next=2)
        .on_conflict_do_update(
            index_elements=[number_counters.c.prefix], set_={"next": number_counters.c.next + 1}
        )
        .returning(number_counters.c.next)
    )
    found = connection.execute(counted).scalar()
    if found is None:
        raise Defect("The counter of exam numbers gave nothing.", code="no-number")
    return int(found) - 1


def tell_archive(connection: Connection, exam_id: int) -> None:
    """Let the studies of an exam be found by every number that it ever had: to be called when one changed."""
    row = connection.execute(select(exams.c.number, exams.c.study_uid).where(exams.c.id == exam_id)).one()
    theirs = connection.scalars(select(exam_numbers.c.number).where(exam_numbers.c.exam == exam_id)).all()
    attached = connection.scalars(
        select(exam_studies.c.study_uid).where(exam_studies.c.exam == exam_id)
    ).all()
    for study_uid in {row.study_uid, *attached}:
        aliases.put(connection, study_uid, (number for number in theirs if number != row.number))


def mark(connection: Connection, number: str, alias: str) -> None:
    """Say what a number is from now on: "" the exam's own, "matched" the one it had before."""
    connection.execute(update(exam_numbers).where(exam_numbers.c.number == number).values(alias=alias))
