"""WADO-RS bulk data: values by the way to them, of objects in every encoding."""

import io
import struct
import zlib

import pydicom
import pytest
from pydicom.dataset import Dataset
from tests import made
from tests.archive.web.conftest import Web, parts_of

from filmless.dicom import part10
from filmless.dicom.pixels import transcode

# what is asked of the database is asked in the same way elsewhere
pytestmark = pytest.mark.parametrize("backend", ["sqlite"])
LE, OCTETS = "1.2.840.10008.1.2.1", "application/octet-stream"
WORDS = bytes(range(256)) * 20


def image() -> Dataset:
    one = made.image(1, name="A^B", patient_id="P", study="1.2.3", series="1.2.3.1")
    block = one.private_block(0x0019, "FILMLESS TEST")
    block.add_new(0x11, "OB", WORDS)
    block.add_new(0x12, "OW", WORDS)
    block.add_new(0x13, "UT", "文" * 4000)
    deep = Dataset()
    deep.RedPaletteColorLookupTableData = WORDS
    middle = Dataset()
    middle.ReferencedImageSequence = [Dataset(), deep]
    one.SourceImageSequence = [middle]
    one.DataSetTrailingPadding = b"\0" * 16
    return one


@pytest.mark.parametrize(
    "syntax",
    [LE, "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.80"],
)
async def test_values_are_little_endian_in_every_syntax(web: Web, syntax: str) -> None:
    one = image()
    file = made.part10(one)
    meta = part10.read_meta(file)
    data = transcode(file[meta.data_set_offset :], LE, syntax)
    head = part10.build_preamble_and_meta(meta.sop_class_uid, meta.sop_instance_uid, syntax)
    address, _ = web.put(head + data)
    async with web.client() as client:
        for way, value in (
            ("00191011", WORDS),
            ("00191012", WORDS),
            ("00191013", ("文" * 4000).encode()),
            ("00082112/1/00081140/2/00281201", WORDS),
            ("00100010", b"A^B "),
            ("00080018", one.SOPInstanceUID.encode() + b"\0" * (len(one.SOPInstanceUID) % 2)),
        ):
            answer = await client.get(f"{address}/bulkdata/{way}")
            assert (answer.status_code, answer.content) == (200, value), way
            assert answer.headers["content-type"] == f"{OCTETS}; transfer-syntax={LE}"
            part = await client.get(f"{address}/bulkdata/{way}", headers={"range": "bytes=1-2"})
            assert (part.status_code, part.content) == (206, value[1:3])
            several = await client.get(
                f"{address}/bulkdata/{way}", headers={"accept": f'multipart/related; type="{OCTETS}"'}
            )
            assert parts_of(several) == [({"Content-Type": f"{OCTETS}; transfer-syntax={LE}"}, value)]
        for way in (
            "00191014",
            "zz",
            "0019",
            "00082112/2/00081140",
            "00082112/1",
            "00082112/1/00081140/9/00281201",
        ):
            assert (await client.get(f"{address}/bulkdata/{way}")).status_code == 404, way
        refused = await client.get(f"{address}/bulkdata/00191011", headers={"accept": "image/png"})
        assert refused.status_code == 406
        pixels = await client.get(f"{address}/bulkdata/7FE00010", headers={"accept": OCTETS})
        assert pixels.content == one.PixelData


async def test_large_values_and_pixels_in_ranges(web: Web) -> None:
    one = image()
    one.private_block(0x0019, "FILMLESS TEST").add_new(0x14, "OB", WORDS * 500)
    one.NumberOfFrames = 4
    one.PixelData = bytes(range(256)) * 32
    address, _ = web.put(made.part10(one))
    async with web.client() as client:
        for way, value in (("00191014", WORDS * 500), ("7FE00010", one.PixelData)):
            whole = await client.get(f"{address}/bulkdata/{way}")
            assert whole.content == value
            assert int(whole.headers["content-length"]) == len(value)
            given = {"range": f"bytes={len(value) - 9}-", "if-range": whole.headers["etag"]}
            part = await client.get(f"{address}/bulkdata/{way}", headers=given)
            assert (part.status_code, part.content) == (206, value[-9:])
            same = await client.get(
                f"{address}/bulkdata/{way}", headers={"if-none-match": whole.headers["etag"]}
            )
            assert same.status_code == 304
        compressed = await client.get(
            f"{address}/bulkdata/7FE00010", headers={"accept": 'multipart/related; type="image/jls"'}
        )
        assert [headers["Content-Type"].partition(";")[0] for headers, _ in parts_of(compressed)] == [
            "image/jls"
        ] * 4


async def test_compressed_pixels_are_frames(web: Web) -> None:
    one = image()
    one.NumberOfFrames = 2
    one.PixelData = one.PixelData * 2
    file = made.part10(one)
    meta = part10.read_meta(file)
    syntax = "1.2.840.10008.1.2.4.90"
    head = part10.build_preamble_and_meta(meta.sop_class_uid, meta.sop_instance_uid, syntax)
    address, data = web.put(head + transcode(file[meta.data_set_offset :], LE, syntax))
    frames = list(pydicom.encaps.generate_frames(pydicom.dcmread(io.BytesIO(head + data)).PixelData))
    async with web.client() as client:
        answer = await client.get(f"{address}/bulkdata/7FE00010")
        assert [content for _, content in parts_of(answer)] == frames
        plain = await client.get(
            f"{address}/bulkdata/7FE00010", headers={"accept": f'multipart/related; type="{OCTETS}"'}
        )
        assert b"".join(content for _, content in parts_of(plain)) == one.PixelData


async def test_a_deflated_bomb_is_not_held_in_memory(web: Web) -> None:
    ds = made.image(1, name="Bomb^Bob", patient_id="BOMB1", study="1.2.3", series="1.2.3.1")
    data = made.data_set(made.part10(ds))
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    file = part10.build_preamble_and_meta(ds.SOPClassUID, ds.SOPInstanceUID, "1.2.840.10008.1.2.1.99")
    file += packed.compress(data[: data.index(b"\xe0\x7f\x10\x00")])
    file += packed.compress(struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 65 << 20))
    for _ in range(65):
        file += packed.compress(bytes(1 << 20))
    address, _ = web.put(file + packed.flush())
    async with web.client() as client:
        for path in ("7FE00010", "00191010"):
            answer = await client.get(f"{address}/bulkdata/{path}")
            assert answer.status_code == 406, answer.text[:200]
        # its bytes as they are stored are had all the same
        whole = await client.get(address, headers={"Accept": "application/dicom; transfer-syntax=*"})
        assert whole.status_code == 200 and len(whole.content) < 1 << 20
