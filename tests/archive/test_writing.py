"""Files as they are on disk: every byte in its place, however the data came and however the system took them."""

import hashlib
import os
from collections.abc import Sequence
from typing import Any

import pytest
from tests.archive.conftest import CT, EXPLICIT_LE, ct, encoded

from filmless.archive.blobs import read_label
from filmless.archive.model import Arrival, Kind, Source
from filmless.archive.store import Archive
from filmless.dicom import part10

#: more than one piece, and no multiple of anything
_PIXELS = bytes(range(251)) * 1992


def store(archive: Archive, fragment: int) -> bytes:
    """Stores an object of 500 kB that comes in fragments of so many bytes; what its file holds."""
    data = encoded(ct(PixelData=_PIXELS, Rows=500, Columns=500))
    arrival = Arrival(CT, "1.2.3.1.1.1", EXPLICIT_LE, Source("CT1"))
    fragments = [data[at : at + fragment] for at in range(0, len(data), fragment)]
    assert archive.store_blocking(arrival, fragments).kind is Kind.STORED
    (path,) = archive.root.rglob("*.dcm")
    with path.open("rb") as file:
        meta = part10.read_meta(file)
        file.seek(meta.data_set_offset)
        kept = file.read()
    assert kept == data
    label = read_label(meta.private_information)
    assert label is not None
    assert (label.size, label.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    return kept


@pytest.mark.parametrize("fragment", [997, 65_536, 70_001, 1 << 20])
def test_every_byte_is_where_it_came(archive: Archive, fragment: int) -> None:
    store(archive, fragment)


def test_a_system_that_takes_less_than_it_was_given(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that is cut short goes on where it ended (writev(2))."""
    cut = 0
    whole = os.writev

    def writev(handle: int, buffers: Sequence[Any]) -> int:
        nonlocal cut
        data = b"".join(buffers)
        if len(data) < 1000:
            return whole(handle, buffers)
        cut += 1
        return os.write(handle, data[: len(data) // 3])

    monkeypatch.setattr(os, "writev", writev)
    store(archive, 200_001)
    assert cut > 5


def test_nothing_is_hurried_where_the_system_cannot(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filmless.kit.early._range", None)
    store(archive, 131_072)
