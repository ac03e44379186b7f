"""What was taken leniently when objects were stored, for a steward: by study, and in a study by what it was."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, func, select

from filmless.access.model import Action, Principal
from filmless.archive.query.visibility import in_force, seen
from filmless.archive.tables import instance_warnings, instances, series, studies

#: warnings that are looked at for one page: an import of years may have left millions
_WINDOW: Final = 20_000
#: kinds of one study that are told
MOST_GROUPS: Final = 200
#: objects of a kind that are named
MOST_NAMED: Final = 100


@dataclass(frozen=True, slots=True)
class Doubted:
    """A study with warnings. `newest`: number of its last one; `objects` have them."""

    row: int
    newest: int
    objects: int


def newest(
    connection: Connection, principal: Principal, *, limit: int, before: int = 0, window: int = _WINDOW
) -> tuple[list[Doubted], int]:
    """Studies with warnings, the newest warning first, and `before` of the next page (0: there is none).

    One page looks at no more than `window` warnings, so that it may be short, or empty with others behind it.
    """
    near = select(instance_warnings.c.id, instance_warnings.c.sop_instance_uid)
    if before:
        near = near.where(instance_warnings.c.id < before)
    near = near.order_by(instance_warnings.c.id.desc()).limit(window)
    within = near.subquery()
    last = connection.execute(select(func.min(within.c.id), func.count()).select_from(within)).one()
    top = func.max(within.c.id)
    found = connection.execute(
        select(studies.c.id, top)
        .select_from(
            within.join(instances, instances.c.sop_instance_uid == within.c.sop_instance_uid)
            .join(series, series.c.id == instances.c.series)
            .join(studies, studies.c.id == series.c.study)
        )
        .where(*_open_to(principal))
        .group_by(studies.c.id)
        .order_by(top.desc())
    ).all()
    shown: list[Doubted] = []
    for start in range(0, len(found), limit + 1):
        part = found[start : start + limit + 1]
        whole = _whole(connection, principal, [row[0] for row in part])
        # those with newer warnings were on a page before this one
        shown += [whole[row] for row, number in part if row in whole and whole[row].newest == number]
        if len(shown) > limit:
            return shown[:limit], shown[limit - 1].newest
    return shown, last[0] if last[1] == window else 0


def _whole(connection: Connection, principal: Principal, rows: Sequence[int]) -> dict[int, Doubted]:
    """row of `studies` -> what there is in all of it."""
    query = (
        _within(
            principal,
            series.c.study,
            func.max(instance_warnings.c.id).label("newest"),
            func.count(instances.c.id.distinct()).label("objects"),
        )
        .where(series.c.study.in_(rows))
        .group_by(series.c.study)
    )
    return {row.study: Doubted(row.study, row.newest, row.objects) for row in connection.execute(query)}


def kinds(connection: Connection, principal: Principal, study: int) -> list[dict[str, Any]]:
    """What was taken leniently in a study (its row): attribute and text, those of most objects first, each with how
    many objects and the first MOST_NAMED of them in the order of series and images. At most MOST_GROUPS + 1.
    """
    alike = (instance_warnings.c.tag, instance_warnings.c.text)
    where = (series.c.study == study,)
    most = connection.execute(
        _within(principal, *alike, func.count(instances.c.id.distinct()).label("objects"))
        .where(*where)
        .group_by(*alike)
        .order_by(func.count(instances.c.id.distinct()).desc(), *alike)
        .limit(MOST_GROUPS + 1)
    ).all()
    number = instances.c.instance_number
    # whole numbers by what they count, whatever came first
    series_number = series.c.series_number
    order = (
        *(func.length(series_number), series_number, series.c.id),
        *(func.length(number), number, instances.c.id),
    )
    place = func.row_number().over(partition_by=alike, order_by=order)
    numbered = (
        _within(
            principal,
            *alike,
            series.c.series_uid,
            series_number,
            instances.c.sop_instance_uid,
            number,
            place.label("place"),
        )
        .where(*where)
        .subquery()
    )
    objects: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in connection.execute(
        select(numbered)
        .where(numbered.c.place <= MOST_NAMED)
        .order_by(numbered.c.tag, numbered.c.text, numbered.c.place)
    ):
        objects.setdefault((row.tag, row.text), []).append(
            {
                "series_uid": row.series_uid,
                "series_number": row.series_number,
                "sop_instance_uid": row.sop_instance_uid,
                "instance_number": row.instance_number,
            }
        )
    return [
        {
            "tag": row.tag,
            "text": row.text,
            "objects": row.objects,
            "named": objects.get((row.tag, row.text), []),
        }
        for row in most
    ]


def _within(principal: Principal, *columns: Any) -> Select[Any]:
    """Of the warnings of objects in force, of studies of which this principal may settle doubts."""
    return (
        select(*columns)
        .select_from(
            studies.join(series, series.c.study == studies.c.id)
            .join(instances, instances.c.series == series.c.id)
            .join(instance_warnings, instance_warnings.c.sop_instance_uid == instances.c.sop_instance_uid)
        )
        .where(*_open_to(principal))
    )


def _open_to(principal: Principal) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return in_force("IMAGE", principal), seen(principal, studies, action=Action.FLAGS)
