"""Images follow: what is told of them is made to agree with the exam and the person that they are of.

As corrections over whole studies (archive/corrections): the bytes stay as received, UIDs stay, what was there before is
in the Original Attributes Sequence, and what comes to the study later is told the same. Done again it does nothing, so
that it may be done again whenever a process died.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, select

from filmless.access.acting import Acting
from filmless.access.audit.model import Entry as AuditEntry
from filmless.access.model import SYSTEM
from filmless.archive.corrections import service as corrections
from filmless.archive.corrections.model import Level, Target
from filmless.archive.tables import studies
from filmless.db.work import reading, writing
from filmless.department import exams
from filmless.department.identity import journal
from filmless.department.identity.alone import alone
from filmless.department.states import State
from filmless.kit.errors import Conflict
from filmless.patients import persons
from filmless.patients.persons import Person, name_of
from filmless.patients.service import same_person
from filmless.patients.tables import patients

log = logging.getLogger(__name__)

_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_CODES: Final = {"images": "CORRECT"}


@dataclass(frozen=True, slots=True)
class Told:
    """Whose images of a study are said to be. `several`: objects of it are said to be of different patients."""

    patient_id: str
    issuer: str
    name: str
    birth_date: str
    sex: str
    accession: str
    several: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose they are. `number`: the Accession Number that they should have, "" as it is. `sure`: somebody said so."""

    person: Person
    number: str = ""
    sure: bool = False


def told(connection: Connection, study_uid: str) -> Told | None:
    """What is told of a study now, None where nothing of it is here."""
    rows = connection.execute(
        select(
            patients.c.patient_id,
            patients.c.issuer,
            patients.c.name,
            patients.c.birth_date,
            patients.c.sex,
            studies.c.accession_number,
            studies.c.instance_count,
        )
        .join(studies, studies.c.patient == patients.c.id)
        .where(studies.c.study_uid == study_uid)
        .order_by(studies.c.instance_count.desc(), studies.c.id)
    ).all()
    if not rows:
        return None
    # a row without images is only of what is told of them, a note of rejection for one
    one = rows[0]
    several = sum(row.instance_count > 0 for row in rows) > 1
    return Told(
        one.patient_id, one.issuer, one.name, one.birth_date, one.sex, one.accession_number, several=several
    )


def wanted(connection: Connection, study_uid: str, now: Told) -> Wanted | None:
    """Whose the images are by what the department knows; None where it knows nothing, or not for sure.

    Those of an exam are its person's where they came under one of his IDs; others, where they came under the ID of
    somebody who was merged, or whose ID was changed.
    """
    attached = [one for one in exams.of_study(connection, study_uid) if one.state is not State.VOID]
    whose = {one.person for one in attached}
    named = persons.by_patient_id(connection, now.patient_id, now.issuer)
    if len(whose) > 1:
        return None
    if not attached:
        if named is None or named.patient_id == now.patient_id:
            return None
        return Wanted(named, sure=True)
    person = persons.get(connection, whose.pop())
    number = ""
    if len(attached) == 1 and attached[0].number:
        # an old number of the exam becomes its number; one that is not ours stays
        known = {"", *(one for one, _ in exams.numbers_of(connection, attached[0].id))}
        number = attached[0].number if now.accession in known else ""
    if named is None or named.id != person.id:
        return None
    return Wanted(person, number, sure=now.patient_id != person.patient_id)


def changes(now: Told, wish: Wanted) -> dict[str, dict[str, Any] | None]:
    """What has to be corrected so that `now` tells what is wanted; nothing where it does.

    Where nobody said so for sure, a name or birth date that contradicts is left alone: it may be another person.
    """
    person = wish.person
    made: dict[str, dict[str, Any] | None] = {}
    contradicts = not same_person(name_of(person), person.birth_date, now.name, now.birth_date)
    if contradicts and not wish.sure:
        return {}
    if now.patient_id != person.patient_id:
        made["00100020"] = _text("LO", person.patient_id)
    if now.issuer != person.issuer:
        made["00100021"] = _text("LO", person.issuer)
    if now.name != name_of(person):
        values = (person.name_alphabetic, person.name_ideographic, person.name_phonetic)
        groups = {group: text for group, text in zip(_GROUPS, values, strict=True) if text}
        made["00100010"] = {"vr": "PN", "Value": [groups]}
    born = person.birth_date if len(person.birth_date) == 8 else ""
    another = "00100020" in made
    # what the person's record does not say is only taken away where the images are said to be of another
    if now.birth_date != born and (born or another):
        made["00100030"] = _text("DA", born)
    if now.sex != person.sex and (person.sex or another):
        made["00100040"] = _text("CS", person.sex)
    if wish.number and now.accession != wish.number:
        made["00080050"] = _text("SH", wish.number)
    return made


def agree(
    engine: Engine,
    root: Path,
    acting: Acting,
    study_uid: str,
    *,
    reason: str,
    wish: Wanted | None = None,
    sure: bool = False,
    code: str = "COERCE",
) -> str:
    """Make a study agree with what is known (`sure`: also where it contradicts), or with `wish`.

    Returns the key of the correction, "" where none is needed.
    Raises as archive.corrections.service.correct, e.g. Unavailable.
    """
    with reading(engine) as connection:
        now = told(connection, study_uid)
        if now is None or now.several:
            # several patients in one study are a doubt for a steward (identity flags), not for us to paint over
            return ""
        wish = wish or wanted(connection, study_uid, now)
    if wish is not None and sure:
        wish = replace(wish, sure=True)
    made = changes(now, wish) if wish is not None else {}
    if not made:
        return ""
    done = corrections.correct(
        engine,
        root,
        SYSTEM,
        Target(Level.STUDY, study_uid),
        made,
        reason=reason,
        by=acting.who.name,
        code=code,
        record=_record(acting),
        host=acting.host,
    )
    return done.correction.key


