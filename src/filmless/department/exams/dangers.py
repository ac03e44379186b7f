"""What may speak against an exam: the questions that are asked before it, by what is made and of whom, and what the
answers mean. Rules and readings only; the answers are kept in `exams.more["safety"]` (department/safety.py).

{"answers": {code: answer}, "note": "...", "at": ..., "by": ..., "accepted": {"codes": [...], "reason", "at", "by"},
"state": "clear", "caution", "stop", "accepted"}
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, select

from filmless.department.exams.model import Exam
from filmless.department.tables import orders, words
from filmless.kit import clock
from filmless.patients.tables import persons

Answer = Literal["no", "yes", "unknown"]
#: modalities that give radiation from outside or within
_RADIATION: Final = frozenset({"CT", "DX", "CR", "MG", "XA", "RF", "PX", "IO", "NM", "PT"})
#: years of age between which a woman is asked
_FERTILE: Final = range(10, 56)


@dataclass(frozen=True, slots=True)
class About:
    """What decides which questions are asked. `age` None: not known."""

    modality: str
    contrast: bool
    prepared: bool
    sex: str
    age: int | None


@dataclass(frozen=True, slots=True)
class Question:
    """`stops`: it does not begin by hand before somebody has accepted the danger; else it is only shown."""

    applies: Callable[[About], bool]
    stops: bool = True
    danger: frozenset[str] = frozenset({"yes", "unknown"})


def _may_be_pregnant(about: About) -> bool:
    asked = about.modality in _RADIATION or about.modality == "MR"
    return asked and about.sex != "M" and (about.age is None or about.age in _FERTILE)


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
    """The questions of an exam with what is known: answers, else what the order says of a pregnancy."""
    answers = dict((exam.more.get("safety") or {}).get("answers") or {})
    about, pregnancy = _about(connection, exam)
    if "pregnancy" not in answers and pregnancy in ("yes", "possible"):
        answers["pregnancy"] = "yes" if pregnancy == "yes" else "unknown"
    found = []
    for code, question in QUESTIONS.items():
        if question.applies(about):
            answer = str(answers.get(code, ""))
            found.append(Asked(code, answer, question.stops, answer in question.danger))
    return found


def stopping(exam: Exam, found: Sequence[Asked]) -> list[str]:
    """Codes of what speaks against an exam and nobody has accepted."""
    accepted = ((exam.more.get("safety") or {}).get("accepted") or {}).get("codes") or ()
    return [one.code for one in found if one.speaks and one.stops and one.code not in accepted]


def _about(connection: Connection, exam: Exam) -> tuple[About, str]:
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
        _age(person.birth_date),
    )
    return about, str(cautions.get("pregnancy", ""))


def _age(birth_date: str) -> int | None:
    """Years at the end of this year: nobody who might be meant is left out."""
    if len(birth_date) < 4 or not birth_date[:4].isdigit():
        return None
    return clock.now().astimezone().year - int(birth_date[:4])
