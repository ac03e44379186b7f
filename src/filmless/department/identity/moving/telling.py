"""What copies tell: of the exam that they are of, as the worklist tells it; nothing of the one that was chosen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from filmless.department import exams
from filmless.department.exams import Exam
from filmless.department.identity import overlay
from filmless.department.identity.journal import Entry
from filmless.department.worklist import items, keys
from filmless.department.worklist.speaking import Speaking
from filmless.dicom.overlay import Layer
from filmless.kit.errors import Defect
from filmless.patients import persons

_PATIENT: Final = 0x0010
#: groups of the patient's study, request, visit and results (PS3.3 C.3, C.4), also where retired
_GROUPS: Final = (0x0032, 0x0038, 0x4008)
#: that an object was de-identified is the object's (PS3.3 C.7.1.1)
_IDENTITY_REMOVED: Final = range(0x00120062, 0x00120065)
#: of the General Study module (PS3.3 C.7.2.1) all but its UID, date and time: number, physicians, descriptions,
#: diagnoses, what is referred to; and Referenced Request (0040,A370) of reports
_STUDY: Final = frozenset((
    0x00080050, 0x00080051, 0x00080090, 0x00080092, 0x00080094, 0x00080096, 0x0008009C, 0x0008009D, 0x00081030,
    0x00081032, 0x00081048, 0x00081049, 0x00081060, 0x00081062, 0x00081080, 0x00081084, 0x00081100, 0x00081110,
    0x00081111, 0x00081120, 0x00081125, 0x00200010, 0x00201070, 0x00400275, 0x0040A370,
))  # fmt: skip
#: scheduled step, requested procedure and imaging service request in group 0040 (PS3.3 C.4.10 to C.4.12)
_REQUEST: Final = (
    range(0x00400001, 0x00400028),
    range(0x00400100, 0x00400101),
    range(0x00400400, 0x00400401),
    range(0x00401001, 0x00401401),
    range(0x00402001, 0x00402401),
    range(0x00403001, 0x00403002),
)
_STUDY_ID, _STUDY_DESCRIPTION, _PROCEDURE_CODES = 0x00200010, 0x00081030, 0x00081032
_REQUEST_ATTRIBUTES: Final = 0x00400275
_UTF_8: Final = Speaking("ISO_IR 192")


@dataclass(frozen=True, slots=True)
class Telling:
    """`layer`: what all copies tell otherwise. `without`: whether a copy does not have an attribute, but for that."""

    layer: Layer
    without: Callable[[int], bool]


def telling(connection: Connection, entry: Entry) -> Telling:
    """What the copies of an entry tell. Raises Defect (code "no-images")."""
    exam = exams.get(connection, entry.body["exam"])
    person = persons.get(connection, exam.person)
    now = overlay.told(connection, entry.body["study"])
    if now is None:
        raise Defect("The images to move are not there.", code="no-images")
    listed = items.of_exam(connection, exam.id) or {}
    changes: dict[int, dict[str, Any] | None] = {
        # what every image has (types 1 and 2), also where nothing is known
        **{tag: {"vr": keys.TOP[tag]} for tag in (*_EVERY, keys.REFERRING_PHYSICIAN)},
        **_json({tag: one for tag, one in listed.items() if _of_study(tag)}, keys.TOP),
        _STUDY_ID: {"vr": "SH", "Value": [exam.number]},
        _REQUEST_ATTRIBUTES: {"vr": "SQ", "Value": [_request(exam, listed)]},
    }
    for tag, source in (
        (_STUDY_DESCRIPTION, keys.PROCEDURE_DESCRIPTION),
        (_PROCEDURE_CODES, keys.PROCEDURE_CODES),
    ):
        if source in changes:
            changes[tag] = changes[source]
    told = overlay.changes(_NOBODY, overlay.Wanted(person, exam.number, sure=True))
    changes |= {int(tag, 16): value for tag, value in told.items()}
    before = persons.by_patient_id(connection, now.patient_id, now.issuer)
    return Telling(Layer(changes, entry.at), _without(before is not None and before.id == person.id))


_EVERY: Final = (keys.PATIENT_NAME, keys.PATIENT_ID, keys.BIRTH_DATE, keys.SEX, keys.ACCESSION_NUMBER)
_NOBODY: Final = overlay.Told("", "", "", "", "", "")


def _without(same_person: bool) -> Callable[[int], bool]:
    def of_another(tag: int) -> bool:
        group = tag >> 16
        if group in (_PATIENT, 0x0012):
            # the same person is as heavy under either number
            return not same_person and tag not in _IDENTITY_REMOVED
        return group in _GROUPS or tag in _STUDY or any(tag in part for part in _REQUEST)

    return of_another


def _of_study(tag: int) -> bool:
    return tag >> 16 in (0x0008, _PATIENT, *_GROUPS) and tag != keys.STUDY_UID


def _request(exam: Exam, listed: Mapping[int, Any]) -> dict[str, Any]:
    """The item of the Request Attributes Sequence (PS3.3 table 10-9)."""
    step = (listed.get(keys.STEPS) or [{}])[0]
    made = {
        0x0020000D: {"vr": "UI", "Value": [exam.study_uid]},
        keys.ACCESSION_NUMBER: {"vr": "SH", "Value": [exam.number]},
        keys.PROCEDURE_ID: {"vr": "SH", "Value": [exam.number]},
        **_json(
            {tag: listed.get(tag) for tag in (keys.PROCEDURE_DESCRIPTION, keys.PROCEDURE_CODES)}, keys.TOP
        ),
        **_json({tag: listed.get(tag) for tag in (keys.REASON,)}, keys.TOP),
        **_json(
            {tag: step.get(tag) for tag in (keys.STEP_ID, keys.STEP_DESCRIPTION, keys.PROTOCOL_CODES)},
            keys.IN_STEP,
        ),
    }
    return {f"{tag:08X}": one for tag, one in made.items()}


def _json(values: Mapping[int, Any], vrs: Mapping[int, str]) -> dict[int, dict[str, Any]]:
    """Of values of the worklist those that say something, as DICOM JSON (PS3.18 annex F)."""
    made: dict[int, dict[str, Any]] = {}
    for tag, value in values.items():
        vr = vrs[tag]
        if value in (None, "", []):
            continue
        if vr == "SQ":
            inside = [_json(item, keys.INSIDE[tag]) for item in value]
            found: list[Any] = [{f"{each:08X}": one for each, one in item.items()} for item in inside]
        elif isinstance(value, int):
            found = [value]
        else:
            text = _UTF_8.text(vr, value)
            if not text:
                continue
            groups = zip(("Alphabetic", "Ideographic", "Phonetic"), text.split("="), strict=False)
            found = [{name: group for name, group in groups if group} if vr == "PN" else text]
        made[tag] = {"vr": vr, "Value": found}
    return made
