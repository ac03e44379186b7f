"""Reads the identifier of a C-MOVE or C-GET request and checks its unique keys (PS3.4 C.4.2.1.4, C.4.2.2, C.6)."""

import re
from dataclasses import dataclass
from typing import Literal

from filmless.dicom.header import Header, text
from filmless.dicom.scan import scan
from filmless.dicom.sopclasses import (
    PATIENT_ROOT_GET,
    PATIENT_ROOT_MOVE,
    PATIENT_STUDY_ONLY_GET,
    PATIENT_STUDY_ONLY_MOVE,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
)
from filmless.kit.errors import Refused

Level = Literal["PATIENT", "STUDY", "SERIES", "IMAGE"]

_LEVEL_TAG = 0x00080052
_PATIENT_ID = 0x00100020
_ISSUER = 0x00100021
#: level -> (tag, keyword) of its unique key, from the top down
UNIQUE_KEYS: dict[Level, tuple[int, str]] = {
    "PATIENT": (_PATIENT_ID, "Patient ID"),
    "STUDY": (0x0020000D, "Study Instance UID"),
    "SERIES": (0x0020000E, "Series Instance UID"),
    "IMAGE": (0x00080018, "SOP Instance UID"),
}
#: the levels of each information model, from the top down
LEVELS: dict[str, tuple[Level, ...]] = {
    **dict.fromkeys((PATIENT_ROOT_MOVE, PATIENT_ROOT_GET), ("PATIENT", "STUDY", "SERIES", "IMAGE")),
    **dict.fromkeys((STUDY_ROOT_MOVE, STUDY_ROOT_GET), ("STUDY", "SERIES", "IMAGE")),
    **dict.fromkeys((PATIENT_STUDY_ONLY_MOVE, PATIENT_STUDY_ONLY_GET), ("PATIENT", "STUDY")),
}
_WANTED = frozenset({0x00080005, _LEVEL_TAG, _ISSUER, *(tag for tag, _ in UNIQUE_KEYS.values())})
_UID = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: the objects under these keys. An empty key does not restrict."""

    level: Level
    patient_id: str = ""
    issuer: str = ""
    study_uids: tuple[str, ...] = ()
    series_uids: tuple[str, ...] = ()
    sop_uids: tuple[str, ...] = ()
    #: the patient that a request of the Study Root model names besides its keys: matters where one Study Instance
    #: UID is of several patients
    named_patient_id: str = ""
    named_issuer: str = ""


class BadIdentifier(Refused):
    """The identifier does not match the SOP class: status A900."""


def read_identifier(
    data: bytes, transfer_syntax_uid: str, sop_class_uid: str, *, relational: bool, character_set: str = ""
) -> Wanted:
    """What an identifier asks for. Raises BadIdentifier with a reason of at most 64 characters.

    Hierarchical (PS3.4 C.4.2.2.1): one value for the unique key of each level above, one or more at the level
    asked for (one Patient ID). `relational` (C.4.2.2.2): keys above may be absent, and UIDs may be lists.
    A key below the level would silently be more than was asked, so it is refused. `character_set`: assumed where
    the identifier declares none.
    """
    header = scan(data, transfer_syntax_uid, _WANTED)
    if header.truncated:
        raise BadIdentifier("the identifier cannot be read")
    levels = LEVELS[sop_class_uid]
    name = text(header, _LEVEL_TAG).upper()
    level = next((known for known in levels if known == name), None)
    if level is None:
        raise BadIdentifier("Query/Retrieve Level missing or not in this model")
    found: dict[Level, tuple[str, ...]] = {}
    for each, (tag, keyword) in UNIQUE_KEYS.items():
        if each == "PATIENT":
            patient_id = text(header, tag, character_set)
            found[each] = (patient_id,) if patient_id else ()
        else:
            found[each] = _uids(header, tag, keyword)
    _check(levels, level, found, relational=relational)
    patient = (found["PATIENT"][0], text(header, _ISSUER, character_set)) if found["PATIENT"] else ("", "")
    nobody = ("", "")
    of, named = (patient, nobody) if "PATIENT" in levels else (nobody, patient)
    return Wanted(level, *of, found["STUDY"], found["SERIES"], found["IMAGE"], *named)


def _uids(header: Header, tag: int, keyword: str) -> tuple[str, ...]:
    value = header.values.get(tag, ("", b""))[1].decode("ascii", "replace")
    uids = tuple(uid for part in value.split("\\") if (uid := part.strip("\0 ")))
    if not all(_UID.fullmatch(uid) for uid in uids):
        raise BadIdentifier(f"{keyword} is not a UID or a list of UIDs")
    return tuple(dict.fromkeys(uids))


def _check(
    levels: tuple[Level, ...], level: Level, found: dict[Level, tuple[str, ...]], *, relational: bool
) -> None:
    depth = levels.index(level)
    if not found[level]:
        raise BadIdentifier(f"{UNIQUE_KEYS[level][1]} missing at the level {level}")
    if not relational:
        for above in levels[:depth]:
            if len(found[above]) != 1:
                raise BadIdentifier(f"one {UNIQUE_KEYS[above][1]} needed at the level {level}")
    order: list[Level] = list(UNIQUE_KEYS)
    for below in order[order.index(level) + 1 :]:
        if found[below]:
            raise BadIdentifier(f"{UNIQUE_KEYS[below][1]} not allowed at the level {level}")
