"""QIDO-RS against brute force over plain dicts, for every resource, on both databases."""

import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from pydicom.dataset import Dataset
from sqlalchemy import Engine, insert
from tests.archive.query import objects, oracle
from tests.archive.query.conftest import filled  # noqa: F401
from tests.archive.query.test_against_oracle import QUERIES
from tests.archive.web.asked import Kept, context, signed_in, site

from filmless.access.audit.model import Kind
from filmless.access.model import ENGINEER, Grant, Principal, Role, account_principal
from filmless.archive import searchable
from filmless.archive.model import ArchiveSettings
from filmless.archive.tables import studies
from filmless.archive.web import qido, searching
from filmless.db.work import writing
from filmless.kit import clock
from filmless.net.http.model import HttpSettings
from filmless.patients.tables import patients

HOSPITAL = objects.hospital()
DOCTOR = account_principal("doctor", 1, [Grant(Role.ATT)])
STUDY, SERIES, IMAGE = 0x0020000D, 0x0020000E, 0x00080018
UNIQUE = {"STUDY": STUDY, "SERIES": SERIES, "IMAGE": IMAGE}
PATHS = {"STUDY": "/studies", "SERIES": "/series", "IMAGE": "/instances"}


class Client:
    """Asks as one principal and keeps what the trail was told."""

    def __init__(self, engine: Engine, folder: Path, who: Principal | None = DOCTOR, **more: Any) -> None:
        self.trail = Kept()
        self.who = who
        self.service = qido.Service(context(engine, folder, self.trail, **more))
        self.app = site(self.service.routes())

    async def get(
        self, path: str, query: dict[str, str] | str = "", accept: str = "", **headers: str
    ) -> httpx.Response:
        text = query if isinstance(query, str) else urlencode(query)
        async with signed_in(self.app, self.who) as client:
            address = f"/dicom-web{path}" + (f"?{text}" if text else "")
            given = {"accept": accept, **headers} if accept else headers
            return await client.get(address, headers=given)

    async def uids(self, level: str, path: str, query: dict[str, str] | str = "") -> list[str]:
        answer = await self.get(path, query)
        assert answer.status_code == 200, answer.text
        return [one[f"{UNIQUE[level]:08X}"]["Value"][0] for one in answer.json()]


@pytest.fixture
def client(filled: Engine, tmp_path: Path) -> Client:  # noqa: F811
    return Client(filled, tmp_path)


def parameters(keys: dict[int, Any]) -> str:
    """Keys of the oracle as a query string: sequences by dotted paths, the rest by tag."""
    pairs = []
    for tag, key in keys.items():
        if isinstance(key, dict):
            pairs += [(f"{tag:08X}.{inner:08X}", value) for inner, value in key.items()]
        else:
            pairs.append((f"{tag:08x}", key))
    return urlencode(pairs)


def left(number: int) -> str:
    """How a warning says how many answers are left: counted so far only as it costs little."""
    return str(number) if number < qido.COUNTED else f"at least {qido.COUNTED}"


QUESTIONS = [(level if level != "PATIENT" else "STUDY", keys) for level, keys in QUERIES]


@pytest.mark.parametrize("level", ["STUDY", "SERIES", "IMAGE"])
async def test_every_question_finds_what_brute_force_finds(client: Client, level: str) -> None:
    asked = [keys for at, keys in QUESTIONS if at == level]
    assert asked
    wrong = []
    for keys in asked:
        found = await client.uids(level, PATHS[level], parameters(keys))
        if sorted(found) != sorted(oracle.answer(HOSPITAL, level, keys, combined=True)):
            wrong.append(keys)
    assert wrong == []


