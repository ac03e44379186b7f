"""WADO-RS frames, against pydicom's and imagecodecs' own reading of the same files."""

import zlib
from pathlib import Path

import httpx
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames
from tests import made
from tests.archive.web.conftest import Web, parts_of

from filmless.dicom import frames as places
from filmless.dicom import part10, uids
from filmless.dicom.pixels.decode import decode_frames
from filmless.dicom.pixels.native import to_bytes
from filmless.kit.errors import Refused

OCTETS = "application/octet-stream"
LE, BE, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
FOLDER = Path(str(get_testdata_file("CT_small.dcm"))).parent
FILES = sorted(FOLDER.glob("*.dcm"))


def multi(number: int, count: int, *, bits: int = 16, side: int = 7) -> pydicom.Dataset:
    """An image of several frames, each unlike the others."""
    one = made.image(number, name="Web^Wanda", patient_id="WEB1", study="1.2.3", series="1.2.3.1", side=side)
    cells = count * side * side
    random = np.random.default_rng(number)
    one.NumberOfFrames = count
    one.BitsAllocated = one.BitsStored = bits
    one.HighBit = bits - 1
    if bits == 1:
        one.PixelData = np.packbits(random.integers(0, 2, cells, np.uint8), bitorder="little").tobytes()
    else:
        one.PixelData = random.integers(0, 1 << bits, cells, np.dtype(f"u{bits // 8}")).tobytes()
    if len(one.PixelData) % 2:
        one.PixelData += b"\0"
    one["PixelData"].VR = "OW" if bits > 8 else "OB"
    return one


async def get(
    client: httpx.AsyncClient, address: str, accept: str | None = None, **headers: str
) -> httpx.Response:
    return await client.get(address, headers={"accept": accept or "*/*", **headers})


async def test_frames_in_parts_and_alone(web: Web) -> None:
    image = multi(1, 5)
    address, _ = web.put(made.part10(image))
    size = 7 * 7 * 2
    expected = [image.PixelData[at * size : (at + 1) * size] for at in range(5)]
    for settled in (False, True):
        assert not settled or web.settle() == 1
        async with web.client() as client:
            some = await get(client, f"{address}/frames/1,3,5", f'multipart/related; type="{OCTETS}"')
            assert some.headers["content-type"].startswith(f'multipart/related; type="{OCTETS}"; boundary=')
            assert int(some.headers["content-length"]) == len(some.content)
            assert [content for _, content in parts_of(some)] == [expected[0], expected[2], expected[4]]
            assert {headers["Content-Type"] for headers, _ in parts_of(some)} == {
                f"{OCTETS}; transfer-syntax={LE}"
            }
            everything = await get(client, f"{address}/pixeldata")
            assert [content for _, content in parts_of(everything)] == expected
            backwards = await get(client, f"{address}/frames/5,1,1")
            assert [content for _, content in parts_of(backwards)] == [expected[4], expected[0], expected[0]]
            one = await get(client, f"{address}/frames/4", OCTETS)
            assert one.content == expected[3]
            assert one.headers["content-type"] == f"{OCTETS}; transfer-syntax={LE}"
            same = await get(client, f"{address}/frames/4", OCTETS, **{"if-none-match": one.headers["etag"]})
            assert same.status_code == 304
            part = await get(client, f"{address}/frames/4", OCTETS, range="bytes=10-19")
            assert (part.status_code, part.content) == (206, expected[3][10:20])
            assert part.headers["content-range"] == f"bytes 10-19/{size}"
            assert (await get(client, f"{address}/frames/4", OCTETS, range="bytes=98-")).status_code == 416
            assert (await get(client, f"{address}/frames/1,2", OCTETS)).status_code == 406
            for wrong, status in (
                ("0", 400),
                ("a", 400),
                ("1,,2", 400),
                ("1-3", 400),
                ("6", 404),
                ("1,6", 404),
            ):
                assert (await get(client, f"{address}/frames/{wrong}")).status_code == status, wrong
    assert [(entry["kind"], entry["what"]) for entry in web.audited()] == [("view", "pixels")]


