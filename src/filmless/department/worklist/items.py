"""The items of the worklist: what there is to do, from the database, as attributes of PS3.4 table K.6-1.

An item is a mapping tag -> text, number or items; texts that we have in two languages are `Either`. Times are local
times of the server, as devices show them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, or_, select

from filmless.access.model import Scope
from filmless.archive.query.matching import AnyOf, Match, Range
from filmless.department.exams.dangers import counting
from filmless.department.tables import (
    exam_numbers,
    exams,
    orders,
    places,
    stations,
    steps,
)
from filmless.department.worklist import keys
from filmless.department.worklist.asking import Question
from filmless.department.worklist.speaking import Either
from filmless.kit import clock
from filmless.patients.tables import person_identifiers, persons

Values = dict[int, Any]

#: the coding scheme of procedures, private as PS3.3 8.2 has it
SCHEME: Final = "99FILMLESS"
_PRIORITY: Final = {"stat": "STAT", "urgent": "HIGH"}
#: Pregnancy Status (0010,21C0), PS3.3 C.7.1.3
_PREGNANCY: Final = {"no": 1, "possible": 2, "yes": 3, "unknown": 4}
#: answers to safety questions that every device is to show, as Medical Alerts (0010,2000)
_INSIDE: Final = {
    "pacemaker": Either("体内植入电子装置", "device in the body"),
    "metal": Either("体内金属异物", "metal in the body"),
}
_SIDES: Final = {"L": Either("左侧", "left"), "R": Either("右侧", "right"), "B": Either("双侧", "both sides")}


@dataclass(frozen=True, slots=True)
class Showing:
    """What of the worklist a device is shown, whatever it asks for."""

    #: of its grant: sites, departments, modalities
    scope: Scope
    #: steps that other stations are planned for: "asked", the modality of its own station, or its own only
    limit: str = "asked"
    ae_title: str = ""
    modality: str = ""
    #: also what is booked and has not come
    booked: bool = False
    #: how long a step that was begun is still shown, so that more can be added
    begun: timedelta = timedelta(hours=4)
    #: how old a step may be that is asked for without a date
    age: timedelta = timedelta(days=7)


def find(connection: Connection, question: Question, showing: Showing, limit: int) -> Iterator[Values]:
    """The items that are asked for, urgent ones first, then by time; at most `limit`."""
    known = _Places(connection)
    compared = frozenset(tag for tag in _BY_NUMBER if question.top.single(tag))
    title, given = question.step.single(keys.STATION_AE), 0
    for row in connection.execute(_query(question, showing)):
        values = _values(row, known, title)
        if not question.step.fits(values[keys.STEPS][0]) or not question.top.fits(values, compared):
            continue
        yield values
        given += 1
        if given >= limit:
            return


#: compared by the database, with the numbers that an exam and a person had before
_BY_NUMBER: Final = (keys.ACCESSION_NUMBER, keys.PATIENT_ID)


def of_exam(connection: Connection, exam: int) -> Values | None:
    """What the worklist tells of an exam, shown or not: of its newest step. None where none was planned."""
    row = connection.execute(_rows().where(exams.c.id == exam).order_by(steps.c.id.desc()).limit(1)).first()
    return None if row is None else _values(row, _Places(connection), "")


def _query(question: Question, showing: Showing) -> Any:
    query = _rows().where(*_shown(question, showing), *_asked(question))
    query = query.order_by(exams.c.stat.desc(), steps.c.starts_at, steps.c.id)
    return query.execution_options(yield_per=200)


def _rows() -> Select[Any]:
    return (
        select(
            steps.c.step_id,
            steps.c.ae_title,
            steps.c.station,
            steps.c.modality,
            steps.c.starts_at,
            steps.c.status,
            steps.c.description_zh,
            steps.c.description_en,
            exams.c.id.label("exam"),
            exams.c.number,
            exams.c.study_uid,
            exams.c.procedure,
            exams.c.procedure_zh,
            exams.c.procedure_en,
            exams.c.side,
            exams.c.stat,
            exams.c.site,
            exams.c.more,
            orders.c.placer_number,
            orders.c.requester,
            orders.c.department.label("asked_by"),
            orders.c.ward,
            orders.c.bed,
            orders.c.patient_class,
            orders.c.admission_number,
            orders.c.diagnosis,
            orders.c.history,
            orders.c.purpose,
            orders.c.cautions,
            orders.c.priority,
            persons.c.patient_id,
            persons.c.issuer,
            persons.c.name_alphabetic,
            persons.c.name_ideographic,
            persons.c.name_phonetic,
            persons.c.sex,
            persons.c.birth_date,
            persons.c.vip,
            stations.c.room,
        )
        .join_from(steps, exams, exams.c.id == steps.c.exam)
        .join(orders, orders.c.id == exams.c.order_id)
        .join(persons, persons.c.id == exams.c.person)
        .outerjoin(stations, and_(stations.c.code == steps.c.station, stations.c.code != ""))
    )


def _shown(question: Question, showing: Showing) -> Iterator[ColumnElement[bool]]:
    now = clock.now()
    waiting = ["ARRIVED", "READY", *(["SCHEDULED"] if showing.booked else [])]
    yield or_(
        steps.c.status.in_(waiting),
        and_(steps.c.status == "STARTED", exams.c.started_at >= now - showing.begun),
    )
    yield exams.c.number != ""
    for column, allowed in (
        (exams.c.site, showing.scope.sites),
        (exams.c.department, showing.scope.departments),
        (steps.c.modality, showing.scope.modalities),
    ):
        if allowed is not None:
            yield column.in_(sorted(allowed))
    if showing.limit == "own":
        yield _for_station(showing.ae_title)
    elif showing.limit == "modality" and showing.modality:
        yield steps.c.modality == showing.modality
    if keys.START_DATE not in question.step.matches:
        yield steps.c.starts_at >= now - showing.age


def _asked(question: Question) -> Iterator[ColumnElement[bool]]:
    """What the database can compare; the rest is compared item by item."""
    top, step = question.top, question.step
    if number := top.single(keys.ACCESSION_NUMBER):
        known = select(exam_numbers.c.exam).where(exam_numbers.c.number == number)
        yield or_(exams.c.number == number, exams.c.id.in_(known))
    if patient := top.single(keys.PATIENT_ID):
        known = select(person_identifiers.c.person).where(person_identifiers.c.value == patient)
        yield or_(persons.c.patient_id == patient, persons.c.id.in_(known))
    if uid := top.single(keys.STUDY_UID):
        yield exams.c.study_uid == uid
    if title := step.single(keys.STATION_AE):
        yield _for_station(title)
    if modality := step.single(keys.MODALITY):
        yield steps.c.modality == modality
    if step_id := step.single(keys.STEP_ID):
        yield steps.c.step_id == step_id
    if keys.START_DATE in step.matches:
        first, last = _days(step.matches[keys.START_DATE][1])
        if first is not None:
            yield steps.c.starts_at >= first
        if last is not None:
            yield steps.c.starts_at < last


def _for_station(title: str) -> ColumnElement[bool]:
    """Planned for this device; or for none yet, then it is for any of its modality."""
    its = select(stations.c.modality).where(stations.c.ae_title == title, stations.c.active)
    return or_(steps.c.ae_title == title, and_(steps.c.ae_title == "", steps.c.modality.in_(its)))


def _days(match: Match) -> tuple[datetime | None, datetime | None]:
    """The moments between which the days lie that are asked for; None: without an end."""
    if isinstance(match, Range):
        first = _midnight(match.first) if match.first else None
        last = _midnight(match.last, after=1) if match.last else None
        return first, last
    if isinstance(match, AnyOf):
        ends = [_days(each) for each in match.matches]
        firsts, lasts = [first for first, _ in ends], [last for _, last in ends]
        return (
            None if None in firsts else min(filter(None, firsts)),
            None if None in lasts else max(filter(None, lasts)),
        )
    return None, None


def _midnight(day: str, *, after: int = 0) -> datetime | None:
    try:
        date = datetime.strptime(day, "%Y%m%d").date() + timedelta(days=after)  # noqa: DTZ007 - made local below
        return datetime.combine(date, time()).astimezone()
    except (ValueError, OverflowError, OSError):
        return None


class _Places:
    """The words of sites, departments and wards."""

    def __init__(self, connection: Connection) -> None:
        query = select(places.c.kind, places.c.code, places.c.name_zh, places.c.name_en, places.c.more)
        self._found = {(row.kind, row.code): row for row in connection.execute(query)}

    def issuer(self, site: str) -> str:
        """Of the accession numbers of a site."""
        row = self._found.get(("site", site))
        return str((row.more or {}).get("issuer") or site) if row is not None else site

    def name(self, kind: str, code: str) -> Either:
        row = self._found.get((kind, code))
        return Either(row.name_zh or code, row.name_en or code) if row is not None else Either(code, code)


def _values(row: Row[Any], known: _Places, title: str) -> Values:
    name = "=".join((row.name_alphabetic, row.name_ideographic, row.name_phonetic)).rstrip("=")
    procedure = Either(row.procedure_zh, row.procedure_en)
    code = {keys.CODE_VALUE: row.procedure, keys.CODE_SCHEME: SCHEME, keys.CODE_MEANING: procedure}
    issuer = known.issuer(row.site)
    ward, bed = known.name("ward", row.ward), row.bed and f" {row.bed}"
    cautions: Mapping[str, Any] = row.cautions or {}
    # what the patient was asked here is newer than what the order says
    answers = counting((row.more or {}).get("safety") or {})
    inside = [words for code, words in _INSIDE.items() if answers.get(code) in ("yes", "unknown")]
    alerts = _words(cautions, "implants", "infection", "other")
    local = row.starts_at.astimezone()
    return {
        keys.ACCESSION_NUMBER: row.number,
        keys.ACCESSION_ISSUER: [{keys.NAMESPACE: issuer}] if issuer else [],
        keys.REFERRING_PHYSICIAN: _person(row.requester),
        keys.ADMITTING_DIAGNOSES: _line(row.diagnosis),
        keys.REFERENCED_STUDIES: [],
        keys.REFERENCED_PATIENTS: [],
        keys.PATIENT_NAME: name,
        keys.PATIENT_ID: row.patient_id,
        keys.PATIENT_ISSUER: row.issuer,
        # DA has whole dates only (PS3.5 6.2)
        keys.BIRTH_DATE: row.birth_date if len(row.birth_date) == 8 else "",
        keys.SEX: row.sex,
        keys.OTHER_IDS: "",
        keys.SIZE: _decimal(cautions.get("height"), 0.01),
        keys.WEIGHT: _decimal(cautions.get("weight"), 1),
        keys.ALERTS: Either(
            _line("; ".join(filter(None, (*(one.zh for one in inside), alerts)))),
            _line("; ".join(filter(None, (*(one.en for one in inside), alerts)))),
        ),
        keys.ALLERGIES: _line(_words(cautions, "allergies")),
        keys.HISTORY: row.history,
        keys.PREGNANCY: _PREGNANCY.get(_pregnancy(answers, cautions), ""),
        keys.PATIENT_COMMENTS: "",
        keys.STUDY_UID: row.study_uid,
        keys.REQUESTING_PHYSICIAN: _person(row.requester),
        keys.REQUESTING_SERVICE: known.name("department", row.asked_by),
        keys.PROCEDURE_DESCRIPTION: procedure,
        keys.PROCEDURE_CODES: [code],
        keys.CONTRAST: _line(_words(cautions, "contrast")),
        keys.ADMISSION_ID: row.admission_number,
        keys.SPECIAL_NEEDS: _line(_words(cautions, "needs")),
        keys.LOCATION: Either((ward.zh + bed).strip(), (ward.en + bed).strip()),
        keys.PATIENT_STATE: _line(_words(cautions, "state")),
        keys.PROCEDURE_ID: row.number,
        keys.REASON: _line(row.purpose or row.diagnosis),
        keys.PRIORITY: "STAT" if row.stat else _PRIORITY.get(row.priority, "ROUTINE"),
        keys.TRANSPORT: _line(_words(cautions, "transport")),
        keys.RECIPIENTS: "",
        keys.PROCEDURE_COMMENTS: _SIDES.get(row.side, ""),
        keys.PLACER_NUMBER: row.placer_number,
        keys.FILLER_NUMBER: row.number,
        keys.REQUEST_COMMENTS: "",
        keys.CONFIDENTIALITY: "VIP" if row.vip else "",
        keys.STEPS: [
            {
                keys.MODALITY: row.modality,
                keys.STATION_AE: row.ae_title or title,
                keys.START_DATE: local.strftime("%Y%m%d"),
                keys.START_TIME: local.strftime("%H%M%S"),
                keys.END_DATE: "",
                keys.END_TIME: "",
                keys.PERFORMING_PHYSICIAN: "",
                keys.STEP_DESCRIPTION: Either(
                    row.description_zh or row.procedure_zh, row.description_en or row.procedure_en
                ),
                keys.PROTOCOL_CODES: [code],
                keys.STEP_ID: row.step_id,
                keys.STATION_NAME: row.station,
                keys.STEP_LOCATION: row.room or "",
                keys.PREMEDICATION: "",
                keys.CONTRAST: _line(_words(cautions, "contrast")),
                keys.STEP_STATUS: row.status,
                keys.STEP_COMMENTS: "",
            }
        ],
    }


def _person(written: str) -> str:
    """A name as it was written, as a person name: Chinese goes into the ideographic group (PS3.5 6.2.1)."""
    written = " ".join(written.replace("\\", " ").replace("=", " ").split())
    return written if written.isascii() else f"={written}"


def _line(text: str) -> str:
    """Text in one line and one value (LO)."""
    return " ".join(text.replace("\\", "/").split())


def _pregnancy(answers: Mapping[str, str], cautions: Mapping[str, Any]) -> str:
    said = answers.get("pregnancy", "").replace("yes", "possible")
    ordered = str(cautions.get("pregnancy", ""))
    # who is asked says that she may be; the order may know that she is
    return ordered if said in ("", "possible") and ordered == "yes" else said or ordered


def _words(cautions: Mapping[str, Any], *names_: str) -> str:
    found: list[str] = []
    for name in names_:
        value = cautions.get(name)
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, list):
            found += [str(one) for one in value]
    return "; ".join(filter(None, found))


def _decimal(value: object, factor: float) -> str:
    """A number as DS (at most 16 characters), or nothing."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value <= 0:
        return ""
    return f"{value * factor:.6g}"
