"""The DICOMDIR of a file-set (PS3.3 annex F, PS3.10 section 8), made object by object as they are written."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from filmless.dicom import part10, uids
from filmless.dicom.builders.encode import code_item, element, sequence
from filmless.dicom.header import SPECIFIC_CHARACTER_SET, Header, text
from filmless.dicom.scan import sequence_items
from filmless.dicom.sopclasses import MEDIA_STORAGE_DIRECTORY
from filmless.kit.errors import Refused
from filmless.kit.ids import new_uid

_CLASS = "1.2.840.10008.5.1.4.1.1."
_CONCEPT = 0x0040A043

#: keys of each record besides those of every record: (tag, VR) (PS3.3 F.5)
_KEYS: dict[str, tuple[tuple[int, str], ...]] = {
    "PATIENT": (
        (0x00100010, "PN"),
        (0x00100020, "LO"),
        (0x00100021, "LO"),
        (0x00100030, "DA"),
        (0x00100040, "CS"),
    ),
    "STUDY": (
        (0x00080020, "DA"),
        (0x00080030, "TM"),
        (0x00080050, "SH"),
        (0x00081030, "LO"),
        (0x0020000D, "UI"),
        (0x00200010, "SH"),
    ),
    "SERIES": ((0x00080060, "CS"), (0x0008103E, "LO"), (0x0020000E, "UI"), (0x00200011, "IS")),
    "IMAGE": ((0x00080008, "CS"), (0x00200013, "IS")),
    "RT DOSE": ((0x00200013, "IS"), (0x3004000A, "CS")),
    "RT STRUCTURE SET": ((0x00200013, "IS"), (0x30060002, "SH"), (0x30060008, "DA"), (0x30060009, "TM")),
    "RT PLAN": ((0x00200013, "IS"), (0x300A0002, "SH"), (0x300A0006, "DA"), (0x300A0007, "TM")),
    "RT TREAT RECORD": ((0x00200013, "IS"), (0x30080250, "DA"), (0x30080251, "TM")),
    "PRESENTATION": (
        (0x00200013, "IS"),
        (0x00700080, "CS"),
        (0x00700081, "LO"),
        (0x00700082, "DA"),
        (0x00700083, "TM"),
        (0x00700084, "PN"),
    ),
    "WAVEFORM": ((0x00080023, "DA"), (0x00080033, "TM"), (0x00200013, "IS")),
    "SR DOCUMENT": (
        (0x00080023, "DA"),
        (0x00080033, "TM"),
        (0x00200013, "IS"),
        (_CONCEPT, "SQ"),
        (0x0040A491, "CS"),
        (0x0040A493, "CS"),
    ),
    "KEY OBJECT DOC": ((0x00080023, "DA"), (0x00080033, "TM"), (0x00200013, "IS"), (_CONCEPT, "SQ")),
    "ENCAP DOC": (
        (0x00080023, "DA"),
        (0x00080033, "TM"),
        (0x00200013, "IS"),
        (0x00420010, "ST"),
        (_CONCEPT, "SQ"),
        (0x00420012, "LO"),
    ),
    "SPECTROSCOPY": ((0x00080008, "CS"), (0x00080023, "DA"), (0x00080033, "TM"), (0x00200013, "IS")),
    "RAW DATA": ((0x00080023, "DA"), (0x00080033, "TM"), (0x00200013, "IS")),
    "REGISTRATION": (
        (0x00080023, "DA"),
        (0x00080033, "TM"),
        (0x00200013, "IS"),
        (0x00700080, "CS"),
        (0x00700081, "LO"),
    ),
    "FIDUCIAL": (
        (0x00080023, "DA"),
        (0x00080033, "TM"),
        (0x00200013, "IS"),
        (0x00700080, "CS"),
        (0x00700081, "LO"),
    ),
    "VALUE MAP": (
        (0x00080023, "DA"),
        (0x00080033, "TM"),
        (0x00200013, "IS"),
        (0x00700080, "CS"),
        (0x00700081, "LO"),
    ),
    "SURFACE": ((0x00080023, "DA"), (0x00080033, "TM"), (0x00200013, "IS")),
    "MEASUREMENT": ((0x00080023, "DA"), (0x00080033, "TM"), (0x00200013, "IS")),
}

#: what a header must have been scanned for
RECORD_TAGS = frozenset({SPECIFIC_CHARACTER_SET, *(tag for keys in _KEYS.values() for tag, _ in keys)})

#: record types by the beginning of the SOP Class UID, the longest first; everything else is an IMAGE
_TYPES = {
    "88.59": "KEY OBJECT DOC",
    "88.": "SR DOCUMENT",
    "11.": "PRESENTATION",
    "9.": "WAVEFORM",
    "104.": "ENCAP DOC",
    "4.2": "SPECTROSCOPY",
    "66.1": "REGISTRATION",
    "66.3": "REGISTRATION",
    "66.2": "FIDUCIAL",
    "66.5": "SURFACE",
    "67": "VALUE MAP",
    "78.": "MEASUREMENT",
    "481.2": "RT DOSE",
    "481.3": "RT STRUCTURE SET",
    "481.5": "RT PLAN",
    "481.8": "RT PLAN",
    "481.4": "RT TREAT RECORD",
    "481.6": "RT TREAT RECORD",
    "481.7": "RT TREAT RECORD",
    "481.9": "RT TREAT RECORD",
}
#: numbers that a record must have (type 1) and objects need not: the place in the order of arrival stands in
_NUMBERS = frozenset({0x00200010, 0x00200011, 0x00200013})

FileId = tuple[str, ...]


def record_type(sop_class_uid: str) -> str:
    """The directory record type for objects of this class (PS3.3 F.4)."""
    if not sop_class_uid.startswith(_CLASS):
        return "IMAGE"
    arc = sop_class_uid[len(_CLASS) :]
    if arc == "66":
        return "RAW DATA"
    for beginning, kind in _TYPES.items():
        if arc == beginning or (beginning.endswith(".") and arc.startswith(beginning)):
            return kind
    return "IMAGE"


@dataclass(slots=True)
class _Record:
    content: bytes
    children: dict[object, "_Record"] = field(default_factory=dict)
    #: of the file below this record, as a part of file IDs
    name: str = ""
    at: int = 0


class Directory:
    """A file-set being written: `add` each object, write it under the file ID that comes back, then `build`."""

    def __init__(self, file_set_id: str = "FILMLESS") -> None:
        self._id = file_set_id
        self._patients: dict[object, _Record] = {}
        self.count = 0

    def add(
        self, header: Header, *, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str
    ) -> FileId:
        """Notes one object and gives the file ID for it: at most 8 components of at most 8 characters A-Z, 0-9
        (PS3.10 8.2), unlike any before.

        `header` is a scan that took RECORD_TAGS. The same object twice raises Refused (code "twice"): a file-set
        holds each once.
        """
        study_uid = text(header, 0x0020000D)
        patient_id = (text(header, 0x00100020), text(header, 0x00100021))
        patient = _child(self._patients, patient_id if patient_id[0] else study_uid, "PATIENT", "PA", header)
        study = _child(patient.children, study_uid, "STUDY", "ST", header)
        series = _child(study.children, text(header, 0x0020000E), "SERIES", "SE", header)
        if sop_instance_uid in series.children:
            raise Refused("A file-set holds each object once.", code="twice")
        number = len(series.children) + 1
        file_id = ("DICOM", patient.name, study.name, series.name, f"IM{number:06d}")
        reference = {
            0x00041500: element(0x00041500, "CS", "\\".join(file_id).encode("ascii")),
            0x00041510: element(0x00041510, "UI", sop_class_uid.encode("ascii", "replace")),
            0x00041511: element(0x00041511, "UI", sop_instance_uid.encode("ascii", "replace")),
            0x00041512: element(0x00041512, "UI", transfer_syntax_uid.encode("ascii", "replace")),
        }
        kind = record_type(sop_class_uid)
        series.children[sop_instance_uid] = _Record(_content(kind, header, number, reference))
        self.count += 1
        return file_id

    def build(self) -> bytes:
        """The file DICOMDIR, with preamble and file meta information."""
        uid = new_uid()
        start = part10.build_preamble_and_meta(MEDIA_STORAGE_DIRECTORY, uid, uids.EXPLICIT_VR_LE)
        head_length = 8 + len(self._id) + len(self._id) % 2 + 12 + 12 + 10
        position = len(start) + head_length + 12
        for record in _walk(self._patients):
            record.at = position
            position += 8 + _LINKS + len(record.content)
        roots = list(self._patients.values())
        head = (
            element(0x00041130, "CS", self._id.encode("ascii"))
            + _offset(0x00041200, roots[0].at if roots else 0)
            + _offset(0x00041202, roots[-1].at if roots else 0)
            + element(0x00041212, "US", b"\0\0")
        )
        return start + head + sequence(0x00041220, _items(self._patients))


#: bytes of the three elements with which each record begins
_LINKS = 12 + 10 + 12


def _child(siblings: dict[object, _Record], key: object, kind: str, letters: str, header: Header) -> _Record:
    found = siblings.get(key)
    if found is None:
        number = len(siblings) + 1
        found = siblings[key] = _Record(_content(kind, header, number, {}), name=f"{letters}{number:06d}")
    return found


def _content(kind: str, header: Header, number: int, more: dict[int, bytes]) -> bytes:
    """The record without its links: type, reference, character set and keys, as the object has them."""
    elements = {0x00041430: element(0x00041430, "CS", kind.encode()), **more}
    if header.character_set:
        charset = header.character_set.encode("ascii", "replace")
        elements[SPECIFIC_CHARACTER_SET] = element(SPECIFIC_CHARACTER_SET, "CS", charset)
    for tag, vr in _KEYS[kind]:
        if vr == "SQ":
            codes = [
                code_item(text(item, 0x00080100), text(item, 0x00080102), text(item, 0x00080104))
                for item in sequence_items(header, tag)[:1]
            ]
            elements[tag] = sequence(tag, codes)
            continue
        value = header.values.get(tag, ("", b""))[1]
        if tag in _NUMBERS and not value.strip(b"\0 "):
            value = str(number).encode()
        elements[tag] = element(tag, vr, value)
    return b"".join(encoded for _, encoded in sorted(elements.items()))


def _walk(records: dict[object, _Record]) -> Iterator[_Record]:
    for record in records.values():
        yield record
        yield from _walk(record.children)


def _items(records: dict[object, _Record]) -> Iterator[bytes]:
    """The encoded items in the order of `_walk`, linked to the next of their level and the first below."""
    siblings = list(records.values())
    for place, record in enumerate(siblings, 1):
        following = siblings[place] if place < len(siblings) else None
        below = next(iter(record.children.values()), None)
        yield (
            _offset(0x00041400, following.at if following else 0)
            + element(0x00041410, "US", b"\xff\xff")
            + _offset(0x00041420, below.at if below else 0)
            + record.content
        )
        yield from _items(record.children)


def _offset(tag: int, value: int) -> bytes:
    """Offsets count from the first byte of the file (PS3.3 F.3.2.2)."""
    return element(tag, "UL", value.to_bytes(4, "little"))
