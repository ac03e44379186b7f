"""The one way out for objects: the data set as it leaves, with the corrections of its header in force.

Whoever gives an object away - C-STORE, WADO-RS, exports, ZIP archives - asks here for its bytes: a head made in memory
and a slice of the stored file. Of an object without corrections the head is empty and the slice is the data set as it
was received. Bytes as received of a corrected object leave by the steward's audited route only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filmless.archive.query.instances import StoredInstance

_CHUNK = 1 << 20


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
    """How an object leaves; `root` is the store's. Nothing of the file is read where nothing is corrected."""
    return Leaving(b"", root / instance.path, instance.offset, instance.size, instance.ts)