async def test_resources_below_a_study_and_a_series(client: Client) -> None:
    visible = oracle.seen(HOSPITAL, quality_control=False)
    for one in visible[::37]:
        study, series = one[STUDY], one[SERIES]
        of_study = [other for other in visible if other[STUDY] == study]
        of_series = [other for other in of_study if other[SERIES] == series]
        assert set(await client.uids("SERIES", f"/studies/{study}/series")) == {o[SERIES] for o in of_study}
        assert set(await client.uids("IMAGE", f"/studies/{study}/instances")) == {o[IMAGE] for o in of_study}
        path = f"/studies/{study}/series/{series}/instances"
        assert set(await client.uids("IMAGE", path)) == {o[IMAGE] for o in of_series}
        number = of_series[0][0x00200013]
        expected = {o[IMAGE] for o in of_series if int(o[0x00200013]) == int(number)}
        assert set(await client.uids("IMAGE", path, {"InstanceNumber": number})) == expected
    # another study's series is not below this one, nor what a parameter adds to the address
    other = next(o for o in visible if o[STUDY] != visible[0][STUDY])
    path = f"/studies/{visible[0][STUDY]}/series/{other[SERIES]}/instances"
    assert await client.uids("IMAGE", path) == []
    path = f"/studies/{visible[0][STUDY]}/series"
    assert await client.uids("SERIES", path, {"StudyInstanceUID": other[STUDY]}) == []
    both = f"{other[STUDY]},{visible[0][STUDY]}"
    expected = {o[SERIES] for o in visible if o[STUDY] == visible[0][STUDY]}
    assert set(await client.uids("SERIES", path, {"StudyInstanceUID": both})) == expected


async def test_lists_of_uids_by_comma_backslash_and_repetition(client: Client) -> None:
    wanted = sorted({o[STUDY] for o in oracle.seen(HOSPITAL, quality_control=False)})[:4]
    for query in (
        f"StudyInstanceUID={','.join(wanted)}",
        f"StudyInstanceUID={'%5C'.join(wanted)}",
        "&".join(f"0020000d={uid}" for uid in wanted),
    ):
        assert sorted(await client.uids("STUDY", "/studies", query)) == wanted
    found = await client.uids("STUDY", "/studies", "ModalitiesInStudy=CT,MR")
    expected = oracle.answer(HOSPITAL, "STUDY", {0x00080061: "CT"}) | oracle.answer(
        HOSPITAL, "STUDY", {0x00080061: "MR"}
    )
    assert set(found) == expected
    found = await client.uids("STUDY", "/studies", "ModalitiesInStudy=CT,MR&multiplevaluematching=true")
    assert set(found) == oracle.answer(HOSPITAL, "STUDY", {0x00080061: "CT"}) & oracle.answer(
        HOSPITAL, "STUDY", {0x00080061: "MR"}
    )


async def test_fuzzy_and_empty_values_have_to_be_asked_for(client: Client) -> None:
    assert await client.uids("STUDY", "/studies", {"PatientName": "Zang Wei"}) == []
    found = await client.uids("STUDY", "/studies", {"PatientName": "Zang Wei", "fuzzymatching": "true"})
    expected = {
        o[STUDY] for o in oracle.seen(HOSPITAL, quality_control=False) if o[0x00100010] == "ZHANG^WEI=张^伟"
    }
    assert expected
    assert set(found) == expected
    assert await client.uids("STUDY", "/studies", {"AccessionNumber": '""'}) == []
    found = await client.uids("STUDY", "/studies", {"AccessionNumber": '""', "emptyvaluematching": "true"})
    assert set(found) == {
        o[STUDY] for o in oracle.seen(HOSPITAL, quality_control=False) if o[0x00080050] == ""
    }


async def test_what_only_quality_control_sees_is_absent_for_others(
    filled: Engine,  # noqa: F811
    tmp_path: Path,
) -> None:
    for who, quality in ((DOCTOR, False), (ENGINEER, True)):
        client = Client(filled, tmp_path, who)
        for level, path in PATHS.items():
            expected = {o[UNIQUE[level]] for o in oracle.seen(HOSPITAL, quality)}
            answer = await client.get(path, "count=true")
            assert answer.headers["x-total-count"] == str(len(expected))
            assert {one[f"{UNIQUE[level]:08X}"]["Value"][0] for one in answer.json()} == expected
        one = (await client.get("/studies", "limit=1")).json()[0]
        uid = one["0020000D"]["Value"][0]
        _, series, instances = oracle.counts(HOSPITAL, STUDY, uid, quality)
        assert (one["00201206"]["Value"], one["00201208"]["Value"]) == ([series], [instances])


