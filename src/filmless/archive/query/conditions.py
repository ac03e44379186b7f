"""Matching as SQL conditions, alike on SQLite and PostgreSQL.

Indexes are used: the beginning of a wildcard pattern up to its first wildcard becomes a range (text compares by code
point on both databases, db/schema.py). SQLite matches the rest with GLOB, which minds case, PostgreSQL with LIKE.
"""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
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
from filmless.archive import aliases
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
from filmless.archive.query.visibility import in_force
from filmless.archive.searchable import NO_KEYS, NUMBERS, SearchKey, SearchKeys, normal_value
from filmless.archive.tables import attribute_values, instances, series, studies
from filmless.patients import names
from filmless.patients.service import INDEXED
from filmless.patients.tables import patient_sounds, patients

Condition = ColumnElement[bool]
#: beyond every character that text may begin with
LAST = "\U0010ffff"


class Conditions:
    """Makes conditions for one dialect ("sqlite" or "postgresql") and principal."""

    def __init__(self, dialect: str, principal: Principal, extras: SearchKeys = NO_KEYS) -> None:
        self._dialect = dialect
        self._principal = principal
        self._extras = extras

    def of(self, key: Key, match: Match) -> Condition:
        """The condition on the row of the key's level (and what hangs on it)."""
        if key.tag == known.ACCESSION_NUMBER and isinstance(match, Single):
            return studies.c.id.in_(aliases.found_by(match.value))
        match match:
            case AnyOf(matches):
                singles = [each.value for each in matches if isinstance(each, Single)]
                plain = key.kind == "text" and key.vr != "IS" and key.tag != known.ACCESSION_NUMBER
                if plain and len(singles) == len(matches):
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
            case "extra":
                return self._extra(key, match)
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
        within = and_(value >= start, value < start + LAST) if start else None
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
        literal_match = self._name_in(columns, match)
        if not match.fuzzy or key.tag != known.PATIENT_NAME:
            return literal_match
        # one list of patients from several indexes: an OR with subqueries would read every patient
        spelled = select(patients.c.id).where(literal_match).correlate(None)
        return patients.c.id.in_(union(spelled, *sounding_like(match.fuzzy)))

    def _name_in(self, columns: list[ColumnElement[Any]], match: Name) -> Condition:
        """That the component groups in these columns are as asked for."""

        def is_like(column: ColumnElement[Any], pattern: str) -> Condition:
            return or_(*(self._name_like(column, each) for each in spellings(pattern)))

        if match.any_group:
            return or_(*(is_like(column, match.any_group) for column in columns))
        pairs = zip(columns, match.groups, strict=True)
        return and_(*(is_like(column, pattern) for column, pattern in pairs if pattern != ""))

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
        level, word, top = self._place_of_sequence(key.tag)
        owner = known.TABLES[level].c.id
        if isinstance(match, Empty):
            any_row = attribute_values.alias()
            return ~exists(
                select(any_row.c.id).where(
                    any_row.c.level == word,
                    any_row.c.owner == owner,
                    any_row.c.path >= top + ".",
                    any_row.c.path < top + "/",
                )
            )
        if not isinstance(match, Item):
            return false()
        leaves = list(_leaves((key.tag,), match))
        rows = [attribute_values.alias() for _ in leaves]
        conditions: list[Condition] = []
        for row, (tags, each) in zip(rows, leaves, strict=True):
            conditions += [row.c.level == word, *self._leaf(row, top, tags, each)]
        first, first_tags = rows[0], leaves[0][0]
        for row, (tags, _) in zip(rows[1:], leaves[1:], strict=True):
            conditions += [row.c.owner == first.c.owner, self._same_item(row, tags, first, first_tags)]
        # IN, not EXISTS: where nothing else restricts, the values lead to their owners
        return owner.in_(select(first.c.owner).where(*conditions))

    def _place_of_sequence(self, tag: int) -> tuple[known.Level, str, str]:
        """(level, its word in attribute_values, path) of a sequence."""
        if tag in known.SEQUENCES:
            level, path, _ = known.level_of_sequence(tag)
            return level, "instance" if level == "IMAGE" else level.lower(), path
        inside = self._extras.sequences[tag][0]
        return known.level_of_word(inside.level), inside.level, inside.path.split(".")[0]

    def _leaf(self, row: FromClause, top: str, tags: tuple[int, ...], match: Match) -> list[Condition]:
        """That a row of attribute_values is of the attribute at a path, and its value what is asked for."""
        inside = known.SEQUENCES[tags[0]][2] if tags[0] in known.SEQUENCES else {}
        if len(tags) == 2 and tags[1] in inside:
            return [row.c.path == f"{top}.{inside[tags[1]]}", self._item_value(row.c.value, match)]
        extra = self._extras.at(tags)
        if extra is None:
            return [false()]
        return [row.c.path == extra.matched_path, self._extra_value(extra, row.c.value, match)]

    def _same_item(
        self, row: FromClause, tags: tuple[int, ...], other: FromClause, other_tags: tuple[int, ...]
    ) -> Condition:
        """That two values are in one item of the sequence that both are in (C.2.2.2.6)."""
        if tags[:-1] == other_tags[:-1]:
            return row.c.item == other.c.item
        # of sequences in sequences: in one item of the outermost
        return self._part(row.c.item, ".") == self._part(other.c.item, ".")

    def _part(self, joined: ColumnElement[Any], separator: str) -> ColumnElement[Any]:
        """What is before the first separator."""
        if self._dialect != "sqlite":
            return func.split_part(joined, separator, 1, type_=Text)
        return func.substr(joined, 1, func.instr(joined.concat(separator), separator) - 1, type_=Text)

    def _extra(self, key: Key, match: Match) -> Condition:
        """An attribute that an engineer made searchable."""
        extra = key.extra
        assert extra is not None
        row, owner = attribute_values.alias(), known.TABLES[key.level].c.id
        if isinstance(match, Empty):
            here = (row.c.level == extra.level, row.c.owner == owner, row.c.path == extra.path)
            return ~exists(select(row.c.id).where(*here))
        return owner.in_(
            select(row.c.owner).where(
                row.c.level == extra.level,
                row.c.path == extra.matched_path,
                self._extra_value(extra, row.c.value, match),
            )
        )

    def _extra_value(self, extra: SearchKey, value: ColumnElement[Any], match: Match) -> Condition:
        """What is asked for, of a value in the form in which it is matched (archive/searchable.py)."""
        match match:
            case AnyOf(matches):
                return or_(*(self._extra_value(extra, value, each) for each in matches))
            case AllOf(matches):
                return and_(*(self._extra_value(extra, value, each) for each in matches))
            case Name():
                return self._name_in([self._group(value, number) for number in range(3)], match)
            case Single(wanted) if extra.vr in NUMBERS:
                return value == normal_value(extra.vr, wanted)
            case Single(wanted):
                return value == wanted[:INDEXED]
        return self._value(value, match)

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
                one.c.study == studies.c.id, in_force("SERIES", self._principal, one)
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
                in_force("IMAGE", self._principal, instance),
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


def _leaves(path: tuple[int, ...], item: Item) -> Iterator[tuple[tuple[int, ...], Match]]:
    """(tags on the way, what is asked for) of everything asked for inside an item."""
    for tag, match in item.keys:
        if isinstance(match, Item):
            yield from _leaves((*path, tag), match)
        else:
            yield (*path, tag), match


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


def sounding_like(name: str) -> list[Select[Any]]:
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
