"""What is told of what is below an entity: numbers of series and instances, modalities and SOP classes of a study.

Ingest and rejection keep them for what nobody is refused. For quality control, who sees what was rejected for quality
reasons besides, they are counted from the instances - of those studies and series that have such instances.
"""

import json
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    ColumnElement,
    FromClause,
    Text,
    case,
    cast,
    distinct,
    func,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from filmless.access.model import Action, Principal
from filmless.archive.model import QUALITY_CODE
from filmless.archive.query import keys as known
from filmless.archive.query.keys import Key, Level
from filmless.archive.query.visibility import in_force, seen
from filmless.archive.tables import instances, series, studies
from filmless.patients.tables import patients

#: made once, because making an alias copies its columns
_STUDY, _SERIES, _INSTANCE = studies.alias(), series.alias(), instances.alias()
_KEPT: Final[dict[int, ColumnElement[Any]]] = {
    known.MODALITIES_IN_STUDY: studies.c.modalities,
    known.SOP_CLASSES_IN_STUDY: cast(studies.c.sop_classes, Text),
    known.STUDY_SERIES: studies.c.series_count,
    known.STUDY_INSTANCES: studies.c.instance_count,
    known.SERIES_INSTANCES: series.c.instance_count,
}
LISTS: Final = frozenset({known.MODALITIES_IN_STUDY, known.SOP_CLASSES_IN_STUDY})


def expression(
    key: Key, principal: Principal, dialect: str, flag: ColumnElement[bool] | None = None
) -> ColumnElement[Any]:
    """The number, or the list as text (for `listed`), in a SELECT from the key's level.

    `flag`: what `with_rejected` says of the row, where it was asked already.
    """
    kept = _KEPT.get(key.tag)
    if kept is None:
        return _live_count(key, principal) if principal.quality_control else _kept_count(key, principal)
    if not principal.quality_control:
        return kept
    live = _live_list(key, principal, dialect) if key.tag in LISTS else _live_count(key, principal)
    if flag is None:
        flag = with_rejected(key.level, (series if key.level == "SERIES" else studies).c.id)
    return case((flag, live), else_=kept)


def kept(key: Key) -> ColumnElement[Any]:
    """What ingest and rejection keep: all that there is for who does not see rejected objects."""
    return _KEPT[key.tag]


def is_kept(key: Key, principal: Principal) -> bool:
    """Whether `with_rejected` decides what is told to this principal."""
    return principal.quality_control and key.tag in _KEPT


def listed(text: str | None) -> str:
    """A list, whichever way it was kept or joined, as values joined by backslash."""
    if not text:
        return ""
    if text[0] == "[":
        return "\\".join(sorted(json.loads(text)))
    if "," not in text:
        return text
    return "\\".join(sorted(filter(None, text.split(","))))


def with_rejected(level: Level, number: ColumnElement[Any]) -> ColumnElement[bool]:
    """The study or series of this number has something that only quality control sees."""
    return _SeriesWithRejected(number) if level == "SERIES" else _StudyWithRejected(number)


class _WithRejected(FunctionElement[bool]):
    """Looked up in the index of the few rejected instances: SQLite, which knows nothing of an index that is empty or
    was when it last counted, would open an instance of each series."""

    type = Boolean()
    inherit_cache = True


class _StudyWithRejected(_WithRejected):
    name = "study_with_rejected"
    inherit_cache = True


class _SeriesWithRejected(_WithRejected):
    name = "series_with_rejected"
    inherit_cache = True


@compiles(_WithRejected)
def _with_rejected(element: Any, compiler: SQLCompiler, **given: Any) -> str:
    (clause,) = element.clauses
    number = compiler.process(clause, **given)
    sqlite = compiler.dialect.name == "sqlite"
    instance = "instances AS rejected_instance" + (
        " INDEXED BY ix_instances_rejected_series" if sqlite else ""
    )
    # said twice, because the index is found by these words
    few = f"rejected_instance.rejected <> '' AND rejected_instance.rejected = '{QUALITY_CODE}'"
    # asked once: most archives have few of them, and many have none
    any_at_all = f"EXISTS (SELECT 1 FROM instances AS rejected_instance WHERE {few})"
    if isinstance(element, _SeriesWithRejected):
        below = f"SELECT 1 FROM {instance} WHERE {few} AND rejected_instance.series = {number}"
        return f"({any_at_all} AND EXISTS ({below}))"
    return (
        f"({any_at_all} AND EXISTS (SELECT 1 FROM series AS rejected_series CROSS JOIN {instance} WHERE {few}"
        f" AND rejected_instance.series = rejected_series.id AND rejected_series.study = {number}))"
    )


def _live_list(key: Key, principal: Principal, dialect: str) -> ColumnElement[Any]:
    """The modalities or SOP classes of what quality control sees of a study, joined by commas."""
    one, instance = _SERIES, _INSTANCE
    modalities = key.tag == known.MODALITIES_IN_STUDY
    value = one.c.modality if modalities else instance.c.sop_class_uid
    if dialect == "sqlite":
        joined: ColumnElement[Any] = func.group_concat(distinct(value))
    else:
        joined = func.string_agg(distinct(value), ",")
    inside = select(joined).where(one.c.study == studies.c.id)
    if modalities:
        inside = inside.where(in_force("SERIES", principal, one))
    else:
        inside = inside.where(instance.c.series == one.c.id, in_force("IMAGE", principal, instance))
    return inside.scalar_subquery()


def _live_count(key: Key, principal: Principal) -> ColumnElement[Any]:
    """A number of related entities, counted from the instances that the principal sees."""
    study, one, instance = _STUDY, _SERIES, _INSTANCE
    counted: dict[int, ColumnElement[Any]] = {
        known.PATIENT_STUDIES: study.c.id,
        known.PATIENT_SERIES: one.c.id,
        known.STUDY_SERIES: one.c.id,
    }
    inside = select(func.count(distinct(counted.get(key.tag, instance.c.id)))).where(
        instance.c.series == one.c.id,
        one.c.study == study.c.id,
        in_force("IMAGE", principal, instance),
    )
    if key.level == "PATIENT":
        inside = inside.where(seen(principal, study, action=Action.SEARCH))
    link: dict[str, ColumnElement[bool]] = {
        "PATIENT": study.c.patient == patients.c.id,
        "STUDY": study.c.id == studies.c.id,
        "SERIES": one.c.id == series.c.id,
    }
    return inside.where(link[key.level]).scalar_subquery()


def _kept_count(key: Key, principal: Principal) -> ColumnElement[Any]:
    """A number of a patient's related entities, from the counts of its studies."""
    study: FromClause = _STUDY
    match key.tag:
        case known.PATIENT_STUDIES:
            total: ColumnElement[Any] = func.count(study.c.id)
        case known.PATIENT_SERIES:
            total = func.coalesce(func.sum(study.c.series_count), 0)
        case _:
            total = func.coalesce(func.sum(study.c.instance_count), 0)
    counted = select(total).where(
        study.c.patient == patients.c.id,
        study.c.instance_count > 0,
        seen(principal, study, action=Action.SEARCH),
    )
    return counted.scalar_subquery()
