"""Which stored objects a retrieval, a send or a commitment is about, and where their bytes are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select, true

from filmless.access.model import Principal
from filmless.archive.query.keys import Level
from filmless.archive.query.visibility import in_force, seen
from filmless.archive.tables import instances, series, studies, versions
from filmless.patients.tables import patients

#: UIDs in one statement
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """An object that may leave: the version in force. The data set is bytes [offset, offset + size) of the file.

    `path` is relative to the store's root; `version` is versions.id.
    """

    sop_class: str
    sop_instance: str
    #: transfer syntax UID
    ts: str
    path: str
    offset: int
    size: int
    series_uid: str
    study_uid: str
    sha256: str
    version: int
    #: the corrections in force (archive/overlays.py), 0 for none: as received
    correction: int = 0
    #: Specific Character Set to assume where the object declares none
    character_set: str = ""


def instances_of(
    connection: Connection,
    principal: Principal,
    *,
    level: Level,
    patient_id: str = "",
    issuer: str = "",
    study_uids: Sequence[str] = (),
    series_uids: Sequence[str] = (),
    sop_uids: Sequence[str] = (),
) -> Iterator[StoredInstance]:
    """The objects for which all that is given holds, as a stream in the order of study, series and arrival.

    Without the unique key of `level` nothing is found: nobody means the whole archive. Other empty arguments do
    not restrict. `issuer` counts only with `patient_id`. Each object comes once. Of long lists of UIDs, the order
    holds within each 500.
    """
    given = {
        "STUDY": list(dict.fromkeys(study_uids)),
        "SERIES": list(dict.fromkeys(series_uids)),
        "IMAGE": list(dict.fromkeys(sop_uids)),
    }
    if not (patient_id if level == "PATIENT" else given[level]):
        return
    longest = max(given, key=lambda name: len(given[name]))
    chunks = range(0, max(len(given[longest]), 1), _CHUNK)
    for start in chunks:
        restricted = {**given, longest: given[longest][start : start + _CHUNK]}
        statement = _statement(principal, patient_id, issuer, restricted)
        result = connection.execute(statement.execution_options(yield_per=_CHUNK))
        try:
            for row in result:
                yield StoredInstance(*row)
        finally:
            result.close()


def instances_in(connection: Connection, principal: Principal, series_id: int) -> Iterator[StoredInstance]:
    """The objects of one series (series.id), as a stream in the order of arrival."""
    statement = stored(principal).where(series.c.id == series_id).order_by(instances.c.id)
    result = connection.execute(statement.execution_options(yield_per=_CHUNK))
    try:
        for row in result:
            yield StoredInstance(*row)
    finally:
        result.close()


def _statement(
    principal: Principal, patient_id: str, issuer: str, restricted: dict[str, list[str]]
) -> Select[Any]:
    statement = stored(principal)
    if patient_id:
        statement = statement.join(patients, studies.c.patient == patients.c.id).where(
            patients.c.patient_id == patient_id
        )
        if issuer:
            statement = statement.where(patients.c.issuer == issuer)
    for name, column in (
        ("STUDY", studies.c.study_uid),
        ("SERIES", series.c.series_uid),
        ("IMAGE", instances.c.sop_instance_uid),
    ):
        if restricted[name]:
            statement = statement.where(column.in_(restricted[name]))
    return statement.order_by(studies.c.id, series.c.id, instances.c.id)


def stored(principal: Principal, *, of_any_study: bool = False, rejected: bool = False) -> Select[Any]:
    """The columns of StoredInstance, of what the principal may see.

    `of_any_study`: the caller asks by itself whether the study is seen (visibility.seen). `rejected`: also what is
    hidden by a rejection.
    """
    return (
        select(
            instances.c.sop_class_uid,
            instances.c.sop_instance_uid,
            versions.c.transfer_syntax_uid,
            versions.c.path,
            versions.c.offset,
            versions.c.size,
            series.c.series_uid,
            studies.c.study_uid,
            versions.c.sha256,
            versions.c.id,
            instances.c.correction,
            versions.c.character_set,
        )
        .select_from(
            instances.join(series, instances.c.series == series.c.id)
            .join(studies, series.c.study == studies.c.id)
            .join(versions, instances.c.version == versions.c.id)
        )
        .where(
            true() if rejected else in_force("IMAGE", principal),
            true() if of_any_study else seen(principal),
            versions.c.state == "current",
        )
    )
