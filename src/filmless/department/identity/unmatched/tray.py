"""What lies in the tray, and which exams it may be of."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, or_, select

from filmless.archive.tables import series, studies
from filmless.department import exams, tasks
from filmless.department.exams import Exam
from filmless.department.states import State
from filmless.department.tables import exams as exam_rows
from filmless.department.tables import stations
from filmless.department.tasks import Task
from filmless.patients import persons
from filmless.patients.names import groups
from filmless.patients.persons import NewPerson, Person, model
from filmless.patients.tables import patients, person_identifiers
from filmless.patients.tables import persons as person_rows

#: tasks that put a study into the tray
KINDS: Final = ("wrong-worklist-entry", "unmatched-images", "unscheduled")
#: days around the study in which its exam is looked for
_DAYS: Final = 3
#: states in which no images are given to an exam: nobody was there, or it should not have been
NOT: Final = (State.CANCELLED, State.NO_SHOW, State.VOID)


@dataclass(frozen=True, slots=True)
class Study:
    """A study as its images tell it. `at`: date and time of the study as the device wrote them, local time."""

    study_uid: str
    patient_id: str
    issuer: str
    name: str
    birth_date: str
    sex: str
    accession: str
    date: str
    time: str
    description: str
    modalities: tuple[str, ...]
    sources: tuple[str, ...]
    series: int
    images: int
    came_at: datetime
    several: bool = False


@dataclass(frozen=True, slots=True)
class InTray:
    """A study in the tray. `exams`: those that it is attached to now (a wrong entry of the worklist)."""

    task: Task
    study: Study
    exams: tuple[Exam, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An exam that the images may be of. `score`: 0 to 100; `why`: what agrees, and with "-" what contradicts:
    "number", "patient-id", "name", "sounds", "birth-date", "sex", "modality", "device", "time", "no-images"."""

    exam: Exam
    person: Person
    score: int
    why: tuple[str, ...]


def tray(
    connection: Connection, *, seen: ColumnElement[bool] | None = None, limit: int = 200
) -> list[InTray]:
    """What waits, the oldest first. `seen`: a condition on rows of `studies`."""
    found: dict[str, InTray] = {}
    for task in tasks.open_tasks(connection, kinds=KINDS, limit=limit):
        for uid in uids_of(task):
            study = study_of(connection, uid, seen=seen)
            if study is not None and uid not in found:
                found[uid] = InTray(task, study, tuple(exams.of_study(connection, uid)))
    return list(found.values())


def study_of(
    connection: Connection, study_uid: str, *, seen: ColumnElement[bool] | None = None
) -> Study | None:
    """A study as its images tell it; None where nothing of it is in use, or it may not be seen."""
    query = (
        select(studies, patients.c.patient_id, patients.c.issuer, patients.c.name)
        .add_columns(patients.c.birth_date, patients.c.sex)
        .join(patients, patients.c.id == studies.c.patient)
        .where(studies.c.study_uid == study_uid, studies.c.instance_count > 0)
        .order_by(studies.c.instance_count.desc(), studies.c.id)
    )
    if seen is not None:
        query = query.where(seen)
    rows = connection.execute(query).all()
    if not rows:
        return None
    row = rows[0]
    came = connection.execute(
        select(series.c.modality, series.c.source).where(
            series.c.study.in_([one.id for one in rows]), series.c.instance_count > 0
        )
    ).all()
    return Study(
        study_uid=study_uid,
        patient_id=row.patient_id,
        issuer=row.issuer,
        name=row.name,
        birth_date=row.birth_date,
        sex=row.sex,
        accession=row.accession_number,
        date=row.study_date,
        time=row.study_time,
        description=row.study_description,
        modalities=tuple(dict.fromkeys(one.modality for one in came if one.modality)),
        sources=tuple(dict.fromkeys(one.source for one in came if one.source)),
        series=sum(one.series_count for one in rows),
        images=sum(one.instance_count for one in rows),
        came_at=row.created_at,
        several=len(rows) > 1,
    )


