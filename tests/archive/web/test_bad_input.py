"""What is wrong in a request is answered in words, by every route of DICOMweb: no 500, and nothing half stored."""

import asyncio
import json
import re
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from tests import made
from tests.archive.web.place import Place, dicom_parts, multipart, series
from tests.peers import eventually

from filmless.archive.tables import versions
from filmless.archive.web.capabilities import TABLE
from filmless.db.work import reading

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
#: the archive of a test is the same for all its examples
SHARED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

NASTY = [
    "..",
    "../../etc/passwd",
    "%2e%2e%2f",
    "1.2.3'; DROP TABLE studies;--",
    "1.2.3\0",
    "<script>alert(1)</script>",
    "1" * 65,
    "1" * 5000,
    "∞",
    " 1.2.3",
    "-1",
    "0",
    "1,2,3,0",
    "99999999999999999999",
    "NaN",
    "1.2.3\r\nSet-Cookie: a=b",
]
QUERIES = [
    "limit=-1",
    "limit=99999999999999999999",
    "limit=abc",
    "offset=1e9",
    "offset=9223372036854775807",
    "fuzzymatching=perhaps",
    "includefield=<script>",
    "includefield=" + ",".join(["00100010"] * 3000),
    "00100010=%00",
    "PatientName=%ff%fe",
    "PatientName=" + "*" * 2000,
    "StudyDate=99999999-",
    "StudyDate=20260101-20250101-2024",
    "StudyInstanceUID=" + "1.2.3," * 3000,
    "NoSuchKeyword=1",
    "00100010.00100020.00080018=1",
    "orderby=nothing",
    "orderby=-",
    "accept=///",
    "accept=image/png",
    "window=1,2",
    "window=a,b,linear",
    "window=0,0,linear",
    "window=1e400,1e400,linear",
    "viewport=0,0",
    "viewport=99999999,99999999",
    "viewport=-1,1",
    "viewport=1,1,1,1,1,1,1",
    "quality=1000",
    "quality=none",
    "iccprofile=mine",
    "annotation=everything",
    "presentationstate=1.2.3",
    "requestType=WADO&studyUID=..&seriesUID=..&objectUID=..",
    "requestType=WADO&studyUID=1.2.3&seriesUID=1.2.3.1&objectUID=1&contentType=a/b&rows=-1&frameNumber=x",
    "a=" + "b" * 20_000,
    "&&&===%%%",
]
HEADERS = [
    {"accept": "///"},
    {"accept": ";;;;,,,,"},
    {"accept": 'multipart/related; type="application/dicom'},
    {"accept": "application/dicom; transfer-syntax=<script>"},
    {"accept": "application/dicom; transfer-syntax=1.2.3.4.5"},
    {"accept": "a/b;q=9, " * 3000},
    {"accept": "*/*;q=nan"},
    {"range": "bytes=9999999999999999999999-"},
    {"range": "bytes=5-1"},
    {"range": "bytes=-0"},
    {"range": "lines=1-2"},
    {"if-none-match": '"' * 100},
    {"if-none-match": 'W/"x", *'},
    {"forwarded": 'for="[";proto=x;host="a b"'},
]


async def ready(place: Place) -> str:
    """One object in the archive; its SOP Instance UID."""
    (image,) = series(1)
    async with place.client() as client:
        assert (await client.post("/studies", **multipart(dicom_parts([image])))).status_code == 200
    return str(image.SOPInstanceUID)


def filled(path: str, values: dict[str, str]) -> str:
    """The path of a route with these values; others are as of nothing that exists."""
    return re.sub(r"\{(\w+)(:path)?\}", lambda found: quote(values.get(found[1], "1.2.9"), safe="^,"), path)


def check(answer: httpx.Response, asked: object) -> None:
    """Not a defect, and where it is an error, it is told in words that hold nothing of what was sent."""
    assert answer.status_code < 500, (asked, answer.status_code, answer.text[:300])
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", (asked, answer.text[:300])
        told = answer.json()
        assert told["status"] == answer.status_code
        assert told["title"]
    assert "text/html" not in answer.headers.get("content-type", ""), asked
    assert "set-cookie" not in answer.headers, asked


