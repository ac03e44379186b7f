"""The newest studies of a family name, found without reading all that there are.

A search for "WANG*" is most often for a family name, and thousands of patients share some of them. What such a pattern
asks for are the studies of the few family names that begin so: each name's studies are in `study_families` in their
order, so that no more of them are read than are wanted. PS3.4 C.2.2.2.4; the names are those of the component groups
as they are compared (patients.names.key).
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Text,
    bindparam,
    func,
    null,
    select,
    union,
)

from filmless.archive.query.conditions import LAST
from filmless.archive.query.matching import Match, Name
from filmless.archive.query.request import ARRIVAL, Order, Query
from filmless.archive.tables import studies, study_families
from filmless.db.prepared import Prepared

#: family names that one pattern may stand for; more are found from the patients
MOST: Final = 8
#: the order in which study_families has the studies
_ORDER: Final = (
    Order(0x00080020, descending=True),
    Order(0x00080030, descending=True),
    Order(ARRIVAL, descending=True),
)


def beginning(query: Query, match: Match) -> str:
    """What family names are to begin with, where that is all that a key of the patient's name asks for; "" else."""
    if query.level != "STUDY" or query.order != _ORDER or not isinstance(match, Name):
        return ""
    start = match.any_group[:-1]
    if match.fuzzy or any(match.groups) or not match.any_group.endswith("*"):
        return ""
    return "" if any(one in start for one in "*?^") else start


def names(connection: Connection, start: str) -> list[str]:
    """The family names that begin so, in their order; one more than MOST where there are more."""
    return [row[0] for row in _NAMES.all(connection, {"start": start, "end": start + LAST})]


def _names() -> Select[Any]:
    """One look into the index for each name."""
    family = study_families.c.family
    start, end = bindparam("start", type_=Text), bindparam("end", type_=Text)
    first = select(func.min(family).label("name")).where(family >= start, family < end)
    found = first.cte("found", recursive=True)
    following = select(func.min(family)).where(family > found.c.name, family < end).scalar_subquery()
    found = found.union_all(select(following).where(found.c.name.is_not(null())))
    return select(found.c.name).where(found.c.name.is_not(null())).limit(MOST + 1)


def in_order(
    source: FromClause, own: Sequence[ColumnElement[bool]], families: Sequence[str], limit: int
) -> Select[Any]:
    """The newest `limit` studies of these family names: found_id, order_0, order_1, order_2.

    `source` has `studies` in it, and `own` are the conditions on its rows.
    """
    each = [_of(source, own, family, limit) for family in families]
    if len(each) == 1:
        return each[0]
    # a study may be of two of them, by its name in Latin letters and by its reading
    all_of = union(*(select(one.subquery()) for one in each)).subquery()
    ordered = (all_of.c[f"order_{number}"].desc() for number in range(3))
    return select(all_of).order_by(*ordered).limit(limit)


def _of(source: FromClause, own: Sequence[ColumnElement[bool]], family: str, limit: int) -> Select[Any]:
    of = study_families.alias()
    return (
        select(
            studies.c.id.label("found_id"),
            of.c.study_date.label("order_0"),
            of.c.study_time.label("order_1"),
            of.c.study.label("order_2"),
        )
        .select_from(source.join(of, of.c.study == studies.c.id))
        .where(of.c.family == family, *own)
        .order_by(of.c.study_date.desc(), of.c.study_time.desc(), of.c.study.desc())
        .limit(limit)
    )


_NAMES: Final = Prepared(_names())
