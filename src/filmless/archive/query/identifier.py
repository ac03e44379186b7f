"""C-FIND identifiers as bytes: requests read, answers written by hand (PS3.4 C.4.1.1.3, PS3.5 section 7).

Answers are the hot path of a search: what is the same in all of them is made once.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from struct import Struct, pack
from struct import error as StructError
from typing import Any

from filmless.archive.query import keys as known
from filmless.archive.query.keys import KEYS, Level
from filmless.archive.query.received import element_text
from filmless.archive.query.request import Asked, BadRequest
from filmless.archive.query.search import Found
from filmless.dicom import charset
from filmless.dicom.elements import SHORT
from filmless.dicom.scan import Header, scan, sequence_items, text
from filmless.dicom.uids import transfer_syntax
from filmless.dicom.vr import dictionary_vr


@dataclass(frozen=True, slots=True)
class Request:
    """A C-FIND identifier: the level as sent, its attributes, and the character set that it declares."""

    level: str
    asked: tuple[Asked, ...]
    character_set: str


def read_request(data: bytes, transfer_syntax_uid: str, character_set: str) -> Request:
    """Read an identifier. `character_set` is assumed where it declares none. Raises BadRequest where unreadable."""
    header = scan(data, transfer_syntax_uid, None)
    if header.truncated or not header.values:
        raise BadRequest("the identifier cannot be read", code="unreadable")
    asked = tuple(_asked(header, tag, vr, character_set) for tag, (vr, _) in header.values.items())
    level = text(header, known.QUERY_RETRIEVE_LEVEL).upper()
    return Request(level, asked, header.character_set)


def _asked(header: Header, tag: int, vr: str, character_set: str) -> Asked:
    key = KEYS.get(tag)
    if vr == "SQ" or (key is not None and key.vr == "SQ"):
        items = tuple(
            {
                inner: _asked(item, inner, inner_vr, character_set)
                for inner, (inner_vr, _) in item.values.items()
            }
            for item in sequence_items(header, tag, limit=2)
        )
        return Asked(tag, "SQ", items=items)
    return Asked(tag, vr, text(header, tag, character_set))


_NUMBER = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
_UID = "UI"


class AnswerWriter:
    """Writes the answers to one query in one transfer syntax.

    Each answer is in the first of `character_sets` that can hold its text, otherwise in UTF-8, and says so in
    Specific Character Set.
    """

    def __init__(
        self,
        transfer_syntax_uid: str,
        level: Level,
        returned: Sequence[int],
        *,
        ae_title: str,
        character_sets: Sequence[str] = (),
    ) -> None:
        syntax = transfer_syntax(transfer_syntax_uid)
        self._explicit = syntax.explicit
        self._deflated = syntax.deflated
        self._order = "<" if syntax.little else ">"
        self._tag = Struct(self._order + "HH")
        self._long = Struct(self._order + "I")
        self._short = Struct(self._order + "H")
        self._character_sets = [one for one in dict.fromkeys(character_sets) if one]
        fixed = {
            known.QUERY_RETRIEVE_LEVEL: ("CS", level),
            known.RETRIEVE_AE_TITLE: ("AE", ae_title),
            known.INSTANCE_AVAILABILITY: ("CS", "ONLINE"),
        }
        parts: dict[int, tuple[str, bytes | None]] = {
            tag: (vr, self._element(tag, vr, value.encode("ascii"))) for tag, (vr, value) in fixed.items()
        }
        parts |= {tag: (KEYS[tag].vr, None) for tag in returned}
        #: (tag, VR, the element where it is always the same), in the order of tags; (0008,0005) goes before them
        self._parts = [(tag, vr, whole) for tag, (vr, whole) in sorted(parts.items())]

    def write(self, found: Found) -> bytes:
        """One answer as a data set."""
        plain = all(value.isascii() if isinstance(value, str) else not value for value in found.values())
        character_set = "" if plain else self._choose(found)
        out = (
            [self._element(known.SPECIFIC_CHARACTER_SET, "CS", character_set.encode())]
            if character_set
            else []
        )
        for tag, vr, whole in self._parts:
            if whole is not None:
                out.append(whole)
                continue
            value = found[tag]
            if isinstance(value, str):
                raw = (
                    value.encode("ascii") if plain else charset.encode(value, character_set, name=vr == "PN")
                )
                out.append(self._element(tag, vr, raw if vr not in _NUMBER else self._number(vr, value)))
            else:
                out.append(self._sequence(tag, value, character_set))
        data = b"".join(out)
        if self._deflated:
            packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
            data = packer.compress(data) + packer.flush()
            data += b"\0" * (len(data) % 2)
        return data

    def _choose(self, found: Found) -> str:
        texts = [value if isinstance(value, str) else _all_text(value) for value in found.values()]
        whole = "".join(one for one in texts if not one.isascii())
        if not whole:
            return ""
        for one in self._character_sets:
            if charset.can_encode(whole, one):
                return one
        return charset.UTF_8

    def _element(self, tag: int, vr: str, value: bytes) -> bytes:
        if len(value) % 2:
            value += b"\0" if vr == _UID else b" "
        head = self._tag.pack(tag >> 16, tag & 0xFFFF)
        if not self._explicit:
            return head + self._long.pack(len(value)) + value
        name = vr.encode("ascii")
        if name in SHORT:
            if len(value) <= 0xFFFF:
                return head + name + self._short.pack(len(value)) + value
            name = b"UN"  # PS3.5 6.2.2 note 2: a value too long for its VR
        return head + name + b"\0\0" + self._long.pack(len(value)) + value

    def _number(self, vr: str, value: str) -> bytes:
        packed = bytearray()
        for part in filter(None, value.split("\\")):
            try:
                number: int | float = float(part) if vr in ("FL", "FD") else int(part)
                packed += pack(self._order + _NUMBER[vr], number)
            except (ValueError, OverflowError, StructError):  # no number, or out of the VR's range
                return b""
        return bytes(packed)

    def _sequence(self, tag: int, items: Sequence[Mapping[str, Any]], character_set: str) -> bytes:
        encoded = []
        for item in items:
            content = b"".join(self._json(name, item[name], character_set) for name in sorted(item))
            encoded.append(self._tag.pack(0xFFFE, 0xE000) + self._long.pack(len(content)) + content)
        return self._element(tag, "SQ", b"".join(encoded))

    def _json(self, name: str, element: Mapping[str, Any], character_set: str) -> bytes:
        """One element of an item, from DICOM JSON. Binary values are left empty: keys have none."""
        tag = int(name, 16)
        vr = element.get("vr") or dictionary_vr(tag)
        if vr == "SQ":
            nested = [one for one in element.get("Value") or () if isinstance(one, dict)]
            return self._sequence(tag, nested, character_set)
        if vr in ("OB", "OD", "OF", "OL", "OV", "OW", "UN", "AT"):
            return self._element(tag, vr, b"")
        value = element_text(element)
        if vr in _NUMBER:
            return self._element(tag, vr, self._number(vr, value))
        return self._element(tag, vr, charset.encode(value, character_set, name=vr == "PN"))


def _all_text(items: Sequence[Mapping[str, Any]]) -> str:
    out = []
    for item in items:
        for element in item.values():
            if element.get("vr") == "SQ":
                out.append(_all_text([one for one in element.get("Value") or () if isinstance(one, dict)]))
            else:
                out.append(element_text(element))
    return "".join(out)
