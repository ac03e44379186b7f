"""Search keys: attributes that an engineer made searchable besides those of the index.

Their values are rows of `attribute_values`: as received under the key's path, and, where matching needs another form
(names, dates, times, numbers), in that form under the path with "#" behind it. A key is of one level; the first
object of a study or series says its value, as it does for the index's own columns.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any, Final, Literal

from sqlalchemy import Connection, Engine, select

from filmless.archive import levels
from filmless.archive.tables import search_keys
from filmless.db.prepared import Prepared
from filmless.db.work import reading
from filmless.dicom import json_model, scan
from filmless.dicom.header import Header
from filmless.patients import names
from filmless.patients.service import INDEXED

#: word of the index for a level, as in attribute_values.level
LevelWord = Literal["patient", "study", "series", "instance"]
LEVEL_WORDS: Final[tuple[LevelWord, ...]] = ("patient", "study", "series", "instance")

#: VRs that are matched in another form than they are received in
NUMBERS: Final = frozenset({"IS", "DS", "US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"})
NORMALISED: Final = NUMBERS | {"PN", "DA", "TM"}
#: seconds for which a process believes what it read of the keys
_FRESH = 2.0
#: rows of one key and one owner at most: no sequence of thousands of items makes an object's arrival slow
_MOST = 200


@dataclass(frozen=True, slots=True)
class SearchKey:
    """One of them. `tags` lead to the attribute: sequences first, the attribute itself last."""

    id: int
    level: LevelWord
    tags: tuple[int, ...]
    #: keywords joined by dots, "GGGGEEEE" where a tag has none: the path in attribute_values
    path: str
    vr: str
    #: everything that was there before it has been indexed
    ready: bool = True

    @property
    def matched_path(self) -> str:
        """Where the values are that requests are compared with."""
        return self.path + "#" if self.vr in NORMALISED else self.path


@dataclass(frozen=True)
class SearchKeys:
    """All of them at one moment."""

    keys: tuple[SearchKey, ...] = ()

    @cached_property
    def wanted(self) -> frozenset[int]:
        """Tags of the data set that are read for them."""
        return frozenset({levels.SPECIFIC_CHARACTER_SET, *(key.tags[0] for key in self.keys)})

    @cached_property
    def plain(self) -> Mapping[int, SearchKey]:
        """Those outside sequences that can be asked for."""
        return {key.tags[0]: key for key in self.keys if key.ready and len(key.tags) == 1}

    @cached_property
    def sequences(self) -> Mapping[int, Sequence[SearchKey]]:
        """Sequence -> those inside it that can be asked for."""
        found: dict[int, list[SearchKey]] = {}
        for key in self.keys:
            if key.ready and len(key.tags) > 1:
                found.setdefault(key.tags[0], []).append(key)
        return found

    def at(self, tags: Sequence[int]) -> SearchKey | None:
        """The one at this path, where it can be asked for."""
        wanted = tuple(tags)
        return next((key for key in self.keys if key.ready and key.tags == wanted), None)


NO_KEYS: Final = SearchKeys()


def read(connection: Connection) -> SearchKeys:
    """The keys as the transaction sees them."""
    rows = _ALL.all(connection, {})
    if not rows:
        return NO_KEYS
    return SearchKeys(
        tuple(
            SearchKey(
                row[0], row[1], tuple(int(tag, 16) for tag in row[2].split(".")), row[3], row[4], bool(row[5])
            )
            for row in rows
        )
    )


_ALL = Prepared(
    select(
        search_keys.c.id,
        search_keys.c.level,
        search_keys.c.tags,
        search_keys.c.path,
        search_keys.c.vr,
        search_keys.c.ready,
    ).order_by(search_keys.c.id)
)


@dataclass
class Known:
    """What a process knows of the keys, read again when it is older than two seconds. From any thread."""

    engine: Engine
    _keys: SearchKeys = NO_KEYS
    _until: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    @property
    def stale(self) -> bool:
        """Whether the next look asks the database."""
        return time.monotonic() >= self._until

    def now(self, connection: Connection | None = None) -> SearchKeys:
        """The keys, read on `connection` where they have to be read and there is one."""
        if not self.stale:
            return self._keys
        with self._lock:
            if self.stale:
                with nullcontext(connection) if connection is not None else reading(self.engine) as used:
                    self._keys = read(used)
                self._until = time.monotonic() + _FRESH
        return self._keys


Row = tuple[LevelWord, dict[str, str]]


def values_of(header: Header, keys: SearchKeys, character_set: str) -> list[Row]:
    """What an object says of the keys: (level, row of attribute_values without its owner)."""
    found: list[Row] = []
    for key in keys.keys:
        for number, (item, value) in enumerate(_values(header, key.tags, key.vr, character_set, "")):
            if number == _MOST:
                break
            found.append((key.level, {"path": key.path, "item": item, "value": value}))
            if key.vr in NORMALISED and (normal := normal_value(key.vr, value)):
                found.append((key.level, {"path": key.path + "#", "item": item, "value": normal}))
    return found


def _values(
    header: Header, tags: Sequence[int], vr: str, character_set: str, item: str
) -> Iterator[tuple[str, str]]:
    """(items that it is in, value) of the attribute at a path."""
    if len(tags) > 1:
        for number, inside in enumerate(scan.sequence_items(header, tags[0], limit=_MOST)):
            here = f"{item}.{number}" if item else str(number)
            if len(here) <= 32:
                yield from _values(inside, tags[1:], vr, character_set, here)
        return
    sent = header.values.get(tags[0])
    if sent is None:
        return
    if sent[0] in ("", "UN"):
        # one without a VR is read as the key says
        header.values[tags[0]] = (vr, sent[1])
    texts = (
        scan.text_pn(header, tags[0], character_set)
        if vr == "PN"
        else scan.text(header, tags[0], character_set)
    )
    for value in [texts] if vr in ("LT", "ST", "UT", "UR") else texts.split("\\"):
        if value := value.replace("\0", "").strip():
            yield item, value[:INDEXED]


def normal_value(vr: str, value: str) -> str:
    """The form in which values of these VRs are compared; "" where it is none of that VR."""
    if vr == "PN":
        return "=".join(names.keys(value)).rstrip("=")[:INDEXED]
    if vr == "DA":
        return levels.date_value(value, 0, _ignore)
    if vr == "TM":
        return levels.time_value(value, 0, _ignore)
    try:
        number = float(value)
    except ValueError:
        return ""
    if number != number or number in (float("inf"), float("-inf")):
        return ""
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else repr(number)


def _ignore(_tag: int, _text: str) -> None:
    """Of a value that cannot be searched; the object's own warnings say so where it matters."""


def elements(rows: Sequence[tuple[str, str, str]], keys: Sequence[SearchKey]) -> Any:
    """DICOM JSON items of a sequence from its rows (path, item, value) of attribute_values, in their order."""
    by_path = {key.path: key for key in keys}
    items: dict[str, dict[str, Any]] = {}
    for path, item, value in rows:
        key = by_path.get(path)
        if key is None or len(key.tags) != 2:
            continue
        element = items.setdefault(item, {}).setdefault(f"{key.tags[1]:08X}", {"vr": key.vr, "Value": []})
        element["Value"].append(_typed(key.vr, value))
    return list(items.values())


def _typed(vr: str, value: str) -> Any:
    """A value as DICOM JSON has it (PS3.18 F.2.3)."""
    if vr == "PN":
        return json_model.person_name(value)
    if vr in NUMBERS and (normal := normal_value(vr, value)):
        return float(normal) if "." in normal or "e" in normal else int(normal)
    return value