@pytest.mark.parametrize("backend", ["sqlite"])
@pytest.mark.parametrize("syntax", [LE, BE, DEFLATED, "1.2.840.10008.1.2"])
async def test_native_frames_of_any_width(web: Web, syntax: str) -> None:
    """Frames that begin within words or bytes, in all native encodings, alone and packed."""
    for side, bits in ((7, 1), (8, 1), (5, 8), (3, 16), (4, 32)):
        image = multi(1, 3, bits=bits, side=side)
        flat = np.frombuffer(image.PixelData, np.uint8)
        if bits == 1:
            each = np.unpackbits(flat, bitorder="little")[: 3 * side * side].reshape(3, -1)
            expected = [np.packbits(one, bitorder="little").tobytes() for one in each]
        else:
            size = side * side * bits // 8
            expected = [image.PixelData[at * size : (at + 1) * size] for at in range(3)]
        file = made.part10(image, LE)
        if syntax != LE:
            from filmless.dicom.pixels import transcode

            meta = part10.read_meta(file)
            file = part10.build_preamble_and_meta(
                meta.sop_class_uid, meta.sop_instance_uid, syntax
            ) + transcode(file[meta.data_set_offset :], LE, syntax)
        address, _ = web.put(file)
        async with web.client() as client:
            answer = await get(client, f"{address}/frames/1,2,3")
            assert [content for _, content in parts_of(answer)] == expected
            for number in (3, 1):
                assert (await get(client, f"{address}/frames/{number}", OCTETS)).content == expected[
                    number - 1
                ]


@pytest.mark.parametrize("backend", ["sqlite"])
async def test_every_file_of_pydicom(web: Web) -> None:
    """As stored: byte by byte what pydicom takes out. Uncompressed: what decoding it gives."""
    compared = decoded = 0
    async with web.client() as client:
        for path in FILES:
            file = path.read_bytes()
            try:
                meta = part10.read_meta(file)
                address, data = web.put(file)
            except (Refused, AssertionError):
                continue
            stored = meta.transfer_syntax_uid
            found = places.index(data, stored) if stored != DEFLATED else None
            if found is None or not found.places or found.problem:
                continue
            count = len(found.places)
            numbers = ",".join(str(number) for number in range(1, min(count, 4) + 1))
            answer = await get(client, f"{address}/frames/{numbers}")
            assert answer.status_code == 200, path.name
            mine = parts_of(answer)
            if uids.transfer_syntax(stored).encapsulated:
                theirs = list(generate_frames(pydicom.dcmread(path).PixelData, number_of_frames=count))[:4]
                assert [content for _, content in mine] == theirs, path.name
                assert all(f"transfer-syntax={stored}" in headers["Content-Type"] for headers, _ in mine)
            elif stored != BE:
                element = pydicom.dcmread(path)
                pixels = next(
                    element[key].value for key in (0x7FE00010, 0x7FE00008, 0x7FE00009) if key in element
                )
                for number, (_, content) in enumerate(mine):
                    if found.facts.bits_allocated > 1:
                        assert content == pixels[number * len(content) :][: len(content)], path.name
            elif found.facts.bits_allocated > 1 and not found.facts.planar:
                pixels = pydicom.dcmread(path).pixel_array
                pixels = pixels if count > 1 else pixels[None]
                for number, (_, content) in enumerate(mine):
                    little = pixels[number].astype(pixels.dtype.newbyteorder("<")).tobytes()
                    assert content.rstrip(b"\0") == little.rstrip(b"\0"), path.name
            compared += 1
            plain = await get(client, f"{address}/frames/1", OCTETS)
            try:
                first = next(iter(decode_frames(data, found, stored)))
            except Refused:
                assert plain.status_code == 406 or not uids.transfer_syntax(stored).encapsulated, path.name
                continue
            if stored == BE or not uids.transfer_syntax(stored).encapsulated:
                continue
            assert plain.content == to_bytes(first.pixels, first.facts), path.name
            assert plain.headers["content-type"] == f"{OCTETS}; transfer-syntax={LE}"
            decoded += 1
    # the others are refused, have no pixels or broken ones, or are another file's object again
    assert compared > 35
    assert decoded > 15


