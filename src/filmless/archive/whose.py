"""Whose studies these are: for the audit trail, which is below this room and asks it by a function."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func, select

from filmless.archive.tables import instances, series, studies
from filmless.patients.tables import patients

_CHUNK = 500


def patients_of(connection: Connection, study_uids: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Study Instance UID -> Patient IDs, with "^^^" and the issuer where there is one; without those not known."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for start in range(0, len(study_uids), _CHUNK):
        rows = connection.execute(
            select(studies.c.study_uid, patients.c.patient_id, patients.c.issuer)
            .join(patients, patients.c.id == studies.c.patient)
            .where(studies.c.study_uid.in_(study_uids[start : start + _CHUNK]))
            .order_by(patients.c.id)
        )
        for row in rows:
            if row.patient_id:
                found[row.study_uid].append(
                    f"{row.patient_id}^^^{row.issuer}" if row.issuer else row.patient_id
                )
    return found


def several_patients(connection: Connection, study_uids: Sequence[str]) -> set[str]:
    """Those of the Study Instance UIDs that more than one patient uses."""
    found: set[str] = set()
    for start in range(0, len(study_uids), _CHUNK):
        found |= set(
            connection.scalars(
                select(studies.c.study_uid)
                .where(studies.c.study_uid.in_(study_uids[start : start + _CHUNK]))
                .group_by(studies.c.study_uid)
                .having(func.count() > 1)
            )
        )
    return found


def studies_of(
    connection: Connection, *, series_uids: Sequence[str] = (), sop_uids: Sequence[str] = ()
) -> list[str]:
    """The Study Instance UIDs of these series and objects, each once."""
    found: dict[str, None] = {}
    for column, uids in ((series.c.series_uid, series_uids), (instances.c.sop_instance_uid, sop_uids)):
        query = select(studies.c.study_uid).distinct().join(series, series.c.study == studies.c.id)
        if column.table is instances:
            query = query.join(instances, instances.c.series == series.c.id)
        for start in range(0, len(uids), _CHUNK):
            part = connection.scalars(query.where(column.in_(uids[start : start + _CHUNK])))
            found |= dict.fromkeys(part)
    return list(found)


def issuer_of(connection: Connection, version: int) -> str:
    """Who issued the patient ID under which an object is filed. What is made of it is filed under the same, also where
    only the sender's device said whose numbers these are, and the header does not (Source.default_issuer)."""
    query = (
        select(patients.c.issuer)
        .join(studies, studies.c.patient == patients.c.id)
        .join(series, series.c.study == studies.c.id)
        .join(instances, instances.c.series == series.c.id)
        .where(instances.c.version == version)
    )
    return connection.scalar(query) or ""
