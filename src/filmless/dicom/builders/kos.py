"""Key object selection documents that reject objects (PS3.3 A.35.4, PS3.16 TID 2010, IHE RAD IOCM)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from filmless.dicom.builders.encode import code_item, data_set, element, sequence
from filmless.dicom.charset import UTF_8, can_encode, encode
from filmless.dicom.header import SPECIFIC_CHARACTER_SET, Header, text
from filmless.dicom.sopclasses import KEY_OBJECT_SELECTION, STORAGE
from filmless.dicom.vr import settled_vr
from filmless.kit.errors import Refused
from filmless.kit.ids import new_uid

#: document titles by which objects are rejected (PS3.16 CID 7010 and 7011)
REJECTION_TITLES = {
    "113001": "Rejected for Quality Reasons",
    "113037": "Rejected for Patient Safety Reasons",
    "113038": "Incorrect Modality Worklist Entry",
    "113039": "Data Retention Policy Expired",
}

#: what the note says of patient and study: taken over from one of the objects, letter by letter
_PATIENT_AND_STUDY = (
    (0x00080020, "DA"),
    (0x00080030, "TM"),
    (0x00080050, "SH"),
    (0x00080090, "PN"),
    (0x00081030, "LO"),
    (0x00100010, "PN"),
    (0x00100020, "LO"),
    (0x00100021, "LO"),
    (0x00100030, "DA"),
    (0x00100040, "CS"),
    (0x0020000D, "UI"),
    (0x00200010, "SH"),
)
#: of these, absent ones are written empty (type 2: PS3.3 C.7.1.1, C.7.2.1)
_TYPE_2 = frozenset(
    {
        0x00080020,
        0x00080030,
        0x00080050,
        0x00080090,
        0x00100010,
        0x00100020,
        0x00100030,
        0x00100040,
        0x00200010,
    }
)

_WAVEFORM_CLASSES = "1.2.840.10008.5.1.4.1.1.9."


@dataclass(frozen=True, slots=True)
class Reference:
    """One object that a note names."""

    series_uid: str
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Note:
    """A built note: its data set in explicit VR little endian."""

    sop_class_uid: str
    sop_instance_uid: str
    series_uid: str
    data_set: bytes


def rejection_note(
    source: Header,
    references: Iterable[Reference],
    code: str,
    *,
    reason: str = "",
    at: datetime,
    charset_fallback: str = "",
) -> Note:
    """A note that rejects `references`, all of one study, for the reason `code` (a key of REJECTION_TITLES).

    `source` is the scanned header of one of them: patient and study are taken from it. `reason` is free text
    for people. `at` is written as it is, in its own time zone's clock. Raises Refused for an unknown code, for no
    references, and where the source has no study.
    """
    if code not in REJECTION_TITLES:
        raise Refused(f"{code} is no reason for a rejection.", code="unknown-reason")
    study_uid = text(source, 0x0020000D)
    by_series: dict[str, list[Reference]] = {}
    for reference in references:
        by_series.setdefault(reference.series_uid, []).append(reference)
    if not by_series or not study_uid:
        raise Refused("A rejection needs objects of one study.", code="nothing-to-reject")

    sop_instance_uid, series_uid = new_uid(), new_uid()
    elements, charset = _patient_and_study(source, reason, charset_fallback)
    date, time = at.strftime("%Y%m%d").encode(), at.strftime("%H%M%S.%f").encode()

    def put(tag: int, vr: str, value: str | bytes) -> None:
        elements[tag] = element(tag, vr, value if isinstance(value, bytes) else value.encode("ascii"))

    put(0x00080012, "DA", date)
    put(0x00080013, "TM", time)
    put(0x00080016, "UI", KEY_OBJECT_SELECTION)
    put(0x00080018, "UI", sop_instance_uid)
    put(0x00080023, "DA", date)
    put(0x00080033, "TM", time)
    put(0x00080060, "CS", "KO")
    put(0x00080070, "LO", "Filmless")
    elements[0x0008103E] = element(0x0008103E, "LO", REJECTION_TITLES[code].encode())
    elements[0x00081111] = sequence(0x00081111, [])
    put(0x0020000E, "UI", series_uid)
    put(0x00200011, "IS", "1")
    put(0x00200013, "IS", "1")
    put(0x0040A040, "CS", "CONTAINER")
    elements[0x0040A043] = sequence(0x0040A043, [code_item(code, "DCM", REJECTION_TITLES[code])])
    put(0x0040A050, "CS", "SEPARATE")
    elements[0x0040A375] = sequence(0x0040A375, [_evidence(study_uid, by_series)])
    elements[0x0040A504] = sequence(
        0x0040A504, [element(0x00080105, "CS", b"DCMR") + element(0x0040DB00, "CS", b"2010")]
    )
    elements[0x0040A730] = sequence(0x0040A730, _content(by_series, reason, charset))
    return Note(KEY_OBJECT_SELECTION, sop_instance_uid, series_uid, data_set(elements))


def _patient_and_study(source: Header, reason: str, fallback: str) -> tuple[dict[int, bytes], str]:
    """The copied elements, and the character set in which they and the reason are written."""
    declared = source.character_set or fallback
    keep = can_encode(reason, declared) and not _is_guesswork(source, fallback)
    charset = declared if keep else UTF_8
    elements: dict[int, bytes] = {}
    for tag, vr in _PATIENT_AND_STUDY:
        sent, value = source.values.get(tag, ("", b""))
        if tag not in source.values and tag not in _TYPE_2:
            continue
        known = settled_vr(tag, sent, len(value), signed=False)
        written = vr if known in ("SQ", "OB", "OW", "UN") else known
        if not keep:
            value = encode(text(source, tag, fallback), charset, name=vr == "PN")
        elements[tag] = element(tag, written, value)
    if charset:
        elements[SPECIFIC_CHARACTER_SET] = element(
            SPECIFIC_CHARACTER_SET, "CS", charset.encode("ascii", "replace")
        )
    return elements, charset


def _is_guesswork(source: Header, fallback: str) -> bool:
    """Whether bytes of the source do not fit in what it declares, so that they are better written anew."""
    for tag, _ in _PATIENT_AND_STUDY:
        before = len(source.warnings)
        text(source, tag, fallback)
        if len(source.warnings) > before:
            return True
    return False


def _evidence(study_uid: str, by_series: dict[str, list[Reference]]) -> bytes:
    """The item of Current Requested Procedure Evidence Sequence: series, and in them the objects."""
    series_items = [
        sequence(0x00081199, [_reference(reference) for reference in found])
        + element(0x0020000E, "UI", uid.encode())
        for uid, found in by_series.items()
    ]
    return sequence(0x00081115, series_items) + element(0x0020000D, "UI", study_uid.encode())


def _reference(reference: Reference) -> bytes:
    return element(0x00081150, "UI", reference.sop_class_uid.encode()) + element(
        0x00081155, "UI", reference.sop_instance_uid.encode()
    )


def _content(by_series: dict[str, list[Reference]], reason: str, charset: str) -> list[bytes]:
    """TID 2010: the description, then each object."""
    items = []
    if reason:
        items.append(
            element(0x0040A010, "CS", b"CONTAINS")
            + element(0x0040A040, "CS", b"TEXT")
            + sequence(0x0040A043, [code_item("113012", "DCM", "Key Object Description")])
            + element(0x0040A160, "UT", encode(reason, charset))
        )
    items.extend(
        sequence(0x00081199, [_reference(reference)])
        + element(0x0040A010, "CS", b"CONTAINS")
        + element(0x0040A040, "CS", _value_type(reference.sop_class_uid))
        for found in by_series.values()
        for reference in found
    )
    return items


def _value_type(sop_class_uid: str) -> bytes:
    if sop_class_uid.startswith(_WAVEFORM_CLASSES):
        return b"WAVEFORM"
    known = STORAGE.get(sop_class_uid)
    return b"IMAGE" if known is not None and "Image" in known.name else b"COMPOSITE"
