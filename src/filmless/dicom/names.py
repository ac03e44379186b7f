"""Person names in their parts (PS3.5 6.2.1). Rules for matching them are the business of patients/."""

from typing import NamedTuple


class Components(NamedTuple):
    """The five components of one group; "" where absent."""

    family: str = ""
    given: str = ""
    middle: str = ""
    prefix: str = ""
    suffix: str = ""


class PersonName(NamedTuple):
    """The three component groups as sent, components joined by "^"; "" where absent."""

    alphabetic: str = ""
    ideographic: str = ""
    phonetic: str = ""

    def components(self, group: str = "alphabetic") -> Components:
        """The components of a group; what follows a fifth "^" stays with the suffix."""
        parts = [part.strip() for part in str(getattr(self, group)).split("^", 4)]
        return Components(*parts)

    def __str__(self) -> str:
        return "=".join(self).rstrip("=")


def parse(value: str) -> PersonName:
    """One person name (decoded, a single value) in its groups, padding and trailing empty components taken off.

    More than three groups are against the standard: what follows the third "=" stays with the phonetic group.
    """
    return PersonName(*(_tidy_group(group) for group in value.strip("\0 ").split("=", 2)))


def tidy(value: str) -> str:
    """The name without what does not change it: padding, trailing empty components and groups."""
    if "^" not in value and "=" not in value:
        return value.strip("\0 ")
    return str(parse(value))


def _tidy_group(group: str) -> str:
    return "^".join(part.strip("\0 ") for part in group.split("^")).rstrip("^")