async def nothing_half_stored(place: Place) -> None:
    """Every file is one that the index knows, and nothing is under way."""
    # the answer comes a moment before the archive's own count
    await asyncio.to_thread(eventually, lambda: place.archive._under_way == 0, "nothing is under way")
    with reading(place.context.engine) as connection:
        known = connection.scalar(select(func.count()).select_from(versions)) or 0
    assert place.files() == known + place.quarantined()


ROWS = sorted(TABLE)


async def test_no_address_breaks_anything(place: Place) -> None:
    sop = await ready(place)
    right = {"study": "1.2.3", "series": "1.2.3.1", "instance": sop, "frames": "1", "code": "113001^DCM"}
    async with place.client() as client:
        for method, path in ROWS:
            names = re.findall(r"\{(\w+)(?::path)?\}", path)
            for nasty in NASTY:
                for name in names:
                    url = filled(path, {**right, name: nasty}) + "?reason=x"
                    if nasty == ".." and method in ("DELETE", "POST"):
                        # the client itself makes it the address of what is above
                        continue
                    check(await client.request(method, url), (method, url))
    assert place.stored() == {sop}
    await nothing_half_stored(place)


async def test_no_parameter_and_no_header_breaks_anything(place: Place) -> None:
    sop = await ready(place)
    right = {"study": "1.2.3", "series": "1.2.3.1", "instance": sop, "frames": "1", "path": "7FE00010"}
    async with place.client() as client:
        # a third of them on each route, each on many
        for number, (method, path) in enumerate(ROWS):
            if method != "GET":
                continue
            url = filled(path, right)
            for query in QUERIES[number % 3 :: 3]:
                check(await client.get(f"{url}?{query}"), (url, query[:80]))
            for headers in HEADERS[number % 3 :: 3]:
                check(await client.get(url, headers=headers), (url, str(headers)[:80]))


@SHARED
@given(
    st.dictionaries(
        st.one_of(
            st.sampled_from(
                ["PatientName", "00100020", "limit", "offset", "includefield", "orderby", "StudyDate"]
            ),
            st.text(max_size=12),
        ),
        st.text(max_size=24),
        max_size=4,
    ),
    st.sampled_from(["/studies", "/series", "/instances", "/studies/1.2.3/series"]),
)
async def test_no_search_breaks_anything(place: Place, query: dict[str, str], path: str) -> None:
    parts = [
        f"{quote(name.encode('utf-8', 'surrogatepass'))}={quote(value.encode('utf-8', 'surrogatepass'))}"
        for name, value in query.items()
    ]
    async with place.client() as client:
        check(await client.get(f"{path}?{'&'.join(parts)}"), query)


WHOLE = multipart(
    [
        *dicom_parts(series(2, study="1.2.5")),
        ("application/dicom", b"no object", ""),
    ]
)
METADATA = multipart(
    [
        ("application/dicom+json", b'[{"00080018": {"vr": "UI", "Value": ["1.2.6"]}}]'),
        ("application/octet-stream", b"1234", "bulk"),
    ],
    root="application/dicom+json",
)


@SHARED
@given(
    st.sampled_from([WHOLE, METADATA]),
    st.integers(0, 1 << 16),
    st.one_of(
        st.binary(max_size=60),
        st.sampled_from([b"\r\n--b0\r\n", b"\r\n--b0--", b"--b0", b"\0" * 40, b"\r\n\r\n"]),
    ),
    st.integers(0, 60),
    st.integers(0, 1 << 16),
)
async def test_no_body_breaks_anything(
    place: Place, request: Any, at: int, noise: bytes, removed: int, cut: int
) -> None:
    content = request["content"]
    at %= len(content)
    broken = content[:at] + noise + content[at + removed :]
    # one in two is cut short
    broken = broken[: cut % len(broken)] if cut % 2 and broken else broken
    async with place.client() as client:
        answer = await client.post("/studies", content=broken, headers=request["headers"])
    assert answer.status_code in (200, 202, 400, 409)
    if answer.status_code == 400:
        check(answer, broken)
    else:
        json.loads(answer.content)
    await nothing_half_stored(place)


