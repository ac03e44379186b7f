"""The keys of the query/retrieve information models (PS3.4 C.6): at which level, and what of the index answers them.

One line here makes an attribute searchable; where it needs a column of its own, that and a migration.
"""

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Column, Table

from filmless.archive import levels
from filmless.archive.searchable import NO_KEYS, SearchKey, SearchKeys
from filmless.archive.tables import instances, series, studies
from filmless.dicom.attributes import BY_TAG
from filmless.patients.tables import patients

Level = Literal["PATIENT", "STUDY", "SERIES", "IMAGE"]

LEVELS: tuple[Level, ...] = ("PATIENT", "STUDY", "SERIES", "IMAGE")
TABLES: dict[Level, Table] = {"PATIENT": patients, "STUDY": studies, "SERIES": series, "IMAGE": instances}
#: level -> tag of its unique key (PS3.4 C.6.1.1, C.6.2.1)
UNIQUE_KEYS: dict[Level, int] = {
    "PATIENT": 0x00100020,
    "STUDY": 0x0020000D,
    "SERIES": 0x0020000E,
    "IMAGE": 0x00080018,
}

SPECIFIC_CHARACTER_SET = 0x00080005
QUERY_RETRIEVE_LEVEL = 0x00080052
RETRIEVE_AE_TITLE = 0x00080054
INSTANCE_AVAILABILITY = 0x00080056
MODALITIES_IN_STUDY = 0x00080061
SOP_CLASSES_IN_STUDY = 0x00080062
TIMEZONE_OFFSET = 0x00080201
PATIENT_STUDIES, PATIENT_SERIES, PATIENT_INSTANCES = 0x00201200, 0x00201202, 0x00201204
STUDY_SERIES, STUDY_INSTANCES, SERIES_INSTANCES = 0x00201206, 0x00201208, 0x00201209
PATIENT_NAME = 0x00100010
#: found by what it was before, too
ACCESSION_NUMBER = 0x00080050
#: the issuer of an accession number is in a column: either item key is compared with it
ACCESSION_ISSUER = 0x00080051
ACCESSION_ISSUER_ITEM = (0x00400031, 0x00400032)

#: how a key is compared with its columns
Kind = Literal[
    "text",  # as it is
    "folded",  # the column holds patients.names.normal of the value
    "name",  # three columns, one per component group
    "joined-name",  # one column, patients.names.keys joined by "="
    "number",
    "sequence",  # rows of attribute_values
    "computed",  # see archive/query/sql.py
    "returned",  # returned, never matched
    "extra",  # rows of attribute_values under `path`: made searchable by an engineer
]


@dataclass(frozen=True, slots=True)
class Key:
    """One attribute that can be asked for."""

    tag: int
    keyword: str
    vr: str
    level: Level
    kind: Kind
    #: what holds the value to return; None: the level's `attributes`, or computed
    column: Column[Any] | None = None
    #: what it is matched with
    matched: tuple[Column[Any], ...] = ()
    #: the column holds it completed or cut to fit: the level's `attributes` has it as received
    as_received: bool = False
    #: of an extra key
    extra: SearchKey | None = None


def _of(tag: int, level: Level, column: Column[Any], *matched: Column[Any], kind: Kind = "text") -> Key:
    attribute = BY_TAG[tag]
    # times are completed in their columns, unsound dates left out, and SH may be longer than it should
    as_received = attribute.vr in ("DA", "TM", "SH")
    return Key(tag, attribute.keyword, attribute.vr, level, kind, column, matched or (column,), as_received)


