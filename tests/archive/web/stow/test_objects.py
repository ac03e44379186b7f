"""Objects over STOW-RS: what is stored, what is said of it, and what is left where it breaks."""

import json
import os
from collections.abc import AsyncIterator
from typing import Any
from xml.etree import ElementTree

import httpx
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian
from tests import made
from tests.archive.web.place import (
    CLERK,
    RESIDENT,
    Place,
    dicom_parts,
    multipart,
    one,
    series,
    values,
)
from tests.archive.web.stow.conftest import Post

from filmless.access.model import SYSTEM
from filmless.archive.query.instances import instances_of
from filmless.archive.reject import show
from filmless.db.work import reading
from filmless.dicom.builders.kos import Reference, rejection_note
from filmless.dicom.scan import scan
from filmless.dicom.uids import EXPLICIT_VR_LE
from filmless.dicom.web import xml_model
from filmless.dicom.web.multipart import closing, part_head
from filmless.kit import clock

#: what has nothing to do with the database is not tried on both
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
ROOT = "https://images.example/dicom-web"


def stored_bytes(place: Place, sop_instance_uid: str) -> tuple[bytes, str]:
    """(the data set as it is on disk, its transfer syntax)."""
    with reading(place.context.engine) as connection:
        (found,) = instances_of(connection, SYSTEM, level="IMAGE", sop_uids=[sop_instance_uid])
    data = (place.context.store / found.path).read_bytes()[found.offset : found.offset + found.size]
    return data, found.ts


async def test_objects_are_stored_as_they_came_and_named_with_their_addresses(
    place: Place, post: Post
) -> None:
    objects = series(3)
    status, answer = await post(dicom_parts(objects))
    assert status == 200
    assert one(answer, "00081190") == f"{ROOT}/studies/1.2.3"
    assert "00081198" not in answer
    for item, each in zip(values(answer, "00081199"), objects, strict=True):
        assert one(item, "00081150") == each.SOPClassUID
        assert one(item, "00081155") == each.SOPInstanceUID
        assert one(item, "00081190") == f"{ROOT}/studies/1.2.3/series/1.2.3.1/instances/{each.SOPInstanceUID}"
        assert stored_bytes(place, each.SOPInstanceUID) == (made.data_set(made.part10(each)), EXPLICIT_VR_LE)
    (entry,) = place.audited()
    assert (entry["kind"], entry["outcome"], entry["what"]) == ("store", "success", "STOW-RS")


@SQLITE
@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
async def test_other_transfer_syntaxes_are_kept(place: Place, post: Post, syntax: str) -> None:
    (image,) = series(1)
    file = made.part10(image, syntax)
    assert (await post(dicom_parts([file])))[0] == 200
    assert stored_bytes(place, image.SOPInstanceUID) == (made.data_set(file), syntax)


async def test_the_same_again_is_success(place: Place, post: Post) -> None:
    objects = series(2)
    assert (await post(dicom_parts(objects)))[0] == 200
    status, answer = await post(dicom_parts(objects))
    assert (status, len(values(answer, "00081199"))) == (200, 2)
    assert place.files() == 2


async def test_another_object_under_a_known_uid_is_a_failure(place: Place, post: Post) -> None:
    (image,) = series(1)
    await post(dicom_parts([image]))
    image.PatientName = "Somebody^Else"
    status, answer = await post(dicom_parts([image]))
    assert status == 409
    (failed,) = values(answer, "00081198")
    assert one(failed, "00081197") == 0xC110
    assert place.quarantined() == 1


async def test_an_object_of_another_study_than_the_address_is_refused_alone(place: Place, post: Post) -> None:
    objects = series(1) + series(1, study="1.2.4")
    status, answer = await post(dicom_parts(objects), "/studies/1.2.3")
    assert status == 202
    assert one(one(answer, "00081199"), "00081155") == objects[0].SOPInstanceUID
    failed = one(answer, "00081198")
    assert (one(failed, "00081155"), one(failed, "00081197")) == (objects[1].SOPInstanceUID, 0xA901)
    assert place.stored() == {objects[0].SOPInstanceUID}
    assert (place.files(), place.quarantined()) == (1, 0)


@SQLITE
async def test_a_study_that_is_said_only_behind_a_long_header_is_compared_too(
    place: Place, post: Post
) -> None:
    (image,) = series(1, study="1.2.4")
    block = image.private_block(0x0009, "LONG", create=True)
    for number in range(12):
        block.add_new(0x10 + number, "OB", bytes(60_000))
    status, answer = await post(dicom_parts([image]), "/studies/1.2.3")
    assert status == 409
    assert one(one(answer, "00081198"), "00081197") == 0xA901
    assert (place.files(), place.stored(), place.quarantined()) == (0, set(), 0)


