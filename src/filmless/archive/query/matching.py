"""Matching of one attribute, as PS3.4 C.2.2.2 defines it: what a key asks for (parsed here), and whether a value is it.

Pure. `Match` is None for Universal Matching (C.2.2.2.3): everything matches, also what has no value.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from filmless.kit.errors import Refused
from filmless.patients import names

#: VRs in which "*" and "?" are wildcards (C.2.2.2.4)
WILDCARD_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
#: VRs with one value, in which a backslash is a character
_ONE_VALUE = frozenset({"LT", "ST", "UR", "UT"})
#: VRs for which Multiple Value Matching is defined (C.2.2.2.8)
_MULTIPLE_VRS = frozenset({"AE", "AS", "AT", "CS", "LO", "PN", "SH", "UC"})
#: what one key may ask for at most: UIDs of a list, values of other VRs, characters of one value. Beyond, the
#: statement costs more to make than any answer is worth.
MOST_UIDS, MOST_VALUES, LONGEST_VALUE = 10_000, 64, 1024
_NUMBERS = frozenset({"IS", "DS", "US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"})


class BadKey(Refused):
    """A key whose value cannot be understood: status C001, with the offending element."""

    def __init__(self, tag: int, message: str) -> None:
        super().__init__(message, code="bad-key")
        self.tag = tag


@dataclass(frozen=True, slots=True)
class Single:
    """C.2.2.2.1: equal, case-sensitive."""

    value: str


@dataclass(frozen=True, slots=True)
class Wildcard:
    """C.2.2.2.4: "*" any run of characters, "?" any one character."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Range:
    """C.2.2.2.5: from `first` to `last`, both inclusive, "" for an open end.

    DA as YYYYMMDD; TM as HHMMSS.FFFFFF. A single time of less precision is the range that it spans.
    """

    first: str
    last: str


