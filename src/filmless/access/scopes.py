"""Scopes as people write and read them: `site=North modality=CT modality=MR sensitive`."""

from collections.abc import Iterable

from filmless.access.model import Scope
from filmless.kit.errors import Refused

#: word -> field of Scope
_LISTS = {"site": "sites", "department": "departments", "modality": "modalities"}
_SWITCHES = {"own-patients": "own_patients", "shared-only": "shared_only", "sensitive": "sensitive"}


def scope_from_words(words: Iterable[str]) -> Scope:
    """Read words such as "site=North", "modality=CT", "own-patients", "sensitive"; "everywhere" alone says nothing.

    Raises Refused (code "bad-scope").
    """
    lists: dict[str, set[str]] = {}
    switches: dict[str, bool] = {}
    for word in words:
        name, is_value, value = (part.strip() for part in word.partition("="))
        if name in _LISTS and value:
            if len(value) > 64:
                raise Refused(f"A {name} has at most 64 characters.", code="bad-scope")
            lists.setdefault(_LISTS[name], set()).add(value.upper() if name == "modality" else value)
        elif name in _SWITCHES and not is_value:
            switches[_SWITCHES[name]] = True
        elif name != "everywhere" or is_value:
            known = [*(f"{one}=..." for one in _LISTS), *_SWITCHES, "everywhere"]
            raise Refused(
                f"{word!r} is not part of a scope; there are: {', '.join(known)}.", code="bad-scope"
            )
    return Scope(**{name: frozenset(values) for name, values in lists.items()}, **switches)  # type: ignore[arg-type]


def scope_words(scope: Scope) -> list[str]:
    """What `scope_from_words` reads; ["everywhere"] where nothing is restricted."""
    words: list[str] = []
    for word, name in _LISTS.items():
        words += [f"{word}={value}" for value in sorted(getattr(scope, name) or ())]
    restricted = bool(words) or scope.own_patients or scope.shared_only
    words += [word for word, name in _SWITCHES.items() if getattr(scope, name)]
    return words if restricted else ["everywhere", *words]