async def test_what_is_taken_leniently_is_a_warning(place: Place, post: Post) -> None:
    (image,) = series(1)
    del image.PatientID
    status, answer = await post(dicom_parts([image]))
    assert status == 202
    stored = one(answer, "00081199")
    assert one(stored, "00081196") == 0xB007
    assert any("00100020" in one(item, "00000902") for item in values(stored, "00741048"))


@SQLITE
async def test_parts_that_are_no_objects_are_counted_as_such(place: Place, post: Post) -> None:
    (image,) = series(1)
    status, answer = await post(
        [*dicom_parts([image]), ("application/dicom", b"no object"), ("text/plain", b"hello")]
    )
    assert status == 202
    assert [one(item, "00081197") for item in values(answer, "0008119A")] == [0xC000, 0xC000]
    assert len(values(answer, "00081199")) == 1


@SQLITE
async def test_classes_and_syntaxes_that_are_not_stored(place: Place, post: Post) -> None:
    objects = series(2)
    objects[0].SOPClassUID = "1.2.840.10008.1.1"
    strange = made.part10(objects[1]).replace(b"1.2.840.10008.1.2.1\0", b"not/a/syntax/at/all\0")
    status, answer = await post(dicom_parts([objects[0], strange]))
    assert status == 409
    assert [one(item, "00081197") for item in values(answer, "00081198")] == [0x0122, 0xC122]
    assert place.files() == 0


@SQLITE
async def test_one_object_may_be_the_whole_body(place: Place, client: httpx.AsyncClient) -> None:
    (image,) = series(1)
    answer = await client.post(
        "/studies", content=made.part10(image), headers={"content-type": "application/dicom"}
    )
    assert answer.status_code == 200
    assert place.stored() == {image.SOPInstanceUID}


@pytest.mark.parametrize(
    ("accepted", "given"),
    [
        ("application/dicom+xml", "application/dicom+xml"),
        ("application/json", "application/dicom+json"),
        ("*/*", "application/dicom+json"),
        ("text/html, application/dicom+xml;q=0.5, application/dicom+json;q=0.1", "application/dicom+xml"),
    ],
)
@SQLITE
async def test_the_answer_is_in_the_form_that_is_accepted(
    client: httpx.AsyncClient, accepted: str, given: str
) -> None:
    request = multipart(dicom_parts(series(2) + series(1, study="1.9")))
    request["headers"]["accept"] = accepted
    answer = await client.post("/studies/1.2.3", **request)
    assert (answer.status_code, answer.headers["content-type"]) == (202, given)
    if given.endswith("xml"):
        ElementTree.fromstring(answer.content)
        content = xml_model.read(answer.content)
    else:
        content = json.loads(answer.content)
    assert (len(values(content, "00081199")), len(values(content, "00081198"))) == (2, 1)


@SQLITE
async def test_nothing_is_stored_where_no_form_of_answer_is_accepted(
    place: Place, client: httpx.AsyncClient
) -> None:
    request = multipart(dicom_parts(series(1)))
    request["headers"]["accept"] = "text/html"
    answer = await client.post("/studies", **request)
    assert (answer.status_code, answer.headers["content-type"]) == (406, "application/problem+json")
    assert place.files() == 0


@SQLITE
async def test_who_may_not_store_is_refused_before_anything_is_read(place: Place) -> None:
    for principal, status in ((None, 401), (CLERK, 403)):
        async with place.client(principal) as client:
            answer = await client.post("/studies", **multipart(dicom_parts(series(1))))
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert place.files() == 0
    (entry,) = place.audited()
    assert (entry["kind"], entry["outcome"]) == ("store", "refused")


async def test_a_body_that_breaks_leaves_what_is_whole_and_nothing_else(
    place: Place, client: httpx.AsyncClient
) -> None:
    objects = series(3)
    request = multipart(dicom_parts(objects))
    cut = {**request, "content": request["content"][:-200]}
    answer = await client.post("/studies", **cut)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    problem = answer.json()
    whole = {each.SOPInstanceUID for each in objects[:2]}
    assert (problem["code"], problem["stored"], set(problem["stored_instances"])) == ("multipart", 2, whole)
    assert (place.stored(), place.files()) == (whole, 2)
    # and all of it again is no error
    assert (await client.post("/studies", **request)).status_code == 200
    assert place.files() == 3


@SQLITE
async def test_a_body_that_is_too_long_is_refused(place: Place) -> None:
    request = multipart(dicom_parts(series(1)))

    async def trickle() -> AsyncIterator[bytes]:
        yield request["content"][:-10]
        yield request["content"][-10:]

    async with place.client(limit=1000) as client:
        for content in (request["content"], trickle()):
            answer = await client.post("/studies", content=content, headers=request["headers"])
            assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert place.files() == 0


