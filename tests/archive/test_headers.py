"""Headers of every length: found, in bounded memory."""

import threading
import tracemalloc
import zlib
from typing import Any

import pytest
from pydicom.dataset import Dataset
from sqlalchemy import select
from tests.archive.conftest import CT, EXPLICIT_LE, Put, ct, encoded

from filmless.archive.model import Arrival, Kind, Source
from filmless.archive.store import Archive
from filmless.archive.tables import series, versions
from filmless.db.work import reading
from filmless.kit.errors import Unavailable

DEFLATED = "1.2.840.10008.1.2.1.99"


def chunks(data: bytes, size: int = 65_536) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def stuffed(megabytes: int, *, pixels: bool) -> bytes:
    """An object with so much before its pixel data, in private elements."""
    data_set = ct(**({} if pixels else {"PixelData": b""}))
    if not pixels:
        del data_set.PixelData
    for number in range(megabytes):
        data_set.add_new((0x0009, 0x1000 + number), "OB", bytes(1 << 20))
    data_set.add_new((0x0009, 0x0010), "LO", "TEST")
    return encoded(data_set)


@pytest.mark.parametrize("pixels", [True, False])
def test_a_long_header_is_read_whole(archive: Archive, pixels: bool) -> None:
    data = stuffed(3, pixels=pixels)
    arrival = Arrival(CT, "1.2.3.1.1.1", EXPLICIT_LE, Source("CT1"))
    assert archive.store_blocking(arrival, chunks(data)).kind is Kind.STORED
    with reading(archive.engine) as connection:
        offset = connection.scalar(select(versions.c.pixel_offset))
        modality = connection.scalar(select(series.c.modality))
    assert modality == "CT"
    assert offset == (data.index(b"\xe0\x7f\x10\x00OW") if pixels else None)


def test_objects_without_pixel_data_do_not_gather_in_memory(archive: Archive) -> None:
    part = chunks(stuffed(8, pixels=False))
    tracemalloc.start()
    try:
        receptions = []
        for number in range(10):
            ready = threading.Event()
            arrival = Arrival(CT, f"1.2.3.1.1.{number}", EXPLICIT_LE, Source("CT1"))
            reception = archive.receive(arrival, ready.set)
            receptions.append(reception)
            for chunk in part:
                ready.clear()
                if not reception.write(chunk):
                    assert ready.wait(20)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    for reception in receptions:
        reception.abort()
    assert held < 20 << 20


def test_a_deflated_bomb_is_an_object_like_others(archive: Archive) -> None:
    data_set: Any = Dataset()
    data_set.update(ct())
    data_set.add_new((0x0009, 0x0010), "LO", "TEST")
    data_set.add_new((0x0009, 0x1000), "OB", bytes(100 << 20))
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = packer.compress(encoded(data_set)) + packer.flush()
    arrival = Arrival(CT, "1.2.3.1.1.1", DEFLATED, Source("CT1"))
    outcome = archive.store_blocking(arrival, [data + b"\0" * (len(data) % 2)])
    # what is behind the bomb is not looked for
    assert outcome.kind is Kind.QUARANTINED


def test_a_store_that_is_not_there_is_no_defect(archive: Archive, put: Put) -> None:
    archive.root.rename(archive.root.with_name("elsewhere"))
    archive._space_checked = 0.0
    with pytest.raises(Unavailable) as refused:
        put(ct())
    archive.root.with_name("elsewhere").rename(archive.root)
    assert refused.value.code == "disk"


def test_a_sender_that_is_gone_does_not_cost_a_writer(archive: Archive, put: Put) -> None:
    def gone(*_: Any) -> None:
        raise RuntimeError("the event loop is closed")

    for number in range(archive.settings.writer_threads + 1):
        reception = archive.receive(Arrival(CT, f"1.2.3.9.{number}", EXPLICIT_LE, Source("CT1")), gone)
        reception.write(bytes(archive.settings.object_buffer_bytes + 1))
        reception.complete(gone)
    assert put(ct()).kind is Kind.STORED
    assert all(thread.is_alive() for thread in archive._writers)
