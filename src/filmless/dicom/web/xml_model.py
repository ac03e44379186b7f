"""The Native DICOM Model in XML (PS3.19 A.1), from and to the DICOM JSON model (PS3.18 annex F).

Both are of one data set. Reading believes nothing: no document type, no entities, bounded size, depth and numbers of
values. What XML 1.0 cannot hold (control characters) is written as U+FFFD.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from math import isfinite
from typing import Any, NoReturn
from xml.parsers import expat

from filmless.dicom.attributes import BY_TAG
from filmless.dicom.elements import LONG, SHORT
from filmless.kit.errors import Refused

Json = dict[str, Any]

NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
#: items within items
MAX_DEPTH = 100
#: the longest document that is read, bytes; what is long comes as bulk data
MAX_BYTES = 64 << 20
#: value numbers that may be left out (empty values) in a whole document
_MAX_GAPS = 10_000

_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_INTEGERS = frozenset({"US", "SS", "UL", "SL", "UV", "SV"})
_VRS = frozenset(code.decode() for code in (*SHORT, *LONG))
_EXACT = 1 << 53

#: no character of XML 1.0 (section 2.2)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SPECIAL = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"})
#: in attributes line ends and tabs would come back as spaces (section 3.3.3)
_IN_ATTRIBUTE = str.maketrans(
    {**{chr(key): word for key, word in _SPECIAL.items()}, "\n": "&#10;", "\t": "&#9;"}
)


@lru_cache(maxsize=8192)
def keyword_of(tag: int) -> str:
    """The keyword of PS3.6, "" where there is none (private, retired without one, unknown)."""
    known = BY_TAG.get(tag)
    if known is not None:
        return known.keyword
    if tag >> 16 & 1:
        return ""
    from pydicom.datadict import keyword_for_tag

    return keyword_for_tag(tag)


# writing


def document(content: Mapping[str, Any]) -> Iterator[bytes]:
    """The XML document (UTF-8) of one data set in DICOM JSON, in pieces of about 64 KB."""
    gathered: list[str] = []
    size = 0
    for text in _document(content):
        gathered.append(text)
        size += len(text)
        if size >= 1 << 16:
            yield "".join(gathered).encode()
            gathered, size = [], 0
    yield "".join(gathered).encode()


def _document(content: Mapping[str, Any]) -> Iterator[str]:
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xmlns="{NAMESPACE}" xml:space="preserve">'
    yield from _attributes(content)
    yield "</NativeDicomModel>\n"


def _attributes(content: Mapping[str, Any]) -> Iterator[str]:
    creators = _creators(content)
    blocks = Counter(creators.values())
    for name, member in sorted(content.items()):
        tag = int(name, 16)
        more = ""
        creator = creators.get((tag >> 16, tag >> 8 & 0xFF))
        if creator is not None:
            # the block is the reader's to give; where one creator has two, they could not be told apart
            if blocks[creator] == 1:
                tag &= 0xFFFF00FF
            more = f' privateCreator="{_escaped(creator[1], _IN_ATTRIBUTE)}"'
        elif keyword := keyword_of(tag):
            more = f' keyword="{keyword}"'
        vr = str(member.get("vr", "UN"))
        yield f'<DicomAttribute tag="{tag:08X}" vr="{_escaped(vr, _IN_ATTRIBUTE)}"{more}>'
        yield from _values(vr, member)
        yield "</DicomAttribute>"


def _creators(content: Mapping[str, Any]) -> dict[tuple[int, int], tuple[int, str]]:
    """(group, block) -> (group, private creator) of the blocks that are reserved (PS3.5 7.8.1)."""
    found: dict[tuple[int, int], tuple[int, str]] = {}
    for name, member in content.items():
        tag = int(name, 16)
        values = member.get("Value")
        if tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF and values and isinstance(values[0], str):
            found[tag >> 16, tag & 0xFF] = (tag >> 16, values[0])
    return found


def _values(vr: str, member: Mapping[str, Any]) -> Iterator[str]:
    if "BulkDataURI" in member:
        yield f'<BulkData uri="{_escaped(str(member["BulkDataURI"]), _IN_ATTRIBUTE)}"/>'
    elif "InlineBinary" in member:
        yield f"<InlineBinary>{_escaped(str(member['InlineBinary']))}</InlineBinary>"
    for number, value in enumerate(member.get("Value", ()), 1):
        if vr == "SQ":
            yield f'<Item number="{number}">'
            yield from _attributes(value or {})
            yield "</Item>"
        elif value is None:
            continue
        elif vr == "PN" and isinstance(value, Mapping):
            yield f'<PersonName number="{number}">{"".join(_name(value))}</PersonName>'
        else:
            yield f'<Value number="{number}">{_escaped(_text(value))}</Value>'


def _name(value: Mapping[str, Any]) -> Iterator[str]:
    for group in _GROUPS:
        if text := value.get(group):
            parts = zip(_COMPONENTS, str(text).split("^", 4), strict=False)
            inner = "".join(f"<{name}>{_escaped(part)}</{name}>" for name, part in parts if part)
            yield f"<{group}>{inner}</{group}>"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return repr(value)
    return str(value)


def _escaped(text: str, table: dict[int, str] = _SPECIAL) -> str:
    return _FORBIDDEN.sub("\ufffd", text).translate(table)


# reading


def malformed(message: str) -> Refused:
    """XML that is no Native DICOM Model (code "xml")."""
    return Refused(message, code="xml")


def read(source: bytes) -> Json:
    """DICOM JSON of one XML document. Raises Refused (code "xml" or "too-large")."""
    reader = Reader()
    reader.feed(source)
    return reader.finish()


class _Level:
    """A data set, or an item of a sequence, that is being read."""

    def __init__(self) -> None:
        self.members: Json = {}
        #: private elements whose block is still to be found: (group, element in the block, creator, member)
        self.private: list[tuple[int, int, str, Json]] = []

    def done(self) -> Json:
        for group, element, creator, member in self.private:
            block = self._block(group, creator)
            self.members[f"{group:04X}{block:02X}{element:02X}"] = member
        return dict(sorted(self.members.items()))

    def _block(self, group: int, creator: str) -> int:
        for block in range(0x10, 0x100):
            if self.members.get(f"{group:04X}00{block:02X}", {}).get("Value") == [creator]:
                return block
        for block in range(0x10, 0x100):
            if f"{group:04X}00{block:02X}" not in self.members:
                self.members[f"{group:04X}00{block:02X}"] = {"vr": "LO", "Value": [creator]}
                return block
        raise malformed("A private group has no block left.")


#: element -> where it may be
_PARENTS = {
    "NativeDicomModel": ("",),
    "DicomAttribute": ("NativeDicomModel", "Item"),
    "Item": ("DicomAttribute",),
    "Value": ("DicomAttribute",),
    "BulkData": ("DicomAttribute",),
    "InlineBinary": ("DicomAttribute",),
    "PersonName": ("DicomAttribute",),
    **dict.fromkeys(_GROUPS, ("PersonName",)),
    **dict.fromkeys(_COMPONENTS, _GROUPS),
}


class Reader:
    """Reads one document that comes in pieces."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._left = max_bytes
        self._gaps = _MAX_GAPS
        self._path = [""]
        self._levels: list[_Level] = []
        #: (member, its place: the name in the level, or group, element and private creator)
        self._open: list[tuple[Json, str | tuple[int, int, str]]] = []
        self._text: list[str] = []
        self._name: dict[str, list[str]] = {}
        #: of the values and items that are open
        self._numbers: list[int] = []
        self._result: Json | None = None
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.ExternalEntityRefHandler = self._refuse
        self._parser = parser

    def feed(self, chunk: bytes) -> None:
        """The next bytes of the document. Raises Refused (code "xml" or "too-large")."""
        self._left -= len(chunk)
        if self._left < 0:
            raise Refused("The XML document is too long.", code="too-large")
        self._parse(chunk, last=False)

    def finish(self) -> Json:
        """DICOM JSON of the document that was fed. Raises Refused (code "xml")."""
        self._parse(b"", last=True)
        if self._result is None:
            raise malformed("The XML holds no NativeDicomModel.")
        return self._result

    def _parse(self, chunk: bytes, *, last: bool) -> None:
        try:
            self._parser.Parse(chunk, last)
        except (expat.ExpatError, ValueError, LookupError) as error:
            line = getattr(error, "lineno", 0)
            raise malformed(f"The XML cannot be read (line {line}).") from None

    def _refuse(self, *_: Any) -> NoReturn:
        raise malformed("The XML may have no document type and no entities.")

    def _start(self, tag: str, given: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if self._path[-1] not in _PARENTS.get(name, ()):
            raise malformed("The XML is no Native DICOM Model: an element is where it may not be.")
        self._path.append(name)
        self._text.clear()
        if name in ("NativeDicomModel", "Item"):
            if name == "Item":
                self._numbers.append(_number(given))
            if len(self._levels) > MAX_DEPTH:
                raise malformed("The items are nested too deep.")
            self._levels.append(_Level())
        elif name == "DicomAttribute":
            self._attribute(given)
        elif name in ("Value", "PersonName"):
            self._numbers.append(_number(given))
            self._name = {}
        elif name == "BulkData":
            self._open[-1][0]["BulkDataURI"] = given.get("uri") or given.get("uuid") or given.get("URI", "")

    def _attribute(self, given: dict[str, str]) -> None:
        try:
            tag = int(given.get("tag", ""), 16)
        except ValueError:
            tag = -1
        vr = given.get("vr", "UN")
        if not 0 <= tag < 1 << 32 or len(given.get("tag", "")) != 8 or vr not in _VRS:
            raise malformed("A DicomAttribute has no right tag or VR.")
        creator = given.get("privateCreator", "").strip()
        group, element = tag >> 16, tag & 0xFFFF
        if creator and group & 1 and element <= 0xFF:
            self._open.append(({"vr": vr}, (group, element, creator)))
        else:
            self._open.append(({"vr": vr}, f"{tag:08X}"))

    def _characters(self, text: str) -> None:
        self._text.append(text)

    def _end(self, _tag: str) -> None:
        name = self._path.pop()
        if name == "DicomAttribute":
            member, place = self._open.pop()
            if member["vr"] != "SQ" and not any(value is not None for value in member.get("Value", ())):
                member.pop("Value", None)
            if isinstance(place, str):
                self._levels[-1].members[place] = member
            else:
                self._levels[-1].private.append((*place, member))
        elif name == "NativeDicomModel":
            self._result = self._levels.pop().done()
        elif name == "Item":
            self._put(self._levels.pop().done(), {})
        elif name == "Value":
            member = self._open[-1][0]
            self._put(_value(member["vr"], "".join(self._text)), None)
        elif name == "InlineBinary":
            self._open[-1][0]["InlineBinary"] = "".join("".join(self._text).split())
        elif name in _COMPONENTS:
            parts = self._name.setdefault(self._path[-1], [""] * len(_COMPONENTS))
            parts[_COMPONENTS.index(name)] = "".join(self._text).strip()
        elif name == "PersonName":
            groups = {
                group: "^".join(self._name[group]).rstrip("^") for group in _GROUPS if group in self._name
            }
            self._put({group: text for group, text in groups.items() if text} or None, None)
        self._text.clear()

    def _put(self, value: Any, gap: Any) -> None:
        """A value at its number; those left out before it are empty values."""
        values: list[Any] = self._open[-1][0].setdefault("Value", [])
        number = self._numbers.pop()
        missing = number - 1 - len(values) if number else 0
        if missing > 0:
            self._gaps -= missing
            if self._gaps < 0:
                raise malformed("The numbers of values are out of range.")
            values.extend([gap] * missing)
        values.append(value)


def _number(given: Mapping[str, str]) -> int:
    text = given.get("number", "0")
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise malformed("A value has a number that is none.")
    return int(text)


def _value(vr: str, text: str) -> Any:
    """A value as DICOM JSON has it; numbers are JSON numbers where that keeps them letter by letter."""
    reader: Callable[[str], Any] | None = _READERS.get(vr)
    if reader is None:
        return text or None
    text = text.strip()
    if "_" in text:
        # Python takes it in numbers
        return text
    try:
        return reader(text) if text else None
    except ValueError:
        return text


def _integer(text: str) -> int | str:
    whole = int(text)
    return whole if -_EXACT < whole < _EXACT else str(whole)


def _real(text: str) -> float | str:
    number = float(text)
    if isfinite(number):
        return number
    return "NaN" if number != number else ("inf" if number > 0 else "-inf")


def _written(text: str) -> int | float | str:
    if text.lstrip("+-").isdigit():
        whole = _integer(text)
        return whole if str(whole) == text else text
    number = float(text)
    return number if isfinite(number) and repr(number) == text else text


_READERS: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(_INTEGERS, _integer),
    "FL": _real,
    "FD": _real,
    "DS": _written,
    "IS": _written,
}
