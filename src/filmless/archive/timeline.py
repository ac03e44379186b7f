"""Everything of a patient in one row of time: studies, documents, and whatever rooms above add by a source of theirs.

A source answers for one kind of items. It is asked for the items of some patients before a place in time, the newest
first, and sees to it that the principal gets none that is not for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from filmless.access.model import Action, Principal
from filmless.archive.query import listing
from filmless.archive.query.pictured import by_number
from filmless.archive.query.visibility import in_force, seen, visible
from filmless.archive.tables import attribute_values, instances, series, studies
from filmless.dicom.sopclasses import STORAGE
from filmless.patients.tables import patients

#: pictures of a study in its row
_PICTURES: Final = 8
#: structured reports and encapsulated documents (PS3.4 B.5); key objects and presentation states belong to the images
_DOCUMENT_PREFIXES: Final = ("1.2.840.10008.5.1.4.1.1.88.", "1.2.840.10008.5.1.4.1.1.104.")
_KEY_OBJECTS: Final = "1.2.840.10008.5.1.4.1.1.88.59"
DOCUMENTS: Final = tuple(uid for uid in STORAGE if uid.startswith(_DOCUMENT_PREFIXES) and uid != _KEY_OBJECTS)


@dataclass(frozen=True, slots=True)
class Person:
    """Whose timeline it is: rows of `patients`, and the same as (ID, issuer)."""

    rows: tuple[int, ...]
    ids: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where an item stands: the latest is the greatest. `key` tells items of one moment apart."""

    #: YYYYMMDD, "" where unknown: at the end
    date: str
    #: HHMMSS
    time: str
    key: str


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that happened to the patient."""

    kind: str
    place: Place
    title: str
    study_uid: str = ""
    accession_number: str = ""
    modalities: tuple[str, ...] = ()
    #: a word of the kind's own state table, "" where it has none
    state: str = ""
    #: what only this kind's row on the screen understands
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted. Empty: not restricted."""

    modalities: tuple[str, ...] = ()
    before: Place | None = None
    limit: int = 50


class Source(Protocol):
    """Items of one kind."""

    kind: str

    def count(self, connection: Connection, who: Principal, person: Person) -> int:
        """How many there are in all that `who` may know of."""

    def items(self, connection: Connection, who: Principal, person: Person, asked: Asked) -> Sequence[Item]:
        """The newest of those before the place, at most `asked.limit`."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Items, the newest first; `following`: the place behind which there are more."""

    items: list[Item]
    following: Place | None
    #: kind -> how many there are in all, whatever is filtered
    kinds: dict[str, int]
    modalities: list[str]


def person_of(connection: Connection, who: Principal, study_uid: str) -> tuple[Person, dict[str, str]] | None:
    """The patient of a study that `who` may find, and in words; None where there is no such study for it."""
    rows = connection.execute(
        select(patients)
        .join(studies, studies.c.patient == patients.c.id)
        .where(
            studies.c.study_uid == study_uid, in_force("STUDY", who), seen(who, studies, action=Action.SEARCH)
        )
        .order_by(studies.c.id)
    ).all()
    if not rows:
        return None
    person = Person(tuple(row.id for row in rows), tuple((row.patient_id, row.issuer) for row in rows))
    return person, listing.patient_words(rows[0])


def read(
    connection: Connection,
    who: Principal,
    person: Person,
    sources: Sequence[Source],
    asked: Asked,
    kinds: Sequence[str] = (),
) -> Timeline:
    """The items of all sources (of these kinds), merged by time."""
    found: list[Item] = []
    for source in sources:
        if not kinds or source.kind in kinds:
            found += source.items(
                connection, who, person, Asked(asked.modalities, asked.before, asked.limit + 1)
            )
    found.sort(key=lambda item: item.place, reverse=True)
    more = len(found) > asked.limit
    found = found[: asked.limit]
    return Timeline(
        found,
        found[-1].place if more else None,
        {source.kind: source.count(connection, who, person) for source in sources},
        _modalities(connection, who, person),
    )


def _modalities(connection: Connection, who: Principal, person: Person) -> list[str]:
    rows = connection.scalars(
        select(series.c.modality)
        .join(studies, studies.c.id == series.c.study)
        .where(
            studies.c.patient.in_(person.rows),
            seen(who, studies, action=Action.SEARCH),
            in_force("SERIES", who, series),
        )
        .distinct()
    )
    return sorted(set(rows) - {""})


def earlier(place: Place | None, date: Any, time: Any, key: Any) -> list[ColumnElement[bool]]:
    """Conditions on columns that a row stands before the place; for sources that ask tables."""
    if place is None:
        return []
    return [
        or_(
            date < place.date,
            and_(date == place.date, time < place.time),
            and_(date == place.date, time == place.time, key < place.key),
        )
    ]