_KEYS: tuple[Key, ...] = (
    _of(
        PATIENT_NAME,
        "PATIENT",
        patients.c.name,
        patients.c.name_alphabetic,
        patients.c.name_ideographic,
        patients.c.name_phonetic,
        kind="name",
    ),
    _of(0x00100020, "PATIENT", patients.c.patient_id),
    _of(0x00100021, "PATIENT", patients.c.issuer),
    _of(0x00100030, "PATIENT", patients.c.birth_date),
    _of(0x00100032, "PATIENT", patients.c.birth_time),
    _of(0x00100040, "PATIENT", patients.c.sex),
    _of(0x0020000D, "STUDY", studies.c.study_uid),
    _of(0x00080020, "STUDY", studies.c.study_date),
    _of(0x00080030, "STUDY", studies.c.study_time),
    _of(0x00080050, "STUDY", studies.c.accession_number),
    _of(0x00200010, "STUDY", studies.c.study_id),
    _of(0x00081030, "STUDY", studies.c.study_description, studies.c.study_description_key, kind="folded"),
    _of(
        0x00080090,
        "STUDY",
        studies.c.referring_physician_name,
        studies.c.referring_physician_key,
        kind="joined-name",
    ),
    Key(MODALITIES_IN_STUDY, "ModalitiesInStudy", "CS", "STUDY", "computed"),
    Key(SOP_CLASSES_IN_STUDY, "SOPClassesInStudy", "UI", "STUDY", "computed"),
    _of(0x0020000E, "SERIES", series.c.series_uid),
    _of(0x00080060, "SERIES", series.c.modality),
    _of(0x00200011, "SERIES", series.c.series_number),
    _of(0x0008103E, "SERIES", series.c.series_description, series.c.series_description_key, kind="folded"),
    _of(0x00180015, "SERIES", series.c.body_part_examined),
    _of(0x00200060, "SERIES", series.c.laterality),
    _of(0x00181030, "SERIES", series.c.protocol_name),
    _of(0x00081010, "SERIES", series.c.station_name),
    _of(0x00080080, "SERIES", series.c.institution_name),
    _of(0x00400244, "SERIES", series.c.performed_date),
    _of(0x00400245, "SERIES", series.c.performed_time),
    _of(0x00080018, "IMAGE", instances.c.sop_instance_uid),
    _of(0x00080016, "IMAGE", instances.c.sop_class_uid),
    _of(0x00200013, "IMAGE", instances.c.instance_number),
    _of(0x00080023, "IMAGE", instances.c.content_date),
    _of(0x00080033, "IMAGE", instances.c.content_time),
    _of(0x00280010, "IMAGE", instances.c.rows, kind="number"),
    _of(0x00280011, "IMAGE", instances.c.columns, kind="number"),
    _of(0x00280100, "IMAGE", instances.c.bits_allocated, kind="number"),
    _of(0x00280008, "IMAGE", instances.c.number_of_frames, kind="number"),
    Key(PATIENT_STUDIES, "NumberOfPatientRelatedStudies", "IS", "PATIENT", "computed"),
    Key(PATIENT_SERIES, "NumberOfPatientRelatedSeries", "IS", "PATIENT", "computed"),
    Key(PATIENT_INSTANCES, "NumberOfPatientRelatedInstances", "IS", "PATIENT", "computed"),
    Key(STUDY_SERIES, "NumberOfStudyRelatedSeries", "IS", "STUDY", "computed"),
    Key(STUDY_INSTANCES, "NumberOfStudyRelatedInstances", "IS", "STUDY", "computed"),
    Key(SERIES_INSTANCES, "NumberOfSeriesRelatedInstances", "IS", "SERIES", "computed"),
)

#: sequences of the index: tag -> (word of the level, path, tags inside)
SEQUENCES = levels.SEQUENCES

_INDEX_LEVELS: dict[str, Level] = {
    "patient": "PATIENT",
    "study": "STUDY",
    "series": "SERIES",
    "instance": "IMAGE",
}


def _rest() -> list[Key]:
    """What ingest keeps in `attributes` besides the columns: sequences can be matched, others only returned."""
    known = {key.tag for key in _KEYS}
    found = []
    for level, tags in (
        ("PATIENT", levels.PATIENT),
        ("STUDY", levels.STUDY),
        ("SERIES", levels.SERIES),
        ("IMAGE", levels.INSTANCE),
    ):
        for tag in tags:
            attribute = BY_TAG.get(tag)
            if attribute is None or tag in known or tag == SPECIFIC_CHARACTER_SET:
                continue
            kind: Kind = "sequence" if tag in levels.SEQUENCES or tag == ACCESSION_ISSUER else "returned"
            found.append(Key(tag, attribute.keyword, attribute.vr, level, kind, as_received=True))  # type: ignore[arg-type]
    return found


#: tag -> key, of every attribute that is supported
KEYS: dict[int, Key] = {key.tag: key for key in (*_KEYS, *_rest())}

#: a date and the time that goes with it: matched as one where combined matching was negotiated (C.2.2.2.5.2)
DATE_AND_TIME: dict[int, int] = {
    0x00080020: 0x00080030,
    0x00100030: 0x00100032,
    0x00400244: 0x00400245,
    0x00080023: 0x00080033,
}


def key_of(tag: int, extras: SearchKeys = NO_KEYS) -> Key | None:
    """The key for a tag at the top of a request, `extras` included; None where it is not supported."""
    own = KEYS.get(tag)
    if own is not None and own.kind != "returned":
        return own
    if (extra := extras.plain.get(tag)) is not None:
        return Key(tag, extra.path, extra.vr, _INDEX_LEVELS[extra.level], "extra", extra=extra)
    if (inside := extras.sequences.get(tag)) is not None:
        level = _INDEX_LEVELS[inside[0].level]
        return own or Key(tag, inside[0].path.split(".")[0], "SQ", level, "sequence")
    return own


def level_of_sequence(tag: int) -> tuple[Level, str, dict[int, str]]:
    """(level, path in attribute_values, tags inside -> keyword) of a sequence that can be matched."""
    level, path, inside = levels.SEQUENCES[tag]
    return _INDEX_LEVELS[level], path, inside


def matchable_in(tag: int) -> tuple[int, ...]:
    """The tags inside a sequence of the index that can be matched."""
    if tag == ACCESSION_ISSUER:
        return ACCESSION_ISSUER_ITEM
    return tuple(levels.SEQUENCES[tag][2]) if tag in levels.SEQUENCES else ()


def level_of_word(word: str) -> Level:
    """The level that attribute_values call by this word."""
    return _INDEX_LEVELS[word]


#: attributes inside items that are not in the index by themselves
ITEM_VRS = {
    0x00400009: "SH",
    0x00400031: "UT",
    0x00400032: "UT",
    0x00080100: "SH",
    0x00080102: "SH",
    0x00080104: "LO",
}


def vr_of_item(tag: int, sent: str) -> str:
    """The VR of an attribute inside an item of a sequence that can be matched."""
    attribute = BY_TAG.get(tag)
    return attribute.vr if attribute else ITEM_VRS.get(tag) or sent or "LO"
