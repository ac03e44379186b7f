"""The study table over HTTP: what one box finds, pages, facets, details, priors, what is new."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydicom.dataset import Dataset
from sqlalchemy import Engine, insert, update
from tests.archive.conftest import Put, ct
from tests.archive.web.asked import Kept, _problem, context, signed_in

from filmless.access.audit.model import Kind
from filmless.access.model import ENGINEER, Grant, Principal, Role, Scope, account_principal
from filmless.access.tables import study_access
from filmless.archive import api
from filmless.archive.api import changes as changes_module
from filmless.archive.api.words import Changes, Priors, SearchAnswer, StudyDetails
from filmless.archive.model import Source
from filmless.archive.query.facets import facets
from filmless.archive.query.listing import Wanted
from filmless.archive.rejection import apply_note
from filmless.archive.tables import series
from filmless.db.work import reading, writing
from filmless.kit import clock
from filmless.kit.errors import FilmlessError

DOCTOR = account_principal("doctor", 1, [Grant(Role.ATT)])
CT_ONLY = account_principal("ct", 2, [Grant(Role.ATT, Scope(modalities=frozenset({"CT"})))])
NOBODY = account_principal("nobody", 3, [Grant(Role.TRI)])

#: what does not depend on the database
ON_ONE = pytest.mark.parametrize("backend", ["sqlite"])

#: number -> name, patient ID, accession, date, modality, description, station
STUDIES: dict[int, tuple[str, str, str, str, str, str, str]] = {
    1: ("WANG^XIAODONG=王^小东", "P100", "A2001", "20240101", "CT", "CT Thorax", "CT1"),
    2: ("WANG^XIAODONG=王^小东", "P100", "A2002", "20240301", "MR", "MRI Brain", "MR1"),
    3: ("WANG^DONG=王^东", "P200", "A2003", "20240215", "CT", "CT Abdomen", "CT2"),
    4: ("ZHANG^WEI=张^伟", "P300", "B2001", "20230105", "US", "Abdomen", "US1"),
    5: ("ZANG^WEI=臧^伟", "20240101", "B2002", "20240102", "CT", "头颅CT平扫", "CT1"),
    6: ("Müller^Jörg", "M600", "C1", "20220101", "DX", "Chest", "DX1"),
    7: ("Smith^John", "s700", "C2", "20210101", "DX", "Chest", "DX1"),
    8: ("王^小明", "P800", "C3", "20200101", "CT", "", ""),
    9: ("Yamada^Tarou=山田^太郎=やまだ^たろう", "P900", "C4", "", "MG", "", "MG1"),
}


def made(number: int, image: int = 1, series: int = 1, **more: Any) -> Dataset:
    name, patient, accession, day, modality, description, station = STUDIES[number]
    base = f"1.2.6.{number}"
    return ct(
        **{
            "SpecificCharacterSet": "ISO_IR 192",
            "PatientName": name,
            "PatientID": patient,
            "PatientBirthDate": "19500101",
            "AccessionNumber": accession,
            "StudyDate": day,
            "StudyInstanceUID": base,
            "SeriesInstanceUID": f"{base}.{series}",
            "SOPInstanceUID": f"{base}.{series}.{image}",
            "SeriesNumber": series,
            "Modality": modality,
            "StudyDescription": description,
            "StationName": station,
            "InstitutionName": "Filmless General",
            "BodyPartExamined": "CHEST",
            "PatientAge": "074Y",
            "StudyID": f"S{number}",
            **more,
        }
    )


class Table:
    def __init__(self, engine: Engine, folder: Path) -> None:
        self.trail = Kept()
        self.app = FastAPI(exception_handlers={FilmlessError: _problem})  # type: ignore[dict-item]
        self.context = context(engine, folder, self.trail)
        self.app.include_router(api.router(self.context))

    async def ask(self, path: str, who: Principal | None = DOCTOR, **body: Any) -> httpx.Response:
        async with signed_in(self.app, who) as client:
            return await client.post(path, json=body)

    async def get(self, path: str, who: Principal | None = DOCTOR) -> httpx.Response:
        async with signed_in(self.app, who) as client:
            return await client.get(path)

    async def found(self, who: Principal | None = DOCTOR, **body: Any) -> list[int]:
        """Numbers of the studies found, in their order."""
        answer = await self.ask("/studies/search", who, **body)
        assert answer.status_code == 200, answer.text
        SearchAnswer.model_validate(answer.json())
        return [int(row["study_uid"].rpartition(".")[2]) for row in answer.json()["studies"]]


@pytest.fixture
async def table(put: Put, engine: Engine, tmp_path: Path) -> AsyncIterator[Table]:
    def fill() -> None:
        for number in STUDIES:
            put(made(number))

    await asyncio.to_thread(fill)
    yield Table(engine, tmp_path)


BOX: list[tuple[str, set[int]]] = [
    ("", set(STUDIES)),
    # names: characters, pinyin with and without spaces, either order, initials, beginnings
    ("王小东", {1, 2}),
    ("王小", {1, 2, 8}),
    ("王", {1, 2, 3, 8}),
    ("wang xiao dong", {1, 2}),
    ("Wang Xiaodong", {1, 2}),
    ("xiaodong wang", {1, 2}),
    ("wangxiaod", {1, 2}),
    ("WANG^X", {1, 2}),
    ("wxd", {1, 2}),
    ("wd", {3}),
    ("wang", {1, 2, 3}),
    ("zhang wei", {4}),
    ("muller", {6}),
    ("MÜLLER Jörg", {6}),
    ("john smith", {7}),
    ("js", {7}),
    ("sj", {7}),
    ("やまだ", {9}),
    ("山田", {9}),
    # identifiers, from their beginning, in any case of letters as typed or in capitals
    ("P100", {1, 2}),
    ("p10", {1, 2}),
    ("s700", {7}),
    ("A200", {1, 2, 3}),
    ("b2002", {5}),
    ("S4", {4}),
    ("1.2.6.3", {3}),
    # dates; eight digits may be an ID too
    ("2024-01-01", {1}),
    ("2024.3.1", {2}),
    ("2024-01", {1, 5}),
    ("20240101", {1, 5}),
    # several words: all of them
    ("wang 2024-03", {2}),
    ("王小东 A2001", {1}),
    ("wang P300", set()),
    # nothing, and what might break a query
    ("zzzz", set()),
    ("%", set()),
    ("*", set()),
    ("' OR 1=1 --", set()),
    ("\U0010ffff", set()),
    ("<script>", set()),
    ("2024-13", set()),
]


async def test_one_box_finds_names_numbers_and_dates(table: Table) -> None:
    wrong = {}
    for text, expected in BOX:
        found = await table.found(text=text)
        if set(found) != expected or len(found) != len(expected):
            wrong[text] = (found, expected)
    assert wrong == {}
    assert set(await table.found(text="zang wei")) == {5}
    assert set(await table.found(text="zang wei", fuzzy=True)) == {4, 5}


FILTERS: list[tuple[dict[str, Any], set[int]]] = [
    ({"modalities": ["MR"]}, {2}),
    ({"modalities": ["MR", "US"]}, {2, 4}),
    ({"first_day": "2024-02-15"}, {2, 3}),
    ({"last_day": "2021-01-01"}, {7, 8}),
    ({"first_day": "20240102", "last_day": "20240301"}, {2, 3, 5}),
    ({"stations": ["CT1"]}, {1, 5}),
    ({"stations": ["CT1"], "text": "wang"}, {1}),
    ({"body_parts": ["HEAD"]}, set()),
    ({"institutions": ["Filmless General"], "modalities": ["MG"]}, {9}),
]


async def test_filters_orders_and_pages(table: Table) -> None:
    for body, expected in FILTERS:
        assert set(await table.found(**body)) == expected, body
    assert await table.found(limit=3) == [2, 3, 5]
    assert await table.found(order="received") == list(reversed(STUDIES))
    assert await table.found(order="patient_id", descending=False) == [5, 6, 1, 2, 3, 4, 8, 9, 7]
    now = datetime.now(UTC)
    assert await table.found(received_since=(now + timedelta(hours=1)).isoformat()) == []
    assert len(await table.found(received_since=(now - timedelta(hours=1)).isoformat())) == len(STUDIES)
    for order in ("date", "received", "name", "patient_id", "accession", "description", "instances"):
        pages: list[int] = []
        after = ""
        while True:
            answer = (await table.ask("/studies/search", order=order, limit=2, after=after)).json()
            pages += [int(row["study_uid"].rpartition(".")[2]) for row in answer["studies"]]
            after = answer["following"]
            if not after:
                break
        assert pages == await table.found(order=order)
        assert sorted(pages) == sorted(STUDIES)


async def test_a_row_says_what_the_table_shows(table: Table, put: Put, engine: Engine) -> None:
    await asyncio.to_thread(put, made(1, series=2, Modality="SR", StationName="WS"))
    with writing(engine) as connection:
        connection.execute(
            insert(study_access).values(
                study_uid="1.2.6.1", sensitive=True, changed_at=clock.now(), changed_by="test"
            )
        )
    row = (await table.ask("/studies/search", ENGINEER, text="A2001")).json()["studies"][0]
    received = row.pop("received_at"), row.pop("changed_at")
    assert row.pop("row") > 0
    assert all(abs(datetime.now(UTC) - datetime.fromisoformat(at)) < timedelta(minutes=5) for at in received)
    assert row == {
        "study_uid": "1.2.6.1",
        "patient": {
            "id": "P100",
            "issuer": "",
            "name": "WANG^XIAODONG",
            "name_ideographic": "王^小东",
            "name_phonetic": "",
            "sex": "F",
            "birth_date": "19500101",
        },
        "age": "074Y",
        "accession_number": "A2001",
        "study_id": "S1",
        "date": "20240101",
        "time": "101112",
        "description": "CT Thorax",
        "referring_physician": "",
        "modalities": ["CT", "SR"],
        "series": 2,
        "instances": 2,
        "stations": ["CT1", "WS"],
        "institutions": ["Filmless General"],
        "body_parts": ["CHEST"],
        "sensitive": True,
    }
    # who may not see a sensitive study does not learn that there is one
    assert await table.found(text="A2001") == []
    assert (await table.get("/studies/1.2.6.1")).status_code == 404


async def test_facets_and_the_total(table: Table) -> None:
    body = {"text": "2024-01", "count": True, "facets": ["modality", "station", "institution"], "limit": 1}
    answer = (await table.ask("/studies/search", **body)).json()
    assert answer["total"] == 2
    assert answer["facets"] == {
        "modality": [{"value": "CT", "studies": 2}],
        "station": [{"value": "CT1", "studies": 2}],
        "institution": [{"value": "Filmless General", "studies": 2}],
    }
    assert answer["facets_complete"]
    # what is chosen of a facet does not hide its other values
    chosen = (await table.ask("/studies/search", modalities=["MR"], facets=["modality"])).json()
    assert [one["value"] for one in chosen["facets"]["modality"]] == ["CT", "DX", "MG", "MR", "US"]
    seen = (await table.ask("/studies/search", CT_ONLY, facets=["modality"], count=True)).json()
    assert seen["total"] == 4
    assert seen["facets"]["modality"] == [{"value": "CT", "studies": 4}]


def test_facets_of_very_many_studies_are_of_the_newest(table: Table, engine: Engine) -> None:
    def numbers(most: int) -> tuple[dict[str, int], bool]:
        with reading(engine) as connection:
            found = facets(connection, DOCTOR, Wanted(), ["modality"], most=most)
        return {one["value"]: one["studies"] for one in found.values["modality"]}, found.complete

    everything, complete = numbers(len(STUDIES))
    assert complete
    some, complete = numbers(2)
    assert not complete
    # three studies are looked at to know that there are more than two
    assert 0 < sum(some.values()) < sum(everything.values())
    assert all(number <= everything[value] for value, number in some.items())


async def test_details_and_priors(table: Table, put: Put, engine: Engine) -> None:
    def more() -> None:
        for image in range(2, 6):
            put(made(1, image))
        put(made(1, series=10, Modality="SR", Rows=None, Columns=None))
        put(made(1, series=3, SeriesDescription="third"))

    await asyncio.to_thread(more)
    answer = (await table.get("/studies/1.2.6.1")).json()
    StudyDetails.model_validate(answer)
    assert [one["series_uid"] for one in answer["content"]] == ["1.2.6.1.1", "1.2.6.1.3", "1.2.6.1.10"]
    assert [(one["instances"], one["images"]) for one in answer["content"]] == [(5, 5), (1, 1), (1, 0)]
    assert answer["content"][0]["thumbnail"]["sop_instance_uid"] == "1.2.6.1.1.3"
    for odd in ("--5", "²", "1e3", "9" * 16):
        # what is no number comes behind what is, and costs no study
        with writing(engine) as connection:
            connection.execute(
                update(series).where(series.c.series_uid == "1.2.6.1.1").values(series_number=odd)
            )
        content = (await table.get("/studies/1.2.6.1")).json()["content"]
        assert [one["series_uid"] for one in content] == ["1.2.6.1.3", "1.2.6.1.10", "1.2.6.1.1"]
    with writing(engine) as connection:
        connection.execute(update(series).where(series.c.series_uid == "1.2.6.1.1").values(series_number="1"))
    priors = (await table.get("/studies/1.2.6.2/priors")).json()
    Priors.model_validate(priors)
    assert [(one["study_uid"], one["earlier"]) for one in priors["studies"]] == [("1.2.6.1", True)]
    later = (await table.get("/studies/1.2.6.1/priors")).json()["studies"]
    assert [(one["study_uid"], one["earlier"]) for one in later] == [("1.2.6.2", False)]
    # a prior that is not for this principal is absent
    assert (await table.get("/studies/1.2.6.1/priors", CT_ONLY)).json() == {"studies": []}
    assert (await table.get("/studies/1.2.6.4/priors", CT_ONLY)).status_code == 404
    # a rejected object is absent, and stands for nothing
    with writing(engine) as connection:
        apply_note(
            connection,
            note_uid="1.2.5",
            code="113039",
            sop_instance_uids=["1.2.6.1.1.3", "1.2.6.1.3.1"],
            by="test",
            reason="",
            at=clock.now(),
        )
    answer = (await table.get("/studies/1.2.6.1")).json()
    assert [(one["series_uid"], one["instances"]) for one in answer["content"]] == [
        ("1.2.6.1.1", 4),
        ("1.2.6.1.10", 1),
    ]
    assert answer["content"][0]["thumbnail"]["sop_instance_uid"] == "1.2.6.1.1.2"


@ON_ONE
async def test_who_may_not_and_what_cannot_be_understood(table: Table) -> None:
    assert (await table.ask("/studies/search", None)).status_code == 401
    assert (await table.ask("/studies/search", NOBODY)).status_code == 403
    assert (await table.get("/studies/1.2.6.1", NOBODY)).status_code == 403
    assert (await table.get("/studies/changes?since=0", NOBODY)).status_code == 403
    (told,) = [one for one in table.trail.entries if one.kind == "refusal"]
    assert (told.outcome, told.what) == ("refused", "GET /api/studies/changes")
    assert (await table.get("/studies/9.9.9")).status_code == 404
    assert await table.found(CT_ONLY) == [3, 5, 1, 8]
    for body in (
        {"limit": 0},
        {"limit": 100000},
        {"text": "x" * 300},
        {"text": "\0"},
        {"first_day": "yesterday"},
        {"order": "shoe size"},
        {"shoes": 1},
        {"modalities": ["X"] * 40},
    ):
        assert (await table.ask("/studies/search", **body)).status_code == 422, body
    for body in ({"text": "a " * 20}, {"after": "nonsense"}, {"after": "WyJ4Il0"}):
        answer = await table.ask("/studies/search", **body)
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json"), body
    assert (await table.get("/studies/..%2f..%2fetc")).status_code in (404, 422)


@ON_ONE
async def test_searches_are_audited(table: Table) -> None:
    await table.ask("/studies/search", text="王小东", limit=3)
    await table.get("/studies/1.2.6.1")
    await table.get("/studies/1.2.6.4", CT_ONLY)
    one, two, three = table.trail.entries
    assert (one.kind, one.who, one.what, one.host) == (Kind.SEARCH, DOCTOR, "search", "192.0.2.7")
    assert one.query == '{"text":"王小东","limit":3}'
    assert (two.what, two.studies, two.outcome) == ("details", ("1.2.6.1",), "success")
    assert (three.studies, three.outcome) == (("1.2.6.4",), "refused")


async def test_what_is_new_comes_to_who_may_see_it(table: Table, put: Put, engine: Engine) -> None:
    start = (await table.get("/studies/changes")).json()["seq"]
    assert (await table.get(f"/studies/changes?since={start}")).json() == {"seq": start, "changes": []}
    doctor = asyncio.create_task(table.get(f"/studies/changes?since={start}&wait=20"))
    ct_only = asyncio.create_task(table.get(f"/studies/changes?since={start}&wait=20", CT_ONLY))
    await asyncio.to_thread(put, made(4, 2))
    answer = (await doctor).json()
    Changes.model_validate(answer)
    assert [(one["study_uid"], one["what"]) for one in answer["changes"]] == [("1.2.6.4", ["images"])]
    # an ultrasound is nothing for the other one, who goes on waiting
    assert not ct_only.done()
    await asyncio.to_thread(put, made(3, 2))
    answer = (await ct_only).json()
    assert [one["study_uid"] for one in answer["changes"]] == ["1.2.6.3"]
    with writing(engine) as connection:
        apply_note(
            connection,
            note_uid="1.2.5",
            code="113039",
            sop_instance_uids=["1.2.6.3.1.2"],
            by="test",
            reason="",
            at=clock.now(),
        )
        changes_module.events.record(connection, [("objects-rejected", {"note": "1.2.5", "code": "113039"})])
    changed = (await table.get(f"/studies/changes?since={answer['seq']}")).json()
    assert [(one["study_uid"], one["what"]) for one in changed["changes"]] == [("1.2.6.3", ["changed"])]
    everything = (await table.get("/studies/changes?since=0")).json()
    assert {one["study_uid"] for one in everything["changes"]} == {f"1.2.6.{number}" for number in STUDIES}
    assert everything["seq"] == changed["seq"]


@ON_ONE
async def test_waiting_ends_in_time(table: Table) -> None:
    start = (await table.get("/studies/changes")).json()["seq"]
    began = asyncio.get_running_loop().time()
    answer = await table.get(f"/studies/changes?since={start}&wait=0.3")
    assert answer.json() == {"seq": start, "changes": []}
    assert asyncio.get_running_loop().time() - began < 10
    assert (await table.get(f"/studies/changes?since={start}&wait=26")).status_code == 422


@ON_ONE
async def test_one_number_under_two_patients(table: Table, put: Put) -> None:
    """Each is opened by its row; without it, nobody's earlier studies are those of somebody else."""
    other = {
        "StudyInstanceUID": "1.2.6.1",
        "SeriesInstanceUID": "1.2.6.1.77",
        "SOPInstanceUID": "1.2.6.1.77.1",
    }
    await asyncio.to_thread(put, made(4, **other))
    first = (await table.get("/studies/1.2.6.1")).json()
    StudyDetails.model_validate(first)
    assert first["other_patients"] == 1
    rows = {one["patient"]["id"]: one["row"] for one in first["under"]}
    assert set(rows) == {"P100", "P300"} and first["row"] == rows["P100"]
    for patient, series_uid, prior in (("P100", "1.2.6.1.1", "1.2.6.2"), ("P300", "1.2.6.1.77", "1.2.6.4")):
        one = (await table.get(f"/studies/1.2.6.1?row={rows[patient]}")).json()
        assert one["patient"]["id"] == patient
        assert [each["series_uid"] for each in one["content"]] == [series_uid]
        priors = (await table.get(f"/studies/1.2.6.1/priors?row={rows[patient]}")).json()["studies"]
        assert [each["study_uid"] for each in priors] == [prior]
    assert (await table.get("/studies/1.2.6.1/priors")).json() == {"studies": []}
    # in one series: another one with the first one's ID, and one whose issuer only the sender's device said
    twin = {"StudyInstanceUID": "1.2.6.1", "SOPInstanceUID": "1.2.6.1.1.8", "PatientBirthDate": "19991231"}
    await asyncio.to_thread(put, made(1, **twin))
    device = Source("CT9", default_issuer="ELSEWHERE")
    await asyncio.to_thread(put, made(1, SOPInstanceUID="1.2.6.1.1.9"), device)
    objects = set()
    for one in (await table.get("/studies/1.2.6.1")).json()["under"]:
        details = (await table.get(f"/studies/1.2.6.1?row={one['row']}")).json()
        (series_of,) = details["content"]
        born, issuer = details["patient"]["birth_date"], details["patient"]["issuer"]
        objects.add((born, issuer, *series_of["objects"]))
        assert series_of["thumbnail"]["sop_instance_uid"] in series_of["objects"]
    assert objects == {
        ("19500101", "", "1.2.6.1.1.1"),
        ("19500101", "", "1.2.6.1.77.1"),
        ("19991231", "", "1.2.6.1.1.8"),
        ("19500101", "ELSEWHERE", "1.2.6.1.1.9"),
    }
    # a row of another study is none of this one
    elsewhere = (await table.get("/studies/1.2.6.2")).json()
    assert elsewhere["under"] == []
    assert (await table.get(f"/studies/1.2.6.1?row={elsewhere['row']}")).status_code == 404


@ON_ONE
async def test_who_waits_is_answered_when_the_process_is_told_to_stop(table: Table) -> None:
    start = (await table.get("/studies/changes")).json()["seq"]
    waiting = asyncio.create_task(table.get(f"/studies/changes?since={start}&wait=25"))
    table.context.ending.set()
    # far sooner than it was ready to wait
    answer = await asyncio.wait_for(waiting, 15)
    assert answer.json() == {"seq": start, "changes": []}