async def test_nobody_and_who_may_not_search_get_nothing(
    filled: Engine,  # noqa: F811
    tmp_path: Path,
) -> None:
    assert (await Client(filled, tmp_path, None).get("/studies")).status_code == 401
    triage = Client(filled, tmp_path, account_principal("triage", 2, [Grant(Role.TRI)]))
    answer = await triage.get("/studies", {"PatientID": "P0001"})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    (entry,) = triage.trail.entries
    assert (entry.kind, entry.outcome) == (Kind.SEARCH, "refused")


async def test_searches_are_audited_with_what_was_asked_for(client: Client) -> None:
    await client.get("/studies", {"PatientID": "P0001", "limit": "3"})
    (entry,) = client.trail.entries
    assert (entry.kind, entry.outcome, entry.who, entry.host) == (
        Kind.SEARCH,
        "success",
        DOCTOR,
        "192.0.2.7",
    )
    assert entry.query == "/dicom-web/studies?PatientID=P0001&limit=3"
    assert entry.patients == ("P0001",)
    await client.get("/studies", {"StudyDate": "yesterday"})
    assert client.trail.entries[-1].outcome == "failed"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/studies", "limit=-1"),
        ("/studies", "limit=ten"),
        ("/studies", "limit=99999999999999999999"),
        ("/studies", "offset=1e3"),
        ("/studies", "offset=%D9%A3"),
        ("/studies", "fuzzymatching=maybe"),
        ("/studies", "count=2"),
        ("/studies", "StudyDate=20241301"),
        ("/studies", "StudyDate=2024-2023-1"),
        ("/studies", "StudyTime=2500"),
        ("/studies", "PatientNmae=X"),
        ("/studies", "PatientName.CodeValue.%00=X"),
        ("/studies", "PatientID=%00"),
        ("/studies", "PatientID=%FF"),
        ("/studies", "includefield=%3Cscript%3E"),
        ("/studies", "orderby=NoSuchThing"),
        ("/studies", "orderby=Modality"),
        ("/studies", "orderby=StudyDate,StudyDate"),
        ("/studies", "after=nonsense"),
        ("/studies", "after=WzFd"),
        ("/studies", "after=%F0%9F%98%80"),
        ("/studies", "%3Cscript%3E=1"),
        ("/studies", "PatientID=" + "x" * 2000),
        ("/studies", "PatientID=" + "\\".join("x" * 100)),
        ("/studies", "&".join(f"{number:08X}=1" for number in range(300))),
        ("/studies/1.2.3;drop/series", ""),
        ("/studies/1.2.3%00/series", ""),
        ("/studies/" + "1" * 65 + "/series", ""),
        ("/studies/..%5C..%5Cetc/series/1/instances", ""),
    ],
)
async def test_absurd_requests_get_a_clear_answer(client: Client, path: str, query: str) -> None:
    answer = await client.get(path, query)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


async def test_warnings_name_what_was_not_matched_and_how_much_is_left(client: Client) -> None:
    answer = await client.get("/studies", "Manufacturer=X&PixelSpacing=1&jquery_=7&limit=3")
    warnings = answer.headers.get_list("warning")
    assert answer.status_code == 200
    assert len(warnings) == 3
    assert all(one.startswith('299 http://pacs.example/dicom-web: "') for one in warnings)
    assert "Manufacturer, PixelSpacing" in warnings[0]
    assert "jquery_" in warnings[1]
    total = len(oracle.answer(HOSPITAL, "STUDY", {}))
    assert f"There are {left(total - 3)} additional results that can be requested" in warnings[2]
    nothing = await client.get("/studies", "limit=1000")
    assert "warning" not in nothing.headers
    assert "link" not in nothing.headers


async def test_no_answer_is_an_empty_list(client: Client) -> None:
    # PS3.18 10.6.3.1 since 2024: 200 with an empty list, no longer 204
    for query in ("PatientID=NOBODY", "limit=0"):
        answer = await client.get("/studies", query)
        assert (answer.status_code, answer.json()) == (200, [])
        assert answer.headers["content-type"] == "application/dicom+json"
    in_parts = await client.get(
        "/studies", "PatientID=NOBODY", 'multipart/related; type="application/dicom+xml"'
    )
    assert in_parts.status_code == 200
    assert in_parts.content.endswith(b"--\r\n")


