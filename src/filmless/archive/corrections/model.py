"""The words of corrections, and what may be corrected at which level."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import isfinite
from typing import Any

from filmless.archive.overlays import InForce
from filmless.dicom.attributes import BY_TAG, INDEX_ATTRIBUTES, TAG
from filmless.dicom.header import SPECIFIC_CHARACTER_SET
from filmless.dicom.json_read import to_data_set
from filmless.dicom.overlay import TOO_LONG, known_character_set, wrong_form
from filmless.dicom.vr import dictionary_vr
from filmless.kit.errors import Refused


class Level(StrEnum):
    """What a correction is about: all there is of it, also what comes later."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    INSTANCE = "INSTANCE"


#: Reason for the Attribute Modification (0400,0565): an error put right, or made to agree with another system
CODES = ("CORRECT", "COERCE")

_ORDER = (Level.PATIENT, Level.STUDY, Level.SERIES, Level.INSTANCE)
#: never corrected: UIDs and references by UID, what says how pixels are stored and lie in space, how the object was
#: made, and what de-identification left behind
_NEVER = frozenset(
    TAG[keyword]
    for keyword in (
        "ReferencedPatientSequence", "PatientIdentityRemoved", "DeidentificationMethod", "ReferencedStudySequence",
        "ReferencedPerformedProcedureStepSequence", "SequenceName", "MagneticFieldStrength", "SpatialResolution",
        "PatientPosition", "PositionReferenceIndicator", "SeriesType", "DateOfSecondaryCapture",
        "SecondaryCaptureDeviceManufacturer", "SoftwareVersions", "ConversionType", "TransducerType",
    )
)  # fmt: skip
#: of instances, only these
_OF_INSTANCES = frozenset(
    TAG[keyword]
    for keyword in (
        "AcquisitionDate", "ContentDate", "AcquisitionDateTime", "AcquisitionTime", "ContentTime",
        "AcquisitionNumber", "InstanceNumber", "ImageLaterality", "ImageComments", "BurnedInAnnotation",
        "QualityControlImage", "DerivationDescription", "DocumentTitle", "ContentLabel", "ContentDescription",
        "ContentCreatorName",
    )
) | {0x00540220}  # View Code Sequence  # fmt: skip
#: one value for all of several series or images would be no correction
_OWN_LEVEL_ONLY = frozenset(
    TAG[keyword] for keyword in ("SeriesNumber", "AcquisitionNumber", "InstanceNumber", "Modality")
)

#: tag -> the lowest level at which it may be corrected
CORRECTABLE: dict[int, Level] = {
    attribute.tag: Level(attribute.level.upper())
    for attribute in INDEX_ATTRIBUTES
    if attribute.vr != "UI"
    and attribute.tag >> 16 != 0x0028
    and attribute.tag not in _NEVER
    and attribute.level != "instance"
} | dict.fromkeys(sorted(_OF_INSTANCES), Level.INSTANCE)

#: whose object it is: by these a patient is known (patients/service.py), and how their text is read
IDENTIFYING = frozenset({SPECIFIC_CHARACTER_SET, 0x00100010, 0x00100020, 0x00100021, 0x00100030})

PATIENT_ID = "00100020"

#: DICOM JSON (PS3.18 F) by GGGGEEEE; None takes the element out
Changes = Mapping[str, Mapping[str, Any] | None]

_MAX_CHANGES, _MAX_VALUES, _MAX_NESTING = 200, 1000, 10
#: control characters, and halves of pairs that are no characters
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff]")
_TEXT_OF_LINES = frozenset({"ST", "LT", "UT"})


@dataclass(frozen=True, slots=True)
class Target:
    """What a correction is about: a UID of its level, or a patient by ID and issuer.

    `variant`: which of several persons that came under one ID and issuer; None where there is but one.
    """

    level: Level
    uid: str = ""
    patient_id: str = ""
    issuer: str = ""
    variant: int | None = None


@dataclass(frozen=True, slots=True)
class Correction:
    """A correction as it is kept. Of PATIENT level the patient is told as without it, else the UIDs."""

    id: int
    key: str
    level: Level
    changes: dict[str, dict[str, Any] | None]
    code: str
    reason: str
    by: str
    at: datetime
    patient_id: str = ""
    issuer: str = ""
    name: str = ""
    birth_date: str = ""
    study_uid: str = ""
    series_uid: str = ""
    sop_instance_uid: str = ""
    undone_at: datetime | None = None
    undone_by: str = ""
    undo_reason: str = ""

    @property
    def in_force(self) -> InForce:
        return InForce(self.key, self.at, self.code, self.changes)

    def gives(self, tag: str) -> str:
        """The first value that it gives an attribute (GGGGEEEE), "" where it gives none."""
        member = self.changes.get(tag) or {}
        values: Sequence[Any] = member.get("Value", ())
        first = values[0] if values else None
        if isinstance(first, dict):
            groups = (str(first.get(one, "")) for one in ("Alphabetic", "Ideographic", "Phonetic"))
            return "=".join(groups).rstrip("=")
        return str(first).strip() if first is not None else ""

    @property
    def tags(self) -> frozenset[int]:
        return frozenset(int(tag, 16) for tag in self.changes)