async def test_frames_of_many_fragments_and_other_syntaxes(web: Web) -> None:
    image = multi(1, 3, side=16)
    size = 16 * 16 * 2
    native = [image.PixelData[at * size : (at + 1) * size] for at in range(3)]
    # deflated image frames: anybody can make them
    raw = [zlib.compressobj(9, zlib.DEFLATED, -15) for _ in native]
    frames = [stream.compress(data) + stream.flush() for stream, data in zip(raw, native, strict=True)]
    frames = [data + b"\0" * (len(data) % 2) for data in frames]
    image.PixelData = encapsulate(frames, fragments_per_frame=3)
    image["PixelData"].is_undefined_length = True
    image["PixelData"].VR = "OB"
    # pydicom does not write this syntax: another one's name of the same length is replaced
    file = made.part10(image, "1.2.840.10008.1.2.4.80").replace(
        b"1.2.840.10008.1.2.4.80", b"1.2.840.10008.1.2.8.1\0"
    )
    address, _ = web.put(file)
    async with web.client() as client:
        answer = await get(client, f"{address}/frames/2,3")
        kinds = [headers["Content-Type"] for headers, _ in parts_of(answer)]
        assert kinds == [f"{OCTETS}; transfer-syntax=1.2.840.10008.1.2.8.1"] * 2
        assert [content.rstrip(b"\0") for _, content in parts_of(answer)] == [
            one.rstrip(b"\0") for one in frames[1:]
        ]
        part = await get(client, f"{address}/frames/2", f"{OCTETS}; transfer-syntax=*", range="bytes=5-80")
        assert (part.status_code, part.content) == (206, frames[1][5:81])
        plain = await get(client, f"{address}/frames/1,2,3", f"multipart/related; type={OCTETS}")
        assert [content for _, content in parts_of(plain)] == native
        import imagecodecs

        for accept, decode in (
            ("image/jls", imagecodecs.jpegls_decode),
            ("image/jphc; transfer-syntax=1.2.840.10008.1.2.4.202", imagecodecs.htj2k_decode),
            ("image/jp2", imagecodecs.jpeg2k_decode),
        ):
            one = await get(client, f"{address}/frames/3", accept)
            assert one.headers["content-type"].startswith(accept.partition(";")[0])
            assert decode(one.content).tobytes() == native[2]
        video = await get(client, f"{address}/frames/3", "video/mp4")
        assert video.status_code == 406


async def test_video_in_ranges(web: Web) -> None:
    image = multi(1, 30)
    stream = bytes(range(256)) * 40
    image.PixelData = encapsulate([stream], has_bot=False)
    image["PixelData"].is_undefined_length = True
    image["PixelData"].VR = "OB"
    address, _ = web.put(made.part10(image, "1.2.840.10008.1.2.4.102"))
    async with web.client() as client:
        whole = await get(client, f"{address}/frames/1", "video/mp4")
        assert whole.headers["content-type"] == "video/mp4; transfer-syntax=1.2.840.10008.1.2.4.102"
        assert (whole.content, whole.headers["accept-ranges"]) == (stream, "bytes")
        for given, expected in (
            ("bytes=0-0", stream[:1]),
            ("bytes=-7", stream[-7:]),
            ("bytes=5000-", stream[5000:]),
        ):
            part = await get(client, f"{address}/frames/1", "video/*", range=given)
            assert (part.status_code, part.content) == (206, expected)
        old = await get(
            client, f"{address}/frames/1", "video/*", range="bytes=0-1", **{"if-range": '"older"'}
        )
        assert (old.status_code, old.content) == (200, stream)
        # a video is never transcoded
        assert (
            await get(client, f"{address}/frames/1", f'multipart/related; type="{OCTETS}"')
        ).status_code == 406
        assert (await get(client, f"{address}/frames/2")).status_code == 404
