"""The parameters of a search (PS3.18 8.3.4, 10.6.1) as a query of the archive.

Lenient as C-FIND is: a value that is no date is refused, an attribute that is not in the index is named in a warning.
Extensions of ours, documented in docs/conformance: `orderby`, `after` and `count`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl

from filmless.archive.query import (
    ARRIVAL,
    KEYS,
    LEVELS,
    Asked,
    Level,
    Options,
    Order,
    Query,
    understand,
)
from filmless.archive.query import order as ordering
from filmless.archive.query.keys import key_of
from filmless.archive.searchable import SearchKeys
from filmless.archive.web.qido_answers import answered, vr_of, vrs_of
from filmless.dicom.attributes import BY_TAG, TAG
from filmless.kit.errors import Refused

#: of all studies the newest first; of one study's series and instances, in the sequence in which they came
NEWEST: Final = (
    Order(0x00080020, descending=True),
    Order(0x00080030, descending=True),
    Order(ARRIVAL, descending=True),
)
ARRIVED_LAST: Final = (Order(ARRIVAL, descending=True),)
ARRIVED_FIRST: Final = (Order(ARRIVAL),)

#: parameters, names and values at most; more is no search
_MOST_PARAMETERS, _LONGEST_QUERY = 200, 262_144
_UID = re.compile(r"[0-9.]{1,64}")
_NAME = re.compile(r"[0-9A-Fa-f]{8}|[A-Za-z][A-Za-z0-9]{1,63}")
#: parameters that are no attributes begin so; attributes begin with a capital or a digit
_FOREIGN = re.compile(r"[a-z_][A-Za-z0-9_.-]{0,63}")
_WORDS = {"true": True, "false": False}
_NUMBER = re.compile(r"[0-9]{1,12}")
#: VRs in which a comma cannot be part of a value: it parts several
_COMMA = frozenset({"UI", "CS"})


class BadParameter(Refused):
    """A parameter that cannot be understood: 400."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="bad-parameter")