@pytest.mark.parametrize(
    ("kind", "content", "status"),
    [
        ("", b"x", 415),
        ("text/html", b"<html>", 415),
        ("application/json", b"{}", 415),
        ("multipart/related", b"x", 400),
        ("multipart/form-data; boundary=b", b"--b--", 415),
        ("multipart/related; boundary=", b"x", 400),
        ('multipart/related; type="application/dicom"; boundary=' + "b" * 201, b"x", 400),
        ('multipart/related; type="application/dicom"; boundary=c', b"--b\r\n\r\nx\r\n--b--", 400),
        ('multipart/related; type="application/dicom"; boundary=b', b"", 400),
        ('multipart/related; type="application/dicom"; boundary=b', b"--b--", 400),
        ('multipart/related; type="application/dicom"; boundary=b', b"--b\r\n\r\n", 400),
        ('multipart/related; type="application/dicom"; boundary=b', b"--b\r\nA" * 9000, 400),
        ('multipart/related; type="image/png"; boundary=b', b"--b\r\n\r\nx\r\n--b--", 415),
        ("multipart/related; boundary=b", b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--", 415),
        ("multipart/related; boundary=b", b"--b\r\n\r\nx\r\n--b--", 400),
        (
            'multipart/related; type="application/dicom+xml"; boundary=b',
            b"--b\r\n\r\n<!DOCTYPE x>\r\n--b--",
            400,
        ),
        ("application/dicom", b"", 400),
        ("application/dicom", b"x" * 2_000_000, 400),
        ("a" * 9000, b"x", 400),
    ],
)
async def test_messages_that_are_none(place: Place, kind: str, content: bytes, status: int) -> None:
    async with place.client() as client:
        answer = await client.post(
            "/studies", content=content, headers={"content-type": kind} if kind else {}
        )
        check(answer, kind)
        assert answer.status_code == status, answer.text
        compressed = {"content-type": "application/dicom", "content-encoding": "gzip"}
        assert (await client.post("/studies", content=content, headers=compressed)).status_code == 415
    assert (place.files(), place.stored()) == (0, set())
    await nothing_half_stored(place)


async def test_scripts_in_names_stay_text(place: Place) -> None:
    script = "<script>alert('x')</script>^]]>&amp;"
    objects = series(1, name=script)
    objects[0].StudyDescription = '"><img src=x onerror=alert(1)>\x07'
    async with place.client() as client:
        assert (await client.post("/studies", **multipart(dicom_parts(objects)))).status_code == 200
        for path in ("/studies", "/studies/1.2.3/metadata"):
            answer = await client.get(path, headers={"accept": "application/dicom+json"})
            (found,) = answer.json()
            assert found["00100010"]["Value"] == [{"Alphabetic": script}]
            answer = await client.get(
                path, headers={"accept": 'multipart/related; type="application/dicom+xml"'}
            )
            assert answer.status_code == 200
            (document,) = re.findall(rb"<\?xml.*?</NativeDicomModel>", answer.content, re.DOTALL)
            family = ElementTree.fromstring(document).find(".//{*}FamilyName")
            assert family is not None
            assert family.text == script.split("^")[0]
        answer = await client.get(f"/studies?PatientName={quote(script)}")
        assert answer.headers["content-type"] == "application/dicom+json"
        bad = await client.get(f"/studies?{quote(script)}=1")
        check(bad, "a script as keyword")
        assert bad.headers["content-type"] == "application/problem+json"


async def test_uids_that_are_paths_are_never_paths(place: Place) -> None:
    """File names come from us alone, whatever an object calls itself."""
    objects = series(1)
    plain = made.part10(objects[0])
    uid = str(objects[0].SOPInstanceUID).encode()
    for nasty in (b"../../../tmp/x", b"/etc/passwd", b"..\\..\\x", b"1.2.3\0/../x"):
        changed = plain.replace(uid, nasty.ljust(len(uid), b"0")[: len(uid)])
        async with place.client() as client:
            answer = await client.post("/studies", **multipart([("application/dicom", changed)]))
        assert answer.status_code in (400, 409)
    await nothing_half_stored(place)
    assert place.stored() == set()
    assert all(
        file.name.endswith(".dcm") and len(file.stem) == 32 for file in place.context.store.rglob("*.dcm")
    )
