"""The one way out for objects: the data set as it leaves, with the corrections of its header in force.

Whoever gives an object away - C-STORE, WADO-RS, exports, ZIP archives - asks here for its bytes: a head made in memory
and a slice of the stored file. Of an object without corrections the head is empty and the slice is the data set as it
was received. Bytes as received of a corrected object leave by the steward's audited route only.
"""

import mmap
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filmless.archive import overlays
from filmless.archive.query.instances import StoredInstance
from filmless.dicom import json_model, overlay
from filmless.dicom.elements import Buffer
from filmless.dicom.rewrite import Encoding, deflate, inflate
from filmless.dicom.scan import Header, scan
from filmless.dicom.uids import EXPLICIT_VR_LE, transfer_syntax

_CHUNK = 1 << 20
_HEAD, _LONGEST_HEAD = 256 << 10, 64 << 20


@dataclass(frozen=True, slots=True)
class Leaving:
    """A data set: `head`, then bytes [offset, offset + length) of the file `path`."""

    head: bytes
    path: Path
    offset: int
    length: int
    #: transfer syntax UID, that of the stored object
    transfer_syntax: str

    @property
    def size(self) -> int:
        """Bytes of the whole data set."""
        return len(self.head) + self.length

    def header(self, wanted: frozenset[int]) -> Header:
        """What the elements before the pixel data say of `wanted`; reads no more than it needs. Raises OSError."""
        if self.head:
            return scan(self.head, self.transfer_syntax, wanted)
        limit = _HEAD
        with self.path.open("rb", buffering=0) as file:
            while True:
                data = os.pread(file.fileno(), min(self.length, limit), self.offset)
                header = scan(data, self.transfer_syntax, wanted, total=self.length)
                if header.complete or len(data) >= self.length or limit >= _LONGEST_HEAD:
                    return header
                limit *= 8

    def chunks(self, size: int = _CHUNK) -> Iterator[bytes]:
        """The data set in pieces of at most `size` bytes; the head in one. Raises OSError where the file is missing
        or too short."""
        if self.head:
            yield self.head
        if not self.length:
            return
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.offset)
            left = self.length
            while left:
                chunk = file.read(min(left, size))
                if not chunk:
                    raise OSError(0, "the file is too short")
                left -= len(chunk)
                yield chunk


def leaving(instance: StoredInstance, root: Path) -> Leaving:
    """How an object leaves; `root` is the store's. Nothing is read where nothing is corrected.

    Of a corrected object the header is read and made anew, some milliseconds of work. Raises OSError where the file
    cannot be read, Refused where its data set does not add up to elements, Unavailable where the corrections cannot be
    read: it never leaves without them.
    """
    path = root / instance.path
    if not instance.correction:
        return Leaving(b"", path, instance.offset, instance.size, instance.ts)
    layers = [one.layer() for one in overlays.read(root, instance.correction)]
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        whole = memoryview(mapped)
        part = whole[instance.offset : instance.offset + instance.size]
        try:
            if len(part) != instance.size:
                raise OSError(0, "the file is too short")
            if transfer_syntax(instance.ts).deflated:
                inflated = inflate(part)
                head, rest = overlaid(inflated, EXPLICIT_VR_LE, layers, instance.character_set)
                return Leaving(deflate(head + inflated[rest:]), path, instance.offset, 0, instance.ts)
            head, rest = overlaid(part, instance.ts, layers, instance.character_set)
        finally:
            part.release()
            whole.release()
    return Leaving(head, path, instance.offset + rest, instance.size - rest, instance.ts)


def overlaid(
    data: Buffer, transfer_syntax_uid: str, layers: Sequence[overlay.Layer], character_set: str
) -> tuple[bytes, int]:
    """(the elements before the pixel data with the layers over them, where in `data` the rest begins)."""
    header = scan(data, transfer_syntax_uid, frozenset())
    rest = len(data) if header.pixel_offset is None else header.pixel_offset
    # lengths of sequences are followed within what is there
    encoding = Encoding(header.explicit, header.little)
    return overlay.apply(bytes(data[:rest]), layers, encoding, character_set=character_set), rest


def described(
    instance: StoredInstance,
    root: Path,
    *,
    inline_limit: int | None = 4096,
    warn: json_model.Warn | None = None,
) -> dict[str, Any]:
    """DICOM JSON of an object as it leaves (dicom.json_model.from_data_set); its pixels are not read."""
    if not instance.correction:
        return json_model.from_file(
            root / instance.path,
            instance.offset,
            instance.size,
            instance.ts,
            character_set=instance.character_set,
            inline_limit=inline_limit,
            warn=warn,
        )
    out = leaving(instance, root)
    content = json_model.from_data_set(
        out.head,
        out.transfer_syntax,
        character_set=instance.character_set,
        inline_limit=inline_limit,
        warn=warn,
    )
    if out.length:
        behind = json_model.from_file(
            out.path, out.offset, out.length, out.transfer_syntax, inline_limit=inline_limit, warn=warn
        )
        content = dict(sorted({**content, **behind}.items()))
    return content
