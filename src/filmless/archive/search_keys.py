"""Making an attribute searchable, and taking that back.

A key is a row of `search_keys`. From the transaction that adds it on, everything that arrives is indexed for it; a
durable job reads the files of what was there (archive/search_index.py). Only then can the key be asked for, in C-FIND
and QIDO-RS alike, so that no answer is a part of the truth.
"""

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from filmless.archive import levels, rejection, searchable
from filmless.archive.entry import Entry, scan_file
from filmless.archive.searchable import LEVEL_WORDS, LevelWord, SearchKey
from filmless.archive.tables import attribute_values, instances, search_keys, series, studies
from filmless.db import events
from filmless.db.work import writing
from filmless.dicom.attributes import BY_TAG, TAG
from filmless.dicom.vr import dictionary_vr
from filmless.kit import clock
from filmless.kit.errors import Refused
from filmless.patients.tables import patients

log = logging.getLogger(__name__)

#: kind and queue of the job, and what stands for a device in the list of jobs
JOB: Final = "index-key"
QUEUE: Final = "indexing"
DEVICE: Final = "index"

#: keys at most: each costs every arriving object a little
MOST_KEYS: Final = 64
_DEEPEST: Final = 6
#: values that are deleted in one transaction
_DELETED: Final = 5_000
#: VRs that can be searched: text, dates and times, numbers, UIDs
_VRS: Final = searchable.NORMALISED | {
    "AE",
    "AS",
    "AT",
    "CS",
    "DT",
    "LO",
    "LT",
    "SH",
    "ST",
    "UC",
    "UI",
    "UR",
    "UT",
}
_NAME: Final = re.compile(r"[0-9A-Fa-f]{8}|[A-Za-z][A-Za-z0-9]{1,63}")


@dataclass(frozen=True, slots=True)
class Standing:
    """A key and how far it is."""

    key: SearchKey
    done: int
    total: int
    #: objects whose file could not be read for it
    failed: int
    job: str
    created_at: datetime
    created_by: str


def parse(text: str, *, vr: str = "") -> tuple[tuple[int, ...], str, str]:
    """(tags, path in keywords, VR) of an attribute: keyword, GGGGEEEE, or several joined by dots, sequences first.

    `vr`: of a private attribute, which no dictionary knows. Raises Refused.
    """
    words = text.strip().split(".")
    if len(words) > _DEEPEST or not all(_NAME.fullmatch(word) for word in words):
        raise Refused(
            f"{text!r} is no attribute: give a keyword (PatientComments), a tag (00104000), or a path with dots.",
            code="no-attribute",
        )
    tags = tuple(_tag(word) for word in words)
    for tag in tags[:-1]:
        if dictionary_vr(tag) not in ("SQ", "UN"):
            raise Refused(f"{_keyword(tag)} is not a sequence.", code="no-sequence")
    known = dictionary_vr(tags[-1]).split(" or ")[0]
    found = vr.upper() or known
    if known != "UN" and vr and found != known:
        raise Refused(f"{_keyword(tags[-1])} has the VR {known}.", code="wrong-vr")
    if found not in _VRS:
        raise Refused(
            f"{_keyword(tags[-1])} cannot be searched: its VR is {found}. "
            "Of a private attribute give the VR with --vr.",
            code="vr-not-searched",
        )
    path = ".".join(_keyword(tag) for tag in tags)
    if len(path) > 200:
        raise Refused("The path is too long.", code="no-attribute")
    return tags, path, found


def _tag(word: str) -> int:
    if word in TAG:
        return TAG[word]
    if re.fullmatch(r"[0-9A-Fa-f]{8}", word):
        return int(word, 16)
    from pydicom.datadict import tag_for_keyword

    tag = tag_for_keyword(word)
    if tag is None:
        raise Refused(f"There is no attribute {word}.", code="no-attribute")
    return tag


def _keyword(tag: int) -> str:
    if tag in BY_TAG:
        return BY_TAG[tag].keyword
    from pydicom.datadict import keyword_for_tag

    return keyword_for_tag(tag) or f"{tag:08X}"


