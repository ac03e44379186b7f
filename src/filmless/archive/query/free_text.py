"""One box for everything: what somebody means who types a name, an ID, an accession number or a date.

Every word has to be found; a word is looked for wherever words of its kind are. Names are found by their beginning in
characters or letters, by pinyin with or without spaces, in either order of family and given name, and by initials.
All of it reads indexes only.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Text, cast, literal, select, union

from filmless.archive import aliases
from filmless.archive.query.conditions import LAST, sounding_like
from filmless.archive.tables import studies
from filmless.kit.errors import Refused
from filmless.patients import names
from filmless.patients.tables import patient_sounds, patients

LONGEST: Final = 256
_MOST_WORDS: Final = 12
_DAY: Final = re.compile(r"(\d{4})[-./](\d{1,2})[-./](\d{1,2})|(\d{4})(\d{2})(\d{2})")
_MONTH: Final = re.compile(r"(\d{4})[-./](\d{1,2})")
_UID: Final = re.compile(r"\d+(\.\d+){3,}")
#: initials have so many letters
_INITIALS: Final = re.compile(r"[a-z]{2,6}")


@dataclass(frozen=True, slots=True)
class Words:
    """What was typed, sorted: a phrase that is a name, words that are numbers, and days."""

    name: str = ""
    #: words with digits: IDs, accession numbers
    numbers: tuple[str, ...] = ()
    #: (first day, last day) as YYYYMMDD; `numbers` has the eight digits too, which may be an ID
    days: tuple[tuple[str, str], ...] = ()


def understand(text: str) -> Words:
    """Sort the words. Raises Refused where there are too many."""
    if len(text) > LONGEST:
        raise Refused(f"At most {LONGEST} characters can be searched for.", code="bad-parameter")
    found = text.replace("\0", " ").split()
    if len(found) > _MOST_WORDS:
        raise Refused(f"At most {_MOST_WORDS} words can be searched for.", code="bad-parameter")
    name: list[str] = []
    numbers: list[str] = []
    days: list[tuple[str, str]] = []
    for word in found:
        if (span := _span(word)) is not None and not word.isdigit():
            days.append(span)
        elif any(letter.isdigit() for letter in word):
            numbers.append(word)
        else:
            name.append(word)
    return Words(" ".join(name), tuple(numbers), tuple(days))


def _span(word: str) -> tuple[str, str] | None:
    """The days that a word names: one, or those of a month."""
    try:
        if found := _DAY.fullmatch(word):
            year, month, day = (int(part) for part in found.groups() if part is not None)
            one = date(year, month, day).strftime("%Y%m%d")
            return one, one
        if found := _MONTH.fullmatch(word):
            first = date(int(found[1]), int(found[2]), 1)
            last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
            return first.strftime("%Y%m%d"), last.strftime("%Y%m%d")
    except ValueError:
        return None
    return None


def conditions(words: Words, *, fuzzy: bool = False) -> list[ColumnElement[bool]]:
    """Conditions on rows of `studies`; all have to hold. `fuzzy`: names that sound alike, too."""
    found: list[ColumnElement[bool]] = []
    if words.name:
        found.append(_any(_of_name(words.name, fuzzy=fuzzy), _of_number(words.name)))
    for word in words.numbers:
        of_study = _of_number(word)
        if (span := _span(word)) is not None:
            of_study.append(select(studies.c.id).where(studies.c.study_date.between(*span)))
        found.append(_any(_beginning(patients.c.id, patients.c.patient_id, word), of_study))
    for first, last in words.days:
        found.append(studies.c.study_date.between(first, last))
    return found


def _any(of_patient: Sequence[Select[Any]], of_study: Sequence[Select[Any]]) -> ColumnElement[bool]:
    """A study that one of these finds, or whose patient one of these finds: one list, made from indexes."""
    inside = studies.alias()
    people = union(*of_patient) if len(of_patient) > 1 else of_patient[0]
    of_people = select(inside.c.id).where(inside.c.patient.in_(people))
    return studies.c.id.in_(union(of_people, *of_study))


def _of_name(phrase: str, *, fuzzy: bool) -> list[Select[Any]]:
    """Patients by name, or by an ID of letters."""
    found = _beginning(patients.c.id, patients.c.patient_id, phrase)
    key = names.key(phrase)
    for column in (patients.c.name_alphabetic, patients.c.name_ideographic, patients.c.name_phonetic):
        if key:
            found.append(select(patients.c.id).where(column >= key, column < key + LAST))
    sounds = patient_sounds.c
    for start in names.beginnings(phrase):
        found.append(select(sounds.patient).where(sounds.sound >= start, sounds.sound < start + LAST))
    exact = [sound for wanted in names.sounds_wanted(phrase)[:1] if len(wanted) == 1 for sound in wanted[0]]
    letters = names.normal(phrase).replace(" ", "")
    if _INITIALS.fullmatch(letters):
        exact.append("i:" + letters)
    if exact:
        found.append(select(sounds.patient).where(sounds.sound.in_(exact)))
    if fuzzy:
        found += sounding_like(phrase)
    return found


def _of_number(word: str) -> list[Select[Any]]:
    """Studies by accession number, study ID or UID."""
    inside = studies.alias()
    found = _beginning(inside.c.id, inside.c.accession_number, word)
    found.append(select(inside.c.id).where(inside.c.study_id == word))
    found.append(aliases.found_by(word.upper()))
    if _UID.fullmatch(word):
        found.append(select(inside.c.id).where(inside.c.study_uid == word))
    return found


def _beginning(number: ColumnElement[Any], column: ColumnElement[Any], word: str) -> list[Select[Any]]:
    """Rows whose value begins with a word, as typed or in capitals."""
    return [
        select(number).where(column >= start, column < cast(literal(start + LAST), Text))
        for start in dict.fromkeys((word, word.upper()))
    ]
