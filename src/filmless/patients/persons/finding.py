"""Searching persons: by any part of a name that is typed, by numbers, and who a new one might be."""

import re
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from filmless.patients import names
from filmless.patients.persons import model
from filmless.patients.persons.model import DOCUMENTS, NewPerson, Person
from filmless.patients.persons.reading import resolve, several
from filmless.patients.tables import person_identifiers, persons


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may be the one that is looked for. `score`: 0 to 100; `why`: what agrees ("document", "phone",
    "name", "sounds", "birth-date", "sex") and what does not ("-birth-date", "-sex")."""

    person: Person
    score: int
    why: tuple[str, ...]


def find(
    connection: Connection,
    text: str,
    limit: int,
    *,
    seen: ColumnElement[bool] | None = None,
    merged: bool = False,
) -> list[Person]:
    """Persons whom `text` may mean, at most `limit`: the beginning of a name in characters or letters, in any order of
    its words; initials; any number by which they are or were known; a phone number; a birth date (19800131).

    Exact numbers come first, then by name. `seen`: a condition on `persons`; `merged`: those too, as they are.
    """
    text = " ".join(text.split())
    if not text:
        return []
    allowed = [persons.c.status == "active" if not merged else persons.c.status != "void"]
    if seen is not None:
        allowed.append(seen)
    by_number = select(person_identifiers.c.person).where(
        person_identifiers.c.value.in_({text, text.upper(), text.replace(" ", "").upper()})
    )
    numbered = list(connection.scalars(by_number.limit(limit)))
    if not merged:
        # a number of somebody who was merged finds who he is now
        numbered = [resolve(connection, one).id for one in numbered]
    found = list(
        connection.execute(
            select(persons)
            .where(*allowed, persons.c.id.in_(numbered))
            .order_by(persons.c.id.desc())
            .limit(limit)
        )
    )
    conditions = _meant(text)
    if len(found) < limit and conditions:
        known = [row.id for row in found]
        found += connection.execute(
            select(persons)
            .where(*allowed, or_(*conditions), persons.c.id.not_in(known))
            .order_by(persons.c.key_alphabetic, persons.c.id)
            .limit(limit - len(found))
        )
    return several(connection, found)


def _meant(text: str) -> list[ColumnElement[bool]]:
    begun = model.together(text)
    conditions: list[ColumnElement[bool]] = []
    digits = re.sub(r"[ -]", "", text)
    if digits.isdigit():
        if len(digits) >= 5:
            conditions.append(and_(persons.c.phone != "", persons.c.phone.endswith(digits)))
            conditions.append(_begins(persons.c.patient_id, text))
        if len(digits) == 8:
            conditions.append(persons.c.birth_date == digits)
        return conditions
    if not begun:
        return []
    if begun.isascii():
        conditions.append(_begins(persons.c.key_alphabetic, begun))
        if begun.isalpha() and len(begun) <= 8:
            # the family name first, or last
            conditions.append(persons.c.initials.in_((begun, begun[-1] + begun[:-1])))
        # XIAODONG WANG, too
        conditions += [persons.c.key_alphabetic == one for one in _turned(text)]
        if any(character.isdigit() for character in text):
            conditions.append(_begins(persons.c.patient_id, text.upper()))
    else:
        conditions.append(_begins(persons.c.key_ideographic, begun))
    return conditions


def _begins(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    # a range, so that the index serves on both databases (db/schema.py: text compares by code point)
    return and_(column >= text, column < text + "\U0010ffff")


def _turned(text: str) -> list[str]:
    words = [word for word in re.split(r"[\s,^]+", names.normal(text)) if word]
    return [model.together(" ".join(words[at:] + words[:at])) for at in range(1, min(len(words), 5))]


def likely(connection: Connection, new: NewPerson, *, limit: int = 10, besides: int = 0) -> list[Candidate]:
    """Who `new` might be among those who are known, the likeliest first; nobody below 30 of 100.

    The same document is the same person (100); else name (35, 20 where it only sounds so), birth date (30), sex (5) and
    phone (20) are added up, and a contradicting birth date or sex taken off. Nobody is ever taken for another without a
    person saying so. `besides`: not this one.
    """
    documents = [
        (one.kind, model.identifier(one).value) for one in new.identifiers if one.kind in (*DOCUMENTS, "MR")
    ]
    documented: set[int] = set()
    for kind, value in documents:
        documented |= set(
            connection.scalars(
                select(person_identifiers.c.person).where(
                    person_identifiers.c.kind == kind, person_identifiers.c.value == value
                )
            )
        )
    documented = {resolve(connection, one).id for one in documented}
    ideographic, alphabetic = model.together(new.name_ideographic), model.together(new.name_alphabetic)
    if ideographic.isascii():
        ideographic, alphabetic = "", alphabetic or ideographic
    if ideographic and not alphabetic:
        alphabetic = model.columns(NewPerson(new.name_ideographic))["key_alphabetic"]
    conditions: list[ColumnElement[bool]] = []
    if ideographic:
        conditions.append(persons.c.key_ideographic == ideographic)
    if alphabetic:
        conditions.append(persons.c.key_alphabetic == alphabetic)
    if len(new.birth_date) == 8 and new.phone:
        conditions.append(and_(persons.c.birth_date == new.birth_date, persons.c.phone == new.phone))
    if documented:
        conditions.append(persons.c.id.in_(documented))
    if not conditions:
        return []
    rows = connection.execute(
        select(persons)
        .where(persons.c.status == "active", persons.c.id != besides, or_(*conditions))
        .order_by(persons.c.id.desc())
        .limit(200)
    )
    found = [
        _weighed(one, new, ideographic, alphabetic, one.id in documented) for one in several(connection, rows)
    ]
    found = [one for one in found if one.score >= 30]
    return sorted(found, key=lambda one: (-one.score, -one.person.id))[:limit]


def _weighed(
    person: Person, new: NewPerson, ideographic: str, alphabetic: str, documented: bool
) -> Candidate:
    score, why = 0, []
    if documented:
        score, why = 100, ["document"]
    both = bool(ideographic) and bool(person.name_ideographic)
    if both and model.together(person.name_ideographic) == ideographic:
        score, why = score + 35, [*why, "name"]
    elif alphabetic and model.together(person.name_alphabetic) == alphabetic:
        # other characters of the same sound are mostly another name
        score, why = score + (20 if both else 35), [*why, "sounds" if both else "name"]
    if new.birth_date and person.birth_date:
        shared = min(len(new.birth_date), len(person.birth_date))
        if new.birth_date[:shared] == person.birth_date[:shared]:
            score, why = score + (30 if shared == 8 else 15), [*why, "birth-date"]
        else:
            score, why = score - 25, [*why, "-birth-date"]
    if new.sex and person.sex:
        if new.sex == person.sex:
            score, why = score + 5, [*why, "sex"]
        else:
            score, why = score - 15, [*why, "-sex"]
    if new.phone and new.phone == person.phone:
        score, why = score + 20, [*why, "phone"]
    return Candidate(person, max(0, min(100, score)), tuple(why))
