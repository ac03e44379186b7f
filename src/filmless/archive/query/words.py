"""What was searched for, in words for the audit trail."""

from collections.abc import Iterable

from filmless.archive.query.keys import KEYS
from filmless.archive.query.request import Asked

_PATIENT_ID = 0x00100020


def query_words(asked: Iterable[Asked]) -> str:
    """The keys that restrict, as "Keyword=value" in the request's order; an inner key of a sequence after a dot."""
    return " ".join(_words(asked, ""))


def patients_in(asked: Iterable[Asked]) -> tuple[str, ...]:
    """The Patient IDs that were asked for by name, so that who searches the trail for a patient finds the search."""
    for one in asked:
        if one.tag == _PATIENT_ID and one.text and not set(one.text) & set("*?"):
            return tuple(part.strip() for part in one.text.split("\\") if part.strip())
    return ()


def _words(asked: Iterable[Asked], before: str) -> list[str]:
    found: list[str] = []
    for one in asked:
        key = KEYS.get(one.tag)
        name = before + (key.keyword if key is not None else f"{one.tag:08X}")
        if one.text.strip():
            found.append(f"{name}={one.text}")
        for item in one.items:
            found += _words(item.values(), f"{name}.")
    return found
