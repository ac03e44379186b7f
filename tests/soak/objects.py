"""Small CT objects made without a library, so that hundreds a second can be made, sent and compared."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.raw import CT, IMPLICIT, RawAssociation, element

ROOT = "1.2.826.0.1.3680043.10.1561.9"


@dataclass(frozen=True)
class Sent:
    study: str
    series: str
    sop_instance: str
    data: bytes


def make(patient: str, study: str, series: int, number: int, size: int, source: random.Random) -> Sent:
    """An object with `size` random bytes of pixels; `study` goes into every UID."""
    study_uid = f"{ROOT}.{study}"
    series_uid = f"{study_uid}.{series}"
    sop_instance = f"{series_uid}.{number}"
    data = b"".join(
        element(tag, value)
        for tag, value in (
            (0x00080005, "ISO_IR 100"),
            (0x00080016, CT),
            (0x00080018, sop_instance),
            (0x00080020, "20260302"),
            (0x00080030, "101500"),
            (0x00080050, f"A{study}"[:16]),
            (0x00080060, "CT"),
            (0x00100010, f"Soak^{patient}"),
            (0x00100020, patient),
            (0x00100030, "19600101"),
            (0x00100040, "O"),
            (0x0020000D, study_uid),
            (0x0020000E, series_uid),
            (0x00200010, "1"),
            (0x00200011, str(series)),
            (0x00200013, str(number)),
            (0x7FE00010, source.randbytes(size)),
        )
    )
    return Sent(study_uid, series_uid, sop_instance, data)


def connect(port: int, calling: str = "SOAK", seconds: float = 60) -> RawAssociation:
    """An association for storing, C-FIND and C-GET of CT images in implicit VR."""
    contexts = [
        (CT, [IMPLICIT]),
        ("1.2.840.10008.5.1.4.1.2.2.1", [IMPLICIT]),
        ("1.2.840.10008.5.1.4.1.2.2.3", [IMPLICIT]),
        ("1.2.840.10008.1.1", [IMPLICIT]),
    ]
    return RawAssociation(port, contexts, calling=calling, seconds=seconds, roles=[CT])


def study_given_back(association: RawAssociation, study_uid: str) -> dict[str, bytes]:
    received, final = association.get(element(0x00080052, "STUDY") + element(0x0020000D, study_uid))
    assert final.status == 0, f"C-GET ended with {final.status:04X}"
    return {uid: data for uid, _, data in received}


def related(association: RawAssociation, study_uid: str) -> int:
    """Number of Study Related Instances that C-FIND answers; 0 where the study is not found."""
    identifier = element(0x00080052, "STUDY") + element(0x0020000D, study_uid) + element(0x00201208, b"")
    *answers, final = association.find(identifier)
    assert final.status == 0
    assert len(answers) <= 1
    if not answers:
        return 0
    data = answers[0].data or b""
    at = data.index(b"\x20\x00\x08\x12")
    length = int.from_bytes(data[at + 4 : at + 8], "little")
    return int(data[at + 8 : at + 8 + length])
