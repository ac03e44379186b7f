"""With what an exam was made: contrast medium, dose, films; and what its maker says of the images (self-check).

Kept with the exam (exams.more), every change in its log. What a device tells of the dose in its performed step stands
beside what is typed, never in its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from filmless.access.acting import Acting
from filmless.department import exams, execution, transfer
from filmless.department.exams import Exam
from filmless.department.model import DepartmentSettings
from filmless.department.performed.told import Json, items, text
from filmless.department.states import State
from filmless.department.tables import performed_step_exams, performed_steps
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused

#: it has been begun, and is not void
_MADE: Final = tuple(
    state for state in State if State.IN_PROGRESS <= state <= State.CLOSED or state is State.DISCONTINUED
)
GRADES: Final = ("A", "B", "C", "waste")
REACTIONS: Final = ("none", "mild", "moderate", "severe")


@dataclass(frozen=True, slots=True)
class Contrast:
    """One administration. `ml`, `rate` (ml/s): 0 where not told; `route` as written, e.g. "IV"."""

    agent: str
    lot: str = ""
    ml: float = 0.0
    rate: float = 0.0
    route: str = ""
    reaction: str = "none"
    extravasation: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Dose:
    """Of the whole exam; None where not told. mGy (`ctdi`: CTDIvol), mGy·cm (`dlp`), dGy·cm² (`dap`), mGy (`entrance`,
    `glandular`), seconds of fluoroscopy, exposures, films."""

    ctdi: float | None = None
    dlp: float | None = None
    dap: float | None = None
    entrance: float | None = None
    glandular: float | None = None
    fluoroscopy: float | None = None
    exposures: int | None = None
    films: int | None = None


def record(
    connection: Connection,
    exam_id: int,
    acting: Acting,
    *,
    contrast: Sequence[Contrast] | None = None,
    dose: Dose | None = None,
    seen: int | None = None,
) -> Exam:
    """Write down contrast media (an empty list: none was given) and dose; None leaves what is there.

    Raises Refused (code "bad-value"), Conflict ("wrong-state", "stale").
    """
    exam = _begun(connection, exam_id, seen)
    more: dict[str, Any] = {}
    if contrast is not None:
        for one in contrast:
            if not one.agent.strip() or one.ml < 0 or one.rate < 0 or one.reaction not in REACTIONS:
                raise Refused("Say which contrast medium, and how much.", code="bad-value")
        more["contrast"] = [asdict(one) for one in contrast]
    if dose is not None:
        told = {name: value for name, value in asdict(dose).items() if value is not None}
        if any(value < 0 for value in told.values()):
            raise Refused("A dose is not negative.", code="bad-value")
        more["dose"] = told
    changed = {name: value for name, value in more.items() if value != exam.more.get(name)}
    if not changed:
        return exam
    return exams.note(
        connection, exam_id, "contrast and dose", acting, detail=changed, also={"more": changed}, seen=seen
    )


def judge(
    connection: Connection,
    exam_id: int,
    acting: Acting,
    settings: DepartmentSettings,
    *,
    grade: str,
    note: str = "",
    seen: int | None = None,
) -> Exam:
    """Whoever made the images has looked at them: `grade` of GRADES. With it, and all images there, they are verified
    (T13); "waste" keeps them from being read until others are made or somebody says otherwise, and takes them back
    where they were to be read already (T14, `note` says why).

    Raises Refused (code "bad-value", "reason-missing"), Conflict ("wrong-state", "stale").
    """
    if grade not in GRADES:
        raise Refused("The grade is A, B, C or waste.", code="bad-value")
    exam = _begun(connection, exam_id, seen)
    if exam.state is State.IN_PROGRESS:
        raise Conflict("Finish the exam first: then all its images are looked at.", code="wrong-state")
    said = {"grade": grade, "note": note.strip(), "by": acting.who.name[:80], "at": clock.now().isoformat()}
    exams.note(
        connection,
        exam_id,
        "images looked at",
        acting,
        reason=note.strip(),
        detail={"grade": grade},
        also={"more": {"quality": said}},
        seen=seen,
    )
    if grade == "waste" and exam.state is State.VERIFIED:
        return execution.send_back(connection, exam_id, acting, reason=note.strip())
    return transfer.look(connection, exam_id, acting, settings)


def _begun(connection: Connection, exam_id: int, seen: int | None) -> Exam:
    exam = exams.get(connection, exam_id)
    if exam.state not in _MADE:
        raise Conflict("The exam has not begun yet, or is void.", code="wrong-state")
    if seen is not None and exam.changes != seen:
        raise Conflict("Somebody has changed this exam meanwhile. Look at it again.", code="stale")
    return exam


def told_dose(connection: Connection, exam_id: int) -> Dose:
    """What devices told in performed steps (PS3.3 C.4.16, C.4.17), summed over the steps of an exam."""
    query = (
        select(performed_steps.c.attributes)
        .join(performed_step_exams, performed_step_exams.c.performed_step == performed_steps.c.id)
        .where(performed_step_exams.c.exam == exam_id)
    )
    sums: dict[str, float] = {}
    for attributes in connection.scalars(query):
        for name, value in _of_step(attributes or {}).items():
            sums[name] = sums.get(name, 0.0) + value
    told: dict[str, Any] = {name: round(value, 3) for name, value in sums.items()}
    return Dose(**told | {name: int(sums[name]) for name in ("exposures", "films") if name in sums})


def _of_step(attributes: Json) -> Mapping[str, float]:
    found: dict[str, float] = {}

    def add(name: str, value: str, factor: float = 1.0) -> None:
        try:
            number = float(value) * factor
        except ValueError:
            return
        if 0 <= number < 1e9:
            found[name] = found.get(name, 0.0) + number

    # entrance dose in dGy (0040,0302), in mGy (0040,8302)
    if text(attributes, "00408302"):
        add("entrance", text(attributes, "00408302"))
    else:
        add("entrance", text(attributes, "00400302"), 100.0)
    add("dap", text(attributes, "0018115E"))
    add("fluoroscopy", text(attributes, "00400300"))
    add("exposures", text(attributes, "00400301"))
    # Exposure Dose Sequence, where a device adds CTDIvol: of each exposure, and no sum means anything
    doses = [text(item, "00189345") for item in items(attributes, "0040030E")]
    known = [float(one) for one in doses if _is_number(one)]
    if known:
        found["ctdi"] = max(known)
    for item in items(attributes, "00400321"):
        add("films", text(item, "21000170"))
    return found


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def told(exam: Exam) -> tuple[list[dict[str, Any]] | None, dict[str, Any], dict[str, Any]]:
    """(contrast media, None where nobody said; dose; what its maker says of the images) as they are kept."""
    contrast = exam.more.get("contrast")
    return contrast, dict(exam.more.get("dose") or {}), dict(exam.more.get("quality") or {})
