"""Which attributes belong to which level of the index (PS3.4 C.6.1.1, PS3.3 A.1.2), and the value that a column holds.

The composite IODs put an attribute into a module, the query/retrieve models put it at a level; where both leave it
open it goes to the level at which it is constant in practice.
"""

import re
from collections.abc import Callable

PATIENT = (
    0x00100010, 0x00100020, 0x00100021, 0x00100022, 0x00100024, 0x00100030, 0x00100032, 0x00100040,
    0x00101000, 0x00101001, 0x00101002, 0x00102160, 0x00104000,
)  # fmt: skip
STUDY = (
    0x0020000D, 0x00080020, 0x00080030, 0x00080050, 0x00080051, 0x00080090, 0x00080201, 0x00081030,
    0x00081032, 0x00081048, 0x00081060, 0x00081080, 0x00101010, 0x00101020, 0x00101030, 0x00102180,
    0x001021B0, 0x00200010, 0x00321032, 0x00321033, 0x00321060, 0x00380010,
)  # fmt: skip
SERIES = (
    0x0020000E, 0x00080060, 0x00080021, 0x00080031, 0x0008103E, 0x0008103F, 0x00080070, 0x00080080,
    0x00080081, 0x00081010, 0x00081040, 0x00081050, 0x00081070, 0x00081090, 0x00180015, 0x00181000,
    0x00181030, 0x00185100, 0x00200011, 0x00200052, 0x00200060, 0x00400244, 0x00400245, 0x00400253,
    0x00400254, 0x00400275,
)  # fmt: skip
INSTANCE = (
    0x00080016, 0x00080018, 0x00080008, 0x00080012, 0x00080013, 0x00080022, 0x00080023, 0x0008002A,
    0x00080032, 0x00080033, 0x00200012, 0x00200013, 0x00201041, 0x00204000, 0x00280008, 0x00280010,
    0x00280011, 0x00280100, 0x0040A043, 0x0040A491, 0x0040A493, 0x00420010, 0x00700080, 0x00700081,
    0x00700082, 0x00700083,
)  # fmt: skip

#: of these, what the row of an instance does not hold in columns of its own, letter by letter
INSTANCE_BESIDES = tuple(
    tag
    for tag in INSTANCE
    if tag not in (0x00080016, 0x00080018, 0x00200013, 0x00280008, 0x00280010, 0x00280011, 0x00280100)
)

#: sequences whose values can be matched: tag -> (level, keyword path, tags inside)
SEQUENCES: dict[int, tuple[str, str, dict[int, str]]] = {
    0x00400275: (
        "series",
        "RequestAttributesSequence",
        {
            0x00400009: "ScheduledProcedureStepID",
            0x00401001: "RequestedProcedureID",
            0x00080050: "AccessionNumber",
            0x0020000D: "StudyInstanceUID",
        },
    ),
    0x00081032: (
        "study",
        "ProcedureCodeSequence",
        {0x00080100: "CodeValue", 0x00080102: "CodingSchemeDesignator", 0x00080104: "CodeMeaning"},
    ),
    0x0040A043: (
        "instance",
        "ConceptNameCodeSequence",
        {0x00080100: "CodeValue", 0x00080102: "CodingSchemeDesignator", 0x00080104: "CodeMeaning"},
    ),
    0x00101002: (
        "patient",
        "OtherPatientIDsSequence",
        {0x00100020: "PatientID", 0x00100021: "IssuerOfPatientID"},
    ),
}

SPECIFIC_CHARACTER_SET = 0x00080005
#: what a rejection note says besides (PS3.3 C.17.6.2): its title and the objects it is about
EVIDENCE = 0x0040A375
#: all that ingest takes from a header
WANTED = frozenset({SPECIFIC_CHARACTER_SET, EVIDENCE, *PATIENT, *STUDY, *SERIES, *INSTANCE})

_DATE = re.compile(r"(\d{4})[.\-/]?(0[1-9]|1[0-2])[.\-/]?(0[1-9]|[12]\d|3[01])")
_TIME = re.compile(r"([01]\d|2[0-3]):?(?:([0-5]\d):?(?:([0-5]\d|60)(?:\.(\d{1,6}))?)?)?")
_UID = re.compile(r"[0-9.]{1,64}")

Warn = Callable[[int, str], None]


def date_value(text: str, tag: int, warn: Warn) -> str:
    """DA as YYYYMMDD; "" with a warning where it is no date. The retired form with dots is taken."""
    if not text:
        return ""
    if match := _DATE.fullmatch(text):
        return "".join(match.groups())
    warn(tag, "is not a date; it cannot be searched by date")
    return ""


def time_value(text: str, tag: int, warn: Warn) -> str:
    """TM as HHMMSS.FFFFFF, completed with zeros; "" with a warning where it is no time."""
    if not text:
        return ""
    if match := _TIME.fullmatch(text):
        hours, minutes, seconds, fraction = match.groups()
        return f"{hours}{minutes or '00'}{seconds or '00'}.{(fraction or ''):0<6}"
    warn(tag, "is not a time; it cannot be searched by time")
    return ""


def fitted(text: str, length: int, tag: int, warn: Warn) -> str:
    """A value for a column of `length` characters: without NUL, cut with a warning."""
    if "\0" in text:
        text = text.replace("\0", "")
    if len(text) <= length:
        return text
    warn(tag, f"is longer than {length} characters; the search sees its beginning")
    return text[:length]


def whole_number(text: str, tag: int, warn: Warn) -> int | None:
    """IS or US as an integer that the index can hold; None with a warning where it is none."""
    if not text:
        return None
    try:
        number = int(text.split("\\", 1)[0])
    except ValueError:
        warn(tag, "is not a whole number")
        return None
    if -(2**31) <= number < 2**31:
        return number
    warn(tag, "is out of range")
    return None


def uid_value(text: str) -> str:
    """A UID without padding; "" where it cannot be one (PS3.5 9.1, leniently: digits and dots, at most 64)."""
    text = text.strip(" \0")
    return text if _UID.fullmatch(text) else ""
