"""What of an exam's images does not agree with what was asked: side, body part, the device's clock, an image twice.

To be looked at before they are read; nothing is stopped by it. What images do not tell is no contradiction.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import Connection, func, select

from filmless.archive.tables import instances, series, studies
from filmless.department import exams
from filmless.department.exams import Exam

What = Literal["side", "part", "clock", "numbers"]

#: parts of which one holds the other (PS3.16 CID 4031 and what devices write for it), each group in any order
_TOGETHER: Final = (
    {"HEAD", "BRAIN", "SKULL", "HEADNECK"},
    {"CHEST", "THORAX", "LUNG", "CHESTABDOMEN", "CHESTABDPELVIS"},
    {"ABDOMEN", "ABDOMENPELVIS", "LIVER", "KIDNEY", "CHESTABDOMEN", "CHESTABDPELVIS"},
    {"PELVIS", "ABDOMENPELVIS", "UTERUS", "CHESTABDPELVIS"},
    {"LSPINE", "SPINE", "LUMBARSPINE", "LSSPINE"},
    {"HEART", "CHEST"},
    {"THYROID", "NECK", "HEADNECK"},
    {"KNEE", "LEG", "EXTREMITY"},
    {"HAND", "ARM", "EXTREMITY"},
)
#: a device's clock may be wrong by so much
_CLOCK: Final = timedelta(hours=12)
_SPOKEN: Final = {"L": "L", "LEFT": "L", "R": "R", "RIGHT": "R"}


@dataclass(frozen=True, slots=True)
class Contradiction:
    """`asked` and `told` as the order and the images have it; of "numbers" how many image numbers come twice."""

    what: What
    asked: str
    told: str


def contradictions(connection: Connection, exam: Exam) -> list[Contradiction]:
    """What does not agree, at most one of each."""
    found: dict[What, Contradiction] = {}
    rows = connection.execute(
        select(
            series.c.id,
            series.c.modality,
            series.c.body_part_examined,
            series.c.laterality,
            studies.c.study_date,
            studies.c.study_time,
        )
        .join(studies, studies.c.id == series.c.study)
        .where(
            studies.c.study_uid.in_(exams.studies_of(connection, exam)),
            series.c.instance_count > 0,
            series.c.modality == exam.modality,
        )
    ).all()
    for row in rows:
        side = _SPOKEN.get(row.laterality.strip().upper(), "")
        if exam.side in ("L", "R") and side and side != exam.side:
            found.setdefault("side", Contradiction("side", exam.side, side))
        if (
            exam.body_part
            and row.body_part_examined
            and not same_part(exam.body_part, row.body_part_examined)
        ):
            found.setdefault("part", Contradiction("part", exam.body_part, row.body_part_examined))
        at = _moment(row.study_date, row.study_time)
        if exam.started_at is not None and at is not None and abs(at - exam.started_at) > _CLOCK:
            asked = exam.started_at.astimezone().strftime("%Y-%m-%d %H:%M")
            found.setdefault("clock", Contradiction("clock", asked, at.strftime("%Y-%m-%d %H:%M")))
    twice = _twice(connection, [row.id for row in rows])
    if twice:
        found["numbers"] = Contradiction("numbers", "", str(twice))
    return list(found.values())


def same_part(one: str, other: str) -> bool:
    """Whether two words of Body Part Examined can be of one exam."""
    first, second = (_plain(word) for word in (one, other))
    if first in second or second in first:
        return True
    return any(first in group and second in group for group in _TOGETHER)


def _plain(word: str) -> str:
    return "".join(letter for letter in word.upper() if letter.isalnum())


def _moment(date: str, time: str) -> datetime | None:
    try:
        return datetime.strptime(f"{date}{(time or '120000')[:6].ljust(6, '0')}", "%Y%m%d%H%M%S").astimezone()
    except ValueError:
        return None


def _twice(connection: Connection, series_ids: list[int]) -> int:
    """Image numbers that come more than once in a series: most often the same image under two UIDs."""
    query = (
        select(instances.c.series, instances.c.instance_number)
        .where(
            instances.c.series.in_(series_ids), instances.c.rejected == "", instances.c.instance_number != ""
        )
        .group_by(instances.c.series, instances.c.instance_number)
        .having(func.count() > 1)
        .limit(1000)
    )
    return len(connection.execute(query).all())
