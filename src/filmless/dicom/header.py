"""What a scan found, and its values as text and numbers: lenient, with a warning where a value is not sound."""

from dataclasses import dataclass, field
from struct import calcsize, unpack_from

from filmless.dicom.attributes import BY_TAG
from filmless.dicom.charset import decode
from filmless.dicom.names import tidy

SPECIFIC_CHARACTER_SET = 0x00080005
MAX_WARNINGS = 100

_TEXT_WITHOUT_VALUES = frozenset({"LT", "ST", "UT"})
_OPAQUE = frozenset({"SQ", "OB", "OW", "OD", "OF", "OL", "OV", "UN"})
#: struct format of VRs whose values are binary numbers
_BINARY = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}


@dataclass(slots=True)
class Header:
    """What a scan found at the top level of a data set, or of one item of a sequence."""

    transfer_syntax_uid: str
    #: as the data really are, which may differ from what the transfer syntax says
    explicit: bool
    little: bool
    #: tag -> (VR as sent, "" in implicit VR; value as sent, with padding; a sequence: its items, encoded)
    values: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    #: tag -> (VR as sent, offset, length) of values that were asked for and are too long to copy
    large: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    #: where the tag of the pixel data element is, in the data set (of a deflated one: in the inflated data)
    pixel_offset: int | None = None
    #: where the pixel data end by their own length, which may be past the end; None where they do not say it
    pixel_end: int | None = None
    #: the scan saw every attribute asked for that the data set has: it reached the pixel data, the end, or the
    #: last tag asked for
    complete: bool = False
    #: the scan reached the pixel data or the end, so that `pixel_offset` None means that there are no pixels
    ended: bool = False
    #: the data set itself ends in the middle of an element
    truncated: bool = False
    #: the offset at which the scan stopped: where the pixel data, or the first element not seen whole, begins
    stopped_at: int = 0
    #: (tag, what is wrong with it); tag 0 stands for the data set
    warnings: list[tuple[int, str]] = field(default_factory=list)
    #: Specific Character Set of the data set around an item
    inherited_character_set: str = ""

    @property
    def character_set(self) -> str:
        """Specific Character Set (0008,0005) as sent, values joined by backslash; "" where there is none."""
        own = self.values.get(SPECIFIC_CHARACTER_SET)
        if own is None:
            return self.inherited_character_set
        return own[1].decode("ascii", "replace").strip("\0 ")

    def warn(self, tag: int, words: str) -> None:
        """Notes what is wrong with an attribute, once, and no more than MAX_WARNINGS of them."""
        if len(self.warnings) < MAX_WARNINGS and (tag, words) not in self.warnings:
            self.warnings.append((tag, words))


def _vr(tag: int, sent: str) -> str:
    """The VR as sent, or where none or UN was sent that of the standard ("" for tags outside the index)."""
    if sent and sent != "UN":
        return sent
    known = BY_TAG.get(tag)
    return known.vr if known else ""


def text(header: Header, tag: int, charset_fallback: str = "") -> str:
    """The value as text without padding, its values joined by backslash; "" where absent or empty.

    `charset_fallback` is the Specific Character Set to assume where the object declares none. What cannot be
    decoded is replaced and noted in `header.warnings`.
    """
    found = header.values.get(tag)
    if found is None or not found[1]:
        return ""
    sent, value = found
    vr = _vr(tag, sent)
    if vr in _BINARY:
        return "\\".join(map(str, _numbers(value, vr, header.little)))
    if vr in _OPAQUE:
        return ""
    decoded, fault = decode(value, header.character_set, fallback=charset_fallback, name=vr == "PN")
    if fault:
        header.warn(tag, fault)
    if vr in _TEXT_WITHOUT_VALUES:
        return decoded.rstrip("\0 ")
    if "\\" in decoded:
        return "\\".join(part.strip("\0 ") for part in decoded.split("\\"))
    return decoded.strip("\0 ")


def text_pn(header: Header, tag: int, charset_fallback: str = "") -> str:
    """A person name as text: component groups joined by "=", components by "^" (PS3.5 6.2.1.1), trailing empty
    groups and components left out."""
    return "\\".join(tidy(name) for name in text(header, tag, charset_fallback).split("\\"))


def strings(header: Header, tag: int, charset_fallback: str = "") -> list[str]:
    """The values as text; [] where absent or empty."""
    whole = text(header, tag, charset_fallback)
    if not whole:
        return []
    found = header.values[tag]
    return [whole] if _vr(tag, found[0]) in _TEXT_WITHOUT_VALUES else whole.split("\\")


def _numbers(value: bytes, vr: str, little: bool) -> tuple[int | float, ...]:
    """The binary values; bytes left over at the end are no value."""
    letter = _BINARY[vr]
    count = len(value) // calcsize(letter)
    order = "<" if little else ">"
    return unpack_from(f"{order}{count}{letter}", value)


def integer(header: Header, tag: int, default: int | None = None) -> int | None:
    """The first value as a whole number of at most 32 bits, whatever VR it came in.

    `default` where it is absent; also, with a warning, where it is no such number.
    """
    numbers = decimals(header, tag)
    if not numbers:
        return default
    if abs(numbers[0]) >= 1 << 31:
        header.warn(tag, "a number that is too large")
        return default
    return int(numbers[0])


def decimals(header: Header, tag: int) -> list[float]:
    """The values as numbers, text (DS, IS) or binary; those that are none are left out with a warning."""
    numbers: list[float] = []
    for part in strings(header, tag):
        if not part:
            continue
        try:
            number = float(part.replace(",", "."))
        except ValueError:
            header.warn(tag, "a value that is no number")
            continue
        if number - number != 0:  # infinite or not a number
            header.warn(tag, "a value that is no number")
            continue
        numbers.append(number)
    return numbers
