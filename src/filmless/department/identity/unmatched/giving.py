"""Saying of which exam images are, taking it back, and making an exam for them."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete

from filmless.access.acting import Acting
from filmless.access.model import SYSTEM, Action, may, permit
from filmless.db import events
from filmless.department import exams, images, registration, tasks
from filmless.department.beginning import begun
from filmless.department.exams import Exam
from filmless.department.identity import journal
from filmless.department.identity.journal import Entry
from filmless.department.identity.unmatched.tray import KINDS, NOT, study_of, uids_of
from filmless.department.model import Desk
from filmless.department.orders import NewOrder, Wanted
from filmless.department.states import State
from filmless.department.tables import exam_studies
from filmless.department.tasks import Task
from filmless.kit.errors import Conflict, Refused
from filmless.kit.ids import new_uid
from filmless.patients import persons
from filmless.patients.persons import NewPerson

#: reading has been concluded: first the report is taken back
_CONCLUDED: Final = (State.FINAL, State.CORRECTED, State.CLOSED)
_READING: Final = (State.REPORTING, State.PRELIMINARY, State.IN_REVIEW)


def assign(connection: Connection, study_uid: str, exam_id: int, acting: Acting, *, reason: str) -> Entry:
    """These images are of this exam: they are told its person and number, and are no other exam's any more.

    An exam that they came under (a wrong entry of the worklist) gets a new Study Instance UID for when it is made; the
    images keep theirs. Raises Refused ("not-permitted", "not-found", "reason-missing"), Conflict ("attached",
    "wrong-state", "two-patients", "concluded").
    """
    permit(acting.who, Action.MATCH_IMAGES)
    study = study_of(connection, study_uid)
    if study is None:
        raise Refused("There are no such images.", code="not-found")
    if study.several:
        raise Conflict(
            "Objects of this study are said to be of different patients: settle that doubt first.",
            code="two-patients",
        )
    exam = exams.get(connection, exam_id)
    if exam.state in NOT:
        raise Conflict("This exam is cancelled, was not attended or is void.", code="wrong-state")
    before = exams.of_study(connection, study_uid)
    if [one.id for one in before] == [exam.id]:
        raise Conflict("These images are this exam's already.", code="attached")
    if any(one.state in _CONCLUDED for one in before):
        raise Conflict("There is a report on these images: have it retracted first.", code="concluded")
    taken = [_take(connection, one, study_uid, exam, acting, reason) for one in before if one.id != exam.id]
    _put(connection, exam, study_uid, acting, reason)
    for task in _tasks_of(connection, study_uid):
        tasks.close_cause(
            connection, task.cause, acting.who, f"matched to {exam.number or exam.id}: {reason}"
        )
    body = {
        "study": study_uid,
        "exam": exam.id,
        "from": taken,
        "told": {"patient_id": study.patient_id, "issuer": study.issuer, "accession": study.accession},
    }
    return journal.write(connection, "images", exam.person, None, body, acting, reason)


def unassign(connection: Connection, entry_id: int, acting: Acting, *, reason: str) -> Entry:
    """They were not this exam's: back into the tray as they came.

    Raises Refused ("not-permitted", "not-found", "reason-missing"), Conflict ("undone", "concluded").
    """
    permit(acting.who, Action.MATCH_IMAGES)
    entry = journal.in_force(connection, entry_id, "images")
    study_uid, exam = entry.body["study"], exams.get(connection, entry.body["exam"])
    if exam.state in _CONCLUDED:
        raise Conflict("There is a report on these images: have it retracted first.", code="concluded")
    connection.execute(
        delete(exam_studies).where(exam_studies.c.exam == exam.id, exam_studies.c.study_uid == study_uid)
    )
    left = exams.studies_of(connection, exam)
    facet = "arriving" if any(study_of(connection, uid) for uid in left) else "none"
    exams.note(
        connection,
        exam.id,
        "images taken away",
        acting,
        reason=reason,
        detail={"study": study_uid},
        images=facet,
    )
    tasks.raise_task(
        connection,
        "unmatched-images",
        f"unmatched-images:{study_uid}",
        study_uid=study_uid,
        body={"why": "match undone"},
    )
    journal.undone(connection, entry, acting, reason)
    journal.keep(connection, entry.id, {"settled": False})
    return journal.get(connection, entry.id)


@dataclass(frozen=True, slots=True)
class NewExam:
    """An exam to be made for images. `person` None: somebody new, as `new` tells. `letter` "": in the green channel,
    to be matched later, where the one who does it may not register."""

    procedure: str
    reason: str
    person: int | None = None
    new: NewPerson | None = None
    letter: str = ""
    side: str = ""
    visit_number: str = ""
    admission_number: str = ""


def make_exam(
    connection: Connection, study_uid: str, wish: NewExam, acting: Acting, desk: Desk
) -> tuple[Exam, Entry]:
    """Make the exam that these images are of, and give them to it. Raises as `assign`, persons.create and
    registration.walk_in or green_channel."""
    permit(acting.who, Action.MATCH_IMAGES)
    if not wish.reason.strip():
        raise Refused("Say why: it is kept.", code="reason-missing")
    if wish.person is not None:
        person = persons.resolve(connection, wish.person)
    elif wish.new is not None:
        permit(acting.who, Action.CHANGE_PERSONS)
        person = persons.create(connection, wish.new, acting)
    else:
        raise Refused("Say whose exam it is.", code="no-person")
    if wish.letter and may(acting.who, Action.REGISTER):
        order = NewOrder(person=person.id, purpose=wish.reason)
        arrival = registration.Arrival(
            wish.letter, visit_number=wish.visit_number, admission_number=wish.admission_number
        )
        _, (exam,) = registration.walk_in(
            connection, order, [Wanted(wish.procedure, wish.side)], acting, desk, arrival
        )
    else:
        _, exam = registration.green_channel(
            connection, acting, desk, procedure=wish.procedure, person=person.id
        )
    entry = assign(connection, study_uid, exam.id, acting, reason=wish.reason)
    return exams.get(connection, exam.id), entry


def _put(connection: Connection, exam: Exam, study_uid: str, acting: Acting, reason: str) -> None:
    images.attach(connection, exam, study_uid, "hand", acting)
    exam = exams.note(
        connection,
        exam.id,
        "images matched",
        acting,
        reason=reason,
        detail={"study": study_uid},
        images="arriving" if exam.images == "none" else "",
    )
    exam = begun(connection, exam, Acting(SYSTEM, acting.trail, acting.host), "images", study_uid)
    if exam.state in _READING or exam.state in _CONCLUDED:
        tasks.raise_task(
            connection,
            "late-images",
            f"late-images:{exam.id}",
            exam=exam.id,
            study_uid=study_uid,
            body={"state": exam.state.value, "number": exam.number},
        )
    events.record(connection, [("exam-images", {"exam": exam.id, "study_uid": study_uid})])


def _take(
    connection: Connection, before: Exam, study_uid: str, after: Exam, acting: Acting, reason: str
) -> dict[str, Any]:
    """The images are no longer an exam's; where they came under its own UID, it gets another for when it is made."""
    connection.execute(
        delete(exam_studies).where(exam_studies.c.exam == before.id, exam_studies.c.study_uid == study_uid)
    )
    also: dict[str, Any] = {"study_uid": new_uid()} if before.study_uid == study_uid else {}
    left = [uid for uid in exams.studies_of(connection, before) if uid != study_uid]
    empty = not any(study_of(connection, uid) for uid in left)
    exams.note(
        connection,
        before.id,
        "images are another exam's",
        acting,
        reason=reason,
        detail={"study": study_uid, "to": after.id},
        also=also,
        images="none" if empty else "",
    )
    if empty and before.state not in (State.SCHEDULED, State.ARRIVED):
        # it was not made, although it looks so: stopped and made again, or cancelled, by those at the device
        tasks.raise_task(
            connection, "repeat", f"repeat:{before.id}", exam=before.id, body={"why": "wrong-worklist-entry"}
        )
    return {"exam": before.id, "uid": also.get("study_uid", "")}


def _tasks_of(connection: Connection, study_uid: str) -> list[Task]:
    return [
        task for task in tasks.open_tasks(connection, kinds=KINDS, limit=1000) if study_uid in uids_of(task)
    ]
