"""What the pages of a share link show of the archive: found by queries on behalf of the link, like everything else."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from filmless.access.model import Principal
from filmless.archive.query import LEVELS, Asked, Options, Query, search, understand
from filmless.archive.query.keys import Level

PATIENT_NAME: Final = 0x00100010
STUDY_UID: Final = 0x0020000D
STUDY_DATE: Final = 0x00080020
STUDY_DESCRIPTION: Final = 0x00081030
MODALITIES: Final = 0x00080061
STUDY_INSTANCES: Final = 0x00201208
SERIES_UID: Final = 0x0020000E
SERIES_NUMBER: Final = 0x00200011
SERIES_DESCRIPTION: Final = 0x0008103E
MODALITY: Final = 0x00080060
SERIES_INSTANCES: Final = 0x00201209
SOP_UID: Final = 0x00080018
INSTANCE_NUMBER: Final = 0x00200013
FRAMES: Final = 0x00280008

#: images on one page
PAGE: Final = 200
#: more series than this are not listed
_MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class SharedSeries:
    uid: str
    number: str
    description: str
    modality: str
    count: int


@dataclass(frozen=True, slots=True)
class SharedStudy:
    uid: str
    patient: str
    date: str
    description: str
    modalities: str
    count: int
    series: tuple[SharedSeries, ...]


@dataclass(frozen=True, slots=True)
class SharedImages:
    """Some images of a series in the order of their numbers; `total` is of all."""

    study_uid: str
    series_uid: str
    title: str
    #: (SOP Instance UID, number, frames)
    images: tuple[tuple[str, str, int], ...]
    first: int
    total: int


def study_of(connection: Connection, principal: Principal) -> SharedStudy | None:
    """The study that the link opens; None where it is not here (any more)."""
    tags = (PATIENT_NAME, STUDY_DATE, STUDY_DESCRIPTION, MODALITIES, STUDY_INSTANCES)
    found = list(search(connection, principal, _query("STUDY", {STUDY_UID: principal.study}, tags, 2)))
    if len(found) != 1:
        # of several patients by now: none of them is the one for whom it was opened
        return None
    one = found[0]
    tags = (SERIES_NUMBER, SERIES_DESCRIPTION, MODALITY, SERIES_INSTANCES, SERIES_UID)
    rows = search(connection, principal, _query("SERIES", {STUDY_UID: principal.study}, tags, _MOST))
    series = [
        SharedSeries(
            row[SERIES_UID],
            row[SERIES_NUMBER],
            row[SERIES_DESCRIPTION],
            row[MODALITY],
            int(row[SERIES_INSTANCES]),
        )
        for row in rows
    ]
    return SharedStudy(
        principal.study,
        one[PATIENT_NAME],
        one[STUDY_DATE],
        one[STUDY_DESCRIPTION],
        one[MODALITIES].replace("\\", ", "),
        int(one[STUDY_INSTANCES]),
        tuple(sorted(series, key=lambda each: (_number(each.number), each.uid))),
    )


def images_of(
    connection: Connection, principal: Principal, series_uid: str, first: int
) -> SharedImages | None:
    """The images of a series of the study that the link opens, from that place on; None where there are none."""
    keys = {STUDY_UID: principal.study, SERIES_UID: series_uid}
    tags = (SERIES_NUMBER, SERIES_DESCRIPTION, MODALITY)
    found = list(search(connection, principal, _query("SERIES", keys, tags, 1)))
    if not found or study_of(connection, principal) is None:
        return None
    title = " ".join(
        filter(None, (found[0][MODALITY], found[0][SERIES_NUMBER], found[0][SERIES_DESCRIPTION]))
    )
    rows = search(connection, principal, _query("IMAGE", keys, (SOP_UID, INSTANCE_NUMBER, FRAMES), 0))
    images = sorted(
        ((row[SOP_UID], row[INSTANCE_NUMBER], int(row[FRAMES] or 1)) for row in rows),
        key=lambda each: (_number(each[1]), each[0]),
    )
    return SharedImages(
        principal.study, series_uid, title, tuple(images[first : first + PAGE]), first, len(images)
    )


def _query(level: Level, keys: dict[int, str], returned: tuple[int, ...], limit: int) -> Query:
    wanted = [Asked(tag, "", text) for tag, text in {**dict.fromkeys(returned, ""), **keys}.items()]
    query = understand(level, LEVELS, wanted, Options(relational=True)).query
    return Query(query.level, query.keys, query.returned, query.items, query.options, limit)


def _number(text: str) -> tuple[int, str]:
    try:
        return int(text), ""
    except ValueError:
        return 2**31, text
