"""What is searched for, whoever asks: the query expression, and the rules by which a request becomes one.

PS3.4 C.4.1.2 (hierarchical and relational queries), C.2.2.1 (unique, required and optional keys). Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from filmless.archive.query import keys as known
from filmless.archive.query.keys import KEYS, LEVELS, UNIQUE_KEYS, Level, key_of
from filmless.archive.query.matching import NOTHING_NEGOTIATED, Item, Match, Options, parse
from filmless.archive.searchable import NO_KEYS, SearchKeys
from filmless.kit.errors import Refused

#: keys that say how to read or answer the request and are matched with nothing
_NOT_MATCHED = frozenset(
    {
        known.SPECIFIC_CHARACTER_SET,
        known.QUERY_RETRIEVE_LEVEL,
        known.RETRIEVE_AE_TITLE,
        known.INSTANCE_AVAILABILITY,
        known.TIMEZONE_OFFSET,
    }
)


@dataclass(frozen=True, slots=True)
class Query:
    """A search of the index at one level. `keys` all hold together; `returned` are the tags wanted back.

    `items` says of returned sequences which attributes of their items are wanted (absent: all of them).
    """

    level: Level
    keys: tuple[tuple[int, Match], ...] = ()
    returned: tuple[int, ...] = ()
    items: tuple[tuple[int, tuple[int, ...]], ...] = ()
    options: Options = NOTHING_NEGOTIATED
    #: stop after so many answers; 0: no limit
    limit: int = 0
    #: the order of the answers; empty: none. What ends in ARRIVAL is the same at each call
    order: tuple["Order", ...] = ()
    #: what an answer's order was (archive/query/order.py): go on with those behind it
    after: tuple[str | int, ...] = ()
    #: pass over so many answers
    offset: int = 0
    #: the attributes that an engineer made searchable
    extras: SearchKeys = NO_KEYS


#: stands for a tag in an order: the sequence in which the index learned of the answers
ARRIVAL = 0


@dataclass(frozen=True, slots=True)
class Order:
    """One criterion of an order."""

    tag: int
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """One attribute of a request: its value as text (values joined by backslash), or the items of a sequence."""

    tag: int
    vr: str
    text: str = ""
    items: tuple[Mapping[int, "Asked"], ...] = ()


class BadRequest(Refused):
    """The identifier does not match the SOP class: status A900."""


@dataclass(frozen=True, slots=True)
class Understood:
    """A request as a query, and the keys of it that are not supported (status FF01 with every match)."""

    query: Query
    unsupported: tuple[int, ...]


def understand(
    level: str,
    levels: Sequence[Level],
    asked: Sequence[Asked],
    options: Options = NOTHING_NEGOTIATED,
    extras: SearchKeys = NO_KEYS,
) -> Understood:
    """Make a query of a request in an information model with these levels (Study Root: from STUDY down).

    Keys above the level are matched too, as many SCUs expect. Keys below it are matched in relational queries
    ("there is one below that ..."), otherwise unsupported. Raises BadRequest and BadKey.
    """
    at = next((one for one in levels if one == level), None)
    if at is None:
        allowed = ", ".join(levels)
        raise BadRequest(f"Query/Retrieve Level must be one of {allowed}", code="bad-level")
    matches: dict[int, Match] = {}
    returned: list[int] = []
    items: dict[int, tuple[int, ...]] = {}
    unsupported: list[int] = []
    for one in asked:
        if one.tag in _NOT_MATCHED or one.tag & 0xFFFF == 0:
            if one.tag in KEYS:
                returned.append(one.tag)
            continue
        key = key_of(one.tag, extras)
        if key is None:
            unsupported.append(one.tag)
            continue
        below = LEVELS.index(key.level) > LEVELS.index(at)
        match = _match(one, key, options, items, unsupported, extras)
        if below and not options.relational:
            unsupported.append(one.tag)
            continue
        if not below:
            returned.append(one.tag)
        if match is None:
            continue
        counted = key.kind == "computed" and key.vr == "IS"
        if key.kind == "returned" or counted:
            unsupported.append(one.tag)
        else:
            matches[one.tag] = match
    if not options.relational:
        for above in levels[: levels.index(at)]:
            if UNIQUE_KEYS[above] not in matches:
                keyword = KEYS[UNIQUE_KEYS[above]].keyword
                raise BadRequest(f"{keyword} is needed at {at} level", code="missing-unique-key")
    if UNIQUE_KEYS[at] not in returned:
        returned.append(UNIQUE_KEYS[at])
    query = Query(
        level=at,
        keys=tuple(sorted(matches.items())),
        returned=tuple(sorted(returned)),
        items=tuple(sorted(items.items())),
        options=options,
        extras=extras,
    )
    return Understood(query, tuple(dict.fromkeys(unsupported)))


def _match(
    one: Asked,
    key: known.Key,
    options: Options,
    items: dict[int, tuple[int, ...]],
    unsupported: list[int],
    extras: SearchKeys,
) -> Match | None:
    if key.vr != "SQ":
        return parse(one.tag, key.vr, one.text, options)
    if not one.items or not one.items[0]:
        return None
    item = one.items[0]
    items[one.tag] = tuple(sorted(item))
    if key.kind != "sequence":
        return Item(()) if any(inner.text for inner in item.values()) else None
    conditions = _conditions((one.tag,), item, options, unsupported, extras)
    return Item(tuple(sorted(conditions, key=lambda pair: pair[0]))) if conditions else None


def _conditions(
    path: tuple[int, ...],
    item: Mapping[int, Asked],
    options: Options,
    unsupported: list[int],
    extras: SearchKeys,
) -> list[tuple[int, Match]]:
    """What is asked for inside an item of the sequence at `path`; what cannot be goes to `unsupported`."""
    matchable = known.matchable_in(path[0]) if len(path) == 1 else ()
    conditions: list[tuple[int, Match]] = []
    for tag, inner in item.items():
        here = (*path, tag)
        if inner.items:
            if below := _conditions(here, inner.items[0], options, unsupported, extras):
                conditions.append((tag, Item(tuple(sorted(below, key=lambda pair: pair[0])))))
            continue
        if not inner.text:
            continue
        extra = extras.at(here)
        if tag not in matchable and extra is None:
            unsupported.append(path[0])
            continue
        vr = extra.vr if extra is not None else known.vr_of_item(tag, inner.vr)
        if (match := parse(tag, vr, inner.text, options)) is not None:
            conditions.append((tag, match))
    return conditions