class Studies:
    """Studies, with what stands for their series."""

    kind = "study"

    def count(self, connection: Connection, who: Principal, person: Person) -> int:
        query = select(func.count()).select_from(studies).where(*self._mine(who, person))
        return connection.scalar(query) or 0

    def items(self, connection: Connection, who: Principal, person: Person, asked: Asked) -> Sequence[Item]:
        time = func.substr(studies.c.study_time, 1, 6)
        wanted = [
            *self._mine(who, person),
            *earlier(asked.before, studies.c.study_date, time, studies.c.study_uid),
        ]
        if asked.modalities:
            one = series.alias()
            inside = select(one.c.id).where(
                one.c.study == studies.c.id,
                one.c.modality.in_(asked.modalities),
                in_force("SERIES", who, one),
            )
            wanted.append(inside.exists())
        order = (studies.c.study_date.desc(), time.desc(), studies.c.study_uid.desc())
        rows = listing.rows_of(connection, who, wanted, order, asked.limit)
        pictures = self._pictures(connection, who, [row["study_uid"] for row in rows])
        return [
            Item(
                self.kind,
                Place(row["date"], row["time"], row["study_uid"]),
                row["description"],
                row["study_uid"],
                row["accession_number"],
                tuple(row["modalities"]),
                more={
                    "series": row["series"],
                    "instances": row["instances"],
                    "sensitive": row["sensitive"],
                    "body_parts": row["body_parts"],
                    "institutions": row["institutions"],
                    "pictures": pictures.get(row["study_uid"], []),
                },
            )
            for row in rows
        ]

    def _mine(self, who: Principal, person: Person) -> list[ColumnElement[bool]]:
        return [
            studies.c.patient.in_(person.rows),
            in_force("STUDY", who),
            seen(who, studies, action=Action.SEARCH),
        ]

    def _pictures(
        self, connection: Connection, who: Principal, study_uids: Sequence[str]
    ) -> dict[str, list[dict[str, str]]]:
        """Series with images, the first of each study."""
        pixels = select(instances.c.id).where(
            instances.c.series == series.c.id,
            instances.c.rows.is_not(None),
            in_force("IMAGE", who, instances),
        )
        rows = connection.execute(
            select(
                studies.c.study_uid,
                series.c.series_uid,
                series.c.series_number,
                series.c.modality,
                series.c.series_description,
            )
            .join(studies, studies.c.id == series.c.study)
            .where(studies.c.study_uid.in_(study_uids), in_force("SERIES", who, series), pixels.exists())
        )
        found: dict[str, list[dict[str, str]]] = {}
        for row in sorted(rows, key=lambda row: (by_number(row.series_number), row.series_uid)):
            kept = found.setdefault(row.study_uid, [])
            if len(kept) < _PICTURES:
                kept.append(
                    {
                        "series_uid": row.series_uid,
                        "modality": row.modality,
                        "description": row.series_description,
                    }
                )
        return found


class Documents:
    """Structured reports and encapsulated documents (PDF, CDA), each by itself."""

    kind = "document"

    def count(self, connection: Connection, who: Principal, person: Person) -> int:
        inside = self._query(who, person).subquery()
        return connection.scalar(select(func.count()).select_from(inside)) or 0

    def items(self, connection: Connection, who: Principal, person: Person, asked: Asked) -> Sequence[Item]:
        date, time = _date(), _time()
        query = self._query(who, person).where(
            *earlier(asked.before, date, time, instances.c.sop_instance_uid)
        )
        if asked.modalities:
            query = query.where(series.c.modality.in_(asked.modalities))
        query = query.order_by(date.desc(), time.desc(), instances.c.sop_instance_uid.desc()).limit(
            asked.limit
        )
        rows = connection.execute(query).all()
        titles = self._titles(connection, [row.id for row in rows])
        return [
            Item(
                self.kind,
                Place(row.date, row.time, row.sop_instance_uid),
                titles.get(row.id) or row.series_description,
                row.study_uid,
                row.accession_number,
                (row.modality,) if row.modality else (),
                more={
                    "series_uid": row.series_uid,
                    "sop_instance_uid": row.sop_instance_uid,
                    "sop_class_uid": row.sop_class_uid,
                    "sop_class": STORAGE[row.sop_class_uid].name,
                    "study": row.study_description,
                    "study_date": row.study_date,
                },
            )
            for row in rows
        ]

    def _query(self, who: Principal, person: Person) -> Select[Any]:
        return (
            select(
                instances.c.id,
                instances.c.sop_instance_uid,
                instances.c.sop_class_uid,
                series.c.series_uid,
                series.c.series_description,
                series.c.modality,
                studies.c.study_uid,
                studies.c.accession_number,
                studies.c.study_description,
                studies.c.study_date,
                _date().label("date"),
                _time().label("time"),
            )
            .join(series, series.c.id == instances.c.series)
            .join(studies, studies.c.id == series.c.study)
            .where(
                studies.c.patient.in_(person.rows),
                instances.c.sop_class_uid.in_(DOCUMENTS),
                visible(who, instances, action=Action.SEARCH),
            )
        )

    def _titles(self, connection: Connection, rows: Sequence[int]) -> dict[int, str]:
        """What the documents call themselves: the meaning of the concept name (PS3.3 C.17.3.2)."""
        found = connection.execute(
            select(attribute_values.c.owner, attribute_values.c.value).where(
                attribute_values.c.level == "instance",
                attribute_values.c.owner.in_(rows),
                attribute_values.c.path == "ConceptNameCodeSequence.CodeMeaning",
            )
        )
        return {row.owner: row.value for row in found}


def _date() -> ColumnElement[str]:
    """When the document was written, or else its study's day."""
    return func.coalesce(func.nullif(instances.c.content_date, ""), studies.c.study_date)


def _time() -> ColumnElement[str]:
    own = func.substr(instances.c.content_time, 1, 6)
    return func.coalesce(func.nullif(own, ""), func.substr(studies.c.study_time, 1, 6))


#: what this room knows; app/ adds those of the rooms above
SOURCES: Final[tuple[Source, ...]] = (Studies(), Documents())