def candidates(
    connection: Connection,
    study: Study,
    *,
    besides: Collection[int] = (),
    seen: ColumnElement[bool] | None = None,
    limit: int = 10,
) -> list[Candidate]:
    """Exams that the images may be of, the likeliest first. `seen`: a condition on rows of `exams`.

    `besides`: exams under which they came by mistake. Then what the images tell of the person is that of the wrong
    entry, and says nothing of whose they are.
    """
    if besides:
        study = replace(study, patient_id="", name="", birth_date="", sex="", accession="")
    moment = _moment(study)
    begins, ends = moment - timedelta(days=_DAYS), moment + timedelta(days=_DAYS)
    whose = _persons_like(connection, study)
    near = or_(
        exam_rows.c.arrived_at.between(begins, ends),
        exam_rows.c.starts_at.between(begins, ends),
        exam_rows.c.started_at.between(begins, ends),
    )
    numbered = exams.by_number(connection, study.accession)
    wanted: list[ColumnElement[bool]] = [exam_rows.c.modality.in_(study.modalities or ("",)) & near]
    if whose:
        wanted.append(exam_rows.c.person.in_(whose) & (near | exam_rows.c.state.in_(("E00", "E10"))))
    if numbered is not None:
        wanted.append(exam_rows.c.id == numbered.id)
    query = (
        select(exam_rows)
        .where(exam_rows.c.state.not_in(NOT), exam_rows.c.id.not_in(list(besides)), or_(*wanted))
        .order_by(exam_rows.c.id.desc())
        .limit(500)
    )
    if seen is not None:
        query = query.where(seen)
    found = [Exam.of(row) for row in connection.execute(query)]
    rows = connection.execute(select(person_rows).where(person_rows.c.id.in_({one.person for one in found})))
    known = {one.id: one for one in persons.several(connection, rows)}
    asking = {
        row.code: row.ae_title for row in connection.execute(select(stations.c.code, stations.c.ae_title))
    }
    weighed = [
        _weighed(study, one, known[one.person], moment, numbered, asking.get(one.station, ""))
        for one in found
    ]
    weighed = [one for one in weighed if one.score >= 20]
    return sorted(weighed, key=lambda one: (-one.score, -one.exam.id))[:limit]


def uids_of(task: Task) -> list[str]:
    """The studies that a task is about."""
    more: Iterable[str] = task.body.get("studies", ()) if isinstance(task.body, Mapping) else ()
    return list(dict.fromkeys([uid for uid in (task.study_uid, *more) if uid]))


def _moment(study: Study) -> datetime:
    """When it was made by the device's clock, else when it came."""
    text = f"{study.date}{study.time[:6] if study.time else '120000'}"
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").astimezone(UTC)
    except ValueError:
        return study.came_at


def _persons_like(connection: Connection, study: Study) -> set[int]:
    found: set[int] = set()
    if study.patient_id:
        numbered = select(person_identifiers.c.person).where(person_identifiers.c.value == study.patient_id)
        found |= {persons.resolve(connection, one).id for one in connection.scalars(numbered.limit(20))}
    told = groups(study.name)
    if told.alphabetic or told.ideographic:
        looked_for = NewPerson(
            told.ideographic[:64], told.alphabetic[:64], sex=_sex(study.sex), birth_date=study.birth_date
        )
        found |= {one.person.id for one in persons.likely(connection, looked_for, limit=20)}
    return found


def _weighed(
    study: Study, exam: Exam, person: Person, moment: datetime, numbered: Exam | None, ae_title: str
) -> Candidate:
    score, why = 0, []

    def add(points: int, word: str) -> None:
        nonlocal score
        score += points
        why.append(word if points > 0 else f"-{word}")

    if numbered is not None and numbered.id == exam.id:
        add(40, "number")
    if study.patient_id and any(one.value == study.patient_id for one in person.identifiers):
        add(30, "patient-id")
    told = groups(study.name)
    written = model.together(told.ideographic) and model.together(person.name_ideographic)
    if written and model.together(told.ideographic) == written:
        add(25, "name")
    elif told.alphabetic and model.together(told.alphabetic) == model.together(person.name_alphabetic):
        add(12 if written else 20, "sounds" if person.name_ideographic else "name")
    elif (told.alphabetic or told.ideographic) and not person.unknown:
        add(-15, "name")
    if study.birth_date and person.birth_date:
        same = study.birth_date.startswith(person.birth_date)
        add(15 if same else -15, "birth-date")
    if study.sex in ("M", "F") and person.sex in ("M", "F"):
        add(5 if study.sex == person.sex else -15, "sex")
    if study.modalities:
        add(15 if exam.modality in study.modalities else -25, "modality")
    if ae_title and ae_title in study.sources:
        add(10, "device")
    planned = exam.started_at or exam.arrived_at or exam.starts_at
    if planned is not None:
        apart = abs(planned - moment)
        if apart <= timedelta(hours=2):
            add(20, "time")
        elif apart <= timedelta(hours=12):
            add(8, "time")
    if exam.images == "none" and exam.state in (State.ARRIVED, State.IN_PROGRESS, State.ACQUIRED):
        add(10, "no-images")
    return Candidate(exam, person, max(0, min(100, score)), tuple(why))


def _sex(text: str) -> str:
    return text if text in ("M", "F", "O") else ""


def count(connection: Connection) -> int:
    """How many tasks of the tray are open."""
    return sum(tasks.count_open(connection, KINDS).values())