@dataclass(frozen=True, slots=True)
class Resource:
    """What is searched for: studies, series or instances, all or those of a study or series."""

    level: Level
    study: str = ""
    series: str = ""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A request, understood."""

    query: Query
    #: the attributes that are to match, for the audit trail
    asked: tuple[Asked, ...]
    #: how many answers are wanted, and whether the client said so
    limit: int
    offset: int
    #: go on behind this place instead
    after: tuple[str | int, ...]
    count: bool
    #: texts for Warning headers
    warnings: tuple[str, ...]
    #: the parameters as sent, without those that only choose a page
    parameters: tuple[tuple[str, str], ...]
    vrs: Mapping[int, str]


def uid_in_path(text: str) -> str:
    """A UID of the path. Raises BadParameter where it cannot be one."""
    if not _UID.fullmatch(text):
        raise BadParameter("A UID in the address consists of digits and dots, at most 64 of them.")
    return text


def read_request(resource: Resource, query: str, extras: SearchKeys, maximum: int) -> SearchRequest:
    """Understand a query string. `maximum`: most answers that a request gets. Raises BadParameter, BadKey, BadOrder."""
    given = _Given(extras)
    for name, value in _parameters(query):
        given.take(name, value)
    if resource.study:
        given.within(0x0020000D, resource.study)
    if resource.series:
        given.within(0x0020000E, resource.series)
    matched = given.asked()
    understood = understand(resource.level, LEVELS[1:], matched, given.options, extras)
    wanted, unknown = answered(
        resource.level,
        not resource.study,
        not resource.series,
        given.all_included,
        tuple(given.included),
        extras,
    )
    order = given.order or default_order(resource)
    # refused now, with the request, and not when the answer has begun
    criteria = _criteria(order, resource.level)
    after = ordering.place_of(order, given.after) if given.after else ()
    if after:
        ordering.behind(criteria, after)
    warnings = []
    missing = [*(_word(tag, extras) for tag in (*understood.unsupported, *unknown)), *given.unsupported]
    if missing:
        names = ", ".join(dict.fromkeys(missing))
        warnings.append(f"The following query attributes were not supported and were ignored: {names}")
    if given.ignored:
        names = ", ".join(dict.fromkeys(given.ignored))
        warnings.append(f"The following query parameters were not supported and were ignored: {names}")
    returned = tuple(sorted({*understood.query.returned, *wanted}))
    final = replace(understood.query, returned=returned, order=order)
    vrs = vrs_of(returned, extras)
    limit = maximum if given.limit is None else min(given.limit, maximum)
    return SearchRequest(
        final,
        tuple(matched),
        limit,
        given.offset,
        after,
        given.count,
        tuple(warnings),
        tuple(given.kept),
        vrs,
    )


def default_order(resource: Resource) -> tuple[Order, ...]:
    """The order where none is asked for."""
    if resource.study:
        return ARRIVED_FIRST
    return NEWEST if resource.level == "STUDY" else ARRIVED_LAST


def _parameters(query: str) -> list[tuple[str, str]]:
    if len(query) > _LONGEST_QUERY:
        raise BadParameter("The query is too long.")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise BadParameter("The query has too many parameters, or its text is not UTF-8.") from None
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise BadParameter("The query holds a character that no attribute has.")
    return pairs


class _Given:
    """What the parameters of a request say, taken one by one."""

    def __init__(self, extras: SearchKeys) -> None:
        self._extras = extras
        #: tag path -> value
        self._keys: dict[tuple[int, ...], str] = {}
        self._fuzzy = self._empty = self._multiple = False
        self.included: list[int] = []
        self.all_included = False
        self.limit: int | None = None
        self.offset = 0
        self.after = ""
        self.count = False
        self.order: tuple[Order, ...] = ()
        self.unsupported: list[str] = []
        self.ignored: list[str] = []
        self.kept: list[tuple[str, str]] = []

    def take(self, name: str, value: str) -> None:
        if name not in ("limit", "offset", "after", "count", "accept"):
            self.kept.append((name, value))
        match name:
            case "limit":
                self.limit = _whole(name, value)
            case "offset":
                self.offset = _whole(name, value)
            case "after":
                self.after = value
            case "count":
                self.count = _boolean(name, value)
            case "fuzzymatching":
                self._fuzzy = _boolean(name, value)
            case "emptyvaluematching":
                self._empty = _boolean(name, value)
            case "multiplevaluematching":
                self._multiple = _boolean(name, value)
            case "includefield":
                self._include(value)
            case "orderby":
                self._order_by(value)
            case "accept" | "charset":
                pass
            case _:
                self._match(name, value)

    def within(self, tag: int, uid: str) -> None:
        """Only what is in the study or series of the address; a list of UIDs asked for besides narrows it further."""
        asked = [one.strip() for one in self._keys.get((tag,), "").split("\\") if one.strip()]
        # "-" is no UID: nothing has it
        self._keys[(tag,)] = uid if not asked or uid in asked else "-"

    @property
    def matched(self) -> frozenset[int]:
        return frozenset(path[0] for path in self._keys)

    @property
    def options(self) -> Options:
        # PS3.18 8.3.4.1: as PS3.4 C.2.2.2 with combined date and time, whatever the level of the attribute
        return Options(
            relational=True,
            combined_datetime=True,
            fuzzy=self._fuzzy,
            empty_value=self._empty,
            multiple_values=self._multiple,
        )

    def asked(self) -> list[Asked]:
        """The attributes that are to match."""
        found: list[Asked] = []
        sequences: dict[int, dict[tuple[int, ...], str]] = {}
        for path, value in self._keys.items():
            if len(path) == 1:
                found.append(Asked(path[0], "", value))
            else:
                sequences.setdefault(path[0], {})[path[1:]] = value
        return [*found, *(Asked(tag, "SQ", items=(_nested(inside),)) for tag, inside in sequences.items())]

    def _match(self, name: str, value: str) -> None:
        parts = name.split(".")
        if not all(_NAME.fullmatch(part) for part in parts) or len(parts) > 8 or name[0].islower():
            if not _FOREIGN.fullmatch(name):
                raise BadParameter("A parameter is neither an attribute nor one of a search.")
            self.ignored.append(name)
            return
        path = tuple(_tag(part, self._extras) for part in parts)
        key = key_of(path[0], self._extras)
        if key is None or (len(path) > 1 and key.vr != "SQ"):
            self.unsupported.append(name)
            return
        if key.vr == "SQ" and len(path) == 1:
            # a sequence by itself: whatever its items are
            self._keys.setdefault(path, "")
            return
        vr = key.vr if len(path) == 1 else vr_of(path[-1], self._extras)
        if vr in _COMMA:
            value = value.replace(",", "\\")
        before = self._keys.get(path)
        self._keys[path] = f"{before}\\{value}" if before and value else value or before or ""

    def _include(self, value: str) -> None:
        for name in value.split(","):
            name = name.strip()
            if name.lower() == "all":
                self.all_included = True
            elif name:
                first = name.split(".")[0]
                if not _NAME.fullmatch(first):
                    raise BadParameter("includefield needs keywords or tags of attributes, or all.")
                if (tag := _known_tag(first, self._extras)) is not None:
                    self.included.append(tag)

    def _order_by(self, value: str) -> None:
        order: list[Order] = []
        for name in value.split(","):
            word = name.strip()
            descending = word.startswith("-")
            word = word.lstrip("+- ")
            if not _NAME.fullmatch(word) or (tag := _known_tag(word, self._extras)) is None:
                raise BadParameter(
                    "orderby needs keywords or tags of attributes, those downwards after a minus."
                )
            order.append(Order(tag, descending=descending))
        if len(order) > 4 or len({one.tag for one in order}) != len(order):
            raise BadParameter("orderby takes up to four different attributes.")
        self.order = (*order, Order(ARRIVAL, descending=order[-1].descending))


def _nested(inside: dict[tuple[int, ...], str]) -> dict[int, Asked]:
    """Values by their paths inside an item, as the item."""
    item: dict[int, Asked] = {}
    deeper: dict[int, dict[tuple[int, ...], str]] = {}
    for path, value in inside.items():
        if len(path) == 1:
            item[path[0]] = Asked(path[0], "", value)
        else:
            deeper.setdefault(path[0], {})[path[1:]] = value
    for tag, more in deeper.items():
        item[tag] = Asked(tag, "SQ", items=(_nested(more),))
    return item


_criteria = lru_cache(64)(ordering.criteria)


def _tag(word: str, extras: SearchKeys) -> int:
    """The tag of a keyword or of eight hexadecimal digits. Raises BadParameter where there is no such attribute."""
    tag = _known_tag(word, extras)
    if tag is None:
        raise BadParameter(f"There is no attribute {word}.")
    return tag


@lru_cache(1024)
def _known_tag(word: str, extras: SearchKeys) -> int | None:
    if word in TAG:
        return TAG[word]
    for key in KEYS.values():
        if key.keyword == word:
            return key.tag
    for extra in extras.keys:
        for tag, name in zip(extra.tags, extra.path.split("."), strict=True):
            if name == word:
                return tag
    if len(word) == 8 and all(letter in "0123456789ABCDEFabcdef" for letter in word):
        return int(word, 16)
    # the whole dictionary is loaded only where a word is met that the index does not know
    from pydicom.datadict import tag_for_keyword

    return tag_for_keyword(word)


def _word(tag: int, extras: SearchKeys) -> str:
    key = key_of(tag, extras)
    if key is not None:
        return key.keyword
    return BY_TAG[tag].keyword if tag in BY_TAG else f"{tag:08X}"


def _whole(name: str, value: str) -> int:
    if not _NUMBER.fullmatch(value):
        raise BadParameter(f"{name} must be a whole number, not below 0.")
    return int(value)


def _boolean(name: str, value: str) -> bool:
    found = _WORDS.get(value.lower())
    if found is None:
        raise BadParameter(f"{name} must be true or false.")
    return found
