"""What has to hold before an exam changes its state, beyond the state itself: transition -> what is asked.

What only an upper room can know (a signature, a lock) is asked there, before. A device tells what has happened
already, so that nothing here refuses it what a person at a screen would be refused: a check that is missing then
becomes a task.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from filmless.department.exams import dangers
from filmless.department.exams.model import Exam
from filmless.department.tables import identity_checks, words
from filmless.kit import clock
from filmless.kit.errors import Conflict

#: policies of a class of exams that ask for a check of identity before it goes on; "document" asks for a document
#: with a number
BLOCKING: Final = ("required", "document")


@dataclass(frozen=True, slots=True)
class Asked:
    """A change of state that is asked for. `exam` is as it will be, but for its state; `before` as it is."""

    exam: Exam
    before: Exam
    source: str
    reason: str

    @property
    def by_hand(self) -> bool:
        return self.source == "screen"


Guard = Callable[[Connection, Asked], None]


def class_words(connection: Connection, letter: str) -> Mapping[str, object]:
    """What is kept of a class of exams; nothing where it is not known."""
    found = connection.scalar(
        select(words.c.more).where(words.c.kind == "exam-class", words.c.code == letter)
    )
    return found or {}


def procedure_words(connection: Connection, code: str) -> Mapping[str, object]:
    """What is kept of a procedure; nothing where it is not known."""
    found = connection.scalar(select(words.c.more).where(words.c.kind == "procedure", words.c.code == code))
    return found or {}


def identity_checked(connection: Connection, exam_id: int, stage: str) -> bool:
    """Whether somebody made sure who it is, or overrode that they could not; the latest check counts."""
    query = (
        select(identity_checks.c.passed, identity_checks.c.override_by)
        .where(identity_checks.c.exam == exam_id, identity_checks.c.stage == stage)
        .order_by(identity_checks.c.id.desc())
    )
    row = connection.execute(query).first()
    return row is not None and bool(row.passed or row.override_by)


def _booked(_connection: Connection, asked: Asked) -> None:
    if not asked.exam.station or asked.exam.starts_at is None:
        raise Conflict("Choose a station and a time first.", code="no-booking")


def _registered(connection: Connection, asked: Asked) -> None:
    exam = asked.exam
    if not exam.number:
        raise Conflict("The exam has no number yet: it is registered at the desk.", code="no-number")
    if class_words(connection, exam.exam_class).get("identity") in BLOCKING and not identity_checked(
        connection, exam.id, "registration"
    ):
        raise Conflict("Check first who it is, by a document.", code="identity-unchecked")


def _before_exam(connection: Connection, asked: Asked) -> None:
    if not asked.by_hand:
        return
    policies = class_words(connection, asked.exam.exam_class)
    if policies.get("identity_exam") in BLOCKING and not identity_checked(connection, asked.exam.id, "exam"):
        raise Conflict("Check first who lies there, by two identifiers.", code="identity-unchecked")
    if policies.get("green"):
        # who is about to die is not asked
        return
    found = dangers.asked(connection, asked.exam)
    if policies.get("safety") == "required" and any(not one.answer for one in found):
        raise Conflict("Ask the safety questions first.", code="safety-unasked")
    if dangers.stopping(asked.exam, found):
        raise Conflict(
            "Something speaks against this exam. Say first why it is made all the same, or do not make it.",
            code="safety-stop",
        )


def _images_or_reason(connection: Connection, asked: Asked) -> None:
    if not asked.by_hand or asked.reason:
        return
    if (
        procedure_words(connection, asked.exam.procedure).get("contrast")
        and "contrast" not in asked.exam.more
    ):
        raise Conflict(
            "Say which contrast medium was given, that none was, or why it is not known.",
            code="contrast-missing",
        )
    if asked.exam.images == "none":
        raise Conflict(
            "No images have come yet. Say why the exam is finished without them.", code="no-images"
        )


def _complete_or_reason(_connection: Connection, asked: Asked) -> None:
    if asked.exam.images != "complete" and not asked.reason:
        raise Conflict(
            "Not all images have come. Wait for them, or say why what is there is enough.",
            code="images-incomplete",
        )


def _some_images(_connection: Connection, asked: Asked) -> None:
    if asked.exam.images in ("none", "rejected"):
        raise Conflict("There is no image to be read.", code="no-images")


def _past(_connection: Connection, asked: Asked) -> None:
    starts = asked.exam.starts_at
    if starts is not None and starts > clock.now():
        raise Conflict("The time it is booked for has not come yet.", code="not-due")


def _green(connection: Connection, asked: Asked) -> None:
    if not class_words(connection, asked.before.exam_class).get("green"):
        raise Conflict("Only exams of the green channel are matched.", code="not-green")


def _same_number(_connection: Connection, asked: Asked) -> None:
    if not asked.exam.number:
        raise Conflict("The exam has no number yet: register it.", code="no-number")


#: transition -> its guard
GUARDS: Final[Mapping[str, Guard]] = {
    "T03": _booked,
    "T04": _registered,
    "T09": _before_exam,
    "T11": _images_or_reason,
    "T13": _complete_or_reason,
    "T29": _past,
    "T30A": _same_number,
    "T32": _green,
    "T33": _some_images,
    "T34": _same_number,
}