@dataclass(frozen=True, slots=True)
class Changed:
    """One attribute before and after. `old`: the different values there are, at most ten, "" where absent."""

    tag: str
    keyword: str
    old: list[str]
    new: str
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """What a correction would do, or did."""

    level: Level
    studies: list[str]
    series: int
    instances: int
    changed: list[Changed]
    #: who the patient is afterwards, and whether such a patient is known already
    patient_id: str = ""
    issuer: str = ""
    patient_name: str = ""
    joins_known_patient: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """A correction that was made or undone, and how much it touched."""

    correction: Correction
    studies: list[str] = field(default_factory=list)
    instances: int = 0


def checked(level: Level, changes: Changes) -> dict[str, dict[str, Any] | None]:
    """The changes in their one form, tags in order. Raises Refused (code "not-correctable", "bad-value") where an
    attribute is not corrected at this level, or a value is not as the standard asks."""
    if not changes:
        raise Refused("Say what is to be corrected.", code="no-changes")
    if len(changes) > _MAX_CHANGES:
        raise Refused(f"At most {_MAX_CHANGES} attributes at once.", code="bad-value")
    out: dict[str, dict[str, Any] | None] = {}
    for name, member in sorted(changes.items()):
        if not re.fullmatch(r"[0-9A-Fa-f]{8}", name):
            raise Refused(f"{name!r} is no tag.", code="bad-value")
        tag = int(name, 16)
        _check_level(level, tag)
        words = keyword(tag)
        if member is None:
            if tag == SPECIFIC_CHARACTER_SET:
                raise Refused(f"{words} is not removed, but told.", code="bad-value")
            out[f"{tag:08X}"] = None
            continue
        vr = "CS" if tag == SPECIFIC_CHARACTER_SET else dictionary_vr(tag)
        if member.get("vr", vr) != vr or set(member) - {"vr", "Value"}:
            raise Refused(f"{words} is a {vr} with a Value.", code="bad-value")
        values = member.get("Value", [])
        if not isinstance(values, list) or len(values) > _MAX_VALUES:
            raise Refused(f"The Value of {words} is a list.", code="bad-value")
        if tag == SPECIFIC_CHARACTER_SET:
            _check_character_set(values)
        else:
            _check_values(words, vr, values, 0)
        one = {"vr": vr, "Value": values} if values else {"vr": vr}
        if tag != SPECIFIC_CHARACTER_SET:
            _check_writable(words, tag, one)
        out[f"{tag:08X}"] = one
    return out


def _check_level(level: Level, tag: int) -> None:
    if tag == SPECIFIC_CHARACTER_SET:
        if level is Level.PATIENT:
            raise Refused(
                "A character set is corrected for a study, series or object.", code="not-correctable"
            )
        return
    lowest = CORRECTABLE.get(tag)
    if lowest is None:
        raise Refused(f"{keyword(tag)} is never corrected.", code="not-correctable")
    at = _ORDER.index(level)
    allowed = {
        Level.PATIENT: (Level.PATIENT, Level.STUDY),
        Level.STUDY: (Level.STUDY,),
        Level.SERIES: (Level.STUDY, Level.SERIES),
        Level.INSTANCE: (Level.STUDY, Level.SERIES, Level.INSTANCE),
    }[lowest]
    if tag in _OWN_LEVEL_ONLY:
        allowed = (lowest,)
    if _ORDER[at] not in allowed:
        where = " or ".join(one.value.lower() for one in allowed)
        raise Refused(f"{keyword(tag)} is corrected for a {where}.", code="not-correctable")


def _check_character_set(values: Sequence[Any]) -> None:
    if not values or not all(one is None or isinstance(one, str) for one in values):
        raise Refused("The character set is told in defined terms (PS3.3 C.12.1.1.2).", code="bad-value")
    if not known_character_set("\\".join(one or "" for one in values)):
        raise Refused("This character set is not known.", code="bad-value")


def _check_values(words: str, vr: str, values: Sequence[Any], depth: int) -> None:
    for value in values:
        if vr == "SQ":
            if depth >= _MAX_NESTING or not isinstance(value, dict):
                raise Refused(f"An item of {words} is not as PS3.18 F asks.", code="bad-value")
            for name, member in value.items():
                if not re.fullmatch(r"[0-9A-Fa-f]{8}", name) or not isinstance(member, dict):
                    raise Refused(f"An item of {words} is not as PS3.18 F asks.", code="bad-value")
                inner = dictionary_vr(int(name, 16))
                if member.get("vr", inner) != inner or int(name, 16) == SPECIFIC_CHARACTER_SET:
                    raise Refused(f"An item of {words} is not as PS3.18 F asks.", code="bad-value")
                inside = member.get("Value", [])
                if not isinstance(inside, list):
                    raise Refused(f"An item of {words} is not as PS3.18 F asks.", code="bad-value")
                _check_values(f"{words}.{keyword(int(name, 16))}", inner, inside, depth + 1)
        elif value is not None:
            _check_value(words, vr, value)