async def test_the_server_has_a_maximum_too(filled: Engine, tmp_path: Path) -> None:  # noqa: F811
    total = len(oracle.answer(HOSPITAL, "IMAGE", {}))
    client = Client(filled, tmp_path, settings=ArchiveSettings(search_maximum=7))
    for query in ("", "limit=100"):
        answer = await client.get("/instances", query)
        assert len(answer.json()) == 7
        assert f"There are {left(total - 7)} additional" in answer.headers["warning"]


async def test_long_answers_are_made_page_by_page(
    filled: Engine,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(qido, "_PAGE", 10)
    client = Client(filled, tmp_path)
    everything = oracle.answer(HOSPITAL, "IMAGE", {})
    answer = await client.get("/instances", "count=true")
    assert "content-length" not in answer.headers
    found = [one["00080018"]["Value"][0] for one in answer.json()]
    assert sorted(found) == sorted(everything)
    assert "warning" not in answer.headers
    some = await client.get("/instances", "limit=35&offset=4")
    assert [one["00080018"]["Value"][0] for one in some.json()] == found[4:39]
    assert f"There are {left(len(everything) - 39)} additional" in some.headers["warning"]
    xml = await client.get("/instances", "limit=25", "multipart/related; type=application/dicom+xml")
    assert xml.content.count(b"<NativeDicomModel") == 25


@pytest.mark.parametrize("level", ["STUDY", "SERIES", "IMAGE"])
async def test_every_page_once_by_offset_and_by_link(client: Client, level: str) -> None:
    everything = await client.uids(level, PATHS[level])
    assert set(everything) == oracle.answer(HOSPITAL, level, {})
    by_offset: list[str] = []
    for offset in range(0, len(everything) + 13, 13):
        by_offset += await client.uids(level, PATHS[level], f"limit=13&offset={offset}")
    assert by_offset == everything
    assert await client.uids(level, PATHS[level], "limit=5&offset=17") == everything[17:22]
    assert await client.uids(level, PATHS[level], f"offset={len(everything)}") == []
    by_link: list[str] = []
    query = "limit=13"
    while query:
        answer = await client.get(PATHS[level], query)
        by_link += [one[f"{UNIQUE[level]:08X}"]["Value"][0] for one in answer.json()]
        link = answer.links.get("next", {}).get("url", "")
        assert not link or link.startswith(f"http://pacs.example/dicom-web{PATHS[level]}?")
        query = link.partition("?")[2]
    assert by_link == everything


def _number(text: str) -> tuple[int, str]:
    plain = text.lstrip("+0")
    return len(plain), plain


ORDERS = {
    "StudyDate": ("STUDY", lambda o: o[0x00080020]),
    "PatientID": ("STUDY", lambda o: o[0x00100020]),
    "00080050": ("STUDY", lambda o: o[0x00080050]),
    "SeriesNumber": ("SERIES", lambda o: _number(o[0x00200011])),
    "Modality": ("SERIES", lambda o: o[0x00080060]),
    "Rows": ("IMAGE", lambda o: int(o[0x00280010] or -1)),
    "SeriesDescription": ("IMAGE", lambda o: oracle.fold(o[0x0008103E])),
}


@pytest.mark.parametrize("word", ORDERS)
@pytest.mark.parametrize("sign", ["", "-"])
async def test_answers_in_the_order_asked_for(client: Client, word: str, sign: str) -> None:
    level, value = ORDERS[word]
    objects_by_uid = {o[UNIQUE[level]]: o for o in HOSPITAL}
    found: list[str] = []
    query = f"limit=29&orderby={sign}{word}"
    while query:
        answer = await client.get(PATHS[level], query)
        found += [one[f"{UNIQUE[level]:08X}"]["Value"][0] for one in answer.json()]
        query = answer.links.get("next", {}).get("url", "").partition("?")[2]
    values = [value(objects_by_uid[uid]) for uid in found]
    assert values == sorted(values, reverse=bool(sign))
    assert len(set(map(str, values))) > 1
    assert set(found) == oracle.answer(HOSPITAL, level, {})


async def test_orders_of_two_directions(client: Client) -> None:
    by_uid = {o[STUDY]: o for o in HOSPITAL}
    found: list[str] = []
    query = "limit=11&orderby=PatientSex,-StudyDate"
    while query:
        answer = await client.get("/studies", query)
        found += [one["0020000D"]["Value"][0] for one in answer.json()]
        query = answer.links.get("next", {}).get("url", "").partition("?")[2]
    assert set(found) == oracle.answer(HOSPITAL, "STUDY", {})
    values = [(by_uid[uid][0x00100040], by_uid[uid][0x00080020]) for uid in found]
    by_date = sorted(values, key=lambda pair: pair[1], reverse=True)
    assert values == sorted(by_date, key=lambda pair: pair[0])


DEFAULTS = {
    # tables 10.6.3-3 to 10.6.3-5: what is there whatever was asked for
    "/studies": "00080020 00080030 00080050 00080056 00080061 00080090 00081190 00100010 00100020 00100030 00100040"
    " 0020000D 00200010 00201206 00201208",
    "/studies/{study}/series": "00080060 0008103E 00081190 0020000E 00200011 00201209 00400244 00400245 00400275",
    "/studies/{study}/series/{series}/instances": "00080016 00080018 00080056 00081190 00200013",
}
DEFAULTS["/series"] = DEFAULTS["/studies"] + " " + DEFAULTS["/studies/{study}/series"]
DEFAULTS["/studies/{study}/instances"] = (
    DEFAULTS["/studies/{study}/series"] + " " + DEFAULTS["/studies/{study}/series/{series}/instances"]
)
DEFAULTS["/instances"] = DEFAULTS["/series"] + " " + DEFAULTS["/studies/{study}/instances"]


@pytest.mark.parametrize("path", DEFAULTS)
async def test_answers_have_what_the_standard_wants(client: Client, path: str) -> None:
    one = oracle.seen(HOSPITAL, quality_control=False)[5]
    address = path.format(study=one[STUDY], series=one[SERIES])
    for answer in (await client.get(address)).json():
        assert set(DEFAULTS[path].split()) <= set(answer)
        assert list(answer) == sorted(answer)
        url = answer["00081190"]["Value"][0]
        parts = f"/studies/{answer['0020000D']['Value'][0]}"
        if not path.endswith("studies"):
            parts += f"/series/{answer['0020000E']['Value'][0]}"
        if path.endswith("instances"):
            parts += f"/instances/{answer['00080018']['Value'][0]}"
        assert url == f"http://pacs.example/dicom-web{parts}"


async def test_included_fields(client: Client) -> None:
    plain = (await client.get("/studies", "limit=1")).json()[0]
    assert "00081030" not in plain
    for query in (
        "includefield=StudyDescription,00100021",
        "includefield=00081030&includefield=IssuerOfPatientID",
    ):
        more = (await client.get("/studies", f"limit=1&{query}")).json()[0]
        assert set(more) - set(plain) == {"00081030", "00100021"}
    everything = (await client.get("/studies", "limit=1&includefield=all")).json()[0]
    assert {"00081030", "00100021", "00081032", "00080062", "00201200"} <= set(everything)
    # attributes of lower levels are no attributes of a study; unknown ones are left out
    lower = (
        await client.get("/studies", "limit=1&includefield=Modality,SOPInstanceUID,PixelSpacing")
    ).json()[0]
    assert set(lower) == set(plain)
    series = (await client.get("/series", "limit=1&includefield=all")).json()[0]
    assert {"00180015", "00080060", "00100010"} <= set(series)


async def test_matched_attributes_are_returned(client: Client) -> None:
    one = next(o for o in oracle.seen(HOSPITAL, quality_control=False) if o[0x00081030])
    found = (await client.get("/studies", {"StudyDescription": one[0x00081030]})).json()
    assert {oracle.fold(answer["00081030"]["Value"][0]) for answer in found} == {oracle.fold(one[0x00081030])}


def _of_pydicom(model: dict[str, Any]) -> Dataset:
    """A foreign reader: raises where the JSON is not the standard's."""
    return Dataset.from_json(json.dumps(model), bulk_data_uri_handler=lambda *_: None)


@pytest.mark.parametrize("path", ["/studies", "/series", "/instances"])
async def test_pydicom_reads_every_answer(client: Client, path: str) -> None:
    by_uid = (
        {o[IMAGE]: o for o in HOSPITAL} | {o[SERIES]: o for o in HOSPITAL} | {o[STUDY]: o for o in HOSPITAL}
    )
    tag = {"/studies": "StudyInstanceUID", "/series": "SeriesInstanceUID", "/instances": "SOPInstanceUID"}[
        path
    ]
    answers = (await client.get(path, "includefield=all&limit=60")).json()
    for answer in answers:
        read = _of_pydicom(answer)
        made = by_uid[str(read[tag].value)]
        assert str(read.PatientName) == made[0x00100010].rstrip("^")
        assert read.PatientID == made[0x00100020]
        assert read.StudyDate == made[0x00080020]
        if path != "/studies":
            assert read.Modality == made[0x00080060]
            assert str(read.SeriesNumber or "") == made[0x00200011].lstrip("0")


async def test_xml_says_the_same_as_json(client: Client) -> None:
    from email import message_from_bytes
    from xml.etree import ElementTree

    query = "limit=8&includefield=all"
    expected = (await client.get("/series", query)).json()
    answer = await client.get("/series", query, 'multipart/related; type="application/dicom+xml"')
    assert answer.headers["content-type"].startswith('multipart/related; type="application/dicom+xml"')
    whole = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode() + answer.content
    parts = message_from_bytes(whole).get_payload()
    assert len(parts) == len(expected)
    for part, wanted in zip(parts, expected, strict=True):
        assert part.get_content_type() == "application/dicom+xml"
        root = ElementTree.parse(io.BytesIO(part.get_payload(decode=True))).getroot()
        got = {element.get("tag"): element for element in root if element.get("tag")}
        assert set(got) == set(wanted)
        for name, element in wanted.items():
            if element["vr"] in ("SQ", "PN") or not element.get("Value"):
                continue
            values = [value.text or "" for value in got[name] if value.tag.endswith("Value")]
            assert values == [str(value) for value in element["Value"]]


@pytest.mark.parametrize(
    ("accept", "status", "kind"),
    [
        ("", 200, "application/dicom+json"),
        ("*/*", 200, "application/dicom+json"),
        ("application/*", 200, "application/dicom+json"),
        ("application/json", 200, "application/dicom+json"),
        (
            'application/dicom+json;q=0.5, multipart/related;type="application/dicom+xml"',
            200,
            "multipart/related",
        ),
        ("multipart/related; type=application/dicom+xml", 200, "multipart/related"),
        ("text/html", 406, "application/problem+json"),
        ("image/png", 406, "application/problem+json"),
        ('multipart/related; type="application/dicom"', 406, "application/problem+json"),
    ],
)
async def test_what_is_accepted(client: Client, accept: str, status: int, kind: str) -> None:
    answer = await client.get("/studies", "limit=1", accept)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith(kind)


async def test_addresses_behind_a_reverse_proxy(filled: Engine, tmp_path: Path) -> None:  # noqa: F811
    http = HttpSettings(trusted_proxies=("192.0.2.0/24",))
    client = Client(filled, tmp_path, http=http)
    headers = {"forwarded": "for=203.0.113.9;proto=https;host=images.example"}
    answer = await client.get("/studies", "limit=1", **headers)
    assert answer.json()[0]["00081190"]["Value"][0].startswith("https://images.example/dicom-web/studies/")
    assert answer.links["next"]["url"].startswith("https://images.example/dicom-web/studies?")
    assert client.trail.entries[-1].host == "203.0.113.9"
    stranger = Client(filled, tmp_path)
    answer = await stranger.get("/studies", "limit=1", **headers)
    assert answer.json()[0]["00081190"]["Value"][0].startswith("http://pacs.example/dicom-web/studies/")


async def test_a_search_that_takes_too_long_is_given_up(
    filled: Engine,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sqlalchemy import text as sql

    from filmless.archive.web.searching import Searcher
    from filmless.db.engine import open_engine
    from filmless.kit.errors import Unavailable

    searcher = Searcher(filled, threads=1, longest=0.2)
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        if filled.dialect.name == "sqlite"
        else "SELECT pg_sleep(60)"
    )
    with pytest.raises(Unavailable):
        await searcher.run(lambda connection: connection.execute(sql(endless)).fetchall())
    with pytest.raises(Unavailable) as unavailable:
        await Searcher(open_engine("sqlite:////nowhere/at/all.sqlite")).run(lambda connection: connection)
    assert unavailable.value.code == "index-busy"
    # its thread and its connection serve others at once
    assert await searcher.run(lambda connection: connection.scalar(sql("SELECT 1"))) == 1


async def test_at_once_or_by_a_thread_it_is_the_same(
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the way: the same answer, the same entry in the trail, and what has just been changed."""
    service = client.service
    if not service._at_once.possible:
        pytest.skip("PostgreSQL is asked by threads")
    threads: list[int] = []
    run = service._searcher.run

    async def counted(work: Any) -> Any:
        threads.append(1)
        return await run(work)

    monkeypatch.setattr(service._searcher, "run", counted)
    monkeypatch.setattr(searchable, "_FRESH", 3600.0)
    query = {"PatientName": f"{HOSPITAL[0][0x00100010][:1]}*", "limit": "3"}
    first = await client.get("/studies", query)
    assert len(threads) == 1
    at_once = await client.get("/studies", query)
    assert len(threads) == 1
    # nothing may be done at once: it is interrupted at its first instructions
    monkeypatch.setattr(searching, "AT_ONCE", -1)
    monkeypatch.setattr(searching, "_INSTRUCTIONS", 1)
    service._at_once._connection = None
    by_thread = await client.get("/studies", query)
    assert len(threads) == 2
    assert first.json() == at_once.json() == by_thread.json() != []
    assert first.headers == at_once.headers == by_thread.headers
    entries = client.trail.entries
    assert len(entries) == 3
    assert entries[0] == entries[1] == entries[2]


async def test_at_once_each_sees_what_is_his(filled: Engine, tmp_path: Path) -> None:  # noqa: F811
    """Those who ask the same in turn are answered by what each of them may see."""
    client = Client(filled, tmp_path)
    nobody = account_principal("nobody", 2, [Grant(Role.CLI)])
    for _ in range(3):
        client.who = DOCTOR
        assert await client.uids("STUDY", "/studies", "limit=5")
        client.who = nobody
        assert await client.uids("STUDY", "/studies", "limit=5") == []


async def test_a_letter_is_never_taken_for_another(engine: Engine, tmp_path: Path) -> None:
    """Values that look like JSON, as received and in their columns."""
    odd = ['A"]},"00100020', "a\\nb", "\\u0041", '"', "\\\\", "{}", "a\tb"]
    with writing(engine) as connection:
        for number, value in enumerate(odd, 1):
            row = {"id": number, "created_at": clock.now(), "attributes": {}, "other_ids": []}
            connection.execute(insert(patients).values(patient_id=value, issuer="", name=value, **row))
            told = {
                "00200010": {"vr": "SH", "Value": [value]},
                "00080050": {"vr": "SH", "Value": value.split("\\")},
            }
            more = {
                "sop_classes": [],
                "instance_count": 1,
                "changed_at": clock.now(),
                "created_at": clock.now(),
            }
            connection.execute(
                insert(studies).values(
                    id=number,
                    patient=number,
                    study_uid=f"1.{number}",
                    study_id=value,
                    accession_number=value,
                    attributes=told,
                    **more,
                )
            )
    client = Client(engine, tmp_path)
    for _ in range(2):
        answers = (await client.get("/studies", "orderby=StudyInstanceUID")).json()
        for answer, value in zip(answers, odd, strict=True):
            # a backslash parts values, whatever was received
            values = [one or None for one in value.split("\\")]
            assert answer["00100020"]["Value"] == values
            assert answer["00080050"]["Value"] == values
            assert answer["00200010"]["Value"] == values
            assert [name["Alphabetic"] if name else None for name in answer["00100010"]["Value"]] == values
