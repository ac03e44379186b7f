"""Writes small data sets of text, numbers and sequences: worklist items, performed steps, identifiers of queries.

Explicit or implicit VR little endian, in a given Specific Character Set (PS3.5 6.1, 7.1).
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from filmless.dicom import charset
from filmless.dicom.elements import SHORT
from filmless.dicom.header import SPECIFIC_CHARACTER_SET
from filmless.dicom.uids import IMPLICIT_VR_LE

#: tag -> (VR, value): text, a number (US), or for SQ the items
Elements = Mapping[int, tuple[str, "str | int | Sequence[Any]"]]


def data_set(elements: Elements, transfer_syntax_uid: str, character_set: str = "") -> bytes:
    """The data set, which declares its character set where one is given.

    What has no place in the character set becomes "?": whoever calls has asked charset.can_encode before.
    """
    explicit = transfer_syntax_uid != IMPLICIT_VR_LE
    own: dict[int, tuple[str, Any]] = dict(elements)
    if character_set:
        own[SPECIFIC_CHARACTER_SET] = ("CS", character_set)
    return _encoded(own, explicit, character_set)


def _encoded(elements: Elements, explicit: bool, character_set: str) -> bytes:
    return b"".join(
        _element(tag, vr, _value(vr, value, explicit, character_set), explicit)
        for tag, (vr, value) in sorted(elements.items())
    )


def _value(vr: str, value: "str | int | Sequence[Any]", explicit: bool, character_set: str) -> bytes:
    if isinstance(value, int):
        return struct.pack("<H", value)
    if isinstance(value, str):
        return charset.encode(value, character_set, name=vr == "PN")
    items = [_encoded(item, explicit, character_set) for item in value if not isinstance(item, str)]
    return b"".join(b"\xfe\xff\x00\xe0" + struct.pack("<I", len(item)) + item for item in items)


def _element(tag: int, vr: str, raw: bytes, explicit: bool) -> bytes:
    if len(raw) % 2:
        raw += b"\0" if vr == "UI" else b" "
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if not explicit:
        return head + struct.pack("<I", len(raw)) + raw
    name = vr.encode("ascii")
    if name in SHORT:
        return head + name + struct.pack("<H", len(raw)) + raw
    return head + name + b"\0\0" + struct.pack("<I", len(raw)) + raw
