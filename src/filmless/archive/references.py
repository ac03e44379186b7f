"""Data sets that name objects: of storage commitment (PS3.4 J.3) and instance availability (PS3.4 R.3). Pure.

They are small and hold UIDs, codes and AE titles only, so they are encoded by hand.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from filmless.dicom import scan
from filmless.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from filmless.kit.errors import Refused

#: what is proposed and accepted for the services whose data sets these are
TRANSFER_SYNTAXES = (EXPLICIT_VR_LE, IMPLICIT_VR_LE)

TRANSACTION_UID = 0x00081195
REFERENCED_SOP_SEQUENCE = 0x00081199
FAILED_SOP_SEQUENCE = 0x00081198
REFERENCED_SERIES_SEQUENCE = 0x00081115
REFERENCED_PPS_SEQUENCE = 0x00081111
REFERENCED_SOP_CLASS_UID = 0x00081150
REFERENCED_SOP_INSTANCE_UID = 0x00081155
FAILURE_REASON = 0x00081197
RETRIEVE_AE_TITLE = 0x00080054
INSTANCE_AVAILABILITY = 0x00080056
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E

_UID_CHARACTERS = frozenset("0123456789.")

#: (tag, VR, value): text, a number (US), or for SQ the items
Element = tuple[int, str, "str | int | Sequence[Sequence[Element]]"]


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """An object by its SOP Class and SOP Instance UID."""

    sop_class_uid: str
    sop_instance_uid: str


def encode(elements: Iterable[Element], transfer_syntax_uid: str) -> bytes:
    """A data set in explicit or implicit VR little endian; sequences and items with their lengths."""
    explicit = transfer_syntax_uid != IMPLICIT_VR_LE
    out = bytearray()
    for tag, vr, value in sorted(elements, key=lambda element: element[0]):
        if isinstance(value, int):
            raw = struct.pack("<H", value)
        elif isinstance(value, str):
            raw = value.encode("ascii", "replace")
            raw += (b"\0" if vr == "UI" else b" ") * (len(raw) % 2)
        else:
            items = [encode(item, transfer_syntax_uid) for item in value]
            raw = b"".join(b"\xfe\xff\x00\xe0" + struct.pack("<I", len(item)) + item for item in items)
        out += struct.pack("<HH", tag >> 16, tag & 0xFFFF)
        if not explicit:
            out += struct.pack("<I", len(raw))
        elif vr == "SQ":
            out += b"SQ\0\0" + struct.pack("<I", len(raw))
        else:
            out += vr.encode("ascii") + struct.pack("<H", len(raw))
        out += raw
    return bytes(out)


def reference_items(references: Iterable[Reference]) -> list[list[Element]]:
    """Items of a Referenced SOP Sequence."""
    return [
        [
            (REFERENCED_SOP_CLASS_UID, "UI", reference.sop_class_uid),
            (REFERENCED_SOP_INSTANCE_UID, "UI", reference.sop_instance_uid),
        ]
        for reference in references
    ]


def read_transaction(data: bytes, transfer_syntax_uid: str) -> tuple[str, list[tuple[Reference, int | None]]]:
    """Transaction UID and objects of a commitment's request or result: failed ones with their reason, others None.

    Objects are in the order sent, each once. Raises Refused (code "bad-references") where a UID is missing or is
    none.
    """
    wanted = frozenset({TRANSACTION_UID, REFERENCED_SOP_SEQUENCE, FAILED_SOP_SEQUENCE})
    header = scan.scan(data, transfer_syntax_uid, wanted)
    transaction = scan.text(header, TRANSACTION_UID)
    if header.truncated or not _is_uid(transaction):
        raise Refused("The data set has no Transaction UID.", code="bad-references")
    found: dict[Reference, int | None] = {}
    for sequence in (REFERENCED_SOP_SEQUENCE, FAILED_SOP_SEQUENCE):
        for item in scan.sequence_items(header, sequence):
            reference = Reference(
                scan.text(item, REFERENCED_SOP_CLASS_UID), scan.text(item, REFERENCED_SOP_INSTANCE_UID)
            )
            if not (_is_uid(reference.sop_class_uid) and _is_uid(reference.sop_instance_uid)):
                raise Refused("A referenced object has no SOP Class or Instance UID.", code="bad-references")
            reason = None
            if sequence == FAILED_SOP_SEQUENCE:
                value = item.values.get(FAILURE_REASON, ("", b""))[1]
                reason = int.from_bytes(value[:2], "little") if len(value) >= 2 else 0x0110
            found[reference] = reason
    return transaction, list(found.items())


def _is_uid(text: str) -> bool:
    return 0 < len(text) <= 64 and _UID_CHARACTERS.issuperset(text)
