"""The study table of our own application: rows, facets, one study's series, a patient's other studies."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, select

from filmless.access.model import Action, Principal
from filmless.access.tables import study_access
from filmless.archive.query import free_text
from filmless.archive.query import order as ordering
from filmless.archive.query.keys import KEYS
from filmless.archive.query.received import element_text
from filmless.archive.query.request import ARRIVAL, Order
from filmless.archive.query.visibility import in_force, seen, visible
from filmless.archive.tables import instances, series, studies
from filmless.kit.errors import Conflict
from filmless.patients.tables import patients

#: orders by their words
ORDERS: Final[dict[str, tuple[int, ...]]] = {
    "date": (0x00080020, 0x00080030),
    "received": (),
    "name": (0x00100010,),
    "patient_id": (0x00100020,),
    "accession": (0x00080050,),
    "description": (0x00081030,),
    "instances": (0x00201208,),
}
_PATIENT_AGE: Final = "00101010"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for. Empty: not restricted."""

    text: str = ""
    fuzzy: bool = False
    modalities: tuple[str, ...] = ()
    #: YYYYMMDD, both inclusive
    first_day: str = ""
    last_day: str = ""
    stations: tuple[str, ...] = ()
    institutions: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()
    #: of the first object of the study
    received_since: datetime | None = None
    order: str = "date"
    descending: bool = True
    limit: int = 50
    after: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """Rows, and the word with which the next ones are asked for ("" where there are none)."""

    rows: list[dict[str, Any]]
    following: str


def order_of(wanted: Wanted) -> tuple[Order, ...]:
    """The total order of a listing."""
    tags = (*ORDERS[wanted.order], ARRIVAL)
    return tuple(Order(tag, descending=wanted.descending) for tag in tags)


def find(connection: Connection, principal: Principal, wanted: Wanted) -> Listed:
    """Studies that the principal may find. Raises Refused for text and places that cannot be understood."""
    order = order_of(wanted)
    criteria = ordering.criteria(order, "STUDY")
    conditions = _conditions(principal, wanted)
    if wanted.after:
        conditions.append(ordering.behind(criteria, ordering.place_of(order, wanted.after)))
    statement = (
        select(*_COLUMNS, *(one.expression.label(f"order_{number}") for number, one in enumerate(criteria)))
        .select_from(studies.join(patients, studies.c.patient == patients.c.id))
        .where(*conditions)
        .order_by(*(one.expression.desc() if one.descending else one.expression for one in criteria))
        .limit(wanted.limit + 1)
    )
    found = connection.execute(statement).fetchall()
    following = ""
    if len(found) > wanted.limit:
        found = found[: wanted.limit]
        following = ordering.token(order, tuple(found[-1][-len(criteria) :]))
    return Listed(_rows(connection, principal, found), following)


def rows_of(
    connection: Connection,
    principal: Principal,
    conditions: Sequence[ColumnElement[bool]],
    order: Sequence[ColumnElement[Any]],
    limit: int,
) -> list[dict[str, Any]]:
    """Rows of the studies for which these conditions hold; who asks sees to it that `principal` may find them."""
    statement = (
        select(*_COLUMNS)
        .select_from(studies.join(patients, studies.c.patient == patients.c.id))
        .where(*conditions)
        .order_by(*order)
        .limit(limit)
    )
    return _rows(connection, principal, connection.execute(statement).fetchall())


def count(connection: Connection, principal: Principal, wanted: Wanted) -> int:
    """How many studies there are in all, whatever the limit and the place."""
    return connection.scalar(select(func.count()).select_from(matching(principal, wanted).subquery())) or 0


def matching(principal: Principal, wanted: Wanted) -> Select[Any]:
    """Rows of `studies` that are found, as their numbers."""
    return select(studies.c.id).where(*_conditions(principal, wanted))


def _open(principal: Principal) -> list[ColumnElement[bool]]:
    return [in_force("STUDY", principal), seen(principal, action=Action.SEARCH)]


def _conditions(principal: Principal, wanted: Wanted) -> list[ColumnElement[bool]]:
    found = _open(principal)
    if wanted.text.strip():
        found += free_text.conditions(free_text.understand(wanted.text), fuzzy=wanted.fuzzy)
    if wanted.first_day:
        found.append(studies.c.study_date >= wanted.first_day)
    if wanted.last_day:
        found.append(studies.c.study_date <= wanted.last_day)
        if not wanted.first_day:
            found.append(studies.c.study_date != "")
    if wanted.received_since is not None:
        found.append(studies.c.created_at >= wanted.received_since)
    one = series.alias()
    within = [
        column.in_(values)
        for column, values in (
            (one.c.modality, wanted.modalities),
            (one.c.station_name, wanted.stations),
            (one.c.institution_name, wanted.institutions),
            (one.c.body_part_examined, wanted.body_parts),
        )
        if values
    ]
    for condition in within:
        # each for itself: a CT of the head is also found with the study's report from another station
        found.append(
            exists(
                select(one.c.id).where(
                    one.c.study == studies.c.id, condition, in_force("SERIES", principal, one)
                )
            )
        )
    return found


