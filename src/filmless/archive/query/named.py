"""Whose study it is and what it is, for lists of what was done to studies: rejections, share links, doubts."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, select

from filmless.access.model import Action, Principal
from filmless.archive.query.listing import patient_words
from filmless.archive.query.visibility import in_force, seen
from filmless.archive.tables import studies
from filmless.patients.tables import patients

_CHUNK: Final = 500


def named(
    connection: Connection,
    principal: Principal,
    *,
    rows: Sequence[int] = (),
    study_uids: Sequence[str] = (),
    rejected: bool = False,
) -> list[dict[str, Any]]:
    """Studies by their rows or UIDs, the patient and the study in words; only those that `principal` may find.

    A UID has several where several patients have it. `rejected`: those too of which all is rejected. `principal`: as
    it came, not narrowed to what the list itself is for.
    """
    open_to: list[ColumnElement[bool]] = [seen(principal, action=Action.SEARCH)]
    if not rejected:
        open_to.append(in_force("STUDY", principal))
    found: list[dict[str, Any]] = []
    for column, keys in ((studies.c.id, rows), (studies.c.study_uid, study_uids)):
        wanted: list[Any] = list(dict.fromkeys(keys))
        for start in range(0, len(wanted), _CHUNK):
            query = (
                select(*_COLUMNS)
                .join(patients, studies.c.patient == patients.c.id)
                .where(column.in_(wanted[start : start + _CHUNK]), *open_to)
                .order_by(studies.c.id)
            )
            found += [_words(row) for row in connection.execute(query)]
    return found


_COLUMNS: Final = (
    studies.c.id,
    studies.c.study_uid,
    studies.c.study_date,
    studies.c.study_time,
    studies.c.accession_number,
    studies.c.study_description,
    studies.c.modalities,
    patients.c.patient_id,
    patients.c.issuer,
    patients.c.name,
    patients.c.sex,
    patients.c.birth_date,
)


def _words(row: Any) -> dict[str, Any]:
    return {
        "row": row.id,
        "study_uid": row.study_uid,
        "patient": patient_words(row),
        "accession_number": row.accession_number,
        "date": row.study_date,
        "time": row.study_time[:6],
        "description": row.study_description,
        "modalities": list(filter(None, row.modalities.split("\\"))),
    }