@SQLITE
async def test_a_full_disk_is_said_for_each_object(engine: Any, place: Place, post: Post) -> None:
    (image,) = series(1)
    object.__setattr__(place.archive.settings, "minimum_free_bytes", 1 << 62)
    place.archive._space_checked = 0.0
    try:
        status, answer = await post(dicom_parts([image]))
        assert status == 507
        assert one(one(answer, "00081198"), "00081197") == 0xA700
    finally:
        object.__setattr__(place.archive.settings, "minimum_free_bytes", 0)
        place.archive._space_checked = 0.0
    assert (await post(dicom_parts([image])))[0] == 200


def note_of(image: pydicom.Dataset, code: str = "113001") -> bytes:
    header = scan(made.data_set(made.part10(image)), EXPLICIT_VR_LE, None)
    reference = Reference(str(image.SeriesInstanceUID), str(image.SOPClassUID), str(image.SOPInstanceUID))
    note = rejection_note(header, [reference], code, at=clock.now())
    file = pydicom.dcmread(made_file(note.data_set), force=True)
    return made.part10(file)


def made_file(data_set: bytes) -> Any:
    import io

    return io.BytesIO(data_set)


async def test_a_stored_rejection_note_rejects(place: Place, post: Post) -> None:
    objects = series(2)
    await post(dicom_parts(objects))
    note = note_of(objects[0])
    status, answer = await post(dicom_parts([note]))
    assert status == 200
    with reading(place.context.engine) as connection:
        seen = {
            found.sop_instance
            for found in instances_of(connection, RESIDENT, level="STUDY", study_uids=["1.2.3"])
        }
        rejection, named = show(connection, one(one(answer, "00081199"), "00081155"))
    assert seen == {objects[1].SOPInstanceUID}
    assert (rejection.code, named) == ("113001", [objects[0].SOPInstanceUID])


async def test_who_may_store_but_not_reject_cannot_reject_by_a_note(place: Place, post: Post) -> None:
    (image,) = series(1)
    await post(dicom_parts([image]))
    async with place.client(RESIDENT) as resident:
        answer = await resident.post("/studies", **multipart(dicom_parts([note_of(image)])))
        assert answer.status_code == 409
        failed = one(answer.json(), "00081198")
        assert one(failed, "00081197") == 0x0124
        # a key object document that rejects nothing is an object like any other
        harmless = note_of(image).replace(b"113001", b"113000")
        assert (await resident.post("/studies", **multipart(dicom_parts([harmless])))).status_code == 200
    with reading(place.context.engine) as connection:
        found = list(instances_of(connection, RESIDENT, level="IMAGE", sop_uids=[str(image.SOPInstanceUID)]))
    assert len(found) == 1


@SQLITE
async def test_any_cut_of_the_body_stores_the_same(place: Place) -> None:
    objects = series(2)
    content = multipart(dicom_parts(objects))["content"]

    async def cut(size: int) -> AsyncIterator[bytes]:
        for at in range(0, len(content), size):
            yield content[at : at + size]

    headers = multipart([("application/dicom", b"")])["headers"]
    async with place.client() as client:
        for size in (97, 4096):
            answer = await client.post("/studies", content=cut(size), headers=headers)
            assert answer.status_code == 200
    assert place.files() == 2
    assert stored_bytes(place, objects[1].SOPInstanceUID)[0] == made.data_set(made.part10(objects[1]))


@SQLITE
async def test_memory_stays_bounded_however_long_an_object_is(place: Place) -> None:
    (image,) = series(1)
    file = made.part10(image)
    # the pixel data element becomes 300 MB long
    head, pixels = file[: -2 * 32 * 32 - 4], 300 << 20

    async def long() -> AsyncIterator[bytes]:
        yield part_head("b0", "application/dicom", first=True) + head + pixels.to_bytes(4, "little")
        chunk = bytes(1 << 20)
        for _ in range(pixels >> 20):
            yield chunk
        yield closing("b0")

    before = memory()
    async with place.client() as client:
        answer = await client.post(
            "/studies", content=long(), headers=multipart([("application/dicom", b"")])["headers"]
        )
    assert answer.status_code == 200
    assert memory() - before < 64 << 20
    with reading(place.context.engine) as connection:
        (found,) = instances_of(connection, SYSTEM, level="IMAGE", sop_uids=[str(image.SOPInstanceUID)])
    assert found.size > pixels
    (place.context.store / found.path).unlink()


def memory() -> int:
    import psutil

    return int(psutil.Process(os.getpid()).memory_info().rss)
