"""What a device tells of its performed steps (PS3.4 table F.7.2-1): the attributes of N-CREATE and N-SET."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from filmless.app.demonstration.objects import Identity


def begun(who: Identity, step_id: str, procedure_id: str) -> dict[int, tuple[str, Any]]:
    """The attributes of an N-CREATE: what was picked from the worklist, in progress."""
    now = datetime.now().astimezone()
    scheduled = {
        0x00080050: ("SH", who.number),
        0x00081110: ("SQ", []),
        0x0020000D: ("UI", who.study_uid),
        0x00321060: ("LO", who.procedure),
        0x00400007: ("LO", who.procedure),
        0x00400008: ("SQ", []),
        0x00400009: ("SH", step_id),
        0x00401001: ("SH", procedure_id),
    }
    return {
        0x00080060: ("CS", who.modality),
        0x00081032: ("SQ", []),
        0x00081120: ("SQ", []),
        0x00100010: ("PN", who.name),
        0x00100020: ("LO", who.patient_id),
        0x00100030: ("DA", who.birth_date),
        0x00100040: ("CS", who.sex),
        0x00200010: ("SH", who.number),
        0x00400241: ("AE", who.station),
        0x00400242: ("SH", who.station),
        0x00400243: ("SH", ""),
        0x00400244: ("DA", now.strftime("%Y%m%d")),
        0x00400245: ("TM", now.strftime("%H%M%S")),
        0x00400250: ("DA", ""),
        0x00400251: ("TM", ""),
        0x00400252: ("CS", "IN PROGRESS"),
        0x00400253: ("SH", step_id),
        0x00400254: ("LO", who.procedure),
        0x00400255: ("LO", ""),
        0x00400260: ("SQ", []),
        0x00400270: ("SQ", [scheduled]),
        0x00400340: ("SQ", []),
    }


def ended(
    procedure: str, status: str, objects: Sequence[tuple[str, str, str]], discontinue: str
) -> dict[int, tuple[str, Any]]:
    """The attributes of an N-SET: `objects` as (SOP class, SOP instance, series); `discontinue`: code of CID 9300."""
    now = datetime.now().astimezone()
    reasons = []
    if discontinue:
        reasons = [
            {
                0x00080100: ("SH", discontinue),
                0x00080102: ("SH", "DCM"),
                0x00080104: ("LO", "reason"),
            }
        ]
    series = []
    for uid in dict.fromkeys(series_uid for _, _, series_uid in objects):
        images = [
            {0x00081150: ("UI", sop_class), 0x00081155: ("UI", sop_uid)}
            for sop_class, sop_uid, series_uid in objects
            if series_uid == uid
        ]
        series.append(
            {
                0x00080054: ("AE", ""),
                0x0008103E: ("LO", procedure),
                0x00081050: ("PN", ""),
                0x00081070: ("PN", "SIMULATED^OPERATOR"),
                0x00081140: ("SQ", images),
                0x00181030: ("LO", procedure or "protocol"),
                0x0020000E: ("UI", uid),
                0x00400220: ("SQ", []),
            }
        )
    return {
        0x00400250: ("DA", now.strftime("%Y%m%d")),
        0x00400251: ("TM", now.strftime("%H%M%S")),
        0x00400252: ("CS", status),
        0x00400281: ("SQ", reasons),
        0x00400340: ("SQ", series),
    }