def add(connection: Connection, text: str, *, level: LevelWord, by: str, vr: str = "") -> SearchKey:
    """Make an attribute searchable at a level, in the caller's write transaction; the job has to be added after it.

    Again for one that is not ready, it is the same key. Raises Refused where it is searchable, or cannot be.
    """
    # an object that arrives at this moment is either indexed for the key, or there when the job begins
    rejection.lock(connection, alone=True)
    tags, path, found_vr = parse(text, vr=vr)
    if level not in LEVEL_WORDS:
        raise Refused(f"The level is one of {', '.join(LEVEL_WORDS)}.", code="no-level")
    if _in_index(tags):
        raise Refused(f"{path} is searchable as it is.", code="searchable")
    keys = searchable.read(connection).keys
    for key in keys:
        if key.path == path and (key.ready or key.level != level):
            raise Refused(f"{path} is a search key already.", code="searchable")
        if key.path == path:
            # added, but cut off before its job was
            return key
    if len(keys) >= MOST_KEYS:
        raise Refused(f"There are {MOST_KEYS} search keys: remove one first.", code="too-many-keys")
    levels_there = {key.level for key in keys if len(tags) > 1 and key.tags[0] == tags[0]}
    if len(tags) > 1 and tags[0] in levels.SEQUENCES:
        levels_there.add(levels.SEQUENCES[tags[0]][0])  # type: ignore[arg-type]
    if levels_there - {level}:
        raise Refused(
            f"{path.split('.')[0]} is searched at {', '.join(sorted(levels_there))} level.",
            code="other-level",
        )
    number: int = connection.execute(
        insert(search_keys)
        .values(
            level=level,
            tags=".".join(f"{tag:08X}" for tag in tags),
            path=path,
            vr=found_vr,
            ready=False,
            total=connection.scalar(select(func.count()).select_from(TABLES[level])) or 0,
            created_at=clock.now(),
            created_by=by[:64],
        )
        .returning(search_keys.c.id)
    ).scalar_one()
    events.record(connection, [("search-key-added", {"path": path, "level": level, "by": by})])
    return SearchKey(number, level, tags, path, found_vr, ready=False)


def _in_index(tags: tuple[int, ...]) -> bool:
    # here: the index's writer loads this module and asks for nothing
    from filmless.archive.query.keys import KEYS, matchable_in

    if len(tags) == 2:
        return tags[1] in matchable_in(tags[0])
    key = KEYS.get(tags[0])
    return len(tags) == 1 and key is not None and key.kind != "returned"


def note_job(connection: Connection, key: int, job: str) -> None:
    """Remember which job indexes a key."""
    connection.execute(update(search_keys).where(search_keys.c.id == key).values(job=job))


def standings(connection: Connection) -> list[Standing]:
    """All keys, the oldest first."""
    by_id = {key.id: key for key in searchable.read(connection).keys}
    return [
        Standing(by_id[row.id], row.done, row.total, row.failed, row.job, row.created_at, row.created_by)
        for row in connection.execute(select(search_keys).order_by(search_keys.c.id))
    ]


def remove(engine: Engine, text: str, *, by: str) -> str:
    """Make an attribute unsearchable again, and delete its values; returns its path. Raises Refused."""
    with writing(engine) as connection:
        rejection.lock(connection, alone=True)
        _, path, _ = _found(connection, text)
        connection.execute(delete(search_keys).where(search_keys.c.path == path))
        events.record(connection, [("search-key-removed", {"path": path, "by": by})])
    # values that are left behind where this is cut off are deleted when the key is made again
    while True:
        with writing(engine) as connection:
            some = (
                select(attribute_values.c.id).where(attribute_values.c.path.in_(paths(path))).limit(_DELETED)
            )
            done = connection.execute(delete(attribute_values).where(attribute_values.c.id.in_(some)))
            if done.rowcount < _DELETED:
                return path


def _found(connection: Connection, text: str) -> tuple[int, str, LevelWord]:
    words = text.strip().lower()
    for key in searchable.read(connection).keys:
        if words in (key.path.lower(), ".".join(f"{tag:08x}" for tag in key.tags)):
            return key.id, key.path, key.level
    raise Refused(f"{text} is no search key. `filmless search-keys list` shows them.", code="no-key")


def paths(path: str) -> tuple[str, str]:
    return path, path + "#"


def read_for(connection: Connection, root: Path, arrived: Iterable[Entry]) -> None:
    """Read the values of the search keys of objects that are about to be filed, in the index writer's transaction.

    Here, because only a transaction knows for certain which keys there are.
    """
    keys = searchable.read(connection)
    for entry in arrived:
        if not keys.keys or entry.cause is not None:
            entry.search_values = []
            continue
        file, arrival = entry.file, entry.arrival
        try:
            header = scan_file(
                root / file.path, file.offset, file.size, arrival.transfer_syntax_uid, keys.wanted
            )
        except OSError as error:
            log.warning("search keys of %s were not read: %s", entry.sop_instance_uid, error.strerror)
            continue
        entry.search_values = [*searchable.values_of(header, keys, arrival.source.character_set)]


TABLES: Final[dict[LevelWord, Any]] = {
    "patient": patients,
    "study": studies,
    "series": series,
    "instance": instances,
}
