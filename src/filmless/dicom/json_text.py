"""DICOM JSON as text, for many instances of one series one after the other.

Most elements of an instance are those of the one before, byte for byte; their text is kept, which makes the metadata of
a series several times as fast as json_model alone. What is written is the same.
"""

import json
import mmap
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filmless.dicom.elements import LONG, SHORT, Buffer
from filmless.dicom.header import Header
from filmless.dicom.json_model import Json, Warn, Writer, belongs, pixel_reference, representation_is_signed
from filmless.dicom.scan import scan
from filmless.dicom.uids import transfer_syntax

#: longer values are not kept
_KEPT = 4096
#: VRs of elements whose form was guessed, or may have been
_GUESSED = frozenset({"", "UN"})
#: of a file, read in the hope that its header ends there; bytes
_HEAD = 16 << 10


class SeriesText:
    """Writes one instance after the other. Not for several threads at once."""

    def __init__(self, *, inline_limit: int | None = 4096) -> None:
        """`inline_limit`: longer binary values are referred to; bytes."""
        self._inline_limit = inline_limit
        #: what values mean besides their bytes: character set, encoding, sign
        self._meaning: tuple[object, ...] = ()
        #: tag -> (VR as sent, value, text)
        self._last: dict[int, tuple[str, bytes, str]] = {}

    def of_data_set(
        self,
        *parts: Buffer,
        transfer_syntax_uid: str,
        character_set: str = "",
        more: Mapping[int, Json] | None = None,
        warn: Warn | None = None,
    ) -> str:
        """One object's metadata, as json_model.from_data_set makes them, without spaces.

        The data set may be given in parts, each of whole elements. `more`: elements that stand where the object has
        none.
        """
        header = scan(parts[0], transfer_syntax_uid, None, past_pixels=True)
        reference = pixel_reference(header, parts[0])
        for part in parts[1:]:
            rest = scan(part, transfer_syntax_uid, None, past_pixels=True)
            header.values |= rest.values
            header.large |= rest.large
            header.warnings += rest.warnings
            reference = reference or pixel_reference(rest, part)
        return self._text(header, reference, character_set, more, warn)

    def of_file(
        self,
        path: Path,
        offset: int,
        size: int,
        *,
        transfer_syntax_uid: str,
        character_set: str = "",
        more: Mapping[int, Json] | None = None,
        warn: Warn | None = None,
    ) -> str:
        """The same of `size` bytes at `offset` of a file, whose pixels are not read. Raises OSError."""
        found = _before_pixels(path, offset, size, transfer_syntax_uid)
        if found is not None:
            return self._text(*found, character_set, more, warn)
        with mapped(path, offset, size) as part:
            return self.of_data_set(
                part,
                transfer_syntax_uid=transfer_syntax_uid,
                character_set=character_set,
                more=more,
                warn=warn,
            )

    def _text(
        self,
        header: Header,
        reference: tuple[int, Json] | None,
        character_set: str,
        more: Mapping[int, Json] | None,
        warn: Warn | None,
    ) -> str:
        members = self._members(header, character_set, warn)
        if warn is not None:
            for tag, words in header.warnings:
                warn(tag, words)
        if reference is not None:
            members[reference[0]] = f'"{reference[0]:08X}":{_dumped(reference[1])}'
        for tag, value in (more or {}).items():
            members.setdefault(tag, f'"{tag:08X}":{_dumped(value)}')
        return "{" + ",".join([members[tag] for tag in sorted(members)]) + "}"

    def _members(self, header: Header, character_set: str, warn: Warn | None) -> dict[int, str]:
        heard = 0

        def hear(tag: int, words: str) -> None:
            nonlocal heard
            heard += 1
            if warn is not None:
                warn(tag, words)

        writer = Writer(character_set, self._inline_limit, hear)
        writer.signed = representation_is_signed(header)
        meaning = (header.character_set, character_set, header.explicit, header.little, writer.signed)
        if meaning != self._meaning:
            self._meaning = meaning
            self._last.clear()
        members: dict[int, str] = {}
        last = self._last
        for tag, found in header.values.items():
            kept = last.get(tag)
            if kept is not None and kept[1] == found[1] and kept[0] == found[0]:
                members[tag] = kept[2]
                continue
            if not belongs(tag):
                continue
            heard = 0
            name = f"{tag:08X}"
            value = writer.sound_element(header, tag, name)
            if value is None:
                continue
            members[tag] = text = f'"{name}":{_dumped(value)}'
            if not heard and len(found[1]) <= _KEPT:
                last[tag] = (*found, text)
        for tag in header.large:
            value = writer.sound_element(header, tag, f"{tag:08X}") if belongs(tag) else None
            if value is not None:
                members[tag] = f'"{tag:08X}":{_dumped(value)}'
        return members


def _before_pixels(
    path: Path, offset: int, size: int, transfer_syntax_uid: str
) -> tuple[Header, tuple[int, Json] | None] | None:
    """What a data set says before its pixel data, and what refers to these, where they are all that follows.

    None where only the whole tells: pixel data in fragments or with something behind them, a long header, a data set
    that is not as its transfer syntax says. Reading some kilobytes costs less than looking at the file where it lies.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(file, min(size, _HEAD), offset)
    finally:
        os.close(file)
    header = scan(data, transfer_syntax_uid, None, total=size)
    at = header.pixel_offset
    if at is None or header.warnings or transfer_syntax(transfer_syntax_uid).deflated:
        return None
    # what the scanner has to guess it guesses by what follows: then it gets the whole
    first = data[4:6]
    if (first in SHORT or first in LONG) is not header.explicit:
        return None
    if header.explicit and not _GUESSED.isdisjoint({vr for vr, _ in header.values.values()}):
        return None
    # OB, OW, OF and OD have their length behind two reserved bytes (PS3.5 7.1.2)
    start = at + (12 if header.explicit else 8)
    length = int.from_bytes(data[start - 4 : start], "little" if header.little else "big")
    long = not header.explicit or data[at + 4 : at + 6] in LONG
    return (header, pixel_reference(header, data)) if long and start + length == size else None


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@contextmanager
def mapped(path: Path, offset: int, size: int) -> Iterator[memoryview]:
    """`size` bytes at `offset` of a file, read as they are looked at."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        view = memoryview(whole)
        part = view[offset : offset + size]
        try:
            yield part
        finally:
            part.release()
            view.release()