def _check_value(words: str, vr: str, value: Any) -> None:
    if vr == "PN":
        known = {"Alphabetic", "Ideographic", "Phonetic"}
        if (
            not isinstance(value, dict)
            or set(value) - known
            or not all(isinstance(v, str) for v in value.values())
        ):
            raise Refused(f"{words} is a name in its groups (PS3.18 F.2.2).", code="bad-value")
        texts = list(value.values())
        if any("=" in text for text in texts):
            raise Refused(f"A group of {words} holds no =.", code="bad-value")
    elif isinstance(value, str):
        texts = [value]
    elif isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        texts = [] if vr not in ("DS", "IS") else [str(value)]
    else:
        raise Refused(f"{words} is not as PS3.18 F asks.", code="bad-value")
    for text in texts:
        lines = vr in _TEXT_OF_LINES
        if _CONTROL.search(text) or (not lines and any(one in text for one in "\\\r\n\t\f")):
            raise Refused(f"{words} holds a character that it may not.", code="bad-value")
        fault = wrong_form(vr, text)
        if fault:
            longer = "too long" if fault == TOO_LONG else "not in the form that it must have"
            raise Refused(f"{words} is {longer} ({vr}, PS3.5 6.2).", code="bad-value")


def _check_writable(words: str, tag: int, member: dict[str, Any]) -> None:
    faults: list[str] = []
    to_data_set({f"{tag:08X}": member}, warn=lambda at, text: faults.append(text))
    if faults:
        raise Refused(f"{words} cannot be written as {member['vr']}.", code="bad-value")


def keyword(tag: int) -> str:
    """The keyword of PS3.6, or the tag where it has none."""
    known = BY_TAG.get(tag)
    if known is not None:
        return known.keyword
    from pydicom.datadict import keyword_for_tag

    return keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def tag_of(word: str) -> int:
    """The tag of a keyword, or of GGGGEEEE or GGGG,EEEE. Raises Refused (code "unknown-attribute")."""
    plain = word.replace(",", "").strip("() ")
    if word in TAG:
        return TAG[word]
    if re.fullmatch(r"[0-9A-Fa-f]{8}", plain):
        return int(plain, 16)
    from pydicom.datadict import tag_for_keyword

    found = tag_for_keyword(word)
    if found is None:
        raise Refused(f"There is no attribute {word!r}.", code="unknown-attribute")
    return int(found)


def from_text(tag: int, text: str) -> dict[str, Any]:
    """The member of DICOM JSON for a value written as people write it: values parted by backslashes, groups of a
    name by "="; "" empties the attribute. Sequences are given as JSON."""
    vr = "CS" if tag == SPECIFIC_CHARACTER_SET else dictionary_vr(tag)
    if not text:
        return {"vr": vr}
    if vr in _TEXT_OF_LINES:
        return {"vr": vr, "Value": [text]}
    parts = text.split("\\")
    if vr == "PN":
        names = [
            dict(zip(("Alphabetic", "Ideographic", "Phonetic"), one.split("=", 2), strict=False))
            for one in parts
        ]
        return {"vr": vr, "Value": [{k: v for k, v in name.items() if v} or None for name in names]}
    if vr in ("US", "SS", "UL", "SL"):
        try:
            return {"vr": vr, "Value": [int(part) for part in parts]}
        except ValueError:
            raise Refused(f"{keyword(tag)} is a number.", code="bad-value") from None
    if vr == "SQ":
        raise Refused(f"{keyword(tag)} is a sequence: give its items as DICOM JSON.", code="bad-value")
    return {"vr": vr, "Value": [part or None for part in parts]}


def in_words(member: Mapping[str, Any] | None) -> str:
    """A member of DICOM JSON for a person to read."""
    if member is None:
        return ""
    texts: list[str] = []
    for value in member.get("Value", ()):
        if value is None:
            texts.append("")
        elif member.get("vr") == "PN":
            groups = [str(value.get(one, "")) for one in ("Alphabetic", "Ideographic", "Phonetic")]
            texts.append("=".join(groups).rstrip("="))
        elif isinstance(value, dict):
            inside = ", ".join(
                f"{keyword(int(tag, 16))}: {in_words(one)}" for tag, one in sorted(value.items())
            )
            texts.append(f"({inside})")
        else:
            texts.append(str(value))
    return "\\".join(texts)
