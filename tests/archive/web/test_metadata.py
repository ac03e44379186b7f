"""WADO-RS metadata: prepared or made on the spot they are the same, and what changes changes them."""

import gzip
import json
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom.data import get_testdata_file
from sqlalchemy import select, update
from tests import made
from tests.archive.web.conftest import READER, STEWARD, Web, parts_of

from filmless.access.model import Grant, Role, account_principal
from filmless.archive import reject
from filmless.archive.corrections.model import Level, Target
from filmless.archive.corrections.service import correct
from filmless.archive.tables import series, versions
from filmless.db.work import reading, writing
from filmless.dicom import json_model, part10
from filmless.dicom.web import xml_model
from filmless.kit.errors import Refused

JSON, XML = "application/dicom+json", 'multipart/related; type="application/dicom+xml"'
FOLDER = Path(str(get_testdata_file("CT_small.dcm"))).parent
LE = "1.2.840.10008.1.2.1"
BASE = "http://here/dicom-web"


def image(number: int, series: int = 1) -> pydicom.Dataset:
    one = made.image(number, name="Web^Wanda", patient_id="WEB1", study="1.2.3", series=f"1.2.3.{series}")
    # something to refer to, in a sequence too
    one.private_block(0x0019, "FILMLESS TEST").add_new(0x11, "OB", bytes(5000))
    item = pydicom.Dataset()
    item.EncapsulatedDocument = bytes([number]) * 6000
    one.IconImageSequence = [item]
    return one


async def get(client: httpx.AsyncClient, path: str, **headers: str) -> Any:
    answer = await client.get(path, headers={"accept": JSON, **headers})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == JSON
    return answer.json()


