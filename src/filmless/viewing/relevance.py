"""Which of a patient's other exams is the one to compare with: of the same kind, the latest before."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from filmless.access.model import Principal
from filmless.archive.query import listing
from filmless.archive.query.visibility import in_force, seen
from filmless.archive.tables import studies
from filmless.viewing.layouts import Exam

#: others of the patient that are looked at, the newest; of them, how many are named
LOOKED_AT: Final = 200
MOST: Final = 20
#: what is no examination: reports, states, segmentations and the like (PS3.3 C.7.3.1.1.1)
_NO_IMAGES: Final = frozenset({"SR", "PR", "KO", "SEG", "REG", "DOC", "OT", "RTSTRUCT", "RTPLAN", "PLAN"})
#: words of descriptions that name no part of the body
_SAYS_LITTLE: Final = frozenset(
    [
        *(
            "with",
            "without",
            "contrast",
            "plain",
            "enhanced",
            "and",
            "the",
            "study",
            "exam",
            "scan",
            "routine",
        ),
        *("axial", "sagittal", "coronal", "mri", "pet"),
        *("平扫", "增强", "检查", "扫描", "常规", "成像", "三维", "重建"),
    ]
)


def relevant(connection: Connection, principal: Principal, study_uid: str, exam: Exam) -> list[str]:
    """Study Instance UIDs of earlier exams of a modality of `exam` and of its part of the body, the latest first.

    Where one of the two names no part of the body, their descriptions must share a word that tells something.
    """
    when = connection.execute(
        select(studies.c.study_date, studies.c.study_time)
        .where(studies.c.study_uid == study_uid, in_force("STUDY", principal), seen(principal))
        .limit(1)
    ).one_or_none()
    if when is None or not when.study_date:
        return []
    moment = (when.study_date, when.study_time[:6])
    rows = listing.priors(connection, principal, study_uid, limit=LOOKED_AT) or []
    before = [one for one in rows if one["date"] and (one["date"], one["time"]) < moment]
    return [str(one["study_uid"]) for one in alike(exam, before)][:MOST]


def alike(exam: Exam, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows that are of the same kind, in their order."""
    kinds = exam.modalities - _NO_IMAGES
    words = _telling(exam.text)

    def same(row: Mapping[str, Any]) -> bool:
        if not kinds & set(row["modalities"]):
            return False
        parts = {str(one).upper() for one in row["body_parts"]}
        if parts and exam.body_parts:
            return bool(parts & exam.body_parts)
        return bool(words & _telling(str(row["description"]).lower()))

    return [one for one in rows if same(one)]


def _telling(text: str) -> set[str]:
    """The words of a text in small letters; of Chinese, which has no spaces, every two characters."""
    cleaned = "".join(letter if letter.isalnum() else " " for letter in text)
    found: set[str] = set()
    for word in cleaned.split():
        if word.isascii():
            if len(word) > 2 and not word.isdigit():
                found.add(word)
        else:
            found.update(word[at : at + 2] for at in range(len(word) - 1))
    return found - _SAYS_LITTLE
