"""Objects made of metadata and bulk data: the same in JSON and XML, pixels plain and compressed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames
from tests import made
from tests.archive.web.place import RESIDENT, Place, multipart, one, series, values
from tests.archive.web.stow.conftest import Post

from filmless.access.model import SYSTEM
from filmless.archive.query.instances import instances_of
from filmless.archive.web.stow.metadata import contents
from filmless.archive.web.stow.spool import Spool, Spooled
from filmless.db.work import reading
from filmless.dicom import json_model
from filmless.dicom.uids import EXPLICIT_VR_LE, JPEG_BASELINE, JPEG_LS_LOSSLESS, RLE_LOSSLESS
from filmless.dicom.web import xml_model

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
Json = dict[str, Any]


def metadata_of(image: pydicom.Dataset) -> Json:
    return json_model.from_data_set(made.data_set(made.part10(image)), EXPLICIT_VR_LE)


def stored(place: Place, sop_instance_uid: str) -> tuple[pydicom.Dataset, str]:
    with reading(place.context.engine) as connection:
        (found,) = instances_of(connection, SYSTEM, level="IMAGE", sop_uids=[sop_instance_uid])
    return pydicom.dcmread(place.context.store / found.path), found.ts


def parts_of(form: str, objects: list[Json]) -> list[tuple[str, bytes]]:
    if form == "json":
        return [("application/dicom+json", json.dumps(objects).encode())]
    return [("application/dicom+xml", b"".join(xml_model.document(each))) for each in objects]


@pytest.mark.parametrize("form", ["json", "xml"])
async def test_metadata_and_pixels_make_the_object_again(place: Place, post: Post, form: str) -> None:
    objects = series(2)
    # short pixels, and pixels that go straight from the spool into the file
    objects[1].Rows = objects[1].Columns = 256
    objects[1].PixelData = bytes(range(256)) * 512
    metadata = [metadata_of(image) for image in objects]
    bulk = []
    for number, (content, image) in enumerate(zip(metadata, objects, strict=True)):
        content["7FE00010"] = {"vr": "OW", "BulkDataURI": f"http://x/bulk/{number}"}
        bulk.append(("application/octet-stream", bytes(image.PixelData), f"http://x/bulk/{number}"))
    status, answer = await post([*parts_of(form, metadata), *bulk], root=f"application/dicom+{form}")
    assert (status, len(values(answer, "00081199"))) == (200, 2)
    for image in objects:
        kept, syntax = stored(place, image.SOPInstanceUID)
        assert syntax == EXPLICIT_VR_LE
        assert kept.PixelData == image.PixelData
        assert kept.PatientName == image.PatientName
        assert kept[0x00191010].value == image[0x00191010].value.strip()
        assert {each.tag for each in kept} == {each.tag for each in image}


@pytest.mark.parametrize(
    ("media_type", "syntax"),
    [
        ("image/jls", JPEG_LS_LOSSLESS),
        ("image/jpeg", JPEG_BASELINE),
        (f"application/octet-stream; transfer-syntax={RLE_LOSSLESS}", RLE_LOSSLESS),
        (f'image/dicom-rle; transfer-syntax="{RLE_LOSSLESS}"', RLE_LOSSLESS),
    ],
)
@SQLITE
async def test_compressed_pixels_are_encapsulated_frame_by_frame(
    place: Place, post: Post, media_type: str, syntax: str
) -> None:
    frames = {
        JPEG_LS_LOSSLESS: [b"\xff\xd8\xff\xf7" + bytes(41), b"\xff\xd8\xff\xf7" + bytes(40)],
        JPEG_BASELINE: [b"\xff\xd8\xff\xe0\x00\x04xx\xff\xc0" + bytes(41), b"\xff\xd8\xff\xc0" + bytes(40)],
        RLE_LOSSLESS: [bytes(64) + b"1", bytes(64) + b"22"],
    }[syntax]
    (image,) = series(1)
    image.NumberOfFrames = 2
    content = metadata_of(image) | {"7FE00010": {"vr": "OW", "BulkDataURI": "pixels"}}
    bulk = [(media_type, frame, "pixels") for frame in frames]
    status, _ = await post([*parts_of("json", [content]), *bulk], root="application/dicom+json")
    assert status == 200
    kept, stored_syntax = stored(place, image.SOPInstanceUID)
    assert stored_syntax == syntax
    assert [one.rstrip(b"\0") for one in generate_frames(kept.PixelData, number_of_frames=2)] == [
        one.rstrip(b"\0") for one in frames
    ]


@SQLITE
async def test_what_is_missing_costs_only_its_object(place: Place, post: Post) -> None:
    objects = series(3)
    metadata = [metadata_of(image) for image in objects]
    metadata[0]["7FE00010"] = {"vr": "OW", "BulkDataURI": "http://127.0.0.1/elsewhere"}
    metadata[1].pop("7FE00010")
    metadata[1]["00181310"] = {"vr": "US", "Value": ["many"]}
    metadata[2].pop("7FE00010")
    metadata[2].pop("00080018")
    status, answer = await post(parts_of("json", metadata), root="application/dicom+json")
    assert status == 202
    assert one(one(answer, "00081198"), "00081155") == objects[0].SOPInstanceUID
    discarded = one(answer, "00081199")
    assert (one(discarded, "00081155"), one(discarded, "00081196")) == (objects[1].SOPInstanceUID, 0xB006)
    assert any("00181310" in one(item, "00000902") for item in values(discarded, "00741048"))
    assert one(one(answer, "0008119A"), "00081197") == 0xA900
    assert place.stored() == {objects[1].SOPInstanceUID}


@SQLITE
async def test_the_study_of_the_address_and_rejection_notes_count_here_too(place: Place, post: Post) -> None:
    (image,) = series(1)
    content = metadata_of(image)
    content.pop("7FE00010")
    status, answer = await post(parts_of("xml", [content]), "/studies/1.2.9", root="application/dicom+xml")
    assert (status, one(one(answer, "00081198"), "00081197")) == (409, 0xA901)
    assert (await post(parts_of("xml", [content]), root="application/dicom+xml"))[0] == 200
    note = {
        **{tag: content[tag] for tag in ("00100010", "00100020", "0020000D")},
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.88.59"]},
        "00080018": {"vr": "UI", "Value": ["1.2.77"]},
        "0020000E": {"vr": "UI", "Value": ["1.2.78"]},
        "0040A043": {
            "vr": "SQ",
            "Value": [
                {"00080100": {"vr": "SH", "Value": ["113039"]}, "00080102": {"vr": "SH", "Value": ["DCM"]}}
            ],
        },
        "0040A375": {
            "vr": "SQ",
            "Value": [
                {
                    "0020000D": content["0020000D"],
                    "00081115": {
                        "vr": "SQ",
                        "Value": [
                            {
                                "0020000E": content["0020000E"],
                                "00081199": {
                                    "vr": "SQ",
                                    "Value": [
                                        {"00081150": content["00080016"], "00081155": content["00080018"]}
                                    ],
                                },
                            }
                        ],
                    },
                }
            ],
        },
    }
    async with place.client(RESIDENT) as resident:
        request = multipart(parts_of("json", [note]), root="application/dicom+json")
        answer = (await resident.post("/studies", **request)).json()
        assert one(one(answer, "00081198"), "00081197") == 0x0124
    assert (await post(parts_of("json", [note]), root="application/dicom+json"))[0] == 200
    with reading(place.context.engine) as connection:
        assert not list(instances_of(connection, RESIDENT, level="STUDY", study_uids=["1.2.3"]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "[{}",
        "{}{}",
        "[{},]",
        "[1]",
        '"x"',
        "[{}] x",
        '[{"00080018": 1}]',
        "nul",
        "[" * 100_000,
        "\xff",
    ],
)
@SQLITE
async def test_metadata_that_are_none_are_refused(place: Place, post: Post, text: str) -> None:
    parts = [("application/dicom+json", text.encode("latin-1"))]
    status, problem = await post(parts, root="application/dicom+json")
    assert (status, problem["code"]) in ((400, "json"), (400, "empty"), (400, "not-dicom"))
    assert place.files() == 0


async def test_several_data_sets_are_read_one_by_one(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "scratch")
    text = b'\xef\xbb\xbf [ {"00080018": {"vr": "UI"}} ,\n{} ] '
    await spool.write(memoryview(text))
    await spool.flush()
    root = Spooled("application/dicom+json", "", 0, len(text))
    assert list(contents(spool, root)) == [{"00080018": {"vr": "UI"}}, {}]
    spool.close()
    assert list((tmp_path / "scratch").iterdir()) == []


@SQLITE
async def test_metadata_of_a_real_object_make_it_again(place: Place, post: Post) -> None:
    """Of a file that pydicom ships, with sequences and long values."""
    path = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"
    original = pydicom.dcmread(path)
    content = json_model.from_data_set(made.data_set(path), EXPLICIT_VR_LE)
    bulk = []
    for tag, member in content.items():
        if uri := member.get("BulkDataURI"):
            bulk.append(("application/octet-stream", bytes(original[int(tag, 16)].value), uri))
    status, _ = await post([*parts_of("xml", [content]), *bulk], root="application/dicom+xml")
    assert status in (200, 202)
    kept, _syntax = stored(place, original.SOPInstanceUID)
    assert np.array_equal(kept.pixel_array, original.pixel_array)
    assert kept.PatientName == original.PatientName
    assert kept.ImagePositionPatient == original.ImagePositionPatient
