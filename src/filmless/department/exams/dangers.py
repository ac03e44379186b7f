"""What may speak against an exam: the questions that are asked before it, by what is made and of whom, and what the
answers mean. Rules and readings only; the answers are kept in `exams.more["safety"]` (department/safety.py).

{"answers": {code: answer}, "note": "...", "at": ..., "by": ..., "procedure": ..., "state": "clear", "caution", "stop",
"accepted", "accepted": {"codes": [...], "reason", "at", "by", "procedure"}}

What speaks against an exam does so until it is asked again. What does not counts where it was said
within a day before the exam begins; what was accepted likewise, and for the same procedure only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Connection, select

from filmless.department.exams.model import Exam
from filmless.department.states import State
from filmless.department.tables import orders, words
from filmless.kit import clock
from filmless.patients.tables import persons

Answer = Literal["no", "yes", "unknown"]
Standing = Literal["", "clear", "caution", "stop", "accepted"]
#: modalities that give radiation from outside or within
_RADIATION: Final = frozenset({"CT", "DX", "CR", "MG", "XA", "RF", "PX", "IO", "NM", "PT"})
#: years of age from which, and up to which, a woman is asked
_FERTILE: Final = (10, 55)
_DAY: Final = timedelta(days=1)
#: of the order's dangers in words -> questions that they put
_ORDERED: Final = {"implants": ("pacemaker", "metal"), "allergies": ("allergy",)}
#: it is asked until it is made
OPEN: Final = (
    State.REQUESTED,
    State.HELD,
    State.VETTED,
    State.SCHEDULED,
    State.ARRIVED,
    State.IN_PROGRESS,
)


@dataclass(frozen=True, slots=True)
class About:
    """What decides which questions are asked. `born`: the year, None where it is not known."""

    modality: str
    contrast: bool
    prepared: bool
    sex: str
    born: int | None


@dataclass(frozen=True, slots=True)
class Question:
    """`stops`: it does not begin by hand before somebody has accepted the danger; else it is only shown."""

    applies: Callable[[About], bool]
    stops: bool = True
    danger: frozenset[str] = frozenset({"yes", "unknown"})


def _may_be_pregnant(about: About) -> bool:
    if about.sex == "M" or about.modality not in _RADIATION | {"MR"}:
        return False
    if about.born is None:
        return True
    # in this year before and after her birthday: nobody who might be meant is left out
    age = clock.now().astimezone().year - about.born
    return age >= _FERTILE[0] and age - 1 <= _FERTILE[1]


#: in the order in which they are asked; their words are in the screens' translations (safety.questions)
QUESTIONS: Final[Mapping[str, Question]] = {
    "pregnancy": Question(_may_be_pregnant),
    "pacemaker": Question(lambda about: about.modality == "MR"),
    "metal": Question(lambda about: about.modality == "MR"),
    "claustrophobia": Question(lambda about: about.modality == "MR", stops=False, danger=frozenset({"yes"})),
    "allergy": Question(lambda about: about.contrast),
    "kidneys": Question(lambda about: about.contrast),
    "thyroid": Question(
        lambda about: about.contrast and about.modality == "CT", stops=False, danger=frozenset({"yes"})
    ),
    "metformin": Question(
        lambda about: about.contrast and about.modality == "CT", stops=False, danger=frozenset({"yes"})
    ),
    "prepared": Question(lambda about: about.prepared, stops=False, danger=frozenset({"no", "unknown"})),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with its answer; "" where nobody has asked. `speaks`: the answer speaks against the exam."""

    code: str
    answer: str
    stops: bool
    speaks: bool


def asked(connection: Connection, exam: Exam) -> list[Asked]:
    """The questions of an exam with what is known: answers that count, else what the order says of dangers."""
    kept: Mapping[str, Any] = exam.more.get("safety") or {}
    answers = counting(kept, _begun(exam))
    about, ordered = _about(connection, exam)
    found = []
    for code, question in QUESTIONS.items():
        if question.applies(about):
            answer = answers.get(code) or ordered.get(code, "")
            found.append(Asked(code, answer, question.stops, answer in question.danger))
    return found


def counting(kept: Mapping[str, Any], begun: datetime | None = None) -> dict[str, str]:
    """Of what is kept of the questions, the answers that count for an exam that began at `begun`, or begins now."""
    lately = _lately(kept, begun)
    answers: Mapping[str, Any] = kept.get("answers") or {}
    return {
        code: str(answer)
        for code, answer in answers.items()
        if lately or (code in QUESTIONS and answer in QUESTIONS[code].danger)
    }


def stopping(exam: Exam, found: Sequence[Asked]) -> list[str]:
    """Codes of what speaks against an exam and nobody has accepted."""
    accepted = _accepted(exam).get("codes") or ()
    return [one.code for one in found if one.speaks and one.stops and one.code not in accepted]


def state(exam: Exam) -> Standing:
    """How it stands by what was answered: "" where nobody has asked for this procedure, or lately."""
    kept: Mapping[str, Any] = exam.more.get("safety") or {}
    said: Standing = kept.get("state", "")
    if said == "accepted" and not _accepted(exam):
        return "stop"
    if said == "clear" and (kept.get("procedure") != exam.procedure or not _of_today(exam, kept)):
        return ""
    return said


def _accepted(exam: Exam) -> Mapping[str, Any]:
    """What was accepted, where that still counts."""
    accepted: Mapping[str, Any] = (exam.more.get("safety") or {}).get("accepted") or {}
    return accepted if accepted.get("procedure") == exam.procedure and _of_today(exam, accepted) else {}


def _of_today(exam: Exam, said: Mapping[str, Any]) -> bool:
    return _lately(said, _begun(exam))


def _begun(exam: Exam) -> datetime | None:
    return exam.started_at if exam.state not in OPEN or exam.state is State.IN_PROGRESS else None


def _lately(said: Mapping[str, Any], begun: datetime | None) -> bool:
    return "at" in said and (begun or clock.now()) - datetime.fromisoformat(said["at"]) < _DAY


def _about(connection: Connection, exam: Exam) -> tuple[About, Mapping[str, str]]:
    person = connection.execute(
        select(persons.c.sex, persons.c.birth_date).where(persons.c.id == exam.person)
    ).one()
    more: Mapping[str, Any] = (
        connection.scalar(
            select(words.c.more).where(words.c.kind == "procedure", words.c.code == exam.procedure)
        )
        or {}
    )
    cautions = connection.scalar(select(orders.c.cautions).where(orders.c.id == exam.order_id)) or {}
    about = About(
        exam.modality,
        bool(more.get("contrast")),
        bool(more.get("preparation_zh") or more.get("preparation_en")),
        person.sex,
        int(person.birth_date[:4]) if person.birth_date[:4].isdigit() else None,
    )
    pregnancy = {"yes": "yes", "possible": "unknown"}.get(str(cautions.get("pregnancy", "")))
    ordered = {"pregnancy": pregnancy} if pregnancy else {}
    for name, codes in _ORDERED.items():
        if str(cautions.get(name) or "").strip():
            # in words: somebody reads and asks
            ordered |= dict.fromkeys(codes, "unknown")
    return about, ordered