@dataclass(frozen=True, slots=True)
class AnyOf:
    """C.2.2.2.2, list of UIDs: one of them. For other VRs, without negotiation, what SCUs mean by several values."""

    matches: tuple["Match", ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """C.2.2.2.8, Multiple Value Matching, negotiated: each is among the attribute's values."""

    matches: tuple["Match", ...]


@dataclass(frozen=True, slots=True)
class Empty:
    """C.2.2.2.7, Empty Value Matching, negotiated (two quotation marks): the attribute is absent or has no value."""


@dataclass(frozen=True, slots=True)
class Name:
    """PN: each pattern in its component group (alphabetic, ideographic, phonetic), or `any_group` in any of them.

    Patterns are normalised by patients.names.key: matching ignores case and accents. "" asks for nothing.
    `fuzzy` holds the name as asked for, where sounds are to be compared as well; "" otherwise.
    """

    any_group: str = ""
    groups: tuple[str, str, str] = ("", "", "")
    fuzzy: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """C.2.2.2.6, sequence: there is an item in which all of these (tag, match) hold."""

    keys: tuple[tuple[int, "Match"], ...]


Match = Single | Wildcard | Range | AnyOf | AllOf | Empty | Name | Item


@dataclass(frozen=True, slots=True)
class Options:
    """What was negotiated (PS3.4 C.5.1.1), or forced by a device's settings."""

    relational: bool = False
    combined_datetime: bool = False
    fuzzy: bool = False
    empty_value: bool = False
    multiple_values: bool = False


NOTHING_NEGOTIATED = Options()


def parse(tag: int, vr: str, text: str, options: Options = NOTHING_NEGOTIATED) -> Match | None:
    """What the key `text` asks for; None: everything. Raises BadKey where the value cannot be understood."""
    text = text.strip("\0 ") if vr not in _ONE_VALUE else text.rstrip("\0 ")
    if not text or set(text) == {"*"}:
        return None
    if text == '""' and options.empty_value:
        return Empty()
    _check_bounds(tag, vr, text)
    if vr == "UI":
        return _one_of([Single(part.strip("\0 ")) for part in text.split("\\") if part.strip("\0 ")])
    if vr == "DA":
        return _date_range(tag, text)
    if vr == "TM":
        return _time_range(tag, text)
    if vr in _ONE_VALUE:
        return _literal(vr, text)
    parts = [part.strip() for part in text.split("\\")]
    if options.multiple_values and vr in _MULTIPLE_VRS and len(parts) > 1:
        every = (_name(part, fuzzy=False) if vr == "PN" else Single(part) for part in parts if part)
        return AllOf(tuple(every))
    if vr == "PN":
        found = [_name(part, fuzzy=options.fuzzy) for part in parts if part]
        return None if any(_asks_nothing(name) for name in found) else _one_of(found)
    if any(set(part) == {"*"} for part in parts):
        return None
    return _one_of([_literal(vr, part) for part in parts if part])


def _check_bounds(tag: int, vr: str, text: str) -> None:
    values = [text] if vr in _ONE_VALUE else text.split("\\")
    most = MOST_UIDS if vr == "UI" else MOST_VALUES
    if len(values) > most:
        raise BadKey(tag, f"at most {most} values of a key can be searched for at once")
    if max(map(len, values)) > LONGEST_VALUE:
        raise BadKey(tag, f"a value to search for has at most {LONGEST_VALUE} characters")


def _one_of(matches: Sequence[Match]) -> Match | None:
    if not matches:
        return None
    return matches[0] if len(matches) == 1 else AnyOf(tuple(matches))


def _literal(vr: str, text: str) -> Match:
    if vr in WILDCARD_VRS and ("*" in text or "?" in text):
        return Wildcard(re.sub(r"\*+", "*", text))
    return Single(text)


_STAR, _QUESTION = "\ue000", "\ue001"


def _pattern(group: str) -> str:
    """A group's pattern, normalised around its wildcards, which normalisation must neither lose nor make."""
    hidden = re.sub(r"\*+", _STAR, group).replace("?", _QUESTION)
    normal = names.key(hidden).replace("*", "").replace("?", "")
    return normal.replace(_STAR, "*").replace(_QUESTION, "?")


def _asks_nothing(name: Name) -> bool:
    return name.any_group in ("", "*") and all(group in ("", "*") for group in name.groups)


def _name(text: str, *, fuzzy: bool) -> Name:
    wild = "*" in text or "?" in text
    # with wildcards the literal rules hold also where fuzzy matching was negotiated (the conformance statement)
    sound = text if fuzzy and not wild else ""
    if "=" not in text:
        return Name(any_group=_pattern(text), fuzzy=sound)
    first, second, third, *_ = [*(_pattern(group) for group in text.split("=")), "", ""]
    return Name(groups=(first, second, third), fuzzy=sound)


_DATE = re.compile(r"(\d{4})\.?(0[1-9]|1[0-2])\.?(0[1-9]|[12]\d|3[01])")
_TIME = re.compile(r"([01]\d|2[0-3])(?::?([0-5]\d)(?::?([0-5]\d|60)(?:\.(\d{1,6}))?)?)?")


def _ends(text: str) -> tuple[str, str]:
    first, dash, last = text.partition("-")
    return (first.strip(), last.strip()) if dash else (text, text)


def _date_range(tag: int, text: str) -> Match | None:
    ranges: list[Match] = []
    for part in text.split("\\"):
        ends = _ends(part.strip())
        dates = [_DATE.fullmatch(end) for end in ends]
        if not any(ends) or any(end and not date for end, date in zip(ends, dates, strict=True)):
            raise BadKey(tag, "a date or a range of dates (YYYYMMDD-YYYYMMDD) is needed")
        first, last = ("".join(date.groups()) if date else "" for date in dates)
        ranges.append(Range(first, last))
    return _one_of(ranges)


def _time_range(tag: int, text: str) -> Match | None:
    ranges: list[Match] = []
    for part in text.split("\\"):
        ends = _ends(part.strip())
        times = [_TIME.fullmatch(end) for end in ends]
        if not any(ends) or any(end and not time for end, time in zip(ends, times, strict=True)):
            raise BadKey(tag, "a time or a range of times (HHMMSS-HHMMSS) is needed")
        first, last = times
        ranges.append(
            Range(_completed(first, "00", "0") if first else "", _completed(last, "59", "9") if last else "")
        )
    return _one_of(ranges)


def _completed(time: "re.Match[str]", missing: str, missing_fraction: str) -> str:
    hours, minutes, seconds, fraction = time.groups()
    return f"{hours}{minutes or missing}{seconds or missing}.{(fraction or ''):{missing_fraction}<6}"


def spellings(pattern: str) -> tuple[str, ...]:
    """Patterns of a component group that mean what `pattern` does: "WANG^*" is also "WANG", whose other components
    are empty and left out (PS3.5 6.2.1.1)."""
    shorter = pattern
    while shorter.endswith("^*"):
        shorter = shorter[:-2]
    return (pattern, shorter) if shorter and shorter != pattern else (pattern,)


def is_like(pattern: str, value: str) -> bool:
    """Whether a pattern with wildcards fits the whole of a value.

    No regular expression: one with many "*" takes a time that grows with their number as an exponent.
    """
    at = place = 0
    star, resume = -1, 0
    while place < len(value):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, place
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", value[place]):
            at += 1
            place += 1
        elif star >= 0:
            # the last "*" takes one character more; those before it need not be tried again
            resume += 1
            at, place = star + 1, resume
        else:
            return False
    return all(left == "*" for left in pattern[at:])


def holds(match: Match | None, vr: str, value: str) -> bool:
    """Whether a value (text, values joined by backslash) is what the key asks for. For items of sequences."""
    values = [value] if vr in _ONE_VALUE else [part.strip() for part in value.split("\\")]
    match match:
        case None:
            return True
        case AnyOf(matches):
            return any(holds(each, vr, value) for each in matches)
        case AllOf(matches):
            return all(holds(each, vr, value) for each in matches)
        case Empty():
            return not value
        case Single(wanted):
            return wanted in values or (vr in _NUMBERS and any(_same_number(wanted, each) for each in values))
        case Wildcard(pattern):
            return any(is_like(pattern, each) for each in values)
        case Range(first, last):
            return any(each != "" and first <= each and (not last or each <= last) for each in values)
        case Name(any_group, groups, _):
            keys = names.keys(values[0])
            if any_group:
                return any(_is_name(any_group, key) for key in keys)
            return all(
                not pattern or _is_name(pattern, key) for pattern, key in zip(groups, keys, strict=True)
            )
        case _:
            return False


def _is_name(pattern: str, key: str) -> bool:
    return any(is_like(each, key) for each in spellings(pattern))


def _same_number(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return False
