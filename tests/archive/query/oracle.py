"""What a query must find, by brute force over plain dicts. Transcribed from PS3.4 C.2.2.2 and C.4.1, not from the code.

An answer is an entity of the level asked for that has at least one visible object for which the keys hold.
"""

import unicodedata
from typing import Any

UNIQUE = {"PATIENT": 0x00100020, "STUDY": 0x0020000D, "SERIES": 0x0020000E, "IMAGE": 0x00080018}
DATES = {0x00080020, 0x00100030, 0x00400244}
TIMES = {0x00080030: 0x00080020, 0x00400245: 0x00400244}
NAMES = {0x00100010, 0x00080090}
LOOSE = {0x00081030, 0x0008103E}  # matched without case, by our conformance statement
NUMBERS = {0x00200011, 0x00200013, 0x00280010}
MODALITIES, CLASSES = 0x00080061, 0x00080062


def fold(text: str) -> str:
    """Without case, accents and width; Latin letters that have no decomposition spelled out."""
    out = []
    for character in unicodedata.normalize("NFKC", text):
        decomposed = unicodedata.normalize("NFD", character)
        latin = decomposed[0].isascii() or unicodedata.name(decomposed[0], "").startswith("LATIN")
        out.append(decomposed[0] if latin else character)
    return "".join(out).casefold().replace("ø", "o").replace("ł", "l")


def wild(pattern: str, value: str) -> bool:
    if not pattern:
        return not value
    head, rest = pattern[0], pattern[1:]
    if head == "*":
        return any(wild(rest, value[at:]) for at in range(len(value) + 1))
    return bool(value) and (head in ("?", value[0])) and wild(rest, value[1:])


def component_groups(name: str) -> list[str]:
    groups = [fold(group).rstrip("^ ").strip() for group in name.split("=")]
    return groups + [""] * (3 - len(groups))


def name_matches(key: str, name: str) -> bool:
    have = component_groups(name)
    if "=" in key:
        return all(not k or wild(k, h) for k, h in zip(component_groups(key), have, strict=True))
    wanted = fold(key).rstrip("^ ")
    return any(wild(wanted, group) for group in have)


def earliest(time: str) -> str:
    digits, _, fraction = time.partition(".")
    return digits.ljust(6, "0") + "." + fraction.ljust(6, "0")


def latest(time: str) -> str:
    digits, _, fraction = time.partition(".")
    return digits + "235959"[len(digits) :] + "." + fraction.ljust(6, "9")


def ends(key: str) -> tuple[str, str]:
    first, dash, last = key.partition("-")
    return (first, last) if dash else (key, key)


def matches(tag: int, key: Any, value: Any) -> bool:
    """One attribute, nothing negotiated."""
    if isinstance(key, dict):
        return any(all(wild(k, item.get(inner, "")) for inner, k in key.items()) for item in value)
    if key == "" or set(key) == {"*"}:
        return True
    if "\\" in key:
        return any(matches(tag, part, value) for part in key.split("\\"))
    if tag in DATES:
        first, last = ends(key)
        return value != "" and first <= value and (last == "" or value <= last)
    if tag in TIMES:
        first, last = ends(key)
        at = earliest(value) if value else ""
        return at != "" and (not first or earliest(first) <= at) and (not last or at <= latest(last))
    if tag in NAMES:
        return name_matches(key, value)
    if tag in NUMBERS:
        return value != "" and key.isdigit() and int(key) == int(value)
    if tag in LOOSE:
        return wild(fold(key), fold(value))
    return wild(key, value)


def moment_in_range(dates: str, times: str, date: str, time: str) -> bool:
    """C.2.2.2.5.2: date and time as one value."""
    if not date or not time:
        return False
    (d1, d2), (t1, t2) = ends(dates), ends(times)
    at = date + earliest(time)
    after = not d1 or d1 + (earliest(t1) if t1 else "") <= at
    return after and (not d2 or at <= d2 + (latest(t2) if t2 else "~"))


def seen(objects: list[dict[int, Any]], quality_control: bool) -> list[dict[int, Any]]:
    allowed = ("", "113001") if quality_control else ("",)
    return [one for one in objects if one[0] in allowed]


def answer(
    objects: list[dict[int, Any]],
    level: str,
    keys: dict[int, Any],
    *,
    quality_control: bool = False,
    combined: bool = False,
) -> set[str]:
    """The values of the level's unique key that must be found. Relational: keys of any level."""
    visible = seen(objects, quality_control)
    found = set()
    for one in visible:
        of_study = [other for other in visible if other[0x0020000D] == one[0x0020000D]]
        done: set[int] = set()
        good = True
        if combined:
            for time, date in TIMES.items():
                if "-" in keys.get(date, "") and keys.get(time):
                    good = good and moment_in_range(keys[date], keys[time], one[date], one[time])
                    done |= {date, time}
        for tag, key in keys.items():
            if tag in done:
                continue
            if tag == MODALITIES:
                good = good and any(matches(0x00080060, key, other[0x00080060]) for other in of_study)
            elif tag == CLASSES:
                good = good and any(matches(0x00080016, key, other[0x00080016]) for other in of_study)
            else:
                good = good and matches(tag, key, one[tag])
        if good:
            found.add(one[UNIQUE[level]])
    return found


def counts(
    objects: list[dict[int, Any]], level_tag: int, value: str, quality_control: bool
) -> tuple[int, int, int]:
    """(studies, series, instances) that are seen of the entity."""
    inside = [one for one in seen(objects, quality_control) if one[level_tag] == value]
    return (
        len({one[0x0020000D] for one in inside}),
        len({one[0x0020000E] for one in inside}),
        len(inside),
    )
