"""Matching as SQL conditions, alike on SQLite and PostgreSQL.

Indexes are used: the beginning of a wildcard pattern up to its first wildcard becomes a range (text compares by code
point on both databases, db/schema.py). SQLite matches the rest with GLOB, which minds case, PostgreSQL with LIKE.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    and_,
    cast,
    exists,
    false,
    func,
    or_,
    select,
    true,
    union,
)

from filmless.access.model import Principal
from filmless.archive.query import keys as known
from filmless.archive.query.keys import Key
from filmless.archive.query.matching import (
    AllOf,
    AnyOf,
    Empty,
    Item,
    Match,
    Name,
    Range,
    Single,
    Wildcard,
    spellings,
)
from filmless.archive.query.visibility import visible, visible_at
from filmless.archive.tables import attribute_values, instances, series, studies
from filmless.patients import names
from filmless.patients.tables import patient_sounds, patients

Condition = ColumnElement[bool]
#: beyond every character that text may begin with
_LAST = "\U0010ffff"


class Conditions:
    """Makes conditions for one dialect ("sqlite" or "postgresql") and principal."""

    def __init__(self, dialect: str, principal: Principal) -> None:
        self._dialect = dialect
        self._principal = principal

    def of(self, key: Key, match: Match) -> Condition:
        """The condition on the row of the key's level (and what hangs on it)."""
        match match:
            case AnyOf(matches):
                singles = [each.value for each in matches if isinstance(each, Single)]
                if key.kind == "text" and key.vr != "IS" and len(singles) == len(matches):
                    return key.matched[0].in_(singles)
                return or_(*(self.of(key, each) for each in matches))
            case AllOf(matches):
                return and_(*(self.of(key, each) for each in matches))
        match key.kind:
            case "text":
                return self._text(key, match)
            case "folded":
                return self._value(key.matched[0], _folded(match))
            case "name" | "joined-name":
                return self._name(key, match)
            case "number":
                return self._number(key, match)
            case "sequence":
                return self._sequence(key, match)
            case _:
                return self._in_study(key, match)

    def _text(self, key: Key, match: Match) -> Condition:
        column = key.matched[0]
        if key.vr == "IS" and isinstance(match, Single) and _plain_number(match.value).isdigit():
            # PS3.4 C.2.2.2.1 leaves open whether "007" is "7": here it is
            number = _plain_number(match.value).lstrip("0")
            return and_(column != "", func.ltrim(column, "+0", type_=Text) == number)
        return self._value(column, match)

    def _value(self, value: ColumnElement[Any], match: Match) -> Condition:
        match match:
            case Single(wanted):
                return value == wanted
            case Wildcard(pattern):
                return self.like(value, pattern)
            case Range(first, last):
                # what has no value matches no range
                lower = value >= first if first else value != ""
                return and_(lower, value <= last) if last else lower
            case Empty():
                return value == ""
        return false()

    def like(self, value: ColumnElement[Any], pattern: str) -> Condition:
        """`pattern` with "*" and "?" on a text value."""
        stop = min((at for at in (pattern.find("*"), pattern.find("?")) if at >= 0), default=-1)
        if stop < 0:
            return value == pattern
        start = pattern[:stop]
        within = and_(value >= start, value < start + _LAST) if start else None
        if pattern == start + "*":
            return true() if within is None else within
        if self._dialect == "sqlite":
            # GLOB's own wildcard of sets is the only character to be hidden
            rest: Condition = value.op("GLOB", is_comparison=True)(pattern.replace("[", "[[]"))
        else:
            escaped = pattern.replace("~", "~~").replace("%", "~%").replace("_", "~_")
            rest = value.like(escaped.replace("*", "%").replace("?", "_"), escape="~")
        return rest if within is None else and_(within, rest)

    def _name(self, key: Key, match: Match) -> Condition:
        if key.kind == "name":
            columns: list[ColumnElement[Any]] = list(key.matched)
        else:
            columns = [self._group(key.matched[0], number) for number in range(3)]
        if isinstance(match, Empty):
            return and_(*(column == "" for column in columns))
        if not isinstance(match, Name):
            return false()

        def is_like(column: ColumnElement[Any], pattern: str) -> Condition:
            return or_(*(self._name_like(column, each) for each in spellings(pattern)))

        if match.any_group:
            literal_match = or_(*(is_like(column, match.any_group) for column in columns))
        else:
            pairs = zip(columns, match.groups, strict=True)
            literal_match = and_(*(is_like(column, pattern) for column, pattern in pairs if pattern != ""))
        if not match.fuzzy or key.tag != known.PATIENT_NAME:
            return literal_match
        # one list of patients from several indexes: an OR with subqueries would read every patient
        spelled = select(patients.c.id).where(literal_match).correlate(None)
        return patients.c.id.in_(union(spelled, *_sounding_like(match.fuzzy)))

    def _name_like(self, column: ColumnElement[Any], pattern: str) -> Condition:
        if "*" in pattern or "?" in pattern:
            return self.like(column, pattern)
        # a range of one: most names have no phonetic group, and SQLite, which knows that from its statistics,
        # would not use the index of that column for an equation
        return and_(column >= pattern, column <= pattern)

    def _group(self, joined: ColumnElement[Any], number: int) -> ColumnElement[Any]:
        """One component group of keys joined by "="."""
        if self._dialect != "sqlite":
            return func.split_part(joined, "=", number + 1, type_=Text)
        rest: ColumnElement[Any] = joined
        for _ in range(number):
            rest = func.substr(rest, func.instr(rest.concat("="), "=") + 1, type_=Text)
        return func.substr(rest, 1, func.instr(rest.concat("="), "=") - 1, type_=Text)

    def _number(self, key: Key, match: Match) -> Condition:
        column = key.matched[0]
        if isinstance(match, Empty):
            return column.is_(None)
        if isinstance(match, Single):
            plain = _plain_number(match.value)
            if plain.lstrip("-").isdigit() and abs(int(plain)) < 2**31:
                return column == int(plain)
        return false()

    def _sequence(self, key: Key, match: Match) -> Condition:
        if key.tag == known.ACCESSION_ISSUER:
            issuer = studies.c.accession_issuer
            if isinstance(match, Empty):
                return issuer == ""
            inside = match.keys if isinstance(match, Item) else ()
            return and_(*(self._item_value(issuer, each) for _, each in inside))
        level, path, keywords = known.level_of_sequence(key.tag)
        owner = known.TABLES[level].c.id
        word = "instance" if level == "IMAGE" else level.lower()
        if isinstance(match, Empty):
            any_row = attribute_values.alias()
            return ~exists(
                select(any_row.c.id).where(
                    any_row.c.level == word,
                    any_row.c.owner == owner,
                    any_row.c.path >= path + ".",
                    any_row.c.path < path + "/",
                )
            )
        if not isinstance(match, Item):
            return false()
        rows = [attribute_values.alias() for _ in match.keys]
        conditions: list[Condition] = []
        for row, (tag, each) in zip(rows, match.keys, strict=True):
            conditions += [
                row.c.level == word,
                row.c.path == f"{path}.{keywords[tag]}",
                self._item_value(row.c.value, each),
            ]
        first = rows[0]
        for row in rows[1:]:
            conditions += [row.c.owner == first.c.owner, row.c.item == first.c.item]
        # IN, not EXISTS: where nothing else restricts, the values lead to their owners
        return owner.in_(select(first.c.owner).where(*conditions))

    def _item_value(self, value: ColumnElement[Any], match: Match) -> Condition:
        match match:
            case AnyOf(matches):
                return or_(*(self._item_value(value, each) for each in matches))
            case AllOf(matches):
                return and_(*(self._item_value(value, each) for each in matches))
        return self._value(value, match)

    def _in_study(self, key: Key, match: Match) -> Condition:
        """Modalities in Study, SOP Classes in Study (PS3.4 C.6.1.1.3): what a study's visible objects are."""
        if key.tag == known.MODALITIES_IN_STUDY:
            one = series.alias()
            inside = select(one.c.id).where(
                one.c.study == studies.c.id, visible_at("SERIES", self._principal, one)
            )
            if isinstance(match, Empty):
                return ~exists(inside.where(one.c.modality != ""))
            return exists(inside.where(self._value(one.c.modality, match)))
        if not self._principal.quality_control and isinstance(match, Single):
            listed = cast(studies.c.sop_classes, Text)
            return self.like(listed, f'*"{match.value}"*')
        one, instance = series.alias(), instances.alias()
        return exists(
            select(instance.c.id).where(
                one.c.study == studies.c.id,
                instance.c.series == one.c.id,
                visible(self._principal, instance),
                self._value(instance.c.sop_class_uid, match),
            )
        )

    def combined(self, date: Key, time: Key, dates: Range, times: Range) -> Condition:
        """Date and time as one range (C.2.2.2.5.2): from the first date's first time to the last date's last."""
        day, clock = date.matched[0], time.matched[0]
        conditions: list[Condition] = [day != "", clock != ""]
        if dates.first:
            conditions.append(day >= dates.first)
            if times.first:
                conditions.append(or_(day > dates.first, clock >= times.first))
        if dates.last:
            conditions.append(day <= dates.last)
            if times.last:
                conditions.append(or_(day < dates.last, clock <= times.last))
        return and_(*conditions)


def _folded(match: Match) -> Match:
    """The same on normalised text; wildcards stay what they are."""
    fold: Callable[[str], str] = names.normal
    if isinstance(match, Single):
        return Single(fold(match.value))
    if isinstance(match, Wildcard):
        hidden = match.pattern.replace("*", "\ue000").replace("?", "\ue001")
        shown = fold(hidden).replace("*", "").replace("?", "")
        return Wildcard(shown.replace("\ue000", "*").replace("\ue001", "?"))
    return match


def _plain_number(text: str) -> str:
    try:
        return str(int(text))
    except ValueError:
        return text


def _sounding_like(name: str) -> list[Select[Any]]:
    """The patients whose names sound like `name`, one SELECT per alternative (patients.names.sounds_wanted)."""
    alternatives = []
    for conditions in names.sounds_wanted(name):
        rows = [patient_sounds.alias() for _ in conditions]
        found = select(rows[0].c.patient).distinct()
        for row, sounds in zip(rows, conditions, strict=True):
            found = found.where(row.c.sound.in_(sounds))
            if row is not rows[0]:
                found = found.where(row.c.patient == rows[0].c.patient)
        alternatives.append(found)
    return alternatives
