"""The file of what is prepared of a settled series: metadata to be sent as they are, and where the frames are.

    deflate blocks      the instances' DICOM JSON, joined by commas, with a blank where the server's address belongs
    blanks              their offsets, 8 bytes each
    instances           a line of JSON for each: its version and its frames
    tail                lengths and check sums

An answer is the blocks of one or several series between brackets, as a gzip stream (kit/deflated.py): whoever asks for
the metadata of a series has them copied, not made. References (BulkDataURI) are absolute, since clients do not resolve
others alike: dicomweb-client resolves none, OHIF those below the series only.
"""

import json
import os
import struct
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, overload

from filmless.archive.leaving import Leaving
from filmless.dicom.frames import Place
from filmless.dicom.json_text import SeriesText, mapped
from filmless.kit import deflated
from filmless.kit.errors import Defect

#: binary values longer than this stay in the file and are referred to (BulkDataURI); bytes
INLINE: Final = 4096
#: width of the blank: white space, a quotation mark, the server's address
_BLANK: Final = 192
_REFERENCE: Final = '"BulkDataURI":"'
#: magic, lengths of blocks, blanks and instances; length and CRC of the text, factor of the blanks; instances
_TAIL: Final = struct.Struct("<8sQQQQIIQ")
_MAGIC: Final = b"FLSERIES"
#: where an object says in which syntax it can be had (PS3.18 10.6.1.3.3): viewers choose by it what to ask for
_AVAILABLE: Final = 0x00083002

OPENING: Final = b"[\n"
BETWEEN: Final = b",\n"
CLOSING: Final = b"\n]\n"


class MetadataText:
    """DICOM JSON of one instance of a series after the other, references with an address."""

    def __init__(self, study_uid: str, series_uid: str) -> None:
        self._texts = SeriesText(inline_limit=INLINE)
        self._resource = f"/studies/{study_uid}/series/{series_uid}/instances/"

    def pieces(self, sop_instance_uid: str, leaving: Leaving, character_set: str) -> list[bytes]:
        """The text, cut where the address belongs: before "/studies" of each reference."""
        more = {_AVAILABLE: {"vr": "UI", "Value": [leaving.transfer_syntax]}}
        given: Any = {
            "transfer_syntax_uid": leaving.transfer_syntax,
            "character_set": character_set,
            "more": more,
        }
        if not leaving.head:
            text = self._texts.of_file(leaving.path, leaving.offset, leaving.length, **given)
        elif not leaving.length:
            text = self._texts.of_data_set(leaving.head, **given)
        else:
            with mapped(leaving.path, leaving.offset, leaving.length) as behind:
                text = self._texts.of_data_set(leaving.head, behind, **given)
        # within a string a quotation mark has a backslash before it: this is found nowhere else
        start, *rest = text.split(_REFERENCE)
        resource = f"{self._resource}{sop_instance_uid}/bulkdata/"
        if not rest:
            return [start.encode("utf-8", "replace")]
        key = _REFERENCE[:-1]
        middle = [resource + piece + key for piece in rest[:-1]]
        return [piece.encode("utf-8", "replace") for piece in (start + key, *middle, resource + rest[-1])]


def address(base: str) -> bytes:
    """What stands between two pieces: a quotation mark and the server's address ("https://images.example/dicom-web")."""
    return json.dumps(base, ensure_ascii=False)[:-1].encode()


@dataclass(frozen=True, slots=True)
class Described:
    """One instance to be prepared: `entry` is kept for `read_entries`."""

    pieces: Sequence[bytes]
    entry: Mapping[str, Any]


def write(path: Path, instances: Iterable[Described]) -> None:
    """Make the file; durable when it returns, but for its folder."""
    writer = deflated.PartWriter(_BLANK)
    entries: list[str] = []
    size = 0
    with path.open("xb") as file:
        for one in instances:
            size += file.write(writer.text((BETWEEN if entries else b"") + one.pieces[0]))
            for piece in one.pieces[1:]:
                size += file.write(writer.blank())
                size += file.write(writer.text(piece))
            entries.append(json.dumps(one.entry, separators=(",", ":")))
        blanks = array("Q", writer.blanks).tobytes()
        listed = "\n".join(entries).encode()
        tail = (size, len(blanks), len(listed), writer.length, writer.crc, writer.factor, len(entries))
        file.write(blanks + listed + _TAIL.pack(_MAGIC, *tail))
        file.flush()
        os.fsync(file.fileno())


