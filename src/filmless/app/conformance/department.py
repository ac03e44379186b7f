"""The services of the department: modality worklist and performed procedure steps."""

from collections.abc import Mapping

from filmless.app.conformance.markdown import table
from filmless.department.model import DepartmentSettings
from filmless.department.performed.told import REASONS
from filmless.department.worklist import keys
from filmless.dicom.attributes import BY_TAG


def department() -> str:
    """What the worklist answers, and what follows from performed steps."""
    settings = DepartmentSettings()
    rows = [
        *_rows(keys.TOP, ""),
        *_rows(keys.IN_STEP, "> "),
    ]
    reasons = [(code, english) for code, (_, english) in REASONS.items()]
    return f"""
### 6.1 Modality Worklist (C-FIND)

One answer for each scheduled procedure step of a registered exam; urgent ones come first, then by time. Shown are
steps with the status ARRIVED or READY, and for {
        settings.worklist_begun_hours:g} hours STARTED; with the setting
`number_at = "booking"` also SCHEDULED. A request without a date is answered with steps no older than
{
        settings.worklist_days
    } days. A step that is planned for no station yet is shown to every device of its modality,
with the station AE title that was asked for. What a device is shown is limited by its scope in the list of devices
and by its station.

Every attribute below is matched (single value, wildcard, range of dates and times, list of UIDs as PS3.4 C.2.2.2
says) and returned; Accession Number and Patient ID also match numbers that the exam or the person had before. Keys
with a value that are not in the table are not matched (status FF01). Dates and times are local times of the server.

{table(("attribute", "tag", "VR"), rows)}

Text is in the character set that is set for the device, else in the one that its request declares, else in
ISO_IR 192. Where that set lacks a character, a person name is returned without the component group that has it, with
the alphabetic one (pinyin) in any case, and other text in English or pinyin.

### 6.2 Modality Performed Procedure Step

N-CREATE and N-SET as PS3.4 F.7.2 says; all attributes are kept. A step is linked to exams by Scheduled Procedure Step
ID, Accession Number, Requested Procedure ID or Study Instance UID of the items of the Scheduled Step Attributes
Sequence, where the patient is the same; one without a link is kept, and listed for a person to look at. Several items
are several exams; several steps may belong to one exam.

{
        table(
            ("status", "when"),
            (
                ("0000", "kept"),
                (
                    "0106",
                    "created with another status than IN PROGRESS, or changed to one that does not exist",
                ),
                ("0110, Error ID A710", "changed after it was COMPLETED or DISCONTINUED"),
                ("0111", "created twice"),
                ("0112", "changed and never created"),
                ("0120", "created or changed without a data set"),
                ("A700", "the index is not available"),
            ),
        )
    }

Discontinuation reasons (CID 9300) that are told in words; others are kept as they are:

{table(("code", "meaning"), reasons)}
"""


def _rows(known: Mapping[int, str], before: str) -> list[tuple[str, str, str]]:
    return [
        (before + _keyword(tag), f"({tag >> 16:04X},{tag & 0xFFFF:04X})", vr)
        for tag, vr in sorted(known.items())
    ]


def _keyword(tag: int) -> str:
    known = BY_TAG.get(tag)
    if known is not None:
        return known.keyword
    from pydicom.datadict import keyword_for_tag

    return keyword_for_tag(tag)
