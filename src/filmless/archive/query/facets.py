"""Facets of the study table: what the studies found are of, and how many of each."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, distinct, func, literal, null, select, union_all

from filmless.access.model import Principal
from filmless.archive.query.listing import Wanted, matching
from filmless.archive.query.visibility import in_force
from filmless.archive.tables import series, studies

#: values of one facet at most
_VALUES: Final = 30
#: facets are of about so many studies: they are asked for with each search, and must not read the whole archive
FACETED: Final = 5_000
_COLUMNS: Final = {
    "modality": series.c.modality,
    "station": series.c.station_name,
    "institution": series.c.institution_name,
    "body_part": series.c.body_part_examined,
}
FACETS: Final = tuple(_COLUMNS)
#: what narrows the search to values of a facet
_FIELDS: Final = {
    "modality": "modalities",
    "station": "stations",
    "institution": "institutions",
    "body_part": "body_parts",
}


@dataclass(frozen=True, slots=True)
class Faceted:
    """For each facet its most frequent values, with their numbers of studies."""

    values: dict[str, list[dict[str, Any]]]
    #: False: more were found than are looked at, there are at least so many
    complete: bool


def facets(
    connection: Connection, principal: Principal, wanted: Wanted, names: Iterable[str], *, most: int = FACETED
) -> Faceted:
    """The facets of the studies found; where these are more than `most`, of the newest of them."""
    alike: dict[Wanted, list[str]] = {}
    for name in names:
        # what is chosen of a facet does not narrow the facet itself: other values can be added
        without: dict[str, Any] = {_FIELDS[name]: ()}
        alike.setdefault(replace(wanted, **without), []).append(name)
    found: dict[str, list[tuple[str, int]]] = {name: [] for group in alike.values() for name in group}
    complete = True
    for narrowed, group in alike.items():
        newest = (
            matching(principal, narrowed)
            .order_by(studies.c.study_date.desc(), studies.c.study_time.desc(), studies.c.id.desc())
            .limit(most + 1)
            .cte("newest")
            .prefix_with("MATERIALIZED")
        )
        parts = [
            select(literal(name), _COLUMNS[name], func.count(distinct(series.c.study)))
            # IN, not a join: the studies lead to their series
            .where(
                series.c.study.in_(select(newest.c.id)), in_force("SERIES", principal), _COLUMNS[name] != ""
            )
            .group_by(_COLUMNS[name])
            for name in group
        ]
        number = select(literal(""), null(), func.count()).select_from(newest)
        for name, value, studies_ in connection.execute(union_all(*parts, number)):
            if name:
                found[name].append((value, studies_))
            elif studies_ > most:
                complete = False
    values = {
        name: [
            {"value": value, "studies": number}
            for value, number in sorted(found[name], key=lambda one: (-one[1], one[0]))[:_VALUES]
        ]
        for name in found
    }
    return Faceted(values, complete)