_COLUMNS: Final = (
    studies.c.id,
    studies.c.study_uid,
    studies.c.study_date,
    studies.c.study_time,
    studies.c.accession_number,
    studies.c.study_id,
    studies.c.study_description,
    studies.c.referring_physician_name,
    studies.c.modalities,
    studies.c.series_count,
    studies.c.instance_count,
    studies.c.attributes,
    studies.c.created_at,
    studies.c.changed_at,
    patients.c.patient_id,
    patients.c.issuer,
    patients.c.name,
    patients.c.sex,
    patients.c.birth_date,
)


def _rows(connection: Connection, principal: Principal, found: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows for people, with what their series say and whether they are sensitive."""
    if not found:
        return []
    ids = [row.id for row in found]
    inside = _series_of(connection, principal, ids)
    uids = [row.study_uid for row in found]
    sensitive = set(
        connection.scalars(
            select(study_access.c.study_uid).where(
                study_access.c.study_uid.in_(uids), study_access.c.sensitive
            )
        )
    )
    return [_row(row, inside.get(row.id, ()), row.study_uid in sensitive, principal) for row in found]


def _row(row: Any, inside: Sequence[Any], sensitive: bool, principal: Principal) -> dict[str, Any]:
    live = principal.quality_control
    modalities = (
        sorted({one.modality for one in inside} - {""})
        if live
        else list(filter(None, row.modalities.split("\\")))
    )
    return {
        "row": row.id,
        "study_uid": row.study_uid,
        "patient": patient_words(row),
        "age": element_text(row.attributes.get(_PATIENT_AGE)),
        "accession_number": row.accession_number,
        "study_id": row.study_id,
        "date": row.study_date,
        "time": row.study_time[:6],
        "description": row.study_description,
        "referring_physician": row.referring_physician_name,
        "modalities": modalities,
        "series": len(inside) if live else row.series_count,
        "instances": sum(one.number for one in inside) if live else row.instance_count,
        "stations": sorted({one.station_name for one in inside} - {""}),
        "institutions": sorted({one.institution_name for one in inside} - {""}),
        "body_parts": sorted({one.body_part_examined for one in inside} - {""}),
        "received_at": row.created_at.isoformat(),
        "changed_at": row.changed_at.isoformat(),
        "sensitive": sensitive,
    }


def patient_words(row: Any) -> dict[str, str]:
    """A patient as a row of the table shows it: the name in its groups."""
    groups = [*row.name.split("=", 2), "", ""]
    return {
        "id": row.patient_id,
        "issuer": row.issuer,
        "name": groups[0],
        "name_ideographic": groups[1],
        "name_phonetic": groups[2],
        "sex": row.sex,
        "birth_date": row.birth_date,
    }


def _series_of(connection: Connection, principal: Principal, ids: Sequence[int]) -> Mapping[int, list[Any]]:
    """study -> its series that the principal sees, with their numbers of instances."""
    columns = (
        series.c.id,
        series.c.study,
        series.c.series_uid,
        series.c.modality,
        series.c.station_name,
        series.c.institution_name,
        series.c.body_part_examined,
    )
    if principal.quality_control:
        instance = instances.alias()
        statement = (
            select(*columns, func.count(instance.c.id).label("number"))
            .join(instance, and_(instance.c.series == series.c.id, in_force("IMAGE", principal, instance)))
            .where(series.c.study.in_(ids))
            .group_by(series.c.id)
        )
    else:
        statement = select(*columns, series.c.instance_count.label("number")).where(
            series.c.study.in_(ids), series.c.instance_count > 0
        )
    found: dict[int, list[Any]] = {}
    for row in connection.execute(statement.order_by(series.c.id)):
        found.setdefault(row.study, []).append(row)
    return found


def details(
    connection: Connection, principal: Principal, study_uid: str, row: int | None = None
) -> dict[str, Any] | None:
    """A study's row with its series; None where the principal sees no such study.

    The same UID under several patients is a doubt that a steward has to settle: then "under" has the row of each, and
    `row` says which of them is meant; without it, it is the first. The series name their "objects" then: what else has
    their numbers is another patient's, whatever the objects themselves say of whose they are. Each series has one
    instance that stands for it: the middle one of those that have pixels.
    """
    found = _study(connection, principal, study_uid)
    wanted = next((one for one in found if row is None or one.id == row), None)
    if wanted is None:
        return None
    rows = {one["row"]: one for one in _rows(connection, principal, found)}
    content = _content(connection, principal, wanted.id)
    if len(found) > 1:
        objects = _objects(connection, principal, wanted.id)
        for one in content:
            one["objects"] = objects.get(one["series_uid"], [])
    return {
        **rows[wanted.id],
        "other_patients": len(found) - 1,
        "under": [rows[one.id] for one in found] if len(found) > 1 else [],
        "content": content,
    }


def demand_one_patient(connection: Connection, principal: Principal, study_uid: str) -> None:
    """Raises Conflict (code "shared-number") where the principal sees this number under several patients.

    For what is done to all that has a number: it would be done to the other patient's images, too.
    """
    if len(_study(connection, principal, study_uid)) > 1:
        raise Conflict(
            "Images of several patients have this study's number. A data steward has to set that right first.",
            code="shared-number",
        )


def _study(connection: Connection, principal: Principal, study_uid: str) -> Sequence[Any]:
    statement = (
        select(*_COLUMNS, studies.c.patient)
        .select_from(studies.join(patients, studies.c.patient == patients.c.id))
        .where(studies.c.study_uid == study_uid, *_open(principal))
        .order_by(studies.c.id)
    )
    return connection.execute(statement).fetchall()


def _objects(connection: Connection, principal: Principal, study: int) -> Mapping[str, list[str]]:
    """Series Instance UID -> SOP Instance UIDs of a row of `studies`."""
    statement = (
        select(series.c.series_uid, instances.c.sop_instance_uid)
        .join(series, series.c.id == instances.c.series)
        .where(series.c.study == study, visible(principal, action=Action.SEARCH))
        .order_by(instances.c.id)
    )
    found: dict[str, list[str]] = {}
    for row in connection.execute(statement):
        found.setdefault(row.series_uid, []).append(row.sop_instance_uid)
    return found


def _content(connection: Connection, principal: Principal, study: int) -> list[dict[str, Any]]:
    place = func.row_number().over(partition_by=instances.c.series, order_by=instances.c.id)
    whole = func.count().over(partition_by=instances.c.series)
    pixels = func.count(instances.c.rows).over(partition_by=instances.c.series)
    numbered = (
        select(
            instances.c.series,
            instances.c.sop_instance_uid,
            instances.c.sop_class_uid,
            instances.c.number_of_frames,
            place.label("place"),
            whole.label("whole"),
            pixels.label("pixels"),
        )
        .join(series, series.c.id == instances.c.series)
        .where(series.c.study == study, visible(principal, action=Action.SEARCH))
        .subquery()
    )
    statement = (
        select(
            series.c.series_uid,
            series.c.modality,
            series.c.series_number,
            series.c.series_description,
            series.c.body_part_examined,
            series.c.laterality,
            series.c.protocol_name,
            series.c.station_name,
            series.c.institution_name,
            series.c.last_arrival_at,
            numbered.c.sop_instance_uid,
            numbered.c.sop_class_uid,
            numbered.c.number_of_frames,
            numbered.c.whole,
            numbered.c.pixels,
        )
        .join(numbered, numbered.c.series == series.c.id)
        .where(numbered.c.place == (numbered.c.whole + 1) // 2)
        .order_by(series.c.id)
    )
    found = [
        {
            "series_uid": row.series_uid,
            "modality": row.modality,
            "number": row.series_number,
            "description": row.series_description,
            "body_part": row.body_part_examined,
            "laterality": row.laterality,
            "protocol": row.protocol_name,
            "station": row.station_name,
            "institution": row.institution_name,
            "instances": row.whole,
            "images": row.pixels,
            "last_arrival_at": row.last_arrival_at.isoformat(),
            "objects": [],
            "thumbnail": {
                "sop_instance_uid": row.sop_instance_uid,
                "sop_class_uid": row.sop_class_uid,
                "frames": row.number_of_frames or 1,
            },
        }
        for row in connection.execute(statement)
    ]
    return sorted(found, key=_by_number)


def _by_number(one: Mapping[str, Any]) -> tuple[int, int]:
    text = one["number"].strip()
    return (0, int(text)) if re.fullmatch(r"[+-]?[0-9]{1,15}", text) else (1, 0)


def priors(
    connection: Connection, principal: Principal, study_uid: str, *, limit: int, row: int | None = None
) -> list[dict[str, Any]] | None:
    """The other studies of the patient that the principal sees, the newest first; None where it sees no such study.

    Of the same patient: the same ID of the same issuer, and nothing that contradicts. Doubts are left to the steward:
    of a study that is under several patients there are none, unless `row` says which of them is meant.
    """
    own = [one for one in _study(connection, principal, study_uid) if row is None or one.id == row]
    if not own:
        return None
    people = {one.patient for one in own}
    if len(people) > 1:
        return []
    statement = (
        select(*_COLUMNS)
        .select_from(studies.join(patients, studies.c.patient == patients.c.id))
        .where(studies.c.patient.in_(people), studies.c.study_uid != study_uid, *_open(principal))
        .order_by(studies.c.study_date.desc(), studies.c.study_time.desc(), studies.c.id.desc())
        .limit(limit)
    )
    found = connection.execute(statement).fetchall()
    before = own[0].study_date
    rows = _rows(connection, principal, found)
    for one in rows:
        one["earlier"] = bool(before) and one["date"] < before
    return rows


def among(connection: Connection, principal: Principal, study_uids: Sequence[str]) -> set[str]:
    """Those of the studies that the principal may find."""
    statement = select(studies.c.study_uid).where(studies.c.study_uid.in_(study_uids), *_open(principal))
    return set(connection.scalars(statement))


assert all(KEYS[tag].matched or tag == 0x00201208 for tags in ORDERS.values() for tag in tags)