def settle(engine: Engine, root: Path, acting: Acting, entry_id: int) -> int:
    """Let images follow an entry of the journal, or its undoing. Returns how many studies were touched, 0 where that
    was done before."""
    with alone(root):
        return _settle(engine, root, acting, entry_id)


def _settle(engine: Engine, root: Path, acting: Acting, entry_id: int) -> int:
    with reading(engine) as connection:
        entry = journal.get(connection, entry_id)
        if entry.body.get("settled"):
            return 0
        touched = _touched(connection, entry)
    made: dict[str, str] = dict(entry.body.get("corrections", {}))
    count = 0
    reason = f"{entry.reason} (#{entry.id})"[:400]
    if entry.undone_at is not None:
        count = _take_back(engine, root, acting, entry, made)
        # images that have become another exam's since, too
        touched = list(dict.fromkeys([*touched, *made.values()]))
    for study_uid in touched:
        with reading(engine) as connection:
            wish = _by_entry(connection, entry, study_uid)
        code = _CODES.get(entry.kind, "COERCE")
        key = agree(engine, root, acting, study_uid, reason=reason, wish=wish, code=code)
        if key:
            count += 1
            made[key] = study_uid
            with writing(engine) as connection:
                journal.keep(connection, entry.id, {"corrections": made})
    with writing(engine) as connection:
        journal.keep(connection, entry.id, {"settled": True})
    return count


def _by_entry(connection: Connection, entry: journal.Entry, study_uid: str) -> Wanted | None:
    """What somebody said for sure about a study by this entry, or by undoing it; else it is looked up.

    After an undoing too: later corrections that stay in force over the study may leave it with half of another's.
    """
    attached = [one for one in exams.of_study(connection, study_uid) if one.state is not State.VOID]
    whose = {one.person for one in attached}
    if len(whose) != 1:
        return None
    number = ""
    now = told(connection, study_uid)
    if len(attached) == 1 and attached[0].number and now is not None:
        known = {"", *(one for one, _ in exams.numbers_of(connection, attached[0].id))}
        number = attached[0].number if entry.kind == "images" or now.accession in known else ""
    return Wanted(persons.get(connection, whose.pop()), number, sure=True)


def _touched(connection: Connection, entry: journal.Entry) -> list[str]:
    """Study Instance UIDs about which the entry is: of the exams it moved, and what came under the IDs it moved."""
    found: dict[str, None] = {}
    if "study" in entry.body:
        found[entry.body["study"]] = None
    for one in [*entry.body.get("exams", ()), *entry.body.get("matched", ()), *entry.body.get("back", ())]:
        found |= dict.fromkeys(exams.studies_of(connection, exams.get(connection, int(one))))
    numbers: list[tuple[str, str]] = []
    if entry.kind == "change-id":
        numbers = [tuple(entry.body["before"]), tuple(entry.body["after"])]
    elif entry.kind == "merge" or "absorbed" in entry.body:
        whom = entry.body.get("absorbed", entry.other)
        person = persons.get(connection, whom)
        numbers = [(one.value, one.authority) for one in person.identifiers if one.kind == "MR"]
    for patient_id, issuer in numbers:
        found |= dict.fromkeys(_of_patient(connection, patient_id, {issuer, ""}))
    return list(found)


def _of_patient(connection: Connection, patient_id: str, issuers: Iterable[str]) -> list[str]:
    query = (
        select(studies.c.study_uid)
        .join(patients, patients.c.id == studies.c.patient)
        .where(patients.c.patient_id == patient_id, patients.c.issuer.in_(list(issuers)))
        .distinct()
    )
    return list(connection.scalars(query))


def _take_back(engine: Engine, root: Path, acting: Acting, entry: journal.Entry, made: dict[str, str]) -> int:
    """Undo the corrections of an entry, the newest first; those of exams that stay with the survivor stay too."""
    count = 0
    for key, study_uid in reversed(list(made.items())):
        with reading(engine) as connection:
            whose = {
                one.person for one in exams.of_study(connection, study_uid) if one.state is not State.VOID
            }
        if entry.kind == "merge" and whose == {entry.person}:
            continue
        try:
            corrections.undo(
                engine,
                root,
                SYSTEM,
                key,
                reason=f"#{entry.id} undone",
                by=acting.who.name,
                record=_record(acting),
                host=acting.host,
            )
            count += 1
        except Conflict as error:
            # a steward took it back before
            log.info("a correction of #%d was not undone: %s", entry.id, error.code)
    return count


def _record(acting: Acting) -> corrections.Record:
    """Audit entries of what follows are of the person who said so."""

    def record(connection: Connection, one: AuditEntry) -> None:
        acting.trail.record_in(connection, replace(one, who=acting.who))

    return record


def _text(vr: str, value: str) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]} if value else {"vr": vr}