@dataclass(frozen=True, slots=True)
class Prepared:
    """The metadata of a series as they were prepared: `count` instances."""

    part: deflated.Part
    count: int

    def for_address(self, base: str) -> deflated.Part:
        """With the server's address filled in. Raises Defect where it is too long."""
        text = address(base).rjust(_BLANK)
        if len(text) != _BLANK:
            raise Defect("the server's address is too long for prepared metadata", code="long-address")
        return self.part.filled(text)


def _tail(data: bytes) -> tuple[int, int, int, int, int, int, int] | None:
    if len(data) != _TAIL.size or not data.startswith(_MAGIC):
        return None
    found: tuple[int, int, int, int, int, int, int] = _TAIL.unpack(data)[1:]
    return found


def read(path: Path) -> Prepared | None:
    """The metadata; None where the file is of another kind (made by another version of the program).

    Raises OSError: FileNotFoundError where the series was prepared anew in the meantime.
    """
    with path.open("rb", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        tail = _tail(os.pread(file.fileno(), _TAIL.size, max(size - _TAIL.size, 0)))
        if tail is None:
            return None
        length, blanks_length, _, text_length, crc, factor, count = tail
        data = bytearray(length)
        read_bytes = os.preadv(file.fileno(), [data], 0)
        blanks = array("Q", os.pread(file.fileno(), blanks_length, length))
    if read_bytes != length or len(blanks) * 8 != blanks_length:
        return None
    return Prepared(deflated.Part(data, text_length, crc, _BLANK, blanks, factor), count)


def read_entries(path: Path) -> Iterator[dict[str, Any]]:
    """What was kept of each instance; nothing where the file is of another kind. Raises OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - _TAIL.size, 0))
        tail = _tail(file.read())
        if tail is None or not tail[2]:
            return
        file.seek(tail[0] + tail[1])
        lines = file.read(tail[2]).split(b"\n")
    for line in lines:
        yield json.loads(line)


def document(parts: Sequence[deflated.Part]) -> tuple[list[bytes | bytearray], int]:
    """(a gzip stream in pieces, its length) of the JSON array of the instances of several series."""
    stream = deflated.Stream()
    out: list[bytes | bytearray] = [stream.start(), stream.text(OPENING)]
    for number, part in enumerate(parts):
        if number:
            out.append(stream.text(BETWEEN))
        out.append(stream.part(part))
    out += [stream.text(CLOSING), stream.end()]
    return out, sum(map(len, out))


def folded(places: Sequence[Place]) -> dict[str, Any]:
    """Places of frames for an entry: those that follow each other evenly as three numbers."""
    if places and all(
        len(place) == 2 and place == (places[0][0] + number * places[0][1], places[0][1])
        for number, place in enumerate(places)
    ):
        return {"even": [*places[0], len(places)]}
    return {"frames": [list(place) for place in places]} if places else {}


def unfolded(entry: Mapping[str, Any]) -> Sequence[Place]:
    """The places in an entry."""
    if "even" in entry:
        return EvenPlaces(*entry["even"])
    return [tuple(place) for place in entry.get("frames", ())]


@dataclass(frozen=True, slots=True)
class EvenPlaces(Sequence[Place]):
    """Places of frames of one length, one behind the other."""

    offset: int
    length: int
    total: int

    def __len__(self) -> int:
        return self.total

    @overload
    def __getitem__(self, index: int) -> Place: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Place]: ...
    def __getitem__(self, index: int | slice) -> Place | Sequence[Place]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(self.total))]
        if not -self.total <= index < self.total:
            raise IndexError(index)
        return (self.offset + index % self.total * self.length, self.length)