def expected(data: bytes, syntax: str, address: str) -> dict[str, Any]:
    """What json_model gives, its references absolute, and the syntax that it can be had in."""

    def absolute(value: Any) -> Any:
        if isinstance(value, list):
            return [absolute(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {
            key: f"{BASE}{address}/bulkdata/{one}" if key == "BulkDataURI" else absolute(one)
            for key, one in value.items()
        }

    found: dict[str, Any] = absolute(json_model.from_data_set(data, syntax))
    return {**found, "00083002": {"vr": "UI", "Value": [syntax]}}


async def test_prepared_or_not_it_is_the_same(web: Web) -> None:
    one = {
        number: made.part10(image(number, series))
        for series in (1, 2)
        for number in range(series * 10, series * 10 + 3)
    }
    stored = [(*web.put(file), "1.2.840.10008.1.2.1") for file in one.values()]
    everything = [expected(data, syntax, address) for address, data, syntax in stored]
    etags: dict[str, set[str]] = {}
    async with web.client() as client:
        # nothing settled; then one series of two; then both
        for state in range(3):
            if state == 1:
                web.settle()
                made_again = web.put(made.part10(image(13)))
                everything.insert(3, expected(made_again[1], LE, made_again[0]))
            elif state == 2:
                assert web.settle() == 1
            for path, content in (
                ("/studies/1.2.3", everything),
                ("/studies/1.2.3/series/1.2.3.2", everything[-3:]),
                (stored[0][0], everything[:1]),
            ):
                for encoding in ("gzip", "identity", "gzip;q=0", "br, gzip;q=0.5"):
                    answer = await client.get(f"{path}/metadata", headers={"accept-encoding": encoding})
                    assert answer.json() == content, (state, path, encoding)
                    packed = encoding in ("gzip", "br, gzip;q=0.5")
                    assert ("gzip" in answer.headers.get("content-encoding", "")) == packed
                    assert answer.headers["cache-control"] == "private, no-cache"
                    etags.setdefault(path, set()).add(answer.headers["etag"])
                    same = {"if-none-match": f'"x", {answer.headers["etag"]}', "accept-encoding": encoding}
                    again = await client.get(f"{path}/metadata", headers=same)
                    assert (again.status_code, again.content) == (304, b"")
    # an arrival is another document; that a series settles is not
    assert {path: len(found) for path, found in etags.items()} == {
        "/studies/1.2.3": 2,
        "/studies/1.2.3/series/1.2.3.2": 1,
        stored[0][0]: 1,
    }


async def test_a_settled_series_is_sent_as_it_was_prepared(web: Web) -> None:
    for number in range(4):
        web.put(made.part10(image(number)))
    web.settle()
    for path in web.context.store.rglob("*.dcm"):
        path.unlink()  # nothing is read of the objects any more
    async with web.client() as client:
        async with client.stream(
            "GET", "/studies/1.2.3/series/1.2.3.1/metadata", headers={"accept-encoding": "gzip"}
        ) as answer:
            raw = b"".join([piece async for piece in answer.aiter_raw()])
            assert int(answer.headers["content-length"]) == len(raw)
        found = json.loads(gzip.decompress(raw))
        assert [one["00200013"]["Value"] for one in found] == [[0], [1], [2], [3]]
        assert found[0]["7FE00010"]["BulkDataURI"].startswith(
            f"{BASE}/studies/1.2.3/series/1.2.3.1/instances/"
        )
        # another address is filled in, as long as may be
        elsewhere = await client.get(
            "/studies/1.2.3/metadata",
            headers={"host": "a" * 150 + ".example:8443", "accept-encoding": "gzip"},
        )
        uri = elsewhere.json()[1]["7FE00010"]["BulkDataURI"]
        assert uri.startswith(f"http://{'a' * 150}.example:8443/dicom-web/studies/1.2.3/series/")


async def test_references_lead_to_what_they_stand_for(web: Web) -> None:
    address, _ = web.put(made.part10(image(7)))
    async with web.client() as client:
        (found,) = await get(client, f"{address}/metadata")
        assert found["00191011"]["BulkDataURI"] == f"{BASE}{address}/bulkdata/00191011"
        inner = found["00880200"]["Value"][0]["00420011"]["BulkDataURI"]
        assert inner == f"{BASE}{address}/bulkdata/00880200/1/00420011"
        assert (await client.get(inner)).content == bytes([7]) * 6000
        assert (await client.get(found["00191011"]["BulkDataURI"])).content == bytes(5000)
        assert (await client.get(found["7FE00010"]["BulkDataURI"])).content == image(7).PixelData


async def test_a_rejection_renews(web: Web) -> None:
    stored = [web.put(made.part10(image(number))) for number in (1, 2)]
    web.settle()
    path = "/studies/1.2.3/series/1.2.3.1/metadata"
    quality = account_principal("quality", 9, [Grant(Role.QC)])
    async with web.client(READER) as client, web.client(quality) as officer:
        before = await client.get(path)
        assert len(before.json()) == 2
        uid = stored[0][0].rpartition("/")[2]
        reject.reject(web.archive, STEWARD, code="113001", by="li", reason="motion", sop_uids=[uid])
        for _ in range(2):
            after = await client.get(path, headers={"if-none-match": before.headers["etag"]})
            assert after.status_code == 200
            assert [one["00200013"]["Value"] for one in after.json()] == [[2]]
            seen = await officer.get(path)
            assert [one["00200013"]["Value"] for one in seen.json()] == [[1], [2]]
            web.settle()
        assert (await client.get(f"{stored[0][0]}/metadata")).status_code == 404
        assert (await officer.get(f"{stored[0][0]}/metadata")).status_code == 200


async def test_xml(web: Web) -> None:
    for number in (1, 2):
        web.put(made.part10(image(number)))
    async with web.client() as client:
        documents = await get(client, "/studies/1.2.3/metadata")
        answer = await client.get("/studies/1.2.3/metadata", headers={"accept": XML})
        parts = parts_of(answer)
        assert [headers["Content-Type"] for headers, _ in parts] == ["application/dicom+xml"] * 2
        assert [xml_model.read(content) for _, content in parts] == documents
        assert (
            await client.get("/studies/1.2.3/metadata", headers={"accept": "text/html"})
        ).status_code == 406


@pytest.mark.parametrize("backend", ["sqlite"])
async def test_every_file_of_pydicom(web: Web) -> None:
    """Each object's metadata, made on the spot and prepared."""
    stored: dict[str, tuple[bytes, str]] = {}
    for path in sorted(FOLDER.glob("*.dcm")):
        file = path.read_bytes()
        try:
            syntax = part10.read_meta(file).transfer_syntax_uid
            address, data = web.put(file)
        except (Refused, AssertionError):
            continue
        stored[address] = data, syntax
    assert len(stored) > 30
    async with web.client() as client:
        for settled in (False, True):
            if settled:
                web.settle()
            for address, (data, syntax) in stored.items():
                (found,) = await get(client, f"{address}/metadata")
                assert found == expected(data, syntax, address)
                series = await get(client, f"{address.partition('/instances/')[0]}/metadata")
                assert found in series


async def test_an_object_that_cannot_be_read_costs_itself_only(web: Web) -> None:
    stored = [web.put(made.part10(image(number)))[0] for number in (1, 2)]
    with reading(web.context.engine) as connection:
        uid = stored[0].rpartition("/")[2]
        path = connection.scalar(select(versions.c.path).where(versions.c.sop_instance_uid == uid))
    (web.context.store / str(path)).unlink()
    async with web.client() as client:
        first, second = (await client.get("/studies/1.2.3/metadata")).json()
        assert (first["00080018"]["Value"], "7FE00010" in first) == ([uid], False)
        assert second["00200013"]["Value"] == [2]
        for below in ("/metadata", "/frames/1", "/bulkdata/00191011"):
            answer = await client.get(stored[0] + below)
            assert (answer.status_code, answer.json()["code"]) == (503, "unreadable"), below


async def test_a_generation_that_comes_again_is_another_document(web: Web) -> None:
    """After a restore or a rebuild series count from where they were then."""
    web.put(made.part10(image(1)))
    path = "/studies/1.2.3/series/1.2.3.1/metadata"
    target = Target(Level.STUDY, "1.2.3")
    context = web.context
    etags = set()
    async with web.client() as client:
        for text in ("before the restore", "after it"):
            with writing(context.engine) as connection:
                connection.execute(update(series).values(generation=1))
            changes = {"00081030": {"vr": "LO", "Value": [text]}}
            correct(context.engine, context.store, STEWARD, target, changes, reason="typo", by="li")
            answer = await client.get(path)
            assert answer.json()[0]["00081030"]["Value"] == [text]
            etags.add(answer.headers["etag"])
    assert len(etags) == 2
