"""Which objects a picture of a study, a series or an object shows, for those who may see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, select

from filmless.access.model import Principal
from filmless.archive.query.instances import StoredInstance, instances_of
from filmless.archive.query.visibility import in_force, seen
from filmless.archive.tables import instances, series, studies

#: series that are about images rather than images: they stand for a study only where there is nothing else
_ABOUT_IMAGES = frozenset(
    {"SEG", "PR", "KO", "SR", "REG", "RTSTRUCT", "RTPLAN", "RTDOSE", "DOC", "FID", "RWV"}
)


@dataclass(frozen=True, slots=True)
class Pictured:
    """A stored object with what rendering asks first. `image`: it says that it has rows."""

    stored: StoredInstance
    image: bool
    frames: int
    modality: str


@dataclass(frozen=True, slots=True)
class _Row:
    sop: str
    number: str
    image: bool
    frames: int
    modality: str
    arrival: int


def pictured(
    connection: Connection, principal: Principal, study_uid: str, series_uid: str = "", sop_uid: str = ""
) -> list[Pictured]:
    """The objects of a study, series or instance in the order of series, instance number and arrival; [] where there
    is none, or none that this principal may see."""
    ids = _series(connection, principal, study_uid, series_uid, sop_uid)
    rows = [row for one, *_ in ids for row in _instances(connection, principal, one, sop_uid)]
    return _stored(connection, principal, study_uid, series_uid, rows)


def representative(
    connection: Connection, principal: Principal, study_uid: str, series_uid: str = ""
) -> Pictured | None:
    """The object that stands for a series or study: of a series the image in the middle by instance number; of a study
    that of its series with the most images, the first of several. None where there is nothing to be seen.

    Without images any object stands for them. Nothing stands for objects of several patients that have one number.
    """
    found = _series(connection, principal, study_uid, series_uid)
    if len({one[3] for one in found}) != 1:
        return None
    best = max(found, key=lambda one: (one[1] > 0 and one[2] not in _ABOUT_IMAGES, one[1]))
    rows = _instances(connection, principal, best[0], "")
    images = [row for row in rows if row.image] or rows
    if not images:
        return None
    middle = images[len(images) // 2]
    stored = _stored(connection, principal, study_uid, "", [middle])
    return stored[0] if stored else None


def _series(
    connection: Connection, principal: Principal, study_uid: str, series_uid: str, sop_uid: str = ""
) -> list[tuple[int, int, str, int]]:
    """(series.id, images in it, modality, studies.id) by series number."""
    statement = _joined(
        select(
            series.c.id,
            func.count(instances.c.rows),
            series.c.modality,
            series.c.study,
            series.c.series_number,
        ),
        principal,
    ).where(studies.c.study_uid == study_uid)
    if series_uid:
        statement = statement.where(series.c.series_uid == series_uid)
    if sop_uid:
        statement = statement.where(instances.c.sop_instance_uid == sop_uid)
    grouped = statement.group_by(series.c.id, series.c.modality, series.c.study, series.c.series_number)
    rows = connection.execute(grouped).all()
    return [tuple(row[:4]) for row in sorted(rows, key=lambda row: (by_number(row[4]), row[0]))]


def _instances(connection: Connection, principal: Principal, series_id: int, sop_uid: str) -> list[_Row]:
    columns = (
        instances.c.sop_instance_uid,
        instances.c.instance_number,
        instances.c.rows,
        instances.c.number_of_frames,
        series.c.modality,
        instances.c.id,
    )
    statement = _joined(select(*columns), principal).where(series.c.id == series_id)
    if sop_uid:
        statement = statement.where(instances.c.sop_instance_uid == sop_uid)
    rows = [
        _Row(uid, number, bool(height), frames or 1, modality, arrival)
        for uid, number, height, frames, modality, arrival in connection.execute(statement)
    ]
    return sorted(rows, key=lambda row: (by_number(row.number), row.arrival))


def _joined(statement: Select[Any], principal: Principal) -> Select[Any]:
    return statement.select_from(
        instances.join(series, instances.c.series == series.c.id).join(
            studies, series.c.study == studies.c.id
        )
    ).where(in_force("IMAGE", principal), seen(principal))


def by_number(text: str) -> tuple[bool, int]:
    """For ordering: numbers by their value, what is none behind them."""
    try:
        return False, int(text)
    except ValueError:
        return True, 0


def _stored(
    connection: Connection, principal: Principal, study_uid: str, series_uid: str, rows: Sequence[_Row]
) -> list[Pictured]:
    """In the order of `rows`."""
    found = {
        one.sop_instance: one
        for one in instances_of(
            connection,
            principal,
            level="IMAGE",
            study_uids=[study_uid],
            series_uids=[series_uid] if series_uid else [],
            sop_uids=[row.sop for row in rows],
        )
    }
    return [Pictured(found[row.sop], row.image, row.frames, row.modality) for row in rows if row.sop in found]
