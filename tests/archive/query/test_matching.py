import time
from typing import Any

import pytest

from filmless.archive.query.matching import (
    AllOf,
    AnyOf,
    BadKey,
    Empty,
    Match,
    Name,
    Options,
    Range,
    Single,
    Wildcard,
    holds,
    parse,
)

ALL = Options(relational=True, combined_datetime=True, fuzzy=True, empty_value=True, multiple_values=True)


@pytest.mark.parametrize(
    ("vr", "text", "expected"),
    [
        ("LO", "", None),
        ("LO", "*", None),
        ("LO", "**", None),
        ("LO", "abc ", Single("abc")),
        ("LO", "a*b", Wildcard("a*b")),
        ("LO", "a**?b", Wildcard("a*?b")),
        ("CS", "CT\\MR", AnyOf((Single("CT"), Single("MR")))),
        ("CS", "CT\\*", None),
        ("ST", "a\\b", Single("a\\b")),
        ("UI", "1.2.3\0", Single("1.2.3")),
        ("UI", "1.2\\1.3", AnyOf((Single("1.2"), Single("1.3")))),
        ("UI", "*", None),
        ("IS", "1*", Single("1*")),
        ("DA", "20240229", Range("20240229", "20240229")),
        ("DA", "2024.02.29", Range("20240229", "20240229")),
        ("DA", "20240229-", Range("20240229", "")),
        ("DA", "-20240229", Range("", "20240229")),
        ("DA", "20240101 - 20240229", Range("20240101", "20240229")),
        ("DA", "*", None),
        ("TM", "10", Range("100000.000000", "105959.999999")),
        ("TM", "1030", Range("103000.000000", "103059.999999")),
        ("TM", "103015.5", Range("103015.500000", "103015.599999")),
        ("TM", "10:30-", Range("103000.000000", "")),
        ("TM", "-1030", Range("", "103059.999999")),
        ("PN", "Müller^J*", Name(any_group="muller^j*")),
        ("PN", "WANG*=王*", Name(groups=("wang*", "王*", ""))),
        ("PN", "＊^？", Name(any_group="^")),
        ("PN", "^^", None),
        ("PN", "*=*", None),
        ("LO", '""', Single('""')),
    ],
)
def test_what_keys_ask_for(vr: str, text: str, expected: Match | None) -> None:
    assert parse(0x00100010, vr, text) == expected


@pytest.mark.parametrize(
    ("vr", "text", "expected"),
    [
        ("LO", '""', Empty()),
        ("CS", "CT\\MR", AllOf((Single("CT"), Single("MR")))),
        ("PN", "Smith^J", Name(any_group="smith^j", fuzzy="Smith^J")),
        ("PN", "Smith*", Name(any_group="smith*")),
    ],
)
def test_what_negotiation_adds(vr: str, text: str, expected: Match) -> None:
    assert parse(0x00100010, vr, text, ALL) == expected


@pytest.mark.parametrize(
    ("vr", "text"),
    [
        ("DA", "2024"),
        ("DA", "20241301"),
        ("DA", "20240101-2024"),
        ("DA", "-"),
        ("DA", "today"),
        ("TM", "25"),
        ("TM", "10-9"),
        ("TM", "-"),
    ],
)
def test_keys_that_cannot_be_understood(vr: str, text: str) -> None:
    with pytest.raises(BadKey) as error:
        parse(0x00080020, vr, text)
    assert error.value.tag == 0x00080020
    # what was asked for may be about a patient
    assert len(text) == 1 or text not in error.value.message


@pytest.mark.parametrize(
    ("vr", "key", "value", "expected"),
    [
        ("LO", "a?c", "abc", True),
        ("LO", "a?c", "ac", False),
        ("LO", "ABC", "abc", False),
        ("LO", "b", "a\\b", True),
        ("SH", "[x]*", "[x]y", True),
        ("IS", "7", "007", True),
        ("DA", "20240101-", "", False),
        ("TM", "10-", "0959", False),
        ("PN", "muller^*", "MÜLLER", True),
        ("PN", "wang*=王*", "WANG^X=王^小", True),
        ("PN", "wang*=王*", "WANG^X", False),
    ],
)
def test_values_in_items(vr: str, key: str, value: str, expected: bool) -> None:
    match: Any = parse(0x00100010, vr, key)
    assert holds(match, vr, value) is expected


@pytest.mark.parametrize(("end", "expected"), [("b", False), ("a", True)])
def test_many_wildcards_cost_no_time(end: str, expected: bool) -> None:
    key = "*a" * 30 + f"*{end}"
    began = time.monotonic()
    assert holds(parse(0x00400009, "SH", key), "SH", "a" * 64) is expected
    assert holds(parse(0x00100010, "PN", key), "PN", "a" * 64) is expected
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("vr", "text"),
    [
        ("PN", "\\".join(["A"] * 100_000)),
        ("LO", "\\".join(["A*"] * 100_000)),
        ("DA", "\\".join(["20240101"] * 100_000)),
        ("UI", "\\".join(f"1.{n}" for n in range(100_000))),
        ("PN", "A*" * 100_000),
        ("UT", "A*" * 100_000),
    ],
)
def test_a_key_that_asks_for_very_much_is_refused(vr: str, text: str) -> None:
    with pytest.raises(BadKey, match="at most"):
        parse(0x00100010, vr, text, ALL)


def test_a_long_list_of_uids_is_understood() -> None:
    match = parse(0x0020000D, "UI", "\\".join(f"1.{n}" for n in range(5_000)))
    assert isinstance(match, AnyOf) and len(match.matches) == 5_000
