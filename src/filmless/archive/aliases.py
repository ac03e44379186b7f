"""Numbers by which studies are found besides their accession number: written by rooms above, read by every search."""

from collections.abc import Iterable

from sqlalchemy import Connection, Select, delete, insert, select

from filmless.archive.tables import studies, study_aliases


def put(connection: Connection, study_uid: str, numbers: Iterable[str]) -> None:
    """All numbers that find a study from now on, whether or not it has images yet; in the caller's transaction."""
    connection.execute(delete(study_aliases).where(study_aliases.c.study_uid == study_uid))
    rows = [{"number": number, "study_uid": study_uid} for number in dict.fromkeys(numbers) if number]
    if rows:
        connection.execute(insert(study_aliases), rows)


def found_by(number: str) -> Select[tuple[int]]:
    """The ids of studies whose accession number this is, or was."""
    inside = studies.alias()
    by_number = select(inside.c.id).where(inside.c.accession_number == number)
    by_alias = (
        select(inside.c.id)
        .join(study_aliases, study_aliases.c.study_uid == inside.c.study_uid)
        .where(study_aliases.c.number == number)
    )
    return select(by_number.union(by_alias).subquery().c.id)
