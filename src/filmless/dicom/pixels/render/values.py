"""Values of a scan as numbers and look-up tables, whatever VR they came in."""

from math import isfinite
from struct import calcsize, unpack_from
from typing import Any

import numpy as np
from numpy.typing import NDArray

from filmless.dicom.elements import Buffer
from filmless.dicom.header import Header
from filmless.dicom.scan import sequence_items
from filmless.dicom.vr import settled_vr

#: pixels, tables and masks: what they hold is said where they come from
Array = NDArray[Any]

_BINARY = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d", "OW": "H"}


def numbers(header: Header, tag: int, *, signed: bool = False, finite: bool = True) -> list[float]:
    """All values that are numbers; `signed` decides between US and SS where none was sent.

    Text of any length is taken (a DS of more than 16 characters is a number too); what is no number is left out;
    `finite` False keeps binary ones that are infinite or no number, so that pairs stay pairs.
    """
    found = header.values.get(tag)
    if found is None or not found[1]:
        return []
    sent, value = found
    letter = _BINARY.get(settled_vr(tag, sent, len(value), signed=signed))
    if letter is not None:
        order = "<" if header.little else ">"
        plain = unpack_from(f"{order}{len(value) // calcsize(letter)}{letter}", value)
        return [float(number) for number in plain if not finite or isfinite(number)]
    out = []
    for part in value.split(b"\\"):
        try:
            number = float(part.strip(b"\0 ").replace(b",", b"."))
        except ValueError:
            continue
        if isfinite(number):
            out.append(number)
    return out


def number(header: Header, tag: int, default: float = 0.0, *, signed: bool = False) -> float:
    """The first number, or `default`."""
    found = numbers(header, tag, signed=signed)
    return found[0] if found else default


def words(header: Header, tag: int) -> list[str]:
    """The values of a CS, UI or AT-free text without padding; [] where absent."""
    found = header.values.get(tag)
    if found is None:
        return []
    parts = [part.strip("\0 ") for part in found[1].decode("ascii", "replace").split("\\")]
    return parts if any(parts) else []


def word(header: Header, tag: int) -> str:
    """The first word, or ""."""
    return next(iter(words(header, tag)), "")


def first_item(header: Header | None, tag: int) -> Header | None:
    """The first item of a sequence; None where there is none."""
    if header is None or tag not in header.values:
        return None
    return next(iter(sequence_items(header, tag, limit=1)), None)


def raw(header: Header, tag: int, data: Buffer | None = None) -> bytes:
    """A value's bytes as sent, a long one too where `data` is the data set that was scanned; b"" where absent."""
    found = header.values.get(tag)
    if found is not None:
        return found[1]
    large = header.large.get(tag)
    if large is None or data is None:
        return b""
    _, start, length = large
    return bytes(data[start : start + length])


def cells(value: bytes, header: Header, *, wide: bool) -> Array:
    """Look-up table data: 16-bit entries in the data's byte order, or with wide False bytes."""
    if not wide:
        return np.frombuffer(value, np.uint8)
    return np.frombuffer(value[: len(value) // 2 * 2], "<u2" if header.little else ">u2").astype(np.uint16)
