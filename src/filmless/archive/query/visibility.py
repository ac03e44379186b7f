"""What a principal may see of the archive. In every archive query, so that every edge obeys.

Rejected objects are hidden; those rejected for quality reasons exist for quality control only (IHE RAD IOCM).
Superseded versions are never seen: an instance's row names the one in force. A series, study or patient is seen
when something in it is.
"""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, exists, select

from filmless.access.model import Principal
from filmless.archive.model import QUALITY_CODE
from filmless.archive.query.keys import Level
from filmless.archive.tables import instances, series, studies
from filmless.patients.tables import patients


def visible(principal: Principal, table: FromClause = instances) -> ColumnElement[bool]:
    """The condition on rows of `instances` (or an alias of it) that this principal may see."""
    if principal.quality_control:
        return table.c.rejected.in_(("", QUALITY_CODE))
    return table.c.rejected == ""


def visible_at(level: Level, principal: Principal, table: FromClause | None = None) -> ColumnElement[bool]:
    """The same for rows of a level's table (or an alias of it).

    For most principals the counts that ingest and rejection keep answer it; for quality control the instances.
    """
    if level == "IMAGE":
        return visible(principal, instances if table is None else table)
    if level == "PATIENT":
        own = patients if table is None else table
        study = studies.alias()
        return exists(
            select(study.c.id).where(study.c.patient == own.c.id, visible_at("STUDY", principal, study))
        )
    own = (studies if level == "STUDY" else series) if table is None else table
    if not principal.quality_control:
        return own.c.instance_count > 0
    instance = instances.alias()
    inside: Select[Any] = select(instance.c.id).where(visible(principal, instance))
    if level == "SERIES":
        return exists(inside.where(instance.c.series == own.c.id))
    one = series.alias()
    return exists(inside.where(instance.c.series == one.c.id, one.c.study == own.c.id))
