"""Objects made of metadata (DICOM JSON or the Native DICOM Model in XML) and bulk data (PS3.18 8.7.3.4, 10.5.1).

A BulkDataURI means the part of the same message with that Content-Location, and nothing else: no address is followed.
Pixel data that come compressed are encapsulated, each part of one location being a frame.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

from filmless.archive import levels
from filmless.archive.web.stow import notes
from filmless.archive.web.stow.answer import ELEMENTS_DISCARDED, Result
from filmless.archive.web.stow.objects import Intake, announced
from filmless.archive.web.stow.spool import Spool, Spooled
from filmless.dicom import json_read, scan, uids
from filmless.dicom.part10 import Meta
from filmless.dicom.sopclasses import KEY_OBJECT_SELECTION
from filmless.dicom.web import media_types, xml_model
from filmless.kit.errors import FilmlessError, Refused

Json = dict[str, Any]

_PIXEL_DATA: Final = 0x7FE00010
#: metadata in one part, bytes: what is long belongs into bulk data
_LONGEST: Final = 32 << 20
#: long ones are read one at a time: each takes many times its length for a moment
_LONG: Final = 2 << 20
_ALONE = threading.Lock()
#: a bulk value longer than this goes straight from the spool into the file; one inside a sequence cannot, and may have
#: `_LONGEST_INSIDE` bytes
_DIRECT: Final = 64 << 10
_LONGEST_INSIDE: Final = 64 << 20
#: elements of these VRs have a 32-bit length after two reserved bytes (PS3.5 7.1.2)
_BINARY: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_LONGEST_VALUE: Final = 0xFFFFFFFE

_FRAME_HEADERS: Final[dict[int, str]] = {
    0xC0: uids.JPEG_BASELINE,
    0xC1: uids.JPEG_EXTENDED,
    0xF7: uids.JPEG_LS_LOSSLESS,
}


@dataclass(slots=True)
class Bulk:
    """The bulk data of one request by their Content-Location; parts of one location in their order."""

    spool: Spool
    parts: dict[str, list[Spooled]] = field(default_factory=dict)

    def of(self, uri: str) -> list[Spooled]:
        """Raises Refused (code "bulk") where there is no such part."""
        found = self.parts.get(uri)
        if not found:
            raise Refused("Bulk data that the metadata refer to are not in the message.", code="bulk")
        return found

    def value(self, uri: str) -> bytes:
        """The bytes of a value that has to be in memory."""
        found = self.of(uri)
        if len(found) != 1:
            raise Refused("More than one part has the location of a value.", code="bulk")
        return self.spool.read(found[0], _LONGEST_INSIDE)


def store(intake: Intake, roots: list[Spooled], bulk: Bulk) -> None:
    """Make and store the objects of all metadata parts, one after the other; what became of them is in
    `intake.results`. In a thread that may wait."""
    for root in roots:
        try:
            with _ALONE if root.length > _LONG else nullcontext():
                for content in contents(bulk.spool, root):
                    _store_one(intake, content, bulk)
        except FilmlessError as error:
            intake.no_object(error)


def contents(spool: Spool, root: Spooled) -> Iterator[Json]:
    """The data sets of a metadata part. Raises Refused (code "json" or "xml") where it is none."""
    if root.media_type == media_types.DICOM_XML:
        reader = xml_model.Reader(_LONGEST)
        for piece in spool.chunks(root):
            reader.feed(piece)
        yield reader.finish()
        return
    try:
        text = spool.read(root, _LONGEST).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _no_json() from None
    # one data set at a time: all of them at once would take ten times the room
    decoder = json.JSONDecoder()
    at = _skip(text, 0)
    several = text[at : at + 1] == "["
    at = _skip(text, at + several)
    while text[at : at + 1] not in ("", "]"):
        try:
            content, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            raise _no_json() from None
        if not isinstance(content, dict) or not all(isinstance(one, dict) for one in content.values()):
            raise _no_json()
        yield content
        at = _skip(text, at)
        if not several:
            break
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
            if text[at : at + 1] == "]":
                raise _no_json()
        elif text[at : at + 1] != "]":
            raise _no_json()
    if several and text[at : at + 1] != "]":
        raise _no_json()
    if _skip(text, at + several) != len(text):
        raise _no_json()


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _no_json() -> Refused:
    return Refused("The metadata are no DICOM JSON.", code="json")


def _store_one(intake: Intake, content: Json, bulk: Bulk) -> None:
    result = Result(
        _uid(content, "00080016"),
        _uid(content, "00080018"),
        _uid(content, "0020000D"),
        _uid(content, "0020000E"),
    )
    intake.results.append(result)
    try:
        made = assemble(content, bulk)
        header = scan.scan(made.small, uids.EXPLICIT_VR_LE, levels.WANTED)
        if made.left_out:
            result.warning, result.comments = ELEMENTS_DISCARDED, made.left_out
        arrival = announced(Meta("", "", made.transfer_syntax, 0), header, intake, result)
        if arrival.sop_class_uid == KEY_OBJECT_SELECTION:
            notes.check(intake.archive.engine, intake.principal, header)
        result.conclude(intake.archive.store_blocking(arrival, made.chunks()))
    except FilmlessError as error:
        result.fail(error)


def _uid(content: Json, tag: str) -> str:
    """What the metadata say of themselves, for the answer."""
    values = content.get(tag, {}).get("Value")
    said = values[0] if isinstance(values, list) and values else ""
    return levels.uid_value(said) if isinstance(said, str) else ""


@dataclass(frozen=True, slots=True)
class Made:
    """An object made of metadata and bulk data."""

    transfer_syntax: str
    #: all but the values that go straight from the spool, encoded
    small: bytes
    #: the whole, piece by piece
    chunks: Callable[[], Iterator[bytes]]
    #: comments on elements that could not be taken
    left_out: tuple[str, ...]


def assemble(content: Mapping[str, Any], bulk: Bulk) -> Made:
    """The data set in explicit VR little endian, its compressed pixels as they came.

    Raises Refused (code "bulk", "no-such-syntax", "too-large").
    """
    left_out: list[str] = []
    rest: Json = {}
    direct: dict[int, Callable[[], Iterator[bytes]]] = {}
    transfer_syntax = uids.EXPLICIT_VR_LE
    for name, member in content.items():
        uri = member.get("BulkDataURI")
        if not isinstance(uri, str):
            rest[name] = member
            continue
        parts = bulk.of(uri)
        if name.upper() == f"{_PIXEL_DATA:08X}":
            transfer_syntax = _syntax_of(parts[0], bulk.spool)
            if uids.transfer_syntax(transfer_syntax).encapsulated:
                direct[_PIXEL_DATA] = _encapsulated(parts, bulk.spool)
                continue
        vr = str(member.get("vr", ""))
        if vr in _BINARY and (len(parts) > 1 or parts[0].length > _DIRECT):
            tag = _tag(name)
            if tag is not None:
                direct[tag] = _plain(tag, vr, parts, bulk.spool)
                continue
        rest[name] = member
    small = json_read.to_elements(
        rest, bulk=bulk.value, warn=lambda tag, words: left_out.append(f"{tag:08X} {words}")
    )

    def chunks() -> Iterator[bytes]:
        gathered: list[bytes] = []
        for tag in sorted({*small, *direct}):
            if tag in direct:
                yield b"".join(gathered)
                gathered = []
                yield from direct[tag]()
            else:
                gathered.append(small[tag])
        yield b"".join(gathered)

    return Made(transfer_syntax, b"".join(small.values()), chunks, tuple(left_out[:32]))


def _tag(name: str) -> int | None:
    try:
        tag = int(name, 16) if len(name) == 8 else None
    except ValueError:
        return None
    return tag if tag is not None and tag >> 16 not in (0, 2) else None


def _head(tag: int, vr: str, length: int) -> bytes:
    return (
        (tag >> 16).to_bytes(2, "little")
        + (tag & 0xFFFF).to_bytes(2, "little")
        + vr.encode("ascii")
        + b"\0\0"
        + length.to_bytes(4, "little")
    )


def _plain(tag: int, vr: str, parts: list[Spooled], spool: Spool) -> Callable[[], Iterator[bytes]]:
    """A long value as it came; uncompressed frames that came as parts of their own follow each other."""
    length = sum(part.length for part in parts)
    if length > _LONGEST_VALUE:
        raise Refused("A value is longer than an element can be.", code="too-large")

    def pieces() -> Iterator[bytes]:
        yield _head(tag, vr, length + length % 2)
        for part in parts:
            yield from spool.chunks(part)
        if length % 2:
            yield b"\0"

    return pieces


def _encapsulated(parts: list[Spooled], spool: Spool) -> Callable[[], Iterator[bytes]]:
    """Pixel data of undefined length (PS3.5 A.4): an offset table, each part one fragment and one frame."""
    if any(part.length > _LONGEST_VALUE - 1 for part in parts):
        raise Refused("A frame is longer than a fragment can be.", code="too-large")

    def pieces() -> Iterator[bytes]:
        yield _head(_PIXEL_DATA, "OB", 0xFFFFFFFF)
        offsets, at = [], 0
        for part in parts:
            offsets.append(at)
            at += 8 + part.length + part.length % 2
        # the table's offsets have 32 bits; it may be empty
        table = b"".join(one.to_bytes(4, "little") for one in offsets) if at < 1 << 32 else b""
        yield _ITEM + len(table).to_bytes(4, "little") + table
        for part in parts:
            yield _ITEM + (part.length + part.length % 2).to_bytes(4, "little")
            yield from spool.chunks(part)
            if part.length % 2:
                yield b"\0"
        yield b"\xfe\xff\xdd\xe0\0\0\0\0"

    return pieces


_ITEM: Final = b"\xfe\xff\x00\xe0"


def _syntax_of(part: Spooled, spool: Spool) -> str:
    """The transfer syntax that an object with these pixel data has.

    Uncompressed pixels are those of explicit VR little endian. A JPEG that does not say its process is looked at:
    cameras send baseline as image/jpeg, of which the standard's default is another.
    """
    media_type = media_types.ALIASES.get(part.media_type, part.media_type)
    said = part.transfer_syntax
    if said:
        if not levels.uid_value(said) or said == uids.EXPLICIT_VR_BE:
            raise Refused("Pixel data of this transfer syntax are not taken.", code="no-such-syntax")
        return said if uids.transfer_syntax(said).encapsulated else uids.EXPLICIT_VR_LE
    known = media_types.SYNTAXES.get(media_type)
    if known is None:
        if media_type == media_types.OCTET_STREAM:
            return uids.EXPLICIT_VR_LE
        raise Refused("Pixel data of this media type are not taken.", code="no-such-syntax")
    if media_type == "image/jpeg":
        head = next(spool.chunks(Spooled("", "", part.offset, min(part.length, 64 << 10))), b"")
        return _FRAME_HEADERS.get(_start_of_frame(head), known[0])
    return known[0]


def _start_of_frame(data: bytes) -> int:
    """The marker of a JPEG's frame header (ISO 10918-1 table B.1), 0 where none is found."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            return marker
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0
